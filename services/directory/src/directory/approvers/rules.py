"""Who approves for whom, and why; and what is wrong with it. Pure: plain values in, never a row, never a chain followed.

    company         employee               approvers
    either          Self approver          himself, whatever Entra or HR names (S57)
    follows Entra   has a manager          the manager, and the department's approvers added beside him (S51, S52, S55)
    follows Entra   no manager counts      the department's approvers added beside managers (A19)
    does not        any                    the direct approver whom HR or an import chose, and all approvers of the department
    either          only direct approver   the direct approver alone (S56)
    either          nobody of these        the Setup admins (A19)

Who has no access (suspended, departed, blocked) approves nothing, and nobody but a Self approver approves for himself.
Everything is derived from what stands in the rows, so that it cannot drift from them (decision D9).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

from shared.approval import DirectStatus, ProblemKind, Reason
from shared.ids import EmployeeId, employee_from_text
from shared.schemas.employee import EmployeeState

Owner = Literal["entra", "hr", "csv"]


class Person(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What of an employee decides about approval."""

    employee_id: EmployeeId
    name: str
    state: EmployeeState
    blocked: bool
    self_approver: bool
    setup_admin: bool
    only_direct_approver: bool
    manager_id: EmployeeId | None
    manager_ref: str | None
    manager_owner: Owner | None
    department_key: str | None

    @property
    def has_access(self) -> bool:
        return self.state == "active" and not self.blocked


class Grant(NamedTuple):
    """Somebody approves for a department; beside a manager too, where it was granted while the company follows Entra."""

    employee_id: EmployeeId
    beside_manager: bool


class Approver(NamedTuple):
    employee_id: EmployeeId
    reason: Reason


class Problem(NamedTuple):
    """`about`: whose state it is (the manager, the department's approver), or the first of a circle; None: nobody's."""

    kind: ProblemKind
    about: EmployeeId | None


class Direct(NamedTuple):
    """How it stands with the direct approver, and who that is or would be."""

    status: DirectStatus
    employee_id: EmployeeId | None


@dataclass(frozen=True)
class Structure:
    """A company's approval, or as much of it as concerns those who are asked about."""

    follows_entra: bool
    people: Mapping[EmployeeId, Person]
    """Departed ones only where somebody still names them as manager."""
    grants: Mapping[str, Sequence[Grant]]
    """By department."""
    circles: Mapping[EmployeeId, EmployeeId] = field(default_factory=dict)
    """Who is in a circle of managers -> the first of that circle; see `circles.py`."""

    @cached_property
    def queue(self) -> "list[Approver]":
        """The Setup admins, who approve where nobody else can."""
        admins = (one for one in self.people.values() if one.setup_admin and one.has_access)
        return [Approver(one.employee_id, Reason.setup_admin_queue) for one in admins]


class Effective(NamedTuple):
    approvers: list[Approver]
    direct: Direct
    problems: list[Problem]

    @property
    def who(self) -> set[EmployeeId]:
        return {one.employee_id for one in self.approvers}


_MANAGER_PROBLEMS = {
    DirectStatus.missing: ProblemKind.manager_missing,
    DirectStatus.waiting: ProblemKind.manager_waiting,
    DirectStatus.departed: ProblemKind.manager_departed,
    DirectStatus.suspended: ProblemKind.manager_suspended,
    DirectStatus.blocked: ProblemKind.manager_blocked,
    DirectStatus.himself: ProblemKind.manager_himself,
    DirectStatus.self_approver_without_access: ProblemKind.self_approver_without_access,
}


def effective(person: Person, structure: Structure) -> Effective:
    """Everybody who approves for this person, each once, the direct approver first."""
    direct = direct_approver(person, structure)
    approvers, problems = _from_direct(person, direct, structure)
    if direct.status is not DirectStatus.self_approver and not person.only_direct_approver:
        beside, more = _of_department(person, structure)
        already = {one.employee_id for one in approvers}
        approvers += [one for one in beside if one.employee_id not in already]
        problems += more
    if not approvers:
        approvers = structure.queue
        if person.setup_admin:
            approvers = [one for one in approvers if one.employee_id != person.employee_id]
        problems.append(Problem(ProblemKind.setup_admins_only if approvers else ProblemKind.nobody, None))
    return Effective(approvers, direct, problems)


def direct_approver(person: Person, structure: Structure) -> Direct:
    """How it stands with the one approver who is his own; Self approver comes before whatever is stored (S57)."""
    if person.self_approver:
        status = DirectStatus.self_approver if person.has_access else DirectStatus.self_approver_without_access
        return Direct(status, person.employee_id)
    if person.manager_ref is None:
        return Direct(DirectStatus.missing, None)
    if not structure.follows_entra and person.manager_owner == "entra":
        return Direct(DirectStatus.not_followed, person.manager_id)
    manager = structure.people.get(person.manager_id) if person.manager_id else None
    if manager is None:
        return _not_linked(person.manager_ref, structure)
    if manager.employee_id == person.employee_id:
        return Direct(DirectStatus.himself, manager.employee_id)
    if manager.state != "active":
        return Direct(DirectStatus.suspended, manager.employee_id)
    return Direct(DirectStatus.blocked if manager.blocked else DirectStatus.in_force, manager.employee_id)


def _not_linked(manager_ref: str, structure: Structure) -> Direct:
    """Whoever is named by our id and has departed is told apart from one who has never come."""
    employee_id = employee_from_text(manager_ref)
    named = structure.people.get(employee_id) if employee_id else None
    if named is not None and named.state == "departed":
        return Direct(DirectStatus.departed, named.employee_id)
    return Direct(DirectStatus.waiting, None)


def _from_direct(person: Person, direct: Direct, structure: Structure) -> tuple[list[Approver], list[Problem]]:
    problems = []
    kind = _MANAGER_PROBLEMS.get(direct.status)
    # A company on departments needs no direct approver.
    if kind is not None and (structure.follows_entra or kind is not ProblemKind.manager_missing):
        problems.append(Problem(kind, direct.employee_id))
    if person.employee_id in structure.circles:
        problems.append(Problem(ProblemKind.manager_cycle, structure.circles[person.employee_id]))
    if direct.employee_id is None:
        return [], problems
    if direct.status is DirectStatus.self_approver:
        return [Approver(direct.employee_id, Reason.self_approver)], problems
    if direct.status is DirectStatus.in_force:
        reason = Reason.entra_manager if person.manager_owner == "entra" else Reason.chosen_manager
        return [Approver(direct.employee_id, reason)], problems
    return [], problems


def _of_department(person: Person, structure: Structure) -> tuple[list[Approver], list[Problem]]:
    approvers, problems = [], []
    for grant in structure.grants.get(person.department_key or "", ()):
        one = structure.people[grant.employee_id]
        if one.employee_id == person.employee_id or (structure.follows_entra and not grant.beside_manager):
            continue
        if one.has_access:
            approvers.append(Approver(one.employee_id, Reason.department_approver))
            continue
        away = one.state != "active"
        kind = ProblemKind.department_approver_suspended if away else ProblemKind.department_approver_blocked
        problems.append(Problem(kind, one.employee_id))
    return approvers, problems
