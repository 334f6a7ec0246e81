"""A company of the model: its people together, and what follows when one of them changes."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from tests.support.model.people import NAMES, Person, Refused, Turn, difference, ended, key

TAKEN = (
    ("login_taken", lambda one: key(one.login_name)),
    ("email_taken", lambda one: key(one.email)),
    ("external_id_taken", lambda one: one.external_id),
    ("external_id_taken", lambda one: one.entra_object_id),
)


@dataclass
class Event:
    at: datetime
    kind: str
    employee_id: UUID | None
    """None: it is about nobody in particular."""
    actor: tuple[str, str]
    changes: dict[str, Any]
    names: dict[str, Any] | None


@dataclass
class Finding:
    employee_id: UUID | None
    opened_at: datetime
    last_seen_at: datetime
    times: int


@dataclass
class Trace:
    """What became of a sign-in."""

    at: datetime
    outcome: str
    employee_id: UUID | None
    name: str | None
    """Its NameID, as a key."""


@dataclass
class Session:
    employee_id: UUID
    signed_in_at: datetime
    expires_at: datetime


@dataclass
class Held:
    """A deactivation that the brake holds."""

    step: str
    asked_by: str
    asked_at: datetime
    last_asked_at: datetime
    times: int = 1
    state: str = "held"
    decided_at: datetime | None = None
    decided_by: tuple[str, str] | None = None


@dataclass
class Group:
    group_id: UUID
    display_name: str
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    version: int = 1
    members: dict[UUID, datetime] = field(default_factory=dict)
    """Employee -> since when."""

    @property
    def text(self) -> str:
        return f"grp_{self.group_id.hex}"


@dataclass(frozen=True)
class Connection:
    """With an Entra tenant."""

    tenant_id: UUID
    app_id: UUID
    signer: str
    """Fingerprint of its certificate."""
    domains: tuple[str, ...] = ()
    """Of its people's e-mail addresses; none: nobody looks."""


@dataclass(frozen=True)
class Settings:
    """What differs from company to company."""

    zone: str
    ask_after_days: int | None
    group: tuple[UUID | None, str | None] = (None, None)
    """The company's own AD group: object id and name."""
    group_check: str = "off"
    brake: tuple[int, int] = (30, 30)
    """People, and the share of the active ones in per cent."""
    erase_after_months: int | None = None


@dataclass
class Company:
    company_id: UUID
    name: str
    settings: Settings
    live: Connection
    evidence: int
    """So many of Entra's newest people show what it maps (S25)."""
    people: list[Person] = field(default_factory=list)
    erased: list[UUID] = field(default_factory=list)
    departments: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    grants: dict[tuple[str, UUID], tuple[datetime, str]] = field(default_factory=dict)
    """Department and employee -> when and by whom."""
    groups: list[Group] = field(default_factory=list)
    asked: list[tuple[datetime, bool]] = field(default_factory=list)
    """Every deactivation of Entra's when it was asked for the first time, and whether it passed."""
    open_until: datetime | None = None
    """Somebody released what the brake held: until then it holds nothing."""
    held: dict[UUID, Held] = field(default_factory=dict)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    asked_by_sign_in: set[str] = field(default_factory=set)
    """Whose account a first login wants, and not provisioning."""
    live_has_signed: bool = False
    """Somebody was let in by its certificate."""
    next: Connection | None = None
    """Prepared: nobody signs in by it, and its token changes nothing."""
    retired: dict[tuple[UUID, UUID], datetime] = field(default_factory=dict)
    """Tenant and app that the company has left -> when."""
    ends_at: datetime | None = None
    """It is closed."""
    gone_at: datetime | None = None
    """Nothing of it remains; what stands here is what went."""
    history: list[Event] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    tickets: dict[str, tuple[UUID, datetime]] = field(default_factory=dict)
    known_as: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Session or ticket -> the assertion that it came of, and its NameID."""
    sign_ins: int = 0
    traces: list[Trace] = field(default_factory=list)
    """Of those sign-ins whose time is not over and whose people are not erased."""
    traced: dict[str, Trace] = field(default_factory=dict)
    """By ticket."""
    assertions: dict[str, datetime] = field(default_factory=dict)
    """When each is over."""

    @property
    def present(self) -> list[Person]:
        return sorted((one for one in self.people if one.present), key=lambda one: one.employee_id)

    def by_id(self, employee_id: UUID | None) -> Person:
        return next(one for one in self.people if one.employee_id == employee_id)

    def named(self, text: str) -> Person | None:
        """As people name somebody: by his id, departed or not, or by his login name."""
        by_id = [one for one in self.people if one.text == text]
        by_login = [one for one in self.present if key(one.login_name) == key(text)]
        return next(iter([*by_id, *by_login]), None)

    # Writing

    def add(self, turn: Turn, kind: str, person: Person) -> Person:
        person = self._linked(None, person)
        self.people.append(person)
        self._settle(turn, kind, None, person)
        return person

    def change(self, turn: Turn, kind: str, before: Person, after: Person) -> Person:
        self.check_free(before, after)
        after = self.put(turn, before, after)
        if after.source == "entra":
            self.findings.pop(("adoption_waits", after.text), None)
        self._settle(turn, kind, before, after)
        return after

    def check_free(self, before: Person, after: Person) -> None:
        """Raises Refused where another present person has one of the names."""
        for code, name in TAKEN if after.present else ():
            if any(
                name(after) is not None and name(other) == name(after) for other in self.present if other is not before
            ):
                raise Refused(code)

    def depart(self, turn: Turn, before: Person, on: Any = None) -> Person:
        """S37 to S42: names released and forgotten, access ended, reports waiting."""
        after = self.put(
            turn,
            before,
            replace(
                before, state="departed", login_name=None, email=None, external_id=None, blocked_at=None, rehire_asked_at=None,
                released=self._released(before), roles=(), **_end(turn, before, on),
                awaits_link_since=None,
            ),
        )  # fmt: skip
        self.end_sessions(turn, [after], "departed")
        self.take_out_of_groups(turn, after)
        for event in self.history:
            if event.employee_id == after.employee_id:
                event.names = None
        told = {name: one for name, one in difference(before, after).items() if name not in NAMES}
        if held := self.approves_for(before):
            told["approver_departments"] = {"before": held, "after": {}}
            self.grants = {name: one for name, one in self.grants.items() if name[1] != before.employee_id}
        self.tell(turn, "employee.departed", after, told)
        for report in [one for one in self.present if one.manager_id == after.employee_id]:
            alone = self.put(turn, report, replace(report, manager_id=None))
            self.tell(turn, "employee.manager_lost", alone, difference(report, alone))
        self.findings.pop(("adoption_waits", after.text), None)
        return after

    def _released(self, person: Person) -> tuple[str, ...]:
        told = [event.names or {} for event in self.history if event.employee_id == person.employee_id]
        former = {value for names in told for change in names.values() for value in change.values()}
        login = key(person.login_name) or ""
        return login, *sorted({key(one) or "" for one in former | {person.email, person.external_id} if one} - {login})

    def put(self, turn: Turn, before: Person, after: Person) -> Person:
        after = replace(after, version=before.version + 1, updated_at=turn.now)
        self.people[self.people.index(before)] = after
        return after

    def _settle(self, turn: Turn, kind: str, before: Person | None, after: Person) -> None:
        self.name_department(turn, after)
        self.tell(turn, kind, after, difference(before, after))
        if before is not None and (why := _why_sessions_end(before, after)):
            self.end_sessions(turn, [after], why)
        gained = before is None or any(
            new is not None and new != old for old, new in zip(before.answers, after.answers, strict=True)
        )
        if gained:
            self._link_waiting(turn, after)

    # Managers (D8)

    def linked(self, before: Person, after: Person) -> Person:
        return self._linked(before, after)

    def _linked(self, before: Person | None, after: Person) -> Person:
        """With the manager whom the reference means: a new reference is looked up, an old link stays."""
        reference = after.manager_ref
        if reference is None:
            return replace(after, manager_id=None)
        if before is not None and before.manager_ref == reference:
            meant = after.employee_id if after.answers_to(reference) else None
            return replace(after, manager_id=after.manager_id or meant)
        others = [one for one in self.present if one.employee_id != after.employee_id]
        return replace(after, manager_id=resolved(reference, [*others, after]))

    def _link_waiting(self, turn: Turn, manager: Person) -> None:
        for report in self.present:
            waits = report.manager_ref is not None and report.manager_id is None and report is not manager
            if waits and manager.answers_to(report.manager_ref or ""):
                found = self.put(turn, report, replace(report, manager_id=manager.employee_id))
                self.tell(turn, "employee.manager_linked", found, difference(report, found))

    # What stands beside people

    def name_department(self, turn: Turn, person: Person) -> None:
        if person.department is not None:
            self.departments.setdefault(key(person.department) or "", (person.department, turn.now))

    def approves_for(self, person: Person) -> dict[str, bool]:
        """Departments by name; always beside the managers, whom the company follows."""
        held = [department for department, employee_id in self.grants if employee_id == person.employee_id]
        return dict.fromkeys(sorted(self.departments[department][0] for department in held), True)

    def take_out_of_groups(self, turn: Turn, person: Person) -> None:
        for group in sorted(self.groups, key=lambda one: one.group_id):
            if group.members.pop(person.employee_id, None):
                group.version, group.updated_at = group.version + 1, turn.now
                self.tell_of(group, turn, "group.members_changed", {"members": {"removed": [person.text]}})

    def end_sessions(self, turn: Turn, people: list[Person], why: str) -> int:
        """All of theirs and their tickets, with a receipt for each who had any."""
        ended = 0
        for person in sorted(people, key=lambda one: one.employee_id):
            sessions = [name for name, one in self.sessions.items() if one.employee_id == person.employee_id]
            tickets = [name for name, one in self.tickets.items() if one[0] == person.employee_id]
            self.sessions = {name: one for name, one in self.sessions.items() if name not in sessions}
            self.tickets = {name: one for name, one in self.tickets.items() if name not in tickets}
            self.give_receipt(turn, "session.revoked", person, why, len(sessions), len(tickets))
            ended += len(sessions)
        return ended

    def give_receipt(self, turn: Turn, kind: str, person: Person, why: str, sessions: int, tickets: int = 0) -> None:
        """Of sessions it holds how many; their names are chosen by the database."""
        if sessions or tickets:
            self.tell(turn, kind, person, {"ended": {"why": why, "sessions": sessions, "tickets": tickets}})

    def tell(self, turn: Turn, kind: str, person: Person | None, changes: dict[str, Any]) -> None:
        names = {name: one for name, one in changes.items() if name in NAMES}
        others = {name: one for name, one in changes.items() if name not in NAMES}
        about = person.employee_id if person else None
        self.history.append(Event(turn.now, kind, about, turn.actor, others, names or None))

    def tell_of(self, group: Group, turn: Turn, kind: str, changes: dict[str, Any]) -> None:
        self.tell(turn, kind, None, {"group": {"id": group.text}, **changes})

    def raise_finding(self, turn: Turn, kind: str, subject: str, person: Person | None = None) -> None:
        found = self.findings.get((kind, subject))
        if found is None:
            about = person.employee_id if person else None
            self.findings[kind, subject] = Finding(about, turn.now, turn.now, 1)
        else:
            found.last_seen_at, found.times = turn.now, found.times + 1


def _why_sessions_end(before: Person, after: Person) -> str | None:
    """D11; and an account that is another Entra object's from now on is not the one that signed in."""
    if before.has_access and not after.has_access:
        return "blocked" if after.state == "active" else "suspended"
    relinked = before.entra_object_id is not None and before.entra_object_id != after.entra_object_id
    return "relinked" if relinked else None


def resolved(reference: str, people: list[Person]) -> UUID | None:
    """By our id, else that of his former employment, else the external id, else the login name."""
    by_id = [one for one in people if one.text == reference]
    by_former_id = [
        one for one in people if one.previous_employee_id and f"emp_{one.previous_employee_id.hex}" == reference
    ]
    by_external_id = [one for one in people if one.external_id == reference]
    by_login = [one for one in people if key(one.login_name) == key(reference)]
    found = next(iter([*by_id, *by_former_id, *by_external_id, *by_login]), None)
    return found.employee_id if found else None


def _end(turn: Turn, before: Person, on: date | None) -> dict[str, Any]:
    """A day of HR's choice, or the first end there was (D4)."""
    first = before if before.state == "suspended" else ended(turn, before)
    if on is not None:
        return {"termination_date": on, "termination_source": "hr", "suspended_on": first.suspended_on}
    return {name: getattr(first, name) for name in ("termination_date", "termination_source", "suspended_on")}
