"""`directory company oauth-client|federation`: what they print, refuse and show."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support.command import Command
from tests.support.company import Company
from tests.support.move import Move
from tests.support.stack import Stack


@pytest.fixture
def operator(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", stack.owner_url)
    monkeypatch.setenv("SCIM_PUBLIC_URL", stack.scim_url)
    return Command(capsys)


def claims(tenant_id: str, audience: str = f"api://{uuid4()}") -> list[str]:
    issuer = f"https://login.microsoftonline.com/{tenant_id}/v2.0"
    return ["--issuer", issuer, "--audience", audience, "--subject", str(uuid4())]


async def client(operator: Command, company: Company, *arguments: str) -> Any:
    told = await operator("company", "oauth-client", company.name, "--json", *arguments)
    assert told.status == 0, told.err
    return told.json


async def test_a_secret_is_shown_once_with_all_that_entra_asks_for(operator: Command, company: Company) -> None:
    told = await operator("company", "oauth-client", company.name, "--new-secret")
    assert told.status == 0
    for value in (company.scim_url, f"{company.scim_url}/oauth2/token", company.name, "shown this once", "--revoke ID"):
        assert value in told.out
    secret = re.search(r"Client Secret +(\S+)", told.out)
    assert secret
    for subcommand in ("show", "oauth-client"):
        again = await operator("company", subcommand, company.name)
        assert secret[1] not in again.out
        assert "sec_" in again.out


async def test_as_json_for_machines(operator: Command, company: Company) -> None:
    issued = await client(operator, company, "--new-secret", "--expires-days", "365")
    assert issued == {
        "company": company.name,
        "tenant_url": company.scim_url,
        "token_endpoint": f"{company.scim_url}/oauth2/token",
        "client_id": company.name,
        "scope": "scim",
        "secret": issued["secret"],
        "secret_id": issued["secret_id"],
        "expires_at": issued["expires_at"],
    }
    ends = datetime.fromisoformat(issued["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=364) < ends <= timedelta(days=365)
    default = await client(operator, company, "--new-secret")
    assert datetime.fromisoformat(default["expires_at"]) - datetime.now(UTC) > timedelta(days=729)
    shown = (await operator("company", "show", company.name, "--json")).json["provisioning"]["oauth"]
    assert [one["secret_id"] for one in shown["secrets"]] == [issued["secret_id"], default["secret_id"]]
    assert shown["token_endpoint"] == issued["token_endpoint"]
    assert shown["client_id"] == company.name
    assert {one["connection"] for one in shown["secrets"]} == {"live"}


async def test_revoking_by_id(operator: Command, company: Company) -> None:
    issued = await client(operator, company, "--new-secret")
    assert (await client(operator, company, "--revoke", issued["secret_id"]))["revoked"] == issued["secret_id"]
    told = await operator("company", "oauth-client", company.name, "--revoke", issued["secret_id"])
    assert told.status == 1
    assert "lists them" in told.err


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["oauth-client", "--new-secret", "--revoke", "sec_x"], 2),
        (["oauth-client", "--new-secret", "--expires-days", "364"], 2),
        (["oauth-client", "--new-secret", "--expires-days", "1097"], 2),
        (["oauth-client", "--expires-days", "400"], 1),
        (["oauth-client", "--next"], 1),
        (["oauth-client", "--new-secret", "--next"], 1),
        (["oauth-client", "--revoke", "nonsense"], 1),
        (["federation", "--issuer", "https://login.microsoftonline.com/x/v2.0"], 1),
        (["federation", "--revoke", "fed_x", "--subject", "y"], 1),
        (["federation", "--revoke", "fed_x"], 1),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_a_sentence(
    operator: Command, company: Company, arguments: list[str], status: int
) -> None:
    subcommand, *rest = arguments
    told = await operator("company", subcommand, company.name, *rest)
    assert told.status == status
    assert told.err


@pytest.mark.parametrize("subcommand", ["oauth-client", "federation"])
async def test_a_company_that_is_not_there(operator: Command, subcommand: str) -> None:
    told = await operator("company", subcommand, f"c{secrets.token_hex(6)}")
    assert (told.status, told.err) == (1, "There is no such company.\n")


async def test_a_federation_is_trusted_shown_and_revoked(operator: Command, company: Company) -> None:
    wanted = claims(company.tenant.tenant_id)
    told = await operator("company", "federation", company.name, *wanted)
    assert told.status == 0
    for value in (company.scim_url, f"{company.scim_url}/oauth2/token", "Workload Identity Federation", "live"):
        assert value in told.out
    listed = (await operator("company", "federation", company.name, "--json")).json
    (one,) = listed["federations"]
    assert [one["issuer"], one["audience"], one["subject"]] == wanted[1::2]
    for subcommand in ("show", "federation"):
        assert one["federation_id"] in (await operator("company", subcommand, company.name)).out
    again = await operator("company", "federation", company.name, *wanted)
    assert (again.status, "already" in again.err) == (1, True)
    revoked = await operator("company", "federation", company.name, "--revoke", one["federation_id"])
    assert (revoked.status, "trusted no more" in revoked.out) == (0, True)


async def test_another_tenant_than_the_company_s_is_not_trusted(operator: Command, company: Company) -> None:
    told = await operator("company", "federation", company.name, *claims(str(uuid4())))
    assert told.status == 1
    assert company.tenant.tenant_id in told.err


async def connections(operator: Command, company: Company) -> list[tuple[str, bool]]:
    """Of the secrets, then of the federations: which connection, and whether it is revoked."""
    oauth = (await operator("company", "show", company.name, "--json")).json["provisioning"]["oauth"]
    return [(one["connection"], one["revoked_at"] is not None) for one in (*oauth["secrets"], *oauth["federations"])]


async def test_a_move_retires_what_the_old_tenant_had_and_takes_over_what_the_new_one_got(
    operator: Command, company: Company
) -> None:
    move = Move.of(company)
    await client(operator, company, "--new-secret")
    await operator("company", "federation", company.name, *claims(company.tenant.tenant_id))
    await move.prepare()
    await client(operator, company, "--new-secret", "--next")
    told = await operator("company", "federation", company.name, "--json", *claims(move.there.tenant.tenant_id))
    assert told.json["connection"] == "next"
    assert await connections(operator, company) == [("live", False), ("next", False), ("live", False), ("next", False)]
    state = await operator("company", "move", company.name)
    assert (state.out.count("sec_"), state.out.count("fed_")) == (2, 2)
    moved = await move.cut_over()
    assert moved["retired_tokens"] == 3
    assert await connections(operator, company) == [
        ("retired", False),
        ("live", False),
        ("retired", False),
        ("live", False),
    ]


async def test_a_move_that_is_given_up_revokes_what_was_for_it_alone(operator: Command, company: Company) -> None:
    move = Move.of(company)
    await client(operator, company, "--new-secret")
    await move.prepare()
    await client(operator, company, "--new-secret", "--next")
    await operator("company", "federation", company.name, *claims(move.there.tenant.tenant_id))
    await move.cancel()
    assert await connections(operator, company) == [("live", False), ("next", True), ("next", True)]


async def test_a_connection_that_becomes_another_tenant_s_trusts_nothing_of_the_former(
    operator: Command, company: Company
) -> None:
    """By a manifest, where Entra governs nobody yet, or by preparing the move anew."""
    await operator("company", "federation", company.name, *claims(company.tenant.tenant_id))
    move, other = Move.of(company), Move.of(company)
    await move.prepare()
    await operator("company", "federation", company.name, *claims(move.there.tenant.tenant_id))
    await other.prepare()
    assert await connections(operator, company) == [("live", False), ("next", True)]
    await other.cancel()
    await company.stack.apply(other.manifest())
    assert await connections(operator, company) == [("live", True), ("next", True)]
