"""The mass-change brake (docs/brake.md). Every moment at which Entra asked is kept."""

from dataclasses import replace
from datetime import datetime, timedelta

from tests.support.model.company import Company, Held
from tests.support.model.people import Person, Refused, Turn

SILENCE = timedelta(hours=48)
OPEN_FOR = timedelta(hours=1)


def stop(company: Company, turn: Turn, person: Person, step: str) -> None:
    """Raises Refused where his deactivation is held: nothing of the request is done, and Entra asks again."""
    known = company.held.get(person.employee_id)
    if _lets_all_through(company, turn) or (known is not None and known.state == "released"):
        return
    if known is not None and not _silent(known, turn):
        known.step, known.asked_by = step, turn.actor[1]
        known.last_asked_at, known.times = turn.now, known.times + 1
        raise Refused("held")
    if not _beyond(company, turn):
        return
    withdraw(company, turn, person)
    company.asked.append((turn.now, False))
    company.held[person.employee_id] = Held(step, turn.actor[1], turn.now, turn.now)
    company.tell(turn, "employee.deactivation_held", person, _step(None, step))
    raise Refused("held")


def passed(company: Company, turn: Turn, person: Person) -> None:
    """He was not stopped, and is being deactivated."""
    known = company.held.get(person.employee_id)
    if _lets_all_through(company, turn) or (known is not None and known.state == "released"):
        company.held.pop(person.employee_id, None)
    else:
        withdraw(company, turn, person)
        company.asked.append((turn.now, True))


def withdraw(company: Company, turn: Turn, person: Person) -> None:
    """Entra wants it no more: it says that he is active, or what it wanted was long ago."""
    held = company.held.pop(person.employee_id, None)
    if held is not None:
        company.tell(turn, "employee.deactivation_withdrawn", person, _step(held.step, None))


def lapse(company: Company, turn: Turn) -> int:
    silent = sorted(one for one, held in company.held.items() if _silent(held, turn) and held.state != "released")
    for one in silent:
        withdraw(company, turn, company.by_id(one))
    return len(silent)


def decide(company: Company, turn: Turn, state: str) -> int:
    """`released`, which is to be done, or `refused`, however often Entra asks."""
    lapse(company, turn)
    open_to = {"held"} if state == "refused" else {"held", "refused"}
    for employee_id, held in sorted(company.held.items(), key=lambda one: one[0]):
        if held.state in open_to and company.by_id(employee_id).state == "active":
            company.held[employee_id] = replace(held, state=state, decided_at=turn.now, decided_by=turn.actor)
            told = {**_step(None, held.step), "asked_by": {"before": None, "after": held.asked_by}}
            company.tell(turn, f"employee.deactivation_{state}", company.by_id(employee_id), told)
    if state == "released":
        company.asked, company.open_until = [], turn.now + OPEN_FOR
    return sum(held.state == state and held.decided_at == turn.now for held in company.held.values())


def recent(company: Company, now: datetime) -> list[bool]:
    """Of those asked within the hour, to the minute, whether each passed."""
    return [passed for at, passed in company.asked if _minute(at) >= _minute(now) - 60]


def _beyond(company: Company, turn: Turn) -> bool:
    people, percent = company.settings.brake
    within = recent(company, turn.now)
    asked, active = len(within) + 1, sum(one.state == "active" for one in company.people) + sum(within)
    return asked > people and asked * 100 > percent * active


def _lets_all_through(company: Company, turn: Turn) -> bool:
    return company.settings.brake[0] == 0 or (company.open_until is not None and turn.now < company.open_until)


def _silent(held: Held, turn: Turn) -> bool:
    return held.last_asked_at <= turn.now - SILENCE


def _step(before: str | None, after: str | None) -> dict[str, dict[str, str | None]]:
    return {"step": {"before": before, "after": after}}


def _minute(moment: datetime) -> int:
    return int(moment.timestamp()) // 60
