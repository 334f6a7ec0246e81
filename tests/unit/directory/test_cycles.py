"""What a run of requests was, and what a process notes of it: the pure half of A18."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from directory.cycles.judgement import Counted, Verdict, judge, too_many
from directory.cycles.notes import FAILURES_MAX, PEOPLE_AT_ONCE, PEOPLE_DUE, ROUNDS_DUE, Asked, Notes
from shared.ids import CompanyId, EmployeeId

NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("people", "asked", "managed", "checked", "verdict"),
    [
        (100, 100, 90, 90, Verdict.full),
        (100, 100, 90, 89, Verdict.full),
        (100, 95, 90, 45, Verdict.full),
        (100, 94, 90, 90, Verdict.partial),
        (100, 3, 3, 3, Verdict.partial),
        (100, 100, 90, 44, Verdict.without_checks),
        (100, 100, 90, 0, Verdict.without_checks),
        (100, 100, 0, 0, Verdict.without_checks),
        (5, 5, 4, 3, Verdict.full),
        (5, 4, 4, 4, Verdict.partial),
        (4, 4, 3, 3, Verdict.partial),
        (0, 0, 0, 0, Verdict.partial),
        (50_000, 47_500, 40_000, 20_000, Verdict.full),
    ],
)
def test_a_cycle_is_full_where_nearly_everybody_and_many_a_manager_was_asked_about(
    people: int, asked: int, managed: int, checked: int, verdict: Verdict
) -> None:
    """A18; and by `without_checks` S25: of a manager who is mapped no more nothing is concluded."""
    assert judge(Counted(people, asked, managed, checked)) is verdict


@pytest.mark.parametrize("requests", [0, 1, 5, 19, 20, 95, 1_000_000])
def test_a_company_too_large_for_the_requests_is_never_counted_to_its_end(requests: int) -> None:
    people = too_many(requests)
    assert judge(Counted(people, requests, people, people)) is Verdict.partial
    assert requests == 0 or (people - 1) * 95 <= requests * 100


@dataclass
class Tx:
    """As much of a transaction as notes look at."""

    number: int = 1
    now: datetime = NOON
    connection: str | None = "live"
    company_id: CompanyId = field(init=False)

    def __post_init__(self) -> None:
        self.company_id = CompanyId(UUID(int=self.number))

    @property
    def company(self) -> "Tx":
        return self


def somebody(number: int) -> EmployeeId:
    return EmployeeId(UUID(int=number))


def noting(notes: Notes, tx: Tx, *people: int, manager: bool = False) -> None:
    for one in people:
        notes.heard(tx)  # type: ignore[arg-type]
        notes.about(tx, somebody(one), manager=manager)  # type: ignore[arg-type]


def test_the_last_moment_counts_in_whatever_order_the_requests_end() -> None:
    notes, later, earlier = Notes(), Tx(now=NOON + timedelta(seconds=1)), Tx()
    noting(notes, later, 7, manager=True)
    noting(notes, earlier, 7, manager=True)
    noting(notes, earlier, 7)
    heard = notes.take(later.company_id)
    assert heard is not None
    assert (heard.first, heard.last, heard.requests) == (earlier.now, later.now, 3)
    assert heard.people == {somebody(7): Asked(later.now, later.now)}
    assert notes.take(later.company_id) is None


@pytest.mark.parametrize("connection", [None, "next", "retired"])
def test_only_the_live_connection_is_listened_to(connection: str | None) -> None:
    """A prepared one looks around in the people of another tenant; HR and the sign-on are no traffic of Entra's at all."""
    notes = Notes()
    noting(notes, Tx(connection=connection), 7)
    assert (len(notes), list(notes.companies())) == (0, [])


def test_beyond_the_bound_nobody_is_noted_and_the_cycle_has_gaps() -> None:
    notes = Notes(people_max=3)
    noting(notes, Tx(1), 1, 2)
    noting(notes, Tx(2), 1, 2)
    noting(notes, Tx(1), 1, 2)
    assert len(notes) == 3
    first, second = notes.take(Tx(1).company_id), notes.take(Tx(2).company_id)
    assert first is not None
    assert second is not None
    assert (first.has_gaps, first.requests, len(first.people)) == (False, 4, 2)
    assert (second.has_gaps, second.requests, len(second.people)) == (True, 2, 1)
    assert len(notes) == 0


def test_a_company_is_taken_in_parts_and_none_is_lost() -> None:
    notes, tx = Notes(), Tx()
    noting(notes, tx, *range(PEOPLE_AT_ONCE + 3))
    sizes, requests, people = [], 0, set[EmployeeId]()
    while (heard := notes.take(tx.company_id)) is not None:
        sizes.append(len(heard.people))
        requests += heard.requests
        people |= heard.people.keys()
    assert (sizes, requests, len(people), len(notes)) == (
        [PEOPLE_AT_ONCE, 3],
        PEOPLE_AT_ONCE + 3,
        PEOPLE_AT_ONCE + 3,
        0,
    )


def test_a_company_is_due_when_it_has_waited_or_is_of_many_people_or_all_are_too_many() -> None:
    notes, few, many = Notes(people_max=4 * PEOPLE_DUE), Tx(1), Tx(2)
    noting(notes, few, 1)
    assert [notes.due() for _ in range(ROUNDS_DUE)] == [[]] * (ROUNDS_DUE - 1) + [[few.company_id]]
    notes.take(few.company_id)
    noting(notes, few, 1)
    noting(notes, many, *range(PEOPLE_DUE))
    assert notes.due() == [many.company_id]
    noting(notes, many, *range(2 * PEOPLE_DUE))
    assert notes.due() == [few.company_id, many.company_id]


def test_what_could_not_be_written_comes_again_with_what_came_meanwhile_and_not_for_ever() -> None:
    notes, tx = Notes(), Tx()
    noting(notes, tx, 1)
    for failure in range(1, FAILURES_MAX + 1):
        taken = notes.take(tx.company_id)
        assert taken is not None
        assert (len(taken.people), taken.requests) == (failure, failure)
        notes.give_back(tx.company_id, taken)
        if failure < FAILURES_MAX:
            noting(notes, tx, failure + 1)
    left = notes.take(tx.company_id)
    assert left is not None
    assert (left.people, left.requests, left.has_gaps) == ({}, FAILURES_MAX, True)
    noting(notes, tx, 1)
    taken = notes.take(tx.company_id)
    assert taken is not None
    notes.give_back(tx.company_id, taken)
    assert notes.due() == [tx.company_id], "in the next round"
    notes.take(tx.company_id)
    assert len(notes) == 0
