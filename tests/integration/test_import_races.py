"""Imports that meet provisioning, or each other: nobody twice, nothing lost, the answers those of some order."""

import asyncio

from directory.imports.operations import Imported, import_employees
from shared.errors import ErrorCode
from shared.schemas.employee import Provisioned
from tests.integration.test_csv_import import COLUMNS, codes, counts, csv, found
from tests.integration.test_races import together
from tests.support.firm import Firm


async def test_an_import_and_a_create_of_the_same_person_make_one_employee(firm: Firm) -> None:
    for number in range(12):
        login = f"p{number}@firma.dk"
        file = csv({"login": login, "policy": "Funktionær", "title": "Chef"})
        answers = await together(firm.import_csv(file), firm.provision(login=login, title="Manager"))
        (imported,) = [one for one in answers if isinstance(one, Imported)]
        (provisioned,) = [one for one in answers if isinstance(one, Provisioned)]
        person = await found(firm, login)
        row = await firm.row(person)
        assert (person.id, person.title, row["policy"]) == (provisioned.employee.id, "Manager", "Funktionær")
        in_which_order = (counts(imported), provisioned.outcome)
        assert in_which_order in (((1, 0, 0), "adopted"), ((0, 1, 0), "created"))
    assert (await firm.find()).total == 12


async def test_many_creates_during_an_import_of_the_same_people_lose_nobody(firm: Firm) -> None:
    logins = [f"p{number}@firma.dk" for number in range(40)]
    file = csv(*({"login": one, "employee_number": one[:3]} for one in logins))
    answers = await together(firm.import_csv(file), *(firm.provision(login=one) for one in logins))
    assert sum(isinstance(one, Provisioned) for one in answers) == 40
    everybody = (await firm.find()).employees
    assert sorted(one.login_name for one in everybody) == sorted(logins)
    assert all(one.employee_number == one.login_name[:3] for one in everybody)


async def test_two_imports_of_one_file_at_once_bring_everybody_once(firm: Firm) -> None:
    people = [
        {"login": f"p{number}@firma.dk", "manager_login_name": f"p{number // 2}@firma.dk"} for number in range(200)
    ]
    answers = await together(*(firm.import_csv(csv(*people)) for _ in range(4)))
    assert sorted(counts(one) for one in answers if isinstance(one, Imported)) == [*[(0, 0, 200)] * 3, (200, 0, 0)]
    (told,) = await firm.as_owner("select count(*) as people, (select count(*) from events) as events from employees")
    assert tuple(told) == (200, 200)


async def test_imports_that_contradict_each_other_are_one_after_the_other(firm: Firm) -> None:
    one, other = csv({"login": "a", "email": "x@y"}), csv({"login": "b", "email": "x@y"})
    answers = await together(firm.import_csv(one), firm.import_csv(other))
    outcomes = sorted((counts(one), codes(one)) for one in answers if isinstance(one, Imported))
    assert outcomes == [((0, 0, 0), [(2, "email", "email_taken")]), ((1, 0, 0), [])]


async def test_a_manager_in_the_file_and_his_report_from_entra_find_each_other(firm: Firm) -> None:
    for number in range(12):
        boss, report = f"boss{number}@firma.dk", f"report{number}@firma.dk"
        await together(firm.import_csv(csv({"login": boss})), firm.create(login=report, manager_ref=boss))
        assert (await found(firm, report)).manager_id == (await found(firm, boss)).id


async def test_a_manager_who_departs_while_his_report_is_imported_is_no_fault(firm: Firm) -> None:
    for number in range(12):
        boss = await firm.create(login=f"boss{number}@firma.dk")
        file = csv({"login": f"report{number}@firma.dk", "manager_login_name": boss.login_name})
        await together(firm.import_csv(file), firm.remove(boss))
        report = await found(firm, f"report{number}@firma.dk")
        assert (report.manager_ref, report.manager_id) == (boss.login_name, None)


async def test_changes_of_the_same_people_during_an_import_are_not_lost(firm: Firm) -> None:
    people = [await firm.create(login=f"p{number}@firma.dk") for number in range(20)]
    file = csv(*({"login": one.login_name, "policy": "Timeløn"} for one in people), columns=COLUMNS)
    answers = await together(firm.import_csv(file), *(firm.change(one, title="Chef") for one in people))
    assert ErrorCode.unavailable not in answers
    for one in people:
        row = await firm.row(one)
        assert (row["policy"], row["title"], row["version"]) == ("Timeløn", "Chef", 3)


async def test_a_dry_run_holds_up_nobody(firm: Firm) -> None:
    async with firm.database.scope_for_name(firm.name).transaction() as tx:
        await import_employees(tx, csv({}).encode(), dry_run=True)
        async with asyncio.timeout(5):
            created = await firm.create()
    assert (await firm.find()).employees == [created]
