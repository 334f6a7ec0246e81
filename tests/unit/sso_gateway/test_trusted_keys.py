"""Which certificate's key may be trusted."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sso_gateway.saml.keys import trusted_key
from tests.support.saml_responses import NOW, signing_key

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Microsoft Azure Federated SSO Certificate")])


def certificate_of(public_key: Any) -> bytes:
    """DER; by whom it is signed decides nothing."""
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).serial_number(1).public_key(public_key)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.DER)


def rsa_of(bits: int) -> rsa.RSAPublicKey:
    """Of that length, which nobody could sign with."""
    return rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) | 1).public_key()


@pytest.mark.parametrize("bits", [2048, 3072, 8192])
def test_an_rsa_key_of_usual_length_is_trusted(bits: int) -> None:
    assert trusted_key(certificate_of(rsa_of(bits))).public_key.key_size == bits


@pytest.mark.parametrize("bits", [1024, 2047, 8193, 16384])
def test_a_key_that_is_weak_or_would_cost_a_verification_too_much_is_not(bits: int) -> None:
    with pytest.raises(ValueError, match=f"{bits} bits; 2048 to 8192 are wanted"):
        trusted_key(certificate_of(rsa_of(bits)))


@pytest.mark.parametrize(
    "public_key",
    [
        ec.generate_private_key(ec.SECP521R1()).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
        # As long as an RSA key would have to be.
        dsa.DSAPublicNumbers(2, dsa.DSAParameterNumbers((1 << 2047) | 1, (1 << 255) | 1, 2)).public_key(),
    ],
    ids=["EC", "Ed25519", "DSA"],
)
def test_another_kind_of_key_is_none(public_key: Any) -> None:
    with pytest.raises(ValueError, match="is not RSA"):
        trusted_key(certificate_of(public_key))


def test_a_certificate_is_named_as_the_portal_of_entra_shows_it() -> None:
    der = signing_key().der
    assert trusted_key(der).thumbprint == hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
