"""A tenant's published keys (RFC 7517), as far as they can verify RS256. Pure.

What is not for that is passed over: Entra publishes keys of other kinds beside them. A set in which nothing is left is an error,
so that the keys known from before stay in use.
"""

import base64
import binascii
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

MIN_BITS, MAX_BITS = 2048, 8192
MAX_KEYS = 100

Keys = dict[str, rsa.RSAPublicKey]
"""By kid."""


class KeysUnreadable(Exception):
    """It is no key set, or holds no key that could be of use."""


class _KeySet(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


_decoder = msgspec.json.Decoder(_KeySet)


def read_keys(body: bytes) -> Keys:
    """Raises KeysUnreadable."""
    try:
        key_set = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise KeysUnreadable from None
    found: Keys = {}
    for one in key_set.keys[:MAX_KEYS]:
        key = _public_key(one)
        if key is not None:
            found.setdefault(one["kid"], key)
    if not found:
        raise KeysUnreadable
    return found


def _public_key(one: dict[str, Any]) -> rsa.RSAPublicKey | None:
    if one.get("kty") != "RSA" or one.get("use", "sig") != "sig" or one.get("alg", "RS256") != "RS256":
        return None
    if not isinstance(one.get("kid"), str):
        return None
    modulus, exponent = _number(one.get("n")), _number(one.get("e"))
    if not MIN_BITS <= modulus.bit_length() <= MAX_BITS or not 3 <= exponent < 2**32:
        return None
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        return None


def _number(value: object) -> int:
    """0 for what is none."""
    if not isinstance(value, str) or len(value) > 2 * MAX_BITS // 8:
        return 0
    try:
        return int.from_bytes(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)), "big")
    except (binascii.Error, ValueError):
        return 0
