"""The chain of hashes, computed from what stands in the database: does every event say what it said when it was written? Pure.

Shares no code with the trigger that makes the chain (migration 0005, `registry.event_hash`): that one is what is checked.

    hash of n       SHA-256( hash of n-1, JSON of what event n says, with the digests of its contents )
    digest          SHA-256( salt, content ); a content that was forgotten left its digest, and neither salt nor content

Events come in the order of their numbers. What does not fit is a `Break`; after it the chain is followed on from the hash that
stands there, so that one removal is one break.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

Kind = Literal["removed", "altered", "reordered", "forgotten", "truncated", "head", "replaced"]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row, and whether the history gives a reason for what was forgotten in it."""

    company_id: UUID
    sequence: int
    at: datetime
    kind: str
    employee_id: UUID | None
    actor_kind: str
    actor_id: str
    request_id: str
    trace_id: str
    changes: str
    changes_salt: bytes | None
    changes_sha256: bytes
    names: str | None
    names_salt: bytes | None
    names_sha256: bytes | None
    hash: bytes
    departed: bool
    """Somebody who has departed, or was erased, since."""
    erased: bool
    redacted: bool
    """A reference to somebody who was erased since stood here, in somebody else's event."""


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain does not hold, and how."""

    sequence: int
    kind: Kind
    sentence: str


@dataclass(frozen=True, slots=True)
class Head:
    """A number and the hash that stands there: `SEQ:HASH` in text."""

    sequence: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash.hex()}"

    @classmethod
    def read(cls, text: str) -> "Head":
        """Raises ValueError unless it is `SEQ:HASH`."""
        number, _, digits = text.partition(":")
        head = cls(int(number), bytes.fromhex(digits))
        if head.sequence < 1 or len(head.hash) != hashlib.sha256().digest_size:
            raise ValueError(text)
        return head


class Chain:
    """Follows the events one by one; remembers the last of them and nothing else."""

    def __init__(self) -> None:
        self.redacted = 0
        """Events of which a part was taken out: what is left of their content no digest covers."""
        self.sequence = 0
        self.hash = b""
        self._at: datetime | None = None

    def follow(self, event: StoredEvent) -> list[Break]:
        """What is wrong with this event after the one before."""
        found = self._missing(event)
        self.redacted += event.redacted
        contents = _contents(event)
        if contents is not None:
            found.append(contents)
        elif not found and expected_hash(self.hash, event) != event.hash:
            found.append(self._misfit(event))
        self.sequence, self.hash, self._at = event.sequence, event.hash, event.at
        return found

    def end(self, head: Head) -> list[Break]:
        """What is wrong with the end, compared with the head that the database keeps apart."""
        if self.sequence < head.sequence:
            missing = _numbers(self.sequence + 1, head.sequence)
            sentence = f"Truncated: {missing} missing at the end; the head is {head.sequence}."
            return [Break(self.sequence + 1, "truncated", sentence)]
        if (self.sequence, self.hash) != (head.sequence, head.hash):
            sentence = f"The head says {head}, and the last event is {Head(self.sequence, self.hash)}: one of them was altered."
            return [Break(self.sequence, "head", sentence)]
        return []

    def _missing(self, event: StoredEvent) -> list[Break]:
        first, last = self.sequence + 1, event.sequence - 1
        if last < first:
            return []
        return [Break(first, "removed", f"Removed: {_numbers(first, last)} missing.")]

    def _misfit(self, event: StoredEvent) -> Break:
        number = event.sequence
        if self._at is not None and event.at < self._at:
            return Break(number, "reordered", f"Reordered: event {number} is earlier than the one before it.")
        sentence = f"Altered: event {number} does not say what it said when it was written, or stood elsewhere."
        return Break(number, "altered", sentence)


def expected_hash(previous: bytes, event: StoredEvent) -> bytes:
    said = [
        str(event.company_id),
        event.sequence,
        event.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        event.kind,
        str(event.employee_id) if event.employee_id else None,
        event.actor_kind,
        event.actor_id,
        event.request_id,
        event.trace_id,
        event.changes_sha256.hex(),
        event.names_sha256.hex() if event.names_sha256 is not None else None,
    ]
    return hashlib.sha256(previous + json.dumps(said, ensure_ascii=False).encode()).digest()


def _contents(event: StoredEvent) -> Break | None:
    """Content and digest must agree; forgetting needs somebody who has departed or was erased since."""
    number = event.sequence
    for name, content, salt, digest, empty, reason in (
        ("changes", event.changes, event.changes_salt, event.changes_sha256, "{}", event.erased),
        ("names", event.names, event.names_salt, event.names_sha256, None, event.departed),
    ):
        if salt is None:
            if name == "changes" and event.redacted:
                continue
            if content != empty:
                return Break(number, "altered", f"Altered: the {name} of event {number} have no salt, and are there.")
            if digest is not None and not reason:
                sentence = f"Forgotten: the {name} of event {number} are gone, of somebody who neither departed nor was erased."
                return Break(number, "forgotten", sentence)
        elif content is None or digest != hashlib.sha256(salt + content.encode()).digest():
            return Break(number, "altered", f"Altered: the {name} of event {number} are not what they were.")
    return None


def _numbers(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"
