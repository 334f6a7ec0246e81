"""A whole company's approval: problems with whom they affect, circles, and what another setting would change."""

import random
import time
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.approvers.circles import circles
from directory.approvers.overview import Affected, changed, counts, problems, whole
from directory.approvers.rules import Person, Structure, effective
from shared.approval import ProblemKind
from shared.ids import EmployeeId, employee_text, new_employee_id
from tests.unit.directory.approval import companies, company, person

MANY = 50_000


def ids(many: int) -> list[EmployeeId]:
    return sorted(new_employee_id() for _ in range(many))


def test_a_circle_is_known_by_its_smallest_member_and_who_leads_into_it_is_none_of_it() -> None:
    one, two, three, outside, boss = ids(5)
    found = circles({outside: two, one: two, two: three, three: one, boss: outside})
    assert found == {one: one, two: one, three: one}


def test_several_circles_and_none() -> None:
    one, two, three, four, five = ids(5)
    assert circles({one: two, two: one, three: four, four: three, five: one}) == {
        one: one, two: one, three: three, four: three
    }  # fmt: skip
    assert circles({one: two, two: three}) == {}
    assert circles({}) == {}


@given(st.integers(1, 12).flatmap(lambda many: st.lists(st.integers(0, many - 1), min_size=many, max_size=many)))
def test_circles_are_those_that_a_walk_of_everybody_finds(managers: list[int]) -> None:
    everybody = ids(len(managers))
    edges = {everybody[one]: everybody[manager] for one, manager in enumerate(managers) if one != manager}
    expected = {}
    for one in edges:
        walk, at = [one], edges.get(one)
        while at is not None and at not in walk:
            walk.append(at)
            at = edges.get(at)
        if at == one:
            expected[one] = min(walk)
    assert circles(edges) == expected


def test_problems_come_with_everybody_whom_they_affect_the_worst_first() -> None:
    boss = person("Boss", state="suspended")
    reports = [person(manager=boss) for _ in range(3)]
    admin = person("Admin", setup_admin=True, self_approver=True)
    found = problems(company(*reports, boss, admin))
    everybody = sorted(one.employee_id for one in reports)
    assert found == [
        *(Affected(ProblemKind.setup_admins_only, None, one) for one in everybody),
        *(Affected(ProblemKind.manager_suspended, boss.employee_id, one) for one in everybody),
    ]
    assert counts(found) == {ProblemKind.setup_admins_only: 3, ProblemKind.manager_suspended: 3}


def test_nobody_is_counted_twice_for_two_approvers_of_his_department_who_are_away() -> None:
    boss, away, gone = person(), person(state="suspended"), person(state="suspended")
    anna = person(manager=boss, department_key="sales")
    found = problems(company(anna, boss, away, gone, grants={"sales": [(away, True), (gone, True)]}))
    assert counts(found)[ProblemKind.department_approver_suspended] == 1
    assert sum(one.kind is ProblemKind.department_approver_suspended for one in found) == 2


@pytest.mark.parametrize("away", ["suspended", "departed"])
def test_nobody_but_active_people_is_affected(away: str) -> None:
    assert problems(company(person(state=away))) == []


def test_switching_on_and_off_again_changes_the_same_people_back() -> None:
    boss, helper, admin = person("Boss"), person("Helper"), person("Admin", setup_admin=True)
    by_entra = person("Anna", manager=boss, department_key="sales")
    both = person("Bo", manager=helper, department_key="sales")
    chosen = person("Cai", manager=boss, manager_owner="hr")
    alone = person("Dea", self_approver=True, manager=boss)
    everybody = (by_entra, both, chosen, alone, boss, helper, admin)
    off = company(*everybody, follows=False, grants={"sales": [(helper, False)]})
    on = company(*everybody, follows=True, grants={"sales": [(helper, False)]})
    assert changed(off, on) == changed(on, off) == [by_entra.employee_id]
    assert effective(by_entra, off).who == {helper.employee_id}
    assert effective(by_entra, on).who == {boss.employee_id}
    assert changed(off, off) == []


@given(companies())
def test_a_preview_names_exactly_those_for_whom_the_other_setting_gives_others(structure: Structure) -> None:
    people = list(structure.people.values())
    other = whole(follows_entra=not structure.follows_entra, people=people, grants=structure.grants)
    told = changed(structure, other)
    for one in people:
        before, after = effective(one, structure), effective(one, other)
        assert (one.employee_id in told) == (one.state == "active" and before.who != after.who)
    assert told == [one.employee_id for one in people if one.employee_id in told]


def chain(many: int, *, closed: bool) -> Sequence[Person]:
    """Everybody's manager is the next one; the last one's is the first, or nobody."""
    everybody = ids(many)
    managers: list[EmployeeId | None] = [*everybody[1:], everybody[0] if closed else None]
    people = [
        person(
            employee_id=one, manager_id=manager, manager_ref=manager and employee_text(manager), manager_owner="entra"
        )
        for one, manager in zip(everybody, managers, strict=True)
    ]
    random.Random(5).shuffle(people)
    return people


@pytest.mark.parametrize("closed", [False, True], ids=["chain", "circle"])
def test_a_chain_and_a_circle_of_50_000_are_reported_in_bounded_time(closed: bool) -> None:
    people = chain(MANY, closed=closed)
    started = time.process_time()
    found = problems(company(*people))
    assert time.process_time() - started < 5.0, "a quadratic walk would take minutes"
    kinds = counts(found)
    expected = {ProblemKind.manager_cycle: MANY} if closed else {ProblemKind.nobody: 1, ProblemKind.manager_missing: 1}
    assert kinds == expected
    if closed:
        assert {one.about for one in found} == {min(one.employee_id for one in people)}


def test_50_000_people_who_all_fall_to_the_setup_admins_are_reported_in_bounded_time() -> None:
    people = [msgspec.structs.replace(person(), setup_admin=number < 5) for number in range(MANY)]
    started = time.process_time()
    assert counts(problems(company(*people)))[ProblemKind.setup_admins_only] == MANY
    assert time.process_time() - started < 5.0
