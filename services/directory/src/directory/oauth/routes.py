"""Routes of `/provisioning` about access tokens: scim-ingest only."""

from functools import partial

from starlette.routing import Route

from directory.database import Database
from directory.oauth import operations as do
from directory.rpc import serve
from shared import operations as declared
from shared.http.service_auth import CallerSecrets


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.REDEEM_SECRET, callers, partial(do.redeem_secret, database)),
        serve(declared.FIND_FEDERATION, callers, partial(do.find_federation, database)),
        serve(declared.REDEEM_ASSERTION, callers, partial(do.redeem_assertion, database)),
    ]
