"""What an import does to a company: its rows and the people concerned in; who is created and who is changed out. Pure.

    login name and e-mail of nobody             -> a new person, from CSV
    login name of an active person              -> changed: what Entra owns stays, whatever the file says
    login name of a suspended person            -> problem, naming him (S48)
    e-mail of another person, active or not     -> problem, naming him: two people are never merged
    login name or e-mail twice in the file      -> problem, naming both lines

An empty cell leaves things as they are. A manager may be a later row of the same file, or nobody yet; nothing follows a chain.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from directory.employees import approvers
from directory.employees.keys import search_key
from directory.employees.record import EmployeeRecord, Ownership, owned
from directory.employees.revisions import next_version, with_calendar_group
from directory.imports.csv_rows import Row
from directory.imports.remarks import NoteCode, ProblemCode, Remarks
from shared.ids import employee_from_text, new_employee_id

ATTRIBUTES = tuple(name for name in Row.__struct_fields__ if name not in {"line", "sound"})


class Change(msgspec.Struct, frozen=True):
    before: EmployeeRecord
    after: EmployeeRecord


class Plan(msgspec.Struct):
    """What to write, unless there are problems."""

    created: list[EmployeeRecord] = []
    changed: list[Change] = []
    unchanged: int = 0
    kept: int = 0
    """Rows that say something else than Entra about what is Entra's; it stays."""
    waiting: int = 0
    """Rows whose manager is nobody yet."""


class People:
    """Whom the rows may mean or name: those who are there, and those whom the file brings."""

    def __init__(self, present: Iterable[EmployeeRecord]) -> None:
        self.by_login: dict[str | None, EmployeeRecord] = {}
        self.by_email: dict[str | None, EmployeeRecord] = {}
        self._by_id: dict[object, EmployeeRecord] = {}
        self._by_external_id: dict[str | None, EmployeeRecord] = {}
        for one in present:
            self.add(one)
            self.by_email[one.email_key] = one
            self._by_id[one.employee_id] = one
            self._by_external_id[one.external_id] = one

    def add(self, one: EmployeeRecord) -> None:
        self.by_login[one.login_key] = one

    def manager(self, reference: str) -> EmployeeRecord | None:
        """Whom the reference means, by the rule for all references."""
        found = (
            self._by_id.get(employee_from_text(reference)),
            self._by_external_id.get(reference),
            self.by_login.get(search_key(reference)),
        )
        people = [one for one in found if one is not None]
        meant = approvers.resolve(reference, people)
        return next((one for one in people if one.employee_id == meant), None)


def plan(rows: Sequence[Row], people: People, now: datetime, problems: Remarks, notes: Remarks) -> Plan:
    """Managers come last: they may be later rows."""
    planned = Plan()
    outcomes: list[tuple[Row, EmployeeRecord | None, EmployeeRecord]] = []
    lines: dict[tuple[str, str], int] = {}
    for row in rows:
        if _stands_twice(row, lines, problems) or _is_taken(row, people, problems) or not row.sound:
            continue
        before = people.by_login.get(search_key(row.login_name))
        after = _created(row, now) if before is None else _changed(row, before, now, planned)
        outcomes.append((row, before, after))
    for _, before, after in outcomes:
        if before is None:
            people.add(after)
    for row, before, after in outcomes:
        after = _with_manager(row, before, after, people, planned, notes)
        _sort_in(row, before, after, now, planned, notes)
    return planned


def _sort_in(
    row: Row, before: EmployeeRecord | None, after: EmployeeRecord, now: datetime, planned: Plan, notes: Remarks
) -> None:
    if before is None:
        planned.created.append(after)
    elif before != after:
        planned.changed.append(Change(before, next_version(after, now)))
    else:
        planned.unchanged += 1
    if after.country is not None and after.calendar_group is None and after.country == row.country:
        told = f"Nobody knows a calendar group for the country '{after.country}'; write its code, such as DK."
        notes.add(row.line, "country", NoteCode.unknown_country, told)


def _stands_twice(row: Row, lines: dict[tuple[str, str], int], problems: Remarks) -> bool:
    twice = False
    for column in ("login_name", "email"):
        value = getattr(row, column)
        first = lines.setdefault((column, search_key(value)), row.line)
        if first != row.line:
            told = f"{column} '{value}' stands in line {first} already."
            problems.add(row.line, column, ProblemCode.duplicate_row, told)
            twice = True
    return twice


def _is_taken(row: Row, people: People, problems: Remarks) -> bool:
    holder = people.by_login.get(search_key(row.login_name))
    if holder is not None and holder.state != "active":
        told = f"login_name '{row.login_name}' belongs to {_who(holder)}. {_remedy(holder)}"
        problems.add(row.line, "login_name", ProblemCode.login_taken, told)
        return True
    other = people.by_email.get(search_key(row.email))
    if other is None or other is holder:
        return False
    told = f"email '{row.email}' belongs to {_who(other)}. {_remedy(other)}"
    problems.add(row.line, "email", ProblemCode.email_taken, told)
    return True


def _who(holder: EmployeeRecord) -> str:
    name = f"{holder.given_name} {holder.family_name}, login name '{holder.login_name}'"
    return f"{name}, suspended since {holder.termination_date}" if holder.state == "suspended" else name


def _remedy(holder: EmployeeRecord) -> str:
    if holder.state == "suspended":
        return "Reactivate him where he is governed, or end his employment, which releases his names."
    return "Correct the row, or change the address of the other one first."


def _created(row: Row, now: datetime) -> EmployeeRecord:
    sent = _sent(row)
    created = EmployeeRecord(
        employee_id=new_employee_id(),
        state="active",
        source="csv",
        owners=_all_of_the_file(tuple(sent), now),
        created_at=now,
        updated_at=now,
        **sent,
    )
    return with_calendar_group(None, created)


@lru_cache(maxsize=64)
def _all_of_the_file(names: tuple[str, ...], now: datetime) -> dict[str, Ownership]:
    """One for all rows with the same cells filled in, and never changed in place."""
    return {name: Ownership("csv", now) for name in names}


def _changed(row: Row, before: EmployeeRecord, now: datetime, planned: Plan) -> EmployeeRecord:
    """With what the file says otherwise; Entra's word counts where it has given it."""
    said = {name: value for name, value in _sent(row).items() if getattr(before, name) != value}
    heeded = {name: value for name, value in said.items() if before.owner_of(name) != "entra"}
    planned.kept += len(heeded) < len(said)
    after = msgspec.structs.replace(before, **heeded)
    return with_calendar_group(before, owned(after, "csv", heeded, now))


def _with_manager(
    row: Row, before: EmployeeRecord | None, after: EmployeeRecord, people: People, planned: Plan, notes: Remarks
) -> EmployeeRecord:
    reference = after.manager_ref
    known = before is not None and reference == before.manager_ref and before.manager_id is not None
    # Another reference than the row's is Entra's or HR's: who answers to it has not been read, and it waits as it did.
    if reference is None or known or reference != row.manager_ref:
        return after
    manager = people.manager(reference)
    if manager is None:
        planned.waiting += 1
        told = f"Nobody has the login name '{reference}' yet; the link is made when he appears."
        notes.add(row.line, "manager_login_name", NoteCode.manager_waiting, told)
    elif manager.employee_id == after.employee_id:
        notes.add(row.line, "manager_login_name", NoteCode.manager_self, f"'{row.login_name}' is his own manager.")
    return msgspec.structs.replace(after, manager_id=manager.employee_id if manager else None)


def _sent(row: Row) -> dict[str, Any]:
    return {name: value for name in ATTRIBUTES if (value := getattr(row, name)) is not None}
