"""An app with a scheme of its own (`com.bitabiz.app:/…`) signs people in, in a real browser.

No server hears what is handed to such an app, so it is seen by the DevTools protocol: the tab asks for the address, and gives the
request up, for what follows is the operating system's.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from playwright.async_api import CDPSession, Page

from tests.browser.conftest import World, choose
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
