"""`directory company approvers|role|approval`: who approves for whom, and what HR decides about it."""

import argparse
import sys
from typing import Any

import msgspec

from directory.approvers import grants, operations
from directory.cli import approvers_text as text
from directory.cli.company import json_command
from directory.cli.environment import operator, owner_database
from directory.employees.people import find
from directory.settings import DatabaseSettings
from shared.schemas import Schema

Answer = dict[str, Any]


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommands of this module."""
    command = json_command(
        subcommands,
        "approvers",
        "who approves for somebody and why; without a name: what is wrong in the company",
    )
    command.add_argument("company")
    what = command.add_mutually_exclusive_group()
    what.add_argument("employee", nargs="?", help="login name or id; without one: the whole company")
    what.add_argument("--problems", action="store_true", help="every problem with everybody whom it affects")
    what.add_argument(
        "--preview", choices=("on", "off"), help="for whom others would approve, were Entra's managers followed or not"
    )
    command.set_defaults(do=_approvers, told=text.told)
    command = json_command(subcommands, "role", "grant or revoke a role; as approver also for departments")
    command.add_argument("company")
    command.add_argument("employee", help="login name or id")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--grant", metavar="ROLE", help=f"one of {', '.join(grants.ROLES)}")
    which.add_argument("--revoke", metavar="ROLE")
    command.add_argument(
        "--department", nargs="+", action="extend", default=[], metavar="NAME", help="what an approver approves for"
    )
    command.set_defaults(do=_role, told=text.decided)
    command = json_command(subcommands, "approval", "whether the direct approver alone approves for somebody")
    command.add_argument("company")
    command.add_argument("employee", help="login name or id")
    command.add_argument("--only-direct", choices=("yes", "no"), required=True)
    command.set_defaults(do=_approval, told=text.decided)


async def _approvers(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with owner_database(settings) as database, database.scope_for_name(parsed.company).transaction() as tx:
        if parsed.employee is not None:
            found: Schema = await operations.explain_approvers(tx, await find(tx, parsed.employee))
        elif parsed.preview is not None:
            found = await operations.preview_following(tx, follow=parsed.preview == "on", limit=sys.maxsize)
        else:
            found = await operations.list_problems(tx, limit=sys.maxsize)
    answer = _answer(parsed.company, found)
    if parsed.employee is None and parsed.preview is None and not parsed.problems:
        del answer["problems"]
    answer.pop("next", None)
    return answer


async def _role(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    change = grants.grant_role if parsed.grant is not None else grants.revoke_role
    role = parsed.grant if parsed.grant is not None else parsed.revoke
    async with (
        owner_database(settings) as database,
        database.scope_for_name(parsed.company).transaction(operator()) as tx,
    ):
        done = await change(tx, await find(tx, parsed.employee), role, parsed.department)
    return _answer(parsed.company, done) | {"employee": parsed.employee}


async def _approval(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with (
        owner_database(settings) as database,
        database.scope_for_name(parsed.company).transaction(operator()) as tx,
    ):
        employee_id = await find(tx, parsed.employee)
        done = await grants.set_only_direct_approver(tx, employee_id, parsed.only_direct == "yes")
    return _answer(parsed.company, done) | {"employee": parsed.employee}


def _answer(company: str, found: Schema) -> Answer:
    return {"company": company, **msgspec.to_builtins(found)}
