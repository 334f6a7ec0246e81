"""An import, in SQL: everything in sets of some thousand rows, never a statement per row."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from directory.database import CompanyTx, statement
from directory.employees.record import EmployeeRecord, Ownership
from directory.employees.store import COLUMNS, record_of
from shared.ids import EmployeeId

READ_CHUNK = 5000
"""Rows whose people are read at once: all of an answer is in memory twice for a moment."""
CHUNK = 20_000
"""Rows written at once: some MB of arguments, and few managers who come in a later statement."""

_ENTER = statement("employees.enter_import", "select pg_advisory_xact_lock($1)")

_CONCERNED = statement(
    "employees.concerned",
    f"""
    select {COLUMNS}
    from employees
    where company_id = $1 and state <> 'departed'
        and (login_key = any($2::text[]) or email_key = any($3::text[]) or external_id = any($4::text[])
             or employee_id = any($5::uuid[]))
    """,  # noqa: S608  composed of constants
)

# Held, so that nobody departs before his reports are linked to him.
_HOLD = statement(
    "employees.hold_managers",
    """
    select employee_id
    from employees
    where company_id = $1 and state <> 'departed' and employee_id = any($2::uuid[])
    order by employee_id
    for key share
    """,
)

_DEPARTMENTS = statement(
    "departments.name",
    """
    insert into departments (company_id, department_key, name, created_at)
    select $1, named.department_key, named.name, $2
    from unnest($3::text[], $4::text[]) as named (department_key, name)
    order by named.department_key
    on conflict (company_id, department_key) do nothing
    """,
)

_FIELDS = {
    "employee_id": "uuid",
    "login_name": "text",
    "login_key": "text",
    "email": "text",
    "email_key": "text",
    "given_name": "text",
    "family_name": "text",
    "title": "text",
    "department": "text",
    "department_key": "text",
    "employee_number": "text",
    "work_phone": "text",
    "mobile_phone": "text",
    "country": "text",
    "calendar_group": "text",
    "manager_ref": "text",
    "manager_key": "text",
    "manager_id": "uuid",
    "hired_on": "date",
    "policy": "text",
    "owners": "jsonb",
    "version": "integer",
}
_NAMES = ", ".join(_FIELDS)
_ARRAYS = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_FIELDS.values(), start=3))

_INSERT = statement(
    "employees.insert_many",
    f"""
    insert into employees (company_id, state, source, created_at, updated_at, {_NAMES})
    select $1, 'active', 'csv', $2, $2, {_NAMES}
    from unnest({_ARRAYS}) as brought ({_NAMES})
    """,  # noqa: S608
)

# Only who is still as he was read: his version says so. Locked in the order of ids, as by everybody.
_UPDATE = statement(
    "employees.update_many",
    f"""
    with revised as materialized (
        select * from unnest({_ARRAYS}) as revised ({_NAMES})
    ), held as materialized (
        select employees.employee_id
        from employees
        join revised on revised.employee_id = employees.employee_id and revised.version = employees.version + 1
        where employees.company_id = $1
        order by employees.employee_id
        for no key update of employees
    )
    update employees
    set updated_at = $2, {", ".join(f"{name} = revised.{name}" for name in _FIELDS if name != "employee_id")}
    from revised
    join held on held.employee_id = revised.employee_id
    where employees.company_id = $1 and employees.employee_id = revised.employee_id
    """,  # noqa: S608
)

_LINK = statement(
    "employees.link_brought",
    """
    update employees
    set manager_id = linked.manager_id
    from unnest($2::uuid[], $3::uuid[]) as linked (employee_id, manager_id)
    where employees.company_id = $1 and employees.employee_id = linked.employee_id
    """,
)

# Found by the name they refer to, and not by having no manager: in a new company that is everybody. Nobody else gives them one
# meanwhile, because who names a manager shares the import gate.
_LINK_WAITING = statement(
    "employees.link_waiting_reports_of_many",
    """
    with referring as materialized (
        select employees.employee_id, employees.manager_id as known, brought.employee_id as manager_id
        from unnest($2::text[], $3::uuid[]) as brought (login_key, employee_id)
        join employees on employees.manager_key = brought.login_key
        where employees.company_id = $1 and employees.state <> 'departed'
    ), waiting as materialized (
        select employees.employee_id, referring.manager_id
        from referring
        join employees on employees.employee_id = referring.employee_id
        where employees.company_id = $1 and employees.state <> 'departed' and referring.known is null
        order by employees.employee_id
        for no key update of employees
    )
    update employees
    set manager_id = waiting.manager_id, updated_at = $4, version = version + 1
    from waiting
    where employees.company_id = $1 and employees.employee_id = waiting.employee_id
    returning employees.employee_id, employees.manager_id
    """,
)

T = TypeVar("T")


async def enter_alone(tx: CompanyTx, gate: int) -> None:
    """Wait until nobody else brings people into the company; nobody does until this transaction ends."""
    await tx.execute(_ENTER, gate)


async def concerned(
    tx: CompanyTx,
    login_keys: Sequence[str],
    email_keys: Sequence[str],
    external_ids: Sequence[str],
    ids: Sequence[EmployeeId],
) -> list[EmployeeRecord]:
    """Whoever has one of these names, departed people apart."""
    rows = await tx.fetch(_CONCERNED, tx.company_id, login_keys, email_keys, external_ids, ids)
    # Whoever came with the same file has the same owners, word for word: one of each is kept, half of the memory.
    owners: dict[str, dict[str, Ownership]] = {}
    found = [record_of(row) for row in rows]
    return [
        msgspec.structs.replace(one, owners=owners.setdefault(row["owners"], one.owners))
        for one, row in zip(found, rows, strict=True)
    ]


async def hold(tx: CompanyTx, managers: Sequence[EmployeeId]) -> int:
    """How many of them are still there, and stay until this transaction ends."""
    return len(await tx.fetch(_HOLD, tx.company_id, managers))


async def name_departments(tx: CompanyTx, people: Sequence[EmployeeRecord]) -> None:
    # Of several spellings the first counts, as where one person comes after the other.
    named = {one.department_key: one.department for one in reversed(people) if one.department_key is not None}
    await tx.execute(_DEPARTMENTS, tx.company_id, tx.now, list(named), list(named.values()))


async def insert(tx: CompanyTx, people: Sequence[EmployeeRecord]) -> None:
    """Raises asyncpg.UniqueViolationError where somebody else was faster."""
    await tx.execute(_INSERT, tx.company_id, tx.now, *_columns(people))


async def update(tx: CompanyTx, people: Sequence[EmployeeRecord]) -> int:
    """How many were still as they were read, and are written. Raises asyncpg.UniqueViolationError."""
    return await tx.execute(_UPDATE, tx.company_id, tx.now, *_columns(people))


async def link(tx: CompanyTx, people: Sequence[EmployeeRecord]) -> None:
    """People of this import to managers who came later in it."""
    await tx.execute(_LINK, tx.company_id, [one.employee_id for one in people], [one.manager_id for one in people])


async def link_waiting_reports(tx: CompanyTx, brought: Sequence[EmployeeRecord]) -> list[tuple[EmployeeId, EmployeeId]]:
    """Who waited for somebody whom this import brought, and for whom; they are linked now."""
    keys, ids = [one.login_key for one in brought], [one.employee_id for one in brought]
    rows = await tx.fetch(_LINK_WAITING, tx.company_id, keys, ids, tx.now)
    return sorted((EmployeeId(row["employee_id"]), EmployeeId(row["manager_id"])) for row in rows)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _columns(people: Sequence[EmployeeRecord]) -> list[list[object]]:
    return [[_value(one, name) for one in people] for name in _FIELDS]


def _value(one: EmployeeRecord, name: str) -> object:
    return msgspec.json.encode(one.owners).decode() if name == "owners" else getattr(one, name)
