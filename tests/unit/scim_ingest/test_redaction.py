"""What of a request is kept, and whom it names."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_ingest.redaction import (
    KEPT_CHARACTERS,
    REDACTED,
    kept_body,
    kept_query,
    named_in,
    named_in_query,
    without_secrets,
)

TOKEN = "idgw_token-of-firma"
SECRET = "Hemmeligt-1"


def body(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "value",
    [
        {"password": SECRET},
        {"PassWord": SECRET},
        {"urn:ietf:params:scim:schemas:core:2.0:User:password": SECRET},
        {"name": {"x": [{"clientSecret": {"value": SECRET}}]}},
        {"Operations": [{"op": "add", "path": "password", "value": SECRET}]},
        {"Operations": [{"op": "add", "PATH": "urn:x:User:Password", "Value": [SECRET]}]},
        {"Operations": [{"op": "add", "value": {"password": SECRET}}]},
        {"filter": f'password eq "{SECRET}"'},
        {"Operations": [{"op": "remove", "path": f'x[password eq "{SECRET}"]'}]},
        {"x": {"accessToken": SECRET, "api_key": SECRET, "Authorization": SECRET, "pwd": SECRET}},
    ],
)
def test_a_secret_is_replaced_wherever_it_stands(value: object) -> None:
    kept = kept_body(body(value), TOKEN)
    assert kept is not None
    assert SECRET not in kept
    assert REDACTED in kept


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a" :  1}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"title": "Password manager", "b": "\\u00f8"}',
        b"[1, 2]",
        b'{"x": null}',
    ],
)
def test_what_holds_no_secret_is_kept_to_the_letter(raw: bytes) -> None:
    assert kept_body(raw, TOKEN) == raw.decode("utf-8-sig")


def test_the_token_itself_is_taken_out_wherever_it_stands() -> None:
    assert TOKEN not in (kept_body(body({"title": f"a {TOKEN} b"}), TOKEN) or "")
    assert TOKEN not in (kept_body(f"<{TOKEN}".encode(), TOKEN) or "")
    assert TOKEN not in kept_query(f"filter=userName+eq+%22x%22&x={TOKEN}".encode(), TOKEN)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"", None),
        (b'{"a": ', '{"a": '),
        (b'{"password": "x', None),
        (b"\xff\x00", "\ufffd\ufffd"),
        (b"secret", None),
        (b"[" * 100, "[" * 100),
    ],
)
def test_what_cannot_be_read_is_kept_where_nothing_looks_like_a_secret(raw: bytes, kept: str | None) -> None:
    assert kept_body(raw, TOKEN) == kept


def test_a_body_is_kept_up_to_a_bound() -> None:
    assert len(kept_body(body({"title": "x" * 100_000}), TOKEN) or "") == KEPT_CHARACTERS


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"aadOptscim062020&filter=userName+eq+%22a%22", "aadOptscim062020&filter=userName+eq+%22a%22"),
        (b"filter=password+eq+%22x%22&count=1", f"filter={REDACTED}&count={REDACTED}"),
        (b"access_token=x", REDACTED),
        (b"%70assword=x", REDACTED),
    ],
)
def test_a_query_is_kept_but_for_secrets(raw: bytes, kept: str) -> None:
    assert kept_query(raw, TOKEN) == kept


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.integers(), st.just(SECRET), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["password", "a", "value", "Secret", "title"]), inner, max_size=3),
    ),
    max_leaves=10,
)


@given(VALUES)
def test_below_a_secret_name_nothing_is_left_and_everything_else_stays(value: Any) -> None:
    def secrets(one: Any, hidden: bool) -> list[bool]:
        if isinstance(one, dict):
            return [found for name, member in one.items() for found in secrets(member, hidden or "s" in name.lower())]
        if isinstance(one, list):
            return [found for member in one for found in secrets(member, hidden)]
        return [hidden] if one == SECRET else []

    assert json.dumps(without_secrets(value)).count(SECRET) == secrets(value, False).count(False)


def test_whom_a_body_names() -> None:
    manager = "emp_" + "0" * 32
    value = {
        "userName": "anna",
        "externalId": "abc",
        "emails": [{"value": "anna@firma.dk"}],
        "manager": {"value": manager},
        "title": "a b@c",
    }
    assert named_in(body(value)) == (["anna", "abc"], ["anna@firma.dk", manager])
    assert named_in(b'{"userName": "anna@firma.dk", "x": [bo@firma.dk') == ([], ["anna@firma.dk", "bo@firma.dk"])
    assert named_in_query(
        b"filter=userName+eq+%22Anna@firma.dk%22+and+emails%5Btype+eq+%22work%22%5D.value+eq+%22b%22"
    ) == [
        "Anna@firma.dk",
        "b",
    ]
    assert named_in(body({"filter": 'userName eq "anna"'})) == (["anna"], [])
    assert named_in_query(b"filter=password+eq+%22x%22") == []
