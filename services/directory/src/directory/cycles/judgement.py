"""What a run of Entra's requests was, and whether anything may be concluded from what it did not ask. Pure.

Entra sends nothing for a manager who was removed (A18). It can be seen in a full cycle (the initial one, or a restart): there it
looks at everybody, and then asks, of each who has a manager in Entra, whether we have the same one (its reference check). Whoever
was looked at and had nothing asked about his manager may have none there any more.

    requests fewer than people          -> partial          an incremental cycle, as nearly all are
    not nearly everybody asked about    -> partial
    managers hardly asked about         -> without_checks   the manager is mapped no more (S25), or nobody has one
    both                                -> full             who was not asked about his manager may have lost him
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

GAP = timedelta(minutes=10)
"""Requests further apart are of two cycles. Within one, Entra does not pause for minutes; between two its interval is 40."""

NOTED_AFTER = timedelta(minutes=2)
"""By then a process has written down what it heard: it does so after half a minute, and lets go of what fails three times."""

SETTLED_AFTER = GAP + NOTED_AFTER
"""After its last request; then a cycle has ended, and all of it is known."""

PEOPLE_MIN = 5
"""In a smaller company an ordinary day may touch everybody."""

PEOPLE_PERCENT = 95
"""Not all: some are new since, some whom Entra has lost are active here."""

CHECKED_PERCENT = 50


class Verdict(StrEnum):
    partial = "partial"
    without_checks = "without_checks"
    full = "full"
    has_gaps = "has_gaps"


@dataclass(frozen=True, slots=True)
class Counted:
    """People of a company, since the beginning of a cycle."""

    people: int
    """Active, from Entra."""
    asked: int
    """Of these, asked about."""
    managed: int
    """Of these, with an active manager whom Entra named."""
    checked: int
    """Of these, whose manager was asked about or written."""


def too_many(requests: int) -> int:
    """So many people cannot have been asked about, nearly all, by so many requests; it takes no counting beyond."""
    return requests * 100 // PEOPLE_PERCENT + 1


def judge(counted: Counted) -> Verdict:
    if counted.people < PEOPLE_MIN or counted.asked * 100 < counted.people * PEOPLE_PERCENT:
        return Verdict.partial
    if not counted.managed or counted.checked * 100 < counted.managed * CHECKED_PERCENT:
        return Verdict.without_checks
    return Verdict.full
