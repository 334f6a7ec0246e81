"""What is measured: time of each request, processor time of each process, internal calls and SQL statements.

Processor time per request is the figure that stays comparable between machines of one kind; requests a second depend on
what else the machine does. The load generator's own time is not counted.
"""

import asyncio
import os
import re
import statistics
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """User and system time of a process so far, and of its children: those that live and those that were waited for."""
    own = _times(pid, with_ended_children=True)
    return own + sum(_times(child, with_ended_children=True) for child in _children(pid))


def _times(pid: int, *, with_ended_children: bool) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    ticks = int(fields[11]) + int(fields[12])
    if with_ended_children:
        ticks += int(fields[13]) + int(fields[14])
    return ticks / TICKS


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def counted(ops_urls: Iterable[str]) -> dict[str, float]:
    """Internal calls and SQL statements so far, from the services' own metrics."""
    calls = statements = 0.0
    for url in ops_urls:
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310  loopback
            text = answer.read().decode()
        calls += _sum(text, "http_client_request_duration_seconds_count")
        statements += _sum(text, "db_client_operation_duration_seconds_count")
    return {"internal calls": calls, "SQL statements": statements}


def _sum(text: str, name: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


@dataclass
class Result:
    """One operation under load."""

    name: str
    requests: int
    connections: int
    seconds: float
    p50_ms: float
    p99_ms: float
    processor_ms: dict[str, float]
    """Milliseconds of processor time per request, by process."""
    per_request: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def processor_total_ms(self) -> float:
        return sum(self.processor_ms.values())

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "requests": self.requests,
            "connections": self.connections,
            "requests_per_second": round(self.per_second, 1),
            "p50_ms": round(self.p50_ms, 2),
            "p99_ms": round(self.p99_ms, 2),
            "processor_ms_per_request": {name: round(value, 3) for name, value in self.processor_ms.items()},
            "processor_ms_per_request_total": round(self.processor_total_ms, 3),
            **{f"{name} per request": round(value, 2) for name, value in self.per_request.items()},
        }


async def under_load(
    name: str,
    once: Callable[[int], Awaitable[None]],
    *,
    requests: int,
    connections: int,
    processes: Mapping[str, int],
    ops_urls: Iterable[str] = (),
    units: int = 1,
) -> Result:
    """Run `once(number)` for each number below `requests`, `connections` at a time.

    `units`: requests of ours in one `once`; the figures are per unit.
    """
    ops = list(ops_urls)
    counters = counted(ops)
    spent = await spending(once, requests=requests, connections=connections, processes=processes)
    total = requests * units
    used = {process: seconds * 1000 / total for process, seconds in spent.processor_s.items()}
    per_request = {what: (value - counters[what]) / total for what, value in counted(ops).items()} if ops else {}
    return Result(
        name=name,
        requests=total,
        connections=connections,
        seconds=spent.seconds,
        p50_ms=percentile(spent.durations, 0.5) * 1000,
        p99_ms=percentile(spent.durations, 0.99) * 1000,
        processor_ms=used,
        per_request=per_request,
    )


@dataclass(frozen=True)
class Spent:
    """What so many requests took."""

    seconds: float
    durations: list[float]
    """Seconds of each, by its number."""
    processor_s: dict[str, float]


async def spending(
    once: Callable[[int], Awaitable[None]], *, requests: int, connections: int, processes: Mapping[str, int]
) -> Spent:
    """Run `once(number)` for each number below `requests`, `connections` at a time."""
    durations = [0.0] * requests
    numbers = iter(range(requests))
    before = {process: processor_seconds(pid) for process, pid in processes.items()}
    started = time.perf_counter()

    async def worker() -> None:
        for number in numbers:
            begun = time.perf_counter()
            await once(number)
            durations[number] = time.perf_counter() - begun

    await asyncio.gather(*(worker() for _ in range(connections)))
    seconds = time.perf_counter() - started
    used = {process: processor_seconds(pid) - before[process] for process, pid in processes.items()}
    return Spent(seconds, durations, used)


def percentile(values: Iterable[float], part: float) -> float:
    if part == 0.5:
        return statistics.median(values)
    in_order = sorted(values)
    return in_order[min(len(in_order) - 1, int(len(in_order) * part))]


def busy_seconds() -> float:
    """Of all processors of the machine since it started, whoever kept them busy."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split(None, 8)[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def median_result(results: list[Result]) -> Result:
    """The run whose total processor time is the median: all its figures belong together."""
    return sorted(results, key=lambda result: result.processor_total_ms)[len(results) // 2]
