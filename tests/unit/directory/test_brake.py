"""The rule of the mass-change brake."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.brake.rule import Limit, Recent, enough, exceeds, may_exceed, noted, recent

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
USUAL = Limit(people=30, percent=30)


def after(many: int, *, passed: bool = True, at: datetime = NOON) -> Recent:
    found = Recent()
    for _ in range(many):
        found = noted(found, at, passed=passed)
    return found


@pytest.mark.parametrize(
    ("limit", "asked", "active_at_first", "held"),
    [
        (USUAL, 29, 90, False),  # 30 people: not beyond the number
        (USUAL, 30, 90, True),  # 31 of 90: beyond both
        (USUAL, 30, 104, False),  # 31 of 104: not beyond 30 %
        (USUAL, 31, 104, True),
        (USUAL, 9, 10, False),  # a company of 10 may close
        (Limit(people=0, percent=0), 5000, 5000, False),  # off
        (Limit(people=1, percent=0), 0, 50, False),
        (Limit(people=1, percent=0), 1, 50, True),
        (Limit(people=5, percent=100), 6, 7, False),  # never beyond all of them
    ],
)
def test_beyond_the_number_and_beyond_the_share(limit: Limit, asked: int, active_at_first: int, held: bool) -> None:
    before = after(asked)
    assert exceeds(limit, before, active_at_first - before.passed) is held


@given(people=st.integers(0, 100), percent=st.integers(0, 100), active=st.integers(1, 100_000))
def test_a_single_leaver_is_never_held(people: int, percent: int, active: int) -> None:
    assert not exceeds(Limit(people, percent), Recent(), active)


def test_what_was_held_counts_as_asked_and_stays_in_the_base() -> None:
    before = after(20, passed=False)
    assert (before.asked, before.passed) == (20, 0)
    assert exceeds(Limit(20, 20), before, 100)
    assert not exceeds(Limit(20, 21), before, 100)


def test_an_hour_later_it_counts_no_more() -> None:
    kept = after(40).minutes
    assert recent(kept, NOON + timedelta(minutes=60)).asked == 40
    assert recent(kept, NOON + timedelta(minutes=61)).asked == 0


@given(
    st.lists(st.tuples(st.integers(0, 7200), st.booleans()), max_size=80),
    st.integers(0, 30),
)
def test_the_minutes_count_what_was_asked_within_the_hour(asked: list[tuple[int, bool]], later_s: int) -> None:
    """Against every single moment kept; nobody of the last hour is missed, and nobody older than 61 minutes counted."""
    times = sorted((NOON + timedelta(seconds=second), passed) for second, passed in asked)
    found = Recent()
    for at, passed in times:
        found = noted(recent(found.minutes, at), at, passed=passed)
    now = (times[-1][0] if times else NOON) + timedelta(seconds=later_s)
    found = recent(found.minutes, now)
    within = [passed for at, passed in times if at > now - timedelta(minutes=60)]
    nearly = [passed for at, passed in times if at > now - timedelta(minutes=61)]
    assert len(within) <= found.asked <= len(nearly)
    assert sum(within) <= found.passed <= sum(nearly)
    assert len(found.minutes) <= 61


def test_a_clock_that_is_behind_adds_to_the_newest_minute() -> None:
    found = noted(after(2), NOON - timedelta(minutes=3), passed=False)
    assert [entry[1:] for entry in found.minutes] == [(3, 2)]


def test_the_active_are_counted_only_when_the_number_is_exceeded() -> None:
    assert [may_exceed(Limit(2, 0), after(many)) for many in range(4)] == [False, False, True, True]


@given(
    people=st.integers(1, 50),
    percent=st.integers(0, 100),
    asked=st.integers(0, 60),
    held=st.integers(0, 60),
    active=st.integers(1, 1000),
)
def test_counting_no_further_than_enough_decides_the_same(
    people: int, percent: int, asked: int, held: int, active: int
) -> None:
    limit = Limit(people, percent)
    before = Recent(((1, asked + held, asked),))
    assert exceeds(limit, before, min(active, enough(limit, before))) == exceeds(limit, before, active)
