"""The journal's first half: exchanges are noted in memory, and handed over to directory behind the requests.

    answered -> keep (bounded) -> about every second, or as soon as a batch is full -> directory, each under its credential

Nothing of it is on the path of a request, and no failure of it reaches one. What is in memory is lost when the process dies;
what changed an employee stands in the history all the same, which is written with the change (ADR 15).

Each company's batch is a transaction of its own. A second therefore serves so many companies and no more, those that have waited
longest; of a thousand that send now and then, several exchanges go in one, instead of a transaction for each.
"""

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import msgspec
from starlette.requests import Request

from scim_ingest import metrics
from scim_ingest.notes import Note, to_exchange
from scim_ingest.recorder import Recorder
from scim_ingest.waiting import Waiting, by_credential
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import ScimCredential
from shared.schemas.journal import ExchangeBatch, NoteExchanges
from shared.telemetry import context
from shared.telemetry.logs import EventLog

COMPANIES_AT_ONCE = 50
MAX_WAIT_S = 30.0
"""Between two attempts, while directory cannot be reached."""
MESSAGE_BYTES = 2 * 1024 * 1024
"""Of what is handed over at once; directory takes twice as much."""
LAST_S = 5.0
"""For what is left when the service stops."""


class Journal:
    def __init__(self, directory: DirectoryClient, log: EventLog, *, every_s: float = 1.0) -> None:
        self._directory = directory
        self._log = log
        self._every_s = every_s
        self._waiting = Waiting()
        self._made = 0
        self._full = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def keep(self, request: Request, recorder: Recorder, activity_id: str, seconds: float) -> None:
        """Called when the answer is made. Whatever came without a credential is nobody's."""
        credential = recorder.credential
        if credential is None:
            return
        note = Note(
            self._id_of(seconds),
            credential,
            request.method,
            request.scope["path"],
            request.scope["query_string"],
            activity_id,
            context.request_id.get(),
            seconds * 1000,
            recorder,
        )
        if not self._waiting.add(note):
            metrics.JOURNAL.labels("no_room").inc()
        elif self._waiting.fills_a_batch(credential):
            self._full.set()

    def _id_of(self, seconds_ago: float) -> str:
        """A UUIDv7 of that moment. A counter keeps those of one millisecond in their order (RFC 9562 section 6.2)."""
        self._made += 1
        milliseconds = int((time.time() - seconds_ago) * 1000)
        chance = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
        return f"{milliseconds << 80 | 0x7 << 76 | (self._made & 0xFFF) << 64 | 0x2 << 62 | chance:032x}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hands over while inside, and what is left at the end."""
        task = asyncio.create_task(self._hand_over_for_ever())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._hand_over_the_rest()

    async def _hand_over_for_ever(self) -> None:
        loop, wait_s = asyncio.get_running_loop(), self._every_s
        due_at = loop.time() + wait_s
        while True:
            if wait_s > self._every_s:
                await asyncio.sleep(wait_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), max(0.0, due_at - loop.time()))
            self._full.clear()
            due = self._waiting.filled()
            if loop.time() >= due_at:
                due_at = loop.time() + self._every_s
                due = self._waiting.longest(None if self._waiting.is_pressed else COMPANIES_AT_ONCE) | due
            wait_s = self._every_s if await self._hand_over_what_is(due) else min(wait_s * 2, MAX_WAIT_S)

    async def _hand_over_the_rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self._hand_over_what_is(self._waiting.longest(None))
        if self._waiting:
            self._log.error("journal_lost", exchanges=len(self._waiting))
            metrics.JOURNAL.labels("lost").inc(len(self._waiting))

    async def _hand_over_what_is(self, due: dict[ScimCredential, int]) -> bool:
        """False as soon as directory cannot be reached."""
        again: list[Note] = []
        try:
            while taken := self._waiting.take(due):
                if not await self._hand_over(taken, again):
                    return False
            return True
        finally:
            self._waiting.put_back(again)

    async def _hand_over(self, taken: list[Note], again: list[Note]) -> bool:
        """What is to be given once more stands in `again` then. False when directory cannot be reached."""
        try:
            # Reading bodies once more takes processor time: beside the loop, so that no request waits for it.
            rest = deque(await asyncio.to_thread(_messages, by_credential(taken)))
        except asyncio.CancelledError:
            again += taken
            raise
        except Exception as error:
            self._lost(taken, error)
            return True
        while rest:
            try:
                again += await self._send(rest[0])
            except asyncio.CancelledError:
                again += _notes_in(rest)
                raise
            except Exception as error:
                if isinstance(error, DomainError) and error.code is ErrorCode.unavailable:
                    waiting = _notes_in(rest)
                    again += waiting
                    metrics.JOURNAL.labels("again").inc(len(waiting))
                    self._log.warning("journal_waits", exchanges=len(self._waiting), reason=error.detail)
                    return False
                if len(rest[0]) > 1:
                    # Of one company, perhaps; the others' have done nothing wrong.
                    rest.extendleft([one] for one in reversed(rest.popleft()))
                    continue
                self._lost(_notes_in([rest[0]]), error)
            rest.popleft()
        return True

    async def _send(self, message: list["_Batch"]) -> list[Note]:
        """Those of companies that could not take them now. Raises DomainError where nobody could."""
        answer = await self._directory.note_exchanges(NoteExchanges(batches=[one.batch for one in message]))
        again: list[Note] = []
        for outcome, one in zip(answer.outcomes, message, strict=True):
            metrics.JOURNAL.labels(outcome).inc(len(one.notes))
            if outcome == "again":
                again += one.notes
        return again

    def _lost(self, taken: list[Note], error: Exception) -> None:
        """Not given again: it would keep all others from going."""
        self._log.error("journal_failed", exc_info=True, exchanges=len(taken), error=type(error).__name__)
        metrics.JOURNAL.labels("lost").inc(len(taken))


@dataclass(frozen=True, slots=True)
class _Batch:
    """Of one credential, in one message."""

    notes: list[Note]
    batch: ExchangeBatch


def _messages(grouped: dict[ScimCredential, list[Note]]) -> list[list[_Batch]]:
    """In their order, none larger than directory takes."""
    messages: list[list[_Batch]] = [[]]
    room = MESSAGE_BYTES
    for credential, notes in grouped.items():
        batch = _Batch([], ExchangeBatch(credential=credential, exchanges=[]))
        for note in notes:
            exchange = to_exchange(note)
            size = len(_encoder.encode(exchange))
            if size > room and (batch.notes or messages[-1]):
                messages[-1] += [batch] if batch.notes else []
                messages.append([])
                batch, room = _Batch([], ExchangeBatch(credential=credential, exchanges=[])), MESSAGE_BYTES
            batch.notes.append(note)
            batch.batch.exchanges.append(exchange)
            room -= size
        messages[-1].append(batch)
    return messages


def _notes_in(messages: Iterable[list[_Batch]]) -> list[Note]:
    return [note for message in messages for one in message for note in one.notes]


_encoder = msgspec.json.Encoder()
