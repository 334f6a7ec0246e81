"""`directory company provisioning`: how a company's provisioning stands, by its traffic, and whom Entra has forgotten."""

import argparse
from typing import Any

import msgspec

from directory.cli.company import json_command
from directory.cli.environment import owner_database
from directory.cli.text import moment, table
from directory.cycles.reports import report, unasked
from directory.settings import DatabaseSettings
from shared.schemas.provisioning_report import ProvisioningReport, Standing, UnaskedPeople

Answer = dict[str, Any]


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommand of this module."""
    command = json_command(
        subcommands, "provisioning", "when Entra was heard last, how often it comes, and whom it has forgotten"
    )
    command.add_argument("company")
    command.add_argument(
        "--unasked", action="store_true", help="the people whom the last full cycle did not ask about, one by one"
    )
    command.add_argument("--after", default="", metavar="ID", help="with --unasked: the `next` of the page before")
    command.set_defaults(do=_do, told=_told, misused=command.error)


async def _do(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    if parsed.after and not parsed.unasked:
        parsed.misused("--after goes with --unasked")
    async with owner_database(settings) as database, database.scope_for_name(parsed.company).transaction() as tx:
        found = await unasked(tx, parsed.after) if parsed.unasked else await report(tx)
    answer: Answer = msgspec.to_builtins(found)
    return answer


_STANDS: dict[Standing, str] = {
    "never": "No request has come yet.",
    "running": "A cycle is running.",
    "resting": "It rests between two cycles.",
    "slowed": "Its cycles are half a day apart or more: look at the provisioning job in Entra, it may be in quarantine.",
    "silent": "It has fallen silent: look at the provisioning job in Entra, it may be stopped or in quarantine.",
}


def _told(answer: Answer) -> str:
    return _told_report(answer) if "standing" in answer else _told_unasked(answer)


def _told_report(answer: Answer) -> str:
    found = msgspec.convert(answer, ProvisioningReport)
    lines = [_STANDS[found.standing]]
    if found.last_request_at is not None:
        lines.append(f"Last request {moment(found.last_request_at)}.")
    if found.rhythm_minutes is not None:
        expected = f", the next about {moment(found.expected_at)}" if found.expected_at else ""
        lines.append(f"A cycle every {found.rhythm_minutes} minutes{expected}.")
    if found.cycles and not any(one.verdict for one in found.cycles):
        lines.append(
            "None of its cycles has been judged yet: `directory sweep` does so, some ten minutes after one has ended."
        )
    elif found.last_full_at is None:
        lines.append("No full cycle is remembered; a restart in Entra makes one, in a company of five people and more.")
    elif found.unasked:
        lines.append(
            f"{found.unasked} of {found.people} active people were not asked about by the full cycle of "
            f"{moment(found.last_full_at)}: Entra will never deactivate them. Their names: --unasked"
        )
    else:
        lines.append(f"The full cycle of {moment(found.last_full_at)} asked about everybody.")
    told = [(moment(one.started_at), str(one.requests), one.verdict or "not judged yet") for one in found.cycles]
    lines.append("Times are UTC.")
    return "\n".join([*lines, *([table(("cycle", "requests", "was"), told)] if told else [])])


def _told_unasked(answer: Answer) -> str:
    found = msgspec.convert(answer, UnaskedPeople)
    if found.since is None:
        return "No full cycle is remembered, so nothing can be concluded; a restart in Entra makes one."
    if not found.people:
        return f"The full cycle of {moment(found.since)} asked about everybody."
    told = [
        (one.employee_id, one.login_name, one.name, moment(one.asked_at) if one.asked_at else "never")
        for one in found.people
    ]
    more = f"\nMore: --after {found.next}" if found.next else ""
    return table(("id", "login name", "name", "asked about"), told) + more
