"""Circles of managers: legal, reported, and found without following anybody endlessly. Pure.

Everybody has at most one manager, so a walk along managers ends, leaves the company's people, or comes round; each person is
walked over once, whatever the shape: 50,000 people in one chain take as long as 50,000 in a thousand teams.
"""

from collections.abc import Iterable, Mapping

from directory.approvers.rules import Person, Structure, direct_approver
from shared.approval import DirectStatus
from shared.ids import EmployeeId

_LINKED = frozenset({DirectStatus.in_force, DirectStatus.suspended, DirectStatus.blocked})


def managers_in_force(people: Iterable[Person], structure: Structure) -> dict[EmployeeId, EmployeeId]:
    """Employee -> the manager who is his direct approver; nobody for Self approvers and for whoever names himself."""
    found = {}
    for person in people:
        direct = direct_approver(person, structure)
        if direct.status in _LINKED and direct.employee_id is not None:
            found[person.employee_id] = direct.employee_id
    return found


def circles(managers: Mapping[EmployeeId, EmployeeId]) -> dict[EmployeeId, EmployeeId]:
    """Member -> the one with the smallest id in his circle, by whom the circle is known."""
    found: dict[EmployeeId, EmployeeId] = {}
    walked: set[EmployeeId] = set()
    for start in managers:
        path: dict[EmployeeId, None] = {}
        one: EmployeeId | None = start
        while one is not None and one not in walked:
            walked.add(one)
            path[one] = None
            one = managers.get(one)
        if one is not None and one in path:
            walk = list(path)
            members = walk[walk.index(one) :]
            found.update(dict.fromkeys(members, min(members)))
    return found
