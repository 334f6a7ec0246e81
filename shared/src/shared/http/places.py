"""A few at once of each: whoever comes beyond that waits for a place, for a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class NoPlace(Exception):
    """None came free in time."""


class Places:
    """Of each company, say; one is remembered as long as somebody of it is there."""

    def __init__(self, *, at_once: int, patience_s: float) -> None:
        self._at_once = at_once
        self._patience_s = patience_s
        self._taken: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def place(self, of: str) -> AsyncIterator[None]:
        """Raises NoPlace."""
        places, people = self._taken.get(of) or (asyncio.Semaphore(self._at_once), 0)
        self._taken[of] = (places, people + 1)
        try:
            async with self._free(places):
                yield
        finally:
            people = self._taken[of][1] - 1
            self._taken[of] = (places, people)
            if not people:
                del self._taken[of]

    @asynccontextmanager
    async def _free(self, places: asyncio.Semaphore) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience_s):
                await places.acquire()
        except TimeoutError:
            raise NoPlace from None
        try:
            yield
        finally:
            places.release()

    def __len__(self) -> int:
        return len(self._taken)
