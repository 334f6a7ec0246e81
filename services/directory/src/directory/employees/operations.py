"""What provisioning does to employees: one transaction each, in which everything happens or nothing.

Read through `store`, decide in the pure modules, write, tell the history.
"""

from collections.abc import Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from directory import metrics
from directory.access import provisioning
from directory.brake.holds import stop, withdraw
from directory.brake.store import take
from directory.database import CompanyTx, Database
from directory.employees import approvers, revisions, store, writing
from directory.employees.keys import check_values, search_key
from directory.employees.lifecycle import not_found
from directory.employees.managers import with_manager
from directory.employees.mapping import note_mended, note_missing
from directory.employees.matching import (
    Adopt,
    Conflict,
    Create,
    NeedsConfirmation,
    Reactivate,
    Relink,
    must_be_confirmed,
    plan,
    refusal,
)
from directory.employees.record import EmployeeRecord, differences
from directory.employees.searches import asked_about, search
from directory.events.catalogue import EventKind
from directory.findings.catalogue import FindingKind
from directory.findings.store import raise_finding
from directory.versions import check_version
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text, entra_object_id
from shared.schemas.employee import (
    Changed,
    ChangeEmployee,
    Employee,
    EmployeeChanges,
    EmployeePage,
    FindEmployees,
    GetEmployee,
    MappedAttribute,
    NewEmployee,
    NotedMapping,
    NoteMapping,
    Provisioned,
    ProvisionEmployee,
    Removed,
    RemoveEmployee,
)
from shared.telemetry.logs import EventLog

log = EventLog("directory")

MAX_LIMIT = 1001
"""One more than SCIM's largest page, which by cursor looks whether there is a next one."""
DEACTIVATION_ALONE = "deactivation_alone"
"""The quirk of doing what decision D5 asks for; a company in strict mode has the whole refused."""

_NOT_THE_DEACTIVATION = frozenset(
    {
        ErrorCode.login_taken,
        ErrorCode.email_taken,
        ErrorCode.external_id_taken,
        ErrorCode.invalid_value,
        ErrorCode.needs_confirmation,
    }
)
"""What may be refused in the neighbours of a deactivation."""

AnswerT = TypeVar("AnswerT")
Outcome = Literal["created", "adopted", "reactivated"]
_OUTCOMES: dict[type, tuple[EventKind, Outcome]] = {
    Create: (EventKind.employee_created, "created"),
    Adopt: (EventKind.employee_adopted, "adopted"),
    Reactivate: (EventKind.employee_reactivated, "reactivated"),
    Relink: (EventKind.employee_relinked, "adopted"),
}


async def get_employee(database: Database, request: GetEmployee) -> Employee:
    async with provisioning(database, request.credential, reading=True) as tx:
        # Judged inside: whoever has no token learns nothing but that, whatever else is wrong.
        found = await store.get(tx, _id(request.employee_id))
    if found is None:
        raise not_found()
    database.notes.about(tx, found.employee_id)
    return found.seen_from_outside()


async def find_employees(database: Database, request: FindEmployees) -> EmployeePage:
    async with provisioning(database, request.credential, reading=True) as tx:
        if request.offset < 0 or not 0 <= request.limit <= MAX_LIMIT:
            raise DomainError(ErrorCode.invalid_request, f"offset is at least 0, limit 0 to {MAX_LIMIT}.")
        after = employee_from_text(request.after) if request.after is not None else None
        if request.after is not None and (after is None or request.sorting is not None):
            raise DomainError(ErrorCode.invalid_request, "after is an employee's id, and goes with no sorting.")
        total, found = await search(
            tx, request.where, min(request.offset, 2**31), request.limit, sorting=request.sorting, after=after
        )
    about, manager = asked_about(request.where, found)
    for employee_id in about:
        database.notes.about(tx, employee_id, manager=manager)
    return EmployeePage(total=total, employees=[one.seen_from_outside() for one in found])


async def provision_employee(database: Database, request: ProvisionEmployee) -> Provisioned:
    """Create, adopt or reactivate; see `matching`."""

    async def attempt() -> Provisioned:
        async with provisioning(database, request.credential, quirk=request.quirk) as tx:
            check_values(request.employee)
            done = await provision_within(tx, request.employee, request.missing)
        made = kept(done)
        database.notes.about(tx, _id(made.employee.id), manager=request.employee.manager_ref is not None)
        return made

    provisioned = await writing.repeated(attempt, request.employee)
    metrics.WRITES.labels("employee", provisioned.outcome).inc()
    event = f"employee_{provisioned.outcome}"
    log.info(event, employee=provisioned.employee.id)
    return provisioned


async def note_mapping(database: Database, request: NoteMapping) -> NotedMapping:
    """A request was refused at the edge because it lacked mandatory attributes: the company's mapping is broken (S24)."""

    async def attempt() -> None:
        async with provisioning(database, request.credential) as tx:
            await note_missing(tx, request.missing)

    await writing.repeated(attempt)
    log.info("mapping_broken", missing=request.missing)
    return NotedMapping()


async def change_employee(database: Database, request: ChangeEmployee) -> Changed:
    """All or nothing; but where asked to, a deactivation is never lost because something beside it is refused (D5)."""
    try:
        return await _change_employee(database, request, request.changes)
    except DomainError as error:
        if not (request.deactivate_anyway and may_deactivate_alone(request.changes, error)):
            raise
        # A transaction of its own: the refused one has left nothing behind.
        anyway = msgspec.structs.replace(request, quirk=DEACTIVATION_ALONE)
        try:
            done = await _change_employee(database, anyway, revisions.DEACTIVATION)
        except DomainError as second:
            raise error if second.code is ErrorCode.not_conformant else second from None
        return msgspec.structs.replace(done, left_out=error.code.value)


def may_deactivate_alone(changes: EmployeeChanges, refused: DomainError) -> bool:
    """Whether they deactivate, and were refused for something beside it (decision D5)."""
    deactivates = changes.active is False and changes != revisions.DEACTIVATION
    return deactivates and refused.code in _NOT_THE_DEACTIVATION


async def _change_employee(database: Database, request: ChangeEmployee, changes: EmployeeChanges) -> Changed:
    async def attempt() -> tuple[Changed, EventKind | None]:
        async with provisioning(database, request.credential, quirk=request.quirk) as tx:
            employee_id = _id(request.employee_id)
            # Whatever comes of it: Entra has said who his manager is also where it is refused.
            database.notes.about(tx, employee_id, manager=changes.manager_ref is not UNSET)
            strictly = request.strictly if tx.company.provisioning_strict else None
            meant = changes if strictly is None else strictly
            check_values(meant)
            done = await change_within(tx, employee_id, meant, replaces=request.replaces, versions=request.versions)
        return kept(done)

    changed, kind = await writing.repeated(attempt)
    result = kind.value.removeprefix("employee.") if kind else "unchanged"
    metrics.WRITES.labels("employee", result).inc()
    if kind is not None:
        event = f"employee_{result}"
        log.info(event, employee=request.employee_id)
    return changed


async def remove_employee(database: Database, request: RemoveEmployee) -> Removed:
    """Hard delete (S37 to S42): the names are free at once, the record stays for payroll."""

    async def attempt() -> None:
        async with provisioning(database, request.credential) as tx:
            done = await remove_within(tx, _id(request.employee_id), request.versions)
        kept(done)

    await writing.repeated(attempt)
    metrics.WRITES.labels("employee", "departed").inc()
    log.info("employee_departed", employee=request.employee_id)
    return Removed()


def kept(done: AnswerT | DomainError) -> AnswerT:
    """A refusal that is returned, not raised, comes out only here, behind the commit: what was noted with it stays."""
    if isinstance(done, DomainError):
        raise done
    return done


async def provision_within(
    tx: CompanyTx, new: NewEmployee, missing: list[MappedAttribute]
) -> Provisioned | DomainError:
    login_key = search_key(new.login_name)
    gates = approvers.gates(tx.company_id, [login_key, new.external_id], [new.manager_ref])
    brake = await take(tx) if not new.active else None
    found = await store.candidates(
        tx, login_key, search_key(new.email), new.external_id, entra_object_id(new.external_id), gates
    )
    planned = plan(new, found)
    match planned:
        case Conflict(code=code):
            raise refusal(code, new)
        case NeedsConfirmation(employee=employee):
            return await _parked(tx, employee, new.login_name)
        case Create() | Adopt() | Reactivate() | Relink():
            returns = isinstance(planned, Reactivate | Relink) and planned.employee.state == "suspended"
            ask_after_days = await store.rehire_ask_after_days(tx) if returns else None
            before, after = revisions.planned(new, planned, tx.now, tx.company.time_zone, ask_after_days)
    if before is not None and before.state == "active":
        if brake is None:
            await withdraw(tx, before.employee_id)
        elif held := await stop(tx, brake, before.employee_id, "suspend"):
            return held
    kind, outcome = _OUTCOMES[type(planned)]
    if after.rehire_asked_at is not None and before is not None and before.rehire_asked_at is None:
        kind = EventKind.employee_rehire_asked
    if missing:
        await note_missing(tx, missing)
    after = await with_manager(tx, before, after)
    if before is None:
        await writing.insert(tx, kind, after, missing)
    else:
        await note_mended(tx, missing)
        await writing.update(tx, kind, before, after)
    return Provisioned(employee=after.seen_from_outside(), outcome=outcome)


async def _parked(tx: CompanyTx, guarded: EmployeeRecord, asked: str) -> DomainError:
    """An address alone must not take over an administrator; until he is confirmed Entra hears that the name is taken (A24)."""
    subject = employee_text(guarded.employee_id)
    await raise_finding(tx, FindingKind.adoption_waits, subject, employee_id=guarded.employee_id)
    return DomainError(
        ErrorCode.needs_confirmation,
        f"'{asked}' or its e-mail belongs to an account that only a Setup admin may link to Entra.",
        field="login_name",
    )


async def remove_within(
    tx: CompanyTx, employee_id: EmployeeId, versions: Sequence[int] | None = None
) -> None | DomainError:
    brake = await take(tx)
    before = await store.lock_to_remove(tx, employee_id)
    if before is None:
        raise not_found()
    check_version(before.version, versions)
    if before.state == "active" and (held := await stop(tx, brake, employee_id, "remove")):
        return held
    await writing.depart(tx, before)
    return None


async def change_within(
    tx: CompanyTx,
    employee_id: EmployeeId,
    changes: EmployeeChanges,
    *,
    replaces: bool,
    versions: Sequence[int] | None = None,
) -> tuple[Changed, EventKind | None] | DomainError:
    names = [_sent(changes.login_name), _sent(changes.external_id)]
    gates = approvers.gates(tx.company_id, names, [_sent(changes.manager_ref)])
    brake = await take(tx) if changes.active is False else None
    before = await store.lock(tx, employee_id, gates)
    if before is None:
        raise not_found()
    check_version(before.version, versions)
    if replaces:
        changes = revisions.replacing(before, changes)
    if changes != revisions.DEACTIVATION and must_be_confirmed(before, _sent(changes.external_id)):
        return await _parked(tx, before, before.login_name or "")
    if before.state == "active" and changes.active is True:
        await withdraw(tx, employee_id)
    if before.state == "active" and brake and (held := await stop(tx, brake, employee_id, "suspend")):
        return held
    returns = changes.active is True and before.state == "suspended"
    ask_after_days = await store.rehire_ask_after_days(tx) if returns else None
    after = revisions.changed(before, changes, tx.now, tx.company.time_zone, ask_after_days)
    after = await with_manager(tx, before, after)
    if not differences(before, after):
        return Changed(employee=before.seen_from_outside(), changed=False), None
    after = revisions.written_by_entra(before, after, changes, tx.now)
    kind = _kind_of_change(before, after)
    await writing.update(tx, kind, before, after)
    return Changed(employee=after.seen_from_outside(), changed=True), kind


def _sent(value: str | None | UnsetType) -> str | None:
    return None if value is UNSET else value


def _kind_of_change(before: EmployeeRecord, after: EmployeeRecord) -> EventKind:
    if (before.rehire_asked_at is None) != (after.rehire_asked_at is None) and after.state == "suspended":
        return EventKind.employee_rehire_asked if after.rehire_asked_at else EventKind.employee_rehire_withdrawn
    if before.state == after.state:
        return EventKind.employee_changed
    return EventKind.employee_suspended if after.state == "suspended" else EventKind.employee_resumed


def _id(text: str) -> EmployeeId:
    found = employee_from_text(text)
    if found is None:
        raise not_found()
    return found
