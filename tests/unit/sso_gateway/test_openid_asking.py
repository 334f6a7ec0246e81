"""What an app may ask of `/oauth2/authorize`, and how each thing that is wrong is told."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_gateway.oidc.asking import AppRefusal, Asked, Hint, PageRefusal, demands_fresh_login, read
from sso_gateway.oidc.clients import Client, Clients, read_clients
from sso_gateway.return_path import return_path
from tests.support.app_clients import CLIENTS, MOBILE_RETURN, PORTAL_RETURN

KNOWN = read_clients(json.dumps(CLIENTS))
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
GOOD = {
    "client_id": "web-portal",
    "redirect_uri": PORTAL_RETURN,
    "response_type": "code",
    "scope": "openid email",
    "state": "x y&z",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def query(**changes: str | None) -> bytes:
    return urlencode({name: value for name, value in {**GOOD, **changes}.items() if value is not None}).encode()


def refused(asked: bytes) -> AppRefusal:
    with pytest.raises(AppRefusal) as caught:
        read(asked, KNOWN)
    return caught.value


def test_a_good_question_is_understood() -> None:
    asked = read(query(nonce="n", company="contoso", max_age="60", prompt="login consent"), KNOWN)
    assert (asked.back.client.client_id, asked.back.redirect_uri) == ("web-portal", PORTAL_RETURN)
    assert (asked.back.state, asked.nonce, asked.scopes) == ("x y&z", "n", ("openid", "email"))
    assert (asked.company, asked.max_age_s, asked.prompt) == ("contoso", 60, frozenset({"login", "consent"}))


@pytest.mark.parametrize("prompt", ["none", "login", "select_account", "consent", "login select_account"])
def test_each_prompt_may_be_asked_for(prompt: str) -> None:
    assert read(query(prompt=prompt), KNOWN).prompt == frozenset(prompt.split())


def test_a_client_that_may_not_sign_people_in_does_not_though_it_has_an_address() -> None:
    client = Client(client_id="back-end", name="Back end", type="public", redirect_uris=(PORTAL_RETURN,), grants=())
    with pytest.raises(AppRefusal) as caught:
        read(query(client_id="back-end"), Clients([client]))
    assert caught.value.error == "unauthorized_client"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_id": None}, "unknown_client"),
        ({"client_id": "web-portal "}, "unknown_client"),
        ({"client_id": "WEB-PORTAL"}, "unknown_client"),
        ({"redirect_uri": None}, "wrong_redirect"),
        ({"redirect_uri": "https://portal.example/callback"}, "wrong_redirect"),
        ({"redirect_uri": PORTAL_RETURN + "&x=y"}, "wrong_redirect"),
        ({"redirect_uri": PORTAL_RETURN + "/"}, "wrong_redirect"),
        ({"redirect_uri": PORTAL_RETURN + "#"}, "wrong_redirect"),
        ({"redirect_uri": PORTAL_RETURN.replace("https", "HTTPS")}, "wrong_redirect"),
        ({"redirect_uri": PORTAL_RETURN.replace("portal.example", "portal.example:443")}, "wrong_redirect"),
        ({"redirect_uri": PORTAL_RETURN.replace("portal", "x@portal")}, "wrong_redirect"),
        ({"redirect_uri": MOBILE_RETURN}, "wrong_redirect"),
        ({"redirect_uri": "http://127.0.0.1:8000/callback"}, "wrong_redirect"),
        ({"redirect_uri": "javascript:alert(1)"}, "wrong_redirect"),
        ({"redirect_uri": "//evil.example"}, "wrong_redirect"),
        ({"client_id": "back-end"}, "wrong_redirect"),
    ],
)
def test_without_a_known_client_and_address_nobody_is_sent_anywhere(
    changes: dict[str, str | None], reason: str
) -> None:
    with pytest.raises(PageRefusal) as caught:
        read(query(**changes), KNOWN)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (query() + b"&client_id=web-portal", "unknown_client"),
        (query() + b"&redirect_uri=" + quote(PORTAL_RETURN).encode(), "wrong_redirect"),
        (query() + b"&redirect_uri=https%3A%2F%2Fevil.example", "wrong_redirect"),
        (query(state="%ff").replace(b"%25ff", b"%ff"), "invalid_request"),
        (query() + b"&a=" + b"a" * 9000, "invalid_request"),
        (query() + b"&\xc3\xa6", "invalid_request"),
        (b"&".join([query(), *[b"a=b"] * 120]), "invalid_request"),
    ],
    ids=["client twice", "address twice", "another address too", "no UTF-8", "long", "no ASCII", "many"],
)
def test_what_cannot_be_read_or_names_its_return_twice_is_told_on_a_page(raw: bytes, reason: str) -> None:
    with pytest.raises(PageRefusal) as caught:
        read(raw, KNOWN)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"response_type": None}, "invalid_request", "response_type"),
        ({"response_type": "token"}, "unsupported_response_type", "response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type", "response_type"),
        ({"response_mode": "fragment"}, "invalid_request", "response_mode"),
        ({"response_mode": "form_post"}, "invalid_request", "response_mode"),
        ({"scope": None}, "invalid_scope", "openid"),
        ({"scope": "email"}, "invalid_scope", "openid"),
        ({"code_challenge": None}, "invalid_request", "PKCE"),
        ({"code_challenge": ""}, "invalid_request", "PKCE"),
        ({"code_challenge_method": None}, "invalid_request", "S256"),
        ({"code_challenge_method": "plain"}, "invalid_request", "S256"),
        ({"code_challenge": CHALLENGE[:-1]}, "invalid_request", "43"),
        ({"code_challenge": CHALLENGE + "="}, "invalid_request", "43"),
        ({"code_challenge": CHALLENGE[:-1] + "+"}, "invalid_request", "43"),
        ({"prompt": "create"}, "invalid_request", "prompt"),
        ({"prompt": "none login"}, "invalid_request", "prompt"),
        ({"max_age": "-1"}, "invalid_request", "max_age"),
        ({"max_age": "1.5"}, "invalid_request", "max_age"),
        ({"max_age": "9" * 11}, "invalid_request", "max_age"),
        ({"max_age": "٣"}, "invalid_request", "max_age"),
        ({"nonce": "a\x00b"}, "invalid_request", "nonce"),
        ({"nonce": "n" * 513}, "invalid_request", "nonce"),
        ({"company": "CONTOSO"}, "invalid_request", "company"),
        ({"company": "../evil"}, "invalid_request", "company"),
        ({"company": "contoso/../evil"}, "invalid_request", "company"),
        ({"company": "contoso?x=y"}, "invalid_request", "company"),
        ({"company": "contoso\n"}, "invalid_request", "company"),
        ({"login_hint": "a" * 255}, "invalid_request", "login_hint"),
        ({"login_hint": "a\nb"}, "invalid_request", "login_hint"),
        ({"request": "eyJ"}, "request_not_supported", "request"),
        ({"request_uri": "https://evil.example"}, "request_uri_not_supported", "request_uri"),
        ({"registration": "{}"}, "registration_not_supported", "registration"),
        ({"state": "s" * 2000}, "invalid_request", "too long"),
    ],
)
def test_everything_else_that_is_wrong_goes_back_to_the_app_with_its_state(
    changes: dict[str, str | None], error: str, named: str
) -> None:
    told = refused(query(**changes))
    assert told.error == error
    assert named in told.description
    assert (told.back.redirect_uri, told.back.state) == (PORTAL_RETURN, changes.get("state", GOOD["state"]))


@pytest.mark.parametrize("name", sorted(GOOD.keys() - {"client_id", "redirect_uri"}))
def test_a_parameter_that_comes_twice_is_refused(name: str) -> None:
    told = refused(query() + f"&{name}=x".encode())
    assert told.error == "invalid_request"
    assert name in told.description
    assert told.back.state == (None if name == "state" else GOOD["state"])


def test_what_nobody_knows_is_ignored_though_it_comes_twice_and_no_value_is_no_parameter() -> None:
    """RFC 6749 section 3.1."""
    assert read(query() + b"&display=page&ui_locales=da&x=1&x=2&prompt=&max_age=&company=", KNOWN).prompt == frozenset()


def test_a_client_is_given_the_scopes_that_it_may_ask_for() -> None:
    assert read(query(scope="offline_access openid admin profile"), KNOWN).scopes == ("openid", "profile")


def test_a_login_comes_back_to_the_same_question_without_what_it_has_done() -> None:
    asked = read(query(prompt="login", max_age="0", login_hint="a@b.c", company="contoso", x="y"), KNOWN)
    plain, fresh = asked.come_back(), asked.come_back(datetime(2026, 11, 1, tzinfo=UTC))
    assert dict(parse_qsl(urlsplit(plain).query)) == {**GOOD, "company": "contoso"}
    assert (demands_fresh_login(plain), demands_fresh_login(fresh)) == (False, True)
    again = read(urlsplit(fresh).query.encode(), KNOWN)
    assert again.signed_in_after == datetime(2026, 11, 1, tzinfo=UTC)
    assert again.come_back() == fresh
    assert not demands_fresh_login("/elsewhere?signed_in_after=1")


ANNA = "emp_0190d0b8f1c27abc8def0123456789ab"


@pytest.mark.parametrize("named", [{}, {"company": "contoso"}])
def test_a_login_comes_back_with_the_id_of_whom_an_id_token_named_and_not_with_the_token(named: dict[str, str]) -> None:
    asked = read(query(id_token_hint="a.b.c", **named), KNOWN)
    goal = asked.come_back(hint=Hint(ANNA, "contoso"))
    assert dict(parse_qsl(urlsplit(goal).query)) == {**GOOD, "company": "contoso", "signed_in_as": ANNA}
    again = read(urlsplit(goal).query.encode(), KNOWN)
    assert (again.signed_in_as, again.id_token_hint, again.company) == (ANNA, None, "contoso")
    assert refused(query(signed_in_as="anna@contoso.com")).error == "invalid_request"


def test_there_is_room_for_whom_an_id_token_named_in_the_longest_question() -> None:
    longest = "s" * 2000
    while True:
        try:
            asked = read(query(state=longest, id_token_hint="a.b.c"), KNOWN)
        except AppRefusal:
            longest = longest[1:]
            continue
        goal = asked.come_back(datetime(2026, 11, 1, tzinfo=UTC), Hint(ANNA, "c" * 63))
        assert return_path(goal) == goal
        assert len(goal) > 1990
        return


@given(state=st.text(st.characters(exclude_categories=["Cs"]), max_size=1100))
def test_any_state_comes_back_as_it_was_or_is_told_to_be_too_long(state: str) -> None:
    if len(quote_plus(state)) > 1200:
        assert (told := refused(query(state=state))).error == "invalid_request"
        assert told.back.state == state
        return
    asked = read(query(state=state), KNOWN)
    goal = asked.come_back(datetime(2026, 11, 1, tzinfo=UTC))
    assert return_path(goal) == goal
    again: Asked = read(urlsplit(goal).query.encode(), KNOWN)
    assert again.back.state == (state or None)
