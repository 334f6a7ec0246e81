"""Certificates as people paste them."""

import base64
import textwrap
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from directory.companies.certificates import CertificateRefused, read_certificates

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Microsoft Azure Federated SSO Certificate")])
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = KEY,
    *,
    begins: datetime = NOW - timedelta(days=1),
    ends: datetime = NOW + timedelta(days=1000),
) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
    return builder.sign(key, hashes.SHA256())


GOOD = certificate()
PEM = GOOD.public_bytes(serialization.Encoding.PEM).decode()
DER = GOOD.public_bytes(serialization.Encoding.DER)
BASE64 = base64.b64encode(DER).decode()
PRIVATE = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


@pytest.mark.parametrize(
    "pasted",
    [
        PEM,
        PEM.replace("\n", "\r\n"),
        textwrap.indent(PEM, "    "),
        f"  \n\n{PEM}\n\n  ",
        BASE64,
        "\n".join(textwrap.wrap(BASE64, 60)),
        BASE64 + "\n-----END CERTIFICATE-----",
        DER,
        PEM.encode(),
        "Bag Attributes\n  friendlyName: x\n" + PEM,
        PEM + PEM,
    ],
    ids=[
        "pem",
        "crlf",
        "indented",
        "spaces",
        "base64",
        "wrapped",
        "half lines",
        "der",
        "bytes",
        "with a preface",
        "twice",
    ],
)
def test_every_usual_form_is_the_same_certificate(pasted: str | bytes) -> None:
    """S61."""
    [read] = read_certificates(pasted, NOW)
    assert read.der == DER
    assert read.fingerprint == GOOD.fingerprint(hashes.SHA256()).hex()
    assert read.not_after == GOOD.not_valid_after_utc


def test_several_in_one_text_are_all_read() -> None:
    other = certificate().public_bytes(serialization.Encoding.PEM).decode()
    assert len(read_certificates(PEM + other, NOW)) == 2


def test_one_that_is_not_valid_yet_is_accepted() -> None:
    early = certificate(begins=NOW + timedelta(days=3))
    assert read_certificates(early.public_bytes(serialization.Encoding.PEM).decode(), NOW)


def with_key(numbers: rsa.RSAPublicNumbers) -> x509.Certificate:
    """Signed by another: only a search would find what signs with these."""
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(numbers.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    return builder.sign(KEY, hashes.SHA256())


def pem(made: x509.Certificate) -> str:
    return made.public_bytes(serialization.Encoding.PEM).decode()


REQUEST = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(KEY, hashes.SHA256())
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  what must be refused

REFUSED = [
    (PRIVATE, "private key.*leaked"),
    (PEM + PRIVATE, "private key.*leaked"),
    (pem(certificate(ends=NOW - timedelta(hours=1))), "expired on 2026-11-23"),
    (pem(certificate(WEAK)), "its key has 1024 bits; 2048 to 8192 are wanted"),
    (pem(with_key(rsa.RSAPublicNumbers(65537, (1 << 8192) | 1))), "its key has 8193 bits; 2048 to 8192 are wanted"),
    (pem(with_key(rsa.RSAPublicNumbers((1 << 64) | 1, (1 << 4095) | 1))), "exponent of 65 bits; at most 64 are wanted"),
    (pem(certificate(ec.generate_private_key(ec.SECP256R1()))), "not RSA"),
    (REQUEST.public_bytes(serialization.Encoding.PEM).decode(), "certificate request"),
    (
        KEY.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        "public key without a certificate",
    ),
    ("", "empty"),
    ("   \n", "empty"),
    ("hello", "not base64|not an X.509"),
    ("aGVsbG8=", "not an X.509"),
    (PEM[:300], "END line is missing"),
    (PEM.replace("M", "*"), "not base64|END line|certificate"),
    ("x" * 70_000, "longer than"),
    (BASE64[:-40], "not an X.509|not base64"),
    (b"\x30\x82\x01\x01garbage", "not an X.509"),
]


@pytest.mark.parametrize(("pasted", "sentence"), REFUSED)
def test_what_cannot_be_trusted_is_refused_with_the_reason(pasted: str | bytes, sentence: str) -> None:
    """S61: a private key, an expired one, a weak one."""
    with pytest.raises(CertificateRefused, match=sentence) as refused:
        read_certificates(pasted, NOW)
    assert "In Entra" in str(refused.value)


def test_a_private_key_is_not_repeated() -> None:
    with pytest.raises(CertificateRefused) as refused:
        read_certificates(PRIVATE, NOW)
    assert PRIVATE.splitlines()[1] not in str(refused.value)
