"""An app on this machine signs people in, in a real browser: what CSP, cookies and redirects make of it.

One with a scheme of its own is in `test_own_scheme_in_chromium.py`.
"""

import asyncio
import re
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Page

from tests.browser.conftest import World, choose
from tests.entra.saml_requests import AuthnRequest, decode_redirect, parse_request
from tests.support.apps import App, mobile


@asynccontextmanager
async def listening(
    world: World, http: aiohttp.ClientSession
) -> AsyncIterator[tuple[App, "asyncio.Queue[dict[str, str]]"]]:
    """A native app on a loopback port of its own, and what it is answered."""
    answers: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def answered(request: web.Request) -> web.Response:
        answers.put_nowait(dict(request.query))
        return web.Response(text="back in the app")

    app = web.Application()
    app.add_routes([web.get("/callback", answered), web.get("/signed-out", answered)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield mobile(world.company, http, redirect_uri=f"http://127.0.0.1:{port}/callback"), answers
    finally:
        await runner.cleanup()


async def test_an_app_signs_somebody_in_who_gives_his_email_in_the_form(
    page: Page, world: World, http: aiohttp.ClientSession
) -> None:
    async with listening(world, http) as (app, answers):
        await page.goto(app.question())
        await page.get_by_role("textbox").fill(f"anna@{world.company.name}.example")
        await page.keyboard.press("Enter")
        await choose(page, world.anna)
        await page.get_by_text("back in the app").wait_for()
        tokens = await app.exchange((await answers.get())["code"])
    assert (await app.claims(tokens.json["id_token"]))["sub"] == world.company.scim_id(world.anna)


async def test_somebody_switches_on_the_way_to_the_app_and_comes_there(
    page: Page, world: World, http: aiohttp.ClientSession
) -> None:
    """The form that switches leads, over three redirects, to another site: form-action must not hold it."""
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    async with listening(world, http) as (app, answers):
        await page.goto(app.question(company=world.other.name))
        await choose(page, world.bo)
        await page.get_by_role("button", name="Switch to Bo").click()
        await page.get_by_text("back in the app").wait_for()
        tokens = await app.exchange((await answers.get())["code"])
    assert (await app.claims(tokens.json["id_token"]))["company"] == world.other.name


async def test_somebody_is_asked_before_an_app_signs_him_out_and_comes_back_to_it(
    page: Page, world: World, http: aiohttp.ClientSession
) -> None:
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    async with listening(world, http) as (app, answers):
        goal = app.redirect_uri.replace("/callback", "/signed-out")
        await page.goto(f"{world.url}/oauth2/logout?client_id=mobile-app&state=x&post_logout_redirect_uri={goal}")
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_text("back in the app").wait_for()
        assert await answers.get() == {"state": "x"}
    assert (await page.request.get(f"{world.url}/session")).status == 401


def demands_a_fresh_login(address: str) -> bool:
    """Entra's, to which a browser was sent."""
    asked = parse_request(decode_redirect(parse_qs(urlsplit(address).query)["SAMLRequest"][0]))
    assert isinstance(asked, AuthnRequest)
    return asked.force_authn


def without_the_demand(address: str) -> str:
    """The same question by the hand of whoever sits at the browser: it is not signed."""
    parts = urlsplit(address)
    asked = parse_qs(parts.query)
    document = re.sub(rb' ForceAuthn="[^"]*"', b"", decode_redirect(asked["SAMLRequest"][0]))
    deflating = zlib.compressobj(wbits=-15)
    packed = b64encode(deflating.compress(document) + deflating.flush()).decode()
    return parts._replace(query=urlencode({**asked, "SAMLRequest": [packed]}, doseq=True)).geturl()


@dataclass(frozen=True)
class SignedIn:
    """Anna in this browser, who showed herself to Entra weeks ago and has not been asked since."""

    app: App
    answers: "asyncio.Queue[dict[str, str]]"
    weeks_ago: datetime

    async def auth_time(self) -> int:
        tokens = await self.app.exchange((await self.answers.get())["code"])
        return int((await self.app.claims(tokens.json["id_token"]))["auth_time"])


@pytest.fixture
async def anna_of_weeks_ago(page: Page, world: World, http: aiohttp.ClientSession) -> AsyncIterator[SignedIn]:
    weeks_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(days=81)
    world.server.simulator.signed_in_since[world.anna.object_id] = weeks_ago
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    async with listening(world, http) as (app, answers):
        yield SignedIn(app, answers, weeks_ago)


@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"max_age": "3600"}], ids=["prompt", "max_age"])
async def test_an_app_that_wants_a_fresh_login_has_entra_ask_whoever_is_signed_in(
    page: Page, world: World, anna_of_weeks_ago: SignedIn, demand: dict[str, str | None]
) -> None:
    app = anna_of_weeks_ago.app
    await page.goto(app.question(company=world.company.name))
    assert await anna_of_weeks_ago.auth_time() == int(anna_of_weeks_ago.weeks_ago.timestamp()), "in without a question"

    await page.goto(app.question(company=world.company.name, **demand))
    assert page.url.startswith("http://localhost:"), "at Microsoft's"
    assert demands_a_fresh_login(page.url)
    await choose(page, world.anna)

    await page.get_by_text("back in the app").wait_for()
    asked_at = world.server.simulator.signed_in_since[world.anna.object_id]
    assert await anna_of_weeks_ago.auth_time() == int(asked_at.timestamp())
    assert asked_at > anna_of_weeks_ago.weeks_ago + timedelta(days=80)


@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"max_age": "3600"}], ids=["prompt", "max_age"])
async def test_whoever_takes_the_demand_out_of_the_address_brings_the_app_no_code(
    page: Page, world: World, anna_of_weeks_ago: SignedIn, demand: dict[str, str | None]
) -> None:
    """Entra never hears of it and answers with the old AuthnInstant; the app is told, and nobody goes round for ever."""
    await page.goto(anna_of_weeks_ago.app.question(company=world.company.name, **demand))
    await page.goto(without_the_demand(page.url))
    assert not demands_a_fresh_login(page.url)
    await choose(page, world.anna)

    await page.get_by_text("back in the app").wait_for()
    answer = await anna_of_weeks_ago.answers.get()
    assert (answer["error"], "code" in answer) == ("login_required", False)
    # He is signed in here, only not lately enough for this app; the next question is asked of Entra again.
    assert (await page.request.get(f"{world.url}/session")).status == 200
    await page.goto(anna_of_weeks_ago.app.question(company=world.company.name, **demand))
    assert demands_a_fresh_login(page.url)
