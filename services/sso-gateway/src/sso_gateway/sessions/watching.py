"""Hears from directory, all the time, which sessions have ended, and has them forgotten.

One question is open at directory as long as the process lives. Where it fails, or something may have been missed, everything is
forgotten; that nothing is remembered for longer than a second is what the promise rests on, not this.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from shared.directory_client import DirectoryClient
from shared.errors import DomainError
from shared.schemas.login import WatchEndings
from shared.telemetry.logs import EventLog
from sso_gateway import metrics
from sso_gateway.sessions.known import Sessions

log = EventLog("sso-gateway")

WAIT_S = 10.0
"""Shorter than the client's patience with a call."""
PATIENCE_S = (0.05, 0.25, 1.0)
"""Before asking again, after the first, second and any further failure in a row."""


@asynccontextmanager
async def watching(
    client: DirectoryClient, sessions: Sessions, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[None]:
    # In a context of its own: it is nobody's request, and belongs to no trace.
    task = asyncio.create_task(_watch(client, sessions, sleep), context=contextvars.Context())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch(client: DirectoryClient, sessions: Sessions, sleep: Callable[[float], Awaitable[None]]) -> None:
    cursor, failures = "", 0
    while True:
        try:
            answer = await client.watch_endings(WatchEndings(cursor=cursor, wait_s=WAIT_S))
        except DomainError as error:
            sessions.forget_all()
            metrics.ENDINGS_WATCHED.set(0)
            if not failures:
                log.warning("endings_not_watched", error=error.code.value)
        else:
            cursor = answer.cursor
            metrics.ENDINGS_WATCHED.set(int(answer.listening))
            if not answer.missed:
                sessions.forget_ended(answer.endings)
                failures = 0
                continue
            # Once is how it begins, and how it goes on after a break. Again and again would be two processes of
            # directory that send us back and forth.
            sessions.forget_all()
        if failures or not cursor:
            await sleep(PATIENCE_S[min(failures, len(PATIENCE_S) - 1)])
        failures += 1
