"""Who is signed in, for applications; and the way out."""

import aiohttp
import pytest

from shared.errors import ErrorCode
from shared.settings import SettingsError, read_settings
from sso_gateway.app import create_service
from sso_gateway.settings import Settings
from tests.support.browser import Browser
from tests.support.saml_responses import NOW, Recipe, respond
from tests.unit.sso_gateway.conftest import PUBLIC_URL, Gateway, settings
from tests.unit.sso_gateway.fake_directory import EMPLOYEE, FakeDirectory

SESSION = "__Host-session"


async def signed_in(gateway: Gateway) -> None:
    await gateway.browser.follow(await gateway.post_response(respond(Recipe(in_response_to=None))))


async def test_a_session_is_told_as_json(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await gateway.get("/session")
    assert page.status == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert page.json == {
        "company": "contoso",
        "employee_id": EMPLOYEE,
        "login_name": "anna@contoso.com",
        "email": "anna@contoso.com",
        "given_name": "Anna <b>",
        "family_name": "Ærø",
        "roles": ["approver"],
        "signed_in_at": "2026-11-24T08:00:00Z",
        "expires_at": "2026-11-25T08:00:00Z",
    }


@pytest.mark.parametrize("cookie", [None, "", "x", "A" * 64, "A" * 5000, "é"])
async def test_without_a_session_it_is_401(gateway: Gateway, cookie: str | None) -> None:
    if cookie is not None:
        gateway.browser.set_cookie(gateway.url, SESSION, cookie)
    for path in ("/session", "/auth"):
        page = await gateway.get(path)
        assert (page.status, page.json["reason"]) == (401, "not_signed_in")
        assert page.headers["WWW-Authenticate"] == "Cookie", "RFC 9110 section 11.6.1"


@pytest.mark.parametrize("cookie", ["", "x", "A" * 31, "A" * 63, "A" * 65, "A" * 63 + '"', "A" * 5000])
async def test_what_cannot_be_a_session_is_no_question_to_directory(gateway: Gateway, cookie: str) -> None:
    gateway.browser.set_cookie(gateway.url, SESSION, cookie)
    assert (await gateway.get("/session")).status == 401
    assert gateway.memory.calls["read_session"] == 0


async def test_an_ended_session_is_401_at_the_next_request(gateway: Gateway) -> None:
    await signed_in(gateway)
    gateway.memory.sessions.clear()
    assert (await gateway.get("/session")).status == 401


async def test_signing_out_ends_the_session_and_takes_the_cookie(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await gateway.browser.post(f"{gateway.url}/logout", {}, from_url=gateway.url)
    assert (page.status, page.headers["Location"]) == (303, "/")
    assert SESSION not in gateway.browser.cookies(gateway.url)
    assert gateway.memory.sessions == set()


async def test_who_signs_out_is_refused_at_once_though_he_was_remembered(http: aiohttp.ClientSession) -> None:
    """S39; every other process hears of it from directory, this one need not."""
    service = create_service(settings(), clock=lambda: NOW, now=lambda: 0.0, client=(directory := FakeDirectory()))
    await service.start()
    try:
        url = f"http://127.0.0.1:{service.port}"
        gateway = Gateway(url, url, directory.memory, Browser(http), http)
        await signed_in(gateway)
        cookie = {"Cookie": f"{SESSION}={gateway.browser.cookies(url)[SESSION]}"}
        for _ in range(3):
            assert (await gateway.another_browser().get(f"{url}/session", headers=cookie)).status == 200
        assert directory.memory.calls["read_session"] <= 1, "he is remembered"
        await gateway.browser.post(f"{url}/logout", {}, from_url=url)
        assert (await gateway.another_browser().get(f"{url}/session", headers=cookie)).status == 401
    finally:
        await service.stop()


async def test_signing_out_without_a_session_is_no_fault(gateway: Gateway) -> None:
    assert (await gateway.browser.post(f"{gateway.url}/logout", {}, from_url=gateway.url)).status == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": PUBLIC_URL},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_another_site_signs_nobody_out(gateway: Gateway, headers: dict[str, str]) -> None:
    await signed_in(gateway)
    page = await gateway.browser.post(f"{gateway.url}/logout", {}, headers=headers)
    assert page.status == 403
    assert page.shows("wrong_origin")
    assert (await gateway.get("/session")).status == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {"Origin": PUBLIC_URL}, {}])
async def test_our_own_pages_and_programs_may(gateway: Gateway, headers: dict[str, str]) -> None:
    await signed_in(gateway)
    assert (await gateway.browser.post(f"{gateway.url}/logout", {}, headers=headers)).status == 303
    assert gateway.memory.sessions == set()


async def test_get_signs_nobody_out(gateway: Gateway) -> None:
    await signed_in(gateway)
    assert (await gateway.get("/logout")).status == 405
    assert (await gateway.get("/session")).status == 200


async def test_ready_says_when_directory_is_out_of_reach(gateway: Gateway) -> None:
    assert (await gateway.browser.get(f"{gateway.ops_url}/readyz")).status == 200
    gateway.memory.fail = ErrorCode.unavailable
    assert (await gateway.browser.get(f"{gateway.ops_url}/readyz")).status == 503
    assert (await gateway.browser.get(f"{gateway.ops_url}/healthz")).status == 200


@pytest.mark.parametrize("seconds", ["0", "-1", str(14 * 86_400 + 1), "31536000"])
def test_no_setting_makes_a_session_last_longer_than_two_weeks(seconds: str) -> None:
    environment = {"DIRECTORY_URL": "http://d", "DIRECTORY_SECRET": "s", "PUBLIC_URL": "http://s"}
    assert read_settings(Settings, environment).session_ttl_s <= 14 * 86_400
    assert read_settings(Settings, environment | {"SESSION_TTL_S": str(14 * 86_400)}).session_ttl_s == 14 * 86_400
    with pytest.raises(SettingsError, match="SESSION_TTL_S is wrong"):
        read_settings(Settings, environment | {"SESSION_TTL_S": seconds})
