"""The table of scimvalidator.microsoft.com, a test for each row, in both of Entra's dialects.

Requests are those that are described of it (lower case and booleans as booleans in the compliant dialect; in the legacy one as
the service itself would send the same). `docs/conformance.md` lists which row is shown by which test.
"""

import uuid
from typing import Any

import pytest

from tests.conformance.microsoft import (
    FULL,
    MANAGER,
    MANDATORY,
    MINIMAL,
    Microsoft,
    body_of,
    group_body,
    refused,
    values_in,
)
from tests.entra.dialects import patch_body
from tests.entra.mapping import Json, Value

CHANGED: dict[str, Value] = {
    "externalId": "Eqpj",
    "displayName": "Gabriella Ø'Hara",
    "name.givenName": "Gabriella",
    "name.familyName": "Ø'Hara",
    "name.formatted": "Gabriella Ø'Hara",
    "title": "Konsulent",
    'emails[type eq "work"].value': "gabriella@contoso.com",
    'emails[type eq "work"].primary': False,
    'phoneNumbers[type eq "work"].value': "70 20 30 40",
    'phoneNumbers[type eq "mobile"].value': "(privat) 11",
    'addresses[type eq "work"].country': "Sverige",
}


async def changed_everything(microsoft: Microsoft) -> dict[str, Value]:
    """Another value for every attribute that discovery names, but the login name, the state and the manager."""
    others = {name: f"x-{number}" for number, name in enumerate(await microsoft.targets())}
    values = {name: CHANGED.get(name, others[name]) for name in others}
    return {name: value for name, value in values.items() if name not in ("userName", "active", MANAGER)}


async def test_create_a_new_user(microsoft: Microsoft) -> None:
    """validator 1"""
    answer = await microsoft.scim.post("/Users", body_of(FULL))
    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/scim+json"
    assert answer.headers["Location"].endswith(f"/Users/{answer.json['id']}")
    assert values_in(answer.json) == FULL
    assert await microsoft.found(f'userName eq "{FULL["userName"]}"') == [answer.json]


async def test_create_a_duplicate_user(microsoft: Microsoft) -> None:
    """validator 2, incident 16"""
    assert (await microsoft.scim.post("/Users", body_of(FULL))).status == 201
    refused(await microsoft.scim.post("/Users", body_of(FULL)), 409, "uniqueness")


async def test_filter_for_an_existing_user(microsoft: Microsoft) -> None:
    """validator 3: by each attribute that may be the joining property."""
    user, _other = await microsoft.create(FULL), await microsoft.create()
    shown = values_in(user)
    for name in ("userName", "externalId", 'emails[type eq "work"].value'):
        assert await microsoft.found(f'{name} eq "{shown[name]}"') == [user]


async def test_filter_for_an_existing_user_with_a_different_case(microsoft: Microsoft) -> None:
    """validator 4"""
    user = await microsoft.create()
    for name in ("userName", 'emails[type eq "work"].value'):
        assert await microsoft.found(f'{name} eq "{user["userName"].upper()}"') == [user]


async def test_filter_for_a_user_who_does_not_exist(microsoft: Microsoft) -> None:
    """validator 5"""
    await microsoft.create()
    answer = await microsoft.scim.find("userName", str(uuid.uuid4()))
    assert (answer.status, answer.json["totalResults"], answer.json["Resources"]) == (200, 0, [])


async def test_get_a_user_by_id(microsoft: Microsoft) -> None:
    """validator 6"""
    user = await microsoft.create(FULL)
    assert await microsoft.read(user) == user


async def test_patch_user_replace_attributes(microsoft: Microsoft) -> None:
    """validator 7: what has a type as operations with paths, all else in one object without a path."""
    user, changes = await microsoft.create(FULL), await changed_everything(microsoft)
    typed = {name: value for name, value in changes.items() if "[" in name}
    operations: list[Json] = [{"op": microsoft.op("replace"), "path": name, "value": typed[name]} for name in typed]
    rest = {name: value for name, value in changes.items() if name not in typed}
    after = await microsoft.patch(user, *operations, {"op": microsoft.op("replace"), "value": rest})
    assert values_in(after) == {**values_in(user), **changes}


async def test_patch_user_replace_the_primary_element(microsoft: Microsoft) -> None:
    """validator 7, where /Schemas names no types: `[primary eq true]` stands for the only element."""
    user = await microsoft.create(FULL)
    after = await microsoft.patch(
        user,
        {"op": microsoft.op("replace"), "path": "emails[primary eq true].value", "value": "bjfe@contoso.com"},
        {"op": microsoft.op("replace"), "path": "addresses[primary eq true].country", "value": "Norge"},
        {"op": microsoft.op("replace"), "value": {"displayName": "Bjfe"}},
    )
    expected = {'emails[type eq "work"].value': "bjfe@contoso.com", 'addresses[type eq "work"].country': "Norge"}
    assert values_in(after) == {**values_in(user), **expected, "displayName": "Bjfe"}


async def test_patch_user_replace_attributes_verbose(microsoft: Microsoft) -> None:
    """validator 8: an operation for each attribute."""
    user, changes = await microsoft.create(FULL), await changed_everything(microsoft)
    operations = [{"op": microsoft.op("replace"), "path": name, "value": value} for name, value in changes.items()]
    assert values_in(await microsoft.patch(user, *operations)) == {**values_in(user), **changes}


async def test_patch_user_add_attributes(microsoft: Microsoft) -> None:
    """validator 9: elements are made for a user who has none."""
    user, added = await microsoft.create(), await changed_everything(microsoft)
    typed = {name: value for name, value in added.items() if "[" in name}
    operations: list[Json] = [{"op": microsoft.op("add"), "path": name, "value": typed[name]} for name in typed]
    rest = {name: value for name, value in added.items() if name not in typed}
    after = await microsoft.patch(user, *operations, {"op": microsoft.op("add"), "value": rest})
    assert values_in(after) == {**values_in(user), **added}


async def test_patch_user_add_attributes_verbose(microsoft: Microsoft) -> None:
    """validator 10"""
    user, added = await microsoft.create(), await changed_everything(microsoft)
    operations = [{"op": microsoft.op("add"), "path": name, "value": value} for name, value in added.items()]
    assert values_in(await microsoft.patch(user, *operations)) == {**values_in(user), **added}


async def test_update_the_joining_property(microsoft: Microsoft) -> None:
    """validator 11"""
    user = await microsoft.create()
    new = f"new.{user['userName']}"
    after = await microsoft.patch(user, {"op": microsoft.op("replace"), "value": {"userName": new}})
    assert (after["id"], after["userName"]) == (user["id"], new)
    assert await microsoft.found(f'userName eq "{new}"') == [after]
    assert await microsoft.found(f'userName eq "{user["userName"]}"') == []


async def test_patch_user_disable_user(microsoft: Microsoft) -> None:
    """validator 12: found afterwards, too, and not active."""
    user = await microsoft.create(FULL)
    after = await microsoft.patch(
        user, {"op": microsoft.op("replace"), "path": "active", "value": microsoft.flag(False)}
    )
    assert after["active"] is False
    assert await microsoft.found(f'userName eq "{user["userName"]}"') == [after]
    assert await microsoft.found(f'userName eq "{user["userName"]}" and active eq false') == [after]


MANAGERS = pytest.mark.parametrize("form", ["text", "object"])
"""A bare id (2026), or `{value}` (before)."""


def reference(form: str, user: Json) -> Any:
    return user["id"] if form == "text" else {"value": user["id"]}


@MANAGERS
async def test_patch_user_add_manager(microsoft: Microsoft, form: str) -> None:
    """validator 13"""
    user, boss = await microsoft.create(), await microsoft.create()
    after = await microsoft.patch(user, {"op": microsoft.op("add"), "path": MANAGER, "value": reference(form, boss)})
    assert values_in(after) == {**values_in(user), MANAGER: boss["id"]}


@MANAGERS
async def test_patch_user_replace_manager(microsoft: Microsoft, form: str) -> None:
    """validator 14"""
    user, boss, other = [await microsoft.create() for _ in range(3)]
    await microsoft.patch(user, {"op": microsoft.op("add"), "path": MANAGER, "value": reference(form, boss)})
    after = await microsoft.patch(
        user, {"op": microsoft.op("replace"), "path": MANAGER, "value": reference(form, other)}
    )
    assert values_in(after) == {**values_in(user), MANAGER: other["id"]}


@pytest.mark.parametrize("form", ["empty", "remove"])
async def test_patch_user_remove_manager(microsoft: Microsoft, form: str) -> None:
    """validator 15"""
    user, boss = await microsoft.create(), await microsoft.create()
    await microsoft.patch(user, {"op": microsoft.op("add"), "path": MANAGER, "value": boss["id"]})
    gone: Json = {"op": microsoft.op("remove"), "path": MANAGER}
    if form == "empty":
        gone = {"op": microsoft.op("replace"), "path": MANAGER, "value": ""}
    assert values_in(await microsoft.patch(user, gone)) == values_in(user)


async def test_delete_user(microsoft: Microsoft) -> None:
    """validator 16, incident 23"""
    user = await microsoft.create()
    answer = await microsoft.scim.delete(f"/Users/{user['id']}")
    assert (answer.status, answer.text) == (204, "")
    refused(await microsoft.scim.get(f"/Users/{user['id']}"), 404)
    assert await microsoft.found(f'userName eq "{user["userName"]}"') == []


async def test_create_a_new_group(microsoft: Microsoft) -> None:
    """validator 17"""
    answer = await microsoft.scim.post("/Groups", group_body("Alle", externalId="x"))
    assert answer.status == 201
    assert (answer.json["displayName"], answer.json["externalId"]) == ("Alle", "x")
    assert answer.headers["Location"].endswith(f"/Groups/{answer.json['id']}")


async def test_create_a_duplicate_group(microsoft: Microsoft) -> None:
    """validator 18"""
    await microsoft.create_group("Alle")
    refused(await microsoft.scim.post("/Groups", group_body("Alle")), 409, "uniqueness")


async def test_filter_for_an_existing_group(microsoft: Microsoft) -> None:
    """validator 19"""
    group, _other = await microsoft.create_group("Alle", externalId="x"), await microsoft.create_group("Andre")
    for text in ('displayName eq "Alle"', 'externalId eq "x"'):
        assert await microsoft.found(text, "/Groups", excludedAttributes="members") == [group]


async def test_filter_for_an_existing_group_with_a_different_case(microsoft: Microsoft) -> None:
    """validator 20"""
    group = await microsoft.create_group("Ærlige")
    assert await microsoft.found('displayName eq "ÆRLIGE"', "/Groups", excludedAttributes="members") == [group]


async def test_filter_for_a_group_that_does_not_exist(microsoft: Microsoft) -> None:
    """validator 21"""
    answer = await microsoft.scim.find("displayName", str(uuid.uuid4()), "/Groups", excludedAttributes="members")
    assert (answer.status, answer.json["totalResults"], answer.json["Resources"]) == (200, 0, [])


async def test_filter_for_an_existing_group_excluding_members(microsoft: Microsoft) -> None:
    """validator 22"""
    user = await microsoft.create()
    group = await microsoft.create_group("Alle", members=[{"$ref": None, "value": user["id"]}])
    (found,) = await microsoft.found('displayName eq "Alle"', "/Groups", excludedAttributes="members")
    assert found == {name: value for name, value in group.items() if name != "members"}


async def test_get_a_group_by_id_excluding_members(microsoft: Microsoft) -> None:
    """validator 23"""
    user = await microsoft.create()
    group = await microsoft.create_group("Alle", members=[{"$ref": None, "value": user["id"]}])
    answer = await microsoft.scim.get(f"/Groups/{group['id']}", excludedAttributes="members")
    assert answer.json == {name: value for name, value in group.items() if name != "members"}


async def test_patch_group_replace_attributes(microsoft: Microsoft) -> None:
    """validator 24"""
    group = await microsoft.create_group("Alle")
    await microsoft.patch_group(group, {"op": microsoft.op("replace"), "value": {"externalId": "c4d2f0a8"}})
    shown = (await microsoft.scim.get(f"/Groups/{group['id']}")).json
    assert (shown["displayName"], shown["externalId"]) == ("Alle", "c4d2f0a8")


async def test_update_the_display_name_of_a_group(microsoft: Microsoft) -> None:
    """validator 25"""
    group = await microsoft.create_group("Alle", externalId="x")
    await microsoft.patch_group(group, {"op": microsoft.op("replace"), "value": {"displayName": "Øvrige"}})
    (shown,) = await microsoft.found('displayName eq "øvrige"', "/Groups")
    assert (shown["id"], shown["displayName"], shown["externalId"]) == (group["id"], "Øvrige", "x")
    assert await microsoft.found('displayName eq "Alle"', "/Groups") == []


async def test_patch_group_add_member(microsoft: Microsoft) -> None:
    """validator 26"""
    user, group = await microsoft.create(), await microsoft.create_group("Alle")
    member = [{"$ref": None, "value": user["id"]}]
    await microsoft.patch_group(group, {"op": microsoft.op("add"), "path": "members", "value": member})
    assert await microsoft.members(group) == [user["id"]]


async def test_patch_group_remove_member(microsoft: Microsoft) -> None:
    """validator 27: as a list in the legacy dialect, by a filter in the other."""
    user, other = await microsoft.create(), await microsoft.create()
    group = await microsoft.create_group("Alle", members=[{"value": one["id"]} for one in (user, other)])
    operation: Json = {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": user["id"]}]}
    if microsoft.dialect == "compliant":
        operation = {"op": "remove", "path": f'members[value eq "{user["id"]}"]'}
    await microsoft.patch_group(group, operation)
    assert await microsoft.members(group) == [other["id"]]


async def test_delete_group(microsoft: Microsoft) -> None:
    """validator 28"""
    group = await microsoft.create_group("Alle")
    answer = await microsoft.scim.delete(f"/Groups/{group['id']}")
    assert (answer.status, answer.text) == (204, "")
    refused(await microsoft.scim.get(f"/Groups/{group['id']}"), 404)


# The previews


async def test_multiple_operations_on_different_attributes_of_a_user(microsoft: Microsoft) -> None:
    """validator 29"""
    user = await microsoft.create(FULL)
    after = await microsoft.patch(
        user,
        {"op": microsoft.op("remove"), "path": 'phoneNumbers[type eq "work"].value'},
        {"op": microsoft.op("add"), "path": 'phoneNumbers[type eq "mobile"].value', "value": "1"},
        {"op": microsoft.op("replace"), "path": "displayName", "value": "X"},
        {"op": microsoft.op("replace"), "value": {"title": "T"}},
    )
    expected = {**values_in(user), 'phoneNumbers[type eq "mobile"].value': "1", "displayName": "X", "title": "T"}
    del expected['phoneNumbers[type eq "work"].value']
    assert values_in(after) == expected


async def test_multiple_operations_on_the_same_attribute_of_a_user(microsoft: Microsoft) -> None:
    """validator 30"""
    user = await microsoft.create(FULL)
    after = await microsoft.patch(
        user,
        {"op": microsoft.op("remove"), "path": "displayName"},
        {"op": microsoft.op("add"), "path": "displayName", "value": "A"},
        {"op": microsoft.op("replace"), "path": "displayName", "value": "B"},
    )
    assert values_in(after) == {**values_in(user), "displayName": "B"}


async def test_multiple_operations_on_the_same_attribute_of_a_group(microsoft: Microsoft) -> None:
    """validator 31"""
    people = [(await microsoft.create())["id"] for _ in range(3)]
    group = await microsoft.create_group("Alle")
    added = [{"op": microsoft.op("add"), "path": "members", "value": [{"$ref": None, "value": one}]} for one in people]
    await microsoft.patch_group(
        group, *added, {"op": microsoft.op("remove"), "path": f'members[value eq "{people[1]}"]'}
    )
    assert sorted(await microsoft.members(group)) == sorted([people[0], people[2]])


@pytest.mark.parametrize("kind", ["/Users", "/Groups"])
async def test_delete_what_does_not_exist(microsoft: Microsoft, kind: str) -> None:
    """validator 32, validator 33"""
    for absent in (str(uuid.uuid4()), f"emp_{uuid.uuid4().hex}", f"grp_{uuid.uuid4().hex}"):
        refused(await microsoft.scim.delete(f"{kind}/{absent}"), 404)


@pytest.mark.parametrize("kind", ["/Users", "/Groups"])
async def test_delete_the_same_twice(microsoft: Microsoft, kind: str) -> None:
    """validator 34, validator 35"""
    made = await (microsoft.create() if kind == "/Users" else microsoft.create_group("Alle"))
    assert (await microsoft.scim.delete(f"{kind}/{made['id']}")).status == 204
    refused(await microsoft.scim.delete(f"{kind}/{made['id']}"), 404)


async def test_removing_attributes_may_remove_all_but_the_mandatory_ones(microsoft: Microsoft) -> None:
    """The validator's remove tests may name mandatory attributes: those are refused by name, and nothing is lost by it."""
    user = await microsoft.create(FULL)
    for name in FULL:
        answer = await microsoft.scim.patch(
            f"/Users/{user['id']}", patch_body([{"op": microsoft.op("remove"), "path": name}])
        )
        if name in MANDATORY:
            assert name in refused(answer, 400, "invalidValue")
        else:
            assert answer.status == 200, answer.text
    assert values_in(await microsoft.read(user)) == {name: values_in(user)[name] for name in MINIMAL}
