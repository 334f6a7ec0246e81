"""Steps of the HR work list, and months on the calendar."""

from datetime import date

import pytest

from directory.retention.due import months_later
from directory.worklist.steps import leaver_steps


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 1, 30), 13, date(2027, 2, 28)),
        (date(2026, 8, 31), 1, date(2026, 9, 30)),
        (date(2026, 12, 31), 1, date(2027, 1, 31)),
        (date(2026, 11, 26), 0, date(2026, 11, 26)),
        (date(9999, 1, 1), 1200, date.max),
    ],
)
def test_months_later_is_the_same_day_or_the_last_of_the_month(day: date, months: int, expected: date) -> None:
    assert months_later(day, months) == expected


def test_a_company_without_a_rule_erases_nobody() -> None:
    steps = leaver_steps(
        reports=0,
        done_at=None,
        ended_at=None,
        termination_date=date(2026, 1, 1),
        suspended_on=None,
        erase_after_months=None,
    )
    assert {step.step: step.about for step in steps}["erasure_date"] is None
