"""The keys a company trusts: certificates pinned by its administrator, parsed once.

The certificate is only a carrier of the key. Its chain, its own signature and its dates decide nothing: Entra's are self-signed,
and Entra goes on signing with an expired one as long as there is no other ("Manage certificates for federated single sign-on").
Expiry is warned about where certificates are administered.
"""

import hashlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

MIN_KEY_BITS = 2048
MAX_KEY_BITS = 8192
"""Above this one verification would cost milliseconds."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    fingerprint: str
    """SHA-256 of the certificate's DER, lower-case hex: the name of the certificate everywhere."""
    thumbprint: str
    """SHA-1 of the same, upper case: what Entra's portal shows, for people to compare. Nothing is decided by it."""
    public_key: RSAPublicKey = field(repr=False, compare=False)


def trusted_key(der: bytes) -> TrustedKey:
    """The key of one certificate.

    Raises:
        ValueError: not a certificate, not RSA, or a key too short or too long.
    """
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the certificate's key is not RSA")
    if not MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS:
        raise ValueError(f"the certificate's RSA key has {key.key_size} bits, not {MIN_KEY_BITS} to {MAX_KEY_BITS}")
    return TrustedKey(hashlib.sha256(der).hexdigest(), thumbprint(der), key)


def thumbprint(der: bytes) -> str:
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
