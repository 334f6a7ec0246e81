"""Whether an assertion is genuine, and of whom: RFC 7523 section 3, and only as Entra writes it. Pure.

    text -> read_assertion -> UnverifiedAssertion -> (whom the company trusts; his key) -> verify -> VerifiedAssertion

RS256 alone. The key comes from the issuer's published keys, never from the assertion, whose header may say what it likes
(`jwk`, `jku`, `x5u`); a header that insists (`crit`) is refused.
"""

import base64
import binascii
import re
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.entra_issuer import EntraIssuer, entra_issuer

CLOCK_SKEW_S = 60
MAX_LIFE_S = 24 * 3600
"""Entra's live about 65 minutes."""
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+\Z")
_CLAIM = re.compile(r"[\x21-\x7e]{1,255}\Z")


class AssertionRefused(Exception):
    """`reason` is a word for our log; whoever sent it learns that the client is not known."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str
    crit: object = None


class _Claims(msgspec.Struct, frozen=True):
    """Types are part of the rules: an audience is one text, moments are numbers."""

    iss: str
    aud: str
    sub: str
    tid: str
    exp: int | float
    nbf: int | float | None = None
    iat: int | float | None = None
    jti: str | None = None


class UnverifiedAssertion(msgspec.Struct, frozen=True):
    """Well-formed and of its time, and still anybody's."""

    issuer: EntraIssuer
    audience: str
    subject: str
    kid: str
    signed: bytes
    signature: bytes


class VerifiedAssertion(msgspec.Struct, frozen=True):
    """Only `verify` makes these."""

    issuer: str
    audience: str
    subject: str


_header_decoder = msgspec.json.Decoder(_Header)
_claims_decoder = msgspec.json.Decoder(_Claims)


def read_assertion(text: str, now: datetime) -> UnverifiedAssertion:
    """Everything but the signature. Raises AssertionRefused."""
    parts = text.split(".")
    if len(parts) != 3:
        raise AssertionRefused("malformed")
    header_json, claims_json, signature = (_decoded(part) for part in parts)
    try:
        header = _header_decoder.decode(header_json)
        claims = _claims_decoder.decode(claims_json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise AssertionRefused("malformed") from None
    if header.alg != "RS256":
        raise AssertionRefused("algorithm")
    if header.crit is not None or not _CLAIM.match(header.kid):
        raise AssertionRefused("header")
    _check_times(claims, now)
    issuer = entra_issuer(claims.iss)
    if issuer is None:
        raise AssertionRefused("issuer")
    if claims.tid != issuer.tenant_id:
        raise AssertionRefused("tenant")
    if not _CLAIM.match(claims.aud) or not _CLAIM.match(claims.sub):
        raise AssertionRefused("claims")
    signed = text.rpartition(".")[0].encode("ascii")
    return UnverifiedAssertion(issuer, claims.aud, claims.sub, header.kid, signed, signature)


def verify(unverified: UnverifiedAssertion, key: rsa.RSAPublicKey) -> VerifiedAssertion:
    """Raises AssertionRefused."""
    try:
        key.verify(unverified.signature, unverified.signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise AssertionRefused("signature") from None
    return VerifiedAssertion(unverified.issuer.text, unverified.audience, unverified.subject)


def _check_times(claims: _Claims, now: datetime) -> None:
    moment, skew = now.timestamp(), CLOCK_SKEW_S
    if claims.exp <= moment - skew:
        raise AssertionRefused("expired")
    if claims.exp > moment + MAX_LIFE_S:
        raise AssertionRefused("too_long")
    if any(begins is not None and begins > moment + skew for begins in (claims.nbf, claims.iat)):
        raise AssertionRefused("not_yet_valid")


def _decoded(part: str) -> bytes:
    """base64url without padding, in its one canonical form (RFC 7515 section 2)."""
    if not _SEGMENT.match(part):
        raise AssertionRefused("malformed")
    try:
        found = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise AssertionRefused("malformed") from None
    if base64.urlsafe_b64encode(found).rstrip(b"=") != part.encode("ascii"):
        raise AssertionRefused("malformed")
    return found
