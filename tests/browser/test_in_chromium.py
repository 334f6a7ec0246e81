"""What only a real browser knows: cookies across sites, redirects after a cross-site POST, what a person sees.

Our services are 127.0.0.1 and the simulated Entra ID is localhost: two sites, as in life.
"""

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.entra.people import Person
from tests.entra.server import EntraServer
from tests.support.company import Company, new_company, new_tenant
from tests.support.stack import Stack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    # A machine that is meant to prove it must have it; anywhere else its absence is said aloud.
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="no chromium here (Debian: apt-get install chromium)"
    ),
]


@dataclass
class World:
    """A company whose Entra is a simulator that answers a real browser."""

    company: Company
    other: Company
    server: EntraServer
    anna: Person
    bo: Person

    @property
    def sign_on_url(self) -> str:
        return self.company.login_url


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    assert CHROMIUM is not None, "CI must have chromium; scripts/test-tools.sh installs it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    context = await chromium.new_context(locale="en-GB")
    context.set_default_timeout(10_000)
    yield context
    await context.close()


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    return await context.new_page()


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    tenant = new_tenant()
    server = EntraServer(tenant, "127.0.0.1", 0)
    await server.start()
    login_url = f"{server.url}/{tenant.tenant_id}/saml2"
    company = await new_company(stack, tenant=tenant, sso__login_url=login_url)
    other = await new_company(stack, tenant=tenant, sso__login_url=login_url)
    anna, bo = company.hire("anna", surname="Ærø"), other.hire("bo")
    await company.cycle()
    await other.cycle()
    yield World(company, other, server, anna, bo)
    await company.scim.close()
    await other.scim.close()
    await server.stop()


async def choose(page: Page, person: Person) -> None:
    """Click a person on the simulated Microsoft page, and come back to us."""
    await page.get_by_role("button", name=person.display_name).first.click()
    await page.wait_for_url("http://127.0.0.1:*/**")


async def test_a_person_signs_in_sees_who_he_is_and_is_out_when_suspended(page: Page, world: World) -> None:
    await page.goto(world.sign_on_url)
    assert page.url.startswith("http://localhost:"), "at Microsoft's"
    await choose(page, world.anna)

    assert await page.title()
    shown = await page.inner_text("main")
    assert "Anna Ærø" in shown
    assert world.anna.user_principal_name in shown

    world.company.tenant.block(world.anna.object_id)
    await world.company.cycle()
    await page.reload()
    shown = await page.inner_text("main")
    assert "Anna" not in shown
    assert await page.get_by_role("link", name="Sign in").or_(page.get_by_role("button", name="Sign in")).count()

    await page.goto(world.sign_on_url)
    await page.get_by_text("Anna").first.wait_for()
    assert (await page.request.get(f"{world.company.stack.sso_url}/session")).status == 401


async def test_cookies_are_host_bound_lax_and_out_of_scripts_reach(
    page: Page, context: BrowserContext, world: World
) -> None:
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    cookies = {cookie["name"]: cookie for cookie in await context.cookies()}
    session = cookies["__Host-session"]
    assert session["httpOnly"]
    assert session["secure"]
    assert session["sameSite"] == "Lax"
    assert session["path"] == "/"
    assert "session" not in await page.evaluate("document.cookie")


async def test_the_wrong_company_is_refused_in_words(page: Page, world: World) -> None:
    """Bo is the other company's; the first company's app is not his."""
    world.company.tenant.assign(world.company.app, world.bo.object_id)  # Entra lets him, we have never heard of him
    await page.goto(world.sign_on_url)
    await choose(page, world.bo)
    shown = await page.inner_text("main")
    assert "no_such_employee" in shown
    assert (await page.request.get(f"{world.company.stack.sso_url}/session")).status == 401


async def test_one_click_in_microsoft_365_signs_in(page: Page, world: World) -> None:
    await page.goto(f"{world.server.url.rstrip('/')}/myapps")
    await page.get_by_role("button", name=world.anna.display_name).first.click()
    await page.get_by_role("button", name="Open").first.click()
    await page.wait_for_url("http://127.0.0.1:*/**")
    assert "Anna Ærø" in await page.inner_text("main")


async def test_the_second_person_in_one_browser_is_told_and_nothing_mixes(page: Page, world: World) -> None:
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    await page.goto(world.other.login_url)
    await choose(page, world.bo)
    assert "other_person_signed_in" in await page.inner_text("main")
    answer = await page.request.get(f"{world.company.stack.sso_url}/session")
    assert (await answer.json())["login_name"] == world.anna.user_principal_name


async def test_signing_out_and_in_again_by_e_mail(page: Page, world: World) -> None:
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await page.wait_for_load_state()
    assert (await page.request.get(f"{world.company.stack.sso_url}/session")).status == 401

    await page.goto(f"{world.company.stack.sso_url}/login")
    await page.get_by_label("e-mail").fill(f"whoever@{world.company.name}.example")
    await page.keyboard.press("Enter")
    await page.wait_for_url("http://localhost:*/**")
    await choose(page, world.anna)
    assert "Anna Ærø" in await page.inner_text("main")


async def test_whoever_signs_out_at_microsoft_is_out_here_though_the_frame_brings_no_cookie(
    page: Page, context: BrowserContext, world: World
) -> None:
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    told: list[str] = []
    microsoft = await context.new_page()
    microsoft.on("console", lambda message: told.append(message.text))
    await microsoft.goto(f"{world.server.url}/myapps?person={world.anna.object_id}")
    async with microsoft.expect_response(lambda answer: "SAMLRequest=" in answer.url) as framed:
        await microsoft.get_by_role("button", name="Sign out everywhere").click()
    answer = await framed.value
    assert answer.status == 200
    assert "cookie" not in await answer.request.all_headers()
    assert "signed out" in await microsoft.frame_locator("iframe").locator("p").inner_text(), (
        "the browser shows the frame"
    )
    assert not [line for line in told if "Content Security Policy" in line]

    assert (await page.request.get(f"{world.company.stack.sso_url}/session")).status == 401
    await page.reload()
    assert "You are not signed in" in await page.inner_text("main")


async def test_signing_out_at_microsoft_too_goes_there_and_comes_back(page: Page, world: World) -> None:
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    assert world.server.simulator.sessions
    await page.get_by_role("button", name="Sign out at Microsoft too").click()
    await page.locator("[data-field=signed_out]").wait_for()
    assert "You are signed out here and at Microsoft." in await page.inner_text("main")
    assert page.url == f"{world.company.stack.sso_url}/?signed_out=idp"
    assert world.server.simulator.sessions == [], "Entra has signed that sign-in out"
    assert not [line for line in told if "Content Security Policy" in line]
    assert (await page.request.get(f"{world.company.stack.sso_url}/session")).status == 401


async def test_a_dane_reads_danish(chromium: Browser, world: World) -> None:
    context = await chromium.new_context(locale="da-DK")
    page = await context.new_page()
    await page.goto(f"{world.company.stack.sso_url}/login/findes-ikke")
    assert await page.locator("html").get_attribute("lang") == "da"
    await context.close()


async def test_pages_work_without_scripts_and_break_no_rule_of_their_own(chromium: Browser, world: World) -> None:
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    for path in ("/", "/login", "/login/no-such-company"):
        await page.goto(world.company.stack.sso_url + path)
        assert await page.inner_text("main")
    assert not [line for line in told if "Content Security Policy" in line]
    await context.close()


async def test_the_browser_remembers_the_company_until_it_is_asked_to_forget(page: Page, world: World) -> None:
    """A14: nobody is asked twice where he works, and nobody else can ask."""
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    await page.get_by_role("button", name="Sign out", exact=True).click()
    offer = page.get_by_role("link", name=f"Continue to {world.company.app.company}")
    await offer.click()
    await page.get_by_text("Anna").first.wait_for()
    assert page.url.startswith("http://localhost:"), "one click, and at Microsoft's"

    await page.goto(f"{world.company.stack.sso_url}/login?return_to=/session")
    await page.get_by_role("button", name=f"Forget {world.company.app.company}").click()
    await page.wait_for_url("**/login?return_to=%2Fsession")
    assert await page.get_by_role("textbox", name="Work e-mail").count() == 1
    assert await offer.count() == 0
    assert "__Host-company" not in {one["name"] for one in await page.context.cookies(world.company.stack.sso_url)}
