"""A company of 50,000 people in one chain of managers, written straight into the tables in a second or two."""

from uuid import UUID

import asyncpg

MANY = 50_000


def _id(number: str) -> str:
    """SQL of the id of the person with this number."""
    return f"lpad(to_hex({number}), 32, '0')::uuid"


_DEPARTMENTS = """
    insert into departments (company_id, department_key, name, created_at)
    select $1, 'd' || n, 'd' || n, now() from generate_series(0, 19) as n
"""
_PEOPLE = f"""
    insert into employees
        (company_id, employee_id, source, state, login_name, login_key, email, email_key, given_name, family_name, department,
         department_key, manager_ref, manager_key, manager_id, owners, roles, created_at, updated_at)
    select $1, {_id("n")}, 'entra', 'active', name, name, name, name, name, 'Holm', 'd' || n % 20, 'd' || n % 20, boss, boss,
        case when boss is not null then {_id("n + 1")} end, '{{"manager_ref": ["entra", "2026-01-01T00:00:00Z"]}}',
        case when n < 3 then '{{setup_admin}}'::text[] else '{{}}' end, now(), now()
    from (
        select n, 'p' || n as name, case when n < {MANY - 1} then 'p' || n + 1 end as boss
        from generate_series(0, {MANY - 1}) as n
    ) as made
"""  # noqa: S608
_APPROVERS = f"""
    insert into department_approvers (company_id, department_key, employee_id, beside_manager, granted_at, granted_by)
    select $1, 'd' || n % 20, {_id("n")}, true, now(), 'operator' from generate_series(100, 199) as n
"""  # noqa: S608
_LAST_MANAGER = f"""
    update employees
    set manager_ref = $2::text, manager_key = $2::text, manager_id = case when $2::text is not null then {_id("0")} end
    where company_id = $1 and employee_id = {_id(str(MANY - 1))}
"""  # noqa: S608


async def populate(owner: asyncpg.Connection, company_id: UUID) -> None:
    """20 departments with five approvers each, three Setup admins; inside the company's transaction."""
    for sql in (_DEPARTMENTS, _PEOPLE, _APPROVERS):
        await owner.execute(sql, company_id)
    await owner.execute("analyze employees")


async def close_circle(owner: asyncpg.Connection, company_id: UUID, closed: bool) -> None:
    """The last one's manager is the first, or nobody."""
    await owner.execute(_LAST_MANAGER, company_id, "p0" if closed else None)
