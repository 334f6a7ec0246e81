"""What provisioning asks about, noted beside the answer: in memory, for a look-up must not become a write.

    a request            -> heard (its company), about (whom it means)    nothing is awaited and nothing asked
    every round          -> whose notes are due: of many people, or some rounds old
    those                -> take -> written down (`writing.py`)
    that failed          -> give_back: tried again in the next round, with what came meanwhile

A transaction costs 1.4 ms whatever it notes, and a thousand companies may be heard at once: hence the waiting. Bounded in people:
beyond the bound nobody more is noted until some are written down, and the cycle is told to have gaps.
"""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from directory import metrics
from shared.ids import CompanyId, EmployeeId

if TYPE_CHECKING:
    from directory.database import CompanyTx

PEOPLE_MAX = 50_000
"""Some 15 MB. From half of them on nobody is waited for."""

PEOPLE_DUE = 500
ROUNDS_DUE = 15

PEOPLE_AT_ONCE = 2_000
"""Written in one transaction, which thus takes some forty milliseconds."""

FAILURES_MAX = 3
"""What could not be written so often makes room for others."""


@dataclass(frozen=True, slots=True)
class Asked:
    """When somebody was asked about last, and his manager, if that was asked or written at all."""

    at: datetime
    manager_at: datetime | None

    def and_again(self, other: "Asked") -> "Asked":
        if self.manager_at is None or other.manager_at is None:
            return Asked(max(self.at, other.at), self.manager_at or other.manager_at)
        return Asked(max(self.at, other.at), max(self.manager_at, other.manager_at))


@dataclass(slots=True)
class Heard:
    """Of one company, since the last time that it was written down."""

    first: datetime
    last: datetime
    requests: int = 0
    people: dict[EmployeeId, Asked] = field(default_factory=dict)
    has_gaps: bool = False
    failures: int = 0
    rounds: int = 0
    """That it has waited for."""


class Notes:
    """Of one process. Only a transaction of provisioning notes anything, for its own company."""

    def __init__(self, people_max: int = PEOPLE_MAX) -> None:
        self._people_max = people_max
        self._companies: dict[CompanyId, Heard] = {}
        self._people = 0

    def __len__(self) -> int:
        return self._people

    def companies(self) -> list[CompanyId]:
        """Of which there is anything to write down."""
        return list(self._companies)

    def due(self) -> list[CompanyId]:
        """Of which it is time to write it down; asked once a round."""
        for heard in self._companies.values():
            heard.rounds += 1
        full = self._people * 2 >= self._people_max
        return [
            company_id
            for company_id, heard in self._companies.items()
            if full or heard.rounds >= ROUNDS_DUE or len(heard.people) >= PEOPLE_DUE
        ]

    def heard(self, tx: "CompanyTx") -> None:
        """A provisioning request was let in."""
        if _counts(tx):
            self._of(tx.company_id, tx.now, tx.now).requests += 1

    def about(self, tx: "CompanyTx", employee_id: EmployeeId, *, manager: bool = False) -> None:
        """It means this employee; `manager`: it asks who his manager is, or says so. There may be no such employee."""
        if _counts(tx):
            asked = Asked(tx.now, tx.now if manager else None)
            self._add(self._of(tx.company_id, tx.now, tx.now), employee_id, asked)

    def take(self, company_id: CompanyId) -> Heard | None:
        """What is to be written of a company now; people beyond `PEOPLE_AT_ONCE` stay for the next time."""
        heard = self._companies.pop(company_id, None)
        if heard is None:
            return None
        if len(heard.people) > PEOPLE_AT_ONCE:
            rest = dict(islice(heard.people.items(), PEOPLE_AT_ONCE, None))
            heard.people = dict(islice(heard.people.items(), PEOPLE_AT_ONCE))
            self._companies[company_id] = Heard(heard.first, heard.last, people=rest, rounds=heard.rounds)
        self._people -= len(heard.people)
        return heard

    def give_back(self, company_id: CompanyId, taken: Heard) -> None:
        """It could not be written. Too often, and the people are let go of."""
        heard = self._of(company_id, taken.first, taken.last)
        heard.requests += taken.requests
        heard.failures, heard.rounds = taken.failures + 1, ROUNDS_DUE
        heard.has_gaps |= taken.has_gaps
        if heard.failures >= FAILURES_MAX:
            heard.has_gaps = True
            heard.failures = 0
            metrics.NOTES.labels("dropped").inc(len(taken.people))
            return
        for employee_id, asked in taken.people.items():
            self._add(heard, employee_id, asked)

    def _of(self, company_id: CompanyId, first: datetime, last: datetime) -> Heard:
        heard = self._companies.get(company_id)
        if heard is None:
            heard = self._companies[company_id] = Heard(first, last)
            return heard
        # Transactions overtake each other, and each has the moment at which it began.
        heard.first, heard.last = min(heard.first, first), max(heard.last, last)
        return heard

    def _add(self, heard: Heard, employee_id: EmployeeId, asked: Asked) -> None:
        known = heard.people.get(employee_id)
        if known is not None:
            heard.people[employee_id] = known.and_again(asked)
        elif self._people < self._people_max:
            heard.people[employee_id] = asked
            self._people += 1
        else:
            heard.has_gaps = True
            metrics.NOTES.labels("dropped").inc()


def _counts(tx: "CompanyTx") -> bool:
    """A connection that is only prepared looks around in people who are still another tenant's."""
    return tx.company.connection == "live"
