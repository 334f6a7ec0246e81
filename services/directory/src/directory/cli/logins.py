"""`directory company logins`: attempts to sign in, newest first, of everybody or of one person; or one of them as a timeline."""

import argparse
from typing import Any

import msgspec

from directory.cli import logins_text
from directory.cli.company import json_command
from directory.cli.environment import operator, owner_database
from directory.settings import DatabaseSettings
from directory.traces import operations
from shared.attempts import attempt_from_text

Answer = dict[str, Any]


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommand of this module."""
    command = json_command(subcommands, "logins", "attempts to sign in, newest first; or one of them as a timeline")
    command.add_argument("company")
    command.add_argument(
        "whose",
        nargs="?",
        default="",
        metavar="PERSON|ID",
        help="a person, by login name, e-mail, id or the NameID that was presented; or the id of one attempt, such as K7QM-3F9D",
    )
    command.add_argument(
        "--outcome", default="", metavar="REASON", help="only these: accepted, a reason of a refusal, or never_answered"
    )
    command.add_argument("--language", choices=("da", "en"), default="en", help="of what is said about an attempt (en)")
    command.add_argument("--limit", type=_limit, default=20, metavar="N", help="at most so many, 1 to 200 (20)")
    command.add_argument("--before", default="", metavar="NEXT", help="older than the page before")
    command.set_defaults(do=_logins, told=logins_text.logins)


def _limit(text: str) -> int:
    """For argparse."""
    if not text.isdecimal() or not 1 <= int(text) <= operations.MAX_LIMIT:
        raise argparse.ArgumentTypeError(f"a number from 1 to {operations.MAX_LIMIT}")
    return int(text)


async def _logins(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with (
        owner_database(settings) as database,
        database.scope_for_name(parsed.company).transaction(operator()) as tx,
    ):
        # Eight letters may be a login name, too: then it is somebody of the company whom the name means.
        spoken = attempt_from_text(parsed.whose) is not None
        if spoken and not await operations.is_somebodys_name(tx, parsed.whose):
            found = msgspec.structs.asdict(await operations.whole(tx, parsed.whose))
        else:
            page = await operations.page(
                tx, person=parsed.whose, outcome=parsed.outcome, before=parsed.before, limit=parsed.limit
            )
            found = {"person": parsed.whose, **msgspec.structs.asdict(page)}
    return {"company": parsed.company, "language": parsed.language, **found}
