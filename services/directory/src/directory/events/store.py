"""History events: told while a change is made, written with its commit, and read. Never altered.

The database numbers and chains them (migration 0005), and parts what a departure releases from the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from directory.database import CompanyTx, statement
from directory.events.catalogue import EventKind
from shared.ids import EmployeeId
from shared.telemetry import context
from shared.telemetry.tracing import current_trace_id

Changes = Mapping[str, Mapping[str, object]]
"""field -> {"before": …, "after": …}; no secrets."""

_encoder = msgspec.json.Encoder(enc_hook=str)

_OF_EMPLOYEE = statement(
    "events.of_employee",
    """
    select sequence, at, kind, actor_kind, actor_id, request_id, trace_id, changes || coalesce(names, '{}') as changes
    from events
    where company_id = $1 and employee_id = $2
    order by sequence
    """,
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


async def forget_names(tx: CompanyTx, departed: EmployeeId) -> None:
    """The names that somebody bore who has departed are gone from his history too (S40)."""
    await tx.execute(_FORGET_NAMES, departed)


async def former_names(tx: CompanyTx, people: Sequence[EmployeeId]) -> dict[UUID, list[str]]:
    """Every login name, e-mail and external id that their histories know of them."""
    return {row["employee_id"]: row["names"] for row in await tx.fetch(_FORMER_NAMES, tx.company_id, people)}


async def of_employee(tx: CompanyTx, employee_id: EmployeeId) -> list[dict[str, Any]]:
    """The employee's history, oldest first."""
    rows = await tx.fetch(_OF_EMPLOYEE, tx.company_id, employee_id)
    return [{**dict(row), "changes": msgspec.json.decode(row["changes"])} for row in rows]
