"""There is no password but Entra's."""

from pathlib import Path

import asyncpg

import sso_gateway
from tests.support.browser import Browser
from tests.support.company import Company
from tests.support.stack import Stack

PAGES = Path(sso_gateway.__file__).parent / "pages" / "templates"


async def test_nobody_has_a_password_here_and_none_is_asked_for_or_taken(
    stack: Stack, company: Company, browser: Browser
) -> None:
    """S3."""
    owner = await asyncpg.connect(stack.owner_url)
    try:
        kept = await owner.fetch(
            "select table_name, column_name from information_schema.columns "
            "where table_schema in ('public', 'registry') and column_name ~* 'passw|pwd|passphrase|pin_?code'"
        )
    finally:
        await owner.close()
    assert not kept
    assert [page.name for page in PAGES.glob("*.html") if 'type="password"' in page.read_text("utf-8")] == []

    person = company.hire("anna")
    await company.cycle()
    form = {"email": person.user_principal_name, "password": "anything", "username": person.user_principal_name}
    for path in ("/login", "/session", f"/login/{company.name}", "/login/finish", "/oauth2/token"):
        page = await browser.post(f"{stack.sso_url}{path}", form, from_url=stack.sso_url)
        assert page.status != 500
        assert "__Host-session" not in browser.cookies(stack.sso_url)
    assert (await browser.get(f"{stack.sso_url}/session")).status == 401
    assert (await company.sign_in(browser, person)).status == 200
    assert "__Host-session" in browser.cookies(stack.sso_url)
