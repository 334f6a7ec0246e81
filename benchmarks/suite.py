"""The operations under load, against the services as processes over their own PostgreSQL, as `make run` starts them."""

import asyncio
import itertools
import os
import secrets
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import asyncpg
import msgspec

from benchmarks.measure import Result, under_load
from directory.cli import company as command
from directory.companies.manifest import read_manifest
from directory.settings import DatabaseSettings
from shared.settings import read_settings
from tests.entra.people import Person
from tests.entra.saml import recipe_for, respond
from tests.entra.saml_requests import decode_redirect, parse_request
from tests.entra.tenant import Tenant
from tests.stack.options import read_env
from tests.support.company import create_body, manifest_for, new_tenant

CONNECTIONS = 32
SCIM = {"Content-Type": "application/scim+json"}


@dataclass
class Target:
    """Running services, one company in them, and which process is which."""

    sso_url: str
    scim_url: str
    ops: list[str]
    processes: dict[str, int]
    folder: Path
    tenant: Tenant
    company: str = ""
    token: str = ""

    @property
    def users_url(self) -> str:
        return f"{self.scim_url}/scim/v2/{self.company}/Users"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", **SCIM}


@contextmanager
def running(port_base: int = 27080, /, **settings: str) -> Iterator[Target]:
    """`make run DEMO=0` on ports of its own, in a folder that is thrown away; one company may send as fast as it can."""
    import subprocess
    import sys

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="idgw-bench-")))
        environment = {
            **os.environ,
            "PORT_BASE": str(port_base),
            "LOCAL_DIR": str(folder),
            "DEMO": "0",
            "LOG_LEVEL": "WARNING",
            "SCIM_RATE_PER_COMPANY": "0",
            "LOGIN_RATE_PER_COMPANY": "0",
            "LOGIN_RATE_PER_ADDRESS": "0",
            "METADATA_HOSTS": "",  # measured is this machine, not the way to Microsoft
            **settings,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.stack"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "Ctrl-C stops everything" in line:
                    break
            yield Target(
                sso_url=f"http://127.0.0.1:{port_base}",
                scim_url=f"http://127.0.0.1:{port_base + 1}",
                ops=[f"http://127.0.0.1:{port_base + offset}" for offset in (1000, 1001, 1002)],
                processes=_processes(process.pid),
                folder=folder,
                tenant=new_tenant(),
            )
        finally:
            process.terminate()  # it stops what it started
            process.communicate(timeout=40)


def _processes(parent: int) -> dict[str, int]:
    names = {
        "sso_gateway": "sso-gateway",
        "scim_ingest": "scim-ingest",
        "directory": "directory",
        "postgres": "postgresql",
    }
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            command_line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, IndexError):
            continue
        if entry.name.isdigit() and int(fields[1]) == parent:
            for mark, name in names.items():
                if mark in command_line and name not in found:
                    found[name] = int(entry.name)
                    break
    assert len(found) == 4, found
    return found


async def bring_on_board(target: Target) -> None:
    """A company of its own for this target."""
    tenant, name = target.tenant, f"bench{secrets.token_hex(4)}"
    app = tenant.add_app(f"BitaBIZ {name}", f"Company {name}", email_domains=(f"{name}.example",))
    settings = read_settings(DatabaseSettings, read_env(target.folder / "settings.env"))
    manifest = read_manifest(msgspec.json.encode(manifest_for(name, tenant, app)), datetime.now(UTC))
    applied = await command.apply(settings, manifest)
    tenant.configure(app, identifier=applied["sso"]["identifier"], reply_url=applied["sso"]["reply_url"])
    target.company, target.token = name, applied["provisioning"]["token"]


def person(target: Target, number: int) -> Person:
    name = f"p{number}@{target.company}.example"
    return target.tenant.add_person(
        name, f"Person {number}", given_name="Person", surname=f"Nummer {number}", mail=name
    )


@dataclass
class People:
    """Who has been provisioned so far."""

    all: list[Person]
    ids: list[str]


async def create(target: Target, http: aiohttp.ClientSession, people: People, count: int) -> Result:
    """As Entra does: the matching lookup, then the POST. Two requests of ours each time."""
    first = len(people.all)
    new = [person(target, first + number) for number in range(count)]
    bodies = [msgspec.json.encode(create_body(one, title="Konsulent")) for one in new]
    ids = [""] * count

    async def once(number: int) -> None:
        name = new[number].user_principal_name
        async with http.get(
            target.users_url, params={"filter": f'userName eq "{name}"'}, headers=target.headers
        ) as answer:
            assert answer.status == 200
            await answer.read()
        async with http.post(target.users_url, data=bodies[number], headers=target.headers) as answer:
            assert answer.status == 201, await answer.text()
            ids[number] = (await answer.json(content_type=None))["id"]

    result = await _measured(target, "SCIM create (lookup, POST), per request", once, count, units=2)
    people.all += new
    people.ids += ids
    return result


async def lookup(target: Target, http: aiohttp.ClientSession, people: People, count: int) -> Result:
    async def once(number: int) -> None:
        name = people.all[number * 7919 % len(people.all)].user_principal_name
        async with http.get(
            target.users_url, params={"filter": f'userName eq "{name}"'}, headers=target.headers
        ) as answer:
            assert (await answer.json(content_type=None))["totalResults"] == 1

    return await _measured(target, f"SCIM lookup, {len(people.all):,} people", once, count)


async def patch(target: Target, http: aiohttp.ClientSession, people: People, count: int) -> Result:
    numbers = itertools.count()

    async def once(number: int) -> None:
        value = f"v{next(numbers)}-{secrets.token_hex(2)}"
        paths = ["title", "name.givenName", 'phoneNumbers[type eq "mobile"].value', "displayName"]
        paths.append("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department")
        operations = [{"op": "Replace", "path": path, "value": value} for path in paths]
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}
        url = f"{target.users_url}/{people.ids[number * 7919 % len(people.ids)]}"
        async with http.patch(url, data=msgspec.json.encode(body), headers=target.headers) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()

    return await _measured(target, "SCIM PATCH, five operations", once, count)


async def login(
    target: Target, http: aiohttp.ClientSession, people: People, count: int, *, started_by_us: bool
) -> Result:
    """Start, ACS, finish, first /session; or ACS, finish. The signing is the load generator's, and not counted."""
    app = target.tenant.app(f"Company {target.company}")
    acs = f"{target.sso_url}/saml/{target.company}/acs"

    async def once(number: int) -> None:
        who = people.all[number % len(people.all)]
        cookies: dict[str, str] = {}
        request_id = None
        if started_by_us:
            async with http.get(f"{target.sso_url}/login/{target.company}", allow_redirects=False) as answer:
                keep(cookies, answer)
                query = parse_qs(urlsplit(answer.headers["Location"]).query)
            request_id = parse_request(decode_redirect(query["SAMLRequest"][0])).id
        document = respond(recipe_for(target.tenant, app, who, now=datetime.now(UTC), in_response_to=request_id))
        form = {"SAMLResponse": b64encode(document).decode()}
        async with http.post(acs, data=form, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
            keep(cookies, answer)
        async with http.get(
            f"{target.sso_url}/login/finish", headers=cookie_header(cookies), allow_redirects=False
        ) as answer:
            assert answer.status == 303, await answer.text()
            keep(cookies, answer)
        if started_by_us:
            async with http.get(f"{target.sso_url}/session", headers=cookie_header(cookies)) as answer:
                assert answer.status == 200

    name = "SAML login started by us, with first /session" if started_by_us else "SAML login from Microsoft 365"
    return await _measured(target, name, once, count)


async def signed_in(target: Target, http: aiohttp.ClientSession, who: Person) -> str:
    """The Cookie header of a new session."""
    app = target.tenant.app(f"Company {target.company}")
    document = respond(recipe_for(target.tenant, app, who, now=datetime.now(UTC)))
    cookies: dict[str, str] = {}
    form = {"SAMLResponse": b64encode(document).decode()}
    async with http.post(f"{target.sso_url}/saml/{target.company}/acs", data=form, allow_redirects=False) as answer:
        keep(cookies, answer)
    async with http.get(
        f"{target.sso_url}/login/finish", headers=cookie_header(cookies), allow_redirects=False
    ) as answer:
        keep(cookies, answer)
    return cookie_header(cookies)["Cookie"]


async def check(target: Target, http: aiohttp.ClientSession, path: str, cookies: list[str], count: int) -> Result:
    """Whose session it is, asked by one browser after the other."""

    async def once(number: int) -> None:
        cookie = cookies[number % len(cookies)]
        async with http.get(f"{target.sso_url}{path}", headers={"Cookie": cookie}) as answer:
            assert answer.status == 200
            await answer.read()

    return await _measured(target, f"GET {path}, {len(cookies)} sessions", once, count)


def keep(cookies: dict[str, str], answer: aiohttp.ClientResponse) -> None:
    """As a browser does."""
    for header in answer.headers.getall("Set-Cookie", []):
        name, _, rest = header.partition("=")
        cookies[name] = rest.partition(";")[0]


def cookie_header(cookies: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items() if value)}


async def _measured(target: Target, name: str, once: object, count: int, *, units: int = 1) -> Result:
    return await under_load(
        name,
        once,  # type: ignore[arg-type]
        requests=count,
        connections=CONNECTIONS,
        processes=target.processes,
        ops_urls=target.ops,
        units=units,
    )


async def analyze(target: Target) -> None:
    """What autovacuum does within a minute."""
    owner = await asyncpg.connect(read_env(target.folder / "settings.env")["DATABASE_URL"])
    try:
        await owner.execute("analyze")
    finally:
        await owner.close()


def client() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS * 2)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


async def fill(target: Target, http: aiohttp.ClientSession, people: People, size: int) -> None:
    """More people, unmeasured."""
    while len(people.all) < size:
        await create(target, http, people, min(2000, size - len(people.all)))
        await asyncio.sleep(0)
