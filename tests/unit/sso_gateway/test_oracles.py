"""Two independent verifiers agree with ours on every genuine response, and on what a changed one is worth.

xmlsec (libxmlsec1) and signxml are oracles in the tests only; neither is in the product.
"""

import base64

import pytest
import xmlsec
from lxml import etree
from signxml.exceptions import InvalidSignature
from signxml.verifier import XMLVerifier

from shared.schemas.login import SignedMode
from sso_gateway.saml.errors import Reason
from sso_gateway.saml.gate import signed_response
from tests.support.saml_responses import DS, ENTITY_ID, SAML, Recipe, respond, signing_key
from tests.unit.sso_gateway.saml_support import pinned, reason

GENUINE = {
    "plain": Recipe(),
    "started in Microsoft 365": Recipe(in_response_to=None),
    "150 groups": Recipe(groups=tuple(f"{number:08d}-aaaa-4aaa-8aaa-aaaaaaaaaaaa" for number in range(150))),
    "Danish": Recipe(name_id="Åse.Ærø@contoso.com"),
    "XML's own letters": Recipe(
        name_id="o'brien&<co>\"@contoso.com", claims=((f"x{chr(10)}&", ("\r\n&#13;",)), *Recipe().claims)
    ),
    "white space": Recipe(
        edit=lambda document: document.replace("><Subject>", ">\r\n  <Subject>").replace("</Issuer>", "</Issuer>\n")
    ),
    "SHA-512": Recipe(
        signature_method="http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        digest_method="http://www.w3.org/2001/04/xmlenc#sha512",
    ),
}


def xmlsec_verifies(document: bytes) -> bool:
    root = etree.fromstring(document)
    for element in (root, *root.iter(f"{SAML}Assertion")):
        xmlsec.tree.add_ids(element, ["ID"])
    for signature in root.iter(f"{DS}Signature"):
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(signing_key().pem, xmlsec.constants.KeyDataFormatCertPem)
        try:
            context.verify(signature)
        except xmlsec.Error:
            return False
    return True


def signxml_octets(document: bytes, signed: SignedMode) -> bytes:
    """What signxml says was signed, the assertion's own signature taken out as the signature says."""
    root = etree.fromstring(document)
    element = root if signed == "response" else root.find(f"{SAML}Assertion")
    assert element is not None
    verified = XMLVerifier().verify(etree.tostring(element), x509_cert=signing_key().pem, id_attribute="ID")
    [result] = verified if isinstance(verified, list) else [verified]
    octets: bytes = result.signed_data
    return octets


@pytest.mark.parametrize("signed", ["assertion", "response"])
@pytest.mark.parametrize("name", GENUINE)
def test_the_oracles_verify_the_same_octets(name: str, signed: SignedMode) -> None:
    recipe = GENUINE[name]
    document = respond(Recipe(**{**vars(recipe), "signed": signed}))
    proven = signed_response(document, pinned(), signed, ENTITY_ID)
    assert xmlsec_verifies(document)
    assert signxml_octets(document, signed) == proven.assertion_octets


@pytest.mark.parametrize("name", GENUINE)
def test_xmlsec_verifies_both_signatures_of_a_doubly_signed_response(name: str) -> None:
    document = respond(Recipe(**{**vars(GENUINE[name]), "signed": "both"}))
    assert signed_response(document, pinned(), "both", ENTITY_ID).signer.fingerprint == signing_key().fingerprint
    assert xmlsec_verifies(document)


def test_nobody_verifies_a_changed_document() -> None:
    document = respond().replace(b">Anna<", b">Bo<")
    assert reason(document) is Reason.bad_signature
    assert not xmlsec_verifies(document)
    with pytest.raises(InvalidSignature):
        signxml_octets(document, "assertion")


def test_nobody_verifies_another_s_signature() -> None:
    document = respond(key=signing_key("stranger"))
    document = document.replace(base64.b64encode(signing_key("stranger").der), base64.b64encode(signing_key().der))
    assert reason(document) is Reason.unknown_signer
    assert not xmlsec_verifies(document)
    with pytest.raises(InvalidSignature):
        signxml_octets(document, "assertion")
