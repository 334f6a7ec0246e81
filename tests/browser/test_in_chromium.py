"""What only a real browser knows: cookies across sites, redirects after a cross-site POST, what a person sees.

Our services are 127.0.0.1 and the simulated Entra ID is localhost: two sites, as in life.
"""

import asyncio
import json
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, Playwright

from shared.directory_client import DirectoryClient
from shared.schemas.login import BeginLogin, BegunLogin
from tests.browser.conftest import ARGUMENTS, CHROMIUM, Setting, World, choose
from tests.entra.saml import respond


@asynccontextmanager
async def framed_site() -> AsyncIterator[tuple[int, list[str]]]:
    """A page that sets a cookie for the whole world, a page that frames it, and what the frame's requests brought."""
    brought: list[str] = []

    async def cookie(request: web.Request) -> web.Response:
        brought.append(request.headers.get("Cookie", ""))
        sent = {"Set-Cookie": "everywhere=1; Path=/; Secure; SameSite=None"}
        return web.Response(text="<p>framed</p>", content_type="text/html", headers=sent)

    async def frame(request: web.Request) -> web.Response:
        text = f"<iframe src='http://127.0.0.1:{request.url.port}/cookie'></iframe>"
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/cookie", cookie), web.get("/frame", frame)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    try:
        yield site._server.sockets[0].getsockname()[1], brought  # type: ignore[attr-defined]
    finally:
        await runner.cleanup()


async def test_the_setting_does_what_it_says(page: Page, setting: Setting) -> None:
    """So that what follows is proven under it: a frame of another site gets its cookie, or does not."""
    async with framed_site() as (port, brought):
        await page.goto(f"http://127.0.0.1:{port}/cookie")
        await page.goto(f"http://127.0.0.1:{port}/cookie")
        assert brought == ["", "everywhere=1"], "its own site gets it in any case"
        await page.goto(f"http://localhost:{port}/frame")
        await page.frame_locator("iframe").get_by_text("framed").wait_for()
        assert bool(brought[2]) == (setting == "third-party cookies allowed")


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
    assert await page.get_by_role("link", name=f"Continue to {world.company.app.company}").count() == 1

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
    assert "Who goes on in this browser?" in await page.inner_text("main")
    answer = await page.request.get(f"{world.company.stack.sso_url}/session")
    assert (await answer.json())["login_name"] == world.anna.user_principal_name


async def test_whoever_sits_there_chooses_to_continue_or_to_switch(page: Page, world: World) -> None:
    """S88, in two companies and by the page's own buttons."""
    who = f"{world.company.stack.sso_url}/session"
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    for button, person in (("Continue as Anna", world.anna), ("Switch to Bo", world.bo)):
        await page.goto(world.other.login_url)
        await choose(page, world.bo)
        if folder := os.environ.get("SCREENSHOTS"):
            await page.screenshot(path=f"{folder}/who.png")
        await page.get_by_role("button", name=button).click()
        await page.wait_for_url(f"{world.company.stack.sso_url}/")
        assert (await (await page.request.get(who)).json())["login_name"] == person.user_principal_name


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


async def test_two_tabs_that_begin_to_sign_in_both_end_signed_in(
    page: Page, context: BrowserContext, world: World
) -> None:
    second = await context.new_page()
    await page.goto(f"{world.sign_on_url}?return_to=/session")
    await second.goto(world.sign_on_url)
    await choose(second, world.anna)
    assert "Anna Ærø" in await second.inner_text("main")
    await choose(page, world.anna)
    assert page.url == f"{world.url}/session", "each tab comes back to what it wanted"
    assert world.anna.user_principal_name in await page.inner_text("body")
    await second.reload()
    assert "Anna Ærø" in await second.inner_text("main")


async def test_two_tabs_held_between_their_answers_and_their_ends_both_end_signed_in(
    page: Page, context: BrowserContext, world: World
) -> None:
    """Both answers have brought their tickets before either tab goes on."""
    second = await context.new_page()
    held = [await held_before_finish(tab) for tab in (page, second)]
    await page.goto(f"{world.sign_on_url}?return_to=/session")
    await second.goto(world.sign_on_url)
    for tab, paused in zip((page, second), held, strict=True):
        await tab.get_by_role("button", name=world.anna.display_name).first.click(no_wait_after=True)
        await asyncio.wait_for(paused.came.wait(), 15)
    names = [one["name"] for one in await context.cookies(world.url)]
    assert sum(name.startswith("__Host-ticket-") for name in names) == 2
    for tab, paused, goal in zip((page, second), held, ("/session", "/"), strict=True):
        await paused.go_on()
        await tab.wait_for_url(f"{world.url}{goal}")
        assert world.anna.user_principal_name in await tab.inner_text("body")
    names = [one["name"] for one in await context.cookies(world.url)]
    assert not any(name.startswith("__Host-ticket") for name in names)


async def test_two_tabs_that_begin_at_once_in_a_browser_that_was_never_here_both_end_signed_in(
    page: Page, context: BrowserContext, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither start is answered before both have come, so neither tab brings a secret of the other."""
    both, begin = asyncio.Barrier(2), DirectoryClient.begin_login

    async def together(client: DirectoryClient, request: BeginLogin) -> BegunLogin:
        await asyncio.wait_for(both.wait(), 15)
        return await begin(client, request)

    monkeypatch.setattr(DirectoryClient, "begin_login", together)
    second = await context.new_page()
    await asyncio.gather(page.goto(f"{world.sign_on_url}?return_to=/session"), second.goto(world.sign_on_url))
    names = {one["name"] for one in await context.cookies(world.url)}
    assert sum(name.startswith("__Host-login-") for name in names) == 2
    await choose(second, world.anna)
    assert "Anna Ærø" in await second.inner_text("main")
    await choose(page, world.anna)
    assert page.url == f"{world.url}/session"
    assert world.anna.user_principal_name in await page.inner_text("body")


@dataclass
class Held:
    """A tab that stops where it is sent to finish a login, as often as it is."""

    devtools: CDPSession
    came: asyncio.Event = field(default_factory=asyncio.Event)
    request_id: str = ""

    def stop(self, paused: dict[str, Any]) -> None:
        self.request_id = paused["requestId"]
        self.came.set()

    async def go_on(self) -> None:
        await self.devtools.send("Fetch.continueRequest", {"requestId": self.request_id})
        await self.devtools.detach()


async def held_before_finish(tab: Page) -> Held:
    """By the DevTools protocol, for Playwright's own routes do not see where a redirect leads."""
    held = Held(await tab.context.new_cdp_session(tab))
    held.devtools.on("Fetch.requestPaused", held.stop)
    await held.devtools.send("Fetch.enable", {"patterns": [{"urlPattern": "*/login/finish*"}]})
    return held


async def test_a_tile_that_only_starts_a_login_of_our_own_signs_in_too(page: Page, world: World) -> None:
    """`bounce`: the unsolicited response is dropped, and Entra is asked whom it suggested."""
    tenant, server = world.company.tenant, world.server
    await world.company.apply(sso__idp_initiated="bounce", sso__login_url=f"{server.url}/{tenant.tenant_id}/saml2")
    await page.goto(f"{server.url}/myapps?person={world.anna.object_id}")
    await page.get_by_role("button", name="Open").first.click()
    await page.wait_for_url("http://localhost:*/*/saml2?*")
    assert "SAMLRequest=" in page.url, "Entra is asked by us"
    await choose(page, world.anna)
    assert "Anna Ærø" in await page.inner_text("main")


async def test_a_domain_of_two_companies_lets_one_choose(page: Page, world: World) -> None:
    """A14: nobody is told more than the names of the companies that claim the domain."""
    tenant, server = world.company.tenant, world.server
    domain = f"{world.company.name}.example"
    await world.other.apply(sso__email_domains=[domain], sso__login_url=f"{server.url}/{tenant.tenant_id}/saml2")
    await page.goto(f"{world.url}/login?return_to=/session")
    await page.get_by_role("textbox").fill(f"anna@{domain}")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Choose a company").wait_for()
    assert await page.locator(".choices a").count() == 2
    await page.get_by_role("link", name=world.company.app.company).click()
    await choose(page, world.anna)
    assert page.url == f"{world.url}/session"


async def test_an_address_nobody_claims_is_asked_again_and_keeps_what_was_written(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/login")
    await page.get_by_role("textbox").fill("anna@nowhere.example")
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").wait_for()
    box = page.get_by_role("textbox")
    assert await box.input_value() == "anna@nowhere.example"
    assert await box.get_attribute("aria-invalid") == "true"
    assert await page.evaluate("document.activeElement.id") == "email"


async def test_going_back_and_answering_again_signs_nobody_in_twice(page: Page, world: World) -> None:
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    await page.go_back()
    assert page.url.startswith("http://localhost:")
    await choose(page, world.anna)
    assert "unknown_request" in await page.inner_text("main")
    await page.get_by_role("link", name="Sign in again").click()
    await page.get_by_role("heading", name="Sign in").wait_for()
    assert (await page.request.get(f"{world.url}/session")).status == 200, "and the session is still his"


async def test_another_site_s_form_with_its_own_response_signs_nobody_in(
    page: Page, context: BrowserContext, world: World, chromium: Browser
) -> None:
    """Login CSRF: Mallory's answer to a login that Mallory began, posted by Anna's browser from another site."""
    mallory = world.company.hire("mallory")
    await world.company.cycle()
    hers = await chromium.new_context()
    begun = await hers.request.get(world.sign_on_url, max_redirects=0)
    request_id = world.company.request_id(begun.headers["location"])
    document = respond(world.company.recipe(mallory, in_response_to=request_id))
    await hers.close()

    await page.goto(f"{world.server.url}/myapps")
    posted = b64encode(document).decode()
    form = f"""
        const form = Object.assign(document.createElement("form"), {{method: "post", action: "{world.company.acs_url}"}});
        form.append(Object.assign(document.createElement("input"), {{name: "SAMLResponse", value: "{posted}"}}));
        document.body.append(form); form.submit();"""
    await page.evaluate(form)
    await page.wait_for_url("http://127.0.0.1:*/**")
    assert "other_browser" in await page.inner_text("main")
    assert (await page.request.get(f"{world.url}/session")).status == 401


async def test_another_site_s_form_signs_nobody_out(page: Page, world: World) -> None:
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    await page.goto(f"{world.server.url}/myapps")
    await page.evaluate(
        f"""const form = Object.assign(document.createElement("form"), {{method: "post", action: "{world.url}/logout"}});
        document.body.append(form); form.submit();"""
    )
    await page.wait_for_url("http://127.0.0.1:*/**")
    assert "wrong_origin" in await page.inner_text("main")
    assert (await page.request.get(f"{world.url}/session")).status == 200


async def test_the_list_of_own_sessions_ends_the_others_and_then_this_one(
    page: Page, chromium: Browser, world: World
) -> None:
    elsewhere = await (await chromium.new_context()).new_page()
    for one in (elsewhere, page):
        await one.goto(world.sign_on_url)
        await choose(one, world.anna)
    await page.locator("a[href='/sessions']").click()
    await page.locator("[data-session]").nth(1).wait_for()
    await page.locator("button[name=others]").click()
    await page.locator("button[name=others]").wait_for(state="detached")
    assert await page.locator("[data-session]").count() == 1
    assert (await elsewhere.request.get(f"{world.url}/session")).status == 401
    await elsewhere.context.close()

    await page.locator("[data-session] button").click()
    await page.locator("[data-field=remembered]").wait_for()
    assert (await page.request.get(f"{world.url}/session")).status == 401
    await page.goto(f"{world.url}/sessions")
    assert page.url == f"{world.url}/login?return_to=%2Fsessions"


async def test_without_any_cookie_a_login_ends_in_words_and_not_in_a_circle(
    playwright: Playwright, world: World, tmp_path: Path
) -> None:
    """Somebody has forbidden cookies altogether."""
    assert CHROMIUM is not None
    (tmp_path / "Default").mkdir()
    forbidden = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(forbidden))
    context = await playwright.chromium.launch_persistent_context(
        tmp_path, executable_path=CHROMIUM, args=ARGUMENTS, locale="en-GB"
    )
    page = await context.new_page()
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)
    assert await context.cookies() == []
    shown = await page.inner_text("main")
    assert page.url.startswith(f"{world.url}/login/finish?t=")
    assert "allow cookies" in shown
    await context.close()


async def test_a_test_of_sign_on_ends_at_a_page_with_every_rule_and_no_session(
    page: Page, context: BrowserContext, world: World
) -> None:
    await page.goto(f"{world.sign_on_url}?test=1")
    assert page.url.startswith("http://localhost:"), "at Microsoft's"
    await choose(page, world.anna)

    assert "Test: this person would be signed in" in await page.inner_text("h1")
    assert await page.locator("[data-rule]").count() == 15
    assert await page.locator('[data-outcome="failed"]').count() == 0
    [cookie] = await context.cookies(world.company.stack.sso_url)
    assert cookie["name"].startswith("__Host-login-")
    assert (await page.request.get(f"{world.company.stack.sso_url}/session")).status == 401
    await page.get_by_role("link", name="Test once more").click()
    assert page.url.startswith("http://localhost:")


@asynccontextmanager
async def neighbouring_host(*cookies: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """It sets cookies that ours gets, too, as a host of the same domain may; here one of the same name, for ports are no hosts to
    cookies. With what came back to it."""
    brought: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        brought.extend(line for line in head.split(b"\r\n") if line.lower().startswith(b"cookie:"))
        # Without Secure, which a cookie with the prefix would need: a browser knows none in the name.
        set_cookie = b"".join(b"Set-Cookie: %b; Path=/\r\n" % one for one in cookies)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n%b\r\nok" % set_cookie)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", brought


async def test_a_neighbouring_host_signs_nobody_in_by_a_name_that_only_looks_like_ours(
    chromium: Browser, world: World
) -> None:
    """`__Host-` is no prefix to a browser behind a byte that Python takes for white space."""
    async with await chromium.new_context() as hers:
        page = await hers.new_page()
        await page.goto(world.sign_on_url)
        await choose(page, world.anna)
        [session] = [one["value"] for one in await hers.cookies() if one["name"] == "__Host-session"]
    tossed = [b"%b__Host-session=%b" % (white, session.encode()) for white in (b"\xa0", b"\x85")]
    async with neighbouring_host(*tossed) as (site, brought), await chromium.new_context() as context:
        page = await context.new_page()
        await page.goto(site)
        await page.goto(site)
        assert any(tossed[0] in one and tossed[1] in one for one in brought), "the browser believes it"
        await page.goto(world.url)
        assert "Anna" not in await page.inner_text("main")
