"""What one cycle does about one person: match, create, compare, patch, disable, delete.

    assigned, enabled, unknown        GET by filter -> none: POST; one: adopt the id, PATCH differences
    assigned, enabled, known          GET by id, PATCH differences; 404: InvalidAnchor until a restart
    assigned, blocked or deleted      GET by id, PATCH active false; stays managed. Never created
    no longer assigned, known         GET by id, PATCH active false, then forgotten
    purged, known                     DELETE
    manager, afterwards               GET by id and manager; no hit: PATCH

A cleared attribute is skipped, so nothing is sent for it.

Source: entra-docs how-provisioning-works.md, customize-application-attributes.md.
"""

from typing import Any, Literal

import msgspec

from tests.entra.dialects import attribute_operations, manager_operations, manager_removal_operations, patch_body
from tests.entra.mapping import (
    Json,
    NotDeserialised,
    Value,
    check_readable,
    create_body,
    differences,
    manager_id,
    manager_target,
    mapped_values,
)
from tests.entra.people import Dialect, EnterpriseApp, Person
from tests.entra.scim_client import ScimAnswer, ScimClient
from tests.entra.tenant import Connection, Tenant

INCOMPATIBLE = "SystemForCrossDomainIdentityManagementServiceIncompatible"
_CODES = {0: "Timeout", 403: "InsufficientRights", 409: "Conflict", 429: "TooManyRequests"}


class Failed(Exception):
    """One object failed; it goes to escrow."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Skipped(Exception):
    """Nothing was to be done; the text says why."""


class Quarantined(Exception):
    """The job stops here."""


def check_status(answer: ScimAnswer, *good: int) -> None:
    if answer.status in good:
        return
    if answer.status == 401:
        raise Quarantined(f"InvalidCredentials: the token was refused. {answer.detail}")
    code = _CODES.get(answer.status, INCOMPATIBLE if answer.status < 500 else "InternalServerError")
    raise Failed(code, f"{answer.status} {answer.detail}".strip())


def check_list(answer: ScimAnswer) -> list[Any]:
    """The resources of a list answer; an empty list is a good answer, 404 is not."""
    check_status(answer, 200)
    body = answer.json
    if not isinstance(body, dict) or not isinstance(body.get("totalResults"), int):
        raise Failed(INCOMPATIBLE, "the answer is not a ListResponse")
    resources = body.get("Resources", [])
    if not isinstance(resources, list):
        raise Failed(INCOMPATIBLE, "Resources is not a list")
    return resources


def readable(resource: Any) -> Json:
    try:
        return check_readable(resource)
    except NotDeserialised as error:
        raise Failed(INCOMPATIBLE, str(error)) from None


class PersonSync:
    """`read` holds the target resource of everybody in scope that this run has seen, for the references afterwards."""

    def __init__(self, tenant: Tenant, app: EnterpriseApp, client: ScimClient, *, compliant: bool) -> None:
        self._tenant = tenant
        self._app = app
        self._settings = app.provisioning
        self._client = client
        self._job = tenant.job(app)
        self._dialect: Dialect = "compliant" if compliant else "legacy"
        self.read: dict[str, Json] = {}

    async def provision(self, object_id: str) -> Literal["created", "updated", "disabled", "deleted", "unchanged"]:
        """Raises: Skipped, Failed or Quarantined."""
        person = self._tenant.people.get(object_id)
        connection = self._job.people.get(object_id)
        if person is None:
            return await self._delete(object_id)
        if object_id not in self._tenant.assigned(self._app):
            return await self._disable(person, forget=True)
        if person.deleted_at is not None:
            return await self._disable(person, forget=False)
        if connection is None and person.is_soft_deleted:
            raise Skipped(f"{person.display_name} is blocked and was never created")
        values = mapped_values(person, self._settings.mappings, active=not person.is_soft_deleted)
        if connection is not None:
            resource = await self._get(person, connection)
        else:
            found = await self._match(person, values)
            if found is None:
                return await self._create(person, values)
            resource = found
        changes = differences(resource, values)
        self.read[object_id] = resource
        if not changes:
            return "unchanged"
        await self._patch(object_id, "update", attribute_operations(changes, resource, self._dialect))
        return "disabled" if changes.get("active") in (False, "False") else "updated"

    async def provision_manager(self, object_id: str) -> bool:
        """The reference, once both exist; True when something was written. Whether the target has it already is asked first.

        Without the manager's id nothing can be asked or written, and nothing is asked about whoever has no manager.
        """
        person, resource = self._tenant.people.get(object_id), self.read.get(object_id)
        target = manager_target(self._settings.mappings)
        if person is None or resource is None or target is None or person.is_soft_deleted:
            return False
        if person.manager is None:
            form, current = self._settings.manager_removal, manager_id(resource, target)
            operations = manager_removal_operations(target, current, form, self._dialect) if current else []
        else:
            connection = self._job.people.get(person.manager)
            if connection is None or await self._refers(object_id, target, connection.target_id):
                return False
            operations = manager_operations(target, connection.target_id, resource, self._dialect)
        if operations:
            await self._patch(object_id, "manager", operations)
        return bool(operations)

    async def _refers(self, object_id: str, target: str, manager: str) -> bool:
        """Microsoft's reference check: scim docs, example 4 of the requests."""
        name, own = target.rpartition(":")[2], self._job.people[object_id].target_id
        answer = await self._client.about("reference check", object_id).get(
            "/Users", filter=f'id eq "{own}" and {name} eq "{manager}"', attributes="id"
        )
        return bool(check_list(answer))

    async def _match(self, person: Person, values: dict[str, Value]) -> Json | None:
        attribute = self._settings.matching_attribute
        value = values.get(attribute)
        if not isinstance(value, str):
            raise Failed("MissingValues", f"{person.display_name} has no value for {attribute}")
        answer = await self._client.about("match", person.object_id).find(attribute, value)
        hits = check_list(answer)
        if len(hits) > 1:
            raise Failed("DuplicateTargetEntries", f"{len(hits)} users have {attribute} {value!r}")
        if not hits:
            return None
        resource = readable(hits[0])
        self._connect(person.object_id, resource["id"])
        return resource

    async def _create(self, person: Person, values: dict[str, Value]) -> Literal["created"]:
        answer = await self._client.about("create", person.object_id).post("/Users", create_body(values))
        check_status(answer, 201, 200)
        resource = readable(answer.json)
        self._connect(person.object_id, resource["id"])
        self.read[person.object_id] = resource
        return "created"

    async def _get(self, person: Person, connection: Connection) -> Json:
        answer = await self._client.about("read", person.object_id).get(f"/Users/{connection.target_id}")
        if answer.status == 404:
            self._job.people[person.object_id] = msgspec.structs.replace(connection, broken=True)
            raise Failed("InvalidAnchor", f"the target no longer knows {connection.target_id}; restart to match again")
        check_status(answer, 200)
        return readable(answer.json)

    async def _disable(self, person: Person, *, forget: bool) -> Literal["disabled", "unchanged"]:
        connection = self._job.people.get(person.object_id)
        if connection is None:
            raise Skipped(f"{person.display_name} is not known to the target")
        maps_active = any(mapping.target == "active" for mapping in self._settings.mappings)
        changes: dict[str, Value] = {}
        if maps_active:
            try:
                resource = await self._get(person, connection)
            except Failed as failure:
                if forget and failure.code == "InvalidAnchor":
                    del self._job.people[person.object_id]
                raise
            values = mapped_values(person, self._settings.mappings, active=False)
            changes = differences(resource, {"active": values["active"]})
            if changes:
                await self._patch(person.object_id, "disable", attribute_operations(changes, resource, self._dialect))
        if forget:
            del self._job.people[person.object_id]
        return "disabled" if changes else "unchanged"

    async def _delete(self, object_id: str) -> Literal["deleted"]:
        connection = self._job.people.get(object_id)
        if connection is None:
            raise Skipped("not managed any more")
        answer = await self._client.about("delete", object_id).delete(f"/Users/{connection.target_id}")
        check_status(answer, 204, 200, 404)
        del self._job.people[object_id]
        return "deleted"

    async def _patch(self, object_id: str, purpose: str, operations: list[Json]) -> None:
        target_id = self._job.people[object_id].target_id
        answer = await self._client.about(purpose, object_id).patch(f"/Users/{target_id}", patch_body(operations))
        check_status(answer, 200, 204)
        if answer.status == 200:
            readable(answer.json)

    def _connect(self, object_id: str, target_id: str) -> None:
        self._job.people[object_id] = Connection(target_id=target_id)
