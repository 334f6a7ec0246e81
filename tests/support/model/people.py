"""A person of the model: what stands in his row of `employees`, and what the history tells when it changes."""

import unicodedata
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

MANDATORY = ("login_name", "email", "given_name", "family_name")
SENT_BY_ENTRA = (
    *MANDATORY, "external_id", "email_primary", "display_name", "formatted_name", "title", "department", "employee_number",
    "work_phone", "mobile_phone", "country", "manager_ref", "leave_date",
)  # fmt: skip
OWNED = (*(name for name in SENT_BY_ENTRA if name not in {"external_id", "email_primary"}), "hired_on", "policy")
NAMES = ("login_name", "email", "external_id")
"""What a departure releases."""

COUNTRIES = {"Danmark": "DK", "dk": "DK", "Norge": "NO", "Grønland": "GL", "Atlantis": None}
"""The countries of the test, and the calendar groups they mean."""


LEAVES = {
    "2026-10-30": date(2026, 10, 30),
    "20261224": date(2026, 12, 24),
    "2026-11-05T00:00:00Z": date(2026, 11, 5),
    "2020-02-29": date(2020, 2, 29),
    "24/12/2026": None,
}
"""The leave dates of the test, and the days they mean in every zone of the world."""


class Refused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Turn:
    now: datetime
    actor: tuple[str, str]
    zone: str

    @property
    def today(self) -> date:
        return self.now.astimezone(ZoneInfo(self.zone)).date()


@dataclass(eq=False, kw_only=True)
class Person:
    """Never changed in place: a change is another `Person` with the same id."""

    employee_id: UUID
    state: str = "active"
    source: str = "entra"
    login_name: str | None
    email: str | None
    given_name: str
    family_name: str
    external_id: str | None = None
    entra_object_id: UUID | None = None
    email_primary: bool | None = None
    display_name: str | None = None
    formatted_name: str | None = None
    title: str | None = None
    department: str | None = None
    employee_number: str | None = None
    work_phone: str | None = None
    mobile_phone: str | None = None
    country: str | None = None
    calendar_group: str | None = None
    roles: tuple[str, ...] = ()
    manager_ref: str | None = None
    manager_id: UUID | None = None
    leave_date: str | None = None
    leaves_on: date | None = None
    suspended_on: date | None = None
    spent_leave_date: str | None = None
    termination_date: date | None = None
    termination_source: str | None = None
    hired_on: date | None = None
    policy: str | None = None
    blocked_at: datetime | None = None
    rehire_asked_at: datetime | None = None
    adoption_confirmed_at: datetime | None = None
    previous_employee_id: UUID | None = None
    only_direct_approver: bool = False
    leaver_done_at: datetime | None = None
    owners: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    awaits_link_since: datetime | None = None
    released: tuple[str, ...] = ()
    """The keys of which salted hashes are kept after the departure: login name, then all other names he bore (S40)."""
    created_at: datetime
    updated_at: datetime
    version: int = 1

    @property
    def text(self) -> str:
        return f"emp_{self.employee_id.hex}"

    @property
    def present(self) -> bool:
        return self.state != "departed"

    @property
    def has_access(self) -> bool:
        return self.state == "active" and self.blocked_at is None

    @property
    def answers(self) -> tuple[UUID, str | None, str | None]:
        return self.employee_id, self.external_id, key(self.login_name)

    def owner(self, attribute: str) -> str | None:
        held = self.owners.get(attribute)
        return held[0] if held else None

    def with_owner(self, owner: str, attributes: list[str], now: datetime) -> "Person":
        """Whose it is already stays his since then."""
        taken = {one: (owner, now) for one in attributes if one in OWNED and self.owner(one) != owner}
        return replace(self, owners={**self.owners, **taken})

    def answers_to(self, reference: str) -> bool:
        former = f"emp_{self.previous_employee_id.hex}" if self.previous_employee_id else None
        return reference in {self.text, former, self.external_id} or key(reference) == key(self.login_name)

    def row(self, company_id: UUID) -> dict[str, object]:
        """Every column of `employees`."""
        columns = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "released"}
        keys = {f"{name}_key": key(getattr(self, name)) for name in ("email", "department")}
        return {
            **columns,
            **keys,
            "company_id": company_id,
            "login_key": key(self.login_name),
            "manager_key": key(self.manager_ref),
            "roles": list(self.roles),
            "owners": {name: (owner, since) for name, (owner, since) in self.owners.items()},
        }


def with_leave_date(turn: Turn, before: Person | None, after: Person) -> Person:
    """A4: known late, it is as if it had been known when he was deactivated."""
    if after.leave_date == (before.leave_date if before else None):
        return after
    text = after.leave_date
    day = None if text is None else LEAVES[text] if text in LEAVES else date.fromisoformat(text)
    after = replace(after, leaves_on=day)
    if after.state != "suspended":
        return after
    assert after.suspended_on is not None
    return _ended_on(after, after.suspended_on)


def ended(turn: Turn, person: Person) -> Person:
    """A4, D4: the first end of his access, whoever makes it."""
    return replace(_ended_on(person, turn.today), suspended_on=turn.today)


def _ended_on(person: Person, on: date) -> Person:
    """docs/employees.md, "Leave date"."""
    day = person.leaves_on
    counts = (
        day is not None
        and timedelta(days=-92) <= day - on <= timedelta(days=366)
        and (person.hired_on is None or person.hired_on <= day)
        and person.leave_date != person.spent_leave_date
    )
    if not counts:
        return replace(person, termination_date=on, termination_source="inactivation")
    return replace(person, termination_date=day, termination_source="leave_date")


def key(text: str | None) -> str | None:
    """D2: without case, after Unicode NFC."""
    return None if text is None else unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def object_id(external_id: str | None) -> UUID | None:
    """An external id that looks like an Entra object id is a link key (A6)."""
    if external_id is None or len(external_id) != 36:
        return None
    try:
        return UUID(external_id)
    except ValueError:
        return None


_NOT_TOLD = {
    "employee_id",
    "owners",
    "released",
    "awaits_link_since",
    "suspended_on",
    "spent_leave_date",
    "created_at",
    "updated_at",
    "version",
}
TOLD = tuple(one.name for one in fields(Person) if one.name not in _NOT_TOLD)


def difference(before: Person | None, after: Person) -> dict[str, Any]:
    """What the history tells of a change, as JSON."""
    told: dict[str, Any] = {}
    for name in TOLD:
        old, new = getattr(before, name, None), getattr(after, name)
        if old != new:
            told[name] = {"before": plain(name, old), "after": plain(name, new)}
    # Of a new person everything is his source's, and told is what is not.
    old = {one: before.owner(one) if before else _of_source(after, one) for one in OWNED}
    if moved := [one for one in OWNED if old[one] != after.owner(one)]:
        told["owners"] = {
            "before": {one: old[one] if before else None for one in moved},
            "after": {one: after.owner(one) for one in moved},
        }
    return told


def _of_source(person: Person, name: str) -> str | None:
    return person.source if getattr(person, name) is not None else None


def plain(name: str, value: object) -> object:
    if isinstance(value, UUID):
        return str(value) if name == "entra_object_id" else f"emp_{value.hex}"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
