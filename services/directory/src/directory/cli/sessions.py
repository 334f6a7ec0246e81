"""`directory company sessions`: who is signed in, ending that, and how it ended."""

import argparse
from typing import Any

from directory.cli.company import json_command
from directory.cli.environment import operator, owner_database
from directory.cli.text import moment, table
from directory.employees.people import find
from directory.logins import listing
from directory.logins.ending import Why
from directory.settings import DatabaseSettings
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text, session_text

Answer = dict[str, Any]


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommand of this module."""
    command = json_command(subcommands, "sessions", "who is signed in; end one session of a person, or all")
    command.add_argument("company")
    command.add_argument("person", nargs="?", help="login name, e-mail or emp_…; without it everybody's are listed")
    step = command.add_mutually_exclusive_group()
    step.add_argument("--end", metavar="SESSION_ID", help="end this one of the person's")
    step.add_argument("--end-all", action="store_true", help="end all of the person's")
    step.add_argument("--ended", action="store_true", help="how the person's former sessions ended: when, why, by whom")
    command.set_defaults(do=_sessions, told=_told)


async def _sessions(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    if parsed.person is None and (parsed.end or parsed.end_all or parsed.ended):
        raise DomainError(ErrorCode.invalid_request, "Say whose: directory company sessions COMPANY PERSON …")
    async with (
        owner_database(settings) as database,
        database.scope_for_name(parsed.company).transaction(operator()) as tx,
    ):
        person = await find(tx, parsed.person) if parsed.person is not None else None
        if parsed.ended and person is not None:
            return {"receipts": [_receipt(one) for one in await listing.receipts(tx, person)]}
        answer: Answer = {}
        if person is not None and (parsed.end or parsed.end_all):
            answer["ended"] = await listing.end(tx, person, parsed.end, Why.by_admin)
        rows = await listing.open_sessions(tx, person)
        answer["sessions"] = [
            {
                "session_id": session_text(row["session_id"]),
                "employee_id": employee_text(row["employee_id"]),
                "login_name": row["login_name"],
                "app": row["client_id"],
                "signed_in_at": row["signed_in_at"],
                "seen_at": row["seen_at"],
                "expires_at": row["expires_at"],
            }
            for row in rows
        ]
    return answer


def _receipt(event: Any) -> Answer:
    actor = f"{event.actor.kind} {event.actor.id}"
    return {
        "at": event.at,
        "by": actor,
        "request_id": event.request_id,
        "trace_id": event.trace_id,
        **event.changes["ended"],
    }


def _told(answer: Answer) -> str:
    if "receipts" in answer:
        rows = [
            (
                moment(one["at"]),
                one["why"],
                one["by"],
                one["request_id"] or "–",
                ", ".join(one["sessions"]) or "–",
                str(one["tickets"]),
            )
            for one in answer["receipts"]
        ]
        return (
            table(("ended", "why", "by", "request", "sessions", "tickets"), rows) if rows else "No session has ended."
        )
    rows = [
        (
            one["session_id"],
            one["login_name"] or one["employee_id"],
            one["app"] or "browser",
            moment(one["signed_in_at"]),
            moment(one["seen_at"]) if one["seen_at"] else "–",
            moment(one["expires_at"]),
        )
        for one in answer["sessions"]
    ]
    shown = table(("session", "person", "in", "since", "last seen", "until"), rows) if rows else "Nobody is signed in."
    return f"{answer['ended']} sessions ended.\n\n{shown}" if "ended" in answer else shown
