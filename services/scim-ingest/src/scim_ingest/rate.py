"""How fast somebody may send: what came before and now, the decision out. Pure; the clock is passed in.

    within the burst              -> at once
    beyond it, at most QUEUE_S    -> waits for its turn, in the order of arrival
    beyond that                   -> refused, told when to come again; costs nothing

Everything that was spent is one moment: when it will have been earned back. Turns are an even distance apart, so whoever sends
no faster than the rate is never refused, however unevenly it comes within the queue.
"""

import math
from dataclasses import dataclass

BURST_S = 0.25
"""So many seconds' worth of requests pass at once."""
QUEUE_S = 2.0
"""How long a request may wait for its turn; far below the 60 seconds after which Entra gives up."""


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


def spend(spent: Spent, per_s: int, now: float) -> tuple[Spent, Admitted | Refused]:
    """One more request."""
    if spent.even_at <= now:
        spent = Spent(now, now, 0)
    came, distance = spent.came + 1, 1 / per_s
    even_at = spent.even_at + distance
    # At least one passes at once, however low the rate.
    wait_s = even_at - now - max(BURST_S, distance)
    if wait_s > QUEUE_S:
        retry_after_s = max(1, math.ceil(wait_s - QUEUE_S))
        return Spent(spent.even_at, spent.since, came), Refused(retry_after_s, came, now - spent.since)
    return Spent(even_at, spent.since, came), Admitted(max(0.0, wait_s))
