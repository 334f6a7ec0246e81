"""What an employee becomes by a request: the record before and the request in, the record after out. Pure.

The manager's link is not decided here: that takes a look at the others (`managers.py`).
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from directory.employees.countries import calendar_group
from directory.employees.keys import search_key
from directory.employees.leave_dates import read_leave_date
from directory.employees.lifecycle import Step, advance, ended, local_date, returned, suspended
from directory.employees.matching import Adopt, Create, Reactivate, Relink, is_guarded, is_tied
from directory.employees.record import ATTRIBUTES, HR_ATTRIBUTES, OWNED, EmployeeRecord, Ownership, owned
from shared.ids import entra_object_id, new_employee_id
from shared.schemas.employee import EmployeeChanges, NewEmployee
from shared.schemas.people import EmployeeEdits, NewPerson

DEACTIVATION = EmployeeChanges(active=False)


def planned(
    new: NewEmployee,
    plan: Create | Adopt | Reactivate | Relink,
    now: datetime,
    time_zone: str,
    ask_after_days: int | None = None,
) -> tuple[EmployeeRecord | None, EmployeeRecord]:
    """Who he was, if he was anybody, and who he becomes by a create request."""
    if isinstance(plan, Create):
        before, after = None, with_leave_date(None, _created(new, now), now, time_zone)
    else:
        before = plan.employee
        after = with_leave_date(before, _with_entras_values(before, new, now), now, time_zone)
    return before, _activated(before, after, new.active, now, time_zone, ask_after_days)


def changed(
    before: EmployeeRecord,
    changes: EmployeeChanges,
    now: datetime,
    time_zone: str,
    ask_after_days: int | None = None,
) -> EmployeeRecord:
    """With what was mentioned, otherwise as before; who changes nothing gets an equal record."""
    sent = mentioned(changes)
    after = msgspec.structs.replace(before, **sent, **_link_key(changes.external_id))
    # Whoever clears what was empty has said nothing about whose it is.
    told = [name for name, value in sent.items() if value is not None or getattr(before, name) is not None]
    after = with_calendar_group(before, owned(after, "entra", told, now))
    after = with_leave_date(before, after, now, time_zone)
    if changes.active is UNSET:
        return after
    return _activated(before, after, changes.active, now, time_zone, ask_after_days)


def replacing(before: EmployeeRecord, changes: EmployeeChanges) -> EmployeeChanges:
    """What a PUT says: what it does not mention is cleared where it is Entra's. What HR or an import owns Entra has no word for,
    or maps no more (S25, S33)."""
    silent = {
        name: UNSET
        for name in OWNED
        if getattr(changes, name, UNSET) is None and before.owner_of(name) not in {None, "entra"}
    }
    return msgspec.structs.replace(changes, **silent)


def by_hand(new: NewPerson, now: datetime, time_zone: str) -> EmployeeRecord:
    """Created by HR, whose every word about him is; Entra may adopt him later, as it does somebody imported."""
    given = {name: _as_kept(name, getattr(new, name)) for name in new.__struct_fields__}
    made = EmployeeRecord(
        employee_id=new_employee_id(), state="active", source="manual", created_at=now, updated_at=now, **given
    )
    made = with_calendar_group(None, owned(made, "hr", (name for name in given if given[name] is not None), now))
    return with_leave_date(None, made, now, time_zone)


def edited(before: EmployeeRecord, edits: EmployeeEdits, now: datetime, time_zone: str) -> EmployeeRecord:
    """As HR wants him; what HR changes is HR's from then on. A blank clears: nothing is done by it that HR has to do."""
    sent = {name: value for name in edits.__struct_fields__ if (value := getattr(edits, name)) is not UNSET}
    sent = {name: _as_kept(name, value) for name, value in sent.items()}
    told = [name for name, value in sent.items() if value != getattr(before, name)]
    after = owned(msgspec.structs.replace(before, **sent), "hr", told, now)
    return with_leave_date(before, with_calendar_group(before, after), now, time_zone)


def _as_kept(name: str, value: object) -> Any:
    if name == "leave_date" and isinstance(value, date):
        return value.isoformat()
    return None if isinstance(value, str) and not value.strip() else value


def next_version(record: EmployeeRecord, now: datetime) -> EmployeeRecord:
    return msgspec.structs.replace(record, updated_at=now, version=record.version + 1)


def new_employment(old: EmployeeRecord, now: datetime) -> EmployeeRecord:
    """Rehired (A11): the same person under a new id, with an empty history; what belonged to the employment stays behind."""
    number = old.employee_number if old.owner_of("employee_number") == "entra" else None
    owners = {name: Ownership(held.owner, now) for name, held in old.owners.items() if name not in HR_ATTRIBUTES}
    if number is None:
        owners.pop("employee_number", None)
    return msgspec.structs.replace(
        old,
        employee_id=new_employee_id(),
        state="active",
        roles=(),
        manager_id=None,
        termination_date=None,
        termination_source=None,
        suspended_on=None,
        spent_leave_date=old.leave_date,
        owners=owners,
        employee_number=number,
        hired_on=None,
        policy=None,
        blocked_at=None,
        rehire_asked_at=None,
        adoption_confirmed_at=None,
        previous_employee_id=old.employee_id,
        only_direct_approver=False,
        leaver_done_at=None,
        awaits_link_since=None,
        created_at=now,
        updated_at=now,
        version=1,
    )


def with_calendar_group(before: EmployeeRecord | None, after: EmployeeRecord) -> EmployeeRecord:
    """The country decides it (S21); an unchanged country is not looked up again."""
    if before is not None and before.country == after.country:
        return after
    return msgspec.structs.replace(after, calendar_group=calendar_group(after.country) if after.country else None)


def with_leave_date(
    before: EmployeeRecord | None, after: EmployeeRecord, now: datetime, time_zone: str
) -> EmployeeRecord:
    """The day that the leave date means; it corrects the termination date of whoever is suspended already."""
    if after.leave_date == (before.leave_date if before is not None else None):
        return after
    day = read_leave_date(after.leave_date, time_zone) if after.leave_date is not None else None
    after = msgspec.structs.replace(after, leaves_on=day)
    if after.state != "suspended":
        return after
    # As if it had stood there when he was deactivated.
    return ended(after, after.suspended_on or local_date(now, time_zone))


def _activated(
    before: EmployeeRecord | None,
    record: EmployeeRecord,
    active: bool,
    now: datetime,
    time_zone: str,
    ask_after_days: int | None,
) -> EmployeeRecord:
    today = local_date(now, time_zone)
    if not active:
        return suspended(record, today)
    after = returned(record, now, today, ask_after_days)
    if before is not None and before.state == "suspended" and after.state == "active":
        # A leave date that comes with the return is of the time to come.
        return msgspec.structs.replace(after, spent_leave_date=before.leave_date)
    return after


def mentioned(changes: EmployeeChanges) -> dict[str, str | bool | None]:
    return {name: value for name in ATTRIBUTES if (value := getattr(changes, name)) is not UNSET}


def written_by_entra(
    before: EmployeeRecord, after: EmployeeRecord, changes: EmployeeChanges, now: datetime
) -> EmployeeRecord:
    """The next version, by a change of Entra's. An account that must be confirmed can be deactivated, and is not Entra's by that:
    it could be brought back under another's link key (A24)."""
    stays = changes == DEACTIVATION and (is_guarded(before) or is_tied(before))
    return next_version(after, now) if stays else governed_by_entra(after, now)


def governed_by_entra(record: EmployeeRecord, now: datetime) -> EmployeeRecord:
    """The next version. Whoever provisioning has written to is Entra's from then on, also if he was imported."""
    return msgspec.structs.replace(next_version(record, now), source="entra", awaits_link_since=None)


def departed(
    before: EmployeeRecord, now: datetime, time_zone: str, on: date | None = None, former: Iterable[str] = ()
) -> EmployeeRecord:
    """Names released, roles gone; `on`: the termination date that HR chose.

    For audit (S40), and so that an erasure finds what still refers to him, stay a random salt of 16 bytes and the salted SHA-256
    of the login name's key, of the other names', and of those he bore before (`former`).
    """
    after, _ = advance(before, Step.remove, local_date(now, time_zone))
    salt, login_key = secrets.token_bytes(16), before.login_key or ""
    others = {search_key(name) for name in (before.email, before.external_id, *former) if name} - {login_key}
    released = salt + b"".join(hashlib.sha256(salt + key.encode()).digest() for key in (login_key, *sorted(others)))
    return msgspec.structs.replace(
        after,
        roles=(),
        released_sha256=released,
        termination_date=on or after.termination_date,
        termination_source="hr" if on else after.termination_source,
        blocked_at=None,
        rehire_asked_at=None,
        awaits_link_since=None,
        updated_at=now,
        version=before.version + 1,
    )


def _created(new: NewEmployee, now: datetime) -> EmployeeRecord:
    created = EmployeeRecord(
        employee_id=new_employee_id(),
        state="active",
        source="entra",
        entra_object_id=entra_object_id(new.external_id),
        created_at=now,
        updated_at=now,
        **{name: getattr(new, name) for name in ATTRIBUTES},
    )
    sent = (name for name in ATTRIBUTES if getattr(new, name) is not None)
    return with_calendar_group(None, owned(created, "entra", sent, now))


def _with_entras_values(before: EmployeeRecord, new: NewEmployee, now: datetime) -> EmployeeRecord:
    """Entra's values win; what the request does not carry stays, for Entra sends nothing for an empty value (S33)."""
    sent = {name: value for name in ATTRIBUTES if (value := getattr(new, name)) is not None}
    after = msgspec.structs.replace(before, **sent, **_link_key(new.external_id), adoption_confirmed_at=None)
    return governed_by_entra(with_calendar_group(before, owned(after, "entra", sent, now)), now)


def _link_key(external_id: str | None | UnsetType) -> dict[str, UUID]:
    """An object id in the external id becomes the link key, and replaces another: provisioning is the authority, and a
    move to another Entra tenant arrives just so (S66, S67). Anything else leaves the link key alone: a changed mapping must
    not break a linked login (decision D10)."""
    object_id = entra_object_id(external_id) if isinstance(external_id, str) else None
    return {"entra_object_id": object_id} if object_id else {}
