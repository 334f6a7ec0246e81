"""Journeys 3 and 4: Entra creates people, and names managers whom we do not know yet."""

from collections.abc import Awaitable, Callable

import pytest

from tests.entra.scim_client import ScimClient
from tests.support.browser import Browser
from tests.support.company import Company, create_body, new_company
from tests.support.stack import Stack

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


async def test_an_assigned_person_is_an_active_employee_after_the_next_cycle(company: Company) -> None:
    """S6, S32: one POST yields the complete profile."""
    anna = company.hire(
        "anna",
        surname="Østergaard O'Neill",
        job_title="Økonomichef",
        department="Salg & Service",
        mobile="+45 20 30 40 50",
        telephone_number="33 12 34 56",
        country="Danmark",
    )
    result = await company.cycle()
    assert result.created == 1
    user = (await company.scim.get(f"/Users/{company.scim_id(anna)}")).json
    assert user["active"] is True
    assert user["userName"] == anna.user_principal_name
    assert (user["name"]["givenName"], user["name"]["familyName"]) == ("Anna", "Østergaard O'Neill")
    assert user["title"] == "Økonomichef"
    assert user["emails"][0]["value"] == anna.user_principal_name
    assert {phone["type"]: phone["value"] for phone in user["phoneNumbers"]} == {
        "mobile": "+45 20 30 40 50",
        "work": "33 12 34 56",
    }
    assert user["addresses"][0]["country"] == "Danmark"
    assert user[ENTERPRISE]["department"] == "Salg & Service"


@pytest.mark.parametrize("dialect", ["legacy", "compliant"])
async def test_a_cycle_over_an_unchanged_company_writes_nothing(company: Company, dialect: str) -> None:
    """S9, in both dialects, after creates, managers and edits."""
    company.tenant.configure_provisioning(company.app, dialect=dialect)
    boss = company.hire("boss", department="Ledelse")
    people = [company.hire(f"p{number}", manager=boss.object_id, job_title="Konsulent") for number in range(5)]
    await company.cycle()
    company.tenant.edit_person(people[0].object_id, job_title="Chef", mobile="20304050", manager=people[1].object_id)
    await company.cycle()

    mark = company.engine.log.last_number
    result = await company.engine.restart(company.app)

    assert result.failures == ()
    assert company.engine.log.writes(mark) == []


@pytest.mark.parametrize("dialect", ["legacy", "compliant"])
async def test_every_change_arrives(company: Company, dialect: str) -> None:
    """S35: each attribute, changed in Entra, is what GET shows after the cycle."""
    company.tenant.configure_provisioning(company.app, dialect=dialect)
    anna, boss = company.hire("anna"), company.hire("boss")
    await company.cycle()
    company.tenant.edit_person(
        anna.object_id,
        user_principal_name=f"ny@{company.name}.example",
        display_name="Anna Ny",
        given_name="Anna Marie",
        surname="Ny",
        job_title="Direktør",
        department="Økonomi",
        mobile="1",
        telephone_number="2",
        country="Sverige",
        manager=boss.object_id,
    )
    await company.cycle()
    user = (await company.scim.get(f"/Users/{company.scim_id(anna)}")).json
    assert user["userName"] == user["emails"][0]["value"] == f"ny@{company.name}.example"
    assert user["displayName"] == "Anna Ny"
    assert (user["name"]["givenName"], user["name"]["familyName"]) == ("Anna Marie", "Ny")
    assert user["title"] == "Direktør"
    assert {phone["type"]: phone["value"] for phone in user["phoneNumbers"]} == {"mobile": "1", "work": "2"}
    assert user["addresses"][0]["country"] == "Sverige"
    assert user[ENTERPRISE]["department"] == "Økonomi"
    assert user[ENTERPRISE]["manager"]["value"] == company.scim_id(boss)


async def test_a_scim_request_is_one_internal_call(company: Company, stack: Stack) -> None:
    anna = company.hire()
    requests: dict[str, Callable[[], Awaitable[object]]] = {
        "provision_employee": lambda: company.provision(anna),
        "find_employees": lambda: company.scim.find("userName", anna.user_principal_name),
    }
    for operation, request in requests.items():
        async with stack.counting() as count:
            await request()
        assert count.calls == {operation: 1}
    employee_id = (await company.scim.find("userName", anna.user_principal_name)).json["Resources"][0]["id"]
    later: dict[str, Callable[[], Awaitable[object]]] = {
        "get_employee": lambda: company.scim.get(f"/Users/{employee_id}"),
        "change_employee": lambda: company.patch(employee_id, {"op": "replace", "path": "title", "value": "x"}),
        "remove_employee": lambda: company.scim.delete(f"/Users/{employee_id}"),
    }
    for operation, call in later.items():
        async with stack.counting() as count:
            await call()
        assert count.calls == {operation: 1}


async def test_a_manager_who_comes_later_is_linked_when_he_comes(company: Company, browser: Browser) -> None:
    """D8. Entra names a manager by our id; an unknown one waits. CSV and other clients name him by external id."""
    anna, boss = company.hire("anna"), company.hire("boss")
    body = create_body(anna)
    body[ENTERPRISE] = {"manager": {"value": boss.object_id}}
    created = await company.scim.post("/Users", body)
    assert created.status == 201
    assert created.json[ENTERPRISE]["manager"]["value"] == boss.object_id

    boss_id = await company.provision(boss)

    await company.sign_in(browser, boss)
    session = (await company.session(browser)).json
    assert session["employee_id"] == boss_id
    assert session["roles"] == ["approver"], "he has a report now"
    user = (await company.scim.get(f"/Users/{created.json['id']}")).json
    assert user[ENTERPRISE]["manager"]["value"] == boss.object_id, "GET shows what was sent (D7)"


async def test_a_manager_of_another_company_is_never_linked(stack: Stack, company: Company, browser: Browser) -> None:
    other = await new_company(stack, tenant=company.tenant)
    boss = other.hire("boss")
    boss_id = await other.provision(boss)
    anna = company.hire("anna")
    body = create_body(anna)
    body[ENTERPRISE] = {"manager": {"value": boss_id}}
    created = await company.scim.post("/Users", body)
    assert created.status == 201
    await other.sign_in(browser, boss)
    assert (await other.session(browser)).json["roles"] == []


async def test_the_token_of_another_company_is_exactly_a_wrong_token(stack: Stack, company: Company) -> None:
    """Whatever else is right or wrong with the request."""
    other = await new_company(stack)
    employee_id = await company.provision(company.hire())
    patch = {"Operations": [{"op": "replace", "path": "title", "value": "x" * 5000}]}
    answers = []
    for token in (other.token, "idgw_wrong"):
        async with ScimClient(company.scim_url, token) as scim:
            for path in (f"/Users/{employee_id}", "/Users/nobody", "/Users/emp_" + "0" * 32):
                answers += [await scim.get(path), await scim.patch(path, patch), await scim.delete(path)]
            answers += [
                await scim.get("/Users"),
                await scim.post("/Users", create_body(company.hire(), title="x" * 5000)),
            ]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert (await company.scim.get(f"/Users/{employee_id}")).status == 200
    await other.scim.close()


async def test_an_id_of_another_company_is_exactly_an_id_that_does_not_exist(stack: Stack, company: Company) -> None:
    """E009."""
    other = await new_company(stack)
    foreign_id = await other.provision(other.hire())
    absent_id = "emp_" + "0" * 32
    foreign, absent = await company.scim.get(f"/Users/{foreign_id}"), await company.scim.get(f"/Users/{absent_id}")
    assert foreign.status == absent.status == 404
    assert foreign.text.replace(foreign_id, "") == absent.text.replace(absent_id, "")
    assert (await company.patch(foreign_id, {"op": "replace", "path": "title", "value": "x"})).status == 404
    assert (await company.scim.delete(f"/Users/{foreign_id}")).status == 404
    assert (await other.scim.get(f"/Users/{foreign_id}")).status == 200
