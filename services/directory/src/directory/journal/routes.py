"""The journal's routes: scim-ingest hands exchanges over, a Setup admin reads them and has one done again."""

from functools import partial

from starlette.routing import Route

from directory.access import setup
from directory.database import Database
from directory.journal import operations, replay
from directory.rpc import serve
from shared import operations as declared
from shared.http.service_auth import CallerSecrets
from shared.schemas import journal as schema


async def list_exchanges(database: Database, request: schema.ListExchanges) -> schema.JournalPage:
    async with setup(database, request.session, reading=True) as tx:
        return await operations.page(
            tx,
            person=request.person,
            activity_id=request.activity_id,
            refused=request.refused,
            before=request.before,
            limit=request.limit,
        )


async def get_exchange(database: Database, request: schema.GetExchange) -> schema.WholeExchange:
    async with setup(database, request.session, reading=True) as tx:
        return await operations.whole(tx, request.entry)


async def replay_exchange(database: Database, request: schema.ReplayExchange) -> schema.Replayed:
    return await replay.replay(lambda: setup(database, request.session), request.entry, dry_run=request.dry_run)


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.NOTE_EXCHANGES, callers, partial(operations.note_exchanges, database)),
        serve(declared.LIST_EXCHANGES, callers, partial(list_exchanges, database)),
        serve(declared.GET_EXCHANGE, callers, partial(get_exchange, database)),
        serve(declared.REPLAY_EXCHANGE, callers, partial(replay_exchange, database)),
    ]
