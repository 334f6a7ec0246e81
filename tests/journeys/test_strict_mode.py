"""A company in strict mode takes the SCIM interoperability profile only; all others take Entra as it is.

Source: draft-zollner-scim-interop-profile-02.
"""

import json
from typing import Any

import pytest

from tests.entra.scim_client import ScimAnswer
from tests.support.company import Company, create_body

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


@pytest.fixture
async def strict(company: Company) -> Company:
    await company.apply(provisioning__strict=True)
    return company


def refused(answer: ScimAnswer, scim_type: str, status: int = 400) -> None:
    assert (answer.status, answer.json.get("scimType")) == (status, scim_type), answer.text


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


async def test_what_follows_the_profile_is_taken(strict: Company) -> None:
    manager = await strict.provision(strict.hire())
    body = create_body(strict.hire("anna"), **{ENTERPRISE: {"department": "Salg", "manager": {"value": manager}}})
    made = await strict.scim.post("/Users", body)
    assert made.status == 201, made.text
    path = f"/Users/{made.json['id']}"
    changed = await strict.scim.patch(
        path,
        patch(
            {"op": "replace", "path": "active", "value": False},
            {"op": "replace", "path": 'emails[type eq "work"].value', "value": "ny@example.com"},
            {"op": "remove", "path": f"{ENTERPRISE}:manager"},
        ),
    )
    assert (changed.status, changed.json["active"]) == (200, False)
    assert changed.json[ENTERPRISE] == {"department": "Salg"}
    assert changed.json["emails"][0]["value"] == "ny@example.com"
    group = {"schemas": [GROUP], "displayName": "Alle", "members": [{"value": manager}]}
    made = await strict.scim.post("/Groups", group)
    assert made.status == 201
    path = f"/Groups/{made.json['id']}"
    for filtered in (f'members[value eq "{manager}"]', f'members[value eq "{manager}"].value'):
        await strict.scim.patch(path, patch({"op": "add", "path": "members", "value": [{"value": manager}]}))
        gone = await strict.scim.patch(path, patch({"op": "remove", "path": filtered}))
        assert gone.status == 204, gone.text
        assert "members" not in (await strict.scim.get(path)).json


async def test_what_leaves_it_is_refused_and_leaves_nothing_behind(strict: Company) -> None:
    anna = await strict.provision(strict.hire("anna"))
    before = (await strict.scim.get(f"/Users/{anna}")).json
    refused(
        await strict.scim.patch(f"/Users/{anna}", patch({"op": "replace", "value": {"title": "T"}})), "invalidSyntax"
    )
    refused(await strict.suspend(anna), "invalidSyntax")
    off = {"op": "replace", "path": "active", "value": "False"}
    refused(await strict.patch(anna, off), "invalidValue")
    refused(
        await strict.scim.raw("PUT", f"/Users/{anna}", json.dumps({**before, "nickName": "A"}).encode()),
        "invalidSyntax",
    )
    refused(await strict.scim.post("/Users", create_body(strict.hire(), nickName="B")), "invalidSyntax")
    refused(await strict.scim.post("/Groups", {"displayName": "G"}), "invalidSyntax")
    group = (await strict.scim.post("/Groups", {"schemas": [GROUP], "displayName": "G"})).json["id"]
    members = {"op": "remove", "path": "members", "value": [{"value": anna}]}
    refused(await strict.scim.patch(f"/Groups/{group}", patch(members)), "invalidSyntax")
    refused(await strict.scim.post("/Bulk", {"Operations": []}), "invalidSyntax")
    assert (await strict.scim.get(f"/Users/{anna}")).json == before
    assert await strict.stack.history(strict.name, anna) == ["employee.created"]


async def test_a_replaced_name_is_replaced_as_a_whole_there_and_merged_elsewhere(
    strict: Company, neighbour: Company
) -> None:
    for company in (strict, neighbour):
        name = {"givenName": "Anna", "familyName": "Holm", "formatted": "Anna Holm"}
        made = await company.scim.post("/Users", create_body(company.hire("anna"), name=name))
        renamed = {"givenName": "Anne", "familyName": "Holm"}
        step = {"op": "replace", "path": "name", "value": renamed}
        seen = (await company.patch(made.json["id"], step)).json["name"]
        assert seen == (renamed if company is strict else {**name, **renamed})


@pytest.mark.parametrize(
    ("neighbour_operation", "scim_type", "status"),
    [
        ({"op": "replace", "path": "title", "value": 1.5}, "invalidValue", 400),
        ({"op": "replace", "path": "userName", "value": "{taken}"}, "uniqueness", 409),
        ({"op": "replace", "path": "userName", "value": "x" * 400}, "invalidValue", 400),
    ],
)
async def test_a_deactivation_beside_something_wrong_is_refused_whole_there_and_done_elsewhere(
    strict: Company, neighbour: Company, neighbour_operation: dict[str, Any], scim_type: str, status: int
) -> None:
    """Decision D5 is for who is tolerant: there a deactivation is never lost."""
    for company in (strict, neighbour):
        taken = company.hire()
        await company.provision(taken)
        anna = await company.provision(company.hire("anna"))
        wrong = dict(neighbour_operation)
        if wrong["value"] == "{taken}":
            wrong["value"] = taken.user_principal_name
        answer = await company.patch(anna, {"op": "replace", "path": "active", "value": False}, wrong)
        active = (await company.scim.get(f"/Users/{anna}")).json["active"]
        if company is strict:
            refused(answer, scim_type, status)
            assert active is True
        else:
            assert (answer.status, active) == (200, False)


async def test_only_who_is_strict_says_so_and_only_to_who_has_its_token(strict: Company, neighbour: Company) -> None:
    told = (await strict.scim.get("/ServiceProviderConfig")).json
    assert told["interopProfileConformant"] is True
    assert "interopProfileConformant" not in (await neighbour.scim.get("/ServiceProviderConfig")).json
    for one in (strict, neighbour):
        types = (await one.scim.get("/ResourceTypes")).json
        assert "interopProfileConformant" not in types


async def test_a_stranger_learns_neither_who_is_strict_nor_who_is_there(
    strict: Company, neighbour: Company, http: Any
) -> None:
    documents = []
    for name in (strict.name, neighbour.name, "no-such-company"):
        async with http.get(f"{strict.stack.scim_url}/scim/v2/{name}/ServiceProviderConfig") as answer:
            assert answer.status == 200
            documents.append((await answer.text()).replace(name, "NAME"))
    assert len(set(documents)) == 1
    answer = await neighbour.scim.raw(
        "GET", "/ServiceProviderConfig", headers={"Authorization": f"Bearer {strict.token}"}
    )
    assert answer.status == 401


async def test_it_costs_no_call_and_no_statement(strict: Company, neighbour: Company) -> None:
    costs = []
    for company in (strict, neighbour):
        anna = await company.provision(company.hire("anna"))
        async with company.stack.counting() as count:
            assert (await company.patch(anna, {"op": "replace", "path": "title", "value": "T"})).status == 200
        costs.append((count.calls, count.statements))
    assert costs[0] == costs[1]
    async with strict.stack.counting() as count:
        refused(await strict.patch("emp_1", {"op": "Replace", "path": "title", "value": "T"}), "invalidSyntax")
    assert (sum(count.calls.values()), sum(count.statements.values())) == (1, 1)


async def test_in_a_bulk_each_operation_is_judged_for_itself(strict: Company) -> None:
    def post(name: str, **more: Any) -> dict[str, Any]:
        return {"method": "POST", "path": "/Users", "bulkId": name, "data": create_body(strict.hire(name), **more)}

    def managed(by: str) -> dict[str, Any]:
        return {ENTERPRISE: {"manager": {"value": f"bulkId:{by}"}}}

    answer = await strict.scim.post(
        "/Bulk",
        {
            "schemas": [BULK_REQUEST],
            "Operations": [post("anna", **managed("bo")), post("bo", **managed("anna")), post("odd", nickName="O")],
        },
    )
    assert [one["status"] for one in answer.json["Operations"]] == ["201", "201", "400"], answer.text


async def test_switched_off_again_it_is_over_at_once(strict: Company) -> None:
    anna = await strict.provision(strict.hire("anna"))
    refused(await strict.suspend(anna), "invalidSyntax")
    await strict.apply(provisioning__strict=False)
    assert (await strict.suspend(anna)).json["active"] is False
