"""What is noted of one exchange while it is answered: a slip of paper that every part of the request can write on.

It lies in the request's context, so that the pure parts can say what they bent or left without handing it through every
signature. Where nobody opened one (a test of a part alone), what is said is forgotten. Bounded, whatever comes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.schemas.employee import ScimCredential
from shared.schemas.journal import Asked

MAX_NOTES = 50
"""Of one kind; one more then says that there was more."""
MAX_PEOPLE = 2000

People = dict[str, None]
"""Whom it names, each once and in the order of naming."""


class Recorder:
    """Of one exchange."""

    def __init__(self) -> None:
        self.credential: ScimCredential | None = None
        self.token = ""
        """Only to take it out of whatever it may stand in; it goes nowhere."""
        self.proven = False
        """Directory has accepted the credential, now or lately."""
        self.body = b""
        self.ignored: list[str] = []
        self.coerced: list[str] = []
        self.left_out: list[str] = []
        self.about: People = {}
        self.names: People = {}
        self.mentions: People = {}
        self.asked: Asked | None = None
        self.asks = 0
        """How many changes were asked of directory; more than one cannot be done again as one."""
        self.status = 500
        self.result = "error"
        self.scim_type: str | None = None
        self.detail: str | None = None


_current: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


def begin() -> Recorder:
    recorder = Recorder()
    _current.set(recorder)
    return recorder


@contextmanager
def begun() -> Iterator[Recorder]:
    """A new one; afterwards that of the request around it counts again, where there is one (`/Bulk`)."""
    around = _current.get()
    try:
        yield begin()
    finally:
        _current.set(around)


def current() -> Recorder:
    """A new one, which nobody reads, outside an exchange."""
    return _current.get() or Recorder()


def ignored(name: str) -> None:
    """Accepted, and not kept (decision D6). The name alone: what value it had stands in the body."""
    if (recorder := _current.get()) is not None:
        _add(recorder.ignored, name)


def coerced(quirk: str) -> None:
    """A quirk of this name changed something."""
    if (recorder := _current.get()) is not None:
        _add(recorder.coerced, quirk)


def left_out(sentence: str) -> None:
    """Refused beside what was done: beside a deactivation (decision D5), or an operation of a bulk that reached no endpoint."""
    if (recorder := _current.get()) is not None:
        _add(recorder.left_out, sentence)


def _add(notes: list[str], note: str) -> None:
    if note in notes:
        return
    if len(notes) < MAX_NOTES:
        notes.append(note)
    elif len(notes) == MAX_NOTES:
        notes.append("…")


def add_people(people: People, *named: str | None) -> None:
    for name in named:
        if len(people) >= MAX_PEOPLE:
            return
        if name:
            people[name] = None
