from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.employees.keys import search_key
from directory.employees.matching import (
    Adopt,
    Conflict,
    Create,
    NeedsConfirmation,
    Plan,
    Reactivate,
    Relink,
    collision,
    plan,
    refusal,
)
from directory.employees.record import EmployeeRecord
from shared.errors import ErrorCode
from shared.ids import entra_object_id
from shared.schemas.employee import NewEmployee
from tests.unit.directory.employee_records import NOW, OBJECT_ID, OTHER_OBJECT_ID, employee, request

LEFT = date(2026, 1, 15)
LINK, OTHER_LINK = UUID(OBJECT_ID), UUID(OTHER_OBJECT_ID)


def suspended(login: str = "anna@firma.dk", **values: object) -> EmployeeRecord:
    return employee(login, state="suspended", termination_date=LEFT, **values)


def test_nobody_is_created() -> None:
    assert plan(request(), []) == Create()


def test_an_imported_person_is_adopted() -> None:
    """S33."""
    imported = employee(source="csv")
    assert plan(request(), [imported]) == Adopt(imported)


def test_an_imported_person_known_by_address_only_is_adopted() -> None:
    imported = employee("ah", source="csv", email="Anna@firma.dk")
    assert plan(request(), [imported]) == Adopt(imported)


@pytest.mark.parametrize("role", ["setup_admin", "global_payroll_admin", "local_payroll_admin"])
@pytest.mark.parametrize("source", ["csv", "manual"])
@pytest.mark.parametrize("state", ["active", "suspended"])
def test_an_administrator_who_is_not_entras_waits_for_confirmation(state: str, source: str, role: str) -> None:
    """A24."""
    admin = employee(source=source, state=state, roles=(role,), termination_date=LEFT if state != "active" else None)
    assert plan(request(), [admin]) == NeedsConfirmation(admin)


@pytest.mark.parametrize(
    ("external_id", "expected"),
    [(OBJECT_ID, Adopt), (OBJECT_ID.upper(), Adopt), (OTHER_OBJECT_ID, Conflict), (None, NeedsConfirmation)],
)
def test_an_imported_person_who_has_signed_in_is_adopted_only_with_the_same_link_key(
    external_id: str | None, expected: type[Plan]
) -> None:
    imported = employee(source="csv", entra_object_id=LINK)
    assert isinstance(plan(request(external_id=external_id), [imported]), expected)


@pytest.mark.parametrize(
    ("external_id", "expected"), [(OBJECT_ID, Reactivate), (OTHER_OBJECT_ID, Conflict), (None, NeedsConfirmation)]
)
def test_nor_does_his_suspension_make_him_anybodys(external_id: str | None, expected: type[Plan]) -> None:
    """A24."""
    imported = suspended(source="csv", entra_object_id=LINK)
    assert isinstance(plan(request(external_id=external_id), [imported]), expected)
    confirmed = suspended(source="csv", entra_object_id=LINK, adoption_confirmed_at=NOW)
    assert isinstance(plan(request(), [confirmed]), Reactivate)


@pytest.mark.parametrize("email", ["anna@firma.dk", "other@firma.dk"])
def test_a_suspended_person_comes_back_by_login_name(email: str) -> None:
    """S34, S48."""
    away = suspended()
    assert plan(request(email=email), [away]) == Reactivate(away)


def test_a_suspended_person_comes_back_by_address() -> None:
    away = suspended()
    assert plan(request("renamed@firma.dk", email="ANNA@firma.dk"), [away]) == Reactivate(away)


def test_a_suspended_person_comes_back_by_link_key_under_another_name() -> None:
    away = suspended(entra_object_id=LINK)
    assert plan(request("renamed@firma.dk", external_id=OBJECT_ID), [away]) == Reactivate(away)


@pytest.mark.parametrize(("known", "sent"), [(LINK, None), (None, OBJECT_ID), (None, None), (LINK, "anna-7")])
def test_a_missing_link_key_does_not_keep_a_suspended_person_away(known: UUID | None, sent: str | None) -> None:
    away = suspended(entra_object_id=known)
    assert plan(request(external_id=sent), [away]) == Reactivate(away)


def test_a_suspended_namesake_with_another_link_key_is_somebody_else() -> None:
    """S48."""
    away = suspended(entra_object_id=OTHER_LINK)
    assert plan(request(external_id=OBJECT_ID), [away]) == Conflict(ErrorCode.login_taken)


def test_creating_an_inactive_person_brings_nobody_back() -> None:
    assert plan(request(active=False), [suspended()]) == Conflict(ErrorCode.login_taken)


@pytest.mark.parametrize(
    ("login", "email", "external_id", "expected"),
    [
        ("ANNA@firma.dk", "x@firma.dk", None, ErrorCode.login_taken),
        ("x@firma.dk", "Anna@Firma.dk", None, ErrorCode.email_taken),
        ("x@firma.dk", "x@firma.dk", OBJECT_ID, ErrorCode.external_id_taken),
        ("x@firma.dk", "x@firma.dk", "anna-7", ErrorCode.external_id_taken),
        ("anna@firma.dk", "anna@firma.dk", OBJECT_ID, ErrorCode.login_taken),
    ],
)
def test_an_active_person_is_a_conflict_that_names_what_collides(
    login: str, email: str, external_id: str | None, expected: ErrorCode
) -> None:
    """E018; RFC 7644 section 3.3."""
    there = employee(entra_object_id=LINK, external_id="anna-7")
    assert plan(request(login, email=email, external_id=external_id), [there]) == Conflict(expected)


RELEASED: dict[str, Any] = {"awaits_link_since": NOW}


@pytest.mark.parametrize(
    ("login", "email"), [("anna@firma.dk", "new@firma.dk"), ("new@firma.dk", "ANNA@firma.dk"), ("anna@firma.dk",) * 2]
)
@pytest.mark.parametrize("external_id", [None, OBJECT_ID, "nick"])
@pytest.mark.parametrize("roles", [(), ("setup_admin",)])
def test_whoever_was_released_by_a_move_is_linked_by_login_name_or_address(
    login: str, email: str, external_id: str | None, roles: tuple[str, ...]
) -> None:
    """S66, S67."""
    released = employee(**RELEASED, roles=roles)
    assert plan(request(login, email=email, external_id=external_id), [released]) == Relink(released)


def test_a_released_person_who_is_suspended_comes_back() -> None:
    away = suspended(**RELEASED)
    assert plan(request(external_id=OBJECT_ID), [away]) == Reactivate(away)


def test_two_released_people_are_never_made_one() -> None:
    released = [employee(**RELEASED), employee("bo@firma.dk", **RELEASED)]
    assert plan(request(email="bo@firma.dk"), released) == Conflict(ErrorCode.email_taken)


def test_a_mail_nickname_alone_never_makes_two_people_one() -> None:
    away = suspended("old@firma.dk", external_id="anna")
    assert plan(request(external_id="anna"), [away]) == Conflict(ErrorCode.external_id_taken)


def test_external_ids_are_compared_with_case() -> None:
    """RFC 7643 section 3.1: externalId is caseExact."""
    assert plan(request(external_id="ANNA-7"), [employee("bo@firma.dk", external_id="anna-7")]) == Create()


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([suspended(entra_object_id=LINK, login="x@firma.dk"), employee()], ErrorCode.login_taken),
        ([suspended(), employee("b@firma.dk", email="new@firma.dk")], ErrorCode.email_taken),
        ([suspended(), suspended("b@firma.dk", email="new@firma.dk")], ErrorCode.email_taken),
        ([employee(source="csv"), suspended("b@firma.dk", email="new@firma.dk")], ErrorCode.email_taken),
        ([suspended(), employee("b@firma.dk", external_id=OBJECT_ID)], ErrorCode.external_id_taken),
    ],
)
def test_names_of_different_people_are_never_merged(candidates: list[EmployeeRecord], expected: ErrorCode) -> None:
    asked = request(email="new@firma.dk", external_id=OBJECT_ID)
    assert plan(asked, candidates) == Conflict(expected)
    assert plan(asked, candidates[::-1]) == Conflict(expected)


def test_the_refusal_names_the_callers_own_value_only() -> None:
    error = refusal(ErrorCode.email_taken, request("anna@firma.dk", email="shared@firma.dk"))
    assert (error.code, error.field) == (ErrorCode.email_taken, "email")
    assert error.detail == "email 'shared@firma.dk' belongs to another employee of the company."


LOGINS = st.sampled_from(["a@f.dk", "A@F.dk", "b@f.dk", "c@f.dk", "d@f.dk"])
EXTERNAL_IDS = st.sampled_from([None, "nick", "NICK", OBJECT_ID, OBJECT_ID.upper(), OTHER_OBJECT_ID])
REQUESTS = st.builds(request, LOGINS, email=LOGINS, external_id=EXTERNAL_IDS, active=st.booleans())


@st.composite
def companies(draw: st.DrawFn) -> list[EmployeeRecord]:
    """People of one company in accordance with the unique indexes."""
    people: list[EmployeeRecord] = []
    for _ in range(draw(st.integers(0, 4))):
        external_id = draw(EXTERNAL_IDS)
        inactive = draw(st.booleans())
        link = entra_object_id(external_id) or draw(st.sampled_from([None, LINK, OTHER_LINK]))
        one = employee(
            draw(LOGINS),
            email=draw(LOGINS),
            external_id=external_id,
            entra_object_id=link,
            awaits_link_since=draw(st.sampled_from([None, NOW])) if link is None else None,
            state="suspended" if inactive else "active",
            termination_date=LEFT if inactive else None,
            source=draw(st.sampled_from(["entra", "csv", "manual"])),
            roles=draw(st.sampled_from([(), ("setup_admin",)])),
        )
        if not any(_share_a_name(one, other) for other in people):
            people.append(one)
    return people


def _share_a_name(one: EmployeeRecord, other: EmployeeRecord) -> bool:
    return (
        one.login_key == other.login_key
        or one.email_key == other.email_key
        or (one.external_id is not None and one.external_id == other.external_id)
        or (one.entra_object_id is not None and one.entra_object_id == other.entra_object_id)
    )


@given(REQUESTS, companies())
def test_whatever_is_asked_no_two_people_share_a_name_afterwards(
    new: NewEmployee, people: list[EmployeeRecord]
) -> None:
    candidates = [one for one in people if collision(new, one) is not None]
    match plan(new, candidates):
        case Create():
            assert candidates == []
        case Adopt(employee=meant) | Reactivate(employee=meant) | Relink(employee=meant):
            assert candidates == [meant], "nobody else holds any of the names he gets"
        case Conflict(code=code):
            assert code in {collision(new, one) for one in candidates}
        case NeedsConfirmation(employee=meant):
            assert meant in candidates
            assert meant.source != "entra"


@given(REQUESTS, companies())
def test_nobody_active_from_entra_and_nobody_linked_otherwise_is_ever_touched(
    new: NewEmployee, people: list[EmployeeRecord]
) -> None:
    planned = plan(new, [one for one in people if collision(new, one) is not None])
    if isinstance(planned, Adopt | Reactivate | Relink):
        meant, link_key = planned.employee, entra_object_id(new.external_id)
        assert meant.source != "entra" or meant.state == "suspended" or meant.awaits_link_since is not None
        assert link_key is None or meant.entra_object_id in {None, link_key}
        assert "setup_admin" not in meant.roles or meant.source == "entra"
        named = {search_key(new.login_name) == meant.login_key, search_key(new.email) == meant.email_key}
        assert True in named or link_key == meant.entra_object_id is not None


@given(REQUESTS, companies())
def test_the_order_of_candidates_does_not_matter(new: NewEmployee, people: list[EmployeeRecord]) -> None:
    candidates = [one for one in people if collision(new, one) is not None]
    forward, backward = plan(new, candidates), plan(new, candidates[::-1])
    assert type(forward) is type(backward)
    if not isinstance(forward, Conflict):
        assert forward == backward
