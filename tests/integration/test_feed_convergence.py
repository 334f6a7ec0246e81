"""A consumer that reads the feed from zero arrives at exactly the present state, whatever was written meanwhile.

Writers change people of one company side by side, by seeded chance; followers read pages of random sizes at the same time and
keep a copy by docs/feed.md alone (`Follower`). In the end each copy is what `/employees` answers, attribute by attribute.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from directory.approvers import grants
from directory.database import CompanyTx
from directory.employees import hr, writing
from directory.employees.releasing import release_attribute
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import Employee
from shared.schemas.people import EmployeeEdits
from tests.support.application import Application, Follower
from tests.support.clock import SettableClock
from tests.support.firm import Firm, uuid_of

WRITERS, STEPS, FOLLOWERS = 6, 25, 2

EXPECTED = {
    ErrorCode.not_found, ErrorCode.not_allowed, ErrorCode.login_taken, ErrorCode.email_taken, ErrorCode.external_id_taken
}  # fmt: skip
"""What writers do to each other."""

TEXTS = ("Kok", "Æblegård 🍎", 'quoted "\\"', " ", None)


class Writers:
    """What is done to the company's people, by chance."""

    def __init__(self, firm: Firm, chance: random.Random) -> None:
        self.firm = firm
        self.chance = chance
        self.people: list[Employee] = []

    async def write(self) -> None:
        for _ in range(STEPS):
            steps: list[Callable[[], Awaitable[Any]]] = [
                self.create, self.create, self.change, self.change, self.rename, self.report, self.activate, self.activate,
                self.remove, self.edit, self.block, self.end, self.grant, self.exempt,
            ]  # fmt: skip
            try:
                await self.chance.choice(steps)()
            except DomainError as error:
                assert error.code in EXPECTED, error  # noqa: PT017  writers race, and lose in known ways

    def somebody(self) -> Employee:
        return self.chance.choice(self.people)

    def login(self) -> str:
        return f"p{self.chance.randrange(30)}@firma.dk"

    async def create(self) -> None:
        manager = self.chance.choice([None, self.login(), "nobody"])
        made = await self.firm.provision(
            login=self.login(), title=self.chance.choice(TEXTS), department=self.chance.choice(TEXTS), manager_ref=manager,
            external_id=self.chance.choice([None, f"x{self.chance.randrange(30)}"]), active=self.chance.random() < 0.9,
        )  # fmt: skip
        self.people.append(made.employee)

    async def change(self) -> None:
        names = self.chance.sample(["title", "department", "country", "work_phone", "employee_number"], 2)
        await self.firm.change(self.somebody(), **{name: self.chance.choice(TEXTS) for name in names})

    async def rename(self) -> None:
        await self.firm.change(self.somebody(), login_name=self.login(), email=self.login(), given_name="Ny")

    async def report(self) -> None:
        await self.firm.change(
            self.somebody(), manager_ref=self.chance.choice([self.somebody().id, self.login(), None])
        )

    async def activate(self) -> None:
        await self.firm.change(self.somebody(), active=self.chance.random() < 0.5)

    async def remove(self) -> None:
        await self.firm.remove(self.somebody())

    async def edit(self) -> None:
        edits = EmployeeEdits(policy=self.chance.choice(TEXTS), hired_on=date(2026, 1, self.chance.randint(1, 28)))
        await self._by_hr(lambda tx: hr.edit_employee(tx, self.somebody().id, edits))

    async def block(self) -> None:
        await self._by_hr(lambda tx: hr.set_blocked(tx, self.somebody().id, self.chance.random() < 0.5))

    async def end(self) -> None:
        await self._by_hr(lambda tx: hr.end_employment(tx, self.somebody().id))

    async def grant(self) -> None:
        act = self.chance.choice([grants.grant_role, grants.revoke_role])
        role = self.chance.choice(["hr_statistics", "self_approver"])
        await self._by_hr(lambda tx: act(tx, uuid_of(self.somebody()), role))

    async def exempt(self) -> None:
        only = self.chance.random() < 0.5
        await self._by_hr(lambda tx: grants.set_only_direct_approver(tx, uuid_of(self.somebody()), only))

    async def _by_hr(self, act: Callable[[CompanyTx], Awaitable[Any]]) -> None:
        async def attempt() -> None:
            async with self.firm.operator() as tx:
                await act(tx)

        await writing.repeated(attempt)


async def follow(application: Application, follower: Follower, chance: random.Random, done: asyncio.Event) -> None:
    while True:
        finished = done.is_set()
        page = await application.events(
            after=follower.cursor, limit=chance.randint(1, 40), wait=chance.choice([0, 0.2])
        )
        follower.take(page)
        if finished and follower.cursor == page["head"]:
            return


async def everybody(application: Application, chance: random.Random) -> dict[str, Any]:
    found = await application.employees(limit=chance.randint(1, 50))
    found += await application.employees(limit=chance.randint(1, 50), state="departed")
    return {one["id"]: one for one in found}


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_reads_from_zero_arrives_at_the_present_state(
    application: Application, firm: Firm, seed: int
) -> None:
    chance, done = random.Random(seed), asyncio.Event()
    writers = Writers(firm, chance)
    writers.people.append(await firm.create())
    followers = [Follower() for _ in range(FOLLOWERS)]
    following = [asyncio.create_task(follow(application, one, random.Random(seed + 1), done)) for one in followers]
    await asyncio.gather(*(writers.write() for _ in range(WRITERS)))
    await firm.change(await firm.create(login="away@firma.dk"), active=False)
    await firm.remove(await firm.create(login="gone@firma.dk"))
    done.set()
    await asyncio.gather(*following)
    late = Follower()
    await follow(application, late, chance, done)
    present = await everybody(application, chance)
    assert {one["state"] for one in present.values()} >= {"suspended", "departed"}
    for follower in (*followers, late):
        assert set(follower.people) == set(present)
        for employee_id, shown in present.items():
            assert as_times(follower.people[employee_id]) == as_times(shown)


def as_times(employee: dict[str, Any]) -> dict[str, Any]:
    """Moments compare as moments: a whole second may be written with its zeros or without."""
    return {
        name: value.replace(".000000Z", "Z") if isinstance(value, str) else value for name, value in employee.items()
    }


async def test_whoever_lists_first_and_follows_then_arrives_there_too(application: Application, firm: Firm) -> None:
    chance, done = random.Random(99), asyncio.Event()
    writers = Writers(firm, chance)
    writers.people.append(await firm.create())
    await writers.write()
    writing = asyncio.gather(*(writers.write() for _ in range(3)))
    first = (await application.get("/employees", limit=5)).body
    people = await everybody(application, chance)
    follower = Follower(people=people, cursor=first["sequence"])
    await writing
    done.set()
    await follow(application, follower, chance, done)
    present = await everybody(application, chance)
    unlike = {"version", "created_at", "updated_at"}
    for employee_id, shown in present.items():
        kept = follower.people[employee_id]
        assert {name: kept[name] for name in shown if name not in unlike} == {
            name: shown[name] for name in shown if name not in unlike
        }


@pytest.mark.parametrize("choice", ["continue", "new_employment"])
async def test_a_return_after_a_long_time_is_followed_too(
    application: Application, firm: Firm, firm_clock: SettableClock, choice: Any
) -> None:
    await firm.as_owner("update companies set rehire_ask_after_days = 30")
    start = datetime(2030, 1, 1, 12, tzinfo=UTC)
    try:
        firm_clock.set(start)
        anna = await firm.create(department="Salg", external_id="x-1")
        async with firm.operator() as tx:
            await hr.edit_employee(tx, anna.id, EmployeeEdits(policy="Funktionær"))
        await firm.change(anna, active=False)
        firm_clock.set(start + timedelta(days=90))
        await firm.change(anna, active=True)
        async with firm.operator() as tx:
            await hr.decide_rehire(tx, anna.id, choice)
        await release_attribute(firm.operator, "title")
    finally:
        firm_clock.set(None)
    follower, done = Follower(), asyncio.Event()
    done.set()
    await follow(application, follower, random.Random(1), done)
    present = await everybody(application, random.Random(2))
    assert len(present) == (1 if choice == "continue" else 2)
    assert {one: as_times(kept) for one, kept in follower.people.items()} == {
        one: as_times(shown) for one, shown in present.items()
    }


async def test_people_who_came_by_an_import_are_followed_too(application: Application, firm: Firm) -> None:
    """Imported with managers who come later in the file, imported again, adopted by Entra (S33), suspended and departed."""
    head = "login_name,email,given_name,family_name,title,employee_number,hired_on,manager_login_name,country\n"
    rows = [
        f"p{number}@firma.dk,p{number}@firma.dk,P,{number},Kok,{number},2020-01-01,p{(number + 1) % 6}@firma.dk,Danmark"
        for number in range(6)
    ]
    await firm.import_csv((head + "\n".join(rows)).encode())
    await firm.import_csv((head + "\n".join(rows).replace("Kok", "Chef")).encode())
    adopted = [(await firm.provision(login=f"p{number}@firma.dk", title="Direktør")).employee for number in range(3)]
    await firm.change(adopted[1], active=False)
    await firm.remove(adopted[2])
    follower, done = Follower(), asyncio.Event()
    done.set()
    await follow(application, follower, random.Random(1), done)
    present = await everybody(application, random.Random(2))
    assert {one["source"] for one in present.values()} == {"entra", "csv"}
    assert {one: as_times(kept) for one, kept in follower.people.items()} == {
        one: as_times(shown) for one, shown in present.items()
    }
    first = next(one for one in present.values() if one["id"] == adopted[0].id)
    assert (first["owners"]["title"], first["owners"]["employee_number"], first["hired_on"]) == (
        "entra",
        "csv",
        "2020-01-01",
    )
