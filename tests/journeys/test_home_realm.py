"""From an e-mail address to the company, against the real directory: nothing tells an outsider who works there."""

import re
from collections.abc import Awaitable, Callable
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest

from tests.support.apps import App, portal
from tests.support.browser import Browser, Page
from tests.support.company import Company, new_company
from tests.support.stack import Count, Stack

Ask = Callable[[Company, Browser, str], Awaitable[Page]]


async def ask(company: Company, browser: Browser, email: str) -> Page:
    url = f"{company.stack.sso_url}/login"
    return await browser.post(url, {"email": email}, from_url=url)


async def ask_by_link(company: Company, browser: Browser, email: str) -> Page:
    return await browser.get(f"{company.stack.sso_url}/login?{urlencode({'email': email})}")


def ask_by_app(app: App) -> Ask:
    """An app that knows whom it wants, and each time asks in the very same words."""

    async def asked(company: Company, browser: Browser, email: str) -> Page:
        return await browser.get(app.question(login_hint=email))

    return asked


async def counted(asked: Ask, company: Company, browser: Browser, email: str) -> tuple[Page, Count]:
    async with company.stack.counting() as count:
        page = await asked(company, browser, email)
    return page, count


def leads_to(page: Page) -> list[str]:
    """Companies that the page links, or the one that the answer goes on to by itself."""
    found = re.findall(r'href="/login/([a-z0-9-]+)', page.text)
    found += re.findall(r"^/login/([a-z0-9-]+)", page.headers.get("Location", ""))
    return list(dict.fromkeys(found))


def without_the_address(page: Page) -> dict[str, str]:
    """Headers; the address itself stands in the cookie with the hint, and two say when it was and which request."""
    return {key: value for key, value in page.headers.items() if key not in {"Set-Cookie", "Date", "X-Request-ID"}}


@pytest.mark.parametrize("way", ["form", "link", "app"])
@pytest.mark.parametrize("shared", [False, True])
async def test_the_answer_and_the_work_for_it_are_the_same_whether_or_not_the_person_exists(
    company: Company, neighbour: Company, browser: Browser, http: aiohttp.ClientSession, shared: bool, way: str
) -> None:
    """A14, D15: by the domain alone. Bytes, calls and statements are compared, not times, which other things disturb."""
    asked: Ask = {"form": ask, "link": ask_by_link, "app": ask_by_app(portal(company, http))}[way]
    domain = f"{company.name}.example"
    if shared:
        await neighbour.apply(sso__email_domains=[domain])
    anna, gone, there = company.hire("anna"), company.hire("gone"), neighbour.hire("hans")
    await company.cycle()
    await neighbour.cycle()
    await company.suspend(company.scim_id(gone))
    assert anna.user_principal_name == f"anna@{domain}"
    assert there.user_principal_name != f"hans@{domain}"
    await asked(company, browser, f"warm@{domain}")

    first, count = await counted(asked, company, browser, f"anna@{domain}")
    assert leads_to(first) == sorted(
        [company.name, *([neighbour.name] if shared else [])], key=lambda one: f"company {one}"
    )
    for stranger in ("nobo", "gone", "hans"):
        page, of_stranger = await counted(asked, company, browser, f"{stranger}@{domain}")
        assert (page.status, page.text) == (first.status, first.text)
        assert without_the_address(page) == without_the_address(first)
        assert len(page.headers["Set-Cookie"]) == len(first.headers["Set-Cookie"])
        assert (of_stranger.calls, of_stranger.statements) == (count.calls, count.statements)
    assert set(count.statements) == {"companies_for_domain"}


async def test_a_domain_of_nobody_is_told_so_and_names_no_company(company: Company, browser: Browser) -> None:
    for domain in ("nowhere.example", f"mail.{company.name}.example", f"{company.name}.example.evil.example"):
        page = await ask(company, browser, f"anna@{domain}")
        assert page.status == 404
        assert page.shows("No company at BitaBIZ uses sign-in with Microsoft for that address")
        assert "Company " not in page.text
        assert "Set-Cookie" not in page.headers


@pytest.mark.parametrize(
    "address",
    ["anna@{}.example", "ANNA@{}.EXAMPLE", "anna+holiday@{}.example", "anna@{}.example.", " anna@{}.example "],
)
async def test_spellings_of_a_domain_lead_to_its_company(company: Company, browser: Browser, address: str) -> None:
    assert leads_to(await ask(company, browser, address.format(company.name))) == [company.name]


async def test_a_domain_with_letters_beyond_ascii_is_one_in_both_of_its_forms(
    company: Company, browser: Browser
) -> None:
    label = f"smørrebrød-{company.name}"
    coded = label.encode("idna").decode()
    await company.apply(sso__email_domains=[f"{label}.example"])
    for domain in (label, label.upper(), coded, coded.upper()):
        assert leads_to(await ask(company, browser, f"anna@{domain}.example")) == [company.name]
    assert (await ask(company, browser, f"anna@{label.replace('ø', 'o')}.example")).status == 404


async def test_a_company_without_sign_on_is_not_among_them(company: Company, browser: Browser) -> None:
    await company.apply(sso__enabled=False)
    assert (await ask(company, browser, f"anna@{company.name}.example")).status == 404


async def test_a_domain_of_very_many_companies_is_asked_about_some_of_them(stack: Stack, company: Company) -> None:
    """A mail provider's domain, say: the work for one question is bounded."""
    domain = f"provider-{company.name}.example"
    for _ in range(3):
        await new_company(stack, tenant=company.tenant, sso__email_domains=[domain])
    assert len(await stack.database.companies_for_domain(domain, 50)) == 3
    assert len(await stack.database.companies_for_domain(domain, 2)) == 2


async def test_the_company_of_the_last_sign_in_is_a_click_away_and_suggested_first(
    company: Company, neighbour: Company, browser: Browser
) -> None:
    """A14: several companies on one domain; the choice of whoever has signed in here is known to this browser alone."""
    for one in (company, neighbour):
        await one.apply(sso__email_domains=[f"{company.name}.example"])
    hans = neighbour.hire("hans")
    await neighbour.cycle()
    await neighbour.sign_in(browser, hans)
    await browser.post(f"{company.stack.sso_url}/logout", {}, from_url=company.stack.sso_url)
    assert leads_to(await ask(company, browser, f"hans@{company.name}.example"))[0] == neighbour.name
    page = await browser.get(f"{company.stack.sso_url}/")
    assert page.shows(f"Continue to {neighbour.app.company}")
    assert leads_to(page) == [neighbour.name]


async def test_the_address_travels_to_entra_as_a_hint(company: Company, browser: Browser) -> None:
    page = await ask(company, browser, f"anna@{company.name}.example")
    [target] = re.findall(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    started = await browser.get(company.stack.sso_url + unescape(target))
    assert parse_qs(urlsplit(started.location).query)["login_hint"] == [f"anna@{company.name}.example"]
