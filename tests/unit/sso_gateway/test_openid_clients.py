"""The operator's file of apps: what may stand in it, and the sentence for everything else; which addresses may be answered."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import SettingsError
from shared.tokens import sha256
from sso_gateway.oidc.clients import Clients, read_clients
from sso_gateway.oidc.redirects import RedirectWrong, is_registered, kind_of, origin_of, with_answer
from tests.support.app_clients import BACK_END_SECRET, CLIENTS

SECRET = sha256("secret").hex()
PORTAL: dict[str, Any] = {
    "client_id": "portal",
    "name": "Portal",
    "type": "confidential",
    "secrets_sha256": [SECRET],
    "redirect_uris": ["https://portal.example/"],
}
PHONE: dict[str, Any] = {
    "client_id": "phone",
    "name": "Phone",
    "type": "public",
    "redirect_uris": ["com.example.app:/"],
}


def read(*clients: dict[str, Any], **more: Any) -> Clients:
    return read_clients(json.dumps({"clients": list(clients), **more}))


def test_the_clients_of_the_documentation_and_of_the_tests_are_good() -> None:
    clients = read_clients(json.dumps(CLIENTS))
    assert len(clients) == 4
    assert clients.audience == "https://api.example"
    assert clients.origins == {"https://spa.example"}
    assert read(PORTAL, PHONE).audience == ""


def test_a_secret_is_one_of_those_whose_hash_stands_there() -> None:
    back_end = read_clients(json.dumps(CLIENTS)).get("back-end")
    assert back_end is not None
    assert back_end.is_proven_by(BACK_END_SECRET)
    assert not back_end.is_proven_by("0" * 64)
    assert not back_end.is_proven_by("")
    phone = read(PHONE).get("phone")
    assert phone is not None
    assert not phone.is_proven_by("")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"client_id": "a"}, "client_id must be"),
        ({"client_id": "a b c"}, "client_id must be"),
        ({"name": ""}, "name must be"),
        ({"name": "a\nb"}, "name must be"),
        ({"type": "native"}, "Invalid enum value"),
        ({"secret": "secret"}, "unknown field `secret`"),
        ({"secrets_sha256": []}, "has one secret"),
        ({"secrets_sha256": [SECRET] * 3}, "has one secret"),
        ({"secrets_sha256": ["secret"]}, "64 hexadecimal digits"),
        ({"secrets_sha256": [SECRET.upper()]}, "64 hexadecimal digits"),
        ({"redirect_uris": []}, "at least one address"),
        ({"redirect_uris": ["http://portal.example/"]}, "not encrypted"),
        ({"redirect_uris": ["com.example.app:/x"]}, "native app"),
        ({"redirect_uris": ["http://127.0.0.1/x"]}, "native app"),
        ({"post_logout_redirect_uris": ["portal.example"]}, "has no scheme"),
        ({"post_logout_redirect_uris": ["myapp:/"]}, "scheme that anybody may use"),
        ({"scopes": ["profile"]}, "must hold openid"),
        ({"scopes": ["openid", "admin"]}, "Invalid enum value"),
        ({"scopes": ["openid", "offline_access"]}, "needs the grant refresh_token"),
        ({"grants": ["refresh_token"]}, "needs authorization_code"),
        ({"grants": ["password"]}, "Invalid enum value"),
        ({"grants": []}, "redirect_uris are of no use"),
        ({"grants": [], "redirect_uris": []}, "may do nothing"),
    ],
)
def test_a_client_that_is_wrong_is_told_in_a_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read({**PORTAL, **change})


@pytest.mark.parametrize(
    ("change", "said"),
    [({"secrets_sha256": [SECRET]}, "it can keep none"), ({"may_introspect": True}, "for confidential clients")],
)
def test_a_public_client_has_no_secret_and_asks_about_no_token(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read({**PHONE, **change})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "OIDC_CLIENTS is wrong"),
        ("[]", "OIDC_CLIENTS is wrong"),
        ('{"clients": []}', "1 to 100 clients; came 0"),
        (json.dumps({"clients": [PORTAL, PORTAL]}), "stands there twice"),
        (json.dumps({"clients": [PORTAL], "audience": "a\nb"}), "audience must be"),
        (json.dumps({"clients": [PORTAL], "issuer": "x"}), "unknown field `issuer`"),
    ],
)
def test_a_file_that_is_wrong_is_told_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_clients(text)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("https://portal.example/callback?from=idp", "https"),
        ("https://portal.example:8443/", "https"),
        ("https://portal.example", "https"),
        ("http://127.0.0.1/callback", "loopback"),
        ("http://127.0.0.1:8000/callback", "loopback"),
        ("http://[::1]/callback", "loopback"),
        ("com.bitabiz.app:/callback", "own_scheme"),
        ("com.bitabiz.app://callback", "own_scheme"),
    ],
)
def test_such_addresses_can_be_registered(address: str, kind: str) -> None:
    assert kind_of(address) == kind


@pytest.mark.parametrize(
    "address",
    [
        "", "/callback", "portal.example/callback", "https:/portal.example", "https://", "https:///x", "https://*.example/",
        "https://localhost/", "https://user@portal.example/", "https://portal.example/#x", "https://portal.example/a b",
        "https://Portal.example/", "HTTPS://portal.example/", "https://portal.example:99999/", "https://127.0.0.1/",
        "http://portal.example/", "http://localhost/callback", "http://127.0.0.1.evil.example/", "http://127.0.0.1:0/x",
        "http://127.0.0.1@evil.example/", "http://10.0.0.1/", "http://[::1].evil.example/", "javascript:alert(1)", "data:,x",
        "myapp:/callback", "com.example.app:", "com.example.app:callback", "https://portal.example/\\x", "ftp://portal.example/",
        "https://portal.example!/", "https://portal.example%2e/", "https://portal.example;/", "com.example.app%:/callback",
        "https://portal.example/" + "a" * 500, "https://portæl.example/", 'https://portal.example/"', "https://portal.example/\n",
    ],
)  # fmt: skip
def test_such_addresses_cannot(address: str) -> None:
    with pytest.raises(RedirectWrong):
        kind_of(address)


@pytest.mark.parametrize(
    "asked",
    ["http://127.0.0.1/callback", "http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback"],
)
def test_a_loopback_address_is_compared_without_its_port(asked: str) -> None:
    assert is_registered(asked, ["http://127.0.0.1/callback"])


@pytest.mark.parametrize(
    "asked",
    [
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:80/callback/",
        "http://127.0.0.1:80/callback?x",
        "http://127.0.0.1:80@evil.example/callback",
        "http://127.0.0.1:80.evil.example/callback",
        "http://[::1]:80/callback",
        "http://127.0.0.1:٣/callback",
        "https://127.0.0.1/callback",
        "http://127.0.0.2/callback",
        "http://127.0.0.1:80/callback\n",
    ],
)
def test_but_for_nothing_else(asked: str) -> None:
    assert not is_registered(asked, ["http://127.0.0.1/callback"])


def test_as_long_an_address_as_can_be_registered_is_found_at_any_port() -> None:
    longest = "http://127.0.0.1/".ljust(500, "a")
    assert kind_of(longest) == "loopback"
    assert is_registered(longest.replace("127.0.0.1", "127.0.0.1:65535"), [longest])


def test_a_port_that_is_registered_is_meant() -> None:
    assert is_registered("http://127.0.0.1:8000/x", ["http://127.0.0.1:8000/x"])
    assert not is_registered("http://127.0.0.1:8001/x", ["http://127.0.0.1:8000/x"])
    assert not is_registered("https://portal.example:1/", ["https://portal.example/"])


@given(asked=st.one_of(st.text(), st.from_regex(r"http://127\.0\.0\.1[:@./a-z0-9]{0,20}")))
def test_nothing_that_is_asked_for_is_registered_but_what_is(asked: str) -> None:
    registered = ["https://portal.example/", "http://127.0.0.1/callback", "com.example.app:/x"]
    if is_registered(asked, registered) and asked not in registered:
        port = asked.removeprefix("http://127.0.0.1:").removesuffix("/callback")
        assert port.isascii()
        assert 0 < int(port) < 65536


def test_the_answer_stands_behind_the_addresses_own_query() -> None:
    assert with_answer("https://a.example/?b=c", {"code": "d e", "state": None}) == "https://a.example/?b=c&code=d+e"
    assert with_answer("com.example.app:/x", {"state": "&"}) == "com.example.app:/x?state=%26"
    assert with_answer("com.example.app:/x", {"state": None}) == "com.example.app:/x"
    assert origin_of("https://a.example:1/x?y") == "https://a.example:1"
    assert origin_of("com.example.app:/x") is None
