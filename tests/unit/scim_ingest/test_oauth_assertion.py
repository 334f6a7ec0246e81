"""Assertions: what Entra writes is accepted, and each thing that could be wrong with one is refused for its own reason."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from hypothesis import given
from hypothesis import strategies as st

from scim_ingest.oauth.assertion import AssertionRefused, read_assertion, verify
from scim_ingest.oauth.jwks import Keys, KeysUnreadable, read_keys
from tests.entra.workload import SigningKey, Workload, base64url, blank_secret_token, signing_input

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
T = int(NOW.timestamp())
TENANT = "11111111-1111-4111-8111-111111111111"
ENTRA = Workload(TENANT, clock=lambda: NOW)
KEY = ENTRA.keys[0]
GOOD = ENTRA.assertion()


def keys() -> Keys:
    return read_keys(json.dumps(ENTRA.key_set()).encode())


def reason(text: str, moment: datetime = NOW) -> str:
    try:
        unverified = read_assertion(text, moment)
        verify(unverified, keys()[unverified.kid])
    except AssertionRefused as refused:
        return refused.reason
    return ""


def signed(header: dict[str, Any] | bytes, claims: dict[str, Any] | bytes) -> str:
    parts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in (header, claims)]
    text = ".".join(base64url(part) for part in parts)
    return f"{text}.{base64url(KEY.sign(text.encode()))}"


HEADER = {"alg": "RS256", "kid": KEY.kid, "typ": "JWT"}


def test_what_entra_writes_is_verified() -> None:
    unverified = read_assertion(ENTRA.assertion(), NOW)
    verified = verify(unverified, keys()[unverified.kid])
    assert (verified.issuer, verified.audience, verified.subject) == (
        f"https://login.microsoftonline.com/{TENANT}/v2.0",
        f"api://{ENTRA.app_id}",
        ENTRA.subject,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"jti": "once"},
        {"nbf": None, "iat": None},
        {"exp": T + 3900.5},
        {"exp": T - 59},
        {"nbf": T + 59, "iat": T + 59},
        {"exp": T + 24 * 3600},
        {"aud": f"api://{ENTRA.app_id}/.default"},
    ],
)
def test_what_else_is_in_order(changes: dict[str, Any]) -> None:
    unverified = read_assertion(ENTRA.assertion(**changes), NOW)
    verify(unverified, keys()[unverified.kid])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": None}, "malformed"),
        ({"iss": 7}, "malformed"),
        ({"iss": f"https://sts.windows.net/{TENANT}/"}, "issuer"),
        ({"iss": f"https://login.microsoftonline.com/{TENANT}"}, "issuer"),
        ({"iss": f"https://login.microsoftonline.com/{TENANT}/v2.0/"}, "issuer"),
        ({"iss": f"http://login.microsoftonline.com/{TENANT}/v2.0"}, "issuer"),
        ({"tid": None}, "malformed"),
        ({"tid": "22222222-2222-4222-8222-222222222222"}, "tenant"),
        ({"aud": None}, "malformed"),
        ({"aud": [f"api://{ENTRA.app_id}"]}, "malformed"),
        ({"aud": ""}, "claims"),
        ({"aud": "a b"}, "claims"),
        ({"aud": "api://\x00"}, "claims"),
        ({"sub": None}, "malformed"),
        ({"sub": ""}, "claims"),
        ({"sub": "x" * 256}, "claims"),
        ({"exp": None}, "malformed"),
        ({"exp": str(T + 60)}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"exp": T - 60}, "expired"),
        ({"exp": -(10**30)}, "expired"),
        ({"exp": T + 24 * 3600 + 1}, "too_long"),
        ({"exp": 10**30}, "too_long"),
        ({"nbf": T + 61}, "not_yet_valid"),
        ({"iat": T + 61}, "not_yet_valid"),
        ({"nbf": "soon"}, "malformed"),
        ({"jti": 5}, "malformed"),
    ],
)
def test_each_wrong_claim_of_a_well_signed_assertion(changes: dict[str, Any], why: str) -> None:
    assert reason(ENTRA.assertion(**changes)) == why


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"alg": "none"}, "algorithm"),
        ({"alg": "None"}, "algorithm"),
        ({"alg": "HS256"}, "algorithm"),
        ({"alg": "RS384"}, "algorithm"),
        ({"alg": "PS256"}, "algorithm"),
        ({"alg": "ES256"}, "algorithm"),
        ({"alg": "rs256"}, "algorithm"),
        ({"alg": None}, "malformed"),
        ({"alg": ["RS256"]}, "malformed"),
        ({"kid": None}, "malformed"),
        ({"kid": 1}, "malformed"),
        ({"kid": ""}, "header"),
        ({"kid": "å"}, "header"),
        ({"crit": ["exp"]}, "header"),
        ({"b64": False, "crit": ["b64"]}, "header"),
    ],
)
def test_each_wrong_header_of_a_well_signed_assertion(header: dict[str, Any], why: str) -> None:
    assert reason(ENTRA.assertion(header=header)) == why


def test_the_public_key_used_as_a_shared_secret_signs_nothing() -> None:
    public = KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = signing_input({**HEADER, "alg": "HS256"}, ENTRA.claims())
    assert reason(f"{text}.{base64url(hmac.digest(public, text.encode(), hashlib.sha256))}") == "algorithm"
    text = signing_input(HEADER, ENTRA.claims())
    assert reason(f"{text}.{base64url(hmac.digest(public, text.encode(), hashlib.sha256))}") == "signature"


def test_a_key_that_the_assertion_brings_along_is_not_used() -> None:
    stranger = SigningKey()
    header = {
        "kid": KEY.kid,
        "jwk": stranger.public_jwk(),
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example",
    }
    assert reason(ENTRA.assertion(key=stranger, header=header)) == "signature"


SIGNATURES = {
    "of another text": KEY.private.sign(b"something else", padding.PKCS1v15(), hashes.SHA256()),
    "none": b"",
    "zeros": b"\x00" * 256,
    "of another kind": ec.generate_private_key(ec.SECP256R1()).sign(b"x", ec.ECDSA(hashes.SHA256())),
}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
def test_a_signature_of_something_else(signature: bytes) -> None:
    text = signing_input(HEADER, ENTRA.claims())
    assert reason(f"{text}.{base64url(signature)}") in ("signature", "malformed")


@pytest.mark.parametrize("part", [0, 1])
def test_a_letter_changed_after_signing(part: int) -> None:
    parts = ENTRA.assertion().split(".")
    other = Workload(TENANT, clock=lambda: NOW + timedelta(seconds=1))
    parts[part] = signing_input({**HEADER, "typ": "jwt"}, other.claims(sub="somebody-else")).split(".")[part]
    assert reason(".".join(parts)) == "signature"


NO_ASSERTIONS = [
    "",
    ".",
    "..",
    "a.b",
    "a.b.c.d",
    "eyJhbGciOiJSUzI1NiJ9..",
    ENTRA.assertion() + "=",
    ENTRA.assertion() + ".",
    " " + ENTRA.assertion(),
    ENTRA.assertion().replace("_", "/"),
    ENTRA.assertion() + "\x00",
    "\ud800.\ud800.\ud800",
    "å.å.å",
    signed(b"[]", ENTRA.claims()),
    signed(HEADER, b"[]"),
    signed(HEADER, b""),
    signed(HEADER, b"[" * 5000),
    signed(HEADER, b'{"x":' * 5000),
    signed(HEADER, b"\xff"),
    signed(HEADER, b"null"),
]


@pytest.mark.parametrize("text", NO_ASSERTIONS, ids=range(len(NO_ASSERTIONS)))
def test_what_is_no_assertion(text: str) -> None:
    assert reason(text) in ("malformed", "signature")


def test_a_text_that_decodes_to_the_same_bytes_in_another_spelling_is_refused() -> None:
    """The last letter of a segment may carry bits that mean nothing."""
    text = ENTRA.assertion()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = text[:-1] + letters[letters.index(text[-1]) ^ 1]
    assert reason(other) == "malformed"


def test_the_token_of_the_blank_secret_mode_is_none() -> None:
    assert reason(blank_secret_token(TENANT, KEY, NOW)) in ("issuer", "malformed")


@given(st.text(max_size=200))
def test_whatever_comes_is_refused(text: str) -> None:
    for one in (text, f"{text}.{text}.{text}", GOOD + (text[:5] or "A")):
        assert reason(one)


# Keys


def jwk(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**KEY.public_jwk(), **changes}.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "EC"},
        {"kty": None},
        {"use": "enc"},
        {"alg": "RS512"},
        {"kid": None},
        {"kid": 3},
        {"n": None},
        {"n": 5},
        {"n": "å"},
        {"n": "A" * 100_000},
        {"n": base64url(b"\xff" * 128)},
        {"n": base64url(b"\xff" * 2048)},
        {"e": base64url(b"\x01")},
        {"e": base64url(b"\x02")},
        {"e": base64url(b"\xff" * 100)},
    ],
)
def test_keys_that_are_not_for_this_are_passed_over(changes: dict[str, Any]) -> None:
    good = SigningKey()
    found = read_keys(json.dumps({"keys": [jwk(**changes), good.public_jwk()]}).encode())
    assert found.keys() == {good.kid}
    with pytest.raises(KeysUnreadable):
        read_keys(json.dumps({"keys": [jwk(**changes)]}).encode())


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[1]}', b'{"keys":' + b"[" * 5000, b"\xff"],
)
def test_what_is_no_key_set(body: bytes) -> None:
    with pytest.raises(KeysUnreadable):
        read_keys(body)


def test_only_so_many_keys_are_looked_at_and_the_first_of_a_name_counts() -> None:
    other = SigningKey()
    many = [*[jwk(kty="EC")] * 200, jwk()]
    with pytest.raises(KeysUnreadable):
        read_keys(json.dumps({"keys": many}).encode())
    twice = read_keys(json.dumps({"keys": [jwk(), {**other.public_jwk(), "kid": KEY.kid}]}).encode())
    assert twice[KEY.kid].public_numbers() == KEY.private.public_key().public_numbers()
