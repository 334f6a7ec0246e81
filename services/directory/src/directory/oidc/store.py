"""What apps hold, in SQL. Every secret is a SHA-256 here."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from directory.database import CompanyTx, statement
from directory.employees.approvers import left_after
from directory.employees.lifecycle import local_date
from directory.logins.session_limits import ENDS_AT, LASTS_UNTIL, UNSEEN
from directory.oidc.decision import CodeRow, FamilyRow
from shared.ids import EmployeeId
from shared.schemas.oidc import IssueCode

# Held, so that what hangs on it is not hung on something that ends at this moment.
_SESSION = statement(
    "sessions.hold_for_code",
    f"""
    select s.session_id, s.employee_id, coalesce(s.authenticated_at, s.signed_in_at) as authenticated_at
    from sessions s
    join employees e on e.company_id = s.company_id and e.employee_id = s.employee_id
    join companies c on c.company_id = $1
    where s.company_id = $1 and s.session_sha256 = $2 and s.client_id is null and {ENDS_AT} > $3
        and e.state = 'active' and e.blocked_at is null
    for key share of s
    """,  # noqa: S608  composed of constants
)

_INSERT = statement(
    "app_grants.insert",
    """
    insert into app_grants
        (company_id, grant_id, session_id, client_id, redirect_uri, scopes, nonce, authenticated_at, code_sha256,
         code_challenge, code_expires_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    """,
)

_OWNER_OF_CODE = statement(
    "app_grants.owner_of_code",
    """
    select s.employee_id
    from app_grants g
    join sessions s on s.company_id = g.company_id and s.session_id = g.session_id
    where g.company_id = $1 and g.code_sha256 = $2
    """,
)

_REDEEM = statement(
    "app_grants.redeem",
    f"""
    update app_grants
    set redeemed_at = $3, refreshed_at = $3, family_sha256 = $7, refresh_sha256 = $8
    where company_id = $1 and code_sha256 = $2 and redeemed_at is null and code_expires_at > $3
        and client_id = $4 and redirect_uri = $5 and code_challenge = $6
        and exists (
            select from sessions s
            join companies c on c.company_id = $1
            where s.company_id = $1 and s.session_id = app_grants.session_id and {ENDS_AT} > $3
        )
    returning grant_id, scopes
    """,  # noqa: S608  composed of constants
)

_CODE = statement(
    "app_grants.by_code",
    f"""
    select g.grant_id, g.client_id, g.redeemed_at is not null as redeemed, g.code_expires_at as expires_at,
        {ENDS_AT} > $3 as lives
    from app_grants g
    join sessions s on s.company_id = $1 and s.session_id = g.session_id
    join companies c on c.company_id = $1
    where g.company_id = $1 and g.code_sha256 = $2
    """,  # noqa: S608  composed of constants
)

# A hash that no cookie can have: nobody knows what it would be the hash of.
_OWN_SESSION = statement(
    "sessions.open_for_app",
    """
    with own as (
        insert into sessions
            (company_id, session_sha256, employee_id, name_id, name_id_format, signed_in_at, expires_at, client_id,
             authenticated_at)
        select s.company_id, $3, s.employee_id, s.name_id, s.name_id_format, s.signed_in_at, $4, g.client_id,
            s.authenticated_at
        from app_grants g
        join sessions s on s.company_id = $1 and s.session_id = g.session_id
        where g.company_id = $1 and g.grant_id = $2
        returning session_id
    )
    select session_id from own
    """,
)
_HANG_ON = statement(
    "app_grants.hang_on",
    "update app_grants set session_id = $3 where company_id = $1 and grant_id = $2",
)

# Before the grant is touched: the order in which a suspension takes a session and what hangs on it.
_SEEN = statement(
    "sessions.seen_by_app",
    f"""
    update sessions s
    set seen_at = $4
    from app_grants g, companies c
    where c.company_id = $1 and g.company_id = $1 and g.family_sha256 = $2 and g.refresh_sha256 = $3
        and s.company_id = $1 and s.session_id = g.session_id and {ENDS_AT} > $4 and {UNSEEN} < $4
    """,  # noqa: S608  composed of constants
)
_ROTATE = statement(
    "app_grants.rotate",
    f"""
    update app_grants g
    set former_sha256 = g.refresh_sha256, refresh_sha256 = $4, refreshed_at = $5
    from sessions s, employees e, companies c
    where c.company_id = $1 and g.company_id = $1 and g.family_sha256 = $2 and g.refresh_sha256 = $3 and g.client_id = $6
        and s.company_id = $1 and s.session_id = g.session_id and {ENDS_AT} > $5
        and e.company_id = $1 and e.employee_id = s.employee_id and e.state = 'active' and e.blocked_at is null
    returning g.grant_id
    """,  # noqa: S608  composed of constants
)

_FAMILY = statement(
    "app_grants.by_family",
    f"""
    select g.grant_id, g.client_id, g.refresh_sha256, g.former_sha256, g.refreshed_at,
        {ENDS_AT} > $3 and e.state = 'active' and e.blocked_at is null as lives
    from app_grants g
    join sessions s on s.company_id = $1 and s.session_id = g.session_id
    join employees e on e.company_id = $1 and e.employee_id = s.employee_id
    join companies c on c.company_id = $1
    where g.company_id = $1 and g.family_sha256 = $2
    """,  # noqa: S608  composed of constants
)

_READ = f"""
    select g.grant_id, g.session_id, g.client_id, g.scopes, g.nonce, g.authenticated_at, {LASTS_UNTIL} as expires_at,
        s.employee_id, e.login_name, e.email, e.given_name, e.family_name, e.roles,
        exists (
            select 1 from employees r
            where r.company_id = $1 and r.manager_id = e.employee_id and r.employee_id <> e.employee_id
                and (r.state = 'active' or r.termination_date > $3)
        ) as has_reports
    from app_grants g
    join sessions s on s.company_id = $1 and s.session_id = g.session_id
    join employees e on e.company_id = $1 and e.employee_id = s.employee_id
    join companies c on c.company_id = $1
    where g.company_id = $1 and g.redeemed_at is not null and {ENDS_AT} > $2
        and e.state = 'active' and e.blocked_at is null
"""  # noqa: S608  composed of constants
_READ_BY_ID = statement("app_grants.read", f"{_READ} and g.grant_id = $4")
_READ_BY_TOKEN = statement("app_grants.read_by_token", f"{_READ} and g.family_sha256 = $4 and g.refresh_sha256 = $5")

_TO_END = statement(
    "app_grants.to_end",
    """
    select g.grant_id, g.client_id, s.session_id, s.employee_id, s.client_id is not null as own_session
    from app_grants g
    join sessions s on s.company_id = $1 and s.session_id = g.session_id
    where g.company_id = $1 and (g.grant_id = $2 or g.family_sha256 = $3)
    """,
)

# Whose person is locked.
_CROWDED_OUT = statement(
    "app_grants.crowded_out",
    """
    select g.grant_id, g.client_id, s.session_id, s.employee_id, s.client_id is not null as own_session
    from sessions s
    join app_grants g on g.company_id = $1 and g.session_id = s.session_id
    where s.company_id = $1 and s.employee_id = $2 and g.client_id = $3 and g.redeemed_at is not null
    order by g.redeemed_at desc, g.grant_id
    offset $4
    """,
)

_END = statement(
    "app_grants.end",
    """
    delete from app_grants
    where company_id = $1 and grant_id = $2
    returning pg_notify('sessions_ended', $1::text || '/' || $3::uuid::text)
    """,
)

_CARRY_OVER = statement(
    "app_grants.carry_over",
    """
    update app_grants
    set session_id = (select session_id from sessions where company_id = $1 and session_sha256 = $3)
    where company_id = $1
        and session_id = (select session_id from sessions where company_id = $1 and session_sha256 = $2)
    """,
)


async def hold_session(tx: CompanyTx, session_sha256: bytes) -> asyncpg.Record | None:
    """A browser's live session; it does not end until the transaction does."""
    return await tx.fetchrow(_SESSION, tx.company_id, session_sha256, tx.now)


async def insert(
    tx: CompanyTx,
    grant_id: UUID,
    session: asyncpg.Record,
    asked: IssueCode,
    *,
    code_sha256: bytes,
    code_challenge: bytes,
    expires_at: datetime,
) -> None:
    await tx.execute(
        _INSERT,
        tx.company_id,
        grant_id,
        session["session_id"],
        asked.client_id,
        asked.redirect_uri,
        asked.scopes,
        asked.nonce,
        session["authenticated_at"],
        code_sha256,
        code_challenge,
        expires_at,
    )


async def owner_of_code(tx: CompanyTx, code_sha256: bytes) -> EmployeeId | None:
    owner = await tx.fetchval(_OWNER_OF_CODE, tx.company_id, code_sha256)
    return EmployeeId(owner) if owner is not None else None


async def redeem(
    tx: CompanyTx,
    code_sha256: bytes,
    *,
    client_id: str,
    redirect_uri: str,
    code_challenge: bytes,
    family_sha256: bytes | None,
    refresh_sha256: bytes | None,
) -> asyncpg.Record | None:
    """Id and scopes of what the code stands for, once; None where it does not do."""
    proof = (client_id, redirect_uri, code_challenge)
    return await tx.fetchrow(_REDEEM, tx.company_id, code_sha256, tx.now, *proof, family_sha256, refresh_sha256)


async def find_code(tx: CompanyTx, code_sha256: bytes) -> tuple[UUID, CodeRow] | None:
    row = await tx.fetchrow(_CODE, tx.company_id, code_sha256, tx.now)
    if row is None:
        return None
    return row["grant_id"], CodeRow(row["client_id"], row["redeemed"], row["expires_at"], row["lives"])


async def open_own_session(tx: CompanyTx, grant_id: UUID, session_sha256: bytes, expires_at: datetime) -> None:
    """The app's own session, on which the grant hangs from now on."""
    own = await tx.fetchval(_OWN_SESSION, tx.company_id, grant_id, session_sha256, expires_at)
    await tx.execute(_HANG_ON, tx.company_id, grant_id, own)


async def rotate(tx: CompanyTx, family: bytes, presented: bytes, successor: bytes, client_id: str) -> UUID | None:
    """The grant, whose next refresh token is the successor now; None where the presented one was not the next."""
    await tx.execute(_SEEN, tx.company_id, family, presented, tx.now)
    found: UUID | None = await tx.fetchval(_ROTATE, tx.company_id, family, presented, successor, tx.now, client_id)
    return found


async def find_family(tx: CompanyTx, family: bytes) -> tuple[UUID, FamilyRow] | None:
    row = await tx.fetchrow(_FAMILY, tx.company_id, family, tx.now)
    if row is None:
        return None
    facts = (row["client_id"], row["refresh_sha256"], row["former_sha256"], row["refreshed_at"], row["lives"])
    return row["grant_id"], FamilyRow(*facts)


async def read(tx: CompanyTx, grant_id: UUID) -> asyncpg.Record | None:
    """What was given and is still good, and on whose behalf."""
    return await tx.fetchrow(_READ_BY_ID, tx.company_id, tx.now, _reports_left_after(tx), grant_id)


async def read_by_token(tx: CompanyTx, family: bytes, refresh_sha256: bytes) -> asyncpg.Record | None:
    """The same by the refresh token that is to be used next."""
    values = (family, refresh_sha256)
    return await tx.fetchrow(_READ_BY_TOKEN, tx.company_id, tx.now, _reports_left_after(tx), *values)


def _reports_left_after(tx: CompanyTx) -> object:
    return left_after(local_date(tx.now, tx.company.time_zone))


async def find_to_end(
    tx: CompanyTx, *, grant_id: UUID | None = None, family: bytes | None = None
) -> Sequence[asyncpg.Record]:
    return await tx.fetch(_TO_END, tx.company_id, grant_id, family)


async def find_crowded_out(tx: CompanyTx, owner: EmployeeId, client_id: str, keep: int) -> Sequence[asyncpg.Record]:
    """What the app holds on his behalf beyond its newest."""
    return await tx.fetch(_CROWDED_OUT, tx.company_id, owner, client_id, keep)


async def end(tx: CompanyTx, found: asyncpg.Record) -> bool:
    """For one that hangs on a browser's session, which goes on; every listener is told. False: it has ended already."""
    return await tx.fetchrow(_END, tx.company_id, found["grant_id"], found["employee_id"]) is not None


async def carry_over(tx: CompanyTx, former_sha256: bytes, session_sha256: bytes) -> None:
    """What hangs on a browser's session hangs on the one that takes its place: the same person signed in again."""
    await tx.execute(_CARRY_OVER, tx.company_id, former_sha256, session_sha256)
