"""Closing a company, and opening it again within the grace.

open    --close-->     closed    sign-on and provisioning refused, all sessions ended, `ends_at` set
closed  --restore-->   open      switched on again is what was on; people sign in anew
closed  --ends_at-->   gone      `deleting.py`, by `directory sweep`
"""

from datetime import datetime, timedelta

import asyncpg

from directory.database import CompanyTx, statement
from directory.events.catalogue import EventKind
from directory.events.store import Changes, record
from directory.logins.ending import Why, end_all
from shared.errors import DomainError, ErrorCode
from shared.telemetry.logs import EventLog

log = EventLog("directory")

# Not "for update": inserts, which hold on to the company's key, need not wait. Whoever opens a session does (`lock_person`).
_LOCK = statement(
    "companies.lock_end",
    """
    select c.closed_at, c.ends_at, c.sso_when_closed, c.provisioning_when_closed, n.sso_enabled, n.provisioning_enabled
    from companies c
    join connections n on n.company_id = c.company_id
    where c.company_id = $1
    for no key update of c, n
    """,
)

_DELETION_BEGUN = statement(
    "ended_companies.begun", "select exists (select from registry.ended_companies where company_id = $1)"
)

_CLOSE = statement(
    "companies.close",
    """
    update companies
    set closed_at = $3, ends_at = $4, sso_when_closed = $5, provisioning_when_closed = $6, updated_at = $2
    where company_id = $1
    """,
)

_END_NOW = statement("companies.end_now", "update companies set ends_at = $2, updated_at = $2 where company_id = $1")

_EXPORTED_SINCE = statement(
    "events.exported_since",
    "select exists (select from events where company_id = $1 and kind = 'company.exported' and at >= $2)",
)

_SWITCH = statement(
    "connections.switch",
    """
    update connections
    set sso_enabled = $2, provisioning_enabled = $3, updated_at = $4, version = version + 1
    where company_id = $1
    """,
)


async def close(tx: CompanyTx, grace: timedelta) -> datetime:
    """When it will be deleted. Who closes a closed one learns when, and changes nothing."""
    row = await _still_there(tx)
    if row["ends_at"] is not None:
        ends: datetime = row["ends_at"]
        return ends
    ends_at = tx.now + grace
    await tx.execute(_CLOSE, tx.company_id, tx.now, tx.now, ends_at, row["sso_enabled"], row["provisioning_enabled"])
    await tx.execute(_SWITCH, tx.company_id, False, False, tx.now)
    changes = {
        "ends_at": {"before": None, "after": ends_at},
        "sso.enabled": {"before": row["sso_enabled"], "after": False},
        "provisioning.enabled": {"before": row["provisioning_enabled"], "after": False},
    }
    record(tx, EventKind.company_closed, changes=changes)
    ended = await end_all(tx, Why.company_closed)
    log.info("company_closed", sessions=ended, ends_at=ends_at.isoformat())
    return ends_at


async def end_now(tx: CompanyTx, *, sure: bool, without_export: bool) -> None:
    """Takes the rest of the grace away from a closed company.

    Raises:
        DomainError: `not_allowed` for one that is open, that nobody has exported since it was closed, or where nobody is sure.
    """
    company, row = tx.company.name, await _still_there(tx)
    if row["ends_at"] is None:
        raise DomainError(
            ErrorCode.not_allowed, f"{company} is open. Close it first: directory company delete {company} --yes"
        )
    if not without_export and not await tx.fetchval(_EXPORTED_SINCE, tx.company_id, row["closed_at"]):
        raise DomainError(
            ErrorCode.not_allowed,
            f"Nobody has exported {company} since it was closed. Export it: directory company export {company} -o FILE. "
            "Or say that nobody wants it: --without-export",
        )
    if not sure:
        raise DomainError(
            ErrorCode.not_allowed, f"Nothing was done. This deletes {company} for good. Say it again with --yes."
        )
    await tx.execute(_END_NOW, tx.company_id, tx.now)


def exported(tx: CompanyTx, rows: int, sha256: str) -> None:
    """Told after an export: everything about everybody has left the house."""
    changes: Changes = {"rows": {"before": None, "after": rows}, "sha256": {"before": None, "after": sha256}}
    record(tx, EventKind.company_exported, changes=changes)
    log.info("company_exported", rows=rows)


async def restore(tx: CompanyTx) -> None:
    """Raises DomainError `not_allowed` for a company that is not closed, `not_found` for one whose deletion has begun."""
    row = await _still_there(tx)
    if row["ends_at"] is None:
        raise DomainError(ErrorCode.not_allowed, f"{tx.company.name} is not closed; there is nothing to restore.")
    sso, provisioning = row["sso_when_closed"], row["provisioning_when_closed"]
    await tx.execute(_CLOSE, tx.company_id, tx.now, None, None, None, None)
    await tx.execute(_SWITCH, tx.company_id, sso, provisioning, tx.now)
    changes = {
        "ends_at": {"before": row["ends_at"], "after": None},
        "sso.enabled": {"before": row["sso_enabled"], "after": sso},
        "provisioning.enabled": {"before": row["provisioning_enabled"], "after": provisioning},
    }
    record(tx, EventKind.company_restored, changes=changes)
    log.info("company_restored")


async def _still_there(tx: CompanyTx) -> asyncpg.Record:
    """Raises DomainError `not_found` where the deletion has begun, for whoever entered before and waited for it."""
    row = await locked(tx)
    if await tx.fetchval(_DELETION_BEGUN, tx.company_id):
        raise DomainError(ErrorCode.not_found, "There is no such company.", field="company")
    return row


async def locked(tx: CompanyTx) -> asyncpg.Record:
    """How things stand with its end, held until the transaction ends."""
    row = await tx.fetchrow(_LOCK, tx.company_id)
    assert row is not None  # noqa: S101  the scope was entered, so there is one
    return row


def refuse_closed(company: str, ends_at: datetime | None) -> None:
    """Raises DomainError `not_allowed`: what would switch a closed company on again must restore it first."""
    if ends_at is not None:
        raise DomainError(
            ErrorCode.not_allowed,
            f"{company} is closed and will be deleted on {ends_at:%Y-%m-%d %H:%M} UTC; "
            f"`directory company restore {company}` opens it again.",
        )
