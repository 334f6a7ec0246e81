"""How fast somebody may send: what came before and now, the decision out. Pure; the clock is passed in.

    within the burst              -> at once
    beyond it, within the queue   -> waits for its turn, in the order of arrival
    beyond that                   -> refused, told when to come again; costs nothing

Everything that was spent is one moment: when it will have been earned back. Turns are an even distance apart, so whoever sends
no faster than the rate is never refused, however unevenly it comes within the queue.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """What one sender may send."""

    per_s: float
    burst_s: float
    """So many seconds' worth of requests pass at once, and at least one, however low the rate."""
    queue_s: float
    """How long a request may wait for its turn."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one sender has used up. Seconds of a clock that never goes back."""

    even_at: float
    """Earned back at this moment; before now: nothing is spent."""
    since: float
    """When something was spent first since it was even."""
    came: int
    """Requests since then, refused ones too."""


NOTHING = Spent(-math.inf, -math.inf, 0)


@dataclass(frozen=True, slots=True)
class Admitted:
    wait_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    retry_after_s: int
    came: int
    within_s: float


def spend(spent: Spent, rate: Rate, now: float) -> tuple[Spent, Admitted | Refused]:
    """One more request."""
    if spent.even_at <= now:
        spent = Spent(now, now, 0)
    came, distance = spent.came + 1, 1 / rate.per_s
    even_at = spent.even_at + distance
    wait_s = even_at - now - max(rate.burst_s, distance)
    if wait_s > rate.queue_s:
        retry_after_s = max(1, math.ceil(wait_s - rate.queue_s))
        return Spent(spent.even_at, spent.since, came), Refused(retry_after_s, came, now - spent.since)
    return Spent(even_at, spent.since, came), Admitted(max(0.0, wait_s))
