"""Every page of the gateway as somebody sees it: in both languages, by day and by night, on a desk and on a phone.

What a person with a screen reader, with a keyboard, or with a small screen needs is asserted; how it looks is looked at:
`SCREENSHOTS=folder .venv/bin/pytest tests/browser/test_pages.py` keeps a picture of each.
"""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, CDPSession, Page, Route

from tests.browser.conftest import World, choose

PICTURES = os.environ.get("SCREENSHOTS")
LANGUAGES = {"da": "da-DK", "en": "en-GB"}
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 320, "height": 640}
VIEWS: dict[str, tuple[dict[str, int], int, Literal["light", "dark"]]] = {
    "desk": (DESK, 1, "light"),
    "night": (DESK, 1, "dark"),
    "phone": (PHONE, 2, "light"),
}
"""A screen, its pixels to one of CSS, and the colours that its owner likes."""
ARRIVES = {"da": "phone", "en": "desk"}
"""The way there takes longer than what is looked at: it is gone once a language, and the page is then seen in each view."""


async def front(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/")


async def signed_in(page: Page, world: World) -> None:
    await page.goto(world.sign_on_url)
    await choose(page, world.anna)


async def own_sessions(page: Page, world: World) -> None:
    """In two browsers, by way of the front page."""
    browser = page.context.browser
    assert browser is not None
    elsewhere = await browser.new_context()
    await signed_in(await elsewhere.new_page(), world)
    await elsewhere.close()
    await signed_in(page, world)
    await page.locator("a[href='/sessions']").click()
    await page.locator("[data-session]").nth(1).wait_for()


async def remembered(page: Page, world: World) -> None:
    await signed_in(page, world)
    await page.locator("form[action='/logout'] button").first.click()
    await page.locator("[data-field=remembered]").wait_for()


async def remembered_question(page: Page, world: World) -> None:
    await remembered(page, world)
    await page.goto(f"{world.url}/login")


async def question(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/login")


async def asked_again(page: Page, world: World) -> None:
    await question(page, world)
    await page.get_by_role("textbox").fill("anna@nowhere.example")
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").wait_for()


async def chooser(page: Page, world: World) -> None:
    tenant, domain = world.company.tenant, f"{world.company.name}.example"
    login_url = f"{world.server.url}/{tenant.tenant_id}/saml2"
    await world.other.apply(sso__email_domains=[domain], sso__login_url=login_url)
    await question(page, world)
    await page.get_by_role("textbox").fill(f"anna@{domain}")
    await page.keyboard.press("Enter")
    await page.locator(".choices").wait_for()


async def app_refused(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/oauth2/authorize?client_id=mobile-app&redirect_uri=https%3A%2F%2Fevil.example%2F")


async def sending(page: Page, world: World) -> None:
    """The page that goes on by itself, held where it is."""

    async def hold(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=(await answer.text()).replace('http-equiv="refresh"', 'name="held"'))

    await question(page, world)
    await page.route("**/login", hold)
    await page.get_by_role("textbox").fill(f"anna@{world.company.name}.example")
    await page.keyboard.press("Enter")
    await page.locator("meta[name=held]").wait_for(state="attached")
    await page.wait_for_load_state()
    await page.unroute("**/login")


async def somebody_else(page: Page, world: World) -> None:
    await signed_in(page, world)
    await page.goto(world.other.login_url)
    await choose(page, world.bo)


async def unknown_person(page: Page, world: World) -> None:
    world.company.tenant.assign(world.company.app, world.bo.object_id)
    await page.goto(world.sign_on_url)
    await choose(page, world.bo)


async def tried(page: Page, world: World) -> None:
    """The end of a sign-in in test mode."""
    await page.goto(f"{world.sign_on_url}?test=1")
    await choose(page, world.anna)
    await page.locator(".rules").wait_for()


async def tried_in_vain(page: Page, world: World) -> None:
    world.company.tenant.assign(world.company.app, world.bo.object_id)
    await page.goto(f"{world.sign_on_url}?test=1")
    await choose(page, world.bo)
    await page.locator('[data-outcome="failed"]').wait_for()


async def unknown_company(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/login/no-such-company")


async def no_page(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/nowhere")


async def not_for_you(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/auth/refused")


async def refused_logout(page: Page, world: World) -> None:
    await page.goto(f"{world.company.logout_url}?SAMLRequest=x")


async def told_signed_out(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/?signed_out=here")


async def logout_question(page: Page, world: World) -> None:
    """What an app's logout asks first."""
    await signed_in(page, world)
    await page.goto(f"{world.url}/oauth2/logout")
    await page.locator("form[action='/oauth2/logout']").wait_for()


PAGES: list[Callable[[Page, World], Awaitable[None]]] = [
    front, signed_in, own_sessions, remembered, remembered_question, question, asked_again, chooser, sending, somebody_else,
    unknown_person, unknown_company, no_page, not_for_you, refused_logout, told_signed_out,
    logout_question, app_refused, tried, tried_in_vain,
]  # fmt: skip


FACTS = (Path(__file__).parent / "page_facts.js").read_text()


@pytest.mark.parametrize("arrive", PAGES, ids=lambda arrive: arrive.__name__)
async def test_a_page_can_be_read_and_used_by_everybody(
    chromium: Browser, world: World, arrive: Callable[[Page, World], Awaitable[None]]
) -> None:
    for language, locale in LANGUAGES.items():
        context = await chromium.new_context(locale=locale)
        context.set_default_timeout(15_000)
        page = await context.new_page()
        screen = await context.new_cdp_session(page)
        complaints = heard(page)
        await show(page, screen, ARRIVES[language])
        await arrive(page, world)
        for view in VIEWS:
            await show(page, screen, view)
            if PICTURES:
                name = f"{arrive.__name__}-{language}-{view}.png"
                await page.screenshot(path=Path(PICTURES) / name, full_page=True)
            await check(page, language, view)
            assert not [line for line in complaints if "Content Security Policy" in line]
        await context.close()


async def show(page: Page, screen: CDPSession, view: str) -> None:
    size, pixels, colours = VIEWS[view]
    await page.emulate_media(color_scheme=colours)
    await screen.send("Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": pixels, "mobile": False})
    # By day and by night differ; what fades from one to the other is not looked at.
    await page.evaluate(
        "document.getAnimations().filter((one) => one instanceof CSSTransition).forEach((one) => one.finish())"
    )


def heard(page: Page) -> list[str]:
    """What the console is told from now on."""
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    return told


async def check(page: Page, language: str, view: str) -> None:
    facts = await page.evaluate(FACTS)
    size, pixels, colours = VIEWS[view]
    assert facts["screen"] == [size["width"], size["height"], pixels, colours]
    assert facts["lang"] == language
    assert facts["title"].endswith("– BitaBIZ")
    assert facts["headings"] == 1
    assert facts["landmarks"] == {"main": 1, "header": 1}
    assert facts["without_label"] == [], "every field has a label, every picture a text"
    assert facts["low_contrast"] == [], "WCAG 2.2 AA: 4.5 to 1, and 3 to 1 for what bounds a button or a field"
    assert facts["too_small"] == [], "WCAG 2.2 AA: 24 by 24 pixels"
    assert facts["overflows"] is False, "nothing to scroll sideways for, at 320 pixels (WCAG 1.4.10)"
    assert facts["double_ids"] == []
    assert facts["dangling"] == [], "what describes something is there"
    assert facts["first"].startswith("skip"), "first the way past the head"
    # Round once, from wherever the focus is to there again: every link, button and field in turn, each seen to have it.
    reached = {}
    for _ in range(facts["reachable"] + 1):
        await page.keyboard.press("Tab")
        at = await page.evaluate("focused()")
        reached[at["place"]] = at["outline"]
    reached.pop("nothing", None)
    assert len(reached) == facts["reachable"], reached
    assert all(reached.values()), reached
