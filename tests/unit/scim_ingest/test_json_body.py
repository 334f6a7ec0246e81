"""JSON that would lose or blur a value is refused, with the reason."""

import contextlib
import json
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.json_body import MAX_VALUES, read_apart, read_json


def refusal_of(body: bytes) -> ScimError:
    with pytest.raises(ScimError) as caught:
        read_json(body)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        (b"", "invalidSyntax"),
        (b"  \n", "invalidSyntax"),
        (b"{", "invalidSyntax"),
        (b"{'a': 1}", "invalidSyntax"),
        (b'{"a": 1,}', "invalidSyntax"),
        (b'{"a": 1} x', "invalidSyntax"),
        (b'{"a": 01}', "invalidSyntax"),
        (b'{"a": "\n"}', "invalidSyntax"),
        (b"userName=anna", "invalidSyntax"),
        ("{}".encode("utf-16"), "invalidSyntax"),
        (b'{"a": "\xff"}', "invalidSyntax"),
        (b'{"a": "\xed\xa0\x80"}', "invalidSyntax"),
        (b'{"a": 1, "a": 2}', "invalidSyntax"),
        (b'{"active": true, "Active": false}', "invalidSyntax"),
        (b'[{"x": {"value": "a", "VALUE": "b"}}]', "invalidSyntax"),
        (b"[" * 59_000, "invalidSyntax"),
        (b'{"a":' * 20 + b"1" + b"}" * 20, "invalidSyntax"),
        (b"[" * 500 + b"]" * 500, "invalidSyntax"),
        (b'{"a": "\\u0000"}', "invalidValue"),
        (b'{"\\u0000": 1}', "invalidValue"),
        (b'{"a": ["\\ud800"]}', "invalidValue"),
        (b'{"a": "\\udc00\\ud800"}', "invalidValue"),
        (b'{"a": ' + b"9" * 5000 + b"}", "invalidValue"),
        (b'{"a": NaN}', "invalidValue"),
        (b'{"a": -Infinity}', "invalidValue"),
    ],
)
def test_refused(body: bytes, scim_type: str) -> None:
    assert refusal_of(body).scim_type == scim_type


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b' {"a": [1, 2.5, "x", null, true]} ', {"a": [1, 2.5, "x", None, True]}),
        ('{"a": "æøå\\u00e6\\ud83d\\ude00"}'.encode(), {"a": "æøåæ😀"}),
        (b'[{"a": 1}, {"a": 1}]', [{"a": 1}, {"a": 1}]),
        (b'{"a": ' + b"9" * 30 + b"}", {"a": int("9" * 30)}),
    ],
)
def test_read(body: bytes, value: object) -> None:
    assert read_json(body) == value


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_value_or_a_scim_error(body: bytes) -> None:
    try:
        read_json(body)
    except ScimError as error:
        assert error.status == 400  # noqa: PT017


@pytest.mark.parametrize("filler", [b"[", b'{"a":', b"[[],", b"{},", b'"",', b"1,", b'{"a":{}},'])
def test_more_values_than_anybody_sends_are_refused_before_they_are_read(filler: bytes) -> None:
    begun = time.process_time()
    for read in (read_json, read_apart):
        with pytest.raises(ScimError) as refused:
            read(b"[" + filler * (1_000_000 // len(filler)))
        assert (refused.value.status, "60,000 values" in refused.value.detail) == (413, True)
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize("filler", [b"[", b"[[],", b"{},", b'"",', b'{"a":{}},'])
def test_as_many_as_are_read_are_read_quickly(filler: bytes) -> None:
    many = (MAX_VALUES - 1) // sum(map(filler.count, (b"{", b"[", b",")))
    tracemalloc.start()
    begun = time.process_time()
    with contextlib.suppress(ScimError):
        read_json(b"[" + filler * many + b"1]")
    spent, peak = time.process_time() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert spent < 1.0
    assert peak < 32 * 1024 * 1024


def test_a_group_of_17_000_members_is_read() -> None:
    member = {"$ref": None, "value": "emp_" + "0" * 32}
    body = json.dumps({"Operations": [{"op": "Add", "path": "members", "value": [member] * 17_000}]}).encode()
    assert len(body) > 1_000_000
    assert read_json(body)
