"""Readers who wait for the next event: woken by the head, bounded, and asked about by one poller only while there are any."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence

import pytest

from directory.events.heads import WaitingReaders
from shared.errors import DomainError, ErrorCode


class Histories:
    """The heads as the database would tell them, and who asked."""

    def __init__(self) -> None:
        self.heads: dict[uuid.UUID, int] = {}
        self.asked: list[set[uuid.UUID]] = []
        self.broken = False

    async def ask(self, companies: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, int]:
        self.asked.append(set(companies))
        if self.broken:
            raise DomainError(ErrorCode.unavailable, "no database")
        return {company: self.heads.get(company, 0) for company in companies}


@pytest.fixture
def histories() -> Histories:
    return Histories()


def waiting(histories: Histories, **limits: int) -> WaitingReaders:
    return WaitingReaders(histories.ask, interval_s=0.01, **limits)


async def test_a_reader_is_woken_when_his_companys_history_has_gone_past_his_cursor(histories: Histories) -> None:
    readers, mine, other = waiting(histories), uuid.uuid4(), uuid.uuid4()
    first, second = (asyncio.create_task(readers.wait(mine, after, 5)) for after in (6, 7))
    stranger = asyncio.create_task(readers.wait(other, 0, 0.2))
    await asyncio.sleep(0.03)
    histories.heads[mine] = 7
    assert await first
    assert not second.done()
    histories.heads[mine] = 8
    assert await second
    assert not await stranger


async def test_all_companies_are_asked_about_at_once_and_nobody_when_nobody_waits(histories: Histories) -> None:
    readers, companies = waiting(histories), {uuid.uuid4() for _ in range(5)}
    assert not any(await asyncio.gather(*(readers.wait(one, 0, 0.05) for one in companies)))
    assert histories.asked[0] == companies
    asked = len(histories.asked)
    assert asked <= 6
    await asyncio.sleep(0.05)
    assert len(histories.asked) == asked
    histories.heads[one := uuid.uuid4()] = 1
    assert await readers.wait(one, 0, 5)


async def test_no_company_can_take_the_places_of_the_others(histories: Histories) -> None:
    readers, greedy = waiting(histories, readers_max=4, readers_max_of_company=2), uuid.uuid4()
    places = [asyncio.create_task(readers.wait(greedy, 0, 0.1)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(DomainError) as refused:
        await readers.wait(greedy, 0, 5)
    assert refused.value.code is ErrorCode.unavailable
    places += [asyncio.create_task(readers.wait(uuid.uuid4(), 0, 0.1)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(DomainError):
        await readers.wait(uuid.uuid4(), 0, 5)
    await asyncio.gather(*places)
    assert not await readers.wait(greedy, 0, 0.01), "places are free again"


async def test_at_shutdown_everybody_is_answered_at_once_and_nobody_waits_any_more(histories: Histories) -> None:
    readers = waiting(histories)
    waits = [asyncio.create_task(readers.wait(uuid.uuid4(), 0, 60)) for _ in range(3)]
    await asyncio.sleep(0.02)
    readers.close()
    async with asyncio.timeout(1):
        assert await asyncio.gather(*waits) == [False] * 3
        assert not await readers.wait(uuid.uuid4(), 0, 60)


async def test_a_database_that_is_away_for_a_moment_loses_no_reader(histories: Histories) -> None:
    readers, company = waiting(histories), uuid.uuid4()
    histories.broken = True
    wait = asyncio.create_task(readers.wait(company, 0, 5))
    await asyncio.sleep(0.05)
    histories.broken, histories.heads[company] = False, 1
    assert await wait


async def test_a_reader_who_goes_away_leaves_his_place(histories: Histories) -> None:
    readers, company = waiting(histories, readers_max=1), uuid.uuid4()
    gone = asyncio.create_task(readers.wait(company, 0, 60))
    await asyncio.sleep(0.02)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert not await readers.wait(company, 0, 0.01)
