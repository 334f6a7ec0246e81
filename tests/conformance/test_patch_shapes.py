"""The twenty-one shapes that a PATCH from Entra is known to have, each with the whole state that it must leave behind.

Every row is sent three times: as it is, again under Entra's flag for the other dialect, and once more under its oldest flag. The
first leaves exactly what the row says, everything else untouched and nothing beside it; the others find nothing to do and write
nothing.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conformance.conftest import Endpoint
from tests.conformance.microsoft import BITABIZ, FULL, MANAGER, Microsoft, values_in
from tests.entra.dialects import patch_body
from tests.entra.mapping import Json, Value
from tests.entra.people import ENTERPRISE

EMAIL = 'emails[type eq "work"].value'
PRIMARY = 'emails[type eq "work"].primary'
WORK = 'phoneNumbers[type eq "work"].value'
MOBILE = 'phoneNumbers[type eq "mobile"].value'
COUNTRY = 'addresses[type eq "work"].country'
DEPARTMENT = f"{ENTERPRISE}:department"
NUMBER = f"{ENTERPRISE}:employeeNumber"

Row = tuple[int, str, list[Json], dict[str, Any]]
"""Number of the shape, who is patched, the operations, and what differs afterwards (None: gone). `{boss}`: another user's id."""


def op(verb: str, path: str | None = None, *value: Any) -> Json:
    return {"op": verb, **({"path": path} if path else {}), **({"value": value[0]} if value else {})}


ROWS: list[Row] = [
    (
        1,
        "full",
        [op("Add", "title", "T"), op("Replace", "displayName", "D"), op("Remove", WORK)],
        {"title": "T", "displayName": "D", WORK: None},
    ),
    (1, "full", [op("REPLACE", "title", "T"), op("rEmOvE", MOBILE)], {"title": "T", MOBILE: None}),
    (
        2,
        "full",
        [op("add", "title", "T"), op("replace", "displayName", "D"), op("remove", WORK)],
        {"title": "T", "displayName": "D", WORK: None},
    ),
    (3, "full", [op("Replace", "active", "False")], {"active": False}),
    (3, "full", [op("replace", "active", "false")], {"active": False}),
    (3, "full", [op("Replace", "active", "False"), op("Add", "active", "True")], {}),
    (3, "full", [op("Replace", None, {"active": "False", "title": "False"})], {"active": False, "title": "False"}),
    (3, "full", [op("Replace", PRIMARY, "false")], {PRIMARY: False}),
    (
        4,
        "full",
        [
            op("Replace", EMAIL, "p@contoso.com"),
            op("Replace", "name.givenName", "G"),
            op("Add", "name.familyName", "F"),
            op("Replace", NUMBER, "7"),
        ],
        {EMAIL: "p@contoso.com", "name.givenName": "G", "name.familyName": "F", NUMBER: "7"},
    ),
    (
        5,
        "full",
        [
            op("replace", EMAIL, "b@contoso.com"),
            op("replace", MOBILE, "1"),
            op(
                "replace",
                None,
                {"displayName": "D", "name.givenName": "G", NUMBER: "7", DEPARTMENT: "X", "active": False},
            ),
        ],
        {
            EMAIL: "b@contoso.com",
            MOBILE: "1",
            "displayName": "D",
            "name.givenName": "G",
            NUMBER: "7",
            DEPARTMENT: "X",
            "active": False,
        },
    ),
    (
        5,
        "full",
        [op("replace", None, {MOBILE: "1", f"{BITABIZ}:leaveDate": "2030-01-01"})],
        {MOBILE: "1", f"{BITABIZ}:leaveDate": "2030-01-01"},
    ),
    (
        6,
        "minimal",
        [
            op(
                "add",
                None,
                {"displayName": "D", "name.formatted": "F", NUMBER: "7", MANAGER: "{boss}", "externalId": "{boss}"},
            )
        ],
        {"displayName": "D", "name.formatted": "F", NUMBER: "7", MANAGER: "{boss}", "externalId": "{boss}"},
    ),
    (
        6,
        "minimal",
        [
            op(
                "add",
                None,
                {"name": {"formatted": "F"}, ENTERPRISE: {"department": "X", "manager": {"value": "{boss}"}}},
            )
        ],
        {"name.formatted": "F", DEPARTMENT: "X", MANAGER: "{boss}"},
    ),
    (
        7,
        "full",
        [op("Add", "title", "T"), op("add", MOBILE, "1"), op("Add", DEPARTMENT, "X")],
        {"title": "T", MOBILE: "1", DEPARTMENT: "X"},
    ),
    (
        7,
        "minimal",
        [op("Replace", "title", "T"), op("replace", MOBILE, "1"), op("Replace", DEPARTMENT, "X")],
        {"title": "T", MOBILE: "1", DEPARTMENT: "X"},
    ),
    (8, "minimal", [op("Add", WORK, "1"), op("Add", COUNTRY, "Danmark")], {WORK: "1", COUNTRY: "Danmark"}),
    (
        8,
        "minimal",
        [op("Replace", WORK, "1"), op("Replace", MOBILE, "2"), op("Replace", COUNTRY, "Danmark")],
        {WORK: "1", MOBILE: "2", COUNTRY: "Danmark"},
    ),
    (8, "minimal", [op("replace", 'phoneNumbers[type eq "mobile"]', {"type": "mobile", "value": "2"})], {MOBILE: "2"}),
    (8, "minimal", [op("add", 'phoneNumbers[type eq "mobile"]', {"value": "2"})], {MOBILE: "2"}),
    (8, "phone", [op("Add", WORK, "1")], {WORK: "1"}),
    (8, "phone", [op("replace", None, {WORK: "1"})], {WORK: "1"}),
    (
        9,
        "full",
        [
            op("Add", 'emails[type eq "work"].type', "work"),
            op("Add", EMAIL, "x@contoso.com"),
            op("Add", PRIMARY, "False"),
        ],
        {EMAIL: "x@contoso.com", PRIMARY: False},
    ),
    (
        9,
        "minimal",
        [op("Add", MOBILE, "1"), op("Add", 'phoneNumbers[type eq "mobile"].type', "mobile"), op("Add", MOBILE, "2")],
        {MOBILE: "2"},
    ),
    (10, "full", [op("Replace", DEPARTMENT, "X"), op("Add", NUMBER, "7")], {DEPARTMENT: "X", NUMBER: "7"}),
    (10, "minimal", [op("Add", DEPARTMENT, "X")], {DEPARTMENT: "X"}),
    (10, "full", [op("replace", ENTERPRISE, {"department": "X"})], {DEPARTMENT: "X"}),
    (
        11,
        "minimal",
        [op("Add", "department", "X"), op("Add", "manager", "{boss}")],
        {DEPARTMENT: "X", MANAGER: "{boss}"},
    ),
    (
        11,
        "minimal",
        [op("Replace", "manager", [{"$ref": "http://host/scim/Users/{boss}", "value": "{boss}"}])],
        {MANAGER: "{boss}"},
    ),
    (11, "full", [op("replace", None, {"department": "X", "employeeNumber": "7"})], {DEPARTMENT: "X", NUMBER: "7"}),
    (
        12,
        "full",
        [
            op("Add", 'emails[type eq "work"].Value', "x@contoso.com"),
            op("Add", 'Addresses[Type eq "work"].Country', "DK"),
            op("Replace", "NAME.GIVENNAME", "G"),
        ],
        {EMAIL: "x@contoso.com", COUNTRY: "DK", "name.givenName": "G"},
    ),
    (
        12,
        "full",
        [
            op("Add", 'emails[type eq "other"].Value', "x@y.dk"),
            op("Add", 'addresses[type eq "other"].Formatted', "Vej 1"),
        ],
        {},
    ),
    (
        13,
        "full",
        [
            op("replace", "emails[primary eq true].value", "x@contoso.com"),
            op("replace", "addresses[primary eq true].country", "DK"),
        ],
        {EMAIL: "x@contoso.com", COUNTRY: "DK"},
    ),
    (
        13,
        "full",
        [
            op("Replace", 'emails[primary eq "True"].value', "x@contoso.com"),
            op("Add", 'roles[primary eq "True"].value', "Admin"),
        ],
        {EMAIL: "x@contoso.com"},
    ),
    (
        14,
        "full",
        [
            op("Replace", "title", [{"$ref": None, "value": "T"}]),
            op("Add", "displayName", [{"value": "D"}]),
            op("Replace", "active", [{"$ref": None, "value": "False"}]),
        ],
        {"title": "T", "displayName": "D", "active": False},
    ),
    (17, "managed", [op("remove", f'{MANAGER}[value eq "{{boss}}"]')], {MANAGER: None}),
    (17, "managed", [op("Remove", 'manager[value eq "{boss}"]')], {MANAGER: None}),
    (
        18,
        "full",
        [op("replace", "title", ""), op("replace", MOBILE, None), op("Add", "displayName", None)],
        {"title": None, MOBILE: None, "displayName": None},
    ),
    (
        18,
        "full",
        [op("replace", None, {"title": None, DEPARTMENT: "", COUNTRY: None})],
        {"title": None, DEPARTMENT: None, COUNTRY: None},
    ),
    (18, "full", [op("replace", "title", " "), op("replace", MOBILE, "  ")], {"title": " ", MOBILE: "  "}),
    (19, "full", [], {}),
    (
        20,
        "full",
        [
            op("Add", "roles", [{"value": '{"id":"06b07648","value":"Admin","displayName":"Admin"}'}]),
            op("Add", "title", "T"),
        ],
        {"title": "T"},
    ),
    (
        20,
        "full",
        [op("Replace", "roles", [{"primary": True, "type": "WindowsAzureActiveDirectoryRole", "value": "Admin"}])],
        {},
    ),
]


@pytest.fixture
async def clients(endpoint: Endpoint) -> AsyncIterator[list[Microsoft]]:
    """Without a flag, with the one for the compliant dialect, and with the oldest."""
    plain = Microsoft(endpoint.tenant_url, endpoint.token)
    flagged = Microsoft(endpoint.tenant_url, endpoint.token, "compliant")
    oldest = Microsoft(f"{endpoint.tenant_url}/?AzureAdScimPatch2017", endpoint.token)
    yield [plain, flagged, oldest]
    for client in (plain, flagged, oldest):
        await client.scim.close()


def filled(value: Any, boss: str) -> Any:
    if isinstance(value, dict):
        return {filled(name, boss): filled(member, boss) for name, member in value.items()}
    if isinstance(value, list):
        return [filled(one, boss) for one in value]
    return value.replace("{boss}", boss) if isinstance(value, str) else value


async def patched(clients: list[Microsoft], user: Json, operations: list[Json], changes: dict[str, Any]) -> None:
    expected = {name: value for name, value in {**values_in(user), **changes}.items() if value is not None}
    after = await clients[0].patch(user, *operations)
    assert values_in(after) == expected
    for again in clients[1:]:
        assert await again.patch(user, *operations) == after, "a second time it writes nothing"


@pytest.mark.parametrize("number", sorted({row[0] for row in ROWS}))
async def test_the_shape_leaves_the_state_it_asks_for(clients: list[Microsoft], number: int) -> None:
    """shape 1 to 14, shape 17 to 20; shapes 15 and 16 are groups'.

    incident 1 to 7, incident 20, incident 24, incident 25
    """
    entra = clients[0]
    boss = await entra.create()
    for _, who, operations, changes in [row for row in ROWS if row[0] == number]:
        others: dict[str, dict[str, Value]] = {"minimal": {}, "phone": {MOBILE: "0"}}
        values = others.get(who, {**FULL, "externalId": f"x-{boss['id']}"})
        user = await entra.create(values)
        if who == "managed":
            user = await entra.patch(user, op("Add", MANAGER, boss["id"]))
        await patched(clients, user, filled(operations, boss["id"]), filled(changes, boss["id"]))
        assert (await entra.scim.delete(f"/Users/{user['id']}")).status == 204


REMOVALS = [
    (15, op("Remove", "members", [{"$ref": None, "value": "{boss}"}])),
    (15, op("remove", "members", [{"value": "{boss}"}])),
    (16, op("remove", 'members[value eq "{boss}"]')),
    (16, op("Remove", 'Members[Value eq "{boss}"]')),
]


@pytest.mark.parametrize(("number", "operation"), REMOVALS)
async def test_a_removal_of_a_member_takes_him_alone(clients: list[Microsoft], number: int, operation: Json) -> None:
    """shape 15, shape 16, incident 9"""
    entra = clients[0]
    boss, other = await entra.create(), await entra.create()
    group = await entra.create_group("Alle", members=[{"value": boss["id"]}, {"value": other["id"]}])
    for client in clients:
        await client.patch_group(group, filled(operation, boss["id"]))
        assert await client.members(group) == [other["id"]]


ENVELOPES: list[Json] = [
    {"Operations": [op("Replace", "title", "T")], "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]},
    {"Operations": [op("Replace", "title", "T")]},
    {
        "schemas": [],
        "operations": [op("Replace", "title", "T")],
        "id": "x",
        "externalId": None,
        "meta": {"resourceType": "User"},
    },
    {"Operations": [{**op("Replace", "title", "T"), "name": "x", "type": None, "$type": "y"}], "schemas": ["urn:x"]},
    {"Operations": [{"value": "T", "path": "title", "op": "Replace"}]},
]


async def test_the_order_of_the_envelope_and_unknown_members_do_not_matter(clients: list[Microsoft]) -> None:
    """shape 21"""
    for envelope in ENVELOPES:
        user = await clients[0].create(FULL)
        answers = [await client.scim.patch(f"/Users/{user['id']}", envelope) for client in clients]
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert answers[0].json == answers[1].json == answers[2].json
        assert values_in(answers[0].json) == {**values_in(user), "title": "T"}
        assert (await clients[0].scim.delete(f"/Users/{user['id']}")).status == 204


UNDETERMINED = ['emails[value eq "a@b.dk"].value', 'emails[value co "a"].value', 'emails[not (type eq "work")].value',
                'phoneNumbers[primary eq true].value', 'emails[type eq "work" or type eq "home"].value']  # fmt: skip


@pytest.mark.parametrize("path", UNDETERMINED)
async def test_no_element_is_invented_for_a_filter_that_names_none(clients: list[Microsoft], path: str) -> None:
    """The limit of shapes 8 and 13: 400 noTarget, and nothing of the request is done."""
    user = await clients[0].create(FULL)
    operations = [op("Replace", "title", "T"), op("Replace", path, "x")]
    for client in clients:
        answer = await client.scim.patch(f"/Users/{user['id']}", patch_body(operations))
        assert (answer.status, answer.json["scimType"]) == (400, "noTarget")
    assert await clients[0].read(user) == user
