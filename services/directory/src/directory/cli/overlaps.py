"""`directory overlaps`: who is in several companies of one Entra tenant. For platform support; no company sees it (D15)."""

import argparse
from typing import Any

from directory.cli.company import json_command
from directory.cli.environment import owner_database
from directory.cli.text import table
from directory.overlaps import overlaps
from directory.settings import DatabaseSettings

Answer = dict[str, Any]


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = json_command(commands, "overlaps", "people who are active in several companies of one Entra tenant")
    command.set_defaults(do=_overlaps, told=_told)


async def _overlaps(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with owner_database(settings) as database:
        return {"overlaps": await overlaps(database)}


def _told(answer: Answer) -> str:
    if not answer["overlaps"]:
        return "Nobody is active in several companies of one Entra tenant."
    return table(
        ("Entra tenant", "object id", "companies"),
        (
            (
                str(overlap.tenant_id),
                str(overlap.object_id),
                ", ".join(f"{one.company} ({one.employee_id})" for one in overlap.memberships),
            )
            for overlap in answer["overlaps"]
        ),
    )
