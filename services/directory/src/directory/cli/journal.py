"""`directory company journal` and `replay`: what Entra sent and what became of it; one of them again."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from directory.cli import journal_text
from directory.cli.company import json_command
from directory.cli.environment import operator, owner_database
from directory.database import CompanyScope, CompanyTx
from directory.journal import operations, replay
from directory.logins.store import hold_company
from directory.settings import DatabaseSettings

Answer = dict[str, Any]


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommands of this module."""
    command = json_command(
        subcommands, "journal", "what Entra sent and what became of it, newest first; or one of them whole"
    )
    command.add_argument("company")
    command.add_argument("entry", nargs="?", metavar="ENTRY", help="xch_…: this one, with its body and what it changed")
    command.add_argument(
        "--person", default="", metavar="LOGIN_OR_ID", help="only what is about him, by a name now or then"
    )
    command.add_argument("--activity", default="", metavar="ID", help="only what belongs to this ActivityId of Entra's")
    command.add_argument("--refused", action="store_true", help="only what was refused, wholly or in part")
    command.add_argument("--limit", type=_limit, default=20, metavar="N", help="at most so many, 1 to 200 (20)")
    command.add_argument("--before", default="", metavar="ENTRY", help="older than this one")
    command.set_defaults(do=_journal, told=journal_text.journal)
    command = json_command(subcommands, "replay", "what an exchange of the journal would do now; with --yes, do it")
    command.add_argument("company")
    command.add_argument("entry", metavar="ENTRY", help="xch_…, as journal shows it")
    command.add_argument("--yes", action="store_true", help="do it, in your name")
    command.set_defaults(do=_replay, told=journal_text.replayed)


def _limit(text: str) -> int:
    """For argparse."""
    if not text.isdecimal() or not 1 <= int(text) <= operations.MAX_LIMIT:
        raise argparse.ArgumentTypeError(f"a number from 1 to {operations.MAX_LIMIT}")
    return int(text)


async def _journal(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with (
        owner_database(settings) as database,
        database.scope_for_name(parsed.company).transaction(operator()) as tx,
    ):
        if parsed.entry:
            found = msgspec.structs.asdict(await operations.whole(tx, parsed.entry))
        else:
            page = await operations.page(
                tx,
                person=parsed.person,
                activity_id=parsed.activity,
                refused=parsed.refused,
                before=parsed.before,
                limit=parsed.limit,
            )
            found = msgspec.structs.asdict(page)
    return {"company": parsed.company, **found}


async def _replay(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with owner_database(settings) as database:
        scope = database.scope_for_name(parsed.company)
        done = await replay.replay(lambda: _operators(scope), parsed.entry, dry_run=not parsed.yes)
    return {"company": parsed.company, **msgspec.structs.asdict(done)}


@asynccontextmanager
async def _operators(scope: CompanyScope) -> AsyncIterator[CompanyTx]:
    """A transaction of an operator's that changes people: the company neither closes nor moves meanwhile."""
    async with scope.transaction(operator()) as tx:
        await hold_company(tx)
        yield tx
