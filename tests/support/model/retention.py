"""Erasing whoever left longer ago than his company keeps people (docs/retention.md)."""

import calendar
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from tests.support.model.company import Company
from tests.support.model.people import NAMES, Person, Turn, difference, key


def erase(company: Company, turn: Turn) -> int:
    """Of how many people nothing is left but that something happened to an id."""
    due = sorted((one for one in company.people if _is_due(company, turn, one)), key=lambda one: one.employee_id)
    stay = sorted((one for one in company.people if one not in due), key=lambda one: one.employee_id)
    if not due:
        return 0
    ids = {one.employee_id for one in due}
    _change(company, turn, "employee.manager_lost", stay, lambda one: one.manager_id in ids, "manager_id")
    stay = [company.by_id(one.employee_id) for one in stay]
    former = "previous_employee_id"
    _change(company, turn, "employee.changed", stay, lambda one: one.previous_employee_id in ids, former)
    stay = [company.by_id(one.employee_id) for one in stay]
    for one in due:
        company.take_out_of_groups(turn, one)
    _clear_references(company, turn, due, stay)
    _clear_traces(company, due, stay)
    for one in due:
        _forget(company, one.employee_id)
        company.people.remove(one)
        company.erased.append(one.employee_id)
    for one in due:
        company.tell(turn, "employee.erased", one, {})
    return len(due)


def erased_from(company: Company, person: Person) -> date | None:
    """The day from which on he is erased: so many months later, or the last day of that month where it has no such day."""
    end, months = person.termination_date, company.settings.erase_after_months
    if end is None or months is None:
        return None
    year, month = divmod(end.year * 12 + end.month - 1 + months, 12)
    day = date(year, month + 1, min(end.day, calendar.monthrange(year, month + 1)[1]))
    # Not within a month of the deactivation, whatever the date says.
    return day if person.suspended_on is None else max(day, person.suspended_on + timedelta(days=31))


def _is_due(company: Company, turn: Turn, person: Person) -> bool:
    day = erased_from(company, person)
    return day is not None and day <= turn.today and person.state != "active" and person.rehire_asked_at is None


def _change(
    company: Company, turn: Turn, kind: str, stay: list[Person], meant: Callable[[Person], bool], attribute: str
) -> None:
    """Those who stay let go of those who are erased."""
    for before in [one for one in stay if meant(one)]:
        after = company.put(turn, before, replace(before, **{attribute: None}))  # type: ignore[arg-type]
        told = difference(before, after)
        if attribute == "manager_ref":  # which is what must not be told
            told = {attribute: {"before": None, "after": None}}
        company.tell(turn, kind, after, told)


def _clear_references(company: Company, turn: Turn, due: list[Person], stay: list[Person]) -> None:
    """References to a manager by a name of his, in what waits and in what was told; unless somebody bears the name now, or it
    is linked to somebody who stays."""
    his = {name for one in due for name in _names(company, one)}

    def means_him(reference: str | None) -> bool:
        if reference is None or reference.startswith("emp_") or key(reference) not in his:
            return False
        return not any(
            key(reference) in {key(one.login_name), key(one.email)} or reference == one.external_id for one in stay
        )

    linked: dict[UUID | None, str | None] = {
        one.employee_id: one.manager_ref for one in stay if one.manager_id is not None
    }
    for event in company.history:
        if told := event.changes.get("manager_ref"):
            stands = linked.get(event.employee_id)
            event.changes["manager_ref"] = {
                when: None if one != stands and means_him(one) else one for when, one in told.items()
            }
    waiting = [one for one in stay if one.manager_id is None]
    _change(company, turn, "employee.changed", waiting, lambda one: means_him(one.manager_ref), "manager_ref")


def _clear_traces(company: Company, due: list[Person], stay: list[Person]) -> None:
    """Sign-ins that presented a name of his, unless somebody bears it now."""
    borne = {one for person in stay for one in (key(person.login_name), key(person.email), person.external_id)}
    his = {name for one in due for name in _names(company, one)} - borne
    company.traces = [one for one in company.traces if one.name not in his]


def _names(company: Company, person: Person) -> set[str | None]:
    """By which others may have named him: all that he ever bore, as keys."""
    told = [event.names or {} for event in company.history if event.employee_id == person.employee_id]
    former = {key(name) for names in told for change in names.values() for name in change.values()}
    return {*(key(getattr(person, name)) for name in NAMES), *person.released, *former} - {None}


def _forget(company: Company, employee_id: UUID) -> None:
    for event in company.history:
        if event.employee_id == employee_id:
            event.changes, event.names = {}, None
    company.sessions = {name: one for name, one in company.sessions.items() if one.employee_id != employee_id}
    company.tickets = {name: one for name, one in company.tickets.items() if one[0] != employee_id}
    company.traces = [one for one in company.traces if one.employee_id != employee_id]
    company.grants = {name: one for name, one in company.grants.items() if name[1] != employee_id}
    company.findings = {name: one for name, one in company.findings.items() if one.employee_id != employee_id}
    company.held.pop(employee_id, None)
