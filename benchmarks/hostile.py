"""`python -m benchmarks.hostile`: how long `GET /session` takes while 20 senders post what costs most, limits switched off.

The documents fit into a form of 256 KiB and go as far into the gate as one can without the company's key.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec

from benchmarks import suite
from tests.entra.saml import recipe_for, respond

SENDERS = 20
SECONDS = 5
PER_S = 50
RESULTS = Path(__file__).parent / "results"


def form(document: bytes) -> bytes:
    return urlencode({"SAMLResponse": b64encode(document).decode()}).encode()


def hostile(target: suite.Target) -> dict[str, bytes]:
    """By what they are."""
    person = suite.person(target, 1)
    app = target.tenant.app(f"Company {target.company}")
    claims = tuple((f"urn:claim:{number}", ("v" * 20,)) for number in range(1_800))
    recipe = recipe_for(target.tenant, app, person, now=datetime.now(UTC))
    signed = respond(msgspec.structs.replace(recipe, claims=(*recipe.claims, *claims)))
    start = signed.index(b"<samlp:Response") + len(b"<samlp:Response")
    attributes = b" ".join(b'a%d=""' % number for number in range(15_000))
    return {
        "3,600 elements, changed after signing": form(signed.replace(b"vvvv<", b"vvvx<", 1)),
        "15,000 attributes": form(signed[:start] + b" " + attributes + signed[start:][:20_000]),
        "a form escaped throughout": b"SAMLResponse=" + b"%41" * 87_000,
        "1 MB": b"SAMLResponse=" + b"A" * 1_000_000,
    }


async def session_ms(target: suite.Target, http: aiohttp.ClientSession, cookie: str) -> dict[str, Any]:
    """So many a second, evenly, whether or not the ones before were answered."""
    took: list[float] = []
    failed = 0

    async def one() -> None:
        nonlocal failed
        began = time.perf_counter()
        async with http.get(f"{target.sso_url}/session", headers={"Cookie": cookie}) as answer:
            failed += answer.status != 200
            await answer.read()
        took.append((time.perf_counter() - began) * 1000)

    began, asking = time.perf_counter(), set()
    for number in range(PER_S * SECONDS):
        await asyncio.sleep(max(0.0, began + number / PER_S - time.perf_counter()))
        asking.add(asyncio.create_task(one()))
    await asyncio.gather(*asking)
    took.sort()
    at = {"p50_ms": statistics.median(took), "p99_ms": took[int(len(took) * 0.99)], "max_ms": took[-1]}
    return {name: round(value, 1) for name, value in at.items()} | {"failed": failed}


@asynccontextmanager
async def posting(target: suite.Target, http: aiohttp.ClientSession, body: bytes) -> AsyncIterator[dict[int, int]]:
    """20 that post it again and again, meanwhile; the answers by status."""
    statuses: dict[int, int] = {}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    async def sender() -> None:
        while True:
            async with http.post(f"{target.sso_url}/saml/{target.company}/acs", data=body, headers=headers) as answer:
                await answer.read()
            statuses[answer.status] = statuses.get(answer.status, 0) + 1

    senders = [asyncio.create_task(sender()) for _ in range(SENDERS)]
    try:
        yield statuses
    finally:
        for one in senders:
            one.cancel()
        await asyncio.gather(*senders, return_exceptions=True)


async def measured(target: suite.Target) -> dict[str, Any]:
    await suite.bring_on_board(target)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        people = suite.People([], [])
        await suite.create(target, http, people, 1)
        cookie = await suite.signed_in(target, http, people.all[0])
        await session_ms(target, http, cookie)  # warm
        found = {"alone": await session_ms(target, http, cookie)}
        for name, body in hostile(target).items():
            async with posting(target, http, body) as statuses:
                await asyncio.sleep(1)
                found[name] = await session_ms(target, http, cookie)
                found[name]["answered"] = dict(sorted(statuses.items()))
    return found


def main() -> int:
    document: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average_1_min": os.getloadavg()[0],
        "senders": SENDERS,
    }
    with suite.running() as target:
        document |= asyncio.run(measured(target))
    text = json.dumps(document, indent=2) + "\n"
    (RESULTS / "hostile.json").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
