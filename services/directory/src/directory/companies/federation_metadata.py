"""The certificates in a federation metadata document, as Entra publishes one for each app. Pure.

Its signature is not looked at: it says that the tenant published it, and not of which app it is. Whoever pastes it, or the
address that it was fetched from, vouches for it; the certificates are judged one by one like any others.

Source: SAML Metadata section 2.4; Entra's documents have one KeyDescriptor for each certificate of the app.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from xml.etree import ElementTree

MAX_BYTES = 256 * 1024
"""Entra's have about 10 KB."""

_MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"


class MetadataRefused(ValueError):
    """Why no certificate can be taken from it."""


def is_metadata(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("<")


def signing_certificates(text: str, issuer: str | None) -> list[bytes]:
    """DER of each signing certificate of the identity provider; once each, in their order.

    `issuer`: whose document it must be, exactly.

    Raises:
        MetadataRefused: it is no metadata of one identity provider, another one's, or holds no certificate.
    """
    root = _root(text)
    if root.tag != f"{_MD}EntityDescriptor":
        raise MetadataRefused("it is XML, and no federation metadata: an EntityDescriptor is wanted")
    entity_id = root.get("entityID", "")
    if issuer is not None and entity_id != issuer:
        raise MetadataRefused(f"it is of {entity_id[:200] or 'nobody'}, and the company's issuer is {issuer}")
    found: dict[bytes, None] = {}
    for certificate in _certificates(root):
        found[_der(certificate)] = None
    if not found:
        raise MetadataRefused("no signing certificate of an identity provider (IDPSSODescriptor) is in it")
    return list(found)


def _root(text: str) -> ElementTree.Element:
    text = text.lstrip("\ufeff \t\r\n")
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise MetadataRefused(f"it is longer than {MAX_BYTES} bytes")
    if "<!" in text.replace("<!--", ""):
        raise MetadataRefused("a document type or CDATA section is in it, which Entra's metadata never has")
    try:
        # The text is no bytes any more: what the declaration says of an encoding would be wrong.
        return ElementTree.fromstring(re.sub(r"\A<\?xml[^>]*\?>", "", text))  # noqa: S314  no DTD is in it
    except (ElementTree.ParseError, ValueError, RecursionError):
        raise MetadataRefused("it is XML that cannot be read: copy the whole document") from None


def _certificates(root: ElementTree.Element) -> Iterator[str]:
    for provider in root.findall(f"{_MD}IDPSSODescriptor"):
        for key in provider.findall(f"{_MD}KeyDescriptor"):
            if key.get("use", "signing") == "signing":
                for certificate in key.iter(f"{_DS}X509Certificate"):
                    yield certificate.text or ""


def _der(text: str) -> bytes:
    try:
        return base64.b64decode(re.sub(r"\s+", "", text), validate=True)
    except (binascii.Error, ValueError):
        raise MetadataRefused("a certificate in it is not base64: something was lost or added in copying") from None
