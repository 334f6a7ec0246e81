"""Large bodies: read once it is known whose they are, understood beside the event loop, one at a time of each company.

A body of a megabyte can take most of a second to understand, and nobody else is to wait for it. What Entra sends about a person
is far below the bound; a PATCH with thousands of members is above it.

    at most LARGE_BYTES  -> read, understood at once
    more                 -> is the token good? -> read -> a place of the company -> understood in a thread
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from scim_ingest.protocol.errors import ScimError

LARGE_BYTES = 8 * 1024
AT_ONCE = 1
"""Of one company."""
PATIENCE_S = 5.0


def is_large(request: Request) -> bool:
    """By what is announced; what announces no length may have any."""
    if request.method not in ("POST", "PUT", "PATCH"):
        return False
    announced = request.headers.get("content-length", "")
    return not (announced.isascii() and announced.isdigit() and len(announced) < 10 and int(announced) <= LARGE_BYTES)


class Places:
    """Of each company; one is remembered as long as somebody of it is there."""

    def __init__(self, *, at_once: int = AT_ONCE, patience_s: float = PATIENCE_S) -> None:
        self._at_once = at_once
        self._patience_s = patience_s
        self._taken: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def place(self, company: str) -> AsyncIterator[None]:
        """Raises ScimError 429 where none comes free in time."""
        places, people = self._taken.get(company) or (asyncio.Semaphore(self._at_once), 0)
        self._taken[company] = (places, people + 1)
        try:
            async with self._free(places):
                yield
        finally:
            people = self._taken[company][1] - 1
            self._taken[company] = (places, people)
            if not people:
                del self._taken[company]

    @asynccontextmanager
    async def _free(self, places: asyncio.Semaphore) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience_s):
                await places.acquire()
        except TimeoutError:
            raise ScimError(
                429,
                f"Bodies of more than {LARGE_BYTES:,} bytes are read one by one, and those before this one took too long. "
                f"Send it again.",
                headers={"Retry-After": "5"},
            ) from None
        try:
            yield
        finally:
            places.release()

    def __len__(self) -> int:
        return len(self._taken)
