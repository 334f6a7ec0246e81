"""What can be asked: each command once as directory is asked, and once as the model is.

People are numbers, counted round among those whom the company has and had, and -1 is the newest; so is a manager of whichever
company: `(company, number, "id")`, or by the name that he bears.
"""

import csv
import hashlib
import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

import msgspec

from directory.approvers import grants
from directory.database import Actor
from directory.employees import hr, operations, setup
from directory.employees.people import find, view
from directory.employees.releasing import release_attribute
from directory.imports.operations import import_file
from directory.logins import operations as logins
from directory.logins.signing_out import end_idp_session
from shared.schemas import approvers as approval
from shared.schemas import employee as entra
from shared.schemas import login, people
from shared.schemas.login import SessionCredential
from shared.schemas.search import equal
from tests.support.model import approvals, imports
from tests.support.model import hr as hr_rules
from tests.support.model import logins as login_rules
from tests.support.model import provisioning as rules
from tests.support.model.company import Connection
from tests.support.model.people import Turn
from tests.support.model.reading import shown_to_entra, shown_to_hr
from tests.support.model.world import Both, World

Values = dict[str, Any]
TICKET_TTL, SESSION_TTL, ASSERTION_TTL = timedelta(seconds=60), timedelta(hours=335), timedelta(minutes=5)


def meant(world: World, values: Values) -> Values:
    """With a manager who was named by number."""
    reference = values.get("manager_ref")
    if not isinstance(reference, tuple):
        return values
    company, number, by = reference
    holder = world.companies[company % len(world.companies)]
    name = getattr(holder.person(number), by, None) if by != "id" else None
    return {**values, "manager_ref": name or holder.text_of(number)}


def new_id(real: Any) -> UUID:
    """Of whoever, or whatever group, has just come into being; any id where none has."""
    made = getattr(real, "employee", None) or getattr(real, "group", real)
    text = getattr(made, "id", None)
    return UUID(text.partition("_")[2]) if isinstance(text, str) else uuid4()


@dataclass
class ByEntra:
    company: int
    actor: str = field(default="entra", init=False, repr=False)
    when_gone: ClassVar[object] = "unauthorized"


@dataclass
class Create(ByEntra):
    new: Values
    missing: list[str]

    async def really(self, world: World, both: Both) -> object:
        new = entra.NewEmployee(**meant(world, self.new))
        request = entra.ProvisionEmployee(credential=both.firm.credential, employee=new, missing=self.missing)  # type: ignore[arg-type]
        return await operations.provision_employee(world.database, request)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        outcome, person = rules.create(both.model, turn, meant(world, self.new), self.missing, new_id(real))
        return entra.Provisioned(employee=shown_to_entra(person), outcome=outcome)  # type: ignore[arg-type]


@dataclass
class Change(ByEntra):
    person: int
    changes: Values
    anyway: bool

    async def really(self, world: World, both: Both) -> object:
        request = entra.ChangeEmployee(
            credential=both.firm.credential,
            employee_id=both.text_of(self.person),
            changes=entra.EmployeeChanges(**meant(world, self.changes)),
            deactivate_anyway=self.anyway,
        )
        return await operations.change_employee(world.database, request)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        employee_id = both.id_of(self.person)
        person, changed, left_out = rules.change(both.model, turn, employee_id, meant(world, self.changes), self.anyway)
        return entra.Changed(employee=shown_to_entra(person), changed=changed, left_out=left_out)


@dataclass
class Remove(ByEntra):
    person: int

    async def really(self, world: World, both: Both) -> object:
        request = entra.RemoveEmployee(credential=both.firm.credential, employee_id=both.text_of(self.person))
        return await operations.remove_employee(world.database, request)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        rules.remove(both.model, turn, both.id_of(self.person))
        return entra.Removed()


@dataclass
class Find(ByEntra):
    field: Any
    value: str

    async def really(self, world: World, both: Both) -> object:
        asked = equal(self.field, self.value)
        found = await operations.find_employees(
            world.database, entra.FindEmployees(credential=both.firm.credential, where=asked)
        )
        return found.total, sorted(found.employees, key=lambda one: one.id)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        found = rules.find(both.model, self.field, self.value)
        return len(found), [shown_to_entra(one) for one in found]


@dataclass
class NoteMapping(ByEntra):
    missing: list[str]

    async def really(self, world: World, both: Both) -> object:
        request = entra.NoteMapping(credential=both.firm.credential, missing=self.missing)  # type: ignore[arg-type]
        return await operations.note_mapping(world.database, request)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        hr_rules.note_mapping(both.model, turn, self.missing)
        return entra.NotedMapping()


@dataclass
class ByHr:
    """`admin`: in Setup admin, by the session that the company began with; otherwise an operator's command."""

    company: int
    actor: str = field(default="operator", init=False, repr=False)
    admin: bool

    @property
    def when_gone(self) -> object:
        return "unauthorized" if self.admin else "not_found"

    def turned(self, both: Both, turn: Turn) -> Turn:
        if not self.admin:
            return turn
        return Turn(turn.now, ("person", hr_rules.admin(both.model, both.admin, turn.now).text), turn.zone)

    def session(self, both: Both) -> SessionCredential:
        return SessionCredential(company_id=str(both.firm.company_id), session_sha256=both.admin)


@dataclass
class OfPerson(ByHr):
    """`act` and its `values`: one of the operations of HR on one person, by his id or his login name."""

    act: str
    person: int | str
    values: Values = field(default_factory=dict)

    def _person(self, both: Both) -> str:
        return self.person if isinstance(self.person, str) else both.text_of(self.person)

    async def really(self, world: World, both: Both) -> object:
        person, values = self._person(both), meant(world, self.values)
        in_setup, request, by_operator = ACTS[self.act]
        edits = people.EmployeeEdits(**values) if self.act == "edit" else None
        if self.admin:
            wanted = {"edits": edits} if edits else values
            return await in_setup(world.database, request(session=self.session(both), person=person, **wanted))
        async with both.firm.operator() as tx:
            after = await by_operator(tx, person, *([edits] if edits else values.values()))
        return view(after, entra_still_holds=after.state == "departed" and after.source == "entra")

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        turn, person, values = self.turned(both, turn), self._person(both), meant(world, self.values)
        given = [values] if self.act == "edit" else [*values.values()]
        if self.act == "decide_rehire":
            given.append(new_id(real))
        return shown_to_hr(RULES[self.act](both.model, turn, person, *given))


ACTS: dict[str, tuple[Any, Any, Any]] = {
    "edit": (setup.edit_employee, people.EditEmployee, hr.edit_employee),
    "end": (setup.end_employment, people.EndEmployment, hr.end_employment),
    "block": (setup.block_access, people.BlockAccess, hr.set_blocked),
    "decide_rehire": (setup.decide_rehire, people.DecideRehire, hr.decide_rehire),
    "confirm": (setup.confirm_adoption, people.ConfirmAdoption, hr.confirm_adoption),
    "finish": (setup.finish_work, people.FinishWork, hr.finish_work),
}
RULES: dict[str, Any] = {
    "edit": hr_rules.edit,
    "end": hr_rules.end_employment,
    "block": hr_rules.block,
    "decide_rehire": hr_rules.decide_rehire,
    "confirm": hr_rules.confirm_adoption,
    "finish": hr_rules.finish_work,
}


@dataclass
class Release(ByHr):
    attribute: str

    @property
    def when_gone(self) -> object:
        """What is asked for is judged before the company is entered."""
        hr_rules.check_attribute(self.attribute)
        return super().when_gone

    async def really(self, world: World, both: Both) -> object:
        if self.admin:
            request = people.ReleaseAttribute(session=self.session(both), attribute=self.attribute)
            return (await setup.release(world.database, request)).people
        return await release_attribute(both.firm.operator, self.attribute)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        hr_rules.check_attribute(self.attribute)
        return hr_rules.release_attribute(both.model, self.turned(both, turn), self.attribute)


@dataclass
class BySystem:
    company: int
    actor: str = field(default="system", init=False, repr=False)
    when_gone: ClassVar[object] = "not_found"


@dataclass
class Decide(ByHr):
    """About approval: `grant` or `revoke` a role, or `only` the direct approver."""

    act: str
    person: int | str
    role: Any
    departments: list[str]

    def _person(self, both: Both) -> str:
        return self.person if isinstance(self.person, str) else both.text_of(self.person)

    async def really(self, world: World, both: Both) -> object:
        person, only = self._person(both), bool(self.departments)
        if self.admin:
            session = self.session(both)
            if self.act == "only":
                only_direct = approval.SetOnlyDirectApprover(session=session, person=person, only_direct_approver=only)
                return await grants.set_only_direct(world.database, only_direct)
            request = approval.ChangeRole(session=session, person=person, role=self.role, departments=self.departments)
            return await (grants.grant if self.act == "grant" else grants.revoke)(world.database, request)
        async with both.firm.operator() as tx:
            employee_id = await find(tx, person)
            if self.act == "only":
                return await grants.set_only_direct_approver(tx, employee_id, only)
            change = grants.grant_role if self.act == "grant" else grants.revoke_role
            return await change(tx, employee_id, self.role, self.departments)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        turn, person = self.turned(both, turn), self._person(both)
        if self.act == "only":
            after, changed = approvals.only_direct(both.model, turn, person, bool(self.departments))
        else:
            rule = approvals.grant if self.act == "grant" else approvals.revoke
            after, changed = rule(both.model, turn, person, self.role, self.departments)
        return approval.Roles(
            employee_id=after.text,
            roles=list(after.roles),
            departments=list(both.model.approves_for(after)),
            only_direct_approver=after.only_direct_approver,
            changed=changed,
        )


@dataclass
class Import:
    """A file of an operator's; who comes into being is looked up by his login name."""

    company: int
    actor: str = field(default="operator", init=False, repr=False)
    rows: list[Values]
    when_gone: ClassVar[object] = "not_found"

    async def really(self, world: World, both: Both) -> object:
        told = io.StringIO()
        writer = csv.DictWriter(told, imports.COLUMNS, delimiter=";")
        writer.writeheader()
        writer.writerows(imports.cells(row) for row in self.rows)
        scope = world.database.scope_for_id(both.firm.company_id)
        done = await import_file(scope, Actor("operator", "test"), told.getvalue().encode())
        counts = imports.Imported(done.created, done.updated, done.unchanged, done.kept, done.waiting_managers)
        ids = await world.reader.fetch(
            "select login_key, employee_id from employees where company_id = $1", both.firm.company_id
        )
        self.ids: dict[str, UUID] = {row["login_key"]: row["employee_id"] for row in ids}
        return counts, sorted((one.line, one.column, str(one.code)) for one in done.problems)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        return imports.import_rows(both.model, turn, self.rows, self.ids)


@dataclass
class Pass(BySystem):
    """Time passes, for everybody."""

    hours: int
    when_gone: ClassVar[object] = None

    async def really(self, world: World, both: Both) -> object:
        world.clock.set(world.clock() + timedelta(hours=self.hours))
        return None

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        return None


@dataclass
class PassUntil(BySystem):
    """It is noon of that day, in UTC; nothing where that has been."""

    day: date
    when_gone: ClassVar[object] = None

    async def really(self, world: World, both: Both) -> object:
        world.clock.set(max(world.clock(), datetime.combine(self.day, time(12), UTC)))
        return None

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        return None


@dataclass
class SignIn(BySystem):
    who: tuple[str, str] | int
    """Object id and NameID; or a person, as the object he is in Entra and by his login name."""
    email_claim: str | None
    again: bool
    """The assertion of the sign-in before, once more."""
    groups: list[str] | None = None
    overage: bool = False
    tenant: int | None = None
    """Another one than the company is in."""

    def _attempt(self, world: World, both: Both) -> login_rules.Attempt:
        number = both.model.sign_ins - self.again
        ticket = hashlib.sha256(f"{both.firm.name} {both.model.sign_ins}".encode()).hexdigest()
        return login_rules.Attempt(
            self._connection(both).signer, *self._who(both), self.email_claim, self.groups, self.overage, f"assertion {number}",
            world.clock() + ASSERTION_TTL, ticket, TICKET_TTL,
        )  # fmt: skip

    def _connection(self, both: Both) -> Connection:
        return both.model.live if self.tenant is None else both.connection(self.tenant)

    def _who(self, both: Both) -> tuple[UUID, str]:
        if not isinstance(self.who, int):
            return UUID(self.who[0]), self.who[1]
        person = both.person(self.who)
        if person is None:
            return both.id_of(self.who), "nobody"
        return person.entra_object_id or person.employee_id, person.login_name or "nobody"

    async def really(self, world: World, both: Both) -> object:
        asked = self._attempt(world, both)
        attempt = login.LoginAttempt(
            company=both.firm.name,
            ticket_sha256=asked.ticket,
            ticket_ttl_s=int(TICKET_TTL.total_seconds()),
            in_response_to=None,
            assertion_id=asked.assertion,
            expires_at=asked.assertion_over,
            tenant_id=str(self._connection(both).tenant_id),
            object_id=str(asked.object_id),
            name_id=asked.name_id,
            session_index=asked.assertion,
            email_claim=self.email_claim,
            groups=self.groups,
            groups_overage=self.overage,
            signer_fingerprint=asked.signer,
        )
        outcome = await logins.complete_login(world.database, attempt)
        return msgspec.structs.replace(outcome, attempt_id="")  # by chance

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        attempt = self._attempt(world, both)
        reason, person, linked = login_rules.complete(both.model, turn, attempt)
        if reason != "accepted" or person is None:
            return login.LoginOutcome(accepted=False, reason=reason)
        both.tickets.append(attempt.ticket)
        return login.LoginOutcome(accepted=True, employee_id=person.text, return_to="/", linked=linked)


@dataclass
class Open(BySystem):
    """The browser brings a ticket, and perhaps a session that it has already, of this company or another."""

    ticket: int
    current: tuple[int, int] | None

    def _asked(self, world: World, both: Both) -> tuple[str, tuple[Both, str] | None, str]:
        ticket = _one(both.tickets, self.ticket)
        holder = world.companies[self.current[0] % len(world.companies)] if self.current else both
        held = (holder, _one(holder.sessions, self.current[1])) if self.current else None
        return ticket, held, hashlib.sha256(f"{both.firm.name} {world.clock()}".encode()).hexdigest()

    async def really(self, world: World, both: Both) -> object:
        ticket, held, session = self._asked(world, both)
        current = SessionCredential(company_id=str(held[0].firm.company_id), session_sha256=held[1]) if held else None
        request = login.OpenSession(
            company_id=str(both.firm.company_id),
            ticket_sha256=ticket,
            browsers_sha256=[],
            current_session=current,
            session_sha256=session,
            session_ttl_s=int(SESSION_TTL.total_seconds()),
        )
        opened = await logins.open_session(world.database, request)
        return "opened" if opened.opened else opened.reason

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        ticket, held, session = self._asked(world, both)
        current = (held[0].model, held[1]) if held else None
        outcome = login_rules.open_session(both.model, turn, ticket, session, SESSION_TTL, current)
        if outcome == "opened":
            both.sessions.append(session)
            roles = both.model.by_id(both.model.sessions[session].employee_id).roles
            if both.admin not in both.model.sessions and "setup_admin" in roles:
                both.admin = session
        return outcome


@dataclass
class EndSession(BySystem):
    session: int
    when_gone: ClassVar[object] = False

    async def really(self, world: World, both: Both) -> object:
        held = SessionCredential(company_id=str(both.firm.company_id), session_sha256=_one(both.sessions, self.session))
        return (await logins.end_session(world.database, login.EndSession(session=held))).ended

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        return login_rules.end_session(both.model, turn, _one(both.sessions, self.session))


@dataclass
class SignOutAtMicrosoft(BySystem):
    ago: int | None
    """How many sign-ins ago the one was that is over (0: it is still to come); None: Entra names none, or one of elsewhere."""
    names_none: bool
    who: int
    """By whose login name Entra calls him."""

    def _asked(self, both: Both) -> tuple[str | None, str]:
        person = both.person(self.who)
        name_id = (person.login_name if person else None) or "nobody"
        if self.ago is None:
            return (None if self.names_none else f"elsewhere {both.model.sign_ins}"), name_id
        return f"assertion {both.model.sign_ins - self.ago}", name_id

    async def really(self, world: World, both: Both) -> object:
        assertion, name_id = self._asked(both)
        request = login.EndIdpSession(
            company=both.firm.name,
            session_indexes=[] if assertion is None else [assertion],
            name_id=name_id,
            until=world.clock(),
            signer_fingerprint=both.model.live.signer,
        )
        ended = await end_idp_session(world.database, request)
        return ended.sessions if ended.accepted else None

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        return login_rules.sign_out_at_microsoft(both.model, turn, both.model.live.signer, *self._asked(both))


@dataclass
class ReadSession(BySystem):
    session: int
    when_gone: ClassVar[object] = "unauthorized"

    async def really(self, world: World, both: Both) -> object:
        held = SessionCredential(company_id=str(both.firm.company_id), session_sha256=_one(both.sessions, self.session))
        read = await logins.read_session(world.database, login.ReadSession(session=held))
        return read.employee_id, read.login_name, read.email, read.roles

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        person, roles = login_rules.signed_in(both.model, turn, _one(both.sessions, self.session))
        return person.text, person.login_name, person.email, roles


def _one(known: list[str], number: int) -> str:
    """One of them, or one that never was."""
    return known[number % len(known)] if known else "0" * 64
