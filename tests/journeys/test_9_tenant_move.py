"""Journey 9: a company moves to another Entra tenant (S65 to S70), two tenants simulated, nothing else."""

import random
from typing import Any

import pytest

from directory import metrics
from directory.database import statement
from shared.errors import DomainError, ErrorCode
from tests.entra.people import DEFAULT_MAPPINGS, Person
from tests.entra.scim_client import ScimClient
from tests.support.browser import Browser
from tests.support.company import Company, create_body, new_company
from tests.support.move import OBJECT_ID_AS_EXTERNAL_ID, Move, moved_to

NEW = "new.example"
PEOPLE = 200


async def staffed(company: Company, many: int, *, object_ids: bool) -> list[Person]:
    """A company of so many people with managers, provisioned."""
    if object_ids:
        company.tenant.configure_provisioning(company.app, mappings=(OBJECT_ID_AS_EXTERNAL_ID, *DEFAULT_MAPPINGS))
    chosen = random.Random(11)
    people: list[Person] = []
    for number in range(many):
        manager = chosen.choice(people).object_id if people else None
        people.append(company.hire(f"p{number}", manager=manager, job_title=f"Title {number}"))
    await company.cycle()
    await company.cycle()
    return people


def moved_people(move: Move, people: list[Person], *, domain: str | None, object_ids: bool) -> dict[str, Person]:
    """Old object id -> the same person in the new tenant, with the same managers."""
    there: dict[str, Person] = {}
    for person in people:
        there[person.object_id] = move.hire_there(person, domain=domain)
    for person in people:
        if person.manager is not None:
            manager = there[person.manager].object_id
            there[person.object_id] = move.there.tenant.edit_person(there[person.object_id].object_id, manager=manager)
    if object_ids:
        mappings = (OBJECT_ID_AS_EXTERNAL_ID, *DEFAULT_MAPPINGS)
        move.there.tenant.configure_provisioning(move.there.app, mappings=mappings)
    return there


async def employees(company: Company, columns: str = "login_name, email") -> dict[str, dict[str, Any]]:
    """Everybody who has not departed, by id."""
    asked = f"select employee_id, state, {columns} from employees where company_id = $1 and state <> 'departed'"  # noqa: S608
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        rows = await tx.fetch(statement("employees.test_rows", asked), tx.company_id)
    return {f"emp_{row['employee_id'].hex}": dict(row) for row in rows}


async def signed_in_as(company: Company, browser: Browser, person: Person) -> str:
    browser.forget_cookies()
    page = await company.sign_in(browser, person)
    assert page.status == 200, page.text
    return str((await company.session(browser)).json["employee_id"])


async def refused(company: Company, browser: Browser, person: Person, **recipe: Any) -> str:
    answer = await company.post_response(browser, company.recipe(person, **recipe), accept="application/json")
    return str(answer.json["reason"])


@pytest.mark.parametrize(
    ("many", "object_ids"), [(PEOPLE, False), (20, True)], ids=["as the guide", "object id mapped"]
)
async def test_scenario_1_with_new_addresses(company: Company, browser: Browser, many: int, object_ids: bool) -> None:
    """S66: 200 employees, new e-mails and object ids: same 200 internal ids, 0 duplicates, 0 wrong merges, all can log in."""
    people = await staffed(company, many, object_ids=object_ids)
    before = await employees(company, "login_name, email, title, manager_id")
    move = Move.of(company)
    await move.prepare(sso__email_domains=[NEW])
    there = moved_people(move, people, domain=NEW, object_ids=object_ids)

    told = await move.change_emails(
        ["Før;Efter", *(f"{one.user_principal_name};{moved_to(one, NEW)}" for one in people)]
    )
    assert (told["changed"], told["login_names"]) == (many, many)
    await move.cut_over()
    await move.there.cycle()
    await move.there.cycle()

    after = await employees(company, "login_name, email, title, manager_id")
    assert after.keys() == before.keys()
    for person in people:
        new, employee_id = there[person.object_id], company.scim_id(person)
        assert move.there.scim_id(new) == employee_id
        assert after[employee_id] == before[employee_id] | {
            "login_name": new.user_principal_name,
            "email": new.user_principal_name,
        }
        assert await signed_in_as(move.there, browser, new) == employee_id


async def test_scenario_2_with_the_same_addresses(company: Company, browser: Browser) -> None:
    """S67: the same, without any e-mail edit."""
    people = await staffed(company, PEOPLE, object_ids=True)
    before = await employees(company)
    move = Move.of(company)
    await move.prepare()
    there = moved_people(move, people, domain=None, object_ids=True)
    await move.cut_over()
    await move.there.cycle()

    after = await employees(company, "login_name, email, entra_object_id")
    assert after.keys() == before.keys()
    for person in people:
        new, employee_id = there[person.object_id], company.scim_id(person)
        assert str(after[employee_id]["entra_object_id"]) == new.object_id
        assert await signed_in_as(move.there, browser, new) == employee_id
    assert (await move.state())["state"] == "moved"


async def test_whoever_signs_in_before_provisioning_reaches_him_is_linked_by_his_address(
    company: Company, browser: Browser
) -> None:
    people = await staffed(company, 3, object_ids=True)
    move = Move.of(company)
    await move.prepare()
    there = moved_people(move, people, domain=None, object_ids=True)
    await move.cut_over()
    for person in people:
        assert await signed_in_as(move.there, browser, there[person.object_id]) == company.scim_id(person)
    assert (await move.state())["people"] == {"people": 3, "linked": 3, "waiting": 0, "outside": 0}
    result = await move.there.cycle()
    assert result.created == 0
    assert (await employees(company)).keys() == {company.scim_id(one) for one in people}


async def test_people_who_exchange_addresses_stay_who_they_are(company: Company, browser: Browser) -> None:
    """The classic wrong merge: the new tenant gives one person the other's old address."""
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()
    ids = {one.user_principal_name: company.scim_id(one) for one in (anna, bo)}
    move = Move.of(company)
    await move.prepare()
    a, b = anna.user_principal_name, bo.user_principal_name
    await move.change_emails([f"{a};{b}", f"{b};{a}"])
    new_anna = move.there.hire("anna", user_principal_name=b)
    new_bo = move.there.hire("bo", user_principal_name=a)
    await move.cut_over()
    await move.there.cycle()
    assert (move.there.scim_id(new_anna), move.there.scim_id(new_bo)) == (ids[a], ids[b])
    assert await signed_in_as(move.there, browser, new_anna) == ids[a]
    assert await signed_in_as(move.there, browser, new_bo) == ids[b]


async def test_a_create_that_knows_him_by_the_e_mail_alone_links_him(company: Company, browser: Browser) -> None:
    """Where login name and e-mail differ, the new tenant's probe by login name finds nobody, and it creates."""
    anna = company.hire("anna")
    await company.cycle()
    employee_id = company.scim_id(anna)
    await company.patch(employee_id, {"op": "replace", "path": "userName", "value": "ah@old.example"})
    move = Move.of(company)
    await move.prepare()
    new = move.hire_there(anna)
    await move.cut_over()
    body = create_body(new, userName="anna.holm@new.example")
    answer = await move.there.scim.post("/Users", body)
    assert (answer.status, answer.json["id"]) == (201, employee_id)
    assert await company.stack.history(company.name, employee_id) == [
        "employee.created",
        "employee.changed",
        "employee.relinked",
    ]
    assert (await move.there.scim.post("/Users", body)).status == 409
    assert await signed_in_as(move.there, browser, new) == employee_id


async def test_newcomers_are_new_and_whoever_stays_behind_stays_who_he_is(company: Company, browser: Browser) -> None:
    anna, left_behind, suspended = company.hire("anna"), company.hire("left"), company.hire("away")
    await company.cycle()
    await company.suspend(company.scim_id(suspended))
    before = await employees(company)
    move = Move.of(company)
    await move.prepare()
    new_anna, new_suspended = move.hire_there(anna), move.hire_there(suspended)
    newcomer = move.there.hire("newcomer")
    await move.cut_over()
    await move.there.cycle()
    after = await employees(company)
    assert after.keys() - before.keys() == {move.there.scim_id(newcomer)}
    assert move.there.scim_id(new_anna) == company.scim_id(anna)
    assert move.there.scim_id(new_suspended) == company.scim_id(suspended)
    assert after[company.scim_id(suspended)]["state"] == "active"
    assert after[company.scim_id(left_behind)] == before[company.scim_id(left_behind)]
    assert company.scim_id(left_behind) in await waiting(company)
    assert await refused(company, browser, left_behind) == "unknown_signer"


async def waiting(company: Company) -> set[str]:
    rows = await employees(company, "awaits_link_since")
    return {employee_id for employee_id, row in rows.items() if row["awaits_link_since"] is not None}


# Before the cut-over


async def test_a_prepared_connection_answers_and_changes_nothing(company: Company, browser: Browser) -> None:
    """S65: a second connection can be prepared while the first is live; Test Connection succeeds."""
    anna = company.hire("anna")
    await company.cycle()
    move = Move.of(company)
    prepared = await move.prepare()
    assert prepared["sso"]["identifier"] == company.app.identifier
    new = move.hire_there(anna)

    assert await move.there.engine.test_connection(move.there.app) is None
    found = await move.there.scim.find("userName", anna.user_principal_name)
    assert found.json["Resources"][0]["id"] == company.scim_id(anna)
    before = await employees(company, "version, updated_at")
    answers = [
        await move.there.scim.post("/Users", create_body(new, userName="x@new.example")),
        await move.there.patch(company.scim_id(anna), {"op": "replace", "path": "title", "value": "Kok"}),
        await move.there.scim.delete(f"/Users/{company.scim_id(anna)}"),
    ]
    assert [one.status for one in answers] == [403, 403, 403]
    assert "changes nothing until the cut-over" in answers[0].json["detail"]
    assert await employees(company, "version, updated_at") == before
    assert await signed_in_as(company, browser, anna) == company.scim_id(anna)
    assert await refused(move.there, browser, new) == "unknown_signer"


async def test_the_live_connection_goes_on_while_another_is_prepared(company: Company) -> None:
    move = Move.of(company)
    await move.prepare()
    anna = company.hire("anna")
    await company.cycle()
    company.tenant.edit_person(anna.object_id, job_title="Kok")
    assert (await company.cycle()).updated == 1


async def test_a_cancelled_move_leaves_nothing(company: Company, browser: Browser) -> None:
    anna = company.hire("anna")
    await company.cycle()
    move = Move.of(company)
    await move.prepare()
    await move.cancel()
    assert await move.there.engine.test_connection(move.there.app) is not None
    assert (await move.state())["state"] == "none"
    assert await signed_in_as(company, browser, anna) == company.scim_id(anna)
    again = await move.prepare()
    assert "token" in again["provisioning"]
    assert await move.there.engine.test_connection(move.there.app) is None


# After it


def retired_source_calls() -> float:
    return next(iter(metrics.RETIRED_SOURCE_CALLS.collect())).samples[0].value


async def test_late_traffic_of_the_old_tenant_changes_nothing_and_is_counted(
    company: Company,
) -> None:
    """S70: Stop lets the running cycle finish."""
    people = await staffed(company, 5, object_ids=True)
    move = Move.of(company)
    await move.prepare()
    await move.cut_over()
    before = await employees(company, "version, updated_at, title, external_id")
    company.tenant.edit_person(people[0].object_id, job_title="Late")
    company.tenant.block(people[1].object_id)
    company.tenant.unassign(company.app, people[2].object_id)
    company.hire("late")
    retired = retired_source_calls()
    for result in (await move.old_cycle(), await move.restart_old()):
        assert result.quarantine is not None
        assert result.quarantine.startswith("InvalidCredentials")
    answers = [
        await company.scim.post("/Users", create_body(people[3], userName="late@old.example")),
        await company.suspend(company.scim_id(people[1])),
        await company.scim.delete(f"/Users/{company.scim_id(people[2])}"),
    ]
    stranger = ScimClient(company.scim_url, "wrong")
    wrong = await stranger.get("/Users")
    await stranger.close()
    assert {one.status for one in answers} == {401}
    assert {one.json["detail"] for one in answers} == {wrong.json["detail"]}
    assert await employees(company, "version, updated_at, title, external_id") == before
    assert retired_source_calls() == retired + 5
    tokens = {one["connection"]: one for one in (await move.state())["tokens"]}
    assert tokens["retired"]["last_used_at"] is not None


async def test_the_old_tenant_s_sign_on_is_refused_both_ways(company: Company, browser: Browser) -> None:
    """S68 for the old tenant; sessions that it opened end with it."""
    anna = company.hire("anna")
    await company.cycle()
    assert await signed_in_as(company, browser, anna) == company.scim_id(anna)
    request_id, relay_state = await company.start_login(browser)
    move = Move.of(company)
    await move.prepare()
    new = move.hire_there(anna)
    moved = await move.cut_over()
    assert moved["sessions"] == 1
    assert (await company.session(browser)).status == 401

    begun_before = company.recipe(anna, in_response_to=request_id)
    page = await company.post_response(browser, begun_before, relay_state=relay_state, accept="application/json")
    assert page.json["reason"] == "unknown_signer"
    assert await refused(company, browser, anna) == "unknown_signer"
    page = await browser.get(company.login_url)
    assert page.location.startswith(f"https://login.microsoftonline.com/{move.there.tenant.tenant_id}/")
    assert await signed_in_as(move.there, browser, new) == company.scim_id(anna)


async def test_a_certificate_that_both_tenants_use_does_not_bring_the_old_one_back(
    company: Company, browser: Browser
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    move = Move.of(company)
    old = company.app.certificates[0]
    await move.prepare(sso__certificates=[old.pem, move.there.app.certificates[0].pem])
    await move.cut_over()
    assert await refused(company, browser, anna) == "wrong_issuer"
    forged = company.recipe(anna, issuer=move.there.tenant.issuer)
    answer = await company.post_response(browser, forged, accept="application/json")
    assert answer.json["reason"] == "wrong_tenant"


async def test_moving_back_finds_the_same_people(company: Company, browser: Browser) -> None:
    people = await staffed(company, 4, object_ids=True)
    before = await employees(company)
    there = Move.of(company)
    await there.prepare()
    moved_people(there, people, domain=None, object_ids=True)
    await there.cut_over()
    await there.there.cycle()

    back = Move(there.there, company)
    await back.prepare()
    await back.cut_over()
    company.tenant.job(company.app).watermark = None
    await company.cycle()
    assert (await employees(company)).keys() == before.keys()
    for person in people:
        assert await signed_in_as(company, browser, person) == company.scim_id(person)
    assert await there.there.engine.test_connection(there.there.app) is not None


# Several companies


async def test_moving_one_company_of_a_tenant_leaves_the_other_where_it_is(
    company: Company, neighbour: Company, browser: Browser
) -> None:
    """S71, S73: the app is installed once per company, and only its own group's people get in."""
    anna, bo = company.hire("anna"), neighbour.hire("bo")
    await company.cycle()
    await neighbour.cycle()
    assert await signed_in_as(neighbour, browser, bo) == neighbour.scim_id(bo)
    before = await employees(neighbour, "version, updated_at")
    move = Move.of(company)
    await move.prepare()
    new = move.hire_there(anna)
    await move.cut_over()
    assert (await neighbour.session(browser)).status == 200
    assert await employees(neighbour, "version, updated_at") == before
    neighbour.tenant.edit_person(bo.object_id, job_title="Kok")
    assert (await neighbour.cycle()).updated == 1
    assert await signed_in_as(neighbour, browser, bo) == neighbour.scim_id(bo)
    assert await signed_in_as(move.there, browser, new) == company.scim_id(anna)
    stranger = neighbour.recipe(bo, destination=company.acs_url, recipient=company.acs_url)
    answer = await company.post_response(browser, stranger, accept="application/json")
    assert answer.json["reason"] == "wrong_audience"


async def test_two_companies_cannot_prepare_the_same_app(company: Company, neighbour: Company) -> None:
    """Neither an app that another has prepared, nor one that is live elsewhere."""
    move = Move.of(company)
    await move.prepare()
    rival = Move.of(neighbour)
    taken = {"entra__tenant_id": move.there.tenant.tenant_id, "sso__issuer": move.there.tenant.issuer}
    with pytest.raises(DomainError) as refused:
        await rival.prepare(**taken, entra__app_id=move.there.app_id)
    assert refused.value.code is ErrorCode.already_exists
    await rival.prepare(**taken)
    with pytest.raises(DomainError) as refused:
        await new_company(company.stack, tenant=move.there.tenant, entra__app_id=move.there.app_id)
    assert refused.value.code is ErrorCode.already_exists
