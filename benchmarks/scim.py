"""SCIM over sockets, against the services as processes: `python -m benchmarks.scim [--quick]` (about six minutes; quick: one).

    lookup `userName eq`        in companies of 1,000, 10,000 and 100,000 people, in one database, turn and turn about
    create, PATCH of five       in the company of 10,000
    5,000 members in one PATCH  they come, come again, and go
    compile_patch, filters      pure, in this process
    memory                      of scim-ingest, before and after the largest bodies that it takes or refuses, 32 at a time

Each row is the run with the median processor time of several; what counts is the ratio between rows of one run.
"""

import argparse
import asyncio
import json
import os
import platform
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import msgspec

from benchmarks import population, suite
from benchmarks.floors import each_ms
from benchmarks.measure import Result, median_result, processor_seconds, resident_mib, under_load
from scim_ingest.protocol.filters import parse_filter
from scim_ingest.protocol.patch import compile_patch, operations_of
from scim_ingest.protocol.paths import read_path
from scim_ingest.protocol.user_names import USER_NAMES
from shared.tokens import sha256
from tests.stack.options import read_env

RESULTS = Path(__file__).parent / "results" / "scim.json"
URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Firm:
    """A company in the running suite, and how to ask about it."""

    def __init__(self, target: suite.Target, http: aiohttp.ClientSession, people: int) -> None:
        self.target, self.http, self.people = target, http, people
        self.name, self.token = f"bench{secrets.token_hex(4)}", secrets.token_urlsafe(24)

    async def found(self, owner: asyncpg.Connection) -> None:
        await population.found(owner, uuid4(), self.name, sha256(self.token), self.people)

    async def request(self, method: str, path: str, body: object = None, **query: str) -> tuple[int, bytes]:
        url = f"{self.target.scim_url}/scim/v2/{self.name}{path}"
        headers = {"Authorization": f"Bearer {self.token}", **suite.SCIM}
        data = None if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.http.request(method, url, params=query, data=data, headers=headers) as answer:
            return answer.status, await answer.read()

    async def lookup(self, number: int) -> None:
        name = f"p{number * 7919 % self.people + 1}@firma.example"
        status, body = await self.request("GET", "/Users", filter=f'userName eq "{name}"')
        assert (status, b'"totalResults":1,' in body) == (200, True), body

    async def create(self, number: int) -> None:
        name = f"new{secrets.token_hex(8)}@firma.example"
        body = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", URN],
            "userName": name,
            "active": True,
            "title": "Konsulent",
            "name": {"givenName": "Ny", "familyName": f"Nummer {number}"},
            "emails": [{"primary": True, "type": "work", "value": name}],
        }
        status, answer = await self.request("POST", "/Users", body)
        assert status == 201, answer

    async def patch(self, number: int) -> None:
        status, answer = await self.request(
            "PATCH", f"/Users/{employee(number * 7919 % self.people + 1)}", five_operations(secrets.token_hex(4))
        )
        assert status == 200, answer


def employee(number: int) -> str:
    return f"emp_{number:032x}"


def five_operations(value: str) -> dict[str, Any]:
    paths = ["title", "name.givenName", 'phoneNumbers[type eq "mobile"].value', "displayName", f"{URN}:department"]
    return {
        "schemas": [PATCH_OP],
        "Operations": [{"op": "Replace", "path": path, "value": f"{value} {path[:4]}"} for path in paths],
    }


async def measured(firm: Firm, name: str, once: Any, count: int) -> Result:
    return await under_load(
        name,
        once,
        requests=count,
        connections=suite.CONNECTIONS,
        processes=firm.target.processes,
        ops_urls=firm.target.ops,
    )


async def operations(firms: list[Firm], runs: int, count: int) -> list[Result]:
    found: dict[str, list[Result]] = {}
    for run in range(runs + 1):  # the first one warms
        for firm in firms:
            name = f"lookup userName eq, {firm.people:,} people"
            found.setdefault(name, []).append(await measured(firm, name, firm.lookup, count))
        middle = firms[len(firms) // 2]
        for name, once in (("create", middle.create), ("PATCH, five operations", middle.patch)):
            found.setdefault(name, []).append(await measured(middle, name, once, count // 2))
        if run == 0:
            found.clear()
    return [median_result(results) for results in found.values()]


async def members(firm: Firm, runs: int, number: int = 5000) -> list[dict[str, Any]]:
    """One PATCH of so many, three ways: seconds until the answer, and processor seconds of all services and PostgreSQL."""
    listed = [{"$ref": None, "value": employee(one)} for one in range(1, number + 1)]
    rows: dict[str, list[tuple[float, float]]] = {}
    for _ in range(runs):
        status, answer = await firm.request("POST", "/Groups", {"displayName": f"Gruppe {secrets.token_hex(4)}"})
        assert status == 201, answer
        group = json.loads(answer)["id"]
        for step, op in (("come", "Add"), ("come again", "Add"), ("go", "Remove")):
            body = {"schemas": [PATCH_OP], "Operations": [{"op": op, "path": "members", "value": listed}]}
            before, began = _processor(firm.target), time.perf_counter()
            status, answer = await firm.request("PATCH", f"/Groups/{group}", body)
            assert status == 204, answer
            rows.setdefault(step, []).append((time.perf_counter() - began, _processor(firm.target) - before))
    return [
        {
            "step": f"{number:,} members {step}",
            "seconds": round(statistics.median(one for one, _ in times), 3),
            "processor_s": round(statistics.median(one for _, one in times), 3),
        }
        for step, times in rows.items()
    ]


def _processor(target: suite.Target) -> float:
    return sum(processor_seconds(pid) for pid in target.processes.values())


FILTERS = {
    "userName eq": 'userName eq "anna@firma.dk"',
    "Entra's e-mail": 'emails[type eq "work"].value eq "anna@firma.dk"',
    "reference check": f'id eq "{employee(1)}" and manager eq "{employee(2)}"',
    "ten conditions": " or ".join(f'(title sw "a{number}" and not (department eq "b"))' for number in range(5)),
    "4,000 characters": 'userName eq "' + "x" * 3980 + '"',
}


def pure(times: int) -> dict[str, float]:
    """How often a second, on one core."""
    five = operations_of(five_operations("x"))
    compliant = [{"op": "replace", "value": {one["path"]: one["value"] for one in five}}]  # type: ignore[index]
    many = [{"op": "add", "path": "title", "value": str(number)} for number in range(1000)]

    def unknown_paths() -> None:
        read_path.cache_clear()
        compile_patch(five)

    work: dict[str, Callable[[], object]] = {
        "compile_patch, five operations": lambda: compile_patch(five),
        "compile_patch, the same without paths": lambda: compile_patch(compliant),
        "compile_patch, five operations, no path seen before": unknown_paths,
        "compile_patch, 1,000 operations": lambda: compile_patch(many),
    }
    for name, text in FILTERS.items():
        work[f"parse_filter, {name}"] = lambda text=text: parse_filter(text, USER_NAMES)  # type: ignore[misc]
    return {
        name: round(1000 / each_ms(one, max(3, times // (200 if "1,000" in name else 1)))) for name, one in work.items()
    }


async def bad_bodies(firm: Firm) -> dict[str, float]:
    """Resident MiB of scim-ingest: idle, and the most seen during and after 32 of each at once."""
    pid = firm.target.processes["scim-ingest"]
    mib = 1024 * 1024
    largest = b'{"Operations": [' + (b"{}," * (mib // 3))[: mib - 100].rpartition(b",")[0] + b"]}"
    bodies = {
        "10 MB": b'{"a": "' + b"x" * (10 * mib),
        "1 MiB of empty objects": largest,
        "1 MiB of [": b"[" * mib,
        "5,000 levels": b'{"Operations": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    }
    found = {"idle": resident_mib(pid)}
    for name, body in bodies.items():
        peak = 0.0

        async def send(body: bytes = body) -> None:
            status, _ = await firm.request("PATCH", f"/Users/{employee(1)}", body)
            assert status in (400, 413, 429)

        sending = asyncio.gather(*(send() for _ in range(suite.CONNECTIONS)))
        while not sending.done():
            peak = max(peak, resident_mib(pid))
            await asyncio.sleep(0.02)
        await sending
        found[name] = max(peak, resident_mib(pid))
    return {name: round(value, 1) for name, value in found.items()}


async def measure(target: suite.Target, sizes: list[int], runs: int, count: int) -> dict[str, Any]:
    owner = await asyncpg.connect(read_env(target.folder / "settings.env")["DATABASE_URL"])
    async with suite.client() as http:
        firms = [Firm(target, http, people) for people in sizes]
        for firm in firms:
            await firm.found(owner)
        await owner.execute("analyze")
        results = await operations(firms, runs, count)
        middle = firms[len(firms) // 2]
        groups, memory = await members(middle, runs), await bad_bodies(middle)
    await owner.close()
    return {
        "operations": [result.as_json() for result in results],
        "members": groups,
        "scim_ingest_resident_mib": memory,
    }


def show(found: dict[str, Any]) -> None:
    rows = found["operations"]
    least = rows[0]["processor_ms_per_request_total"]
    print("operation".ljust(44) + "".join(one.rjust(11) for one in ("req/s", "p50 ms", "p99 ms", "CPU ms", "ratio")))
    for row in rows:
        cells = [row["requests_per_second"], row["p50_ms"], row["p99_ms"], row["processor_ms_per_request_total"]]
        cells.append(round(row["processor_ms_per_request_total"] / least, 2))
        print(row["name"].ljust(44) + "".join(str(cell).rjust(11) for cell in cells))
    for row in found["members"]:
        print(f"{row['step']:44}{row['seconds']:11} s, CPU {row['processor_s']} s")
    for name, each in found["per_second"].items():
        print(f"{name:60}{each:11,} /s")
    print(
        "scim-ingest, resident MiB: "
        + ", ".join(f"{name} {mib}" for name, mib in found["scim_ingest_resident_mib"].items())
    )
    print("load average:", found["load_average_1_min"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run with fewer requests; writes no file")
    quick = parser.parse_args().quick
    per_second = pure(300 if quick else 3000)
    with suite.running(27380) as target:
        asked = ([1000, 10_000, 100_000], 1, 400) if quick else ([1000, 10_000, 100_000], 5, 2000)
        found = asyncio.run(measure(target, *asked))
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()},
        "load_average_1_min": os.getloadavg()[0],
        **found,
        "per_second": per_second,
    }
    show(found)
    if not quick:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
