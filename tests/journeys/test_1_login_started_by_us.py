"""Journey 1: the employee begins at our address, and comes back from Entra signed in."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.browser import Browser
from tests.support.company import Company
from tests.support.stack import Stack


async def test_an_employee_signs_in_and_is_who_he_is(company: Company, browser: Browser) -> None:
    """S5: from the web."""
    anna = company.hire("anna", surname="Ærø")
    await company.cycle()

    page = await company.sign_in(browser, anna)

    assert page.status == 200
    assert page.shows("anna@")
    session = (await company.session(browser)).json
    assert session["company"] == company.name
    assert session["employee_id"] == company.scim_id(anna)
    assert session["login_name"] == anna.user_principal_name
    assert (session["given_name"], session["family_name"]) == ("Anna", "Ærø")
    assert session["roles"] == []


async def test_three_internal_calls_and_thirteen_statements_make_a_login(
    company: Company, browser: Browser, other_browser: Browser, stack: Stack
) -> None:
    """Counted, so that no change makes a login dearer unnoticed."""
    anna = company.hire("anna")
    await company.cycle()
    await company.sign_in(other_browser, anna)

    async with stack.counting() as count:
        request_id, relay_state = await company.start_login(browser)
        response = company.recipe(anna, in_response_to=request_id)
        page = await company.post_response(browser, response, relay_state=relay_state)
        assert (await browser.get(page.location)).status == 303

    assert count.calls == {"begin_login": 1, "complete_login": 1, "open_session": 1}
    assert count.statements == {
        "enter_by_name": 2, "begin": 1, "use_up": 1, "find_for_login": 1, "login_policy": 1,
        "insert": 2, "enter_by_id": 1, "hold": 1, "open": 1, "session": 1, "record": 1,
    }  # fmt: skip


async def test_the_browser_ends_where_it_wanted_to_go(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    request_id, relay_state = await company.start_login(browser, return_to="/session")
    page = await company.post_response(
        browser, company.recipe(anna, in_response_to=request_id), relay_state=relay_state
    )
    page = await browser.get(page.location)
    assert page.status == 303
    assert page.location == f"{company.stack.sso_url}/session"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/%0d%0aSet-Cookie:x"],
)
async def test_a_return_address_elsewhere_is_not_followed(company: Company, browser: Browser, target: str) -> None:
    anna = company.hire()
    await company.cycle()
    request_id, relay_state = await company.start_login(browser, return_to=target)
    page = await company.post_response(
        browser, company.recipe(anna, in_response_to=request_id), relay_state=relay_state
    )
    page = await browser.get(page.location)
    assert page.status == 303
    assert page.location == f"{company.stack.sso_url}/"


async def test_a_response_in_another_browser_opens_nothing(
    company: Company, browser: Browser, other_browser: Browser
) -> None:
    """An attacker's own good response, posted by his victim's browser, signs nobody in."""
    anna = company.hire()
    await company.cycle()
    request_id, relay_state = await company.start_login(browser)
    response = company.recipe(anna, in_response_to=request_id)

    page = await other_browser.follow(await company.post_response(other_browser, response, relay_state=relay_state))

    assert page.status == 403
    assert page.shows("other_browser")
    assert (await company.session(other_browser)).status == 401


async def test_two_tabs_both_come_back(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    first = await company.start_login(browser)
    second = await company.start_login(browser)
    for request_id, relay_state in (first, second):
        response = company.recipe(anna, in_response_to=request_id)
        page = await browser.follow(await company.post_response(browser, response, relay_state=relay_state))
        assert page.status == 200


async def test_a_response_is_good_once(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    request_id, relay_state = await company.start_login(browser)
    response = company.recipe(anna, in_response_to=request_id)
    assert (await company.post_response(browser, response, relay_state=relay_state)).status == 303

    again = await company.post_response(browser, response, relay_state=relay_state, accept="application/json")

    assert again.status == 403
    assert again.json["reason"] == "replayed"


async def test_of_two_simultaneous_posts_of_one_response_one_wins(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    request_id, relay_state = await company.start_login(browser)
    response = company.recipe(anna, in_response_to=request_id)
    pages = await asyncio.gather(*(company.post_response(browser, response, relay_state=relay_state) for _ in range(8)))
    assert sorted(page.status for page in pages) == [303] + [403] * 7


async def test_a_ticket_is_redeemed_once(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    request_id, relay_state = await company.start_login(browser)
    page = await company.post_response(
        browser, company.recipe(anna, in_response_to=request_id), relay_state=relay_state
    )
    jar = browser.cookies(page.url)
    first = await browser.get(page.location)
    assert first.status == 303
    browser.forget_cookies()
    for name, value in jar.items():
        browser.set_cookie(page.url, name, value)
    again = await browser.get(page.location)
    assert again.status == 403


REFUSALS = [
    ("wrong_audience", {"audience": "https://www.bitabiz.com/another"}),
    ("wrong_recipient", {"recipient": "https://evil.example/acs"}),
    ("wrong_destination", {"destination": "https://evil.example/acs"}),
    ("wrong_issuer", {"issuer": "https://sts.windows.net/99999999-9999-4999-8999-999999999999/"}),
    ("expired", {"not_on_or_after": datetime(2020, 1, 1, tzinfo=UTC)}),
    ("not_yet_valid", {"not_before": datetime.now(UTC) + timedelta(hours=1)}),
    ("not_signed", {"sign_assertion": False}),
    ("weak_algorithm", {"algorithm": "sha1"}),
    ("unknown_request", {"in_response_to": "_0123456789abcdef0123456789abcdef"}),
]


@pytest.mark.parametrize(("reason", "bent"), REFUSALS)
async def test_what_is_wrong_with_a_response_is_named(
    company: Company, browser: Browser, reason: str, bent: dict[str, object]
) -> None:
    anna = company.hire()
    await company.cycle()
    request_id, relay_state = await company.start_login(browser)
    response = company.recipe(anna, **{"in_response_to": request_id, **bent})  # type: ignore[arg-type]

    refused = await company.post_response(browser, response, relay_state=relay_state, accept="application/json")

    assert refused.status == 403
    assert refused.json["reason"] == reason
    assert set(refused.json) >= {"reason", "trace_id", "title", "remedy"}
    assert len(refused.json["trace_id"]) == 32
    assert (await company.session(browser)).status == 401


async def test_a_refusal_is_told_in_the_readers_language(
    company: Company, browser: Browser, danish_browser: Browser
) -> None:
    anna = company.hire()
    await company.cycle()
    response = company.recipe(anna, in_response_to="_0123456789abcdef0123456789abcdef")
    english = await company.post_response(browser, response)
    danish = await company.post_response(
        danish_browser, company.recipe(anna, in_response_to="_0123456789abcdef0123456789abcdea")
    )
    assert (english.status, danish.status) == (403, 403)
    assert '<html lang="en"' in english.text
    assert '<html lang="da"' in danish.text
    assert len(english.trace_id) == 32


async def test_somebody_unknown_is_not_created_by_a_login(company: Company, browser: Browser) -> None:
    stranger = company.hire("stranger")  # assigned in Entra, never provisioned
    request_id, relay_state = await company.start_login(browser)
    refused = await company.post_response(
        browser, company.recipe(stranger, in_response_to=request_id), relay_state=relay_state, accept="application/json"
    )
    assert refused.json["reason"] == "no_such_employee"
    listed = await company.scim.get("/Users")
    assert listed.json["totalResults"] == 0


async def test_an_unknown_company_is_a_clear_404(stack: Stack, browser: Browser) -> None:
    page = await browser.get(f"{stack.sso_url}/login/no-such-company", accept="application/json")
    assert page.status == 404
    assert page.json["reason"] == "unknown_company"


async def test_sso_off_means_off(company: Company, browser: Browser) -> None:
    """S68: refused whoever begins it, and whoever is in by it is out."""
    anna = company.hire()
    await company.cycle()
    await company.sign_in(browser, anna)
    await company.apply(sso__enabled=False)
    assert (await company.session(browser)).status == 401
    page = await browser.get(company.login_url, accept="application/json")
    assert page.json["reason"] == "sso_off"
    refused = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert refused.json["reason"] == "sso_off"


async def test_signing_out_ends_the_session(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    await company.sign_in(browser, anna)
    page = await browser.post(f"{company.stack.sso_url}/logout", {}, from_url=company.stack.sso_url)
    assert page.status in {200, 303}
    assert (await company.session(browser)).status == 401


async def test_another_site_cannot_sign_somebody_out(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    await company.sign_in(browser, anna)
    await browser.post(f"{company.stack.sso_url}/logout", {}, from_url="http://evil.example")
    assert (await company.session(browser)).status == 200


async def test_a_second_person_in_the_same_browser_never_mixes(company: Company, browser: Browser) -> None:
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()
    await company.sign_in(browser, anna)
    page = await company.sign_in(browser, bo)
    assert page.status == 409
    assert page.shows("Who goes on in this browser?")
    assert (await company.session(browser)).json["login_name"] == anna.user_principal_name


async def test_a_renamed_person_keeps_signing_in(company: Company, browser: Browser) -> None:
    """D10: a changed e-mail never breaks a linked login."""
    anna = company.hire("anna")
    await company.cycle()
    await company.sign_in(browser, anna)
    renamed = company.tenant.edit_person(
        anna.object_id,
        user_principal_name=f"anna.holm@{company.name}.example",
        mail=f"anna.holm@{company.name}.example",
    )
    await company.cycle()
    browser.forget_cookies()
    page = await company.sign_in(browser, renamed)
    assert page.status == 200
    session = (await company.session(browser)).json
    assert session["login_name"] == f"anna.holm@{company.name}.example"
    assert session["employee_id"] == company.scim_id(anna)
