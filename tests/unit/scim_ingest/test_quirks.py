"""Every deviation of Entra's that we take, by name: the list in quirks.py and the tests here are the same list.

Each is also sent to a company in strict mode, which refuses it or does not, as the list says.
"""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import asdict

from scim_ingest import recorder
from scim_ingest.exchange import parameters_of
from scim_ingest.protocol.attributes import BY_FIELD, CORE, GROUP
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.filters import parse_filter
from scim_ingest.protocol.group_patch import compile_group_patch
from scim_ingest.protocol.json_body import read_json
from scim_ingest.protocol.patch import compile_patch, operations_of
from scim_ingest.protocol.quirks import QUIRKS, Quirk, boolean_value, member_ids, text_value
from scim_ingest.protocol.resource import read_new_employee
from scim_ingest.protocol.strict import (
    Deviation,
    in_group,
    in_group_patch,
    in_user,
    in_user_patch,
    in_what_is_left_out,
    read_strictly,
)
from scim_ingest.protocol.user_names import USER_NAMES
from shared.schemas.employee import EmployeeChanges
from tests.unit.scim_ingest.conftest import ANNA

ADSCIM = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
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


def operation_without_path() -> None:
    assert put(None, {"title": "T", "name": {"givenName": "A"}}) == {"title": "T", "given_name": "A"}


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


def element_as_target() -> None:
    assert put('phoneNumbers[type eq "mobile"]', {"value": "1"}, "add") == {"mobile_phone": "1"}


def element_without_type() -> None:
    assert put("addresses", [{"country": "DK"}]) == {"country": "DK"}


def element_not_kept() -> None:
    assert put("phoneNumbers", [{"type": "fax", "value": "1"}], "add") == {}


def attribute_not_kept() -> None:
    assert put("nickName", "A") == {}
    assert read_new_employee({**ANNA, "roles": [{"value": "x"}]}).ignored == ["roles"]


def list_without_brackets() -> None:
    assert put("addresses", {"type": "work", "country": "DK"}) == {"country": "DK"}


def manager_as_text() -> None:
    assert put(f"{URN}:manager", "emp_2") == put(f"{URN}:manager", {"value": "emp_2"}) == {"manager_ref": "emp_2"}


def manager_as_list() -> None:
    assert put("manager", [{"$ref": "http://x/Users/emp_2", "value": "emp_2"}]) == {"manager_ref": "emp_2"}


def manager_with_filter() -> None:
    assert changes({"op": "remove", "path": f'{URN}:manager[value eq "emp_2"]'}) == {"manager_ref": None}


def reference_by_address() -> None:
    assert put(f"{URN}:manager", {"$ref": "../Users/emp_2"}) == {"manager_ref": "emp_2"}
    assert member_ids([{"$ref": "https://scim.example.dk/scim/v2/firma/Users/emp_2"}]) == ["emp_2"]


def member_as_text() -> None:
    assert member_ids(["emp_1", {"value": "emp_2"}]) == ["emp_1", "emp_2"]


def single_value_in_list() -> None:
    assert put("title", [{"$ref": None, "value": "T"}]) == {"title": "T"}
    with pytest.raises(ScimError):
        put("title", ["a", "b"])


def empty_text_clears() -> None:
    assert put("title", "") == put("title", None) == {"title": None}
    # Blank is a value: a mapping that turns null into " " is Entra's own advice.
    assert put("title", " ") == {"title": " "}


def empty_text_for_anything() -> None:
    assert put(f"{URN}:manager", "") == {"manager_ref": None}
    assert put("phoneNumbers", "") == {"work_phone": None, "mobile_phone": None}


def remove_with_value() -> None:
    removed = changes({"op": "Remove", "path": "phoneNumbers", "value": [{"type": "work", "value": "1"}]})
    assert removed == {"work_phone": None}


def empty_operations() -> None:
    assert changes() == {}


def add_is_replace() -> None:
    assert put("title", "T", "add") == put("title", "T", "replace") == {"title": "T"}


def foreign_schemas() -> None:
    assert read_new_employee({**ANNA, "schemas": ["urn:x", f"{URN}x"]}).ignored == []


def replace_merges() -> None:
    assert put("name", {"givenName": "A"}) == {"given_name": "A"}


def schemas_missing() -> None:
    assert read_new_employee({name: value for name, value in ANNA.items() if name != "schemas"}).ignored == []


def members_that_we_own() -> None:
    assert read_new_employee({**ANNA, "id": "emp_9", "meta": {"resourceType": "User"}}).ignored == []
    assert operations_of({"Operations": [], "meta": {}, "id": "x"}) == []


def read_only_in_patch() -> None:
    assert put("meta", {}) == put("groups", []) == {}


def deactivation_alone() -> None:
    assert changes(
        {"op": "replace", "path": "active", "value": False}, {"op": "replace", "path": "title", "value": 1.5}
    ) == {"active": False}


def flags_in_the_query() -> None:
    class Request:
        scope = {"query_string": b"aadOptscim062020&filter=a+b&AzureAdScimPatch2017"}

    assert parameters_of(Request())["filter"] == "a b"  # type: ignore[arg-type]


def value_path_in_filter() -> None:
    assert parse_filter('emails[type eq "work"].value eq "a@b.dk"', USER_NAMES)
    assert noted(lambda: parse_filter('emails[type eq "work" and value eq "a"]', USER_NAMES)) == []


def boolean_as_text_in_filter() -> None:
    assert parse_filter('active eq "True"', USER_NAMES) == parse_filter("active eq true", USER_NAMES)


def member_filter_with_value() -> None:
    removed = compile_group_patch([{"op": "remove", "path": 'members[value eq "emp_2"].value'}], "grp_1")
    assert removed.changes.remove == ["emp_2"]


def slashes_in_the_path() -> None:
    """Over HTTP, in `test_access_http.py`."""
    recorder.coerced("slashes_in_the_path")


def byte_order_mark() -> None:
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


TESTS: dict[str, Callable[[], None]] = {quirk.name: globals()[quirk.name] for quirk in QUIRKS}


def noted(work: Callable[[], object]) -> list[str]:
    with recorder.begun() as slip:
        work()
    return slip.coerced


UNSEEN = {"add_is_replace", "element_made_when_missing", "replace_merges", "schemas_missing", "deactivation_alone"}
"""What no request shows by itself: it depends on what stands there, or is told otherwise (`left_out`, `strict`)."""
NAMED = {"attribute_not_kept", "element_not_kept"}
"""Told by the names of what is not kept."""


@pytest.mark.parametrize("quirk", TESTS)
def test_the_quirk_is_taken_and_the_journal_hears_of_it(quirk: str) -> None:
    told = noted(TESTS[quirk])
    assert (quirk in told) == (quirk not in UNSEEN | NAMED)


def test_every_quirk_is_named_with_its_source() -> None:
    assert all(quirk.what and quirk.source for quirk in QUIRKS)
    assert len(TESTS) == len(QUIRKS)


PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def patch(*steps: Any, **members: Any) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": list(steps), **members}


def step(path: str | None, value: Any, op: str = "replace") -> dict[str, Any]:
    return {"op": op, "value": value, **({"path": path} if path is not None else {})}


def user(**members: Any) -> dict[str, Any]:
    return {**ANNA, **members}


def extended(**members: Any) -> dict[str, Any]:
    return {**ANNA, "schemas": [CORE, URN], URN: members}


def deviation_of(read: EmployeeChanges | Deviation | None) -> Deviation | None:
    return read if isinstance(read, Deviation) else None


Judge = Callable[[Any], Deviation | None]

SENT: dict[str, list[tuple[Judge, Any]]] = {
    "operation_in_capitals": [(in_user_patch, patch(step("title", "T", "Replace")))],
    "operation_without_path": [
        (in_user_patch, patch(step(None, {"title": "T"}))),
        (in_user_patch, patch(step("", {"title": "T"}))),
        (in_group_patch, patch(step(None, {"displayName": "T"}))),
        (in_user_patch, patch({"op": "remove"})),
    ],
    "boolean_as_text": [
        (in_user_patch, patch(step("active", "False"))),
        (in_user, user(active="true")),
        (in_user, user(emails=[{"type": "work", "value": "a@b.dk", "primary": "true"}])),
        (in_user_patch, patch(step('emails[primary eq "True"].value', "a@b.dk"))),
    ],
    "number_as_text": [
        (in_user_patch, patch(step(f"{URN}:employeeNumber", 12))),
        (in_user, extended(employeeNumber=12)),
    ],
    "dotted_keys": [(in_user, {**ANNA, "name.formatted": "A"}), (in_user, {**ANNA, 'emails[type eq "work"].value': "a"})],
    "urn_keys": [
        (in_user, {**ANNA, f"{URN}:department": "D"}),
        (in_group, {"schemas": [GROUP], f"{GROUP}:displayName": "G"}),
    ],
    "bare_enterprise_names": [
        (in_user, user(department="D")),
        (in_user_patch, patch(step("department", "D"))),
        (in_user_patch, patch(step("manager", {"value": "emp_2"}))),
    ],
    "names_without_case": [
        (in_user_patch, patch(step('EMAILS[Type eq "WORK"].VALUE', "a@b.dk"))),
        (in_user, {"SCHEMAS": [CORE.upper()], **{k.upper(): v for k, v in ANNA.items() if k != "schemas"}}),
        (in_group, {"Schemas": [GROUP], "DISPLAYNAME": "G"}),
    ],
    "element_made_when_missing": [(in_user_patch, patch(step('phoneNumbers[type eq "mobile"].value', "1", "add")))],
    "primary_names_the_element": [(in_user_patch, patch(step("emails[primary eq true].value", "a@b.dk")))],
    "element_as_target": [
        (in_user_patch, patch(step('phoneNumbers[type eq "mobile"]', {"value": "1"}))),
        (in_user_patch, patch({"op": "remove", "path": 'phoneNumbers[type eq "mobile"]'})),
    ],
    "element_without_type": [(in_user, user(addresses=[{"country": "DK"}]))],
    "element_not_kept": [
        (in_user, user(phoneNumbers=[{"type": "fax", "value": "1"}])),
        (in_user, user(phoneNumbers=[{"type": "work", "value": "1"}, {"type": "Work", "value": "2"}])),
        (in_user, user(phoneNumbers=[{"type": 5, "value": "1"}])),
    ],
    "attribute_not_kept": [
        (in_user, user(nickName="A")),
        (in_user, user(roles=None)),
        (in_user, user(groups=[])),
        (in_user, user(addresses=[{"type": "work", "locality": "Aarhus"}])),
        (in_user, extended(costCenter="C")),
        (in_user, extended(manager={"value": "emp_2", "displayName": "Bo"})),
        (in_user_patch, patch(step("nickName", "A"))),
        (in_user_patch, patch(step('emails[type eq "home"].value', "a@b.dk"))),
        (in_user_patch, patch(step("title.long", "a"))),
        (in_user_patch, patch({**step("title", "T"), "more": 1})),
        (in_user_patch, patch(step("title", "T"), more=1)),
        (in_group, {"schemas": [GROUP], "displayName": "G", "description": "D"}),
        (in_group, {"schemas": [GROUP], "displayName": "G", "members": [{"value": "a", "display": "A"}]}),
        (in_group_patch, patch(step("description", "D"))),
    ],
    "list_without_brackets": [
        (in_user, user(emails={"type": "work", "value": "a@b.dk"})),
        (in_user_patch, patch(step("addresses", {"type": "work", "country": "DK"}))),
        (in_group_patch, patch(step("members", {"value": "emp_1"}, "add"))),
    ],
    "manager_as_text": [
        (in_user, extended(manager="emp_2")),
        (in_user_patch, patch(step(f"{URN}:manager", "emp_2", "add"))),
    ],
    "manager_as_list": [(in_user_patch, patch(step(f"{URN}:manager", [{"value": "emp_2"}], "add")))],
    "manager_with_filter": [(in_user_patch, patch({"op": "remove", "path": f'{URN}:manager[value eq "emp_2"]'}))],
    "reference_by_address": [
        (in_user, extended(manager={"$ref": "../Users/emp_2"})),
        (in_group, {"schemas": [GROUP], "displayName": "G", "members": [{"$ref": "../Users/emp_2"}]}),
    ],
    "member_as_text": [(in_group_patch, patch(step("members", ["emp_2"], "add")))],
    "single_value_in_list": [
        (in_user, user(title=["T"])),
        (in_user, user(title={"value": "T"})),
        (in_user, user(name=[{"givenName": "A", "familyName": "B"}])),
        (in_user_patch, patch(step("title", [{"value": "T"}]))),
    ],
    "empty_text_clears": [(in_user_patch, patch(step("title", ""), step("title", None), step("phoneNumbers", None)))],
    "empty_text_for_anything": [
        (in_user_patch, patch(step("phoneNumbers", ""))),
        (in_user_patch, patch(step("active", ""))),
        (in_user_patch, patch(step(URN, ""))),
        (in_group_patch, patch(step("members", ""))),
    ],
    "remove_with_value": [
        (in_user_patch, patch(step("phoneNumbers", [{"type": "work"}], "remove"))),
        (in_group_patch, patch(step("members", [{"value": "emp_1"}], "remove"))),
    ],
    "empty_operations": [(in_user_patch, patch()), (in_group_patch, patch())],
    "add_is_replace": [(in_user_patch, patch(step("title", "T", "add"), step("title", "U")))],
    "replace_merges": [
        (lambda body: deviation_of(read_strictly(body, "emp_1")), [step("name", {"givenName": "A"})]),
        (lambda body: deviation_of(read_strictly(body, "emp_1")), [step("active", False), step(f"{CORE}:name", {})]),
    ],
    "foreign_schemas": [
        (in_user, user(schemas=[CORE, "urn:x"])),
        (in_user, {**ANNA, "urn:x:y": {}}),
        (in_user_patch, {**patch(step("title", "T")), "schemas": [PATCH_OP, CORE]}),
        (in_group, {"schemas": [GROUP, ADSCIM], "displayName": "G"}),
    ],
    "schemas_missing": [
        (in_user, {name: value for name, value in ANNA.items() if name != "schemas"}),
        (in_user, user(schemas=[])),
        (in_user, user(schemas=CORE)),
        (in_user, user(schemas=[5])),
        (in_user, {**ANNA, URN: {"department": "D"}}),
        (in_user_patch, {"Operations": [step("title", "T")]}),
        (in_group, {"displayName": "G"}),
    ],
    "members_that_we_own": [
        (in_user, user(id="emp_9", meta={"resourceType": "User"})),
        (in_group, {"schemas": [GROUP], "id": "grp_9", "meta": {}, "displayName": "G"}),
    ],
    "read_only_in_patch": [
        (in_user_patch, patch(step("meta", {}))),
        (in_user_patch, patch(step("id", "emp_1"))),
        (in_user_patch, patch({"op": "remove", "path": "schemas"})),
        (in_group_patch, patch(step("id", "grp_1"))),
    ],
    "deactivation_alone": [(lambda body: in_what_is_left_out(compile_patch(body, "emp_1").refused), [
        step("active", False), step("title", 1.5)])],
    "flags_in_the_query": [],
    "value_path_in_filter": [],
    "boolean_as_text_in_filter": [],
    "member_filter_with_value": [
        (in_group_patch, patch({"op": "remove", "path": 'members[value eq "emp_2"].value'}))],
    "slashes_in_the_path": [],
    "byte_order_mark": [],
}  # fmt: skip


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.name)
def test_strict_mode_refuses_the_quirk_or_does_not_as_the_list_says(quirk: Quirk) -> None:
    for judge, body in SENT[quirk.name]:
        found = judge(body)
        if quirk.strict is None:
            assert found is None, (body, found)
        else:
            assert found is not None, body
            assert (found.quirk, found.status, found.scim_type) == (quirk.name, 400, quirk.strict), (body, found.detail)
            assert "strict mode" in found.detail


GOOD: list[tuple[Judge, Any]] = [
    (in_user, ANNA),
    (in_user, extended(department="D", employeeNumber="7", manager={"value": "emp_2", "$ref": "x"})),
    (in_user, extended(manager=None)),
    (in_user, {**extended(), URN: None}),
    (in_user, user(externalId="x", displayName="A", phoneNumbers=[{"type": "mobile", "value": "1"}], active=False)),
    (in_user_patch, patch(step("name", {"givenName": "A", "familyName": "B", "formatted": None}))),
    (in_user_patch, patch(step("emails", [{"type": "work", "value": "a@b.dk", "primary": True}]))),
    (in_user_patch, patch(step(f"{URN}:manager.value", "emp_2"), step(f"{CORE}:title", "T"))),
    (in_user_patch, patch(step(URN, {"department": "D"}, "add"))),
    (in_user_patch, patch(step("schemas", [URN], "add"))),
    (in_user_patch, patch({"op": "remove", "path": 'phoneNumbers[type eq "work"].value'})),
    (in_user_patch, patch({"op": "remove", "path": "name.formatted"})),
    (in_group, {"schemas": [GROUP], "displayName": "G", "members": [{"value": "emp_1", "$ref": None, "type": "User"}]}),
    (in_group_patch, patch(step("members", [{"value": "emp_1"}], "add"), step(f"{GROUP}:displayName", "G"))),
    (in_group_patch, patch({"op": "remove", "path": 'members[value eq "emp_1"]'}, {"op": "remove", "path": "members"})),
]  # fmt: skip


@pytest.mark.parametrize(("judge", "body"), GOOD, ids=lambda value: str(value)[:80] if isinstance(value, dict) else "")
def test_strict_mode_takes_what_the_profile_asks_for(judge: Judge, body: Any) -> None:
    found = judge(body)
    assert found is None, found.detail if found else ""


def test_a_replace_of_the_name_is_read_as_the_whole_of_it_and_an_add_is_not() -> None:
    whole = {"givenName": "A", "familyName": "B"}
    read = read_strictly([step("name.formatted", "X"), step("name", whole)], "emp_1")
    assert read == EmployeeChanges(given_name="A", family_name="B", formatted_name=None)
    assert read_strictly([step("name", whole, "add"), step("title", "T"), 5], "emp_1") is None


@pytest.mark.parametrize("judge", [in_user, in_user_patch, in_group, in_group_patch], ids=lambda judge: judge.__name__)
@pytest.mark.parametrize(
    "body",
    [None, [], "x", 5, {}, {"schemas": {}}, {"Operations": 5}, patch(5), patch({}), patch({"op": 5, "path": []}),
     patch(step("[", 1)), patch(step("a b", 1)), patch(step("phoneNumbers.value", "1")), patch(step("members[", [])),
     user(emails=[5, None, "x"]), user(name=5), user(title=1.5), user(active=[])],
    ids=str,
)  # fmt: skip
def test_whatever_comes_is_judged_without_a_fault(judge: Judge, body: Any) -> None:
    judge(body)
