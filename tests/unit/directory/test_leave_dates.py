"""What a leave date means, and when it becomes the termination date (A4)."""

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.employees.leave_dates import EARLIER_DAYS, LATER_DAYS, believable, read_leave_date
from directory.employees.lifecycle import Step, advance
from directory.employees.revisions import with_leave_date
from tests.unit.directory.employee_records import NOW, employee

COPENHAGEN, NEW_YORK = "Europe/Copenhagen", "America/New_York"
TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "zone", "day"),
    [
        ("2026-12-31", COPENHAGEN, date(2026, 12, 31)),
        (" 2026-12-31 ", COPENHAGEN, date(2026, 12, 31)),
        ("20261231", COPENHAGEN, date(2026, 12, 31)),
        ("2026-12-31T00:00:00Z", COPENHAGEN, date(2026, 12, 31)),
        # Midnight is a day without a time, also where the company is behind UTC.
        ("2026-12-31T00:00:00Z", NEW_YORK, date(2026, 12, 31)),
        ("2026-12-31T00:00:00-05:00", COPENHAGEN, date(2026, 12, 31)),
        ("2026-12-31T23:00:00Z", COPENHAGEN, date(2027, 1, 1)),
        ("2026-12-31T23:00:00Z", NEW_YORK, date(2026, 12, 31)),
        ("2026-06-30T22:00:00Z", COPENHAGEN, date(2026, 7, 1)),
        ("2026-12-31T16:30:00", NEW_YORK, date(2026, 12, 31)),
        ("2026-12-31 16:30:00", COPENHAGEN, date(2026, 12, 31)),
        ("2026-12-31t16:30:00.1234567z", COPENHAGEN, date(2026, 12, 31)),
        ("2026-12-31 16:30:00 +01:00", COPENHAGEN, date(2026, 12, 31)),
        ("20261231230000Z", COPENHAGEN, date(2027, 1, 1)),
        ("20261231000000.0Z", NEW_YORK, date(2026, 12, 31)),
        ("2028-02-29", COPENHAGEN, date(2028, 2, 29)),
    ],
)
def test_what_a_leave_date_means(text: str, zone: str, day: date) -> None:
    assert read_leave_date(text, zone) == day


@pytest.mark.parametrize(
    "text",
    ["", " ", "soon", "31/12/2026", "03/04/2026", "31-12-2026", "2026-13-01", "2026-02-30", "0000-01-01", "9999-99-99",
     "2026-12-31T25:00:00Z", "20261331", "2026", "2026-12", "2026-W53-4", "133802532000000000", "２０２６-12-31",
     "2026-12-31T00:00:00Z[Europe/Copenhagen]", "9999-12-31T23:59:59-12:00", "0001-01-01T01:00:00+14:00"],
)  # fmt: skip
def test_what_is_not_guessed(text: str) -> None:
    assert read_leave_date(text, COPENHAGEN) is None


@given(st.text(max_size=40) | st.from_regex(r"\A[0-9TZ:+ .-]{0,32}\Z"))
def test_any_text_is_a_date_or_nothing(text: str) -> None:
    assert isinstance(read_leave_date(text, NEW_YORK), date | None)


@pytest.mark.parametrize(
    ("day", "hired_on", "counts"),
    [
        (TODAY, None, True),
        (TODAY - timedelta(days=EARLIER_DAYS), None, True),
        (TODAY - timedelta(days=EARLIER_DAYS + 1), None, False),
        (TODAY + timedelta(days=LATER_DAYS), None, True),
        (TODAY + timedelta(days=LATER_DAYS + 1), None, False),
        (TODAY - timedelta(days=10), TODAY - timedelta(days=10), True),
        (TODAY - timedelta(days=10), TODAY - timedelta(days=9), False),
    ],
)
def test_which_leave_dates_are_believed(day: date, hired_on: date | None, counts: bool) -> None:
    assert believable(day, TODAY, hired_on) is counts


@pytest.mark.parametrize("step", [Step.suspend, Step.remove])
@pytest.mark.parametrize(
    ("leaves_on", "date_and_source"),
    [
        (date(2026, 3, 31), (date(2026, 3, 31), "leave_date")),
        (date(2026, 2, 10), (date(2026, 2, 10), "leave_date")),
        (date(2019, 1, 1), (TODAY, "inactivation")),
        (None, (TODAY, "inactivation")),
    ],
)
def test_the_first_inactivation_sets_the_leave_date(
    step: Step, leaves_on: date | None, date_and_source: tuple[date, str]
) -> None:
    after, _ = advance(employee(leave_date="as sent", leaves_on=leaves_on), step, TODAY)
    assert (after.termination_date, after.termination_source) == date_and_source


def test_a_departure_keeps_the_first_date_and_a_return_clears_it_and_spends_the_leave_date() -> None:
    leaving = employee(leave_date="2026-03-10", leaves_on=date(2026, 3, 10))
    suspended, _ = advance(leaving, Step.suspend, TODAY)
    departed, _ = advance(suspended, Step.remove, TODAY + timedelta(days=30))
    assert (departed.termination_date, departed.termination_source) == (date(2026, 3, 10), "leave_date")
    back, _ = advance(suspended, Step.resume, TODAY)
    assert (back.termination_date, back.termination_source, back.leave_date) == (None, None, "2026-03-10")
    again, _ = advance(back, Step.suspend, TODAY + timedelta(days=5))
    assert (again.termination_date, again.termination_source) == (TODAY + timedelta(days=5), "inactivation")


@pytest.mark.parametrize(
    ("source", "sent", "end"),
    [
        ("inactivation", "2026-03-31", (date(2026, 3, 31), "leave_date")),
        ("leave_date", "2026-02-20", (date(2026, 2, 20), "leave_date")),
        # What cannot be read or believed, or is gone: the day of the deactivation, as if it had been so from the beginning.
        ("leave_date", "soon", (date(2026, 2, 25), "inactivation")),
        ("inactivation", "2019-01-01", (date(2026, 2, 25), "inactivation")),
        ("leave_date", None, (date(2026, 2, 25), "inactivation")),
    ],
)
def test_a_leave_date_that_comes_late_corrects_the_termination_date(
    source: str, sent: str | None, end: tuple[date, str]
) -> None:
    before = employee(
        state="suspended", leave_date="x", suspended_on=date(2026, 2, 25), termination_date=date(2026, 3, 9),
        termination_source=source,
    )  # fmt: skip
    after = with_leave_date(before, msgspec.structs.replace(before, leave_date=sent), NOW, COPENHAGEN)
    assert (after.termination_date, after.termination_source) == end
