"""Simultaneous provisioning: the answers are those of some order, and nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import Awaitable

import pytest

from directory.employees import store
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import Employee, Provisioned
from tests.support.firm import Firm, uuid_of


async def together(*attempts: Awaitable[object]) -> list[object]:
    """What each answered: its value, or the code of its refusal. Anything else is a fault."""
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    return [_answer(one) for one in answers]


def _answer(answer: object) -> object:
    if isinstance(answer, DomainError):
        return answer.code
    if isinstance(answer, BaseException):
        raise answer
    return answer


async def test_of_32_simultaneous_creates_of_one_login_name_one_succeeds(firm: Firm) -> None:
    answers = await together(*(firm.create(given_name=f"Anna {number}") for number in range(32)))
    created = [one for one in answers if isinstance(one, Employee)]
    assert len(created) == 1
    assert Counter(one for one in answers if one not in created) == {ErrorCode.login_taken: 31}
    assert (await firm.find()).employees == created
    assert await firm.kinds(created[0]) == ["employee.created"]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"email": "shared@firma.dk"}, ErrorCode.email_taken),
        ({"external_id": "shared"}, ErrorCode.external_id_taken),
        ({"external_id": "0aa6dbb8-1f1c-4a2e-9b0a-6a9c5a4d4b11"}, ErrorCode.external_id_taken),
    ],
)
async def test_of_simultaneous_creates_with_another_shared_name_one_succeeds(
    firm: Firm, values: dict[str, str], code: ErrorCode
) -> None:
    logins = [f"p{number}@firma.dk" for number in range(8)]
    answers = await together(*(firm.create(**{"login_name": one, "email": one, **values}) for one in logins))
    assert Counter(one for one in answers if not isinstance(one, Employee)) == {code: 7}
    assert (await firm.find()).total == 1


async def test_one_login_name_in_many_companies_at_once_is_no_conflict(firm: Firm, other_firm: Firm) -> None:
    answers = await together(firm.create(), other_firm.create(), firm.create(), other_firm.create())
    assert Counter(type(one).__name__ for one in answers) == {"Employee": 2, "ErrorCode": 2}
    assert ((await firm.find()).total, (await other_firm.find()).total) == (1, 1)


async def test_a_suspended_person_comes_back_once(firm: Firm) -> None:
    away = await firm.create()
    await firm.change(away, active=False)
    answers = await together(*(firm.provision() for _ in range(12)))
    back = [one for one in answers if isinstance(one, Provisioned)]
    assert [(one.outcome, one.employee.id) for one in back] == [("reactivated", away.id)]
    assert Counter(one for one in answers if one not in back) == {ErrorCode.login_taken: 11}
    assert await firm.kinds(away) == ["employee.created", "employee.suspended", "employee.reactivated"]


async def test_an_imported_person_is_adopted_once(firm: Firm) -> None:
    await firm.imported()
    answers = await together(*(firm.provision() for _ in range(12)))
    assert sum(isinstance(one, Provisioned) for one in answers) == 1
    assert (await firm.find()).total == 1


async def test_simultaneous_changes_of_different_attributes_lose_nothing(firm: Firm) -> None:
    employee = await firm.create()
    fields = ["title", "department", "work_phone", "mobile_phone", "country", "employee_number", "display_name"]
    for round_ in range(4):
        await together(*(firm.change(employee, **{field: f"{field} {round_}"}) for field in fields))
        now = await firm.get(employee)
        assert {field: getattr(now, field) for field in fields} == {field: f"{field} {round_}" for field in fields}
    assert (now.version, len(await firm.kinds(employee))) == (1 + 4 * len(fields), 1 + 4 * len(fields))


async def test_of_simultaneous_renames_to_one_name_one_succeeds(firm: Firm) -> None:
    people = [await firm.create(login=f"p{number}@firma.dk") for number in range(8)]
    answers = await together(*(firm.change(one, login_name="wanted@firma.dk") for one in people))
    assert Counter(one for one in answers if isinstance(one, ErrorCode)) == {ErrorCode.login_taken: 7}
    assert (await firm.find(login_name="wanted@firma.dk")).total == 1


async def test_two_people_exchange_names_only_one_after_the_other(firm: Firm) -> None:
    one, other = await firm.create(login="one@firma.dk"), await firm.create(login="other@firma.dk")
    answers = await together(
        firm.change(one, login_name="other@firma.dk"), firm.change(other, login_name="one@firma.dk")
    )
    assert answers == [ErrorCode.login_taken, ErrorCode.login_taken]
    assert (await firm.get(one), await firm.get(other)) == (one, other)


@pytest.mark.parametrize("round_", range(4))
async def test_create_and_remove_of_one_name(firm: Firm, round_: int) -> None:
    first = await firm.create()
    answers = await together(firm.provision(), firm.remove(first))
    found = await firm.find()
    if isinstance(answers[0], Provisioned):
        assert [one.id for one in found.employees] == [answers[0].employee.id] != [first.id]
    else:
        assert (answers[0], found.total) == (ErrorCode.login_taken, 0)
    assert (await firm.row(first))["state"] == "departed"


async def test_remove_wins_once(firm: Firm) -> None:
    employee = await firm.create()
    answers = await together(*(firm.remove(employee) for _ in range(8)))
    assert Counter(answers) == {None: 1, ErrorCode.not_found: 7}
    assert (await firm.kinds(employee)).count("employee.departed") == 1


async def test_suspending_and_renaming_at_once_does_both(firm: Firm) -> None:
    employee = await firm.create()
    await firm.sign_in(employee)
    await together(firm.change(employee, active=False), firm.change(employee, login_name="new@firma.dk"))
    now = await firm.get(employee)
    assert (now.state, now.login_name, now.version) == ("suspended", "new@firma.dk", 3)
    assert await firm.signed_in(employee) == 0


async def test_suspending_many_times_at_once_is_one_suspension(firm: Firm) -> None:
    employee = await firm.create()
    await together(*(firm.change(employee, active=False) for _ in range(8)))
    assert await firm.kinds(employee) == ["employee.created", "employee.suspended"]


async def test_reports_and_their_manager_appearing_at_once_are_linked(firm: Firm) -> None:
    """Neither sees the other's transaction; see `approvers.gates`."""
    for round_ in range(6):
        boss, reference = f"boss{round_}@firma.dk", f"BOSS{round_}@firma.dk"
        old = await firm.create(login=f"old{round_}@firma.dk")
        answers = await together(
            *(firm.create(login=f"r{round_}-{number}@firma.dk", manager_ref=reference) for number in range(3)),
            firm.create(login=boss),
            firm.change(old, manager_ref=reference),
        )
        assert not [one for one in answers if isinstance(one, ErrorCode)]
        boss_id = (await firm.find(login_name=boss)).employees[0].id
        reports = await firm.find(manager=reference)
        assert reports.total == 4
        assert {one.manager_id for one in reports.employees} == {boss_id}


async def test_two_managers_appearing_at_once_leave_one_link_and_one_event(firm: Firm) -> None:
    for round_ in range(4):
        reference = f"boss-{round_}"
        report = await firm.create(login=f"r{round_}@firma.dk", manager_ref=reference)
        await together(
            firm.create(login=f"a{round_}@firma.dk", external_id=reference),
            firm.create(login_name=reference, email=f"b{round_}@firma.dk"),
        )
        linked = await firm.get(report)
        assert linked.manager_id is not None
        assert linked.version == 2
        assert await firm.kinds(report) == ["employee.created", "employee.manager_linked"]


async def test_people_who_name_each_other_as_manager_at_once(firm: Firm) -> None:
    for round_ in range(6):
        one, other = f"a{round_}@firma.dk", f"b{round_}@firma.dk"
        answers = await together(firm.create(login=one, manager_ref=other), firm.create(login=other, manager_ref=one))
        assert all(isinstance(answer, Employee) for answer in answers)
        first = (await firm.find(login_name=one)).employees[0]
        second = (await firm.find(login_name=other)).employees[0]
        assert (first.manager_id, second.manager_id) == (second.id, first.id)


async def test_nobody_is_left_with_a_departed_manager(firm: Firm) -> None:
    for round_ in range(6):
        boss = await firm.create(login=f"boss{round_}@firma.dk")
        early = await firm.create(login=f"e{round_}@firma.dk", manager_ref=boss.id)
        late = await firm.create(login=f"l{round_}@firma.dk")
        await together(
            firm.remove(boss),
            firm.change(late, manager_ref=boss.id),
            firm.change(early, title="Kok"),
            firm.create(login=f"n{round_}@firma.dk", manager_ref=boss.login_name),
        )
        waiting = await firm.find(manager=boss.id)
        assert waiting.total == 2
        assert {one.manager_id for one in (await firm.find()).employees} == {None}


async def test_a_manager_and_his_report_leaving_and_changing_at_once(firm: Firm) -> None:
    """Whoever loses a deadlock is done again; nobody sees it."""
    for round_ in range(6):
        one, other = await firm.create(login=f"a{round_}@firma.dk"), await firm.create(login=f"b{round_}@firma.dk")
        await together(firm.change(one, manager_ref=other.id), firm.change(other, manager_ref=one.id))
        answers = await together(firm.remove(one), firm.remove(other), firm.change(one, title="x"))
        assert answers[:2] == [None, None]
        assert (await firm.find()).total == 0


async def test_whoever_leaves_is_locked_together_with_all_his_reports(firm: Firm) -> None:
    """In the order of their ids, and before anything else: a report locked later would be waited for by who holds him."""
    boss = await firm.create(login="boss@firma.dk")
    reports = [await firm.create(login=f"r{number}@firma.dk", manager_ref=boss.id) for number in range(3)]
    async with firm.operator() as tx:
        assert await store.lock_to_remove(tx, uuid_of(boss)) is not None
        free = await firm.as_owner("select employee_id from employees for update skip locked")
    assert free == [], f"{len(reports)} reports"
