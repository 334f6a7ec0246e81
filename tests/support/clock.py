"""A clock that a test sets; it stands on the machine's until then."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime


class SettableClock:
    def __init__(self) -> None:
        self._moment: datetime | None = None

    def __call__(self) -> datetime:
        return self._moment or datetime.now(UTC)

    def set(self, moment: datetime | None) -> None:
        """None: the machine's time again."""
        self._moment = moment


def remembering_no_session() -> Callable[[], float]:
    """Seconds for a gateway to which every question is put more than a second after the last: so that a test need not wait for
    word to get around. What remembering does is shown in `test_revocation.py`."""
    return itertools.count(step=2.0).__next__


class Seconds:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def until(true: Callable[[], Awaitable[bool]] | Callable[[], bool], *, within_s: float = 10.0) -> None:
    """For what has no event that a test could wait for."""
    async with asyncio.timeout(within_s):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.001)
