"""From what a browser brings to what one company's Entra app has signed, with a second look at the company's certificates: in
directory, and for a response then in Entra's own metadata of the app."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from sso_gateway import metrics
from sso_gateway.saml.connection import Connections, TrustedConnection
from sso_gateway.saml.errors import Reason, SamlRefusal
from sso_gateway.saml.gate import SignedResponse, signed_response
from sso_gateway.saml.large import LargeForms
from sso_gateway.saml.metadata_refresh import MetadataRefresh
from sso_gateway.saml.profile import VerifiedAssertion, check
from sso_gateway.saml.redirect import SignedMessage, UnverifiedRedirect, signed_message

SignedT = TypeVar("SignedT", SignedResponse, SignedMessage)
Look = Callable[[TrustedConnection], Awaitable[TrustedConnection | None]]
Prove = Callable[[TrustedConnection], Awaitable[SignedT]]


async def verified_assertion(
    connections: Connections,
    refresh: MetadataRefresh,
    large: LargeForms,
    trusted: TrustedConnection,
    unverified_response: bytes,
    now: datetime,
) -> tuple[TrustedConnection, VerifiedAssertion]:
    """The assertion, and the connection that it was verified against.

    A signer we do not know may be a certificate that was added a moment ago, or that Entra made active before it was pasted.

    Raises:
        SamlRefusal: whatever gate and profile refuse.
    """
    prove = partial(_signed_response, large, unverified_response)
    trusted, signed = await _proven((connections.refetched, refresh.for_unknown_signer), trusted, prove)
    return trusted, await large.understood(unverified_response, check, signed, trusted.expected, now)


async def proven_message(
    connections: Connections, trusted: TrustedConnection, unverified: UnverifiedRedirect
) -> tuple[TrustedConnection, SignedMessage]:
    """The same for a message that came by redirect; whoever is signed out has signed in before, by a certificate that is known.

    Raises:
        SamlRefusal: whatever `signed_message` refuses.
    """
    return await _proven((connections.refetched,), trusted, partial(_signed_message, unverified))


async def _proven(
    looks: tuple[Look, ...], trusted: TrustedConnection, prove: Prove[SignedT]
) -> tuple[TrustedConnection, SignedT]:
    try:
        signed = await prove(trusted)
    except SamlRefusal as refused:
        if refused.reason is not Reason.unknown_signer:
            raise
        found = await _second_look(looks, trusted, prove)
        if found is None:
            metrics.VERIFICATIONS.labels("unknown", "other").inc()
            raise
        trusted, signed = found
    slot = "current" if signed.signer == trusted.keys[0] else "next"
    metrics.VERIFICATIONS.labels(slot, signed.algorithm).inc()
    return trusted, signed


async def _second_look(
    looks: tuple[Look, ...], trusted: TrustedConnection, prove: Prove[SignedT]
) -> tuple[TrustedConnection, SignedT] | None:
    """None where nobody knows the signer. Raises SamlRefusal: what else is wrong."""
    for look in looks:
        fresh = await look(trusted)
        if fresh is None:
            continue
        try:
            return fresh, await prove(fresh)
        except SamlRefusal as refused:
            if refused.reason is not Reason.unknown_signer:
                raise
            trusted = fresh
    return None


async def _signed_response(large: LargeForms, unverified_response: bytes, trusted: TrustedConnection) -> SignedResponse:
    company = trusted.connection
    return await large.understood(
        unverified_response,
        signed_response,
        unverified_response,
        trusted.keys,
        company.signed,
        trusted.expected.entity_id,
    )


async def _signed_message(unverified: UnverifiedRedirect, trusted: TrustedConnection) -> SignedMessage:
    return signed_message(unverified, trusted.keys)
