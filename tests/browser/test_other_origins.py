"""What pages of other sites get of us by script, in a real browser that has a session here: what CORS says, and nothing else."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from playwright.async_api import Browser, Frame, Page

from tests.browser.conftest import World, choose
from tests.support.app_clients import MOBILE_RETURN
from tests.support.apps import mobile
from tests.support.browser import Browser as Visitor

FETCH = """
async ([url, options]) => {
    try {
        const answer = await fetch(url, options);
        return [answer.type, answer.status, await answer.text()];
    } catch (error) {
        return ["refused", 0, ""];
    }
}
"""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@asynccontextmanager
async def other_site() -> AsyncIterator[str]:
    """A page of another site, and a sandboxed frame in it, whose origin is null."""

    async def page(request: web.Request) -> web.Response:
        frame = "<iframe sandbox='allow-scripts' srcdoc='<p>sandboxed</p>'></iframe>"
        return web.Response(text=f"<p>another site</p>{frame}", content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", page)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    try:
        yield f"http://localhost:{site._server.sockets[0].getsockname()[1]}/"  # type: ignore[attr-defined]
    finally:
        await runner.cleanup()


async def fetched(at: Page | Frame, url: str, **options: Any) -> tuple[str, int, str]:
    kind, status, text = await at.evaluate(FETCH, [url, options])
    return str(kind), int(status), str(text)


async def test_a_page_of_another_site_reads_nothing_of_whoever_is_signed_in(
    chromium: Browser, world: World, http: aiohttp.ClientSession
) -> None:
    """Neither with cookies nor with a token that it holds, nor from a sandbox; what is published it reads, without cookies."""
    visitor = Visitor(http)
    await world.company.sign_in(visitor, world.anna)
    app = mobile(world.company, http)
    token = (await app.tokens(visitor))["access_token"]
    grant = {"grant_type": "refresh_token", "client_id": "mobile-app", "redirect_uri": MOBILE_RETURN}
    async with other_site() as site, await chromium.new_context() as context:
        page = await context.new_page()
        await page.goto(world.sign_on_url)
        await choose(page, world.anna)
        await page.goto(site)
        for at in page.frames:
            for credentials in ("omit", "include"):
                for path in ("/session", "/auth", "/sessions", "/", "/oauth2/userinfo", app.question(prompt="none")):
                    url = path if path.startswith("http") else world.url + path
                    assert await fetched(at, url, credentials=credentials) == ("refused", 0, ""), path
                bearer = {"Authorization": f"Bearer {token}"}
                told = await fetched(at, f"{world.url}/oauth2/userinfo", headers=bearer, credentials=credentials)
                assert told == ("refused", 0, ""), "not even asked: the preflight allows it nothing"
                for path in ("token", "introspect", "revoke"):
                    body = "&".join(f"{name}={value}" for name, value in {**grant, "token": token}.items())
                    options = {"method": "POST", "body": body, "headers": FORM, "credentials": credentials}
                    assert (await fetched(at, f"{world.url}/oauth2/{path}", **options))[0] == "refused", path
            for path in ("/.well-known/openid-configuration", "/oauth2/jwks"):
                kind, status, text = await fetched(at, world.url + path, credentials="omit")
                assert (kind, status, bool(json.loads(text))) == ("cors", 200, True)
                assert (await fetched(at, world.url + path, credentials="include"))[0] == "refused"
        assert len(page.frames) == 2
        await page.goto(f"{world.url}/session")
        assert world.anna.user_principal_name in await page.inner_text("body"), (
            "and nothing of it has ended the session"
        )
