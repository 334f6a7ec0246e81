"""Whose federation metadata is looked at when, and how the looks go: whether anybody signs in or not, about every hour.

    wanted, open, a login URL     -> due at once; migration 0046 keeps it so, whoever changes the company
    claimed                       -> due again an hour later, and looked at by the process of sso-gateway that claimed it
    could not be read             -> noted with the reason, and due again like any other; what is trusted stays in use
    read again                    -> noted by what is offered (`signing.offered`)

A claim is all that a look writes which finds nothing new. What a process has claimed when it dies is looked at an hour later.
"""

from datetime import timedelta
from functools import partial

from starlette.routing import Route

from directory.access import scope_for_login
from directory.companies import signing_store
from directory.database import Database
from directory.rpc import serve
from shared import operations as declared
from shared.http.service_auth import CallerSecrets
from shared.schemas import metadata as schema
from shared.telemetry.logs import EventLog

EVERY = timedelta(hours=1)
"""At the latest."""
SPREAD = timedelta(minutes=10)
"""Sooner by up to so much, so that companies that were set up together are not looked at together for ever."""
GRACE = timedelta(minutes=15)
"""A look that is later than that is overdue, for the metrics."""

log = EventLog("directory")


async def claim(database: Database, request: schema.ClaimMetadataLooks) -> schema.ClaimedMetadataLooks:
    return schema.ClaimedMetadataLooks(due=await database.claim_metadata_looks(request.most, EVERY, SPREAD))


async def note_failed(database: Database, request: schema.NoteFailedLook) -> schema.NotedLook:
    async with scope_for_login(database, request.company).transaction() as tx:
        if await signing_store.note_look(tx, request.reason):
            log.info("metadata_look_failing", reason=request.reason)
    return schema.NotedLook()


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.CLAIM_METADATA_LOOKS, callers, partial(claim, database)),
        serve(declared.NOTE_FAILED_LOOK, callers, partial(note_failed, database)),
    ]
