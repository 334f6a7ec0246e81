"""An app with a scheme of its own (`com.bitabiz.app:/…`) signs people in, in a real browser.

No server hears what is handed to such an app, so it is seen by the DevTools protocol: the tab asks for the address, and gives the
request up, for what follows is the operating system's. That this is told is seen in a profile where somebody has said once that
the site may always open the app; in any other Chromium asks first, and no test can press what it asks with.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from playwright.async_api import CDPSession, Page, Playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, COOKIE_CONTROLS_MODE, World, choose
from tests.support.apps import mobile

WITHIN_S = 15


@dataclass(frozen=True)
class Handed:
    """An address of the app's, and what sent the tab there: a redirect's status, or None where a page did."""

    address: str
    redirected: int | None

    @property
    def answer(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.address).query))


@dataclass
class Handing:
    """What a tab hands to the app."""

    devtools: CDPSession
    asked: dict[str, Handed] = field(default_factory=dict)
    given_up: "asyncio.Queue[tuple[str, Handed]]" = field(default_factory=asyncio.Queue)

    def ask(self, sent: dict[str, Any]) -> None:
        if sent["request"]["url"].startswith("com.bitabiz.app:"):
            redirected = sent.get("redirectResponse", {}).get("status")
            self.asked[sent["requestId"]] = Handed(sent["request"]["url"], redirected)

    def give_up(self, failed: dict[str, Any]) -> None:
        if handed := self.asked.get(failed["requestId"]):
            self.given_up.put_nowait((failed["errorText"], handed))

    async def next(self) -> Handed:
        why, handed = await asyncio.wait_for(self.given_up.get(), WITHIN_S)
        assert why == "net::ERR_ABORTED", "given up for another program, and not forbidden by a policy of ours"
        return handed


async def handing(tab: Page) -> Handing:
    handing = Handing(await tab.context.new_cdp_session(tab))
    handing.devtools.on("Network.requestWillBeSent", handing.ask)
    handing.devtools.on("Network.loadingFailed", handing.give_up)
    await handing.devtools.send("Network.enable")
    return handing


async def at_the_choice(page: Page, world: World, question: str) -> None:
    """Anna is signed in, and Bo comes for the app."""
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    await page.goto(question)
    await choose(page, world.bo)


async def test_a_login_ends_in_the_app_over_one_chain_of_redirects(
    page: Page, world: World, http: aiohttp.ClientSession
) -> None:
    app, handed = mobile(world.company, http), await handing(page)
    await page.goto(app.question(company=world.company.name))
    await page.get_by_role("button", name=world.anna.display_name).first.click()

    answered = await handed.next()

    assert answered.address.startswith(f"{app.redirect_uri}?")
    assert answered.redirected == 303
    assert answered.answer["state"] == app.state
    tokens = await app.exchange(answered.answer["code"])
    assert (await app.claims(tokens.json["id_token"]))["sub"] == world.company.scim_id(world.anna)


async def test_the_page_after_a_switch_goes_on_to_the_app_by_itself(
    page: Page, world: World, http: aiohttp.ClientSession
) -> None:
    """Its `Refresh` leads to the authorize endpoint, and that to the app, without anybody pressing anything."""
    app = mobile(world.company, http)
    await at_the_choice(page, world, app.question(company=world.other.name))
    handed = await handing(page)
    await page.get_by_role("button", name="Switch to Bo").click()

    answered = await handed.next()

    assert answered.redirected == 303
    tokens = await app.exchange(answered.answer["code"])
    assert (await app.claims(tokens.json["id_token"]))["sub"] == world.other.scim_id(world.bo)


async def test_whoever_s_browser_does_not_go_on_by_itself_presses_the_link_and_comes_there(
    page: Page, world: World, http: aiohttp.ClientSession
) -> None:
    """A browser may hold back what nobody pressed: the page is still there, and its link does the same."""
    app = mobile(world.company, http)
    await at_the_choice(page, world, app.question(company=world.other.name))
    handed = await handing(page)
    held: asyncio.Queue[str] = asyncio.Queue()
    handed.devtools.on("Fetch.requestPaused", lambda paused: held.put_nowait(paused["requestId"]))
    await handed.devtools.send("Fetch.enable", {"patterns": [{"urlPattern": "*/oauth2/authorize*"}]})
    await page.get_by_role("button", name="Switch to Bo").click()
    by_itself = await asyncio.wait_for(held.get(), WITHIN_S)
    await handed.devtools.send("Fetch.failRequest", {"requestId": by_itself, "errorReason": "Aborted"})
    await handed.devtools.send("Fetch.disable")
    assert handed.asked == {}

    await page.get_by_role("link", name="Go on by hand").click()

    tokens = await app.exchange((await handed.next()).answer["code"])
    assert (await app.claims(tokens.json["id_token"]))["sub"] == world.other.scim_id(world.bo)


async def test_whoever_the_app_signs_out_comes_back_to_it(
    page: Page, world: World, http: aiohttp.ClientSession
) -> None:
    """The `Refresh` leads to the app's scheme itself."""
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    handed = await handing(page)
    goal = "com.bitabiz.app:/signed-out"
    await page.goto(f"{world.url}/oauth2/logout?client_id=mobile-app&state=x&post_logout_redirect_uri={goal}")
    await page.get_by_role("button", name="Sign out").click()

    assert await handed.next() == Handed(f"{goal}?state=x", redirected=None)

    assert await page.get_by_role("link", name="Go on by hand").get_attribute("href") == f"{goal}?state=x"
    assert (await page.request.get(f"{world.url}/session")).status == 401


async def test_an_app_is_told_that_a_page_is_needed_where_it_wanted_none(
    page: Page, world: World, http: aiohttp.ClientSession
) -> None:
    app, handed = mobile(world.company, http), await handing(page)
    await page.goto("about:blank")
    await handed.devtools.send("Page.navigate", {"url": app.question(prompt="none")})
    answered = await handed.next()
    assert (answered.redirected, answered.answer["error"]) == (303, "login_required")


@asynccontextmanager
async def opening(folder: Path) -> AsyncIterator[tuple[Path, "asyncio.Queue[str]"]]:
    """A folder with an `xdg-open` for a PATH, and what it is told to open."""
    told, opened, loop = folder / "told", asyncio.Queue[str](), asyncio.get_running_loop()
    os.mkfifo(told)
    opener = folder / "xdg-open"
    opener.write_text(f"#!/bin/sh\nprintf %s \"$1\" > '{told}'\n")
    opener.chmod(0o755)
    reading = os.open(told, os.O_RDWR | os.O_NONBLOCK)
    loop.add_reader(reading, lambda: opened.put_nowait(os.read(reading, 64 * 1024).decode()))
    try:
        yield folder, opened
    finally:
        loop.remove_reader(reading)
        os.close(reading)


@pytest.mark.parametrize("cookies", COOKIE_CONTROLS_MODE)
async def test_the_operating_system_is_told_to_open_the_app_each_time(
    playwright: Playwright, world: World, http: aiohttp.ClientSession, tmp_path: Path, cookies: str
) -> None:
    """After a login, after a switch by itself and by the link, and after signing out."""
    assert CHROMIUM is not None
    profile = tmp_path / "profile"
    (profile / "Default").mkdir(parents=True)
    trusted = {"allowed_origin_protocol_pairs": {world.url: {"com.bitabiz.app": True}}}
    preferences = {
        "profile": {"cookie_controls_mode": COOKIE_CONTROLS_MODE[cookies]},
        "protocol_handler": trusted,
    }
    (profile / "Default" / "Preferences").write_text(json.dumps(preferences))
    app = mobile(world.company, http)
    async with opening(tmp_path) as (folder, opened):
        environment: dict[str, str | float | bool] = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
        context = await playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=ARGUMENTS, locale="en-GB", env=environment
        )
        page = await context.new_page()

        async def opens(address: str) -> None:
            assert (await asyncio.wait_for(opened.get(), WITHIN_S)).startswith(address)

        await page.goto(app.question(company=world.company.name))
        await page.get_by_role("button", name=world.anna.display_name).first.click()
        await opens(f"{app.redirect_uri}?code=")
        await page.goto(app.question(company=world.other.name))
        await choose(page, world.bo)
        await page.get_by_role("button", name="Switch to Bo").click()
        await opens(f"{app.redirect_uri}?code=")
        await page.get_by_role("link", name="Go on by hand").click()
        await opens(f"{app.redirect_uri}?code=")
        await page.goto(
            f"{world.url}/oauth2/logout?client_id=mobile-app&post_logout_redirect_uri=com.bitabiz.app:/signed-out"
        )
        await page.get_by_role("button", name="Sign out").click()
        await opens("com.bitabiz.app:/signed-out")
        await context.close()
