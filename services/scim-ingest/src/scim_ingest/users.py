"""`/Users` and `/Users/{id}`: each request is one call of directory, which is one transaction.

POST    read_new_employee  -> provision_employee -> 201
GET     -> get_employee / parse_filter -> find_employees
PATCH   compile_patch      -> change_employee -> 200 with the user
PUT     read_replacement   -> change_employee -> 200 with the user
DELETE                     -> remove_employee -> 204
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.routing import Route

from scim_ingest import metrics
from scim_ingest.exchange import Answer, activity_id, endpoint, integer, json_body, parameters_of, route
from scim_ingest.metrics import Result
from scim_ingest.protocol.filters import parse_filter
from scim_ingest.protocol.patch import Compiled, compile_patch, operations_of
from scim_ingest.protocol.projection import Projection, read_projection
from scim_ingest.protocol.resource import MandatoryMissing, read_new_employee, read_replacement, to_scim, version_tag
from scim_ingest.settings import Settings
from shared.directory_client import DirectoryClient
from shared.schemas.employee import (
    Changed,
    ChangeEmployee,
    Employee,
    EmployeeChanges,
    FindEmployees,
    GetEmployee,
    NoteMapping,
    ProvisionEmployee,
    RemoveEmployee,
    ScimCredential,
)
from shared.telemetry.logs import EventLog

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
DEFAULT_COUNT = 100
MAX_COUNT = 1000
_MAX_OFFSET = 2**31 - 1

_RESULT_OF_OUTCOME: dict[str, Result] = {"created": "created", "adopted": "linked", "reactivated": "reactivated"}


class Users:
    """The handlers, with what they share."""

    def __init__(self, directory: DirectoryClient, settings: Settings, log: EventLog) -> None:
        self._directory = directory
        self._settings = settings
        self._base_url = settings.public_url.rstrip("/")
        self._log = log

    def routes(self) -> list[Route]:
        users, user = "/scim/v2/{company}/Users", "/scim/v2/{company}/Users/{id}"
        return [
            route(
                users,
                GET=endpoint("user_list", self.find, self._log),
                POST=endpoint("user_create", self.create, self._log),
            ),
            route(
                user,
                GET=endpoint("user_get", self.get, self._log),
                PATCH=endpoint("user_patch", self.patch, self._log),
                PUT=endpoint("user_replace", self.replace, self._log),
                DELETE=endpoint("user_delete", self.delete, self._log),
            ),
        ]

    async def create(self, request: Request, credential: ScimCredential) -> Answer:
        projection = _projection_of(parameters_of(request))
        body = await self._body(request)
        async with self._noting_what_is_missing(credential):
            description = read_new_employee(body)
        made = await self._directory.provision_employee(
            ProvisionEmployee(credential=credential, employee=description.employee, missing=description.missing)
        )
        self._note("employee_provisioned", request, made.employee, description.ignored, outcome=made.outcome)
        _count_changes(description.employee)
        return self._user(made.employee, credential, projection, 201, _RESULT_OF_OUTCOME[made.outcome])

    async def get(self, request: Request, credential: ScimCredential) -> Answer:
        projection = _projection_of(parameters_of(request))
        employee = await self._directory.get_employee(
            GetEmployee(credential=credential, employee_id=request.path_params["id"])
        )
        return self._user(employee, credential, projection, 200, "read")

    async def find(self, request: Request, credential: ScimCredential) -> Answer:
        parameters = parameters_of(request)
        projection = _projection_of(parameters)
        start = max(1, integer(parameters, "startIndex", 1))
        count = min(MAX_COUNT, max(0, integer(parameters, "count", DEFAULT_COUNT)))
        conditions = parse_filter(parameters["filter"]) if "filter" in parameters else []
        page = await self._directory.find_employees(
            FindEmployees(credential=credential, conditions=conditions, offset=min(start - 1, _MAX_OFFSET), limit=count)
        )
        users_url = self._users_url(credential)
        resources = [projection.apply(to_scim(employee, users_url)) for employee in page.employees]
        return Answer(200, "read", list_response(resources, total=page.total, start=start))

    async def patch(self, request: Request, credential: ScimCredential) -> Answer:
        projection = _projection_of(parameters_of(request))
        employee_id: str = request.path_params["id"]
        compiled = compile_patch(operations_of(await self._body(request)), employee_id)
        for op, dialect in compiled.dialects:
            metrics.PATCH_OPERATIONS.labels(op, dialect).inc()
        done = await self._directory.change_employee(
            ChangeEmployee(
                credential=credential, employee_id=employee_id, changes=compiled.changes, deactivate_anyway=True
            )
        )
        self._note_left_out(employee_id, compiled, done)
        self._note("employee_changed", request, done.employee, compiled.ignored, changed=done.changed)
        return self._changed(done, compiled.changes, credential, projection, is_patch=True)

    async def replace(self, request: Request, credential: ScimCredential) -> Answer:
        projection = _projection_of(parameters_of(request))
        employee_id: str = request.path_params["id"]
        body = await self._body(request)
        async with self._noting_what_is_missing(credential):
            replacement = read_replacement(body, employee_id)
        done = await self._directory.change_employee(
            ChangeEmployee(credential=credential, employee_id=employee_id, changes=replacement.changes, replaces=True)
        )
        self._note("employee_changed", request, done.employee, replacement.ignored, changed=done.changed)
        return self._changed(done, replacement.changes, credential, projection, is_patch=False)

    async def delete(self, request: Request, credential: ScimCredential) -> Answer:
        employee_id: str = request.path_params["id"]
        await self._directory.remove_employee(RemoveEmployee(credential=credential, employee_id=employee_id))
        self._log.info("employee_removed", employee=employee_id, activity=activity_id(request))
        return Answer(204, "deleted")

    @asynccontextmanager
    async def _noting_what_is_missing(self, credential: ScimCredential) -> AsyncIterator[None]:
        """The company hears of a mandatory attribute that Entra does not send, and not only Entra (S24)."""
        try:
            yield
        except MandatoryMissing as error:
            await self._directory.note_mapping(NoteMapping(credential=credential, missing=error.fields))
            raise

    def _note_left_out(self, employee_id: str, compiled: Compiled, done: Changed) -> None:
        """A deactivation that was done although something beside it was refused, here or by directory (decision D5)."""
        left_out: list[str] = [error.scim_type or "" for error in compiled.refused]
        if done.left_out is not None:
            left_out.append(done.left_out)
        if left_out:
            metrics.DEACTIVATIONS_ALONE.inc()
            self._log.warning("employee_deactivated_without_the_rest", employee=employee_id, refused=left_out)

    def _changed(
        self,
        done: Changed,
        changes: EmployeeChanges,
        credential: ScimCredential,
        projection: Projection,
        *,
        is_patch: bool,
    ) -> Answer:
        result: Result = "unchanged"
        if done.changed:
            result = "deactivated" if changes.active is False else "updated"
            # A PUT says None of everything it does not mention: that counts as nothing.
            _count_changes(changes, cleared=is_patch)
        return self._user(done.employee, credential, projection, 200, result)

    def _user(
        self, employee: Employee, credential: ScimCredential, projection: Projection, status: int, result: Result
    ) -> Answer:
        users_url = self._users_url(credential)
        headers = {"Location": f"{users_url}/{employee.id}", "ETag": version_tag(employee)}
        return Answer(status, result, projection.apply(to_scim(employee, users_url)), headers)

    def _users_url(self, credential: ScimCredential) -> str:
        return f"{self._base_url}/scim/v2/{credential.company}/Users"

    async def _body(self, request: Request) -> object:
        return await json_body(request, self._settings.max_body_bytes, self._settings.body_timeout_s)

    def _note(self, event: str, request: Request, employee: Employee, ignored: list[str], **fields: object) -> None:
        self._log.info(event, employee=employee.id, activity=activity_id(request), **fields)
        if ignored:
            # Names only. Decision D6: accepted, ignored, and never silently.
            self._log.info("attributes_ignored", employee=employee.id, names=ignored)


def list_response(resources: list[dict[str, object]], *, total: int, start: int = 1) -> dict[str, object]:
    """`Resources` is there even when empty: Entra's Test Connection looks for it."""
    return {
        "schemas": [LIST_RESPONSE],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def _projection_of(parameters: dict[str, str]) -> Projection:
    return read_projection(parameters.get("attributes"), parameters.get("excludedattributes"))


def _count_changes(changes: msgspec.Struct, *, cleared: bool = False) -> None:
    for field in changes.__struct_fields__:
        value = getattr(changes, field)
        if value is not UNSET and (cleared or value is not None):
            metrics.ATTRIBUTE_CHANGES.labels(metrics.ATTRIBUTE_LABELS.get(field, "other")).inc()
