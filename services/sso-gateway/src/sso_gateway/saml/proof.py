"""From what a browser brings to what one company's Entra app has signed, with one second look at the company's certificates."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from sso_gateway import metrics
from sso_gateway.saml.connection import Connections, TrustedConnection
from sso_gateway.saml.errors import Reason, SamlRefusal
from sso_gateway.saml.gate import SignedResponse, signed_response
from sso_gateway.saml.profile import VerifiedAssertion, check
from sso_gateway.saml.redirect import SignedMessage, UnverifiedRedirect, signed_message

SignedT = TypeVar("SignedT", SignedResponse, SignedMessage)


async def verified_assertion(
    connections: Connections, trusted: TrustedConnection, unverified_response: bytes, now: datetime
) -> tuple[TrustedConnection, VerifiedAssertion]:
    """The assertion, and the connection that it was verified against.

    Raises:
        SamlRefusal: whatever gate and profile refuse.
    """
    trusted, signed = await _proven(connections, trusted, partial(_signed_response, unverified_response))
    return trusted, check(signed, trusted.expected, now)


async def proven_message(
    connections: Connections, trusted: TrustedConnection, unverified: UnverifiedRedirect
) -> tuple[TrustedConnection, SignedMessage]:
    """The same for a message that came by redirect.

    Raises:
        SamlRefusal: whatever `signed_message` refuses.
    """
    return await _proven(connections, trusted, partial(_signed_message, unverified))


async def _proven(
    connections: Connections, trusted: TrustedConnection, prove: Callable[[TrustedConnection], SignedT]
) -> tuple[TrustedConnection, SignedT]:
    """A signer we do not know may be a certificate that was added a moment ago: the connection is fetched once more."""
    try:
        signed = prove(trusted)
    except SamlRefusal as refused:
        if refused.reason is not Reason.unknown_signer:
            raise
        fresh = await connections.refetched(trusted)
        if fresh is None:
            metrics.VERIFICATIONS.labels("unknown", "other").inc()
            raise
        trusted, signed = fresh, prove(fresh)
    slot = "current" if signed.signer == trusted.keys[0] else "next"
    metrics.VERIFICATIONS.labels(slot, signed.algorithm).inc()
    return trusted, signed


def _signed_response(unverified_response: bytes, trusted: TrustedConnection) -> SignedResponse:
    return signed_response(unverified_response, trusted.keys, trusted.connection.signed, trusted.expected.entity_id)


def _signed_message(unverified: UnverifiedRedirect, trusted: TrustedConnection) -> SignedMessage:
    return signed_message(unverified, trusted.keys)
