"""The traces' routes: sso-gateway tells what it refused by itself, a Setup admin reads."""

from functools import partial

from starlette.routing import Route

from directory.access import setup
from directory.database import Database
from directory.rpc import serve
from directory.traces import operations
from directory.traces.noting import note_refusals
from shared import operations as declared
from shared.http.service_auth import CallerSecrets
from shared.schemas import traces as schema


async def list_logins(database: Database, request: schema.ListLogins) -> schema.LoginPage:
    async with setup(database, request.session, reading=True) as tx:
        return await operations.page(
            tx, person=request.person, outcome=request.outcome, before=request.before, limit=request.limit
        )


async def get_login(database: Database, request: schema.GetLogin) -> schema.LoginTrace:
    async with setup(database, request.session, reading=True) as tx:
        return await operations.whole(tx, request.attempt_id)


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.NOTE_REFUSALS, callers, partial(note_refusals, database)),
        serve(declared.LIST_LOGINS, callers, partial(list_logins, database)),
        serve(declared.GET_LOGIN, callers, partial(get_login, database)),
    ]
