"""History events: added with the change they tell of, in its transaction, and read. Never altered."""

from collections.abc import Mapping
from typing import Any

import msgspec

from directory.database import CompanyTx, statement
from directory.events.catalogue import EventKind
from shared.ids import EmployeeId
from shared.telemetry import context
from shared.telemetry.tracing import current_trace_id

Changes = Mapping[str, Mapping[str, object]]
"""field -> {"before": …, "after": …}; no secrets."""

_encoder = msgspec.json.Encoder(enc_hook=str)

_INSERT = statement(
    "events.record",
    """
    insert into events
        (company_id, at, kind, employee_id, actor_kind, actor_id, request_id, trace_id, changes)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)
    """,
)

_OF_EMPLOYEE = statement(
    "events.of_employee",
    """
    select event_id, at, kind, actor_kind, actor_id, request_id, trace_id, changes
    from events
    where company_id = $1 and employee_id = $2
    order by event_id
    """,
)


async def record(
    tx: CompanyTx, kind: EventKind, *, employee_id: EmployeeId | None = None, changes: Changes | None = None
) -> None:
    await tx.execute(_INSERT, *_row(tx, kind, employee_id, changes or {}))


async def record_many(tx: CompanyTx, kind: EventKind, told: list[tuple[EmployeeId, Changes]]) -> None:
    """One event of the same kind for each of several employees."""
    if told:
        await tx.executemany(_INSERT, [_row(tx, kind, employee_id, changes) for employee_id, changes in told])


async def of_employee(tx: CompanyTx, employee_id: EmployeeId) -> list[dict[str, Any]]:
    """The employee's history, oldest first."""
    rows = await tx.fetch(_OF_EMPLOYEE, tx.company_id, employee_id)
    return [{**dict(row), "changes": msgspec.json.decode(row["changes"])} for row in rows]


def _row(tx: CompanyTx, kind: EventKind, employee_id: EmployeeId | None, changes: Changes) -> tuple[object, ...]:
    return (
        tx.company_id,
        tx.now,
        kind.value,
        employee_id,
        tx.actor.kind,
        tx.actor.id,
        context.request_id.get(),
        current_trace_id(),
        _encoder.encode(changes).decode(),
    )
