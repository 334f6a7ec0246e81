"""`directory company import`: a CSV of employees, all or nothing; refused with every problem and its line."""

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from directory.cli.company import json_command
from directory.cli.environment import operator, owner_database
from directory.imports.columns import NAMES
from directory.imports.decoding import MAX_BYTES
from directory.imports.operations import Imported, import_file
from directory.settings import DatabaseSettings
from shared.errors import DomainError, ErrorCode

Answer = dict[str, Any]

EXAMPLE = {
    "login_name": "anna@firma.dk",
    "email": "anna@firma.dk",
    "given_name": "Anna",
    "family_name": "Holm",
    "title": "Projektleder",
    "department": "Salg",
    "mobile": "+45 12 34 56 78",
    "phone": "+45 87 65 43 21",
    "country": "Danmark",
    "employee_number": "0042",
    "manager_login_name": "bo@firma.dk",
    "hired_on": "2024-03-01",
    "policy": "Funktionær",
}


class ImportRefused(DomainError):
    """The file has problems, and nothing was changed."""

    def __init__(self, done: Imported) -> None:
        listed = "" if done.problem_count == len(done.problems) else f"; the first {len(done.problems)}"
        many = "1 problem" if done.problem_count == 1 else f"{done.problem_count:,} problems"
        super().__init__(ErrorCode.invalid_value, f"The file was refused for {many}, nothing was changed{listed}:")
        self.answer: Answer = msgspec.to_builtins(done)
        self.lines = [
            {"field": f"line {one.line}" if one.line else "file", "problem": one.sentence} for one in done.problems
        ]


class _PrintTemplate(argparse.Action):
    """As `--help` does: prints and ends, without a database."""

    def __call__(self, parser: argparse.ArgumentParser, *parsed: object) -> None:
        print("\ufeff" + template())  # without this mark Excel takes UTF-8 for Windows-1252
        parser.exit()


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = json_command(
        subcommands, "import", "bring people in from CSV, all or nothing; --template prints a file to begin with"
    )
    command.add_argument("company")
    command.add_argument("file", help="the file; - reads standard input")
    command.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")
    command.add_argument(
        "--template", nargs=0, action=_PrintTemplate, help="print a file to begin with: the columns and one example"
    )
    command.set_defaults(do=_import, told=told)


async def _import(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    data = read_file(parsed.file)
    async with owner_database(settings, command_timeout_s=600.0) as database:
        scope = database.scope_for_name(parsed.company)
        done = await import_file(scope, operator(), data, dry_run=parsed.dry_run, progress=_progress)
    if done.problem_count:
        raise ImportRefused(done)
    return {"company": parsed.company, **msgspec.to_builtins(done)}


def template() -> str:
    """UTF-8 with semicolons, as Danish Excel opens it."""
    return ";".join(NAMES) + "\n" + ";".join(EXAMPLE[name] for name in NAMES)


def read_file(path: str) -> bytes:
    """One byte more than may be, so that a file that is too large is found out without being read."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DomainError(ErrorCode.invalid_request, f"{path} cannot be read: {error.strerror}.") from None


def told(answer: Answer) -> str:
    head = f"{answer['company']}: {answer['created']:,} new, {answer['updated']:,} changed, {answer['unchanged']:,} as they were"
    lines = [f"{head} (a dry run: nothing was changed)." if answer["dry_run"] else f"{head}."]
    if answer["kept"]:
        lines.append(f"  {answer['kept']:,} say something else than Entra about what Entra governs; its values stay.")
    if answer["waiting_managers"]:
        lines.append(f"  {answer['waiting_managers']:,} wait for their manager, and are linked when he appears.")
    lines += [f"  line {note['line']}: {note['sentence']}" for note in answer["notes"]]
    if answer["note_count"] > len(answer["notes"]):
        lines.append(f"  … and {answer['note_count'] - len(answer['notes']):,} more notes")
    return "\n".join(lines)


def _progress(doing: str, done: int, of: int) -> None:
    """For people who look on; a log or a pipe gets none of it."""
    if sys.stderr.isatty():
        end = "\n" if done == of else ""
        print(f"\r{doing} {done:,} of {of:,} rows", end=end, file=sys.stderr, flush=True)
