"""The manager in every form in which he is known to be written and removed, and as he must be read."""

from typing import Any

import pytest

from tests.conformance.conftest import Endpoint
from tests.conformance.microsoft import MANAGER, Microsoft, body_of, values_in
from tests.conformance.microsoft import MINIMAL as VALUES
from tests.entra.mapping import Json, check_readable
from tests.entra.people import ENTERPRISE

WRITTEN: list[tuple[str, Any]] = [
    (MANAGER, "{boss}"),
    (MANAGER, {"value": "{boss}"}),
    (MANAGER, {"$ref": None, "value": "{boss}", "displayName": None}),
    (MANAGER, [{"value": "{boss}"}]),
    (f"{MANAGER}.value", "{boss}"),
    ("manager", "{boss}"),
    ("manager", [{"$ref": "http://host/scim/Users/{boss}", "value": "{boss}"}]),
    ("manager", {"$ref": "../Users/{boss}"}),
]


def named(value: Any, boss: str) -> Any:
    if isinstance(value, dict):
        return {name: named(member, boss) for name, member in value.items()}
    if isinstance(value, list):
        return [named(one, boss) for one in value]
    return value.replace("{boss}", boss) if isinstance(value, str) else value


def is_read_as(user: Json, boss: Json) -> None:
    """An object with value and $ref: a text would stop every update of the user (Microsoft Q&A 188003)."""
    check_readable(user)
    assert user[ENTERPRISE]["manager"] == {"value": boss["id"], "$ref": boss["meta"]["location"]}
    assert ENTERPRISE in user["schemas"]
    assert "manager" not in user


@pytest.mark.parametrize("verb", ["add", "replace"])
async def test_he_is_written_in_any_form_and_read_as_an_object(microsoft: Microsoft, verb: str) -> None:
    """manager form 1 to 3, manager form 5, incident 8"""
    boss, other = await microsoft.create(), await microsoft.create()
    for path, value in WRITTEN:
        for operation in (
            {"path": path, "value": named(value, boss["id"])},
            {"value": {path: named(value, boss["id"])}},
        ):
            user = await microsoft.create()
            await microsoft.patch(user, {"op": "add", "path": MANAGER, "value": other["id"]})
            after = await microsoft.patch(user, {"op": microsoft.op(verb), **operation})
            is_read_as(after, boss)
            assert await microsoft.patch(user, {"op": microsoft.op(verb), **operation}) == after
            hits = await microsoft.found(f'id eq "{user["id"]}" and manager eq "{boss["id"]}"', attributes="id")
            assert [one["id"] for one in hits] == [user["id"]]


@pytest.mark.parametrize(("path", "value"), WRITTEN)
async def test_he_may_come_with_the_create(microsoft: Microsoft, path: str, value: Any) -> None:
    """manager form 4"""
    boss = await microsoft.create()
    body = {**body_of(VALUES), path: named(value, boss["id"])}
    if path == MANAGER:
        body = {**body_of(VALUES), ENTERPRISE: {"manager": named(value, boss["id"])}}
    answer = await microsoft.scim.post("/Users", body)
    assert answer.status == 201, answer.text
    is_read_as(answer.json, boss)


REMOVED: list[Json] = [
    {"op": "Replace", "path": MANAGER, "value": ""},
    {"op": "replace", "path": MANAGER, "value": None},
    {"op": "replace", "value": {MANAGER: ""}},
    {"op": "Replace", "path": MANAGER, "value": {"value": ""}},
    {"op": "Replace", "path": MANAGER, "value": [{"$ref": None, "value": None}]},
    {"op": "Remove", "path": MANAGER},
    {"op": "remove", "path": "manager"},
    {"op": "remove", "path": f"{MANAGER}.value"},
    {"op": "remove", "path": f'{MANAGER}[value eq "{{boss}}"]'},
    {"op": "Remove", "path": 'manager[value eq "{boss}"]'},
    {"op": "Remove", "path": MANAGER, "value": "{boss}"},
    {"op": "Remove", "path": MANAGER, "value": {"value": "{boss}"}},
    {"op": "Remove", "path": "manager", "value": [{"$ref": None, "value": "{boss}"}]},
]


@pytest.mark.parametrize("operation", REMOVED, ids=str)
async def test_he_is_removed_in_any_form(endpoint: Endpoint, operation: Json) -> None:
    """manager form 7 to 10, incident 8: twice, since an absent one may be removed again; the enterprise schema goes with him."""
    microsoft = Microsoft(endpoint.tenant_url, endpoint.token)
    user, boss = await microsoft.create(), await microsoft.create()
    await microsoft.patch(user, {"op": "Add", "path": MANAGER, "value": boss["id"]})
    gone = await microsoft.patch(user, named(operation, boss["id"]))
    assert values_in(gone) == values_in(user)
    assert (ENTERPRISE in gone, gone["schemas"]) == (False, user["schemas"])
    assert await microsoft.patch(user, named(operation, boss["id"])) == gone
    await microsoft.scim.close()


async def test_one_whom_nobody_knows_waits_and_is_linked_when_he_is_known(microsoft: Microsoft) -> None:
    """manager form 6: kept and read back; a customer's other client may name him by his own key first."""
    user = await microsoft.create()
    waiting = await microsoft.patch(user, {"op": microsoft.op("add"), "path": MANAGER, "value": "boss-1"})
    assert waiting[ENTERPRISE]["manager"] == {"value": "boss-1"}
    boss = await microsoft.create({"externalId": "boss-1"})
    linked = await microsoft.read(user)
    assert linked[ENTERPRISE]["manager"] == {"value": "boss-1", "$ref": boss["meta"]["location"]}


async def test_a_circle_and_oneself_are_kept(microsoft: Microsoft) -> None:
    """manager form 11"""
    anna, bo = await microsoft.create(), await microsoft.create()
    for user, boss in ((anna, bo), (bo, anna), (anna, anna)):
        after = await microsoft.patch(user, {"op": microsoft.op("add"), "path": MANAGER, "value": boss["id"]})
        is_read_as(after, boss)


async def test_one_who_is_inactive_stays_the_manager(microsoft: Microsoft) -> None:
    """manager form 12"""
    user, boss = await microsoft.create(), await microsoft.create()
    with_boss = await microsoft.patch(user, {"op": microsoft.op("add"), "path": MANAGER, "value": boss["id"]})
    await microsoft.patch(boss, {"op": microsoft.op("replace"), "path": "active", "value": microsoft.flag(False)})
    assert values_in(await microsoft.read(user)) == values_in(with_boss)


async def test_one_of_another_company_is_nobody(microsoft: Microsoft, other_endpoint: Endpoint) -> None:
    """manager form 13: kept as it was sent, and linked to no one."""
    theirs = Microsoft(other_endpoint.tenant_url, other_endpoint.token)
    boss, user = await theirs.create(), await microsoft.create()
    after = await microsoft.patch(user, {"op": microsoft.op("add"), "path": MANAGER, "value": boss["id"]})
    assert after[ENTERPRISE]["manager"] == {"value": boss["id"]}
    await theirs.scim.close()
