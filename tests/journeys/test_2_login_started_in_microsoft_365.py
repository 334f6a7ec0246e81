"""Journey 2: a click on the tile in Microsoft 365; an answer that nobody asked for."""

import pytest

from tests.support.browser import Browser
from tests.support.company import Company


async def test_one_click_signs_in(company: Company, browser: Browser) -> None:
    """S4: an unsolicited response signs the right employee in, once."""
    anna = company.hire()
    await company.cycle()
    page = await browser.follow(await company.post_response(browser, company.recipe(anna)))
    assert page.status == 200
    assert (await company.session(browser)).json["employee_id"] == company.scim_id(anna)


async def test_the_same_answer_again_is_refused(company: Company, browser: Browser, other_browser: Browser) -> None:
    """S4: once."""
    anna = company.hire()
    await company.cycle()
    response = company.recipe(anna)
    assert (await company.post_response(browser, response)).status == 303
    replayed = await company.post_response(other_browser, response, accept="application/json")
    assert (replayed.status, replayed.json["reason"]) == (403, "replayed")


async def test_a_company_may_forbid_it(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    await company.apply(sso__idp_initiated=False)
    refused = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert (refused.status, refused.json["reason"]) == (403, "idp_initiated_off")


async def test_bounce_starts_a_login_of_our_own(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    await company.apply(sso__idp_initiated="bounce")
    page = await company.post_response(browser, company.recipe(anna))
    assert page.status == 303
    page = await browser.get(page.location)
    assert page.status == 302
    assert page.location.startswith("https://login.microsoftonline.com/")
    assert (await company.session(browser)).status == 401


@pytest.mark.parametrize(
    ("relay_state", "ends"), [("/session", "/session"), ("https://evil.example/", "/"), ("//evil.example", "/")]
)
async def test_a_relay_state_is_followed_only_within_our_site(
    company: Company, browser: Browser, relay_state: str, ends: str
) -> None:
    anna = company.hire()
    await company.cycle()
    page = await company.post_response(browser, company.recipe(anna), relay_state=relay_state)
    page = await browser.get(page.location)
    assert page.status == 303
    assert page.location == f"{company.stack.sso_url}{ends}"


@pytest.mark.parametrize("signed", ["assertion", "response", "both"])
async def test_every_signing_option_of_entra(company: Company, browser: Browser, signed: str) -> None:
    anna = company.hire()
    await company.cycle()
    company.tenant.configure(company.app, sign=signed)
    await company.apply(sso__signed=signed)
    page = await browser.follow(await company.post_response(browser, company.recipe(anna)))
    assert page.status == 200


async def test_a_missing_signature_is_not_made_up_for_by_the_other(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    await company.apply(sso__signed="both")
    refused = await company.post_response(
        browser, company.recipe(anna, sign_assertion=True, sign_response=False), accept="application/json"
    )
    assert refused.json["reason"] == "not_signed"
