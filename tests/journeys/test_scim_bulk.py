"""Many requests in one (RFC 7644 section 3.7), against the three services."""

import asyncio
from typing import Any

from tests.entra.scim_client import ScimAnswer
from tests.support.company import Company, create_body
from tests.support.journal import entries, page, whole

BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


async def send(company: Company, *operations: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
    answer = await raw(company, *operations, **members)
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["Operations"]
    return found


async def raw(company: Company, *operations: dict[str, Any], **members: Any) -> ScimAnswer:
    return await company.scim.post("/Bulk", {"schemas": [BULK_REQUEST], "Operations": list(operations), **members})


def user(company: Company, bulk_id: str, manager: str | None = None) -> dict[str, Any]:
    body = create_body(company.hire(bulk_id))
    if manager is not None:
        body[ENTERPRISE] = {"manager": {"value": manager}}
    return {"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": body}


def group(bulk_id: str, *members: str) -> dict[str, Any]:
    data = {"displayName": bulk_id, "members": [{"value": one} for one in members]}
    return {"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data}


def ids_of(answers: list[dict[str, Any]]) -> list[str]:
    return [one["location"].rsplit("/", 1)[-1] for one in answers]


async def test_people_and_groups_who_name_each_other_come_in_one_request(company: Company) -> None:
    answers = await send(
        company,
        group("all", "bulkId:anna", "bulkId:bo"),
        user(company, "anna", "bulkId:bo"),
        user(company, "bo", "bulkId:anna"),
        {
            "method": "PATCH",
            "path": "/Groups/bulkId:all",
            "data": {"Operations": [{"op": "remove", "path": 'members[value eq "bulkId:bo"]'}]},
        },
    )
    assert [one["status"] for one in answers] == ["201", "201", "201", "204"]
    everybody, anna, bo, same = ids_of(answers)
    assert same == everybody
    assert (await company.scim.get(f"/Users/{anna}")).json[ENTERPRISE]["manager"]["value"] == bo
    assert (await company.scim.get(f"/Users/{bo}")).json[ENTERPRISE]["manager"]["value"] == anna
    members = (await company.scim.get(f"/Groups/{everybody}")).json["members"]
    assert [one["value"] for one in members] == [anna]


async def test_each_operation_stands_in_the_history_and_holds_for_itself(company: Company) -> None:
    answers = await send(
        company,
        user(company, "anna"),
        {"method": "PATCH", "path": "/Users/bulkId:anna", "data": {"Operations": [
            {"op": "replace", "path": "active", "value": False}]}},
        group("odd", "emp_1"),
        {**group("odd"), "bulkId": "even"},
    )  # fmt: skip
    assert [one["status"] for one in answers] == ["201", "200", "400", "201"]
    assert answers[2]["response"]["scimType"] == "invalidValue"
    history = await company.stack.history(company.name, ids_of(answers[:1])[0])
    assert history == ["employee.created", "employee.suspended"]


async def test_a_bulk_reaches_nothing_of_another_company(company: Company, neighbour: Company) -> None:
    theirs = await neighbour.provision(neighbour.hire("anna"))
    their_group = (await neighbour.scim.post("/Groups", {"displayName": "Theirs"})).json["id"]
    patch = {"Operations": [{"op": "replace", "path": "title", "value": "T"}]}
    answers = await send(
        company,
        {"method": "PATCH", "path": f"/Users/{theirs}", "data": patch},
        {"method": "PUT", "path": f"/Users/{theirs}", "data": create_body(neighbour.hire("x"))},
        {"method": "DELETE", "path": f"/Users/{theirs}"},
        {"method": "DELETE", "path": f"/Groups/{their_group}"},
        group("mine", theirs),
    )
    assert [one["status"] for one in answers] == ["404", "404", "404", "404", "400"]
    assert (await neighbour.scim.get(f"/Users/{theirs}")).status == 200
    assert (await neighbour.scim.get(f"/Groups/{their_group}")).status == 200
    # Two at once, with the same bulkIds, are two.
    both = await asyncio.gather(*(send(one, user(one, "bo"), group("g", "bulkId:bo")) for one in (company, neighbour)))
    assert all([one["status"] for one in answers] == ["201", "201"] for answers in both)
    assert set(ids_of(both[0])).isdisjoint(ids_of(both[1]))


async def test_what_one_operation_costs_is_what_one_request_costs(company: Company) -> None:
    patch = {"Operations": [{"op": "replace", "path": "title", "value": "T"}]}
    async with company.stack.counting() as count:
        await send(company, user(company, "anna"), {"method": "PATCH", "path": "/Users/bulkId:anna", "data": patch})
    assert count.calls == {"check_credential": 1, "provision_employee": 1, "change_employee": 1}
    assert sum(count.statements.values()) <= 1 + 6 + 4


async def test_a_company_whose_provisioning_is_off_is_refused_as_a_whole(company: Company) -> None:
    await company.apply(provisioning__enabled=False)
    answer = await raw(company, user(company, "anna"))
    assert (answer.status, answer.json["status"]) == (403, "403")


async def test_the_journal_tells_of_every_operation_also_of_one_that_could_not_be_tried(company: Company) -> None:
    await send(
        company,
        user(company, "anna"),
        group("all", "bulkId:nobody"),
        {"method": "GET", "path": "/Users", "data": {}},
    )
    await entries(company, 2)
    refused = await page(company, refused=True)
    assert [(one.path, one.status, one.replayable) for one in refused] == [("/Bulk", 200, False)]
    second, third = sorted(refused[0].left_out)
    assert second == "operation 2: No operation of this request creates bulkId 'nobody'."
    assert third.startswith("operation 3: ")
    everything = await page(company)
    assert {(one.path, one.replayable) for one in everything} == {("/Bulk", False), ("/Users", True)}


async def test_an_operation_s_entry_tells_what_it_changed_itself(company: Company) -> None:
    patch = {"Operations": [{"op": "replace", "path": "title", "value": "Kok"}]}
    await send(company, user(company, "anna"), {"method": "PATCH", "path": "/Users/bulkId:anna", "data": patch})
    found = {one.method: one for one in await entries(company, 3) if one.path != "/Bulk"}
    assert [one.kind for one in (await whole(company, found["POST"])).written] == ["employee.created"]
    assert [one.kind for one in (await whole(company, found["PATCH"])).written] == ["employee.changed"]
