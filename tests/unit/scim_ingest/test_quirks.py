"""Every deviation of Entra's that we take, by name: the list in quirks.py and the tests here are the same list."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import asdict

from scim_ingest.exchange import parameters_of
from scim_ingest.protocol.attributes import BY_FIELD
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.patch import compile_patch, operations_of
from scim_ingest.protocol.quirks import QUIRKS, boolean_value, text_value
from scim_ingest.protocol.resource import read_new_employee
from tests.unit.scim_ingest.conftest import ANNA

URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def changes(*operations: Any) -> dict[str, Any]:
    compiled = compile_patch(operations, "emp_1")
    return {field: value for field, value in asdict(compiled.changes).items() if value is not UNSET}


def put(path: str | None, value: Any, verb: str = "Replace") -> dict[str, Any]:
    return changes({"op": verb, "value": value, **({"path": path} if path else {})})


def operation_in_capitals() -> None:
    assert put("title", "T", "Add") == put("title", "T", "REPLACE") == {"title": "T"}
    assert changes({"op": "Remove", "path": "title"}) == {"title": None}


def boolean_as_text() -> None:
    assert put("active", "False") == {"active": False}
    assert put('emails[type eq "work"].primary', "true") == {"email_primary": True}
    assert put("title", "False") == {"title": "False"}
    with pytest.raises(ScimError):
        boolean_value(BY_FIELD["active"], "no")


def number_as_text() -> None:
    assert put(f"{URN}:employeeNumber", 12) == {"employee_number": "12"}
    with pytest.raises(ScimError):
        text_value(BY_FIELD["employee_number"], 1.5)


def dotted_keys() -> None:
    assert put(None, {"name.givenName": "A", 'phoneNumbers[type eq "mobile"].value': "1"}) == {
        "given_name": "A",
        "mobile_phone": "1",
    }


def urn_keys() -> None:
    assert put(None, {f"{URN}:department": "D"}) == {"department": "D"}
    assert read_new_employee({**ANNA, f"{URN}:department": "D"}).employee.department == "D"


def bare_enterprise_names() -> None:
    assert put("manager", "emp_2") == {"manager_ref": "emp_2"}
    assert put("department", "D") == {"department": "D"}
    assert read_new_employee({**ANNA, "employeeNumber": "7"}).employee.employee_number == "7"


def names_without_case() -> None:
    assert put('EMAILS[Type eq "WORK"].VALUE', "a@b.dk") == {"email": "a@b.dk"}
    assert put(f"{URN.upper()}:Department", "D") == {"department": "D"}


def element_made_when_missing() -> None:
    for verb in ("add", "replace"):
        assert put('phoneNumbers[type eq "mobile"].value', "1", verb) == {"mobile_phone": "1"}


def primary_names_the_element() -> None:
    assert put("emails[primary eq true].value", "a@b.dk") == {"email": "a@b.dk"}
    assert put('emails[primary eq "True"].value', "a@b.dk") == {"email": "a@b.dk"}


def element_without_type() -> None:
    assert put("addresses", [{"country": "DK"}]) == {"country": "DK"}


def manager_as_text() -> None:
    assert put(f"{URN}:manager", "emp_2") == put(f"{URN}:manager", {"value": "emp_2"}) == {"manager_ref": "emp_2"}


def manager_as_list() -> None:
    assert put("manager", [{"$ref": "http://x/Users/emp_2", "value": "emp_2"}]) == {"manager_ref": "emp_2"}


def manager_with_filter() -> None:
    assert changes({"op": "remove", "path": f'{URN}:manager[value eq "emp_2"]'}) == {"manager_ref": None}


def single_value_in_list() -> None:
    assert put("title", [{"$ref": None, "value": "T"}]) == {"title": "T"}
    with pytest.raises(ScimError):
        put("title", ["a", "b"])


def empty_text_clears() -> None:
    assert put("title", "") == put("title", None) == {"title": None}
    # Blank is a value: a mapping that turns null into " " is Entra's own advice.
    assert put("title", " ") == {"title": " "}


def remove_with_value() -> None:
    removed = changes({"op": "Remove", "path": "phoneNumbers", "value": [{"type": "work", "value": "1"}]})
    assert removed == {"work_phone": None}


def empty_operations() -> None:
    assert changes() == {}


def add_is_replace() -> None:
    assert put("title", "T", "add") == put("title", "T", "replace") == {"title": "T"}


def foreign_schemas() -> None:
    assert read_new_employee({**ANNA, "schemas": ["urn:x", f"{URN}x"]}).ignored == []


def members_that_we_own() -> None:
    assert read_new_employee({**ANNA, "id": "emp_9", "meta": {"resourceType": "User"}}).ignored == []
    assert operations_of({"Operations": [], "meta": {}, "id": "x"}) == []
    assert put("meta", {}) == {}


def flags_in_the_query() -> None:
    class Request:
        scope = {"query_string": b"aadOptscim062020&filter=a+b&AzureAdScimPatch2017"}

    assert parameters_of(Request())["filter"] == "a b"  # type: ignore[arg-type]


TESTS: list[Callable[[], None]] = [
    operation_in_capitals,
    boolean_as_text,
    number_as_text,
    dotted_keys,
    urn_keys,
    bare_enterprise_names,
    names_without_case,
    element_made_when_missing,
    primary_names_the_element,
    element_without_type,
    manager_as_text,
    manager_as_list,
    manager_with_filter,
    single_value_in_list,
    empty_text_clears,
    remove_with_value,
    empty_operations,
    add_is_replace,
    foreign_schemas,
    members_that_we_own,
    flags_in_the_query,
]


@pytest.mark.parametrize("quirk", TESTS, ids=lambda quirk: quirk.__name__)
def test_the_quirk_is_taken(quirk: Callable[[], None]) -> None:
    quirk()


def test_every_quirk_is_named_with_its_source_and_tested() -> None:
    assert [quirk.name for quirk in QUIRKS] == [test.__name__ for test in TESTS]
    assert all(quirk.what and quirk.source for quirk in QUIRKS)
