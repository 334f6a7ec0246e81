"""One enveloped XML signature of the one profile Entra uses, and the octets it proves.

    SignedInfo   exclusive C14N, rsa-sha256/384/512
    Reference    "#" + ID of the parent, transforms exactly [enveloped-signature, exclusive C14N], sha256/512

Everything is compared with this profile before any cryptography runs, so there is no transform engine and no KeyInfo engine to
attack. KeyInfo decides nothing; only its certificate's thumbprint is shown to the administrator when the signer is unknown.

Source: XML Signature 1.1 sections 3.2 and 6.6.4, Exclusive XML Canonicalization 1.0.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from lxml import etree

from sso_gateway.saml.errors import Reason, SamlRefusal, malformed
from sso_gateway.saml.keys import TrustedKey, thumbprint
from sso_gateway.saml.xml import XMLDSIG

EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{XMLDSIG}enveloped-signature"
SIGNATURE_HASHES: dict[str, hashes.HashAlgorithm] = {
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": hashes.SHA256(),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": hashes.SHA384(),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": hashes.SHA512(),
}
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": hashlib.sha256,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashlib.sha512,
}
DS = f"{{{XMLDSIG}}}"


@dataclass(frozen=True, slots=True)
class ProvenOctets:
    """Canonical bytes of an element without its signature, whose digest a trusted key has signed."""

    octets: bytes
    signer: TrustedKey
    algorithm: str
    """rsa-sha256, rsa-sha384 or rsa-sha512."""


def proven_octets(element: etree._Element, signature: etree._Element, keys: Sequence[TrustedKey]) -> ProvenOctets:
    """Verify `signature`, a child of `element`, and return what it covers. Takes the signature out of the tree.

    The grammar must have been checked before: children are read by position.

    Raises:
        SamlRefusal: weak_algorithm, malformed_response, bad_signature, unknown_signer.
    """
    signed_info, signature_value = signature[0], signature[1]
    signature_hash, digest_name, digest_value = _read_signed_info(signed_info, str(element.get("ID")))
    signed_info_octets = _canonical(signed_info)
    claimed = _claimed_signer(signature)
    signature_octets = strict_base64(signature_value.text, "SignatureValue")

    _take_out(signature)
    octets = _canonical(element)
    if DIGESTS[digest_name](octets).digest() != digest_value:
        raise SamlRefusal(Reason.bad_signature, "the document as it was signed", "a document changed after signing")
    for key in keys:
        if verifies(key, signature_octets, signed_info_octets, signature_hash):
            return ProvenOctets(octets, key, f"rsa-{signature_hash.name}")
    raise SamlRefusal(Reason.unknown_signer, thumbprints(keys), claimed)


def strict_base64(text: str | None, where: str) -> bytes:
    """Base64 with line breaks at most; other stray characters are refused, never skipped."""
    try:
        return base64.b64decode((text or "").replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise malformed(f"strict base64 in {where}", "other characters") from None


def _read_signed_info(signed_info: etree._Element, parent_id: str) -> tuple[hashes.HashAlgorithm, str, bytes]:
    canonicalization, method, reference = signed_info
    transforms, digest_method, digest_value = reference
    if canonicalization.get("Algorithm") != EXCLUSIVE_C14N:
        raise malformed(EXCLUSIVE_C14N, canonicalization.get("Algorithm"))
    names = [str(transform.get("Algorithm")) for transform in transforms]
    if names != [ENVELOPED, EXCLUSIVE_C14N]:
        raise malformed("transforms enveloped-signature, then exclusive canonicalization", ", ".join(names))
    signature_hash = SIGNATURE_HASHES.get(str(method.get("Algorithm")))
    if signature_hash is None:
        raise SamlRefusal(Reason.weak_algorithm, "RSA with SHA-256 or better", method.get("Algorithm"))
    digest_name = str(digest_method.get("Algorithm"))
    if digest_name not in DIGESTS:
        raise SamlRefusal(Reason.weak_algorithm, "digest SHA-256 or SHA-512", digest_name)
    if reference.get("URI") != f"#{parent_id}" or not parent_id:
        raise SamlRefusal(Reason.bad_signature, "a signature of the element it stands in", reference.get("URI"))
    return signature_hash, digest_name, strict_base64(digest_value.text, "DigestValue")


def _canonical(element: etree._Element) -> bytes:
    try:
        octets = etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False)
    except etree.C14NError:
        raise malformed("a document that can be canonicalized", "another") from None
    if not octets:
        # A failed canonicalization that reads as nothing has a well-known digest (ruby-saml CVE-2025-66568).
        raise malformed("a document that can be canonicalized", "another")
    return octets


def _take_out(signature: etree._Element) -> None:
    """The enveloped-signature transform. lxml removes an element together with the text after it, which is signed."""
    parent, before, tail = signature.getparent(), signature.getprevious(), signature.tail
    if parent is None or before is None:
        raise malformed("a signature behind Issuer", "one before it")
    parent.remove(signature)
    if tail:
        before.tail = (before.tail or "") + tail


def verifies(key: TrustedKey, signature: bytes, signed: bytes, algorithm: hashes.HashAlgorithm) -> bool:
    """Whether `key` made this signature (RSA, PKCS #1 v1.5) over `signed`."""
    if len(signature) != (key.public_key.key_size + 7) // 8:
        return False
    try:
        key.public_key.verify(signature, signed, PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True


def _claimed_signer(signature: etree._Element) -> str:
    certificate = signature.find(f"{DS}KeyInfo/{DS}X509Data/{DS}X509Certificate")
    if certificate is None:
        return "a signature without certificate"
    try:
        return f"thumbprint {thumbprint(strict_base64(certificate.text, 'X509Certificate'))}"
    except SamlRefusal:
        return "an unreadable certificate"


def thumbprints(keys: Sequence[TrustedKey]) -> str:
    """What a refusal says was wanted of a signer."""
    return "thumbprint " + (" or ".join(key.thumbprint for key in keys) or "of a certificate, but none is stored")
