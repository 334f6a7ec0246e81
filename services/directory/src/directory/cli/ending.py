"""`directory company export|delete|restore|ended`: what a company has, and its end."""

import argparse
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from directory.cli import text
from directory.cli.company import json_command
from directory.cli.environment import operator, owner_database
from directory.companies import deleting, ending
from directory.companies.exporting import Exported, Write, export
from directory.companies.store import employees_by_state
from directory.database import Database
from directory.settings import DatabaseSettings
from shared.errors import DomainError, ErrorCode

Answer = dict[str, Any]


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommands of this module."""
    command = json_command(subcommands, "export", "everything it has, as JSON Lines")
    command.add_argument("company")
    command.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="a new file, for its owner alone; - writes to standard output",
    )
    command.set_defaults(do=_export, told=text.exported)
    command = json_command(subcommands, "delete", "close it at once, and delete it after a grace of 30 days")
    command.add_argument("company")
    command.add_argument(
        "--grace-days", type=_grace_days, default=30, metavar="DAYS", help="until it is deleted for good (30)"
    )
    command.add_argument("--yes", action="store_true", help="really; without it nothing happens")
    command.add_argument("--now", action="store_true", help="delete a closed company without waiting for the grace")
    command.add_argument("--without-export", action="store_true", help="with --now: although nobody has exported it")
    command.set_defaults(do=_delete, told=text.closed_or_deleted)
    command = json_command(subcommands, "restore", "open it again within the grace")
    command.add_argument("company")
    command.set_defaults(do=_restore, told=lambda answer: f"{answer['company']} is open again, as it was.")
    command = json_command(subcommands, "ended", "receipts of the companies that were deleted")
    command.set_defaults(do=_ended, told=text.ended)


def _grace_days(text_value: str) -> int:
    number = int(text_value)
    if not 0 <= number <= 3650:
        raise argparse.ArgumentTypeError("between 0 and 3650 days")
    return number


async def _export(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with _database_of(settings, parsed.company) as database:
        scope = database.scope_for_name(parsed.company)
        with _new_file(parsed.output) as write:
            async with scope.transaction(operator(), snapshot=True) as tx:
                exported = await export(tx, write)
        async with scope.transaction(operator()) as tx:
            ending.exported(tx, exported.total, exported.sha256)
    return {} if parsed.output == "-" else _told(parsed, exported)


def _told(parsed: argparse.Namespace, exported: Exported) -> Answer:
    return {
        "company": parsed.company,
        "file": parsed.output.encode("utf-8", "backslashreplace").decode(),
        "rows": exported.rows,
        "all": exported.total,
        "sha256": exported.sha256,
    }


@contextmanager
def _new_file(path: str) -> Iterator[Write]:
    """Whole or not there at all; an existing file is not touched."""
    if path == "-":
        yield _writing_to(sys.stdout.buffer, "standard output")
        sys.stdout.buffer.flush()
        return
    if not path:
        raise DomainError(ErrorCode.invalid_request, "-o wants the name of a new file, or - for standard output.")
    if os.path.lexists(path):
        raise _exists(path)
    # Beside the file, so that it is on the same disk; a name that nobody has, so that no other export or file is overwritten.
    with _told_of(path):
        number, part = tempfile.mkstemp(dir=Path(path).parent, prefix=".export-", suffix=".part")
    try:
        with open(number, "wb") as file:
            yield _writing_to(file, path)
            with _told_of(path):
                file.flush()
                os.fsync(file.fileno())
        if os.path.lexists(path):
            raise _exists(path)
        with _told_of(path):
            Path(part).rename(path)
    finally:
        Path(part).unlink(missing_ok=True)


def _exists(path: str) -> DomainError:
    return DomainError(ErrorCode.already_exists, f"{path} exists already; choose another file.")


def _writing_to(file: BinaryIO, path: str) -> Write:
    def write(line: bytes) -> None:
        with _told_of(path):
            file.write(line)

    return write


@contextmanager
def _told_of(path: str) -> Iterator[None]:
    """A full disk is not the database's fault."""
    try:
        yield
    except OSError as error:
        raise DomainError(ErrorCode.invalid_request, f"{path} cannot be written: {error.strerror}.") from None


async def _delete(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with _database_of(settings, parsed.company) as database:
        if parsed.now:
            return await _delete_now(database, parsed)
        async with database.scope_for_name(parsed.company).transaction(operator()) as tx:
            people = await employees_by_state(tx)
            if not parsed.yes:
                raise _unsure(parsed, people.get("active", 0))
            ends_at = await ending.close(tx, timedelta(days=parsed.grace_days))
    return {"company": parsed.company, "ends_at": ends_at, "people": people}


def _unsure(parsed: argparse.Namespace, active: int) -> DomainError:
    return DomainError(
        ErrorCode.not_allowed,
        f"Nothing was done. This closes {parsed.company} at once: its {active} active people are signed out, sign-on and "
        f"provisioning are refused, and in {parsed.grace_days} days everything it has is deleted. Say it again with --yes.",
    )


async def _delete_now(database: Database, parsed: argparse.Namespace) -> Answer:
    async with database.scope_for_name(parsed.company).transaction(operator()) as tx:
        await ending.end_now(tx, sure=parsed.yes, without_export=parsed.without_export)
    await deleting.delete(database, parsed.company)
    receipt = [one for one in await deleting.receipts(database) if one.company == parsed.company][-1]
    return {"receipt": receipt}


async def _restore(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with (
        _database_of(settings, parsed.company) as database,
        database.scope_for_name(parsed.company).transaction(operator()) as tx,
    ):
        await ending.restore(tx)
    return {"company": parsed.company, "restored": True}


async def _ended(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with owner_database(settings) as database:
        return {"ended": await deleting.receipts(database)}


@asynccontextmanager
async def _database_of(settings: DatabaseSettings, company: str) -> AsyncIterator[Database]:
    """Of a company that is gone it is said when."""
    async with owner_database(settings) as database:
        try:
            yield database
        except DomainError as error:
            if error.code is not ErrorCode.not_found:
                raise
            gone = [one for one in await deleting.receipts(database) if one.company == company]
            if not gone:
                raise
            when = gone[-1].deleted_at or gone[-1].began_at
            raise DomainError(ErrorCode.not_found, f"{company} was deleted on {when:%Y-%m-%d %H:%M} UTC.") from None
