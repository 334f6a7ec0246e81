"""`directory company employee` and `verify-history`: what somebody is or was, and whether the history can be trusted."""

import argparse
from datetime import datetime
from typing import Any

import msgspec

from directory.api import people
from directory.cli.company import json_command
from directory.cli.environment import operator, owner_database
from directory.companies.fields import Problem
from directory.events.chain import Head
from directory.events.verification import Verified, verify
from directory.settings import DatabaseSettings
from shared.schemas.history import EmployeeView

Answer = dict[str, Any]


class HistoryBroken(Exception):
    """The chain does not hold; `answer` is for machines, `problems` are sentences."""

    def __init__(self, answer: Answer, problems: list[Problem]) -> None:
        super().__init__("The history was tampered with, or is not the expected one.")
        self.answer = answer
        self.problems = problems


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommands of this module."""
    command = json_command(
        subcommands, "employee", "somebody as he is, or as he was at a moment, and who owns what of him"
    )
    command.add_argument("company")
    command.add_argument(
        "employee", metavar="LOGIN_OR_ID", help="his login name now, or his id (departed people: the id)"
    )
    command.add_argument(
        "--at", type=moment, metavar="MOMENT", help="e.g. 2026-01-31T23:00:00Z, or with another offset"
    )
    command.set_defaults(do=_employee, told=_told_employee)
    command = json_command(subcommands, "verify-history", "check the chain of hashes; exit status 1 where it breaks")
    command.add_argument("company")
    command.add_argument(
        "--expect", type=head, metavar="SEQ:HASH", help="a head noted earlier, which it must lead through"
    )
    command.set_defaults(do=_verify, told=_told_verified)


def moment(text: str) -> datetime:
    """For argparse."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found
    except ValueError:
        pass
    raise argparse.ArgumentTypeError("a moment with its offset from UTC, e.g. 2026-01-31T23:00:00Z")


def head(text: str) -> Head:
    """For argparse."""
    try:
        return Head.read(text)
    except ValueError:
        raise argparse.ArgumentTypeError("SEQ:HASH, as verify-history printed it") from None


async def _employee(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with (
        owner_database(settings) as database,
        database.scope_for_name(parsed.company).transaction(operator()) as tx,
    ):
        employee_id = await people.id_of(tx, parsed.employee)
        found = await people.employee(tx, employee_id, parsed.at)
    return {"company": parsed.company, "at": parsed.at, "employee": found}


def _told_employee(answer: Answer) -> str:
    found: EmployeeView = answer["employee"]
    shown = msgspec.to_builtins(found)
    owners = shown.pop("owners")
    width = max(map(len, shown))
    lines = [f"As of {answer['at'].isoformat()}" if answer["at"] else "As of now", ""]
    for name, value in shown.items():
        if value not in (None, [], ""):
            text = ", ".join(value) if isinstance(value, list) else str(value)
            lines.append(f"  {name.ljust(width)}  {text}{f'  ({owners[name]})' if name in owners else ''}")
    return "\n".join(lines)


async def _verify(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with (
        owner_database(settings) as database,
        database.scope_for_name(parsed.company).transaction(operator()) as tx,
    ):
        verified = await verify(tx, parsed.expect)
    answer = _answer(parsed.company, verified)
    if not verified.holds:
        raise HistoryBroken(answer, [Problem(f"at {one.sequence}", one.sentence) for one in verified.breaks])
    return answer


def _answer(company: str, verified: Verified) -> Answer:
    return {
        "company": company,
        "holds": verified.holds,
        "events": verified.events,
        "redacted": verified.redacted,
        "head": str(verified.head),
        "head_at": verified.head_at,
        "breaks": [{"sequence": one.sequence, "kind": one.kind, "sentence": one.sentence} for one in verified.breaks],
    }


def _told_verified(answer: Answer) -> str:
    lines = [
        f"The history of {answer['company']} holds: {answer['events']} events, none removed, altered or reordered."
    ]
    if answer["redacted"]:
        lines.append(
            f"Out of {answer['redacted']} of them a reference to somebody erased was taken; what is left in these is not covered."
        )
    lines.append("Note its head where the database's owner cannot write, and give it back with --expect next time:")
    return "\n".join([*lines, f"  {answer['head']}"])
