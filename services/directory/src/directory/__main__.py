"""The `directory` command. Exit status: 0 done, 1 refused (with a sentence that says what to do), 2 wrong usage."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec

from directory import sweep
from directory.cli import company, text
from directory.cli.environment import database_settings, local_environment
from directory.companies.fields import ManifestRefused
from directory.migrate import MigrationError, migrate
from directory.selfcheck import SelfCheckFailed
from directory.settings import DatabaseSettings, Settings
from shared.errors import DomainError
from shared.settings import SettingsError, read_settings

Answer = dict[str, Any]

EXAMPLES = """
examples:
  directory company apply -f contoso.yaml          on board, or changed to what the file says
  directory company diff -f contoso.yaml           what apply would change
  directory company scim-token contoso             one more token; the older ones stay valid
  directory company scim-token contoso --revoke tok_…
"""


def main(arguments: list[str] | None = None) -> int:
    """The console script; returns the exit status."""
    parsed = _parser().parse_args(arguments)
    as_json = getattr(parsed, "json", False)
    try:
        if parsed.command == "serve":
            return _serve()
        answer, told = asyncio.run(_do(parsed))
    except ManifestRefused as refused:
        problems = [{"field": problem.field, "problem": problem.sentence} for problem in refused.problems]
        return _refused("The manifest was refused; nothing was changed.", as_json, problems)
    except DomainError as error:
        return _refused(error.detail, as_json, [])
    except (SettingsError, MigrationError, SelfCheckFailed) as error:
        return _refused(str(error), as_json, [])
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return _refused(f"The database cannot be used: {str(error) or type(error).__name__}", as_json, [])
    print(_json(answer) if as_json else told(answer))
    return 0


def _json(answer: object) -> str:
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()


def _refused(sentence: str, as_json: bool, problems: list[dict[str, str]]) -> int:
    if as_json:
        print(_json({"error": {"message": sentence, "problems": problems}}))
    print(sentence, file=sys.stderr)
    for problem in problems:
        print(f"  {problem['field'] + ': ' if problem['field'] else ''}{problem['problem']}", file=sys.stderr)
    return 1


def _serve() -> int:
    from directory.app import create_service
    from shared.http.service import run

    return run(create_service(read_settings(Settings, local_environment())))


async def _do(parsed: argparse.Namespace) -> tuple[Answer, Callable[[Answer], str]]:
    settings = database_settings()
    if parsed.command == "migrate":
        applied = await migrate(settings.database_url, settings.database_app_url, wait_s=parsed.wait)
        return {"applied": [f"{done.version:04d}_{done.name}" for done in applied]}, _told_migrated
    if parsed.command == "sweep":
        return {"deleted": await sweep.sweep(settings)}, _told_swept
    doing, told = _company_command(parsed, settings)
    return await doing, told


def _company_command(
    parsed: argparse.Namespace, settings: DatabaseSettings
) -> tuple[Awaitable[Answer], Callable[[Answer], str]]:
    match parsed.subcommand:
        case "apply":
            return company.apply(settings, company.read_manifest_file(parsed.file)), text.applied
        case "diff":
            return company.diff(settings, company.read_manifest_file(parsed.file)), text.differences
        case "show":
            return company.show(settings, parsed.company), text.shown
        case "list":
            return company.list_all(settings), text.listed
        case _ if parsed.revoke:
            revoked = company.revoke_token(settings, parsed.company, parsed.revoke)
            return revoked, lambda answer: f"{answer['revoked']} is refused from now on."
        case _:
            return company.issue_token(settings, parsed.company, parsed.expires_days), text.issued


def _told_migrated(answer: Answer) -> str:
    return "applied: " + ", ".join(answer["applied"]) if answer["applied"] else "The database is up to date."


def _told_swept(answer: Answer) -> str:
    counts = ", ".join(f"{count} {what}" for what, count in answer["deleted"].items())
    return f"deleted what has expired: {counts}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="directory", description="The directory and its companies.", epilog=EXAMPLES, formatter_class=_Raw
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("serve", help="run the service")
    migrating = commands.add_parser(
        "migrate", help="bring the database up to date (safe to run twice and side by side)"
    )
    migrating.add_argument("--wait", type=float, default=120.0, metavar="SECONDS", help="for another migration to end")
    sweeping = commands.add_parser("sweep", help="delete expired logins, tickets and sessions (safe at any time)")
    for command in (migrating, sweeping):
        command.add_argument("--json", action="store_true", help="answer as JSON")
    _company_parser(commands)
    return parser


class _Raw(argparse.RawDescriptionHelpFormatter):
    pass


def _company_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    told = "set up and look after companies"
    companies = commands.add_parser("company", help=told, description=told, epilog=EXAMPLES, formatter_class=_Raw)
    subcommands = companies.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
    for name, told in (
        ("apply", "create or update a company from its manifest; prints the values to paste into Entra"),
        ("diff", "what apply would change; changes nothing"),
    ):
        command = subcommands.add_parser(name, help=told, description=told)
        command.add_argument("-f", "--file", required=True, help="the manifest (YAML or JSON); - reads standard input")
        command.add_argument("--json", action="store_true", help="answer as JSON")
    for name, told in (("show", "a company with its certificates and tokens"), ("list", "all companies")):
        command = subcommands.add_parser(name, help=told, description=told)
        if name == "show":
            command.add_argument("company")
        command.add_argument("--json", action="store_true", help="answer as JSON")
    told = "issue one more SCIM token (shown once), or revoke one"
    token = subcommands.add_parser("scim-token", help=told, description=told)
    token.add_argument("company")
    token.add_argument("--revoke", metavar="TOKEN_ID", help="refuse this token from now on")
    token.add_argument(
        "--expires-days", type=_days, metavar="DAYS", help="the new token ends by itself after so many days"
    )
    token.add_argument("--json", action="store_true", help="answer as JSON")


def _days(text_value: str) -> int:
    days = int(text_value)
    if not 1 <= days <= 3650:
        raise argparse.ArgumentTypeError("between 1 and 3650 days")
    return days


if __name__ == "__main__":
    sys.exit(main())
