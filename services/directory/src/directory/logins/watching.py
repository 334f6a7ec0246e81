"""Who waits to hear that sessions have ended, and what has been heard lately.

A gateway remembers a session for a second; so that a refusal need not wait for that, each gateway keeps one question open
here: what has ended since the place where I was? PostgreSQL tells every process of directory (`listening.py`), which keeps the
last few thousand endings in memory and answers.

    the place is known                         -> everything since then, at once or when there is something
    another process', too long ago, or the
    connection that listens was lost since     -> "you may have missed something": forget everything
    the service stops                          -> refused, ask another process

Nothing depends on this being heard; it only makes quick what is right anyway after a second.
"""

import asyncio
import secrets
from collections import deque
from uuid import UUID

from directory import metrics
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text
from shared.schemas.login import Ending, Endings, WatchEndings
from shared.telemetry.logs import EventLog

log = EventLog("directory")

CHANNEL = "sessions_ended"
REMEMBERED = 4096
WATCHERS_MAX = 1000


class EndingsHeard:
    """One for each process. Guards what was heard; a `listening.Listener`."""

    def __init__(self, *, remembered: int = REMEMBERED, watchers_max: int = WATCHERS_MAX) -> None:
        self._watchers_max = watchers_max
        self._endings: deque[Ending] = deque(maxlen=remembered)
        self._heard = 0
        self._listening = False
        self._line = ""
        self._break_line()
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False

    def heard(self, payload: str) -> None:
        """`company/employee`, or `company/` where it is everybody."""
        company, _, employee = payload.partition("/")
        try:
            company_id, employee_id = UUID(company), UUID(employee) if employee else None
        except ValueError:
            log.warning("ending_not_understood")
            self._break_line()
        else:
            told = employee_text(employee_id) if employee_id else None
            self._endings.append(Ending(company_id=str(company_id), employee_id=told))
            self._heard += 1
        metrics.ENDINGS_HEARD.inc()
        self._wake()

    def connected(self) -> None:
        self._listening = True
        # What was told in between nobody has heard.
        self._break_line()
        self._wake()

    def lost(self) -> None:
        self._listening = False
        self._break_line()
        self._wake()

    def close(self) -> None:
        """From now on nobody waits."""
        self._closed = True
        self._wake()

    async def since(self, request: WatchEndings) -> Endings:
        """Raises DomainError `unavailable` when too many wait already, or the service stops."""
        if self._closed or len(self._waiting) >= self._watchers_max:
            raise DomainError(ErrorCode.unavailable, "Nobody can wait here at the moment; ask again.")
        answer = self._answer(request.cursor)
        if answer is not None:
            return answer
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(woken)
        metrics.ENDINGS_WATCHERS.inc()
        try:
            async with asyncio.timeout(request.wait_s):
                await woken
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(woken)
            metrics.ENDINGS_WATCHERS.dec()
        return self._answer(request.cursor) or self._all_told([])

    def _answer(self, cursor: str) -> Endings | None:
        """None: nothing has happened since."""
        line, _, place = cursor.rpartition(".")
        behind = self._heard - int(place) if line == self._line and place.isdecimal() else -1
        if not 0 <= behind <= len(self._endings):
            return Endings(cursor=self._cursor(), missed=True, listening=self._listening)
        return self._all_told(list(self._endings)[-behind:]) if behind else None

    def _all_told(self, endings: list[Ending]) -> Endings:
        return Endings(cursor=self._cursor(), endings=endings, listening=self._listening)

    def _cursor(self) -> str:
        return f"{self._line}.{self._heard}"

    def _break_line(self) -> None:
        self._line = secrets.token_hex(8)

    def _wake(self) -> None:
        for woken in self._waiting:
            if not woken.done():
                woken.set_result(None)
