"""What HR does to people beside Entra."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.support.model.company import Company
from tests.support.model.people import MANDATORY, OWNED, Person, Refused, Turn, with_leave_date
from tests.support.model.provisioning import check, resumed, same, with_calendar_group


def found(company: Company, person: str) -> Person:
    known = company.named(person)
    if known is None:
        raise Refused("not_found")
    return known


def _present(company: Company, person: str) -> Person:
    known = found(company, person)
    if not known.present:
        raise Refused("not_allowed")
    return known


def edit(company: Company, turn: Turn, person: str, edits: dict[str, Any]) -> Person:
    check(edits)
    before = _present(company, person)
    edits = _checked_dates(turn, before, edits)
    told = [name for name, value in edits.items() if value != getattr(before, name)]
    after = replace(before, **edits).with_owner("hr", told, turn.now)
    after = company.linked(before, with_leave_date(turn, before, with_calendar_group(before, after)))
    if same(before, after):
        return before
    governed = {name for name in told if before.owner(name) == "entra" and not _no_longer_sent(company, name)}
    moves = company.next is not None or before.awaits_link_since is not None
    if governed and not (moves and governed <= {"login_name", "email"}):
        raise Refused("not_allowed")
    return company.change(turn, "employee.changed", before, after)


def _checked_dates(turn: Turn, before: Person, edits: dict[str, Any]) -> dict[str, Any]:
    """The leave date as text, as Entra's is kept."""
    hired_on = edits.get("hired_on")
    if hired_on is not None and not date(1900, 1, 1) <= hired_on <= turn.today + timedelta(days=731):
        raise Refused("invalid_value")
    day = edits.get("leave_date")
    if day is None:
        return edits
    ended_on = before.suspended_on if before.state == "suspended" and before.suspended_on else turn.today
    began = edits.get("hired_on", before.hired_on)
    earliest = ended_on - timedelta(days=92)
    if not max(earliest, began or earliest) <= day <= ended_on + timedelta(days=366):
        raise Refused("invalid_value")
    return {**edits, "leave_date": day.isoformat()}


def _no_longer_sent(company: Company, attribute: str) -> bool:
    """S25: none of the newest people of Entra's has it from Entra."""
    of_entra = sorted((one for one in company.people if one.source == "entra"), key=lambda one: one.employee_id)
    newest = of_entra[-company.evidence :]
    return (
        attribute != "leave_date"
        and len(newest) == company.evidence
        and all(one.owner(attribute) != "entra" for one in newest)
    )


def end_employment(company: Company, turn: Turn, person: str, on: date | None) -> Person:
    before = _present(company, person)
    earliest = before.hired_on or turn.today - timedelta(days=366)
    if on is not None and not earliest <= on <= turn.today + timedelta(days=366):
        raise Refused("invalid_value")
    # HR's today is HR's choice; of somebody suspended the first date stays.
    return company.depart(turn, before, on or (turn.today if before.state == "active" else None))


def block(company: Company, turn: Turn, person: str, blocked: bool) -> Person:
    before = _present(company, person)
    if (before.blocked_at is not None) == blocked:
        return before
    kind = "employee.blocked" if blocked else "employee.unblocked"
    return company.change(turn, kind, before, replace(before, blocked_at=turn.now if blocked else None))


def decide_rehire(company: Company, turn: Turn, person: str, choice: str, new_id: UUID) -> Person:
    """A11: he goes on, or begins anew with his names and what Entra says of him."""
    before = _present(company, person)
    if before.rehire_asked_at is None:
        raise Refused("not_allowed")
    if choice == "continue":
        return company.change(turn, "employee.resumed", before, resumed(turn, before))
    company.depart(turn, before)
    return company.add(turn, "employee.created", _new_employment(turn, before, new_id))


def _new_employment(turn: Turn, old: Person, new_id: UUID) -> Person:
    kept = {name: (owner, turn.now) for name, (owner, _) in old.owners.items() if name not in {"hired_on", "policy"}}
    number = old.employee_number if old.owner("employee_number") == "entra" else None
    if number is None:
        kept.pop("employee_number", None)
    return replace(
        old, employee_id=new_id, state="active", roles=(), manager_id=None, termination_date=None, termination_source=None,
        suspended_on=None, spent_leave_date=old.leave_date, owners=kept,
        employee_number=number, hired_on=None, policy=None, blocked_at=None, rehire_asked_at=None, adoption_confirmed_at=None,
        previous_employee_id=old.employee_id, only_direct_approver=False, leaver_done_at=None, awaits_link_since=None,
        created_at=turn.now, updated_at=turn.now, version=1,
    )  # fmt: skip


def confirm_adoption(company: Company, turn: Turn, person: str) -> Person:
    before = _present(company, person)
    company.findings.pop(("adoption_waits", before.text), None)
    if (before.source == "entra" and before.entra_object_id) or before.adoption_confirmed_at is not None:
        return before
    after = replace(before, adoption_confirmed_at=turn.now)
    return company.change(turn, "employee.adoption_confirmed", before, after)


def finish_work(company: Company, turn: Turn, person: str) -> Person:
    before = found(company, person)
    if before.state == "active":
        raise Refused("not_allowed")
    if before.leaver_done_at is not None:
        return before
    return company.change(turn, "employee.work_done", before, replace(before, leaver_done_at=turn.now))


def check_attribute(attribute: str) -> None:
    if attribute not in OWNED or attribute in MANDATORY:
        raise Refused("invalid_value")


def release_attribute(company: Company, turn: Turn, attribute: str) -> int:
    """S25: mapped no more in Entra, so it is HR's of everybody who is there."""
    held = [one for one in company.present if one.owner(attribute) == "entra"]
    for before in held:
        company.change(turn, "employee.changed", before, before.with_owner("hr", [attribute], turn.now))
    return len(held)


def note_mapping(company: Company, turn: Turn, missing: list[str]) -> None:
    for attribute in missing:
        company.raise_finding(turn, "active_not_mapped" if attribute == "active" else "mapping_broken", attribute)


def admin(company: Company, session: str, now: datetime) -> Person:
    """Whose session it is, if he is a Setup admin with access."""
    held = company.sessions.get(session)
    person = company.by_id(held.employee_id) if held and held.expires_at > now else None
    if person is None or not person.has_access:
        raise Refused("unauthorized")
    if "setup_admin" not in person.roles:
        raise Refused("not_allowed")
    return person
