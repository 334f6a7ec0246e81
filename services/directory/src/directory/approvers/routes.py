"""Routes of `/setup` about approvers: sso-gateway only, with the session of a Setup admin."""

from functools import partial

from starlette.routing import Route

from directory.approvers import grants
from directory.approvers import operations as do
from directory.database import Database
from directory.rpc import serve
from shared import operations as declared
from shared.http.service_auth import CallerSecrets


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.EXPLAIN_APPROVERS, callers, partial(do.explain, database)),
        serve(declared.LIST_APPROVAL_PROBLEMS, callers, partial(do.problems, database)),
        serve(declared.PREVIEW_FOLLOWING, callers, partial(do.preview, database)),
        serve(declared.GRANT_ROLE, callers, partial(grants.grant, database)),
        serve(declared.REVOKE_ROLE, callers, partial(grants.revoke, database)),
        serve(declared.SET_ONLY_DIRECT_APPROVER, callers, partial(grants.set_only_direct, database)),
    ]
