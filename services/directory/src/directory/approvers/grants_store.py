"""What HR decided about departments' approvers, in SQL."""

from collections.abc import Sequence

from directory.database import CompanyTx, statement
from shared.ids import EmployeeId

# Held until the transaction ends: a grant comes before a switch of the setting, or after it.
_HOLD_FOLLOWS = statement(
    "companies.hold_following", "select follow_entra_managers from companies where company_id = $1 for share"
)

_GRANTS_OF = statement(
    "department_approvers.of_employee",
    """
    select d.name, a.beside_manager
    from department_approvers a
    join departments d on d.company_id = $1 and d.department_key = a.department_key
    where a.company_id = $1 and a.employee_id = $2
    order by d.name
    """,
)

_EXISTING_DEPARTMENTS = statement(
    "departments.existing",
    "select department_key from departments where company_id = $1 and department_key = any($2::text[])",
)

# Granted before a company followed Entra's managers and again since: beside the manager from now on (S52).
_GRANT_DEPARTMENTS = statement(
    "department_approvers.grant",
    """
    insert into department_approvers (company_id, department_key, employee_id, beside_manager, granted_at, granted_by)
    select $1, department_key, $3, $4, $5, $6
    from unnest($2::text[]) as department_key
    on conflict (company_id, department_key, employee_id) do update
    set beside_manager = true, granted_at = excluded.granted_at, granted_by = excluded.granted_by
    where excluded.beside_manager and not department_approvers.beside_manager
    """,
)

_REVOKE_DEPARTMENTS = statement(
    "department_approvers.revoke",
    """
    delete from department_approvers
    where company_id = $1 and employee_id = $2 and ($3::text[] is null or department_key = any($3::text[]))
    """,
)


async def hold_follows_entra(tx: CompanyTx) -> bool:
    """The setting, which stays so until the transaction ends."""
    found: bool = await tx.fetchval(_HOLD_FOLLOWS, tx.company_id)
    return found


async def grants_of(tx: CompanyTx, employee_id: EmployeeId) -> dict[str, bool]:
    """Department by name -> whether he approves for it beside the managers."""
    rows = await tx.fetch(_GRANTS_OF, tx.company_id, employee_id)
    return {row["name"]: row["beside_manager"] for row in rows}


async def existing_departments(tx: CompanyTx, keys: Sequence[str]) -> set[str]:
    return {row["department_key"] for row in await tx.fetch(_EXISTING_DEPARTMENTS, tx.company_id, keys)}


async def grant_departments(
    tx: CompanyTx, employee_id: EmployeeId, keys: Sequence[str], *, beside_manager: bool
) -> None:
    by = f"{tx.actor.kind} {tx.actor.id}"
    await tx.execute(_GRANT_DEPARTMENTS, tx.company_id, keys, employee_id, beside_manager, tx.now, by)


async def revoke_departments(tx: CompanyTx, employee_id: EmployeeId, keys: Sequence[str] | None) -> None:
    """None: all that he has."""
    await tx.execute(_REVOKE_DEPARTMENTS, tx.company_id, employee_id, keys)
