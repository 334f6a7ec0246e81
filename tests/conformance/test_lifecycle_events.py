"""Each event in Entra that disables, restores or deletes somebody: what arrives, and what it leaves behind, in both dialects."""

import pytest

from tests.conformance.conftest import Endpoint
from tests.conformance.microsoft import FULL, Microsoft, values_in
from tests.entra.mapping import Json
from tests.entra.people import DEFAULT_MAPPINGS, Person
from tests.support.company import Company


@pytest.fixture(params=["legacy", "compliant"])
async def provisioned(company: Company, request: pytest.FixtureRequest) -> Company:
    company.tenant.configure_provisioning(company.app, dialect=request.param, provision_groups=True)
    return company


@pytest.fixture
async def anna(provisioned: Company) -> Person:
    """On board, with a colleague, after a cycle."""
    person = provisioned.hire("anna", job_title="Kok")
    provisioned.hire("bo")
    await provisioned.cycle()
    return person


async def is_active(company: Company, user_id: str) -> bool:
    answer = await company.scim.get(f"/Users/{user_id}")
    assert answer.status == 200, answer.text
    return bool(answer.json["active"])


async def settled(company: Company) -> None:
    """Nothing is left to write, not even in a restart."""
    mark = company.engine.log.last_number
    result = await company.engine.restart(company.app)
    assert (result.quarantine, result.failures, company.engine.log.writes(mark)) == (None, (), [])


async def sent(company: Company) -> list[tuple[str, str]]:
    """A cycle's writes: method, and what it was for."""
    mark = company.engine.log.last_number
    await company.cycle()
    return [(exchange.method, exchange.purpose) for exchange in company.engine.log.writes(mark)]


async def test_unassigned(provisioned: Company, anna: Person) -> None:
    """event 1, event 2 (looks the same): disabled once, then forgotten by Entra; a purge later sends nothing, and he stays."""
    user_id = provisioned.scim_id(anna)
    provisioned.tenant.unassign(provisioned.app, anna.object_id)
    assert ("PATCH", "disable") in await sent(provisioned)
    assert not await is_active(provisioned, user_id)
    provisioned.tenant.delete(anna.object_id)
    provisioned.tenant.purge(anna.object_id)
    assert await sent(provisioned) == []
    assert not await is_active(provisioned, user_id)


async def test_blocked_and_unblocked(provisioned: Company, anna: Person) -> None:
    """event 3, event 7"""
    user_id = provisioned.scim_id(anna)
    provisioned.tenant.block(anna.object_id)
    assert len(await sent(provisioned)) == 1
    assert not await is_active(provisioned, user_id)
    await settled(provisioned)
    provisioned.tenant.unblock(anna.object_id)
    await provisioned.cycle()
    assert await is_active(provisioned, user_id)
    await settled(provisioned)


async def test_deleted_and_restored(provisioned: Company, anna: Person) -> None:
    """event 4, event 7: restored from the recycle bin with what changed meanwhile; he is a member still."""
    user_id = provisioned.scim_id(anna)
    provisioned.tenant.delete(anna.object_id)
    assert await sent(provisioned) == [("PATCH", "disable")]
    assert not await is_active(provisioned, user_id)
    provisioned.tenant.restore(anna.object_id)
    provisioned.tenant.edit_person(anna.object_id, job_title="Chef")
    await provisioned.cycle()
    shown = (await provisioned.scim.get(f"/Users/{user_id}")).json
    assert (shown["active"], shown["title"]) == (True, "Chef")
    groups = (await provisioned.scim.get("/Groups")).json["Resources"]
    assert user_id in {one["value"] for one in groups[0]["members"]}
    await settled(provisioned)


async def test_purged_after_the_recycle_bin(provisioned: Company, anna: Person) -> None:
    """event 5: a DELETE; the name is free for somebody else."""
    user_id = provisioned.scim_id(anna)
    provisioned.tenant.delete(anna.object_id)
    await provisioned.cycle()
    provisioned.tenant.purge(anna.object_id)
    assert ("DELETE", "delete") in await sent(provisioned)
    assert (await provisioned.scim.get(f"/Users/{user_id}")).status == 404
    again = provisioned.hire("anna")
    await provisioned.cycle()
    assert provisioned.scim_id(again) != user_id


async def test_purged_and_nothing_is_sent(provisioned: Company, anna: Person) -> None:
    """event 6: where neither PATCH nor DELETE comes, the user stays as he is; it is no error, and the name can be taken over."""
    user_id = provisioned.scim_id(anna)
    provisioned.tenant.delete(anna.object_id)
    provisioned.tenant.purge(anna.object_id)
    await provisioned.engine.forget_connection(provisioned.app, anna)
    await provisioned.cycle()
    assert await is_active(provisioned, user_id)
    again = provisioned.hire("anna")
    await provisioned.cycle()
    assert provisioned.scim_id(again) == user_id, "matched by his name"
    await settled(provisioned)


async def test_a_mapping_without_active_disables_nobody(provisioned: Company, anna: Person) -> None:
    """event 8, event 9: nothing arrives, so nothing happens, and nobody is disabled by inference."""
    user_id = provisioned.scim_id(anna)
    without = tuple(mapping for mapping in DEFAULT_MAPPINGS if mapping.target != "active")
    provisioned.tenant.configure_provisioning(provisioned.app, mappings=without)
    await provisioned.cycle()
    provisioned.tenant.unassign(provisioned.app, anna.object_id)
    assert ("PATCH", "disable") not in await sent(provisioned)
    assert await is_active(provisioned, user_id)


async def test_a_group_is_unassigned(provisioned: Company, anna: Person) -> None:
    """event 10: it is deleted, and its members stay who they are."""
    further = provisioned.tenant.add_group("Køkken")
    provisioned.tenant.set_members(further.object_id, [anna.object_id])
    provisioned.tenant.configure_provisioning(provisioned.app, further_groups=(further.object_id,))
    await provisioned.cycle()
    assert len((await provisioned.scim.get("/Groups")).json["Resources"]) == 2
    provisioned.tenant.configure_provisioning(provisioned.app, further_groups=())
    assert await sent(provisioned) == [("DELETE", "delete group")]
    assert (await provisioned.scim.find("displayName", "Køkken", "/Groups")).json["totalResults"] == 0
    assert await is_active(provisioned, provisioned.scim_id(anna))


async def test_a_member_out_of_scope(provisioned: Company, anna: Person) -> None:
    """event 12, event 13: Entra sends the group without him, as it leaves out what is a group itself."""
    further = provisioned.tenant.add_group("Køkken")
    stranger = provisioned.tenant.add_person("stranger@elsewhere.example", "Stranger", given_name="S", surname="T")
    nested = provisioned.tenant.groups[provisioned.app.group_id]
    provisioned.tenant.set_members(further.object_id, [anna.object_id, stranger.object_id, nested.object_id])
    provisioned.tenant.configure_provisioning(provisioned.app, further_groups=(further.object_id,))
    await provisioned.cycle()
    (group,) = (await provisioned.scim.find("displayName", "Køkken", "/Groups")).json["Resources"]
    assert [one["value"] for one in group["members"]] == [provisioned.scim_id(anna)]


async def test_renamed(provisioned: Company, anna: Person) -> None:
    """event 14, incident 17: name and e-mail of the same user, in one PATCH."""
    user_id = provisioned.scim_id(anna)
    provisioned.tenant.edit_person(anna.object_id, user_principal_name=f"ny@{provisioned.name}.example")
    assert await sent(provisioned) == [("PATCH", "update")]
    shown = (await provisioned.scim.get(f"/Users/{user_id}")).json
    assert shown["userName"] == shown["emails"][0]["value"] == f"ny@{provisioned.name}.example"
    await settled(provisioned)


async def test_credentials_are_wrong(provisioned: Company, anna: Person) -> None:
    """event 16: quarantine at once, nothing is done; with the right token the job goes on where it was."""
    right = provisioned.app.provisioning.token
    provisioned.tenant.configure_provisioning(provisioned.app, token="idgw_wrong")
    provisioned.tenant.block(anna.object_id)
    result = await provisioned.engine.cycle(provisioned.app)
    assert "InvalidCredentials" in (result.quarantine or "")
    assert await is_active(provisioned, provisioned.scim_id(anna))
    provisioned.tenant.configure_provisioning(provisioned.app, token=right)
    await provisioned.cycle()
    assert not await is_active(provisioned, provisioned.scim_id(anna))


DISABLED: list[Json] = [
    {"op": "Replace", "path": "active", "value": "False"},
    {"op": "replace", "path": "active", "value": False},
    {"op": "Add", "path": "active", "value": "false"},
    {"op": "replace", "value": {"active": False}},
    {"op": "Replace", "value": {"active": "False"}},
    {"op": "replace", "path": "Active", "value": False},
    {"op": "Replace", "path": "active", "value": [{"$ref": None, "value": "False"}]},
    {"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": False},
]


@pytest.mark.parametrize("operation", DISABLED, ids=str)
async def test_a_disable_in_any_form_also_of_somebody_inactive(endpoint: Endpoint, operation: Json) -> None:
    """event 3, event 18, incident 19, incident 22; beside something that cannot be done, too, and then alone."""
    microsoft = Microsoft(endpoint.tenant_url, endpoint.token)
    user = await microsoft.create(FULL)
    after = await microsoft.patch(user, operation)
    assert values_in(after) == {**values_in(user), "active": False}
    assert await microsoft.patch(user, operation) == after
    assert await microsoft.found(f'userName eq "{user["userName"]}"') == [after]
    back = await microsoft.patch(user, {"op": "Replace", "path": "active", "value": "True"})
    assert values_in(back) == values_in(user)
    wrong = {"op": "Replace", "path": "userName", "value": ""}
    alone = await microsoft.patch(user, wrong, operation, {"op": "Add", "path": "nickName", "value": "x"})
    assert values_in(alone) == {**values_in(user), "active": False}
    await microsoft.scim.close()
