"""Enveloped XML signatures in the exact spelling of Entra: built as text, digested through exclusive C14N.

No InclusiveNamespaces, no white space, no prefix except on X509Data of Response and metadata signatures.
SHA-1 exists because Entra offers it, and because a receiver must be shown to refuse it.
"""

from base64 import b64encode
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

Algorithm = Literal["sha256", "sha1", "sha384", "sha512"]

DSIG = "http://www.w3.org/2000/09/xmldsig#"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DSIG}enveloped-signature"

SIGNATURE_URIS: dict[Algorithm, str] = {
    "sha256": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "sha1": f"{DSIG}rsa-sha1",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "sha512": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
}
DIGEST_URIS: dict[Algorithm, str] = {
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha1": f"{DSIG}sha1",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
}
_HASHES: dict[Algorithm, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha1": hashes.SHA1(),  # noqa: S303
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def exclusive_c14n(xml: str) -> bytes:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return etree.tostring(etree.fromstring(xml.encode(), parser), method="c14n", exclusive=True)


def sign_bytes(octets: bytes, key: rsa.RSAPrivateKey, algorithm: Algorithm = "sha256") -> bytes:
    return key.sign(octets, padding.PKCS1v15(), _HASHES[algorithm])


def _digest(octets: bytes, algorithm: Algorithm) -> str:
    digest = hashes.Hash(_HASHES[algorithm])
    digest.update(octets)
    return b64encode(digest.finalize()).decode()


def signature(
    signed_xml: str,
    reference_id: str,
    key: rsa.RSAPrivateKey,
    certificate: str | None,
    *,
    algorithm: Algorithm = "sha256",
    prefixed_key_info: bool = False,
) -> str:
    """The Signature element over `signed_xml`, the text of the element while it has no signature yet.

    `certificate` is base64 DER in one line; None leaves KeyInfo out.
    """
    return signature_over(
        exclusive_c14n(signed_xml), reference_id, key, certificate, algorithm=algorithm, prefixed=prefixed_key_info
    )


def signature_over(
    octets: bytes,
    reference_id: str,
    key: rsa.RSAPrivateKey,
    certificate: str | None,
    *,
    algorithm: Algorithm,
    prefixed: bool,
) -> str:
    inner = (
        f'<CanonicalizationMethod Algorithm="{EXC_C14N}"/><SignatureMethod Algorithm="{SIGNATURE_URIS[algorithm]}"/>'
        f'<Reference URI="#{reference_id}"><Transforms><Transform Algorithm="{ENVELOPED}"/>'
        f'<Transform Algorithm="{EXC_C14N}"/></Transforms><DigestMethod Algorithm="{DIGEST_URIS[algorithm]}"/>'
        f"<DigestValue>{_digest(octets, algorithm)}</DigestValue></Reference></SignedInfo>"
    )
    value = sign_bytes(exclusive_c14n(f'<SignedInfo xmlns="{DSIG}">{inner}'), key, algorithm)
    return (
        f'<Signature xmlns="{DSIG}"><SignedInfo>{inner}<SignatureValue>{b64encode(value).decode()}</SignatureValue>'
        f"{_key_info(certificate, prefixed=prefixed)}</Signature>"
    )


def _key_info(certificate: str | None, *, prefixed: bool) -> str:
    if certificate is None:
        return ""
    if prefixed:
        return (
            f'<KeyInfo><ds:X509Data xmlns:ds="{DSIG}"><ds:X509Certificate>{certificate}</ds:X509Certificate>'
            "</ds:X509Data></KeyInfo>"
        )
    return f"<KeyInfo><X509Data><X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo>"
