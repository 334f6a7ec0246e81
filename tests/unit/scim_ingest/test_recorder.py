"""Every quirk that changed something is noted by its name, what is not kept is, and what is left out is."""

from typing import Any

import pytest
from starlette.requests import Request

from scim_ingest.exchange import parameters_of
from scim_ingest.protocol.patch import compile_patch
from scim_ingest.protocol.quirks import QUIRKS
from scim_ingest.protocol.resource import read_new_employee
from scim_ingest.recorder import Recorder, begin
from tests.unit.scim_ingest.conftest import ANNA

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def patched(*operations: dict[str, Any]) -> Recorder:
    slip = begin()
    compile_patch(operations)
    return slip


def created(**more: Any) -> Recorder:
    slip = begin()
    read_new_employee({**ANNA, **more})
    return slip


def replace(path: str, value: object, op: str = "replace") -> dict[str, Any]:
    return {"op": op, "path": path, "value": value}


NOTED: list[tuple[str, Any]] = [
    ("operation_in_capitals", lambda: patched(replace("title", "Kok", op="Replace"))),
    ("boolean_as_text", lambda: patched(replace("active", "False"))),
    ("number_as_text", lambda: patched(replace(f"{ENTERPRISE}:employeeNumber", 7))),
    ("dotted_keys", lambda: patched({"op": "replace", "value": {"name.givenName": "Anna"}})),
    ("urn_keys", lambda: patched({"op": "replace", "value": {f"{ENTERPRISE}:department": "Salg"}})),
    ("bare_enterprise_names", lambda: patched(replace("department", "Salg"))),
    ("names_without_case", lambda: patched(replace('emails[type eq "work"].Value', "a@b.dk"))),
    ("primary_names_the_element", lambda: patched(replace('emails[primary eq "True"].value', "a@b.dk"))),
    ("element_without_type", lambda: created(emails=[{"value": "a@b.dk"}])),
    ("manager_as_text", lambda: patched(replace(f"{ENTERPRISE}:manager", "emp_1"))),
    ("manager_as_list", lambda: patched(replace("manager", [{"value": "emp_1"}]))),
    ("manager_with_filter", lambda: patched(replace('manager[value eq "emp_1"]', None, op="remove"))),
    ("single_value_in_list", lambda: patched(replace("title", [{"value": "Kok"}]))),
    ("empty_text_clears", lambda: patched(replace("title", ""))),
    ("remove_with_value", lambda: patched(replace("title", "Kok", op="remove"))),
    ("empty_operations", lambda: patched()),
    ("foreign_schemas", lambda: created(schemas=["urn:x:User"])),
    ("members_that_we_own", lambda: created(meta={"resourceType": "User"})),
]
NOT_SEEN_HERE = {"element_made_when_missing", "add_is_replace", "flags_in_the_query"}
"""Whether an element or a value was there is not looked up; flags are another test's."""
READ_STRICTLY = {
    "attribute_not_kept",
    "deactivation_alone",
    "element_as_target",
    "element_not_kept",
    "empty_text_for_anything",
    "list_without_brackets",
    "member_as_text",
    "operation_without_path",
    "read_only_in_patch",
    "reference_by_address",
    "replace_merges",
    "schemas_missing",
}
"""Found by the strict reading of the whole request: the first of them is noted as the request is answered (`exchange.py`)."""


@pytest.mark.parametrize(("quirk", "send"), NOTED, ids=[quirk for quirk, _ in NOTED])
def test_a_quirk_is_noted_by_its_name(quirk: str, send: Any) -> None:
    assert quirk in send().coerced


def test_the_table_above_is_whole() -> None:
    assert {quirk for quirk, _ in NOTED} | NOT_SEEN_HERE | READ_STRICTLY == {quirk.name for quirk in QUIRKS}


@pytest.mark.parametrize(
    "slip",
    [
        lambda: patched(replace("title", "Kok"), replace(f"{ENTERPRISE}:department", "Salg")),
        lambda: patched(replace("active", False)),
        lambda: created(),
        lambda: created(**{ENTERPRISE: {"manager": {"value": "emp_1"}}}),
    ],
)
def test_what_follows_the_rfc_is_noted_as_nothing(slip: Any) -> None:
    found = slip()
    assert (found.coerced, found.ignored, found.left_out) == ([], [], [])


def test_flags_in_the_query_are_noted() -> None:
    slip = begin()
    parameters_of(Request({"type": "http", "query_string": b"aadOptscim062020&count=1"}))
    assert slip.coerced == ["flags_in_the_query"]


def test_what_is_not_kept_is_noted_by_name_alone_even_where_the_rest_is_refused() -> None:
    slip = created(nickName="Ann", name={"givenName": "Anna", "familyName": "Holm", "middleName": "M"})
    assert slip.ignored == ["name.middleName", "nickName"]


def test_what_is_left_out_beside_a_deactivation_is_noted_with_its_reason() -> None:
    slip = patched(replace("active", False), replace("title", {"a": 1}), {"op": "move"})
    assert len(slip.left_out) == 2
    assert slip.left_out[0].startswith("title must be a string")
