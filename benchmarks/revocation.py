"""`python -m benchmarks.revocation`: from a suspension by Entra to the refusal on every one of four gateway processes.

Somebody is signed in, and each gateway remembers him. Entra sends its PATCH, and from the answer on each gateway is asked
again and again until it refuses. Then how many checks of a session one process answers in a second, and what they cost.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from benchmarks import suite
from benchmarks.measure import median_result
from tests.stack.options import read_env

TIMES = 100
GATEWAYS = 4
CHECKS = 6000
RESULTS = Path(__file__).parent / "results"
BASE, MORE = 25_080, 25_300
"""Ports of the suite, and of the gateways beside it."""


@contextmanager
def gateways(target: suite.Target) -> Iterator[list[str]]:
    """The suite's own, and more beside it over the same directory."""
    secrets = read_env(target.folder / "secrets.env")
    running, urls = [], [target.sso_url]
    try:
        for number in range(GATEWAYS - 1):
            port = MORE + number
            environment = {
                **os.environ, "HOST": "127.0.0.1", "PORT": str(port), "OPS_PORT": str(port + 100), "LOG_LEVEL": "WARNING",
                "DIRECTORY_URL": f"http://127.0.0.1:{BASE + 2}", "DIRECTORY_SECRET": secrets["SSO_GATEWAY_SECRET"],
                "PUBLIC_URL": target.sso_url, "METADATA_HOSTS": "",
            }  # fmt: skip
            running.append(subprocess.Popen([sys.executable, "-m", "sso_gateway"], env=environment))
            urls.append(f"http://127.0.0.1:{port}")
        yield urls
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=20)


async def ready(http: aiohttp.ClientSession, url: str) -> None:
    for _ in range(200):
        try:
            async with http.get(f"{url}/session") as answer:
                if answer.status == 401:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.05)
    raise RuntimeError(f"{url} did not start")


async def refused_after_ms(http: aiohttp.ClientSession, url: str, cookie: str, began: float) -> float:
    while True:
        async with http.get(f"{url}/session", headers={"Cookie": cookie}) as answer:
            if answer.status == 401:
                return (time.perf_counter() - began) * 1000
        await asyncio.sleep(0.002)


async def suspensions(target: suite.Target, http: aiohttp.ClientSession, urls: list[str]) -> dict[str, Any]:
    people = suite.People([], [])
    # So many that the brake on mass deactivations lets a fourth of them go.
    await suite.create(target, http, people, TIMES * 4)
    suspended = msgspec.json.encode(
        {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "Replace", "path": "active", "value": False}],
        }
    )
    took: list[float] = []
    for number in range(TIMES):
        cookie = await suite.signed_in(target, http, people.all[number])
        for url in urls:
            async with http.get(f"{url}/session", headers={"Cookie": cookie}) as answer:
                assert answer.status == 200
        address = f"{target.users_url}/{people.ids[number]}"
        async with http.patch(address, data=suspended, headers=target.headers) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()
        began = time.perf_counter()
        took += await asyncio.gather(*(refused_after_ms(http, url, cookie, began) for url in urls))
    took.sort()
    return {
        "suspensions": TIMES,
        "gateways": len(urls),
        "p50_ms": round(statistics.median(took), 1),
        "p99_ms": round(took[int(len(took) * 0.99)], 1),
        "max_ms": round(took[-1], 1),
    }


async def measured(target: suite.Target, urls: list[str]) -> dict[str, Any]:
    await suite.bring_on_board(target)
    async with suite.client() as http:
        for url in urls:
            await ready(http, url)
        return {"revocation": await suspensions(target, http, urls)}


async def checks(target: suite.Target) -> dict[str, Any]:
    """One gateway; a hundred people, whose browsers ask in turn."""
    await suite.bring_on_board(target)
    async with suite.client() as http:
        people = suite.People([], [])
        await suite.create(target, http, people, 100)
        cookies = [await suite.signed_in(target, http, one) for one in people.all]
        results = [
            median_result([await suite.check(target, http, path, cookies, CHECKS) for _ in range(3)])
            for path in ("/session", "/auth")
        ]
    return {"checks": [one.as_json() for one in results]}


def main() -> int:
    document: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average_1_min": os.getloadavg()[0],
    }
    with suite.running(BASE) as target:
        document |= asyncio.run(checks(target))
        with gateways(target) as urls:
            document |= asyncio.run(measured(target, urls))
    text = json.dumps(document, indent=2) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "revocation.json").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
