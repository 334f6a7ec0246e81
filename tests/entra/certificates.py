"""Signing certificates as Entra makes them, and the rule which of them signs.

Source: entra-docs tutorial-manage-certificates-for-federated-single-sign-on.md; the shape was read off real
certificates: self-signed, one fixed name, no extensions, three years, 16-byte serial.
"""

import calendar
import functools
import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.entra.people import Certificate
from tests.entra.rsa_keys import load, new_key

COMMON_NAME = "Microsoft Azure Federated SSO Certificate"


def new_certificate(now: datetime, *, active: bool = False, key_size: int = 2048, years: int = 3) -> Certificate:
    key = new_key(key_size)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    begin = now.replace(microsecond=0)
    end = _years_later(begin, years)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(bytes([secrets.randbelow(0x7F) + 1]) + secrets.token_bytes(15)))
        .not_valid_before(begin)
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        thumbprint=certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - what the portal shows
        pem=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        not_before=begin,
        not_after=end,
        active=active,
    )


def _years_later(begin: datetime, years: int) -> datetime:
    day = min(begin.day, calendar.monthrange(begin.year + years, begin.month)[1])
    return begin.replace(year=begin.year + years, day=day)


def signing_certificate(certificates: Sequence[Certificate], now: datetime) -> Certificate:
    """The active one; a valid one as soon as the active one has expired; an expired one if there is nothing else."""
    if not certificates:
        raise LookupError("the app has no signing certificate")
    active = [c for c in certificates if c.active]
    valid = [c for c in certificates if c.not_before <= now < c.not_after]
    still_valid = [c for c in active if c in valid]
    newest = sorted(still_valid or valid or active or certificates, key=lambda c: c.not_before)
    return newest[-1]


@functools.lru_cache(maxsize=256)
def private_key(certificate: Certificate) -> rsa.RSAPrivateKey:
    return load(certificate.key_pem)


def one_line(certificate: Certificate) -> str:
    """Base64 of the DER form in one line, as X509Certificate elements hold it."""
    der = x509.load_pem_x509_certificate(certificate.pem.encode()).public_bytes(serialization.Encoding.DER)
    return b64encode(der).decode()
