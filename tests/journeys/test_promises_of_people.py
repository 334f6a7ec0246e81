"""What the product promises of people's coming, changing and leaving, each driven by Entra through the three services."""

import asyncio
import hashlib
import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from directory.database import statement
from directory.events import store as events
from shared.ids import employee_from_text
from tests.support.browser import Browser
from tests.support.company import Company, create_body
from tests.support.stack import Stack

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ATTRIBUTES: list[tuple[str, tuple[Any, ...], str, str]] = [
    ("userName", ("userName",), "old@x.example", "new@x.example"),
    ("name.givenName", ("name", "givenName"), "Åse", "Anne-Sofie"),
    ("name.familyName", ("name", "familyName"), "O'Neill", "Ærø"),
    ("displayName", ("displayName",), "Anna A", "Anna B"),
    ("title", ("title",), "Kok", "Chef"),
    ('emails[type eq "work"].value', ("emails", 0, "value"), "o@x.example", "n@x.example"),
    ('phoneNumbers[type eq "mobile"].value', ("phoneNumbers", 0, "value"), "+45 1", "+45 2"),
    ('phoneNumbers[type eq "work"].value', ("phoneNumbers", 0, "value"), "33 1", "33 2"),
    ('addresses[type eq "work"].country', ("addresses", 0, "country"), "Danmark", "Norge"),
    (f"{ENTERPRISE}:department", (ENTERPRISE, "department"), "Salg", "Lager"),
]


def now_in_copenhagen() -> datetime:
    return datetime.now(ZoneInfo("Europe/Copenhagen"))


async def row_of(company: Company, employee_id: str) -> dict[str, Any]:
    return await company.stack.employee_row(company.name, employee_id)


def at(resource: Any, path: tuple[Any, ...]) -> object:
    for key in path:
        resource = resource[key]
    return resource


def with_value(company: Company, body: dict[str, Any], path: str, value: str) -> dict[str, Any]:
    value = value.replace("x.example", f"{company.name}.example")
    if path == f"{ENTERPRISE}:department":
        return {**body, ENTERPRISE: {"department": value}}
    name, bracket, rest = path.partition("[")
    if bracket:
        return {**body, name: [{"type": rest.split('"')[1], rest.rsplit(".", 1)[1]: value}]}
    name, dot, sub = path.partition(".")
    return {**body, name: {**body[name], sub: value} if dot else value}


@pytest.mark.parametrize("form", ["path", "path-less, dotted"])
@pytest.mark.parametrize("op", ["Replace", "add"])
@pytest.mark.parametrize(("path", "where", "old", "new"), ATTRIBUTES, ids=[row[0] for row in ATTRIBUTES])
async def test_each_attribute_is_set_by_create_and_changed_by_patch(
    company: Company, path: str, where: tuple[Any, ...], old: str, new: str, op: str, form: str
) -> None:
    """S12 to S15, S18 to S20, S29, S30: in both dialects, with and without a path."""
    body = with_value(company, create_body(company.hire()), path, old)
    created = await company.scim.post("/Users", body)
    assert created.status == 201, created.text
    assert at(created.json, where) == old.replace("x.example", f"{company.name}.example")
    value = new.replace("x.example", f"{company.name}.example")
    operation = {"op": op, "path": path, "value": value} if form == "path" else {"op": op, "value": {path: value}}
    patched = await company.patch(created.json["id"], operation)
    assert patched.status == 200, patched.text
    assert at((await company.scim.get(f"/Users/{created.json['id']}")).json, where) == value


async def test_an_untouched_mapping_fills_every_attribute(company: Company) -> None:
    """S22, S30: all eleven rows, the manager with the cycle's second pass."""
    boss = company.hire("boss")
    anna = company.hire(
        "anna",
        job_title="Kok",
        department="Salg",
        mobile="1",
        telephone_number="2",
        country="DK",
        manager=boss.object_id,
    )
    await company.cycle()
    row = await row_of(company, company.scim_id(anna))
    filled = ["login_name", "given_name", "family_name", "title", "department", "manager_id", "email", "mobile_phone"]
    assert [name for name in (*filled, "work_phone", "country", "calendar_group") if row[name] is None] == []
    assert row["state"] == "active"


@pytest.mark.parametrize("value", [False, "False", "false"])
async def test_active_is_understood_as_a_boolean_and_as_text(company: Company, value: object) -> None:
    """S17, S44: each form suspends, by PATCH and by PUT, and its opposite brings back."""
    anna = company.hire()
    employee_id = await company.provision(anna)
    await company.patch(employee_id, {"op": "Replace", "path": "active", "value": value})
    assert (await row_of(company, employee_id))["state"] == "suspended"
    back = True if value is False else "True"
    await company.patch(employee_id, {"op": "Replace", "path": "active", "value": back})
    assert (await row_of(company, employee_id))["state"] == "active"
    assert (await company.scim.put(f"/Users/{employee_id}", create_body(anna, active=value))).status == 200
    assert (await row_of(company, employee_id))["state"] == "suspended"


async def test_the_id_is_the_servers_and_the_external_id_no_attribute(company: Company, stack: Stack) -> None:
    """S27, S28."""
    anna = company.hire()
    created = await company.scim.post("/Users", create_body(anna, id="mine"))
    assert created.status == 201
    assert created.json["id"].startswith("emp_")
    refused = await company.patch(created.json["id"], {"op": "replace", "path": "id", "value": "emp_" + "0" * 32})
    assert (refused.status, refused.json["scimType"]) == (400, "mutability")
    row = await row_of(company, created.json["id"])
    assert "external_id" not in row["owners"], "a link key, and nobody's attribute"
    without = create_body(company.hire())
    del without["externalId"]
    assert (await company.scim.post("/Users", without)).status == 201, "and not required"


async def test_who_is_known_is_updated_and_who_is_not_is_created(company: Company) -> None:
    """S31: Entra asks first, and patches whom it finds."""
    anna, bo = company.hire("anna", job_title="Kok"), company.hire("bo")
    known = await company.provision(anna)
    result = await company.cycle()
    assert result.created == 1
    assert company.scim_id(anna) == known
    assert (await row_of(company, known))["title"] == "Kok"
    assert company.scim_id(bo) != known


async def test_unassigned_means_out_at_the_next_request(company: Company, browser: Browser) -> None:
    """S7, S39, S46, S75: provisioning and sign-in end together, and nobody had to do anything."""
    anna = company.hire()
    await company.cycle()
    await company.sign_in(browser, anna)
    assert (await company.session(browser)).status == 200
    company.tenant.unassign(company.app, anna.object_id)
    await company.cycle()
    assert (await company.session(browser)).status == 401
    refused = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert refused.json["reason"] == "suspended"


async def test_a_change_is_visible_at_once(company: Company) -> None:
    """S8: the answer of the PATCH comes after the commit, so the next look sees it; five seconds are promised."""
    employee_id = await company.provision(company.hire())
    started = time.perf_counter()
    await company.patch(employee_id, {"op": "replace", "path": "title", "value": "Chef"})
    assert (await row_of(company, employee_id))["title"] == "Chef"
    assert time.perf_counter() - started < 5


async def test_every_change_stands_in_the_history_with_before_and_after(company: Company) -> None:
    """S35."""
    anna = company.hire("anna", job_title="Kok", department="Salg")
    await company.cycle()
    company.tenant.edit_person(anna.object_id, job_title="Chef", department="Lager", surname="Ny", country="Norge")
    await company.cycle()
    employee_id = employee_from_text(company.scim_id(anna))
    assert employee_id is not None
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        told: dict[str, Any] = {}
        for event in (await events.of_employee(tx, employee_id))[1:]:
            told |= event.changes
            assert (event.actor.kind, bool(event.request_id)) == ("entra", True)
    assert told["title"] == {"before": "Kok", "after": "Chef"}
    assert told["department"] == {"before": "Salg", "after": "Lager"}
    assert told["family_name"] == {"before": "Holm", "after": "Ny"}
    assert told["country"] == {"before": None, "after": "Norge"}


async def test_a_renamed_person_signs_in_by_his_new_name_and_not_by_the_old(
    company: Company, browser: Browser, other_browser: Browser
) -> None:
    """S11, S36: the same employee, without a reset."""
    anna = company.hire("anna")
    await company.cycle()
    employee_id = company.scim_id(anna)
    new_name = f"anna.ny@{company.name}.example"
    company.tenant.edit_person(anna.object_id, user_principal_name=new_name, mail=new_name)
    await company.cycle()
    assert company.scim_id(anna) == employee_id
    assert (await company.scim.find("userName", anna.user_principal_name)).json["totalResults"] == 0
    assert (await company.sign_in(browser, company.tenant.person(anna.object_id))).status == 200
    session = (await company.session(browser)).json
    assert (session["employee_id"], session["login_name"]) == (employee_id, new_name)
    # Somebody else in Entra who is given the old name now is nobody here.
    stranger = company.hire("stranger", user_principal_name=anna.user_principal_name)
    refused = await company.post_response(other_browser, company.recipe(stranger), accept="application/json")
    assert (refused.status, refused.json["reason"]) == (403, "no_such_employee")


async def test_soft_and_hard_delete_are_dated_in_the_companys_time_zone(company: Company) -> None:
    """S38, S45."""
    soft, hard = await company.provision(company.hire()), await company.provision(company.hire())
    before = now_in_copenhagen().date()
    await company.suspend(soft)
    await company.scim.delete(f"/Users/{hard}")
    after = now_in_copenhagen().date()
    for employee_id in (soft, hard):
        assert before <= (await row_of(company, employee_id))["termination_date"] <= after


async def test_a_hard_delete_leaves_no_name_behind_but_a_salted_hash(company: Company) -> None:
    """S40: in no table, the history included."""
    anna = company.hire("anna")
    employee_id = await company.provision(anna)
    await company.patch(employee_id, {"op": "replace", "path": "userName", "value": f"anna2@{company.name}.example"})
    await company.scim.delete(f"/Users/{employee_id}")
    row = await row_of(company, employee_id)
    salted, digests = row["released_sha256"][:16], row["released_sha256"][16:]
    assert len(digests) % 32 == 0
    assert digests[:32] == hashlib.sha256(salted + f"anna2@{company.name}.example".encode()).digest()
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        for table in ("employees", "events", "sessions", "login_tickets", "findings"):
            sql = f"select to_jsonb(t)::text as row from {table} t where company_id = $1"  # noqa: S608
            question = statement(f"{table}.test", sql)
            for one in await tx.fetch(question, tx.company_id):
                assert "anna@" not in one["row"], table
                assert "anna2@" not in one["row"], table


async def test_a_suspended_name_goes_to_nobody_else(company: Company) -> None:
    """S48: somebody else by his link key is 409; the same person comes back."""
    anna = company.hire("anna")
    employee_id = await company.provision(anna)
    await company.suspend(employee_id)
    other = create_body(anna, externalId=company.hire("other").object_id)
    refused = await company.scim.post("/Users", other)
    assert (refused.status, refused.json["scimType"]) == (409, "uniqueness")
    assert (await company.scim.post("/Users", create_body(anna))).json["id"] == employee_id


async def test_suspensions_and_changes_of_many_people_at_once_lose_nothing(company: Company) -> None:
    """S6, S7: a whole cycle's worth at the same moment."""
    people = [company.hire() for _ in range(24)]
    ids = await asyncio.gather(*(company.provision(one) for one in people))
    await asyncio.gather(
        *(company.suspend(one) for one in ids[::2]),
        *(company.patch(one, {"op": "replace", "path": "title", "value": "Chef"}) for one in ids[1::2]),
    )
    states = [(await row_of(company, one))["state"] for one in ids]
    assert states == ["suspended", "active"] * 12
