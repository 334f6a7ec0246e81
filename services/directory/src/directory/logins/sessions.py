"""Open sessions in the hands of a Setup admin, and in those of the person whose they are.

An admin sees his company's and ends one of them or all of a person, his own too; a person sees his own, and ends one or all the
others. Each is a transaction by the session that asks; what ends leaves its receipt (`ending.py`) by that actor.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
from starlette.routing import Route

from directory.access import scope_for_session, setup, sha256_from_text
from directory.database import Actor, CompanyTx, Database
from directory.employees.people import find
from directory.logins import listing
from directory.logins.ending import Why, end_some
from directory.logins.session_limits import note_seen
from directory.logins.store import hold_company, read_session
from directory.repeating import done_again
from directory.rpc import serve
from shared import operations as declared
from shared.errors import DomainError, ErrorCode
from shared.http.service_auth import CallerSecrets
from shared.ids import EmployeeId, employee_text, session_from_text, session_text
from shared.schemas import sessions as schema
from shared.schemas.login import SessionCredential
from shared.telemetry.logs import EventLog

log = EventLog("directory")

OWN_SHOWN = 100
"""More than anybody has; the page has a button for all the others."""


async def list_sessions(database: Database, request: schema.ListSessions) -> schema.SessionList:
    async with setup(database, request.session, reading=True) as tx:
        person = await find(tx, request.person) if request.person is not None else None
        rows = await listing.open_sessions(
            tx, person, current=sha256_from_text(request.session.session_sha256), limit=listing.SHOWN + 1
        )
    shown = [
        schema.SessionOf(**_told(row), employee_id=employee_text(row["employee_id"]), login_name=row["login_name"])
        for row in rows[: listing.SHOWN]
    ]
    return schema.SessionList(sessions=shown, more=len(rows) > listing.SHOWN)


async def end_sessions(database: Database, request: schema.EndSessions) -> schema.EndedSessions:
    async def attempt() -> int:
        async with setup(database, request.session) as tx:
            match request.session_id, request.person:
                case str(session_id), None:
                    return await listing.end_named(tx, session_id, Why.by_admin)
                case None, str(person):
                    return await listing.end(tx, await find(tx, person), None, Why.by_admin)
            raise DomainError(ErrorCode.invalid_request, "Say session_id, or person for all of his; one of both.")

    ended = await done_again(attempt)
    log.info("sessions_ended_by_admin", sessions=ended)
    return schema.EndedSessions(ended=ended)


async def list_own_sessions(database: Database, request: schema.ListOwnSessions) -> schema.OwnSessions:
    async with _own(database, request.session) as (tx, row, current):
        if row["unseen"]:
            await note_seen(tx, row["session_id"])
        rows = await listing.open_sessions(tx, EmployeeId(row["employee_id"]), current=current, limit=OWN_SHOWN + 1)
        return schema.OwnSessions(
            company=tx.company.name,
            sessions=[schema.ListedSession(**_told(row)) for row in rows[:OWN_SHOWN]],
            more=len(rows) > OWN_SHOWN,
        )


async def end_own_sessions(database: Database, request: schema.EndOwnSessions) -> schema.EndedOwnSessions:
    async def attempt() -> schema.EndedOwnSessions:
        async with _own(database, request.session) as (tx, row, current):
            await hold_company(tx)
            ended = await _end_own(tx, EmployeeId(row["employee_id"]), current, request.session_id)
            still = await read_session(tx, current)
            return schema.EndedOwnSessions(company=tx.company.name, ended=ended, current=still is None)

    outcome = await done_again(attempt)
    log.info("sessions_ended_by_owner", sessions=outcome.ended)
    return outcome


async def _end_own(tx: CompanyTx, employee_id: EmployeeId, current: bytes, session_id: str | None) -> int:
    if session_id is None:
        return await listing.end_others(tx, employee_id, current, Why.by_himself)
    named = session_from_text(session_id)
    if named is None:
        raise DomainError(
            ErrorCode.invalid_request, "session_id is ses_ and 32 hexadecimal digits.", field="session_id"
        )
    await listing.lock(tx, employee_id)
    return await end_some(tx, employee_id, [named], Why.by_himself)


@asynccontextmanager
async def _own(
    database: Database, session: SessionCredential
) -> AsyncIterator[tuple[CompanyTx, asyncpg.Record, bytes]]:
    """A transaction of whoever's live session it is, with its row and its hash.

    Raises:
        DomainError: `unauthorized` for a session that is not (any more).
    """
    gone = DomainError(ErrorCode.unauthorized, "There is no such session.")
    current = sha256_from_text(session.session_sha256)
    try:
        async with scope_for_session(database, session).transaction() as tx:
            row = await read_session(tx, current)
            if row is None:
                raise gone
            tx.actor = Actor("person", employee_text(row["employee_id"]))
            yield tx, row, current
    except DomainError as error:
        # Of a company that is not (any more).
        raise gone if error.code is ErrorCode.not_found else error from None


def _told(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "session_id": session_text(row["session_id"]),
        "client_id": row["client_id"],
        "signed_in_at": row["signed_in_at"],
        "seen_at": row["seen_at"],
        "expires_at": row["expires_at"],
        "current": row["current"],
    }


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.LIST_SESSIONS, callers, partial(list_sessions, database)),
        serve(declared.END_SESSIONS, callers, partial(end_sessions, database)),
        serve(declared.LIST_OWN_SESSIONS, callers, partial(list_own_sessions, database)),
        serve(declared.END_OWN_SESSIONS, callers, partial(end_own_sessions, database)),
    ]
