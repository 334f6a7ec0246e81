"""New e-mail addresses for many at once, in SQL."""

from collections.abc import Sequence

import msgspec

from directory.database import CompanyTx, statement
from directory.employees.record import EmployeeRecord
from directory.employees.store import COLUMNS, record_of

_LOCK_NAMED = statement(
    "employees.lock_named",
    f"""
    select {COLUMNS}
    from employees
    where company_id = $1 and state <> 'departed' and (email_key = any($2::text[]) or login_key = any($2::text[]))
    order by employee_id
    for update
    """,  # noqa: S608  composed of constants
)

# Two people may exchange addresses, and a unique index is asked row by row: so each lets go of his first.
_LET_GO = statement(
    "employees.let_go_of_names",
    """
    update employees
    set email_key = 'moving ' || employee_id,
        login_key = case when employee_id = any($3::uuid[]) then 'moving ' || employee_id else login_key end
    where company_id = $1 and employee_id = any($2::uuid[])
    """,
)

_RENAME = statement(
    "employees.rename_many",
    """
    update employees
    set email = new.email, email_key = new.email_key, login_name = new.login_name, login_key = new.login_key,
        owners = new.owners::jsonb, updated_at = $8, version = version + 1
    from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        as new (employee_id, email, email_key, login_name, login_key, owners)
    where employees.company_id = $1 and employees.employee_id = new.employee_id
    """,
)

_WAITED_FOR = statement(
    "employees.waited_for",
    """
    select distinct manager_key
    from employees
    where company_id = $1 and manager_id is null and manager_key = any($2::text[])
    """,
)


async def lock_named(tx: CompanyTx, keys: Sequence[str]) -> list[EmployeeRecord]:
    """Whoever has one of these as e-mail or login name."""
    return [record_of(row) for row in await tx.fetch(_LOCK_NAMED, tx.company_id, keys)]


async def rename(tx: CompanyTx, renamed: Sequence[tuple[EmployeeRecord, EmployeeRecord]]) -> None:
    """Before and after; raises asyncpg.UniqueViolationError where somebody got such an address at this moment."""
    everybody = [after.employee_id for _, after in renamed]
    with_login = [after.employee_id for before, after in renamed if before.login_key != after.login_key]
    await tx.execute(_LET_GO, tx.company_id, everybody, with_login)
    columns = zip(
        *(
            (
                one.employee_id,
                one.email,
                one.email_key,
                one.login_name,
                one.login_key,
                msgspec.json.encode(one.owners).decode(),
            )
            for _, one in renamed
        ),
        strict=True,
    )
    await tx.execute(_RENAME, tx.company_id, *map(list, columns), tx.now)


async def waited_for(tx: CompanyTx, login_keys: Sequence[str]) -> frozenset[str]:
    """Which of these login names somebody names as his manager who is not there yet."""
    rows = await tx.fetch(_WAITED_FOR, tx.company_id, login_keys)
    return frozenset(row["manager_key"] for row in rows)
