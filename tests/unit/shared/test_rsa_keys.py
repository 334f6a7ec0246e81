"""What directory shows as trusted, sso-gateway verifies with: odd keys, put to both.

The keys are products of Mersenne primes (RSA needs no two, and these need no search), so that each signs like any other.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from directory.companies.certificates import CertificateRefused, read_certificates
from shared.rsa_keys import why_unusable
from sso_gateway.saml.keys import TrustedKey, trusted_key
from sso_gateway.saml.signature import verifies
from tests.unit.directory.test_certificates import KEY, NAME, NOW, pem
from tests.unit.directory.test_federation_metadata import ISSUER, document
from tests.unit.directory.test_federation_metadata import key as descriptor

FACTORS = {
    2047: (1279, 521, 127, 107, 13),
    2048: (1279, 521, 127, 89, 19, 13),
    2049: (1279, 607, 127, 19, 17),
    2055: (1279, 607, 89, 61, 19),
    3072: (2281, 521, 127, 107, 19, 17),
    3073: (2281, 607, 107, 61, 17),
    4096: (2203, 1279, 521, 61, 19, 13),
    8192: (4423, 3217, 521, 31),
    8193: (4423, 3217, 521, 19, 13),
}
"""Of the key of so many bits: the exponents of Mersenne primes."""
RSA = bytes.fromhex("300d06092a864886f70d0101010500")
RSA_WITHOUT_NULL = bytes.fromhex("300b06092a864886f70d010101")
RSASSA_PSS = bytes.fromhex("300b06092a864886f70d01010a")
RSAES_OAEP = bytes.fromhex("300d06092a864886f70d0101070500")
UNKNOWN_CURVE = bytes.fromhex("301306072a8648ce3d0201060803040506070809000342000401") + b"\x01" * 63
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
MESSAGE = b"what Entra signs"


@dataclass(frozen=True)
class Odd:
    """A public key as it stands in a certificate, and what signs with it, where anything can."""

    public_key: bytes
    modulus: int = 0
    exponent: int = 0
    phi: int = 0

    def signature(self) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2)."""
        size = (self.modulus.bit_length() + 7) // 8
        told = SHA256_INFO + hashlib.sha256(MESSAGE).digest()
        padded = b"\x00\x01" + b"\xff" * (size - len(told) - 3) + b"\x00" + told
        return pow(int.from_bytes(padded), pow(self.exponent, -1, self.phi), self.modulus).to_bytes(size)


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 + len(length)]) + length + content


def integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1))


def public_key(modulus: int, exponent: int, algorithm: bytes = RSA) -> bytes:
    return der(0x30, algorithm + der(3, b"\x00" + der(0x30, integer(modulus) + integer(exponent))))


def odd(bits: int, at_least: int = 65537, algorithm: bytes = RSA) -> Odd:
    """A key of that length; its exponent is the first one from there on that a key can have."""
    modulus = math.prod((1 << power) - 1 for power in FACTORS[bits])
    phi = math.prod((1 << power) - 2 for power in FACTORS[bits])
    assert modulus.bit_length() == bits
    exponent = next(e for e in range(at_least, at_least + 1000) if math.gcd(e, phi) == 1)
    return Odd(public_key(modulus, exponent, algorithm), modulus, exponent, phi)


def spki(key: PublicKeyTypes) -> Odd:
    return Odd(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def certificate_of(key: Odd) -> x509.Certificate:
    """A certificate of somebody else, whose key is another now: by whom it is signed decides nothing."""
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    signed = builder.sign(KEY, hashes.SHA256())
    inner, whole = signed.tbs_certificate_bytes, signed.public_bytes(serialization.Encoding.DER)
    behind = whole[whole.index(inner) + len(inner) :]
    changed = inner[4:].replace(spki(KEY.public_key()).public_key, key.public_key)
    return x509.load_der_x509_certificate(der(0x30, der(0x30, changed) + behind))


def trusted_by_directory(key: Odd) -> str | None:
    """None, or why not."""
    try:
        read_certificates(pem(certificate_of(key)), NOW)
    except CertificateRefused as refused:
        return str(refused)
    return None


def usable_by_the_gateway(key: Odd) -> TrustedKey | None:
    try:
        return trusted_key(certificate_of(key).public_bytes(serialization.Encoding.DER))
    except ValueError:
        return None


N = odd(2048).modulus

USED = {
    "2048 bits": odd(2048),
    "2049 bits": odd(2049),
    "2055 bits": odd(2055),
    "3072 bits": odd(3072),
    "3073 bits": odd(3073),
    "4096 bits": odd(4096),
    "8192 bits": odd(8192),
    "a small exponent": odd(2055, 3),
    "an exponent of 33 bits": odd(4096, 1 << 32),
    "an exponent of 64 bits": odd(4096, 1 << 63),
    "an exponent of 64 bits, in the longest key": odd(8192, 1 << 63),
    "no parameters": odd(2048, algorithm=RSA_WITHOUT_NULL),
    "named as one for PSS": odd(2048, algorithm=RSASSA_PSS),
}
NOT_USED = {
    "2047 bits": (odd(2047), "has 2047 bits; 2048 to 8192 are wanted"),
    "8193 bits": (odd(8193), "has 8193 bits; 2048 to 8192 are wanted"),
    "70,001 bits": (Odd(public_key((1 << 70_000) | 1, 65537)), "has 70001 bits; 2048 to 8192 are wanted"),
    "an exponent of 65 bits": (odd(2048, 1 << 64), "exponent of 65 bits; at most 64 are wanted"),
    "an exponent of 65 bits, in a long key": (odd(4096, 1 << 64), "exponent of 65 bits; at most 64 are wanted"),
    "an exponent as long as the key": (odd(3072, 1 << 3071), "exponent of 3072 bits; at most 64 are wanted"),
    "exponent 1": (Odd(public_key(N, 1)), "X.509|odd exponent"),
    "exponent 4": (Odd(public_key(N, 4)), "X.509|odd exponent"),
    "an even modulus": (Odd(public_key(N + 1, 65537)), "an odd modulus"),
    "no number at all": (Odd(der(0x30, RSA + der(3, b"\x00none"))), "X.509"),
    "for encryption alone": (odd(2048, algorithm=RSAES_OAEP), "not RSA"),
    "P-256": (spki(ec.generate_private_key(ec.SECP256R1()).public_key()), "not RSA"),
    "P-521": (spki(ec.generate_private_key(ec.SECP521R1()).public_key()), "not RSA"),
    "Brainpool": (spki(ec.generate_private_key(ec.BrainpoolP384R1()).public_key()), "not RSA"),
    "a curve that nobody knows": (Odd(der(0x30, UNKNOWN_CURVE)), "not RSA|X.509"),
    "Ed25519": (spki(ed25519.Ed25519PrivateKey.generate().public_key()), "not RSA"),
    "Ed448": (spki(ed448.Ed448PrivateKey.generate().public_key()), "not RSA"),
    "DSA": (
        spki(dsa.DSAPublicNumbers(2, dsa.DSAParameterNumbers((1 << 2047) | 1, (1 << 255) | 1, 2)).public_key()),
        "not RSA",
    ),
}


@pytest.mark.parametrize("key", USED.values(), ids=USED)
def test_what_directory_trusts_the_gateway_verifies_with(key: Odd) -> None:
    assert trusted_by_directory(key) is None
    used = usable_by_the_gateway(key)
    assert used is not None
    signature = key.signature()
    assert verifies(used, signature, MESSAGE, hashes.SHA256())
    assert not verifies(used, signature, MESSAGE + b"!", hashes.SHA256())


@pytest.mark.parametrize(("key", "why"), NOT_USED.values(), ids=NOT_USED)
def test_what_the_gateway_does_not_use_directory_refuses_and_says_what_was_wanted(key: Odd, why: str) -> None:
    with pytest.raises(CertificateRefused, match=why) as refused:
        read_certificates(pem(certificate_of(key)), NOW)
    assert "In Entra" in str(refused.value)
    assert usable_by_the_gateway(key) is None


def test_a_key_that_is_not_used_is_refused_in_metadata_as_well() -> None:
    """S61: beside a good one it would be shown as trusted, too."""
    good, long = certificate_of(odd(2048)), certificate_of(odd(8193))
    with pytest.raises(CertificateRefused, match="its key has 8193 bits; 2048 to 8192 are wanted"):
        read_certificates(document(descriptor(good), descriptor(long)), NOW, issuer=ISSUER)


def test_an_even_or_tiny_exponent_is_none_whoever_reads_the_certificate() -> None:
    """OpenSSL's own reading may refuse these first; ours does not rest on it."""
    assert why_unusable(N, 65537) is None
    assert {(why_unusable(N, exponent) or "")[:18] for exponent in (0, 1, 2, 4)} == {"is no RSA key that"}


def test_the_odd_keys_are_keys() -> None:
    """The control: another library's reading of the same numbers."""
    key = odd(2048)
    assert rsa.RSAPublicNumbers(key.exponent, key.modulus).public_key().key_size == 2048
