"""Login traces, in SQL. The application writes and reads them; deleting is the owner's."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from directory.database import CompanyTx, statement
from directory.logins.decision import Flow
from directory.traces.steps import encoded
from shared.ids import EmployeeId, earliest_uuid7, uuid7_at
from shared.schemas.traces import Step
from shared.telemetry.tracing import current_trace_id

MAX_STEPS = 40
"""Of one attempt, however often it is answered."""
NEVER_ANSWERED_A_MINUTE = 20
"""So many of those that nobody answered are kept one by one; how many more there were stands in one row."""

# A login that we began may have been answered before, by something that was refused unread: it goes on. One that was decided on
# is over, and another answer to it is another attempt: then nothing is written here.
_INSERT = statement(
    "login_traces.insert",
    f"""
    insert into login_traces as t
        (company_id, login_trace_id, at, trace_id, outcome, employee_id, idp_initiated, signer_fingerprint, details,
         attempt_id, flow_id, is_test, name_key, steps)
    values ($1, $2, $3, $4, $5, $6, $7, $8, '{{}}', $9, $10, $11, $12, $13::jsonb || $14::jsonb)
    on conflict (company_id, attempt_id) do update
    set login_trace_id = excluded.login_trace_id, at = excluded.at, trace_id = excluded.trace_id, outcome = excluded.outcome,
        employee_id = excluded.employee_id, signer_fingerprint = excluded.signer_fingerprint, name_key = excluded.name_key,
        steps = t.steps || $14::jsonb
    where t.flow_id = excluded.flow_id and t.signer_fingerprint = '' and jsonb_array_length(t.steps) < {MAX_STEPS}
    """,  # noqa: S608  composed of constants
)

# What is refused unread decides nothing about an attempt that was decided on: it only stands there, too.
_INSERT_REFUSED = statement(
    "login_traces.insert_refused",
    f"""
    insert into login_traces as t
        (company_id, login_trace_id, at, trace_id, outcome, idp_initiated, signer_fingerprint, details, attempt_id, flow_id,
         is_test, times, steps)
    values ($1, $2, $3, $4, $5, $6, '', '{{}}', $7, $8, $9, $10, $11::jsonb || $12::jsonb)
    on conflict (company_id, attempt_id) do update
    set outcome = case when t.signer_fingerprint = '' then excluded.outcome else t.outcome end,
        steps = t.steps || $12::jsonb
    where t.flow_id = excluded.flow_id and jsonb_array_length(t.steps) < {MAX_STEPS}
    """,  # noqa: S608
)

_FLOWS = statement(
    "login_flows.named",
    """
    select flow_id, browser_sha256, return_to, expires_at, created_at, origin, is_test
    from login_flows
    where company_id = $1 and flow_id = any($2::text[])
    """,
)

_SESSION = statement(
    "login_traces.session",
    f"""
    update login_traces
    set outcome = $3, steps = steps || $4::jsonb
    where company_id = $1 and attempt_id = $2 and jsonb_array_length(steps) < {MAX_STEPS}
    """,  # noqa: S608
)

_REDEEMED = statement(
    "login_traces.redeemed",
    f"""
    update login_traces t
    set steps = t.steps || $3::jsonb
    from app_grants g
    join sessions s on s.company_id = $1 and s.session_id = g.session_id
    where g.company_id = $1 and g.grant_id = $2 and t.company_id = $1 and t.attempt_id = s.attempt_id
        and jsonb_array_length(t.steps) < {MAX_STEPS}
    """,  # noqa: S608
)

# The id is a UUIDv7 of the moment at which it began, so that it stands where it belongs. An attempt whose answer was refused
# unread has its trace already.
_NEVER_ANSWERED = statement(
    "login_flows.never_answered",
    f"""
    with over as (
        delete from login_flows
        where company_id = $1 and flow_id in (
            select flow_id from login_flows where company_id = $1 and expires_at <= $2
            order by expires_at limit $3 for update skip locked)
        returning flow_id, attempt_id, created_at, origin, is_test
    ), counted as (
        select over.*, date_trunc('minute', created_at) as minute,
            row_number() over (partition by date_trunc('minute', created_at) order by created_at, flow_id) as place
        from over
    ), told as (
        select attempt_id, flow_id, created_at, is_test, 1 as times, jsonb_build_array(jsonb_build_object(
            'step', 'started', 'at', created_at, 'facts', jsonb_build_object('by', 'us', 'from', origin))) as steps
        from counted where place <= {NEVER_ANSWERED_A_MINUTE} and attempt_id is not null
        union all
        select null, null, max(created_at), false, count(*), '[]'
        from counted where place > {NEVER_ANSWERED_A_MINUTE} or attempt_id is null group by minute
    ), written as (
        insert into login_traces (company_id, login_trace_id, at, trace_id, outcome, idp_initiated, signer_fingerprint, details,
            attempt_id, flow_id, is_test, times, steps)
        select $1,
            (lpad(to_hex((extract(epoch from created_at) * 1000)::bigint), 12, '0') || '7'
                || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid,
            created_at, '', 'never_answered', false, '', '{{}}', attempt_id, flow_id, is_test, times, steps
        from told
        on conflict (company_id, attempt_id) do nothing
    )
    select count(*) from over
    """,  # noqa: S608
)

_SHOWN = """t.login_trace_id, t.at, t.trace_id, t.outcome, t.employee_id, t.idp_initiated, t.attempt_id, t.is_test, t.times,
        t.name_key, t.flow_id, t.signer_fingerprint"""

_PAGE = statement(
    "login_traces.page",
    f"""
    select {_SHOWN}
    from login_traces t
    where t.company_id = $1 and ($2::uuid is null or t.login_trace_id < $2) and ($3::text is null or t.outcome = $3)
    order by t.login_trace_id desc
    limit $4
    """,  # noqa: S608
)

_PAGE_OF_PERSON = statement(
    "login_traces.page_of_person",
    f"""
    select {_SHOWN}
    from (
        select login_trace_id from login_traces where company_id = $1 and employee_id = any($5::uuid[])
        union
        select login_trace_id from login_traces where company_id = $1 and name_key = any($6::text[])
            and (employee_id is null or $7)
    ) as his
    join login_traces t on t.company_id = $1 and t.login_trace_id = his.login_trace_id
    where ($2::uuid is null or t.login_trace_id < $2) and ($3::text is null or t.outcome = $3)
    order by t.login_trace_id desc
    limit $4
    """,  # noqa: S608
)

_ONE = statement(
    "login_traces.read",
    f"select {_SHOWN}, t.steps from login_traces t where t.company_id = $1 and t.attempt_id = $2",  # noqa: S608
)

_UNDER_WAY = statement(
    "login_flows.under_way",
    "select flow_id, created_at, origin, is_test from login_flows where company_id = $1 and attempt_id = $2",
)

_NEVER_ANSWERED_SINCE = statement(
    "login_traces.never_answered_since",
    """
    select coalesce(sum(times), 0)::integer
    from login_traces
    where company_id = $1 and outcome = 'never_answered' and login_trace_id >= $2
    """,
)

_LAST_SESSION = statement(
    "events.last_session",
    """
    select max(at) from events where company_id = $1 and employee_id = any($2::uuid[]) and kind = 'session.opened'
    """,
)

_DAYS = statement("companies.traces_days", "select traces_days from companies where company_id = $1")

_TRIM = statement(
    "login_traces.trim",
    """
    delete from login_traces
    where company_id = $1 and login_trace_id in (
        select login_trace_id from login_traces where company_id = $1 and login_trace_id < $2
        order by login_trace_id limit $3 for update skip locked)
    """,
)

_NAMES_KEPT = statement(
    "login_traces.names", "select distinct name_key from login_traces where company_id = $1 and name_key is not null"
)

_ERASE = statement(
    "login_traces.erase", "delete from login_traces where company_id = $1 and name_key = any($2::text[])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An attempt that was decided on, as it is written down."""

    flow_id: str | None
    is_test: bool
    outcome: str
    employee_id: EmployeeId | None
    signer_fingerprint: str
    name_key: str
    beginning: Sequence[Step]
    """Not told again where the attempt has been written down before."""
    steps: Sequence[Step]


async def insert(tx: CompanyTx, attempt_id: str, told: Decided) -> bool:
    """False: the id is taken, by an attempt that is over or by another one."""
    written = await tx.execute(
        _INSERT,
        tx.company_id,
        uuid7_at(tx.now),
        tx.now,
        current_trace_id(),
        told.outcome,
        told.employee_id,
        told.flow_id is None,
        told.signer_fingerprint,
        attempt_id,
        told.flow_id,
        told.is_test,
        told.name_key,
        encoded(told.beginning),
        encoded(told.steps),
    )
    return written == 1


async def insert_refused(tx: CompanyTx, rows: Sequence[Sequence[object]]) -> None:
    await tx.executemany(_INSERT_REFUSED, [(tx.company_id, *row) for row in rows])


async def flows(tx: CompanyTx, flow_ids: Sequence[str]) -> dict[str, Flow]:
    rows = await tx.fetch(_FLOWS, tx.company_id, list(flow_ids)) if flow_ids else []
    return {row["flow_id"]: Flow(**{name: value for name, value in row.items() if name != "flow_id"}) for row in rows}


async def add_session(tx: CompanyTx, attempt_id: str, outcome: str, step: Step) -> None:
    await tx.execute(_SESSION, tx.company_id, attempt_id, outcome, encoded([step]))


async def add_redeemed(tx: CompanyTx, grant_id: uuid.UUID, step: Step) -> None:
    """While the grant still hangs on the session of the browser."""
    await tx.execute(_REDEEMED, tx.company_id, grant_id, encoded([step]))


async def never_answered(tx: CompanyTx, limit: int) -> int:
    """Logins whose time is over become traces; how many there were."""
    over: int = await tx.fetchval(_NEVER_ANSWERED, tx.company_id, tx.now, limit)
    return over


async def page(tx: CompanyTx, before: uuid.UUID | None, outcome: str | None, limit: int) -> list[asyncpg.Record]:
    """Newest first."""
    return await tx.fetch(_PAGE, tx.company_id, before, outcome, limit)


async def page_of_person(
    tx: CompanyTx,
    before: uuid.UUID | None,
    outcome: str | None,
    limit: int,
    people: Sequence[uuid.UUID],
    names: Sequence[str],
    *,
    anybodys: bool,
) -> list[asyncpg.Record]:
    """Theirs by id; and what was presented under one of the names, where it is nobody's, or `anybodys`."""
    return await tx.fetch(_PAGE_OF_PERSON, tx.company_id, before, outcome, limit, list(people), list(names), anybodys)


async def read(tx: CompanyTx, attempt_id: str) -> asyncpg.Record | None:
    return await tx.fetchrow(_ONE, tx.company_id, attempt_id)


async def under_way(tx: CompanyTx, attempt_id: str) -> asyncpg.Record | None:
    """One that we began and that may still be answered."""
    return await tx.fetchrow(_UNDER_WAY, tx.company_id, attempt_id)


async def never_answered_since(tx: CompanyTx, moment: datetime) -> int:
    count: int = await tx.fetchval(_NEVER_ANSWERED_SINCE, tx.company_id, earliest_uuid7(moment))
    return count


async def last_session(tx: CompanyTx, people: Sequence[uuid.UUID]) -> datetime | None:
    found: datetime | None = await tx.fetchval(_LAST_SESSION, tx.company_id, list(people)) if people else None
    return found


async def days(tx: CompanyTx) -> int:
    found: int = await tx.fetchval(_DAYS, tx.company_id)
    return found


async def trim(tx: CompanyTx, limit: int) -> int:
    """The oldest of those whose time is over."""
    return await tx.execute(_TRIM, tx.company_id, earliest_uuid7(tx.now - timedelta(days=await days(tx))), limit)


async def names_kept(tx: CompanyTx) -> set[str]:
    return {row["name_key"] for row in await tx.fetch(_NAMES_KEPT, tx.company_id)}


async def erase(tx: CompanyTx, names: Sequence[str]) -> int:
    """What was presented under one of these names; what is somebody's by id goes with him."""
    return await tx.execute(_ERASE, tx.company_id, list(names)) if names else 0
