"""Reading what was learnt of a company's cycles: how its provisioning stands, and whom Entra has forgotten.

Whoever is active here and was not asked about by a full cycle is out of Entra's sight: unassigned while the job was stopped, say,
or in nobody's scope. Entra will never deactivate him, and says nothing about it.
"""

from datetime import timedelta
from uuid import UUID

from directory.cycles.standing import rhythm, standing
from directory.database import CompanyTx, statement
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text
from shared.schemas.provisioning_report import Cycle, ProvisioningReport, UnaskedPeople, UnaskedPerson

CYCLES_SHOWN = 20
MAX_LIMIT = 1000
_FIRST = EmployeeId(UUID(int=0))

_RECENT = statement(
    "cycles.recent",
    """
    select started_at, last_request_at, requests, verdict
    from cycles
    where company_id = $1
    order by started_at desc
    limit $2
    """,
)
_LAST_FULL = statement(
    "cycles.last_full",
    "select started_at from cycles where company_id = $1 and verdict = 'full' order by started_at desc limit 1",
)
# Whoever came into being since the cycle began may have come behind it.
_UNASKED = """
    from employees e
    left join asked_about a on a.company_id = $1 and a.employee_id = e.employee_id
    where e.company_id = $1 and e.state = 'active' and e.source = 'entra' and e.created_at < $2
        and (a.asked_at is null or a.asked_at < $2)
    """
_COUNT_PEOPLE = statement(
    "employees.count_active_of_entra",
    "select count(*) from employees where company_id = $1 and state = 'active' and source = 'entra'",
)
_COUNT_UNASKED = statement("asked_about.count_unasked", f"select count(*) {_UNASKED}")
_LIST_UNASKED = statement(
    "asked_about.unasked",
    f"""
    select e.employee_id, e.login_name, e.given_name, e.family_name, a.asked_at
    {_UNASKED} and e.employee_id > $3
    order by e.employee_id
    limit $4
    """,
)


async def report(tx: CompanyTx) -> ProvisioningReport:
    cycles = [Cycle(**dict(row)) for row in await tx.fetch(_RECENT, tx.company_id, CYCLES_SHOWN)]
    last_full = await tx.fetchval(_LAST_FULL, tx.company_id)
    now, usual, stands = tx.now, rhythm(cycles), standing(cycles, tx.now)
    expected = cycles[0].started_at + usual if usual is not None else None
    return ProvisioningReport(
        standing=stands,
        quarantine_suspected=stands in ("slowed", "silent"),
        last_request_at=cycles[0].last_request_at if cycles else None,
        rhythm_minutes=max(1, usual // timedelta(minutes=1)) if usual is not None else None,
        # What is overdue is not expected at a moment that has passed.
        expected_at=expected if expected is not None and expected > now else None,
        last_full_at=last_full,
        people=await tx.fetchval(_COUNT_PEOPLE, tx.company_id),
        unasked=await tx.fetchval(_COUNT_UNASKED, tx.company_id, last_full) if last_full is not None else 0,
        cycles=cycles,
    )


async def unasked(tx: CompanyTx, after: str = "", limit: int = 100) -> UnaskedPeople:
    """In the order of creation; `after` is the last page's `next`."""
    if not 1 <= limit <= MAX_LIMIT:
        raise DomainError(ErrorCode.invalid_request, f"limit is 1 to {MAX_LIMIT}.", field="limit")
    last = employee_from_text(after) if after else _FIRST
    if last is None:
        raise DomainError(ErrorCode.invalid_request, "after is the `next` of the page before.", field="after")
    since = await tx.fetchval(_LAST_FULL, tx.company_id)
    rows = await tx.fetch(_LIST_UNASKED, tx.company_id, since, last, limit) if since is not None else []
    people = [
        UnaskedPerson(
            employee_id=employee_text(row["employee_id"]),
            login_name=row["login_name"],
            name=f"{row['given_name']} {row['family_name']}",
            asked_at=row["asked_at"],
        )
        for row in rows
    ]
    return UnaskedPeople(since=since, people=people, next=people[-1].employee_id if len(people) == limit else None)
