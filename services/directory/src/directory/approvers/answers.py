"""From what the rules say to the words that travel: ids as text, names beside them, cursors of pages. Pure."""

from datetime import datetime

from directory.approvers.overview import Affected
from directory.approvers.rules import Effective, Person, Structure, effective
from shared.approval import ProblemKind
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text
from shared.schemas import approvers as schema

_NOBODY = "-"


def approvers(told: Effective, structure: Structure) -> list[schema.Approver]:
    return [
        schema.Approver(employee_id=employee_text(one), name=structure.people[one].name, reason=reason)
        for one, reason in told.approvers
    ]


def direct(told: Effective, person: Person, structure: Structure, *, since: datetime | None) -> schema.DirectApprover:
    named = structure.people.get(told.direct.employee_id) if told.direct.employee_id else None
    return schema.DirectApprover(
        status=told.direct.status,
        employee_id=employee_text(named.employee_id) if named else None,
        name=named.name if named else None,
        reference=person.manager_ref,
        source=person.manager_owner if person.manager_ref is not None else None,
        since=since,
    )


def problems(told: Effective) -> list[schema.ApprovalProblem]:
    return [schema.ApprovalProblem(kind=kind, about=_text(about)) for kind, about in told.problems]


def affected(one: Affected, structure: Structure) -> schema.AffectedEmployee:
    return schema.AffectedEmployee(
        kind=one.kind,
        employee_id=employee_text(one.employee_id),
        name=structure.people[one.employee_id].name,
        about=_text(one.about),
        about_name=structure.people[one.about].name if one.about else None,
    )


def changed(employee_id: EmployeeId, before: Structure, after: Structure) -> schema.ChangedApprovers:
    person = before.people[employee_id]
    return schema.ChangedApprovers(
        employee_id=employee_text(employee_id),
        name=person.name,
        before=approvers(effective(person, before), before),
        after=approvers(effective(person, after), after),
    )


def cursor(one: Affected) -> str:
    return f"{one.kind.value}.{_text(one.about) or _NOBODY}.{employee_text(one.employee_id)}"


def read_cursor(text: str) -> Affected:
    """Raises DomainError `invalid_request` for what `cursor` did not write."""
    kind, _, rest = text.partition(".")
    about, _, employee = rest.partition(".")
    about_id, employee_id = employee_from_text(about), employee_from_text(employee)
    if kind not in ProblemKind.__members__ or employee_id is None or (about_id is None and about != _NOBODY):
        raise _no_cursor()
    return Affected(ProblemKind[kind], about_id, employee_id)


def read_employee(text: str) -> EmployeeId:
    """The cursor of a preview. Raises as `read_cursor` does."""
    employee_id = employee_from_text(text)
    if employee_id is None:
        raise _no_cursor()
    return employee_id


def _no_cursor() -> DomainError:
    return DomainError(ErrorCode.invalid_request, "after is the `next` of the page before.", field="after")


def _text(employee_id: EmployeeId | None) -> str | None:
    return employee_text(employee_id) if employee_id else None
