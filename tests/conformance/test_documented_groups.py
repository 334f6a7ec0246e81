"""The requests that Microsoft documents for groups and for access tokens, sent as printed; see `test_documented_payloads.py`."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from directory.cli.environment import owner_database
from directory.database import Actor
from directory.oauth import setting_up
from tests.conformance.conftest import Endpoint
from tests.conformance.documented import Sender
from tests.entra.key_server import KeyServer
from tests.support.company import Company

OPERATOR = Actor("operator", "test")


@pytest.fixture
async def entra(endpoint: Endpoint) -> AsyncIterator[Sender]:
    """With Adele and her manager on board."""
    async with endpoint.client() as http:
        sender = Sender(http)
        sender.manager = await sender.create("boss@contoso.com")
        sender.user = await sender.create()
        yield sender


async def grouped(entra: Sender, *members: dict[str, Any]) -> None:
    body = {"displayName": "BitaBIZ Contoso A/S", "members": [{"value": one["id"]} for one in members]}
    made = await entra.http.post("/Groups", json=body)
    assert made.status_code == 201, made.text
    entra.group_id = made.json()["id"]


async def members(entra: Sender) -> list[str]:
    answer = await entra.http.get(f"/Groups/{entra.group_id}")
    return [one["value"] for one in answer.json().get("members", [])]


async def changed(entra: Sender, entry: str) -> None:
    answer = await entra.send(entry)
    assert (answer.status_code, answer.content) == (204, b"")


async def test_e008_a_group_without_its_members(entra: Sender) -> None:
    await grouped(entra, entra.user, entra.manager, await entra.create("third@contoso.com"))
    answer = await entra.send("E008")
    assert answer.status_code == 200
    assert "members" not in answer.json()
    assert answer.json()["displayName"] == "BitaBIZ Contoso A/S"


async def test_e068_a_group_with_microsoft_s_own_schema(entra: Sender) -> None:
    answer = await entra.send("E068")
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["schemas"] == ["urn:ietf:params:scim:schemas:core:2.0:Group"]
    assert (body["externalId"], body.get("members", [])) == ("8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159", [])
    assert answer.headers["location"] == body["meta"]["location"]


async def test_e069_a_member_comes_once(entra: Sender, other_endpoint: Endpoint) -> None:
    await grouped(entra)
    await changed(entra, "E069")
    version = (await entra.http.get(f"/Groups/{entra.group_id}")).json()["meta"]["version"]
    await changed(entra, "E069")
    assert await members(entra) == [entra.user["id"]]
    assert (await entra.http.get(f"/Groups/{entra.group_id}")).json()["meta"]["version"] == version
    async with other_endpoint.client() as http:
        stranger = await Sender(http).create()
    assert (await entra.send("E069", **{"{user_id}": stranger["id"]})).status_code == 400
    assert await members(entra) == [entra.user["id"]]


async def test_e070_a_remove_with_a_list_takes_out_those_and_only_those(entra: Sender) -> None:
    third = await entra.create("third@contoso.com")
    await grouped(entra, entra.user, entra.manager, third)
    await changed(entra, "E070")
    assert sorted(await members(entra)) == sorted([entra.manager["id"], third["id"]])


async def test_e072_a_remove_by_filter_and_again(entra: Sender) -> None:
    await grouped(entra, entra.user, entra.manager)
    await changed(entra, "E072")
    await changed(entra, "E072")
    assert await members(entra) == [entra.manager["id"]]


async def test_e073_a_group_is_renamed_and_not_to_another_one_s_name(entra: Sender) -> None:
    await grouped(entra, entra.user)
    await changed(entra, "E073")
    renamed = (await entra.http.get(f"/Groups/{entra.group_id}")).json()
    assert renamed["displayName"] == "BitaBIZ Contoso ApS"
    await grouped(entra)
    refused = await entra.send("E073")
    assert (refused.status_code, refused.json()["scimType"]) == (409, "uniqueness")


async def test_e077_several_members_come_in_one_patch(entra: Sender) -> None:
    await grouped(entra)
    await changed(entra, "E077")
    assert sorted(await members(entra)) == sorted([entra.user["id"], entra.manager["id"]])


async def test_e080_a_deleted_group_leaves_its_people(entra: Sender) -> None:
    await grouped(entra, entra.user)
    await changed(entra, "E080")
    assert (await entra.http.get(f"/Groups/{entra.group_id}")).status_code == 404
    assert await entra.read() == entra.user


@pytest.fixture
async def asking(endpoint: Endpoint) -> AsyncIterator[Sender]:
    """Without a token, for one."""
    async with httpx2.AsyncClient(base_url=endpoint.tenant_url, verify=False) as http:
        yield Sender(http)


def token_in(answer: httpx2.Response) -> str:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["token_type"], 3600 <= body["expires_in"] <= 21600) == ("Bearer", True)
    return str(body["access_token"])


def is_refused(answer: httpx2.Response) -> bool:
    return (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_e081_an_assertion_of_entra_for_an_access_token(
    company: Company, neighbour: Company, asking: Sender
) -> None:
    async with KeyServer() as microsoft:
        workload = microsoft.workload(company.tenant.tenant_id)
        claims = {"issuer": workload.issuer, "audience": workload.audience, "subject": workload.subject}
        async with (
            owner_database(company.stack.operator) as owner,
            owner.scope_for_name(company.name).transaction(OPERATOR) as tx,
        ):
            await setting_up.trust(tx, **claims)
        words = {"{client_id}": company.name, "{entra_jwt}": workload.assertion()}
        token = token_in(await asking.send("E081", **words))
        answer = await asking.http.get("/Users?count=0", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        assert is_refused(await asking.send("E081", **{**words, "{client_id}": neighbour.name}))
        for wrong in (
            workload.assertion()[:-8] + "AAAAAAAA",
            workload.assertion(aud="api://another"),
            workload.assertion(sub="another"),
            workload.assertion(tid="another"),
            workload.assertion(exp=1_700_000_000),
        ):
            assert is_refused(await asking.send("E081", **{**words, "{entra_jwt}": wrong}))


async def test_e082_either_live_secret_in_the_form_the_header_or_both(company: Company, asking: Sender) -> None:
    async with owner_database(company.stack.operator) as owner:
        scope = owner.scope_for_name(company.name)
        async with scope.transaction(OPERATOR) as tx:
            issued = [await setting_up.issue_secret(tx, timedelta(days=1)) for _ in range(2)]
        for one in issued:
            words = {"{client_id}": company.name, "{client_secret}": one.secret}
            token_in(await asking.send("E082", **words))
            basic = httpx2.BasicAuth(quote(company.name), quote(one.secret))
            form = {"grant_type": "client_credentials", "scope": "scim"}
            both = {**form, "client_id": company.name, "client_secret": one.secret}
            for data in (form, both):
                token_in(await asking.http.post("/oauth2/token", data=data, auth=basic))
        async with scope.transaction(OPERATOR) as tx:
            await setting_up.revoke_secret(tx, issued[0].secret_id)
    first, second = ({"{client_id}": company.name, "{client_secret}": one.secret} for one in issued)
    assert is_refused(await asking.send("E082", **first))
    token_in(await asking.send("E082", **second))
