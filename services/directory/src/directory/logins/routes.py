"""Routes of `/logins`: sso-gateway only."""

from functools import partial

from starlette.routing import Route

from directory.database import Database
from directory.logins import operations as do
from directory.logins.signing_out import end_idp_session
from directory.logins.watching import EndingsHeard
from directory.rpc import serve
from shared import operations as declared
from shared.http.service_auth import CallerSecrets


def routes(database: Database, callers: CallerSecrets, endings: EndingsHeard) -> list[Route]:
    return [
        serve(declared.GET_CONNECTION, callers, partial(do.get_connection, database)),
        serve(declared.OFFER_CERTIFICATES, callers, partial(do.offer_certificates, database)),
        serve(declared.FIND_COMPANIES, callers, partial(do.find_companies, database)),
        serve(declared.BEGIN_LOGIN, callers, partial(do.begin_login, database)),
        serve(declared.COMPLETE_LOGIN, callers, partial(do.complete_login, database)),
        serve(declared.OPEN_SESSION, callers, partial(do.open_session, database)),
        serve(declared.DROP_TICKET, callers, partial(do.drop_ticket, database)),
        serve(declared.READ_SESSION, callers, partial(do.read_session, database)),
        serve(declared.WATCH_ENDINGS, callers, endings.since),
        serve(declared.END_SESSION, callers, partial(do.end_session, database)),
        serve(declared.END_IDP_SESSION, callers, partial(end_idp_session, database)),
    ]
