"""`directory sweep`: what has had its time is deleted, company by company. Safe at any time, and several at once.

A company that fails is told and passed over; the next sweep tries it again.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from directory.brake.applying import apply
from directory.brake.holds import lapse
from directory.cli.environment import owner_database
from directory.companies import deleting
from directory.companies.signing import tell_expiry
from directory.cycles.judgement import SETTLED_AFTER
from directory.cycles.looking import look
from directory.database import CompanyScope, CompanyTx, Database, statement
from directory.findings.catalogue import FindingKind
from directory.journal import store as journal
from directory.logins import session_limits
from directory.overlaps import close_where_alone, report
from directory.retention.erasure import erase_due
from directory.settings import DatabaseSettings
from directory.traces import store as traces
from shared.errors import DomainError, ErrorCode
from shared.telemetry.logs import EventLog

log = EventLog("directory")

TRIMMED_AT_ONCE = 5000
"""Of one kind, in one transaction."""

BATCHES: dict[str, Callable[[CompanyTx, int], Awaitable[int]]] = {
    "login flows": traces.never_answered,
    "exchanges": journal.trim,
    "login traces": traces.trim,
}
"""What there may be much of; a flow whose time is over becomes a trace."""

_EXPIRED = {
    "seen assertions": statement(
        "seen_assertions.sweep", "delete from seen_assertions where company_id = $1 and expires_at <= $2"
    ),
    "tickets": statement("login_tickets.sweep", "delete from login_tickets where company_id = $1 and expires_at <= $2"),
    "access tokens": statement(
        "access_tokens.sweep", "delete from access_tokens where company_id = $1 and expires_at <= $2"
    ),
    # Codes that nobody redeemed, and what was given without a refresh token, when its access token is long over.
    "app grants": statement(
        "app_grants.sweep",
        """
        delete from app_grants
        where company_id = $1 and family_sha256 is null and code_expires_at <= $2::timestamptz - interval '1 hour'
        """,
    ),
    "sessions": session_limits.SWEEP,
    # The last one stays, for it says when Entra was heard of; and the last full one, by which the forgotten are known.
    "cycles": statement(
        "cycles.sweep",
        """
        delete from cycles
        where company_id = $1 and looked_at <= $2::timestamptz - interval '14 days'
            and started_at < (select max(started_at) from cycles where company_id = $1)
            and (verdict not in ('full', 'without_checks') or started_at < (
                select max(started_at) from cycles where company_id = $1 and verdict in ('full', 'without_checks')))
        """,
    ),
}
# Most companies have nothing more to do, and cost one transaction.
_STANDING = statement(
    "companies.standing",
    """
    select coalesce(ends_at <= $2, false) as is_over, erase_after_months is not null as erases,
        exists (select from held_changes where company_id = $1 and state = 'released') as released,
        exists (select from cycles where company_id = $1 and looked_at is null and last_request_at < $3)
            or exists (select from findings where company_id = $1 and kind = $4 and closed_at is null) as to_look_at
    from companies
    where company_id = $1
    """,
)


async def sweep(settings: DatabaseSettings) -> dict[str, int]:
    """How many of each kind were deleted; and how many people are in several companies of an Entra tenant (`overlaps`).

    Raises:
        DomainError: at the end of it, naming the companies that failed.
    """
    swept, failed = (
        Counter(dict.fromkeys((*_EXPIRED, "held deactivations", *BATCHES, "people", "companies"), 0)),
        list[str](),
    )
    async with owner_database(settings) as database:
        for name in await database.company_names():
            async with _passed_over(name, failed):
                swept.update(await sweep_company(database, name))
        for company_id in await deleting.unfinished(database):
            async with _passed_over(str(company_id), failed):
                await deleting.go_on(database, company_id)
        async with _passed_over("overlaps", failed):
            swept["overlaps"] = await report(database)
    if failed:
        raise DomainError(ErrorCode.unavailable, f"Not swept, see the log: {', '.join(failed)}. All others were.")
    return dict(swept)


@asynccontextmanager
async def _passed_over(company: str, failed: list[str]) -> AsyncIterator[None]:
    """One company must not keep the others from being swept."""
    try:
        yield
    except DomainError as error:
        if error.code is not ErrorCode.not_found:  # deleted since the list was made
            failed.append(company)
            log.error("company_not_swept", company=company, reason=error.detail)
    except Exception:
        failed.append(company)
        log.error("company_not_swept", company=company, exc_info=True)  # noqa: G201  EventLog has no other


async def sweep_company(database: Database, name: str) -> dict[str, int]:
    """How many of each kind were deleted; as the tables' owner."""
    scope = database.scope_for_name(name)
    async with scope.transaction(deleting.SYSTEM) as tx:
        swept = {what: await tx.execute(question, tx.company_id, tx.now) for what, question in _EXPIRED.items()}
        swept["held deactivations"] = await lapse(tx)
        await close_where_alone(tx)
        await tell_expiry(tx)
        for what, batch in BATCHES.items():
            swept[what] = await batch(tx, TRIMMED_AT_ONCE)
        standing = await tx.fetchrow(
            _STANDING, tx.company_id, tx.now, tx.now - SETTLED_AFTER, FindingKind.manager_possibly_cleared.value
        )
    for what, batch in BATCHES.items():
        if swept[what] == TRIMMED_AT_ONCE:
            swept[what] += await _go_on(scope, batch)
    if standing is None:
        return swept
    if standing["is_over"]:
        await deleting.delete(database, name)
        return {**swept, "companies": 1}
    if standing["released"]:
        await apply(lambda: scope.transaction(deleting.SYSTEM))
    if standing["to_look_at"]:
        await look(lambda: scope.transaction(deleting.SYSTEM))
    if standing["erases"]:
        swept["people"] = await erase_due(lambda: scope.transaction(deleting.SYSTEM))
    return swept


async def _go_on(scope: CompanyScope, batch: Callable[[CompanyTx, int], Awaitable[int]]) -> int:
    trimmed = 0
    while True:
        async with scope.transaction(deleting.SYSTEM) as tx:
            gone = await batch(tx, TRIMMED_AT_ONCE)
        trimmed += gone
        if gone < TRIMMED_AT_ONCE:
            return trimmed
