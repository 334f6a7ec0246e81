"""Responses that identity providers by other hands made of our request, recorded by `scripts/foreign_saml/record.sh`.

Our simulator and our gate could be wrong in the same way; these cannot. Every signature of theirs holds for ours, octet for octet
as for xmlsec and signxml. Whether a response signs in is another question, for the grammar is that of Entra:

    Lasso            signs Anna in as it is, whatever is required: prefixes from the Response, statements the other way round
    samlp            states a schema type with every value (xsi:type): refused. Without claims it is genuine, and of no tenant
    SimpleSAMLphp    declares the namespaces of schema types in every Assertion, always: refused
"""

import ssl
from datetime import datetime
from pathlib import Path

import pytest
from lxml import etree

from shared.schemas.login import SignedMode
from sso_gateway.saml.errors import Reason, SamlRefusal
from sso_gateway.saml.keys import TrustedKey, trusted_key
from sso_gateway.saml.reading import instant
from sso_gateway.saml.signature import proven_octets
from sso_gateway.saml.xml import parse_canonical
from tests.support.saml_corpus.case import key
from tests.support.saml_responses import DS, FLOW, OBJECT_ID
from tests.unit.sso_gateway.saml_files import FOLDER
from tests.unit.sso_gateway.saml_oracles import signed_elements, signxml_octets, xmlsec_verifies
from tests.unit.sso_gateway.saml_support import refusal, sign_in

RECORDED = sorted((FOLDER / "foreign").glob("*/*/response.xml"))
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XS = "http://www.w3.org/2001/XMLSchema"
ACCEPTED: list[tuple[str, SignedMode]] = [
    ("lasso/default", "assertion"),
    ("lasso/default", "response"),
    ("lasso/default", "both"),
    ("lasso/unsolicited", "both"),
]
NO_TENANT = (Reason.wrong_tenant, "nothing")
NO_RESPONSE_SIGNATURE = (Reason.not_signed, "a Response without a signature")
NO_ASSERTION_SIGNATURE = (Reason.not_signed, "an Assertion without a signature")
SHA1 = (Reason.weak_algorithm, "http://www.w3.org/2000/09/xmldsig#rsa-sha1")
REFUSED: list[tuple[str, SignedMode, tuple[Reason, str]]] = [
    ("lasso/no_claims", "both", NO_TENANT),
    ("lasso/sha1", "both", SHA1),
    # Signed with SHA-512, and a digest that is not among ours: Lasso 2.8 takes SHA-384 for it.
    ("lasso/sha512", "both", (Reason.weak_algorithm, "http://www.w3.org/2001/04/xmldsig-more#sha384")),
    ("samlp/default", "assertion", (Reason.malformed_response, XS)),
    ("samlp/untyped", "assertion", (Reason.malformed_response, XS)),
    ("samlp/no_claims_assertion", "assertion", NO_TENANT),
    ("samlp/no_claims_assertion", "both", NO_RESPONSE_SIGNATURE),
    ("samlp/no_claims_prefix", "assertion", NO_TENANT),
    ("samlp/no_claims_response", "response", NO_TENANT),
    ("samlp/no_claims_response", "assertion", NO_ASSERTION_SIGNATURE),
    ("samlp/no_claims_both", "both", NO_TENANT),
    ("samlp/no_claims_sha1", "assertion", SHA1),
    ("samlp/no_session_index", "assertion", NO_TENANT),
    ("simplesamlphp/default", "both", (Reason.malformed_response, XSI)),
    ("simplesamlphp/assertion", "assertion", (Reason.malformed_response, XSI)),
    ("simplesamlphp/response", "response", (Reason.malformed_response, XSI)),
    ("simplesamlphp/no_claims", "both", (Reason.malformed_response, XSI)),
    ("simplesamlphp/sha1", "both", (Reason.malformed_response, XSI)),
    ("simplesamlphp/unsolicited", "both", (Reason.malformed_response, XSI)),
]


def name(file: Path) -> str:
    return f"{file.parent.parent.name}/{file.parent.name}"


def recorded(name: str) -> bytes:
    return (FOLDER / "foreign" / name / "response.xml").read_bytes()


def keys() -> list[TrustedKey]:
    return [trusted_key(ssl.PEM_cert_to_DER_cert(key("foreign").pem))]


def moment(document: bytes) -> datetime:
    """When it was recorded: the tests' clock stands there."""
    return instant(etree.fromstring(document).get("IssueInstant") or "", "IssueInstant")


@pytest.mark.parametrize(("name", "signed"), ACCEPTED)
def test_a_response_that_fits_the_profile_signs_its_person_in(name: str, signed: SignedMode) -> None:
    document = recorded(name)
    verified = sign_in(document, signed, moment(document), keys())
    assert (verified.object_id, verified.name_id, verified.email) == (OBJECT_ID, "anna@contoso.com", "anna@contoso.com")
    assert verified.groups == ("77777777-aaaa-4aaa-8aaa-000000000001",)
    assert verified.in_response_to == (None if name.endswith("unsolicited") else FLOW)


@pytest.mark.parametrize(("name", "signed", "verdict"), REFUSED)
def test_a_response_that_does_not_fit_is_refused_for_the_reason_known(
    name: str, signed: SignedMode, verdict: tuple[Reason, str]
) -> None:
    document = recorded(name)
    refused = refusal(document, signed, moment(document), keys())
    assert (refused.reason, refused.got) == verdict


@pytest.mark.parametrize("file", RECORDED, ids=name)
def test_every_signature_holds_for_us_and_for_both_oracles_octet_for_octet(file: Path) -> None:
    document = file.read_bytes()
    root = parse_canonical(document)
    elements = list(signed_elements(etree.fromstring(document)))
    assert elements
    assert xmlsec_verifies(document, [key("foreign").pem])
    if "sha" in file.parent.name:
        # What the gate refuses before it computes anything, as the table above says.
        with pytest.raises(SamlRefusal):
            proven_octets(root, root.findall(f".//{DS}Signature")[0], keys())
        return
    for ours, theirs in zip(list(signed_elements(root)), elements, strict=True):
        signature = ours.find(f"{DS}Signature")
        assert signature is not None
        assert proven_octets(ours, signature, keys()).octets == signxml_octets(theirs, key("foreign").pem)


@pytest.mark.parametrize("file", RECORDED, ids=name)
def test_no_signature_holds_for_anybody_once_the_name_is_changed(file: Path) -> None:
    document = file.read_bytes().replace(b">anna@contoso.com</saml:NameID>", b">bo@contoso.com</saml:NameID>")
    assert document != file.read_bytes()
    assert not xmlsec_verifies(document, [key("foreign").pem])
    root = parse_canonical(document)
    for element in signed_elements(root):
        signature = element.find(f"{DS}Signature")
        assert signature is not None
        with pytest.raises(SamlRefusal):
            proven_octets(element, signature, keys())
        break


def test_every_recorded_response_has_its_verdict() -> None:
    judged = {name for name, _ in ACCEPTED} | {name for name, *_ in REFUSED}
    assert {name(file) for file in RECORDED} == judged
    assert len(RECORDED) >= 19
