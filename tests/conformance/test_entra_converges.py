"""Entra's cycles over a whole company, with random edits between: the target equals its directory, and then nothing is written.

`ENTRA_PEOPLE` says how many people there are: 60 unless it is set, 5,000 in the full run (benchmarks/README.md). `Mirror` is a
second, plain account of what provisioning should have done, kept from the directory alone.
"""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest

from tests.conformance.microsoft import MANAGER, values_in
from tests.entra.mapping import Json, Value, mapped_values
from tests.entra.people import DEFAULT_MAPPINGS, Person
from tests.entra.provisioning import CycleResult, ProvisioningEngine
from tests.entra.scim_client import Exchange, ExchangeLog
from tests.support.company import Company

PEOPLE = int(os.environ.get("ENTRA_PEOPLE", "60"))
ROUNDS = int(os.environ.get("ENTRA_ROUNDS", "2"))
SEED = int(os.environ.get("ENTRA_SEED", "4"))
WORDS = [
    "Ærø",
    "Salg & Service",
    "O'Neill",
    "Kok",
    "Chef",
    " ",
    "50",
    "+45 20 30 40 50",
    "Danmark",
    "DK",
    "True",
    "x" * 90,
    'a "b"',
    "é",
]


class Writes(ExchangeLog):
    """Only what writes: reading 5,000 people several times would fill the memory."""

    def __init__(self) -> None:
        super().__init__(limit=1_000_000)
        self.requests = 0

    def append(self, exchange: Exchange) -> None:
        self.requests += 1
        if exchange.writes:
            super().append(msgspec.structs.replace(exchange, response_body=""))


@dataclass
class Mirror:
    """What the target should hold, by object id. A cleared attribute sends nothing, so what was there stays; a manager who comes
    late is named only for whoever changed since, until a restart (known-issues.md)."""

    company: Company
    people: dict[str, dict[str, Value]] = field(default_factory=dict)
    managed: set[str] = field(default_factory=set)
    groups: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    watermark: int = 0

    def cycle(self, *, restart: bool = False) -> None:
        tenant, app = self.company.tenant, self.company.app
        since, self.watermark = 0 if restart else self.watermark, tenant.revision
        assigned = set(tenant.assigned(app))
        for object_id, person in tenant.people.items():
            if object_id in assigned:
                self._in_scope(object_id, person)
            elif object_id in self.managed:
                self.people[object_id]["active"] = False
                self.managed.remove(object_id)
        for object_id in self.managed - tenant.people.keys():
            del self.people[object_id]
            self.managed.remove(object_id)
        for object_id in self.managed:
            if (person := tenant.people[object_id]).revision > since:
                self._refer(object_id, person)
        self._groups()

    def on_demand(self, person: Person) -> None:
        self._in_scope(person.object_id, person)
        self._refer(person.object_id, person)

    def _in_scope(self, object_id: str, person: Person) -> None:
        if person.is_soft_deleted and object_id not in self.managed:
            return
        values = mapped_values(person, DEFAULT_MAPPINGS, active=not person.is_soft_deleted)
        if person.deleted_at is not None:
            values = {"active": False}
        self.people.setdefault(object_id, {}).update(values)
        self.managed.add(object_id)

    def _refer(self, object_id: str, person: Person) -> None:
        if person.manager in self.managed and not person.is_soft_deleted:
            self.people[object_id][MANAGER] = person.manager

    def _groups(self) -> None:
        tenant, app = self.company.tenant, self.company.app
        listed = (app.group_id, *app.provisioning.further_groups)
        self.groups = {
            group.object_id: (group.display_name, {one for one in group.members if one in self.managed})
            for group in (tenant.groups[one] for one in listed)
        }


class Directory:
    """Entra's directory, edited at random."""

    def __init__(self, company: Company, mirror: Mirror, chance: random.Random) -> None:
        self.company, self.tenant, self.mirror, self.chance = company, company.tenant, mirror, chance

    def hire(self, number: int) -> None:
        for _ in range(number):
            boss = self._anyone() if self.tenant.people else None
            self.company.hire(
                surname=self.chance.choice(["Holm", "Ærø", "O'Neill"]),
                job_title=self._text(),
                department=self._text(),
                mobile=self._text(),
                telephone_number=self._text(),
                country=self._text(),
                manager=boss.object_id if boss and self.chance.random() < 0.8 else None,
            )

    def found_groups(self, number: int) -> None:
        for index in range(number):
            group = self.tenant.add_group(f"Gruppe {index}")
            self._assign_groups((*self.company.app.provisioning.further_groups, group.object_id))
            self._gather(group.object_id)

    def edit(self, times: int) -> None:
        edits = {
            self.rewrite: 8, self.rename: 4, self.promote: 6, self.clear: 2, self.block: 3, self.delete: 3, self.restore: 3,
            self.purge: 2, self.unassign: 3, self.assign: 3, self.regroup: 3, self.rename_group: 2,
        }  # fmt: skip
        for edit in self.chance.choices(list(edits), list(edits.values()), k=times):
            edit()
        self.hire(times // 20)

    def rewrite(self) -> None:
        name = self.chance.choice(["display_name", "given_name", "job_title", "department", "mobile", "country"])
        value = "Ny" if name == "given_name" else self._text() or "-"
        self.tenant.edit_person(self._anyone().object_id, **{name: value})

    def rename(self) -> None:
        name = f"ny{self.chance.getrandbits(40):x}@{self.company.name}.example"
        self.tenant.edit_person(self._anyone().object_id, user_principal_name=name)

    def promote(self) -> None:
        self.tenant.edit_person(self._anyone().object_id, manager=self._anyone().object_id)

    def clear(self) -> None:
        self.tenant.edit_person(self._anyone().object_id, job_title=None, mobile=None, manager=None)

    def block(self) -> None:
        self.tenant.block(self._anyone().object_id)

    def delete(self) -> None:
        self.tenant.delete(self._anyone().object_id)

    def restore(self) -> None:
        for person in self._some(lambda one: one.is_soft_deleted, 2):
            self.tenant.edit_person(person.object_id, deleted_at=None, account_enabled=True)

    def purge(self) -> None:
        for person in self._some(lambda one: one.deleted_at is not None, 1):
            self.tenant.purge(person.object_id)

    def unassign(self) -> None:
        self.tenant.unassign(self.company.app, self._anyone().object_id)

    def assign(self) -> None:
        """Again, but not who was renamed meanwhile: he is somebody new to the target, for nothing says that he is the same."""
        members, known = set(self.tenant.assigned(self.company.app)), self.mirror.people

        def comes_back(one: Person) -> bool:
            name = known.get(one.object_id, {}).get("userName", one.user_principal_name)
            return one.object_id not in members and name == one.user_principal_name

        for person in self._some(comes_back, 1):
            self.tenant.assign(self.company.app, person.object_id)

    def regroup(self) -> None:
        further = self.company.app.provisioning.further_groups
        if further and self.chance.random() < 0.8:
            self._gather(self.chance.choice(further))
        elif further:
            self._assign_groups(further[1:])
        else:
            self.found_groups(2)

    def rename_group(self) -> None:
        groups = (self.company.app.group_id, *self.company.app.provisioning.further_groups)
        self.tenant.rename_group(self.chance.choice(groups), f"Gruppe {self.chance.getrandbits(40):x}")

    def someone_on_demand(self) -> Person | None:
        members = set(self.tenant.assigned(self.company.app))
        found = self._some(lambda one: one.object_id in members and not one.is_soft_deleted, 1)
        return found[0] if found else None

    def _gather(self, group_id: str) -> None:
        people = list(self.tenant.people)
        self.tenant.set_members(group_id, self.chance.sample(people, min(len(people), self.chance.randrange(1, 60))))

    def _assign_groups(self, groups: tuple[str, ...]) -> None:
        self.tenant.configure_provisioning(self.company.app, further_groups=groups)

    def _some(self, wanted: Callable[[Person], bool], number: int) -> list[Person]:
        found = [one for one in self.tenant.people.values() if wanted(one)]
        return self.chance.sample(found, min(number, len(found)))

    def _anyone(self) -> Person:
        return self.chance.choice(list(self.tenant.people.values()))

    def _text(self) -> str | None:
        return self.chance.choice([*WORDS, f"{self.chance.getrandbits(20):x}", None])


async def listed(company: Company, kind: str) -> dict[str, Json]:
    """Everybody, page by page."""
    found: dict[str, Json] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = (await company.scim.get(kind, cursor=cursor, count="500" if kind == "/Users" else "20")).json
        found |= {one["id"]: one for one in page["Resources"]}
        cursor = page.get("nextCursor")
    return found


async def equals(company: Company, mirror: Mirror, targets: dict[str, str]) -> None:
    """The target holds what the mirror says, person by person and group by group, and nobody else.

    `targets`: the target ids of everybody whom the job ever knew, also of those whom it has forgotten.
    """
    job = company.tenant.job(company.app)
    targets |= {object_id: known.target_id for object_id, known in job.people.items()}
    wanted: dict[str, dict[str, Value]] = {}
    for object_id, values in mirror.people.items():
        manager = values.get(MANAGER)
        wanted[targets[object_id]] = {**values, **({MANAGER: targets[str(manager)]} if manager else {})}
    users = await listed(company, "/Users")
    assert users.keys() == wanted.keys()
    for target_id, values in wanted.items():
        shown = values_in(users[target_id])
        assert {name: shown.get(name) for name in values} == values
        assert shown.keys() - values.keys() <= {"name.formatted", 'emails[type eq "work"].primary'}
    groups = await listed(company, "/Groups")
    assert {one["externalId"]: (one["displayName"], {m["value"] for m in one.get("members", [])}) for one in groups.values()} == {
        object_id: (name, {targets[one] for one in members}) for object_id, (name, members) in mirror.groups.items()
    }  # fmt: skip


@pytest.mark.parametrize("dialect", ["legacy", "compliant"])
async def test_cycles_converge_to_entras_directory_and_then_write_nothing(
    company: Company, dialect: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """S9, S35: initial, incremental, on demand and restart, in both dialects."""
    await company.apply(
        brake={"people": 0, "percent": 30}
    )  # random edits end more people than a company does in an hour
    log = Writes()
    company.engine = ProvisioningEngine(company.tenant, log)
    company.tenant.configure_provisioning(company.app, dialect=dialect, provision_groups=True)
    chance = random.Random(f"{SEED} {dialect}")
    mirror, targets = Mirror(company), dict[str, str]()
    directory = Directory(company, mirror, chance)
    times: list[tuple[str, float, int]] = []

    async def cycle(kind: str) -> CycleResult:
        mirror.cycle(restart=kind == "restart")
        began, requests = time.perf_counter(), log.requests
        run = company.engine.restart if kind == "restart" else company.engine.cycle
        result = await run(company.app)
        times.append((kind, time.perf_counter() - began, log.requests - requests))
        assert (result.quarantine, result.failures) == (None, ())
        return result

    async def writes_nothing(kind: str) -> None:
        mark = log.last_number
        result = await cycle(kind)
        assert (result.changes, log.writes(mark)) == (0, [])

    directory.hire(PEOPLE)
    directory.found_groups(3)
    assert (await cycle("initial")).created == PEOPLE
    await equals(company, mirror, targets)
    for _ in range(ROUNDS):
        directory.edit(PEOPLE // 3)
        for _ in range(3):
            if person := directory.someone_on_demand():
                mirror.on_demand(person)
                assert (await company.engine.provision_on_demand(company.app, person)).outcome != "failed"
        await cycle("incremental")
        await equals(company, mirror, targets)
        await writes_nothing("incremental, nothing changed")
    await cycle("restart")
    await equals(company, mirror, targets)
    await writes_nothing("restart")
    with capsys.disabled():
        if "ENTRA_PEOPLE" in os.environ:
            for kind, seconds, requests in times:
                print(f"{dialect:10} {kind:30} {seconds:8.1f} s {requests:7,} requests")
