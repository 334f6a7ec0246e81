"""Whether one more deactivation may pass, or the brake holds it. Pure; the clock is passed in.

Entra deactivates whoever falls out of its scope, so one wrong click there takes the access of a whole company, and its own
protection against that is opt-in. What counts is how many people Entra asked to deactivate for the first time within the
last hour, this one included: beyond the company's number *and* beyond its share of the active people, it is held until
somebody of the company decides (`holds.py`). One person alone is never beyond.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WINDOW_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Limit:
    """The company's; both must be exceeded."""

    people: int
    """0 switches the brake off."""
    percent: int


@dataclass(frozen=True, slots=True)
class Recent:
    """Deactivations of the last hour, counted by the minute: exact enough, and small however many they are."""

    minutes: tuple[tuple[int, int, int], ...] = ()
    """(minute since 1970, asked for the first time, of these passed), oldest first."""

    @property
    def asked(self) -> int:
        return sum(asked for _, asked, _ in self.minutes)

    @property
    def passed(self) -> int:
        return sum(passed for _, _, passed in self.minutes)


def recent(minutes: Sequence[Sequence[int]], now: datetime) -> Recent:
    """What of the kept minutes still counts."""
    oldest = _minute(now) - WINDOW_MINUTES
    return Recent(tuple((minute, asked, passed) for minute, asked, passed in minutes if minute >= oldest))


def noted(before: Recent, now: datetime, *, passed: bool) -> Recent:
    """With one more."""
    minute = _minute(now)
    # A process whose clock is a little behind must not disturb the order.
    kept, asked, through = before.minutes, 0, 0
    if kept and kept[-1][0] >= minute:
        minute, asked, through = kept[-1]
        kept = kept[:-1]
    return Recent((*kept, (minute, asked + 1, through + passed)))


def may_exceed(limit: Limit, before: Recent) -> bool:
    """Whether the number alone is exceeded, so that the active people must be counted."""
    return 0 < limit.people < before.asked + 1


def enough(limit: Limit, before: Recent) -> int:
    """So many active people are enough for one more to pass; it takes no counting beyond. 0: no number is enough."""
    return max(0, -(-(before.asked + 1) * 100 // limit.percent) - before.passed) if limit.percent else 0


def exceeds(limit: Limit, before: Recent, active: int) -> bool:
    """`active`: people active now, the one in question among them; those who passed within the hour were active too."""
    share = (before.asked + 1) * 100 > limit.percent * (active + before.passed)
    return may_exceed(limit, before) and share


def _minute(now: datetime) -> int:
    return int(now.timestamp()) // 60
