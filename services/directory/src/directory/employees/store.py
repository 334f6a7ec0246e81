"""Employees, in SQL. Every statement names the company, besides what row-level security sees to."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec

from directory.database import CompanyTx, statement
from directory.employees.record import EmployeeRecord, Ownership
from shared.ids import EmployeeId

COLUMNS = """employee_id, state, source, login_name, email, given_name, family_name, external_id, entra_object_id,
        released_sha256, email_primary, display_name, formatted_name, title, department, employee_number, work_phone,
        mobile_phone, country, roles, manager_ref, manager_id, leave_date, leaves_on, suspended_on, returned_on,
        termination_date, termination_source, owners, calendar_group, hired_on, policy,
        blocked_at, rehire_asked_at, adoption_confirmed_at, previous_employee_id, only_direct_approver, leaver_done_at,
        awaits_link_since, created_at, updated_at, version"""

# Entering the gates (see `approvers.gates`) is the statement's first act, before any row is looked at; what depends on the
# gates is read by later statements, which see what was committed while this one waited.
_GATES = """(
            select count(case when gate.alone then pg_advisory_xact_lock(gate.number)
                              else pg_advisory_xact_lock_shared(gate.number) end)
            from unnest({numbers}::bigint[], {alone}::boolean[]) as gate (number, alone)
        ) >= 0"""

_CANDIDATES = statement(
    "employees.candidates",
    f"""
    select {COLUMNS}
    from employees
    where company_id = $1 and state <> 'departed' and {_GATES.format(numbers="$6", alone="$7")}
        and (login_key = $2 or email_key = $3 or external_id = $4 or entra_object_id = $5)
    order by employee_id
    for update
    """,  # noqa: S608  composed of constants
)

# Not "for update": that would also hold up whoever links a report to this person.
_LOCK = statement(
    "employees.lock",
    f"""
    select {COLUMNS}
    from employees
    where company_id = $1 and employee_id = $2 and state <> 'departed' and {_GATES.format(numbers="$3", alone="$4")}
    for no key update
    """,  # noqa: S608
)

_ENTER_GATES = statement("employees.enter_gates", f"select {_GATES.format(numbers='$1', alone='$2')}")

_FIND_BY_NAME = statement(
    "employees.find_by_name",
    """
    select employee_id
    from employees
    where company_id = $1 and (employee_id = $2 or login_key = $3)
    order by employee_id = $2 desc
    limit 1
    """,
)

_LOCK_ANYBODY = statement(
    "employees.lock_anybody",
    f"select {COLUMNS} from employees where company_id = $1 and employee_id = $2 for no key update",  # noqa: S608
)

# With his reports, who are locked in the order of their ids like everybody else: bosses and reports may leave at once.
_LOCK_TO_REMOVE = statement(
    "employees.lock_to_remove",
    f"""
    with held as materialized (
        select {COLUMNS}
        from employees
        where company_id = $1 and (employee_id = $2 or manager_id = $2 or employee_id = $3) and state <> 'departed'
        order by employee_id
        for update
    )
    select {COLUMNS}
    from held
    where employee_id = $2
    """,  # noqa: S608
)

_GET = statement(
    "employees.get",
    f"select {COLUMNS} from employees where company_id = $1 and employee_id = $2 and state <> 'departed'",  # noqa: S608
)

# Held, so that the one who is found cannot depart before his report is linked to him.
_FIND_BY_REFERENCE = statement(
    "employees.find_by_reference",
    f"""
    select {COLUMNS}
    from employees
    where company_id = $1 and state <> 'departed'
        and (employee_id = $2 or previous_employee_id = $2 or external_id = $3 or login_key = $4)
    order by employee_id
    for key share
    """,  # noqa: S608
)

# A department comes into being as Entra, HR or an import names it (S15).
_DEPARTMENT = """with department as (
        insert into departments (company_id, department_key, name, created_at)
        select $1, $17, $16, $27
        where $17::text is not null
        on conflict (company_id, department_key) do nothing
    )"""

# A create of Entra's that carries what was missed before shows that the mapping is whole again (S24).
_MAPPING_MENDED = """mended as (
        update findings
        set closed_at = $27
        where company_id = $1 and kind in ('mapping_broken', 'active_not_mapped') and subject <> all($47::text[])
            and closed_at is null
    )"""

_INSERT = statement(
    "employees.insert",
    f"""
    {_DEPARTMENT}, {_MAPPING_MENDED}
    insert into employees
        (company_id, employee_id, state, source, login_name, login_key, email, email_key, given_name, family_name, external_id,
         entra_object_id, email_primary, display_name, formatted_name, department, department_key, title, employee_number,
         work_phone, mobile_phone, country, manager_ref, manager_key, manager_id, termination_date, updated_at, version,
         released_sha256, owners, calendar_group, hired_on, policy, blocked_at, rehire_asked_at, previous_employee_id,
         only_direct_approver, leaver_done_at, roles, adoption_confirmed_at, leave_date, leaves_on, suspended_on,
         returned_on, termination_source, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
         $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41,
         $42, $43, $44, $45, $46)
    """,  # noqa: S608  composed of constants
)

# Whether Entra has cleared his manager (see `cycles`) is no question any more: he has another one by this, or departs.
_MANAGER_SETTLED = """settled as (
        update findings
        set closed_at = $27
        where company_id = $1 and kind = 'manager_possibly_cleared' and employee_id = $2 and closed_at is null
    )"""

_SET = """
    update employees
    set state = $3, source = $4, login_name = $5, login_key = $6, email = $7, email_key = $8, given_name = $9,
        family_name = $10, external_id = $11, entra_object_id = $12, email_primary = $13, display_name = $14,
        formatted_name = $15, department = $16, department_key = $17, title = $18, employee_number = $19, work_phone = $20,
        mobile_phone = $21, country = $22, manager_ref = $23, manager_key = $24, manager_id = $25, termination_date = $26,
        updated_at = $27, version = $28, released_sha256 = $29, owners = $30, calendar_group = $31, hired_on = $32,
        policy = $33, blocked_at = $34, rehire_asked_at = $35, previous_employee_id = $36, only_direct_approver = $37,
        leaver_done_at = $38, roles = $39, adoption_confirmed_at = $40, leave_date = $41, leaves_on = $42, suspended_on = $43,
        returned_on = $44, termination_source = $45, awaits_link_since = $46
    where company_id = $1 and employee_id = $2
    """

_UPDATE = statement("employees.update", f"{_DEPARTMENT} {_SET}")
_UPDATE_SETTLING = statement("employees.update", f"{_DEPARTMENT}, {_MANAGER_SETTLED} {_SET}")

_LINK_WAITING_REPORTS = statement(
    "employees.link_waiting_reports",
    """
    with waiting as (
        select employee_id
        from employees
        where company_id = $1 and state <> 'departed' and manager_id is null and manager_key = any($3::text[])
            and (manager_ref = any($4::text[]) or manager_key = $5) and employee_id <> $2
        order by employee_id
        for no key update
    )
    update employees
    set manager_id = $2, updated_at = $6, version = version + 1
    from waiting
    where employees.company_id = $1 and employees.employee_id = waiting.employee_id
    returning employees.employee_id
    """,
)

_UNLINK_REPORTS = statement(
    "employees.unlink_reports",
    """
    with reports as (
        select employee_id
        from employees
        where company_id = $1 and manager_id = $2 and state <> 'departed'
        order by employee_id
        for no key update
    )
    update employees
    set manager_id = null, updated_at = $3, version = version + 1
    from reports
    where employees.company_id = $1 and employees.employee_id = reports.employee_id
    returning employees.employee_id
    """,
)

_REHIRE_ASK_AFTER_DAYS = statement(
    "companies.rehire_ask_after_days", "select rehire_ask_after_days from companies where company_id = $1"
)

_owners = msgspec.json.Decoder(dict[str, Ownership])

Gates = Sequence[tuple[int, bool]]


async def candidates(
    tx: CompanyTx, login_key: str, email_key: str, external_id: str | None, object_id: UUID | None, gates: Gates
) -> list[EmployeeRecord]:
    """Everybody a create request could mean or collide with, locked."""
    rows = await tx.fetch(
        _CANDIDATES, tx.company_id, login_key, email_key, external_id, object_id, *_numbers_and_modes(gates)
    )
    return [record_of(row) for row in rows]


async def lock(tx: CompanyTx, employee_id: EmployeeId, gates: Gates) -> EmployeeRecord | None:
    return _one(await tx.fetchrow(_LOCK, tx.company_id, employee_id, *_numbers_and_modes(gates)))


async def enter_gates(tx: CompanyTx, gates: Gates) -> None:
    """For a transaction that names its people only after looking at them."""
    await tx.fetchval(_ENTER_GATES, *_numbers_and_modes(gates))


async def find_by_name(tx: CompanyTx, employee_id: EmployeeId | None, login_key: str) -> EmployeeId | None:
    found = await tx.fetchval(_FIND_BY_NAME, tx.company_id, employee_id, login_key)
    return EmployeeId(found) if found is not None else None


async def lock_anybody(tx: CompanyTx, employee_id: EmployeeId) -> EmployeeRecord | None:
    """Departed people too."""
    return _one(await tx.fetchrow(_LOCK_ANYBODY, tx.company_id, employee_id))


async def lock_to_remove(
    tx: CompanyTx, employee_id: EmployeeId, manager_id: EmployeeId | None = None
) -> EmployeeRecord | None:
    """`manager_id`: somebody who is locked as well, because whoever takes his place is going to refer to him."""
    # All rows are fetched: whoever asks for one stops the statement there, before his reports are locked.
    rows = await tx.fetch(_LOCK_TO_REMOVE, tx.company_id, employee_id, manager_id)
    return record_of(rows[0]) if rows else None


async def get(tx: CompanyTx, employee_id: EmployeeId) -> EmployeeRecord | None:
    return _one(await tx.fetchrow(_GET, tx.company_id, employee_id))


async def find_by_reference(
    tx: CompanyTx, employee_id: EmployeeId | None, external_id: str, login_key: str
) -> list[EmployeeRecord]:
    """Whoever could be meant by a manager reference; `approvers.resolve` decides."""
    rows = await tx.fetch(_FIND_BY_REFERENCE, tx.company_id, employee_id, external_id, login_key)
    return [record_of(row) for row in rows]


async def insert(tx: CompanyTx, record: EmployeeRecord, missing: Sequence[str] | None = None) -> None:
    """`missing`: mandatory attributes that Entra did not send; None: Entra sent nothing.

    Raises asyncpg.UniqueViolationError where a simultaneous create was faster; see `writing.repeated`.
    """
    await tx.execute(_INSERT, *_values(tx, record), record.created_at, missing)


async def update(tx: CompanyTx, record: EmployeeRecord, *, settles_manager: bool = False) -> None:
    """Writes the whole row: the caller holds its lock. `settles_manager`: whether Entra has cleared his manager is no question
    any more."""
    await tx.execute(_UPDATE_SETTLING if settles_manager else _UPDATE, *_values(tx, record), record.awaits_link_since)


async def link_waiting_reports(
    tx: CompanyTx, manager_id: EmployeeId, exact: Sequence[str], keys: Sequence[str], login_key: str | None
) -> list[EmployeeId]:
    """Whose waiting reference meant this manager; they are linked now."""
    rows = await tx.fetch(_LINK_WAITING_REPORTS, tx.company_id, manager_id, keys, exact, login_key, tx.now)
    return sorted(EmployeeId(row["employee_id"]) for row in rows)


async def unlink_reports(tx: CompanyTx, manager_id: EmployeeId) -> list[EmployeeId]:
    """Whose manager he was; they wait again."""
    rows = await tx.fetch(_UNLINK_REPORTS, tx.company_id, manager_id, tx.now)
    return sorted(EmployeeId(row["employee_id"]) for row in rows)


async def rehire_ask_after_days(tx: CompanyTx) -> int | None:
    """The company's rule for returns (A11); None: nobody is asked."""
    found: int | None = await tx.fetchval(_REHIRE_ASK_AFTER_DAYS, tx.company_id)
    return found


def record_of(row: asyncpg.Record) -> EmployeeRecord:
    values = dict(row)
    values.pop("total", None)  # of a page
    values["roles"] = tuple(values["roles"])
    values["owners"] = _owners.decode(values["owners"])
    return EmployeeRecord(**values)


def _one(row: asyncpg.Record | None) -> EmployeeRecord | None:
    return record_of(row) if row is not None else None


def _numbers_and_modes(gates: Gates) -> tuple[list[int], list[bool]]:
    return [number for number, _ in gates], [alone for _, alone in gates]


def _values(tx: CompanyTx, record: EmployeeRecord) -> tuple[object, ...]:
    """In the order of the numbers in `_INSERT` and `_UPDATE`."""
    return (
        tx.company_id,
        record.employee_id,
        record.state,
        record.source,
        record.login_name,
        record.login_key,
        record.email,
        record.email_key,
        record.given_name,
        record.family_name,
        record.external_id,
        record.entra_object_id,
        record.email_primary,
        record.display_name,
        record.formatted_name,
        record.department,
        record.department_key,
        record.title,
        record.employee_number,
        record.work_phone,
        record.mobile_phone,
        record.country,
        record.manager_ref,
        record.manager_key,
        record.manager_id,
        record.termination_date,
        record.updated_at,
        record.version,
        record.released_sha256,
        msgspec.json.encode(record.owners).decode(),
        record.calendar_group,
        record.hired_on,
        record.policy,
        record.blocked_at,
        record.rehire_asked_at,
        record.previous_employee_id,
        record.only_direct_approver,
        record.leaver_done_at,
        record.roles,
        record.adoption_confirmed_at,
        record.leave_date,
        record.leaves_on,
        record.suspended_on,
        record.returned_on,
        record.termination_source,
    )
