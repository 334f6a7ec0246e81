"""`python -m benchmarks.openid`: what the OpenID Provider's endpoints cost, over all services and PostgreSQL.

    authorize, token   one login of an app in a browser that is signed in: code with PKCE, then ID, access and refresh token
    refresh            a refresh token for the next, each in a family of its own
    userinfo           an access token, shown by the app; introspect: shown by the back end
    discovery, jwks    what everybody may read

Before that so many log in that PostgreSQL knows the tables as something else than almost empty: with a hundred rows and no
statistics it takes any index for as good as the right one. Every figure is the run with the median processor time of three.
`--quick` runs once, with fewer requests, and writes no file.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import platform
import secrets
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp

from benchmarks import suite
from benchmarks.measure import Result, median_result, under_load
from tests.support.app_clients import BACK_END_SECRET, PORTAL_RETURN, PORTAL_SECRET, provider_settings

PEOPLE = 500
CODE = "authorize, token (code, PKCE), signed in"
RESULTS = Path(__file__).parent / "results"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class App:
    """A portal that keeps a secret; whose people's browsers, and the tokens that it was given last."""

    provider: str
    company: str
    cookies: list[str]
    access: dict[int, str] = field(default_factory=dict)
    refresh: dict[int, str] = field(default_factory=dict)
    """By the number of the login."""

    def question(self, verifier: str) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": "web-portal",
            "redirect_uri": PORTAL_RETURN,
            "response_type": "code",
            "scope": "openid profile email",
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "company": self.company,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.provider}/oauth2/authorize?{urlencode(asked)}"

    async def tokens(self, http: aiohttp.ClientSession, number: int, form: dict[str, str]) -> None:
        own = {"client_id": "web-portal", "client_secret": PORTAL_SECRET, **form}
        async with http.post(f"{self.provider}/oauth2/token", data=urlencode(own), headers=FORM) as answer:
            assert answer.status == 200, await answer.text()
            told = await answer.json(content_type=None)
        self.access[number], self.refresh[number] = told["access_token"], told["refresh_token"]


def operations(app: App, http: aiohttp.ClientSession) -> dict[str, Callable[[int], Awaitable[None]]]:
    own = f"back-end:{BACK_END_SECRET.replace('%', '%25')}"
    back_end = {"Authorization": f"Basic {base64.b64encode(own.encode()).decode()}", **FORM}

    async def code(number: int) -> None:
        verifier, cookie = secrets.token_urlsafe(48), app.cookies[number % len(app.cookies)]
        url = app.question(verifier)
        async with http.get(url, headers={"Cookie": cookie}, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
            told = parse_qs(urlsplit(answer.headers["Location"]).query)
        form = {"redirect_uri": PORTAL_RETURN, "code": told["code"][0], "code_verifier": verifier}
        await app.tokens(http, number, {"grant_type": "authorization_code", **form})

    async def refresh(number: int) -> None:
        await app.tokens(http, number, {"grant_type": "refresh_token", "refresh_token": app.refresh[number]})

    async def userinfo(number: int) -> None:
        headers = {"Authorization": f"Bearer {app.access[number % len(app.access)]}"}
        async with http.get(f"{app.provider}/oauth2/userinfo", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()

    async def introspect(number: int) -> None:
        body = urlencode({"token": app.access[number % len(app.access)]})
        async with http.post(f"{app.provider}/oauth2/introspect", data=body, headers=back_end) as answer:
            assert (await answer.json(content_type=None))["active"]

    def read(path: str) -> Callable[[int], Awaitable[None]]:
        async def once(number: int) -> None:
            async with http.get(f"{app.provider}{path}") as answer:
                assert answer.status == 200
                await answer.read()

        return once

    return {
        CODE: code,
        "refresh": refresh,
        "userinfo": userinfo,
        "introspect": introspect,
        "discovery": read("/.well-known/openid-configuration"),
        "jwks": read("/oauth2/jwks"),
    }


async def measured(target: suite.Target, runs: int, count: int) -> list[Result]:
    await suite.bring_on_board(target)
    people = suite.People([], [])
    async with suite.client() as http:
        await suite.create(target, http, people, PEOPLE)
        cookies = [await suite.signed_in(target, http, one) for one in people.all]
        by_name = operations(App(target.sso_url, target.company, cookies), http)

        async def run(name: str, requests: int) -> Result:
            return await under_load(
                name,
                by_name[name],
                requests=requests,
                connections=suite.CONNECTIONS,
                processes=target.processes,
                ops_urls=target.ops,
            )

        await run(CODE, PEOPLE * 3)
        await suite.analyze(target)
        results = []
        for name in by_name:
            requests = count if name in {CODE, "refresh"} else count * 4
            await run(name, suite.CONNECTIONS)  # warm
            results.append(median_result([await run(name, requests) for _ in range(runs)]))
            print(_row(results[-1]), flush=True)
    return results


HEAD = ("a second", "p50 ms", "p99 ms", "CPU ms", "sso", "dir", "pg", "calls", "SQL")


def _row(result: Result) -> str:
    cells = [
        f"{result.per_second:.0f}",
        f"{result.p50_ms:.1f}",
        f"{result.p99_ms:.1f}",
        f"{result.processor_total_ms:.2f}",
        *(f"{result.processor_ms[name]:.2f}" for name in ("sso-gateway", "directory", "postgresql")),
        *(f"{result.per_request[name]:.1f}" for name in ("internal calls", "SQL statements")),
    ]
    return result.name.ljust(42) + "".join(cell.rjust(9) for cell in cells)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one run with fewer requests, and no file")
    quick = parser.parse_args().quick
    load_before = os.getloadavg()[0]
    settings = {name.upper(): str(value) for name, value in provider_settings().items()}
    print("".ljust(42) + "".join(cell.rjust(9) for cell in HEAD), flush=True)
    with suite.running(OIDC_RATE_PER_COMPANY="0", **settings) as target:
        results = asyncio.run(measured(target, *((1, 200) if quick else (3, 600))))
    print(f"load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after")
    if not quick:
        _write(results, load_before)
    return 0


def _write(results: list[Result], load_before: float) -> None:
    document: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()},
        "load_average_1_min": {"before": load_before, "after": os.getloadavg()[0]},
        "operations": [result.as_json() for result in results],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "openid.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
