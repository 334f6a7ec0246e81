"""Journey 6: suspension, departure, and coming back."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.entra.people import DEFAULT_MAPPINGS, Mapping
from tests.support.browser import Browser
from tests.support.company import Company, create_body
from tests.support.stack import Stack, second_gateway

BITABIZ = "urn:ietf:params:scim:schemas:extension:bitabiz:2.0:User"


async def test_suspension_ends_the_session_on_every_gateway_within_a_second(
    company: Company, browser: Browser, stack: Stack
) -> None:
    anna = company.hire()
    await company.cycle()
    await company.sign_in(browser, anna)
    async with second_gateway(stack) as other_url:
        assert (await browser.get(f"{other_url}/session")).status == 200
        assert (await company.session(browser)).status == 200

        company.tenant.block(anna.object_id)
        await company.cycle()
        suspended = time.perf_counter()

        assert (await company.session(browser)).status == 401
        assert (await browser.get(f"{other_url}/session")).status == 401
        assert time.perf_counter() - suspended < 1.0
    refused = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert refused.json["reason"] == "suspended"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "replace", "path": "active", "value": False},
        {"op": "replace", "value": {"active": False}},
        {"op": "Replace", "value": {"active": "False"}},
        {"op": "Add", "path": "active", "value": "false"},
    ],
)
async def test_every_form_of_suspension(company: Company, browser: Browser, operation: dict[str, object]) -> None:
    anna = company.hire()
    employee_id = await company.provision(anna)
    await company.sign_in(browser, anna)
    answer = await company.patch(employee_id, operation)
    assert answer.status == 200
    assert answer.json["active"] is False
    assert (await company.session(browser)).status == 401


@pytest.mark.parametrize(
    "beside", [{"path": "userName"}, {"path": "title", "value": "x" * 5000}], ids=["taken", "too long"]
)
async def test_a_suspension_is_never_lost_because_something_beside_it_is_refused(
    company: Company, browser: Browser, stack: Stack, beside: dict[str, str]
) -> None:
    """D5, in one internal call like every other request."""
    anna, bo = company.hire("anna"), company.hire("bo")
    employee_id = await company.provision(anna)
    await company.provision(bo)
    await company.sign_in(browser, anna)
    refused = {"op": "Replace", "value": bo.user_principal_name, **beside}
    assert (await company.patch(employee_id, refused)).status in {400, 409}
    assert (await company.session(browser)).status == 200

    async with stack.counting() as count:
        answer = await company.patch(employee_id, refused, {"op": "Replace", "path": "active", "value": "False"})

    assert count.calls == {"change_employee": 1}
    assert answer.status == 200
    assert answer.json["active"] is False
    assert answer.json["userName"] == anna.user_principal_name
    assert "title" not in answer.json
    assert (await company.session(browser)).status == 401


async def test_a_suspended_person_keeps_name_and_address_and_is_found(company: Company) -> None:
    """S45, S47."""
    anna = company.hire()
    employee_id = await company.provision(anna)
    await company.suspend(employee_id)
    found = (await company.scim.find("userName", anna.user_principal_name.upper())).json
    assert found["totalResults"] == 1
    assert found["Resources"][0]["active"] is False
    row = await stack_row(company, employee_id)
    assert row["termination_date"] == datetime.now(ZoneInfo("Europe/Copenhagen")).date()


async def test_suspending_twice_is_one_suspension(company: Company) -> None:
    """E027: a disable of an inactive person succeeds."""
    employee_id = await company.provision(company.hire())
    first = await company.suspend(employee_id)
    second = await company.suspend(employee_id)
    assert first.status == second.status == 200
    assert first.json["meta"] == second.json["meta"]


async def test_a_create_brings_a_suspended_person_back_with_history(company: Company, browser: Browser) -> None:
    """S34, S49."""
    anna = company.hire("anna")
    employee_id = await company.provision(anna)
    await company.suspend(employee_id)
    back = await company.scim.post("/Users", create_body(anna, title="Tilbage"))
    assert back.status == 201
    assert back.json["id"] == employee_id
    assert back.json["active"] is True
    assert (await stack_row(company, employee_id))["termination_date"] is None
    assert (await company.sign_in(browser, anna)).status == 200
    kinds = await company.stack.history(company.name, employee_id)
    assert kinds[:3] == ["employee.created", "employee.suspended", "employee.reactivated"]


async def test_a_hard_delete_releases_name_and_address(company: Company, browser: Browser) -> None:
    """S37 to S42, E078."""
    anna = company.hire("anna")
    employee_id = await company.provision(anna)
    await company.sign_in(browser, anna)
    assert (await company.scim.delete(f"/Users/{employee_id}")).status == 204
    assert (await company.session(browser)).status == 401
    assert (await company.scim.get(f"/Users/{employee_id}")).status == 404
    assert (await company.scim.delete(f"/Users/{employee_id}")).status == 404
    assert (await company.scim.find("userName", anna.user_principal_name)).json["totalResults"] == 0
    row = await stack_row(company, employee_id)
    assert (row["state"], row["login_name"], row["email"]) == ("departed", None, None)
    refused = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert refused.json["reason"] == "departed"

    again = await company.scim.post("/Users", create_body(anna))
    assert again.status == 201
    assert again.json["id"] != employee_id, "a new unique person"


async def test_soft_then_hard_keeps_the_first_date(company: Company) -> None:
    """S50, D4: deleted in Entra, purged later."""
    anna = company.hire()
    await company.cycle()
    employee_id = company.scim_id(anna)
    company.tenant.delete(anna.object_id)
    await company.cycle()
    first = await stack_row(company, employee_id)
    assert first["state"] == "suspended"
    company.tenant.purge(anna.object_id)
    await company.cycle()
    second = await stack_row(company, employee_id)
    assert second["state"] == "departed"
    assert second["termination_date"] == first["termination_date"]


async def test_unassigned_and_assigned_again_is_the_same_person(company: Company) -> None:
    anna = company.hire()
    await company.cycle()
    employee_id = company.scim_id(anna)
    company.tenant.unassign(company.app, anna.object_id)
    await company.cycle()
    assert (await company.scim.get(f"/Users/{employee_id}")).json["active"] is False
    company.tenant.assign(company.app, anna.object_id)
    await company.cycle()
    assert company.scim_id(anna) == employee_id
    assert (await company.scim.get(f"/Users/{employee_id}")).json["active"] is True


async def stack_row(company: Company, employee_id: str) -> dict[str, object]:
    return await company.stack.employee_row(company.name, employee_id)


@pytest.mark.parametrize("target", [f"{BITABIZ}:leaveDate", "leaveDate"], ids=["with URN", "bare"])
async def test_a_mapped_leave_date_is_the_termination_date_of_a_leaver(
    company: Company, stack: Stack, target: str
) -> None:
    """A4: Entra maps it like any other attribute; a cycle that changes nothing writes nothing."""
    today = datetime.now(ZoneInfo("Europe/Copenhagen")).date()
    last = today + timedelta(days=17)
    mapping = Mapping("employeeLeaveDateTime", f"{BITABIZ}:leaveDate")
    company.tenant.configure_provisioning(company.app, mappings=(*DEFAULT_MAPPINGS, mapping))
    anna = company.hire(employee_leave_date_time=f"{last}T00:00:00Z")
    await company.cycle()
    employee_id = company.scim_id(anna)
    shown = (await company.scim.get(f"/Users/{employee_id}")).json
    assert shown[BITABIZ] == {"leaveDate": f"{last}T00:00:00Z"}
    assert BITABIZ in shown["schemas"]
    again = await company.engine.restart(company.app)
    assert (again.created, again.updated) == (0, 0)

    moved = last + timedelta(days=1)
    answer = await company.patch(employee_id, {"op": "Replace", "path": target, "value": str(moved)})
    assert answer.json[BITABIZ] == {"leaveDate": str(moved)}
    await company.suspend(employee_id)
    row = await stack.employee_row(company.name, employee_id)
    assert (row["termination_date"], row["termination_source"]) == (moved, "leave_date")
    found = await company.scim.get("/Users", filter=f'{target} eq "{moved}"')
    assert [one["id"] for one in found.json["Resources"]] == [employee_id]
