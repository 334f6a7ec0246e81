"""Random sequences of asks and decisions against a plain model of the brake, and everything is compared."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory.brake import holds
from directory.brake.applying import apply
from directory.database import Database
from shared.errors import DomainError
from shared.schemas.employee import Employee
from tests.support.clock import SettableClock
from tests.support.firm import Firm, Urls, uuid_of

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
PEOPLE = 8

Step = tuple[str, int]
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.sampled_from(["suspend", "suspend", "suspend", "remove"]), st.integers(0, PEOPLE - 1)),
    st.tuples(st.just("resume"), st.integers(0, PEOPLE - 1)),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 61, 600, 49 * 60])),
    st.tuples(st.sampled_from(["release", "refuse"]), st.just(0)),
)


class Model:
    """The rules of docs/brake.md, said once more and simply: every moment is kept."""

    def __init__(self, people: int, percent: int) -> None:
        self.people, self.percent = people, percent
        self.state = ["active"] * PEOPLE
        self.held: dict[int, tuple[str, str, datetime]] = {}
        self.asked: list[tuple[datetime, bool]] = []
        self.open_until = START
        self.now = START

    def ask(self, step: str, person: int) -> str:
        if self.state[person] == "departed":
            return "not_found"
        if self.state[person] == "active" and self._stops(step, person):
            return "held"
        self.state[person] = "departed" if step == "remove" else "suspended"
        return "done"

    def _stops(self, step: str, person: int) -> bool:
        known = self.held.get(person)
        if self.people == 0 or self.now < self.open_until:
            self.held.pop(person, None)
            return False
        if known and known[2] > self.now - timedelta(hours=48):
            self.held[person] = (known[0], step, self.now)
            return True
        self.held.pop(person, None)
        recent = [passed for at, passed in self.asked if self.minute(at) >= self.minute(self.now) - 60]
        count, base = len(recent) + 1, self.state.count("active") + sum(recent)
        stops = count > self.people and count * 100 > self.percent * base
        self.asked.append((self.now, not stops))
        if stops:
            self.held[person] = ("held", step, self.now)
        return stops

    @staticmethod
    def minute(at: datetime) -> int:
        return int(at.timestamp()) // 60

    def resume(self, person: int) -> str:
        if self.state[person] == "departed":
            return "not_found"
        if self.state[person] == "active":
            self.held.pop(person, None)
        self.state[person] = "active"
        return "done"

    def decide(self, decision: str) -> None:
        silent = [one for one, (_, _, asked) in self.held.items() if asked <= self.now - timedelta(hours=48)]
        for one in silent:
            del self.held[one]
        if decision == "refuse":
            self.held = {one: ("refused", step, asked) for one, (_, step, asked) in self.held.items()}
            return
        for one, (_, step, _) in self.held.items():
            self.state[one] = "departed" if step == "remove" else "suspended"
        self.held, self.asked, self.open_until = {}, [], self.now + timedelta(hours=1)


async def answered(attempt: Any) -> str:
    try:
        await attempt
    except DomainError as error:
        return error.code.value
    return "done"


async def take(firm: Firm, step: Step, people: list[Employee], clock: SettableClock, model: Model) -> None:
    verb, value = step
    match verb:
        case "wait":
            model.now += timedelta(minutes=value)
            clock.set(model.now)
        case "suspend":
            assert await answered(firm.change(people[value], active=False)) == model.ask(verb, value)
        case "remove":
            assert await answered(firm.remove(people[value])) == model.ask(verb, value)
        case "resume":
            assert await answered(firm.change(people[value], active=True)) == model.resume(value)
        case _:
            model.decide(verb)
            async with firm.operator() as tx:
                await (holds.release(tx) if verb == "release" else holds.refuse(tx))
            await apply(lambda: firm.database.scope_for_id(firm.company_id).transaction())


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(limit=st.tuples(st.integers(0, 3), st.sampled_from([0, 20, 50])), steps=st.lists(STEPS, min_size=5, max_size=40))
async def test_the_brake_is_its_model(
    firm_database: Database, firm_urls: Urls, firm_clock: SettableClock, limit: tuple[int, int], steps: list[Step]
) -> None:
    firm_clock.set(START)
    try:
        firm = await Firm.founded(firm_database, firm_urls)
        await firm.as_owner("update companies set brake_people = $1, brake_percent = $2", *limit)
        people = [await firm.create(login=f"p{number}@firma.dk") for number in range(PEOPLE)]
        model = Model(*limit)
        for step in steps:
            await take(firm, step, people, firm_clock, model)
            rows = await firm.as_owner("select employee_id, state, step from held_changes")
            held = {row["employee_id"]: (row["state"], row["step"]) for row in rows}
            assert held == {uuid_of(people[one]): told[:2] for one, told in model.held.items()}
            states = await firm.as_owner("select employee_id, state from employees")
            found = {row["employee_id"]: row["state"] for row in states}
            assert [found[uuid_of(one)] for one in people] == model.state
    finally:
        firm_clock.set(None)
