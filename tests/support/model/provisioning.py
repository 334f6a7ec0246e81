"""What Entra does to people: create, change, remove, find."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from tests.support.model import brake
from tests.support.model.company import Company
from tests.support.model.people import (
    COUNTRIES,
    MANDATORY,
    SENT_BY_ENTRA,
    Person,
    Refused,
    Turn,
    ended,
    key,
    object_id,
    with_leave_date,
)

Values = dict[str, Any]


def create(company: Company, turn: Turn, new: Values, missing: list[str], new_id: UUID) -> tuple[str, Person]:
    """D1: who is meant, and what becomes of him. The outcome, and the person."""
    check(new)
    meant = _meant(company, new)
    for other in company.present:
        if other is not meant and (code := _collision(new, other)):
            raise Refused(code)
    kind = "created" if meant is None else _outcome(company, turn, meant, new)
    if meant is not None and meant.state == "active":
        if new.get("active", True):
            brake.withdraw(company, turn, meant)
        else:
            brake.stop(company, turn, meant, "suspend")
            brake.passed(company, turn, meant)
    for attribute in missing:
        company.raise_finding(turn, "active_not_mapped" if attribute == "active" else "mapping_broken", attribute)
    for over in [one for one in company.findings if one[0] in {"active_not_mapped", "mapping_broken"}]:
        if over[1] not in missing:
            del company.findings[over]
    if meant is None:
        return kind, company.add(turn, "employee.created", _created(turn, new, new_id))
    after = _taken_over(turn, meant, new)
    after = _as_said(company, turn, meant, after, new.get("active", True))
    after = company.linked(meant, after)
    asked = after.rehire_asked_at is not None and meant.rehire_asked_at is None
    changed = company.change(turn, "employee.rehire_asked" if asked else f"employee.{kind}", meant, after)
    return "adopted" if kind == "relinked" else kind, changed


def change(
    company: Company, turn: Turn, employee_id: UUID, changes: Values, anyway: bool
) -> tuple[Person, bool, str | None]:
    """The person, whether anything changed, and the code of what was left out (D5)."""
    try:
        return *_change(company, turn, employee_id, changes), None
    except Refused as refused:
        mendable = refused.code.endswith("_taken") or refused.code in {"invalid_value", "needs_confirmation"}
        if not anyway or changes.get("active") is not False or changes == {"active": False} or not mendable:
            raise
        return *_change(company, turn, employee_id, {"active": False}), refused.code


def _change(company: Company, turn: Turn, employee_id: UUID, changes: Values) -> tuple[Person, bool]:
    check(changes)
    before = _present(company, employee_id)
    alone = changes == {"active": False}
    link = object_id(changes.get("external_id"))
    if not alone and (guarded(before) or (_tied(before) and link not in {None, before.entra_object_id})):
        company.raise_finding(turn, "adoption_waits", before.text, before)
        company.asked_by_sign_in.discard(before.text)
        raise Refused("needs_confirmation")
    said = changes.get("active") if before.state == "active" else None
    if said is False:
        brake.stop(company, turn, before, "suspend")
    sent = {name: value for name, value in changes.items() if name != "active"}
    told = [name for name, value in sent.items() if value is not None or getattr(before, name) is not None]
    after = replace(before, **sent, **_link_key(sent)).with_owner("entra", told, turn.now)
    after = with_leave_date(turn, before, with_calendar_group(before, after))
    if "active" in changes:
        after = _as_said(company, turn, before, after, changes["active"])
    after = company.linked(before, after)
    company.check_free(before, after)
    if said is not None:
        (brake.withdraw if said else brake.passed)(company, turn, before)
    if same(before, after):
        return before, False
    if not (alone and (guarded(before) or _tied(before))):
        after = replace(after, source="entra", awaits_link_since=None)
    return company.change(turn, _kind(before, after), before, after), True


def remove(company: Company, turn: Turn, employee_id: UUID) -> None:
    before = _present(company, employee_id)
    if before.state == "active":
        brake.stop(company, turn, before, "remove")
        brake.passed(company, turn, before)
    company.depart(turn, before)


def do_released(company: Company, turn: Turn) -> int:
    """Somebody has released what was held: it is done in his name. How many it was done of."""
    done = 0
    for employee_id in sorted(one for one, held in company.held.items() if held.state == "released"):
        held, before = company.held.pop(employee_id), company.by_id(employee_id)
        if before.present:
            _do(company, replace(turn, actor=held.decided_by or turn.actor), before, held.step)
            done += 1
    return done


def _do(company: Company, turn: Turn, before: Person, step: str) -> None:
    if step == "remove":
        company.depart(turn, before)
        return
    after = _suspended(turn, before)
    if not (guarded(before) or _tied(before)):
        after = replace(after, source="entra", awaits_link_since=None)
    company.change(turn, "employee.suspended", before, after)


def find(company: Company, field: str, value: str) -> list[Person]:
    if field == "manager":
        return [
            one
            for one in company.present
            if one.manager_ref == value or (one.manager_id is not None and f"emp_{one.manager_id.hex}" == value)
        ]
    exactly = field in {"external_id", "id"}
    name = {"id": "text"}.get(field, field)
    return [
        one
        for one in company.present
        if (getattr(one, name) == value if exactly else key(getattr(one, name)) == key(value))
    ]


def _present(company: Company, employee_id: UUID) -> Person:
    """D3: whoever has departed is not found for ever."""
    found = next((one for one in company.present if one.employee_id == employee_id), None)
    if found is None:
        raise Refused("not_found")
    return found


def _meant(company: Company, new: Values) -> Person | None:
    """By link key, else login name, else e-mail."""
    link = object_id(new.get("external_id"))
    by_link = [one for one in company.present if link is not None and one.entra_object_id == link]
    by_login = [one for one in company.present if key(one.login_name) == key(new["login_name"])]
    by_email = [one for one in company.present if key(one.email) == key(new["email"])]
    return next(iter([*by_link, *by_login, *by_email]), None)


def _collision(new: Values, other: Person) -> str | None:
    external_id = new.get("external_id")
    link = object_id(external_id)
    if key(other.login_name) == key(new["login_name"]):
        return "login_taken"
    if key(other.email) == key(new["email"]):
        return "email_taken"
    if external_id is not None and (other.external_id == external_id or (link and other.entra_object_id == link)):
        return "external_id_taken"
    return None


def _outcome(company: Company, turn: Turn, meant: Person, new: Values) -> str:
    """docs/employees.md, "Who is meant by a create"."""
    taken = Refused(_collision(new, meant) or "login_taken")
    link, linked = object_id(new.get("external_id")), meant.entra_object_id
    if link and linked and link != linked:
        raise taken
    if guarded(meant) or (_tied(meant) and link != linked):
        _park(company, turn, meant)
    away = meant.state == "suspended" and meant.rehire_asked_at is None
    if meant.state == "suspended" or meant.source == "entra":
        if away and new.get("active", True):
            return "reactivated"
        if meant.awaits_link_since is not None and not away:
            return "relinked"
        raise taken
    return "adopted"


def _park(company: Company, turn: Turn, meant: Person) -> None:
    company.raise_finding(turn, "adoption_waits", meant.text, meant)
    company.asked_by_sign_in.discard(meant.text)
    raise Refused("needs_confirmation")


def guarded(person: Person) -> bool:
    """A24: a Setup admin's account is not taken over by an address alone."""
    return person.source != "entra" and "setup_admin" in person.roles and person.adoption_confirmed_at is None


def _tied(person: Person) -> bool:
    """A24: nor is that of somebody who has signed in tied to another object."""
    return person.source != "entra" and person.entra_object_id is not None and person.adoption_confirmed_at is None


def _created(turn: Turn, new: Values, new_id: UUID) -> Person:
    sent = {name: new.get(name) for name in SENT_BY_ENTRA}
    person = Person(employee_id=new_id, created_at=turn.now, updated_at=turn.now, **_link_key(sent), **sent)  # type: ignore[arg-type]
    person = person.with_owner("entra", [name for name, value in sent.items() if value is not None], turn.now)
    person = with_leave_date(turn, None, with_calendar_group(None, person))
    return person if new.get("active", True) else _suspended(turn, person)


def _taken_over(turn: Turn, before: Person, new: Values) -> Person:
    """Entra's values win, and what it does not send stays (S33)."""
    sent = {name: new[name] for name in SENT_BY_ENTRA if new.get(name) is not None}
    after = replace(
        before, **sent, **_link_key(sent), source="entra", adoption_confirmed_at=None, awaits_link_since=None
    )
    after = with_calendar_group(before, after.with_owner("entra", list(sent), turn.now))
    return with_leave_date(turn, before, after)


def _link_key(sent: Values) -> Values:
    link = object_id(sent.get("external_id"))
    return {"entra_object_id": link} if link else {}


def _as_said(company: Company, turn: Turn, before: Person, person: Person, active: bool) -> Person:
    if not active:
        return replace(_suspended(turn, person), rehire_asked_at=None)
    if person.state == "active":
        return person
    days = (turn.today - person.suspended_on).days if person.suspended_on else 0
    if company.settings.ask_after_days is not None and days > company.settings.ask_after_days:
        return replace(person, rehire_asked_at=person.rehire_asked_at or turn.now)
    # A leave date that comes with the return is of the time to come.
    return replace(resumed(turn, person), spent_leave_date=before.leave_date)


def resumed(turn: Turn, person: Person) -> Person:
    back = replace(
        person, state="active", spent_leave_date=person.leave_date, rehire_asked_at=None, leaver_done_at=None
    )
    return replace(back, termination_date=None, termination_source=None)


def _suspended(turn: Turn, person: Person) -> Person:
    """D4: the first inactivation sets the date."""
    if person.state == "suspended":
        return person
    return replace(ended(turn, person), state="suspended")


def _kind(before: Person, after: Person) -> str:
    if before.state != after.state:
        return "employee.suspended" if after.state == "suspended" else "employee.resumed"
    if after.rehire_asked_at != before.rehire_asked_at:
        return "employee.rehire_asked" if after.rehire_asked_at else "employee.rehire_withdrawn"
    return "employee.changed"


def with_calendar_group(before: Person | None, after: Person) -> Person:
    if before is not None and before.country == after.country:
        return after
    return replace(after, calendar_group=COUNTRIES[after.country] if after.country else None)


def same(before: Person, after: Person) -> bool:
    owners = {one: owner for one, (owner, _) in before.owners.items()}
    return all(
        getattr(before, name) == getattr(after, name) for name in vars(before) if name not in {"owners", "released"}
    ) and owners == {one: owner for one, (owner, _) in after.owners.items()}


def check(values: Values) -> None:
    """Control characters are refused, and mandatory values are never empty."""
    for name, value in values.items():
        if isinstance(value, str) and ("\0" in value or (name in MANDATORY and not value.strip())):
            raise Refused("invalid_value")
        if value is None and name in MANDATORY:
            raise Refused("invalid_value")
