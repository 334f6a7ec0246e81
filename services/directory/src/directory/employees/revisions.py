"""What an employee becomes by a request: the record before and the request in, the record after out. Pure.

The manager's link is not decided here: that takes a look at the others (`managers.py`).
"""

import hashlib
import secrets
from datetime import date, datetime
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from directory.employees.lifecycle import Step, advance, local_date
from directory.employees.matching import Adopt, Create, Reactivate
from directory.employees.record import ATTRIBUTES, EmployeeRecord, owned
from shared.ids import entra_object_id, new_employee_id
from shared.schemas.employee import EmployeeChanges, NewEmployee


def planned(
    new: NewEmployee, plan: Create | Adopt | Reactivate, now: datetime, time_zone: str
) -> tuple[EmployeeRecord | None, EmployeeRecord]:
    """Who he was, if he was anybody, and who he becomes by a create request."""
    if isinstance(plan, Create):
        before, after = None, _created(new, now)
    else:
        before, after = plan.employee, _with_entras_values(plan.employee, new, now)
    step = Step.resume if new.active else Step.suspend
    return before, advance(after, step, local_date(now, time_zone))[0]


def changed(before: EmployeeRecord, changes: EmployeeChanges, now: datetime, time_zone: str) -> EmployeeRecord:
    """With what was mentioned, otherwise as before; who changes nothing gets an equal record."""
    sent = mentioned(changes)
    after = msgspec.structs.replace(before, **sent, **_link_key(changes.external_id))
    # Whoever clears what was empty has said nothing about whose it is.
    told = [name for name, value in sent.items() if value is not None or getattr(before, name) is not None]
    after = owned(after, "entra", told, now)
    if changes.active is UNSET:
        return after
    return advance(after, Step.resume if changes.active else Step.suspend, local_date(now, time_zone))[0]


def mentioned(changes: EmployeeChanges) -> dict[str, str | bool | None]:
    return {name: value for name in ATTRIBUTES if (value := getattr(changes, name)) is not UNSET}


def governed_by_entra(record: EmployeeRecord, now: datetime) -> EmployeeRecord:
    """The next version. Whoever provisioning has written to is Entra's from then on, also if he was imported."""
    return msgspec.structs.replace(record, source="entra", updated_at=now, version=record.version + 1)


def departed(before: EmployeeRecord, now: datetime, time_zone: str, on: date | None = None) -> EmployeeRecord:
    """Names released; `on`: the termination date that HR chose.

    For audit stays a random salt of 16 bytes and the salted SHA-256 of the login name's key (S40).
    """
    after, _ = advance(before, Step.remove, local_date(now, time_zone))
    salt = secrets.token_bytes(16)
    released = salt + hashlib.sha256(salt + (before.login_key or "").encode()).digest()
    return msgspec.structs.replace(
        after,
        released_sha256=released,
        termination_date=on or after.termination_date,
        blocked_at=None,
        rehire_asked_at=None,
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
    return owned(created, "entra", (name for name in ATTRIBUTES if getattr(new, name) is not None), now)


def _with_entras_values(before: EmployeeRecord, new: NewEmployee, now: datetime) -> EmployeeRecord:
    """Entra's values win; what the request does not carry stays, for Entra sends nothing for an empty value (S33)."""
    sent = {name: value for name in ATTRIBUTES if (value := getattr(new, name)) is not None}
    after = msgspec.structs.replace(before, **sent, **_link_key(new.external_id))
    return governed_by_entra(owned(after, "entra", sent, now), now)


def _link_key(external_id: str | None | UnsetType) -> dict[str, UUID]:
    """An object id in the external id becomes the link key, and replaces another: provisioning is the authority, and a
    move to another Entra tenant arrives just so (S66, S67). Anything else leaves the link key alone: a changed mapping must
    not break a linked login (decision D10)."""
    object_id = entra_object_id(external_id) if isinstance(external_id, str) else None
    return {"entra_object_id": object_id} if object_id else {}
