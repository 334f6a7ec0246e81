"""Two verifiers by other hands, to hold ours against: xmlsec (libxmlsec1) and signxml. In the tests only."""

from collections.abc import Iterator, Sequence

import xmlsec
from lxml import etree
from signxml.verifier import XMLVerifier

from tests.support.saml_responses import DS, SAML


def signed_elements(root: etree._Element) -> Iterator[etree._Element]:
    """Response and Assertion, those of them that have a signature; the outer one first."""
    for element in (root, *root.iter(f"{SAML}Assertion")):
        if element.find(f"{DS}Signature") is not None:
            yield element


def xmlsec_verifies(document: bytes, certificates: Sequence[str]) -> bool:
    """Every signature there is, each by one of the certificates (PEM)."""
    root = etree.fromstring(document)
    for element in (root, *root.iter(f"{SAML}Assertion")):
        xmlsec.tree.add_ids(element, ["ID"])
    signatures = list(root.iter(f"{DS}Signature"))
    return bool(signatures) and all(
        any(_xmlsec_verifies(signature, pem) for pem in certificates) for signature in signatures
    )


def _xmlsec_verifies(signature: etree._Element, certificate: str) -> bool:
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(certificate, xmlsec.constants.KeyDataFormatCertPem)
    try:
        context.verify(signature)
    except xmlsec.Error:
        return False
    return True


def signxml_octets(element: etree._Element, certificate: str) -> bytes:
    """What signxml says was signed, the element's own signature taken out as the signature says.

    Raises:
        signxml.exceptions.InvalidSignature
    """
    verified = XMLVerifier().verify(etree.tostring(element, with_tail=False), x509_cert=certificate, id_attribute="ID")
    [result] = verified if isinstance(verified, list) else [verified]
    octets: bytes = result.signed_data
    return octets
