"""Users as bodies: what a POST and a PUT mean, and what goes out."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import asdict, replace

from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.projection import read_projection
from scim_ingest.protocol.resource import read_new_employee, read_replacement, to_scim
from shared.schemas.employee import Employee, NewEmployee

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BITABIZ = "urn:ietf:params:scim:schemas:extension:bitabiz:2.0:User"
URL = "https://scim.example.dk/scim/v2/firma/Users"

MINIMAL: dict[str, Any] = {
    "schemas": [CORE],
    "userName": "anna@firma.dk",
    "name": {"givenName": "Anna", "familyName": "Holm"},
    "emails": [{"type": "work", "value": "anna@firma.dk"}],
}
FULL: dict[str, Any] = {
    **MINIMAL,
    "externalId": "x1",
    "displayName": "Anna H",
    "title": "Chef",
    "active": True,
    "name": {"givenName": "Anna", "familyName": "Holm", "formatted": "Anna Holm"},
    "emails": [{"type": "work", "value": "anna@firma.dk", "primary": True}],
    "phoneNumbers": [{"type": "work", "value": "70"}, {"type": "mobile", "value": "22"}],
    "addresses": [{"type": "work", "country": "Danmark"}],
    URN: {"employeeNumber": "7", "department": "Salg", "manager": {"value": "emp_9"}},
    BITABIZ: {"leaveDate": "2026-12-31"},
}
EMPLOYEE = Employee(
    id="emp_1",
    state="active",
    login_name="anna@firma.dk",
    email="anna@firma.dk",
    given_name="Anna",
    family_name="Holm",
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    updated_at=datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))),
    version=3,
)


def refusal_of(body: Any) -> ScimError:
    with pytest.raises(ScimError) as caught:
        read_new_employee(body)
    return caught.value


def test_a_minimal_user_is_active() -> None:
    assert read_new_employee(MINIMAL).employee == NewEmployee(
        login_name="anna@firma.dk", email="anna@firma.dk", given_name="Anna", family_name="Holm", active=True
    )


def test_every_attribute_is_read() -> None:
    values = asdict(read_new_employee(FULL).employee)
    assert values == {
        "login_name": "anna@firma.dk",
        "email": "anna@firma.dk",
        "given_name": "Anna",
        "family_name": "Holm",
        "active": True,
        "external_id": "x1",
        "email_primary": True,
        "display_name": "Anna H",
        "formatted_name": "Anna Holm",
        "title": "Chef",
        "department": "Salg",
        "employee_number": "7",
        "work_phone": "70",
        "mobile_phone": "22",
        "country": "Danmark",
        "manager_ref": "emp_9",
        "leave_date": "2026-12-31",
    }


@pytest.mark.parametrize(
    ("member", "path"),
    [("userName", "userName"), ("emails", 'emails[type eq "work"].value'), ("name", "name.givenName, name.familyName")],
)
@pytest.mark.parametrize("how", ["absent", "null", "empty"])
def test_what_is_mandatory_and_missing_is_named(member: str, path: str, how: str) -> None:
    body = {key: value for key, value in MINIMAL.items() if key != member}
    if how != "absent":
        body[member] = None if how == "null" else ""
    refused = refusal_of(body)
    assert (refused.status, refused.scim_type) == (400, "invalidValue")
    assert path in refused.detail


def test_all_that_is_missing_is_named_at_once() -> None:
    assert refusal_of({}).detail == (
        'Mandatory and missing: userName, name.givenName, name.familyName, emails[type eq "work"].value.'
    )


@pytest.mark.parametrize("body", [None, [], "x", 1, True])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    assert refusal_of(body).scim_type == "invalidSyntax"


def test_names_without_case_flat_urn_keys_and_bare_names_are_understood() -> None:
    employee = read_new_employee(
        {
            "USERNAME": "a",
            "Name": {"GIVENNAME": "A", "familyname": "B"},
            "Emails": [{"Type": "Work", "Value": "a@b.dk", "Primary": "true"}],
            f"{URN}:department": "D",
            "manager": "emp_2",
            "employeeNumber": 12,
            "Active": "False",
        }
    ).employee
    assert (employee.department, employee.manager_ref, employee.employee_number) == ("D", "emp_2", "12")
    assert (employee.active, employee.email_primary) == (False, True)


def test_unknown_members_are_ignored_and_named() -> None:
    description = read_new_employee(
        {**MINIMAL, "roles": [], "id": "emp_7", "meta": {}, "nickName": "B", "a b": 1, "x" * 600: 1}
    )
    assert description.ignored == ["roles", "nickName", "a b", "x" * 100 + "…"]


def test_null_is_absent() -> None:
    assert read_new_employee({**MINIMAL, "title": None, "addresses": None, URN: None, "active": None}).ignored == []
    assert read_new_employee({**MINIMAL, "phoneNumbers": []}).employee.work_phone is None


def test_null_under_one_spelling_does_not_cover_a_value_under_another() -> None:
    body = {**MINIMAL, URN: {"department": "D", "manager": "emp_2"}, "department": None, "manager": None}
    employee = read_new_employee(body).employee
    assert (employee.department, employee.manager_ref) == ("D", "emp_2")


def test_a_put_clears_what_it_does_not_mention_but_not_active() -> None:
    changes = asdict(read_replacement({**MINIMAL, "id": "emp_1"}, "emp_1").changes)
    assert changes["active"] is UNSET
    given = {"login_name", "email", "given_name", "family_name", "active"}
    assert all(value is None for field, value in changes.items() if field not in given)


def test_a_put_of_everything_sets_everything() -> None:
    changes = asdict(read_replacement({**FULL, "active": "False"}, "emp_1").changes)
    assert changes == {**asdict(read_new_employee(FULL).employee), "active": False}


def test_a_put_without_a_mandatory_attribute_is_refused_like_a_create() -> None:
    with pytest.raises(ScimError) as caught:
        read_replacement({"userName": "a"}, "emp_1")
    assert "name.givenName" in caught.value.detail


def test_a_put_cannot_change_the_id() -> None:
    with pytest.raises(ScimError) as caught:
        read_replacement({**MINIMAL, "id": "emp_2"}, "emp_1")
    assert caught.value.scim_type == "mutability"


def test_a_minimal_user_goes_out_without_shells() -> None:
    assert to_scim(EMPLOYEE, URL) == {
        "schemas": [CORE],
        "id": "emp_1",
        "userName": "anna@firma.dk",
        "name": {"givenName": "Anna", "familyName": "Holm"},
        "active": True,
        "emails": [{"type": "work", "value": "anna@firma.dk"}],
        "meta": {
            "resourceType": "User",
            "created": "2026-01-02T03:04:05.678Z",
            "lastModified": "2026-01-02T03:04:05.000Z",
            "location": f"{URL}/emp_1",
            "version": 'W/"3"',
        },
    }


def test_what_came_in_goes_out() -> None:
    values = asdict(read_new_employee(FULL).employee)
    values.pop("active")
    out = to_scim(replace(EMPLOYEE, **values, manager_id="emp_9"), URL)
    expected = {**FULL, "schemas": [CORE, URN, BITABIZ], "id": "emp_1", "meta": out["meta"]}
    expected[URN] = {**FULL[URN], "manager": {"value": "emp_9", "$ref": f"{URL}/emp_9"}}
    assert out == expected


def test_a_manager_who_is_not_here_yet_has_no_ref() -> None:
    assert to_scim(replace(EMPLOYEE, manager_ref="emp_9"), URL)[URN] == {"manager": {"value": "emp_9"}}


@pytest.mark.parametrize(("state", "active"), [("active", True), ("suspended", False), ("departed", False)])
def test_active_is_the_state(state: Any, active: bool) -> None:
    assert to_scim(replace(EMPLOYEE, state=state), URL)["active"] is active


def projected(attributes: str | None = None, excluded: str | None = None) -> dict[str, Any]:
    values = asdict(read_new_employee(FULL).employee)
    values.pop("active")
    resource = to_scim(replace(EMPLOYEE, **values, manager_id="emp_9"), URL)
    return read_projection(attributes, excluded).apply(resource)


def test_attributes_keeps_what_is_named_with_id_and_schemas() -> None:
    assert set(projected("id")) == {"id", "schemas"}
    assert set(projected("USERNAME,displayName,nothing")) == {"id", "schemas", "userName", "displayName"}
    assert projected("name.givenName")["name"] == {"givenName": "Anna"}
    assert projected("emails.value")["emails"] == [{"value": "anna@firma.dk"}]
    assert projected('emails[type eq "work"].value')["emails"] == [{"value": "anna@firma.dk"}]
    assert projected(f"{URN}:department")[URN] == {"department": "Salg"}
    assert projected("manager.value")[URN] == {"manager": {"value": "emp_9"}}
    assert projected(URN)[URN] == projected()[URN]
    for name in ("leaveDate", "LEAVEDATE", BITABIZ, f"{BITABIZ}:leaveDate"):
        assert projected(name) == {"id": "emp_1", "schemas": [CORE, URN, BITABIZ], BITABIZ: FULL[BITABIZ]}
    assert projected(f"{CORE}:title")["title"] == "Chef"
    assert set(projected("meta.location")["meta"]) == {"location"}
    assert projected("userName.x") == {"id": "emp_1", "schemas": [CORE, URN, BITABIZ]}


def test_excluded_attributes_leaves_out_what_is_named_but_never_the_id() -> None:
    everything = set(projected())
    assert set(projected(None, "id,schemas")) == everything
    assert set(projected(None, "emails,META")) == everything - {"emails", "meta"}
    assert projected(None, "name.givenName")["name"] == {"familyName": "Holm", "formatted": "Anna Holm"}
    assert projected(None, "department,manager")[URN] == {"employeeNumber": "7"}
    assert URN not in projected(None, URN)
    assert projected(None, "phoneNumbers.value")["phoneNumbers"] == [{"type": "work"}, {"type": "mobile"}]
    assert projected(None, "userName.x")["userName"] == "anna@firma.dk"


def test_both_lists_at_once_are_refused() -> None:
    with pytest.raises(ScimError):
        read_projection("id", "emails")
    with pytest.raises(ScimError):
        read_projection("x" * 5000, None)
