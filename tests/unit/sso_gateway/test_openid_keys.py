"""Signing keys: made, rotated, and changed under a running provider. Tokens, and what is not taken for one."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from shared.ids import CompanyId
from shared.settings import SettingsError
from sso_gateway import metrics
from sso_gateway.oidc.provider import provider_of
from sso_gateway.oidc.refresh_tokens import RefreshToken, new_refresh_token, read_refresh_token
from sso_gateway.oidc.rotation import main, new_set, rotate
from sso_gateway.oidc.signing_keys import LOOKED_AT_EVERY_S, KeySet, SigningKeys, read_keys
from sso_gateway.oidc.tokens import access_token, claims_for, id_token, read_access_token, read_id_token
from tests.support.app_clients import provider_settings
from tests.support.saml_responses import NOW
from tests.unit.sso_gateway.conftest import settings
from tests.unit.sso_gateway.fake_directory import EMPLOYEE, a_grant

ISSUER = "https://login.example"
COMPANY = CompanyId(UUID(int=7))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new_set(tmp_path / "keys")
    return tmp_path / "keys"


def kids(keys: KeySet) -> set[str]:
    return {one["kid"] for one in keys.published["keys"]}


def an_access_token(keys: KeySet) -> str:
    return access_token(keys, COMPANY, a_grant(), issuer=ISSUER, audience="api", now=NOW)


def test_a_first_set_has_a_key_that_signs_and_one_to_come_and_is_its_owners_alone(folder: Path) -> None:
    keys = read_keys(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["current.pem", "next.pem"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    assert len(kids(keys)) == 2
    for one in keys.published["keys"]:
        assert set(one) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert one["kid"] == ECKey.import_key({name: one[name] for name in ("kty", "crv", "x", "y")}).thumbprint()


def test_a_turn_makes_the_next_key_sign_and_keeps_the_former_one(folder: Path) -> None:
    before = read_keys(folder)
    [coming] = kids(before) - {before.signing_kid}
    rotate(folder)
    after = read_keys(folder)
    assert after.signing_kid == coming
    assert len(kids(after)) == 3
    assert before.signing_kid in kids(after)
    rotate(folder)
    assert before.signing_kid not in kids(read_keys(folder))


def test_the_command_makes_and_rotates_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(tmp_path / "keys")
    assert main(["rotate", place]) == 1
    assert "no current.pem" in capsys.readouterr().err
    assert main(["new", place]) == 0
    assert read_keys(tmp_path / "keys").signing_kid in capsys.readouterr().out
    assert main(["new", place]) == 1
    assert "has keys already" in capsys.readouterr().err
    assert main(["rotate", place]) == 0
    (tmp_path / "keys" / "next.pem").unlink()
    assert main(["rotate", place]) == 1
    assert "has no next.pem" in capsys.readouterr().err


def pem(key: Any, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


WRONG: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "garbage": lambda: b"\xff" * 100,
    "another curve": lambda: pem(ec.generate_private_key(ec.SECP384R1())),
    "RSA": lambda: pem(rsa.generate_private_key(65537, 2048)),
    "a password": lambda: pem(ec.generate_private_key(ec.SECP256R1()), b"x"),
    "half a key": lambda: pem(ec.generate_private_key(ec.SECP256R1()))[:100],
    "endless": lambda: b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 1_000_000,
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("slot", ["current", "next", "previous"])
def test_a_wrong_file_keeps_from_starting_and_takes_nothing_down_later(folder: Path, what: str, slot: str) -> None:
    now = [0.0]
    keys = SigningKeys(folder, now=lambda: now[0])
    before = keys()

    (folder / f"{slot}.pem").write_bytes(WRONG[what]())
    now[0] += LOOKED_AT_EVERY_S
    assert keys() is before
    assert metrics.OIDC_KEYS_UNREADABLE._value.get() == 1
    with pytest.raises(SettingsError, match="OIDC_KEYS_DIR is wrong"):
        SigningKeys(folder)

    (folder / f"{slot}.pem").write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    now[0] += LOOKED_AT_EVERY_S
    assert kids(keys()) != kids(before)
    assert metrics.OIDC_KEYS_UNREADABLE._value.get() == 0


@pytest.mark.parametrize("slot", ["current", "next", "previous"])
def test_a_file_that_cannot_be_read_keeps_from_starting(folder: Path, slot: str) -> None:
    (folder / f"{slot}.pem").unlink(missing_ok=True)
    (folder / f"{slot}.pem").mkdir()
    with pytest.raises(SettingsError, match=r"OIDC_KEYS_DIR is wrong: .* cannot be read"):
        SigningKeys(folder)


def test_a_key_that_stands_there_twice_is_one(folder: Path) -> None:
    once = read_keys(folder)
    shutil.copy(folder / "current.pem", folder / "previous.pem")
    twice = read_keys(folder)
    assert twice.published == once.published
    assert twice.secrets == once.secrets


def test_what_does_not_change_is_read_once_and_what_cannot_be_read_is_told_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    keys = SigningKeys(folder, now=lambda: now[0])

    def looked() -> KeySet:
        now[0] += LOOKED_AT_EVERY_S
        return keys()

    assert looked() is looked()
    rotate(folder)
    assert looked() is looked()
    good = (folder / "next.pem").read_bytes()
    for _ in range(2):
        (folder / "next.pem").write_bytes(b"garbage")
        assert looked() is looked()
        (folder / "next.pem").write_bytes(good)
        looked()
    assert caplog.messages.count("oidc_keys_unreadable") == 2


def test_a_folder_that_is_gone_takes_nothing_down(folder: Path) -> None:
    now = [0.0]
    keys = SigningKeys(folder, now=lambda: now[0])
    before = keys()
    folder.rename(folder.with_name("elsewhere"))
    now[0] += LOOKED_AT_EVERY_S
    assert keys() is before
    folder.with_name("elsewhere").rename(folder)
    now[0] += LOOKED_AT_EVERY_S
    assert kids(keys()) == kids(before)


def test_a_mounted_secret_that_is_exchanged_is_noticed_and_looked_at_every_few_seconds_only(tmp_path: Path) -> None:
    """As Kubernetes does it: the files are links into a folder that a link names, and that link is exchanged."""
    for name in ("first", "second"):
        new_set(tmp_path / name)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "..data").symlink_to(tmp_path / "first")
    for slot in ("current", "next"):
        (mounted / f"{slot}.pem").symlink_to(Path("..data") / f"{slot}.pem")
    now = [0.0]
    keys = SigningKeys(mounted, now=lambda: now[0])
    assert keys().signing_kid == read_keys(tmp_path / "first").signing_kid

    (mounted / "new").symlink_to(tmp_path / "second")
    os.replace(mounted / "new", mounted / "..data")
    assert keys().signing_kid == read_keys(tmp_path / "first").signing_kid
    now[0] += LOOKED_AT_EVERY_S
    assert keys().signing_kid == read_keys(tmp_path / "second").signing_kid

    (mounted / "new").symlink_to(tmp_path / "first")
    os.replace(mounted / "new", mounted / "..data")
    now[0] += LOOKED_AT_EVERY_S / 2
    assert keys().signing_kid == read_keys(tmp_path / "second").signing_kid


def test_tokens_stay_good_through_a_turn_and_hints_as_well(folder: Path) -> None:
    keys = read_keys(folder)
    access = an_access_token(keys)
    told = id_token(keys, a_grant(), access, issuer=ISSUER, nonce=None, now=NOW)
    rotate(folder)
    after = read_keys(folder)
    assert read_access_token(after, access, issuer=ISSUER, now=NOW) is not None
    assert read_id_token(after, told, issuer=ISSUER) is not None
    rotate(folder)
    assert read_access_token(read_keys(folder), access, issuer=ISSUER, now=NOW) is None


def test_a_hint_is_over_never_and_of_this_issuer_only(folder: Path) -> None:
    """RP-Initiated Logout 1.0 section 4."""
    keys = read_keys(folder)
    told = id_token(keys, a_grant(), an_access_token(keys), issuer=ISSUER, nonce=None, now=NOW - timedelta(days=300))
    assert read_id_token(keys, told, issuer=ISSUER) is not None
    assert read_id_token(keys, told, issuer=f"{ISSUER}/") is None


SAID_ALWAYS = {"company": "contoso", "employee_id": EMPLOYEE, "roles": ["approver"]}
PROFILE = {
    "name": "Anna <b> Ærø",
    "given_name": "Anna <b>",
    "family_name": "Ærø",
    "preferred_username": "anna@contoso.com",
}


@pytest.mark.parametrize(
    ("scopes", "more"),
    [
        (["openid"], {}),
        (["openid", "offline_access"], {}),
        (["openid", "profile"], PROFILE),
        (["openid", "email"], {"email": "anna@contoso.com"}),
        (["openid", "email", "profile"], {**PROFILE, "email": "anna@contoso.com"}),
    ],
)
def test_an_app_is_told_of_a_person_what_its_scopes_name_and_no_more(scopes: list[str], more: dict[str, str]) -> None:
    """OpenID Connect Core section 5.4."""
    assert claims_for(a_grant(scopes=scopes).user, scopes) == {**SAID_ALWAYS, **more}


def test_an_access_token_says_nothing_of_a_person_but_who_it_is(folder: Path) -> None:
    keys = read_keys(folder)
    grant = a_grant(scopes=["openid", "profile", "email"])
    told = claims_of(access_token(keys, COMPANY, grant, issuer=ISSUER, audience="api", now=NOW))
    assert not told.keys() & {*PROFILE, "email"}


def test_a_name_of_one_word_has_no_space_at_its_end() -> None:
    user = msgspec.structs.replace(a_grant().user, family_name="")
    assert claims_for(user, ["profile"])["name"] == "Anna <b>"


def test_an_id_token_names_the_access_token_beside_it_and_the_nonce_where_there_is_one(folder: Path) -> None:
    """OpenID Connect Core section 3.1.3.6; the pair is the one of its appendix A.3."""
    keys, beside = read_keys(folder), "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    told = claims_of(id_token(keys, a_grant(), beside, issuer=ISSUER, nonce="n", now=NOW))
    assert (told["at_hash"], told["nonce"]) == ("77QmUPtjPfzWtF2AnpK9RQ", "n")
    assert "nonce" not in claims_of(id_token(keys, a_grant(), beside, issuer=ISSUER, nonce=None, now=NOW))


def claims_of(token: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))


def test_the_provider_needs_keys_where_it_has_clients() -> None:
    assert provider_of(settings(oidc_clients="")) is None
    with pytest.raises(SettingsError, match="OIDC_KEYS_DIR is not set"):
        provider_of(settings(oidc_keys_dir=""))
    with pytest.raises(SettingsError, match=r"no current\.pem"):
        provider_of(settings(oidc_keys_dir="/nowhere"))
    assert provider_of(settings(**provider_settings())) is not None


# What is not taken for a token of ours.


def test_an_access_token_is_read_until_it_is_over_and_tells_what_it_hangs_on(folder: Path) -> None:
    keys = read_keys(folder)
    token = an_access_token(keys)
    claims = read_access_token(keys, token, issuer=ISSUER, now=NOW + timedelta(seconds=299))
    assert claims is not None
    assert (claims.company_id, claims.grant_id, claims.sid) == (str(COMPANY), "a" * 32, "ses_" + "b" * 32)
    assert read_access_token(keys, token, issuer=ISSUER, now=NOW + timedelta(seconds=300)) is None
    assert read_access_token(keys, token, issuer="https://other.example", now=NOW) is None


def test_an_id_token_is_no_access_token_nor_the_other_way_round(folder: Path) -> None:
    keys = read_keys(folder)
    access = an_access_token(keys)
    told = id_token(keys, a_grant(), access, issuer=ISSUER, nonce="n", now=NOW)
    assert read_access_token(keys, told, issuer=ISSUER, now=NOW) is None
    assert read_id_token(keys, access, issuer=ISSUER) is None


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def segment(value: object) -> str:
    return encoded(json.dumps(value).encode())


ODD_ALGORITHMS: tuple[object, ...] = (["ES256"], {}, None, 1)
ODD_CRITICAL: tuple[object, ...] = ([[]], [{}], {}, [["b64"]])


@pytest.mark.parametrize(
    "grant", ["", "a" * 65, f"{'a' * 32}.{'a' * 31}", f"{'g' * 32}.{'a' * 32}", f"{'a' * 32}.{'a' * 32}\n"]
)
def test_a_token_that_hangs_on_nothing_is_none_though_it_is_signed(folder: Path, grant: str) -> None:
    keys = read_keys(folder)
    claims = {**claims_of(an_access_token(keys)), "grant": grant}
    header = {"alg": "ES256", "kid": keys.signing_kid, "typ": "at+jwt"}
    signed = jwt.encode(header, claims, keys.signing, algorithms=["ES256"])
    assert read_access_token(keys, signed, issuer=ISSUER, now=NOW) is None


def test_forged_tokens_are_none(folder: Path) -> None:
    keys = read_keys(folder)
    token = an_access_token(keys)
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    own, public = ECKey.generate_key("P-256"), keys.signing.as_pem(private=False)
    kid = keys.signing_kid

    def made(header: dict[str, Any], key: Any) -> str:
        return jwt.encode({"typ": "at+jwt", **header}, claims, key, algorithms=["ES256", "HS256", "RS256", "none"])

    by_public_key = f"{segment({'alg': 'HS256', 'kid': kid, 'typ': 'at+jwt'})}.{body}"
    forged = [
        made({"alg": "ES256", "kid": kid}, own),
        made({"alg": "ES256", "kid": kid, "jwk": own.as_dict(private=False)}, own),
        made({"alg": "ES256"}, own),
        f"{by_public_key}.{encoded(hmac.digest(public, by_public_key.encode(), hashlib.sha256))}",
        made({"alg": "RS256", "kid": kid}, RSAKey.generate_key(2048)),
        f"{segment({'alg': 'none', 'kid': kid, 'typ': 'at+jwt'})}.{body}.",
        f"{segment({'alg': 'none', 'kid': kid, 'typ': 'at+jwt'})}.{body}.{signature}",
        f"{head}.{segment({**claims, 'sub': 'emp_' + 'f' * 32})}.{signature}",
        f"{segment({'alg': 'ES256', 'kid': kid, 'typ': 'JWT'})}.{body}.{signature}",
        f"{segment({'alg': 'ES256', 'kid': kid, 'typ': 'at+jwt', 'crit': ['x']})}.{body}.{signature}",
        f"{segment({'alg': 'ES256', 'kid': [kid], 'typ': 'at+jwt'})}.{body}.{signature}",
        *(f"{segment({'alg': alg, 'kid': kid, 'typ': 'at+jwt'})}.{body}.{signature}" for alg in ODD_ALGORITHMS),
        *(
            f"{segment({'alg': 'ES256', 'kid': kid, 'typ': 'at+jwt', 'crit': crit})}.{body}.{signature}"
            for crit in ODD_CRITICAL
        ),
        f"{segment([])}.{body}.{signature}",
        f"{'W1tb' * 900}.{body}.{signature}",
        token + "\n", f" {token}", token.upper(), f"{head}.{body}", "..", "", "a" * 5000, token + "A" * 4096, "æ.æ.æ", "\ud800",
    ]  # fmt: skip
    for one in forged:
        assert read_access_token(keys, one, issuer=ISSUER, now=NOW) is None, one[:80]
    assert read_access_token(keys, token, issuer=ISSUER, now=NOW) is not None


@given(text=st.text(max_size=300))
def test_no_text_is_a_token_and_none_breaks_the_reader(text: str) -> None:
    keys = provider_of(settings(**provider_settings()))
    assert keys is not None
    assert read_access_token(keys.keys(), text, issuer=ISSUER, now=NOW) is None
    found = read_refresh_token(text)
    assert found is None or found.text == text


# Refresh tokens.


def test_a_refresh_token_is_read_as_it_was_written_and_no_other_text_is_the_same_one() -> None:
    token = new_refresh_token(COMPANY)
    assert read_refresh_token(token.text) == token
    assert token.company_id == COMPANY
    for text in (token.text + "==", token.text[:-1], token.text + "A", " " + token.text[1:], token.text[:-1] + "!"):
        assert read_refresh_token(text) is None
    # The last character has bits to spare: fifteen others would mean the same bytes.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    alike = [token.text[:-1] + one for one in alphabet if one != token.text[-1]]
    assert [one for one in alike if (read := read_refresh_token(one)) is not None and read == token] == []


def test_a_successor_is_made_of_its_forerunner_and_a_secret_of_the_keys(folder: Path) -> None:
    token, secrets = new_refresh_token(COMPANY), read_keys(folder).secrets
    successors = token.successors(secrets)
    assert successors == token.successors(secrets)
    assert len({one.text for one in (token, *successors)}) == 1 + len(secrets) == 3
    assert {one.family_sha256 for one in successors} == {token.family_sha256}
    other = RefreshToken(token.company_id, token.family, bytes(32))
    assert other.successor(secrets[0]) != successors[0]
    rotate(folder)
    assert successors[0] in token.successors(read_keys(folder).secrets)
