"""Approvers, in SQL: what of people, departments and settings decides about approval."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from directory.approvers.rules import Grant, Person
from directory.database import CompanyTx, statement
from directory.employees.approvers import left_after
from directory.employees.lifecycle import local_date
from shared.ids import EmployeeId, employee_from_text

_PERSON = """e.employee_id, concat_ws(' ', e.given_name, e.family_name) as name, e.state, e.blocked_at is not null as blocked,
        'self_approver' = any(e.roles) as self_approver, 'setup_admin' = any(e.roles) as setup_admin,
        e.only_direct_approver, e.manager_id, e.manager_ref, e.owners -> 'manager_ref' ->> 0 as manager_owner,
        e.department_key"""

_FOLLOWS = statement("companies.follows_managers", "select follow_entra_managers from companies where company_id = $1")

_EVERYBODY = statement(
    "employees.approval_of_everybody",
    f"select {_PERSON} from employees e where e.company_id = $1 and e.state <> 'departed' order by e.employee_id",  # noqa: S608
)

_SOME = statement(
    "employees.approval_of_some",
    f"select {_PERSON} from employees e where e.company_id = $1 and e.employee_id = any($2::uuid[])",  # noqa: S608
)

# One look for everybody who may have a say: those named in $2, the department's approvers, the Setup admins. They are few, and
# "limit 1" has each looked up by himself, whatever the planner believes of the number of Setup admins.
_CONCERNED = statement(
    "employees.approval_of_concerned",
    f"""
    with concerned as (
        select unnest($2::uuid[]) as employee_id
        union
        select d.employee_id from department_approvers d where d.company_id = $1 and d.department_key = $3
        union
        select a.employee_id from employees a where a.company_id = $1 and 'setup_admin' = any(a.roles)
    )
    select found.*, d.beside_manager
    from concerned
    cross join lateral (
        select {_PERSON} from employees e where e.company_id = $1 and e.employee_id = concerned.employee_id limit 1
    ) as found
    left join department_approvers d
        on d.company_id = $1 and d.department_key = $3 and d.employee_id = concerned.employee_id
    order by found.employee_id
    """,  # noqa: S608
)

_GRANTS = statement(
    "department_approvers.of_company",
    """
    select department_key, employee_id, beside_manager
    from department_approvers
    where company_id = $1
    order by department_key, employee_id
    """,
)

_EXPLAINED = statement(
    "employees.approval_explained",
    f"""
    select {_PERSON}, c.follow_entra_managers, e.roles, e.owners -> 'manager_ref' ->> 1 as owned_since,
        exists (
            select from employees r
            where r.company_id = $1 and r.manager_id = e.employee_id and r.employee_id <> e.employee_id
                and (r.state = 'active' or r.termination_date > $3)
        ) as has_reports,
        array(
            select d.name
            from department_approvers a
            join departments d on d.company_id = $1 and d.department_key = a.department_key
            where a.company_id = $1 and a.employee_id = e.employee_id
            order by d.name
        ) as departments,
        (
            select v.at
            from events v
            where v.company_id = $1 and v.employee_id = e.employee_id
                and (v.changes ? 'manager_id' or e.manager_id is null and v.changes ? 'manager_ref')
            order by v.sequence desc
            limit 1
        ) as manager_since
    from employees e
    join companies c on c.company_id = $1
    where e.company_id = $1 and e.employee_id = $2 and e.state <> 'departed'
    """,  # noqa: S608
)

# As in `circles.managers_in_force`.
_IN_FORCE = """e.manager_id <> e.employee_id and not 'self_approver' = any(e.roles)
                and ($3 or e.owners -> 'manager_ref' ->> 0 is distinct from 'entra')"""

# "union" lets a walk that comes round end by itself, and no more rows are made than are asked for: it costs what is read of it.
_WALK = statement(
    "employees.walk_of_managers",
    f"""
    with recursive walk as (
        select $2::uuid as employee_id
        union
        select e.manager_id
        from walk
        join employees e on e.company_id = $1 and e.employee_id = walk.employee_id
        where {_IN_FORCE}
    )
    select e.employee_id, case when {_IN_FORCE} then e.manager_id end as manager_id
    from (select employee_id from walk limit $4) as met
    join employees e on e.company_id = $1 and e.employee_id = met.employee_id
    """,  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Explained:
    """What one look at an employee tells about approval."""

    person: Person
    follows_entra: bool
    roles: tuple[str, ...]
    departments: list[str]
    has_reports: bool
    manager_since: datetime | None


async def follows_entra(tx: CompanyTx) -> bool:
    found: bool = await tx.fetchval(_FOLLOWS, tx.company_id)
    return found


async def everybody(tx: CompanyTx) -> tuple[list[Person], dict[str, list[Grant]]]:
    """All who have not departed, and departed ones whom somebody still names as manager; and who approves for what."""
    people = [_person(row) for row in await tx.fetch(_EVERYBODY, tx.company_id)]
    waited_for = {one.manager_ref for one in people if one.manager_ref is not None and one.manager_id is None}
    named = [found for reference in waited_for if (found := employee_from_text(reference)) is not None]
    if named:
        people += [
            one for row in await tx.fetch(_SOME, tx.company_id, named) if (one := _person(row)).state == "departed"
        ]
    known = {one.employee_id for one in people}
    grants: dict[str, list[Grant]] = defaultdict(list)
    for row in await tx.fetch(_GRANTS, tx.company_id):
        # Each statement sees what is committed when it begins: whoever came since then is not among the people.
        if row["employee_id"] in known:
            grants[row["department_key"]].append(Grant(EmployeeId(row["employee_id"]), row["beside_manager"]))
    return people, grants


async def explained(tx: CompanyTx, employee_id: EmployeeId) -> Explained | None:
    reports_left_after = left_after(local_date(tx.now, tx.company.time_zone))
    row = await tx.fetchrow(_EXPLAINED, tx.company_id, employee_id, reports_left_after)
    if row is None:
        return None
    since = row["manager_since"] or (datetime.fromisoformat(row["owned_since"]) if row["owned_since"] else None)
    return Explained(
        person=_person(row),
        follows_entra=row["follow_entra_managers"],
        roles=tuple(row["roles"]),
        departments=list(row["departments"]),
        has_reports=row["has_reports"],
        manager_since=since if row["manager_ref"] is not None else None,
    )


async def concerned(tx: CompanyTx, person: Person) -> tuple[list[Person], dict[str, list[Grant]]]:
    """Whoever may have a say for this person: his manager, his department's approvers, the Setup admins."""
    named = employee_from_text(person.manager_ref) if person.manager_ref else None
    managers = [one for one in {person.manager_id, named} if one is not None]
    rows = await tx.fetch(_CONCERNED, tx.company_id, managers, person.department_key)
    granted = [
        Grant(EmployeeId(row["employee_id"]), row["beside_manager"])
        for row in rows
        if row["beside_manager"] is not None
    ]
    return [_person(row) for row in rows], {person.department_key: granted} if person.department_key else {}


async def walk_of_managers(
    tx: CompanyTx, start: EmployeeId, *, follows_entra: bool, steps: int
) -> dict[EmployeeId, EmployeeId | None]:
    """Employee -> manager, from this one on, over at most so many people."""
    rows = await tx.fetch(_WALK, tx.company_id, start, follows_entra, steps)
    return {EmployeeId(row["employee_id"]): row["manager_id"] for row in rows}


def _person(row: asyncpg.Record) -> Person:
    return Person(**{name: row[name] for name in Person.__struct_fields__})
