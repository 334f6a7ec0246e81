"""The work list, in SQL: people with something left to do, by the two indexes made for it, in the order of their ids."""

import asyncpg

from directory.database import CompanyTx, statement
from shared.ids import EmployeeId

# A departed manager is referred to by the text of his id, a suspended one is linked still. Access ended when he was active for
# the last time, whatever ended it: his departure may come a month after his suspension, or an adoption may close him.
_PAGE = statement(
    "employees.work_list",
    """
    with open as (
        (
            select employee_id
            from employees
            where company_id = $1 and employee_id > $2 and state = 'active'
                and (policy is null or hired_on is null or employee_number is null)
            order by employee_id
            limit $3
        )
        union
        (
            select employee_id
            from employees
            where company_id = $1 and employee_id > $2 and state <> 'active' and leaver_done_at is null
            order by employee_id
            limit $3
        )
        union
        (
            select m.employee_id
            from employees m
            where m.company_id = $1 and m.employee_id > $2 and m.state <> 'active' and m.leaver_done_at is not null
                and exists (
                    select 1
                    from employees r
                    where r.company_id = $1 and r.state = 'active' and r.manager_id = m.employee_id
                    union all
                    select 1
                    from employees r
                    where r.company_id = $1 and r.state = 'active' and r.manager_id is null
                        and r.manager_key = 'emp_' || replace(m.employee_id::text, '-', '')
                )
            order by m.employee_id
            limit $3
        )
        order by employee_id
        limit $3
    )
    select e.employee_id, e.state, e.given_name, e.family_name, e.policy, e.hired_on, e.employee_number, e.termination_date,
        e.suspended_on, e.leaver_done_at, e.created_at, c.erase_after_months,
        (select count(*) from employees r
            where r.company_id = $1 and r.state = 'active' and r.manager_id = e.employee_id)
        + (select count(*) from employees r
            where r.company_id = $1 and r.state = 'active' and r.manager_id is null
                and r.manager_key = 'emp_' || replace(e.employee_id::text, '-', '')) as reports,
        (select max(v.at) from events v
            where v.company_id = $1 and v.employee_id = e.employee_id and v.kind like 'employee.%'
                and v.changes -> 'state' ->> 'after' <> 'active'
                and coalesce(v.changes -> 'state' ->> 'before', 'active') = 'active') as ended_at
    from open
    join employees e on e.company_id = $1 and e.employee_id = open.employee_id
    join companies c on c.company_id = $1
    order by e.employee_id
    """,
)


async def page(tx: CompanyTx, after: EmployeeId, limit: int) -> list[asyncpg.Record]:
    return await tx.fetch(_PAGE, tx.company_id, after, limit)
