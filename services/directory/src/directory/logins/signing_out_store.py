"""The sessions and tickets that an identity provider means by a SessionIndex or a NameID, in SQL."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from directory.database import CompanyTx, statement
from directory.logins.ending import RECEIPTS, TOLD_EACH
from shared.ids import EmployeeId

_IS_TRUSTED = statement(
    "certificates.is_trusted",
    "select exists (select from certificates where company_id = $1 and fingerprint = $2)",
)

_OWNERS_BY_INDEX = statement(
    "sessions.owners_by_index",
    """
    select employee_id from sessions
    where company_id = $1 and session_index = any($2::text[]) and expires_at > $3
    union
    select employee_id from login_tickets
    where company_id = $1 and session_index = any($2::text[]) and expires_at > $3
    """,
)

# When a ticket was handed out stands in the trace of its login.
_BY_THEN = """not exists (
            select from login_traces l
            where l.company_id = $1 and l.attempt_id = login_tickets.attempt_id and l.at > {until}
        )"""

# A NameID may have been somebody else's before: the last one who came by it is meant. A ticket is younger than any session.
_OWNER_BY_NAME_ID = statement(
    "sessions.owner_by_name_id",
    f"""
    select employee_id
    from (
        select employee_id, signed_in_at as known_at from sessions
        where company_id = $1 and name_id = $2 and ($3::text is null or coalesce(name_id_format, $3) = $3)
            and client_id is null and signed_in_at <= $4 and expires_at > $5
        union all
        select employee_id, expires_at from login_tickets
        where company_id = $1 and name_id = $2 and ($3::text is null or coalesce(name_id_format, $3) = $3)
            and expires_at > $5 and {_BY_THEN.format(until="$4")}
    ) as known
    order by known_at desc, employee_id desc
    limit 1
    """,  # noqa: S608  composed of constants
)

_LOCK_PEOPLE = statement(
    "employees.lock_to_sign_out",
    """
    select employee_id from employees
    where company_id = $1 and employee_id = any($2::uuid[])
    order by employee_id
    for update
    """,
)

_END_BY_INDEX = statement(
    "sessions.end_by_index",
    f"""
    with tickets as (
        delete from login_tickets
        where company_id = $1 and employee_id = any($2::uuid[]) and session_index = any($3::text[]) and expires_at > $4
        returning employee_id
    ), ended as (
        delete from sessions
        where company_id = $1 and employee_id = any($2::uuid[]) and session_index = any($3::text[]) and expires_at > $4
        returning employee_id, session_id, signed_in_at
    ), {RECEIPTS}
    {TOLD_EACH} order by employee_id
    """,  # noqa: S608  composed of constants
)

_END_BY_NAME_ID = statement(
    "sessions.end_by_name_id",
    f"""
    with tickets as (
        delete from login_tickets
        where company_id = $1 and employee_id = $2 and name_id = $3
            and ($4::text is null or coalesce(name_id_format, $4) = $4) and expires_at > $6
            and {_BY_THEN.format(until="$5")}
        returning employee_id
    ), ended as (
        delete from sessions
        where company_id = $1 and employee_id = $2 and name_id = $3 and client_id is null
            and ($4::text is null or coalesce(name_id_format, $4) = $4) and signed_in_at <= $5 and expires_at > $6
        returning employee_id, session_id, signed_in_at
    ), {RECEIPTS}
    {TOLD_EACH}
    """,  # noqa: S608
)


async def is_trusted(tx: CompanyTx, fingerprint: str) -> bool:
    trusted: bool = await tx.fetchval(_IS_TRUSTED, tx.company_id, fingerprint)
    return trusted


async def owners_by_index(tx: CompanyTx, indexes: Sequence[str]) -> list[EmployeeId]:
    """Of live sessions and of logins that have not become one yet."""
    rows = await tx.fetch(_OWNERS_BY_INDEX, tx.company_id, indexes, tx.now)
    return [EmployeeId(row["employee_id"]) for row in rows]


async def owner_by_name_id(
    tx: CompanyTx, name_id: str, name_id_format: str | None, until: datetime
) -> EmployeeId | None:
    """The format counts where both say one."""
    owner = await tx.fetchval(_OWNER_BY_NAME_ID, tx.company_id, name_id, name_id_format, until, tx.now)
    return EmployeeId(owner) if owner is not None else None


async def lock_people(tx: CompanyTx, people: Sequence[EmployeeId]) -> None:
    """Until the transaction ends none of them signs in, so that no ticket becomes a session behind our back."""
    await tx.fetch(_LOCK_PEOPLE, tx.company_id, people)


async def end_by_index(tx: CompanyTx, owners: Sequence[EmployeeId], indexes: Sequence[str]) -> list[asyncpg.Record]:
    """What each of them lost, for `ending.receipts`; tickets go too, and every listener is told."""
    return await tx.fetch(_END_BY_INDEX, tx.company_id, owners, indexes, tx.now)


async def end_by_name_id(
    tx: CompanyTx, owner: EmployeeId, name_id: str, name_id_format: str | None, until: datetime
) -> list[asyncpg.Record]:
    return await tx.fetch(_END_BY_NAME_ID, tx.company_id, owner, name_id, name_id_format, until, tx.now)
