"""The rate of one sender, against a plain model, and what it promises: as provisioning uses it, and as sign-on does."""

from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rate import NOTHING, Admitted, Rate, Refused, spend

SHAPES = [(0.25, 2.0), (10.0, 0.0)]
"""Burst and queue in seconds: a short burst and then a queue; a long burst and no queue."""
RATES = st.builds(
    lambda per_s, shape: Rate(per_s, *shape), st.sampled_from([0.25, 1, 2, 4, 8, 25, 32, 200]), st.sampled_from(SHAPES)
)
EXACT_RATES = st.builds(
    lambda per_s, shape: Rate(per_s, *shape), st.sampled_from([0.25, 1, 2, 4, 8, 32]), st.sampled_from(SHAPES)
)
# Sixty-fourths of a second: sums of them are exact in floating point, so the model and the code can be compared at the edges.
GAPS = st.lists(st.one_of(st.just(0), st.integers(0, 200)), min_size=1, max_size=400)


def moments(gaps: list[int]) -> list[float]:
    return [since / 64 for since in accumulate(gaps)]


def starts(rate: Rate, arrivals: list[float]) -> list[float]:
    """When each was let through; the refused ones are left out."""
    spent, found = NOTHING, []
    for now in arrivals:
        spent, turn = spend(spent, rate, now)
        if isinstance(turn, Admitted):
            found.append(now + turn.wait_s)
    return found


class Bucket:
    """The model: a bucket that leaks. Each request pours in one; what overflows the burst waits until it fits."""

    def __init__(self, rate: Rate) -> None:
        self.per_s = Fraction(rate.per_s)
        self.burst = max(Fraction(1), self.per_s * Fraction(rate.burst_s))
        self.queue_s = rate.queue_s
        self.level, self.at = Fraction(0), Fraction(0)

    def wait(self, now: float) -> Fraction | None:
        self.level = max(Fraction(0), self.level - (Fraction(now) - self.at) * self.per_s)
        self.at = Fraction(now)
        wait = max(Fraction(0), (self.level + 1 - self.burst) / self.per_s)
        if wait > self.queue_s:
            return None
        self.level += 1
        return wait


@given(EXACT_RATES, GAPS)
def test_it_does_as_a_leaking_bucket_does(rate: Rate, gaps: list[int]) -> None:
    bucket, spent = Bucket(rate), NOTHING
    for now in moments(gaps):
        expected = bucket.wait(now)
        spent, turn = spend(spent, rate, now)
        assert (None if isinstance(turn, Refused) else turn.wait_s) == expected


@given(RATES, GAPS)
def test_they_go_in_the_order_in_which_they_came_and_never_wait_long(rate: Rate, gaps: list[int]) -> None:
    spent, last = NOTHING, 0.0
    for now in moments(gaps):
        spent, turn = spend(spent, rate, now)
        if isinstance(turn, Admitted):
            assert 0 <= turn.wait_s <= rate.queue_s
            assert now + turn.wait_s >= last
            last = now + turn.wait_s


@given(RATES, GAPS)
def test_within_any_time_no_more_go_than_the_rate_and_one_burst(rate: Rate, gaps: list[int]) -> None:
    went = starts(rate, moments(gaps))
    burst = max(1.0, rate.per_s * rate.burst_s)
    for first in range(0, len(went), 7):
        for last in range(first, len(went), 5):
            assert last - first + 1 <= burst + rate.per_s * (went[last] - went[first]) + 1e-6


@pytest.mark.parametrize("per_s", [25, 50, 200])
@pytest.mark.parametrize("at_once", [1, 5, 25])
def test_25_a_second_always_pass_however_they_are_bunched(per_s: int, at_once: int) -> None:
    arrivals = [second / 25 * at_once for second in range(1000) for _ in range(at_once)]
    assert len(starts(Rate(per_s, *SHAPES[0]), arrivals)) == len(arrivals)


@given(RATES, GAPS)
def test_whoever_comes_again_when_he_was_told_to_is_admitted(rate: Rate, gaps: list[int]) -> None:
    spent = NOTHING
    for now in moments(gaps):
        spent, turn = spend(spent, rate, now)
        if isinstance(turn, Refused):
            _, again = spend(spent, rate, now + turn.retry_after_s)
            assert isinstance(again, Admitted)


def test_a_refusal_costs_nothing_and_says_how_many_came() -> None:
    spent, turns = NOTHING, []
    for _ in range(1000):
        spent, turn = spend(spent, Rate(128, 0.25, 2.0), 10.0)
        turns.append(turn)
    assert turns[31:33] == [Admitted(0.0), Admitted(1 / 128)]
    assert sum(isinstance(turn, Admitted) for turn in turns) == 288
    assert turns[-1] == Refused(retry_after_s=1, came=1000, within_s=0.0)
    assert spent.even_at == 10.0 + 0.25 + 2.0
