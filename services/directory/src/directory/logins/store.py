"""Logins under way and sessions, in SQL. Every secret is a SHA-256 here."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg

from directory.companies.store import CONNECTION, connection_of
from directory.database import CompanyTx, statement
from directory.employees.approvers import left_after
from directory.employees.lifecycle import local_date
from directory.employees.matching import PRIVILEGED_ROLES
from directory.findings.catalogue import CLAIMS
from directory.logins.decision import Flow, LoginPolicy, Membership, OpenFinding, Person
from directory.logins.names import MAX_NAMES
from directory.logins.session_limits import ENDS_AT, LASTS_UNTIL, UNSEEN
from shared.attempts import attempt_of_flow
from shared.ids import EmployeeId
from shared.schemas.login import Connection, LoginAttempt

_PRIVILEGED = sorted(PRIVILEGED_ROLES)
_CLAIMS = sorted(CLAIMS)

_BEGIN_FLOW = statement(
    "login_flows.begin",
    f"""
    with flow as (
        insert into login_flows
            (company_id, flow_id, browser_sha256, return_to, created_at, expires_at, attempt_id, origin, is_test)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    )
    {CONNECTION}
    """,  # noqa: S608  composed of constants
)

# Both at once: an answer that is decided on is used up as a whole. The company first, as everywhere: whoever switches sign-on off
# or ends all sessions of a certificate comes before this is decided, or after its ticket is there to be ended.
_USE_UP = statement(
    "login_flows.use_up",
    """
    with company as materialized (
        select true from companies where company_id = $1 for share
    ), flow as (
        delete from login_flows
        where company_id = $1 and flow_id = $2
        returning browser_sha256, return_to, expires_at, created_at, origin, is_test
    ), seen as (
        insert into seen_assertions (company_id, assertion_sha256, expires_at)
        values ($1, $3, $4)
        on conflict (company_id, assertion_sha256) do nothing
        returning true as first_time
    )
    select flow.*, coalesce(first_time, false) as first_time
    from company
    left join flow on true
    left join seen on true
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
        exists (
            select from certificates
            where company_id = $1 and fingerprint = $2 and last_signed_at >= $5::timestamptz - interval '1 minute'
        ) as signer_noted,
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

# Each value is looked up for itself, so that each goes by its index however large the planner thinks companies are.
_LOOKED_UP = " union ".join(
    f"select employee_id from employees where company_id = $1 and {column} = {value}"  # noqa: S608  constants
    for column, value in [
        ("entra_object_id", "$2"),
        *((column, f"${5 + place}") for column in ("login_key", "email_key") for place in range(MAX_NAMES)),
    ]
)

# Locked in the order of ids, so that a suspension and a login of the same person happen one after the other; and asked once more
# of the row, for he may have been renamed while this waited for it.
_FIND_FOR_LOGIN = statement(
    "employees.find_for_login",
    f"""
    select found.*
    from (select employee_id from ({_LOOKED_UP}) as named order by employee_id) as his
    cross join lateral (
        select employee_id, state, login_key, email_key, entra_object_id, blocked_at is not null as blocked,
            rehire_asked_at is not null as awaits_rehire,
            entra_object_id is null and awaits_link_since is null and adoption_confirmed_at is null and roles && $3::text[]
                as guarded
        from employees
        where company_id = $1 and employee_id = his.employee_id
            and (entra_object_id = $2 or login_key = any($4::text[]) or email_key = any($4::text[]))
        for update
    ) as found
    """,  # noqa: S608  composed of constants
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
    update certificates c
    set last_signed_at = $3
    from (
        select last_signed_at
        from certificates
        where company_id = $1 and fingerprint = $2
            and (last_signed_at is null or last_signed_at < $3::timestamptz - interval '1 minute')
        for update
    ) as before
    where c.company_id = $1 and c.fingerprint = $2
    returning before.last_signed_at is null as first
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

_HAS_REPORTS = """exists (
            select 1 from employees r
            where r.company_id = $1 and r.manager_id = e.employee_id and r.employee_id <> e.employee_id
                and (r.state = 'active' or r.termination_date > $3)
        ) as has_reports"""

# The company first, as everywhere; then the person, before his ticket: the order in which a suspension locks them. While his row
# is held nobody else opens, drops or ends anything of his; a ticket that went while this waited is gone when it is used.
_HOLD_TICKET = statement(
    "login_tickets.hold",
    f"""
    with company as materialized (
        select ends_at from companies where company_id = $1 for share
    )
    select t.browser_sha256, t.return_to, t.expires_at, t.attempt_id,
        case when e.blocked_at is null and company.ends_at is null then e.state else 'suspended' end as state,
        e.employee_id, e.login_name, e.email, e.given_name, e.family_name, e.roles, {_HAS_REPORTS}
    from company
    cross join employees e
    join login_tickets t on t.company_id = $1 and t.ticket_sha256 = $2
    where e.company_id = $1 and e.employee_id = t.employee_id
    for update of e
    """,  # noqa: S608  composed of constants
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

_DROP_TICKET = statement(
    "login_tickets.drop",
    """
    delete from login_tickets
    where company_id = $1 and ticket_sha256 = $2 and (browser_sha256 is null or browser_sha256 = any($3::bytea[]))
    """,
)

_DISCARD_TICKET = statement(
    "login_tickets.discard", "delete from login_tickets where company_id = $1 and ticket_sha256 = $2"
)

_OPEN_SESSION = statement(
    "sessions.open",
    """
    with ticket as (
        delete from login_tickets
        where company_id = $1 and ticket_sha256 = $2
        returning employee_id, name_id, name_id_format, session_index, attempt_id, authenticated_at
    ), session as (
        insert into sessions
            (company_id, session_sha256, employee_id, name_id, name_id_format, session_index, signed_in_at, expires_at,
             attempt_id, authenticated_at)
        select $1, $3, t.employee_id, t.name_id, t.name_id_format, t.session_index, $4::timestamptz,
            least($5::timestamptz, $4::timestamptz + make_interval(hours => c.session_hours)), t.attempt_id, t.authenticated_at
        from ticket t
        join companies c on c.company_id = $1
        returning session_id, expires_at
    )
    select session_id, session.expires_at, name as company_name
    from session
    join companies on company_id = $1
    """,
)

_READ_SESSION = statement(
    "sessions.read",
    f"""
    select s.session_id, s.employee_id, s.signed_in_at, {LASTS_UNTIL} as expires_at,
        {UNSEEN} < $4 as unseen, e.login_name, e.email, e.given_name, e.family_name, e.roles, {_HAS_REPORTS}
    from sessions s
    join employees e on e.company_id = s.company_id and e.employee_id = s.employee_id
    join companies c on c.company_id = $1
    where s.company_id = $1 and s.session_sha256 = $2 and s.client_id is null and {ENDS_AT} > $4
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


async def begin_flow(
    tx: CompanyTx,
    flow_id: str,
    *,
    browser_sha256: bytes,
    return_to: str,
    expires_at: datetime,
    origin: str,
    is_test: bool,
) -> Connection:
    """How the company signs on; with it, the flow."""
    row = await tx.fetchrow(
        _BEGIN_FLOW,
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
    assert row is not None  # noqa: S101  a company has a connection from its first moment
    return connection_of(tx, row)


async def use_up(
    tx: CompanyTx, flow_id: str | None, assertion_sha256: bytes, expires_at: datetime
) -> tuple[Flow | None, bool]:
    """An answer's flow and its assertion, both gone with this: also where the flow's time is over.

    The flow is None where it never was, or is used; False: this assertion has been seen before. Decided by unique keys, so also
    between processes.
    """
    row = await tx.fetchrow(_USE_UP, tx.company_id, flow_id, assertion_sha256, expires_at)
    assert row is not None  # noqa: S101  one row, whatever there was
    of_flow = {name: value for name, value in row.items() if name != "first_time"}
    return Flow(**of_flow) if row["browser_sha256"] is not None else None, row["first_time"]


async def remember_assertion(tx: CompanyTx, assertion_sha256: bytes, expires_at: datetime) -> bool:
    """False: this assertion has been seen before. Decided by a unique index, so also between processes."""
    return await tx.execute(_REMEMBER_ASSERTION, tx.company_id, assertion_sha256, expires_at) == 1


async def login_policy(tx: CompanyTx, signer_fingerprint: str, people: Sequence[Person]) -> LoginPolicy:
    """What the company demands, and the groups that these people are in; they are locked, so nobody takes them out now."""
    ids = [one.employee_id for one in people]
    row = await tx.fetchrow(_POLICY, tx.company_id, signer_fingerprint, ids, _CLAIMS, tx.now)
    assert row is not None  # noqa: S101  a company has a connection from its first moment
    memberships = tuple(Membership(EmployeeId(one), object_id, key) for one, object_id, key in row["memberships"])
    told = tuple(OpenFinding(kind, employee_id, seen_at) for kind, employee_id, seen_at in row["open_findings"])
    return LoginPolicy(**{**dict(row), "memberships": memberships, "open_findings": told})


async def find_for_login(tx: CompanyTx, object_id: UUID, keys: list[str]) -> list[Person]:
    """Everybody whom the assertion could mean, locked, also those who have departed."""
    names = [*keys, *[None] * (MAX_NAMES - len(keys))]
    rows = await tx.fetch(_FIND_FOR_LOGIN, tx.company_id, object_id, _PRIVILEGED, keys, *names)
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


async def certificate_signed(tx: CompanyTx, fingerprint: str) -> bool:
    """Remember, to the minute, which certificate is in use. True: never before; of several at once, one is told so."""
    return bool(await tx.fetchval(_CERTIFICATE_SIGNED, tx.company_id, fingerprint, tx.now))


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


async def drop_ticket(tx: CompanyTx, ticket_sha256: bytes, browsers_sha256: Sequence[bytes]) -> bool:
    """Whether there was one that is bound to one of these browsers, or to none; it is gone with this."""
    return await tx.execute(_DROP_TICKET, tx.company_id, ticket_sha256, browsers_sha256) == 1


async def discard_ticket(tx: CompanyTx, ticket_sha256: bytes) -> bool:
    """It was brought and did not do. False: it was gone already."""
    return await tx.execute(_DISCARD_TICKET, tx.company_id, ticket_sha256) == 1


async def open_session(
    tx: CompanyTx, ticket_sha256: bytes, session_sha256: bytes, expires_at: datetime
) -> asyncpg.Record | None:
    """A session for a ticket, which is gone with this; None where it was gone before.

    With the session's id and when it ends: at `expires_at`, or sooner where the company wants it so.
    """
    return await tx.fetchrow(_OPEN_SESSION, tx.company_id, ticket_sha256, session_sha256, tx.now, expires_at)


async def ask(tx: CompanyTx, ticket_sha256: bytes, until: datetime) -> asyncpg.Record | None:
    """Whose ticket it is, by name, and until when it is good: `until` the first time, and no longer than that later."""
    return await tx.fetchrow(_ASK, tx.company_id, ticket_sha256, until)


async def hold_ticket(tx: CompanyTx, ticket_sha256: bytes) -> asyncpg.Record | None:
    """The ticket, also where it has expired, with its owner, his state as of `lock_person`, and held as by that."""
    return await tx.fetchrow(_HOLD_TICKET, tx.company_id, ticket_sha256, _reports_left_after(tx))


async def lock_person(tx: CompanyTx, employee_id: EmployeeId) -> str | None:
    """His state, held until the transaction ends, so that neither a suspension nor the end of the company slips in between.

    Who is blocked is suspended, and so is everybody in a company that is closed.
    """
    state: str | None = await tx.fetchval(_LOCK_PERSON, tx.company_id, employee_id)
    return state


async def read_session(tx: CompanyTx, session_sha256: bytes) -> asyncpg.Record | None:
    """The session with its owner, if it is live and he is active."""
    return await tx.fetchrow(_READ_SESSION, tx.company_id, session_sha256, _reports_left_after(tx), tx.now)


def _reports_left_after(tx: CompanyTx) -> date:
    """Of those who have departed, only whoever has left after this day counts as somebody's report."""
    return left_after(local_date(tx.now, tx.company.time_zone))


async def hold_company(tx: CompanyTx) -> None:
    """Until the transaction ends the company is neither closed nor moved: whoever ends all sessions comes before or after."""
    await tx.fetchval(_HOLD_COMPANY, tx.company_id)


async def is_closed(tx: CompanyTx) -> bool:
    closed: bool = await tx.fetchval(_IS_CLOSED, tx.company_id)
    return closed


async def session_holder(tx: CompanyTx, session_sha256: bytes) -> asyncpg.Record | None:
    """Who holds a browser's live session: id of the session, of the person, and his names."""
    return await tx.fetchrow(_HOLDER, tx.company_id, session_sha256, tx.now)
