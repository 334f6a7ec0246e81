"""One connection of the process that listens to a channel of PostgreSQL, for as long as the process lives.

Beside the pool: what listens may never go back to it. It enters no company, and asks for nothing but its own echo.

    connected, listens, heard its own echo  -> `connected` is told
    lost, or no echo (a pooler in between)  -> `lost` is told, and it is tried again, later and later, every few seconds at last

Nobody may rely on hearing everything: whoever listens must be right without it.
"""

import asyncio
import contextlib
import contextvars
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import asyncpg

from directory import metrics
from shared.telemetry.logs import EventLog

log = EventLog("directory")

ECHO_EVERY_S = 10.0
"""Between two proofs that notifications come: a connection may be dead without anybody having said so."""
ECHO_WITHIN_S = 3.0
PATIENCE_S = (0.05, 0.25, 1.0, 3.0)

_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class Listener(Protocol):
    """Who is told; none of it may fail or wait."""

    def heard(self, payload: str) -> None: ...

    def connected(self) -> None: ...

    def lost(self) -> None: ...


@asynccontextmanager
async def listening(
    dsn: str, channel: str, listener: Listener, *, echo_every_s: float = ECHO_EVERY_S
) -> AsyncIterator[None]:
    """In the background; being unable to listen keeps nobody from starting."""
    # In a context of its own: it is nobody's request, and belongs to no trace.
    task = asyncio.create_task(_listen(dsn, channel, listener, echo_every_s), context=contextvars.Context())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _listen(dsn: str, channel: str, listener: Listener, echo_every_s: float) -> None:
    failures = 0

    def connected() -> None:
        nonlocal failures
        if failures:
            log.info("listening_again", channel=channel)
        failures = 0
        metrics.LISTENING.labels(channel).set(1)
        listener.connected()

    while True:
        reason = "closed"
        try:
            await _listen_once(dsn, channel, listener.heard, connected, echo_every_s)
        except _FAILURES as error:
            reason = type(error).__name__
        finally:
            metrics.LISTENING.labels(channel).set(0)
            listener.lost()
        if not failures:
            log.warning("listening_lost", channel=channel, error=reason)
        await asyncio.sleep(PATIENCE_S[min(failures, len(PATIENCE_S) - 1)])
        failures += 1


async def _listen_once(
    dsn: str, channel: str, heard: Callable[[str], None], connected: Callable[[], None], echo_every_s: float
) -> None:
    """Until the connection is lost. Raises what asyncpg raises, and TimeoutError where no echo comes."""
    connection = await asyncpg.connect(
        dsn, timeout=5.0, command_timeout=ECHO_WITHIN_S, server_settings={"application_name": "directory listening"}
    )
    lost, echoed, own = asyncio.Event(), asyncio.Event(), f"echo_{secrets.token_hex(8)}"
    try:
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(channel, lambda *told: heard(str(told[-1])))
        await connection.add_listener(own, lambda *_: echoed.set())
        await _echo(connection, own, echoed)
        connected()
        while not lost.is_set():
            try:
                await asyncio.wait_for(lost.wait(), echo_every_s)
            except TimeoutError:
                await _echo(connection, own, echoed)
    finally:
        connection.terminate()


async def _echo(connection: "asyncpg.Connection[asyncpg.Record]", own: str, echoed: asyncio.Event) -> None:
    echoed.clear()
    await connection.execute("select pg_notify($1, '')", own)
    await asyncio.wait_for(echoed.wait(), ECHO_WITHIN_S)
