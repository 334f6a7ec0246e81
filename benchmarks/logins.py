"""`python -m benchmarks.logins`: whole logins of ours beside two service providers on the usual libraries, turn and turn about.

    ours           the three services and PostgreSQL, each a process of its own: start, ACS, finish, /session
    pysaml2        stock, verifying by the xmlsec1 binary; one process and its children (`peer_pysaml2_app.py`)
    python3-saml   strict; one process (`peer_python3_saml_app.py`)

The peers keep everything in memory and do no more than they must (`peer_app.py`), which flatters them. All are asked by the same
browsers, over the same number of connections, with responses of the same simulated Entra. Responses are signed between the
starts and the rest, while nothing is measured: neither their processor time nor the time they take counts.

Then the gate alone, the peers' verification alone and the floor under all (`peers.py`), and what a check of a session costs.
Wants what scripts/bench-peers.sh installs. `--quick` has fewer rounds and writes no file.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from benchmarks import peers, suite
from benchmarks.gate import case
from benchmarks.measure import Result, Spent, busy_seconds, median_result, percentile, spending
from benchmarks.peer_app import Told
from tests.entra.people import EnterpriseApp
from tests.entra.saml import recipe_for, respond
from tests.entra.saml_requests import decode_redirect, parse_request

CONNECTIONS = 32
ROUNDS = 5
PEOPLE = 300
TIMES = {"ours": 300, "python3-saml": 300, "pysaml2": 64}
"""Logins in a round: two or three seconds of each."""
FLOWS = {
    "started by us": "start, ACS, finish where there is one, first /session",
    "from Microsoft 365": "ACS, finish where there is one",
}


@dataclass(frozen=True)
class Subject:
    """Who signs people in, and how a browser does it there."""

    name: str
    start: str
    acs: str
    session: str
    finish: str | None
    processes: dict[str, int]
    app: EnterpriseApp


@dataclass(frozen=True)
class Round:
    """So many logins, one subject."""

    logins: int
    seconds: float
    durations: list[float]
    processor_ms: dict[str, float]
    """Of one login, by process, children included."""
    others: float
    """Processors kept busy meanwhile by what is neither measured nor the load generator."""

    @property
    def per_second(self) -> float:
        return self.logins / self.seconds

    @property
    def processor_total_ms(self) -> float:
        return sum(self.processor_ms.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two rounds of fewer logins, and no file")
    quick = parser.parse_args().quick
    subprocess.run([peers.ROOT / "scripts" / "bench-peers.sh"], check=True)
    load_before = os.getloadavg()[0]
    rounds, divided = (2, 3) if quick else (ROUNDS, 1)
    times = {name: max(CONNECTIONS, count // divided) for name, count in TIMES.items()}
    with suite.running() as target, ExitStack() as stack:
        found, checks = asyncio.run(measured(target, stack, times, rounds))
    now = datetime.now(UTC)
    verified = {"usual, assertion signed": peers.compared(case(now), now, rounds=2 if quick else peers.ROUNDS)}
    for flow, by_subject in found.items():
        print(f"\n{flow}: {FLOWS[flow]}\n{table(by_subject)}")
    print("\n" + peers.table(verified))
    for one in checks:
        print(
            f"{one.name}: {one.per_second:.0f} a second, {one.processor_total_ms:.3f} ms CPU, p99 {one.p99_ms:.0f} ms"
        )
    print(f"\nload average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after")
    if not quick:
        _write(found, checks, verified, load_before)
    return 0


async def measured(
    target: suite.Target, stack: ExitStack, times: dict[str, int], rounds: int
) -> tuple[dict[str, dict[str, list[Round]]], list[Result]]:
    await suite.bring_on_board(target)
    people = suite.People([], [])
    async with suite.client() as http:
        await suite.create(target, http, people, PEOPLE)
        # A database that is a minute old, not one that has never been signed in to.
        await suite.login(target, http, people, PEOPLE, started_by_us=True)
        await suite.analyze(target)
        subjects = [
            _ours(target),
            stack.enter_context(_peer("python3-saml", "benchmarks.peer_python3_saml_app", target)),
            stack.enter_context(_peer("pysaml2", "benchmarks.peer_pysaml2_app", target)),
        ]
        found: dict[str, dict[str, list[Round]]] = {}
        for flow in FLOWS:
            started_by_us = flow == "started by us"
            found[flow] = {subject.name: [] for subject in subjects}
            for number in range(rounds + 1):
                for subject in subjects:
                    count = times[subject.name] if number else CONNECTIONS
                    one = await logins(target, subject, http, people, count, started_by_us=started_by_us)
                    if number:  # the first is to warm up
                        found[flow][subject.name].append(one)
        cookies = [await suite.signed_in(target, http, one) for one in people.all[:100]]
        checks = [
            median_result([await suite.check(target, http, path, cookies, 2000) for _ in range(3)])
            for path in ("/session", "/auth")
        ]
    return found, checks


def _ours(target: suite.Target) -> Subject:
    return Subject(
        name="ours",
        start=f"{target.sso_url}/login/{target.company}",
        acs=f"{target.sso_url}/saml/{target.company}/acs",
        session=f"{target.sso_url}/session",
        finish=target.sso_url,
        processes=target.processes,
        app=target.tenant.app(f"Company {target.company}"),
    )


@contextmanager
def _peer(name: str, module: str, target: suite.Target) -> Iterator[Subject]:
    """In a process of its own, as an app of its own of the same tenant."""
    python_path = {"PYTHONPATH": str(peers.PACKAGES)} if name == "python3-saml" else {}
    command, environment = [sys.executable, "-m", module], {**os.environ, **python_path}
    with subprocess.Popen(
        command, cwd=peers.ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        tenant = target.tenant
        app = tenant.add_app(f"Portal on {name}", name)
        app = tenant.configure(app, identifier=f"https://{name}.example", reply_url=f"{url}/acs")
        told = Told(
            f"{url}/acs", app.identifier, tenant.issuer, app.certificates[0].pem, "https://login.example.com/saml2"
        )
        process.stdin.write(json.dumps(asdict(told)) + "\n")
        process.stdin.flush()
        try:
            yield Subject(
                name, f"{url}/login", f"{url}/acs", f"{url}/session", None, {"peer and children": process.pid}, app
            )
        finally:
            process.terminate()


async def logins(
    target: suite.Target,
    subject: Subject,
    http: aiohttp.ClientSession,
    people: suite.People,
    count: int,
    *,
    started_by_us: bool,
) -> Round:
    """All starts, then (unmeasured) all signatures, then all the rest."""
    cookies: list[dict[str, str]] = [{} for _ in range(count)]
    requests: list[str | None] = [None] * count

    async def start(number: int) -> None:
        async with http.get(subject.start, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            suite.keep(cookies[number], answer)
            query = parse_qs(urlsplit(answer.headers["Location"]).query)
        requests[number] = query["SAMLRequest"][0]

    async def rest(number: int) -> None:
        kept, form = cookies[number], {"SAMLResponse": forms[number]}
        async with http.post(subject.acs, data=form, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
            suite.keep(kept, answer)
            goal = answer.headers["Location"]
        if subject.finish is not None:
            headers = suite.cookie_header(kept)
            async with http.get(subject.finish + goal, headers=headers, allow_redirects=False) as answer:
                assert answer.status == 303, await answer.text()
                suite.keep(kept, answer)
        if started_by_us:
            async with http.get(subject.session, headers=suite.cookie_header(kept)) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

    spent = [await _spending(subject, start, count)] if started_by_us else []
    forms = [_signed(target, subject, people, number, requests[number]) for number in range(count)]
    spent.append(await _spending(subject, rest, count))
    parts = [part for part, _ in spent]
    return Round(
        logins=count,
        seconds=sum(part.seconds for part in parts),
        durations=[sum(took) for took in zip(*(part.durations for part in parts), strict=True)],
        processor_ms={
            process: sum(part.processor_s[process] for part in parts) * 1000 / count for process in subject.processes
        },
        others=sum(seconds for _, seconds in spent) / sum(part.seconds for part in parts),
    )


async def _spending(subject: Subject, once: Callable[[int], Any], count: int) -> tuple[Spent, float]:
    """With the processor seconds of everybody else."""
    busy, mine = busy_seconds(), time.process_time()
    spent = await spending(once, requests=count, connections=CONNECTIONS, processes=subject.processes)
    known = sum(spent.processor_s.values()) + time.process_time() - mine
    return spent, max(0.0, busy_seconds() - busy - known)


def _signed(target: suite.Target, subject: Subject, people: suite.People, number: int, request: str | None) -> str:
    """As the browser posts it."""
    request_id = parse_request(decode_redirect(request)).id if request else None
    who = people.all[number % len(people.all)]
    recipe = recipe_for(target.tenant, subject.app, who, now=datetime.now(UTC), in_response_to=request_id)
    return b64encode(respond(recipe)).decode()


def summary(rounds: list[Round], ours: list[Round]) -> dict[str, Any]:
    """Medians over the rounds; of what is compared, the median of the comparison within each round."""
    together = [took * 1000 for one in rounds for took in one.durations]
    pairs = list(zip(rounds, ours, strict=True))
    return {
        "logins": sum(one.logins for one in rounds),
        "rounds": len(rounds),
        "logins_per_second": round(statistics.median(one.per_second for one in rounds), 1),
        "processor_ms_per_login": round(statistics.median(one.processor_total_ms for one in rounds), 2),
        "by_process": {
            name: round(statistics.median(one.processor_ms[name] for one in rounds), 2)
            for name in rounds[0].processor_ms
        },
        "p50_ms": round(percentile(together, 0.5), 1),
        "p99_ms": round(percentile(together, 0.99), 1),
        "ours_is_cheaper": round(
            statistics.median(one.processor_total_ms / mine.processor_total_ms for one, mine in pairs), 2
        ),
        "ours_does_more_a_second": round(statistics.median(mine.per_second / one.per_second for one, mine in pairs), 2),
        "processors_busy_with_other_work": round(statistics.median(one.others for one in rounds), 2),
    }


HEAD = ("logins/s", "CPU ms", "p50 ms", "p99 ms", "CPU / ours", "ours / its rate", "other work")


def table(by_subject: dict[str, list[Round]]) -> str:
    lines = ["".ljust(16) + "".join(cell.rjust(17) for cell in HEAD)]
    for name, rounds in by_subject.items():
        told = summary(rounds, by_subject["ours"])
        figures = (
            "logins_per_second",
            "processor_ms_per_login",
            "p50_ms",
            "p99_ms",
            "ours_is_cheaper",
            "ours_does_more_a_second",
            "processors_busy_with_other_work",
        )
        lines.append(name.ljust(16) + "".join(str(told[figure]).rjust(17) for figure in figures))
    return "\n".join(lines)


def _write(
    found: dict[str, dict[str, list[Round]]],
    checks: list[Result],
    verified: dict[str, dict[str, float]],
    load_before: float,
) -> None:
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()},
        "load_average_1_min": {"before": load_before, "after": os.getloadavg()[0]},
        "connections": CONNECTIONS,
        "versions": peers.versions(),
        "logins": {
            flow: {name: summary(rounds, by_subject["ours"]) for name, rounds in by_subject.items()}
            for flow, by_subject in found.items()
        },
        "verification_cpu_ms": {
            name: {peer: round(value, 4) for peer, value in took.items()} for name, took in verified.items()
        },
        "checks": [one.as_json() for one in checks],
    }
    peers.RESULTS.mkdir(exist_ok=True)
    (peers.RESULTS / "logins.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
