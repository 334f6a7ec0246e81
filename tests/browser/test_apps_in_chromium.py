"""An app on this machine signs people in, in a real browser: what CSP, cookies and redirects make of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from playwright.async_api import Page

from tests.browser.conftest import World, choose
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
