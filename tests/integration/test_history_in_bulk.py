"""Tens of thousands of events in one transaction (an import, a move, a released brake) are chained in linear time."""

import pytest

from directory.database import Actor, CompanyTx, statement
from directory.events.catalogue import EventKind
from directory.events.store import record
from tests.support.firm import Firm

_HEAD_WRITES = statement(
    "registry.head_writes",
    "select n_tup_upd from pg_stat_xact_all_tables where schemaname = 'registry' and relname = 'histories'",
)


async def tell(tx: CompanyTx, many: int) -> None:
    for number in range(many):
        record(tx, EventKind.company_updated, changes={"name": {"before": None, "after": str(number)}})
    await tx.write_events()


async def test_the_head_is_written_once_per_statement_however_many_events_it_tells(firm: Firm) -> None:
    async with firm.database.scope_for_id(firm.company_id).transaction(Actor("operator", "test")) as tx:
        before = await tx.fetchval(_HEAD_WRITES)
        await tell(tx, 500)
        assert await tx.fetchval(_HEAD_WRITES) == before + 1
        await tell(tx, 1)
        assert await tx.fetchval(_HEAD_WRITES) == before + 2


async def test_many_events_in_several_statements_and_transactions_are_one_chain(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("directory.database.EVENTS_AT_ONCE", 7)
    for many in (1, 20, 3):
        async with firm.database.scope_for_id(firm.company_id).transaction(Actor("operator", "test")) as tx:
            await tell(tx, many)
            await tell(tx, 2)
    rows = await firm.as_owner(
        """
        select e.sequence, (e.changes -> 'name' ->> 'after')::integer as number,
            e.hash = registry.event_hash(coalesce(lag(e.hash) over (order by e.sequence), ''), e) as follows
        from events e
        order by e.sequence
        """
    )
    assert [row["sequence"] for row in rows] == list(range(1, 31))
    assert [row["number"] for row in rows] == [0, 0, 1, *range(20), 0, 1, *range(3), 0, 1]
    assert all(row["follows"] for row in rows)
    newest = await firm.as_owner("select sequence, hash from events order by sequence desc limit 1")
    head = await firm.as_owner("select sequence, hash from registry.histories where company_id = $1", firm.company_id)
    assert head == newest


async def test_events_after_a_removed_one_follow_the_head_and_not_what_is_left(firm: Firm) -> None:
    """Otherwise whoever cuts off the end of a history would have it go on as if nothing had been there."""
    for _ in range(2):
        async with firm.database.scope_for_id(firm.company_id).transaction(Actor("operator", "test")) as tx:
            await tell(tx, 3)
        await firm.as_owner("delete from events where company_id = $1 and sequence = 3", firm.company_id)
    rows = await firm.as_owner("select sequence from events order by sequence")
    assert [row["sequence"] for row in rows] == [1, 2, 4, 5, 6]
