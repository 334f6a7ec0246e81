"""Approvers on real PostgreSQL: what rows make of the rules, what HR decides, and what it costs to ask."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from directory.approvers import answers, grants_store, operations, store
from directory.approvers.overview import whole
from directory.approvers.rules import effective
from directory.database import CompanyTx, Database, Statement
from directory.employees import hr, writing
from directory.employees.record import EmployeeRecord
from directory.employees.releasing import release_attribute
from shared.approval import DirectStatus, ProblemKind
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text, new_employee_id
from shared.schemas.employee import Employee
from shared.schemas.people import EmployeeEdits
from tests.support.approval import Approval
from tests.support.big_company import MANY, close_circle, populate
from tests.support.clock import SettableClock
from tests.support.firm import Firm, Urls


@pytest.fixture
def approval(firm: Firm) -> Approval:
    return Approval(firm)


@pytest.fixture
async def boss(approval: Approval) -> Employee:
    return await approval.person("Boss")


@pytest.fixture
async def anna(approval: Approval, boss: Employee) -> Employee:
    """Of the sales department; Boss is her manager in Entra."""
    return await approval.person("Anna", manager_ref=boss.id, department="Salg")


@pytest.fixture
async def helper(approval: Approval) -> Employee:
    return await approval.person("Helper")


@pytest.fixture
async def admin(approval: Approval) -> Employee:
    made = await approval.person("Admin")
    await approval.grant(made, "setup_admin")
    return made


@pytest.fixture
def days_pass(firm_clock: SettableClock) -> Iterator[Callable[[int], None]]:
    def days_pass(days: int) -> None:
        firm_clock.set(firm_clock() + timedelta(days=days))

    yield days_pass
    firm_clock.set(None)


# Asked about one employee


async def test_the_direct_approver_is_told_with_who_named_him_and_since_when(
    approval: Approval, days_pass: Callable[[int], None], anna: Employee, boss: Employee, helper: Employee
) -> None:
    """S54."""
    direct = (await approval.explain(anna)).direct
    assert (direct.status, direct.employee_id, direct.name) == (DirectStatus.in_force, boss.id, "Boss Holm")
    assert (direct.source, direct.reference, direct.since) == ("entra", boss.id, anna.created_at)
    days_pass(3)
    moved = (await approval.firm.change(anna, manager_ref=helper.id)).employee
    direct = (await approval.explain(anna)).direct
    assert (direct.employee_id, direct.since) == (helper.id, moved.updated_at)
    days_pass(3)
    await approval.firm.change(anna, title="Chef")
    assert (await approval.explain(anna)).direct == direct, "other changes are none of the manager"


async def test_the_explanation_tells_the_three_usual_causes_of_a_wrong_approver(
    approval: Approval, anna: Employee, boss: Employee
) -> None:
    """S80."""
    lonely = await approval.person("Lonely")
    waiting = await approval.person("Waiting", manager_ref=employee_text(new_employee_id()))
    await approval.grant(anna, "self_approver")
    told = [await approval.explain(one) for one in (lonely, waiting, anna)]
    statuses = [DirectStatus.missing, DirectStatus.waiting, DirectStatus.self_approver]
    assert [one.direct.status for one in told] == statuses
    assert told[2].direct.reference == boss.id, "the manager is stored all the same"
    assert told[1].direct.since == waiting.created_at


async def test_a_chosen_manager_is_told_as_hrs_or_the_imports(
    approval: Approval, anna: Employee, helper: Employee
) -> None:
    for owner in ("hr", "csv"):
        await approval.chosen(anna, helper, owner)
        assert await approval.who(anna) == {"Helper": "chosen_manager"}
        assert (await approval.explain(anna)).direct.source == owner


async def test_where_the_manager_is_mapped_no_more_hr_chooses_the_direct_approver(
    approval: Approval, anna: Employee, helper: Employee
) -> None:
    """S25, S59, B9."""
    firm = approval.firm
    async with firm.operator() as tx:
        with pytest.raises(DomainError, match="manager_ref comes from Entra"):
            await hr.edit_employee(tx, anna.id, EmployeeEdits(manager_ref=helper.id))
    await release_attribute(firm.operator, "manager_ref")
    assert await approval.who(anna) == {"Boss": "chosen_manager"}, "as it was, and HR's from now on"
    async with firm.operator() as tx:
        await hr.edit_employee(tx, anna.id, EmployeeEdits(manager_ref="helper@firma.dk"))
    for follow in (True, False):
        await approval.follow(follow)
        assert await approval.who(anna) == {"Helper": "chosen_manager"}
        assert (await approval.explain(anna)).direct.source == "hr"


async def test_a_suspended_blocked_or_departed_manager_is_a_problem_and_the_setup_admins_approve(
    approval: Approval, anna: Employee, boss: Employee, admin: Employee
) -> None:
    """A19."""
    await approval.block(boss)
    assert await approval.kinds(anna) == ["manager_blocked", "setup_admins_only"]
    await approval.block(boss, False)
    await approval.firm.change(boss, active=False)
    assert await approval.kinds(anna) == ["manager_suspended", "setup_admins_only"]
    assert await approval.who(anna) == {"Admin": "setup_admin_queue"}
    await approval.firm.change(boss, active=True)
    assert await approval.who(anna) == {"Boss": "entra_manager"}
    await approval.firm.remove(boss)
    assert await approval.kinds(anna) == ["manager_departed", "setup_admins_only"]
    direct = (await approval.explain(anna)).direct
    assert (direct.employee_id, direct.name) == (boss.id, "Boss Holm")


async def test_a_manager_who_comes_suspended_is_linked_and_approves_once_he_is_active(approval: Approval) -> None:
    """S58, by every way to name him."""
    reports = {
        name: await approval.person(f"By{number}", manager_ref=reference)
        for number, (name, reference) in enumerate({"external id": "boss-1", "login": "BOSS@firma.dk"}.items())
    }
    for one in reports.values():
        assert await approval.kinds(one) == ["manager_waiting", "nobody"]
    boss = await approval.person("Boss", external_id="boss-1", active=False)
    for one in reports.values():
        assert await approval.kinds(one) == ["manager_suspended", "nobody"]
    await approval.firm.change(boss, active=True)
    for one in reports.values():
        assert await approval.who(one) == {"Boss": "entra_manager"}


async def test_a_manager_who_is_renamed_to_the_name_waited_for_is_linked_and_stays_when_he_is_renamed_again(
    approval: Approval, boss: Employee
) -> None:
    """S58."""
    waiting = await approval.person("Anna", manager_ref="chef@firma.dk")
    await approval.firm.change(boss, login_name="chef@firma.dk")
    assert await approval.who(waiting) == {"Boss": "entra_manager"}
    await approval.firm.change(boss, login_name="direktor@firma.dk")
    assert await approval.who(waiting) == {"Boss": "entra_manager"}


async def test_a_manager_in_a_new_employment_has_his_reports_although_entra_still_names_the_former_one(
    approval: Approval, days_pass: Callable[[int], None], anna: Employee, boss: Employee
) -> None:
    """S58, A11."""
    firm = approval.firm
    await firm.as_owner("update companies set rehire_ask_after_days = 10")
    await firm.change(boss, active=False)
    days_pass(20)
    await firm.change(boss, active=True)
    assert await approval.kinds(anna) == ["manager_suspended", "nobody"], "HR has not chosen yet"
    async with firm.operator() as tx:
        again = await hr.decide_rehire(tx, boss.id, "new_employment")
    assert await approval.who(anna) == {"Boss": "entra_manager"}
    assert (await firm.get(anna)).manager_id == employee_text(again.employee_id)
    assert (await firm.get(anna)).manager_ref == boss.id, "as Entra sent it, and compares it"
    later = await approval.person("Later", manager_ref=boss.id)
    assert await approval.who(later) == {"Boss": "entra_manager"}
    assert (await firm.kinds(anna))[-2:] == ["employee.manager_lost", "employee.manager_linked"]


async def test_a_report_who_names_the_former_employment_at_the_moment_of_the_new_one_is_linked(
    approval: Approval, days_pass: Callable[[int], None]
) -> None:
    firm = approval.firm
    await firm.as_owner("update companies set rehire_ask_after_days = 10")
    for round_ in range(6):
        boss = await approval.person(f"Boss{round_}")
        report = await approval.person(f"R{round_}")
        await firm.change(boss, active=False)
        days_pass(20)
        await firm.change(boss, active=True)

        async def begin_anew(person: str = boss.id) -> EmployeeRecord:
            async def attempt() -> EmployeeRecord:
                async with firm.operator() as tx:
                    return await hr.decide_rehire(tx, person, "new_employment")

            return await writing.repeated(attempt)

        again, _ = await asyncio.gather(begin_anew(), firm.change(report, manager_ref=boss.id))
        assert (await firm.get(report)).manager_id == employee_text(again.employee_id)


async def test_a_blocked_manager_who_is_waited_for_is_linked_and_counts_when_he_is_let_in_again(
    approval: Approval, boss: Employee
) -> None:
    await approval.block(boss)
    waiting = await approval.person("Anna", manager_ref=boss.login_name)
    assert await approval.kinds(waiting) == ["manager_blocked", "nobody"]
    await approval.block(boss, False)
    assert await approval.who(waiting) == {"Boss": "entra_manager"}


async def test_a_circle_is_told_with_its_members_from_whoever_is_asked_about(approval: Approval) -> None:
    people = [await approval.person(name) for name in ("Anna", "Bo", "Cai", "Dea")]
    anna, bo, cai, dea = people
    for one, manager in ((anna, bo), (bo, cai), (cai, anna), (dea, anna)):
        await approval.firm.change(one, manager_ref=manager.id)
    told = await approval.explain(bo)
    assert told.circle == [bo.id, cai.id, anna.id]
    assert [(one.kind, one.about) for one in told.problems] == [(ProblemKind.manager_cycle, anna.id)]
    assert await approval.who(bo) == {"Cai": "entra_manager"}
    outside = await approval.explain(dea)
    assert (outside.circle, outside.problems) == ([], [])
    await approval.grant(cai, "self_approver")
    assert (await approval.explain(bo)).circle == [], "a Self approver has no manager in force"
    await approval.revoke(cai, "self_approver")
    await approval.follow(False)
    assert (await approval.explain(bo)).circle == []


async def test_whoever_is_his_own_manager_is_in_no_circle(approval: Approval, admin: Employee) -> None:
    await approval.firm.change(admin, manager_ref=admin.id)
    told = await approval.explain(admin)
    assert (told.circle, told.direct.status) == ([], DirectStatus.himself)


async def test_nobody_who_is_not_there_is_explained(approval: Approval, anna: Employee, other_firm: Firm) -> None:
    stranger = await other_firm.create(login="x@firma.dk")
    await approval.firm.remove(anna)
    for one in (anna, stranger):
        with pytest.raises(DomainError) as refused:
            await approval.explain(one)
        assert refused.value.code is ErrorCode.not_found


async def test_asking_about_one_employee_is_three_statements_whatever_he_has(
    approval: Approval, monkeypatch: pytest.MonkeyPatch, anna: Employee, admin: Employee, helper: Employee
) -> None:
    await approval.grant(helper, "approver", "Salg")
    seen: list[str] = []
    original = CompanyTx.fetch, CompanyTx.fetchrow

    async def fetch(tx: CompanyTx, question: Statement, *arguments: Any) -> Any:
        seen.append(question.name)
        return await original[0](tx, question, *arguments)

    async def fetchrow(tx: CompanyTx, question: Statement, *arguments: Any) -> Any:
        seen.append(question.name)
        return await original[1](tx, question, *arguments)

    monkeypatch.setattr(CompanyTx, "fetch", fetch)
    monkeypatch.setattr(CompanyTx, "fetchrow", fetchrow)
    await approval.explain(anna)
    assert seen == ["approval_explained", "approval_of_concerned", "walk_of_managers"]


# What HR decides


async def test_a_granted_role_stands_is_told_and_is_given_once(approval: Approval, anna: Employee) -> None:
    granted = await approval.grant(anna, "hr_statistics")
    assert (granted.roles, granted.changed) == (["hr_statistics"], True)
    again = await approval.grant(anna, "hr_statistics")
    assert (again.roles, again.changed) == (["hr_statistics"], False)
    both = await approval.grant(anna, "local_payroll_admin")
    assert both.roles == ["hr_statistics", "local_payroll_admin"]
    revoked = await approval.revoke(anna, "hr_statistics")
    assert (revoked.roles, revoked.changed) == (["local_payroll_admin"], True)
    assert not (await approval.revoke(anna, "hr_statistics")).changed
    history = await approval.firm.history(anna)
    kinds = ["employee.role_granted", "employee.role_granted", "employee.role_revoked"]
    assert [event["kind"] for event in history[1:]] == kinds
    assert history[3]["changes"] == {
        "roles": {"before": ["hr_statistics", "local_payroll_admin"], "after": ["local_payroll_admin"]}
    }
    assert history[3]["actor_kind"] == "operator"
    now = await approval.firm.get(anna)
    assert (now.version, now.updated_at > anna.updated_at) == (4, True)


async def test_an_approver_may_be_without_departments_and_have_several(
    approval: Approval, anna: Employee, helper: Employee
) -> None:
    """B7, S55."""
    await approval.person("Kok", department="Køkken")
    alone = await approval.grant(helper)
    assert (alone.roles, alone.departments) == (["approver"], [])
    some = await approval.grant(helper, "approver", "SALG", "køkken")
    assert some.departments == ["Køkken", "Salg"]
    assert not (await approval.grant(helper, "approver", "Salg")).changed
    fewer = await approval.revoke(helper, "approver", "Salg")
    assert (fewer.roles, fewer.departments, fewer.changed) == (["approver"], ["Køkken"], True)
    assert not (await approval.revoke(helper, "approver", "Salg")).changed
    none = await approval.revoke(helper)
    assert (none.roles, none.departments) == ([], [])
    told = [event["changes"].get("approver_departments") for event in await approval.firm.history(helper)][1:]
    assert told == [
        None,
        {"before": {}, "after": {"Køkken": True, "Salg": True}},
        {"before": {"Køkken": True, "Salg": True}, "after": {"Køkken": True}},
        {"before": {"Køkken": True}, "after": {}},
    ]


@pytest.mark.parametrize(
    ("role", "departments", "sentence"),
    [
        ("administrator", (), "There is no role 'administrator'; the roles are setup_admin, global_payroll_admin"),
        ("", (), "There is no role ''"),
        ("hr_statistics", ("Salg",), "Departments go with the role approver only, not with hr_statistics"),
        ("approver", ("Salg", "Kælder"), "There is no department 'Kælder' in this company"),
        ("approver", ("Salg", "a\x00b"), "There is no department 'a\x00b' in this company"),
        ("approver", ("Salg", "\ud800"), "There is no department"),
        ("approver", ("x" * 10_000,), "There is no department 'xxx"),
        ("approver", ("Salg",) * 1001, "At most 1000 departments at once"),
    ],
)
async def test_what_cannot_be_granted_is_refused_with_a_sentence_and_changes_nothing(
    approval: Approval, anna: Employee, helper: Employee, role: str, departments: tuple[str, ...], sentence: str
) -> None:
    for attempt in (approval.grant, approval.revoke):
        with pytest.raises(DomainError) as refused:
            await attempt(helper, role, *departments)
        assert refused.value.code is ErrorCode.invalid_value
        assert sentence in refused.value.detail
    assert await approval.firm.kinds(helper) == ["employee.created"]


async def test_a_department_of_another_company_cannot_be_granted(
    approval: Approval, helper: Employee, other_firm: Firm
) -> None:
    await other_firm.create(department="Hemmelig")
    with pytest.raises(DomainError, match="There is no department 'Hemmelig'"):
        await approval.grant(helper, "approver", "Hemmelig")


async def test_roles_survive_whatever_provisioning_does_to_an_employee(
    approval: Approval, helper: Employee, anna: Employee
) -> None:
    """S53: HR-granted roles are never revoked by sync."""
    await approval.grant(helper, "approver", "Salg")
    await approval.grant(helper, "hr_statistics")
    await approval.only_direct(helper)
    await approval.firm.change(helper, title="Chef", department="Køkken", manager_ref=anna.id)
    await approval.firm.change(helper, active=False)
    await approval.firm.provision(login="helper@firma.dk", given_name="Helper")
    told = await approval.explain(helper)
    assert (told.roles, told.departments, told.only_direct_approver) == (["approver", "hr_statistics"], ["Salg"], True)


async def test_whoever_departs_loses_his_roles_and_departments_and_it_is_told(
    approval: Approval, helper: Employee, anna: Employee
) -> None:
    await approval.grant(helper, "approver", "Salg")
    await approval.firm.remove(helper)
    assert (await approval.firm.row(helper))["roles"] == []
    assert await approval.firm.as_owner("select * from department_approvers") == []
    departed = (await approval.firm.history(helper))[-1]
    assert departed["changes"]["approver_departments"] == {"before": {"Salg": True}, "after": {}}
    assert departed["changes"]["roles"] == {"before": ["approver"], "after": []}
    with pytest.raises(DomainError) as refused:
        await approval.grant(helper)
    assert refused.value.code is ErrorCode.not_found


async def test_the_direct_approver_alone_is_a_flag_that_is_told(approval: Approval, anna: Employee) -> None:
    """S56."""
    assert (await approval.only_direct(anna)).changed
    assert not (await approval.only_direct(anna)).changed
    assert (await approval.only_direct(anna, False)).changed
    told = [event["changes"] for event in await approval.firm.history(anna)][1:]
    assert told == [
        {"only_direct_approver": {"before": False, "after": True}},
        {"only_direct_approver": {"before": True, "after": False}},
    ]


# The derived role


async def test_a_manager_is_approver_until_a_month_after_his_last_report_left(
    approval: Approval, days_pass: Callable[[int], None], anna: Employee, boss: Employee
) -> None:
    """S53, A17, D9."""
    moved = await approval.person("Moved", manager_ref=boss.id)
    await approval.firm.change(moved, manager_ref=anna.id)
    assert (await approval.explain(boss)).approver_by_reports
    await approval.firm.change(anna, active=False)
    days_pass(20)
    await approval.firm.remove(anna)
    assert (await approval.explain(boss)).approver_by_reports
    days_pass(9)
    assert (await approval.explain(boss)).approver_by_reports
    days_pass(1)
    assert not (await approval.explain(boss)).approver_by_reports
    assert (await approval.firm.row(boss))["roles"] == [], "never stored"


async def test_whoever_is_his_own_manager_is_no_approver_by_that(approval: Approval, boss: Employee) -> None:
    """D9: the role comes from being somebody's manager."""
    await approval.firm.change(boss, manager_ref=boss.id)
    assert not (await approval.explain(boss)).approver_by_reports


# The whole company


async def test_the_overview_tells_every_problem_with_whom_it_affects(
    approval: Approval, anna: Employee, boss: Employee, admin: Employee, helper: Employee
) -> None:
    await approval.grant(admin, "self_approver")
    await approval.firm.change(boss, active=False)
    gone = await approval.person("Gone")
    orphan = await approval.person("Orphan", manager_ref=gone.id)
    await approval.firm.remove(gone)
    await approval.firm.change(helper, manager_ref=helper.id)
    page = await approval.problems()
    told = {(one.kind.value, one.name, one.about_name) for one in page.problems}
    assert told == {
        ("setup_admins_only", "Anna Holm", None),
        ("setup_admins_only", "Helper Holm", None),
        ("setup_admins_only", "Orphan Holm", None),
        ("manager_suspended", "Anna Holm", "Boss Holm"),
        ("manager_departed", "Orphan Holm", "Gone Holm"),
        ("manager_himself", "Helper Holm", "Helper Holm"),
    }
    assert page.affected == {
        "setup_admins_only": 3, "manager_departed": 1, "manager_suspended": 1, "manager_himself": 1
    }  # fmt: skip
    assert page.next is None
    only = await approval.problems(ProblemKind.manager_departed)
    assert [one.employee_id for one in only.problems] == [orphan.id]
    assert only.affected == page.affected


async def test_pages_of_the_overview_follow_each_other_without_gap_or_repetition(approval: Approval) -> None:
    for number in range(7):
        await approval.person(f"P{number}")
    whole = (await approval.problems()).problems
    assert len(whole) == 14
    pages, after = [], None
    while True:
        page = await approval.problems(after=after, limit=3)
        pages += page.problems
        after = page.next
        if after is None:
            break
    assert pages == whole


@pytest.mark.parametrize("after", ["", "x", "nobody.-.emp_1", "nobody..emp_" + "0" * 32, "nonsense.-.emp_" + "0" * 32])
async def test_a_cursor_that_no_page_gave_is_refused(approval: Approval, after: str) -> None:
    with pytest.raises(DomainError) as refused:
        await approval.problems(after=after)
    assert refused.value.code is ErrorCode.invalid_request


async def test_one_company_sees_nothing_of_the_other(approval: Approval, anna: Employee, other_firm: Firm) -> None:
    other = Approval(other_firm)
    await other.person("Alone", manager_ref=anna.id)
    assert [one.name for one in (await other.problems()).problems] == ["Alone Holm", "Alone Holm"]
    assert "Alone Holm" not in {one.name for one in (await approval.problems()).problems}
    assert [one.employee_id for one in (await other.preview(False)).changes] == []


# Following Entra's managers, or not


async def test_a_preview_tells_for_whom_others_would_approve_and_writes_nothing(
    approval: Approval, anna: Employee, boss: Employee, helper: Employee
) -> None:
    """S52."""
    await approval.follow(False)
    await approval.grant(helper, "approver", "Salg")
    both = await approval.person("Both", manager_ref=helper.id, department="Salg")
    before = await approval.firm.as_owner("select * from events")
    told = await approval.preview(True)
    assert (told.follows_entra_managers, told.changed, told.next) == (False, 1, None)
    assert [one.employee_id for one in told.changes] == [anna.id]
    assert [(one.name, one.reason.value) for one in told.changes[0].before] == [("Helper Holm", "department_approver")]
    assert [(one.name, one.reason.value) for one in told.changes[0].after] == [("Boss Holm", "entra_manager")]
    assert await approval.firm.as_owner("select * from events") == before
    assert await approval.who(both) == {"Helper": "department_approver"}
    await approval.follow(True)
    assert await approval.who(anna) == {"Boss": "entra_manager"}
    assert (await approval.preview(True)).changed == 0


async def test_pages_of_a_preview_follow_each_other(approval: Approval, boss: Employee) -> None:
    people = [await approval.person(f"P{number}", manager_ref=boss.id) for number in range(5)]
    first = await approval.preview(False, limit=2)
    second = await approval.preview(False, limit=2, after=first.next)
    third = await approval.preview(False, limit=2, after=second.next)
    told = [one.employee_id for page in (first, second, third) for one in page.changes]
    assert told == [one.id for one in people]
    assert [page.changed for page in (first, second, third)] == [5, 5, 5]
    assert third.next is None


async def test_on_and_off_again_gives_exactly_the_approvers_of_before(
    approval: Approval, anna: Employee, boss: Employee, helper: Employee, admin: Employee
) -> None:
    await approval.follow(False)
    await approval.grant(helper, "approver", "Salg")
    chosen = await approval.person("Chosen", department="Salg")
    await approval.chosen(chosen, boss)
    alone = await approval.person("Alone", manager_ref=boss.id)
    only = await approval.person("Only", manager_ref=boss.id, department="Salg")
    await approval.only_direct(only)
    everybody = [anna, boss, helper, admin, chosen, alone, only]
    before = [await approval.explain(one) for one in everybody]
    await approval.follow(True)
    assert [await approval.explain(one) for one in everybody] != before
    await approval.follow(False)
    assert [await approval.explain(one) for one in everybody] == before


async def test_an_approver_added_again_while_following_approves_beside_the_manager_and_after_it_too(
    approval: Approval, anna: Employee, helper: Employee
) -> None:
    """S52, S55."""
    await approval.follow(False)
    await approval.grant(helper, "approver", "Salg")
    await approval.follow(True)
    assert await approval.who(anna) == {"Boss": "entra_manager"}
    again = await approval.grant(helper, "approver", "Salg")
    assert again.changed
    assert await approval.who(anna) == {"Boss": "entra_manager", "Helper": "department_approver"}
    assert not (await approval.grant(helper, "approver", "Salg")).changed
    await approval.follow(False)
    assert await approval.who(anna) == {"Helper": "department_approver"}
    assert not (await approval.grant(helper, "approver", "Salg")).changed, "beside the manager it stays"


# Simultaneous


async def test_the_same_grant_at_once_is_told_once(approval: Approval, anna: Employee, helper: Employee) -> None:
    answers = await asyncio.gather(*(approval.grant(helper, "approver", "Salg") for _ in range(8)))
    assert sorted(one.changed for one in answers) == [False] * 7 + [True]
    assert await approval.firm.kinds(helper) == ["employee.created", "employee.role_granted"]


async def test_different_roles_at_once_are_all_kept(approval: Approval, anna: Employee) -> None:
    roles = ["setup_admin", "global_payroll_admin", "local_payroll_admin", "hr_statistics", "approver"]
    await asyncio.gather(
        *(approval.grant(anna, role) for role in roles),
        approval.only_direct(anna),
        approval.firm.change(anna, title="x"),
    )
    told = await approval.explain(anna)
    assert (sorted(told.roles), told.only_direct_approver) == (sorted(roles), True)
    assert (await approval.firm.get(anna)).version == 1 + len(roles) + 2


async def test_a_grant_and_a_departure_at_once_leave_no_grant_behind(approval: Approval, anna: Employee) -> None:
    for round_ in range(6):
        leaver = await approval.person(f"Leaver{round_}")
        answers = await asyncio.gather(
            approval.grant(leaver, "approver", "Salg"), approval.firm.remove(leaver), return_exceptions=True
        )
        assert not isinstance(answers[1], BaseException)
        assert not isinstance(answers[0], BaseException) or isinstance(answers[0], DomainError)
        assert (await approval.firm.row(leaver))["roles"] == []
    assert await approval.firm.as_owner("select * from department_approvers") == []


async def test_the_company_is_looked_over_while_people_come_are_granted_and_go(
    approval: Approval, anna: Employee
) -> None:
    async def come_and_go(number: int) -> None:
        one = await approval.person(f"P{number}", manager_ref=anna.id, department="Salg")
        await approval.grant(one, "approver", "Salg")
        await approval.firm.remove(one)

    coming = asyncio.gather(*(come_and_go(number) for number in range(24)))
    while not coming.done():
        await asyncio.gather(approval.problems(), approval.preview(False), approval.explain(anna))
    await coming
    assert (await approval.problems()).affected == {"nobody": 1, "manager_missing": 1}


async def test_a_grant_waits_for_a_switch_that_is_under_way(
    approval: Approval, anna: Employee, helper: Employee
) -> None:
    async with approval.firm.owner() as owner:
        await owner.execute("update companies set follow_entra_managers = false")
        granting = asyncio.create_task(approval.grant(helper, "approver", "Salg"))
        await asyncio.sleep(0.2)
        assert not granting.done()
    await granting
    rows = await approval.firm.as_owner("select beside_manager from department_approvers")
    assert [row["beside_manager"] for row in rows] == [False]


# One employee and the whole company


@pytest.mark.parametrize("seed", range(3))
async def test_one_employee_is_explained_as_the_whole_company_is_looked_over(approval: Approval, seed: int) -> None:
    """The few people of three statements and the snapshot of everybody lead to the same."""
    dice = random.Random(seed)
    firm, departments = approval.firm, ["Salg", "Lager", None]
    people = [await approval.person(f"P{number}", department=dice.choice(departments)) for number in range(25)]
    await approval.person("Q1", department="Salg")
    await approval.person("Q2", department="Lager")
    for one in people:
        match dice.randrange(6):
            case 0 | 1 | 2:
                await firm.change(one, manager_ref=dice.choice(people).id)
            case 3:
                await approval.chosen(one, dice.choice(people), dice.choice(["hr", "csv"]))
            case 4:
                await firm.change(one, manager_ref="nobody-yet")
    for one in dice.sample(people, 8):
        await approval.grant(one, "approver", *dice.sample(["Salg", "Lager"], dice.randrange(3)))
    for role in ("self_approver", "setup_admin"):
        for one in dice.sample(people, 3):
            await approval.grant(one, role)
    for one in dice.sample(people, 4):
        await approval.only_direct(one)
    await approval.block(dice.choice(people))
    for one in dice.sample(people, 3):
        await firm.change(one, active=False)
    gone = dice.sample(people, 3)
    for one in gone:
        await firm.remove(one)
    for follow in (True, False):
        await approval.follow(follow)
        async with firm.operator() as tx:
            everybody, grants = await store.everybody(tx)
        structure = whole(follows_entra=follow, people=everybody, grants=grants)
        for person in everybody:
            if person.state == "departed":
                continue
            expected = effective(person, structure)
            async with firm.operator() as tx:
                told = await operations.explain_approvers(tx, person.employee_id)
            assert told.approvers == answers.approvers(expected, structure)
            assert told.problems == answers.problems(expected)
            assert told.direct.status is expected.direct.status


# At the size of a big company


@pytest.fixture(scope="module")
async def big_firm(firm_database: Database, firm_urls: Urls) -> Firm:
    firm = await Firm.founded(firm_database, firm_urls)
    async with firm.owner() as owner:
        await populate(owner, firm.company_id)
    return firm


async def test_50_000_people_in_one_chain_are_looked_over_in_bounded_time(big_firm: Firm) -> None:
    approval = Approval(big_firm)
    started = time.process_time()
    page = await approval.problems(limit=10)
    assert page.affected == {"manager_missing": 1}
    preview = await approval.preview(False, limit=10)
    assert (preview.changed, len(preview.changes)) == (MANY - 1, 10)
    assert time.process_time() - started < 15.0, (
        "two looks of about a second each; a walk per person would take minutes"
    )


async def test_a_circle_of_50_000_is_told_of_all_and_one_employee_costs_no_more_than_a_bounded_walk(
    big_firm: Firm,
) -> None:
    approval = Approval(big_firm)
    async with big_firm.owner() as owner:
        await close_circle(owner, big_firm.company_id, True)
    try:
        page = await approval.problems(limit=3)
        assert page.affected == {"manager_cycle": MANY}
        first = page.problems[0]
        assert {one.about for one in page.problems} == {first.employee_id}
        started = time.process_time()
        async with approval.firm.operator() as tx:
            told = await operations.explain_approvers(tx, answers.read_employee(first.employee_id))
        assert time.process_time() - started < 1.0
        assert told.circle == [], "longer than one employee's managers are followed; the overview tells it"
    finally:
        async with big_firm.owner() as owner:
            await close_circle(owner, big_firm.company_id, False)


async def test_asking_about_one_of_50_000_reads_no_table_from_end_to_end(big_firm: Firm) -> None:
    approval = Approval(big_firm)
    person = new_employee_id()
    questions: list[tuple[Statement, tuple[object, ...]]] = [
        (store._EXPLAINED, (person, datetime.now(UTC).date())),
        (store._CONCERNED, ([person], "d1")),
        (store._WALK, (person, True, 1000)),
        (grants_store._GRANTS_OF, (person,)),
        (store._GRANTS, ()),
        (grants_store._EXISTING_DEPARTMENTS, (["d1"],)),
        (grants_store._REVOKE_DEPARTMENTS, (person, None)),
    ]
    async with approval.firm.operator() as tx:
        for question, arguments in questions:
            explained = Statement("explain", "plans", f"explain {question.sql}")
            plan = "\n".join(row[0] for row in await tx.fetch(explained, tx.company_id, *arguments))
            assert "Seq Scan on employees" not in plan, plan
            assert "Seq Scan on events" not in plan, plan
