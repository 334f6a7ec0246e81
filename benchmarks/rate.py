"""`python -m benchmarks.rate`: what the rate limit costs a request, and whether a company at ten times it slows another.

One company asks 25 times a second, evenly: first alone, then beside one that asks as often as ten times its limit.
"""

import asyncio
import json
import statistics
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import suite
from benchmarks.floors import each_ms
from scim_ingest.limits import Limits
from shared.schemas.employee import ScimCredential
from tests.support.company import new_tenant

RATE = 50
SECONDS = 20
RESULTS = Path(__file__).parent / "results"


def admission_us(companies: int = 10_000) -> float:
    """Processor microseconds to admit a request of one of so many companies, each known by its token."""
    limits = Limits(1_000_000)
    everybody = [ScimCredential(token_sha256=f"{number:064x}", company=f"c{number}") for number in range(companies)]
    for one in everybody:
        limits.accepted(one)
    numbers = iter(range(10**9))

    def once() -> None:
        admitted = limits.admit(everybody[next(numbers) * 7919 % companies])
        try:
            admitted.send(None)
        except StopIteration:
            limits.accepted(everybody[0])

    return each_ms(once, 20_000) * 1000


async def asked(target: suite.Target, http: aiohttp.ClientSession, per_s: int, seconds: float) -> dict[str, Any]:
    """So many lookups a second, evenly, whether or not the ones before were answered."""
    took: list[float] = []
    statuses: dict[int, int] = {}

    async def one() -> None:
        began = time.perf_counter()
        async with http.get(f"{target.users_url}?count=0", headers=target.headers) as answer:
            await answer.read()
        took.append((time.perf_counter() - began) * 1000)
        statuses[answer.status] = statuses.get(answer.status, 0) + 1

    began, asking = time.perf_counter(), set()
    for number in range(int(per_s * seconds)):
        await asyncio.sleep(max(0.0, began + number / per_s - time.perf_counter()))
        asking.add(asyncio.create_task(one()))
    await asyncio.gather(*asking)
    took.sort()
    return {
        "statuses": dict(sorted(statuses.items())),
        "p50_ms": round(statistics.median(took), 1),
        "p99_ms": round(took[int(len(took) * 0.99)], 1),
    }


async def side_by_side(target: suite.Target) -> dict[str, Any]:
    await suite.bring_on_board(target)
    loud = replace(target, tenant=new_tenant())
    await suite.bring_on_board(loud)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        await asked(target, http, 25, 4)  # warm
        alone = await asked(target, http, 25, SECONDS)
        flood = asyncio.create_task(asked(loud, http, 10 * RATE, SECONDS + 4))
        await asyncio.sleep(3)
        beside = await asked(target, http, 25, SECONDS)
        return {"alone": alone, "beside": beside, "at ten times the limit": await flood}


def main() -> int:
    document: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "limit_per_s": RATE}
    document["admission_us"] = round(admission_us(), 2)
    with suite.running(SCIM_RATE_PER_COMPANY=str(RATE)) as target:
        document |= asyncio.run(side_by_side(target))
    text = json.dumps(document, indent=2) + "\n"
    (RESULTS / "rate.json").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
