"""`python -m benchmarks.journal`: what the journal costs an exchange, on its path and behind it, and what reading it takes.

On the path: the slip, and keeping it. Behind: preparing what is handed over (redaction), and writing it in batches of 200, mixed
as in a cycle: two look-ups for each create. Directory runs in this process; commits are synchronous.
"""

import asyncio
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request

from benchmarks import suite
from benchmarks.floors import each_ms
from benchmarks.measure import processor_seconds
from directory.database import Database
from directory.journal import operations
from scim_ingest.journal import Journal
from scim_ingest.notes import Note, to_exchange
from scim_ingest.protocol.resource import read_new_employee
from scim_ingest.recorder import begin
from scim_ingest.waiting import MAX_NOTES
from shared.clock import system_clock
from shared.directory_client import DirectoryClient
from shared.ids import new_employee_id, new_uuid7
from shared.schemas.employee import ScimCredential
from shared.schemas.journal import Asked, ExchangeBatch, NoteExchanges
from shared.telemetry.logs import EventLog
from shared.tokens import sha256
from tests.stack.options import read_env
from tests.support.company import create_body

BATCH = 200
BATCHES = 250
RESULTS = Path(__file__).parent / "results"


def notes(target: suite.Target, credential: ScimCredential, many: int) -> list[Note]:
    """As they are in memory after their answers: two look-ups, then a create."""
    found = []
    for number in range(many):
        name = f"p{number // 3}@{target.company}.example"
        slip = begin()
        slip.credential, slip.token, slip.proven = credential, target.token, True
        slip.status, slip.result = 200, "read"
        query = f"filter=userName+eq+%22{name}%22".encode()
        if number % 3 == 2:
            slip.body = msgspec.json.encode(create_body(suite.person(target, number), title="Konsulent"))
            slip.status, slip.result, query = 201, "created", b""
            slip.asked = Asked(what="provision", employee=read_new_employee(json.loads(slip.body)).employee)
            slip.about, slip.names = {f"emp_{new_employee_id().hex}": None}, {name: None}
        path = f"/scim/v2/{target.company}/Users"
        found.append(Note(new_uuid7().hex, credential, "GET", path, query, "", "0" * 32, 3.2, slip))
    return found


def on_the_path_us(credential: ScimCredential) -> float:
    request = Request({"type": "http", "method": "GET", "path": "/scim/v2/c/Users", "query_string": b"", "headers": []})
    journal = Journal(DirectoryClient("http://nobody", ""), EventLog("bench"))

    def once() -> None:
        slip = begin()
        slip.credential, slip.proven = credential, True
        journal.keep(request, slip, "", 0.001)
        if journal.waiting == MAX_NOTES:
            journal._waiting = type(journal._waiting)()

    return each_ms(once, 5000) * 1000


async def writing(
    target: suite.Target, database: Database, credential: ScimCredential, made: list[Note]
) -> dict[str, float]:
    """Processor milliseconds of an exchange, and exchanges a second of one company after the other."""
    prepared = [to_exchange(note) for note in made]
    batches = [prepared[start : start + BATCH] for start in range(0, len(prepared), BATCH)]
    own, theirs, began = time.process_time(), processor_seconds(target.processes["postgresql"]), time.perf_counter()
    for batch in batches:
        request = NoteExchanges(batches=[ExchangeBatch(credential=credential, exchanges=batch)])
        assert (await operations.note_exchanges(database, request)).outcomes == ["written"]
    return {
        "directory": (time.process_time() - own) * 1000 / len(prepared),
        "postgresql": (processor_seconds(target.processes["postgresql"]) - theirs) * 1000 / len(prepared),
        "a second": len(prepared) / (time.perf_counter() - began),
    }


async def reading(target: suite.Target, database: Database) -> dict[str, float]:
    """Median milliseconds of a question."""
    numbers = itertools.count(1)
    questions: dict[str, Callable[[], dict[str, Any]]] = {
        "newest 50": dict,
        "of a person": lambda: {"person": f"p{next(numbers)}@{target.company}.example"},
        "refused, none": lambda: {"refused": True},
        "of an activity, none": lambda: {"activity_id": "0" * 36},
    }
    found = {}
    for name, asked in questions.items():
        found[name] = await _median(partial(_asked, database, target.company, asked))
    return found


async def _asked(database: Database, company: str, asked: Callable[[], dict[str, Any]]) -> None:
    async with database.scope_for_name(company).transaction() as tx:
        await operations.page(tx, **asked())


async def _median(ask: Callable[[], Awaitable[None]], times: int = 50) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


async def measure(target: suite.Target) -> dict[str, Any]:
    await suite.bring_on_board(target)
    credential = ScimCredential(token_sha256=sha256(target.token).hex(), company=target.company)
    made = notes(target, credential, BATCH * BATCHES)
    first = iter(itertools.cycle(made))
    document: dict[str, Any] = {
        "on the path, microseconds": on_the_path_us(credential),
        "preparing, microseconds": each_ms(lambda: to_exchange(next(first)), 5000) * 1000,
    }
    async with Database(
        read_env(target.folder / "settings.env")["DATABASE_URL"], clock=system_clock, max_size=2
    ) as database:
        document["writing"] = await writing(target, database, credential, made)
        document["reading, ms"] = await reading(target, database)
    return document


def main() -> int:
    with suite.running() as target:
        document = asyncio.run(measure(target))
    document = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "load_average": os.getloadavg()[0], **document}
    text = json.dumps(document, indent=2) + "\n"
    (RESULTS / "journal.json").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
