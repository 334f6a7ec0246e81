"""The endpoints that apps call: who is served, how each refusal reads, which pages may read it; and what browsers are shown."""

import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import quote_plus, urlencode

import aiohttp
import pytest
from starlette.requests import Request

from shared.errors import ErrorCode
from sso_gateway.app import create_service
from sso_gateway.limits import Limits, TooManyRequests
from sso_gateway.oidc.calling import CallRefused, read_call
from tests.support.app_clients import BACK_END_SECRET, MOBILE_RETURN, PORTAL_SECRET
from tests.support.apps import Answer, App
from tests.support.browser import Browser
from tests.support.saml_responses import NOW, Recipe, respond
from tests.unit.sso_gateway.conftest import PUBLIC_URL, Gateway, settings
from tests.unit.sso_gateway.fake_directory import FakeDirectory

CODE = "A" * 64
VERIFIER = "v" * 43
FORM = {"grant_type": "authorization_code", "code": CODE, "redirect_uri": MOBILE_RETURN, "code_verifier": VERIFIER}
PORTAL = {"client_id": "web-portal", "client_secret": PORTAL_SECRET}
MOBILE = {"client_id": "mobile-app"}


def app_of(gateway: Gateway, **changes: Any) -> App:
    own = {"client_id": "mobile-app", "secret": None, "redirect_uri": MOBILE_RETURN, "scope": "openid offline_access"}
    return App(gateway.http, gateway.url, **{**own, **changes})


def basic(name: str, secret: str, *, encoded: bool = True) -> str:
    pair = f"{quote_plus(name)}:{quote_plus(secret)}" if encoded else f"{name}:{secret}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


# Who calls.


@pytest.mark.parametrize(
    ("form", "authorization"),
    [
        (PORTAL, None),
        ({}, basic("web-portal", PORTAL_SECRET)),
        ({}, basic("web-portal", PORTAL_SECRET, encoded=False)),
        ({"client_id": "web-portal"}, basic("web-portal", PORTAL_SECRET)),
        (MOBILE, None),
    ],
    ids=["post", "basic", "basic as it is", "basic and its name", "public"],
)
async def test_a_client_that_proves_itself_is_served(
    gateway: Gateway, form: dict[str, str], authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = await app_of(gateway).call("token", {**FORM, **form}, **headers)
    assert (answer.status, answer.error) == (400, "invalid_grant")
    assert gateway.memory.calls["redeem_code"] == 1


@pytest.mark.parametrize(
    ("form", "authorization", "error"),
    [
        ({}, None, "invalid_client"),
        ({"client_id": "nobody"}, None, "invalid_client"),
        ({"client_id": "web-portal"}, None, "invalid_client"),
        ({"client_id": "web-portal", "client_secret": ""}, None, "invalid_client"),
        ({"client_id": "web-portal", "client_secret": PORTAL_SECRET + " "}, None, "invalid_client"),
        ({"client_id": "web-portal", "client_secret": BACK_END_SECRET}, None, "invalid_client"),
        ({**MOBILE, "client_secret": "x"}, None, "invalid_client"),
        ({}, basic("mobile-app", ""), "invalid_client"),
        ({}, basic("web-portal", "x"), "invalid_client"),
        ({}, "Basic !", "invalid_client"),
        ({}, "Basic " + base64.b64encode(b"web-portal").decode(), "invalid_client"),
        ({}, "Basic " + base64.b64encode(b"\xff:\xff").decode(), "invalid_client"),
        ({}, "Bearer x", "invalid_client"),
        ({}, basic("web-portal", PORTAL_SECRET).replace("Basic", "Bearer"), "invalid_client"),
        (PORTAL, basic("web-portal", PORTAL_SECRET), "invalid_request"),
        (MOBILE, basic("web-portal", PORTAL_SECRET), "invalid_request"),
    ],
)
@pytest.mark.parametrize("path", ["token", "revoke", "introspect"])
async def test_whoever_does_not_is_refused_and_directory_is_not_asked(
    gateway: Gateway, path: str, form: dict[str, str], authorization: str | None, error: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = await app_of(gateway).call(path, {**FORM, "token": CODE, **form}, **headers)
    assert (answer.error, answer.status) == (error, 401 if error == "invalid_client" else 400)
    assert answer.headers.get("WWW-Authenticate") == ('Basic realm="oauth2"' if answer.status == 401 else None)
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    assert not gateway.memory.calls


async def test_two_proofs_are_none_though_each_is_good(gateway: Gateway) -> None:
    """RFC 6749 section 2.3: one way in each request."""
    proof = ("Authorization", basic("web-portal", PORTAL_SECRET))
    async with gateway.http.post(f"{gateway.url}/oauth2/token", data=FORM, headers=[proof, proof]) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")
    assert not gateway.memory.calls


async def test_the_kind_of_a_form_is_read_as_http_writes_it(gateway: Gateway) -> None:
    """RFC 9110 section 8.3.1: without case, with parameters."""
    kind = "Application/X-WWW-Form-URLEncoded ; charset=UTF-8"
    answer = await app_of(gateway).call("token", urlencode({**FORM, **MOBILE}), **{"Content-Type": kind})
    assert answer.error == "invalid_grant"


async def test_a_form_whose_sender_goes_away_is_refused() -> None:
    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    kind = (b"content-type", b"application/x-www-form-urlencoded")
    request = Request({"type": "http", "method": "POST", "headers": [kind]}, gone)
    with pytest.raises(CallRefused) as caught:
        await read_call(cast(Any, None), cast(Any, None), request)
    assert (caught.value.error, caught.value.status) == ("invalid_request", 408)


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        ("{}", "application/json", 400, "as a form"),
        ("grant_type=x", "multipart/form-data; boundary=x", 400, "as a form"),
        ("grant_type=%ff", "application/x-www-form-urlencoded", 400, "cannot be read"),
        ("grant_type=a&grant_type=a", "application/x-www-form-urlencoded", 400, "came twice"),
        ("&".join(f"a{number}=b" for number in range(60)), "application/x-www-form-urlencoded", 400, "cannot be read"),
        ("a=" + "b" * 20_000, "application/x-www-form-urlencoded", 413, "larger than 16384 bytes"),
        ("", "application/x-www-form-urlencoded", 401, "not known here"),
    ],
)
async def test_a_form_that_cannot_be_used_is_told_why(
    gateway: Gateway, body: str, kind: str, status: int, said: str
) -> None:
    answer = await app_of(gateway).call("token", body, **{"Content-Type": kind})
    assert answer.status == status
    assert said in answer.json["error_description"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "client_id": "page-app", "refresh_token": "x"}, "unauthorized_client"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "A" * 86, "scope": "openid admin"}, "invalid_scope"),
        ({"code": None}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "v" * 42}, "invalid_request"),
        ({"code_verifier": "v" * 129}, "invalid_request"),
        ({"code_verifier": "v" * 42 + "+"}, "invalid_request"),
        ({"code": "A" * 63}, "invalid_grant"),
        ({"code": "æ" * 64}, "invalid_grant"),
    ],
)
async def test_what_is_missing_or_cannot_be_is_told_before_directory_is_asked(
    gateway: Gateway, changes: dict[str, str | None], error: str
) -> None:
    form = {name: value for name, value in {**FORM, **MOBILE, **changes}.items() if value is not None}
    answer = await app_of(gateway).call("token", form)
    assert (answer.error, answer.status) == (error, 400)
    assert not gateway.memory.calls


async def test_the_back_end_alone_may_ask_about_tokens(gateway: Gateway) -> None:
    for own in (MOBILE, PORTAL):
        answer = await app_of(gateway).call("introspect", {"token": "x", **own})
        assert (answer.status, answer.error) == (403, "unauthorized_client")
    app = app_of(gateway)
    own = {"client_id": "back-end", "client_secret": BACK_END_SECRET}
    assert (await app.call("introspect", own)).error == "invalid_request"
    assert (await app.call("introspect", {"token": "x", **own})).json == {"active": False}
    assert (await app.call("token", {**FORM, **own})).error == "unauthorized_client"


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer x", "Basic eDp4", "Bearer " + "a" * 5000])
async def test_whoever_shows_no_good_access_token_is_told_so(gateway: Gateway, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with gateway.http.get(f"{gateway.url}/oauth2/userinfo", headers=headers) as answer:
        assert answer.status == 401
        expected = 'Bearer error="invalid_token"' if authorization else "Bearer"
        assert answer.headers["WWW-Authenticate"] == expected


@pytest.mark.parametrize("code", [ErrorCode.unavailable, ErrorCode.unauthorized, ErrorCode.wrong_caller])
async def test_when_directory_cannot_answer_the_app_is_told_to_come_again(gateway: Gateway, code: ErrorCode) -> None:
    """It is no fault of the app's where it is our own credential that directory does not take."""
    gateway.memory.fail = code
    for path, form in (("token", FORM), ("revoke", {"token": "A" * 86})):
        answer = await app_of(gateway).call(path, {**form, **MOBILE})
        assert (answer.status, answer.error) == (503, "temporarily_unavailable")
        assert answer.headers["Retry-After"] == "5"


async def test_what_directory_does_not_take_is_told_as_the_app_s_own_fault(gateway: Gateway) -> None:
    gateway.memory.fail = ErrorCode.invalid_value
    answer = await app_of(gateway).call("token", {**FORM, **MOBILE})
    assert (answer.status, answer.error) == (400, "invalid_request")


# Pages that may read the answers.


@pytest.mark.parametrize("path", ["token", "userinfo", "revoke", "introspect"])
async def test_pages_of_public_clients_may_read_and_no_others(gateway: Gateway, path: str) -> None:
    url = f"{gateway.url}/oauth2/{path}"
    for origin, allowed in (
        ("https://spa.example", "https://spa.example"),
        ("https://portal.example", None),
        ("https://spa.example.evil.example", None),
        ("http://spa.example", None),
        ("null", None),
    ):
        for method in ("OPTIONS", "POST"):
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            async with gateway.http.request(method, url, headers=headers) as answer:
                assert answer.headers.get("Access-Control-Allow-Origin") == allowed
                assert "Access-Control-Allow-Credentials" not in answer.headers
                assert answer.headers["Vary"] == "Origin"
                exposed = answer.headers.get("Access-Control-Expose-Headers")
                assert exposed == ("WWW-Authenticate, Retry-After" if allowed else None)


async def test_a_page_of_a_public_client_is_told_beforehand_what_it_may_send_and_directory_is_not_asked(
    gateway: Gateway,
) -> None:
    """Fetch standard, CORS preflight: what is not named there the browser does not send."""
    headers = {"Origin": "https://spa.example", "Access-Control-Request-Method": "POST"}
    async with gateway.http.options(f"{gateway.url}/oauth2/token", headers=headers) as answer:
        assert (answer.status, await answer.text()) == (204, "")
        told = {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}
    assert told.pop("Access-Control-Allow-Origin") == "https://spa.example"
    assert told.pop("Access-Control-Expose-Headers")
    assert told == {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "600",
    }
    async with gateway.http.post(f"{gateway.url}/oauth2/token", headers=headers) as answer:
        assert "Access-Control-Allow-Methods" not in answer.headers
    assert not gateway.memory.calls


async def test_metadata_and_keys_are_everybodys(gateway: Gateway) -> None:
    async with gateway.http.get(f"{gateway.url}/.well-known/openid-configuration") as answer:
        metadata = await answer.json()
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert metadata["issuer"] == PUBLIC_URL
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    for name in ("authorization", "token", "userinfo", "revocation", "introspection", "end_session"):
        path = metadata[f"{name}_endpoint"].removeprefix(PUBLIC_URL)
        async with gateway.http.get(gateway.url + path, allow_redirects=False) as answer:
            assert answer.status != 404, path
    async with gateway.http.get(metadata["jwks_uri"].replace(PUBLIC_URL, gateway.url)) as answer:
        assert answer.content_type == "application/jwk-set+json"
        assert all("d" not in key for key in (await answer.json())["keys"])


# Limits, and off.


@pytest.fixture
async def limited() -> AsyncIterator[tuple[str, FakeDirectory]]:
    directory = FakeDirectory()
    rates = {"login_rate_per_address": 0.5, "oidc_rate_per_company": 0.5}
    service = create_service(settings(**rates), clock=lambda: NOW, client=directory)
    await service.start()
    yield f"http://127.0.0.1:{service.port}", directory
    await service.stop()


async def test_guessing_spends_what_is_the_guessers(
    limited: tuple[str, FakeDirectory], http: aiohttp.ClientSession
) -> None:
    url, directory = limited
    app = App(http, url)
    answers = [await app.call("token", {**FORM, **MOBILE}) for _ in range(10)]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert refused[0].error == "too_many_requests"
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert directory.memory.calls["redeem_code"] == 10 - len(refused)
    # From the same address, and of other companies: whoever has proven himself is not counted with him.
    others = [quote_plus(base64.urlsafe_b64encode(bytes([number] * 48)).decode()) for number in range(1, 9)]
    for other in others:
        assert (await app.call("token", {**FORM, "code": other, **PORTAL})).status == 400


@pytest.mark.parametrize(
    "guess",
    [
        {"client_id": "web-portal", "client_secret": "x"},
        {"client_id": "web-portal"},
        {"client_id": "nobody", "client_secret": "x"},
        {"client_id": "mobile-app", "client_secret": "x"},
    ],
    ids=["a secret", "none", "a client", "a public client's"],
)
async def test_guessing_who_a_client_is_or_its_secret_is_counted_by_the_address_it_comes_from(
    limited: tuple[str, FakeDirectory], http: aiohttp.ClientSession, guess: dict[str, str]
) -> None:
    url, directory = limited
    app = App(http, url)
    answers = [await app.call("token", {**FORM, **guess}) for _ in range(20)]
    assert {answer.status for answer in answers} == {401, 429}
    assert directory.memory.calls["redeem_code"] == 0
    assert (await app.call("token", {**FORM, **PORTAL})).status == 400, "who proves himself is served from there, too"


def test_strangers_who_guess_leave_a_companys_own_places_what_is_theirs() -> None:
    limits = Limits(per_company=0, per_address=0, grants_per_company=1, clock=lambda: 0.0)

    def admitted(company: str, host: str, times: int = 50) -> int:
        count = 0
        for _ in range(times):
            with contextlib.suppress(TooManyRequests):
                limits.admit_grant(company, coming_from(host))
                count += 1
        return count

    limits.let_in("a", coming_from("192.0.2.1"))
    burst = admitted("a", "198.51.100.1")
    assert 0 < burst < 50
    assert admitted("a", "198.51.100.2") == 0
    assert admitted("a", "192.0.2.1") == burst
    assert admitted("b", "198.51.100.1") == burst


def coming_from(host: str) -> Request:
    return Request({"type": "http", "client": (host, 1), "headers": []})


async def test_without_clients_each_address_says_that_the_provider_is_off(http: aiohttp.ClientSession) -> None:
    service = create_service(settings(oidc_clients="", oidc_keys_dir=""), client=FakeDirectory())
    await service.start()
    try:
        for method, path in (
            ("GET", "/.well-known/openid-configuration"),
            ("GET", "/oauth2/jwks"),
            ("GET", "/oauth2/authorize"),
            ("POST", "/oauth2/authorize"),
            ("POST", "/oauth2/token"),
            ("GET", "/oauth2/userinfo"),
            ("POST", "/oauth2/introspect"),
            ("POST", "/oauth2/revoke"),
            ("GET", "/oauth2/logout"),
            ("POST", "/oauth2/logout"),
        ):
            url = f"http://127.0.0.1:{service.port}{path}"
            async with http.request(method, url, headers={"Accept": "application/json"}) as answer:
                assert answer.status == 404, path
                assert (await answer.json())["reason"] == "openid_off"
    finally:
        await service.stop()


# What a browser is shown.


async def test_a_page_says_why_nobody_is_sent_on(gateway: Gateway) -> None:
    app = app_of(gateway)
    for changes, reason, got in (
        ({"client_id": "<script>"}, "unknown_client", "&lt;script&gt;"),
        ({"redirect_uri": "https://evil.example/"}, "wrong_redirect", "https://evil.example/"),
    ):
        page = await gateway.browser.get(app.question(**changes))
        assert (page.status, "Location" in page.headers) == (400, False)
        assert f'data-field="reason">{reason}<' in page.text
        assert got in page.text
        assert "<script>" not in page.text


async def test_a_session_is_what_a_code_is_given_for_and_the_code_gets_the_tokens(gateway: Gateway) -> None:
    page = await gateway.post_response(respond(Recipe(in_response_to=None)))
    await gateway.browser.get(gateway.url + "/login/finish")
    assert page.status == 303
    app = app_of(gateway)
    page = await gateway.browser.get(app.question())
    code = dict(pair.split("=") for pair in page.headers["Location"].partition("?")[2].split("&"))["code"]
    answer: Answer = await app.exchange(code)
    assert answer.status == 200
    assert (await app.claims(answer.json["id_token"]))["nonce"] == app.nonce
    assert (await app.refresh(answer.json["refresh_token"])).status == 200
    assert (await app.refresh(answer.json["refresh_token"])).error == "invalid_grant"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("client_id=nobody", "unknown_client"),
        ("post_logout_redirect_uri=https%3A%2F%2Fevil.example", "wrong_redirect"),
        ("client_id=web-portal&post_logout_redirect_uri=https%3A%2F%2Fportal.example", "wrong_redirect"),
        ("client_id=mobile-app&post_logout_redirect_uri=https%3A%2F%2Fportal.example%2F", "wrong_redirect"),
        ("client_id=web-portal&client_id=web-portal", "invalid_request"),
        ("state=%ff", "invalid_request"),
    ],
)
async def test_a_logout_leads_nowhere_but_to_the_clients_own_address(gateway: Gateway, query: str, reason: str) -> None:
    page = await gateway.get(f"/oauth2/logout?{query}", accept="application/json")
    assert (page.status, page.json["reason"]) == (400, reason)


@pytest.mark.parametrize("language", ["en", "da"])
async def test_the_question_before_a_logout_is_asked_in_both_languages(gateway: Gateway, language: str) -> None:
    browser: Browser = gateway.another_browser(language)
    document = base64.b64encode(respond(Recipe(in_response_to=None))).decode()
    await browser.post(f"{gateway.url}/saml/contoso/acs", {"SAMLResponse": document}, from_url="http://localhost:8090")
    await browser.get(gateway.url + "/login/finish")
    page = await browser.get(f"{gateway.url}/oauth2/logout?state=%22%3E%3Cscript%3E&x=y")
    assert page.shows({"en": "Do you want to sign out?", "da": "Vil du logge ud?"}[language])
    assert "<script>" not in page.text
    assert 'name="x"' not in page.text
