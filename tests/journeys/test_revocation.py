"""Access that has ended is refused by every process within a second: at once by what PostgreSQL tells, else by the clock.

Four gateways, whose seconds pass when a test says so: while they stand, a session is forgotten only by word of its end.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp
import asyncpg
import pytest

from directory import listening
from directory import metrics as directory_metrics
from directory.companies import signing
from directory.migrate import migrate
from shared.directory_client import DirectoryClient
from shared.schemas.login import Endings, WatchEndings
from shared.schemas.people import BlockAccess
from shared.schemas.sessions import EndSessions
from sso_gateway.sessions.cookies import SESSION
from tests.conftest import APP_ROLE
from tests.entra.people import Person
from tests.support.browser import Browser
from tests.support.clock import Seconds, until
from tests.support.company import Company, new_company
from tests.support.setup_admin import SetupAdmin
from tests.support.stack import (
    GATEWAY_SECRET,
    Stack,
    create_database,
    remembering_gateway,
    running_stack,
    with_database,
)


@dataclass
class Fleet:
    """Four gateways over one directory."""

    stack: Stack
    seconds: Seconds
    urls: list[str] = field(default_factory=list)

    async def statuses(self, browser: Browser) -> list[int]:
        return [(await browser.get(f"{url}/session", accept="application/json")).status for url in self.urls]

    async def remember(self, browser: Browser) -> None:
        """Each knows the session, and answers from memory."""
        assert await self.remembers(browser)

    async def remembers(self, browser: Browser) -> bool:
        assert await self.statuses(browser) == [200] * 4
        async with self.stack.counting() as count:
            assert await self.statuses(browser) == [200] * 4
            for url in self.urls:
                assert (await browser.get(f"{url}/auth")).status == 200
        return count.calls == {}

    async def refuse(self, browser: Browser) -> None:
        """Each does, by what it is told: no second passes."""

        async def all_do() -> bool:
            return await self.statuses(browser) == [401] * 4

        await until(all_do)
        for url in self.urls:
            assert (await browser.get(f"{url}/auth")).status == 401


class Watching(DirectoryClient):
    """Says when it has heard what there was to hear, and waits for what comes."""

    def __init__(self, url: str) -> None:
        super().__init__(url, GATEWAY_SECRET)
        self.waits = asyncio.Event()

    async def watch_endings(self, request: WatchEndings) -> Endings:
        if request.cursor:
            self.waits.set()
        return await super().watch_endings(request)


class OutOfReach(Watching):
    """Answers every question but the one that waits."""

    async def watch_endings(self, request: WatchEndings) -> Endings:
        self.waits.set()
        await asyncio.Event().wait()
        raise AssertionError


def _listens() -> bool:
    return any(sample.value for family in directory_metrics.LISTENING.collect() for sample in family.samples)


async def fleet_of(stack: Stack, leave: AsyncExitStack, kind: type[Watching] = Watching) -> Fleet:
    fleet = Fleet(stack, Seconds())
    for _ in range(4):
        client = kind(stack.directory_url)
        fleet.urls.append(await leave.enter_async_context(remembering_gateway(stack, fleet.seconds, client)))
        await client.waits.wait()
    return fleet


@pytest.fixture
async def fleet(stack: Stack) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as leave:
        yield await fleet_of(stack, leave)


@dataclass
class Anna:
    company: Company
    person: Person
    employee_id: str
    browser: Browser
    sara: SetupAdmin
    http: aiohttp.ClientSession


@pytest.fixture
async def anna(company: Company, browser: Browser, sara: SetupAdmin, http: aiohttp.ClientSession) -> Anna:
    person, hers = company.hire("anna"), Browser(http)
    await company.cycle()
    await company.sign_in(hers, person)
    return Anna(company, person, company.scim_id(person), hers, sara, http)


async def is_suspended(anna: Anna) -> None:
    await anna.company.suspend(anna.employee_id)


async def departs(anna: Anna) -> None:
    assert (await anna.company.scim.delete(f"/Users/{anna.employee_id}")).status == 204


async def is_blocked(anna: Anna) -> None:
    request = BlockAccess(session=anna.sara.session, person=anna.employee_id, blocked=True)
    await anna.sara.client.block_access(request)


async def sso_is_switched_off(anna: Anna) -> None:
    await anna.company.apply(sso__enabled=False)


async def the_certificate_is_compromised(anna: Anna) -> None:
    async with anna.company.stack.database.scope_for_name(anna.company.name).transaction() as tx:
        [known] = await signing.read(tx)
        await signing.remove(tx, known.fingerprint, compromised=True)


async def she_signs_out_at_another(anna: Anna) -> None:
    url = f"{anna.company.stack.sso_url}/logout"
    kept = anna.browser.cookies(url)
    await anna.browser.post(url, {}, from_url=url)
    for name, value in kept.items():
        anna.browser.set_cookie(url, name, value)


async def a_setup_admin_ends_hers(anna: Anna) -> None:
    await anna.sara.client.end_sessions(EndSessions(session=anna.sara.session, person=anna.employee_id))


async def she_ends_it_from_the_list_of_another_browser(anna: Anna) -> None:
    elsewhere, url = Browser(anna.http), f"{anna.company.stack.sso_url}/sessions"
    await anna.company.sign_in(elsewhere, anna.person)
    assert (await elsewhere.post(url, {"others": "all"}, from_url=url)).status == 303
    assert (await anna.company.session(elsewhere)).status == 200, "the one that asked stays"


async def she_ends_it_from_its_own_list_at_another(anna: Anna) -> None:
    url = f"{anna.company.stack.sso_url}/sessions"
    kept = anna.browser.cookies(url)
    [listed] = (await anna.browser.get(url, accept="application/json")).json["sessions"]
    await anna.browser.post(url, {"session_id": listed["session_id"]}, from_url=url)
    assert SESSION not in anna.browser.cookies(url)
    for name, value in kept.items():
        anna.browser.set_cookie(url, name, value)


ENDS = [
    is_suspended,
    departs,
    is_blocked,
    sso_is_switched_off,
    the_certificate_is_compromised,
    she_signs_out_at_another,
    a_setup_admin_ends_hers,
    she_ends_it_from_the_list_of_another_browser,
    she_ends_it_from_its_own_list_at_another,
]


async def test_the_gateway_that_opened_a_session_knows_it_unasked_and_forgets_it_at_its_end(
    fleet: Fleet, anna: Anna, other_browser: Browser
) -> None:
    """The page behind a login costs no call; and one that is told of is no better remembered than one that was asked about."""
    company, url = anna.company, fleet.urls[0]
    request_id, relay_state = await company.start_login(other_browser)
    response = company.recipe(anna.person, in_response_to=request_id)
    accepted = await company.post_response(other_browser, response, relay_state=relay_state)
    finish = accepted.location.removeprefix(fleet.stack.sso_url)
    assert (await other_browser.get(f"{url}{finish}")).status == 303
    async with fleet.stack.counting() as count:
        page = await other_browser.get(f"{url}/session", accept="application/json")
        assert (await other_browser.get(f"{url}/auth")).status == 200
    assert count.calls == {}
    told = page.json
    fleet.seconds.now += 1
    assert (await other_browser.get(f"{url}/session", accept="application/json")).json == told, "as if it were asked"
    await is_suspended(anna)
    await fleet.refuse(other_browser)


@pytest.mark.parametrize("ends", ENDS, ids=lambda one: str(one.__name__))
async def test_access_that_ends_is_refused_by_every_process_at_once(
    anna: Anna, fleet: Fleet, ends: Callable[[Anna], Awaitable[None]]
) -> None:
    """S39, S46, S68, S81: whoever remembers a session is told, and no second passes."""
    await fleet.remember(anna.browser)
    await ends(anna)
    await fleet.refuse(anna.browser)


async def test_whoever_is_not_meant_stays_signed_in(anna: Anna, fleet: Fleet, other_browser: Browser) -> None:
    bo = anna.company.hire("bo")
    await anna.company.cycle()
    await anna.company.sign_in(other_browser, bo)
    await fleet.remember(other_browser)
    await fleet.remember(anna.browser)
    await is_suspended(anna)
    await fleet.refuse(anna.browser)
    async with fleet.stack.counting() as count:
        assert await fleet.statuses(other_browser) == [200] * 4
    assert count.calls == {}, "and is remembered on"


@pytest.fixture
async def deaf(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    """Services whose directory has lost the connection that listens, and does not get it back."""
    monkeypatch.setattr(listening, "PATIENCE_S", (3600.0,))
    name = f"deaf_{secrets.token_hex(4)}"
    owner_url = await create_database(postgres_url, name)
    app_url = with_database(postgres_url, name, user=APP_ROLE)
    await migrate(owner_url, app_url)
    async with running_stack(owner_url, app_url) as running:
        await _kill_the_listener(owner_url)
        yield running


async def _kill_the_listener(owner_url: str) -> None:
    owner = await asyncpg.connect(owner_url)
    listens = "from pg_stat_activity where application_name = 'directory listening' and datname = current_database()"
    try:

        async def killed() -> bool:
            return bool(await owner.fetchval(f"select count(pg_terminate_backend(pid)) {listens}"))

        await until(killed)
        await until(lambda: not _listens())
    finally:
        await owner.close()


async def test_when_nobody_is_told_a_second_is_the_bound(deaf: Stack, browser: Browser) -> None:
    """S39: the connection that listens was killed, and what is remembered runs out by the clock alone."""
    async with AsyncExitStack() as leave:
        await _a_second_is_the_bound(await fleet_of(deaf, leave), browser)


async def test_when_directory_cannot_be_watched_a_second_is_the_bound(stack: Stack, browser: Browser) -> None:
    """S39: what PostgreSQL tells gets as far as directory, and no further."""
    async with AsyncExitStack() as leave:
        fleet = await fleet_of(stack, leave, OutOfReach)
        await _a_second_is_the_bound(fleet, browser)


async def _a_second_is_the_bound(fleet: Fleet, browser: Browser) -> None:
    company = await new_company(fleet.stack)
    anna = company.hire()
    await company.cycle()
    await company.sign_in(browser, anna)
    await fleet.remember(browser)

    await company.suspend(company.scim_id(anna))
    await company.scim.close()

    fleet.seconds.now += 0.999
    assert await fleet.statuses(browser) == [200] * 4, "nobody has heard of it, which is what is to be shown"
    fleet.seconds.now += 0.001
    assert await fleet.statuses(browser) == [401] * 4


async def test_a_listener_that_is_killed_comes_back_by_itself(
    anna: Anna, fleet: Fleet, database_urls: tuple[str, str]
) -> None:
    await _kill_the_listener(database_urls[0])
    await until(_listens)
    # Each has been told that it may have missed something, at its own time.
    await until(lambda: fleet.remembers(anna.browser))
    await is_suspended(anna)
    await fleet.refuse(anna.browser)


async def test_a_directory_that_stops_waits_for_nobody_who_waits(database_urls: tuple[str, str]) -> None:
    """A gateway that waits to hear of ended sessions is answered, and does not hold the stop up for its grace."""
    async with running_stack(*database_urls) as running, AsyncExitStack() as leave:
        await fleet_of(running, leave)
        async with asyncio.timeout(4):
            await running.directory.stop()
