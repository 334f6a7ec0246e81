"""`directory company brake`: what the mass-change brake of a company holds; release or refuse it."""

import argparse
from typing import Any

import msgspec

from directory.brake import holds
from directory.brake.applying import apply
from directory.brake.setup import held_changes
from directory.cli.company import json_command
from directory.cli.environment import operator, owner_database
from directory.cli.text import table
from directory.settings import DatabaseSettings

Answer = dict[str, Any]

SHOWN = 100


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommand of this module."""
    command = json_command(
        subcommands, "brake", "deactivations that were held because too many came at once; release or refuse them"
    )
    command.add_argument("company")
    decision = command.add_mutually_exclusive_group()
    decision.add_argument("--release", action="store_true", help="do all of them; for an hour nothing is held")
    decision.add_argument("--refuse", action="store_true", help="do none of them, however often Entra asks")
    command.set_defaults(do=_brake, told=_told)


async def _brake(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    answer: Answer = {"company": parsed.company}
    async with owner_database(settings) as database:
        scope = database.scope_for_name(parsed.company)
        if parsed.release:
            async with scope.transaction(operator()) as tx:
                answer["released_now"] = await holds.release(tx)
            answer["done"] = await apply(lambda: scope.transaction(operator()))
        if parsed.refuse:
            async with scope.transaction(operator()) as tx:
                answer["refused_now"] = await holds.refuse(tx)
        async with scope.transaction() as tx:
            return answer | msgspec.structs.asdict(await held_changes(tx, limit=SHOWN))


def _told(answer: Answer) -> str:
    return "\n".join([*_decided(answer), *_state(answer)])


def _decided(answer: Answer) -> list[str]:
    if "released_now" in answer:
        return [f"Released: {answer['released_now']}; done: {answer['done']}. For an hour nothing is held."]
    if "refused_now" in answer:
        return [f"Refused: {answer['refused_now']}. They keep their access, however often Entra asks."]
    return []


def _state(answer: Answer) -> list[str]:
    limit = f"more than {answer['people']} people and more than {answer['percent']} % of the active ones within an hour"
    lines = [
        f"{answer['company']}: the brake is off." if answer["people"] == 0 else f"{answer['company']} holds {limit}."
    ]
    if answer["open_until"]:
        lines.append(f"Until {answer['open_until']:%Y-%m-%d %H:%M} UTC nothing is held.")
    counts = ", ".join(f"{answer[state]} {state}" for state in ("held", "refused", "released"))
    lines.append(f"{counts}; {answer['passed_within_the_hour']} were deactivated within the hour.")
    if not answer["changes"]:
        return lines
    rows = (
        (one.name, one.login_name, one.step, one.state, f"{one.asked_at:%Y-%m-%d %H:%M}", str(one.times))
        for one in answer["changes"]
    )
    more = [f"  … and more: the first {SHOWN} are shown."] if answer["next"] else []
    return [*lines, "", table(("Person", "login name", "step", "state", "asked", "times"), rows), *more]
