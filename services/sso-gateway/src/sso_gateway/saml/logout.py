"""Does a signed logout message mean this company, for us, now; and which sign-in is over?

    LogoutRequest    Entra signs somebody out everywhere: SessionIndex is the assertion's id, NameID may be in another form
    LogoutResponse   Entra's answer to our request; it decides nothing but what the browser is told

Pure: what was signed, the company's expectations and the clock in; a `VerifiedLogout` or a refusal out.
Source: SAML 2.0 Core section 3.7; Microsoft, "Single Sign-Out SAML Protocol".
"""

from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

from sso_gateway.saml.errors import Reason, SamlRefusal, malformed
from sso_gateway.saml.gate import SAML, SAMLP, SUCCESS
from sso_gateway.saml.grammar import LOGOUT_REQUEST, LOGOUT_RESPONSE, Shape, check_shape
from sso_gateway.saml.profile import CLOCK_SKEW, IDENTIFIER, MAX_FUTURE, MAX_UNSOLICITED_AGE, Expected, check_name
from sso_gateway.saml.reading import instant
from sso_gateway.saml.redirect import SignedMessage
from sso_gateway.saml.xml import parse_hardened

UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

_PROOF = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedLogout:
    """Signed by the company's Entra app, for us, now. Only `check_logout_request` makes these."""

    session_indexes: tuple[str, ...]
    name_id: str = field(repr=False)
    name_id_format: str | None
    """None: not said, or unspecified, which says nothing either."""
    until: datetime
    """Sessions that were opened later are not meant, clock difference included."""
    signer_fingerprint: str
    proof: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.proof is not _PROOF:
            raise TypeError("a VerifiedLogout comes out of check_logout_request() only")


def check_logout_request(signed: SignedMessage, expected: Expected, logout_url: str, now: datetime) -> VerifiedLogout:
    """Raises SamlRefusal: malformed_response, wrong_issuer, wrong_destination, expired, not_yet_valid."""
    request = _read(signed, LOGOUT_REQUEST)
    issued_at = _check_circumstances(request, (expected.issuer,), logout_url, now)
    _check_end(request, now)
    name_id = request[1]
    check_name(name_id.text or "")
    indexes = tuple(index.text or "" for index in request.findall(f"{SAMLP}SessionIndex"))
    for index in indexes:
        if not IDENTIFIER.fullmatch(index):
            raise malformed("a SessionIndex as in an assertion", index)
    name_id_format = name_id.get("Format")
    return VerifiedLogout(
        session_indexes=indexes,
        name_id=name_id.text or "",
        name_id_format=None if name_id_format == UNSPECIFIED else name_id_format,
        until=issued_at + CLOCK_SKEW,
        signer_fingerprint=signed.signer.fingerprint,
        proof=_PROOF,
    )


def check_logout_response(signed: SignedMessage, expected: Expected, logout_url: str, now: datetime) -> None:
    """Entra confirms that somebody is signed out there.

    Raises:
        SamlRefusal: idp_refused where it does not, and whatever a request is refused for.
    """
    response = _read(signed, LOGOUT_RESPONSE)
    # Microsoft's own documents show both (MicrosoftDocs/azure-docs #108484).
    issuers = (
        expected.issuer,
        f"https://sts.windows.net/{expected.tenant_id}/",
        f"https://login.microsoftonline.com/{expected.tenant_id}/",
    )
    _check_circumstances(response, issuers, logout_url, now)
    codes = [str(code.get("Value")) for code in response.iter(f"{SAMLP}StatusCode")]
    if codes != [SUCCESS]:
        raise SamlRefusal(Reason.idp_refused, "status Success", ", ".join(code.rpartition(":")[2] for code in codes))


def _read(signed: SignedMessage, shape: Shape) -> etree._Element:
    message = parse_hardened(signed.document)
    check_shape(message, shape)
    if message.get("Version") != "2.0":
        raise malformed("Version 2.0", message.get("Version"))
    if not IDENTIFIER.fullmatch(message.get("ID") or ""):
        raise malformed("an ID of at most 128 letters, digits, '_', '-', '.'", message.get("ID"))
    return message


def _check_circumstances(message: etree._Element, issuers: tuple[str, ...], logout_url: str, now: datetime) -> datetime:
    """Who says it, where it was delivered, and when it was issued: that moment."""
    issuer = message.findtext(f"{SAML}Issuer") or ""
    if issuer not in issuers:
        raise SamlRefusal(Reason.wrong_issuer, issuers[0], issuer)
    destination = message.get("Destination")
    if destination is not None and destination != logout_url:
        raise SamlRefusal(Reason.wrong_destination, logout_url, destination)
    issued_at = instant(message.get("IssueInstant") or "", "IssueInstant")
    if issued_at > now + MAX_FUTURE:
        raise SamlRefusal(Reason.not_yet_valid, f"issued by {_shown(now)}", f"issued at {_shown(issued_at)}")
    if issued_at < now - MAX_UNSOLICITED_AGE:
        raise SamlRefusal(
            Reason.expired, f"issued after {_shown(now - MAX_UNSOLICITED_AGE)}", f"issued at {_shown(issued_at)}"
        )
    return issued_at


def _check_end(request: etree._Element, now: datetime) -> None:
    value = request.get("NotOnOrAfter")
    # Of now, which has room on both sides: the year 9999 has no minute more.
    if value is not None and now - CLOCK_SKEW >= instant(value, "NotOnOrAfter"):
        raise SamlRefusal(Reason.expired, f"valid at {_shown(now)}", f"valid until {value}")


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
