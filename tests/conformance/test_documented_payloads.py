"""The requests that Microsoft documents, sent as printed; each answered as it must be. Here those about users.

The payloads are in tests/data/scim/entra-documented.jsonl, with their sources. Every line there has a test here, or in
`test_documented_groups.py`.
"""

from typing import Any

import httpx2
import pytest

from tests.conformance import test_documented_groups
from tests.conformance.conftest import Endpoint
from tests.conformance.documented import CORE, ENTRIES, Sender

URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
BITABIZ = "urn:ietf:params:scim:schemas:extension:bitabiz:2.0:User"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture
async def entra(endpoint: Endpoint) -> Any:
    async with endpoint.client() as http:
        yield Sender(http)


@pytest.fixture
async def adele(entra: Sender) -> Sender:
    """With Adele Vance on board, and a manager beside her."""
    entra.manager = await entra.create("boss@contoso.com")
    members: dict[str, Any] = {"displayName": "Adele", "externalId": "adele"}
    members[URN] = {"employeeNumber": "1", "department": "Sales"}
    entra.user = await entra.create(**members)
    return entra


def refused(answer: httpx2.Response, status: int, scim_type: str | None) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/scim+json"
    body = answer.json()
    assert body["schemas"] == [ERROR]
    assert (body["status"], body.get("scimType")) == (str(status), scim_type)
    return str(body["detail"])


def no_shells(value: Any) -> bool:
    """Neither null nor an empty object, list or text anywhere."""
    if isinstance(value, dict):
        return bool(value) and all(no_shells(one) for one in value.values())
    if isinstance(value, list):
        return bool(value) and all(no_shells(one) for one in value)
    return value is not None and value != ""


async def test_e003_a_value_without_quotes_is_refused_with_help(adele: Sender) -> None:
    assert '"jyoung"' in refused(await adele.send("E003"), 400, "invalidFilter")


async def test_e004_a_value_path_with_a_sub_attribute_finds_the_user_without_case(entra: Sender) -> None:
    user = await entra.create("Adele.Vance@contoso.com")
    found = (await entra.send("E004")).json()
    assert [one["id"] for one in found["Resources"]] == [user["id"]]
    assert found["totalResults"] == 1


async def test_e009_nobody_and_somebody_of_another_company_look_the_same(
    entra: Sender, other_endpoint: Endpoint
) -> None:
    answer = await entra.send("E009")
    refused(answer, 404, None)
    async with other_endpoint.client() as http:
        foreign = await Sender(http).create()
    theirs = await entra.http.get(f"/Users/{foreign['id']}")
    assert (theirs.status_code, theirs.content) == (answer.status_code, answer.content)


async def test_e010_the_reference_check_finds_the_user_by_id_and_manager(adele: Sender) -> None:
    await adele.patched("E051")
    found = (await adele.send("E010")).json()
    assert found["totalResults"] == 1
    assert found["Resources"] == [{"schemas": [CORE, URN], "id": adele.user["id"]}]
    assert (await adele.send("E010", **{"{manager_id}": adele.user["id"]})).json()["totalResults"] == 0


async def test_e012_the_schemas_are_a_list_response_without_nulls(entra: Sender) -> None:
    answer = await entra.send("E012")
    assert answer.status_code == 200
    found = answer.json()
    assert found["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]
    assert [schema["id"] for schema in found["Resources"]] == [CORE, URN, BITABIZ, GROUP]
    assert no_shells(found)
    phones = next(one for one in found["Resources"][0]["attributes"] if one["name"] == "phoneNumbers")
    assert next(sub for sub in phones["subAttributes"] if sub["name"] == "type")["canonicalValues"] == [
        "work",
        "mobile",
    ]


async def test_e013_a_create_is_answered_with_our_id_and_our_meta(entra: Sender) -> None:
    answer = await entra.send("E013")
    assert answer.status_code == 201, answer.text
    user = answer.json()
    sent = ENTRIES["E013"]["body"]
    assert answer.headers["location"] == user["meta"]["location"]
    assert user["meta"]["created"]
    assert user["active"] is True
    for name in ("externalId", "userName", "emails", "name"):
        assert user[name] == sent[name]
    assert user["schemas"] == [CORE]
    assert "roles" not in user


async def test_e014_nulls_are_absent_and_a_schema_that_is_none_is_overlooked(entra: Sender) -> None:
    answer = await entra.send("E014")
    assert answer.status_code == 201, answer.text
    user = answer.json()
    assert user["schemas"] == [CORE]
    assert no_shells(user)
    assert user["displayName"] == "Joy Young"


async def test_e016_a_role_is_no_privilege_and_what_is_mandatory_stays_so(entra: Sender) -> None:
    # As printed the user has neither name nor address, which this product needs.
    detail = refused(await entra.send("E016"), 400, "invalidValue")
    assert all(name in detail for name in ("name.givenName", "name.familyName", 'emails[type eq "work"].value'))
    roles = ENTRIES["E016"]["body"]["roles"]
    user = await entra.create("alias@contoso.onmicrosoft.com", roles=roles)
    assert "roles" not in user


async def test_e018_a_second_user_of_that_name_is_a_conflict(adele: Sender) -> None:
    refused(await adele.send("E018"), 409, "uniqueness")
    await adele.http.patch(f"/Users/{adele.user['id']}", json=ENTRIES["E021"]["body"])
    # Suspended, the name is still hers: a create with it brings her back, it makes no second person (decision D1).
    answer = await adele.send("E018")
    assert answer.status_code == 201
    assert answer.json()["id"] == adele.user["id"]
    assert answer.json()["active"] is True
    found = (await adele.http.get("/Users", params={"filter": 'userName eq "adele.vance@contoso.com"'})).json()
    assert found["totalResults"] == 1


@pytest.mark.parametrize("entry", ["E021", "E022", "E023"])
async def test_e021_e022_e023_a_deactivation_in_any_dialect(adele: Sender, entry: str) -> None:
    assert (await adele.patched(entry))["active"] is False
    # Again: a deactivation of somebody inactive succeeds.
    assert (await adele.patched(entry))["active"] is False


async def test_e028_several_attributes_in_the_legacy_dialect(adele: Sender) -> None:
    user = await adele.patched("E028")
    assert user["displayName"] == "Pvlo"
    assert user["emails"][0]["value"] == "pvlo@contoso.com"
    assert user["name"] == {"givenName": "Gtfd", "familyName": "Pkqf"}
    assert user["externalId"] == "Eqpj"
    assert user[URN] == {"employeeNumber": "Eqpj", "department": "Sales"}
    assert not [name for name in user if "[" in name or "." in name.replace(URN, "")]


async def test_e029_several_attributes_in_the_compliant_dialect(adele: Sender) -> None:
    user = await adele.patched("E029")
    assert user["emails"][0]["value"] == "bjfe@contoso.com"
    assert user["displayName"] == "Bjfe"
    assert user["name"] == {"givenName": "Kkom", "familyName": "Unua"}
    assert user[URN]["employeeNumber"] == "Aklq"
    assert not [name for name in user if "." in name.replace(URN, "")]


async def test_e051_the_manager_as_a_list_under_his_bare_name(adele: Sender) -> None:
    user = await adele.patched("E051")
    location = adele.manager["meta"]["location"]
    assert user[URN]["manager"] == {"value": adele.manager["id"], "$ref": location}


@pytest.mark.parametrize("entry", ["E056", "E064", "E065"])
async def test_e056_e064_e065_what_we_do_not_keep_is_ignored(adele: Sender, entry: str) -> None:
    assert await adele.patched(entry) == adele.user


async def test_e063_a_renamed_user_keeps_his_id(adele: Sender) -> None:
    user = await adele.patched("E063")
    assert user["id"] == adele.user["id"]
    assert user["userName"] == "adele.vance-smith@contoso.com"
    old = await adele.http.get("/Users", params={"filter": 'userName eq "adele.vance@contoso.com"'})
    assert old.json()["totalResults"] == 0


async def test_e078_a_deleted_user_is_gone_and_the_name_is_free(adele: Sender) -> None:
    await adele.patched("E021")
    answer = await adele.send("E078")
    assert (answer.status_code, answer.content) == (204, b"")
    refused(await adele.http.get(f"/Users/{adele.user['id']}"), 404, None)
    found = await adele.http.get("/Users", params={"filter": 'userName eq "adele.vance@contoso.com"'})
    assert found.json()["Resources"] == []
    assert (await adele.create())["id"] != adele.user["id"]


def test_every_documented_payload_has_its_test() -> None:
    names = " ".join(name for name in (*globals(), *vars(test_documented_groups)) if name.startswith("test_"))
    assert [entry for entry in ENTRIES if entry.lower() not in names] == []
