"""`directory company add|edit|block|unblock|end-employment|rehire|confirm|confirm-cleared|release-attribute|findings|
work-list|finish-work`."""

import argparse
import re
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, TypeVar

import msgspec

from directory.cli.company import json_command
from directory.cli.environment import operator, owner_database
from directory.database import CompanyTx
from directory.employees import hr, writing
from directory.employees.keys import MANDATORY
from directory.employees.people import view
from directory.employees.record import EmployeeRecord
from directory.employees.releasing import release_attribute
from directory.findings.catalogue import FindingKind
from directory.findings.store import open_findings
from directory.settings import DatabaseSettings
from directory.worklist.operations import work_list
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import TerminationSource
from shared.schemas.people import EmployeeEdits, NewPerson, PersonView

Answer = dict[str, Any]
ValuesT = TypeVar("ValuesT", EmployeeEdits, NewPerson)
Act = Callable[[CompanyTx, argparse.Namespace], Awaitable[EmployeeRecord]]


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommands of this module."""
    command = _company_command(subcommands, "add", "create somebody by hand, whom Entra does not know", _add)
    command.add_argument(
        "--set",
        action="append",
        required=True,
        metavar="NAME=VALUE",
        help="login_name, email, given_name and family_name are needed; also "
        + ", ".join(name for name in NewPerson.__struct_fields__ if name not in MANDATORY),
    )
    command.set_defaults(told=_told_person)
    command = _person_command(subcommands, "edit", "change what HR owns of somebody", _edit)
    command.add_argument(
        "--set",
        action="append",
        required=True,
        metavar="NAME=VALUE",
        help=f"may be given several times; NAME= clears. Names: {', '.join(EmployeeEdits.__struct_fields__)}",
    )
    _person_command(subcommands, "block", "take somebody's access away at once, whatever Entra says", _block)
    _person_command(subcommands, "unblock", "give blocked access back", _unblock)
    command = _person_command(
        subcommands,
        "end-employment",
        "end an employment by hand: access ends, login name and e-mail are released",
        _end,
    )
    command.add_argument("--on", type=_date, metavar="YYYY-MM-DD", help="termination date; today if not given")
    command = _person_command(
        subcommands, "rehire", "decide on a return after a long absence: the same employment, or a new one", _rehire
    )
    choice = command.add_mutually_exclusive_group(required=True)
    for name, help_text in (("continue", "the same employee with his history"), ("new", "a new employment, a new id")):
        choice.add_argument(f"--{name}", dest="choice", action="store_const", const=name, help=help_text)
    _person_command(
        subcommands,
        "confirm",
        "let Entra take over the account of an administrator, or of one who has signed in",
        _confirm,
    )
    command = _person_command(
        subcommands,
        "confirm-cleared",
        "say that Entra has cleared a manager, as a finding supposes, or that he stays",
        _cleared,
    )
    command.add_argument("--keep", action="store_true", help="the manager stays")
    _person_command(subcommands, "finish-work", "say that a leaver's future registrations are dealt with", _finish)
    command = _company_command(
        subcommands, "release-attribute", "an attribute is no longer mapped in Entra: it is HR's from now on", _release
    )
    command.add_argument("attribute", help="its name as `directory company employee` shows it, e.g. title")
    command.set_defaults(
        told=lambda answer: f"{answer['attribute']} is HR's now; it was Entra's of {answer['people']} people."
    )
    _company_command(
        subcommands, "findings", "what somebody ought to look at, until it is over", _findings
    ).set_defaults(told=_told_findings)
    command = _company_command(
        subcommands, "work-list", "who came or went, and what HR has left to do for him", _work_list
    )
    command.add_argument("--after", default="", metavar="ID", help="the `next` of the page before")
    command.set_defaults(told=_told_work)


def _company_command(
    subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    help_text: str,
    do: Callable[[DatabaseSettings, argparse.Namespace], Awaitable[Answer]],
) -> argparse.ArgumentParser:
    command = json_command(subcommands, name, help_text)
    command.add_argument("company")
    command.set_defaults(do=do)
    return command


def _person_command(
    subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, help_text: str, act: Act
) -> argparse.ArgumentParser:
    async def do(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
        async with owner_database(settings) as database:

            async def attempt() -> EmployeeRecord:
                async with database.scope_for_name(parsed.company).transaction(operator()) as tx:
                    return await act(tx, parsed)

            after = await writing.repeated(attempt)
        return _plain(view(after, entra_still_holds=after.state == "departed" and after.source == "entra"))

    command = _company_command(subcommands, name, help_text, do)
    command.add_argument("person", help="id (emp_…) or login name")
    command.set_defaults(told=_told_person)
    return command


async def _add(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    new = _read(parsed.set, NewPerson)
    async with owner_database(settings) as database:

        async def attempt() -> EmployeeRecord:
            async with database.scope_for_name(parsed.company).transaction(operator()) as tx:
                return await hr.create_employee(tx, new)

        return _plain(view(await writing.repeated(attempt)))


async def _edit(tx: CompanyTx, parsed: argparse.Namespace) -> EmployeeRecord:
    return await hr.edit_employee(tx, parsed.person, _read(parsed.set, EmployeeEdits))


def _read(pairs: list[str], kind: type[ValuesT]) -> ValuesT:
    values: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise DomainError(ErrorCode.invalid_request, f"--set wants NAME=VALUE; came {pair[:80]!r}.")
        values[name] = (_day(name, value) if name in _DAYS else value) if value else None
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        known = ", ".join(kind.__struct_fields__)
        raise DomainError(ErrorCode.invalid_request, f"{error}. HR can set {known}.") from None


_DAYS = frozenset({"hired_on", "leave_date"})


def _day(name: str, text: str) -> date:
    try:
        return _date(text)
    except argparse.ArgumentTypeError as error:
        raise DomainError(ErrorCode.invalid_value, f"{name} wants {error}.", field=name) from None


async def _block(tx: CompanyTx, parsed: argparse.Namespace) -> EmployeeRecord:
    return await hr.set_blocked(tx, parsed.person, True)


async def _unblock(tx: CompanyTx, parsed: argparse.Namespace) -> EmployeeRecord:
    return await hr.set_blocked(tx, parsed.person, False)


async def _end(tx: CompanyTx, parsed: argparse.Namespace) -> EmployeeRecord:
    return await hr.end_employment(tx, parsed.person, parsed.on)


async def _rehire(tx: CompanyTx, parsed: argparse.Namespace) -> EmployeeRecord:
    return await hr.decide_rehire(tx, parsed.person, "continue" if parsed.choice == "continue" else "new_employment")


async def _confirm(tx: CompanyTx, parsed: argparse.Namespace) -> EmployeeRecord:
    return await hr.confirm_adoption(tx, parsed.person)


async def _cleared(tx: CompanyTx, parsed: argparse.Namespace) -> EmployeeRecord:
    return await hr.confirm_cleared(tx, parsed.person, keep=parsed.keep)


async def _finish(tx: CompanyTx, parsed: argparse.Namespace) -> EmployeeRecord:
    return await hr.finish_work(tx, parsed.person)


async def _release(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with owner_database(settings) as database:
        scope = database.scope_for_name(parsed.company)
        people = await release_attribute(lambda: scope.transaction(operator()), parsed.attribute)
    return {"company": parsed.company, "attribute": parsed.attribute, "people": people}


async def _findings(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with owner_database(settings) as database, database.scope_for_name(parsed.company).transaction() as tx:
        return {"findings": [_plain(one) for one in await open_findings(tx)]}


async def _work_list(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    async with owner_database(settings) as database, database.scope_for_name(parsed.company).transaction() as tx:
        return _plain(await work_list(tx, parsed.after))


def _plain(struct: msgspec.Struct) -> Answer:
    plain: Answer = msgspec.to_builtins(struct)
    return plain


_WHOSE: dict[TerminationSource, str] = {
    "inactivation": "the day of the deactivation",
    "leave_date": "his leave date",
    "hr": "chosen by HR",
}


def _told_person(answer: Answer) -> str:
    person = msgspec.convert(answer, PersonView)
    line = f"{person.id}  {person.given_name} {person.family_name}, {person.state}, access: {person.access.replace('_', ' ')}"
    if person.termination_date and person.termination_source:
        line += f", termination date {person.termination_date} ({_WHOSE[person.termination_source]})"
    elif person.leave_date:
        line += f", leave date {person.leaves_on or f'{person.leave_date!r}, which cannot be read'}"
    if person.entra_still_holds:
        line += "\nEntra does not know: take the person out of the app's assignment there, too."
    return line


_SOURCE = re.compile(r" \([AS]\d+\)")


def _told_findings(answer: Answer) -> str:
    if not answer["findings"]:
        return "Nothing to look at."
    lines = []
    for one in answer["findings"]:
        about = one["employee_id"] if one["employee_id"] and one["employee_id"] != one["subject"] else None
        people = one["details"].get("people")
        manager = one["details"].get("manager_id")
        about = f"manager {manager}" if manager else about
        often = f", {one['times']} times" if one["times"] > 1 else ""
        if people:
            often = ", one person" if people == 1 else f", {people} people"
        if expires := one["details"].get("expires_at"):
            often = f", ends {str(expires)[:10]}"
        seen = f"since {str(one['opened_at'])[:10]}{often}"
        lines.append(f"{one['kind']}: {one['subject']}{f', {about}' if about else ''} ({seen})")
        # Whoever reads this has the product's sentences nowhere at hand.
        lines.append(f"  {_SOURCE.sub('', FindingKind[one['kind']].meaning)}.")
    return "\n".join(lines)


def _told_work(answer: Answer) -> str:
    if not answer["items"]:
        return "Nothing left to do."
    lines = []
    for item in answer["items"]:
        left = ", ".join(step["step"].replace("_", " ") for step in item["steps"] if not step["done"])
        lines.append(f"{item['kind']}  {item['employee_id']}  {item['name']}: {left}")
    if answer["next"]:
        lines.append(f"More: --after {answer['next']}")
    return "\n".join(lines)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a date such as 2026-12-31, not {text!r}") from None
