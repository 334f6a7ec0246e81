"""An employee as directory holds him: what provisioning sees, and beside it what only directory knows. Pure."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from directory.employees.keys import search_key
from shared.ids import EmployeeId, employee_text
from shared.schemas.employee import Employee, EmployeeState, TerminationSource

Source = Literal["entra", "csv", "manual"]
Owner = Literal["entra", "hr", "csv"]

OWNER_OF_SOURCE: dict[Source, Owner] = {"entra": "entra", "csv": "csv", "manual": "hr"}
"""Whose everything is of a new employee, unless it is told otherwise."""

ATTRIBUTES = (
    "login_name",
    "email",
    "given_name",
    "family_name",
    "external_id",
    "email_primary",
    "display_name",
    "formatted_name",
    "title",
    "department",
    "employee_number",
    "work_phone",
    "mobile_phone",
    "country",
    "manager_ref",
    "leave_date",
)
"""What a request may set directly; `active` is a step of the lifecycle."""

HR_ATTRIBUTES = ("hired_on", "policy")
"""What Entra has no name for: HR and imports set it."""

OWNED = tuple(name for name in (*ATTRIBUTES, *HR_ATTRIBUTES) if name not in {"external_id", "email_primary"})
"""Attributes of which it is kept who sets them, and since when (S25, S26)."""

TOLD = (
    *ATTRIBUTES,
    *HR_ATTRIBUTES,
    "state",
    "source",
    "entra_object_id",
    "manager_id",
    "leaves_on",
    "termination_date",
    "termination_source",
    "calendar_group",
    "roles",
    "only_direct_approver",
    "blocked_at",
    "rehire_asked_at",
    "adoption_confirmed_at",
    "previous_employee_id",
    "leaver_done_at",
)
"""What the history tells when it changes; who owns what is told beside it, as `owners`."""

RELEASED = frozenset({"login_name", "email", "external_id"})
"""What a departure gives free."""


class Ownership(msgspec.Struct, frozen=True, array_like=True):
    """Whose word counts for an attribute."""

    owner: Owner
    since: datetime


class EmployeeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `employees`. Departed ones have no login name, e-mail or external id."""

    employee_id: EmployeeId
    state: EmployeeState
    source: Source
    login_name: str | None
    email: str | None
    given_name: str
    family_name: str
    external_id: str | None = None
    entra_object_id: UUID | None = None
    released_sha256: bytes | None = None
    email_primary: bool | None = None
    display_name: str | None = None
    formatted_name: str | None = None
    title: str | None = None
    department: str | None = None
    employee_number: str | None = None
    work_phone: str | None = None
    mobile_phone: str | None = None
    country: str | None = None
    roles: tuple[str, ...] = ()
    manager_ref: str | None = None
    manager_id: EmployeeId | None = None
    leave_date: str | None = None
    """As it was sent (A4)."""
    leaves_on: date | None = None
    """The company's day that it means, where it can be read."""
    suspended_on: date | None = None
    """When he was last deactivated, whatever his termination date is."""
    spent_leave_date: str | None = None
    """The one that stood when he was last reactivated, or employed anew: it is of the time before, whatever day it says."""
    termination_date: date | None = None
    termination_source: TerminationSource | None = None
    owners: dict[str, Ownership] = {}
    """By attribute of `OWNED`; never changed in place."""
    calendar_group: str | None = None
    """ISO 3166-1 alpha-2 of the country, where its spelling is known (S21)."""
    hired_on: date | None = None
    policy: str | None = None
    blocked_at: datetime | None = None
    """HR took his access away, whatever Entra says (A5)."""
    rehire_asked_at: datetime | None = None
    """Entra says that he is back; he is suspended until HR has chosen what that means (A11)."""
    adoption_confirmed_at: datetime | None = None
    """A Setup admin has said that Entra may take this account over (A24)."""
    previous_employee_id: EmployeeId | None = None
    only_direct_approver: bool = False
    leaver_done_at: datetime | None = None
    awaits_link_since: datetime | None = None
    """Released by a move to another Entra tenant: the next create that names him links him (S66, S67)."""
    created_at: datetime
    updated_at: datetime
    version: int = 1

    @property
    def login_key(self) -> str | None:
        return search_key(self.login_name) if self.login_name is not None else None

    @property
    def email_key(self) -> str | None:
        return search_key(self.email) if self.email is not None else None

    @property
    def manager_key(self) -> str | None:
        return search_key(self.manager_ref) if self.manager_ref is not None else None

    @property
    def department_key(self) -> str | None:
        return search_key(self.department) if self.department is not None else None

    @property
    def has_access(self) -> bool:
        return self.state == "active" and self.blocked_at is None

    def owner_of(self, attribute: str) -> Owner | None:
        held = self.owners.get(attribute)
        return held.owner if held else None

    def seen_from_outside(self) -> Employee:
        """For employees who have not departed: nobody sees the others.

        Whoever waits for HR's choice after his return is active to Entra, which has said so and compares (D7).
        """
        assert self.login_name is not None, "departed employees are never shown"  # noqa: S101
        assert self.email is not None, "departed employees are never shown"  # noqa: S101
        return Employee(
            id=employee_text(self.employee_id),
            state="active" if self.rehire_asked_at else self.state,
            login_name=self.login_name,
            email=self.email,
            given_name=self.given_name,
            family_name=self.family_name,
            external_id=self.external_id,
            email_primary=self.email_primary,
            display_name=self.display_name,
            formatted_name=self.formatted_name,
            title=self.title,
            department=self.department,
            employee_number=self.employee_number,
            work_phone=self.work_phone,
            mobile_phone=self.mobile_phone,
            country=self.country,
            manager_ref=self.manager_ref,
            manager_id=employee_text(self.manager_id) if self.manager_id else None,
            leave_date=self.leave_date,
            termination_date=self.termination_date,
            termination_source=self.termination_source,
            created_at=self.created_at,
            updated_at=self.updated_at,
            version=self.version,
        )


def differences(before: EmployeeRecord | None, after: EmployeeRecord) -> dict[str, dict[str, object]]:
    """field -> {"before": …, "after": …} for the history; everything that is set, where there was nobody before."""
    told: dict[str, dict[str, object]] = {}
    for name in TOLD:
        old = getattr(before, name) if before is not None else None
        new = getattr(after, name)
        if old != new:
            told[name] = {"before": _told(name, old), "after": _told(name, new)}
    if owners := _changed_owners(before, after):
        told["owners"] = owners
    return told


def _changed_owners(before: EmployeeRecord | None, after: EmployeeRecord) -> dict[str, object]:
    """Of the attributes that have another owner than before. Of a new employee everything is his source's, which is not told;
    but a new employment has what HR and imports gave to the old one."""
    old = {name: before.owner_of(name) if before else _source_s(after, name) for name in OWNED}
    changed = [name for name in OWNED if old[name] != after.owner_of(name)]
    if not changed:
        return {}
    return {
        "before": {name: old[name] if before else None for name in changed},
        "after": {name: after.owner_of(name) for name in changed},
    }


def _source_s(record: EmployeeRecord, name: str) -> Owner | None:
    return OWNER_OF_SOURCE[record.source] if getattr(record, name) is not None else None


def owned(record: EmployeeRecord, owner: Owner, attributes: Iterable[str], now: datetime) -> EmployeeRecord:
    """With these attributes in somebody's hands; whose they are already stays his since then."""
    taken = {name: Ownership(owner, now) for name in attributes if name in OWNED and record.owner_of(name) != owner}
    return msgspec.structs.replace(record, owners={**record.owners, **taken}) if taken else record


def _told(name: str, value: object) -> object:
    if name in {"manager_id", "previous_employee_id"} and isinstance(value, UUID):
        return employee_text(value)
    return value
