"""People as HR sees and changes them: Setup admin's requests, and their answers."""

from datetime import date, datetime
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from shared.schemas import Schema
from shared.schemas.employee import EmployeeState, TerminationSource
from shared.schemas.login import SessionCredential

Access = Literal["open", "blocked", "awaits_rehire", "suspended", "departed"]


class EmployeeEdits(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What HR writes; UNSET is "not mentioned", None clears."""

    login_name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    given_name: str | UnsetType = UNSET
    family_name: str | UnsetType = UNSET
    title: str | None | UnsetType = UNSET
    department: str | None | UnsetType = UNSET
    employee_number: str | None | UnsetType = UNSET
    work_phone: str | None | UnsetType = UNSET
    mobile_phone: str | None | UnsetType = UNSET
    country: str | None | UnsetType = UNSET
    manager_ref: str | None | UnsetType = UNSET
    """The direct approver: his id or login name."""
    hired_on: date | None | UnsetType = UNSET
    leave_date: date | None | UnsetType = UNSET
    """His last day; it ends nothing by itself, and is the termination date of whoever is deactivated (A4)."""
    policy: str | None | UnsetType = UNSET


class NewPerson(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody whom HR creates by hand, because Entra does not know him (B11)."""

    login_name: str
    email: str
    given_name: str
    family_name: str
    title: str | None = None
    department: str | None = None
    employee_number: str | None = None
    work_phone: str | None = None
    mobile_phone: str | None = None
    country: str | None = None
    manager_ref: str | None = None
    """The direct approver: his id or login name."""
    hired_on: date | None = None
    leave_date: date | None = None
    policy: str | None = None


class CreatePerson(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    person: NewPerson


class Owned(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose word counts for an attribute."""

    owner: Literal["entra", "hr", "csv"]
    since: datetime


class PersonView(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An employee as HR sees him, departed or not; a departed one has no login name and no e-mail."""

    id: str
    state: EmployeeState
    access: Access
    login_name: str | None
    email: str | None
    given_name: str
    family_name: str
    title: str | None
    department: str | None
    employee_number: str | None
    work_phone: str | None
    mobile_phone: str | None
    country: str | None
    calendar_group: str | None
    manager_ref: str | None
    manager_id: str | None
    hired_on: date | None
    policy: str | None
    leave_date: str | None
    leaves_on: date | None
    """The day that the leave date means; None where it cannot be read."""
    termination_date: date | None
    termination_source: TerminationSource | None
    roles: list[str]
    only_direct_approver: bool
    previous_employee_id: str | None
    owners: dict[str, Owned]
    version: int
    entra_still_holds: bool = False
    """After an end of employment by hand: Entra does not know. Take the person out of the app's assignment there, too."""


class EditEmployee(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    person: str
    """His id or login name."""
    edits: EmployeeEdits


class EndEmployment(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    person: str
    on: date | None = None
    """The termination date; None: today in the company's time zone."""


class BlockAccess(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    person: str
    blocked: bool


class DecideRehire(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`continue`: the same employee with his history; `new_employment`: a new id, and the old one departs (A11)."""

    session: SessionCredential
    person: str
    choice: Literal["continue", "new_employment"]


class ConfirmAdoption(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    person: str


class ConfirmCleared(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Entra seems to have cleared his manager: it has, or (`keep`) he stays (A18)."""

    session: SessionCredential
    person: str
    keep: bool = False


class ReleaseAttribute(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    attribute: str


class ReleasedAttribute(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    attribute: str
    people: int
    """Whose attribute was Entra's, and is HR's from now on."""


class ListFindings(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential


class Finding(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: str
    subject: str
    employee_id: str | None
    details: dict[str, Any]
    opened_at: datetime | None
    last_seen_at: datetime | None
    times: int


class FindingList(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    findings: list[Finding]


class WorkList(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    after: str = ""
    limit: int = 100


class WorkStep(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a joiner `policy`, `date_of_employment`, `payroll_number`; of a leaver `approvals_of_reports`,
    `future_registrations`, `access_ended`, `erasure_date`."""

    step: str
    done: bool
    about: str | None = None
    """A number of reports, a moment or a date, as text."""


class WorkItem(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Literal["joiner", "leaver"]
    employee_id: str
    name: str
    since: datetime
    steps: list[WorkStep]


class WorkItems(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    items: list[WorkItem]
    next: str | None


class FinishWork(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """HR has dealt with a leaver's future registrations."""

    session: SessionCredential
    person: str
