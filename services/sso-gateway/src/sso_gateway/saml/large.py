"""Large forms: read where the company has a place for them, understood beside the event loop.

A response is 5 KB, with 150 groups 16; Entra sends no more groups. One of 190 KB, which fits into a form, takes some 40 ms to
take apart, and nobody else is to wait for it. Whoever sends such ones shares the company's places; all other logins go on.

    announced and at most LARGE_BYTES  -> read, understood at once
    more, or nothing announced         -> a place of the company -> read, understood in one of two threads
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from starlette.requests import Request

from shared.http.body import announces_at_most
from shared.http.places import NoPlace, Places
from sso_gateway.limits import TooManyRequests

LARGE_BYTES = 32 * 1024
AT_ONCE = 2
"""Of one company."""
PATIENCE_S = 5.0
RETRY_AFTER_S = 5
THREADS = 2
"""Of the process: each may hold Python for five milliseconds before the event loop has its turn."""

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class LargeForms:
    """Guards the places and the threads."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._places = Places(at_once=AT_ONCE, patience_s=patience_s)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="large-form")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def place(self, company: str, request: Request) -> AsyncIterator[None]:
        """For a large form one of the company's, which must exist. Raises TooManyRequests."""
        if announces_at_most(request, LARGE_BYTES):
            yield
            return
        try:
            async with self._places.place(company):
                yield
        except NoPlace:
            raise TooManyRequests("acs", "company", RETRY_AFTER_S) from None

    async def understood(self, raw: bytes, read: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        """What `read` makes of `raw`, which is among its arguments; beside the event loop if it is large."""
        if len(raw) <= LARGE_BYTES:
            return read(*args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: read(*args, **kwargs))
