"""What HR does to people, and how it meets what Entra does to them (S10, S24 to S26, S43, S69, A5, A11, A24)."""

import asyncio
import uuid
from collections.abc import Awaitable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import UNSET

from directory import metrics
from directory.api.people import view as shown_to_application
from directory.database import Database
from directory.employees import hr, setup, writing
from directory.employees.operations import note_mapping, provision_employee
from directory.employees.record import EmployeeRecord
from directory.employees.releasing import release_attribute
from directory.events import store as events
from directory.events.folding import fold
from directory.findings.store import open_findings
from directory.retention.due import months_later
from directory.worklist.operations import work_list
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text
from shared.schemas import people
from shared.schemas.employee import Employee, EmployeeChanges, NoteMapping, ProvisionEmployee
from tests.support.clock import SettableClock
from tests.support.firm import Firm, anna, uuid_of

OBJECT_ID = "5a0d1f0e-4d0f-4c3d-9f43-2f4d8b5f0a11"
OTHER_OBJECT_ID = "6b0d1f0e-4d0f-4c3d-9f43-2f4d8b5f0b22"


async def refused(attempt: Awaitable[object]) -> DomainError:
    with pytest.raises(DomainError) as found:
        await attempt
    return found.value


async def edit(firm: Firm, person: str, **edits: Any) -> EmployeeRecord:
    async with firm.operator() as tx:
        return await hr.edit_employee(tx, person, people.EmployeeEdits(**edits))


async def findings(firm: Firm) -> dict[str, str]:
    async with firm.operator() as tx:
        return {one.kind: one.subject for one in await open_findings(tx)}


def today() -> date:
    """In the firms' time zone."""
    return datetime.now(ZoneInfo("Europe/Copenhagen")).date()


async def ask_after(firm: Firm, days: int | None) -> None:
    await firm.as_owner("update companies set rehire_ask_after_days = $1", days)


# Who may


@pytest.mark.parametrize("roles", [("hr_statistics",), ("approver",), ("global_payroll_admin", "local_payroll_admin")])
async def test_only_a_setup_admin_may(firm: Firm, roles: tuple[str, ...]) -> None:
    """S62's rule, for all that Setup admin does."""
    employee = await firm.create()
    request = people.BlockAccess(session=await firm.admin(*roles), person=employee.id, blocked=True)
    assert (await refused(setup.block_access(firm.database, request))).code is ErrorCode.not_allowed
    assert (await firm.row(employee))["blocked_at"] is None


async def test_an_admins_session_is_worth_nothing_in_another_company_or_once_it_ended(
    firm: Firm, other_firm: Firm
) -> None:
    session = await firm.admin()
    employee = await other_firm.create()
    stolen = type(session)(company_id=str(other_firm.company_id), session_sha256=session.session_sha256)
    for one in (stolen, type(session)(company_id=str(uuid.uuid4()), session_sha256=session.session_sha256)):
        request = people.BlockAccess(session=one, person=employee.id, blocked=True)
        assert (await refused(setup.block_access(firm.database, request))).code is ErrorCode.unauthorized
    request = people.BlockAccess(session=session, person=employee.id, blocked=True)
    assert (await refused(setup.block_access(firm.database, request))).code is ErrorCode.not_found
    await firm.as_owner("update sessions set expires_at = now()")
    assert (await refused(setup.block_access(firm.database, request))).code is ErrorCode.unauthorized


async def test_a_blocked_setup_admin_is_none(firm: Firm) -> None:
    session = await firm.admin()
    await firm.as_owner("update employees set blocked_at = now()")
    asked = setup.findings(firm.database, people.ListFindings(session=session))
    assert (await refused(asked)).code is ErrorCode.unauthorized


# Blocking


async def test_who_is_blocked_has_no_access_whatever_entra_says(firm: Firm) -> None:
    """A5."""
    employee = await firm.create()
    await firm.sign_in(employee)
    request = people.BlockAccess(session=await firm.admin(), person=employee.id, blocked=True)
    assert (await setup.block_access(firm.database, request)).access == "blocked"
    assert await firm.signed_in(employee) == 0

    await firm.change(employee, active=True, title="Kok")
    assert (await firm.row(employee))["blocked_at"] is not None
    assert (await firm.get(employee)).state == "active", "Entra compares, and finds what it said"

    await firm.change(employee, active=False)
    await firm.change(employee, active=True)
    assert (await firm.row(employee))["blocked_at"] is not None, "HR took it away, and HR gives it back"
    again = people.BlockAccess(session=await firm.admin(), person="ANNA@firma.dk", blocked=False)
    assert (await setup.block_access(firm.database, again)).access == "open"
    assert "employee.blocked" in await firm.kinds(employee)
    assert (await firm.kinds(employee))[-1] == "employee.unblocked"


async def test_blocking_twice_is_one_block(firm: Firm) -> None:
    employee = await firm.create()
    async with firm.operator() as tx:
        await hr.set_blocked(tx, employee.id, True)
    async with firm.operator() as tx:
        await hr.set_blocked(tx, employee.id, True)
    assert await firm.kinds(employee) == ["employee.created", "employee.blocked"]


# End of employment by hand


async def test_an_end_by_hand_is_a_hard_delete_by_another_actor(firm: Firm) -> None:
    """S43: the same end state and the same event; Entra does not know, and is told so."""
    by_entra, by_hand = await firm.create(login="a@firma.dk"), await firm.create(login="b@firma.dk")
    await firm.sign_in(by_hand)
    await firm.remove(by_entra)
    shown = await setup.end_employment(
        firm.database, people.EndEmployment(session=await firm.admin(), person="b@firma.dk")
    )
    assert (shown.state, shown.access, shown.login_name, shown.entra_still_holds) == (
        "departed",
        "departed",
        None,
        True,
    )
    same = ("state", "login_name", "login_key", "email", "email_key", "external_id", "termination_date")
    one, other = await firm.row(by_entra), await firm.row(by_hand)
    assert [one[name] for name in same] == [other[name] for name in same]
    assert await firm.signed_in(by_hand) == 0
    last, first = (await firm.history(by_hand))[-1], (await firm.history(by_entra))[-1]
    assert (last["kind"], last["actor_kind"]) == ("employee.departed", "person")
    assert (first["kind"], first["actor_kind"]) == ("employee.departed", "entra")
    assert (await refused(firm.get(by_hand))).code is ErrorCode.not_found
    assert (await firm.provision(login="b@firma.dk")).employee.id != by_hand.id, "S41, S42"


async def test_hr_chooses_the_termination_date(firm: Firm) -> None:
    """B13; and a suspension's date gives way to it."""
    employee = await firm.create()
    await firm.change(employee, active=False)
    async with firm.operator() as tx:
        await hr.end_employment(tx, employee.id, today() + timedelta(days=30))
    assert (await firm.row(employee))["termination_date"] == today() + timedelta(days=30)


@pytest.mark.parametrize("days", [-46000, -1000, 400, 40000])
async def test_a_termination_date_out_of_range_is_refused(firm: Firm, days: int) -> None:
    employee = await firm.create()
    await edit(firm, employee.id, hired_on=today() - timedelta(days=900))
    on = today() + timedelta(days=days)
    async with firm.operator() as tx:
        error = await refused(hr.end_employment(tx, employee.id, on))
    assert (error.code, error.field) == (ErrorCode.invalid_value, "on")
    assert str(on) in error.detail


@pytest.mark.parametrize(
    ("moment", "zone", "expected"),
    [
        (datetime(2026, 3, 28, 22, 59, 59, tzinfo=UTC), "Europe/Copenhagen", date(2026, 3, 28)),
        (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), "Europe/Copenhagen", date(2026, 3, 29)),
        (datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC), "Europe/Copenhagen", date(2026, 3, 29)),  # summer time began
        (datetime(2026, 3, 29, 22, 0, tzinfo=UTC), "Europe/Copenhagen", date(2026, 3, 30)),
        (datetime(2026, 10, 24, 22, 30, tzinfo=UTC), "Europe/Copenhagen", date(2026, 10, 25)),  # the night it ends
        (datetime(2026, 10, 25, 22, 30, tzinfo=UTC), "Europe/Copenhagen", date(2026, 10, 25)),
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), "Europe/Copenhagen", date(2026, 10, 26)),
        (datetime(2026, 12, 31, 11, 0, tzinfo=UTC), "Pacific/Auckland", date(2027, 1, 1)),
        (datetime(2027, 1, 1, 7, 0, tzinfo=UTC), "America/Los_Angeles", date(2026, 12, 31)),
    ],
)
async def test_the_termination_date_is_the_companys_today(
    firm_database: Database, firm: Firm, firm_clock: SettableClock, moment: datetime, zone: str, expected: date
) -> None:
    """S38, D14, around midnight and where the clocks change."""
    await firm.as_owner("update companies set time_zone = $1", zone)
    by_entra, by_hand, gone = [await firm.create(login=f"{name}@firma.dk") for name in ("a", "b", "c")]
    firm_clock.set(moment)
    try:
        await firm.change(by_entra, active=False)
        await firm.remove(gone)
        async with firm.operator() as tx:
            await hr.end_employment(tx, by_hand.id)
    finally:
        firm_clock.set(None)
    dates = {(await firm.row(one))["termination_date"] for one in (by_entra, by_hand, gone)}
    assert dates == {expected}
    assert moment.astimezone(ZoneInfo(zone)).date() == expected


# Who owns what


async def test_an_attribute_knows_whose_it_is_and_since_when(firm: Firm, firm_clock: SettableClock) -> None:
    start = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
    firm_clock.set(start)
    try:
        employee = await firm.create(title="Kok")
        firm_clock.set(start + timedelta(hours=1))
        await firm.change(employee, title="Chef", department="Køkken")
        firm_clock.set(start + timedelta(hours=2))
        after = await edit(firm, employee.id, policy="Timeløn")
    finally:
        firm_clock.set(None)
    held = {name: (one.owner, one.since) for name, one in after.owners.items()}
    assert held["title"] == held["login_name"] == ("entra", start)
    assert held["department"] == ("entra", start + timedelta(hours=1))
    assert held["policy"] == ("hr", start + timedelta(hours=2))
    assert "country" not in held


async def test_hr_may_not_edit_what_entra_governs(firm: Firm) -> None:
    """S69: refused with the reason and the way out."""
    employee = await firm.create(title="Kok")
    for field, value in (("title", "Chef"), ("email", "new@firma.dk"), ("login_name", "new@firma.dk")):
        error = await refused(edit(firm, employee.id, **{field: value}))
        assert (error.code, error.field) == (ErrorCode.not_allowed, field)
        assert "comes from Entra since" in error.detail
    assert await firm.kinds(employee) == ["employee.created"]
    assert (await edit(firm, employee.id, title="Kok")).version == 1, "what is so already is no change"


async def test_hr_edits_what_is_its_own_and_entra_takes_it_over_by_sending_it(firm: Firm) -> None:
    """S26."""
    employee = await firm.create()
    edited = await edit(firm, employee.id, title="Kok", work_phone="12", hired_on=date(2020, 2, 29), policy="A")
    assert (edited.title, edited.owner_of("title"), edited.hired_on) == ("Kok", "hr", date(2020, 2, 29))
    assert edited.source == "entra", "an edit does not change who governs the person"
    assert (await edit(firm, employee.id, title="Chef")).title == "Chef"

    await firm.change(employee, title="Chef")
    event = (await firm.history(employee))[-1]
    assert event["changes"] == {"owners": {"before": {"title": "hr"}, "after": {"title": "entra"}}}
    assert (await refused(edit(firm, employee.id, title="Kok"))).code is ErrorCode.not_allowed
    assert not (await firm.change(employee, title="Chef")).changed, "a second identical cycle writes nothing (S9)"


async def test_a_released_attribute_keeps_its_value_and_is_hrs(firm: Firm) -> None:
    """S25, S59."""
    boss = await firm.create(login="boss@firma.dk")
    employee = await firm.create(manager_ref=boss.id, title="Kok")
    new_boss = await firm.create(login="new@firma.dk")
    shown = await setup.release(
        firm.database, people.ReleaseAttribute(session=await firm.admin(), attribute="manager_ref")
    )
    assert shown.people == 1
    assert (await firm.get(employee)).manager_id == boss.id
    edited = await edit(firm, employee.id, manager_ref="new@firma.dk")
    assert employee_text(edited.manager_id or uuid.UUID(int=0)) == new_boss.id
    assert (await refused(edit(firm, employee.id, title="Chef"))).code is ErrorCode.not_allowed
    event = (await firm.history(employee))[1]
    assert event["changes"] == {"owners": {"before": {"manager_ref": "entra"}, "after": {"manager_ref": "hr"}}}


async def test_a_put_clears_what_is_entras_and_nothing_that_hr_or_an_import_knows(firm: Firm) -> None:
    """S25, S33: "CSV-only fields survive", "no SCIM traffic changes that field"."""
    await firm.create(login="boss@firma.dk")
    await firm.import_csv(
        "login_name,email,given_name,family_name,employee_number,mobile,manager_login_name\n"
        "anna@firma.dk,anna@firma.dk,Ann,Holm,0042,12,boss@firma.dk\n"
    )
    found = (await firm.find(login_name="anna@firma.dk")).employees[0]
    await firm.change(found, title="Kok", work_phone="34")
    await edit(firm, found.id, country="Danmark", policy="A")
    names = {"login_name": "anna@firma.dk", "email": "anna@firma.dk", "given_name": "Anna", "family_name": "Holm"}
    nothing = dict.fromkeys(set(EmployeeChanges.__struct_fields__) - {*names, "active"})
    assert (await firm.replace(found, **names, **nothing)).changed
    row = await firm.row(found)
    assert (row["title"], row["work_phone"], row["given_name"]) == (None, None, "Anna")
    assert (row["employee_number"], row["mobile_phone"], row["country"]) == ("0042", "12", "Danmark")
    assert (row["manager_ref"], row["manager_id"] is not None, row["policy"]) == ("boss@firma.dk", True, "A")
    assert not (await firm.replace(found, **names, **nothing)).changed, "said again it writes nothing"


async def test_releasing_leaves_alone_whoever_has_departed(firm: Firm) -> None:
    """What is left of him cannot be changed, and nothing is told of him."""
    gone = await firm.create(title="Kok")
    await firm.remove(gone)
    assert await release_attribute(firm.operator, "title") == 0
    assert await firm.kinds(gone) == ["employee.created", "employee.departed"]


@pytest.mark.parametrize(
    "attribute", ["login_name", "given_name", "email", "family_name", "nonsense", "", "external_id"]
)
async def test_a_mandatory_or_unknown_attribute_cannot_be_released(firm: Firm, attribute: str) -> None:
    """S24."""
    employee = await firm.create()

    def never() -> Any:
        raise AssertionError("nothing is opened")

    assert (await refused(release_attribute(never, attribute))).code is ErrorCode.invalid_value
    assert await firm.kinds(employee) == ["employee.created"]


async def test_releasing_goes_through_a_large_company_in_batches(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("directory.employees.releasing.BATCH", 2)
    for number in range(5):
        await firm.create(login=f"p{number}@firma.dk", title="Kok")
    scope = firm.database.scope_for_id(firm.company_id)
    opened = 0

    def transaction() -> Any:
        nonlocal opened
        opened += 1
        return scope.transaction()

    assert await release_attribute(transaction, "title") == 5
    assert opened == 3
    assert await release_attribute(transaction, "title") == 0


async def test_what_the_newest_people_all_lack_is_mapped_no_more(firm: Firm) -> None:
    """S25, without anybody having to say so."""
    old = await firm.create(login="old@firma.dk", title="Kok")
    for number in range(19):
        await firm.create(login=f"p{number}@firma.dk")
    assert (await refused(edit(firm, old.id, title="Chef"))).code is ErrorCode.not_allowed, (
        "he is one of the newest twenty"
    )
    await firm.create(login="last@firma.dk")
    assert (await edit(firm, old.id, title="Chef")).owner_of("title") == "hr"
    await firm.change(old, title="Køkkenchef")
    assert (await firm.get(old)).title == "Køkkenchef"


@pytest.mark.parametrize(
    ("edits", "code", "field"),
    [
        ({"given_name": "x" * 10_000}, ErrorCode.invalid_value, "given_name"),
        ({"title": "a\x00b"}, ErrorCode.invalid_value, "title"),
        ({"title": "\ud800"}, ErrorCode.invalid_value, "title"),
        ({"family_name": "  "}, ErrorCode.invalid_value, "family_name"),
        ({"hired_on": date(1, 1, 1)}, ErrorCode.invalid_value, "hired_on"),
        ({"hired_on": date(9999, 12, 31)}, ErrorCode.invalid_value, "hired_on"),
        ({"policy": "p" * 2000}, ErrorCode.invalid_value, "policy"),
        ({"login_name": "taken@firma.dk"}, ErrorCode.login_taken, "login_name"),
        ({"email": "taken@firma.dk"}, ErrorCode.email_taken, "email"),
    ],
)
async def test_a_bad_edit_is_refused_by_name_and_leaves_nothing(
    firm: Firm, edits: dict[str, Any], code: ErrorCode, field: str
) -> None:
    await firm.create(login="taken@firma.dk")
    employee_id = await firm.imported()
    error = await refused(edit(firm, employee_text(employee_id), **{"country": "Danmark", **edits}))
    assert (error.code, error.field) == (code, field)
    assert (await firm.as_owner("select country from employees where employee_id = $1", employee_id))[0][0] is None


@pytest.mark.parametrize("person", ["", "nobody", "emp_" + "0" * 32, "emp_x", "\ud800", "x" * 5000])
async def test_whoever_is_not_there_cannot_be_edited(firm: Firm, person: str) -> None:
    assert (await refused(edit(firm, person, title="x"))).code is ErrorCode.not_found


async def test_edits_of_names_link_whoever_waited_for_them(firm: Firm) -> None:
    waiting = await firm.create(login="w@firma.dk", manager_ref="boss@firma.dk")
    boss = await firm.imported("old-boss@firma.dk")
    await edit(firm, employee_text(boss), login_name="Boss@firma.dk")
    assert (await firm.get(waiting)).manager_id == employee_text(boss)


# Created by hand (B11)


def new_person(**values: Any) -> people.NewPerson:
    named = {"login_name": "anna@firma.dk", "email": "anna@firma.dk", "given_name": "Anna", "family_name": "Holm"}
    return people.NewPerson(**{**named, **values})


async def test_somebody_created_by_hand_is_hrs_until_entra_adopts_him(firm: Firm) -> None:
    """S31, S33: he is adopted as somebody imported is."""
    boss = await firm.create(login="boss@firma.dk")
    person = new_person(department="Salg", country="Danmark", manager_ref="boss@firma.dk", policy="A", title=" ")
    shown = await setup.create_employee(firm.database, people.CreatePerson(session=await firm.admin(), person=person))
    assert (shown.state, shown.access, shown.manager_id, shown.calendar_group) == ("active", "open", boss.id, "DK")
    assert {name: held.owner for name, held in shown.owners.items()} == dict.fromkeys(
        ("login_name", "email", "given_name", "family_name", "department", "country", "manager_ref", "policy"), "hr"
    )
    assert shown.title is None, "a blank is nothing"
    assert [row["name"] for row in await firm.as_owner("select name from departments")] == ["Salg"]
    adopted = await firm.provision(title="Kok", external_id=OBJECT_ID)
    assert (adopted.outcome, adopted.employee.id) == ("adopted", shown.id)
    row = await firm.row(adopted.employee)
    assert (row["policy"], row["title"], row["source"]) == ("A", "Kok", "entra")


@pytest.mark.parametrize(
    ("values", "code"),
    [({}, ErrorCode.login_taken), ({"login_name": "other@firma.dk", "email": "ANNA@firma.dk"}, ErrorCode.email_taken)],
)
@pytest.mark.parametrize("active", [True, False])
async def test_a_name_that_is_taken_is_refused_naming_whose_it_is(
    firm: Firm, values: dict[str, str], code: ErrorCode, active: bool
) -> None:
    """S48: a suspended owner too."""
    owner = await firm.create()
    await firm.change(owner, active=active)
    async with firm.operator() as tx:
        error = await refused(hr.create_employee(tx, new_person(**values)))
    assert error.code is code
    assert owner.id in error.detail
    assert ("active" if active else "suspended") in error.detail
    assert (await firm.find()).total == 1


async def test_of_simultaneous_creates_by_hand_and_by_entra_one_succeeds(firm: Firm) -> None:
    async def by_hand() -> str:
        async def attempt() -> str:
            async with firm.operator() as tx:
                return employee_text((await hr.create_employee(tx, new_person())).employee_id)

        return await writing.repeated(attempt)

    answers = await asyncio.gather(by_hand(), by_hand(), by_hand(), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["DomainError", "DomainError", "str"]
    assert (await firm.provision()).outcome == "adopted"


# Departments and countries


async def test_departments_come_into_being_as_they_are_named(firm: Firm, other_firm: Firm) -> None:
    """S15: of this company only, and one for all spellings that differ in case alone."""
    await firm.create(department="Salg Ø")
    second = await firm.create(login="b@firma.dk", department="SALG ø")
    assert (await firm.get(second)).department == "SALG ø", "each is shown as it was sent (D7)"
    await firm.change(second, department="Lager")
    await edit(firm, employee_text(await firm.imported("c@firma.dk")), department="Kantine")
    rows = await firm.as_owner("select department_key, name from departments order by 1")
    assert [tuple(row) for row in rows] == [("kantine", "Kantine"), ("lager", "Lager"), ("salg ø", "Salg Ø")]
    assert await other_firm.as_owner("select 1 from departments") == []


async def test_a_country_sets_the_calendar_group_and_an_unknown_one_is_reported(firm: Firm) -> None:
    """S21, B17."""
    employee = await firm.create(country="Danmark")
    other = await firm.create(login="b@firma.dk", country="Atlantis")
    groups = {(await firm.row(one))["calendar_group"] for one in (employee, other)}
    assert groups == {"DK", None}
    assert (await firm.get(other)).country == "Atlantis"
    assert await findings(firm) == {"unknown_country": "Atlantis"}
    await firm.change(other, country="Norge")
    assert (await firm.row(other))["calendar_group"] == "NO"
    await firm.change(employee, country=None)
    assert (await firm.row(employee))["calendar_group"] is None
    assert await findings(firm) == {}


# A broken mapping


async def test_a_missing_mandatory_attribute_is_a_finding_until_it_comes_again(firm: Firm) -> None:
    """S24: existing values stay."""
    first = await firm.create()
    counted = metrics.FINDINGS.labels("mapping_broken")._value.get()
    for _ in range(2):
        await note_mapping(firm.database, NoteMapping(credential=firm.credential, missing=["given_name", "email"]))
    async with firm.operator() as tx:
        found = {(one.kind, one.subject): one.times for one in await open_findings(tx)}
    assert found == {("mapping_broken", "given_name"): 2, ("mapping_broken", "email"): 2}
    assert metrics.FINDINGS.labels("mapping_broken")._value.get() == counted + 4
    assert (await firm.get(first)).given_name == "Anna"
    await firm.imported("csv@firma.dk")
    assert len(await findings(firm)) == 1, "an import says nothing of Entra's mapping"
    await firm.create(login="b@firma.dk")
    assert await findings(firm) == {}


@pytest.mark.parametrize("outcome", ["adopted", "reactivated"])
async def test_a_create_that_meets_somebody_shows_a_whole_mapping_too(firm: Firm, outcome: str) -> None:
    if outcome == "adopted":
        await firm.imported()
    else:
        await firm.change(await firm.create(), active=False)
    await note_mapping(firm.database, NoteMapping(credential=firm.credential, missing=["given_name"]))
    assert (await firm.provision()).outcome == outcome
    assert await findings(firm) == {}


async def test_hrs_new_employment_says_nothing_of_entras_mapping(firm: Firm) -> None:
    await ask_after(firm, 0)
    employee = await away(firm, 5)
    await firm.change(employee, active=True)
    await note_mapping(firm.database, NoteMapping(credential=firm.credential, missing=["given_name"]))
    async with firm.operator() as tx:
        await hr.decide_rehire(tx, employee.id, "new_employment")
    assert await findings(firm) == {"mapping_broken": "given_name"}


async def test_a_create_without_active_counts_as_active_and_is_a_finding(firm: Firm) -> None:
    """A28."""
    for number in range(2):
        new = anna(login=f"p{number}@firma.dk")
        request = ProvisionEmployee(credential=firm.credential, employee=new, missing=["active"])
        assert (await provision_employee(firm.database, request)).employee.state == "active"
    async with firm.operator() as tx:
        [found] = await open_findings(tx)
    assert (found.kind, found.subject, found.times) == ("active_not_mapped", "active", 2)
    await firm.create(login="b@firma.dk")
    assert await findings(firm) == {}


# Setup admins are not taken over by an address (A24)


async def test_a_confirmed_setup_admin_is_adopted(firm: Firm) -> None:
    employee_id = await firm.imported(roles=["setup_admin"])
    assert (await refused(firm.provision(external_id=OBJECT_ID))).code is ErrorCode.needs_confirmation
    assert await findings(firm) == {"adoption_waits": employee_text(employee_id)}, (
        "kept although the request was refused"
    )
    await setup.confirm_adoption(
        firm.database, people.ConfirmAdoption(session=await firm.admin(), person="anna@firma.dk")
    )
    assert await findings(firm) == {}
    adopted = await firm.provision(external_id=OBJECT_ID)
    assert (adopted.outcome, adopted.employee.id) == ("adopted", employee_text(employee_id))
    row = await firm.row(adopted.employee)
    assert (row["roles"], row["adoption_confirmed_at"], row["source"]) == (["setup_admin"], None, "entra")


async def test_a_patch_does_not_take_over_a_setup_admin_either(firm: Firm) -> None:
    await firm.imported(roles=["setup_admin"])
    found = (await firm.find(login_name="anna@firma.dk")).employees[0]
    error = await refused(firm.change(found, external_id=OBJECT_ID, title="x"))
    assert error.code is ErrorCode.needs_confirmation
    row = await firm.row(found)
    assert (row["source"], row["entra_object_id"], row["title"]) == ("csv", None, None)
    await firm.change(found, active=False)
    assert (await firm.row(found))["state"] == "suspended", "a deactivation is never blocked (D5)"


async def test_a_deactivation_does_not_hand_over_a_setup_admin(firm: Firm) -> None:
    """A24: suspended by an address alone, he could be brought back by it, under another's link key."""
    await firm.imported(roles=["setup_admin"])
    found = (await firm.find(login_name="anna@firma.dk")).employees[0]
    await firm.change(found, active=False)
    for attempt in (
        firm.change(found, active=True, external_id=OBJECT_ID),
        firm.provision(external_id=OBJECT_ID),
        firm.change(found, title="x"),
    ):
        assert (await refused(attempt)).code is ErrorCode.needs_confirmation
    row = await firm.row(found)
    assert (row["source"], row["state"], row["entra_object_id"]) == ("csv", "suspended", None)


async def test_a_patch_does_not_tie_who_has_signed_in_to_another_object(firm: Firm) -> None:
    """A24: already linked people need confirmation, by the lookup and PATCH of a cycle as by a create."""
    await firm.imported(entra_object_id=uuid.UUID(OBJECT_ID))
    found = (await firm.find(login_name="anna@firma.dk")).employees[0]
    takeover = {"external_id": OTHER_OBJECT_ID, "title": "x"}
    assert (await refused(firm.change(found, **takeover))).code is ErrorCode.needs_confirmation
    assert await findings(firm) == {"adoption_waits": found.id}
    await firm.change(found, active=False)
    assert (await refused(firm.change(found, active=True, **takeover))).code is ErrorCode.needs_confirmation
    row = await firm.row(found)
    assert (row["source"], row["state"], str(row["entra_object_id"])) == ("csv", "suspended", OBJECT_ID)
    await setup.confirm_adoption(firm.database, people.ConfirmAdoption(session=await firm.admin(), person=found.id))
    await firm.change(found, active=True, **takeover)
    row = await firm.row(found)
    assert (row["source"], row["state"], str(row["entra_object_id"])) == ("entra", "active", OTHER_OBJECT_ID)


@pytest.mark.parametrize("external_id", [OBJECT_ID, "nickname"])
async def test_who_has_signed_in_is_adopted_by_a_patch_that_ties_him_to_nobody_else(
    firm: Firm, external_id: str
) -> None:
    await firm.imported(entra_object_id=uuid.UUID(OBJECT_ID))
    found = (await firm.find(login_name="anna@firma.dk")).employees[0]
    await firm.change(found, external_id=external_id)
    row = await firm.row(found)
    assert (row["source"], str(row["entra_object_id"])) == ("entra", OBJECT_ID)


@pytest.mark.parametrize("how", ["removed", "ended by hand", "taken over all the same"])
async def test_nobody_is_asked_about_an_account_that_cannot_be_confirmed_any_more(firm: Firm, how: str) -> None:
    await firm.imported(roles=["setup_admin"])
    found = (await firm.find(login_name="anna@firma.dk")).employees[0]
    await refused(firm.provision())
    assert await findings(firm) == {"adoption_waits": found.id}
    if how == "removed":
        await firm.remove(found)
    elif how == "ended by hand":
        async with firm.operator() as tx:
            await hr.end_employment(tx, found.id)
    else:
        await firm.as_owner("update employees set roles = '{approver}'")
        assert (await firm.provision()).outcome == "adopted"
    assert await findings(firm) == {}


# Returns after a long time (A11)


async def away(firm: Firm, days: int, **values: Any) -> Employee:
    employee = await firm.create(external_id=OBJECT_ID, **values)
    await firm.change(employee, active=False)
    await firm.as_owner(
        "update employees set termination_date = current_date - $1::integer, suspended_on = current_date - $1::integer "
        "where employee_id = $2",
        days,
        uuid_of(employee),
    )
    return employee


@pytest.mark.parametrize("by", ["patch", "create"])
async def test_a_return_after_long_waits_for_hr(firm: Firm, by: str) -> None:
    await ask_after(firm, 90)
    employee = await away(firm, 91)
    back = (
        (await firm.change(employee, active=True)).employee
        if by == "patch"
        else (await firm.provision(external_id=OBJECT_ID)).employee
    )
    assert (back.id, back.state) == (employee.id, "active"), "Entra sees what it said"
    row = await firm.row(employee)
    assert (row["state"], row["termination_date"] is None) == ("suspended", False)
    assert (await firm.kinds(employee))[-1] == "employee.rehire_asked"
    assert await findings(firm) == {"rehire": employee.id}
    assert not (await firm.change(employee, active=True)).changed, "said again, nothing changes"
    assert (await refused(firm.provision(external_id=OBJECT_ID))).code is ErrorCode.login_taken
    assert (await firm.find(active=True)).total == 1


@pytest.mark.parametrize(("rule", "days"), [(90, 90), (90, 0), (None, 5000)])
async def test_a_return_within_the_companys_time_needs_nobody(firm: Firm, rule: int | None, days: int) -> None:
    """S34, S49."""
    await ask_after(firm, rule)
    employee = await away(firm, days)
    await firm.change(employee, active=True)
    row = await firm.row(employee)
    assert (row["state"], row["termination_date"], row["rehire_asked_at"]) == ("active", None, None)


async def test_who_continues_is_who_he_was(firm: Firm) -> None:
    await ask_after(firm, 0)
    employee = await away(firm, 400)
    await firm.change(employee, active=True)
    request = people.DecideRehire(session=await firm.admin(), person=employee.id, choice="continue")
    shown = await setup.decide_rehire(firm.database, request)
    assert (shown.id, shown.access, shown.termination_date) == (employee.id, "open", None)
    assert (await firm.kinds(employee))[-1] == "employee.resumed"
    assert (await refused(setup.decide_rehire(firm.database, request))).code is ErrorCode.not_allowed


async def test_a_new_employment_is_a_new_person_with_the_old_names(firm: Firm) -> None:
    await ask_after(firm, 90)
    boss = await firm.create(login="boss@firma.dk")
    employee = await away(firm, 400, manager_ref=boss.id, department="Salg", title="Kok")
    ended = (await firm.row(employee))["termination_date"]
    await firm.as_owner(
        "update employees set hired_on = '2001-01-01', policy = 'A', employee_number = '1', roles = '{approver}' "
        "where employee_id = $1",
        uuid_of(employee),
    )
    await firm.change(employee, active=True)
    request = people.DecideRehire(session=await firm.admin(), person="anna@firma.dk", choice="new_employment")
    shown = await setup.decide_rehire(firm.database, request)
    assert shown.id != employee.id
    assert (shown.previous_employee_id, shown.access, shown.manager_id) == (employee.id, "open", boss.id)
    assert (shown.login_name, shown.title, shown.department) == ("anna@firma.dk", "Kok", "Salg")
    assert (shown.hired_on, shown.policy, shown.employee_number, shown.roles) == (None, None, None, [])
    old = await firm.row(employee)
    assert (old["state"], old["login_name"], old["termination_date"]) == ("departed", None, ended)
    assert (old["hired_on"], old["policy"]) == (date(2001, 1, 1), "A"), "payroll still sees the earlier employment"
    assert (await refused(firm.get(employee))).code is ErrorCode.not_found
    found = (await firm.find(login_name="anna@firma.dk")).employees[0]
    assert found.id == shown.id
    assert not (await firm.change(found, external_id=OBJECT_ID, active=True)).changed


async def test_the_history_tells_whose_the_attributes_of_a_new_employment_are(firm: Firm) -> None:
    """What HR had given to the old one is HR's in the new one too: whoever folds the events must come to that."""
    await ask_after(firm, 0)
    employee = await away(firm, 5)
    await edit(firm, employee.id, title="Kok")
    await firm.change(employee, active=True)
    async with firm.operator() as tx:
        after = await hr.decide_rehire(tx, employee.id, "new_employment")
    async with firm.operator() as tx:
        told = await events.of_employee(tx, after.employee_id)
    assert fold(after.employee_id, told) == shown_to_application(after)
    assert told[0].changes["owners"] == {"before": {"title": None}, "after": {"title": "hr"}}


async def test_suspended_again_before_hr_chose_nothing_is_asked_any_more(firm: Firm) -> None:
    await ask_after(firm, 90)
    employee = await away(firm, 91)
    await firm.change(employee, active=True)
    await firm.change(employee, active=False)
    assert (await firm.kinds(employee))[-1] == "employee.rehire_withdrawn"
    assert await findings(firm) == {}
    assert (await firm.get(employee)).state == "suspended"


# The work list (S10)


async def items(firm: Firm) -> dict[str, dict[str, bool]]:
    async with firm.operator() as tx:
        page = await work_list(tx)
    return {one.employee_id: {step.step: step.done for step in one.steps} for one in page.items}


async def test_a_joiner_is_on_the_list_until_hr_has_done_its_part(firm: Firm) -> None:
    """S10."""
    employee = await firm.create()
    assert await items(firm) == {employee.id: {"policy": False, "date_of_employment": False, "payroll_number": False}}
    await edit(firm, employee.id, policy="A", employee_number="17")
    assert (await items(firm))[employee.id] == {"policy": True, "date_of_employment": False, "payroll_number": True}
    await edit(firm, employee.id, hired_on=date(2026, 1, 1))
    assert await items(firm) == {}


async def test_a_blank_does_nothing_that_is_left_to_do(firm: Firm) -> None:
    employee = await firm.create()
    await edit(firm, employee.id, policy=" ", employee_number="", hired_on=date(2020, 1, 1))
    assert await items(firm) == {employee.id: {"policy": False, "date_of_employment": True, "payroll_number": False}}


@pytest.mark.parametrize("how", ["suspended", "departed", "by hand"])
async def test_a_leaver_is_on_the_list_until_his_reports_and_registrations_are_dealt_with(firm: Firm, how: str) -> None:
    """S10."""
    await firm.as_owner("update companies set erase_after_months = 24")
    boss, other = await firm.create(login="boss@firma.dk"), await firm.create(login="other@firma.dk")
    report = await firm.create(manager_ref=boss.id)
    if how == "suspended":
        await firm.change(boss, active=False)
    elif how == "departed":
        await firm.remove(boss)
    else:
        async with firm.operator() as tx:
            await hr.end_employment(tx, boss.id)
    async with firm.operator() as tx:
        found = {one.employee_id: one for one in (await work_list(tx)).items}[boss.id]
    steps = {step.step: step for step in found.steps}
    assert found.kind == "leaver"
    assert (steps["approvals_of_reports"].done, steps["approvals_of_reports"].about) == (False, "1")
    assert not steps["future_registrations"].done
    assert steps["access_ended"].about is not None
    ended = (await firm.row(boss))["termination_date"]
    assert steps["erasure_date"].about == months_later(ended, 24).isoformat()

    await setup.finish_work(firm.database, people.FinishWork(session=await firm.admin(), person=boss.id))
    assert (await items(firm))[boss.id]["future_registrations"], "his reports still have nobody to approve"
    await firm.change(report, manager_ref=other.id)
    assert boss.id not in await items(firm)


@pytest.mark.parametrize("by", ["suspension", "adoption", "creation"])
async def test_a_leavers_access_ended_when_he_was_active_last(firm: Firm, firm_clock: SettableClock, by: str) -> None:
    """Entra deletes for good thirty days after it has suspended."""
    start = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
    try:
        firm_clock.set(start)
        if by == "suspension":
            employee = await firm.create()
            await firm.change(employee, active=False)
        else:
            if by == "adoption":
                await firm.imported()
            employee = await firm.create(active=False)
        firm_clock.set(start + timedelta(days=30))
        await firm.remove(employee)
    finally:
        firm_clock.set(None)
    async with firm.operator() as tx:
        [item] = (await work_list(tx)).items
    assert item.since == start
    assert {step.step: step.about for step in item.steps}["access_ended"] == start.isoformat()


async def test_who_comes_back_is_no_leaver(firm: Firm) -> None:
    employee = await firm.create()
    await firm.change(employee, active=False)
    async with firm.operator() as tx:
        await hr.finish_work(tx, employee.id)
    await firm.change(employee, active=True)
    assert set((await items(firm))[employee.id]) == {"policy", "date_of_employment", "payroll_number"}
    async with firm.operator() as tx:
        assert (await refused(hr.finish_work(tx, employee.id))).code is ErrorCode.not_allowed
    await firm.change(employee, active=False)
    assert not (await items(firm))[employee.id]["future_registrations"], "another leaving, another round"


async def test_the_list_pages(firm: Firm) -> None:
    people_made = [await firm.create(login=f"p{number}@firma.dk") for number in range(5)]
    seen, after = [], ""
    for _ in range(4):
        async with firm.operator() as tx:
            page = await work_list(tx, after, limit=2)
        seen += [one.employee_id for one in page.items]
        if page.next is None:
            break
        after = page.next
    assert seen == [one.id for one in people_made]
    for limit, following in ((0, ""), (2, "nonsense"), (5000, "")):
        async with firm.operator() as tx:
            assert (await refused(work_list(tx, following, limit=limit))).code is ErrorCode.invalid_request


def test_an_edit_mentions_nothing_by_itself() -> None:
    assert all(getattr(people.EmployeeEdits(), name) is UNSET for name in people.EmployeeEdits.__struct_fields__)
