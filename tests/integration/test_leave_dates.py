"""The leave date from Entra or HR, and the termination date that it sets (A4), against PostgreSQL."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from directory.employees import hr
from directory.events import store as events
from directory.events.folding import fold
from directory.findings.store import open_findings
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text
from shared.schemas import people
from shared.schemas.employee import Employee
from tests.support.firm import Firm, uuid_of


def today() -> date:
    """In the firms' time zone."""
    return datetime.now(ZoneInfo("Europe/Copenhagen")).date()


async def end_of(firm: Firm, employee: Employee) -> tuple[str, date | None, str | None]:
    row = await firm.row(employee)
    return row["state"], row["termination_date"], row["termination_source"]


async def edit(firm: Firm, person: str, **edits: Any) -> None:
    async with firm.operator() as tx:
        await hr.edit_employee(tx, person, people.EmployeeEdits(**edits))


@pytest.mark.parametrize("together", [True, False], ids=["in one request", "before"])
async def test_whoever_is_deactivated_ends_on_his_leave_date(firm: Firm, together: bool) -> None:
    anna, last = await firm.create(), today() + timedelta(days=20)
    if together:
        done = await firm.change(anna, active=False, leave_date=f"{last}T00:00:00Z")
    else:
        await firm.change(anna, leave_date=f"{last}T00:00:00Z")
        done = await firm.change(anna, active=False)
    assert (done.employee.leave_date, done.employee.termination_date) == (f"{last}T00:00:00Z", last)
    assert await end_of(firm, anna) == ("suspended", last, "leave_date")
    assert not (await firm.change(anna, active=False, leave_date=f"{last}T00:00:00Z")).changed
    await firm.remove(anna)
    assert await end_of(firm, anna) == ("departed", last, "leave_date")


async def test_a_hard_delete_of_an_active_person_and_an_inactive_create_heed_it_too(firm: Firm) -> None:
    anna, last = await firm.create(leave_date=str(today() - timedelta(days=3))), today() - timedelta(days=3)
    await firm.remove(anna)
    assert await end_of(firm, anna) == ("departed", last, "leave_date")
    bo = await firm.create(login="bo@firma.dk", active=False, leave_date=str(last))
    assert await end_of(firm, bo) == ("suspended", last, "leave_date")
    carl = await firm.create(login="carl@firma.dk", active=False)
    assert await end_of(firm, carl) == ("suspended", today(), "inactivation")


async def test_a_leave_date_that_comes_or_changes_after_the_deactivation_corrects_the_date(firm: Firm) -> None:
    anna = await firm.create()
    await firm.change(anna, active=False)
    first, second = today() + timedelta(days=9), today() + timedelta(days=40)
    for last in (first, second):
        await firm.change(anna, leave_date=str(last))
        assert await end_of(firm, anna) == ("suspended", last, "leave_date")
    for gone in ("soon", "2019-01-01", None):
        await firm.change(anna, leave_date=gone)
        assert await end_of(firm, anna) == ("suspended", today(), "inactivation")
    await firm.change(anna, active=True)
    assert await end_of(firm, anna) == ("active", None, None)


async def test_a_leave_date_is_no_way_around_the_question_after_a_long_absence(firm: Firm) -> None:
    """A11: how long he was away is counted from the day he was deactivated, whatever his termination date is."""
    await firm.as_owner("update companies set rehire_ask_after_days = 90")
    anna = await firm.create()
    await firm.change(anna, active=False)
    long_ago = today() - timedelta(days=600)
    await firm.as_owner("update employees set termination_date = $1, suspended_on = $1", long_ago)
    await firm.change(anna, leave_date=str(today() + timedelta(days=100)))
    assert await end_of(firm, anna) == ("suspended", long_ago, "inactivation"), "too far from it to be a correction"
    await firm.change(anna, active=True, leave_date=str(today() + timedelta(days=101)))
    assert (await firm.row(anna))["rehire_asked_at"] is not None
    bo = await firm.create(login="bo@firma.dk", leave_date=str(today() - timedelta(days=80)))
    await firm.change(bo, active=False)
    await firm.change(bo, active=True)
    assert await end_of(firm, bo) == ("active", None, None)


@pytest.mark.parametrize("days", [-30, 0, 30])
async def test_a_leave_date_of_the_time_before_a_return_is_spent(firm: Firm, days: int) -> None:
    """Entra sends nothing for a date that was cleared there: it would be the end of an employment that it knows nothing of."""
    anna = await firm.create(leave_date=str(today() + timedelta(days=days)))
    await firm.change(anna, active=False)
    await firm.change(anna, active=True)
    await firm.change(anna, active=False)
    assert await end_of(firm, anna) == ("suspended", today(), "inactivation")
    # One that comes with the return, or after it, is of the time to come.
    last = today() + timedelta(days=50)
    await firm.change(anna, active=True, leave_date=str(last))
    await firm.change(anna, active=False)
    assert await end_of(firm, anna) == ("suspended", last, "leave_date")


async def test_a_new_employment_does_not_inherit_the_end_of_the_old_one(firm: Firm) -> None:
    await firm.as_owner("update companies set rehire_ask_after_days = 10")
    old = await firm.create(leave_date=str(today() - timedelta(days=30)))
    await firm.change(old, active=False)
    await firm.as_owner("update employees set suspended_on = suspended_on - 20")
    await firm.change(old, active=True)
    async with firm.operator() as tx:
        new = await hr.decide_rehire(tx, old.id, "new_employment")
    assert await end_of(firm, old) == ("departed", today() - timedelta(days=30), "leave_date")
    shown = await firm.get(employee_text(new.employee_id))
    assert (shown.leave_date, shown.termination_date) == (old.leave_date, None)
    await firm.change(shown, active=False)
    assert await end_of(firm, shown) == ("suspended", today(), "inactivation")


async def test_what_cannot_be_read_is_kept_as_sent_reported_and_ends_nobody(firm: Firm, other_firm: Firm) -> None:
    anna = await firm.create(leave_date="31/12/2026")
    bo = await firm.create(login="bo@firma.dk", leave_date="31/12/2026")
    assert (await firm.get(anna)).leave_date == "31/12/2026"
    async with firm.operator() as tx:
        found = [(one.kind, one.subject, one.details) for one in await open_findings(tx)]
    assert found == [("unknown_leave_date", "31/12/2026", {"people": 2})]
    async with other_firm.operator() as tx:
        assert await open_findings(tx) == []
    await firm.change(anna, active=False)
    assert await end_of(firm, anna) == ("suspended", today(), "inactivation")
    for one in (anna, bo):
        await firm.change(one, leave_date="2026-12-31")
    async with firm.operator() as tx:
        assert await open_findings(tx) == []


async def test_hr_gives_a_leave_date_where_entra_has_none(firm: Firm) -> None:
    last = today() + timedelta(days=14)
    bo = await firm.create(login="bo@firma.dk", leave_date=str(last))
    with pytest.raises(DomainError) as refused:
        await edit(firm, bo.id, leave_date=last + timedelta(days=1))
    assert (refused.value.code, refused.value.field) == (ErrorCode.not_allowed, "leave_date")
    await firm.change(bo, active=False)

    anna = await firm.create()
    await edit(firm, anna.id, leave_date=last)
    assert (await firm.row(anna))["leave_date"] == last.isoformat()
    await firm.change(anna, active=False)
    assert await end_of(firm, anna) == ("suspended", last, "leave_date")


@pytest.mark.parametrize("days", [-93, 367])
@pytest.mark.parametrize("hired", [True, False])
async def test_hr_cannot_give_a_leave_date_that_would_not_count(firm: Firm, days: int, hired: bool) -> None:
    anna = await firm.create()
    if hired:
        await edit(firm, anna.id, hired_on=today())
        days = max(days, -1)
    with pytest.raises(DomainError, match="leave_date must be from") as refused:
        await edit(firm, anna.id, leave_date=today() + timedelta(days=days))
    assert (refused.value.code, refused.value.field) == (ErrorCode.invalid_value, "leave_date")


async def test_that_nobody_new_has_one_does_not_mean_that_it_is_mapped_no_more(firm: Firm) -> None:
    anna = await firm.create(leave_date=str(today()))
    for number in range(21):
        await firm.create(login=f"new{number}@firma.dk")
    with pytest.raises(DomainError) as refused:
        await edit(firm, anna.id, leave_date=today() + timedelta(days=1))
    assert refused.value.code is ErrorCode.not_allowed


async def test_a_mistyped_year_is_refused_where_nothing_else_would_tell(firm: Firm) -> None:
    anna = await firm.create()
    async with firm.operator() as tx:
        with pytest.raises(DomainError, match="on must be from") as refused:
            await hr.end_employment(tx, anna.id, today() - timedelta(days=367))
    assert refused.value.code is ErrorCode.invalid_value


async def test_the_day_that_hr_chooses_is_above_it(firm: Firm) -> None:
    last, chosen = str(today() + timedelta(days=20)), today() + timedelta(days=2)
    for login, on, end in (("a@firma.dk", chosen, chosen), ("b@firma.dk", None, today())):
        person = await firm.create(login=login, leave_date=last)
        async with firm.operator() as tx:
            await hr.end_employment(tx, person.id, on)
        assert await end_of(firm, person) == ("departed", end, "hr")


async def test_the_history_tells_it_and_whose_it_is(firm: Firm) -> None:
    last = str(today() + timedelta(days=20))
    anna = await firm.create()
    await firm.change(anna, leave_date=last)
    await firm.change(anna, active=False)
    async with firm.operator() as tx:
        told = fold(uuid_of(anna), await events.of_employee(tx, uuid_of(anna)))
    assert told is not None
    assert (told.leave_date, str(told.leaves_on), told.owners["leave_date"]) == (last, last, "entra")
    assert (str(told.termination_date), told.termination_source) == (last, "leave_date")
