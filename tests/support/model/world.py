"""Several companies twice: in directory, and as the model says they must be. And the comparison of everything they hold."""

import hashlib
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4, uuid5

import asyncpg
import msgspec

from directory.api.people import view as shown_to_application
from directory.brake.setup import held_changes
from directory.companies import move
from directory.companies.catalogue import RECEIPTS
from directory.companies.deleting import receipts
from directory.database import CompanyTx, Database
from directory.employees.store import lock_anybody
from directory.events import store as events
from directory.events.folding import fold
from directory.events.verification import verify
from directory.findings.store import open_findings
from directory.logins import operations as logins
from directory.worklist.operations import work_list
from shared.errors import DomainError
from shared.ids import EmployeeId
from shared.schemas.employee import ScimCredential
from shared.schemas.login import ReadSession, SessionCredential, SignedIn
from tests.support.clock import SettableClock
from tests.support.firm import Firm, Urls
from tests.support.model import brake, reading
from tests.support.model.company import Company, Connection, Held, Session, Settings
from tests.support.model.ending import check_provisioning
from tests.support.model.logins import signed_in
from tests.support.model.people import Person, Refused, Turn
from tests.support.traces import rows_of

BEGINNING = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
"""Two hours before the night in which Denmark's clocks go back."""
SIGNER = "f" * 64
EVIDENCE = 4
"""So few newest people show what is mapped: `directory.employees.mapping.EVIDENCE` during the test."""
ADMIN = "admin@firma.dk"


@dataclass
class Both:
    """One company in directory, and its model."""

    firm: Firm
    model: Company
    first: Connection
    """With the tenant it begins in."""
    admin: str
    """The session of the Setup admin it begins with; when that has ended, of one who signs in."""
    tickets: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    next_token: tuple[UUID, ScimCredential] | None = None
    """Of the connection that is prepared."""
    former_tokens: list[ScimCredential] = field(default_factory=list)

    def connection(self, number: int, domains: tuple[str, ...] = ()) -> Connection:
        """With one of the few tenants between which the company moves; 0 is where it begins."""
        if number == 0:
            return replace(self.first, domains=domains)
        tenant, app = (uuid5(self.firm.company_id, f"{what} {number}") for what in ("tenant", "app"))
        return Connection(tenant, app, f"{number}" * 64, domains)

    def person(self, number: int) -> Person | None:
        """Counted round among all whom the company ever had; None of whoever is erased."""
        return next((one for one in self.model.people if one.employee_id == self.id_of(number)), None)

    def id_of(self, number: int) -> UUID:
        if number == -1 and self.model.people:
            return self.model.people[-1].employee_id
        known = [*(one.employee_id for one in self.model.people), *self.model.erased]
        return known[number % len(known)]

    def text_of(self, number: int) -> str:
        return f"emp_{self.id_of(number).hex}"


class Command(Protocol):
    company: int

    @property
    def actor(self) -> str: ...

    @property
    def when_gone(self) -> object:
        """What is answered where there is no such company any more."""

    async def really(self, world: "World", both: Both) -> object: ...

    def by_the_rules(self, world: "World", both: Both, turn: Turn, real: Any) -> object: ...


@dataclass
class World:
    database: Database
    clock: SettableClock
    owner: Database
    reader: asyncpg.Connection
    """Of a superuser, who sees every company."""
    companies: list[Both]

    async def play(self, steps: Sequence[Command]) -> None:
        """One command after the other, and then the comparison."""
        for step in steps:
            await self.take(step)
        await self.compare()

    async def take(self, command: Command) -> None:
        """The same command twice; the answers must be equal."""
        self.clock.set(self.clock() + timedelta(seconds=1))
        both = self.companies[command.company % len(self.companies)]
        real = await answered(command.really(self, both))
        try:
            turn = Turn(self.clock(), self._actor(both, command.actor), both.model.settings.zone)
            expected = self._by_the_rules(command, both, turn, real)
        except Refused as refused:
            expected = refused.code
        assert real == expected, f"\n{command}\nreally:       {real}\nby the rules: {expected}"

    def _by_the_rules(self, command: Command, both: Both, turn: Turn, real: object) -> object:
        if both.model.gone_at is not None:
            return command.when_gone
        if command.actor == "entra":
            check_provisioning(both.model)
        return command.by_the_rules(self, both, turn, real)

    def _actor(self, both: Both, kind: str) -> tuple[str, str]:
        if kind == "entra":
            return kind, f"tok_{both.firm.token_id.hex}"
        return kind, "test" if kind == "operator" else "directory"

    async def compare(self) -> None:
        for both in self.companies:
            if both.model.gone_at is not None:
                await self._compare_gone(both)
                continue
            await self._compare_rows(both)
            await self._compare_history(both)
            await self._compare_sessions(both)
            async with both.firm.operator() as tx:
                found = {
                    (one.kind, one.subject, one.employee_id, one.opened_at, one.last_seen_at, one.times)
                    for one in await open_findings(tx)
                }
                work = (await work_list(tx, limit=1000)).items
            expected = reading.findings(both.model)
            same("findings", dict.fromkeys(found - expected, True), dict.fromkeys(expected - found, True))
            items = {
                one.employee_id: (one.kind, one.since, {step.step: (step.done, step.about) for step in one.steps})
                for one in work
            }
            same("work list", items, reading.work_list(both.model))

    async def _compare_gone(self, both: Both) -> None:
        """Nothing remains but the receipt, which says what went."""
        model = both.model
        assert await rows_of(self.reader, model.company_id) == {RECEIPTS: 1}
        receipt = next(one for one in await receipts(self.owner) if one.company_id == model.company_id)
        told = (receipt.company, receipt.began_at, receipt.deleted_at, receipt.sequence)
        assert told == (model.name, model.gone_at, model.gone_at, len(model.history))
        went = {
            "employees": len(model.people),
            "events": len(model.history),
            "groups": len(model.groups),
            "group_members": sum(len(one.members) for one in model.groups),
            "held_changes": len(model.held),
            "department_approvers": len(model.grants),
            "login_traces": len(model.traces),
        }
        same("deleted", {table: receipt.rows_deleted[f"public.{table}"] for table in went}, went)

    async def _compare_rows(self, both: Both) -> None:
        model = both.model
        people = {row["employee_id"]: row for row in await self._people(both)}
        same("people", people, {one.employee_id: one.row(model.company_id) for one in model.people})
        departments = await self._rows(both, "select department_key, name, created_at from departments")
        same("departments", {row[0]: row[1:] for row in departments}, model.departments)
        sql = "select department_key, employee_id, granted_at, granted_by, beside_manager from department_approvers"
        found = {row[:2]: row[2:] for row in await self._rows(both, sql)}
        same("grants", found, {name: (*one, True) for name, one in model.grants.items()})
        await self._compare_groups(both)
        await self._compare_move(both)
        await self._compare_brake(both)
        sessions = await self._rows(both, "select session_sha256, employee_id, signed_in_at, expires_at from sessions")
        same("sessions", {row[0].hex(): Session(*row[1:]) for row in sessions}, model.sessions)
        tickets = await self._rows(both, "select ticket_sha256, employee_id, expires_at from login_tickets")
        same("tickets", {row[0].hex(): row[1:] for row in tickets}, model.tickets)
        traces = await self._rows(both, "select outcome, employee_id from login_traces")
        assert sorted(traces, key=str) == sorted(((one.outcome, one.employee_id) for one in model.traces), key=str)

    async def _compare_groups(self, both: Both) -> None:
        groups, columns = both.model.groups, "group_id, display_name, external_id, created_at, updated_at, version"
        found = {row[0]: row[1:] for row in await self._rows(both, f"select {columns} from groups")}  # noqa: S608
        told = {
            one.group_id: (one.display_name, one.external_id, one.created_at, one.updated_at, one.version)
            for one in groups
        }
        same("groups", found, told)
        members = await self._rows(both, "select group_id, employee_id, added_at from group_members")
        expected = {(one.group_id, member): since for one in groups for member, since in one.members.items()}
        same("members", {row[:2]: row[2] for row in members}, expected)

    async def _compare_brake(self, both: Both) -> None:
        columns = "step, asked_by, asked_at, last_asked_at, times, state, decided_at, decided_by_kind, decided_by"
        rows = await self._rows(both, f"select employee_id, {columns} from held_changes")  # noqa: S608
        found = {row[0]: Held(*row[1:8], *[row[8:] if row[8] else None]) for row in rows}
        same("held", found, both.model.held)
        async with both.firm.operator() as tx:
            shown = await held_changes(tx)
        passed = sum(brake.recent(both.model, self.clock()))
        now = [both.model.open_until] if (both.model.open_until or self.clock()) > self.clock() else [None]
        counts = [len(reading.held_now(both.model, state)) for state in ("held", "refused", "released")]
        seen = [shown.open_until, shown.passed_within_the_hour, shown.held, shown.refused, shown.released]
        assert seen == [*now, passed, *counts]
        same(
            "held changes",
            {one.employee_id: (one.step, one.state, one.times) for one in shown.changes},
            {
                who: (one.step, state, one.times)
                for state in ("held", "refused", "released")
                for who, one in reading.held_now(both.model, state).items()
            },
        )

    async def _compare_move(self, both: Both) -> None:
        model, columns = both.model, "tenant_id, app_id, email_domains"
        live = await self._rows(both, f"select {columns} from connections")  # noqa: S608
        prepared = await self._rows(both, f"select {columns} from next_connections")  # noqa: S608
        assert [(row[0], row[1], tuple(row[2])) for row in [*live, *prepared]] == [
            (one.tenant_id, one.app_id, one.domains) for one in (model.live, model.next) if one is not None
        ]
        trusted = await self._rows(both, "select fingerprint from certificates")
        assert trusted == [(model.live.signer,)]
        retired = await self._rows(both, "select tenant_id, app_id, retired_at from retired_connections")
        same("retired", {row[:2]: row[2] for row in retired}, model.retired)
        async with self.owner.scope_for_id(model.company_id).transaction() as tx:
            told = await move.state(tx)
        assert (told["state"], told["people"], told["first_waiting"]) == reading.move(model)

    async def _people(self, both: Both) -> list[dict[str, Any]]:
        rows = await self.reader.fetch("select * from employees where company_id = $1", both.model.company_id)
        people = [dict(row) for row in rows]
        for row in people:
            held = msgspec.json.decode(row["owners"], type=dict[str, tuple[str, datetime]])
            row["owners"] = held
            released, names = row.pop("released_sha256") or b"", both.model.by_id(row["employee_id"]).released
            salt = released[:16]
            expected = b"".join(hashlib.sha256(salt + name.encode()).digest() for name in names)
            assert (released[16:], bool(salt)) == (expected, bool(names))
        return people

    async def _rows(self, both: Both, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.reader.fetch(f"{sql} where company_id = $1", both.model.company_id)]

    async def _compare_sessions(self, both: Both) -> None:
        """Whose each is, whether it still lets him in, and with which roles."""
        turn = Turn(self.clock(), ("system", "directory"), both.model.settings.zone)
        for session in both.model.sessions:
            held = SessionCredential(company_id=str(both.model.company_id), session_sha256=session)
            real = await answered(logins.read_session(self.database, ReadSession(session=held)))
            try:
                person, roles = signed_in(both.model, turn, session)
                expected: object = (person.text, roles)
            except Refused as refused:
                expected = refused.code
            found = (real.employee_id, real.roles) if isinstance(real, SignedIn) else real
            same("whose sessions", {session: found}, {session: expected})

    async def _compare_history(self, both: Both) -> None:
        rows = await self.reader.fetch(
            "select * from events where company_id = $1 order by sequence", both.model.company_id
        )
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
        told = [
            (
                row["at"],
                row["kind"],
                row["employee_id"],
                (row["actor_kind"], row["actor_id"]),
                _counted(_json(row["changes"])),
                _json(row["names"]),
            )
            for row in rows
        ]
        expected = [
            (one.at, one.kind, one.employee_id, one.actor, one.changes, one.names) for one in both.model.history
        ]
        same("history", dict(enumerate(told)), dict(enumerate(expected)))
        async with self.owner.scope_for_id(both.model.company_id).transaction() as tx:
            assert (await verify(tx)).breaks == []
            for person in both.model.people:
                await self._fold(tx, EmployeeId(person.employee_id))

    async def _fold(self, tx: CompanyTx, employee_id: EmployeeId) -> None:
        """What is told of somebody since he came into being is what he is now."""
        told = await events.of_employee(tx, employee_id)
        person = await lock_anybody(tx, employee_id)
        if told and told[0].kind == "employee.created" and person is not None:
            folded, now = fold(employee_id, told), shown_to_application(person)
            same("folded history", msgspec.to_builtins(folded), msgspec.to_builtins(now))


def same(what: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> None:
    """Names the first difference alone: whole rows would hide it."""
    for name in {**found, **expected}:
        real, wanted = found.get(name), expected.get(name)
        if isinstance(real, dict) and isinstance(wanted, dict):
            same(f"{what}, {name}", real, wanted)
        assert real == wanted, f"{what}, {name}:\nreally:       {real}\nby the rules: {wanted}"


def _counted(changes: dict[str, Any]) -> dict[str, Any]:
    """How many sessions ended instead of which, and no name of the one that was opened: the database chooses their names."""
    if "ended" in changes:
        return {**changes, "ended": {**changes["ended"], "sessions": len(changes["ended"]["sessions"])}}
    return {**changes, "session": {}} if "session" in changes else changes


def _json(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


async def answered(attempt: Awaitable[object]) -> object:
    """The answer, or the code of the refusal; anything else is a fault."""
    try:
        return await attempt
    except DomainError as error:
        return error.code.value


async def founded(
    database: Database,
    clock: SettableClock,
    owner: Database,
    urls: Urls,
    reader: asyncpg.Connection,
    settings: list[Settings],
) -> World:
    """The companies; each begins with a Setup admin of an import, who has signed in."""
    clock.set(BEGINNING)
    world = World(database, clock, owner, reader, [])
    for one in settings:
        firm = await Firm.founded(database, urls, time_zone=one.zone)
        row = await reader.fetchrow("select tenant_id, app_id from connections where company_id = $1", firm.company_id)
        assert row is not None
        first = Connection(row["tenant_id"], row["app_id"], SIGNER)
        both = Both(firm, Company(firm.company_id, firm.name, one, first, EVIDENCE), first, uuid4().hex * 2)
        await reader.execute(
            "update companies set rehire_ask_after_days = $2, brake_people = $3, brake_percent = $4, "
            "erase_after_months = $5 where company_id = $1",
            firm.company_id,
            one.ask_after_days,
            *one.brake,
            one.erase_after_months,
        )
        await reader.execute(
            "update connections set group_id = $2, group_name = $3, group_check = $4 where company_id = $1",
            firm.company_id,
            *one.group,
            one.group_check,
        )
        await reader.execute(
            "insert into certificates (company_id, fingerprint, der, subject, not_before, not_after, added_at) "
            "values ($1, $2, '', 'CN=x', now(), now() + interval '10 years', now())",
            firm.company_id,
            SIGNER,
        )
        person = await imported(world, both, ADMIN, ADMIN, ("setup_admin",))
        # From the future, so that no company's limit ends it before the rules do.
        expires_at = clock() + timedelta(days=400)
        await reader.execute(
            "insert into sessions (company_id, session_sha256, employee_id, name_id, signed_in_at, expires_at) "
            "values ($1, $2, $3, 'admin', $4, $5)",
            firm.company_id,
            bytes.fromhex(both.admin),
            person.employee_id,
            expires_at,
            expires_at,
        )
        both.model.sessions[both.admin] = Session(person.employee_id, expires_at, expires_at)
        both.model.known_as[both.admin] = ("", "admin")
        world.companies.append(both)
    return world


async def imported(world: World, both: Both, login: str, email: str, roles: tuple[str, ...]) -> Person:
    """Somebody from an import, as it leaves him."""
    now = world.clock()
    person = Person(
        employee_id=uuid4(), source="csv", login_name=login, email=email, given_name="Ann", family_name="Holm", roles=roles,
        hired_on=now.date(), created_at=now, updated_at=now,
    )  # fmt: skip
    person = person.with_owner("csv", ["login_name", "email", "given_name", "family_name", "hired_on"], now)
    row = person.row(both.model.company_id)
    row["owners"] = msgspec.json.encode(row["owners"]).decode()
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    columns = ", ".join(row)
    await world.reader.execute(f"insert into employees ({columns}) values ({places})", *row.values())  # noqa: S608
    both.model.people.append(person)
    return person
