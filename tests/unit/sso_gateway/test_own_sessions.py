"""The page of a person's own sessions: what it shows, and what its forms do."""

import pytest

from shared.errors import ErrorCode
from tests.unit.sso_gateway.conftest import Gateway
from tests.unit.sso_gateway.test_session_routes import SESSION, signed_in

THIS, OTHER = "ses_" + "a" * 32, "ses_" + "b" * 32


async def test_the_list_marks_this_browser_and_names_the_apps(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await gateway.get("/sessions")
    assert page.status == 200
    assert [page.text.count(word) for word in ("This browser", "Another browser", "Mobile app")] == [1, 1, 1]
    assert "&lt;i&gt;" in page.text, "an app that is registered no more is shown by its id, which is no markup"
    assert "<script" not in page.text


async def test_it_is_there_in_danish(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await gateway.browser.get(f"{gateway.url}/sessions", headers={"Accept-Language": "da"})
    assert "Denne browser" in page.text


async def test_a_program_gets_it_as_json(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await gateway.get("/sessions", accept="application/json")
    assert [one["current"] for one in page.json["sessions"]] == [True, False, False, False]
    assert page.json["sessions"][2] == {
        "session_id": "ses_" + "c" * 32,
        "client_id": "mobile-app",
        "signed_in_at": "2026-11-24T08:00:00Z",
        "seen_at": "2026-11-24T08:05:00Z",
        "expires_at": "2026-11-25T08:00:00Z",
        "current": False,
    }
    url = f"{gateway.url}/sessions"
    answer = await gateway.browser.post(url, {"others": "all"}, from_url=url, accept="application/json")
    assert (answer.status, answer.json) == (200, {"ended": 3})


async def test_whoever_is_not_signed_in_is_sent_to_do_so_and_back(gateway: Gateway) -> None:
    page = await gateway.get("/sessions")
    assert (page.status, page.headers["Location"]) == (303, "/login?return_to=%2Fsessions")
    answer = await gateway.get("/sessions", accept="application/json")
    assert (answer.status, answer.json["reason"]) == (401, "not_signed_in")


async def test_one_is_ended_and_the_list_comes_again(gateway: Gateway) -> None:
    await signed_in(gateway)
    url = f"{gateway.url}/sessions"
    page = await gateway.browser.post(url, {"session_id": OTHER}, from_url=url)
    assert (page.status, page.headers["Location"], gateway.memory.ended) == (303, "/sessions", [OTHER])
    assert SESSION in gateway.browser.cookies(gateway.url)


async def test_ending_the_one_in_use_takes_the_cookie(gateway: Gateway) -> None:
    await signed_in(gateway)
    url = f"{gateway.url}/sessions"
    page = await gateway.browser.post(url, {"session_id": THIS}, from_url=url)
    assert (page.status, page.headers["Location"]) == (303, "/")
    assert SESSION not in gateway.browser.cookies(gateway.url)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
async def test_another_site_ends_nothing(gateway: Gateway, site: str) -> None:
    await signed_in(gateway)
    url = f"{gateway.url}/sessions"
    cookies = "; ".join(f"{name}={value}" for name, value in gateway.browser.cookies(url).items())
    headers = {"Sec-Fetch-Site": site, "Accept": "application/json", "Cookie": cookies}
    async with gateway.http.post(url, data={"others": "all"}, headers=headers, allow_redirects=False) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (403, "wrong_origin")
    assert gateway.memory.ended == []


async def test_while_directory_is_away_nothing_is_said_to_have_ended(gateway: Gateway) -> None:
    await signed_in(gateway)
    gateway.memory.fail = ErrorCode.unavailable
    url = f"{gateway.url}/sessions"
    assert (await gateway.browser.post(url, {"session_id": THIS}, from_url=url)).status == 503
    assert SESSION in gateway.browser.cookies(gateway.url)
    assert (await gateway.get("/sessions")).status == 503
