"""Who waits for the next event of a company, and the one poller that wakes them.

A waiting reader is a future: it holds no connection and no transaction. While anybody waits, one task of the process asks for
the heads of all waited-for companies in one statement, a few times a second; while nobody waits, nothing runs. The number
of those who may wait is bounded, for all and for each company, so that no company can take the places of the others.

    wait --> due --(the head has passed `after`)--> woken: read the next page
                --(seconds are over, or the service stops)--> not woken: answer an empty page
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

import asyncpg

from directory import metrics
from shared.errors import DomainError, ErrorCode
from shared.telemetry.logs import EventLog

log = EventLog("directory")

INTERVAL_S = 0.25
"""Between two looks. Half of it is what an event waits on average, and a process asks four times a second at most."""

READERS_MAX = 2000
READERS_MAX_OF_COMPANY = 20

AskHeads = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, int]]]
"""The number of the last event of each of these companies."""

_Due = tuple[int, "asyncio.Future[bool]"]


class WaitingReaders:
    """One for each process; `close` sends everybody home."""

    def __init__(
        self,
        ask_heads: AskHeads,
        *,
        interval_s: float = INTERVAL_S,
        readers_max: int = READERS_MAX,
        readers_max_of_company: int = READERS_MAX_OF_COMPANY,
    ) -> None:
        self._ask_heads = ask_heads
        self._interval_s = interval_s
        self._readers_max = readers_max
        self._readers_max_of_company = readers_max_of_company
        self._due: dict[UUID, set[_Due]] = {}
        self._many = 0
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    async def wait(
        self, company_id: UUID, after: int, seconds: float, *, unless: "asyncio.Future[None] | None" = None
    ) -> bool:
        """Whether the company's history has gone past `after` within so many seconds, and before `unless` is done.

        Raises:
            DomainError: `unavailable` when too many wait already.
        """
        if self._closed:
            return False
        of_company = self._due.get(company_id, set())
        if self._many >= self._readers_max or len(of_company) >= self._readers_max_of_company:
            metrics.FEED_READERS_REFUSED.inc()
            raise DomainError(ErrorCode.unavailable, "Too many readers wait for events already; ask again in a while.")
        woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        due = (after, woken)
        if unless is not None:
            unless.add_done_callback(lambda _: _settle(woken, False))
        self._enter(company_id, due)
        try:
            async with asyncio.timeout(seconds):
                return await woken
        except TimeoutError:
            return False
        finally:
            self._leave(company_id, due)

    def close(self) -> None:
        """From now on nobody waits."""
        self._closed = True
        for readers in self._due.values():
            for _, woken in readers:
                _settle(woken, False)

    def _enter(self, company_id: UUID, due: _Due) -> None:
        self._due.setdefault(company_id, set()).add(due)
        self._many += 1
        metrics.FEED_READERS_WAITING.inc()
        if self._poller is None or self._poller.done():
            # In a context of its own: it is nobody's request, and belongs to no trace.
            self._poller = asyncio.create_task(self._poll(), context=contextvars.Context())

    def _leave(self, company_id: UUID, due: _Due) -> None:
        readers = self._due[company_id]
        readers.discard(due)
        if not readers:
            del self._due[company_id]
        self._many -= 1
        metrics.FEED_READERS_WAITING.dec()

    async def _poll(self) -> None:
        while self._due and not self._closed:
            await asyncio.sleep(self._interval_s)
            if not self._due:
                break
            try:
                heads = await self._ask_heads(list(self._due))
            except (DomainError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                # The readers' own time ends their waiting; what is wrong with the database they hear when they read.
                log.warning("feed_heads_not_read", error=type(error).__name__)
                continue
            for company_id, head in heads.items():
                for after, woken in self._due.get(company_id, ()):
                    if head > after:
                        _settle(woken, True)


def _settle(woken: "asyncio.Future[bool]", found: bool) -> None:
    if not woken.done():
        woken.set_result(found)
