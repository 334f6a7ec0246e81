"""Employees and what happened to them, as the company's own readers see it: the BitaBIZ application, Setup admin, the operator.

Wider than what provisioning sees: departed people too (without what was released), and who did what, and when.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from shared.schemas import Schema
from shared.schemas.employee import EmployeeState, TerminationSource
from shared.schemas.login import SessionCredential

Owner = Literal["entra", "hr", "csv"]


class EmployeeView(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An employee, now or as of a moment. A departed one has no login name, e-mail or external id: they were released."""

    id: str
    """`emp_…`"""
    state: EmployeeState
    source: Literal["entra", "csv", "manual"]
    login_name: str | None = None
    email: str | None = None
    given_name: str
    family_name: str
    external_id: str | None = None
    entra_object_id: str | None = None
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
    """`emp_…` of the manager once the reference is known; null while it waits."""
    leave_date: str | None = None
    """As it was sent, where the company maps one in Entra."""
    leaves_on: date | None = None
    """The day that it means, where it can be read."""
    termination_date: date | None = None
    termination_source: TerminationSource | None = None
    """The day of the deactivation, the leave date, or HR's choice."""
    calendar_group: str | None = None
    """ISO 3166-1 alpha-2 of the country, where its spelling is known."""
    roles: list[str] = []
    """Granted by hand; Approver by having reports is derived, and not among them."""
    only_direct_approver: bool = False
    hired_on: date | None = None
    policy: str | None = None
    blocked_at: datetime | None = None
    """HR took his access away, whatever Entra says."""
    rehire_asked_at: datetime | None = None
    """Entra says active again; suspended until HR has chosen what that means."""
    previous_employee_id: str | None = None
    """`emp_…` of the same person in an earlier employment."""
    leaver_done_at: datetime | None = None
    """HR has dealt with what a leaver left behind."""
    adoption_confirmed_at: datetime | None = None
    """A Setup admin lets Entra take the account over."""
    owners: dict[str, Owner] = {}
    """attribute -> whose word counts for it."""
    created_at: datetime
    updated_at: datetime
    version: int
    """Rises by one with every change that changed something."""


class EmployeesPage(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In the order of creation."""

    employees: list[EmployeeView]
    next: str | None
    """What to ask for with `after`; null on the last page."""
    sequence: int
    """How far the history had come when this page was read: whoever lists first and follows the feed afterwards begins
    with the `sequence` of his first page."""


ActorKind = Literal["entra", "person", "operator", "system"]


class EventActor(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ActorKind
    id: str
    """entra: the SCIM token's id; person: `emp_…`; operator: his name on the machine; system: which part of it."""


class HistoryEvent(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that happened, and never changes but by forgetting."""

    sequence: int
    """1, 2, 3 … in each company, in the order of commit, without a gap: the feed's cursor."""
    at: datetime
    kind: str
    employee_id: str | None
    actor: EventActor
    request_id: str
    trace_id: str
    changes: dict[str, Any]
    """attribute -> {"before": …, "after": …}; which there may be for a kind: docs/events.schema.json."""
    forgotten: bool = False
    """True: something that stood in `changes` was forgotten since, by a departure (login name, e-mail, external id)
    or an erasure. What it was cannot be told any more; that it was here, unaltered, still can."""


class EventsPage(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    events: list[HistoryEvent]
    next: int
    """What to ask for with `after`: the last sequence that was read, whether or not it is among `events`."""
    hash: str
    """Of the event `next`, for `hash` beside `after`; empty before the first event."""
    head: int
    """The last sequence there is."""


class HistoryPage(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The history of one employee."""

    events: list[HistoryEvent]
    next: int | None
    """What to ask for with `after`; null on the last page."""


class EmployeeAsOf(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    employee_id: str
    at: datetime | None = None
    """None: as of now."""


class EmployeeHistory(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    employee_id: str
    after: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    """`next` of the page before."""
    limit: int = 100
    """Events at most, 1 to 500."""
    newest_first: bool = True
