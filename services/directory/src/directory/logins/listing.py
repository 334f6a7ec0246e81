"""The open sessions of a company or of one of its people, and how the former ones ended."""

from collections.abc import Sequence

import asyncpg

from directory.database import CompanyTx, statement
from directory.events.store import of_employee
from directory.logins.ending import ENDINGS, Why, end_all_but, end_sessions, end_some
from directory.logins.session_limits import ENDS_AT, LASTS_UNTIL
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, session_from_text
from shared.schemas.history import HistoryEvent

SHOWN = 1000

_OPEN = statement(
    "sessions.listed",
    f"""
    select s.session_id, s.employee_id, e.login_name, s.client_id, s.signed_in_at, s.seen_at, {LASTS_UNTIL} as expires_at,
        coalesce(s.session_sha256 = $5::bytea, false) as current
    from sessions s
    join employees e on e.company_id = $1 and e.employee_id = s.employee_id
    join companies c on c.company_id = $1
    where s.company_id = $1 and ($2::uuid is null or s.employee_id = $2) and {ENDS_AT} > $3
    order by ($2::uuid is not null and s.session_sha256 = $5::bytea) is true desc, s.signed_in_at desc, s.session_id
    limit $4
    """,  # noqa: S608  composed of constants
)

# Before their sessions are touched, as a suspension does.
_LOCK = statement(
    "employees.lock_to_end_sessions",
    "select employee_id from employees where company_id = $1 and employee_id = $2 for update",
)

_OWNER = statement("sessions.owner", "select employee_id from sessions where company_id = $1 and session_id = $2")


async def open_sessions(
    tx: CompanyTx, employee_id: EmployeeId | None = None, *, current: bytes | None = None, limit: int = SHOWN
) -> list[asyncpg.Record]:
    """Newest first; of one person that of the hash `current` before them."""
    return await tx.fetch(_OPEN, tx.company_id, employee_id, tx.now, limit, current)


async def lock(tx: CompanyTx, employee_id: EmployeeId) -> None:
    await tx.fetchval(_LOCK, tx.company_id, employee_id)


async def end(tx: CompanyTx, employee_id: EmployeeId, session: str | None, why: Why) -> int:
    """One of his sessions; without a name all of them, with what is on its way. How many it were.

    Raises:
        DomainError: `not_found` where he has no such session.
    """
    await lock(tx, employee_id)
    if session is None:
        return await end_sessions(tx, [employee_id], why)
    named = session_from_text(session)
    ended = await end_some(tx, employee_id, [named], why) if named is not None else 0
    if not ended:
        raise DomainError(ErrorCode.not_found, f"He has no open session {session[:60]!r}.", field="session_id")
    return ended


async def end_named(tx: CompanyTx, session: str, why: Why) -> int:
    """One session of the company, whosever it is. Raises as `end` does."""
    named = session_from_text(session)
    owner = await tx.fetchval(_OWNER, tx.company_id, named) if named is not None else None
    if owner is None:
        raise DomainError(ErrorCode.not_found, f"There is no open session {session[:60]!r}.", field="session_id")
    return await end(tx, EmployeeId(owner), session, why)


async def end_others(tx: CompanyTx, employee_id: EmployeeId, session_sha256: bytes, why: Why) -> int:
    """All of his but this one, with what is on its way."""
    await lock(tx, employee_id)
    return await end_all_but(tx, employee_id, session_sha256, why)


async def receipts(tx: CompanyTx, employee_id: EmployeeId, limit: int = SHOWN) -> Sequence[HistoryEvent]:
    """How his sessions ended, newest first; as far as his latest events tell."""
    told = await of_employee(tx, employee_id, None, limit, newest_first=True)
    return [event for event in told if event.kind in {kind.value for kind in ENDINGS} and "ended" in event.changes]
