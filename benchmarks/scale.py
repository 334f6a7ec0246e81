"""Every operation of directory in a company of 50,000, in one of 1,000, and over 10,000 companies of 20, in one database.

`python -m benchmarks.scale [--companies N] [--people N]` (about six minutes). For each operation: the median time, the
processor time of directory and of PostgreSQL, the statements it sends, and whether any of them reads a table of companies from
end to end, by the plan that PostgreSQL makes for the very arguments. At the end, the memory that 10,000 companies have cost.
Directory runs in this process; commits are synchronous; nothing is timed against a limit.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from benchmarks import population, suite
from benchmarks.measure import processor_seconds, resident_mib
from directory.api import people as application
from directory.api.queries import EmployeesQuery
from directory.approvers.grants import grant_role, revoke_role
from directory.approvers.operations import explain_approvers
from directory.cycles.reports import report, unasked
from directory.database import Actor, CompanyTx, Database, Statement
from directory.employees import hr
from directory.employees.operations import find_employees
from directory.events import store as events
from directory.findings.store import open_findings
from directory.journal.operations import page as read_journal
from directory.worklist.operations import work_list
from shared.clock import system_clock
from shared.ids import EmployeeId, employee_text
from shared.schemas.employee import Employee, FindEmployees, ScimCredential
from shared.schemas.people import EmployeeEdits, NewPerson
from tests.stack.options import read_env
from tests.support.firm import Firm, Urls
from tests.support.groups import Groups

RESULTS = Path(__file__).parent / "results" / "scale.json"
FEW_ROWS = 1000
"""A table of no more is read whole, and rightly."""


@dataclass
class Place:
    """Where an operation happens: one large company, or any of ten thousand."""

    name: str
    firms: list[Firm]
    people: int
    chance: random.Random

    def firm(self) -> Firm:
        return self.chance.choice(self.firms)

    def number(self) -> int:
        """Of somebody who is there from the beginning and has no reports of his own."""
        return self.chance.randint(self.people // 2 + 1, self.people)


Operation = Callable[[Firm, Place], Awaitable[object]]
_fresh = itertools.count()


def _id(number: int) -> str:
    return employee_text(UUID(int=number))


async def _somebody(firm: Firm, place: Place) -> Employee:
    return await firm.get(_id(place.number()))


@asynccontextmanager
async def _inside(firm: Firm) -> AsyncIterator[CompanyTx]:
    async with firm.database.scope_for_id(firm.company_id).transaction(Actor("operator", "benchmark")) as tx:
        yield tx


async def find(firm: Firm, place: Place) -> None:
    assert (await firm.find(login_name=f"p{place.number()}@firma.example")).total == 1


async def create(firm: Firm, place: Place) -> None:
    name = f"n{next(_fresh)}@firma.example"
    await firm.provision(login=name, title="Kok", department="Afdeling 0", manager_ref=_id(1), country="Danmark")


async def change(firm: Firm, place: Place) -> None:
    text = f"v{next(_fresh)}"
    person = await _somebody(firm, place)
    await firm.change(
        person, title=text, display_name=text, mobile_phone=text, given_name=text, department="Afdeling 0"
    )


async def unchanged(firm: Firm, place: Place) -> None:
    person = await _somebody(firm, place)
    assert not (await firm.change(person, family_name=person.family_name, active=True)).changed


async def move(firm: Firm, place: Place) -> None:
    await firm.change(await _somebody(firm, place), manager_ref=_id(place.chance.randint(1, max(2, place.people // 9))))


async def suspend_and_resume(firm: Firm, place: Place) -> None:
    person = await _somebody(firm, place)
    await firm.change(person, active=False)
    await firm.change(person, active=True)


async def create_and_remove(firm: Firm, place: Place) -> None:
    made = await firm.provision(login=f"g{next(_fresh)}@firma.example")
    await firm.remove(made.employee)


async def edit(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        await hr.edit_employee(tx, _id(place.number()), EmployeeEdits(policy=f"v{next(_fresh)}"))


async def approvers(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        await explain_approvers(tx, EmployeeId(UUID(int=place.number())))


async def work(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        await work_list(tx)


async def findings(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        await open_findings(tx)


async def as_of(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        await application.employee(tx, _id(place.number()), datetime.now(UTC))


async def employees_page(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        await application.page(tx, EmployeesQuery(after=_id(place.number()), limit=100))


async def feed_page(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        start = place.chance.randint(0, place.people - 1)
        await events.page(tx, start, start + 100, None)


async def create_and_rename(firm: Firm, place: Place) -> None:
    made = await firm.provision(login=f"r{next(_fresh)}@firma.example")
    name = f"s{next(_fresh)}@firma.example"
    await firm.change(made.employee, login_name=name, email=name)


async def create_by_hand_and_adopt(firm: Firm, place: Place) -> None:
    name = f"h{next(_fresh)}@firma.example"
    async with _inside(firm) as tx:
        await hr.create_employee(tx, NewPerson(login_name=name, email=name, given_name="Anna", family_name="Holm"))
    assert (await firm.provision(login=name)).outcome == "adopted"


async def block_and_unblock(firm: Firm, place: Place) -> None:
    person = _id(place.number())
    for blocked in (True, False):
        async with _inside(firm) as tx:
            await hr.set_blocked(tx, person, blocked)


async def create_and_end_by_hand(firm: Firm, place: Place) -> None:
    made = await firm.provision(login=f"e{next(_fresh)}@firma.example")
    async with _inside(firm) as tx:
        await hr.end_employment(tx, made.employee.id)


async def role(firm: Firm, place: Place) -> None:
    person = EmployeeId(UUID(int=place.number()))
    async with _inside(firm) as tx:
        await grant_role(tx, person, "hr_statistics")
    async with _inside(firm) as tx:
        await revoke_role(tx, person, "hr_statistics")


async def history(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        await application.history(tx, _id(place.number()), None, 100)


async def reference_check(firm: Firm, place: Place) -> None:
    await firm.search({"id": _id(place.number()), "manager": _id(1)})


async def cursor_page(firm: Firm, place: Place) -> None:
    request = FindEmployees(credential=firm.credential, after=_id(place.number()), limit=100)
    await find_employees(firm.database, request)


async def traffic(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        await report(tx)


async def forgotten(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        await unasked(tx)


async def journal_page(firm: Firm, place: Place) -> None:
    async with _inside(firm) as tx:
        await read_journal(tx)


OPERATIONS: list[tuple[str, Operation]] = [
    ("find by login name", find),
    ("create", create),
    ("change of five attributes (read, change)", change),
    ("change that changes nothing (read, change)", unchanged),
    ("change of manager (read, change)", move),
    ("suspend and resume (read, two changes)", suspend_and_resume),
    ("create and hard delete", create_and_remove),
    ("edit by HR", edit),
    ("effective approvers of one", approvers),
    ("work list, first page", work),
    ("open findings", findings),
    ("employee as of now, from his history", as_of),
    ("page of 100 employees", employees_page),
    ("page of 100 events", feed_page),
    ("reference check of a manager", reference_check),
    ("page of 100 users by cursor", cursor_page),
    ("history of one", history),
    ("create and rename", create_and_rename),
    ("create by hand and adopt", create_by_hand_and_adopt),
    ("create and end by hand", create_and_end_by_hand),
    ("block and unblock", block_and_unblock),
    ("grant and revoke a role", role),
    ("how provisioning stands", traffic),
    ("whom Entra has forgotten", forgotten),
    ("journal, newest page", journal_page),
]


class Watch:
    """Notes the statements that operations send, with their arguments."""

    def __init__(self) -> None:
        self.sent: list[tuple[Statement, tuple[object, ...]]] = []
        for way in ("fetch", "fetchrow", "fetchval", "execute"):
            setattr(CompanyTx, way, self._noting(getattr(CompanyTx, way)))

    def _noting(self, original: Any) -> Any:
        async def noted(tx: CompanyTx, question: Statement, *arguments: object) -> Any:
            self.sent.append((question, arguments))
            return await original(tx, question, *arguments)

        return noted


async def whole_reads(firm: Firm, sent: Sequence[tuple[Statement, tuple[object, ...]]]) -> list[str]:
    """Statements whose plan reads a table of any size from end to end."""
    async with _inside(firm) as tx:
        large = {row["relname"] for row in await tx.fetch(_LARGE, FEW_ROWS)}
    found = []
    for question, arguments in sent:
        asked = Statement("explain", "benchmark", f"explain (format json) {question.sql}")
        async with _inside(firm) as tx:
            plan = json.loads(await tx.fetchval(asked, *arguments))[0]["Plan"]
        if large.intersection(_scanned(plan)):
            found.append(f"{question.collection}.{question.name}")
    return sorted(set(found))


_LARGE = Statement(
    "large_tables", "benchmark", "select relname::text from pg_class where relkind = 'r' and reltuples > $1"
)


def _scanned(plan: dict[str, Any]) -> list[str]:
    own = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return own + [name for part in plan.get("Plans", []) for name in _scanned(part)]


async def measured(
    place: Place, name: str, operation: Operation, watch: Watch, postgresql: int, times: int
) -> dict[str, Any]:
    taken: list[float] = []
    await operation(place.firm(), place)
    own, theirs = time.process_time(), processor_seconds(postgresql)
    watch.sent.clear()
    for _ in range(times):
        started = time.perf_counter()
        await operation(place.firm(), place)
        taken.append((time.perf_counter() - started) * 1000)
    spent = (time.process_time() - own) / times * 1000, (processor_seconds(postgresql) - theirs) / times * 1000
    statements = len(watch.sent) / times
    firm = place.firm()
    watch.sent.clear()
    await operation(firm, place)
    read = await whole_reads(firm, list(watch.sent))
    return {
        "operation": name,
        "place": place.name,
        "median_ms": round(statistics.median(taken), 2),
        "directory_processor_ms": round(spent[0], 2),
        "postgresql_processor_ms": round(spent[1], 2),
        "statements": round(statements, 1),
        "reads_a_table_from_end_to_end": read,
    }


async def groups(place: Place) -> dict[str, Any]:
    """5,000 members come, come again, and go, in one change each: seconds."""
    firm = place.firms[0]
    made, members = Groups(firm), [_id(number) for number in range(1, min(5000, place.people) + 1)]
    group = await made.create("Alle")
    found: dict[str, Any] = {"members": len(members)}
    for name, changes in (
        ("add", {"add": members}),
        ("the same again", {"members": members}),
        ("remove", {"remove": members}),
    ):
        started = time.perf_counter()
        await made.change(group, **changes)
        found[f"{name}_s"] = round(time.perf_counter() - started, 2)
    return found


async def populated(owner_url: str, database: Database, urls: Urls, companies: int, people: int) -> list[Place]:
    owner = await asyncpg.connect(owner_url)

    async def firm(name: str, size: int) -> Firm:
        company_id, token = uuid4(), os.urandom(32)
        await population.found(owner, company_id, name, token, size)
        credential = ScimCredential(token_sha256=token.hex(), company=name)
        return Firm(database, urls, company_id, name, credential)

    try:
        many = [await firm(f"small-{number}", 20) for number in range(companies)]
        places = [
            Place("1,000 people", [await firm("thousand", 1000)], 1000, random.Random(1)),
            Place(f"{people:,} people", [await firm("large", people)], people, random.Random(2)),
            Place(f"{companies:,} companies of 20", many, 20, random.Random(3)),
        ]
        await owner.execute("analyze")
    finally:
        await owner.close()
    return places


async def measure(target: suite.Target, companies: int, people: int, times: int) -> dict[str, Any]:
    environment = read_env(target.folder / "settings.env")
    urls = Urls(environment["DATABASE_URL"], environment["DATABASE_APP_URL"])
    watch, postgresql = Watch(), target.processes["postgresql"]
    async with Database(urls.app, clock=system_clock, min_size=1, max_size=2) as database:
        started = time.perf_counter()
        places = await populated(urls.owner, database, urls, companies, people)
        print(f"populated in {time.perf_counter() - started:.0f} s\n", flush=True)
        rows, before = [], 0.0
        for place in places:
            print(place.name)
            for name, operation in OPERATIONS:
                rows.append(await measured(place, name, operation, watch, postgresql, times))
                print(_line(rows[-1]), flush=True)
        members = await groups(places[1])
        print(f"\n{members}")
        before = resident_mib(os.getpid())
        for firm in places[2].firms:
            await find(firm, places[2])
        watch.sent.clear()
        grown = resident_mib(os.getpid()) - before
        print(f"memory that a request of each of {companies:,} companies left behind: {grown:.1f} MiB")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average_1_min": os.getloadavg()[0],
        "operations": rows,
        "group": members,
        "memory_of_companies_mib": round(grown, 1),
    }


def _line(row: dict[str, Any]) -> str:
    names = ("median_ms", "directory_processor_ms", "postgresql_processor_ms", "statements")
    read = ", ".join(row["reads_a_table_from_end_to_end"])
    return (
        f"  {row['operation']:<44}"
        + "".join(f"{row[name]:>10}" for name in names)
        + (f"  READS ALL: {read}" if read else "")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=200)
    asked = parser.parse_args()
    with suite.running() as target:
        found = asyncio.run(measure(target, asked.companies, asked.people, asked.times))
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
