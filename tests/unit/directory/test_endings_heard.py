"""Gateways that wait to hear of ended sessions: told everything since their place, or that they may have missed something."""

import asyncio
from uuid import uuid4

import pytest

from directory.logins.watching import EndingsHeard
from shared.errors import DomainError
from shared.ids import employee_text
from shared.schemas.login import Endings, WatchEndings

COMPANY, ANNA = uuid4(), uuid4()


@pytest.fixture
def heard() -> EndingsHeard:
    listening = EndingsHeard(remembered=3, watchers_max=2)
    listening.connected()
    return listening


async def ask(heard: EndingsHeard, cursor: str = "", wait_s: float = 5) -> Endings:
    return await heard.since(WatchEndings(cursor=cursor, wait_s=wait_s))


async def waiting(heard: EndingsHeard, cursor: str) -> "asyncio.Task[Endings]":
    task = asyncio.create_task(ask(heard, cursor))
    await asyncio.sleep(0)
    assert not task.done()
    return task


def told(answer: Endings) -> list[tuple[str, str | None]]:
    assert not answer.missed
    return [(one.company_id, one.employee_id) for one in answer.endings]


async def test_whoever_begins_may_have_missed_something_and_gets_his_place(heard: EndingsHeard) -> None:
    first = await ask(heard)
    assert (first.missed, first.endings, first.listening) == (True, [], True)
    assert told(await ask(heard, first.cursor, wait_s=0)) == []


async def test_an_ending_wakes_whoever_waits(heard: EndingsHeard) -> None:
    tasks = [await waiting(heard, (await ask(heard)).cursor) for _ in range(2)]
    heard.heard(f"{COMPANY}/{ANNA}")
    for task in tasks:
        assert told(await task) == [(str(COMPANY), employee_text(ANNA))]


async def test_what_ended_between_two_questions_is_told_with_the_second(heard: EndingsHeard) -> None:
    cursor = (await ask(heard)).cursor
    heard.heard(f"{COMPANY}/{ANNA}")
    heard.heard(f"{COMPANY}/")
    answer = await ask(heard, cursor)
    assert told(answer) == [(str(COMPANY), employee_text(ANNA)), (str(COMPANY), None)]
    assert told(await ask(heard, answer.cursor, wait_s=0)) == []


async def test_what_is_longer_ago_than_is_remembered_may_have_been_missed(heard: EndingsHeard) -> None:
    cursor = (await ask(heard)).cursor
    for _ in range(4):
        heard.heard(f"{COMPANY}/{ANNA}")
    assert (await ask(heard, cursor)).missed


@pytest.mark.parametrize("cursor", ["x", "x.1", ".", "{}.x", "{}.-1", "{}.99", "{}.", "{}.1.1"])
async def test_a_cursor_that_is_not_of_here_may_have_missed_something(heard: EndingsHeard, cursor: str) -> None:
    line = (await ask(heard)).cursor.partition(".")[0]
    assert (await ask(heard, cursor.format(line))).missed


async def test_another_process_does_not_know_the_place(heard: EndingsHeard) -> None:
    other = EndingsHeard()
    other.connected()
    assert (await ask(other, (await ask(heard)).cursor)).missed


async def test_a_lost_connection_wakes_everybody_and_so_does_its_return(heard: EndingsHeard) -> None:
    task = await waiting(heard, (await ask(heard)).cursor)
    heard.lost()
    answer = await task
    assert (answer.missed, answer.listening) == (True, False)
    task = await waiting(heard, answer.cursor)
    heard.connected()
    answer = await task
    assert (answer.missed, answer.listening) == (True, True)


async def test_what_cannot_be_read_may_have_been_anything(heard: EndingsHeard) -> None:
    cursor = (await ask(heard)).cursor
    heard.heard("nonsense")
    assert (await ask(heard, cursor)).missed


async def test_so_many_wait_and_no_more(heard: EndingsHeard) -> None:
    cursor = (await ask(heard)).cursor
    tasks = [await waiting(heard, cursor) for _ in range(2)]
    with pytest.raises(DomainError, match="unavailable"):
        await ask(heard, cursor)
    heard.close()
    await asyncio.gather(*tasks)


async def test_nobody_waits_for_a_process_that_stops(heard: EndingsHeard) -> None:
    cursor = (await ask(heard)).cursor
    task = await waiting(heard, cursor)
    heard.close()
    assert told(await task) == []
    with pytest.raises(DomainError, match="unavailable"):
        await ask(heard, cursor)
