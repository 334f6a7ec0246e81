"""Provisioning on real PostgreSQL: every row of the lifecycle and of matching, managers, searches, history."""

import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from directory.database import CompanyTx, Database, Statement
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import ScimCredential
from tests.support.clock import SettableClock
from tests.support.firm import Firm, Urls, uuid_of

OBJECT_ID, OTHER_OBJECT_ID = str(uuid.uuid4()), str(uuid.uuid4())
JANUARY, MARCH = datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def clock(firm_clock: SettableClock) -> AsyncIterator[SettableClock]:
    yield firm_clock
    firm_clock.set(None)


async def refused(attempt: Awaitable[object]) -> DomainError:
    with pytest.raises(DomainError) as caught:
        await attempt
    return caught.value


# Creating


async def test_a_created_employee_is_answered_as_sent_and_found_again(firm: Firm) -> None:
    """D7, S32."""
    sent: dict[str, Any] = {
        "login_name": "Anna@Firma.dk",
        "email": "anna.HOLM@firma.dk",
        "given_name": "Anna Østergård",
        "family_name": "O'Neill",
        "external_id": "anna-7",
        "email_primary": True,
        "display_name": "Anna ",
        "formatted_name": "Fru Anna",
        "title": "Smørrebrødsjomfru",
        "department": "Køkken",
        "employee_number": "007",
        "work_phone": "33 12 34 56",
        "mobile_phone": "+45 20304050",
        "country": "Danmark",
        "manager_ref": "nobody-yet",
    }
    created = await firm.provision(**sent)

    assert created.outcome == "created"
    assert {name: getattr(created.employee, name) for name in sent} == sent
    assert (created.employee.state, created.employee.version) == ("active", 1)
    assert created.employee.manager_id is None
    assert await firm.get(created.employee) == created.employee
    history = await firm.history(created.employee)
    assert [event["kind"] for event in history] == ["employee.created"]
    assert history[0]["actor_id"] == f"tok_{firm.token_id.hex}"
    assert {name: history[0]["changes"][name]["after"] for name in sent} == sent


async def test_a_person_created_inactive_is_suspended_from_the_first_day(firm: Firm, clock: SettableClock) -> None:
    clock.set(MARCH)
    created = await firm.create(active=False)
    assert (created.state, created.termination_date, created.version) == ("suspended", date(2026, 3, 1), 1)


@pytest.mark.parametrize("field", ["login_name", "email", "given_name", "family_name"])
async def test_a_create_without_a_mandatory_value_leaves_nothing_behind(firm: Firm, field: str) -> None:
    """S23."""
    missing: dict[str, Any] = {field: ""}
    error = await refused(firm.provision(**missing))
    assert (error.code, error.field) == (ErrorCode.invalid_value, field)
    assert (await firm.find()).total == 0


@pytest.mark.parametrize(
    ("taken", "code", "field"),
    [
        ({"login_name": "ANNA@firma.dk", "email": "x@firma.dk"}, ErrorCode.login_taken, "login_name"),
        ({"login_name": "x@firma.dk", "email": "ANNA@firma.dk"}, ErrorCode.email_taken, "email"),
        ({"login": "x@firma.dk", "external_id": "anna-7"}, ErrorCode.external_id_taken, "external_id"),
        ({"login_name": "A\u030asa@firma.dk", "email": "x@firma.dk"}, ErrorCode.login_taken, "login_name"),
    ],
)
async def test_a_second_active_person_with_the_name_is_refused(
    firm: Firm, taken: dict[str, Any], code: ErrorCode, field: str
) -> None:
    """E018, D2."""
    await firm.create(external_id="anna-7")
    await firm.create(login_name="\u00e5sa@firma.dk", email="aasa@firma.dk")
    error = await refused(firm.provision(**taken))
    assert (error.code, error.field) == (code, field)
    assert (await firm.find()).total == 2


async def test_the_same_person_may_be_in_two_companies(firm: Firm, other_firm: Firm) -> None:
    """D2, A15."""
    here, there = await firm.create(external_id=OBJECT_ID), await other_firm.create(external_id=OBJECT_ID)
    assert here.id != there.id
    await firm.change(here, title="Chef")
    assert (await other_firm.get(there)) == there


# Coming back, being adopted


async def test_an_imported_person_is_adopted_and_keeps_what_entra_does_not_send(firm: Firm) -> None:
    """S33."""
    employee_id = await firm.imported(employee_number="4711", country="Danmark")
    adopted = await firm.provision(title="Chef", external_id=OBJECT_ID)
    assert (adopted.outcome, uuid_of(adopted.employee)) == ("adopted", employee_id)
    assert (adopted.employee.given_name, adopted.employee.title) == ("Anna", "Chef")
    assert (adopted.employee.employee_number, adopted.employee.country) == ("4711", "Danmark")
    row = await firm.row(adopted.employee)
    assert (row["source"], row["entra_object_id"]) == ("entra", uuid.UUID(OBJECT_ID))
    assert await firm.kinds(adopted.employee) == ["employee.adopted"]
    assert (await refused(firm.provision())).code is ErrorCode.login_taken


async def test_an_imported_person_whom_entra_patches_is_entras_from_then_on(firm: Firm) -> None:
    """S33: Entra finds him by filter and sends PATCH only."""
    await firm.imported()
    found = (await firm.find(login_name="anna@firma.dk")).employees[0]
    await firm.change(found, external_id=OBJECT_ID)
    row = await firm.row(found)
    assert (row["source"], row["entra_object_id"]) == ("entra", uuid.UUID(OBJECT_ID))


async def test_adopting_an_inactive_person_suspends_him(firm: Firm) -> None:
    await firm.imported()
    adopted = await firm.provision(active=False)
    assert (adopted.outcome, adopted.employee.state) == ("adopted", "suspended")
    assert adopted.employee.termination_date is not None


async def test_an_imported_setup_admin_waits_for_confirmation(firm: Firm) -> None:
    """A24."""
    await firm.imported(roles=["setup_admin"])
    assert (await refused(firm.provision())).code is ErrorCode.needs_confirmation
    assert (await firm.find()).employees[0].given_name == "Ann"


async def test_a_suspended_person_comes_back_with_id_history_and_new_values(firm: Firm) -> None:
    """S34, S48, S49."""
    first = await firm.create(external_id=OBJECT_ID, title="Kok")
    await firm.change(first, active=False)
    back = await firm.provision(email="new@firma.dk", department="Bar")
    assert back.outcome == "reactivated"
    assert (back.employee.id, back.employee.state, back.employee.termination_date) == (first.id, "active", None)
    assert (back.employee.email, back.employee.department, back.employee.title) == ("new@firma.dk", "Bar", "Kok")
    assert await firm.kinds(first) == ["employee.created", "employee.suspended", "employee.reactivated"]
    told = (await firm.history(first))[2]["changes"]
    assert told["termination_date"]["before"] is not None, "the earlier period stays in the history"


async def test_a_suspended_namesake_with_another_link_key_is_not_brought_back(firm: Firm) -> None:
    first = await firm.create(external_id=OBJECT_ID)
    await firm.change(first, active=False)
    error = await refused(firm.provision(external_id=OTHER_OBJECT_ID))
    assert error.code is ErrorCode.login_taken
    assert (await firm.get(first)).state == "suspended"


async def test_a_return_that_takes_a_name_from_somebody_else_changes_nothing(firm: Firm) -> None:
    away = await firm.create()
    await firm.change(away, active=False)
    await firm.create(login="bo@firma.dk")
    assert (await refused(firm.provision(email="bo@firma.dk"))).code is ErrorCode.email_taken
    assert (await firm.get(away)).state == "suspended"


# Changing


async def test_every_attribute_changes_and_the_history_tells_before_and_after(firm: Firm) -> None:
    """S35, S11 to S21."""
    employee = await firm.create(title="Kok")
    changes = {
        "login_name": "holm@firma.dk",
        "email": "holm@firma.dk",
        "given_name": "Anne",
        "family_name": "Holm-Bo",
        "title": "Chef",
        "department": "Køkken",
        "work_phone": "1",
        "mobile_phone": "2",
        "country": "Sverige",
        "external_id": "holm",
        "email_primary": True,
        "display_name": "Anne",
        "formatted_name": "Fru Anne",
        "employee_number": "7",
        "manager_ref": "boss",
    }
    changed = await firm.change(employee, **changes)
    assert {name: getattr(changed.employee, name) for name in changes} == changes
    assert changed.employee.version == 2
    told = (await firm.history(employee))[1]
    assert told["kind"] == "employee.changed"
    assert {name: told["changes"][name]["after"] for name in changes} == changes
    assert told["changes"]["title"]["before"] == "Kok"
    assert (await firm.find(login_name="anna@firma.dk")).total == 0, "the old name no longer resolves"


@pytest.mark.parametrize(
    "changes",
    [{}, {"active": True}, {"title": "Kok"}, {"title": "Kok", "manager_ref": "boss", "department": None}],
)
async def test_a_change_that_changes_nothing_writes_nothing(firm: Firm, changes: dict[str, Any]) -> None:
    """S9."""
    employee = await firm.create(title="Kok", manager_ref="boss")
    outcome = await firm.change(employee, **changes)
    assert (outcome.changed, outcome.employee) == (False, employee)
    assert (await firm.row(employee))["updated_at"] == employee.updated_at
    assert await firm.kinds(employee) == ["employee.created"]


async def test_a_value_is_cleared_by_none(firm: Firm) -> None:
    employee = await firm.create(title="Kok", external_id="anna-7", manager_ref="boss")
    cleared = (await firm.change(employee, title=None, external_id=None, manager_ref=None)).employee
    assert (cleared.title, cleared.external_id, cleared.manager_ref) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"login_name": "BO@firma.dk"}, ErrorCode.login_taken),
        ({"email": "Bo@firma.dk"}, ErrorCode.email_taken),
        ({"external_id": OBJECT_ID}, ErrorCode.external_id_taken),
        ({"external_id": OBJECT_ID.upper()}, ErrorCode.external_id_taken),
    ],
)
async def test_a_taken_name_changes_nothing(firm: Firm, changes: dict[str, str], code: ErrorCode) -> None:
    await firm.create(login="bo@firma.dk", external_id=OBJECT_ID)
    employee = await firm.create()
    error = await refused(firm.change(employee, title="Chef", **changes))
    assert (error.code, error.field) == (code, next(iter(changes)))
    assert await firm.get(employee) == employee
    assert await firm.kinds(employee) == ["employee.created"]


async def test_a_name_changes_its_spelling_freely(firm: Firm) -> None:
    employee = await firm.create()
    assert (await firm.change(employee, login_name="ANNA@firma.dk")).employee.login_name == "ANNA@firma.dk"


async def test_a_suspended_name_stays_taken_and_a_departed_one_is_free(firm: Firm) -> None:
    """S48, S41."""
    employee = await firm.create()
    other = await firm.create(login="bo@firma.dk")
    await firm.change(employee, active=False)
    assert (await refused(firm.change(other, login_name="anna@firma.dk"))).code is ErrorCode.login_taken
    await firm.remove(employee)
    assert (await firm.change(other, login_name="anna@firma.dk")).changed


async def test_an_object_id_in_the_external_id_is_the_link_key(firm: Firm) -> None:
    employee = await firm.create(external_id="anna-7")
    assert (await firm.row(employee))["entra_object_id"] is None
    await firm.change(employee, external_id=OBJECT_ID)
    assert (await firm.row(employee))["entra_object_id"] == uuid.UUID(OBJECT_ID)
    await firm.change(employee, external_id="anna-8")
    assert (await firm.row(employee))["entra_object_id"] == uuid.UUID(OBJECT_ID), "a linked login does not break (D10)"


async def test_a_new_link_key_ends_the_sessions_of_the_old_one(firm: Firm) -> None:
    """S66: a move to another Entra tenant brings new object ids."""
    employee = await firm.create(external_id=OBJECT_ID)
    await firm.sign_in(employee)
    await firm.change(employee, external_id=OTHER_OBJECT_ID)
    assert (await firm.row(employee))["entra_object_id"] == uuid.UUID(OTHER_OBJECT_ID)
    assert await firm.signed_in(employee) == 0


# Leaving


async def test_suspension_sets_the_companys_date_and_keeps_the_names(
    firm_database: Database, firm_urls: Urls, clock: SettableClock
) -> None:
    """S45, S47, D14."""
    firm = await Firm.founded(firm_database, firm_urls, time_zone="Pacific/Auckland")
    employee = await firm.create()
    clock.set(datetime(2026, 6, 30, 13, tzinfo=UTC))
    away = (await firm.change(employee, active=False)).employee
    assert (away.state, away.termination_date) == ("suspended", date(2026, 7, 1))
    assert (await firm.find(login_name="ANNA@firma.dk")).employees == [away]


async def test_suspension_ends_sessions_and_tickets_of_that_person_alone(firm: Firm) -> None:
    """S46, D11."""
    employee, other = await firm.create(), await firm.create(login="bo@firma.dk")
    for one in (employee, other):
        await firm.sign_in(one)
    await firm.change(employee, active=False)
    assert (await firm.signed_in(employee), await firm.signed_in(other)) == (0, 2)


async def test_suspension_travels_with_other_changes_as_one_event(firm: Firm) -> None:
    employee = await firm.create()
    await firm.change(employee, active=False, title="Fratrådt")
    history = await firm.history(employee)
    assert [event["kind"] for event in history] == ["employee.created", "employee.suspended"]
    assert set(history[1]["changes"]) == {"state", "termination_date", "termination_source", "title", "owners"}


async def test_resuming_clears_the_date(firm: Firm) -> None:
    """S49, D4."""
    employee = await firm.create()
    await firm.change(employee, active=False)
    back = (await firm.change(employee, active=True)).employee
    assert (back.state, back.termination_date, back.id) == ("active", None, employee.id)
    assert await firm.kinds(employee) == ["employee.created", "employee.suspended", "employee.resumed"]


async def test_departure_releases_the_names_and_leaves_a_salted_hash(firm: Firm, clock: SettableClock) -> None:
    """S37 to S40."""
    employee = await firm.create(external_id=OBJECT_ID, title="Kok")
    await firm.sign_in(employee)
    clock.set(MARCH)
    await firm.remove(employee)

    assert (await refused(firm.get(employee))).code is ErrorCode.not_found
    assert (await firm.find(login_name="anna@firma.dk")).total == 0
    row = await firm.row(employee)
    assert (row["state"], row["termination_date"], row["title"]) == ("departed", date(2026, 3, 1), "Kok")
    released = ["login_name", "login_key", "email", "email_key", "external_id"]
    assert [row[name] for name in released] == [None] * 5
    salt, digest = row["released_sha256"][:16], row["released_sha256"][16:48]
    assert digest == hashlib.sha256(salt + b"anna@firma.dk").digest()
    assert row["entra_object_id"] == uuid.UUID(OBJECT_ID), "a late login is told that he departed"
    assert await firm.signed_in(employee) == 0
    told = (await firm.history(employee))[-1]
    assert told["kind"] == "employee.departed"
    assert "anna" not in str(told["changes"])


async def test_departure_after_suspension_keeps_the_first_date(firm: Firm, clock: SettableClock) -> None:
    """S50, A3, D4."""
    employee = await firm.create()
    clock.set(JANUARY)
    await firm.change(employee, active=False)
    clock.set(MARCH)
    await firm.remove(employee)
    assert (await firm.row(employee))["termination_date"] == date(2026, 1, 15)


async def test_whoever_departed_is_not_found_by_anything(firm: Firm) -> None:
    """D3."""
    employee = await firm.create()
    await firm.remove(employee)
    for attempt in (firm.get(employee), firm.change(employee, active=True), firm.remove(employee)):
        assert (await refused(attempt)).code is ErrorCode.not_found
    assert (await firm.find(id=employee.id)).total == 0


async def test_the_same_person_created_again_is_a_new_one(firm: Firm) -> None:
    """S41, S42."""
    first = await firm.create(external_id=OBJECT_ID)
    await firm.remove(first)
    second = await firm.provision(external_id=OBJECT_ID)
    assert (second.outcome, second.employee.version) == ("created", 1)
    assert second.employee.id != first.id
    assert await firm.kinds(second.employee) == ["employee.created"]


@pytest.mark.parametrize("text", ["", "1", "emp_", "emp_" + "0" * 32, "emp_\x00", "\ud800", "x" * 5000])
async def test_an_id_that_cannot_be_is_not_found(firm: Firm, text: str) -> None:
    assert (await refused(firm.get(text))).code is ErrorCode.not_found


# Managers


@pytest.mark.parametrize("form", ["id", "external_id", "login_name"])
async def test_a_known_manager_is_linked_at_once(firm: Firm, form: str) -> None:
    """S16, S54."""
    boss = await firm.create(login="Boss@firma.dk", external_id="boss-1")
    reference = str(getattr(boss, form)).upper() if form == "login_name" else str(getattr(boss, form))
    created = await firm.create(manager_ref=reference)
    patched = (await firm.change(await firm.create(login="bo@firma.dk"), manager_ref=reference)).employee
    for report in (created, patched):
        assert (report.manager_id, report.manager_ref) == (boss.id, reference)


@pytest.mark.parametrize("appears", ["created", "adopted", "renamed", "external_id"])
async def test_a_waiting_report_is_linked_when_the_manager_appears(firm: Firm, appears: str) -> None:
    """S58, D8."""
    reports = [await firm.create(login=f"r{number}@firma.dk", manager_ref="Boss@firma.dk") for number in range(3)]
    other = await firm.create(login="other@firma.dk", manager_ref="somebody-else")
    match appears:
        case "created":
            boss = await firm.create(login="boss@firma.dk")
        case "adopted":
            await firm.imported("boss@x.dk", email="boss@firma.dk", email_key="boss@firma.dk")
            boss = await firm.create(login="BOSS@firma.dk")
        case "renamed":
            boss = (await firm.change(await firm.create(login="x@firma.dk"), login_name="boss@firma.dk")).employee
        case _:
            boss = await firm.create(login="x@firma.dk")
            boss = (await firm.change(boss, external_id="Boss@firma.dk")).employee
    for report in reports:
        linked = await firm.get(report)
        assert (linked.manager_id, linked.manager_ref, linked.version) == (boss.id, "Boss@firma.dk", 2)
        history = await firm.history(report)
        assert [event["kind"] for event in history] == ["employee.created", "employee.manager_linked"]
        assert history[1]["changes"] == {"manager_id": {"before": None, "after": boss.id}}
    assert (await firm.get(other)).manager_id is None


async def test_a_reactivated_manager_under_a_new_name_is_linked(firm: Firm) -> None:
    boss = await firm.create(login="old@firma.dk", external_id=OBJECT_ID)
    await firm.change(boss, active=False)
    report = await firm.create(manager_ref="boss@firma.dk")
    assert (await firm.provision(login="boss@firma.dk", external_id=OBJECT_ID)).outcome == "reactivated"
    assert (await firm.get(report)).manager_id == boss.id


async def test_external_ids_are_referred_to_with_their_case(firm: Firm) -> None:
    report = await firm.create(manager_ref="BOSS-1")
    await firm.create(login="boss@firma.dk", external_id="boss-1")
    assert (await firm.get(report)).manager_id is None


async def test_a_link_stays_with_the_person_when_his_names_change(firm: Firm) -> None:
    boss = await firm.create(login="boss@firma.dk")
    report = await firm.create(manager_ref="boss@firma.dk")
    await firm.change(boss, login_name="chef@firma.dk", email="chef@firma.dk")
    await firm.create(login="boss@firma.dk")
    assert (await firm.get(report)).manager_id == boss.id


async def test_a_suspended_manager_keeps_his_reports_and_a_departed_one_does_not(firm: Firm) -> None:
    """Journey 3.6."""
    boss = await firm.create(login="boss@firma.dk")
    report = await firm.create(manager_ref=boss.id)
    await firm.change(boss, active=False)
    assert (await firm.get(report)).manager_id == boss.id
    await firm.remove(boss)
    left = await firm.get(report)
    assert (left.manager_id, left.manager_ref) == (None, boss.id)
    assert (await firm.kinds(report))[-1] == "employee.manager_lost"
    new_boss = await firm.create(login="boss2@firma.dk")
    assert (await firm.change(report, manager_ref=new_boss.id)).employee.manager_id == new_boss.id


async def test_a_reference_to_a_departed_manager_waits(firm: Firm) -> None:
    boss = await firm.create(login="boss@firma.dk")
    await firm.remove(boss)
    assert (await firm.create(manager_ref=boss.id)).manager_id is None


async def test_oneself_as_manager_is_stored(firm: Firm) -> None:
    """A19."""
    created = await firm.create(manager_ref="anna@firma.dk")
    assert (created.manager_id, created.version) == (created.id, 1)
    patched = await firm.create(login="bo@firma.dk", manager_ref="later@firma.dk")
    renamed = (await firm.change(patched, login_name="later@firma.dk")).employee
    assert (renamed.manager_id, renamed.version) == (renamed.id, 2)
    assert await firm.kinds(patched) == ["employee.created", "employee.changed"]
    assert (await firm.change(created, manager_ref=created.id)).employee.manager_id == created.id


async def test_a_cycle_of_managers_is_stored(firm: Firm) -> None:
    """A19, D8."""
    people = [await firm.create(login=f"p{number}@firma.dk") for number in range(3)]
    for one, manager in zip(people, [*people[1:], people[0]], strict=True):
        assert (await firm.change(one, manager_ref=manager.id)).employee.manager_id == manager.id
    await firm.remove(people[0])
    assert (await firm.get(people[2])).manager_id is None


async def test_a_manager_of_another_company_never_links(firm: Firm, other_firm: Firm) -> None:
    """D8, D15."""
    foreign = await other_firm.create(login="boss@firma.dk", external_id="boss-1")
    references = [foreign.id, "boss-1", "boss@firma.dk"]
    waiting = [await firm.create(login=f"r{n}@firma.dk", manager_ref=one) for n, one in enumerate(references)]
    await other_firm.change(foreign, login_name="chef@firma.dk", email="chef@firma.dk")
    await other_firm.create(login="boss@firma.dk")
    for report in waiting:
        assert (await firm.get(report)).manager_id is None


# Searching


async def test_each_field_can_be_searched(firm: Firm) -> None:
    boss = await firm.create(login="boss@firma.dk", external_id="boss-1")
    one = await firm.create(
        login_name="Ærø@firma.dk",
        email="mail@firma.dk",
        external_id="anna-7",
        email_primary=True,
        display_name="Anna H",
        formatted_name="Fru H",
        given_name="Ane",
        family_name="Høst",
        title="Kok",
        department="Køkken",
        employee_number="7",
        work_phone="1",
        mobile_phone="2",
        country="Danmark",
        manager_ref="boss-1",
    )
    await firm.create(login="bo@firma.dk", active=False)
    asked: dict[str, list[str | bool]] = {
        "id": [one.id],
        "login_name": ["ÆRØ@FIRMA.DK"],
        "email": ["MAIL@firma.dk"],
        "external_id": ["anna-7"],
        "email_primary": [True],
        "display_name": ["ANNA h"],
        "formatted_name": ["fru h"],
        "given_name": ["ane"],
        "family_name": ["høst"],
        "title": ["KOK"],
        "department": ["køkken"],
        "employee_number": ["7"],
        "work_phone": ["1"],
        "mobile_phone": ["2"],
        "country": ["danmark"],
        "manager": ["boss-1", boss.id],
    }
    for field, values in asked.items():
        for value in values:
            page = await firm.search({field: value})
            assert (page.total, page.employees) == (1, [one]), field
            assert (await firm.search({field: value, "active": True})).employees == [one], field
            assert (await firm.search({field: value, "active": False})).total == 0, field


@pytest.mark.parametrize(
    "conditions",
    [
        {"external_id": "ANNA-7"},
        {"id": "emp_" + "0" * 32},
        {"id": "nonsense"},
        {"login_name": "anna"},
        {"login_name": "a\x00"},
        {"title": "\ud800"},
        {"title": "%"},
        {"title": "Kok' or true --"},
        {"login_name": None},
        {"active": None},
        {"title": None},
        {"manager": "emp_" + "0" * 32},
    ],
)
async def test_what_nobody_has_finds_nobody(firm: Firm, conditions: dict[str, Any]) -> None:
    """An empty list, never an error: 404 would put the whole job in quarantine."""
    await firm.create(external_id="anna-7", title="Kok")
    assert await firm.find(**conditions) == await firm.find(login_name="nobody")
    assert (await firm.find(**conditions)).total == 0


async def test_an_absent_value_is_asked_for_by_none(firm: Firm) -> None:
    without = await firm.create()
    await firm.create(login="bo@firma.dk", title="Kok", external_id="bo", manager_ref="x")
    for field in ("title", "external_id", "manager", "country"):
        expected = 2 if field == "country" else 1
        page = await firm.search({field: None})
        assert (page.total, page.employees[0]) == (expected, without)


async def test_pages_follow_the_order_of_creation_and_tell_the_total(firm: Firm) -> None:
    people = [await firm.create(login=f"p{number}@firma.dk", title="Kok") for number in range(7)]
    await firm.remove(people.pop(3))
    pages = [await firm.find(title="kok", offset=offset, limit=2) for offset in (0, 2, 4, 6)]
    assert [one for page in pages for one in page.employees] == people
    assert [page.total for page in pages] == [6] * 4
    counted = await firm.find(limit=0)
    assert (counted.total, counted.employees) == (6, [])
    assert (await firm.find(login_name="p1@firma.dk", limit=0)).total == 1
    assert (await firm.find(login_name="p1@firma.dk", offset=1)).employees == []
    assert (await firm.find(offset=10**30)).total == 6


@pytest.mark.parametrize(("offset", "limit"), [(-1, 10), (0, -1), (0, 1002)])
async def test_an_impossible_page_is_refused(firm: Firm, offset: int, limit: int) -> None:
    assert (await refused(firm.find(offset=offset, limit=limit))).code is ErrorCode.invalid_request


# The door


@pytest.mark.parametrize("door", ["unknown token", "revoked", "expired", "other company", "switched off"])
async def test_nothing_is_provisioned_without_the_companys_token(firm: Firm, other_firm: Firm, door: str) -> None:
    employee = await firm.create()
    match door:
        case "unknown token":
            firm.credential = ScimCredential(token_sha256="00" * 32, company=firm.name)
        case "revoked":
            await firm.as_owner("update scim_tokens set revoked_at = now()")
        case "expired":
            await firm.as_owner("update scim_tokens set expires_at = now()")
        case "other company":
            firm.credential = ScimCredential(token_sha256=other_firm.credential.token_sha256, company=firm.name)
        case _:
            await firm.as_owner("update connections set provisioning_enabled = false")
    expected = ErrorCode.not_allowed if door == "switched off" else ErrorCode.unauthorized
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: firm.provision(login="bo@firma.dk"),
        lambda: firm.get(employee),
        lambda: firm.find(),
        lambda: firm.change(employee, active=False),
        lambda: firm.remove(employee),
    ]
    for attempt in attempts:
        assert (await refused(attempt())).code is expected
    rows = await firm.as_owner("select state, version from employees")
    assert [tuple(row) for row in rows] == [("active", 1)]


# What it costs


async def test_statements_within_the_door(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    for name in ("fetch", "fetchrow", "fetchval", "execute", "executemany"):
        original = getattr(CompanyTx, name)

        def counting(self: CompanyTx, question: Statement, *rest: Any, _original: Any = original) -> Any:
            seen.append(question.name)
            return _original(self, question, *rest)

        monkeypatch.setattr(CompanyTx, name, counting)

    async def statements(attempt: Awaitable[object]) -> list[str]:
        seen.clear()
        await attempt
        return list(seen)

    assert await statements(firm.create()) == ["candidates", "insert", "link_waiting_reports", "record"]
    employee = (await firm.find()).employees[0]
    boss = await firm.create(login="boss@firma.dk")
    assert await statements(firm.find(login_name="anna@firma.dk")) == ["find_one"]
    assert await statements(firm.find(title="x")) == ["find_page"]
    assert await statements(firm.get(employee)) == ["get"]
    assert await statements(firm.change(employee, title="Kok")) == ["lock", "update", "record"]
    assert await statements(firm.change(employee, title="Kok")) == ["lock"]
    by_reference = ["lock", "find_by_reference", "update", "record"]
    assert await statements(firm.change(employee, manager_ref=boss.id)) == by_reference
    ended = ["end_of_people"]
    # Only whoever is about to lose his access pays for the brake.
    suspended = ["take", "lock", "of_employee", "note", "update", *ended, "record"]
    assert await statements(firm.change(employee, active=False)) == suspended
    left = ["update", *ended, "forget", "forget_names", "unlink_reports", "record"]
    gone = ["take", "lock_to_remove", "former_names", *left]
    assert await statements(firm.remove(employee)) == gone
