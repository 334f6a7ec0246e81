"""Who approves for whom: every row of the table in `approvers/rules.py`, and every problem."""

from typing import Any

import msgspec
import pytest
from hypothesis import given

from directory.approvers.rules import Person, Structure, effective
from shared.approval import DirectStatus, ProblemKind, Reason
from shared.ids import employee_text, new_employee_id
from tests.unit.directory.approval import companies, company, person

SALES = "sales"
BOSS = person("Boss")
HELPER = person("Helper")
ADMIN = person("Admin", setup_admin=True)


def approvers(one: Person, structure: Structure) -> dict[str, str]:
    """Name -> reason."""
    return {structure.people[id_].name: reason.value for id_, reason in effective(one, structure).approvers}


def kinds(one: Person, structure: Structure) -> list[ProblemKind]:
    return [problem.kind for problem in effective(one, structure).problems]


def status(one: Person, structure: Structure) -> DirectStatus:
    return effective(one, structure).direct.status


# The company follows Entra's managers


def test_the_manager_in_entra_approves() -> None:
    anna = person(manager=BOSS)
    assert approvers(anna, company(anna, BOSS, ADMIN)) == {"Boss": "entra_manager"}
    assert kinds(anna, company(anna, BOSS, ADMIN)) == []


@pytest.mark.parametrize("owner", ["hr", "csv"])
def test_a_manager_whom_hr_or_an_import_chose_approves_where_entra_names_none(owner: str) -> None:
    anna = person(manager=BOSS, manager_owner=owner)
    for follows in (True, False):
        assert approvers(anna, company(anna, BOSS, follows=follows)) == {"Boss": "chosen_manager"}


def test_departments_are_no_basis_of_approval_unless_added_beside_the_manager() -> None:
    anna = person(manager=BOSS, department_key=SALES)
    people = (anna, BOSS, HELPER)
    assert approvers(anna, company(*people, grants={SALES: [(HELPER, False)]})) == {"Boss": "entra_manager"}
    added = company(*people, grants={SALES: [(HELPER, True)]})
    assert approvers(anna, added) == {"Boss": "entra_manager", "Helper": "department_approver"}


def test_with_only_the_direct_approver_an_added_department_approver_is_not_attached() -> None:
    anna = person(manager=BOSS, department_key=SALES, only_direct_approver=True)
    for follows in (True, False):
        owner = "entra" if follows else "hr"
        only = msgspec.structs.replace(anna, manager_owner=owner)
        structure = company(only, BOSS, HELPER, follows=follows, grants={SALES: [(HELPER, True)]})
        assert list(approvers(only, structure)) == ["Boss"]


def test_an_approver_of_another_department_does_not_approve() -> None:
    anna = person(manager=BOSS, department_key="kitchen")
    structure = company(anna, BOSS, HELPER, grants={SALES: [(HELPER, True)]})
    assert approvers(anna, structure) == {"Boss": "entra_manager"}


@pytest.mark.parametrize("follows", [True, False])
def test_a_self_approver_approves_alone_whatever_is_stored(follows: bool) -> None:
    anna = person(manager=BOSS, department_key=SALES, self_approver=True)
    structure = company(anna, BOSS, HELPER, follows=follows, grants={SALES: [(HELPER, True)]})
    assert approvers(anna, structure) == {"Anna": "self_approver"}
    assert (status(anna, structure), kinds(anna, structure)) == (DirectStatus.self_approver, [])


def test_who_is_the_manager_and_an_approver_of_the_department_approves_once_as_manager() -> None:
    anna = person(manager=BOSS, department_key=SALES)
    structure = company(anna, BOSS, grants={SALES: [(BOSS, True)]})
    assert effective(anna, structure).approvers == [(BOSS.employee_id, Reason.entra_manager)]


AWAY: dict[str, dict[str, Any]] = {
    "manager_suspended": {"state": "suspended"},
    "manager_blocked": {"blocked": True},
}


@pytest.mark.parametrize("kind", AWAY)
def test_where_the_manager_cannot_approve_the_department_does_and_failing_it_the_setup_admins(kind: str) -> None:
    boss = msgspec.structs.replace(BOSS, **AWAY[kind])
    anna = person(manager=boss, department_key=SALES)
    helped = company(anna, boss, HELPER, ADMIN, grants={SALES: [(HELPER, True)]})
    assert approvers(anna, helped) == {"Helper": "department_approver"}
    assert kinds(anna, helped) == [kind]
    alone = company(anna, boss, HELPER, ADMIN, grants={SALES: [(HELPER, False)]})
    assert approvers(anna, alone) == {"Admin": "setup_admin_queue"}
    assert kinds(anna, alone) == [kind, ProblemKind.setup_admins_only]


def test_no_manager_in_entra() -> None:
    anna = person()
    structure = company(anna, ADMIN)
    assert approvers(anna, structure) == {"Admin": "setup_admin_queue"}
    assert kinds(anna, structure) == [ProblemKind.manager_missing, ProblemKind.setup_admins_only]


def test_a_manager_who_is_not_provisioned_yet() -> None:
    anna = person(manager_ref=employee_text(new_employee_id()), manager_owner="entra")
    structure = company(anna, ADMIN)
    assert status(anna, structure) is DirectStatus.waiting
    assert kinds(anna, structure) == [ProblemKind.manager_waiting, ProblemKind.setup_admins_only]


def test_a_manager_who_has_departed_is_told_apart_from_one_who_has_not_come() -> None:
    gone = msgspec.structs.replace(BOSS, state="departed")
    anna = person(manager_ref=employee_text(gone.employee_id), manager_owner="entra")
    found = effective(anna, company(anna, gone, ADMIN))
    assert found.direct == (DirectStatus.departed, gone.employee_id)
    assert found.problems[0] == (ProblemKind.manager_departed, gone.employee_id)


def test_a_manager_of_whom_nothing_is_known_any_more_is_one_who_is_waited_for() -> None:
    anna = person(manager=BOSS)
    assert status(anna, company(anna)) is DirectStatus.waiting


def test_who_is_both_suspended_and_blocked_is_told_as_suspended() -> None:
    away = msgspec.structs.replace(HELPER, state="suspended", blocked=True)
    anna = person(manager=away, department_key=SALES)
    structure = company(anna, away, ADMIN, grants={SALES: [(away, True)]})
    suspended = [ProblemKind.manager_suspended, ProblemKind.department_approver_suspended]
    assert kinds(anna, structure)[:2] == suspended


def test_a_reference_that_is_no_id_of_ours_waits() -> None:
    anna = person(manager_ref="boss@firma.dk", manager_owner="entra")
    assert status(anna, company(anna)) is DirectStatus.waiting


def test_nobody_approves_for_himself_by_being_his_own_manager_or_the_departments_approver() -> None:
    anna = person(department_key=SALES)
    anna = msgspec.structs.replace(anna, manager_id=anna.employee_id, manager_ref="anna", manager_owner="entra")
    structure = company(anna, ADMIN, grants={SALES: [(anna, True)]})
    assert approvers(anna, structure) == {"Admin": "setup_admin_queue"}
    assert kinds(anna, structure) == [ProblemKind.manager_himself, ProblemKind.setup_admins_only]


def test_in_a_circle_the_managers_approve_and_the_circle_is_told() -> None:
    anna, bo = new_employee_id(), new_employee_id()
    first = person("Anna", employee_id=anna, manager_id=bo, manager_ref="bo", manager_owner="entra")
    second = person("Bo", employee_id=bo, manager_id=anna, manager_ref="anna", manager_owner="entra")
    structure = company(first, second)
    assert approvers(first, structure) == {"Bo": "entra_manager"}
    assert approvers(second, structure) == {"Anna": "entra_manager"}
    assert kinds(first, structure) == kinds(second, structure) == [ProblemKind.manager_cycle]


@pytest.mark.parametrize(
    ("away", "kind"),
    [
        ({"state": "suspended"}, ProblemKind.department_approver_suspended),
        ({"blocked": True}, ProblemKind.department_approver_blocked),
    ],
)
def test_an_approver_of_the_department_without_access_does_not_count_and_is_told(
    away: dict[str, Any], kind: ProblemKind
) -> None:
    helper = msgspec.structs.replace(HELPER, **away)
    anna = person(manager=BOSS, department_key=SALES)
    found = effective(anna, company(anna, BOSS, helper, grants={SALES: [(helper, True)]}))
    assert found.approvers == [(BOSS.employee_id, Reason.entra_manager)]
    assert found.problems == [(kind, helper.employee_id)]


def test_a_self_approver_without_access_falls_to_the_others() -> None:
    anna = person(manager=BOSS, self_approver=True, blocked=True)
    structure = company(anna, BOSS, ADMIN)
    assert approvers(anna, structure) == {"Admin": "setup_admin_queue"}
    assert kinds(anna, structure) == [ProblemKind.self_approver_without_access, ProblemKind.setup_admins_only]


@pytest.mark.parametrize("away", [{"state": "suspended"}, {"blocked": True}])
def test_where_no_setup_admin_has_access_nobody_can_approve(away: dict[str, Any]) -> None:
    anna, admin = person(), msgspec.structs.replace(ADMIN, **away)
    assert effective(anna, company(anna, admin)).approvers == []
    assert kinds(anna, company(anna, admin)) == [ProblemKind.manager_missing, ProblemKind.nobody]


def test_the_only_setup_admin_does_not_approve_for_himself() -> None:
    assert kinds(ADMIN, company(ADMIN)) == [ProblemKind.manager_missing, ProblemKind.nobody]
    other = person("Other", setup_admin=True)
    assert approvers(ADMIN, company(ADMIN, other)) == {"Other": "setup_admin_queue"}


# The company does not follow Entra's managers


def test_departments_are_the_basis_however_they_were_granted() -> None:
    anna, other = person(manager=BOSS, department_key=SALES), person("Other")
    structure = company(anna, BOSS, HELPER, other, follows=False, grants={SALES: [(HELPER, False), (other, True)]})
    assert approvers(anna, structure) == {"Helper": "department_approver", "Other": "department_approver"}
    assert status(anna, structure) is DirectStatus.not_followed
    assert kinds(anna, structure) == []


def test_a_chosen_direct_approver_approves_beside_the_department() -> None:
    anna = person(manager=BOSS, manager_owner="hr", department_key=SALES)
    structure = company(anna, BOSS, HELPER, follows=False, grants={SALES: [(HELPER, False)]})
    assert approvers(anna, structure) == {"Boss": "chosen_manager", "Helper": "department_approver"}


def test_without_department_and_direct_approver_the_setup_admins_do() -> None:
    anna = person(manager=BOSS)
    structure = company(anna, BOSS, ADMIN, follows=False)
    assert approvers(anna, structure) == {"Admin": "setup_admin_queue"}
    assert kinds(anna, structure) == [ProblemKind.setup_admins_only]


def test_a_circle_of_managers_in_entra_is_no_matter_of_a_company_that_does_not_follow_them() -> None:
    anna, bo = new_employee_id(), new_employee_id()
    first = person("Anna", employee_id=anna, manager_id=bo, manager_ref="bo", manager_owner="entra")
    second = person("Bo", employee_id=bo, manager_id=anna, manager_ref="anna", manager_owner="entra")
    assert ProblemKind.manager_cycle not in kinds(first, company(first, second, follows=False))


# Whatever the company


@given(companies())
def test_only_people_with_access_approve_each_once_and_nobody_for_himself_unless_he_may(structure: Structure) -> None:
    for one in structure.people.values():
        found = effective(one, structure)
        ids = [approver.employee_id for approver in found.approvers]
        assert len(ids) == len(set(ids))
        assert all(structure.people[approver].has_access for approver in ids)
        assert one.employee_id not in ids or (one.self_approver and ids == [one.employee_id])
        assert bool(ids) != (ProblemKind.nobody in {problem.kind for problem in found.problems})


@given(companies())
def test_the_direct_approver_of_whoever_is_not_exempt_is_his_manager(structure: Structure) -> None:
    followed = company(*structure.people.values(), follows=True)
    for one in followed.people.values():
        manager = followed.people.get(one.manager_id) if one.manager_id else None
        if manager is None or one.self_approver or manager == one or not manager.has_access:
            continue
        assert effective(one, followed).approvers[0].employee_id == manager.employee_id
