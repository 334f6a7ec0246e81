"""Routes of `/provisioning` about groups: scim-ingest only."""

from functools import partial

from starlette.routing import Route

from directory.database import Database
from directory.groups import operations as do
from directory.rpc import serve
from shared import operations as declared
from shared.http.service_auth import CallerSecrets


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.CREATE_GROUP, callers, partial(do.create_group, database)),
        serve(declared.GET_GROUP, callers, partial(do.get_group, database)),
        serve(declared.FIND_GROUPS, callers, partial(do.find_groups, database)),
        serve(declared.CHANGE_GROUP, callers, partial(do.change_group, database)),
        serve(declared.REMOVE_GROUP, callers, partial(do.remove_group, database)),
    ]
