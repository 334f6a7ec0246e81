"""The `directory` command. Exit status: 0 done, 1 refused (with a sentence that says what to do), 2 wrong usage."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec

from directory import sweep
from directory.cli import (
    approvers,
    brake,
    certificates,
    company,
    credentials,
    ending,
    history,
    imports,
    journal,
    logins,
    move,
    oauth,
    overlaps,
    overview,
    people,
    provisioning,
    sessions,
)
from directory.cli.environment import database_settings, local_environment
from directory.companies.fields import FileRefused
from directory.migrate import MigrationError, migrate
from directory.selfcheck import SelfCheckFailed
from directory.settings import DatabaseSettings, Settings
from shared.errors import DomainError
from shared.settings import SettingsError, read_settings
from shared.telemetry.logs import configure_logs

Answer = dict[str, Any]

FILES = frozenset({"file", "output", "emails"})
"""Arguments that name a file."""

COMPANY_COMMANDS = (
    company,
    people,
    approvers,
    imports,
    history,
    certificates,
    credentials,
    oauth,
    ending,
    brake,
    journal,
    logins,
    move,
    provisioning,
    sessions,
)
"""Each adds its subcommands of `directory company`."""

EXAMPLES = """
examples:
  directory company --help                    all that can be done about a company and its people
  directory company apply -f contoso.yaml     on board, or changed to what the file says
  directory company show contoso
"""


def main(arguments: list[str] | None = None) -> int:
    """The console script; returns the exit status."""
    parsed = _parser().parse_args(arguments)
    as_json = getattr(parsed, "json", False)
    if (unreadable := _unreadable(parsed)) is not None:
        return _refused(f"{unreadable} holds bytes that are no UTF-8; nothing was done.", as_json, [])
    try:
        if parsed.command == "serve":
            return _serve()
        answer, told = asyncio.run(_do(parsed))
    except FileRefused as refused:
        problems = [{"field": problem.field, "problem": problem.sentence} for problem in refused.problems]
        return _refused(refused.sentence, as_json, problems)
    except history.HistoryBroken as broken:
        if as_json:
            print(_json(broken.answer))
        return _refused(str(broken), False, [{"field": one.field, "problem": one.sentence} for one in broken.problems])
    except imports.ImportRefused as refused:
        return _refused(refused.detail, as_json, refused.lines, refused.answer)
    except DomainError as error:
        return _refused(error.detail, as_json, [])
    except (SettingsError, MigrationError, SelfCheckFailed) as error:
        return _refused(str(error), as_json, [])
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return _refused(f"The database cannot be used: {str(error) or type(error).__name__}", as_json, [])
    if answer:  # empty: the command has written its answer itself
        _print(_json(answer) if as_json else told(answer))
    return 0


def _print(text: str) -> None:
    """A reader that has seen enough (`| head`) is no fault: what was to be done is done."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python flushes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unreadable(parsed: argparse.Namespace) -> str | None:
    """An argument that cannot be looked for or stored anywhere; a file may have any name."""
    for name, given in vars(parsed).items():
        if name not in FILES and any(not _is_text(one) for one in (given if isinstance(given, list) else [given])):
            return name.replace("_", "-")
    return None


def _is_text(given: object) -> bool:
    return not isinstance(given, str) or _shown(given) == given


def _shown(text: str) -> str:
    """As it can be written to a terminal and into JSON, whatever a file's name holds."""
    return text.encode("utf-8", "backslashreplace").decode()


def _json(answer: object) -> str:
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()


def _refused(sentence: str, as_json: bool, problems: list[dict[str, str]], answer: Answer | None = None) -> int:
    sentence = _shown(sentence)
    problems = [{name: _shown(text) for name, text in problem.items()} for problem in problems]
    if as_json:
        print(_json({"error": {"message": sentence, "problems": problems}, **(answer or {})}))
    print(sentence, file=sys.stderr)
    for problem in problems:
        print(f"  {problem['field'] + ': ' if problem['field'] else ''}{problem['problem']}", file=sys.stderr)
    return 1


def _serve() -> int:
    from directory.app import create_service
    from shared.http.service import run

    return run(create_service(read_settings(Settings, local_environment())))


async def _do(parsed: argparse.Namespace) -> tuple[Answer, Callable[[Answer], str]]:
    """Each command has set `do`, which acts, and `told`, which says it in words."""
    return await parsed.do(database_settings(), parsed), parsed.told


async def _migrate(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    applied = await migrate(settings.database_url, settings.database_app_url, wait_s=parsed.wait)
    return {"applied": [f"{done.version:04d}_{done.name}" for done in applied]}


async def _sweep(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    if not logging.getLogger().handlers:
        configure_logs("directory", level="INFO", log_format="json")
    swept = await sweep.sweep(settings)
    return {"overlaps": swept.pop("overlaps"), "deleted": swept}


def _told_migrated(answer: Answer) -> str:
    return "applied: " + ", ".join(answer["applied"]) if answer["applied"] else "The database is up to date."


def _told_swept(answer: Answer) -> str:
    counts = ", ".join(f"{count} {what}" for what, count in answer["deleted"].items())
    return f"Deleted what has had its time: {counts}. In several companies of an Entra tenant: {answer['overlaps']} people."


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
    migrating.set_defaults(do=_migrate, told=_told_migrated)
    sweeping = commands.add_parser("sweep", help="delete what has had its time (safe at any time, and several at once)")
    sweeping.set_defaults(do=_sweep, told=_told_swept)
    for command in (migrating, sweeping):
        command.add_argument("--json", action="store_true", help="answer as JSON")
    overlaps.add_to(commands)
    _add_company(commands)
    return parser


def _add_company(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    told = "set up and look after companies and their people"
    companies = commands.add_parser(
        "company",
        help=told,
        description=told,
        usage="directory company SUBCOMMAND … [--json] [--help]",
        formatter_class=_Raw,
    )
    # argparse knows one long list of subcommands; they are told in groups instead.
    subcommands = companies.add_subparsers(
        dest="subcommand", required=True, metavar="SUBCOMMAND", prog="directory company", help=argparse.SUPPRESS
    )
    for area in COMPANY_COMMANDS:
        area.add_to(subcommands)
    companies.epilog = overview.help_text(subcommands.choices)


class _Raw(argparse.RawDescriptionHelpFormatter):
    pass


if __name__ == "__main__":
    sys.exit(main())
