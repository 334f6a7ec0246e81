"""Signing certificates as people paste them: read, judged, named by fingerprint. Pure; the clock is passed in.

Accepted: PEM with or without its lines, bare base64, DER, CRLF, indentation, several in one text, federation metadata as a whole.
What is something else is said to be just that; a private key is never repeated in an error.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from directory.companies.federation_metadata import MetadataRefused, is_metadata, signing_certificates
from shared.rsa_keys import why_unusable

MAX_TEXT = 64 * 1024

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_WHERE = "In Entra: Enterprise app, Single sign-on, SAML Certificates, download 'Certificate (Base64)'."

_NOT_A_CERTIFICATE = {
    "CERTIFICATE REQUEST": "this is a certificate request",
    "NEW CERTIFICATE REQUEST": "this is a certificate request",
    "PUBLIC KEY": "this is a public key without a certificate",
    "RSA PUBLIC KEY": "this is a public key without a certificate",
    "PKCS7": "this is a PKCS#7 bundle",
    "X509 CRL": "this is a revocation list",
}


class CertificateRefused(ValueError):
    """Why it cannot be trusted, and what to paste instead."""


class CertificateExpired(CertificateRefused):
    """It was good once."""


@dataclass(frozen=True, slots=True)
class Certificate:
    fingerprint: str
    """SHA-256 of the DER form, 64 hexadecimal digits."""
    der: bytes
    subject: str
    not_before: datetime
    not_after: datetime


def read_certificates(pasted: str | bytes, now: datetime, *, issuer: str | None = None) -> list[Certificate]:
    """All certificates in what was pasted; the same one twice counts once.

    A certificate that is not valid yet is accepted: Entra's next one may be pasted before its day. Of metadata, which also has
    those that were in use before, the expired ones are left out. `issuer`: whose metadata it must be.

    Raises:
        CertificateRefused: nothing in it is a certificate, or one of them may not be trusted (expired, not RSA, of a key
            that sso-gateway does not use).
    """
    if isinstance(pasted, bytes) and not pasted.startswith(b"\x30"):
        pasted = pasted.decode("utf-8", "replace")
    if isinstance(pasted, str) and is_metadata(pasted):
        return _of_metadata(pasted, now, issuer)
    found: dict[str, Certificate] = {}
    for der in _ders(pasted):
        certificate = _judged(der, now)
        found.setdefault(certificate.fingerprint, certificate)
    return list(found.values())


def _of_metadata(text: str, now: datetime, issuer: str | None) -> list[Certificate]:
    try:
        ders = signing_certificates(text, issuer)
    except MetadataRefused as refused:
        raise CertificateRefused(f"{refused}. {_WHERE}") from None
    found: dict[str, Certificate] = {}
    expired: CertificateRefused | None = None
    for der in ders:
        try:
            certificate = _judged(der, now)
        except CertificateExpired as refused:
            expired = refused
        else:
            found.setdefault(certificate.fingerprint, certificate)
    if not found and expired is not None:
        raise expired
    return list(found.values())


def _ders(pasted: str | bytes) -> list[bytes]:
    if isinstance(pasted, bytes):
        return [pasted]
    if len(pasted) > MAX_TEXT:
        raise CertificateRefused(f"it is longer than {MAX_TEXT} characters, which no certificate is. {_WHERE}")
    if not pasted.strip():
        raise CertificateRefused(f"it is empty. {_WHERE}")
    if "PRIVATE KEY" in pasted:
        raise CertificateRefused(
            "this holds a private key, which nobody but its owner may see: treat it as leaked and make a new one. "
            f"Wanted is the certificate alone. {_WHERE}"
        )
    blocks = _BLOCK.findall(pasted)
    if not blocks and "-----BEGIN" in pasted:
        raise CertificateRefused(
            f"its END line is missing or does not fit the BEGIN line: copy the whole text. {_WHERE}"
        )
    if not blocks:
        return [_decoded(re.sub(r"-----END [A-Z0-9 ]+-----", "", pasted))]
    return [_decoded(body) for label, body in blocks if _is_certificate(label)]


def _is_certificate(label: str) -> bool:
    if label not in {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}:
        raise CertificateRefused(f"{_NOT_A_CERTIFICATE.get(label, f'this is a {label.lower()}')}. {_WHERE}")
    return True


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(re.sub(r"\s+", "", text), validate=True)
    except (binascii.Error, ValueError):
        raise CertificateRefused(f"it is not base64: something was lost or added in copying. {_WHERE}") from None


def _judged(der: bytes, now: datetime) -> Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = _key(certificate)
        subject = certificate.subject.rfc4514_string()
        exact = certificate.public_bytes(Encoding.DER)
    except Exception:
        raise CertificateRefused(f"it is not an X.509 certificate. {_WHERE}") from None
    until = certificate.not_valid_after_utc
    if until <= now:
        raise CertificateExpired(
            f"it expired on {until:%Y-%m-%d}. Make a new certificate in Entra and paste that one. {_WHERE}"
        )
    if not isinstance(key, rsa.RSAPublicKey):
        raise CertificateRefused(f"its key is not RSA, and Entra signs with RSA. {_WHERE}")
    numbers = key.public_numbers()
    if unusable := why_unusable(numbers.n, numbers.e):
        raise CertificateRefused(f"its key {unusable}. {_WHERE}")
    return Certificate(hashlib.sha256(exact).hexdigest(), exact, subject, certificate.not_valid_before_utc, until)


def _key(certificate: x509.Certificate) -> object:
    """None: of a kind, or on a curve, that is not known here."""
    try:
        return certificate.public_key()
    except UnsupportedAlgorithm:
        return None
