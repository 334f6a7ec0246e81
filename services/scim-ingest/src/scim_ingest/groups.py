"""`/Groups` and `/Groups/{id}`: each request is one call of directory, which is one transaction.

POST    read_group           -> create_group -> 201
GET     -> get_group / parse_filter -> find_groups; POST to /.search the same
PATCH   compile_group_patch  -> change_group -> 204, or 200 with the group where attributes are asked for
PUT     read_group           -> change_group -> 200 with the group
DELETE                       -> remove_group -> 204

Members are read only where somebody wants to see them: Entra always asks without (`excludedAttributes=members`).
"""

from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.routing import Route

from scim_ingest import recorder
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
from scim_ingest.protocol.filters import parse_filter
from scim_ingest.protocol.group_names import GROUP_NAMES, group_sort_field
from scim_ingest.protocol.group_patch import CompiledGroup, compile_group_patch
from scim_ingest.protocol.group_resource import GroupBody, group_version, read_group, to_scim_group
from scim_ingest.protocol.json_body import read_json
from scim_ingest.protocol.listing import Listing, from_body, from_query
from scim_ingest.protocol.patch import operations_of
from scim_ingest.protocol.projection import Projection, read_projection
from scim_ingest.protocol.versions import is_known, wanted_versions
from scim_ingest.settings import Settings
from shared.directory_client import DirectoryClient
from shared.schemas import group as schemas
from shared.schemas.employee import ScimCredential
from shared.schemas.search import Expression, Sorting
from shared.telemetry.logs import EventLog


class Groups:
    """The handlers, with what they share."""

    def __init__(self, directory: DirectoryClient, settings: Settings, log: EventLog) -> None:
        self._directory = directory
        self._settings = settings
        self._base_url = settings.public_url.rstrip("/")
        self._log = log
        self.writing: Writing = {
            "POST": endpoint("group_create", self.create, log),
            "PATCH": endpoint("group_patch", self.patch, log),
            "PUT": endpoint("group_replace", self.replace, log),
            "DELETE": endpoint("group_delete", self.delete, log),
        }

    def routes(self) -> list[Route]:
        groups, writing = "/scim/v2/{company}/Groups", self.writing
        return [
            route(f"{groups}/.search", POST=endpoint("group_list", self.search, self._log)),
            route(groups, GET=endpoint("group_list", self.find, self._log), POST=writing["POST"]),
            route(
                f"{groups}/{{id}}",
                GET=endpoint("group_get", self.get, self._log),
                PATCH=writing["PATCH"],
                PUT=writing["PUT"],
                DELETE=writing["DELETE"],
            ),
        ]

    async def create(self, request: Request, credential: ScimCredential) -> Answer:
        projection = _projection_of(request)
        body, deviation = await understood(request, self._settings, _group)
        with refused_if_strict(deviation) as quirk:
            made = await self._directory.create_group(
                schemas.CreateGroup(
                    credential=credential,
                    group=body.as_new(),
                    with_members=projection.wants("members"),
                    quirk=quirk,
                )
            )
        self._note("group_created", request, made, body.ignored)
        return Answer(
            201, "created", self.shown(made.group, credential, projection), self._headers(made.group, credential)
        )

    async def get(self, request: Request, credential: ScimCredential) -> Answer:
        projection = _projection_of(request)
        group = await self._directory.get_group(
            schemas.GetGroup(
                credential=credential, group_id=request.path_params["id"], with_members=projection.wants("members")
            )
        )
        if is_known(request.headers.get("if-none-match"), group.version):
            return Answer(304, "read", headers={"ETag": group_version(group)})
        return Answer(200, "read", self.shown(group, credential, projection), self._headers(group, credential))

    async def find(self, request: Request, credential: ScimCredential) -> Answer:
        return await self._listed(from_query("Group", parameters_of(request)), credential)

    async def search(self, request: Request, credential: ScimCredential) -> Answer:
        return await self._listed(from_body("Group", await json_body(request, self._settings)), credential)

    async def _listed(self, listing: Listing, credential: ScimCredential) -> Answer:
        where = parse_filter(listing.filter, GROUP_NAMES) if listing.filter is not None else None
        page = await self.find_where(listing, where, credential, offset=listing.offset, limit=listing.limit)
        resources = [self.shown(group, credential, listing.projection) for group in page.groups]
        return Answer(200, "read", listing.answer(resources, page.total, [one.id for one in page.groups]))

    async def find_where(
        self,
        listing: Listing,
        where: Expression | None,
        credential: ScimCredential,
        *,
        offset: int,
        limit: int,
    ) -> schemas.GroupPage:
        by = listing.sort_by
        return await self._directory.find_groups(
            schemas.FindGroups(
                credential=credential,
                where=where,
                offset=offset,
                limit=limit,
                sorting=Sorting(field=group_sort_field(by), descending=listing.descending) if by else None,
                after=listing.after or None,
                with_members=listing.projection.wants("members"),
            )
        )

    async def patch(self, request: Request, credential: ScimCredential) -> Answer:
        """204 unless attributes are asked for (RFC 7644 section 3.5.2): a group may have tens of thousands of members."""
        parameters = parameters_of(request)
        projection = _projection_of(request)
        group_id: str = request.path_params["id"]
        compiled, deviation = await understood(request, self._settings, partial(_patch, group_id=group_id))
        asked = bool(parameters.get("attributes") or parameters.get("excludedattributes"))
        with refused_if_strict(deviation) as quirk:
            done = await self._directory.change_group(
                schemas.ChangeGroup(
                    credential=credential,
                    group_id=group_id,
                    changes=compiled.changes,
                    versions=wanted_versions(request.headers.get("if-match")),
                    with_members=asked and projection.wants("members"),
                    quirk=quirk,
                )
            )
        self._note("group_changed", request, done, compiled.ignored)
        result: Result = "updated" if done.changed else "unchanged"
        headers = self._headers(done.group, credential)
        if not asked:
            return Answer(204, result, headers=headers)
        return Answer(200, result, self.shown(done.group, credential, projection), headers)

    async def replace(self, request: Request, credential: ScimCredential) -> Answer:
        projection = _projection_of(request)
        group_id: str = request.path_params["id"]
        body, deviation = await understood(request, self._settings, partial(_group, group_id=group_id))
        with refused_if_strict(deviation) as quirk:
            done = await self._directory.change_group(
                schemas.ChangeGroup(
                    credential=credential,
                    group_id=group_id,
                    changes=body.as_replacement(),
                    versions=wanted_versions(request.headers.get("if-match")),
                    with_members=projection.wants("members"),
                    quirk=quirk,
                )
            )
        self._note("group_changed", request, done, body.ignored)
        result: Result = "updated" if done.changed else "unchanged"
        return Answer(
            200, result, self.shown(done.group, credential, projection), self._headers(done.group, credential)
        )

    async def delete(self, request: Request, credential: ScimCredential) -> Answer:
        group_id: str = request.path_params["id"]
        versions = wanted_versions(request.headers.get("if-match"))
        await self._directory.remove_group(
            schemas.RemoveGroup(credential=credential, group_id=group_id, versions=versions)
        )
        self._log.info("group_removed", group=group_id, activity=activity_id(request))
        return Answer(204, "deleted")

    def shown(self, group: schemas.Group, credential: ScimCredential, projection: Projection) -> dict[str, object]:
        base = f"{self._base_url}/scim/v2/{credential.company}"
        return projection.apply(to_scim_group(group, f"{base}/Groups", f"{base}/Users"))

    def _headers(self, group: schemas.Group, credential: ScimCredential) -> dict[str, str]:
        location = f"{self._base_url}/scim/v2/{credential.company}/Groups/{group.id}"
        return {"Location": location, "ETag": group_version(group)}

    def _note(self, event: str, request: Request, done: schemas.GroupWritten, ignored: Sequence[str]) -> None:
        self._log.info(
            event,
            group=done.group.id,
            activity=activity_id(request),
            changed=done.changed,
            # They have departed, so they are in no group (docs/groups.md); Entra learns it by itself.
            left_out=len(done.left_out),
        )
        for name in ignored:
            recorder.ignored(name)
        if ignored:
            self._log.info("attributes_ignored", group=done.group.id, names=well_known(ignored))


def _group(raw: bytes, group_id: str | None = None) -> tuple[GroupBody, strict.Deviation | None]:
    given = read_json(raw)
    return read_group(given, group_id), strict.in_group(given)


def _patch(raw: bytes, group_id: str) -> tuple[CompiledGroup, strict.Deviation | None]:
    given = read_json(raw)
    return compile_group_patch(operations_of(given), group_id), strict.in_group_patch(given)


def _projection_of(request: Request) -> Projection:
    parameters = parameters_of(request)
    return read_projection(parameters.get("attributes"), parameters.get("excludedattributes"))
