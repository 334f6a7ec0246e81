"""Microsoft's gallery validation (Logic App, version 5), a test for each of its twenty-five, in both of Entra's dialects.

Tests 1 to 14 go through provisioning: somebody changes something in Entra, a cycle runs, and the target is asked. Tests 15 to 25
speak to the endpoint. Numbers 21 and 22 are about the token: tests/journeys/test_10_oauth.py.
"""

from typing import Any

import pytest

from tests.conformance.microsoft import (
    BITABIZ,
    FULL,
    MANAGER,
    MANDATORY,
    MINIMAL,
    Microsoft,
    body_of,
    group_body,
    refused,
)
from tests.conformance.microsoft import values_in as values_of
from tests.entra.mapping import Json, Value, mapped_values
from tests.entra.people import DEFAULT_MAPPINGS, Person
from tests.support.company import Company


@pytest.fixture(params=["legacy", "compliant"])
async def provisioned(company: Company, request: pytest.FixtureRequest) -> Company:
    """A company whose job speaks the dialect, with groups switched on."""
    company.tenant.configure_provisioning(company.app, dialect=request.param, provision_groups=True)
    return company


def hire(company: Company, alias: str = "", **values: Any) -> Person:
    texts = {
        "job_title": "Kok",
        "department": "Køkken",
        "mobile": "+45 1",
        "telephone_number": "2",
        "country": "Danmark",
    }
    return company.hire(alias, **{**texts, **values})


async def shown(company: Company, person: Person) -> Json:
    answer = await company.scim.get(f"/Users/{company.scim_id(person)}")
    assert answer.status == 200, answer.text
    return dict(answer.json)


async def equals(
    company: Company, person: Person, *, active: bool = True, beside: dict[str, Value] | None = None
) -> None:
    """What the gallery test calls equal: every mapped value of the person, read from the target."""
    person = company.tenant.person(person.object_id)
    found = values_of(await shown(company, person))
    wanted = {**mapped_values(person, DEFAULT_MAPPINGS, active=active), **(beside or {})}
    assert {name: found.get(name) for name in wanted} == wanted


async def groups_of(company: Company) -> list[Json]:
    answer = await company.scim.get("/Groups")
    return list(answer.json["Resources"])


async def member_ids(company: Company) -> set[str]:
    (group,) = await groups_of(company)
    return {one["value"] for one in group.get("members", [])}


async def test_create_user(provisioned: Company) -> None:
    """gallery 1"""
    anna = hire(provisioned)
    assert (await provisioned.cycle()).created == 1
    await equals(provisioned, anna)


async def test_update_user(provisioned: Company) -> None:
    """gallery 2"""
    anna = hire(provisioned)
    await provisioned.cycle()
    provisioned.tenant.edit_person(
        anna.object_id,
        display_name="Anna Ny",
        given_name="Ann",
        surname="Ny",
        job_title="Chef",
        department="Salg",
        mobile="9",
    )
    assert (await provisioned.cycle()).updated == 1
    await equals(provisioned, anna)


async def test_disable_user(provisioned: Company) -> None:
    """gallery 3"""
    anna = hire(provisioned)
    await provisioned.cycle()
    provisioned.tenant.block(anna.object_id)
    assert (await provisioned.cycle()).disabled == 1
    await equals(provisioned, anna, active=False)


async def test_delete_user(provisioned: Company) -> None:
    """gallery 4: deleted, purged, and nobody by that id or name is there."""
    anna = hire(provisioned)
    await provisioned.cycle()
    user_id = provisioned.scim_id(anna)
    provisioned.tenant.delete(anna.object_id)
    await provisioned.cycle()
    provisioned.tenant.purge(anna.object_id)
    assert (await provisioned.cycle()).deleted == 1
    refused(await provisioned.scim.get(f"/Users/{user_id}"), 404)
    found = await provisioned.scim.find("userName", anna.user_principal_name)
    assert (found.status, found.json["totalResults"]) == (200, 0)


@pytest.mark.parametrize("form", ["remove", "remove_with_value", "remove_filtered", "empty"])
async def test_user_update_manager(provisioned: Company, form: str) -> None:
    """gallery 5: set, changed, removed, in each of the forms that a removal may have."""
    provisioned.tenant.configure_provisioning(provisioned.app, manager_removal=form)
    boss, other = hire(provisioned), hire(provisioned)
    anna = hire(provisioned, manager=boss.object_id)
    await provisioned.cycle()
    await equals(provisioned, anna, beside={MANAGER: provisioned.scim_id(boss)})
    provisioned.tenant.edit_person(anna.object_id, manager=other.object_id)
    await provisioned.cycle()
    await equals(provisioned, anna, beside={MANAGER: provisioned.scim_id(other)})
    provisioned.tenant.edit_person(anna.object_id, manager=None)
    await provisioned.cycle()
    assert MANAGER not in values_of(await shown(provisioned, anna))


async def test_restore_user(provisioned: Company) -> None:
    """gallery 6: created, unassigned, assigned again; the same user."""
    anna = hire(provisioned)
    await provisioned.cycle()
    user_id = provisioned.scim_id(anna)
    provisioned.tenant.unassign(provisioned.app, anna.object_id)
    await provisioned.cycle()
    assert (await provisioned.scim.get(f"/Users/{user_id}")).json["active"] is False
    provisioned.tenant.assign(provisioned.app, anna.object_id)
    await provisioned.cycle()
    assert provisioned.scim_id(anna) == user_id
    await equals(provisioned, anna)


async def test_provision_user_on_demand(provisioned: Company) -> None:
    """gallery 7: always in the legacy dialect, whatever the flag; once to create and once to change."""
    anna = hire(provisioned)
    assert (await provisioned.engine.provision_on_demand(provisioned.app, anna)).outcome == "created"
    await equals(provisioned, anna)
    provisioned.tenant.edit_person(anna.object_id, job_title="Chef", mobile="3")
    assert (await provisioned.engine.provision_on_demand(provisioned.app, anna)).outcome == "updated"
    await equals(provisioned, anna)


async def test_create_group(provisioned: Company) -> None:
    """gallery 8"""
    await provisioned.cycle()
    (group,) = await groups_of(provisioned)
    entra = provisioned.tenant.groups[provisioned.app.group_id]
    assert (group["displayName"], group["externalId"], "members" in group) == (
        entra.display_name,
        entra.object_id,
        False,
    )


async def test_update_group(provisioned: Company) -> None:
    """gallery 9"""
    await provisioned.cycle()
    (before,) = await groups_of(provisioned)
    provisioned.tenant.rename_group(provisioned.app.group_id, "BitaBIZ Øst")
    await provisioned.cycle()
    (after,) = await groups_of(provisioned)
    assert (after["id"], after["displayName"]) == (before["id"], "BitaBIZ Øst")


async def test_delete_group(provisioned: Company) -> None:
    """gallery 10: what the service sends once the group is no longer assigned."""
    await provisioned.cycle()
    (group,) = await groups_of(provisioned)
    assert (await provisioned.scim.delete(f"/Groups/{group['id']}")).status == 204
    refused(await provisioned.scim.get(f"/Groups/{group['id']}"), 404)
    assert await groups_of(provisioned) == []


async def test_add_member_to_group(provisioned: Company) -> None:
    """gallery 11"""
    anna = hire(provisioned)
    await provisioned.cycle()
    bo = hire(provisioned)
    await provisioned.cycle()
    assert await member_ids(provisioned) == {provisioned.scim_id(anna), provisioned.scim_id(bo)}


async def test_remove_member_from_group(provisioned: Company) -> None:
    """gallery 12; event 11: out of a group that stays assigned, he is no member and not active."""
    anna, bo = hire(provisioned), hire(provisioned)
    await provisioned.cycle()
    user_id = provisioned.scim_id(anna)
    provisioned.tenant.unassign(provisioned.app, anna.object_id)
    await provisioned.cycle()
    assert await member_ids(provisioned) == {provisioned.scim_id(bo)}
    assert (await provisioned.scim.get(f"/Users/{user_id}")).json["active"] is False


async def test_provision_group_on_demand(microsoft: Microsoft) -> None:
    """gallery 13: looked up, created, and five members at most, in the legacy dialect."""
    people = [(await microsoft.create())["id"] for _ in range(5)]
    assert await microsoft.found('displayName eq "Alle"', "/Groups", excludedAttributes="members") == []
    group = await microsoft.create_group("Alle", externalId="c4d2f0a8")
    members = [{"$ref": None, "value": one} for one in people]
    await microsoft.patch_group(group, {"op": "Add", "path": "members", "value": members})
    assert sorted(await microsoft.members(group)) == sorted(people)


async def test_restore_group(microsoft: Microsoft) -> None:
    """gallery 14: deleted, it comes as another one under the same name and object id."""
    user = await microsoft.create()
    first = await microsoft.create_group("Alle", externalId="c4d2f0a8", members=[{"value": user["id"]}])
    assert (await microsoft.scim.delete(f"/Groups/{first['id']}")).status == 204
    second = await microsoft.create_group("Alle", externalId="c4d2f0a8")
    assert second["id"] != first["id"]
    assert await microsoft.members(second) == []
    assert await microsoft.found('displayName eq "Alle"', "/Groups") == [second]


async def test_schema_discoverability(microsoft: Microsoft) -> None:
    """gallery 15: whatever is mapped is named by /Schemas, compared without case; groups too, or their tests count as failed."""
    found = {name.lower() for name in await microsoft.targets()}
    mapped = {mapping.target for mapping in DEFAULT_MAPPINGS} | set(FULL) | {MANAGER}
    assert {name for name in mapped if name.lower() not in found} == set()
    documents = (await microsoft.scim.get("/Schemas")).json["Resources"]
    group = next(one for one in documents if one["name"] == "Group")
    assert {"displayName", "externalId", "members"} <= {one["name"] for one in group["attributes"]}


@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
async def test_scim_null_update(microsoft: Microsoft, value: str | None) -> None:
    """gallery 16, shape 18: a replace with nothing clears; what is mandatory is refused by name instead."""
    user = await microsoft.create(FULL)
    boss = await microsoft.create()
    await microsoft.patch(user, {"op": microsoft.op("replace"), "path": MANAGER, "value": boss["id"]})
    optional = [name for name in [*FULL, MANAGER] if name not in MANDATORY]
    for name in optional:
        after = await microsoft.patch(user, {"op": microsoft.op("replace"), "path": name, "value": value})
        assert name not in values_of(after)
    assert set(values_of(await microsoft.read(user))) == set(MINIMAL)


async def test_scim_null_update_without_a_path(microsoft: Microsoft) -> None:
    """gallery 16, in one object."""
    user = await microsoft.create(FULL)
    cleared = {name: None if number % 2 else "" for number, name in enumerate(FULL) if name not in MANDATORY}
    after = await microsoft.patch(user, {"op": microsoft.op("replace"), "value": cleared})
    assert set(values_of(after)) == set(MINIMAL)


async def test_scim_user_create(microsoft: Microsoft) -> None:
    """gallery 17"""
    answer = await microsoft.scim.post("/Users", body_of(FULL))
    assert answer.status in (200, 201)
    assert answer.json["id"]
    assert answer.json["userName"] == FULL["userName"]


async def test_scim_user_update(microsoft: Microsoft) -> None:
    """gallery 18: each single value that /Schemas names takes a generated one and gives it back.

    Left out, as Microsoft does: groups, roles, id, schemas, meta, active; and the manager, who is a reference.
    """
    user = await microsoft.create()
    for number, (name, kind) in enumerate((await microsoft.targets()).items()):
        if name in ("active", MANAGER):
            continue
        for value in (True, False) if kind == "boolean" else (f"G3n{number}rated", f"Value {number}"):
            for operation in ({"path": name, "value": value}, {"value": {name: value}}):
                after = await microsoft.patch(user, {"op": microsoft.op("replace"), **operation})
                assert values_of(after)[name] == value


async def test_scim_group_create(microsoft: Microsoft) -> None:
    """gallery 19"""
    answer = await microsoft.scim.post("/Groups", group_body("Alle"))
    assert (answer.status, answer.json["displayName"]) == (201, "Alle")
    assert answer.json["id"]


async def test_scim_group_update(microsoft: Microsoft) -> None:
    """gallery 20"""
    group = await microsoft.create_group("Alle")
    for name, value in (("displayName", "G3nerated"), ("externalId", "Value 2")):
        await microsoft.patch_group(group, {"op": microsoft.op("replace"), "path": name, "value": value})
        assert (await microsoft.scim.get(f"/Groups/{group['id']}")).json[name] == value


@pytest.mark.parametrize("kind", ["/Users", "/Groups"])
async def test_scim_pagination(microsoft: Microsoft, kind: str) -> None:
    """gallery 23, gallery 24: pages of five, each saying where it begins; together all, and nobody twice."""
    made = [await (microsoft.create() if kind == "/Users" else microsoft.create_group(f"G{n}")) for n in range(12)]
    seen: list[str] = []
    for start in (1, 6, 11):
        page = (await microsoft.scim.get(kind, startIndex=str(start), count="5")).json
        assert (page["startIndex"], page["totalResults"], page["itemsPerPage"]) == (start, 12, len(page["Resources"]))
        seen += [one["id"] for one in page["Resources"]]
    assert sorted(seen) == sorted(one["id"] for one in made)
    beyond = (await microsoft.scim.get(kind, startIndex="16", count="5")).json
    assert (beyond["totalResults"], beyond["Resources"]) == (12, [])


async def test_scim_update_manager(microsoft: Microsoft) -> None:
    """gallery 25: added as text, replaced as text, replaced by an empty text; read as `manager.value`."""
    user, boss, other = [await microsoft.create() for _ in range(3)]
    for verb, one in (("add", boss), ("replace", other)):
        after = await microsoft.patch(user, {"op": microsoft.op(verb), "path": MANAGER, "value": one["id"]})
        urn, _, name = MANAGER.rpartition(":")
        assert after[urn][name]["value"] == one["id"]
    gone = await microsoft.patch(user, {"op": microsoft.op("replace"), "path": MANAGER, "value": ""})
    assert gone["schemas"] == user["schemas"]
    assert values_of(gone) == values_of(user)
    assert BITABIZ not in gone
