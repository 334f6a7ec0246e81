from datetime import UTC, date, datetime
from typing import get_args

import pytest

from directory.employees.lifecycle import TABLE, Step, advance, local_date, transition
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import EmployeeState
from tests.unit.directory.employee_records import employee

TODAY, EARLIER = date(2026, 3, 1), date(2026, 1, 15)


@pytest.mark.parametrize(
    ("state", "end", "step", "to", "new_end", "keeps_names", "ends_sessions"),
    [
        ("active", None, Step.suspend, "suspended", TODAY, True, True),
        ("suspended", EARLIER, Step.resume, "active", None, True, False),
        ("active", None, Step.remove, "departed", TODAY, False, True),
        ("suspended", EARLIER, Step.remove, "departed", EARLIER, False, True),
    ],
)
def test_every_row_of_the_table(
    state: EmployeeState,
    end: date | None,
    step: Step,
    to: EmployeeState,
    new_end: date | None,
    keeps_names: bool,
    ends_sessions: bool,
) -> None:
    before = employee(state=state, termination_date=end, external_id="anna-7")

    after, made = advance(before, step, TODAY)

    assert made is not None
    assert (after.state, after.termination_date, made.ends_sessions) == (to, new_end, ends_sessions)
    kept = [after.login_name, after.email, after.external_id]
    assert kept == ([before.login_name, before.email, before.external_id] if keeps_names else [None, None, None])


@pytest.mark.parametrize(("state", "step"), [("active", Step.resume), ("suspended", Step.suspend)])
def test_who_is_there_already_stays_as_he_is(state: EmployeeState, step: Step) -> None:
    before = employee(state=state, termination_date=None if state == "active" else EARLIER)
    assert advance(before, step, TODAY) == (before, None)


@pytest.mark.parametrize("step", list(Step))
def test_whoever_departed_is_not_found(step: Step) -> None:
    with pytest.raises(DomainError) as refused:
        transition("departed", step)
    assert refused.value.code is ErrorCode.not_found


def test_nobody_leaves_departed_and_only_the_departed_lose_their_names() -> None:
    assert all(state != "departed" for state, _ in TABLE)
    assert {made.to for made in TABLE.values()} == set(get_args(EmployeeState))
    assert all(made.releases_names == (made.to == "departed") for made in TABLE.values())
    assert all(made.ends_sessions == (made.to != "active") for made in TABLE.values())


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("Europe/Copenhagen", date(2026, 7, 1)), ("America/New_York", date(2026, 6, 30)), ("UTC", date(2026, 6, 30))],
)
def test_today_is_the_companys_today(zone: str, expected: date) -> None:
    assert local_date(datetime(2026, 6, 30, 22, 30, tzinfo=UTC), zone) == expected
