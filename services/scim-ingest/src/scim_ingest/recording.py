"""The client of directory that notes what is asked of it, and of whom, on the slip of the exchange under way.

So the handlers need say nothing: whatever they ask, the journal has it, and can have it done again.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import UNSET

from scim_ingest.recorder import Recorder, add_people, current, ignored, left_out
from shared.directory_client import DirectoryClient
from shared.operations import Operation
from shared.schemas import Schema
from shared.schemas import employee as employees
from shared.schemas import group as groups
from shared.schemas.journal import Asked

RequestT = TypeVar("RequestT", bound=Schema)
AnswerT = TypeVar("AnswerT", bound=Schema)

MAX_FOUND = 5
"""An answer with more people is a list, and about none of them."""


class RecordingClient(DirectoryClient):
    """As its parent, and notes."""

    async def _call(self, operation: Operation[RequestT, AnswerT], request: RequestT) -> AnswerT:
        recorder = current()
        if (note := _REQUESTS.get(type(request))) is not None:
            note(recorder, request)
        answer = await super()._call(operation, request)
        if (note := _ANSWERS.get(type(answer))) is not None:
            note(recorder, answer)
        return answer


def _ask(recorder: Recorder, asked: Asked | None) -> None:
    recorder.asks += 1
    recorder.asked = asked if recorder.asks == 1 else None


def _provision(recorder: Recorder, request: employees.ProvisionEmployee) -> None:
    new = request.employee
    _ask(recorder, Asked(what="provision", employee=new, missing=request.missing))
    add_people(recorder.names, new.login_name, new.email, new.external_id)
    add_people(recorder.mentions, new.manager_ref)


def _change(recorder: Recorder, request: employees.ChangeEmployee) -> None:
    changes = request.changes
    _ask(
        recorder,
        Asked(
            what="change",
            employee_id=request.employee_id,
            changes=changes,
            replaces=request.replaces,
            deactivate_anyway=request.deactivate_anyway,
        ),
    )
    add_people(recorder.about, request.employee_id)
    add_people(recorder.names, *(_given(name) for name in (changes.login_name, changes.email, changes.external_id)))
    add_people(recorder.mentions, _given(changes.manager_ref))


def _remove(recorder: Recorder, request: employees.RemoveEmployee) -> None:
    _ask(recorder, Asked(what="remove", employee_id=request.employee_id))
    add_people(recorder.about, request.employee_id)


def _get(recorder: Recorder, request: employees.GetEmployee) -> None:
    add_people(recorder.about, request.employee_id)


def _found(recorder: Recorder, answer: employees.EmployeePage) -> None:
    if len(answer.employees) <= MAX_FOUND:
        for one in answer.employees:
            _employee(recorder, one)


def _employee(recorder: Recorder, one: employees.Employee) -> None:
    add_people(recorder.about, one.id)
    add_people(recorder.names, one.login_name)


def _changed(recorder: Recorder, answer: employees.Changed) -> None:
    _employee(recorder, answer.employee)
    if answer.left_out is not None:
        left_out(answer.left_out)


def _create_group(recorder: Recorder, request: groups.CreateGroup) -> None:
    _ask(recorder, Asked(what="create_group", group=request.group))
    add_people(recorder.mentions, *request.group.members)


def _change_group(recorder: Recorder, request: groups.ChangeGroup) -> None:
    changes = request.changes
    _ask(recorder, Asked(what="change_group", group_id=request.group_id, group_changes=changes))
    members = [] if changes.members is UNSET else changes.members
    add_people(recorder.mentions, *members, *changes.add, *changes.remove)


def _remove_group(recorder: Recorder, request: groups.RemoveGroup) -> None:
    _ask(recorder, Asked(what="remove_group", group_id=request.group_id))


def _written(recorder: Recorder, answer: groups.GroupWritten) -> None:
    for member in answer.left_out:
        ignored(f"members: {member}")


def _given(value: Any) -> str | None:
    return None if value is UNSET else value


_Note = Callable[[Recorder, Any], None]
_REQUESTS: dict[type[Schema], _Note] = {
    employees.ProvisionEmployee: _provision,
    employees.ChangeEmployee: _change,
    employees.RemoveEmployee: _remove,
    employees.GetEmployee: _get,
    groups.CreateGroup: _create_group,
    groups.ChangeGroup: _change_group,
    groups.RemoveGroup: _remove_group,
}
_ANSWERS: dict[type[Schema], _Note] = {
    employees.Provisioned: lambda recorder, answer: _employee(recorder, answer.employee),
    employees.Employee: _employee,
    employees.EmployeePage: _found,
    employees.Changed: _changed,
    groups.GroupWritten: _written,
}
