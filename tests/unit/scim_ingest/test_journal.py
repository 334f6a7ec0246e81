"""Noting behind the requests: bounded, given again when directory is away, and never a request's trouble."""

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec
import pytest
from prometheus_client import REGISTRY
from starlette.requests import Request

from scim_ingest import journal as journal_module
from scim_ingest.journal import COMPANIES_AT_ONCE, Journal
from scim_ingest.recorder import MAX_NOTES as MAX_SLIP
from scim_ingest.recorder import Recorder, begin, coerced, ignored
from scim_ingest.waiting import BATCH, MAX_NOTES, MAX_UNPROVEN, MAX_UNPROVEN_EACH
from shared.errors import DomainError, ErrorCode
from shared.http.service import Service
from shared.ids import moment_of
from shared.schemas.employee import ScimCredential
from shared.schemas.journal import Exchange, NotedExchanges, NoteExchanges
from shared.telemetry.logs import EventLog
from tests.unit.scim_ingest.conftest import ANNA
from tests.unit.scim_ingest.directory_double import DirectoryDouble


@pytest.fixture
def own() -> DirectoryDouble:
    """A directory that the shared service does not hand anything to."""
    return DirectoryDouble()


@pytest.fixture
def journal(own: DirectoryDouble) -> Journal:
    return Journal(own, EventLog("test"), every_s=0.01)


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("scim_journal_exchanges_total", {"outcome": outcome}) or 0.0


def answered(token: str = "t", *, proven: bool = True, body: bytes = b"", credential: bool = True) -> Recorder:
    recorder = Recorder()
    recorder.credential = ScimCredential(token_sha256=token, company="firma") if credential else None
    recorder.proven, recorder.body, recorder.status = proven, body, 200
    return recorder


def request(path: str = "/scim/v2/firma/Users", query: bytes = b"") -> Request:
    return Request({"type": "http", "method": "GET", "path": path, "query_string": query, "headers": []})


def keep(journal: Journal, recorder: Recorder, path: str = "/scim/v2/firma/Users") -> None:
    journal.keep(request(path), recorder, "", 0.001)


@pytest.fixture
def handed_over(own: DirectoryDouble) -> Any:
    async def wait(many: int) -> list[Exchange]:
        for _ in range(300):
            if len(own.noted) >= many:
                break
            await asyncio.sleep(0.01)
        return own.noted

    return wait


async def test_it_is_given_in_order_and_in_batches(journal: Journal, own: DirectoryDouble) -> None:
    for number in range(950):
        keep(journal, answered(), f"/scim/v2/firma/Users/{number}")
    async with journal.running():
        pass
    assert [one.path for one in own.noted] == [f"/Users/{number}" for number in range(950)]
    assert journal.waiting == 0


async def test_ids_are_in_the_order_of_time_and_tell_when_the_request_came(
    journal: Journal, own: DirectoryDouble
) -> None:
    for _ in range(500):
        keep(journal, answered())
    journal.keep(request(), answered(), "", 60.0)
    async with journal.running():
        pass
    *ids, earlier = [uuid.UUID(hex=one.exchange_id) for one in own.noted]
    assert ids == sorted(ids)
    assert all(one.version == 7 for one in ids)
    assert timedelta(seconds=59) < moment_of(ids[-1]) - moment_of(earlier) < timedelta(seconds=62)
    assert abs(moment_of(ids[0]) - datetime.now(UTC)) < timedelta(seconds=30)


async def test_whatever_came_without_a_credential_is_nobody_s(journal: Journal) -> None:
    keep(journal, answered(credential=False))
    assert journal.waiting == 0


async def test_memory_is_bounded_whatever_comes(journal: Journal) -> None:
    before = counted("no_room")
    for _ in range(MAX_NOTES + 500):
        keep(journal, answered())
    assert journal.waiting == MAX_NOTES
    assert counted("no_room") == before + 500


async def test_large_bodies_are_bounded_in_all(journal: Journal) -> None:
    for _ in range(100):
        keep(journal, answered(body=b"x" * 1024 * 1024))
    assert journal.waiting == 31


async def test_strangers_take_no_company_s_room(journal: Journal) -> None:
    for _ in range(1000):
        keep(journal, answered("loud", proven=False))
    assert journal.waiting == MAX_UNPROVEN_EACH
    for number in range(5000):
        keep(journal, answered(f"invented-{number}", proven=False))
    assert journal.waiting == MAX_UNPROVEN
    keep(journal, answered("company"))
    assert journal.waiting == MAX_UNPROVEN + 1


async def test_a_directory_that_is_away_is_given_it_again(
    journal: Journal, own: DirectoryDouble, monkeypatch: pytest.MonkeyPatch, handed_over: Any
) -> None:
    away, note = 3, own.note_exchanges

    async def sometimes(asked: NoteExchanges) -> NotedExchanges:
        nonlocal away
        away -= 1
        if away >= 0:
            raise DomainError(ErrorCode.unavailable, "away")
        return await note(asked)

    monkeypatch.setattr(own, "note_exchanges", sometimes)
    before = counted("again")
    async with journal.running():
        for number in range(3):
            keep(journal, answered(), f"/scim/v2/firma/Users/{number}")
        found = await handed_over(3)
    assert [one.path for one in found] == ["/Users/0", "/Users/1", "/Users/2"]
    assert counted("again") == before + 9


async def test_what_a_busy_company_could_not_take_is_given_again(
    journal: Journal, own: DirectoryDouble, handed_over: Any
) -> None:
    own.outcome = "again"
    async with journal.running():
        keep(journal, answered())
        await asyncio.sleep(0.05)
        assert (journal.waiting, own.noted) == (1, [])
        own.outcome = "written"
        assert len(await handed_over(1)) == 1


async def test_a_company_that_cannot_take_them_holds_up_no_other(
    journal: Journal, own: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = own.note_exchanges

    async def busy(asked: NoteExchanges) -> NotedExchanges:
        done = await note(asked)
        outcomes = ["again" if one.credential.token_sha256 == "busy" else "written" for one in asked.batches]
        return msgspec.structs.replace(done, outcomes=outcomes)

    monkeypatch.setattr(own, "note_exchanges", busy)
    async with journal.running():
        keep(journal, answered("busy"), "/scim/v2/firma/busy")
        for number in range(3):
            keep(journal, answered("other"), f"/scim/v2/firma/{number}")
            await asyncio.sleep(0.03)
    paths = Counter(one.path for one in own.noted)
    assert paths["/busy"] > 1
    assert [paths[f"/{number}"] for number in range(3)] == [1, 1, 1]


async def test_a_second_serves_so_many_companies_and_those_first_that_waited_longest(
    own: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[list[str]] = []
    note = own.note_exchanges

    async def watched(asked: NoteExchanges) -> NotedExchanges:
        rounds.append([one.credential.token_sha256 for one in asked.batches])
        return await note(asked)

    monkeypatch.setattr(own, "note_exchanges", watched)
    journal = Journal(own, EventLog("test"), every_s=0.2)
    for _ in range(2):
        for number in range(3 * COMPANIES_AT_ONCE):
            keep(journal, answered(f"t{number:03}"))
    async with journal.running():
        await asyncio.sleep(0.3)
        assert journal.waiting == 4 * COMPANIES_AT_ONCE
        assert [token for batches in rounds for token in batches] == [
            f"t{number:03}" for number in range(COMPANIES_AT_ONCE)
        ]
    assert journal.waiting == 0
    assert len(own.noted) == 6 * COMPANIES_AT_ONCE


async def test_a_full_batch_goes_at_once_and_alone(own: DirectoryDouble, handed_over: Any) -> None:
    journal = Journal(own, EventLog("test"), every_s=60)
    async with journal.running():
        keep(journal, answered("quiet"))
        for _ in range(BATCH):
            keep(journal, answered("loud"))
        assert len(await handed_over(BATCH)) == BATCH
        assert journal.waiting == 1


async def test_a_memory_that_fills_up_is_handed_over_whole(own: DirectoryDouble, handed_over: Any) -> None:
    journal = Journal(own, EventLog("test"), every_s=0.05)
    for number in range(MAX_NOTES // 2 + 1):
        keep(journal, answered(f"t{number}"))
    async with journal.running():
        await asyncio.sleep(0.02)
        assert own.noted == []
        await handed_over(MAX_NOTES // 2 + 1)
        await asyncio.sleep(0.02)
        assert journal.waiting == 0


@pytest.mark.parametrize("fault", [DomainError(ErrorCode.invalid_request, "no"), RuntimeError("a fault of ours")])
async def test_a_batch_that_cannot_be_handed_over_keeps_no_other_from_going(
    journal: Journal, own: DirectoryDouble, monkeypatch: pytest.MonkeyPatch, handed_over: Any, fault: Exception
) -> None:
    note, faults = own.note_exchanges, [fault]

    async def once(asked: NoteExchanges) -> NotedExchanges:
        if faults:
            raise faults.pop()
        return await note(asked)

    monkeypatch.setattr(own, "note_exchanges", once)
    async with journal.running():
        keep(journal, answered(), "/scim/v2/firma/lost")
        await asyncio.sleep(0.1)
        assert journal.waiting == 0
        keep(journal, answered(), "/scim/v2/firma/next")
        assert [one.path for one in await handed_over(1)] == ["/next"]


async def test_the_rest_is_handed_over_at_the_end_and_what_cannot_be_is_counted(
    journal: Journal, own: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(asked: NoteExchanges) -> NotedExchanges:
        await asyncio.sleep(10)
        raise AssertionError

    monkeypatch.setattr(own, "note_exchanges", never)
    monkeypatch.setattr(journal_module, "LAST_S", 0.05)
    before = counted("lost")
    async with journal.running():
        keep(journal, answered())
        await asyncio.sleep(0.05)
    assert counted("lost") == before + 1


async def test_no_failure_of_it_reaches_a_request(
    service: Service, http: httpx2.AsyncClient, directory: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(asked: NoteExchanges) -> NotedExchanges:
        raise RuntimeError("broken")

    monkeypatch.setattr(directory, "note_exchanges", broken)
    assert (await http.post("/Users", json=ANNA)).status_code == 201
    assert (await http.get("/Users")).status_code == 200


async def test_a_fault_is_noted_as_one(http: httpx2.AsyncClient, directory: DirectoryDouble) -> None:
    directory.refuse = RuntimeError("a fault of ours")
    assert (await http.get("/Users")).status_code == 500
    await http.get("/Users")
    for _ in range(300):
        if any(one.status == 500 for one in directory.noted):
            break
        await asyncio.sleep(0.01)
    assert [one.result for one in directory.noted if one.status == 500] == ["error"]


def test_a_slip_is_bounded_and_outside_an_exchange_there_is_none() -> None:
    slip = begin()
    for number in range(1000):
        ignored(f"x{number}")
        coerced("urn_keys")
    assert (len(slip.ignored), slip.ignored[-1], slip.coerced) == (MAX_SLIP + 1, "…", ["urn_keys"])


async def test_a_message_is_no_larger_than_directory_takes(journal: Journal, own: DirectoryDouble) -> None:
    """Whatever the exchanges are full of: bodies of escapes, names, whom they mention."""
    sizes: list[int] = []
    note = own.note_exchanges

    async def weighed(request: NoteExchanges) -> NotedExchanges:
        sizes.append(len(msgspec.json.encode(request)))
        return await note(request)

    own.note_exchanges = weighed  # type: ignore[method-assign]
    for number in range(20):
        recorder = answered(f"t{number % 3}", body=b'"' + b"\\u0001" * 30_000 + b'"')
        for many in range(2000):
            recorder.names[f"{number}-{many}" + "\x01" * 500] = None
            recorder.mentions[f"{number}-{many}" + "a" * 500] = None
        keep(journal, recorder, f"/scim/v2/firma/Users/{number}")
    async with journal.running():
        pass
    assert len(own.noted) == 20
    assert max(sizes) < 4 * 1024 * 1024
    assert len(sizes) > 1


async def test_what_directory_cannot_take_of_one_loses_nothing_of_another(
    journal: Journal, own: DirectoryDouble
) -> None:
    note = own.note_exchanges

    async def choosy(request: NoteExchanges) -> NotedExchanges:
        if any(batch.credential.token_sha256 == "bad" for batch in request.batches):
            raise DomainError(ErrorCode.invalid_request, "It does not fit.")
        return await note(request)

    own.note_exchanges = choosy  # type: ignore[method-assign]
    lost = counted("lost")
    for token in ("good", "bad", "better", "bad", "good"):
        keep(journal, answered(token), f"/scim/v2/firma/Users/{token}")
    async with journal.running():
        pass
    assert sorted(one.path for one in own.noted) == ["/Users/better", "/Users/good", "/Users/good"]
    assert counted("lost") - lost == 2
    assert journal.waiting == 0
