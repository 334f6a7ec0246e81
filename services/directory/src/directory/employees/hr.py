"""What HR does to people beside what Entra says of them: edit, block, end, decide a return, let Entra take an account over,
confirm what Entra leaves unsaid.

Each takes the transaction of a Setup admin or an operator and names the person by id or login name; the transaction is to be done
again (`writing.repeated`) where it was outrun. Under integration an
attribute belongs to Entra as long as Entra sends it: HR may edit what is its own, an import's, or mapped no more (S25, S69).
"""

from datetime import date, timedelta
from typing import Literal

import msgspec
from msgspec import UNSET

from directory.companies.move_store import is_prepared
from directory.cycles import store as cycles
from directory.database import CompanyTx, Outrun
from directory.employees import approvers, revisions, store, writing
from directory.employees.keys import check_values, search_key
from directory.employees.leave_dates import EARLIER_DAYS, LATER_DAYS
from directory.employees.lifecycle import Step, advance, local_date
from directory.employees.managers import with_manager
from directory.employees.mapping import no_longer_sent
from directory.employees.people import find
from directory.employees.record import OWNED, EmployeeRecord, differences
from directory.events.catalogue import EventKind
from directory.events.store import record
from directory.findings.catalogue import FindingKind
from directory.findings.store import close_findings, take_finding
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text
from shared.schemas.people import EmployeeEdits, NewPerson

EARLIEST = date(1900, 1, 1)
LATEST_HIRE_DAYS = 731

ADDRESSES = frozenset({"login_name", "email"})
"""What HR edits, whoever's it is, while the company moves to another Entra tenant (S66, S69): until the new one has named him."""


async def create_employee(tx: CompanyTx, new: NewPerson) -> EmployeeRecord:
    """By hand (B11), for whom Entra does not know.

    Raises:
        DomainError: `invalid_value`; `login_taken` or `email_taken`, which names whose it is, suspended people's too (S48).
    """
    check_values(new)
    _check_dates(tx, new, None)
    login_key = search_key(new.login_name)
    gates = approvers.gates(tx.company_id, [login_key], [new.manager_ref])
    for other in await store.candidates(tx, login_key, search_key(new.email), None, None, gates):
        field = "login_name" if other.login_key == login_key else "email"
        raise DomainError(
            ErrorCode.login_taken if field == "login_name" else ErrorCode.email_taken,
            f"{field} '{getattr(new, field)}' belongs to {other.given_name} {other.family_name} "
            f"({employee_text(other.employee_id)}), who is {other.state}.",
            field=field,
        )
    after = await with_manager(tx, None, revisions.by_hand(new, tx.now, tx.company.time_zone))
    await writing.insert(tx, EventKind.employee_created, after)
    return after


async def edit_employee(tx: CompanyTx, person: str, edits: EmployeeEdits) -> EmployeeRecord:
    """All or nothing; what is so already is not written.

    Raises:
        DomainError: `not_allowed` for an attribute that Entra governs, `invalid_value`, `login_taken`, `email_taken`.
    """
    check_values(edits)
    names = [None if edits.login_name is UNSET else edits.login_name]
    reference = None if edits.manager_ref is UNSET else edits.manager_ref
    before = await _locked(tx, person, await find(tx, person), approvers.gates(tx.company_id, names, [reference]))
    _check_dates(tx, edits, before)
    after = await with_manager(tx, before, revisions.edited(before, edits, tx.now, tx.company.time_zone))
    changed = differences(before, after)
    if not changed:
        return before
    await _check_ownership(tx, before, [name for name in OWNED if name in changed])
    after = revisions.next_version(after, tx.now)
    await writing.update(tx, EventKind.employee_changed, before, after)
    return after


async def _check_ownership(tx: CompanyTx, before: EmployeeRecord, attributes: list[str]) -> None:
    governed = [name for name in attributes if before.owner_of(name) == "entra"]
    if not governed:
        return
    governed = sorted(set(governed) - await no_longer_sent(tx, governed))
    if governed and ADDRESSES.issuperset(governed) and (before.awaits_link_since or await is_prepared(tx)):
        return
    if governed:
        name = governed[0]
        raise DomainError(
            ErrorCode.not_allowed,
            f"{name} comes from Entra since {before.owners[name].since:%Y-%m-%d}: change it there. Once it is no longer mapped "
            "in Entra, a Setup admin can release the attribute, and HR edits it here.",
            field=name,
        )


def _check_dates(tx: CompanyTx, values: NewPerson | EmployeeEdits, before: EmployeeRecord | None) -> None:
    today = local_date(tx.now, tx.company.time_zone)
    hired_on = before.hired_on if before is not None and values.hired_on is UNSET else values.hired_on
    if isinstance(values.hired_on, date):
        _check_date("hired_on", values.hired_on, EARLIEST, today + timedelta(days=LATEST_HIRE_DAYS))
    if isinstance(values.leave_date, date):
        # One that would not count is a mistake.
        ended_on = before.suspended_on if before is not None and before.state == "suspended" else None
        earliest = (ended_on or today) - timedelta(days=EARLIER_DAYS)
        latest = (ended_on or today) + timedelta(days=LATER_DAYS)
        _check_date(
            "leave_date", values.leave_date, max(earliest, hired_on) if isinstance(hired_on, date) else earliest, latest
        )


def _check_date(field: str, given: date, earliest: date, latest: date) -> None:
    if not earliest <= given <= latest:
        raise DomainError(
            ErrorCode.invalid_value, f"{field} must be from {earliest} to {latest}, and is {given}.", field=field
        )


async def end_employment(tx: CompanyTx, person: str, on: date | None = None) -> EmployeeRecord:
    """By hand, as a hard delete (S43, A5): access ends now, names are released; `on` is the termination date: where
    none is given, today, and for somebody suspended the one he has.

    Raises:
        DomainError: `invalid_value` for a date before he was hired (more than a year back, where that is not known), or more than
            a year ahead.
    """
    before = await _locked_to_remove(tx, person, await find(tx, person))
    today = local_date(tx.now, tx.company.time_zone)
    if on is not None:
        # Without a date of employment nothing tells a mistyped year from a right one, and data are erased by it.
        earliest = before.hired_on or today - timedelta(days=LATER_DAYS)
        _check_date("on", on, earliest, today + timedelta(days=LATER_DAYS))
    elif before.state == "active":
        on = today
    return await writing.depart(tx, before, on)


async def set_blocked(tx: CompanyTx, person: str, blocked: bool) -> EmployeeRecord:
    """Block access: no sign-in and no session, whatever Entra says, until HR gives it back (A5)."""
    before = await _locked(tx, person, await find(tx, person))
    if (before.blocked_at is not None) == blocked:
        return before
    after = revisions.next_version(msgspec.structs.replace(before, blocked_at=tx.now if blocked else None), tx.now)
    await writing.update(tx, EventKind.employee_blocked if blocked else EventKind.employee_unblocked, before, after)
    return after


async def decide_rehire(tx: CompanyTx, person: str, choice: Literal["continue", "new_employment"]) -> EmployeeRecord:
    """Whoever waits after his return goes on as he was, or begins anew under a new id with the names of the old (A11)."""
    employee_id = await find(tx, person)
    seen = await store.get(tx, employee_id)
    # A new employment answers to the id of the former one, too.
    names = [seen.login_key, seen.external_id, employee_text(employee_id)] if seen else []
    await store.enter_gates(tx, approvers.gates(tx.company_id, names, [seen.manager_ref] if seen else []))
    before = await _locked_to_remove(tx, person, employee_id, seen.manager_id if seen else None)
    if before.rehire_asked_at is None:
        raise DomainError(
            ErrorCode.not_allowed, "Nothing waits to be decided: he has not returned after a long absence."
        )
    if seen is None or _gated(before) != _gated(seen):
        raise Outrun
    if choice == "continue":
        after, _ = advance(before, Step.resume, local_date(tx.now, tx.company.time_zone))
        after = revisions.next_version(after, tx.now)
        await writing.update(tx, EventKind.employee_resumed, before, after)
        return after
    await writing.depart(tx, before)
    after = await with_manager(tx, None, revisions.new_employment(before, tx.now))
    await writing.insert(tx, EventKind.employee_created, after)
    return after


async def confirm_adoption(tx: CompanyTx, person: str) -> EmployeeRecord:
    """Entra may take over this account, although it is a Setup admin's, or of somebody who has signed in; or an administrator's
    first login may bring another name than his principal name (A24)."""
    before = await _locked(tx, person, await find(tx, person))
    await close_findings(tx, FindingKind.adoption_waits, employee_text(before.employee_id))
    is_known = before.source == "entra" and before.entra_object_id is not None
    if is_known or before.adoption_confirmed_at is not None:
        return before
    after = revisions.next_version(msgspec.structs.replace(before, adoption_confirmed_at=tx.now), tx.now)
    await writing.update(tx, EventKind.employee_adoption_confirmed, before, after)
    return after


async def confirm_cleared(tx: CompanyTx, person: str, *, keep: bool = False) -> EmployeeRecord:
    """Entra seems to have cleared his manager without a word (A18). It is as if it had said so; or, `keep`, the manager stays.

    The attribute stays Entra's: should it send a manager after all, he is it.

    Raises:
        DomainError: `not_allowed` where no finding says so, or it is over.
    """
    await cycles.enter(tx)
    before = await _locked(tx, person, await find(tx, person))
    subject, manager = employee_text(before.employee_id), before.manager_id
    told = await take_finding(tx, FindingKind.manager_possibly_cleared, subject)
    if told is None:
        raise DomainError(
            ErrorCode.not_allowed,
            "There is nothing to confirm: no open finding says that Entra may have cleared his manager. Whoever looks after "
            "people in Entra removes a manager there; where Entra maps managers no more, HR edits him here.",
            field="person",
        )
    if manager is None or told["manager_id"] != employee_text(manager) or before.owner_of("manager_ref") != "entra":
        raise DomainError(
            ErrorCode.not_allowed,
            f"The finding is about {told['manager_id']}, who is not his manager by Entra's word any more: there is nothing to "
            "confirm, and the next sweep closes it.",
            field="person",
        )
    if keep:
        await cycles.keep(tx, before.employee_id, manager)
        changes = {"kept_manager": {"before": None, "after": employee_text(manager)}}
        record(tx, EventKind.employee_manager_kept, employee_id=before.employee_id, changes=changes)
        return before
    after = await with_manager(tx, before, msgspec.structs.replace(before, manager_ref=None))
    after = revisions.next_version(after, tx.now)
    await writing.update(tx, EventKind.employee_changed, before, after)
    return after


async def finish_work(tx: CompanyTx, person: str) -> EmployeeRecord:
    """HR has dealt with the future registrations of a leaver; he may be named by id alone once he has departed."""
    before = _still_meant(person, await store.lock_anybody(tx, await find(tx, person)))
    if before is None:  # erased at this moment
        raise Outrun
    if before.state == "active":
        raise DomainError(ErrorCode.not_allowed, "He has not left; there is nothing to finish.", field="person")
    if before.leaver_done_at is not None:
        return before
    after = revisions.next_version(msgspec.structs.replace(before, leaver_done_at=tx.now), tx.now)
    await writing.update(tx, EventKind.employee_work_done, before, after)
    return after


def _gated(record: EmployeeRecord) -> tuple[str | None, str | None, str | None]:
    return record.login_key, record.external_id, record.manager_ref


async def _locked(tx: CompanyTx, person: str, employee_id: EmployeeId, gates: store.Gates = ()) -> EmployeeRecord:
    found = _still_meant(person, await store.lock(tx, employee_id, gates))
    if found is None:
        raise await _gone(tx, person)
    return found


async def _locked_to_remove(
    tx: CompanyTx, person: str, employee_id: EmployeeId, manager_id: EmployeeId | None = None
) -> EmployeeRecord:
    found = _still_meant(person, await store.lock_to_remove(tx, employee_id, manager_id))
    if found is None:
        raise await _gone(tx, person)
    return found


async def _gone(tx: CompanyTx, person: str) -> DomainError:
    """Departed, or erased since he was found: then he is not found."""
    await find(tx, person)
    return DomainError(ErrorCode.not_allowed, "He has departed; what is left of him cannot be changed.", field="person")


def _still_meant(person: str, found: EmployeeRecord | None) -> EmployeeRecord | None:
    """Whoever was found by a name may have lost it while his lock was waited for.

    Raises:
        Outrun: he has; who is meant is to be looked up again.
    """
    if employee_from_text(person) is None and (found is None or found.login_key != search_key(person)):
        raise Outrun
    return found
