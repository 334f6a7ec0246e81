"""Logins under way and sessions, in SQL. Every secret is a SHA-256 here."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from directory.database import CompanyTx, statement
from directory.employees.approvers import left_after
from directory.employees.lifecycle import local_date
from directory.employees.matching import PRIVILEGED_ROLES
from directory.findings.catalogue import CLAIMS
from directory.logins.decision import Flow, LoginPolicy, Membership, OpenFinding, Person
from directory.logins.session_limits import ENDS_AT, LASTS_UNTIL, UNSEEN
from shared.attempts import attempt_of_flow
from shared.ids import EmployeeId
from shared.schemas.login import LoginAttempt

_PRIVILEGED = sorted(PRIVILEGED_ROLES)
_CLAIMS = sorted(CLAIMS)

_INSERT_FLOW = statement(
    "login_flows.insert",
    """
    insert into login_flows
        (company_id, flow_id, browser_sha256, return_to, created_at, expires_at, attempt_id, origin, is_test)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    """,
)

_CONSUME_FLOW = statement(
    "login_flows.consume",
    """
    delete from login_flows
    where company_id = $1 and flow_id = $2
    returning browser_sha256, return_to, expires_at, created_at, origin, is_test
    """,
)

_REMEMBER_ASSERTION = statement(
    "seen_assertions.remember",
    """
    insert into seen_assertions (company_id, assertion_sha256, expires_at)
    values ($1, $2, $3)
    on conflict (company_id, assertion_sha256) do nothing
    """,
)

_POLICY = statement(
    "connections.login_policy",
    """
    select sso_enabled, idp_initiated, group_check, group_id, group_name, tenant_id,
        exists (select from certificates where company_id = $1 and fingerprint = $2) as signer_trusted,
        array(
            select row(m.employee_id, g.entra_object_id, g.name_key)
            from group_members m
            join groups g on g.company_id = $1 and g.group_id = m.group_id
            where m.company_id = $1 and m.employee_id = any($3::uuid[])
        ) as memberships,
        array(
            select row(f.kind, f.employee_id, f.last_seen_at)
            from findings f
            where f.company_id = $1 and f.kind = any($4::text[]) and f.subject = 'company' and f.closed_at is null
        ) as open_findings
    from connections
    where company_id = $1
    """,
)

# Locked, so that a suspension and a login of the same person happen one after the other.
_FIND_FOR_LOGIN = statement(
    "employees.find_for_login",
    """
    select employee_id, state, login_key, email_key, entra_object_id, blocked_at is not null as blocked,
        rehire_asked_at is not null as awaits_rehire,
        entra_object_id is null and awaits_link_since is null and adoption_confirmed_at is null and roles && $4::text[]
            as guarded
    from employees
    where company_id = $1 and (entra_object_id = $2 or login_key = any($3::text[]) or email_key = any($3::text[]))
    order by employee_id
    for update
    """,
)

_LINK_OBJECT_ID = statement(
    "employees.link_object_id",
    """
    update employees
    set entra_object_id = $3, awaits_link_since = null, updated_at = $4, version = version + 1
    where company_id = $1 and employee_id = $2
    """,
)

_CERTIFICATE_SIGNED = statement(
    "certificates.signed",
    """
    update certificates
    set last_signed_at = $3
    where company_id = $1 and fingerprint = $2
        and (last_signed_at is null or last_signed_at < $3::timestamptz - interval '1 minute')
    """,
)

_INSERT_TICKET = statement(
    "login_tickets.insert",
    """
    insert into login_tickets
        (company_id, ticket_sha256, employee_id, browser_sha256, return_to, name_id, name_id_format, session_index, expires_at,
         attempt_id, authenticated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    """,
)

# The company first, as everywhere; then the person, before his ticket: the order in which a suspension locks them.
_LOCK_OWNER = statement(
    "login_tickets.lock_owner",
    """
    with company as materialized (
        select ends_at from companies where company_id = $1 for share
    )
    select e.employee_id,
        case when e.blocked_at is null and company.ends_at is null then e.state else 'suspended' end as state
    from company
    cross join employees e
    where e.company_id = $1
        and e.employee_id = (select employee_id from login_tickets where company_id = $1 and ticket_sha256 = $2)
    for update of e
    """,
)

# Once: whoever loads the page again has no more time for it.
_ASK = statement(
    "login_tickets.ask",
    """
    with asked as (
        update login_tickets
        set choice_until = coalesce(choice_until, $3), expires_at = coalesce(choice_until, $3)
        where company_id = $1 and ticket_sha256 = $2
        returning employee_id, expires_at
    )
    select e.login_name, e.given_name, e.family_name, asked.expires_at
    from asked
    join employees e on e.company_id = $1 and e.employee_id = asked.employee_id
    """,
)

_READ_TICKET = statement(
    "login_tickets.read",
    """
    select employee_id, browser_sha256, return_to, expires_at, attempt_id
    from login_tickets
    where company_id = $1 and ticket_sha256 = $2
    for update
    """,
)

_CONSUME_TICKET = statement(
    "login_tickets.consume",
    """
    delete from login_tickets
    where company_id = $1 and ticket_sha256 = $2
    returning employee_id, browser_sha256, return_to, name_id, name_id_format, session_index, expires_at, attempt_id,
        authenticated_at, (select name from companies where company_id = $1) as company_name
    """,
)

_INSERT_SESSION = statement(
    "sessions.insert",
    """
    insert into sessions
        (company_id, session_sha256, employee_id, name_id, name_id_format, session_index, signed_in_at, expires_at,
         attempt_id, authenticated_at)
    select $1, $2, $3, $4, $5, $6, $7::timestamptz,
        least($8::timestamptz, $7::timestamptz + make_interval(hours => session_hours)), $9, $10::timestamptz
    from companies
    where company_id = $1
    returning session_id, expires_at
    """,
)

_READ_SESSION = statement(
    "sessions.read",
    f"""
    select s.session_id, s.employee_id, s.signed_in_at, {LASTS_UNTIL} as expires_at,
        {UNSEEN} < $3 as unseen, e.login_name, e.email, e.given_name, e.family_name, e.roles,
        exists (
            select 1 from employees r
            where r.company_id = $1 and r.manager_id = e.employee_id and r.employee_id <> e.employee_id
                and (r.state = 'active' or r.termination_date > $4)
        ) as has_reports
    from sessions s
    join employees e on e.company_id = s.company_id and e.employee_id = s.employee_id
    join companies c on c.company_id = $1
    where s.company_id = $1 and s.session_sha256 = $2 and s.client_id is null and {ENDS_AT} > $3
        and e.state = 'active' and e.blocked_at is null
    """,  # noqa: S608  composed of constants
)

_HOLD_COMPANY = statement("companies.hold", "select true from companies where company_id = $1 for share")

_IS_CLOSED = statement("companies.is_closed", "select ends_at is not null from companies where company_id = $1")

_HOLDER = statement(
    "sessions.holder",
    f"""
    select s.session_id, s.employee_id, e.login_name, e.given_name, e.family_name
    from sessions s
    join employees e on e.company_id = $1 and e.employee_id = s.employee_id
    join companies c on c.company_id = $1
    where s.company_id = $1 and s.session_sha256 = $2 and s.client_id is null and {ENDS_AT} > $3
    """,  # noqa: S608  composed of constants
)

# The company first, as everywhere.
_LOCK_PERSON = statement(
    "employees.lock_for_session",
    """
    with company as materialized (
        select ends_at from companies where company_id = $1 for share
    )
    select case when e.blocked_at is null and company.ends_at is null then e.state else 'suspended' end
    from company
    cross join employees e
    where e.company_id = $1 and e.employee_id = $2
    for update of e
    """,
)


async def insert_flow(
    tx: CompanyTx,
    flow_id: str,
    *,
    browser_sha256: bytes,
    return_to: str,
    expires_at: datetime,
    origin: str = "page",
    is_test: bool = False,
) -> None:
    await tx.execute(
        _INSERT_FLOW,
        tx.company_id,
        flow_id,
        browser_sha256,
        return_to,
        tx.now,
        expires_at,
        attempt_of_flow(flow_id),
        origin,
        is_test,
    )


async def consume_flow(tx: CompanyTx, flow_id: str) -> Flow | None:
    """The flow, which is gone with this, also where its time is over; None for one that never was, or is used."""
    row = await tx.fetchrow(_CONSUME_FLOW, tx.company_id, flow_id)
    return Flow(**row) if row is not None else None


async def remember_assertion(tx: CompanyTx, assertion_sha256: bytes, expires_at: datetime) -> bool:
    """False: this assertion has been seen before. Decided by a unique index, so also between processes."""
    return await tx.execute(_REMEMBER_ASSERTION, tx.company_id, assertion_sha256, expires_at) == 1


async def login_policy(tx: CompanyTx, signer_fingerprint: str, people: Sequence[Person]) -> LoginPolicy:
    """What the company demands, and the groups that these people are in; they are locked, so nobody takes them out now."""
    ids = [one.employee_id for one in people]
    row = await tx.fetchrow(_POLICY, tx.company_id, signer_fingerprint, ids, _CLAIMS)
    assert row is not None  # noqa: S101  a company has a connection from its first moment
    memberships = tuple(Membership(EmployeeId(one), object_id, key) for one, object_id, key in row["memberships"])
    told = tuple(OpenFinding(kind, employee_id, seen_at) for kind, employee_id, seen_at in row["open_findings"])
    return LoginPolicy(**{**dict(row), "memberships": memberships, "open_findings": told})


async def find_for_login(tx: CompanyTx, object_id: UUID, keys: list[str]) -> list[Person]:
    """Everybody whom the assertion could mean, locked, also those who have departed."""
    rows = await tx.fetch(_FIND_FOR_LOGIN, tx.company_id, object_id, keys, _PRIVILEGED)
    return [
        Person(
            EmployeeId(row["employee_id"]),
            row["state"],
            row["login_key"],
            row["email_key"],
            row["entra_object_id"],
            row["blocked"],
            row["awaits_rehire"],
            row["guarded"],
        )
        for row in rows
    ]


async def link_object_id(tx: CompanyTx, employee_id: EmployeeId, object_id: UUID) -> None:
    await tx.execute(_LINK_OBJECT_ID, tx.company_id, employee_id, object_id, tx.now)


async def certificate_signed(tx: CompanyTx, fingerprint: str) -> None:
    """Remember, to the minute, which certificate is in use."""
    await tx.execute(_CERTIFICATE_SIGNED, tx.company_id, fingerprint, tx.now)


async def insert_ticket(
    tx: CompanyTx,
    attempt: LoginAttempt,
    employee_id: EmployeeId,
    *,
    ticket_sha256: bytes,
    browser_sha256: bytes | None,
    return_to: str,
    expires_at: datetime,
    attempt_id: str,
) -> None:
    await tx.execute(
        _INSERT_TICKET,
        tx.company_id,
        ticket_sha256,
        employee_id,
        browser_sha256,
        return_to,
        attempt.name_id,
        attempt.name_id_format,
        attempt.session_index,
        expires_at,
        attempt_id,
        attempt.authenticated_at,
    )


async def consume_ticket(tx: CompanyTx, ticket_sha256: bytes) -> asyncpg.Record | None:
    """The ticket's row, which is gone with this; also where it has expired."""
    return await tx.fetchrow(_CONSUME_TICKET, tx.company_id, ticket_sha256)


async def read_ticket(tx: CompanyTx, ticket_sha256: bytes) -> asyncpg.Record | None:
    """The ticket, which stays, and is held until the transaction ends; also where it has expired."""
    return await tx.fetchrow(_READ_TICKET, tx.company_id, ticket_sha256)


async def ask(tx: CompanyTx, ticket_sha256: bytes, until: datetime) -> asyncpg.Record | None:
    """Whose ticket it is, by name, and until when it is good: `until` the first time, and no longer than that later."""
    return await tx.fetchrow(_ASK, tx.company_id, ticket_sha256, until)


async def lock_ticket_owner(tx: CompanyTx, ticket_sha256: bytes) -> str | None:
    """The state of him whose ticket it is, held as by `lock_person`; None where there is no such ticket."""
    row = await tx.fetchrow(_LOCK_OWNER, tx.company_id, ticket_sha256)
    return row["state"] if row is not None else None


async def lock_person(tx: CompanyTx, employee_id: EmployeeId) -> str | None:
    """His state, held until the transaction ends, so that neither a suspension nor the end of the company slips in between.

    Who is blocked is suspended, and so is everybody in a company that is closed.
    """
    state: str | None = await tx.fetchval(_LOCK_PERSON, tx.company_id, employee_id)
    return state


async def insert_session(
    tx: CompanyTx, session_sha256: bytes, ticket: asyncpg.Record, expires_at: datetime
) -> asyncpg.Record:
    """Its id, and when it ends: at `expires_at`, or sooner where the company wants it so."""
    row = await tx.fetchrow(
        _INSERT_SESSION,
        tx.company_id,
        session_sha256,
        ticket["employee_id"],
        ticket["name_id"],
        ticket["name_id_format"],
        ticket["session_index"],
        tx.now,
        expires_at,
        ticket["attempt_id"],
        ticket["authenticated_at"],
    )
    assert row is not None  # noqa: S101  there is a company
    return row


async def read_session(tx: CompanyTx, session_sha256: bytes) -> asyncpg.Record | None:
    """The session with its owner, if it is live and he is active."""
    reports_left_after = left_after(local_date(tx.now, tx.company.time_zone))
    return await tx.fetchrow(_READ_SESSION, tx.company_id, session_sha256, tx.now, reports_left_after)


async def hold_company(tx: CompanyTx) -> None:
    """Until the transaction ends the company is neither closed nor moved: whoever ends all sessions comes before or after."""
    await tx.fetchval(_HOLD_COMPANY, tx.company_id)


async def is_closed(tx: CompanyTx) -> bool:
    closed: bool = await tx.fetchval(_IS_CLOSED, tx.company_id)
    return closed


async def session_holder(tx: CompanyTx, session_sha256: bytes) -> asyncpg.Record | None:
    """Who holds a browser's live session: id of the session, of the person, and his names."""
    return await tx.fetchrow(_HOLDER, tx.company_id, session_sha256, tx.now)
