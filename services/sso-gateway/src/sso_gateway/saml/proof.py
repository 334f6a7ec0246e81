"""From a posted response to a verified assertion of one company, with a second look at the company's certificates: in directory,
and then in Entra's own metadata of the app."""

from datetime import datetime

from sso_gateway import metrics
from sso_gateway.saml.connection import Connections, TrustedConnection
from sso_gateway.saml.errors import Reason, SamlRefusal
from sso_gateway.saml.gate import SignedResponse, signed_response
from sso_gateway.saml.large import LargeForms
from sso_gateway.saml.metadata_refresh import MetadataRefresh
from sso_gateway.saml.profile import VerifiedAssertion, check


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
    try:
        signed = await _signed(large, trusted, unverified_response)
    except SamlRefusal as refused:
        if refused.reason is not Reason.unknown_signer:
            raise
        found = await _second_look(connections, refresh, large, trusted, unverified_response)
        if found is None:
            metrics.VERIFICATIONS.labels("unknown", "other").inc()
            raise
        trusted, signed = found
    else:
        refresh.behind(trusted)
    slot = "current" if signed.signer == trusted.keys[0] else "next"
    metrics.VERIFICATIONS.labels(slot, signed.algorithm).inc()
    return trusted, await large.understood(unverified_response, check, signed, trusted.expected, now)


async def _second_look(
    connections: Connections,
    refresh: MetadataRefresh,
    large: LargeForms,
    trusted: TrustedConnection,
    unverified_response: bytes,
) -> tuple[TrustedConnection, SignedResponse] | None:
    """None where nobody knows the signer. Raises SamlRefusal: what else is wrong."""
    for look in (connections.refetched, refresh.for_unknown_signer):
        fresh = await look(trusted)
        if fresh is None:
            continue
        try:
            return fresh, await _signed(large, fresh, unverified_response)
        except SamlRefusal as refused:
            if refused.reason is not Reason.unknown_signer:
                raise
            trusted = fresh
    return None


async def _signed(large: LargeForms, trusted: TrustedConnection, unverified_response: bytes) -> SignedResponse:
    company = trusted.connection
    return await large.understood(
        unverified_response,
        signed_response,
        unverified_response,
        trusted.keys,
        company.signed,
        trusted.expected.entity_id,
    )
