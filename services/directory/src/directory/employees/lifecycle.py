"""The life of an employee: active, suspended, departed. Pure; the table is the rule.

    from               step       to          login name  termination date  sessions
    -                  provision  active      set         none              -
    active             suspend    suspended   kept        first             ended
    suspended          resume     active      kept        cleared           -
    active             remove     departed    released    first             ended
    suspended          remove     departed    released    kept              ended
    departed           anything   refused: not found

The first inactivation sets the termination date, which is his leave date where one is known and believable (A4) and today
otherwise, and a later departure keeps it (decision D4). Somebody who is already where
the step leads stays as he is: disabling an inactive user must succeed. A person created with `active: false` comes into
being and is suspended in the same breath: he never had access, and his termination date is today.

Whoever returns after longer than the company has set does not resume: he stays suspended, marked, until HR has chosen whether
he goes on or begins a new employment (A11). Suspended again meanwhile, the mark goes.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from directory.employees.leave_dates import believable
from directory.employees.record import EmployeeRecord
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import EmployeeState


class Step(StrEnum):
    provision = "provision"
    suspend = "suspend"
    resume = "resume"
    remove = "remove"


class TerminationDate(StrEnum):
    none = "none"
    first = "first"
    kept = "kept"


@dataclass(frozen=True, slots=True)
class Transition:
    to: EmployeeState
    termination_date: TerminationDate
    releases_names: bool = False
    ends_sessions: bool = False


TABLE: dict[tuple[EmployeeState | None, Step], Transition] = {
    (None, Step.provision): Transition("active", TerminationDate.none),
    ("active", Step.suspend): Transition("suspended", TerminationDate.first, ends_sessions=True),
    ("suspended", Step.resume): Transition("active", TerminationDate.none),
    ("active", Step.remove): Transition("departed", TerminationDate.first, releases_names=True, ends_sessions=True),
    ("suspended", Step.remove): Transition("departed", TerminationDate.kept, releases_names=True, ends_sessions=True),
}


def transition(state: EmployeeState | None, step: Step) -> Transition | None:
    """What the step does to somebody in this state; None when he is there already.

    Raises:
        DomainError: `not_found` for whoever has departed, whatever the step (decision D3).
    """
    if state == "departed":
        raise not_found()
    return TABLE.get((state, step))


def advance(record: EmployeeRecord, step: Step, today: date) -> tuple[EmployeeRecord, Transition | None]:
    """The employee after the step, and the transition he made, if he made one."""
    made = transition(record.state, step)
    if made is None:
        return record, None
    after = msgspec.structs.replace(record, state=made.to)
    if made.termination_date is TerminationDate.none:
        after = msgspec.structs.replace(after, termination_date=None, termination_source=None)
    elif made.termination_date is TerminationDate.first:
        after = ended(msgspec.structs.replace(after, suspended_on=today), today)
    if made.to == "active":
        spent = record.leave_date if record.state == "suspended" else record.spent_leave_date
        after = msgspec.structs.replace(after, rehire_asked_at=None, leaver_done_at=None, spent_leave_date=spent)
    if made.releases_names:
        after = msgspec.structs.replace(after, login_name=None, email=None, external_id=None)
    return after, made


def ended(record: EmployeeRecord, on: date) -> EmployeeRecord:
    """With the termination date of somebody who was deactivated on that day: his leave date, where it is to be believed."""
    last = record.leaves_on
    spent = record.leave_date == record.spent_leave_date
    if last is None or spent or not believable(last, on, record.hired_on):
        return msgspec.structs.replace(record, termination_date=on, termination_source="inactivation")
    return msgspec.structs.replace(record, termination_date=last, termination_source="leave_date")


def returned(record: EmployeeRecord, now: datetime, today: date, ask_after_days: int | None) -> EmployeeRecord:
    """He is said to be active again; `ask_after_days`: longer than that away, and HR is asked."""
    if record.state == "suspended" and must_ask(record, today, ask_after_days):
        return msgspec.structs.replace(record, rehire_asked_at=record.rehire_asked_at or now)
    return advance(record, Step.resume, today)[0]


def must_ask(record: EmployeeRecord, today: date, ask_after_days: int | None) -> bool:
    if ask_after_days is None or record.suspended_on is None:
        return False
    return (today - record.suspended_on).days > ask_after_days


def suspended(record: EmployeeRecord, today: date) -> EmployeeRecord:
    after, _ = advance(record, Step.suspend, today)
    return msgspec.structs.replace(after, rehire_asked_at=None)


def local_date(now: datetime, time_zone: str) -> date:
    """The company's date (decision D14)."""
    return now.astimezone(ZoneInfo(time_zone)).date()


def not_found() -> DomainError:
    return DomainError(ErrorCode.not_found, "There is no such employee.", field="employee_id")
