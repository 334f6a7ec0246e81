"""History events: told while a change is made, written with its commit, and read. Never altered.

The database numbers and chains them (migration 0005), and parts what a departure releases from the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from directory.database import CompanyTx, statement
from directory.events.catalogue import EventKind
from directory.events.fields import COUNTING
from shared.ids import EmployeeId, employee_text
from shared.schemas.history import EventActor, HistoryEvent
from shared.telemetry import context
from shared.telemetry.tracing import current_trace_id

Changes = Mapping[str, Mapping[str, object]]
"""field -> {"before": …, "after": …}; no secrets."""

_encoder = msgspec.json.Encoder(enc_hook=str)

_COLUMNS = """sequence, at, kind, employee_id, actor_kind, actor_id, request_id, trace_id,
        changes || coalesce(names, '{}') as changes,
        changes_salt is null or (names_sha256 is not null and names_salt is null) as forgotten"""

_OF_EMPLOYEE = {
    newest_first: statement(
        "events.of_employee",
        f"""
        select {_COLUMNS}
        from events
        where company_id = $1 and employee_id = $2 and ($3::bigint is null or sequence {"<" if newest_first else ">"} $3)
        order by sequence {"desc" if newest_first else "asc"}
        limit $4
        """,  # noqa: S608  composed of constants
    )
    for newest_first in (False, True)
}

_UNTIL = statement(
    "events.until",
    f"""
    select {_COLUMNS}
    from events
    where company_id = $1 and employee_id = $2 and (at <= $3 and kind = any($4::text[]) or kind = 'employee.erased')
    order by sequence
    """,  # noqa: S608
)

_HEAD = statement("events.head", "select coalesce(max(sequence), 0) from events where company_id = $1")

# Numbers have no gaps, so a page is a range of them; what is left out of it by its kind is passed all the same.
_PAGE = statement(
    "events.page",
    f"""
    select history.*, page.*
    from (
        select newest.head,
            (select encode(e.hash, 'hex') from events e where e.company_id = $1 and e.sequence = $2) as hash_after,
            (select encode(e.hash, 'hex') from events e
             where e.company_id = $1 and e.sequence = least($3, newest.head)) as hash_next
        from (select coalesce(max(sequence), 0) as head from events where company_id = $1) as newest
    ) as history
    left join lateral (
        select {_COLUMNS}
        from events
        where company_id = $1 and sequence > $2 and sequence <= $3 and ($4::text[] is null or kind = any($4))
    ) as page on true
    order by page.sequence
    """,  # noqa: S608
)

_FORMER_NAMES = statement(
    "events.former_names",
    """
    select e.employee_id, array_agg(distinct change.value) as names
    from events e, jsonb_each(e.names) as name, jsonb_each_text(name.value) as change
    where e.company_id = $1 and e.employee_id = any($2::uuid[]) and e.names is not null and change.value is not null
    group by e.employee_id
    """,
)

_FORGET_NAMES = statement("registry.forget_names", "select registry.forget_names($1)")


_TOLD_SINCE = statement(
    "events.told_since",
    "select exists (select from events where company_id = $1 and employee_id = $2 and kind = $3 and at > $4)",
)


def record(
    tx: CompanyTx, kind: EventKind, *, employee_id: EmployeeId | None = None, changes: Changes | None = None
) -> None:
    """Tell what happened; written with the commit, in the order of telling."""
    tx.tell(
        kind.value,
        employee_id,
        tx.actor.kind,
        tx.actor.id,
        context.request_id.get(),
        current_trace_id(),
        _encoder.encode(changes or {}).decode(),
    )


def record_many(tx: CompanyTx, kind: EventKind, told: Iterable[tuple[EmployeeId, Changes]]) -> None:
    """One event of the same kind for each of several employees."""
    for employee_id, changes in told:
        record(tx, kind, employee_id=employee_id, changes=changes)


async def told_since(tx: CompanyTx, employee_id: EmployeeId, kind: EventKind, since: datetime) -> bool:
    told: bool = await tx.fetchval(_TOLD_SINCE, tx.company_id, employee_id, kind.value, since)
    return told


async def forget_names(tx: CompanyTx, departed: EmployeeId) -> None:
    """The names that somebody bore who has departed are gone from his history too (S40)."""
    await tx.execute(_FORGET_NAMES, departed)


async def former_names(tx: CompanyTx, people: Sequence[EmployeeId]) -> dict[UUID, list[str]]:
    """Every login name, e-mail and external id that their histories know of them."""
    return {row["employee_id"]: row["names"] for row in await tx.fetch(_FORMER_NAMES, tx.company_id, people)}


async def of_employee(
    tx: CompanyTx, employee_id: EmployeeId, after: int | None = None, limit: int = 1000, *, newest_first: bool = False
) -> list[HistoryEvent]:
    """The employee's history beyond the event with the number `after`, in the asked direction."""
    rows = await tx.fetch(_OF_EMPLOYEE[newest_first], tx.company_id, employee_id, after, limit)
    return [_event(row) for row in rows]


async def until(tx: CompanyTx, employee_id: EmployeeId, at: datetime) -> list[HistoryEvent]:
    """What had made the employee what he was at that moment, oldest first; an erasure has made that nothing, whenever it was."""
    rows = await tx.fetch(_UNTIL, tx.company_id, employee_id, at, list(COUNTING))
    return [_event(row) for row in rows]


async def head(tx: CompanyTx) -> int:
    """The number of the company's last event."""
    found: int = await tx.fetchval(_HEAD, tx.company_id)
    return found


@dataclass(frozen=True, slots=True)
class Page:
    """A range of events, and where it lies in the history."""

    head: int
    """The number of the last event there is."""
    hash_after: str
    """Of the event before the range; empty where there is none."""
    hash_next: str
    """Of the last event of the range, listed or not."""
    events: list[HistoryEvent]


async def page(tx: CompanyTx, after: int, last: int, kinds: list[str] | None) -> Page:
    """The events from `after` (without it) to `last`."""
    rows = await tx.fetch(_PAGE, tx.company_id, after, last, kinds)
    events = [_event(row) for row in rows if row["sequence"] is not None]
    return Page(rows[0]["head"], rows[0]["hash_after"] or "", rows[0]["hash_next"] or "", events)


def _event(row: asyncpg.Record) -> HistoryEvent:
    return HistoryEvent(
        sequence=row["sequence"],
        at=row["at"],
        kind=row["kind"],
        employee_id=employee_text(row["employee_id"]) if row["employee_id"] else None,
        actor=EventActor(kind=row["actor_kind"], id=row["actor_id"]),
        request_id=row["request_id"],
        trace_id=row["trace_id"],
        changes=msgspec.json.decode(row["changes"]),
        forgotten=row["forgotten"],
    )
