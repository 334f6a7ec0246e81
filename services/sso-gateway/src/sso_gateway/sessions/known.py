"""Whose a session is, as directory said within the last second.

    asked about less than a second ago    -> that answer, without a call
    being asked about at this moment      -> the same question, where it was put less than a second ago
    otherwise                             -> asked

The second counts from before the question was put. So a session that has ended is refused here within a second by construction,
whatever becomes of the notification (`watching.py`), which makes it quicker: what it names is forgotten at once, and an
answer that was on its way when it came is given to whoever asked before and to nobody after him. Only live sessions are
remembered, so many at most; nothing is asked by itself.
"""

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from shared.clock import Clock
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.login import Ending, ReadSession, SessionCredential, SignedIn
from sso_gateway import metrics

REMEMBERED_S = 1.0
"""The promise is a refusal on every process within one second (decision D11)."""
MAX_REMEMBERED = 5_000
"""More than a process can answer for in a second; about 8 MiB. The oldest goes first, and is asked about again."""

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Known:
    """What is said of a live session."""

    asked_at: float
    company_id: str
    person: SignedIn
    body: bytes
    """The same as JSON."""


@dataclass(slots=True)
class _Question:
    asked_at: float
    company_id: str
    answer: "asyncio.Task[Known | None]"
    overtaken: bool = False
    """Something of the company ended since it was put: its answer may be of before."""


class Sessions:
    """Guards what is remembered. `now`: seconds of a clock that never goes back."""

    def __init__(
        self,
        client: DirectoryClient,
        clock: Clock,
        *,
        now: Callable[[], float] = time.monotonic,
        most: int = MAX_REMEMBERED,
    ) -> None:
        self._client = client
        self._clock = clock
        self._now = now
        self._most = most
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._asking: dict[str, _Question] = {}

    def __len__(self) -> int:
        return len(self._known)

    async def read(self, session: SessionCredential) -> Known | None:
        """None for a session that is not (any more). Raises DomainError `unavailable`."""
        now, key = self._now(), session.session_sha256
        known = self._known.get(key)
        # The hash is of the whole token, and so of one company only; that it is the one named was proven by directory.
        if known is not None and now - known.asked_at < REMEMBERED_S and known.company_id == session.company_id:
            metrics.SESSION_READS.labels("remembered").inc()
            return known if known.person.expires_at > self._clock() else None
        question = self._asking.get(key)
        if question is None or now - question.asked_at >= REMEMBERED_S:
            question = self._ask(session, now)
        else:
            metrics.SESSION_READS.labels("joined").inc()
        # Shielded: that the first to ask goes away must not fail those who wait with him.
        return await asyncio.shield(question.answer)

    def forget(self, session: SessionCredential) -> None:
        """It has ended, or is about to."""
        self._known.pop(session.session_sha256, None)
        self._overtake(key for key in self._asking if key == session.session_sha256)

    def forget_ended(self, endings: Iterable[Ending]) -> None:
        everybody = {one.company_id for one in endings if one.employee_id is None}
        people = {(one.company_id, one.employee_id) for one in endings}
        companies = {one.company_id for one in endings}
        ended = [
            key
            for key, known in self._known.items()
            if known.company_id in everybody or (known.company_id, known.person.employee_id) in people
        ]
        for key in ended:
            del self._known[key]
        # Whose those are is known with the answer only.
        self._overtake(key for key, question in self._asking.items() if question.company_id in companies)

    def forget_all(self) -> None:
        self._known.clear()
        self._overtake(self._asking)

    def _overtake(self, keys: Iterable[str]) -> None:
        for key in list(keys):
            self._asking.pop(key).overtaken = True

    def _ask(self, session: SessionCredential, now: float) -> _Question:
        metrics.SESSION_READS.labels("asked").inc()
        question: _Question

        async def ask() -> Known | None:
            known = await self._answered(session, now)
            if known is not None and not question.overtaken:
                self._remember(session.session_sha256, known)
            return known

        question = _Question(now, session.company_id, asyncio.create_task(ask()))
        self._asking[session.session_sha256] = question
        question.answer.add_done_callback(lambda _: self._settle(session.session_sha256, question))
        return question

    def _settle(self, key: str, question: _Question) -> None:
        if self._asking.get(key) is question:
            del self._asking[key]
        if not question.answer.cancelled():
            question.answer.exception()  # whoever asked may have gone

    async def _answered(self, session: SessionCredential, asked_at: float) -> Known | None:
        try:
            person = await self._client.read_session(ReadSession(session=session))
        except DomainError as error:
            if error.code is ErrorCode.unauthorized:
                return None
            raise
        return Known(asked_at, session.company_id, person, _encoder.encode(person))

    def _remember(self, key: str, known: Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        # What has had its second goes, two at a time: that is more than can be added.
        now = self._now()
        for oldest in list(itertools.islice(self._known, 2)):
            if len(self._known) <= self._most and now - self._known[oldest].asked_at < REMEMBERED_S:
                return
            del self._known[oldest]
