"""Months in a calendar."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.retention.due import latest_due, months_later

DATES = st.dates(date(1990, 1, 1), date(2100, 12, 31))
MONTHS = st.integers(1, 600)


@pytest.mark.parametrize(
    ("end", "months", "due"),
    [
        (date(2026, 1, 15), 1, date(2026, 2, 15)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 1, 28), 1, date(2026, 2, 28)),
        (date(2023, 12, 31), 2, date(2024, 2, 29)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
        (date(2026, 8, 31), 60, date(2031, 8, 31)),
    ],
)
def test_so_many_months_after_the_end(end: date, months: int, due: date) -> None:
    assert months_later(end, months) == due


@given(DATES, MONTHS)
def test_the_latest_date_that_is_due_is_exactly_that(today: date, months: int) -> None:
    latest = latest_due(today, months)
    assert months_later(latest, months) <= today
    assert months_later(latest + timedelta(days=1), months) > today


@given(DATES, DATES, MONTHS)
def test_whoever_left_earlier_is_due_no_later(one: date, other: date, months: int) -> None:
    first, second = sorted((one, other))
    assert months_later(first, months) <= months_later(second, months)


@given(DATES, MONTHS)
def test_a_month_is_neither_shorter_nor_longer_than_a_month(end: date, months: int) -> None:
    due = months_later(end, months)
    assert (due.year * 12 + due.month) - (end.year * 12 + end.month) == months
    assert due.day <= end.day
    assert due.day == end.day or (due + timedelta(days=1)).day == 1


def test_the_ends_of_the_calendar_are_no_fault() -> None:
    assert latest_due(date(90, 1, 1), 1200) == date.min
    assert months_later(date(9999, 6, 1), 1200) == date.max
