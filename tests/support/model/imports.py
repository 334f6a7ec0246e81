"""What an import does: all of a file or nothing (docs/csv-import.md)."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from tests.support.model.company import Company, resolved
from tests.support.model.people import Person, Turn, difference, key
from tests.support.model.provisioning import same, with_calendar_group

Row = dict[str, Any]
"""Attribute -> value; what is empty is not there."""

_HEADERS = {"manager_ref": "manager_login_name", "work_phone": "phone", "mobile_phone": "mobile"}
COLUMNS = [
    "login_name", "email", "given_name", "family_name", "title", "department", "mobile", "country", "employee_number",
    "manager_login_name", "hired_on", "policy",
]  # fmt: skip


def cells(row: Row) -> dict[str, str]:
    return {_HEADERS.get(name, name): str(value) for name, value in row.items()}


@dataclass
class Imported:
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    waiting: int = 0


@dataclass
class _Outcome:
    row: Row
    before: Person | None
    after: Person


def import_rows(
    company: Company, turn: Turn, rows: list[Row], ids: dict[str, UUID]
) -> tuple[Imported, list[tuple[int, str, str]]]:
    """What was done, and the problems: line, column, code. `ids`: by key of the login name, of whoever comes into being."""
    problems = list[tuple[int, str, str]]()
    done, outcomes = Imported(), list[_Outcome]()
    lines: dict[tuple[str, str | None], int] = {}
    for line, row in enumerate(rows, start=2):
        if found := _problems(company, line, row, lines):
            problems += found
            continue
        before = next((one for one in company.present if key(one.login_name) == key(row["login_name"])), None)
        after = _changed(turn, before, row, done) if before else _created(turn, row, ids)
        outcomes.append(_Outcome(row, before, after))
    if problems:
        return Imported(), sorted(problems)
    brought = [one.after for one in outcomes if one.before is None]
    for outcome in outcomes:
        outcome.after = _with_manager(company, outcome, brought, done)
    _write(company, turn, outcomes, done)
    return done, []


def _problems(
    company: Company, line: int, row: Row, lines: dict[tuple[str, str | None], int]
) -> list[tuple[int, str, str]]:
    if "@" not in row["email"]:
        return [(line, "email", "invalid_value")]
    twice = [name for name in ("login_name", "email") if lines.setdefault((name, key(row[name])), line) != line]
    if twice:
        return [(line, name, "duplicate_row") for name in twice]
    by_login = [one for one in company.present if key(one.login_name) == key(row["login_name"])]
    by_email = [one for one in company.present if key(one.email) == key(row["email"])]
    if by_login and by_login[0].state != "active":
        return [(line, "login_name", "login_taken")]
    return [(line, "email", "email_taken")] if by_email and by_email != by_login else []


def _created(turn: Turn, row: Row, ids: dict[str, UUID]) -> Person:
    employee_id = ids.get(key(row["login_name"]) or "", UUID(int=0))
    person = Person(employee_id=employee_id, source="csv", created_at=turn.now, updated_at=turn.now, **row)
    return with_calendar_group(None, person.with_owner("csv", list(row), turn.now))


def _changed(turn: Turn, before: Person, row: Row, done: Imported) -> Person:
    """Entra's word counts where it has given it."""
    said = {name: value for name, value in row.items() if getattr(before, name) != value}
    heeded = {name: value for name, value in said.items() if before.owner(name) != "entra"}
    done.kept += len(heeded) < len(said)
    return with_calendar_group(before, replace(before, **heeded).with_owner("csv", list(heeded), turn.now))


def _with_manager(company: Company, one: _Outcome, brought: list[Person], done: Imported) -> Person:
    reference = one.after.manager_ref
    if reference is None or reference != one.row.get("manager_ref"):
        return one.after
    if one.before and one.before.manager_ref == reference and one.before.manager_id:
        return one.after
    others = [other for other in company.present if other is not one.before]
    manager_id = resolved(reference, [*others, *(new for new in brought if new is not one.after), one.after])
    done.waiting += manager_id is None
    return replace(one.after, manager_id=manager_id)


def _write(company: Company, turn: Turn, outcomes: list[_Outcome], done: Imported) -> None:
    created = [one for one in outcomes if one.before is None]
    changed = [one for one in outcomes if one.before is not None and not same(one.before, one.after)]
    done.created, done.updated = len(created), len(changed)
    done.unchanged = len(outcomes) - len(created) - len(changed)
    for one in created:
        company.people.append(one.after)
    for one in changed:
        assert one.before is not None
        one.after = company.put(turn, one.before, one.after)
    for one in [*created, *changed]:
        company.name_department(turn, one.after)
        kind = "employee.changed" if one.before else "employee.created"
        company.tell(turn, kind, one.after, difference(one.before, one.after))
    names = {key(one.after.login_name): one.after for one in created}
    for report in company.present:
        manager = names.get(key(report.manager_ref))
        if report.manager_ref is not None and report.manager_id is None and manager is not None:
            found = company.put(turn, report, replace(report, manager_id=manager.employee_id))
            company.tell(turn, "employee.manager_linked", found, difference(report, found))
