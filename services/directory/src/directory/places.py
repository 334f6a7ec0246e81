"""A company's share of the pool: whoever waits for a lock of his own company keeps no other company waiting.

An import, a cut-over or a large change of a group holds up what else happens in its company, for seconds. Each request that
waits for it holds a connection, and so one company's traffic could take them all. Hence a line in front of the pool for each
company and way into it (by token, by name, by id); a credential stands in a line of its own until it is known whose it is.

    ask for a place --(one is free)--> connection of the pool
                    --(none for five seconds)--> refused, to be asked again
"""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from directory import metrics
from shared.errors import DomainError, ErrorCode

PATIENCE_S = 5.0


@dataclass(slots=True)
class _Line:
    places: asyncio.Semaphore
    people: int = 0
    """Who has a place, and who waits for one."""


class Places:
    """So many for each key; a key is remembered as long as somebody is there by it."""

    def __init__(self, of_each: int, *, patience_s: float = PATIENCE_S) -> None:
        self._of_each = of_each
        self._patience_s = patience_s
        self._lines: dict[Hashable, _Line] = {}

    def __len__(self) -> int:
        return len(self._lines)

    @asynccontextmanager
    async def place(self, key: Hashable) -> AsyncIterator[None]:
        """Raises DomainError `unavailable` when no place comes free in time."""
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(asyncio.Semaphore(self._of_each))
        line.people += 1
        try:
            await self._wait(line)
            try:
                yield
            finally:
                line.places.release()
        finally:
            line.people -= 1
            if not line.people:
                del self._lines[key]

    async def _wait(self, line: _Line) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await line.places.acquire()
        except TimeoutError:
            metrics.PLACES_REFUSED.inc()
            raise DomainError(
                ErrorCode.unavailable, "Too many requests of the company wait for each other; try again."
            ) from None
