"""The feed: ordered, without gaps, waited for, and never skipping what is committed while it is read."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
import pytest

from directory.api import credentials
from directory.app import create_service
from directory.database import Actor, Database
from directory.settings import Settings
from shared.http.service import Service
from tests.support.application import Application, credential_for
from tests.support.firm import Firm
from tests.support.stack import GATEWAY_SECRET, SCIM_SECRET

OPERATOR = Actor("operator", "test")


@asynccontextmanager
async def directory(app_url: str) -> AsyncIterator[tuple[Service, str]]:
    """One more process of the service, with two connections."""
    settings = {
        "host": "127.0.0.1", "port": 0, "ops_port": 0, "shutdown_grace_s": 5, "database_app_url": app_url,
        "database_pool_max": 2, "scim_ingest_secret": SCIM_SECRET, "sso_gateway_secret": GATEWAY_SECRET,
    }  # fmt: skip
    service = create_service(msgspec.convert(settings, Settings))
    await service.start()
    try:
        yield service, f"http://127.0.0.1:{service.port}"
    finally:
        await service.stop()


def numbers(page: Any) -> list[int]:
    return [event["sequence"] for event in page["events"]]


async def test_events_are_numbered_from_one_without_a_gap_and_a_page_begins_after_the_cursor(
    application: Application, firm: Firm
) -> None:
    anna = await firm.create()
    for number in range(4):
        await firm.change(anna, title=str(number))
    everything = await application.events()
    assert numbers(everything) == [1, 2, 3, 4, 5, 6]
    assert (everything["next"], everything["head"]) == (6, 6)
    page = await application.events(after=2, limit=3)
    assert (numbers(page), page["next"], page["head"]) == ([3, 4, 5], 5, 6)
    last = await application.events(after=6)
    assert (last["events"], last["next"]) == ([], 6)
    moments = [event["at"] for event in everything["events"]]
    assert moments == sorted(moments)


async def test_an_event_tells_what_who_when_and_in_which_request(application: Application, firm: Firm) -> None:
    anna = await firm.create()
    await firm.change(anna, title="Kok", login_name="ah@firma.dk")
    event = (await application.events(after=2))["events"][0]
    assert {name: value for name, value in event.items() if name not in {"at", "changes"}} == {
        "sequence": 3, "kind": "employee.changed", "employee_id": anna.id, "request_id": "", "trace_id": event["trace_id"],
        "actor": {"kind": "entra", "id": f"tok_{firm.token_id.hex}"}, "forgotten": False,
    }  # fmt: skip
    assert event["changes"]["title"] == {"before": None, "after": "Kok"}
    assert event["changes"]["login_name"] == {"before": "anna@firma.dk", "after": "ah@firma.dk"}


async def test_a_transaction_that_fails_leaves_no_gap(application: Application, firm: Firm) -> None:
    async def lost() -> None:
        async with firm.database.scope_for_name(firm.name).transaction(OPERATOR) as tx:
            await credentials.issue(tx, ["events:read"], None)
            await tx.write_events()
            raise RuntimeError("lost")

    await firm.create()
    for _ in range(3):
        with pytest.raises(RuntimeError, match="lost"):
            await lost()
    await firm.create(login="bo@firma.dk")
    assert numbers(await application.events()) == [1, 2, 3]


async def test_kinds_are_left_out_and_the_cursor_passes_them(application: Application, firm: Firm) -> None:
    anna = await firm.create()
    await firm.change(anna, title="Kok")
    await firm.change(anna, active=False)
    await firm.change(anna, title="Chef")
    asked = "employee.suspended,employee.created"
    page = await application.events(kinds=asked)
    assert ([event["kind"] for event in page["events"]], page["next"]) == (
        ["employee.created", "employee.suspended"],
        5,
    )
    assert await application.events(kinds=asked, after=4) == {"events": [], "next": 5, "hash": page["hash"], "head": 5}
    small = await application.events(kinds=asked, limit=1)
    assert (small["events"], small["next"], small["head"]) == ([], 1, 5), "limit bounds what is read"


async def test_a_cursor_beyond_the_end_is_another_history(application: Application) -> None:
    for after in (2, 2**63 - 1):
        answer = await application.get("/events", after=after)
        assert answer.refusal == (400, "invalid_request", "after")
        assert "Read again from 0" in answer.body["detail"]


async def test_a_history_that_was_replaced_is_noticed_although_its_numbers_go_on(
    application: Application, firm: Firm
) -> None:
    """A database restored to an earlier moment soon has as many events again, and others."""
    for number in range(3):
        await firm.create(login=f"p{number}@firma.dk")
    read = await application.events(limit=3)
    assert read["hash"] != (await application.events())["hash"]
    following = await application.events(after=3, hash=read["hash"])
    assert numbers(following) == [4]
    await firm.as_owner("delete from events where sequence >= 3")
    await firm.as_owner("update registry.histories set sequence = 2 where company_id = $1", firm.company_id)
    await firm.create(login="other@firma.dk")
    await firm.create(login="another@firma.dk")
    assert numbers(await application.events(after=3)) == [4], "without the hash nobody could tell"
    answer = await application.get("/events", after=3, hash=read["hash"])
    assert answer.refusal == (400, "invalid_request", "hash")
    assert (await application.get("/events", after=0, hash="00")).refusal == (400, "invalid_request", "hash")


async def test_a_reader_who_waits_gets_the_event_soon_after_its_commit(application: Application, firm: Firm) -> None:
    waiting = asyncio.create_task(application.events(after=1, wait=20))
    await asyncio.sleep(0.4)
    assert not waiting.done()
    started = time.perf_counter()
    anna = await firm.create()
    page = await waiting
    assert time.perf_counter() - started < 2
    assert [event["employee_id"] for event in page["events"]] == [anna.id]


async def test_a_wait_without_an_event_ends_with_an_empty_page(application: Application, other_firm: Firm) -> None:
    await other_firm.create()
    started = time.perf_counter()
    page = await application.events(after=1, wait=0.5)
    assert (page["events"], page["next"], page["head"]) == ([], 1, 1)
    assert 0.4 < time.perf_counter() - started < 5


async def test_a_reader_sleeps_through_kinds_he_does_not_want(application: Application, firm: Firm) -> None:
    anna = await firm.create()
    waiting = asyncio.create_task(application.events(after=2, wait=20, kinds="employee.suspended"))
    await firm.change(anna, title="Kok")
    await asyncio.sleep(0.6)
    assert not waiting.done()
    await firm.change(anna, active=False)
    page = await waiting
    assert ([event["kind"] for event in page["events"]], page["next"]) == (["employee.suspended"], 4)


async def test_a_reader_of_small_pages_who_wants_a_rare_kind_is_answered_after_some_of_them(
    application: Application, firm: Firm
) -> None:
    anna = await firm.create()
    for number in range(30):
        await firm.change(anna, title=str(number))
    began = time.monotonic()
    page = await application.events(kinds="employee.suspended", limit=1, wait=20)
    assert time.monotonic() - began < 10
    assert (page["events"], page["next"], page["head"]) == ([], 11, 32)
    await firm.change(anna, active=False)
    page = await application.events(kinds="employee.suspended", limit=25, wait=20, after=page["next"])
    assert [event["kind"] for event in page["events"]] == ["employee.suspended"]


async def test_a_credential_revoked_while_its_reader_waits_reads_nothing_more(
    application: Application, firm: Firm
) -> None:
    issued = await credential_for(firm)
    waiting = asyncio.create_task(
        application.get("/events", credential=issued.credential, after=2, wait=20, kinds="employee.created")
    )
    await asyncio.sleep(0.3)
    async with firm.database.scope_for_name(firm.name).transaction(OPERATOR) as tx:
        await credentials.revoke(tx, issued.credential_id)
    assert (await waiting).refusal[:2] == (401, "unauthorized")


async def test_many_who_wait_hold_no_connection_and_are_asked_about_once(
    application: Application, firm_urls: Any, firm_database: Database, firm: Firm, http: aiohttp.ClientSession
) -> None:
    """A directory with two connections, and forty readers of forty companies: others are served meanwhile."""
    firms = [await Firm.founded(firm_database, firm_urls) for _ in range(40)]
    async with directory(firm_urls.app) as (_, url):
        readers = [Application(http, url, one.name, (await credential_for(one)).credential) for one in firms]
        waits = [asyncio.create_task(reader.events(after=1, wait=30)) for reader in readers]
        await asyncio.sleep(1)
        async with asyncio.timeout(2):
            assert await Application(http, url, firm.name, application.credential).employees() == []
        assert not any(wait.done() for wait in waits)
        people = await asyncio.gather(*(one.create() for one in firms))
        async with asyncio.timeout(10):
            pages = await asyncio.gather(*waits)
        assert [page["events"][0]["employee_id"] for page in pages] == [one.id for one in people]


async def test_one_company_may_have_twenty_readers_waiting_and_no_more(
    application: Application, firm: Firm, other_firm: Firm, firm_service: str, http: aiohttp.ClientSession
) -> None:
    waits = [asyncio.create_task(application.get("/events", after=1, wait=2)) for _ in range(21)]
    answers = await asyncio.gather(*waits)
    assert sorted(one.status for one in answers) == [200] * 20 + [503]
    refused = next(one for one in answers if one.status == 503)
    assert (refused.body["code"], refused.headers["Retry-After"]) == ("unavailable", "5")


async def test_a_reader_who_hangs_up_gives_his_place_back(application: Application, firm: Firm) -> None:
    for _ in range(3):
        waits = [asyncio.create_task(application.events(after=1, wait=30)) for _ in range(20)]
        await asyncio.sleep(0.5)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await asyncio.sleep(0.2)
    assert (await application.events(after=1, wait=0.3))["events"] == []


async def test_at_shutdown_whoever_waits_is_answered_at_once(
    firm_urls: Any, firm: Firm, http: aiohttp.ClientSession
) -> None:
    issued = await credential_for(firm)
    async with directory(firm_urls.app) as (service, url):
        waiting = asyncio.create_task(Application(http, url, firm.name, issued.credential).events(after=1, wait=60))
        await asyncio.sleep(0.4)
        started = time.perf_counter()
        await service.stop()
        assert (await waiting)["events"] == []
        assert time.perf_counter() - started < 2


async def test_a_transaction_that_commits_late_is_never_skipped(application: Application, firm: Firm) -> None:
    """Who sees number n has seen every number before it, because the numbers are given under a lock until the commit."""
    seen: list[int] = []
    stop = asyncio.Event()

    async def reader() -> None:
        while not stop.is_set() or len(seen) < (await application.events(after=seen[-1] if seen else 0))["head"]:
            page = await application.events(after=seen[-1] if seen else 0, wait=0.2, limit=7)
            seen.extend(numbers(page))

    async def slow_writer(number: int) -> None:
        for turn in range(4):
            async with firm.database.scope_for_name(firm.name).transaction(OPERATOR) as tx:
                await credentials.issue(tx, ["events:read"], None)
                await tx.write_events()
                # The number is given, and the commit comes late.
                await asyncio.sleep(0.01 * ((number + turn) % 4))

    following = asyncio.create_task(reader())
    await asyncio.gather(*(slow_writer(number) for number in range(6)))
    stop.set()
    await following
    assert seen == list(range(1, 26))


async def test_clocks_that_disagree_do_not_make_time_run_backwards(
    application: Application, firm: Firm, firm_clock: Any
) -> None:
    ahead = datetime(2031, 1, 1, tzinfo=UTC)
    try:
        firm_clock.set(ahead)
        await firm.create(login="ahead@firma.dk")
        firm_clock.set(ahead - timedelta(minutes=5))
        behind = await firm.create(login="behind@firma.dk")
    finally:
        firm_clock.set(None)
    last = (await application.events())["events"][-1]
    assert last["at"] == "2031-01-01T00:00:00Z"
    assert last["changes"]["updated_at"]["after"] == "2030-12-31T23:55:00.000000Z"
    assert behind.updated_at == ahead - timedelta(minutes=5)
    shown = (await application.get(f"/employees/{behind.id}", at="2031-01-01T00:00:00Z")).body
    assert shown == (await application.get(f"/employees/{behind.id}")).body
