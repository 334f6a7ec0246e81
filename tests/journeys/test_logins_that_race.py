"""Logins that are decided at the very moment at which nobody is to be let in any more: there is no gap between the two."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncpg
import pytest

from directory.companies import signing
from tests.support.browser import Browser
from tests.support.clock import until
from tests.support.company import Company

Ends = Callable[[Company], Coroutine[Any, Any, None]]


async def sso_is_switched_off(company: Company) -> None:
    await company.apply(sso__enabled=False)


async def the_certificate_is_compromised(company: Company) -> None:
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        [known] = await signing.read(tx)
        await signing.remove(tx, known.fingerprint, compromised=True)


@asynccontextmanager
async def traces_held(owner_url: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Between what a login is decided by and its ticket; how many wait for somebody's lock is asked meanwhile."""
    owner, watching = await asyncpg.connect(owner_url), await asyncpg.connect(owner_url)

    async def waiting() -> int:
        found: int = await watching.fetchval(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        return found

    try:
        async with owner.transaction():
            await owner.execute("lock table login_traces in share mode")
            yield waiting
    finally:
        await owner.close()
        await watching.close()


@pytest.mark.parametrize("ends", [sso_is_switched_off, the_certificate_is_compromised], ids=lambda one: one.__name__)
async def test_a_login_that_is_being_decided_while_nobody_is_let_in_any_more_opens_no_session(
    company: Company, http: aiohttp.ClientSession, ends: Ends
) -> None:
    """S68: its ticket is ended like those that were there, for what ends them waits for it, or it for that."""
    anna, browser = company.hire("anna"), Browser(http)
    await company.cycle()
    request_id, relay_state = await company.start_login(browser)
    recipe = company.recipe(anna, in_response_to=request_id)
    async with traces_held(company.stack.owner_url) as waiting:
        answered = asyncio.create_task(company.post_response(browser, recipe, relay_state=relay_state))

        async def login_waits() -> bool:
            return await waiting() >= 1

        await until(login_waits)
        ended = asyncio.create_task(ends(company))

        async def both_wait() -> bool:
            return ended.done() or await waiting() >= 2

        await until(both_wait)
    await ended
    await browser.follow(await answered)
    assert (await company.session(browser)).status == 401
