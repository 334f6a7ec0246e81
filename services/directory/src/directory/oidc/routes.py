"""Routes of `/logins` about what apps hold: sso-gateway only."""

from functools import partial

from starlette.routing import Route

from directory.database import Database
from directory.oidc import operations as do
from directory.rpc import serve
from shared import operations as declared
from shared.http.service_auth import CallerSecrets


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.ISSUE_CODE, callers, partial(do.issue_code, database)),
        serve(declared.REDEEM_CODE, callers, partial(do.redeem_code, database)),
        serve(declared.REFRESH_GRANT, callers, partial(do.refresh_grant, database)),
        serve(declared.READ_GRANT, callers, partial(do.read_grant, database)),
        serve(declared.END_GRANT, callers, partial(do.end_grant, database)),
    ]
