"""Is this response genuine? Bytes in, exactly the octets that a trusted key has signed out.

    bytes -> size, UTF-8, no `<!`      xml.py
          -> one hardened tree         xml.py
          -> closed grammar            grammar.py
          -> signatures, all of them   signature.py, over the keys pinned for this company only
          -> the signed octets         the only thing identity is ever read from

Pure: no clock, no network, no company's settings beyond its keys. What the octets say is judged in `profile.py`.
Source: SAML 2.0 Core section 5; the attack classes are listed in docs/login.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from lxml import etree

from shared.schemas.login import SignedMode
from sso_gateway.saml.errors import Reason, SamlRefusal, malformed
from sso_gateway.saml.grammar import check_grammar
from sso_gateway.saml.keys import TrustedKey
from sso_gateway.saml.signature import ProvenOctets, proven_octets
from sso_gateway.saml.xml import ASSERTION, PROTOCOL, XMLDSIG, parse_canonical, parse_hardened

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
AADSTS = re.compile(r"AADSTS[0-9]{4,8}")
SAML = f"{{{ASSERTION}}}"
SAMLP = f"{{{PROTOCOL}}}"
SIGNATURE = f"{{{XMLDSIG}}}Signature"

_PROOF = object()


class Envelope(msgspec.Struct, frozen=True):
    """Attributes of the Response, as written."""

    response_id: str
    version: str
    issue_instant: str
    issuer: str
    destination: str | None
    in_response_to: str | None


@dataclass(frozen=True, slots=True)
class SignedResponse:
    """What a trusted key has signed. Only `signed_response` makes these."""

    assertion_octets: bytes = field(repr=False)
    """Canonical bytes of the Assertion, or of the Response around it where only that is signed."""
    envelope: Envelope
    """The Response around it. Unsigned where only the Assertion is signed: good to refuse by, never to accept by."""
    signer: TrustedKey
    algorithm: str
    signed: SignedMode
    """What bore a signature, which verified."""
    proof: object = field(repr=False)

    def __post_init__(self) -> None:
        if self.proof is not _PROOF:
            raise TypeError("a SignedResponse comes out of signed_response() only")


def signed_response(
    unverified_response: bytes, trusted: Sequence[TrustedKey], signed: SignedMode, entity_id: str
) -> SignedResponse:
    """Prove the response, or refuse it: the signatures `signed` asks for are there, and every one that is there verifies.

    `entity_id` only words one refusal: a response for another app, signed by that app's key, is `wrong_audience` and not
    `unknown_signer`, because that is what its administrator can mend.

    Raises:
        SamlRefusal: malformed_response, idp_refused, not_signed, weak_algorithm, bad_signature, unknown_signer, wrong_audience.
    """
    response = parse_hardened(unverified_response)
    check_grammar(response)
    assertion = response.find(f"{SAML}Assertion")
    _check_status(response, assertion)
    if assertion is None:
        raise malformed("an Assertion in a successful Response", "none")
    audiences = [audience.text or "" for audience in assertion.iter(f"{SAML}Audience")]
    try:
        by_response, by_assertion = _verify(response, assertion, trusted, signed)
    except SamlRefusal as refusal:
        if refusal.reason is Reason.unknown_signer and audiences and entity_id not in audiences:
            raise SamlRefusal(Reason.wrong_audience, entity_id, audiences[0]) from None
        raise
    innermost = by_assertion or by_response
    assert innermost is not None, "one of the two is required"  # noqa: S101
    return SignedResponse(
        assertion_octets=innermost.octets,
        envelope=_envelope(parse_canonical(by_response.octets) if by_response else response),
        signer=innermost.signer,
        algorithm=innermost.algorithm,
        signed="both" if by_response and by_assertion else "response" if by_response else "assertion",
        proof=_PROOF,
    )


def _verify(
    response: etree._Element, assertion: etree._Element, trusted: Sequence[TrustedKey], signed: SignedMode
) -> tuple[ProvenOctets | None, ProvenOctets | None]:
    response_signature, assertion_signature = response.find(SIGNATURE), assertion.find(SIGNATURE)
    if response_signature is None and signed != "assertion":
        raise SamlRefusal(Reason.not_signed, "a signed Response", "a Response without a signature")
    if assertion_signature is None and signed != "response":
        raise SamlRefusal(Reason.not_signed, "a signed Assertion", "an Assertion without a signature")
    # The outer one first: it covers the inner signature, which verifying takes out of the tree.
    by_response = None if response_signature is None else proven_octets(response, response_signature, trusted)
    by_assertion = None if assertion_signature is None else proven_octets(assertion, assertion_signature, trusted)
    return by_response, by_assertion


def _check_status(response: etree._Element, assertion: etree._Element | None) -> None:
    """Entra reports failures unsigned: such a response can end a login, never begin a session."""
    status = response[1] if response[1].tag != SIGNATURE else response[2]
    codes = [str(code.get("Value")) for code in status.iter(f"{SAMLP}StatusCode")]
    if codes == [SUCCESS]:
        return
    if assertion is not None or codes[0] == SUCCESS:
        raise malformed("one status: success with an Assertion, or a failure without", ", ".join(codes))
    error = AADSTS.search(status.findtext(f"{SAMLP}StatusMessage") or "")
    names = [code.rpartition(":")[2] for code in codes] + ([error.group()] if error else [])
    raise SamlRefusal(Reason.idp_refused, "status Success", ", ".join(names))


def _envelope(response: etree._Element) -> Envelope:
    return Envelope(
        response_id=response.get("ID") or "",
        version=response.get("Version") or "",
        issue_instant=response.get("IssueInstant") or "",
        issuer=response[0].text or "",
        destination=response.get("Destination"),
        in_response_to=response.get("InResponseTo"),
    )
