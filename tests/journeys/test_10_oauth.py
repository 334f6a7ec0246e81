"""Journey 10: Entra provisions with access tokens, by a client secret and by an assertion of its own, and rotates both."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import aiohttp
import msgspec
import pytest
from starlette.responses import Response

from tests.entra.key_server import KeyServer
from tests.entra.scim_client import ScimClient
from tests.entra.token_requests import SecretIn, TokenAnswer, TokenSettings, request_token
from tests.entra.workload import Workload, blank_secret_token
from tests.support.command import Command
from tests.support.company import Company
from tests.support.move import Move
from tests.support.stack import Stack


@pytest.fixture
def operator(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", stack.owner_url)
    monkeypatch.setenv("SCIM_PUBLIC_URL", stack.scim_url)
    return Command(capsys)


@pytest.fixture
async def microsoft() -> AsyncIterator[KeyServer]:
    async with KeyServer() as server:
        yield server


async def ran(operator: Command, *arguments: str) -> Any:
    told = await operator("company", *arguments, "--json")
    assert told.status == 0, told.err
    return told.json


async def by_secret(operator: Command, company: Company, secret_in: SecretIn = "body", *more: str) -> dict[str, Any]:
    """A new secret, pasted into the company's app; what the command printed."""
    issued: dict[str, Any] = await ran(operator, "oauth-client", company.name, "--new-secret", *more)
    pasted(company, issued, client_secret=issued["secret"], secret_in=secret_in)
    return issued


async def by_federation(operator: Command, company: Company, workload: Workload) -> dict[str, Any]:
    company.tenant.workload = workload
    claims = {"issuer": workload.issuer, "audience": workload.audience, "subject": workload.subject}
    options = [part for name, value in claims.items() for part in (f"--{name}", value)]
    trusted: dict[str, Any] = await ran(operator, "federation", company.name, *options)
    pasted(company, trusted, scope="scim")
    return trusted


def pasted(company: Company, told: dict[str, Any], **more: Any) -> None:
    oauth = TokenSettings(token_endpoint=told["token_endpoint"], client_id=told["client_id"], **more)
    company.tenant.configure_provisioning(company.app, tenant_url=told["tenant_url"], token="", oauth=oauth)


def settings_of(company: Company) -> TokenSettings:
    oauth = company.app.provisioning.oauth
    assert oauth is not None
    return oauth


async def asked(company: Company, *, at: Company | None = None, as_client: Company | None = None) -> TokenAnswer:
    """A token request with the company's own proof, at another's endpoint or in another's name."""
    url = f"{(at or company).scim_url}/oauth2/token"
    settings = msgspec.structs.replace(settings_of(company), token_endpoint=url, client_id=(as_client or company).name)
    return await request_token(settings, company.tenant.workload)


@pytest.mark.parametrize("secret_in", ["header", "body", "both"])
async def test_a_cycle_by_client_credentials_wherever_the_secret_stands(
    company: Company, operator: Command, secret_in: SecretIn
) -> None:
    """gallery 21"""
    await by_secret(operator, company, secret_in)
    assert await company.engine.test_connection(company.app) is None
    company.hire("anna")
    company.hire("bo")
    assert (await company.cycle()).created == 2
    assert (await company.cycle()).changes == 0


async def test_a_cycle_by_federation(company: Company, operator: Command, microsoft: KeyServer) -> None:
    """gallery 22"""
    await by_federation(operator, company, microsoft.workload(company.tenant.tenant_id))
    assert await company.engine.test_connection(company.app) is None
    anna = company.hire("anna")
    assert (await company.cycle()).created == 1
    company.tenant.edit_person(anna.object_id, job_title="Chef")
    assert (await company.cycle()).updated == 1
    assert microsoft.fetches[company.tenant.tenant_id] == 1
    shown = await company.stack.show(company.name)
    assert shown["provisioning"]["oauth"]["federations"][0]["last_used_at"] is not None


async def test_old_and_new_secret_work_side_by_side_until_the_old_one_is_revoked(
    company: Company, operator: Command
) -> None:
    old = await by_secret(operator, company)
    before = settings_of(company)
    company.hire("anna")
    await company.cycle()
    await by_secret(operator, company)
    assert (await request_token(before)).status == 200
    await company.cycle()
    await ran(operator, "oauth-client", company.name, "--revoke", old["secret_id"])
    assert (await request_token(before)).status == 401
    company.hire("bo")
    assert (await company.cycle()).created == 1
    company.tenant.configure_provisioning(company.app, oauth=before)
    quarantined = await company.engine.cycle(company.app)
    assert quarantined.quarantine is not None
    assert "invalid_client" in quarantined.quarantine


async def test_old_and_new_scim_token_work_side_by_side_with_their_last_use(
    company: Company, operator: Command
) -> None:
    """S86."""
    company.hire("anna")
    await company.cycle()
    issued = (await ran(operator, "scim-token", company.name, "--expires-days", "400"))["provisioning"]
    first, second = (await company.stack.show(company.name))["provisioning"]["tokens"]
    assert first["last_used_at"] is not None
    assert (second["token_id"], second["last_used_at"]) == (issued["token_id"], None)
    assert second["expires_at"] is not None
    assert (await company.scim.get("/Users")).status == 200
    async with ScimClient(company.scim_url, issued["token"]) as new:
        assert (await new.get("/Users")).status == 200
    assert all(one["last_used_at"] for one in (await company.stack.show(company.name))["provisioning"]["tokens"])
    await ran(operator, "scim-token", company.name, "--revoke", first["token_id"])
    assert (await company.scim.get("/Users")).status == 401
    async with ScimClient(company.scim_url, issued["token"]) as new:
        assert (await new.get("/Users")).status == 200


async def test_a_token_in_hand_ends_with_the_secret_it_was_issued_for(company: Company, operator: Command) -> None:
    issued = await by_secret(operator, company)
    answer = await asked(company)
    async with ScimClient(company.scim_url, answer.token) as entra:
        assert (await entra.get("/Users")).status == 200
        await ran(operator, "oauth-client", company.name, "--revoke", issued["secret_id"])
        assert (await entra.get("/Users")).status == 401


async def test_two_companies_of_one_tenant_get_in_each_at_its_own_door(
    company: Company, neighbour: Company, operator: Command, microsoft: KeyServer
) -> None:
    """They may share the workload identity, and then issuer, audience and subject are equal (Microsoft's set-up, step 1)."""
    shared = microsoft.workload(company.tenant.tenant_id)
    await by_federation(operator, company, shared)
    pasted(neighbour, {"tenant_url": neighbour.scim_url, "token_endpoint": f"{neighbour.scim_url}/oauth2/token",
                       "client_id": neighbour.name})  # fmt: skip
    refused = [
        await asked(neighbour),
        await asked(company, at=neighbour),
        await asked(company, at=neighbour, as_client=neighbour),
        await asked(company, as_client=neighbour),
    ]
    assert {(one.status, one.text) for one in refused} == {(401, refused[0].text)}
    await by_federation(operator, neighbour, shared)
    for mine, other in ((company, neighbour), (neighbour, company)):
        assert (await asked(mine, at=other)).status == 401
        async with ScimClient(mine.scim_url, (await asked(mine)).token) as entra:
            assert (await entra.get("/Users")).status == 200
        async with ScimClient(other.scim_url, (await asked(mine)).token) as entra:
            wrong = await entra.get("/Users")
        async with ScimClient(other.scim_url, "idgw_wrong") as entra:
            assert (wrong.status, wrong.text) == (401, (await entra.get("/Users")).text)


async def test_a_secret_opens_no_other_company(company: Company, neighbour: Company, operator: Command) -> None:
    await by_secret(operator, company)
    await by_secret(operator, neighbour)
    refused = [
        await asked(company, at=neighbour),
        await asked(company, at=neighbour, as_client=neighbour),
        await asked(company, as_client=neighbour),
    ]
    assert {one.status for one in refused} == {401}


async def test_keys_that_cannot_be_fetched_do_no_harm_while_one_is_known(
    company: Company, operator: Command, microsoft: KeyServer
) -> None:
    workload = microsoft.workload(company.tenant.tenant_id)
    await by_federation(operator, company, workload)
    await company.cycle()
    microsoft.spoiled[company.tenant.tenant_id] = Response(status_code=500)
    company.hire("anna")
    assert (await company.cycle()).created == 1, "with the key that is known"


async def test_a_move_lets_the_new_tenant_read_then_write_and_the_old_one_neither(
    company: Company, operator: Command, microsoft: KeyServer
) -> None:
    await by_federation(operator, company, microsoft.workload(company.tenant.tenant_id))
    company.hire("anna")
    await company.cycle()
    move = Move.of(company)
    await move.prepare()
    there = move.there
    await by_federation(operator, there, microsoft.workload(there.tenant.tenant_id))
    assert await there.engine.test_connection(there.app) is None
    move.hire_there(company.tenant.person(company.tenant.assigned(company.app)[0]))
    assert (await there.engine.cycle(there.app)).created == 0
    old = await asked(company)
    await move.cut_over()
    async with ScimClient(company.scim_url, old.token) as entra:
        assert (await entra.get("/Users")).status == 401
    assert (await asked(company)).status == 401
    restarted = await there.engine.restart(there.app)
    assert restarted.quarantine is None
    assert not restarted.failures


async def test_what_a_token_costs_and_that_a_request_with_it_costs_no_more(
    company: Company, operator: Command, microsoft: KeyServer, stack: Stack
) -> None:
    """Internal calls and SQL statements."""

    async def cost(request: Awaitable[Any]) -> tuple[tuple[int, int], Any]:
        async with stack.counting() as count:
            answer = await request
        return (sum(count.calls.values()), sum(count.statements.values())), answer

    await by_secret(operator, company)
    spent, answer = await cost(asked(company))
    assert spent == (1, 2)
    async with ScimClient(company.scim_url, answer.token) as entra:
        assert (await cost(entra.find("userName", "nobody@firma.dk")))[0] == (1, 2)
        with_token = await cost(company.scim.find("userName", "nobody@firma.dk"))
        assert with_token[0] == (1, 2)
    await by_federation(operator, company, microsoft.workload(company.tenant.tenant_id))
    assert (await cost(asked(company)))[0] == (2, 5)


async def test_the_blank_secret_mode_never_gets_in(
    company: Company, microsoft: KeyServer, http: aiohttp.ClientSession
) -> None:
    workload = microsoft.workload(company.tenant.tenant_id)
    token = blank_secret_token(company.tenant.tenant_id, workload.keys[0], company.tenant.clock())
    headers = {"Authorization": f"Bearer {token}"}
    async with http.get(f"{company.scim_url}/Users", headers=headers) as answer:
        assert answer.status == 401
        assert "Secret Token" in (await answer.json(content_type=None))["detail"]


async def test_discovery_offers_what_there_is(company: Company, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{company.scim_url}/ServiceProviderConfig") as answer:
        schemes = (await answer.json(content_type=None))["authenticationSchemes"]
    assert [one["type"] for one in schemes] == ["oauth2", "oauthbearertoken"]
    assert company.name not in str(schemes)
