"""Discovery: what is published is what is stored, and what is not done says false."""

from typing import Any

import httpx2
import pytest

from scim_ingest.protocol.attributes import ATTRIBUTES, BITABIZ, CORE, ENTERPRISE, GROUP, SCHEMAS
from shared.http.service import Service
from tests.unit.scim_ingest.conftest import PUBLIC_URL
from tests.unit.scim_ingest.directory_double import DirectoryDouble

DOCUMENTS = [
    "/ServiceProviderConfig",
    "/ResourceTypes",
    "/ResourceTypes/User",
    "/ResourceTypes/Group",
    "/Schemas",
    f"/Schemas/{CORE}",
    f"/Schemas/{ENTERPRISE}",
    f"/Schemas/{BITABIZ}",
    f"/Schemas/{GROUP}",
]


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_discovery_needs_no_token_and_checks_one_that_is_sent(
    service: Service, directory: DirectoryDouble, http: httpx2.AsyncClient, path: str
) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}/scim/v2/firma", verify=False) as stranger:
        open_answer = await stranger.get(path)
        wrong = await stranger.get(path, headers={"Authorization": "Bearer idgw_wrong"})
    assert open_answer.status_code == 200
    assert open_answer.headers["content-type"] == "application/scim+json"
    assert directory.calls == ["check_credential"]
    assert wrong.status_code == 401
    right = await http.get(path)
    assert right.status_code == 200
    assert right.content == open_answer.content


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_discovery_is_not_filtered(http: httpx2.AsyncClient, path: str) -> None:
    answer = await http.get(path, params={"filter": 'id eq "x"'})
    assert answer.status_code == 403
    assert answer.json()["status"] == "403"


@pytest.mark.parametrize("path", ["/ResourceTypes/Device", "/Schemas/urn:x", "/Schemas/Group"])
async def test_what_is_not_published_is_404(http: httpx2.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 404
    assert answer.json()["status"] == "404"


def paths_of(schema: dict[str, Any]) -> set[str]:
    """As Microsoft's schema-discovery test flattens them."""
    prefix = "" if schema["id"] == CORE else f"{schema['id']}:"
    found: set[str] = set()
    for attribute in schema["attributes"]:
        name = prefix + attribute["name"]
        subs = {sub["name"]: sub for sub in attribute.get("subAttributes", [])}
        kinds = subs.pop("type", {}).get("canonicalValues")
        if not subs or attribute["name"] == "manager":
            found.add(name)
        elif kinds:
            found |= {f'{name}[type eq "{kind}"].{sub}' for kind in kinds for sub in subs}
        else:
            found |= {f"{name}.{sub}" for sub in subs}
    return found


async def test_schemas_publish_the_table_and_nothing_else(http: httpx2.AsyncClient) -> None:
    listed = (await http.get("/Schemas")).json()
    assert listed["totalResults"] == listed["itemsPerPage"] == len(SCHEMAS) + 1
    published = set().union(*(paths_of(schema) for schema in listed["Resources"] if schema["id"] != GROUP))
    assert published == {attribute.path for attribute in ATTRIBUTES}
    names = [attribute["name"] for attribute in listed["Resources"][-1]["attributes"]]
    assert (listed["Resources"][-1]["id"], names) == (GROUP, ["displayName", "externalId", "members"])
    for schema in listed["Resources"]:
        assert (await http.get(f"/Schemas/{schema['id']}")).json() == schema
        assert schema["meta"]["location"] == f"{PUBLIC_URL}/scim/v2/firma/Schemas/{schema['id']}"
    assert "null" not in (await http.get("/Schemas")).text


async def test_the_characteristics_are_the_table_s(http: httpx2.AsyncClient) -> None:
    core = (await http.get(f"/Schemas/{CORE}")).json()
    by_name = {attribute["name"]: attribute for attribute in core["attributes"]}
    assert (by_name["userName"]["required"], by_name["userName"]["uniqueness"]) == (True, "server")
    assert by_name["active"]["type"] == "boolean"
    assert by_name["externalId"]["caseExact"] is True
    assert by_name["emails"]["multiValued"] is True
    types = {
        name: sub["canonicalValues"]
        for name, a in by_name.items()
        for sub in a.get("subAttributes", [])
        if sub["name"] == "type"
    }
    assert types == {"emails": ["work"], "phoneNumbers": ["work", "mobile"], "addresses": ["work"]}


async def test_what_is_not_done_says_false(http: httpx2.AsyncClient) -> None:
    config = (await http.get("/ServiceProviderConfig")).json()
    assert {
        name: part["supported"] for name, part in config.items() if isinstance(part, dict) and "supported" in part
    } == {
        "patch": True,
        "bulk": True,
        "filter": True,
        "changePassword": False,
        "sort": True,
        "etag": True,
    }
    assert [scheme["type"] for scheme in config["authenticationSchemes"]] == ["oauth2", "oauthbearertoken"]
    assert [scheme["primary"] for scheme in config["authenticationSchemes"]] == [True, False]
    assert "firma" not in str(config["authenticationSchemes"])
    types = (await http.get("/ResourceTypes")).json()
    assert [kind["endpoint"] for kind in types["Resources"]] == ["/Users", "/Groups"]
    assert (await http.get("/ResourceTypes/User")).json() == types["Resources"][0]
