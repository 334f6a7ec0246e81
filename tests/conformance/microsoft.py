"""A SCIM client that speaks as Microsoft's service and its validators do, in one of the two dialects.

Values go by the names that a mapping in the portal has (`emails[type eq "work"].value`), and are read back by them: `values_in`
turns a user into what Entra would compare.
"""

import itertools
import secrets
from collections.abc import Iterator
from typing import Any

from tests.entra.dialects import COMPLIANT_FLAG, attribute_operations, patch_body
from tests.entra.mapping import CORE, Json, Value, place
from tests.entra.people import ENTERPRISE, Dialect
from tests.entra.scim_client import ScimAnswer, ScimClient

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
MICROSOFT_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
BITABIZ = "urn:ietf:params:scim:schemas:extension:bitabiz:2.0:User"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
MANAGER = f"{ENTERPRISE}:manager"

FULL: dict[str, Value] = {
    "userName": "adele.vance@contoso.com",
    "active": True,
    "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
    "displayName": "Adele Vance",
    "name.givenName": "Adele",
    "name.familyName": "Vance",
    "name.formatted": "Adele Vance",
    "title": "Økonomichef",
    'emails[type eq "work"].value': "adele.vance@contoso.com",
    'emails[type eq "work"].primary': True,
    'phoneNumbers[type eq "work"].value': "33 12 34 56",
    'phoneNumbers[type eq "mobile"].value': "+45 20 30 40 50",
    'addresses[type eq "work"].country': "Danmark",
    f"{ENTERPRISE}:employeeNumber": "0042",
    f"{ENTERPRISE}:department": "Salg & Service",
    f"{BITABIZ}:leaveDate": "2031-12-31T00:00:00Z",
}
"""Every attribute but the manager, in the names of a mapping."""
MINIMAL: dict[str, Value] = {
    name: FULL[name]
    for name in ("userName", "active", "name.givenName", "name.familyName", 'emails[type eq "work"].value')
}
MANDATORY = frozenset(MINIMAL)


class Microsoft:
    def __init__(self, tenant_url: str, token: str, dialect: Dialect = "legacy") -> None:
        flag = f"?{COMPLIANT_FLAG}" if dialect == "compliant" else ""
        self.dialect: Dialect = dialect
        self.scim = ScimClient(f"{tenant_url}{flag}", token)

    async def create(self, values: dict[str, Value] | None = None, **more: Any) -> Json:
        """A user of these values, under a name of his own unless one is given."""
        values = {**MINIMAL, **(values or {})}
        if values["userName"] == FULL["userName"]:
            name = f"{secrets.token_hex(4)}@contoso.com"
            values |= {"userName": name, 'emails[type eq "work"].value': name}
        answer = await self.scim.post("/Users", {**body_of(values), **more})
        assert answer.status == 201, answer.text
        return dict(answer.json)

    async def read(self, user: Json) -> Json:
        answer = await self.scim.get(f"/Users/{user['id']}")
        assert answer.status == 200, answer.text
        return dict(answer.json)

    async def patch(self, user: Json, *operations: Json) -> Json:
        """The user afterwards; the answer says the same as a later GET."""
        answer = await self.scim.patch(f"/Users/{user['id']}", patch_body(list(operations)))
        assert answer.status == 200, answer.text
        shown = await self.read(user)
        assert answer.json == shown
        return shown

    async def change(self, user: Json, changes: dict[str, Value]) -> Json:
        """As a cycle writes differences, in the dialect of this client."""
        return await self.patch(user, *attribute_operations(changes, user, self.dialect))

    async def found(self, text: str, kind: str = "/Users", **query: str) -> list[Json]:
        answer = await self.scim.get(kind, filter=text, **query)
        assert answer.status == 200, answer.text
        assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]
        assert answer.json["totalResults"] == len(answer.json["Resources"])
        return list(answer.json["Resources"])

    async def create_group(self, name: str, **more: Any) -> Json:
        answer = await self.scim.post("/Groups", group_body(name, **more))
        assert answer.status == 201, answer.text
        return dict(answer.json)

    async def patch_group(self, group: Json, *operations: Json) -> None:
        answer = await self.scim.patch(f"/Groups/{group['id']}", patch_body(list(operations)))
        assert (answer.status, answer.text) == (204, ""), answer.text

    async def members(self, group: Json) -> list[str]:
        shown = (await self.scim.get(f"/Groups/{group['id']}")).json
        return [one["value"] for one in shown.get("members", [])]

    async def targets(self, urn: str | None = None) -> dict[str, str]:
        """What /Schemas says there is: the name in a mapping -> its type."""
        answer = await self.scim.get("/Schemas")
        assert answer.status == 200, answer.text
        return {
            name: kind
            for schema in answer.json["Resources"]
            if schema["id"] != GROUP and urn in (None, schema["id"])
            for name, kind in _targets(schema)
        }

    def op(self, verb: str) -> str:
        return verb.capitalize() if self.dialect == "legacy" else verb

    def flag(self, value: bool) -> Value:
        """A boolean as this dialect writes it."""
        return str(value) if self.dialect == "legacy" else value


def body_of(values: dict[str, Value]) -> Json:
    body: Json = {"schemas": [CORE, ENTERPRISE]}
    for target, value in values.items():
        place(body, target, value)
    return {**body, "meta": {"resourceType": "User"}}


def group_body(name: str, **more: Any) -> Json:
    return {"schemas": [GROUP, MICROSOFT_GROUP], "displayName": name, "meta": {"resourceType": "Group"}, **more}


def values_in(user: Json) -> dict[str, Value]:
    """All that a user holds, by the names of a mapping; the manager by his id. Whatever else there is shows, too."""
    return dict(_values(user))


def _values(user: Json) -> Iterator[tuple[str, Value]]:
    for name, value in user.items():
        if name in ("schemas", "id", "meta"):
            continue
        if name.startswith("urn:"):
            for sub, inner in value.items():
                yield f"{name}:{sub}", inner["value"] if sub == "manager" else inner
        elif isinstance(value, list):
            for element, sub in itertools.product(value, ("value", "primary", "country")):
                if sub in element:
                    yield f'{name}[type eq "{element["type"]}"].{sub}', element[sub]
        elif isinstance(value, dict):
            for sub, inner in value.items():
                yield f"{name}.{sub}", inner
        else:
            yield name, value


def _targets(schema: Json) -> Iterator[tuple[str, str]]:
    prefix = "" if schema["id"] == CORE else f"{schema['id']}:"
    for attribute in schema["attributes"]:
        name = f"{prefix}{attribute['name']}"
        subs = attribute.get("subAttributes", [])
        if attribute["type"] != "complex":
            yield name, attribute["type"]
        elif attribute["multiValued"]:
            kinds = next(sub for sub in subs if sub["name"] == "type")["canonicalValues"]
            for kind, sub in itertools.product(kinds, subs):
                if sub["name"] != "type":
                    yield f'{name}[type eq "{kind}"].{sub["name"]}', sub["type"]
        elif attribute["name"] == "manager":
            yield name, "reference"
        else:
            for sub in subs:
                yield f"{name}.{sub['name']}", sub["type"]


def refused(answer: ScimAnswer, status: int, scim_type: str | None = None) -> str:
    """The sentence of a refusal, which is one as SCIM wants it."""
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"] == "application/scim+json"
    assert answer.json["schemas"] == [ERROR]
    assert (answer.json["status"], answer.json.get("scimType")) == (str(status), scim_type)
    return str(answer.json["detail"])
