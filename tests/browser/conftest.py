"""Chromium in the settings that people have, and a company whose Entra answers it.

Our services are 127.0.0.1 and the simulated Entra ID is localhost: two sites, as in life.
"""

import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright

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

Setting = Literal["third-party cookies allowed", "third-party cookies blocked", "incognito"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)
COOKIE_CONTROLS_MODE: dict[str, int] = {"third-party cookies allowed": 0, "third-party cookies blocked": 1}
"""The preference behind the switch in Chromium's settings. The flags that are told of do nothing in Chromium 156."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A machine that is meant to prove it must have it; anywhere else its absence is said aloud.
    absent = CHROMIUM is None and not os.environ.get("EVERY_TEST")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if absent:
                item.add_marker(pytest.mark.skip(reason="no chromium here (Debian: apt-get install chromium)"))


@dataclass
class World:
    """A company whose Entra is a simulator that answers a real browser, and another in the same tenant."""

    company: Company
    other: Company
    server: EntraServer
    anna: Person
    bo: Person

    @property
    def url(self) -> str:
        return self.company.stack.sso_url

    @property
    def sign_on_url(self) -> str:
        return self.company.login_url


@pytest.fixture(scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as started:
        yield started


@pytest.fixture(scope="session")
async def chromium(playwright: Playwright) -> AsyncIterator[Browser]:
    """For contexts that know nothing and leave nothing: what a person calls incognito."""
    assert CHROMIUM is not None, "CI must have chromium; scripts/test-tools.sh installs it"
    browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    await browser.close()


@pytest.fixture(scope="session")
async def profiles(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, BrowserContext]]:
    """A Chromium with a profile for each way in which it may treat third-party cookies."""
    assert CHROMIUM is not None, "CI must have chromium; scripts/test-tools.sh installs it"
    opened = {}
    for setting, mode in COOKIE_CONTROLS_MODE.items():
        folder = tmp_path_factory.mktemp("profile")
        (folder / "Default").mkdir()
        (folder / "Default" / "Preferences").write_text(json.dumps({"profile": {"cookie_controls_mode": mode}}))
        opened[setting] = await playwright.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, args=ARGUMENTS, locale="en-GB"
        )
    yield opened
    for context in opened.values():
        await context.close()


@pytest.fixture(params=SETTINGS)
def setting(request: pytest.FixtureRequest) -> Setting:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def context(
    setting: Setting, chromium: Browser, profiles: dict[str, BrowserContext]
) -> AsyncIterator[BrowserContext]:
    """Whoever asks for a browser is tried in every setting."""
    if setting == "incognito":
        context = await chromium.new_context(locale="en-GB")
    else:
        context = profiles[setting]
        await context.clear_cookies()
    context.set_default_timeout(15_000)
    yield context
    if setting == "incognito":
        await context.close()
        return
    await context.new_page()  # a browser without a page would end
    for page in context.pages[:-1]:
        await page.close()


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
