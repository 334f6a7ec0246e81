"""An application behind nginx in a real browser: to the sign-in, back to the page that was wanted, and who is not let in."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser.conftest import World, choose
from tests.support import forward_auth, nginx
from tests.support.setup_admin import set_roles

pytestmark = pytest.mark.skipif(
    nginx.NGINX is None and not os.environ.get("EVERY_TEST"), reason="no nginx here (Debian: apt-get install nginx)"
)


async def test_a_page_of_an_application_leads_to_the_sign_in_and_back_to_it(
    page: Page, world: World, tmp_path: Path
) -> None:
    """By the form for an e-mail address, at the simulated Microsoft, and over nginx all the way."""
    async with forward_auth.behind_nginx(world.company.stack, tmp_path) as front:
        world.company.tenant.configure(world.company.app, reply_url=f"{front.url}/saml/{world.company.name}/acs")
        wanted = f"{front.url}/S%C3%B8gning/r%26d?year=2026&q=%C3%A6%26b"
        answer = await page.goto(wanted)
        assert answer is not None
        sent_on = await answer.request.redirected_from.redirected_from.response()  # type: ignore[union-attr]
        assert sent_on is not None
        assert (sent_on.url, sent_on.status) == (wanted, 302)
        assert front.application.seen == []

        await page.get_by_role("textbox").fill(f"anna@{world.company.name}.example")
        await page.keyboard.press("Enter")
        await page.wait_for_url("http://localhost:*/**")
        await choose(page, world.anna)

        assert page.url == wanted
        assert await page.inner_text("body") == f"GET {wanted.removeprefix(front.url)}"
        told = front.application.identity()
        assert told["X-Identity-Employee-Id"] == [world.company.scim_id(world.anna)]
        assert "__Host-session" not in str(front.application.seen)


async def test_whoever_has_not_the_role_reads_why_and_is_in_once_he_has_it(
    page: Page, world: World, tmp_path: Path
) -> None:
    async with forward_auth.behind_nginx(world.company.stack, tmp_path, conditions="?role=setup_admin") as front:
        world.company.tenant.configure(world.company.app, reply_url=f"{front.url}/saml/{world.company.name}/acs")
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        wanted = f"{front.url}/reports?year=2026"
        async with page.expect_response(wanted) as refused:
            await page.goto(f"{front.url}/login/{world.company.name}/to?/reports?year=2026")
            await choose(page, world.anna)
        assert (await refused.value).status == 403
        assert page.url == wanted
        assert "not_for_you" in await page.inner_text("main")
        assert not [line for line in told if "Content Security Policy" in line]
        assert front.application.seen == []

        await set_roles(world.company, world.anna, ["setup_admin"])
        await page.reload()
        assert await page.inner_text("body") == "GET /reports?year=2026"
