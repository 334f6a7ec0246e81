"""A CSV import against real PostgreSQL: all or nothing, set by set, and never against Entra's word."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from directory.database import CompanyTx, Statement
from directory.findings.store import open_findings
from directory.imports import store
from directory.imports.operations import Imported
from shared.ids import employee_from_text
from shared.schemas.employee import Employee
from tests.support.clock import SettableClock
from tests.support.firm import Firm

COLUMNS = [
    "login_name", "email", "given_name", "family_name", "title", "department", "mobile", "phone", "country", "employee_number",
    "manager_login_name", "hired_on", "policy",
]  # fmt: skip


def csv(*people: dict[str, str], columns: list[str] = COLUMNS) -> str:
    """A file; `login` also makes the e-mail, and names are given where none are."""
    lines = [";".join(columns)]
    for one in people:
        login = one.get("login", "anna@firma.dk")
        values = {"login_name": login, "email": login, "given_name": "Anna", "family_name": "Holm", **one}
        lines.append(";".join(f'"{values.get(name, "")}"' for name in columns))
    return "\n".join(lines) + "\n"


ANNA = {
    "title": "Chef", "department": "Løn", "mobile": "+45 1", "phone": "+45 2", "country": "Danmark", "employee_number": "0042",
    "hired_on": "01-03-2020", "policy": "Funktionær",
}  # fmt: skip


def counts(done: Imported) -> tuple[int, int, int]:
    return done.created, done.updated, done.unchanged


def codes(done: Imported) -> list[tuple[int, str, str]]:
    return [(one.line, one.column, one.code.value) for one in done.problems]


async def found(firm: Firm, login: str = "anna@firma.dk") -> Employee:
    (one,) = (await firm.find(login_name=login)).employees
    return one


async def rows(firm: Firm) -> list[dict[str, Any]]:
    """Everybody as he stands in the database, and how long the history is."""
    people = await firm.as_owner("select * from employees order by login_key")
    events = await firm.as_owner("select count(*) as events from events")
    return [dict(one) for one in (*people, *events)]


async def test_a_person_comes_into_being_with_every_column(firm: Firm) -> None:
    done = await firm.import_csv(csv(ANNA))
    assert (counts(done), done.problems, done.notes) == ((1, 0, 0), [], [])
    anna = await found(firm)
    row = await firm.row(anna)
    assert (row["state"], row["source"], row["version"], row["login_key"]) == ("active", "csv", 1, "anna@firma.dk")
    assert (row["title"], row["department"], row["department_key"]) == ("Chef", "Løn", "løn")
    assert (row["mobile_phone"], row["work_phone"], row["country"], row["calendar_group"]) == (
        "+45 1",
        "+45 2",
        "Danmark",
        "DK",
    )
    assert (row["employee_number"], row["hired_on"], row["policy"]) == ("0042", date(2020, 3, 1), "Funktionær")
    (department,) = await firm.as_owner("select department_key, name from departments")
    assert tuple(department) == ("løn", "Løn")
    (event,) = await firm.history(anna)
    assert (event["kind"], event["actor_kind"], event["actor_id"]) == ("employee.created", "operator", "ida")
    assert event["changes"]["policy"] == {"before": None, "after": "Funktionær"}
    assert event["changes"]["login_name"] == {"before": None, "after": "anna@firma.dk"}


async def test_what_the_file_says_is_the_file_s_since_then(firm: Firm) -> None:
    await firm.import_csv(csv({"title": "Chef"}))
    row = (await firm.as_owner("select owners::text as owners from employees"))[0]
    assert '"title": ["csv"' in row["owners"]
    assert "policy" not in row["owners"]


async def test_importing_the_same_file_again_writes_nothing(firm: Firm) -> None:
    file = csv(ANNA, {"login": "bo@firma.dk", "manager_login_name": "anna@firma.dk", "country": "Utopia"})
    await firm.import_csv(file)
    before = await rows(firm)
    assert counts(await firm.import_csv(file)) == (0, 0, 2)
    assert await rows(firm) == before


async def test_a_changed_cell_changes_the_person_and_an_empty_one_leaves_him(firm: Firm) -> None:
    await firm.import_csv(csv(ANNA))
    done = await firm.import_csv(csv({"title": "Direktør", "email": "anna.holm@firma.dk", "country": "SE"}))
    assert counts(done) == (0, 1, 0)
    anna = await found(firm)
    assert (anna.title, anna.email, anna.department, anna.version) == ("Direktør", "anna.holm@firma.dk", "Løn", 2)
    row = await firm.row(anna)
    assert (row["email_key"], row["calendar_group"]) == ("anna.holm@firma.dk", "SE")
    changed = (await firm.history(anna))[-1]
    assert (changed["kind"], changed["changes"]["title"]) == (
        "employee.changed",
        {"before": "Chef", "after": "Direktør"},
    )
    assert set(changed["changes"]) == {"title", "email", "country", "calendar_group"}


async def test_spellings_of_one_login_name_are_one_person(firm: Firm) -> None:
    await firm.import_csv(csv({"login": "Anna@Firma.dk"}))
    assert counts(await firm.import_csv(csv({"login": "anna@firma.DK"}))) == (0, 1, 0)
    assert (await firm.find()).total == 1


async def test_what_entra_owns_stays_and_what_only_hr_knows_is_set(firm: Firm) -> None:
    anna = await firm.create(title="Manager", given_name="Anna", external_id="0aa6dbb8-1f1c-4a2e-9b0a-6a9c5a4d4b11")
    done = await firm.import_csv(csv({**ANNA, "given_name": "Hanne"}))
    assert (counts(done), done.kept, done.problems) == ((0, 1, 0), 1, [])
    now = await firm.get(anna)
    assert (now.given_name, now.title, now.employee_number) == ("Anna", "Manager", "0042")
    row = await firm.row(anna)
    assert (row["source"], row["hired_on"], row["policy"]) == ("entra", date(2020, 3, 1), "Funktionær")
    assert counts(await firm.import_csv(csv({**ANNA, "given_name": "Hanne"}))) == (0, 0, 1)


async def test_what_an_import_said_survives_when_entra_adopts_the_person(firm: Firm) -> None:
    """S33: "CSV-only fields (payroll number, hire date, policy) survive"."""
    await firm.import_csv(csv(ANNA))
    imported = await found(firm)
    adopted = await firm.provision(title="Manager", given_name="Hanne")
    assert (adopted.outcome, adopted.employee.id) == ("adopted", imported.id)
    assert (adopted.employee.title, adopted.employee.given_name, adopted.employee.employee_number) == (
        "Manager",
        "Hanne",
        "0042",
    )
    row = await firm.row(imported)
    assert (row["hired_on"], row["policy"], row["department"]) == (date(2020, 3, 1), "Funktionær", "Løn")
    assert (await firm.import_csv(csv(ANNA))).kept == 1
    assert (await firm.get(imported)).title == "Manager"


@pytest.mark.parametrize(
    ("person", "problem"),
    [
        ({}, (2, "login_name", "login_taken")),
        ({"login": "ny@firma.dk", "email": "Anna@firma.dk"}, (2, "email", "email_taken")),
    ],
)
async def test_a_suspended_owner_of_a_name_is_named_and_nothing_is_imported(
    firm: Firm, person: dict[str, str], problem: tuple[int, str, str]
) -> None:
    """S48: "CSV import and manual creation with that e-mail are refused naming the suspended owner"."""
    anna = await firm.create(given_name="Anna", family_name="Holm")
    await firm.change(anna, active=False)
    suspended = await firm.get(anna)
    before = await rows(firm)
    done = await firm.import_csv(csv(person, {"login": "other@firma.dk"}))
    assert codes(done) == [problem]
    assert f"Anna Holm, login name 'anna@firma.dk', suspended since {suspended.termination_date}" in (
        done.problems[0].sentence
    )
    assert await rows(firm) == before


async def test_a_departed_person_s_names_are_free_for_a_new_one(firm: Firm) -> None:
    anna = await firm.create()
    await firm.remove(anna)
    assert counts(await firm.import_csv(csv({}))) == (1, 0, 0)
    assert (await found(firm)).id != anna.id


async def test_two_people_are_never_merged(firm: Firm) -> None:
    await firm.import_csv(csv({}, {"login": "bo@firma.dk"}))
    done = await firm.import_csv(csv({"email": "BO@firma.dk"}, {"login": "ny@firma.dk", "email": "bo@firma.dk"}))
    assert codes(done) == [(2, "email", "email_taken"), (3, "email", "duplicate_row")]
    assert "login name 'bo@firma.dk'" in done.problems[0].sentence


async def test_two_rows_of_one_name_are_refused_with_both_lines(firm: Firm) -> None:
    done = await firm.import_csv(csv({}, {"login": "bo@firma.dk"}, {"login": "ANNA@firma.dk", "email": "bo@firma.dk"}))
    assert codes(done) == [(4, "login_name", "duplicate_row"), (4, "email", "duplicate_row")]
    assert [one.sentence for one in done.problems] == [
        "login_name 'ANNA@firma.dk' stands in line 2 already.",
        "email 'bo@firma.dk' stands in line 3 already.",
    ]
    assert (await firm.find()).total == 0


async def test_a_row_with_a_problem_of_its_own_is_compared_with_the_others_all_the_same(firm: Firm) -> None:
    """Every problem at once: whoever mends the date must not find the next one in the next run."""
    await firm.change(await firm.create(login="away@firma.dk"), active=False)
    done = await firm.import_csv(
        csv({"hired_on": "31-02-2024"}, {"email": "other@firma.dk"}, {"login": "away@firma.dk", "hired_on": "x"})
    )
    assert codes(done) == [
        (2, "hired_on", "invalid_date"),
        (3, "login_name", "duplicate_row"),
        (4, "hired_on", "invalid_date"),
        (4, "login_name", "login_taken"),
    ]
    assert done.rows == 1


async def test_problems_of_reading_and_of_the_company_come_together_by_line(firm: Firm) -> None:
    await firm.change(await firm.create(), active=False)
    done = await firm.import_csv(
        csv({"login": "x", "email": "no address"}, {}, {"login": "y@z", "hired_on": "31-02-2024"}, {"login": "c@d"})
    )
    assert codes(done) == [
        (2, "email", "invalid_value"),
        (3, "login_name", "login_taken"),
        (4, "hired_on", "invalid_date"),
    ]
    assert (done.rows, done.problem_count, counts(done)) == (2, 3, (0, 0, 0))


async def test_a_manager_may_come_earlier_later_be_there_already_or_be_oneself(firm: Firm) -> None:
    boss = await firm.create(login="boss@firma.dk")
    done = await firm.import_csv(
        csv(
            {"login": "a@firma.dk", "manager_login_name": "B@firma.dk"},
            {"login": "b@firma.dk", "manager_login_name": "boss@firma.dk"},
            {"login": "c@firma.dk", "manager_login_name": "a@firma.dk"},
            {"login": "d@firma.dk", "manager_login_name": "d@firma.dk"},
            {"login": "e@firma.dk", "manager_login_name": boss.id},
        )
    )
    assert (counts(done), done.waiting_managers) == ((5, 0, 0), 0)
    assert [(one.line, one.code.value) for one in done.notes] == [(5, "manager_self")]
    people = {login: await found(firm, f"{login}@firma.dk") for login in "abcde"}
    assert [people[login].manager_id for login in "abcde"] == [
        people["b"].id,
        boss.id,
        people["a"].id,
        people["d"].id,
        boss.id,
    ]
    created = (await firm.history(people["a"]))[0]
    assert created["changes"]["manager_id"] == {"before": None, "after": people["b"].id}
    assert [len(await firm.history(one)) for one in people.values()] == [1, 1, 1, 1, 1]


async def test_a_manager_who_is_nobody_yet_is_a_note_and_linked_when_he_comes(firm: Firm) -> None:
    file = csv({"manager_login_name": "boss@firma.dk"})
    done = await firm.import_csv(file)
    assert (done.waiting_managers, [one.code.value for one in done.notes]) == (1, ["manager_waiting"])
    assert (await firm.import_csv(file)).waiting_managers == 1
    boss = await firm.create(login="boss@firma.dk")
    anna = await found(firm)
    assert (anna.manager_id, anna.version) == (boss.id, 2)


async def test_whoever_waited_for_somebody_in_the_file_is_linked(firm: Firm) -> None:
    waiting = await firm.create(login="report@firma.dk", manager_ref="Anna@firma.dk")
    assert waiting.manager_id is None
    await firm.import_csv(csv({}))
    now = await firm.get(waiting)
    assert (now.manager_id, now.version) == ((await found(firm)).id, waiting.version + 1)
    linked = (await firm.history(waiting))[-1]
    assert (linked["kind"], linked["changes"]) == (
        "employee.manager_linked",
        {"manager_id": {"before": None, "after": now.manager_id}},
    )


async def test_a_waiting_row_of_the_file_is_linked_with_the_row_that_brings_the_manager(firm: Firm) -> None:
    report = {"login": "report@firma.dk", "manager_login_name": "boss@firma.dk"}
    await firm.import_csv(csv(report))
    done = await firm.import_csv(csv(report, {"login": "boss@firma.dk"}))
    assert counts(done) == (1, 1, 0)
    now = await found(firm, "report@firma.dk")
    assert (now.manager_id, now.version) == ((await found(firm, "boss@firma.dk")).id, 2)


async def test_a_chain_of_managers_across_sets_is_linked_without_following_it(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHUNK", 7)
    many = 50
    people = [
        {"login": f"p{number}@firma.dk", "manager_login_name": f"p{number + 1}@firma.dk"} for number in range(many)
    ]
    done = await firm.import_csv(csv(*people))
    assert (counts(done), done.waiting_managers) == ((many, 0, 0), 1)
    linked = await firm.as_owner(
        "select count(*) as many, max(e.version) as version from employees e "
        "join employees m on m.employee_id = e.manager_id and m.login_key = e.manager_key"
    )
    assert tuple(linked[0]) == (many - 1, 1)
    assert counts(await firm.import_csv(csv(*({**one, "title": "x"} for one in people)))) == (0, many, 0)


async def test_an_unknown_country_is_noted_and_found_once(firm: Firm) -> None:
    people = [{"login": f"p{number}@firma.dk", "country": "Utopia"} for number in range(3)]
    people.append({"login": "p4@firma.dk", "country": "U" * 900})
    done = await firm.import_csv(csv(*people))
    assert [(one.line, one.code.value) for one in done.notes] == [(line, "unknown_country") for line in (2, 3, 4, 5)]
    async with firm.database.scope_for_name(firm.name).transaction() as tx:
        findings = await open_findings(tx)
    assert sorted((one.kind, one.subject, one.times) for one in findings) == [
        ("unknown_country", "U" * 900, 1),
        ("unknown_country", "Utopia", 3),
    ]


async def test_a_dry_run_answers_the_same_and_changes_nothing(firm: Firm) -> None:
    await firm.create(login="bo@firma.dk")
    file = csv(
        {**ANNA}, {"login": "bo@firma.dk", "policy": "Timeløn"}, {"login": "c", "email": "c@d", "country": "Utopia"}
    )
    before = await rows(firm)
    tried = await firm.import_csv(file, dry_run=True)
    assert await rows(firm) == before
    assert await firm.as_owner("select 1 from findings union all select 1 from departments") == []
    done = await firm.import_csv(file)
    assert (tried.dry_run, counts(tried), tried.notes, tried.problems) == (
        True,
        counts(done),
        done.notes,
        done.problems,
    )


async def test_a_refused_dry_run_names_the_same_problems(firm: Firm) -> None:
    file = csv({}, {})
    assert codes(await firm.import_csv(file, dry_run=True)) == codes(await firm.import_csv(file)) != []


async def test_a_hire_date_may_be_two_years_ahead_by_the_company_s_calendar(
    firm: Firm, firm_clock: SettableClock
) -> None:
    firm_clock.set(datetime(2026, 11, 25, 23, 30, tzinfo=UTC))  # 26 November in Copenhagen
    try:
        assert codes(await firm.import_csv(csv({"hired_on": "2028-11-27"}))) == [(2, "hired_on", "invalid_date")]
        assert codes(await firm.import_csv(csv({"hired_on": "2028-11-26"}))) == []
    finally:
        firm_clock.set(None)


async def test_companies_import_the_same_file_side_by_side_and_see_nothing_of_each_other(
    firm: Firm, other_firm: Firm
) -> None:
    neighbour = await other_firm.create(login="boss@firma.dk")
    await other_firm.change(neighbour, active=False)
    file = csv({"manager_login_name": "boss@firma.dk"}, {"login": "c@firma.dk", "manager_login_name": neighbour.id})
    done = await firm.import_csv(file)
    assert (counts(done), done.waiting_managers) == ((2, 0, 0), 2)
    assert counts(await firm.import_csv(csv({"login": "boss@firma.dk"}))) == (1, 0, 0)
    assert (await other_firm.find()).total == 1


async def test_the_number_of_statements_does_not_grow_with_the_file(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute, fetch = CompanyTx.execute, CompanyTx.fetch

    async def counted_execute(self: CompanyTx, question: Statement, *arguments: object) -> int:
        asked.append(question.name)
        return await execute(self, question, *arguments)

    async def counted_fetch(self: CompanyTx, question: Statement, *arguments: object) -> Any:
        asked.append(question.name)
        return await fetch(self, question, *arguments)

    monkeypatch.setattr(CompanyTx, "execute", counted_execute)
    monkeypatch.setattr(CompanyTx, "fetch", counted_fetch)
    people = [{"login": f"p{number}@firma.dk", "department": f"D{number}", "country": "?"} for number in range(400)]
    await firm.import_csv(csv(*people))
    assert asked == [
        "enter_import", "concerned", "hold_managers", "name", "insert_many", "link_waiting_reports_of_many", "record",
    ]  # fmt: skip
    asked.clear()
    await firm.import_csv(csv(*people))
    assert asked == ["enter_import", "concerned"]


async def test_the_history_of_an_import_is_one_chain(firm: Firm) -> None:
    await firm.import_csv(csv(*({"login": f"p{number}@firma.dk"} for number in range(100))))
    await firm.create()
    (told,) = await firm.as_owner(
        """
        select count(*) as many, max(sequence) as newest,
            count(*) filter (where hash = registry.event_hash(coalesce(before, ''), told)) as chained
        from (select e as told, e.sequence, e.hash, lag(e.hash) over (order by e.sequence) as before from events e) as e
        """
    )
    assert tuple(told) == (101, 101, 101)
    head = await firm.as_owner("select sequence, hash from registry.histories where company_id = $1", firm.company_id)
    newest = await firm.as_owner("select sequence, hash from events order by sequence desc limit 1")
    assert [tuple(one) for one in head] == [tuple(one) for one in newest]


async def test_a_row_that_somebody_changes_meanwhile_is_read_again(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    await firm.import_csv(csv(ANNA))
    anna = await found(firm)
    concerned, times = store.concerned, []

    async def slow(tx: CompanyTx, *names: Any) -> Any:
        people = await concerned(tx, *names)
        times.append(len(people))
        if len(times) == 1:
            await firm.as_owner(
                "update employees set title = 'HR', version = version + 1 where employee_id = $1",
                employee_from_text(anna.id),
            )
        return people

    monkeypatch.setattr(store, "concerned", slow)
    assert counts(await firm.import_csv(csv({**ANNA, "policy": "Timeløn"}))) == (0, 1, 0)
    assert (len(times), (await found(firm)).title, (await found(firm)).version) == (2, "Chef", 3)
