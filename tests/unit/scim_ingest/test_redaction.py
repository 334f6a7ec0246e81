"""What of a request is kept, and whom it names."""

import json
import time
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
    without_what_is_told,
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
        {"filter": f"password eq {SECRET}"},
        {"filter": f"password eq '{SECRET}'"},
        {"filter": f'password eq "{SECRET}'},
        {"filter": "x" * 5000 + f' password eq "{SECRET}"'},
        {"Operations": [{"op": "remove", "path": f"password {SECRET}"}]},
        {"x": [{"name": "password", "value": SECRET}, {"type": "Password", "value": [SECRET]}]},
        {"pin": SECRET, "otp": SECRET, "passphrase": SECRET, "private_key": SECRET, "clientKey": SECRET, "jwt": SECRET},
        {"assertion": SECRET, "bearer": SECRET, "cookie": SECRET, "adgangskode": SECRET, "kodeord": SECRET},
        {"title": "a", "x": f"idgwsec_{SECRET}{SECRET}"},
        {"passcode": SECRET, "pass": SECRET, "pw": SECRET, "x-api-key": SECRET, "accessKey": SECRET, "pinCode": SECRET},
        {"note": f"password={SECRET}"},
        {"note": [f"log on with Password: {SECRET}"]},
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


@pytest.mark.parametrize("escaped", ["p\\u0061ssword", "\\u0050ASSWORD"])
def test_escapes_hide_nothing(escaped: str) -> None:
    kept = kept_body(f'{{"{escaped}": "{SECRET}", "title": "x"}}'.encode(), TOKEN)
    assert kept is not None
    assert SECRET not in kept
    spelt = "".join(f"\\u{ord(character):04x}" for character in TOKEN)
    kept = kept_body(f'{{"title": "{spelt}"}}'.encode(), TOKEN)
    assert kept == f'{{"title":"{REDACTED}"}}'


def test_a_filter_keeps_what_is_no_secret() -> None:
    kept = kept_body(body({"filter": f'userName eq "anna" and password eq "{SECRET}" or token co "{SECRET}"'}), TOKEN)
    assert kept is not None
    assert json.loads(kept)["filter"] == f'userName eq "anna" and password eq {REDACTED} or token co {REDACTED}'


@pytest.mark.parametrize(
    "text",
    [
        f"'password {SECRET}' is not a path",
        f"/Users/password={SECRET}",
        f"password: {SECRET}",
        f"secret {SECRET}, and more",
    ],
)
def test_a_sentence_that_quotes_the_sender_quotes_no_secret(text: str) -> None:
    assert SECRET not in without_what_is_told(text)
    assert without_what_is_told("'titel' is no attribute.") == "'titel' is no attribute."


@pytest.mark.parametrize(
    "raw",
    [
        b'{"filter": "\\"' + b'\\\\\\"' * 170_000 + b'"}',
        b'{"Operations": [{"path": "password' + b'\\"' * 170_000 + b'"}]}',
        b"{" + b"a" * 1_000_000,
        b"@" * 1_000_000,
        b'{"a": "' + b"a@" * 500_000 + b'"}',
        b'{"filter": "' + b"password eq " * 80_000 + b'"}',
        b'{"x": "' + b"passw" * 200_000 + b'"}',
    ],
    ids=range(7),
)
def test_a_megabyte_of_anything_is_looked_through_quickly(raw: bytes) -> None:
    """A regular expression keeps the whole process waiting, also in a thread."""
    began = time.process_time()
    kept_body(raw, TOKEN)
    named_in(raw)
    kept_query(raw[:32_000], TOKEN)
    named_in_query(raw[:32_000])
    assert time.process_time() - began < 0.6


def test_the_token_itself_is_taken_out_wherever_it_stands() -> None:
    assert TOKEN not in (kept_body(body({"title": f"a {TOKEN} b"}), TOKEN) or "")
    assert TOKEN not in (kept_body(f"<{TOKEN}".encode(), TOKEN) or "")
    assert TOKEN not in kept_query(f"filter=userName+eq+%22x%22&x={TOKEN}".encode(), TOKEN)
    percent = "".join(f"%{ord(character):02x}" for character in TOKEN)
    assert kept_query(f"x={percent}".encode(), TOKEN) == f"x={REDACTED}"
    assert TOKEN[:8] not in kept_query(b"x=" + b"y" * 1990 + TOKEN.encode(), TOKEN)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'{"a": ',
        b'{"password": "x',
        b'{"p\\u0061ssword": "x',
        b"\xff\x00",
        b"secret",
        b"[" * 100,
        b'{"a": 1, "a": 2}',
    ],
)
def test_what_cannot_be_read_is_not_kept(raw: bytes) -> None:
    """Nobody knows what is a secret in it."""
    assert kept_body(raw, TOKEN) is None


def test_a_body_is_kept_up_to_a_bound() -> None:
    assert len(kept_body(body({"title": "x" * 100_000}), TOKEN) or "") == KEPT_CHARACTERS


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"aadOptscim062020&filter=userName+eq+%22a%22", "aadOptscim062020&filter=userName+eq+%22a%22"),
        (b"filter=password+eq+%22x%22&count=1", f"filter={REDACTED}&count={REDACTED}"),
        (b"access_token=x", REDACTED),
        (b"%70assword=x", REDACTED),
        (b"%2570assword=x", REDACTED),
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
    assert named_in(body(value)) == (["anna", "abc"], [manager, "anna@firma.dk", "b@c"])
    assert named_in(b'{"userName": "anna@firma.dk", "x": [bo@firma.dk') == ([], ["anna@firma.dk", "bo@firma.dk"])
    assert named_in_query(
        b"filter=userName+eq+%22Anna@firma.dk%22+and+emails%5Btype+eq+%22work%22%5D.value+eq+%22b%22"
    ) == [
        "Anna@firma.dk",
        "b",
    ]
    assert named_in(body({"filter": 'userName eq "anna"'})) == (["anna"], [])
    assert named_in(body({"manager": "carl"})) == ([], ["carl"])
    assert named_in(body({"Operations": [{"op": "add", "path": "manager", "value": "carl"}]})) == ([], ["carl"])
    assert named_in(body({"Operations": [{"path": f'members[value eq "{manager}"]'}]})) == ([], [manager])
    assert named_in(body({"manager": {"$ref": f"../Users/{manager}"}}))[1][-1] == manager
    assert named_in(f'{{"x": "{manager}'.encode()) == ([], [manager])
    assert named_in(body({"Operations": [{"data": {"userName": "dora"}}]})) == (["dora"], [])
    assert named_in_query(b"filter=password+eq+%22x%22") == []
