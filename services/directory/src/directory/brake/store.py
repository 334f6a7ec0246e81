"""The brake and what it holds, in SQL. Locks in one order: the brake, then employees, then what is held of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec

from directory.brake.rule import Limit, Recent, recent
from directory.database import Actor, CompanyTx, statement
from shared.ids import EmployeeId
from shared.telemetry import context

Step = Literal["suspend", "remove"]

# Writes in order to lock, whether or not the row is there; whoever comes second sees what the first has noted.
_TAKE = statement(
    "brakes.take",
    """
    insert into brakes (company_id) values ($1)
    on conflict (company_id) do update set minutes = brakes.minutes
    returning minutes, open_until,
        (select array[brake_people, brake_percent] from companies where company_id = $1) as beyond
    """,
)
_NOTE = statement("brakes.note", "update brakes set minutes = $2::jsonb where company_id = $1")
_OPEN = statement("brakes.open", "update brakes set minutes = '[]', open_until = $2 where company_id = $1")
_READ = statement(
    "brakes.read",
    """
    select coalesce(b.minutes, '[]') as minutes, b.open_until, array[c.brake_people, c.brake_percent] as beyond
    from companies c
    left join brakes b on b.company_id = c.company_id
    where c.company_id = $1
    """,
)

_ACTIVE = statement(
    "employees.active_count",
    """
    select count(*)
    from (select from employees where company_id = $1 and state = 'active' limit $2) as active
    """,
)

_OF_EMPLOYEE = statement(
    "held_changes.of_employee",
    "select state, last_asked_at from held_changes where company_id = $1 and employee_id = $2",
)
_HOLD = statement(
    "held_changes.hold",
    """
    insert into held_changes
        (company_id, employee_id, step, state, asked_at, last_asked_at, times, asked_by, request_id)
    values ($1, $2, $3, 'held', $4, $4, 1, $5, $6)
    """,
)
_ASKED_AGAIN = statement(
    "held_changes.asked_again",
    """
    update held_changes
    set step = $3, last_asked_at = $4, times = times + 1, asked_by = $5, request_id = $6
    where company_id = $1 and employee_id = $2
    """,
)
_LET_GO = statement(
    "held_changes.let_go",
    "delete from held_changes where company_id = $1 and employee_id = $2 returning step, state",
)
_COUNT = statement(
    "held_changes.count",
    """
    select h.state, count(*) as people
    from held_changes h
    join employees e on e.company_id = h.company_id and e.employee_id = h.employee_id
    where h.company_id = $1 and e.state = 'active'
    group by h.state
    """,
)
_PAGE = statement(
    "held_changes.page",
    """
    select h.employee_id, h.step, h.state, h.asked_at, h.last_asked_at, h.times, e.given_name, e.family_name, e.login_name
    from held_changes h
    join employees e on e.company_id = h.company_id and e.employee_id = h.employee_id
    where h.company_id = $1 and h.employee_id > $2 and e.state = 'active'
    order by h.employee_id
    limit $3
    """,
)
# Of whoever has left otherwise meanwhile nothing is left to decide.
_DECIDE = statement(
    "held_changes.decide",
    """
    update held_changes
    set state = $2, decided_at = $4, decided_by_kind = $5, decided_by = $6
    where company_id = $1 and state = any($3::text[]) and exists (
        select from employees e
        where e.company_id = $1 and e.employee_id = held_changes.employee_id and e.state = 'active')
    returning employee_id, step, asked_by
    """,
)
_RELEASED = statement(
    "held_changes.released",
    """
    select employee_id, step, decided_by_kind, decided_by
    from held_changes
    where company_id = $1 and state = 'released'
    order by employee_id
    limit $2
    """,
)
_LAPSE = statement(
    "held_changes.lapse",
    """
    delete from held_changes
    where company_id = $1 and last_asked_at <= $2 and state <> 'released'
    returning employee_id, step
    """,
)


@dataclass(frozen=True, slots=True)
class Brake:
    """A company's brake, locked until the transaction ends."""

    limit: Limit
    recent: Recent
    open_until: datetime | None

    def lets_all_through(self, now: datetime) -> bool:
        return self.limit.people == 0 or (self.open_until is not None and now < self.open_until)


async def take(tx: CompanyTx) -> Brake:
    """Before anybody is locked."""
    return _brake(tx, await tx.fetchrow(_TAKE, tx.company_id))


async def read(tx: CompanyTx) -> Brake:
    """For looking at, without the lock."""
    return _brake(tx, await tx.fetchrow(_READ, tx.company_id))


def _brake(tx: CompanyTx, row: asyncpg.Record | None) -> Brake:
    assert row is not None  # noqa: S101  the scope was entered, so there is a company
    people, percent = row["beyond"]
    return Brake(Limit(people, percent), recent(msgspec.json.decode(row["minutes"]), tx.now), row["open_until"])


async def note(tx: CompanyTx, counted: Recent) -> None:
    await tx.execute(_NOTE, tx.company_id, msgspec.json.encode(counted.minutes).decode())


async def open_until(tx: CompanyTx, moment: datetime) -> None:
    """Counting begins anew behind it."""
    await tx.execute(_OPEN, tx.company_id, moment)


async def active(tx: CompanyTx, at_most: int) -> int:
    """Active people, counted no further than asked for: a large company pays for those who leave, not for those who stay."""
    people: int = await tx.fetchval(_ACTIVE, tx.company_id, at_most)
    return people


async def of_employee(tx: CompanyTx, employee_id: EmployeeId) -> asyncpg.Record | None:
    return await tx.fetchrow(_OF_EMPLOYEE, tx.company_id, employee_id)


async def hold(tx: CompanyTx, employee_id: EmployeeId, step: Step) -> None:
    request_id = context.request_id.get()
    await tx.execute(_HOLD, tx.company_id, employee_id, step, tx.now, tx.actor.id, request_id)


async def asked_again(tx: CompanyTx, employee_id: EmployeeId, step: Step) -> None:
    request_id = context.request_id.get()
    await tx.execute(_ASKED_AGAIN, tx.company_id, employee_id, step, tx.now, tx.actor.id, request_id)


async def let_go(tx: CompanyTx, employee_id: EmployeeId) -> tuple[Step, str] | None:
    """What was held of him is held no more: its step and state, if there was anything."""
    row = await tx.fetchrow(_LET_GO, tx.company_id, employee_id)
    return (row["step"], row["state"]) if row is not None else None


async def count(tx: CompanyTx) -> dict[str, int]:
    """People by state."""
    return {row["state"]: row["people"] for row in await tx.fetch(_COUNT, tx.company_id)}


async def page(tx: CompanyTx, after: EmployeeId, limit: int) -> list[asyncpg.Record]:
    return await tx.fetch(_PAGE, tx.company_id, after, limit)


async def decide(tx: CompanyTx, state: Literal["released", "refused"], among: Sequence[str]) -> list[asyncpg.Record]:
    """Of those in these states, as the transaction's actor has decided."""
    rows = await tx.fetch(_DECIDE, tx.company_id, state, among, tx.now, tx.actor.kind, tx.actor.id)
    return sorted(rows, key=lambda row: row["employee_id"])


async def released(tx: CompanyTx, limit: int) -> list[tuple[EmployeeId, Step, Actor]]:
    """What is to be done, and who said so."""
    rows = await tx.fetch(_RELEASED, tx.company_id, limit)
    return [
        (EmployeeId(row["employee_id"]), row["step"], Actor(row["decided_by_kind"], row["decided_by"])) for row in rows
    ]


async def lapse(tx: CompanyTx, asked_until: datetime) -> list[tuple[EmployeeId, Step]]:
    rows = await tx.fetch(_LAPSE, tx.company_id, asked_until)
    return sorted((EmployeeId(row["employee_id"]), row["step"]) for row in rows)
