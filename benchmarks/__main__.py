"""`make bench`: the table on the terminal, the figures in benchmarks/results/latest.json.

Every figure is the run with the median processor time of three. `--quick` runs once, with fewer requests.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import csv_import, floors, suite
from benchmarks.gate import verifier
from benchmarks.measure import Result, median_result, resident_mib

RESULTS = Path(__file__).parent / "results"


async def operations(target: suite.Target, runs: int, count: int, sizes: list[int]) -> list[Result]:
    await suite.bring_on_board(target)
    people = suite.People([], [])
    results: list[Result] = []
    async with suite.client() as http:
        await suite.create(target, http, people, 500)  # warm

        async def measured(once: Callable[[], Awaitable[Result]]) -> None:
            found = median_result([await once() for _ in range(runs)])
            print(_row(found), flush=True)
            results.append(found)

        await measured(lambda: suite.create(target, http, people, count))
        for size in sizes:
            await suite.fill(target, http, people, size)
            await measured(lambda: suite.lookup(target, http, people, count * 2))
        await measured(lambda: suite.patch(target, http, people, count))
        await measured(lambda: suite.login(target, http, people, count // 2, started_by_us=True))
        await measured(lambda: suite.login(target, http, people, count // 2, started_by_us=False))
        cookies = [await suite.signed_in(target, http, one) for one in people.all[:100]]
        for path in ("/session", "/auth"):
            await measured(lambda path=path: suite.check(target, http, path, cookies, count * 4))  # type: ignore[misc]
    return results


HEAD = ("operation", "req/s", "p50 ms", "p99 ms", "CPU ms", "sso", "scim", "dir", "pg", "calls", "SQL")


def _row(result: Result) -> str:
    processor = result.processor_ms
    cells = [
        f"{result.per_second:.0f}",
        f"{result.p50_ms:.1f}",
        f"{result.p99_ms:.1f}",
        f"{result.processor_total_ms:.2f}",
        *(f"{processor[name]:.2f}" for name in ("sso-gateway", "scim-ingest", "directory", "postgresql")),
        *(f"{result.per_request[name]:.1f}" for name in ("internal calls", "SQL statements")),
    ]
    return result.name.ljust(46) + "".join(cell.rjust(8) for cell in cells)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run with fewer requests")
    quick = parser.parse_args().quick
    runs, count, sizes = (1, 400, [1000, 5000]) if quick else (3, 1500, [1000, 10_000])
    print(HEAD[0].ljust(46) + "".join(cell.rjust(8) for cell in HEAD[1:]), flush=True)
    with suite.running() as target:
        idle = {name: resident_mib(pid) for name, pid in target.processes.items() if name != "postgresql"}
        results = asyncio.run(operations(target, runs, count, sizes))
        asyncio.run(suite.bring_on_board(target))
        imports = csv_import.measure(target, 2000 if quick else csv_import.ROWS)
        print("\n" + csv_import.table(imports))
    lows = {
        "RSA-2048 verify": floors.rsa_verify(),
        "gate and profile, usual response": floors.saml_gate(),
        "gate and profile, 150 groups": floors.each_ms(verifier(datetime.now(UTC), groups=150), 100),
        "bare Starlette request": asyncio.run(floors.bare_starlette()),
        "bare indexed SELECT": floors.indexed_select(),
    }
    print("\nfloors and parts, CPU ms")
    for name, value in lows.items():
        print(f"  {name.ljust(40)}{value:8.3f}")
    print("\nresident MiB, idle: " + ", ".join(f"{name} {value:.0f}" for name, value in idle.items()))
    _write(results, imports, lows, idle, quick)
    return 0


def _write(
    results: list[Result], imports: list[dict[str, Any]], lows: dict[str, float], idle: dict[str, float], quick: bool
) -> None:
    RESULTS.mkdir(exist_ok=True)
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()},
        "quick": quick,
        "load_average_1_min": os.getloadavg()[0],
        "operations": [result.as_json() for result in results],
        "csv_import": imports,
        "floors_cpu_ms": {name: round(value, 4) for name, value in lows.items()},
        "idle_resident_mib": {name: round(value, 1) for name, value in idle.items()},
    }
    (RESULTS / "latest.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
