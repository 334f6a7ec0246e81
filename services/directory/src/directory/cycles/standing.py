"""How a company's provisioning stands, by its traffic alone: Entra announces neither its cycles nor that it has stopped. Pure.

    never     no request has come
    running   the last one came within the last ten minutes
    resting   between two cycles
    slowed    its cycles begin half a day apart or more: so does a job in quarantine, once a day
    silent    nothing for longer than four of its own intervals, and for three hours at least

A job in quarantine slows down first and is switched off after four weeks; either way somebody should look at it in Entra.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from directory.cycles.judgement import GAP
from shared.schemas.provisioning_report import Cycle, Standing

CYCLES_MIN = 3
"""Fewer have no rhythm."""
INTERVALS = 4
SILENT_AFTER = timedelta(hours=3)
"""At least. Entra's interval is forty minutes; some jobs, and a day on which nothing changes, come less often."""
SILENT_AT_ALL = timedelta(hours=26)
"""Of companies counted together, whose rhythms nobody looks at: longer than a day, for a job in quarantine comes once a day."""
SLOW = timedelta(hours=12)


def rhythm(cycles: Sequence[Cycle]) -> timedelta | None:
    """The usual time from one beginning to the next; `cycles`: the newest first."""
    if len(cycles) < CYCLES_MIN:
        return None
    begun = [one.started_at for one in cycles]
    apart = [(later - earlier).total_seconds() for later, earlier in itertools.pairwise(begun)]
    return timedelta(seconds=round(median(apart)))


def standing(cycles: Sequence[Cycle], now: datetime) -> Standing:
    if not cycles:
        return "never"
    since = now - cycles[0].last_request_at
    if since <= GAP:
        return "running"
    usual = rhythm(cycles)
    if since > max(SILENT_AFTER, INTERVALS * usual if usual else SILENT_AFTER):
        return "silent"
    return "slowed" if usual is not None and usual >= SLOW else "resting"
