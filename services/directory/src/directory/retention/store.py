"""Erasing people, in SQL. Run as the tables' owner: the application can erase nobody and alter no history."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from directory.database import CompanyTx, statement
from shared.ids import EmployeeId

_RULE = statement("companies.erase_after", "select erase_after_months from companies where company_id = $1")

# Somebody whom another sweep is erasing, or a request is changing, is left to it, and to the next sweep.
_DUE = statement(
    "employees.due",
    """
    select employee_id, state, login_key, email_key, external_id, released_sha256
    from employees
    where company_id = $1 and termination_date <= $2 and state <> 'active' and rehire_asked_at is null
    order by termination_date, employee_id
    limit $3
    for update skip locked
    """,
)

# What may name a manager by something of his own; our ids are nobody's any more.
_REFERENCES_TOLD = statement(
    "events.manager_references",
    """
    select distinct told.reference
    from events, unnest(array[changes #>> '{manager_ref,before}', changes #>> '{manager_ref,after}']) as told (reference)
    where company_id = $1 and changes ? 'manager_ref' and told.reference not like 'emp\\_%'
    """,
)
_REFERENCES_WAITING = statement(
    "employees.waiting_references",
    """
    select distinct manager_ref as reference
    from employees
    where company_id = $1 and manager_key is not null and manager_id is null and manager_ref not like 'emp\\_%'
    """,
)

# Whoever bears the name now is meant by it. One look in each index, for an "or" of all reads the company for every name.
_BORNE = statement(
    "employees.names_borne",
    """
    select login_key as name, true as by_key
    from employees
    where company_id = $1 and login_key = any($2::text[]) and not employee_id = any($3::uuid[])
    union
    select email_key, true
    from employees
    where company_id = $1 and email_key = any($2::text[]) and not employee_id = any($3::uuid[])
    union
    select external_id, false
    from employees
    where company_id = $1 and external_id = any($4::text[]) and not employee_id = any($3::uuid[])
    """,
)

_RELEASE_REPORTS = statement(
    "employees.release_reports",
    """
    with reports as (
        select employee_id, manager_id
        from employees
        where company_id = $1 and manager_id = any($2::uuid[]) and not employee_id = any($2::uuid[])
        order by employee_id
        for no key update
    )
    update employees
    set manager_id = null, updated_at = $3, version = version + 1
    from reports
    where employees.company_id = $1 and employees.employee_id = reports.employee_id
    returning employees.employee_id, reports.manager_id as former
    """,
)

_RELEASE_SUCCESSORS = statement(
    "employees.release_successors",
    """
    with successors as (
        select employee_id, previous_employee_id
        from employees
        where company_id = $1 and previous_employee_id = any($2::uuid[]) and not employee_id = any($2::uuid[])
        order by employee_id
        for no key update
    )
    update employees
    set previous_employee_id = null, updated_at = $3, version = version + 1
    from successors
    where employees.company_id = $1 and employees.employee_id = successors.employee_id
    returning employees.employee_id, successors.previous_employee_id as former
    """,
)

_CLEAR_REFERENCES = statement(
    "employees.clear_references",
    """
    with waiting as (
        select employee_id
        from employees
        where company_id = $1 and manager_key is not null and manager_id is null and manager_ref = any($2::text[])
            and not employee_id = any($3::uuid[])
        order by employee_id
        for no key update
    )
    update employees
    set manager_ref = null, manager_key = null, updated_at = $4, version = version + 1
    from waiting
    where employees.company_id = $1 and employees.employee_id = waiting.employee_id
    returning employees.employee_id
    """,
)

# The digest stays, so the chain holds; the salt goes, for what is left is not what was digested. What stands in somebody's row,
# linked to a manager who stays, is that manager's, though he has another name by now.
_CLEAR_TOLD_REFERENCES = statement(
    "events.clear_references",
    """
    with told as (
        select e.sequence, e.changes #>> '{manager_ref,before}' as before, e.changes #>> '{manager_ref,after}' as after,
            array_remove($2::text[], m.manager_ref) as cleared
        from events e
        left join employees m on m.company_id = $1 and m.employee_id = e.employee_id and m.manager_id is not null
        where e.company_id = $1 and e.changes ? 'manager_ref'
    )
    update events
    set changes_salt = null,
        changes = jsonb_set(changes, '{manager_ref}', jsonb_build_object(
            'before', case when told.before = any(told.cleared) then null else told.before end,
            'after', case when told.after = any(told.cleared) then null else told.after end))
    from told
    where events.company_id = $1 and events.sequence = told.sequence
        and (told.before = any(told.cleared) or told.after = any(told.cleared))
    """,
)

_FORGET_HISTORY = statement(
    "events.forget",
    """
    update events
    set changes = '{}', changes_salt = null, names = null, names_salt = null
    where company_id = $1 and employee_id = any($2::uuid[])
    """,
)

_NAMED_IN_FINDINGS = statement(
    "findings.named",
    """
    select distinct told.text as reference
    from findings, lateral (
        select subject as text
        union all
        select value #>> '{}' from jsonb_path_query(details, '$.**') as value where jsonb_typeof(value) = 'string'
    ) as told
    where company_id = $1
    """,
)

# Findings about him go with him; those about others go where they name him, as a word: a nickname may stand in anybody's id.
_FORGET_FINDINGS = statement(
    "findings.forget",
    """
    delete from findings
    where company_id = $1 and exists (
        select from unnest($2::text[]) as name
        where position(name in lower(subject || ' ' || details::text)) > 0
            and lower(subject || ' ' || details::text) ~ (
                '(^|[^[:alnum:]_])' || regexp_replace(name, '[^[:alnum:]_]', '\\\\\\&', 'g') || '($|[^[:alnum:]_])'))
    """,
)

_DELETE = statement("employees.erase", "delete from employees where company_id = $1 and employee_id = any($2::uuid[])")


async def erase_after_months(tx: CompanyTx) -> int | None:
    months: int | None = await tx.fetchval(_RULE, tx.company_id)
    return months


async def due(tx: CompanyTx, latest: date, limit: int) -> list[asyncpg.Record]:
    """People whose time has come, locked."""
    return await tx.fetch(_DUE, tx.company_id, latest, limit)


async def references_told(tx: CompanyTx) -> set[str]:
    """Reads the company's whole history: once a sweep, and only where somebody is due."""
    return {row["reference"] for row in await tx.fetch(_REFERENCES_TOLD, tx.company_id)}


async def references_waiting(tx: CompanyTx) -> set[str]:
    return {row["reference"] for row in await tx.fetch(_REFERENCES_WAITING, tx.company_id)}


async def named_in_findings(tx: CompanyTx) -> set[str]:
    return {row["reference"] for row in await tx.fetch(_NAMED_IN_FINDINGS, tx.company_id)}


async def names_borne(
    tx: CompanyTx, keys: Sequence[str], external_ids: Sequence[str], erased: Sequence[EmployeeId]
) -> tuple[set[str], set[str]]:
    """Which of the keys are somebody's login name or e-mail, and which of the texts, compared exactly, his external id."""
    rows = await tx.fetch(_BORNE, tx.company_id, keys, erased, external_ids)
    return {row["name"] for row in rows if row["by_key"]}, {row["name"] for row in rows if not row["by_key"]}


async def release_reports(tx: CompanyTx, erased: Sequence[EmployeeId]) -> list[tuple[EmployeeId, UUID]]:
    """Whose manager was erased, and who that was."""
    return _pairs(await tx.fetch(_RELEASE_REPORTS, tx.company_id, erased, tx.now))


async def release_successors(tx: CompanyTx, erased: Sequence[EmployeeId]) -> list[tuple[EmployeeId, UUID]]:
    """Whose earlier employment was erased, and its id."""
    return _pairs(await tx.fetch(_RELEASE_SUCCESSORS, tx.company_id, erased, tx.now))


async def clear_references(tx: CompanyTx, references: Sequence[str], erased: Sequence[EmployeeId]) -> list[EmployeeId]:
    """Who referred to a manager by these, in what stands and in what was told; now they do no more."""
    await tx.execute(_CLEAR_TOLD_REFERENCES, tx.company_id, references)
    rows = await tx.fetch(_CLEAR_REFERENCES, tx.company_id, references, erased, tx.now)
    return sorted(EmployeeId(row["employee_id"]) for row in rows)


async def forget(tx: CompanyTx, erased: Sequence[EmployeeId], names: Sequence[str]) -> None:
    """They are gone from rows and history; sessions, grants, traces and findings go with their rows."""
    await tx.execute(_FORGET_HISTORY, tx.company_id, erased)
    if names:
        await tx.execute(_FORGET_FINDINGS, tx.company_id, names)
    await tx.execute(_DELETE, tx.company_id, erased)


def _pairs(rows: Sequence[Any]) -> list[tuple[EmployeeId, UUID]]:
    return sorted((EmployeeId(row["employee_id"]), row["former"]) for row in rows)
