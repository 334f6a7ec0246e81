"""`directory company oauth-client|federation`: how Entra gets its access tokens, by a secret or by an assertion of its own."""

import argparse
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from directory.cli.company import json_command, tenant_url, token_endpoint
from directory.cli.environment import operator, owner_database
from directory.cli.text import columns, federations, moment, oauth_secrets
from directory.database import CompanyTx
from directory.oauth import setting_up
from directory.oauth.operations import client_id_of
from directory.settings import DatabaseSettings
from shared.errors import DomainError, ErrorCode

Answer = dict[str, Any]
DoneT = TypeVar("DoneT")

SECRET_DAYS = 730
CLAIMS = ("issuer", "audience", "subject")


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommands of this module."""
    told = "show the OAuth client of provisioning, issue a secret (shown once), or revoke one"
    command = json_command(subcommands, "oauth-client", told)
    command.add_argument("company")
    step = command.add_mutually_exclusive_group()
    step.add_argument("--new-secret", action="store_true", help="one more secret; the older ones stay valid")
    step.add_argument(
        "--revoke", metavar="ID", help="refuse this secret, and the access tokens issued for it, from now on"
    )
    command.add_argument(
        "--expires-days",
        type=_secret_days,
        metavar="DAYS",
        help=f"the new secret ends by itself after so many days, 365 to 1096; {SECRET_DAYS} unless given",
    )
    command.add_argument(
        "--next", action="store_true", help="the new secret is for the connection that a move has prepared"
    )
    command.set_defaults(do=_oauth_client, told=_told_client)
    told = "take the Entra tenant's own assertions in place of a secret, or no more"
    command = json_command(subcommands, "federation", told)
    command.add_argument("company")
    for claim in CLAIMS:
        command.add_argument(f"--{claim}", help=f"the {claim} that Entra shows beside the workload identity")
    command.add_argument(
        "--revoke", metavar="ID", help="trust this federation no more, nor access tokens issued for it"
    )
    command.set_defaults(do=_federation, told=_told_federation)


def _secret_days(text: str) -> int:
    """For argparse."""
    number = int(text)
    if not 365 <= number <= 1096:
        raise argparse.ArgumentTypeError("between 365 and 1096 days")
    return number


async def _oauth_client(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    if (parsed.expires_days or parsed.next) and not parsed.new_secret:
        raise DomainError(ErrorCode.invalid_request, "--expires-days and --next go with --new-secret.")
    answer = _to_paste(settings, parsed.company)
    if parsed.revoke:
        await _as_operator(settings, parsed.company, lambda tx: setting_up.revoke_secret(tx, parsed.revoke))
        return {**answer, "revoked": parsed.revoke}
    if parsed.new_secret:
        lifetime = timedelta(days=parsed.expires_days or SECRET_DAYS)
        of: setting_up.Connection = "next" if parsed.next else "live"
        issued = await _as_operator(
            settings, parsed.company, lambda tx: setting_up.issue_secret(tx, lifetime, connection=of)
        )
        return {**answer, "secret": issued.secret, "secret_id": issued.secret_id, "expires_at": issued.expires_at}
    return {**answer, "secrets": (await _as_operator(settings, parsed.company, setting_up.read))["secrets"]}


async def _federation(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    claims = {claim: getattr(parsed, claim) for claim in CLAIMS if getattr(parsed, claim) is not None}
    answer = _to_paste(settings, parsed.company)
    if claims and (parsed.revoke or len(claims) < len(CLAIMS)):
        raise DomainError(
            ErrorCode.invalid_request, "Give --issuer, --audience and --subject to trust them, or --revoke alone."
        )
    if parsed.revoke:
        await _as_operator(settings, parsed.company, lambda tx: setting_up.distrust(tx, parsed.revoke))
        return {**answer, "revoked": parsed.revoke}
    if claims:
        trusted = await _as_operator(settings, parsed.company, lambda tx: setting_up.trust(tx, **claims))
        return {**answer, "federation_id": trusted.federation_id, "connection": trusted.connection}
    return {**answer, "federations": (await _as_operator(settings, parsed.company, setting_up.read))["federations"]}


async def _as_operator(settings: DatabaseSettings, company: str, act: Callable[[CompanyTx], Awaitable[DoneT]]) -> DoneT:
    async with owner_database(settings) as database, database.scope_for_name(company).transaction(operator()) as tx:
        return await act(tx)


def _to_paste(settings: DatabaseSettings, company: str) -> Answer:
    return {
        "company": company,
        "tenant_url": tenant_url(settings, company),
        "token_endpoint": token_endpoint(settings, company),
        "client_id": client_id_of(company),
        "scope": "scim",
    }


def _told_client(answer: Answer) -> str:
    company = answer["company"]
    if "revoked" in answer:
        return f"{answer['revoked']} is refused from now on, and so are the access tokens issued for it."
    if "secrets" in answer:
        more = f"One more secret: directory company oauth-client {company} --new-secret"
        return "\n".join([_pasted(answer, "OAuth2 client credentials"), "", oauth_secrets(answer["secrets"]), "", more])
    return "\n".join(
        [
            _pasted(answer, "OAuth2 client credentials", [("Client Secret", answer["secret"])]),
            "",
            columns([("Secret id", answer["secret_id"]), ("Expires", moment(answer["expires_at"]))]),
            "",
            "The secret is shown this once. Older ones stay valid until they expire or are revoked:",
            f"  directory company oauth-client {company} --revoke ID",
        ]
    )


def _told_federation(answer: Answer) -> str:
    if "revoked" in answer:
        return f"{answer['revoked']} is trusted no more, and the access tokens issued for it are refused from now on."
    rest = (
        federations(answer["federations"])
        if "federations" in answer
        else columns([("Federation", answer["federation_id"]), ("Connection", answer["connection"])])
    )
    return "\n".join([_pasted(answer, "Workload Identity Federation"), "", rest])


def _pasted(answer: Answer, method: str, more: list[tuple[str, str]] | None = None) -> str:
    rows = [
        ("Tenant URL", answer["tenant_url"]),
        ("Token Endpoint", answer["token_endpoint"]),
        ("Client Identifier", answer["client_id"]),
        *(more or []),
        ("Scope, if Entra asks for one", answer["scope"]),
    ]
    return "\n".join([f"In Entra: Enterprise app, Provisioning, Connectivity, {method}", columns(rows)])
