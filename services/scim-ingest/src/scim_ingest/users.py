"""`/Users` and `/Users/{id}`: each request is one call of directory, which is one transaction.

POST    read_new_employee  -> provision_employee -> 201
GET     -> get_employee / parse_filter -> find_employees; POST to /.search the same
PATCH   compile_patch      -> change_employee -> 200 with the user
PUT     read_replacement   -> change_employee -> 200 with the user
DELETE                     -> remove_employee -> 204
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.routing import Route

from scim_ingest import metrics
from scim_ingest.exchange import (
    Answer,
    Writing,
    activity_id,
    endpoint,
    json_body,
    parameters_of,
    refused_if_strict,
    route,
    understood,
)
from scim_ingest.metrics import Result
from scim_ingest.protocol import strict
from scim_ingest.protocol.attributes import well_known
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.filters import parse_filter
from scim_ingest.protocol.json_body import read_json
from scim_ingest.protocol.listing import Listing, from_body, from_query
from scim_ingest.protocol.patch import Compiled, compile_patch, read_patch
from scim_ingest.protocol.projection import EVERYTHING, Projection, read_projection
from scim_ingest.protocol.resource import (
    Description,
    MandatoryMissing,
    Replacement,
    read_new_employee,
    read_replacement,
    to_scim,
    version_tag,
)
from scim_ingest.protocol.user_names import USER_NAMES, sort_field
from scim_ingest.protocol.versions import is_known, wanted_versions
from scim_ingest.settings import Settings
from shared.directory_client import DirectoryClient
from shared.schemas.employee import (
    Changed,
    ChangeEmployee,
    Employee,
    EmployeeChanges,
    EmployeePage,
    FindEmployees,
    GetEmployee,
    NoteMapping,
    ProvisionEmployee,
    RemoveEmployee,
    ScimCredential,
)
from shared.schemas.search import Expression, Sorting
from shared.telemetry.logs import EventLog

_RESULT_OF_OUTCOME: dict[str, Result] = {"created": "created", "adopted": "linked", "reactivated": "reactivated"}


class Users:
    """The handlers, with what they share."""

    def __init__(self, directory: DirectoryClient, settings: Settings, log: EventLog) -> None:
        self._directory = directory
        self._settings = settings
        self._base_url = settings.public_url.rstrip("/")
        self._log = log
        self.writing: Writing = {
            "POST": endpoint("user_create", self.create, log),
            "PATCH": endpoint("user_patch", self.patch, log),
            "PUT": endpoint("user_replace", self.replace, log),
            "DELETE": endpoint("user_delete", self.delete, log),
        }

    def routes(self) -> list[Route]:
        users, writing = "/scim/v2/{company}/Users", self.writing
        return [
            route(f"{users}/.search", POST=endpoint("user_list", self.search, self._log)),
            route(users, GET=endpoint("user_list", self.find, self._log), POST=writing["POST"]),
            route(
                f"{users}/{{id}}",
                GET=endpoint("user_get", self.get, self._log),
                PATCH=writing["PATCH"],
                PUT=writing["PUT"],
                DELETE=writing["DELETE"],
            ),
        ]

    async def create(self, request: Request, credential: ScimCredential) -> Answer:
        projection = _projection_of(parameters_of(request))
        async with self._noting_what_is_missing(credential):
            description, deviation = await understood(request, self._settings, _new_employee)
        with refused_if_strict(deviation) as quirk:
            made = await self._directory.provision_employee(
                ProvisionEmployee(
                    credential=credential, employee=description.employee, missing=description.missing, quirk=quirk
                )
            )
        self._note("employee_provisioned", request, made.employee, description.ignored, outcome=made.outcome)
        _count_changes(description.employee)
        return self._user(made.employee, credential, projection, 201, _RESULT_OF_OUTCOME[made.outcome])

    async def get(self, request: Request, credential: ScimCredential) -> Answer:
        projection = _projection_of(parameters_of(request))
        employee = await self._directory.get_employee(
            GetEmployee(credential=credential, employee_id=request.path_params["id"])
        )
        if is_known(request.headers.get("if-none-match"), employee.version):
            return Answer(304, "read", headers={"ETag": version_tag(employee)})
        return self._user(employee, credential, projection, 200, "read")

    async def find(self, request: Request, credential: ScimCredential) -> Answer:
        return await self._listed(from_query("User", parameters_of(request)), credential)

    async def search(self, request: Request, credential: ScimCredential) -> Answer:
        return await self._listed(from_body("User", await json_body(request, self._settings)), credential)

    async def _listed(self, listing: Listing, credential: ScimCredential) -> Answer:
        where = parse_filter(listing.filter, USER_NAMES) if listing.filter is not None else None
        page = await self.find_where(listing, where, credential)
        resources = [self.shown(employee, credential, listing.projection) for employee in page.employees]
        return Answer(200, "read", listing.answer(resources, page.total, [one.id for one in page.employees]))

    async def find_where(self, listing: Listing, where: Expression | None, credential: ScimCredential) -> EmployeePage:
        sorting = Sorting(field=sort_field(listing.sort_by), descending=listing.descending) if listing.sort_by else None
        return await self._directory.find_employees(
            FindEmployees(
                credential=credential,
                where=where,
                offset=listing.offset,
                limit=listing.limit,
                sorting=sorting,
                after=listing.after or None,
            )
        )

    async def patch(self, request: Request, credential: ScimCredential) -> Answer:
        employee_id: str = request.path_params["id"]
        refused: list[ScimError] = []
        projection = EVERYTHING
        try:
            projection = _projection_of(parameters_of(request))
        except ScimError as error:
            # Nor does what stands in the address keep somebody in (decision D5).
            refused.append(error)
        compiled, deviation, strictly = await understood(
            request, self._settings, partial(_patch, employee_id=employee_id, refused=refused)
        )
        for op, dialect in compiled.dialects:
            metrics.PATCH_OPERATIONS.labels(op, dialect).inc()
        with refused_if_strict(deviation) as quirk:
            done = await self._directory.change_employee(
                ChangeEmployee(
                    credential=credential,
                    employee_id=employee_id,
                    changes=compiled.changes,
                    versions=wanted_versions(request.headers.get("if-match")),
                    deactivate_anyway=True,
                    quirk=quirk,
                    strictly=strictly,
                )
            )
        self._note_left_out(employee_id, compiled, done)
        self._note("employee_changed", request, done.employee, compiled.ignored, changed=done.changed)
        return self._changed(done, compiled.changes, credential, projection, is_patch=True)

    async def replace(self, request: Request, credential: ScimCredential) -> Answer:
        projection = _projection_of(parameters_of(request))
        employee_id: str = request.path_params["id"]
        async with self._noting_what_is_missing(credential):
            replacement, deviation = await understood(
                request, self._settings, partial(_replacement, employee_id=employee_id)
            )
        with refused_if_strict(deviation) as quirk:
            done = await self._directory.change_employee(
                ChangeEmployee(
                    credential=credential,
                    employee_id=employee_id,
                    changes=replacement.changes,
                    versions=wanted_versions(request.headers.get("if-match")),
                    replaces=True,
                    quirk=quirk,
                )
            )
        self._note("employee_changed", request, done.employee, replacement.ignored, changed=done.changed)
        return self._changed(done, replacement.changes, credential, projection, is_patch=False)

    async def delete(self, request: Request, credential: ScimCredential) -> Answer:
        employee_id: str = request.path_params["id"]
        versions = wanted_versions(request.headers.get("if-match"))
        await self._directory.remove_employee(
            RemoveEmployee(credential=credential, employee_id=employee_id, versions=versions)
        )
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
        headers = {"Location": f"{self._users_url(credential)}/{employee.id}", "ETag": version_tag(employee)}
        return Answer(status, result, self.shown(employee, credential, projection), headers)

    def shown(self, employee: Employee, credential: ScimCredential, projection: Projection) -> dict[str, object]:
        return projection.apply(to_scim(employee, self._users_url(credential)))

    def _users_url(self, credential: ScimCredential) -> str:
        return f"{self._base_url}/scim/v2/{credential.company}/Users"

    def _note(self, event: str, request: Request, employee: Employee, ignored: list[str], **fields: object) -> None:
        self._log.info(event, employee=employee.id, activity=activity_id(request), **fields)
        if ignored:
            # Decision D6: accepted, ignored, and never silently. Their names stand in the journal: they are the sender's text.
            self._log.info("attributes_ignored", employee=employee.id, names=well_known(ignored))


def _new_employee(raw: bytes) -> tuple[Description, strict.Deviation | None]:
    body = read_json(raw)
    return read_new_employee(body), strict.in_user(body)


def _replacement(raw: bytes, employee_id: str) -> tuple[Replacement, strict.Deviation | None]:
    body = read_json(raw)
    return read_replacement(body, employee_id), strict.in_user(body)


def _patch(
    raw: bytes, employee_id: str, refused: Sequence[ScimError]
) -> tuple[Compiled, strict.Deviation | None, EmployeeChanges | None]:
    """Read tolerantly; what a company in strict mode says to it; and how it reads it, where that is something else."""
    body, operations, unreadable = read_patch(raw)
    compiled = compile_patch(operations, employee_id, refused=[*refused, *unreadable])
    deviation = strict.in_user_patch(body) or strict.in_what_is_left_out(compiled.refused)
    strictly = strict.read_strictly(operations, employee_id) if deviation is None else None
    if isinstance(strictly, strict.Deviation):
        return compiled, strictly, None
    return compiled, deviation, strictly


def _projection_of(parameters: dict[str, str]) -> Projection:
    return read_projection(parameters.get("attributes"), parameters.get("excludedattributes"))


def _count_changes(changes: msgspec.Struct, *, cleared: bool = False) -> None:
    for field in changes.__struct_fields__:
        value = getattr(changes, field)
        if value is not UNSET and (cleared or value is not None):
            metrics.ATTRIBUTE_CHANGES.labels(metrics.ATTRIBUTE_LABELS.get(field, "other")).inc()
