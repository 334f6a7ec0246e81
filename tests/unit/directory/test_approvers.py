from uuid import uuid4

import pytest

from directory.employees.approvers import answers_to, gains_names, gates, import_gate, resolve
from shared.ids import employee_text
from tests.unit.directory.employee_records import employee

BOSS = employee("Boss@firma.dk", external_id="boss-1")


@pytest.mark.parametrize(
    "reference", [employee_text(BOSS.employee_id), "boss-1", "boss@FIRMA.dk"], ids=["id", "external id", "login name"]
)
def test_a_manager_answers_to_id_external_id_and_login_name(reference: str) -> None:
    assert resolve(reference, [employee("x@firma.dk"), BOSS]) == BOSS.employee_id


@pytest.mark.parametrize(
    "reference",
    ["BOSS-1", "boss", "emp_123", "", employee_text(BOSS.employee_id).upper()],
    ids=["external id in another case", "part of a name", "no id", "nothing", "id in capitals"],
)
def test_nobody_answers_to_anything_else(reference: str) -> None:
    assert resolve(reference, [BOSS]) is None


def test_the_id_comes_before_the_external_id_and_that_before_the_login_name() -> None:
    by_login = employee("shared")
    by_external = employee("y@firma.dk", external_id="shared")
    assert resolve("shared", [by_login, by_external]) == by_external.employee_id
    impostor = employee("z@firma.dk", external_id=employee_text(BOSS.employee_id))
    assert resolve(employee_text(BOSS.employee_id), [impostor, BOSS]) == BOSS.employee_id


def test_in_a_new_employment_somebody_answers_to_the_id_of_the_former_one_too() -> None:
    former = employee(None, state="departed")
    again = employee("boss@firma.dk", previous_employee_id=former.employee_id)
    assert resolve(employee_text(former.employee_id), [former, again]) == again.employee_id
    assert answers_to(again)[0] == [employee_text(again.employee_id), employee_text(former.employee_id)]


def test_a_departed_manager_answers_to_nothing() -> None:
    gone = employee(None, state="departed")
    assert resolve(employee_text(gone.employee_id), [gone]) is None


def test_a_suspended_manager_still_answers() -> None:
    away = employee("away@firma.dk", state="suspended")
    assert resolve("away@firma.dk", [away]) == away.employee_id


def test_who_answers_to_what() -> None:
    assert answers_to(BOSS) == ([employee_text(BOSS.employee_id), "boss-1"], "boss@firma.dk")


def test_names_are_gained_by_coming_and_by_new_names_only() -> None:
    assert gains_names(None, BOSS)
    assert not gains_names(BOSS, employee("BOSS@firma.dk", external_id="boss-1"))
    assert not gains_names(BOSS, employee("boss@firma.dk", external_id=None))
    assert gains_names(BOSS, employee("boss@firma.dk", external_id="boss-2"))
    assert gains_names(BOSS, employee("chef@firma.dk", external_id="boss-1"))


def test_everybody_takes_the_gates_in_one_order_and_a_bearer_takes_his_alone() -> None:
    company_id = uuid4()
    one = gates(company_id, ["Anna", "b", None], ["c"])
    other = gates(company_id, ["c"], ["anna", "B", None])
    assert [number for number, _ in one] == [number for number, _ in other] == sorted(number for number, _ in one)
    assert sorted(alone for _, alone in one) == [False, False, True, True]
    assert (import_gate(company_id), False) in one
    mine = dict(gates(company_id, ["a"], ["a"]))
    assert (len(mine), sorted(mine.values())) == (2, [False, True])
    assert {number for number, _ in gates(uuid4(), ["anna", "b", "c"], [])}.isdisjoint(number for number, _ in one)
