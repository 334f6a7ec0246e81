"""The keys a company trusts: certificates pinned by its administrator, parsed once.

The certificate is only a carrier of the key. Its chain, its own signature and its dates decide nothing: Entra's are self-signed,
and Entra goes on signing with an expired one as long as there is no other ("Manage certificates for federated single sign-on").
Expiry is warned about where certificates are administered.
"""

import hashlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.rsa_keys import why_unusable


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
        ValueError: not a certificate, not RSA, or a key that is none of `shared.rsa_keys`; directory refuses the same.
    """
    certificate = x509.load_der_x509_certificate(der)
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        raise ValueError("the certificate's key is not RSA") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the certificate's key is not RSA")
    numbers = key.public_numbers()
    if unusable := why_unusable(numbers.n, numbers.e):
        raise ValueError(f"the certificate's key {unusable}")
    return TrustedKey(hashlib.sha256(der).hexdigest(), thumbprint(der), key)


def thumbprint(der: bytes) -> str:
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
