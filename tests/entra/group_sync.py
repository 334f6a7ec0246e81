"""Provisioning of the assigned groups themselves: created empty, then their members; off unless the app switches it on.

Looked up by displayName without members; members are compared with what was sent last, and added several at once. A
group that is assigned no more is deleted.

Source: entra-docs use-scim-to-provision-users-and-groups.md, Groups.
"""

from tests.entra.dialects import member_operations, patch_body
from tests.entra.mapping import Json
from tests.entra.people import Dialect, EnterpriseApp, Group
from tests.entra.person_sync import check_list, check_status, readable
from tests.entra.scim_client import ScimClient
from tests.entra.tenant import Connection, Tenant

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ADSCIM_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


def assigned_groups(tenant: Tenant, app: EnterpriseApp) -> list[Group]:
    return [tenant.groups[one] for one in (app.group_id, *app.provisioning.further_groups) if one in tenant.groups]


async def delete_unassigned(tenant: Tenant, app: EnterpriseApp, client: ScimClient) -> None:
    """Raises: Failed or Quarantined."""
    job, assigned = tenant.job(app), {group.object_id for group in assigned_groups(tenant, app)}
    for object_id in [one for one in job.groups if one not in assigned]:
        answer = await client.about("delete group", object_id).delete(f"/Groups/{job.groups[object_id].target_id}")
        check_status(answer, 204, 200, 404)
        del job.groups[object_id]
        job.group_members.pop(object_id, None)


async def sync_group(tenant: Tenant, app: EnterpriseApp, group: Group, client: ScimClient, *, compliant: bool) -> None:
    """Raises: Failed or Quarantined."""
    job = tenant.job(app)
    dialect: Dialect = "compliant" if compliant else "legacy"
    if group.object_id not in job.groups:
        job.groups[group.object_id] = Connection(target_id=await _match_or_create(client, group))
    target_id = job.groups[group.object_id].target_id
    current = await client.about("read group", group.object_id).get(
        f"/Groups/{target_id}", excludedAttributes="members"
    )
    check_status(current, 200)
    operations = _name_operations(readable(current.json), group, dialect)
    members = [job.people[member].target_id for member in group.members if member in job.people]
    before = job.group_members.get(group.object_id, [])
    known, wanted = set(before), set(members)
    added, removed = [m for m in members if m not in known], [m for m in before if m not in wanted]
    operations += member_operations(added, removed, dialect)
    if operations:
        client.about("group", group.object_id)
        check_status(await client.patch(f"/Groups/{target_id}", patch_body(operations)), 204, 200)
    job.group_members[group.object_id] = members


async def _match_or_create(client: ScimClient, group: Group) -> str:
    client.about("match group", group.object_id)
    found = check_list(await client.find("displayName", group.display_name, "/Groups", excludedAttributes="members"))
    if found:
        return str(readable(found[0])["id"])
    body: Json = {
        "schemas": [GROUP, ADSCIM_GROUP],
        "externalId": group.object_id,
        "displayName": group.display_name,
        "meta": {"resourceType": "Group"},
    }
    answer = await client.about("create group", group.object_id).post("/Groups", body)
    check_status(answer, 201, 200)
    return str(readable(answer.json)["id"])


def _name_operations(resource: Json, group: Group, dialect: Dialect) -> list[Json]:
    if resource.get("displayName") == group.display_name:
        return []
    if dialect == "legacy":
        return [{"op": "Replace", "path": "displayName", "value": group.display_name}]
    return [{"op": "replace", "value": {"displayName": group.display_name}}]
