"""A deactivation is never lost because something beside it is wrong (decision D5), be it what cannot be read at all."""

import json

import httpx2
import pytest

from tests.unit.scim_ingest.directory_double import DirectoryDouble
from tests.unit.scim_ingest.test_users_http import assert_refused, create, patch_of

OFF = '{"op": "Replace", "path": "active", "value": "False"}'
WRONG = {
    "NUL": r'{"op": "replace", "path": "title", "value": "a\u0000b"}',
    "half a surrogate pair": r'{"op": "replace", "path": "title", "value": "\ud800"}',
    "NUL in a name": r'{"op": "replace", "value": {"ti\u0000tle": "x"}}',
    "a member twice": '{"op": "replace", "path": "title", "value": "x", "Value": "y"}',
    "NaN": '{"op": "replace", "path": "title", "value": NaN}',
    "5,000 digits": '{"op": "replace", "path": "title", "value": ' + "9" * 5000 + "}",
    "too deep": '{"op": "replace", "path": "title", "value": ' + "[" * 40 + "]" * 40 + "}",
    "a member twice, deep in": '{"op": "add", "path": "name", "value": {"givenName": {"a": 1, "a": 2}}}',
    "no object": "7",
    "a raw tab": '{"op": "replace", "path": "title", "value": "a\tb"}',
    "not UTF-8": '{"op": "replace", "path": "title", "value": "\udcf8"}',
    "1,000 more": ", ".join(['{"op": "add", "path": "title", "value": "x"}'] * 1000),
}


def body_of(*operations: str) -> bytes:
    schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
    whole = '{"schemas": ["' + schema + '"], "Operations": [' + ", ".join(operations) + "]}"
    return whole.encode("utf-8", "surrogateescape")


async def patch(http: httpx2.AsyncClient, user: str, *operations: str) -> httpx2.Response:
    headers = {"Content-Type": "application/scim+json"}
    return await http.patch(f"/Users/{user}", content=body_of(*operations), headers=headers)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("first", [True, False])
async def test_it_is_done_beside_whatever_cannot_be_read(
    http: httpx2.AsyncClient, directory: DirectoryDouble, wrong: str, first: bool
) -> None:
    user = await create(http, title="Kok")
    answer = await patch(http, user["id"], *((OFF, wrong) if first else (wrong, OFF)))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["active"], answer.json()["title"]) == (False, "Kok")


CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
BESIDE = [
    r'"displayName": "a\u0000"', r'"displayName": "\ud800"', '"displayName": NaN', '"displayName": ' + "9" * 500,
    '"displayName": ' + "[" * 20 + "]" * 20, '"displayName": "a", "DisplayName": "b"', '"displayName": true', '"title": 1.5',
    ", ".join(f'"x{number}": 1' for number in range(1001)),
]  # fmt: skip
FORMS = [
    '{"op": "replace", "value": {"active": false, %s}}',
    '{"op": "Add", "value": {%s, "Active": "False"}}',
    '{"op": "replace", "value": {"' + CORE + ':active": false, %s}}',
    '{"op": "replace", "path": "' + CORE + '", "value": {"active": false, %s}}',
    '{"op": "replace", "value": {"' + CORE + '": {%s, "active": "false"}}}',
]


@pytest.mark.parametrize("beside", BESIDE, ids=range(len(BESIDE)))
@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
async def test_it_is_done_beside_a_wrong_part_of_the_same_value(
    http: httpx2.AsyncClient, directory: DirectoryDouble, form: str, beside: str
) -> None:
    """Entra's compliant dialect: all simple attributes in one value without a path."""
    user = await create(http, title="Kok")
    answer = await patch(http, user["id"], form % beside)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["active"], answer.json()["title"]) == (False, "Kok")


NUL = r'"x": "\u0000"'
LATER = [
    '{"op": "replace", "path": "active", "value": true, ' + NUL + "}",
    '{"op": "replace", "value": {"active": true, ' + NUL + "}}",
    '{"op": "replace", "value": {"active": true, "Active": true}}, ' + WRONG["NUL"],
    '{"op": "replace", "value": {"active": false, "Active": true}}, ' + WRONG["NUL"],
    '{"op": "replace", "path": "' + CORE + '", "value": {"active": true}}, ' + WRONG["NUL"],
    '{"op": "replace", "value": {"' + CORE + '": {"active": true}}}, ' + WRONG["1,000 more"],
    '{"op": "replace", "path": "active", "value": "maybe"}',
    '{"op": "remove", "path": "active"}, ' + WRONG["NUL"],
    '{"op": "replace", "path": "active", "value": true, "value": false}',
    '{"op": "replace", "op": "remove", "path": "active", "value": false}',
    '{"op": "replace", "path": "active", "path": "title", "value": false}',
]


@pytest.mark.parametrize("later", LATER, ids=range(len(LATER)))
async def test_it_is_not_done_where_a_later_word_takes_it_back_or_is_unclear(
    http: httpx2.AsyncClient, directory: DirectoryDouble, later: str
) -> None:
    user = await create(http)
    answer = await patch(http, user["id"], OFF, later)
    assert 400 <= answer.status_code < 500, answer.text
    assert directory.calls == ["provision_employee"]


@pytest.mark.parametrize(
    "operation",
    [
        '{"op": "move", "path": "active", "value": false}',
        '{"op": "add", "path": "enterprise:active", "value": false}',
        '{"op": "add", "path": "active.value", "value": false}',
        '{"op": "add", "value": {"urn:x:User": {"active": false}}}',
        '{"op": "add", "value": {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:active": false}}',
        '{"op": "add", "value": {"name": {"active": false}}}',
        '{"op": "add", "path": "active", "value": 0}',
        '{"op": "add", "path": "title", "value": {"active": false}}',
        '[{"op": "add", "path": "active", "value": false}]',
    ],
)
async def test_nobody_is_deactivated_who_was_not_meant(
    http: httpx2.AsyncClient, directory: DirectoryDouble, operation: str
) -> None:
    user = await create(http)
    assert (await patch(http, user["id"], operation, WRONG["NUL"])).status_code == 400
    assert directory.calls == ["provision_employee"]


async def test_it_is_done_whatever_stands_in_the_address(http: httpx2.AsyncClient, directory: DirectoryDouble) -> None:
    for number, query in enumerate(("attributes=a&excludedAttributes=b", "attributes=a&attributes=b", "x=%ff")):
        user = await create(http, userName=f"p{number}", emails=[{"type": "work", "value": f"p{number}@firma.dk"}])
        headers = {"Content-Type": "application/scim+json"}
        answer = await http.patch(f"/Users/{user['id']}?{query}", content=body_of(OFF), headers=headers)
        assert (answer.status_code, answer.json()["active"]) == (200, False)
        wrong = await http.patch(f"/Users/{user['id']}?{query}", content=body_of(WRONG["NaN"]), headers=headers)
        assert wrong.status_code == 400


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
async def test_without_one_the_same_is_refused_and_nothing_is_done(
    http: httpx2.AsyncClient, directory: DirectoryDouble, wrong: str
) -> None:
    user = await create(http)
    for beside in (
        '{"op": "replace", "path": "active", "value": true}',
        '{"op": "add", "path": "title", "value": "x"}',
        OFF.replace('"value"', '"value": true, "VALUE"'),
    ):
        answer = await patch(http, user["id"], beside, wrong)
        assert 400 <= answer.status_code < 500
        json.loads(answer.content)
    assert directory.calls == ["provision_employee"]


async def test_what_takes_it_back_counts_also_among_too_many(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    user = await create(http)
    on = '{"op": "add", "value": {"urn:ietf:params:scim:schemas:core:2.0:User:active": true}}'
    assert_refused(await patch(http, user["id"], OFF, WRONG["1,000 more"], on), 413)
    assert (await patch(http, user["id"], on, WRONG["1,000 more"], OFF)).json()["active"] is False


async def test_it_is_done_beside_a_member_twice_in_the_message(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    user = await create(http)
    twice = body_of(OFF).replace(b"{", b'{"x": 1, "X": 2, "SCHEMAS": [], ', 1)
    headers = {"Content-Type": "application/scim+json"}
    answer = await http.patch(f"/Users/{user['id']}", content=twice, headers=headers)
    assert (answer.status_code, answer.json()["active"]) == (200, False)


async def test_what_is_no_message_at_all_deactivates_nobody(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    user = await create(http)
    whole = body_of(OFF).decode()
    twice = whole.replace('"schemas"', '"Operations": [], "schemas"')
    for broken in (whole[:-1], whole + "x", twice, f"[{whole}]", whole.replace("Operations", "Other")):
        headers = {"Content-Type": "application/scim+json"}
        answer = await http.patch(f"/Users/{user['id']}", content=broken, headers=headers)
        assert_refused(answer, 400, "invalidSyntax")
    assert directory.calls == ["provision_employee"]
    assert (await http.patch(f"/Users/{user['id']}", json=patch_of())).status_code == 200
