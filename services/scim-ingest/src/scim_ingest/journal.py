"""The journal's first half: exchanges are noted in memory, and handed over to directory behind the requests.

    answered -> keep (bounded) -> about every second, or as soon as a batch is full -> directory, each under its credential

Nothing of it is on the path of a request, and no failure of it reaches one. What is in memory is lost when the process dies;
what changed an employee stands in the history all the same, which is written with the change (ADR 13).
"""

import asyncio
import contextlib
import itertools
import os
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import UNSET
from starlette.requests import Request

from scim_ingest import metrics, redaction
from scim_ingest.protocol.attributes import path_of_field
from scim_ingest.recorder import Recorder
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import ScimCredential
from shared.schemas.journal import Asked, Exchange, ExchangeBatch, NoteExchanges
from shared.telemetry import context
from shared.telemetry.logs import EventLog

BATCH = 200
BATCH_BYTES = 1024 * 1024
MAX_NOTES = 10_000
MAX_BYTES = 32 * 1024 * 1024
"""Of bodies that wait."""
MAX_UNPROVEN, MAX_UNPROVEN_EACH = 1000, 50
"""Exchanges whose credential directory has not judged: few, in all and of each, so that strangers cannot fill the memory."""
MAX_ASKED_BYTES = 64 * 1024
MAX_WAIT_S = 30.0
"""Between two attempts, while directory cannot take them."""
LAST_S = 5.0
"""For what is left when the service stops."""


@dataclass(slots=True)
class Note:
    """An exchange as it was answered."""

    exchange_id: str
    credential: ScimCredential
    method: str
    path: str
    query: bytes
    activity_id: str
    request_id: str
    took_ms: float
    recorder: Recorder


class Journal:
    def __init__(self, directory: DirectoryClient, log: EventLog, *, every_s: float = 1.0) -> None:
        self._directory = directory
        self._log = log
        self._every_s = every_s
        self._notes: deque[Note] = deque()
        self._bytes = 0
        self._made = 0
        self._unproven: Counter[str] = Counter()
        self._full = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._notes)

    def keep(self, request: Request, recorder: Recorder, activity_id: str, seconds: float) -> None:
        """Called when the answer is made. Whatever came without a credential is nobody's."""
        credential = recorder.credential
        if credential is None:
            return
        if not self._has_room(recorder, credential):
            metrics.JOURNAL.labels("no_room").inc()
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
        self._notes.append(note)
        self._count(note, 1)
        if len(self._notes) >= BATCH:
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

    def _has_room(self, recorder: Recorder, credential: ScimCredential) -> bool:
        if not recorder.proven and (
            self._unproven.total() >= MAX_UNPROVEN or self._unproven[credential.token_sha256] >= MAX_UNPROVEN_EACH
        ):
            return False
        return len(self._notes) < MAX_NOTES and self._bytes + len(recorder.body) <= MAX_BYTES

    def _count(self, note: Note, sign: int) -> None:
        self._bytes += sign * len(note.recorder.body)
        if not note.recorder.proven:
            whose = note.credential.token_sha256
            self._unproven[whose] += sign
            if not self._unproven[whose]:
                del self._unproven[whose]
        metrics.JOURNAL_WAITING.set(len(self._notes))

    async def _hand_over_for_ever(self) -> None:
        wait_s = self._every_s
        while True:
            if wait_s > self._every_s:
                await asyncio.sleep(wait_s)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), wait_s)
            self._full.clear()
            wait_s = self._every_s if await self._hand_over_all() else min(wait_s * 2, MAX_WAIT_S)

    async def _hand_over_the_rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self._hand_over_all()
        if self._notes:
            self._log.error("journal_lost", exchanges=len(self._notes))
            metrics.JOURNAL.labels("lost").inc(len(self._notes))

    async def _hand_over_all(self) -> bool:
        """All that waits now. False as soon as directory cannot take some."""
        waiting = len(self._notes)
        while waiting > 0:
            taken = self._next_batch(waiting)
            waiting -= len(taken)
            try:
                again = await self._hand_over(taken)
            except asyncio.CancelledError:
                self._put_back(taken)
                raise
            except Exception:
                # Not given again: it would keep all others from going.
                self._log.error("journal_failed", exc_info=True, exchanges=len(taken))
                metrics.JOURNAL.labels("lost").inc(len(taken))
                continue
            if again:
                self._put_back(again)
                return False
        return True

    def _next_batch(self, at_most: int) -> list[Note]:
        taken: list[Note] = []
        size = 0
        while self._notes and len(taken) < min(BATCH, at_most):
            size += min(len(self._notes[0].recorder.body), redaction.KEPT_CHARACTERS)
            if taken and size > BATCH_BYTES:
                break
            note = self._notes.popleft()
            self._count(note, -1)
            taken.append(note)
        return taken

    def _put_back(self, notes: Sequence[Note]) -> None:
        """In front, in their order; there is room, for it was theirs. What came meanwhile waits behind them."""
        for note in reversed(notes):
            self._notes.appendleft(note)
            self._count(note, 1)

    async def _hand_over(self, notes: list[Note]) -> list[Note]:
        """Those that must be given again."""
        grouped: dict[ScimCredential, list[Note]] = {}
        for note in notes:
            grouped.setdefault(note.credential, []).append(note)
        # Reading bodies once more takes processor time: beside the loop, so that no request waits for it.
        batches = await asyncio.to_thread(_batches, grouped)
        try:
            answer = await self._directory.note_exchanges(NoteExchanges(batches=batches))
        except DomainError as error:
            if error.code is ErrorCode.unavailable:
                self._log.warning("journal_waits", exchanges=len(notes), reason=error.detail)
                metrics.JOURNAL.labels("again").inc(len(notes))
                return notes
            self._log.error("journal_unfit", exchanges=len(notes), reason=error.detail)
            metrics.JOURNAL.labels("unfit").inc(len(notes))
            return []
        again: list[Note] = []
        for outcome, some in zip(answer.outcomes, grouped.values(), strict=True):
            metrics.JOURNAL.labels(outcome).inc(len(some))
            if outcome == "again":
                again += some
        return again


def _batches(grouped: dict[ScimCredential, list[Note]]) -> list[ExchangeBatch]:
    return [
        ExchangeBatch(credential=credential, exchanges=[to_exchange(note) for note in notes])
        for credential, notes in grouped.items()
    ]


def to_exchange(note: Note) -> Exchange:
    """What is handed over of it: no secret, nothing that cannot be stored, nothing without a bound."""
    recorder, token = note.recorder, note.recorder.token
    names, mentions = redaction.named_in(recorder.body) if recorder.body else ([], [])
    names += redaction.named_in_query(note.query)
    if not recorder.names and not recorder.about:
        # Refused before anybody was asked: an address in it is whom it is about.
        names, mentions = names + mentions, []
    return Exchange(
        exchange_id=note.exchange_id,
        method=note.method[:20],
        path=_shown(_below_the_tenant_url(note.path), 300, token),
        query=redaction.kept_query(note.query, token),
        activity_id=note.activity_id.lower(),
        request_id=note.request_id,
        status=recorder.status,
        result=recorder.result,
        scim_type=recorder.scim_type,
        detail=_shown(recorder.detail, 1000, token) if recorder.detail else None,
        took_ms=round(note.took_ms, 2),
        attributes=attributes_of(recorder.asked) if recorder.asked is not None else [],
        ignored=[_shown(name, 200, token) for name in recorder.ignored],
        coerced=recorder.coerced,
        left_out=[_shown(sentence, 500, token) for sentence in recorder.left_out],
        about=list(recorder.about),
        names=_people(recorder.names, names),
        mentions=_people(recorder.mentions, mentions),
        asked=_kept(recorder.asked, token),
        body=redaction.kept_body(recorder.body, token),
        body_bytes=len(recorder.body),
    )


def attributes_of(asked: Asked) -> list[str]:
    """By SCIM path: what a request gives a value, or clears. A PUT clears whatever it does not mention: that is not told."""
    said = asked.employee if asked.what == "provision" else asked.changes
    if said is None:
        return []
    nothing = (None, UNSET) if asked.replaces or asked.what == "provision" else (UNSET,)
    fields = (name for name in said.__struct_fields__ if not any(getattr(said, name) is one for one in nothing))
    return [path_of_field(name) or name for name in fields]


def _below_the_tenant_url(path: str) -> str:
    """`/scim/v2/{company}/Users/x` -> `/Users/x`"""
    parts = path.split("/", 4)
    return "/" + (parts[4] if len(parts) > 4 else "")


def _shown(text: str, longest: int, token: str) -> str:
    return redaction.plain(text, token)[:longest]


def _people(*named: "dict[str, None] | list[str]") -> list[str]:
    return list(dict.fromkeys(redaction.plain(name, "")[:600] for name in itertools.chain(*named)))[:1000]


def _kept(asked: Asked | None, token: str) -> Asked | None:
    """None where it is too long to be done again, or holds what is no text, or the token."""
    if asked is None:
        return None
    try:
        encoded = msgspec.json.encode(asked)
    except (ValueError, UnicodeError):
        return None
    fits = len(encoded) <= MAX_ASKED_BYTES and b"\\u0000" not in encoded and not (token and token.encode() in encoded)
    return asked if fits else None
