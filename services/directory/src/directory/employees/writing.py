"""Writing an employee, and what follows from it in the same transaction, whoever asks: Entra, HR, an operator.

The unique indexes decide between simultaneous writers, and a transaction that lost is done again (`repeated`).
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import TypeVar

import asyncpg

from directory.approvers.grants import lose_departments
from directory.database import CompanyTx, Outrun
from directory.employees import revisions, store
from directory.employees.managers import link_waiting_reports, release_reports
from directory.employees.matching import refusal
from directory.employees.record import RELEASED, EmployeeRecord, differences
from directory.events.catalogue import EventKind
from directory.events.store import forget_names, former_names, record
from directory.findings.catalogue import FindingKind
from directory.findings.store import close_findings
from directory.groups.membership import forget_member
from directory.logins.ending import Why, end_sessions
from directory.repeating import ATTEMPTS
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text
from shared.schemas.employee import NewEmployee
from shared.telemetry.logs import EventLog

log = EventLog("directory")

_TAKEN = {
    "employees_login_taken": ErrorCode.login_taken,
    "employees_email_taken": ErrorCode.email_taken,
    "employees_external_id_taken": ErrorCode.external_id_taken,
    "employees_object_id_taken": ErrorCode.external_id_taken,
}

AnswerT = TypeVar("AnswerT")


async def insert(tx: CompanyTx, kind: EventKind, after: EmployeeRecord, missing: Sequence[str] | None = None) -> None:
    """`missing`: mandatory attributes that a create of Entra's did not carry; None: it is no create of Entra's."""
    await store.insert(tx, after, missing)
    await _settle(tx, kind, None, after)


async def update(tx: CompanyTx, kind: EventKind, before: EmployeeRecord, after: EmployeeRecord) -> None:
    """The caller holds the lock of `before`.

    Raises:
        DomainError: `login_taken`, `email_taken`, `external_id_taken` where another employee has the name.
    """
    try:
        await store.update(tx, after, settles_manager=_settles_manager(before, after))
    except asyncpg.UniqueViolationError as error:
        raise refused(error, after) from None
    await _settle(tx, kind, before, after)


async def depart(tx: CompanyTx, before: EmployeeRecord, on: date | None = None) -> EmployeeRecord:
    """Hard delete: names released, sessions ended, reports waiting for another manager. Locked as `store.lock_to_remove` does."""
    former = (await former_names(tx, [before.employee_id])).get(before.employee_id, [])
    after = revisions.departed(before, tx.now, tx.company.time_zone, on, former)
    await store.update(tx, after, settles_manager=_settles_manager(before, after))
    await end_sessions(tx, [before.employee_id], Why.departed)
    await forget_member(tx, before.employee_id)
    # The released names themselves must not be kept, nor in what was told before (S40).
    await forget_names(tx, before.employee_id)
    told = {name: change for name, change in differences(before, after).items() if name not in RELEASED}
    lost = await lose_departments(tx, before)
    record(tx, EventKind.employee_departed, employee_id=before.employee_id, changes={**told, **lost})
    await release_reports(tx, before.employee_id)
    if before.source != "entra" or before.roles:
        await close_findings(tx, FindingKind.adoption_waits, employee_text(before.employee_id))
    return after


async def _settle(tx: CompanyTx, kind: EventKind, before: EmployeeRecord | None, after: EmployeeRecord) -> None:
    """Ended sessions, the history, reports that waited for this person."""
    record(tx, kind, employee_id=after.employee_id, changes=differences(before, after))
    if before is not None and (why := _why_sessions_end(before, after)):
        await end_sessions(tx, [after.employee_id], why)
    if before is not None and after.source == "entra":
        await _nobody_waits_to_confirm(tx, before)
    await link_waiting_reports(tx, before, after)


async def _nobody_waits_to_confirm(tx: CompanyTx, before: EmployeeRecord) -> None:
    """He is Entra's now: nobody could answer the question any more whether Entra may have him (A24)."""
    if before.source != "entra":
        await close_findings(tx, FindingKind.adoption_waits, employee_text(before.employee_id))


def _settles_manager(before: EmployeeRecord, after: EmployeeRecord) -> bool:
    """Only of a manager whom Entra named it is ever asked whether Entra has cleared him (A18)."""
    return before.owner_of("manager_ref") == "entra" and (
        after.manager_ref != before.manager_ref or after.state == "departed"
    )


def _why_sessions_end(before: EmployeeRecord, after: EmployeeRecord) -> Why | None:
    """When access ends (decision D11), or when the account is somebody else's in Entra from now on."""
    if before.has_access and not after.has_access:
        return Why.suspended if after.state != "active" else Why.blocked
    if before.entra_object_id is not None and after.entra_object_id != before.entra_object_id:
        return Why.relinked
    return None


async def repeated(attempt: Callable[[], Awaitable[AnswerT]], values: NewEmployee | None = None) -> AnswerT:
    """A transaction that loses against a simultaneous one answers as if it had come second: it is done again."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await attempt()
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, Outrun) as error:
            log.info("transaction_repeated", reason=type(error).__name__)
    try:
        return await attempt()
    except asyncpg.UniqueViolationError as error:
        if values is None:
            raise
        raise refused(error, values) from None
    except (asyncpg.DeadlockDetectedError, Outrun):
        raise DomainError(ErrorCode.unavailable, "Too many changes at the same moment; try again.") from None


def refused(error: asyncpg.UniqueViolationError, values: NewEmployee | EmployeeRecord) -> DomainError:
    code = _TAKEN.get(error.constraint_name or "")
    if code is None:
        raise error
    return refusal(code, values)
