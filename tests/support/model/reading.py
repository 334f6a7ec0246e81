"""What is read off the model's people: the work list, open findings, and how Entra and HR are shown somebody."""

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.schemas.employee import Employee
from shared.schemas.group import Group as GroupView
from shared.schemas.people import Owned, PersonView
from tests.support.model.company import Company, Group, Held
from tests.support.model.people import SENT_BY_ENTRA, Person, key
from tests.support.model.retention import erased_from


def shown_to_entra(person: Person) -> Employee:
    """Whoever waits for HR's choice is active: Entra has said so, and compares (D7)."""
    return Employee(
        id=person.text,
        state="active" if person.rehire_asked_at else person.state,  # type: ignore[arg-type]
        manager_id=_text(person.manager_id),
        termination_date=person.termination_date,
        termination_source=person.termination_source,  # type: ignore[arg-type]
        created_at=person.created_at,
        updated_at=person.updated_at,
        version=person.version,
        **{name: getattr(person, name) for name in SENT_BY_ENTRA},
    )


def shown_group(group: Group) -> GroupView:
    return GroupView(
        id=group.text,
        display_name=group.display_name,
        external_id=group.external_id,
        members=[f"emp_{one.hex}" for one in sorted(group.members)],
        created_at=group.created_at,
        updated_at=group.updated_at,
        version=group.version,
    )


def shown_to_hr(person: Person) -> PersonView:
    same = [
        "login_name", "email", "given_name", "family_name", "title", "department", "employee_number", "work_phone",
        "mobile_phone", "country", "calendar_group", "manager_ref", "hired_on", "policy", "leave_date", "leaves_on",
        "termination_date", "termination_source",
        "only_direct_approver", "version", "state",
    ]  # fmt: skip
    return PersonView(
        id=person.text,
        access=_access(person),  # type: ignore[arg-type]
        manager_id=_text(person.manager_id),
        roles=list(person.roles),
        previous_employee_id=_text(person.previous_employee_id),
        owners={name: Owned(owner=owner, since=since) for name, (owner, since) in person.owners.items()},  # type: ignore[arg-type]
        entra_still_holds=person.state == "departed" and person.source == "entra",
        **{name: getattr(person, name) for name in same},
    )


def _access(person: Person) -> str:
    if person.state == "departed":
        return "departed"
    if person.rehire_asked_at is not None:
        return "awaits_rehire"
    if person.blocked_at is not None:
        return "blocked"
    return "open" if person.state == "active" else "suspended"


def findings(company: Company) -> set[tuple[object, ...]]:
    """Kind, subject, employee, opened, last seen, times: those that are kept, and those that can be seen at any time."""
    kept = {
        (kind, subject, _text(one.employee_id), one.opened_at, one.last_seen_at, one.times)
        for (kind, subject), one in company.findings.items()
    }
    returns = {
        ("rehire", one.text, one.text, one.rehire_asked_at, one.rehire_asked_at, 1)
        for one in company.people
        if one.rehire_asked_at
    }
    unknown: dict[tuple[str, str], list[Person]] = {}
    for one in company.present:
        if one.country is not None and one.calendar_group is None:
            unknown.setdefault(("unknown_country", one.country), []).append(one)
        if one.leave_date is not None and one.leaves_on is None:
            unknown.setdefault(("unknown_leave_date", one.leave_date), []).append(one)
    unread = {
        (kind, text, None, min(one.created_at for one in people), max(one.updated_at for one in people), len(people))
        for (kind, text), people in unknown.items()
    }
    return kept | returns | unread | _braked(company)


def _braked(company: Company) -> set[tuple[object, ...]]:
    held = held_now(company).values()
    if not held:
        return set()
    first, last = min(one.asked_at for one in held), max(one.last_asked_at for one in held)
    return {("mass_deactivation_held", "company", None, first, last, sum(one.times for one in held))}


def held_now(company: Company, state: str = "held") -> dict[str, Held]:
    """By the person: whoever has gone meanwhile is shown to nobody."""
    return {
        person.text: company.held[person.employee_id]
        for person in company.people
        if person.state == "active" and person.employee_id in company.held
        if company.held[person.employee_id].state == state
    }


def move(company: Company) -> tuple[str, dict[str, int], list[str | None]]:
    """How far it is; of the active people, how many there are, are linked, wait, have addresses outside; and who waits."""
    active = [one for one in company.people if one.state == "active"]
    domains = company.next.domains if company.next else ()
    waiting = [one for one in active if one.awaits_link_since is not None]
    people = {
        "people": len(active),
        "linked": sum(one.entra_object_id is not None for one in active),
        "waiting": len(waiting),
        "outside": sum((key(one.email) or "").split("@")[-1] not in domains for one in active if domains),
    }
    first = [one.login_name for one in company.present if one.awaits_link_since is not None]
    if company.next is not None:
        return "prepared", people, first
    return "waiting" if waiting else "moved" if company.retired else "none", people, first


def work_list(company: Company) -> dict[str, tuple[str, datetime, dict[str, tuple[bool, str | None]]]]:
    """S10: who came or went -> kind, since, and each step: done, about."""
    items = {one.text: _joiner(one) if one.state == "active" else _leaver(company, one) for one in company.people}
    return {text: item for text, item in items.items() if not all(done for done, _ in item[2].values())}


def _joiner(one: Person) -> tuple[str, datetime, dict[str, tuple[bool, str | None]]]:
    wanted: dict[str, Any] = {
        "policy": one.policy,
        "date_of_employment": one.hired_on.isoformat() if one.hired_on else None,
        "payroll_number": one.employee_number,
    }
    return "joiner", one.created_at, {step: (value is not None, value) for step, value in wanted.items()}


def _leaver(company: Company, one: Person) -> tuple[str, datetime, dict[str, tuple[bool, str | None]]]:
    reports = [
        report
        for report in company.people
        if report.state == "active"
        and (report.manager_id == one.employee_id or (report.manager_id is None and report.manager_ref == one.text))
    ]
    ended_at, day = _ended_at(company, one), erased_from(company, one)
    steps = {
        "approvals_of_reports": (not reports, str(len(reports))),
        "future_registrations": (one.leaver_done_at is not None, _moment(one.leaver_done_at)),
        "access_ended": (True, _moment(ended_at)),
        "erasure_date": (True, day.isoformat() if day else None),
    }
    return "leaver", ended_at, steps


def _ended_at(company: Company, one: Person) -> datetime:
    """When he was active for the last time; whoever never was came as a leaver."""
    ends = [
        event.at
        for event in company.history
        if event.employee_id == one.employee_id
        and event.changes.get("state", {}).get("before") in {None, "active"}
        and event.changes.get("state", {}).get("after") in {"suspended", "departed"}
    ]
    return max(ends, default=one.created_at)


def _text(employee_id: UUID | None) -> str | None:
    return f"emp_{employee_id.hex}" if employee_id else None


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
