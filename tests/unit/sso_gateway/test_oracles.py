"""Two independent verifiers agree with ours on every accepted response, and on what a changed one is worth."""

import pytest
from lxml import etree
from signxml.exceptions import InvalidSignature

from sso_gateway.saml.errors import SamlRefusal
from tests.support.saml_corpus.case import edited, key, respond
from tests.support.saml_responses import SAML
from tests.unit.sso_gateway.saml_files import ACCEPTED, REFUSED, SamlFile
from tests.unit.sso_gateway.saml_oracles import signed_elements, signxml_octets, xmlsec_verifies

BROKEN = [
    file
    for file in REFUSED
    # libxmlsec1 follows a Reference wherever it leads, into files and to other hosts; ours stays at the element it stands in.
    if file.path.parent.parent.name in ("bad_signature", "unknown_signer")
    and not file.path.parent.name.startswith("reference_")
]


@pytest.mark.parametrize("file", ACCEPTED, ids=lambda file: file.name)
def test_xmlsec_verifies_every_signature_of_what_we_accept(file: SamlFile) -> None:
    assert file.prove()
    assert xmlsec_verifies(file.document, file.certificates)


@pytest.mark.parametrize("file", ACCEPTED, ids=lambda file: file.name)
def test_signxml_finds_the_same_octets_signed(file: SamlFile) -> None:
    proven = file.prove()
    root = etree.fromstring(file.document)
    certificate = file.certificates[[key.fingerprint for key in file.keys].index(proven.signer.fingerprint)]
    octets = [signxml_octets(element, certificate) for element in signed_elements(root)]
    # The innermost signature is the one whose octets are read: of the Assertion, or of the Response where only that is signed.
    assert octets[-1] == proven.assertion_octets


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.name)
def test_xmlsec_verifies_nothing_whose_signature_we_refuse(file: SamlFile) -> None:
    with pytest.raises(SamlRefusal):
        file.prove()
    assert not xmlsec_verifies(file.document, file.certificates)


def test_nobody_verifies_a_changed_document() -> None:
    document = edited(">Anna<", ">Bo<")
    assert not xmlsec_verifies(document, [key().pem])
    [assertion] = etree.fromstring(document).findall(f"{SAML}Assertion")
    with pytest.raises(InvalidSignature):
        signxml_octets(assertion, key().pem)


def test_nobody_verifies_another_s_signature() -> None:
    document = respond(signer="stranger")
    assert not xmlsec_verifies(document, [key().pem])
    [assertion] = etree.fromstring(document).findall(f"{SAML}Assertion")
    with pytest.raises(InvalidSignature):
        signxml_octets(assertion, key().pem)
