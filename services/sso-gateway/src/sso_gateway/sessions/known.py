"""Whose a session is, as directory said within the last second.

    opened here less than a second ago    -> what was said when it was opened, without a call
    asked about less than a second ago    -> that answer, without a call
    being asked about at this moment      -> the same question, where it was put less than a second ago
    otherwise                             -> asked

The second counts from before the question was put. So a session that has ended is refused here within a second by construction,
whatever becomes of the notification (`watching.py`), which makes it quicker: what it names is forgotten at once, and an
answer that was on its way when it came is given to whoever asked before and to nobody after him. Only live sessions are
remembered, so many at most; nothing is asked by itself. A session is remembered under its company and its hash, so that what is
known of one company's says nothing of another's.
"""

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
    person: SignedIn
    body: bytes
    """The same as JSON."""


@dataclass(slots=True)
class _Question:
    asked_at: float
    answer: "asyncio.Task[Known | None]"
    overtaken: bool = False
    """Something of the company ended since it was put: its answer may be of before."""


@dataclass(slots=True, eq=False)
class Opening:
    """A session that is being opened, which nobody can ask about yet."""

    asked_at: float
    session: SessionCredential
    overtaken: bool = False
    """As of a question."""


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
        self._known: OrderedDict[SessionCredential, Known] = OrderedDict()
        self._asking: dict[SessionCredential, _Question] = {}
        self._openings: set[Opening] = set()

    def __len__(self) -> int:
        return len(self._known)

    async def read(self, session: SessionCredential) -> Known | None:
        """None for a session that is not (any more). Raises DomainError `unavailable`."""
        now = self._now()
        known = self._known.get(session)
        if known is not None and now - known.asked_at < REMEMBERED_S:
            metrics.SESSION_READS.labels("remembered").inc()
            return known if known.person.expires_at > self._clock() else None
        question = self._asking.get(session)
        if question is None or now - question.asked_at >= REMEMBERED_S:
            question = self._ask(session, now)
        else:
            metrics.SESSION_READS.labels("joined").inc()
        # Shielded: that the first to ask goes away must not fail those who wait with him.
        return await asyncio.shield(question.answer)

    @contextmanager
    def opening(self, session: SessionCredential) -> Iterator[Opening]:
        """Around the call that opens it, so that nothing that ends meanwhile is missed."""
        opening = Opening(self._now(), session)
        self._openings.add(opening)
        try:
            yield opening
        finally:
            self._openings.discard(opening)

    def opened(self, opening: Opening, person: SignedIn) -> None:
        """Whoever was sent on with it asks in a moment."""
        if not opening.overtaken:
            self._remember(opening.session, Known(opening.asked_at, person, _encoder.encode(person)))

    def forget(self, session: SessionCredential) -> None:
        """It has ended, or is about to."""
        self._known.pop(session, None)
        self._overtake({session} & self._asking.keys())

    def forget_ended(self, endings: Iterable[Ending]) -> None:
        everybody = {one.company_id for one in endings if one.employee_id is None}
        people = {(one.company_id, one.employee_id) for one in endings}
        companies = {one.company_id for one in endings}
        ended = [
            session
            for session, known in self._known.items()
            if session.company_id in everybody or (session.company_id, known.person.employee_id) in people
        ]
        for session in ended:
            del self._known[session]
        # Whose those are is known with the answer only.
        self._overtake(session for session in self._asking if session.company_id in companies)
        for opening in self._openings:
            opening.overtaken |= opening.session.company_id in companies

    def forget_all(self) -> None:
        self._known.clear()
        self._overtake(self._asking)
        for opening in self._openings:
            opening.overtaken = True

    def _overtake(self, sessions: Iterable[SessionCredential]) -> None:
        for session in list(sessions):
            self._asking.pop(session).overtaken = True

    def _ask(self, session: SessionCredential, now: float) -> _Question:
        metrics.SESSION_READS.labels("asked").inc()
        question: _Question

        async def ask() -> Known | None:
            known = await self._answered(session, now)
            if known is not None and not question.overtaken:
                self._remember(session, known)
            return known

        question = _Question(now, asyncio.create_task(ask()))
        self._asking[session] = question
        question.answer.add_done_callback(lambda _: self._settle(session, question))
        return question

    def _settle(self, session: SessionCredential, question: _Question) -> None:
        if self._asking.get(session) is question:
            del self._asking[session]
        if not question.answer.cancelled():
            question.answer.exception()  # whoever asked may have gone

    async def _answered(self, session: SessionCredential, asked_at: float) -> Known | None:
        try:
            person = await self._client.read_session(ReadSession(session=session))
        except DomainError as error:
            if error.code is ErrorCode.unauthorized:
                return None
            raise
        return Known(asked_at, person, _encoder.encode(person))

    def _remember(self, session: SessionCredential, known: Known) -> None:
        self._known[session] = known
        self._known.move_to_end(session)
        # What has had its second goes, two at a time: that is more than can be added.
        now = self._now()
        for oldest in list(itertools.islice(self._known, 2)):
            if len(self._known) <= self._most and now - self._known[oldest].asked_at < REMEMBERED_S:
                return
            del self._known[oldest]
