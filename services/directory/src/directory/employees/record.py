"""An employee as directory holds him: what provisioning sees, and beside it what only directory knows. Pure."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from directory.employees.keys import search_key
from shared.ids import EmployeeId, employee_text
from shared.schemas.employee import Employee, EmployeeState

Source = Literal["entra", "csv", "manual"]

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
)
"""What a request may set directly; `active` is a step of the lifecycle."""

TOLD = (*ATTRIBUTES, "state", "source", "entra_object_id", "manager_id", "termination_date")
"""What the history tells when it changes."""

RELEASED = frozenset({"login_name", "email", "external_id"})
"""What a departure gives free."""


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
    termination_date: date | None = None
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

    def seen_from_outside(self) -> Employee:
        """For employees who have not departed: nobody sees the others."""
        assert self.login_name is not None, "departed employees are never shown"  # noqa: S101
        assert self.email is not None, "departed employees are never shown"  # noqa: S101
        return Employee(
            id=employee_text(self.employee_id),
            state=self.state,
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
            termination_date=self.termination_date,
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
    return told


def _told(name: str, value: object) -> object:
    return employee_text(value) if name == "manager_id" and isinstance(value, UUID) else value
