"""What is not kept is noted by name, and what is left out with its reason; quirks: see `test_quirks.py`."""

from typing import Any

import pytest
from starlette.requests import Request

from scim_ingest.exchange import parameters_of
from scim_ingest.protocol.group_patch import compile_group_patch
from scim_ingest.protocol.group_resource import read_group
from scim_ingest.protocol.patch import compile_patch
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


def grouped(*operations: dict[str, Any], **body: Any) -> Recorder:
    slip = begin()
    if body:
        read_group({"displayName": "Alle", **body})
    if operations:
        compile_group_patch(operations, "grp_1")
    return slip


@pytest.mark.parametrize(
    ("send", "named"),
    [
        (lambda: created(**{ENTERPRISE: {"manager": {"value": "emp_1", "displayName": "Bo"}}}), "manager.displayname"),
        (lambda: patched(replace("manager", {"value": "emp_1", "display": "Bo"})), "manager.display"),
        (
            lambda: patched(replace('phoneNumbers[type eq "work"]', {"type": "mobile", "value": "1"})),
            'phoneNumbers[type eq "work"].type',
        ),
        (lambda: patched(replace("title", [{"value": "Kok", "display": "K"}])), "title.display"),
        (lambda: patched({**replace("title", "Kok"), "comment": "x"}), "comment in an operation"),
        (lambda: grouped(members=[{"value": "emp_1", "display": "Anna"}]), "members.display"),
        (lambda: grouped(members=[{"value": "emp_1", "type": "Group"}]), "members.type"),
        (lambda: grouped(replace("members", [{"value": "emp_1", "display": "A"}], op="add")), "members.display"),
        (lambda: grouped({**replace("displayName", "Alle"), "x": 1}), "x in an operation"),
    ],
)
def test_nothing_is_dropped_silently(send: Any, named: str) -> None:
    assert send().ignored == [named]


def test_what_is_ours_in_a_group_is_noted() -> None:
    assert grouped(id="grp_9", meta={"resourceType": "Group"}).coerced == ["members_that_we_own"]
    assert "read_only_in_patch" in grouped({"op": "add", "value": {"meta": {}, "schemas": []}}).coerced
    assert grouped(members=[{"value": "emp_1", "$ref": None, "type": "User"}]).ignored == []
