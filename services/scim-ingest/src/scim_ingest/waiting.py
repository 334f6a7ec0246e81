"""Exchanges that wait in memory until directory has them: by credential, and bounded in every way in which they could grow."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import islice

from scim_ingest import metrics, redaction
from scim_ingest.notes import Note
from shared.schemas.employee import ScimCredential

BATCH = 200
BATCH_BYTES = 1024 * 1024
MAX_NOTES = 10_000
MAX_BYTES = 32 * 1024 * 1024
"""Of what they hold, about."""
MAX_UNPROVEN, MAX_UNPROVEN_EACH = 1000, 50
"""Exchanges whose credential directory has not judged: few, in all and of each, so that strangers cannot fill the memory."""


class Waiting:
    def __init__(self) -> None:
        self._of: dict[ScimCredential, deque[Note]] = {}
        self._many = 0
        self._bytes = 0
        self._unproven: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._many

    @property
    def is_pressed(self) -> bool:
        """Half of the room is taken."""
        return self._many > MAX_NOTES // 2 or self._bytes > MAX_BYTES // 2

    def add(self, note: Note) -> bool:
        """False where there is no room for it."""
        if not self._has_room(note):
            return False
        self._of.setdefault(note.credential, deque()).append(note)
        self._count(note, 1)
        return True

    def fills_a_batch(self, credential: ScimCredential) -> bool:
        return len(self._of.get(credential, ())) >= BATCH

    def longest(self, at_most: int | None) -> dict[ScimCredential, int]:
        """Credentials with how many wait, those first whose first came first."""
        return {credential: len(notes) for credential, notes in islice(self._of.items(), at_most)}

    def filled(self) -> dict[ScimCredential, int]:
        """The same of those that fill a batch."""
        return {credential: len(notes) for credential, notes in self._of.items() if len(notes) >= BATCH}

    def take(self, due: dict[ScimCredential, int]) -> list[Note]:
        """A batch of what is due, which becomes less by it; empty when nothing is left of it."""
        taken: list[Note] = []
        size = 0
        for credential in list(due):
            notes = self._of.get(credential, deque())
            while notes and due[credential] and len(taken) < BATCH:
                size += min(len(notes[0].recorder.body), redaction.KEPT_CHARACTERS)
                if taken and size > BATCH_BYTES:
                    return taken
                taken.append(notes.popleft())
                due[credential] -= 1
                self._count(taken[-1], -1)
            if not notes:
                self._of.pop(credential, None)
            if notes and due[credential]:
                return taken
            del due[credential]
        return taken

    def put_back(self, notes: Sequence[Note]) -> None:
        """In front, in their order; there is room, for it was theirs."""
        for note in reversed(notes):
            self._of.setdefault(note.credential, deque()).appendleft(note)
            self._count(note, 1)

    def _has_room(self, note: Note) -> bool:
        whose = note.credential.token_sha256
        if not note.recorder.proven and (
            self._unproven.total() >= MAX_UNPROVEN or self._unproven[whose] >= MAX_UNPROVEN_EACH
        ):
            return False
        return self._many < MAX_NOTES and self._bytes + weight(note) <= MAX_BYTES

    def _count(self, note: Note, sign: int) -> None:
        self._many += sign
        self._bytes += sign * weight(note)
        if not note.recorder.proven:
            whose = note.credential.token_sha256
            self._unproven[whose] += sign
            if not self._unproven[whose]:
                del self._unproven[whose]
        metrics.JOURNAL_WAITING.set(self._many)


def weight(note: Note) -> int:
    """Bytes in memory, about: what an exchange names is kept twice, and compiled beside."""
    recorder = note.recorder
    named = len(recorder.about) + len(recorder.names) + len(recorder.mentions)
    return len(recorder.body) + len(note.query) + 200 * named + 1000


def by_credential(notes: Iterable[Note]) -> dict[ScimCredential, list[Note]]:
    grouped: dict[ScimCredential, list[Note]] = {}
    for note in notes:
        grouped.setdefault(note.credential, []).append(note)
    return grouped
