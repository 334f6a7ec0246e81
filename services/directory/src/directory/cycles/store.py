"""Cycles and whom they asked about, in SQL.

Whoever writes down, judges or decides enters the company's gate of cycles first, so that one sees what the other did. Then
locks in one order: employees, findings, who was asked about.
"""

from dataclasses import dataclass
from datetime import datetime

from directory.cycles.judgement import GAP, NOTED_AFTER, Counted, Verdict
from directory.cycles.notes import Heard
from directory.database import CompanyTx, statement
from directory.findings.catalogue import FindingKind
from directory.findings.store import close_findings
from shared.ids import EmployeeId, employee_text

_ENTER = statement("cycles.enter", "select pg_advisory_xact_lock(hashtextextended('cycle ' || $1::uuid::text, 0))")

_GO_ON = statement(
    "cycles.go_on",
    """
    with running as (
        update cycles
        set started_at = least(started_at, $2), last_request_at = greatest(last_request_at, $3), requests = requests + $4,
            has_gaps = has_gaps or $5
        where company_id = $1 and looked_at is null and last_request_at >= $6
            and started_at = (select max(started_at) from cycles where company_id = $1)
        returning started_at
    ), begun as (
        insert into cycles (company_id, started_at, last_request_at, requests, has_gaps)
        select $1, $2, $3, $4, $5
        where not exists (select from running)
        returning started_at
    )
    select started_at from running union all select started_at from begun
    """,
)

# Whoever was asked about in this cycle already is not written again. Somebody who is not there (a create that was rolled back, a
# guess) is left out.
_NOTE = statement(
    "asked_about.note",
    """
    insert into asked_about (company_id, employee_id, asked_at, manager_asked_at)
    select $1, e.employee_id, told.asked_at, told.manager_asked_at
    from unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[]) as told (employee_id, asked_at, manager_asked_at)
    join employees e on e.company_id = $1 and e.employee_id = told.employee_id and e.state <> 'departed'
    order by e.employee_id
    on conflict (company_id, employee_id) do update
    set asked_at = greatest(asked_about.asked_at, excluded.asked_at),
        manager_asked_at = greatest(asked_about.manager_asked_at, excluded.manager_asked_at),
        kept_manager_id = case when excluded.manager_asked_at is null then asked_about.kept_manager_id end
    where asked_about.asked_at < $5
        or (excluded.manager_asked_at is not null
            and (asked_about.manager_asked_at < $5 or asked_about.manager_asked_at is null
                 or asked_about.kept_manager_id is not null))
    """,
)

_CLAIM = statement(
    "cycles.claim",
    """
    select started_at, requests, has_gaps
    from cycles
    where company_id = $1 and looked_at is null and last_request_at < $2
    order by started_at
    limit 1
    """,
)
_LOOKED_AT = statement(
    "cycles.looked_at", "update cycles set looked_at = $3, verdict = $4 where company_id = $1 and started_at = $2"
)

_PEOPLE = statement(
    "employees.count_of_entra",
    """
    select count(*)
    from (select from employees where company_id = $1 and state = 'active' and source = 'entra' limit $2) as people
    """,
)

# Of a manager who has no access himself the approvers' problems tell already; and where he left Entra's scope, Entra cannot ask.
_COUNT = statement(
    "asked_about.count",
    """
    select count(*) as people,
        count(*) filter (where a.asked_at >= $2) as asked,
        count(*) filter (where a.asked_at >= $2 and managed.yes) as managed,
        count(*) filter (where a.manager_asked_at >= $2 and managed.yes) as checked
    from employees e
    left join asked_about a on a.company_id = $1 and a.employee_id = e.employee_id
    left join employees m on m.company_id = $1 and m.employee_id = e.manager_id
    cross join lateral (select m.state = 'active' and e.owners -> 'manager_ref' ->> 0 = 'entra' as yes) as managed
    where e.company_id = $1 and e.state = 'active' and e.source = 'entra'
    """,
)

# Held, so that nobody's manager is another one before the finding about him stands. Whoever has changed just now is passed over:
# what was asked and written of him may not be noted yet.
_FLAG = statement(
    "findings.flag_cleared",
    """
    with cleared as materialized (
        select e.employee_id, e.manager_id
        from employees e
        join asked_about a on a.company_id = $1 and a.employee_id = e.employee_id
        join employees m on m.company_id = $1 and m.employee_id = e.manager_id
        where e.company_id = $1 and e.state = 'active' and e.source = 'entra' and m.state = 'active'
            and e.owners -> 'manager_ref' ->> 0 = 'entra' and (e.owners -> 'manager_ref' ->> 1)::timestamptz < $2
            and a.asked_at >= $2 and (a.manager_asked_at is null or a.manager_asked_at < $2)
            and a.kept_manager_id is distinct from e.manager_id and e.updated_at < $5
        order by e.employee_id
        for share of e
    )
    insert into findings (company_id, finding_id, kind, subject, employee_id, details, opened_at, last_seen_at, times)
    select $1, gen_random_uuid(), $3, 'emp_' || replace(employee_id::text, '-', ''), employee_id,
        jsonb_build_object('manager_id', 'emp_' || replace(manager_id::text, '-', ''), 'cycle_started_at', $2::timestamptz),
        $4, $4, 1
    from cleared
    on conflict (company_id, kind, subject) where closed_at is null
    do update set last_seen_at = excluded.last_seen_at, times = findings.times + 1, details = excluded.details
    """,
)

# What no request has closed: the manager has departed, somebody is HR's now, notes came late.
_CLOSE_OVER = statement(
    "findings.close_cleared",
    """
    update findings f
    set closed_at = $3
    where f.company_id = $1 and f.kind = $2 and f.closed_at is null and not exists (
        select from employees e
        left join asked_about a on a.company_id = $1 and a.employee_id = e.employee_id
        where e.company_id = $1 and e.employee_id = f.employee_id and e.state <> 'departed'
            and e.owners -> 'manager_ref' ->> 0 = 'entra'
            and 'emp_' || replace(e.manager_id::text, '-', '') = f.details ->> 'manager_id'
            and coalesce(a.manager_asked_at < (f.details ->> 'cycle_started_at')::timestamptz, true))
    """,
)

_KEEP = statement(
    "asked_about.keep", "update asked_about set kept_manager_id = $3 where company_id = $1 and employee_id = $2"
)

_CLEARED = FindingKind.manager_possibly_cleared.value


@dataclass(frozen=True, slots=True)
class Cycle:
    started_at: datetime
    requests: int
    has_gaps: bool


async def enter(tx: CompanyTx) -> None:
    """Before anybody is locked."""
    await tx.execute(_ENTER, tx.company_id)


async def note(tx: CompanyTx, heard: Heard) -> None:
    """The cycle goes on, or a new one begins; who was asked about in it, and whose manager is no open question any more."""
    await enter(tx)
    started_at = await tx.fetchval(
        _GO_ON, tx.company_id, heard.first, heard.last, heard.requests, heard.has_gaps, heard.first - GAP
    )
    if not heard.people:
        return
    people = sorted(heard.people.items())
    if seen := [employee_text(one) for one, asked in people if asked.manager_at is not None]:
        await close_findings(tx, FindingKind.manager_possibly_cleared, *seen)
    ids, at, manager_at = zip(*((one, asked.at, asked.manager_at) for one, asked in people), strict=True)
    await tx.execute(_NOTE, tx.company_id, ids, at, manager_at, started_at)


async def claim(tx: CompanyTx, ended_before: datetime) -> Cycle | None:
    """The oldest cycle that has ended and nobody has looked at, entered."""
    await enter(tx)
    row = await tx.fetchrow(_CLAIM, tx.company_id, ended_before)
    return Cycle(**dict(row)) if row is not None else None


async def looked_at(tx: CompanyTx, cycle: Cycle, verdict: Verdict) -> None:
    await tx.execute(_LOOKED_AT, tx.company_id, cycle.started_at, tx.now, verdict.value)


async def people_of_entra(tx: CompanyTx, at_most: int) -> int:
    """Active ones; counted no further than so many."""
    people: int = await tx.fetchval(_PEOPLE, tx.company_id, at_most)
    return people


async def count(tx: CompanyTx, since: datetime) -> Counted:
    row = await tx.fetchrow(_COUNT, tx.company_id, since)
    assert row is not None  # noqa: S101  an aggregate has one row
    return Counted(**dict(row))


async def flag(tx: CompanyTx, since: datetime) -> int:
    """Raises a finding for everybody who was asked about since, and whose manager was neither asked about nor written."""
    return await tx.execute(_FLAG, tx.company_id, since, _CLEARED, tx.now, tx.now - NOTED_AFTER)


async def close_over(tx: CompanyTx) -> int:
    return await tx.execute(_CLOSE_OVER, tx.company_id, _CLEARED, tx.now)


async def keep(tx: CompanyTx, employee_id: EmployeeId, manager_id: EmployeeId) -> None:
    """HR has looked: this manager stays, and is not asked about again until Entra has spoken of him."""
    await tx.execute(_KEEP, tx.company_id, employee_id, manager_id)
