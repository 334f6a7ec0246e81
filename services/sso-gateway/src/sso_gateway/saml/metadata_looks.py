"""Looks at companies' federation metadata when directory says that their hour has come, as long as the process lives.

    claim a few -> fetch them side by side -> more are due: after a breath; otherwise in half a minute or so

Any number of pods share the work: what one has claimed, nobody else is given. A few at a time, so that a morning on which all
companies are due at once is no storm, here, in directory or at Microsoft, and a pod that dies leaves a few for the next hour.
"""

import asyncio
import contextlib
import contextvars
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.directory_client import DirectoryClient
from shared.errors import DomainError
from shared.schemas.metadata import ClaimMetadataLooks, DueLook
from shared.telemetry import context
from shared.telemetry.logs import EventLog
from shared.telemetry.tracing import background_span
from sso_gateway.saml.metadata_refresh import MetadataRefresh

AT_ONCE = 16
"""Claimed, and fetched side by side. At three seconds' patience with each, one pod does ten thousand within the hour."""
EVERY_S = 30.0
BREATH_S = 1.0

log = EventLog("sso-gateway")


@asynccontextmanager
async def looking(
    client: DirectoryClient, refresh: MetadataRefresh, *, every_s: float = EVERY_S
) -> AsyncIterator[None]:
    # In a context of its own: it is nobody's request, and belongs to no trace.
    task = asyncio.create_task(_look_for_ever(client, refresh, every_s), context=contextvars.Context())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _look_for_ever(client: DirectoryClient, refresh: MetadataRefresh, every_s: float) -> None:
    wait_s, is_failing = every_s, False
    while True:
        # By chance, for pods that started together would ask together for ever.
        await asyncio.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311
        wait_s = every_s
        try:
            if await look(client, refresh) == AT_ONCE:
                wait_s = min(BREATH_S, every_s)
        except DomainError as error:
            if not is_failing:
                log.warning("metadata_looks_not_claimed", error=error.code.value)
            is_failing = True
        else:
            is_failing = False


async def look(client: DirectoryClient, refresh: MetadataRefresh) -> int:
    """At some of those that are due, to the end; how many these were.

    Raises:
        DomainError: where directory cannot be asked.
    """
    claimed = await client.claim_metadata_looks(ClaimMetadataLooks(most=AT_ONCE))
    async with asyncio.TaskGroup() as group:
        for due in claimed.due:
            group.create_task(_look_at(refresh, due))
    return len(claimed.due)


async def _look_at(refresh: MetadataRefresh, due: DueLook) -> None:
    context.company.set(due.company)
    with background_span("metadata look"):
        try:
            await refresh.look(due)
        except Exception:
            # One company must not keep the others from being looked at.
            log.error("metadata_look_failed", exc_info=True)  # noqa: G201  EventLog has no other
