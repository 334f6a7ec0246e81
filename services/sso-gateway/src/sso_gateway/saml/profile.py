"""Does what was signed mean: this person, at this company's Entra app, for us, here, now?

Pure: signed octets, the company's expectations and the clock in; a `VerifiedAssertion` or a refusal out. What needs memory (is it
a replay, was it asked for, by this browser, may this person sign in) is directory's, in the same transaction as the session.

Source: SAML 2.0 Profiles section 4.1.4.3; Core section 2.5; Microsoft, "SAML token claims reference".
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from shared.schemas.login import SignedMode
from sso_gateway.saml.errors import Reason, SamlRefusal, malformed
from sso_gateway.saml.gate import Envelope, SignedResponse
from sso_gateway.saml.reading import Statement, instant, read_statement

CLOCK_SKEW = timedelta(seconds=60)
MAX_AGE = timedelta(minutes=10)
"""Between Entra writing the response and the browser delivering it."""
MAX_UNSOLICITED_AGE = timedelta(minutes=5)
"""Less where no request of ours binds the response to a browser."""
MAX_FUTURE = timedelta(minutes=2)
MAX_LIFETIME = timedelta(hours=24, minutes=10)
"""Entra's token lifetime policy allows 24 hours, and NotBefore lies five minutes back."""

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
CLAIM_TENANT = "http://schemas.microsoft.com/identity/claims/tenantid"
CLAIM_OBJECT = "http://schemas.microsoft.com/identity/claims/objectidentifier"
CLAIM_GROUPS = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
CLAIM_GROUPS_LINK = "http://schemas.microsoft.com/claims/groups.link"
CLAIM_NAME = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
CLAIM_EMAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
SINGLE_VALUED = (
    CLAIM_TENANT,
    CLAIM_OBJECT,
    CLAIM_GROUPS_LINK,
    CLAIM_EMAIL,
    CLAIM_NAME,
    "http://schemas.microsoft.com/identity/claims/displayname",
    "http://schemas.microsoft.com/identity/claims/identityprovider",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
)
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
MAX_NAME_LENGTH = 256
MAX_GROUPS = 2000

_PROOF = object()


class Expected(msgspec.Struct, frozen=True):
    """What a company's connection says of itself and of its Entra app."""

    entity_id: str
    acs_url: str
    issuer: str
    tenant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAssertion:
    """Signed by the company's Entra app, for us, now. Only `check` makes these."""

    assertion_id: str
    response_id: str
    in_response_to: str | None
    """The flow this answers; None: started in Microsoft 365."""
    name_id: str = field(repr=False)
    name_id_format: str | None
    session_index: str
    object_id: str
    tenant_id: str
    email: str | None = field(repr=False)
    name_claim: str | None = field(repr=False)
    """As Entra fills it by default: the user principal name."""
    groups: tuple[str, ...] | None = field(repr=False)
    """None: no groups claim, which says nothing about membership."""
    groups_overage: bool
    """Entra had too many groups to send: the claim is a link in place of a list."""
    not_on_or_after: datetime
    """No copy of this assertion is accepted from here on, clock difference included: how long a replay must be remembered."""
    issued_at: datetime
    authenticated_at: datetime
    """When the person last showed Entra who he is, which may be weeks ago; never after `issued_at`."""
    signer_fingerprint: str
    signed: SignedMode = field(compare=False)
    """What bore a signature: told, and no part of who it is."""
    proof: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.proof is not _PROOF:
            raise TypeError("a VerifiedAssertion comes out of check() only")


def check(signed: SignedResponse, expected: Expected, now: datetime) -> VerifiedAssertion:
    """Every rule of the profile, in an order that names the most useful reason first.

    Allows 60 s of clock difference (`CLOCK_SKEW`).

    Raises:
        SamlRefusal: wrong_issuer, wrong_tenant, wrong_audience, wrong_destination, wrong_recipient, unknown_request, expired,
            not_yet_valid, malformed_response.
    """
    envelope, statement = signed.envelope, read_statement(signed)
    _check_versions(envelope, statement)
    _check_parties(envelope, statement, expected)
    _check_request(envelope, statement)
    end = _check_times(envelope, statement, now)
    check_name(statement.name_id)
    for name in SINGLE_VALUED:
        _single(statement, name)
    object_id = _single(statement, CLAIM_OBJECT)
    if object_id is None or not GUID.fullmatch(object_id):
        raise malformed("an objectidentifier claim that is a GUID", "none" if object_id is None else "another value")
    if not statement.session_index or not IDENTIFIER.fullmatch(statement.session_index):
        raise malformed("an AuthnStatement with SessionIndex", "none, or of another form")
    return VerifiedAssertion(
        assertion_id=statement.assertion_id,
        response_id=envelope.response_id,
        in_response_to=statement.in_response_to,
        name_id=statement.name_id,
        name_id_format=statement.name_id_format,
        session_index=statement.session_index,
        object_id=object_id.lower(),
        tenant_id=expected.tenant_id,
        email=_single(statement, CLAIM_EMAIL) or None,
        name_claim=_single(statement, CLAIM_NAME) or None,
        groups=_groups(statement),
        groups_overage=CLAIM_GROUPS_LINK in statement.claims,
        not_on_or_after=end + CLOCK_SKEW,
        issued_at=statement.issued_at,
        authenticated_at=min(statement.authenticated_at, statement.issued_at),
        signer_fingerprint=signed.signer.fingerprint,
        signed=signed.signed,
        proof=_PROOF,
    )


def _check_versions(envelope: Envelope, statement: Statement) -> None:
    if (envelope.version, statement.version) != ("2.0", "2.0"):
        raise malformed("Version 2.0", f"{envelope.version}, {statement.version}")
    for identifier in (envelope.response_id, statement.assertion_id):
        if not IDENTIFIER.fullmatch(identifier):
            raise malformed(
                "an ID of at most 128 letters, digits, '_', '-', '.'", f"another of {len(identifier)} characters"
            )


def _check_parties(envelope: Envelope, statement: Statement, expected: Expected) -> None:
    """Who says it, of which tenant, to whom, and where it was delivered. Exact strings: no case folding, no trimming."""
    for issuer in (statement.issuer, envelope.issuer):
        if issuer != expected.issuer:
            raise SamlRefusal(Reason.wrong_issuer, expected.issuer, issuer)
    tenant = _single(statement, CLAIM_TENANT)
    if tenant is None or tenant.lower() != expected.tenant_id.lower():
        raise SamlRefusal(Reason.wrong_tenant, expected.tenant_id, tenant)
    if not statement.audiences:
        raise SamlRefusal(Reason.wrong_audience, expected.entity_id, None)
    for restriction in statement.audiences:
        if expected.entity_id not in restriction:
            raise SamlRefusal(Reason.wrong_audience, expected.entity_id, ", ".join(restriction))
    if envelope.destination != expected.acs_url:
        raise SamlRefusal(Reason.wrong_destination, expected.acs_url, envelope.destination)
    if statement.confirmation_method != BEARER:
        raise malformed(BEARER, statement.confirmation_method)
    if statement.recipient != expected.acs_url:
        raise SamlRefusal(Reason.wrong_recipient, expected.acs_url, statement.recipient)


def _check_request(envelope: Envelope, statement: Statement) -> None:
    if envelope.in_response_to != statement.in_response_to:
        raise SamlRefusal(
            Reason.unknown_request, "one InResponseTo in Response and SubjectConfirmationData", "two different ones"
        )
    if statement.in_response_to is not None and not IDENTIFIER.fullmatch(statement.in_response_to):
        raise SamlRefusal(Reason.unknown_request, "InResponseTo as we wrote it", statement.in_response_to)


def _check_times(envelope: Envelope, statement: Statement, now: datetime) -> datetime:
    """The earlier end of the two validity windows, once `now` lies in both."""
    begin, ends = _validity(statement)
    end = min(ends)
    # The clock is moved, not what was sent: there is no minute before the year 1, nor after 9999.
    if now + CLOCK_SKEW < begin:
        raise SamlRefusal(Reason.not_yet_valid, f"valid at {_shown(now)}", f"valid from {_shown(begin)}")
    if now - CLOCK_SKEW >= end:
        raise SamlRefusal(Reason.expired, f"valid at {_shown(now)}", f"valid until {_shown(end)}")
    if end <= begin or max(ends) - begin > MAX_LIFETIME:
        raise malformed(f"a validity of at most {MAX_LIFETIME}", f"{_shown(begin)} to {_shown(max(ends))}")
    max_age = MAX_AGE if statement.in_response_to is not None else MAX_UNSOLICITED_AGE
    for issued_at in (statement.issued_at, instant(envelope.issue_instant, "IssueInstant")):
        if issued_at > now + MAX_FUTURE:
            raise SamlRefusal(Reason.not_yet_valid, f"issued by {_shown(now)}", f"issued at {_shown(issued_at)}")
        if issued_at < now - max_age:
            raise SamlRefusal(Reason.expired, f"issued after {_shown(now - max_age)}", f"issued at {_shown(issued_at)}")
    return end


def _validity(statement: Statement) -> tuple[datetime, tuple[datetime, datetime]]:
    begin, end = statement.not_before, statement.not_on_or_after
    confirmation_end = statement.confirmation_not_on_or_after
    if begin is None or end is None:
        raise malformed("Conditions with NotBefore and NotOnOrAfter", "one of them, or none")
    if confirmation_end is None or statement.confirmation_not_before is not None:
        # Profiles section 4.1.4.2: NotOnOrAfter is required, NotBefore forbidden.
        raise malformed("SubjectConfirmationData with NotOnOrAfter and without NotBefore", "another")
    return begin, (end, confirmation_end)


def check_name(name: str) -> None:
    """Raises SamlRefusal: malformed_response."""
    if not name.strip() or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise malformed(
            f"a NameID of 1 to {MAX_NAME_LENGTH} printable characters", f"another of {len(name)} characters"
        )


def _single(statement: Statement, name: str) -> str | None:
    """The one value of a claim. Two claims of one name, or two values, are two persons' worth of meaning: refused."""
    claims = statement.claims.get(name)
    if claims is None:
        return None
    if len(claims) != 1 or len(claims[0]) != 1:
        raise malformed(f"one value in the claim {name}", f"{sum(map(len, claims))} in {len(claims)}")
    return claims[0][0]


def _groups(statement: Statement) -> tuple[str, ...] | None:
    claims = statement.claims.get(CLAIM_GROUPS)
    if claims is None:
        return None
    if len(claims) != 1 or len(claims[0]) > MAX_GROUPS:
        raise malformed(f"one groups claim of at most {MAX_GROUPS} values", f"{sum(map(len, claims))} in {len(claims)}")
    return claims[0]


def _shown(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
