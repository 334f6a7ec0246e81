"""Whatever comes, a PATCH compiles or is refused as SCIM says; never anything else."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from scim_ingest.protocol.attributes import ATTRIBUTES, CORE, ENTERPRISE
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.patch import compile_patch
from scim_ingest.protocol.paths import read_path
from scim_ingest.protocol.resource import read_new_employee
from scim_ingest.protocol.strict import PATCH_OP, in_group, in_group_patch, in_user, in_user_patch
from shared.schemas.employee import EmployeeChanges

MANDATORY = {
    "userName": "anna@firma.dk",
    "name": {"givenName": "Anna", "familyName": "Holm"},
    "emails": [{"type": "work", "value": "anna@firma.dk"}],
}
PATHS = st.one_of(
    st.sampled_from([attribute.path for attribute in ATTRIBUTES]),
    st.sampled_from(
        ["emails", "name", "id", "meta", "phoneNumbers", 'emails[type eq "work"]', "manager", "nickName", "active"]
    ),
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            ["emails", "[", "]", "type", " eq ", '"work"', '"', ".value", ":", "urn:", "primary", "true", " and "]
        ),
        max_size=12,
    ).map("".join),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(max_size=20),
        st.just("False"),
        st.just(""),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(PATHS, st.sampled_from(["value", "type", "$ref", "primary"])), inner, max_size=4),
    ),
    max_leaves=8,
)
OPERATIONS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "Replace", "remove", "x"])}, optional={"path": PATHS, "value": VALUES}
        ),
        VALUES,
    ),
    max_size=5,
)


@given(OPERATIONS)
@settings(max_examples=500, deadline=None)
def test_any_operations_compile_or_are_refused(operations: list[Any]) -> None:
    try:
        compiled = compile_patch(operations, "emp_1")
    except ScimError as error:
        assert error.status in (400, 413)  # noqa: PT017
        assert error.scim_type  # noqa: PT017
        assert error.detail  # noqa: PT017
    else:
        # What goes to directory is of the declared types, and no mandatory attribute is cleared.
        values = asdict(compiled.changes)
        assert set(values) == set(EmployeeChanges.__struct_fields__)
        for attribute in ATTRIBUTES:
            value = values[attribute.field]
            allowed = bool if attribute.kind == "boolean" else str
            assert value is None or not isinstance(value, str | bool) or isinstance(value, allowed)
            if attribute.mandatory or attribute.field == "active":
                assert value is not None
        json.dumps(compiled.ignored)


@given(st.dictionaries(PATHS, VALUES, max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    try:
        read_new_employee(body)
    except ScimError as error:
        assert error.status == 400  # noqa: PT017


def exact(operations: list[Any]) -> list[Any]:
    """With ops as strict mode wants them, so that it looks further."""
    return [
        {**one, "op": str(one["op"]).lower()} if isinstance(one, dict) and "op" in one else one for one in operations
    ]


@given(OPERATIONS)
@settings(max_examples=500, deadline=None)
def test_what_strict_mode_takes_leaves_nothing_out(operations: list[Any]) -> None:
    operations = exact(operations)
    body = {"schemas": [PATCH_OP], "Operations": operations}
    deviation = in_user_patch(body)
    in_group_patch(body)
    with contextlib.suppress(ScimError):
        compiled = compile_patch(operations, "emp_1")
        assert deviation is not None or compiled.ignored == []


@given(
    st.dictionaries(
        st.one_of(PATHS, st.sampled_from(["emails", "name", "phoneNumbers", ENTERPRISE])), VALUES, max_size=4
    )
)
@settings(max_examples=500, deadline=None)
def test_what_strict_mode_takes_of_a_user_leaves_nothing_out(members: dict[str, Any]) -> None:
    body = {"schemas": [CORE, ENTERPRISE], **MANDATORY, **members}
    deviation = in_user(body)
    in_group(body)
    with contextlib.suppress(ScimError):
        read = read_new_employee(body)
        assert deviation is not None or read.ignored == []


@given(PATHS)
@settings(max_examples=300, deadline=None)
def test_any_path_is_read_or_refused(path: str) -> None:
    try:
        read_path(path)
    except ScimError as error:
        assert error.scim_type in ("invalidPath", "noTarget")  # noqa: PT017


@pytest.mark.parametrize("piece", ["[", "]", '"', "\\", ".", "a.", ":", 'emails[type eq "work"]', "urn:"])
def test_the_longest_paths_take_no_time(piece: str) -> None:
    with pytest.raises(ScimError):
        read_path((piece * 100_000)[:100_000])
    # The fastest of three: the collector or another thread may fall into one of them. Each path is a new one to the cache.
    assert min(_path_seconds(piece, length) for length in (510, 511, 512)) < 0.05


def _path_seconds(piece: str, length: int) -> float:
    begun = time.process_time()
    for path in ((piece * length)[:length], (piece * 100_000)[: 100_000 + length]):
        with contextlib.suppress(ScimError):
            read_path(path)
    return time.process_time() - begun


def test_a_patch_of_usual_size_compiles_in_microseconds() -> None:
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    operations = [
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "a@b.dk"},
        {"op": "Add", "path": "name.givenName", "value": "A"},
        {"op": "Replace", "path": f"{urn}:department", "value": "D"},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Add", "path": f"{urn}:manager", "value": "emp_1"},
    ]
    compile_patch(operations)
    fastest = min(_seconds(operations) for _ in range(200))
    assert fastest < 200e-6  # about 15 µs on the machine it was written on; the margin is for a busy one


def _seconds(operations: list[dict[str, str]]) -> float:
    begun = time.perf_counter()
    compile_patch(operations)
    return time.perf_counter() - begun
