"""`directory company app-credential`: credentials of the BitaBIZ application, issued and revoked."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

from directory.api import credentials
from directory.cli.company import days, json_command
from directory.cli.environment import operator, owner_database
from directory.settings import DatabaseSettings
from shared.errors import DomainError, ErrorCode

Answer = dict[str, Any]


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommand of this module."""
    told = "issue a credential of the BitaBIZ application (shown once), or revoke one"
    command = json_command(subcommands, "app-credential", told)
    command.add_argument("company")
    command.add_argument(
        "--scope", action="append", choices=credentials.SCOPES, help="what it may read; several by repeating"
    )
    command.add_argument("--expires-days", type=days, metavar="DAYS", help="it ends by itself after so many days")
    command.add_argument("--revoke", metavar="ID", help="refuse this credential from now on")
    command.set_defaults(do=_app_credential, told=_told)


async def _app_credential(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    if bool(parsed.scope) == bool(parsed.revoke):
        raise DomainError(ErrorCode.invalid_request, "Give --scope to issue a credential, or --revoke to revoke one.")
    async with (
        owner_database(settings) as database,
        database.scope_for_name(parsed.company).transaction(operator()) as tx,
    ):
        if parsed.revoke:
            await credentials.revoke(tx, parsed.revoke)
            return {"company": parsed.company, "revoked": parsed.revoke}
        expires_at = datetime.now(UTC) + timedelta(days=parsed.expires_days) if parsed.expires_days else None
        issued = await credentials.issue(tx, parsed.scope, expires_at)
    return {
        "company": parsed.company,
        "credential": issued.credential,
        "credential_id": issued.credential_id,
        "scopes": issued.scopes,
        "expires_at": expires_at,
    }


def _told(answer: Answer) -> str:
    if "revoked" in answer:
        return f"{answer['revoked']} is refused from now on."
    expires = f"{answer['expires_at']:%Y-%m-%d %H:%M}" if answer["expires_at"] else "–"
    return "\n".join(
        [
            f"  Credential     {answer['credential']}",
            f"  Credential id  {answer['credential_id']}",
            f"  Scopes         {', '.join(answer['scopes'])}",
            f"  Expires        {expires}",
            "",
            "The credential is shown this once. Older ones stay valid until they are revoked:",
            f"  directory company app-credential {answer['company']} --revoke ID",
        ]
    )
