"""Employees as directory takes and gives them.

In `EmployeeChanges`, UNSET means "not mentioned" and None means "clear it": just what a PATCH says.
Values are stored as they were sent; comparison keys are directory's business (decision D2, D7).
"""

from datetime import date, datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from shared.schemas import Schema
from shared.schemas.search import Expression, Sorting

EmployeeState = Literal["active", "suspended", "departed"]

TerminationSource = Literal["inactivation", "leave_date", "hr"]
"""Whose the termination date is: the day of the deactivation, the leave date that came from Entra or HR (A4), or HR's choice."""


class ScimCredential(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What scim-ingest passes on; directory works out the company from the token and compares it with the path's."""

    token_sha256: str
    """64 hexadecimal digits."""
    company: str
    """The company named in the path."""


class NewEmployee(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person as a provisioning request describes him. The five mandatory attributes are S23's."""

    login_name: str
    email: str
    given_name: str
    family_name: str
    active: bool = True
    external_id: str | None = None
    email_primary: bool | None = None
    display_name: str | None = None
    formatted_name: str | None = None
    title: str | None = None
    department: str | None = None
    employee_number: str | None = None
    work_phone: str | None = None
    mobile_phone: str | None = None
    country: str | None = None
    leave_date: str | None = None
    """His last day, where the company maps one: any text, and a date if it is to mean anything (decision A4)."""
    manager_ref: str | None = None
    """The manager as the sender names him: normally our id of him, known to us or not (decision D8)."""


class EmployeeChanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request's changes, compiled; applied as a whole or not at all."""

    login_name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    given_name: str | UnsetType = UNSET
    family_name: str | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    external_id: str | None | UnsetType = UNSET
    email_primary: bool | None | UnsetType = UNSET
    display_name: str | None | UnsetType = UNSET
    formatted_name: str | None | UnsetType = UNSET
    title: str | None | UnsetType = UNSET
    department: str | None | UnsetType = UNSET
    employee_number: str | None | UnsetType = UNSET
    work_phone: str | None | UnsetType = UNSET
    mobile_phone: str | None | UnsetType = UNSET
    country: str | None | UnsetType = UNSET
    manager_ref: str | None | UnsetType = UNSET
    leave_date: str | None | UnsetType = UNSET


class Employee(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An employee as stored, seen from provisioning."""

    id: str
    """`emp_…`"""
    state: EmployeeState
    login_name: str
    email: str
    given_name: str
    family_name: str
    external_id: str | None = None
    email_primary: bool | None = None
    display_name: str | None = None
    formatted_name: str | None = None
    title: str | None = None
    department: str | None = None
    employee_number: str | None = None
    work_phone: str | None = None
    mobile_phone: str | None = None
    country: str | None = None
    manager_ref: str | None = None
    manager_id: str | None = None
    """`emp_…` of the manager once the reference is known; None while it waits."""
    leave_date: str | None = None
    termination_date: date | None = None
    termination_source: TerminationSource | None = None
    created_at: datetime
    updated_at: datetime
    version: int
    """Rises by one with every change that changed something."""


MappedAttribute = Literal["login_name", "email", "given_name", "family_name", "active"]
"""The mandatory ones (S23)."""


class ProvisionEmployee(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: ScimCredential
    employee: NewEmployee
    missing: list[MappedAttribute] = []
    """Mandatory attributes that the create did not carry, of those that do not make it fail: `active` (A28)."""
    quirk: str | None = None
    """What in the request leaves the standards, by the name that scim-ingest gives it: a company in strict mode refuses it."""


class NoteMapping(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A create or replacement was refused because it lacked these (S24)."""

    credential: ScimCredential
    missing: list[MappedAttribute]


class NotedMapping(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Provisioned(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of a create (decision D1)."""

    employee: Employee
    outcome: Literal["created", "adopted", "reactivated"]


class GetEmployee(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: ScimCredential
    employee_id: str


class ChangeEmployee(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: ScimCredential
    employee_id: str
    changes: EmployeeChanges
    replaces: bool = False
    """The changes mention everything there is: null says nothing of what is not Entra's."""
    versions: list[int] | None = None
    """He must have one of these; None: whichever (RFC 7644 section 3.14)."""
    deactivate_anyway: bool = False
    """Where something beside `active: false` is refused, do that alone instead of nothing (decision D5); never in strict mode."""
    quirk: str | None = None
    """As with `ProvisionEmployee`."""
    strictly: EmployeeChanges | None = None
    """What the changes are to a company in strict mode; None: the same."""


class Changed(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    employee: Employee
    changed: bool
    """False: everything was already so, and nothing was written."""
    left_out: str | None = None
    """Code of the refusal because of which only the deactivation was done; None: all was done."""


class RemoveEmployee(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: ScimCredential
    employee_id: str
    versions: list[int] | None = None


class Removed(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class FindEmployees(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: ScimCredential
    where: Expression | None = None
    offset: int = 0
    """Rows to leave out in front, from 0."""
    limit: int = 100
    """Rows at most, 0 to 1001; 0 asks for the total alone."""
    sorting: Sorting | None = None
    """None: in the order of creation."""
    after: str | None = None
    """The id of the last one of the page before; not together with `sorting`."""


class EmployeePage(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    total: int
    employees: list[Employee]


class CheckCredential(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Is this token this company's? Asked by discovery, which reads no employee."""

    credential: ScimCredential


class CompanyProvisioning(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a company wants its provisioning."""

    company: str
    strict: bool
