"""Where the move to another Entra tenant stands, in SQL: what is prepared, what was left, who waits. Its steps: `move_writes`."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from directory.database import CompanyTx, statement
from shared.ids import EmployeeId

_IS_PREPARED = statement(
    "next_connections.is_prepared", "select exists (select 1 from next_connections where company_id = $1)"
)

_IS_MOVING = statement(
    "next_connections.is_moving",
    """
    select exists (select 1 from next_connections where company_id = $1)
        or exists (select 1 from employees where company_id = $1 and awaits_link_since is not null)
    """,
)

_HOW_BOUND = statement(
    "retired_connections.how_bound",
    """
    select exists (select 1 from retired_connections where company_id = $1 and tenant_id = $2) as retired,
        exists (
            select 1 from employees
            where company_id = $1 and state <> 'departed' and (source = 'entra' or entra_object_id is not null)
        ) as governed
    """,
)

_NEXT = statement(
    "next_connections.read",
    """
    select tenant_id, app_id, group_id, group_name, sso_enabled, login_url, issuer, signed, idp_initiated, group_check,
        email_domains, provisioning_enabled, provisioning_strict, prepared_at,
        array(select fingerprint from next_certificates where company_id = $1 order by fingerprint) as fingerprints
    from next_connections
    where company_id = $1
    """,
)

_RETIRED = statement(
    "retired_connections.read",
    "select tenant_id, app_id, retired_at from retired_connections where company_id = $1 order by retired_at desc",
)

_PROGRESS = statement(
    "employees.move_progress",
    """
    select count(*) as people, count(awaits_link_since) as waiting, count(entra_object_id) as linked,
        count(*) filter (
            where cardinality($2::text[]) > 0 and split_part(email_key, '@', -1) <> all($2::text[])
        ) as outside
    from employees
    where company_id = $1 and state = 'active'
    """,
)

_WAITING = statement(
    "employees.awaiting_link",
    """
    select employee_id, login_name
    from employees
    where company_id = $1 and awaits_link_since is not null
    order by employee_id
    limit $2
    """,
)


async def is_prepared(tx: CompanyTx) -> bool:
    """Between the preparation and the cut-over."""
    found: bool = await tx.fetchval(_IS_PREPARED, tx.company_id)
    return found


async def is_moving(tx: CompanyTx) -> bool:
    """From the preparation until the new tenant has named everybody (S69)."""
    found: bool = await tx.fetchval(_IS_MOVING, tx.company_id)
    return found


async def how_bound(tx: CompanyTx, tenant_id: UUID) -> tuple[bool, bool]:
    """Whether the company has left this tenant before, and whether any of its people are Entra's or signed in as its objects."""
    row = await tx.fetchrow(_HOW_BOUND, tx.company_id, tenant_id)
    assert row is not None  # noqa: S101
    return row["retired"], row["governed"]


async def read_next(tx: CompanyTx) -> asyncpg.Record | None:
    """The prepared connection with the fingerprints of its certificates."""
    return await tx.fetchrow(_NEXT, tx.company_id)


async def read_retired(tx: CompanyTx) -> list[asyncpg.Record]:
    """Where the company was before, the last one first."""
    return await tx.fetch(_RETIRED, tx.company_id)


async def progress(tx: CompanyTx, email_domains: Sequence[str]) -> asyncpg.Record:
    """Of the active people: how many there are, wait, are linked, and have an address outside of these domains."""
    row = await tx.fetchrow(_PROGRESS, tx.company_id, email_domains)
    assert row is not None  # noqa: S101  a count is always a row
    return row


async def waiting(tx: CompanyTx, at_most: int) -> list[tuple[EmployeeId, str]]:
    rows = await tx.fetch(_WAITING, tx.company_id, at_most)
    return [(EmployeeId(row["employee_id"]), row["login_name"]) for row in rows]
