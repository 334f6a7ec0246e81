"""Groups over SCIM, in the forms that Entra and Microsoft's validator send, through the services and PostgreSQL (D12)."""

from typing import Any

import pytest

from tests.entra.scim_client import ScimAnswer
from tests.support.company import Company

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
MICROSOFT = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
OBJECT_ID = "c4d2f0a8-0f7e-4f0e-8a37-3f3c1a9d2b10"


async def staff(company: Company, number: int = 4) -> list[str]:
    return [await company.provision(company.hire()) for _ in range(number)]


async def create(company: Company, name: str = "Alle", **values: Any) -> dict[str, Any]:
    body = {"schemas": [GROUP, MICROSOFT], "displayName": name, "meta": {"resourceType": "Group"}, **values}
    answer = await company.scim.post("/Groups", body)
    assert answer.status == 201, answer.text
    return dict(answer.json)


async def patch(company: Company, group: str, *operations: dict[str, Any], query: str = "") -> ScimAnswer:
    return await company.scim.patch(f"/Groups/{group}{query}", {"schemas": [PATCH_OP], "Operations": list(operations)})


async def members(company: Company, group: str) -> set[str]:
    shown = (await company.scim.get(f"/Groups/{group}")).json
    return {one["value"] for one in shown.get("members", [])}


async def test_a_group_is_created_found_without_case_and_read_without_its_members(company: Company) -> None:
    """E068: Microsoft's own schema URI and empty members are taken as they come; the reference check is a question.

    group form 1 to 3, group form 8
    """
    people = await staff(company, 2)
    made = await create(company, "BitaBIZ Alle", externalId=OBJECT_ID, members=[{"value": people[0], "$ref": None}])
    assert made["schemas"] == [GROUP]
    assert made["members"][0]["value"] == people[0]
    assert made["members"][0]["$ref"].endswith(f"/Users/{people[0]}")
    assert made["meta"]["location"].endswith(f"/Groups/{made['id']}")
    for text in (
        'displayName eq "BITABIZ alle"',
        f'externalId eq "{OBJECT_ID}"',
        f'id eq "{made["id"]}" and members eq "{people[0]}"',
    ):
        found = (await company.scim.get("/Groups", filter=text, excludedAttributes="members")).json
        assert [one["id"] for one in found["Resources"]] == [made["id"]]
        assert "members" not in found["Resources"][0]
    nobody = (await company.scim.get("/Groups", filter=f'id eq "{made["id"]}" and members eq "{people[1]}"')).json
    assert (nobody["totalResults"], nobody["Resources"]) == (0, [])
    again = await company.scim.post("/Groups", {"schemas": [GROUP], "displayName": "bitabiz ALLE"})
    assert (again.status, again.json["scimType"]) == (409, "uniqueness")
    assert "members" not in await create(company, "Ingen", members=[])


ADD = [
    {"op": "Add", "path": "members", "value": [{"$ref": None, "value": "{0}"}, {"$ref": None, "value": "{1}"}]},
    {"op": "add", "path": f"{GROUP}:members", "value": [{"value": "{0}"}, {"value": "{1}"}]},
    {"op": "add", "value": {"members": [{"value": "{0}"}, {"value": "{1}"}]}},
    {"op": "Add", "path": "MEMBERS", "value": ["{0}", "{1}"]},
    {"op": "replace", "path": "members", "value": [{"value": "{0}"}, {"value": "{1}"}, {"value": "{2}"}]},
]


def meant(operation: Any, people: list[str]) -> Any:
    if isinstance(operation, dict):
        return {name: meant(value, people) for name, value in operation.items()}
    if isinstance(operation, list):
        return [meant(value, people) for value in operation]
    return operation.format(*people) if isinstance(operation, str) else operation


@pytest.mark.parametrize("operation", ADD, ids=str)
async def test_members_are_added_in_every_form(company: Company, operation: dict[str, Any]) -> None:
    """group form 4 to 6"""
    people = await staff(company)
    made = await create(company, members=[{"value": people[2]}])
    for _ in range(2):  # The second time they are there already.
        answer = await patch(company, made["id"], meant(operation, people))
        assert (answer.status, answer.text) == (204, "")
        assert await members(company, made["id"]) == set(people[:3])


REMOVE = [
    {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "{0}"}, {"$ref": None, "value": "{1}"}]},
    {"op": "remove", "path": "members", "value": [{"value": "{0}"}, {"value": "{1}"}, {"value": "emp_unknown"}]},
    {"op": "remove", "path": 'members[value eq "{0}" or value eq "{1}"]'},
    {"op": "replace", "path": "members", "value": [{"value": "{2}"}]},
    {"op": "replace", "value": {"members": [{"value": "{2}"}]}},
]


@pytest.mark.parametrize("operation", REMOVE, ids=str)
async def test_a_remove_with_a_list_takes_those_and_only_those(company: Company, operation: dict[str, Any]) -> None:
    """E070 to E072; the most repeated loss of data in SCIM (RFC 7644 section 3.5.2.2 read literally empties the group).

    group form 6, group form 7
    """
    people = await staff(company)
    made = await create(company, members=[{"value": one} for one in people[:3]])
    for _ in range(2):
        assert (await patch(company, made["id"], meant(operation, people))).status == 204
        assert await members(company, made["id"]) == {people[2]}


async def test_several_operations_count_in_order(company: Company) -> None:
    people = await staff(company)
    made = await create(company, members=[{"value": people[0]}])
    listed = [{"value": one} for one in people]
    answer = await patch(
        company,
        made["id"],
        {"op": "Add", "path": "members", "value": listed},
        {"op": "Remove", "path": f'members[value eq "{people[1]}"]'},
        {"op": "Remove", "path": "members", "value": [listed[0]]},
        {"op": "Add", "path": "members", "value": [listed[0]]},
        {"op": "Replace", "value": {"displayName": "Øvrige", "externalId": OBJECT_ID}},
        query="?attributes=displayName,externalId",
    )
    assert answer.status == 200
    assert (answer.json["displayName"], answer.json["externalId"], "members" in answer.json) == (
        "Øvrige",
        OBJECT_ID,
        False,
    )
    assert await members(company, made["id"]) == {people[0], people[2], people[3]}
    for empty in ({"op": "remove", "path": "members", "value": []}, {"op": "add", "path": "members", "value": []}):
        assert (await patch(company, made["id"], empty)).status == 204
    assert len(await members(company, made["id"])) == 3, "an empty list names nobody"
    assert (await patch(company, made["id"], {"op": "remove", "path": "members"})).status == 204
    assert await members(company, made["id"]) == set()


async def test_whoever_departed_is_left_out_and_nobody_of_anneighbour_comes_in(
    company: Company, neighbour: Company
) -> None:
    people, stranger = await staff(company, 2), (await staff(neighbour, 1))[0]
    made = await create(company)
    await company.scim.delete(f"/Users/{people[0]}")
    both = {"op": "Add", "path": "members", "value": [{"value": one} for one in people]}
    assert (await patch(company, made["id"], both)).status == 204
    assert await members(company, made["id"]) == {people[1]}
    for unknown in (stranger, "emp_1", "grp_1", made["id"]):
        refused = await patch(company, made["id"], {"op": "Add", "path": "members", "value": [{"value": unknown}]})
        assert (refused.status, refused.json["scimType"]) == (400, "invalidValue")
    assert (await neighbour.scim.get(f"/Groups/{made['id']}")).status == 404
    assert (await neighbour.scim.get("/Groups")).json["totalResults"] == 0


async def test_put_replaces_what_it_names_and_members_only_where_it_names_them(company: Company) -> None:
    people = await staff(company, 2)
    made = await create(company, externalId=OBJECT_ID, members=[{"value": people[0]}])
    kept = await company.scim.put(f"/Groups/{made['id']}", {"schemas": [GROUP], "displayName": "Ny"})
    assert (kept.status, kept.json["displayName"], "externalId" in kept.json) == (200, "Ny", False)
    assert await members(company, made["id"]) == {people[0]}
    body = {"displayName": "Ny", "members": [{"value": people[1]}]}
    assert (await company.scim.put(f"/Groups/{made['id']}", body)).status == 200
    assert await members(company, made["id"]) == {people[1]}
    emptied = await company.scim.put(f"/Groups/{made['id']}", {"displayName": "Ny", "members": []})
    assert "members" not in emptied.json


async def test_a_group_that_is_deleted_is_404_and_its_name_is_free(company: Company) -> None:
    made = await create(company)
    assert (await company.scim.delete(f"/Groups/{made['id']}")).status == 204
    for answer in (await company.scim.delete(f"/Groups/{made['id']}"), await company.scim.get(f"/Groups/{made['id']}")):
        assert (answer.status, answer.json["detail"]) == (404, "No group has this id.")
    assert (await patch(company, made["id"], {"op": "add", "path": "displayName", "value": "x"})).status == 404
    assert (await create(company))["id"] != made["id"]


async def test_a_patch_may_have_many_operations_on_members(company: Company) -> None:
    """group form 5: the IPSIE profile wants at least fifty; here each joins, and all but one leave again."""
    people = await staff(company, 60)
    made = await create(company)
    joining = [{"op": "Add", "path": "members", "value": [{"$ref": None, "value": one}]} for one in people]
    assert (await patch(company, made["id"], *joining)).status == 204
    assert await members(company, made["id"]) == set(people)
    leaving = [{"op": "remove", "path": f'members[value eq "{one}"]'} for one in people[1:]]
    assert (await patch(company, made["id"], *leaving)).status == 204
    assert await members(company, made["id"]) == {people[0]}


async def test_thousands_of_members_in_one_patch(company: Company) -> None:
    people = await staff(company, 3)
    made = await create(company)
    # 5,000 names are read and understood at once; those that are nobody's are refused with one sentence, and nothing is done.
    many = [{"value": one} for one in people] + [{"value": f"emp_{number:032x}"} for number in range(5000)]
    refused = await patch(company, made["id"], {"op": "Add", "path": "members", "value": many})
    assert (refused.status, refused.json["scimType"]) == (400, "invalidValue")
    assert await members(company, made["id"]) == set()
    gone = await patch(company, made["id"], {"op": "Remove", "path": "members", "value": many})
    assert gone.status == 204


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "add", "path": "members", "value": [5]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"display": "x"}]}, "invalidValue"),
        ({"op": "replace", "path": "displayName", "value": ""}, "invalidValue"),
        ({"op": "replace", "path": "displayName", "value": {"a": 1}}, "invalidValue"),
        ({"op": "remove", "path": "displayName"}, "invalidValue"),
        ({"op": "replace", "path": "externalId", "value": 5}, "invalidValue"),
        ({"op": "replace", "path": "id", "value": "grp_1"}, "mutability"),
        ({"op": "remove", "path": "id"}, "mutability"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "add", "path": 'members[value eq "x"]', "value": "y"}, "invalidPath"),
        ({"op": "remove", "path": 'members[type eq "User"]'}, "invalidPath"),
        ({"op": "remove", "path": "members[value eq]"}, "invalidPath"),
        ({"op": "add", "path": "display name", "value": "y"}, "invalidPath"),
        ({"op": "remove", "path": "]"}, "invalidPath"),
        ({"op": "add", "path": "a." * 300, "value": "y"}, "invalidPath"),
        ({"op": "remove", "path": 'members[value eq "a" and value eq "b"]'}, "invalidPath"),
        ({"op": "explode", "path": "members"}, "invalidSyntax"),
        ({"op": "add", "value": []}, "invalidValue"),
        ({"op": "replace", "path": "displayName", "value": "x" * 300}, "invalidValue"),
        ({"op": "replace", "path": "displayName", "value": "a\tb"}, "invalidValue"),
    ],
    ids=str,
)
async def test_what_makes_no_sense_is_refused_and_nothing_is_done(
    company: Company, operation: dict[str, Any], scim_type: str
) -> None:
    people = await staff(company, 1)
    made = await create(company, members=[{"value": people[0]}])
    good = {"op": "replace", "path": "externalId", "value": "x"}
    answer = await patch(company, made["id"], good, operation)
    assert (answer.status, answer.json["scimType"]) == (400, scim_type), answer.text
    shown = (await company.scim.get(f"/Groups/{made['id']}")).json
    assert "externalId" not in shown
    assert shown["meta"]["version"] == made["meta"]["version"]


async def test_what_is_not_kept_is_accepted(company: Company) -> None:
    made = await create(company, description="x")
    answer = await patch(
        company, made["id"], {"op": "add", "path": "description", "value": "y"}, {"op": "add", "value": {"x": 1}}
    )
    assert answer.status == 204
    assert (await company.scim.get(f"/Groups/{made['id']}")).json["meta"]["version"] == made["meta"]["version"]
