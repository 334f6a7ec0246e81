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
    "1,000 more": ", ".join(['{"op": "add", "path": "title", "value": "x"}'] * 1000),
}


def body_of(*operations: str) -> bytes:
    schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
    return ('{"schemas": ["' + schema + '"], "Operations": [' + ", ".join(operations) + "]}").encode()


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


async def test_what_is_no_message_at_all_deactivates_nobody(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    user = await create(http)
    whole = body_of(OFF).decode()
    for broken in (whole[:-1], whole + "x", whole.replace('"schemas"', '"Operations": [], "schemas"'), f"[{whole}]"):
        headers = {"Content-Type": "application/scim+json"}
        answer = await http.patch(f"/Users/{user['id']}", content=broken, headers=headers)
        assert_refused(answer, 400, "invalidSyntax")
    assert directory.calls == ["provision_employee"]
    assert (await http.patch(f"/Users/{user['id']}", json=patch_of())).status_code == 200
