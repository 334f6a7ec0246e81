"""`directory company import` of 20,000 rows, as the operator runs it: a new company, again unchanged, and every row changed.

`python -m benchmarks.csv_import` measures it alone.
"""

import asyncio
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import suite
from benchmarks.measure import processor_seconds
from directory.imports.columns import NAMES
from tests.stack.options import read_env

ROWS = 20_000
STEPS = ("new company", "again, unchanged", "again, dry run", "every title changed")


def people(rows: int, title: str) -> str:
    """Everybody has every column; managers stand anywhere in the file, eight reports each."""
    order = random.Random(7)
    lines = [";".join(NAMES)]
    for number in order.sample(range(rows), rows):
        login, boss = f"person.{number}@firma.dk", f"person.{number // 8}@firma.dk"
        cells = [
            login,
            login,
            "Åse",
            f"Nummer {number}",
            title,
            f"Afdeling {number % 200}",
            "+45 12 34 56 78",
            "+45 87 65 43 21",
        ]
        lines.append(";".join([*cells, "Danmark", f"{number:06}", boss, "01-03-2020", "Funktionær"]))
    return "\n".join(lines) + "\n"


def measure(target: suite.Target, rows: int = ROWS) -> list[dict[str, Any]]:
    """Seconds, processor seconds of the command and of PostgreSQL, and the command's memory, for each step."""
    return [_step(target, step, rows) for step in STEPS]


def _step(target: suite.Target, step: str, rows: int) -> dict[str, Any]:
    file = target.folder / "people.csv"
    file.write_text(people(rows, "Chef" if step == STEPS[3] else "Konsulent"), encoding="cp1252")
    arguments = ["company", "import", target.company, str(file), "--json", *(["--dry-run"] if step == STEPS[2] else [])]
    before, started = processor_seconds(target.processes["postgresql"]), time.perf_counter()
    status, usage = _run([sys.executable, "-m", "directory", *arguments], target.folder)
    assert status == 0, step
    return {
        "step": step,
        "rows": rows,
        "seconds": round(time.perf_counter() - started, 2),
        "command_processor_s": round(usage.ru_utime + usage.ru_stime, 2),
        "postgresql_processor_s": round(processor_seconds(target.processes["postgresql"]) - before, 2),
        "command_peak_mib": round(usage.ru_maxrss / 1024),
    }


def _run(command: list[str], folder: Path) -> tuple[int, Any]:
    with (folder / "answer.json").open("wb") as answer:
        environment = {**os.environ, **read_env(folder / "settings.env")}
        pid = os.posix_spawn(command[0], command, environment, file_actions=[(os.POSIX_SPAWN_DUP2, answer.fileno(), 1)])
        _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage


def table(results: list[dict[str, Any]]) -> str:
    names = ("seconds", "command_processor_s", "postgresql_processor_s", "command_peak_mib")
    lines = [f"CSV import of {results[0]['rows']:,} rows".ljust(28) + "".join(name.rjust(24) for name in names)]
    lines += [f"  {one['step']}".ljust(28) + "".join(str(one[name]).rjust(24) for name in names) for one in results]
    return "\n".join(lines)


def main() -> int:
    with suite.running() as target:
        asyncio.run(suite.bring_on_board(target))
        print(table(measure(target)))
        print("load average:", os.getloadavg()[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
