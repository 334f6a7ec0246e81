"""Who approves, asked of a company of 50,000 people in one chain of managers: `python -m benchmarks.approvers`."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg

from benchmarks import suite
from benchmarks.measure import processor_seconds
from directory.approvers import operations
from directory.database import CompanyTx, Database
from shared.clock import system_clock
from shared.ids import EmployeeId
from tests.stack.options import read_env
from tests.support.big_company import MANY, close_circle, populate

SETTLE_S = 5.0
"""PostgreSQL writes out what was just filled in; that is nobody's question."""

Ask = Callable[[CompanyTx], Awaitable[object]]
IN_THE_MIDDLE, NEAR_THE_TOP = EmployeeId(UUID(int=MANY // 2)), EmployeeId(UUID(int=MANY - 10))

QUESTIONS: list[tuple[str, int, Ask]] = [
    ("one employee, ten managers above him", 200, lambda tx: operations.explain_approvers(tx, NEAR_THE_TOP)),
    ("one employee, 1,000 managers followed", 50, lambda tx: operations.explain_approvers(tx, IN_THE_MIDDLE)),
    ("problems of the company", 3, lambda tx: operations.list_problems(tx)),
    ("preview: others approve for everybody", 3, lambda tx: operations.preview_following(tx, follow=False)),
]


async def measure(url: str, company: str, postgresql: int) -> None:
    async with Database(url, clock=system_clock, min_size=1, max_size=1) as database:
        async with database.scope_for_name(company).transaction() as tx:
            company_id = tx.company_id
        await _as_owner(url, company_id, populate)
        await asyncio.sleep(SETTLE_S)
        for name, times, ask in QUESTIONS:
            await _measured(database, company, name, times, ask, postgresql)
        await _as_owner(url, company_id, lambda owner, id_: close_circle(owner, id_, True))
        await _measured(database, company, "problems, all in one circle", 3, QUESTIONS[2][2], postgresql)


async def _measured(database: Database, company: str, name: str, times: int, ask: Ask, postgresql: int) -> None:
    taken = []
    own, theirs = time.process_time(), processor_seconds(postgresql)
    for _ in range(times):
        started = time.perf_counter()
        async with database.scope_for_name(company).transaction() as tx:
            await ask(tx)
        taken.append((time.perf_counter() - started) * 1000)
    spent = (time.process_time() - own) / times * 1000, (processor_seconds(postgresql) - theirs) / times * 1000
    print(f"{name:<42}{statistics.median(taken):>10.1f}{spent[0]:>14.1f}{spent[1]:>14.1f}", flush=True)


async def _as_owner(url: str, company_id: UUID, write: Callable[[asyncpg.Connection, UUID], Awaitable[None]]) -> None:
    owner = await asyncpg.connect(url)
    try:
        async with owner.transaction():
            await owner.execute("select set_config('app.company_id', $1, true)", str(company_id))
            await write(owner, company_id)
        # Otherwise PostgreSQL does it by itself, in the middle of what is measured.
        await owner.execute("vacuum (analyze) employees, department_approvers")
    finally:
        await owner.close()


def main() -> int:
    with suite.running() as target:
        asyncio.run(suite.bring_on_board(target))
        print(f"{f'{MANY:,} people':<42}{'median ms':>10}{'directory CPU':>14}{'PostgreSQL':>14}")
        url = read_env(target.folder / "settings.env")["DATABASE_URL"]
        asyncio.run(measure(url, target.company, target.processes["postgresql"]))
        print("load average:", os.getloadavg()[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
