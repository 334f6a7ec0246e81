"""What provisioning does to employees: one transaction each, in which everything happens or nothing.

Read through `store`, decide in the pure modules, write, tell the history.
"""

import hashlib
import os
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Literal, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET, UnsetType

from directory import metrics
from directory.access import provisioning
from directory.database import CompanyTx, Database
from directory.employees import approvers, store
from directory.employees.keys import check_values, search_key
from directory.employees.lifecycle import Step, advance, local_date, not_found
from directory.employees.matching import Adopt, Conflict, Create, NeedsConfirmation, Reactivate, plan, refusal
from directory.employees.record import ATTRIBUTES, RELEASED, EmployeeRecord, differences
from directory.employees.searches import search
from directory.events.catalogue import EventKind
from directory.events.store import record, record_many
from directory.logins.store import end_sessions
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text, entra_object_id, new_employee_id
from shared.schemas.employee import (
    Changed,
    ChangeEmployee,
    Employee,
    EmployeeChanges,
    EmployeePage,
    FindEmployees,
    GetEmployee,
    NewEmployee,
    Provisioned,
    ProvisionEmployee,
    Removed,
    RemoveEmployee,
)
from shared.telemetry.logs import EventLog

log = EventLog("directory")

ATTEMPTS = 4
"""How often a transaction is tried that lost against a simultaneous one."""

MAX_LIMIT = 1000

_TAKEN = {
    "employees_login_taken": ErrorCode.login_taken,
    "employees_email_taken": ErrorCode.email_taken,
    "employees_external_id_taken": ErrorCode.external_id_taken,
    "employees_object_id_taken": ErrorCode.external_id_taken,
}

AnswerT = TypeVar("AnswerT")
Outcome = Literal["created", "adopted", "reactivated"]


async def get_employee(database: Database, request: GetEmployee) -> Employee:
    async with provisioning(database, request.credential) as tx:
        found = await store.get(tx, _id(request.employee_id))
    if found is None:
        raise not_found()
    return found.seen_from_outside()


async def find_employees(database: Database, request: FindEmployees) -> EmployeePage:
    if request.offset < 0 or not 0 <= request.limit <= MAX_LIMIT:
        raise DomainError(ErrorCode.invalid_request, f"offset is at least 0, limit 0 to {MAX_LIMIT}.")
    offset = min(request.offset, 2**31)
    async with provisioning(database, request.credential) as tx:
        total, found = await search(tx, request.conditions, offset, request.limit)
    return EmployeePage(total=total, employees=[one.seen_from_outside() for one in found])


async def provision_employee(database: Database, request: ProvisionEmployee) -> Provisioned:
    """Create, adopt or reactivate; see `matching`."""
    check_values(request.employee)

    async def attempt() -> Provisioned:
        async with provisioning(database, request.credential) as tx:
            return await _provision(tx, request.employee)

    provisioned = await _repeated(attempt, request.employee)
    metrics.WRITES.labels("employee", provisioned.outcome).inc()
    event = f"employee_{provisioned.outcome}"
    log.info(event, employee=provisioned.employee.id)
    return provisioned


async def change_employee(database: Database, request: ChangeEmployee) -> Changed:
    check_values(request.changes)
    employee_id = _id(request.employee_id)

    async def attempt() -> tuple[Changed, EventKind | None]:
        async with provisioning(database, request.credential) as tx:
            return await _change(tx, employee_id, request.changes)

    changed, kind = await _repeated(attempt, None)
    result = kind.value.removeprefix("employee.") if kind else "unchanged"
    metrics.WRITES.labels("employee", result).inc()
    if kind is not None:
        event = f"employee_{result}"
        log.info(event, employee=request.employee_id)
    return changed


async def remove_employee(database: Database, request: RemoveEmployee) -> Removed:
    """Hard delete (S37 to S42): the names are free at once, the record stays for payroll."""
    employee_id = _id(request.employee_id)

    async def attempt() -> None:
        async with provisioning(database, request.credential) as tx:
            await _remove(tx, employee_id)

    await _repeated(attempt, None)
    metrics.WRITES.labels("employee", "departed").inc()
    log.info("employee_departed", employee=request.employee_id)
    return Removed()


async def _provision(tx: CompanyTx, new: NewEmployee) -> Provisioned:
    login_key = search_key(new.login_name)
    gates = approvers.gates(tx.company_id, [login_key, new.external_id], [new.manager_ref])
    found = await store.candidates(
        tx, login_key, search_key(new.email), new.external_id, entra_object_id(new.external_id), gates
    )
    planned = plan(new, found)
    match planned:
        case Conflict(code=code):
            raise refusal(code, new)
        case NeedsConfirmation():
            raise DomainError(
                ErrorCode.needs_confirmation,
                f"'{new.login_name}' or its e-mail belongs to an account that only a Setup admin may link to Entra.",
                field="login_name",
            )
        case Create() | Adopt() | Reactivate():
            before, after, kind, outcome = _planned(tx, new, planned)
    after = await _with_manager(tx, before, after)
    if before is None:
        await store.insert(tx, after)
    else:
        await store.update(tx, after)
    await _settle(tx, kind, before, after)
    return Provisioned(employee=after.seen_from_outside(), outcome=outcome)


async def _change(tx: CompanyTx, employee_id: EmployeeId, changes: EmployeeChanges) -> tuple[Changed, EventKind | None]:
    mentioned = {name: value for name in ATTRIBUTES if (value := getattr(changes, name)) is not UNSET}
    names = [mentioned.get("login_name"), mentioned.get("external_id")]
    gates = approvers.gates(tx.company_id, names, [mentioned.get("manager_ref")])
    before = await store.lock(tx, employee_id, gates)
    if before is None:
        raise not_found()
    after = msgspec.structs.replace(before, **mentioned, **_link_key(changes.external_id))
    if changes.active is not UNSET:
        step = Step.resume if changes.active else Step.suspend
        after, _ = advance(after, step, local_date(tx.now, tx.company.time_zone))
    after = await _with_manager(tx, before, after)
    if not differences(before, after):
        return Changed(employee=before.seen_from_outside(), changed=False), None
    after = _touched(tx, after)
    try:
        await store.update(tx, after)
    except asyncpg.UniqueViolationError as error:
        raise _refusal(error, after) from None
    kind = _kind_of_change(before, after)
    await _settle(tx, kind, before, after)
    return Changed(employee=after.seen_from_outside(), changed=True), kind


def _kind_of_change(before: EmployeeRecord, after: EmployeeRecord) -> EventKind:
    if before.state == after.state:
        return EventKind.employee_changed
    return EventKind.employee_suspended if after.state == "suspended" else EventKind.employee_resumed


async def _remove(tx: CompanyTx, employee_id: EmployeeId) -> None:
    before = await store.lock_to_remove(tx, employee_id)
    if before is None:
        raise not_found()
    after, _ = advance(before, Step.remove, local_date(tx.now, tx.company.time_zone))
    after = msgspec.structs.replace(
        after, released_sha256=_released(before), updated_at=tx.now, version=before.version + 1
    )
    await store.update(tx, after)
    reports = await store.unlink_reports(tx, employee_id)
    await end_sessions(tx, employee_id)
    # The released names themselves must not be kept (S40).
    told = {name: change for name, change in differences(before, after).items() if name not in RELEASED}
    await record(tx, EventKind.employee_departed, employee_id=employee_id, changes=told)
    lost = {"manager_id": {"before": employee_text(employee_id), "after": None}}
    await record_many(tx, EventKind.employee_manager_lost, [(one, lost) for one in reports])
    metrics.MANAGER_LINKS.labels("cleared").inc(len(reports))


def _released(before: EmployeeRecord) -> bytes:
    """A salt of 16 bytes and the salted SHA-256 of the login name's key: proves a name, tells none."""
    salt = os.urandom(16)
    return salt + hashlib.sha256(salt + (before.login_key or "").encode()).digest()


async def _with_manager(tx: CompanyTx, before: EmployeeRecord | None, after: EmployeeRecord) -> EmployeeRecord:
    """The manager whom the reference means now, if it is a new one; the link of an old one stays as it is."""
    reference = after.manager_ref
    if reference is None:
        return msgspec.structs.replace(after, manager_id=None)
    if before is not None and reference == before.manager_ref:
        # A waiting reference may turn out to mean himself, once he bears that name.
        manager_id = after.manager_id or approvers.resolve(reference, [after])
        return msgspec.structs.replace(after, manager_id=manager_id)
    found = await store.find_by_reference(tx, employee_from_text(reference), reference, search_key(reference))
    others = [one for one in found if one.employee_id != after.employee_id]
    manager_id = approvers.resolve(reference, [*others, after])
    metrics.MANAGER_LINKS.labels("linked" if manager_id else "deferred").inc()
    return msgspec.structs.replace(after, manager_id=manager_id)


async def _settle(tx: CompanyTx, kind: EventKind, before: EmployeeRecord | None, after: EmployeeRecord) -> None:
    """What follows from a write, in its transaction: the history, ended sessions, reports that waited for this person."""
    if before is not None and _sessions_end(before, after):
        await end_sessions(tx, after.employee_id)
    await record(tx, kind, employee_id=after.employee_id, changes=differences(before, after))
    if approvers.gains_names(before, after):
        exact, login_key = approvers.answers_to(after)
        keys = [search_key(one) for one in exact] + ([login_key] if login_key else [])
        reports = await store.link_waiting_reports(tx, after.employee_id, exact, keys, login_key)
        linked = {"manager_id": {"before": None, "after": employee_text(after.employee_id)}}
        await record_many(tx, EventKind.employee_manager_linked, [(one, linked) for one in reports])
        metrics.MANAGER_LINKS.labels("resolved").inc(len(reports))


def _sessions_end(before: EmployeeRecord, after: EmployeeRecord) -> bool:
    """When access ends (decision D11), or when the account is somebody else's in Entra from now on."""
    lost_access = before.state == "active" and after.state != "active"
    relinked = before.entra_object_id is not None and after.entra_object_id != before.entra_object_id
    return lost_access or relinked


async def _repeated(attempt: Callable[[], Awaitable[AnswerT]], values: NewEmployee | None) -> AnswerT:
    """A transaction that loses against a simultaneous one answers as if it had come second: it is done again."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await attempt()
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError) as error:
            log.info("transaction_repeated", reason=type(error).__name__)
    try:
        return await attempt()
    except asyncpg.UniqueViolationError as error:
        if values is None:
            raise
        raise _refusal(error, values) from None
    except asyncpg.DeadlockDetectedError:
        raise DomainError(ErrorCode.unavailable, "Too many changes at the same moment; try again.") from None


def _refusal(error: asyncpg.UniqueViolationError, values: NewEmployee | EmployeeRecord) -> DomainError:
    code = _TAKEN.get(error.constraint_name or "")
    if code is None:
        raise error
    return refusal(code, values)


def _id(text: str) -> EmployeeId:
    found = employee_from_text(text)
    if found is None:
        raise not_found()
    return found


def _planned(
    tx: CompanyTx, new: NewEmployee, planned: Create | Adopt | Reactivate
) -> tuple[EmployeeRecord | None, EmployeeRecord, EventKind, Outcome]:
    """Who he was, who he becomes, and what that is called."""
    today = local_date(tx.now, tx.company.time_zone)
    match planned:
        case Create():
            record_ = _new_record(tx, new)
            return None, _as_asked(record_, new, today), EventKind.employee_created, "created"
        case Adopt(employee=before):
            return before, _as_asked(_governed(tx, before, new), new, today), EventKind.employee_adopted, "adopted"
        case Reactivate(employee=before):
            after, _ = advance(_governed(tx, before, new), Step.resume, today)
            return before, after, EventKind.employee_reactivated, "reactivated"


def _new_record(tx: CompanyTx, new: NewEmployee) -> EmployeeRecord:
    return EmployeeRecord(
        employee_id=new_employee_id(),
        state="active",
        source="entra",
        entra_object_id=entra_object_id(new.external_id),
        created_at=tx.now,
        updated_at=tx.now,
        **{name: getattr(new, name) for name in ATTRIBUTES},
    )


def _governed(tx: CompanyTx, before: EmployeeRecord, new: NewEmployee) -> EmployeeRecord:
    """Entra's values win; what the request does not carry stays, for Entra sends nothing for an empty value (S33)."""
    sent = {name: value for name in ATTRIBUTES if (value := getattr(new, name)) is not None}
    return _touched(tx, msgspec.structs.replace(before, **sent, **_link_key(new.external_id)))


def _as_asked(record_: EmployeeRecord, new: NewEmployee, today: date) -> EmployeeRecord:
    return record_ if new.active else advance(record_, Step.suspend, today)[0]


def _touched(tx: CompanyTx, record_: EmployeeRecord) -> EmployeeRecord:
    return msgspec.structs.replace(record_, source="entra", updated_at=tx.now, version=record_.version + 1)


def _link_key(external_id: str | None | UnsetType) -> dict[str, UUID]:
    """An object id in the external id becomes the link key, and replaces another: provisioning is the authority, and a
    move to another Entra tenant arrives just so (S66, S67). Anything else leaves the link key alone: a changed mapping must
    not break a linked login (decision D10)."""
    object_id = entra_object_id(external_id) if isinstance(external_id, str) else None
    return {"entra_object_id": object_id} if object_id else {}
