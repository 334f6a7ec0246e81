"""The three services, real ones on real sockets, in the test's event loop, over real PostgreSQL.

What a test may look at beside the services' own answers: an operator's commands, rows of one company, history, counters.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec

from directory.app import create_service as create_directory
from directory.cli import company as company_command
from directory.companies.manifest import read_manifest
from directory.companies.metadata_looks import EVERY
from directory.cycles.notes import Notes
from directory.cycles.writing import write
from directory.database import Database, statement
from directory.settings import DatabaseSettings
from directory.settings import Settings as DirectorySettings
from scim_ingest.app import create_service as create_scim
from scim_ingest.settings import Settings as ScimSettings
from shared.clock import system_clock
from shared.directory_client import DirectoryClient
from shared.http.service import Service
from shared.ids import employee_from_text
from shared.telemetry import metrics
from sso_gateway.app import create_service as create_gateway
from sso_gateway.settings import Settings as GatewaySettings
from tests.support.app_clients import provider_settings
from tests.support.clock import remembering_no_session

SCIM_SECRET = secrets.token_urlsafe(24)
GATEWAY_SECRET = secrets.token_urlsafe(24)


NEVER_S = 86_400.0

BEHIND = frozenset(
    {
        "watch_endings",
        "note_exchanges",
        "enter_to_journal",
        "insert_exchanges",
        "note_refusals",
        "enter_to_traces",
        "named",
        "insert_refused",
        "count_contacts",
        "count_expiring",
        "count_metadata_looks",
        "claim_metadata_looks",
    }
)
"""What the journal and the traces do about every second, who waits for ended sessions, and what is counted for the metrics
once a minute, and the question whose metadata is due, whatever is being counted here."""


@dataclass
class Count:
    """Internal calls and SQL statements between entering and leaving `Stack.counting`."""

    calls: dict[str, int] = field(default_factory=dict)
    statements: dict[str, int] = field(default_factory=dict)


@dataclass
class Stack:
    """Where the services listen, and the doors behind them."""

    owner_url: str
    app_url: str
    directory: Service
    scim: Service
    gateway: Service
    database: Database
    """As the application's role."""
    notes: Notes
    """What provisioning asked about, until `write_notes`."""

    @property
    def sso_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    @property
    def scim_url(self) -> str:
        return f"http://127.0.0.1:{self.scim.port}"

    @property
    def directory_url(self) -> str:
        return f"http://127.0.0.1:{self.directory.port}"

    @property
    def operator(self) -> DatabaseSettings:
        """What an operator's command would read."""
        return DatabaseSettings(
            database_url=self.owner_url,
            database_app_url=self.app_url,
            sso_public_url=self.sso_url,
            scim_public_url=self.scim_url,
        )

    async def apply(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """`directory company apply --json`."""
        checked = read_manifest(msgspec.json.encode(manifest), datetime.now(UTC))
        return await company_command.apply(self.operator, checked)

    async def show(self, company: str) -> dict[str, Any]:
        """`directory company show --json`."""
        return await company_command.show(self.operator, company)

    async def employee_row(self, company: str, employee_id: str) -> dict[str, Any]:
        async with self.database.scope_for_name(company).transaction() as tx:
            row = await tx.fetchrow(_EMPLOYEE, tx.company_id, employee_from_text(employee_id))
        assert row is not None
        return dict(row)

    async def history(self, company: str, employee_id: str) -> list[str]:
        """Kinds of an employee's events, oldest first."""
        async with self.database.scope_for_name(company).transaction() as tx:
            rows = await tx.fetch(_HISTORY, tx.company_id, employee_from_text(employee_id))
        return [row["kind"] for row in rows]

    async def write_notes(self) -> None:
        """What directory does in the background, within half a minute; here when a test says so."""
        await write(self.database, self.notes)

    async def nothing_is_due(self) -> None:
        """The metadata of no company; those of the tests before are looked at by nobody any more."""
        while await self.database.claim_metadata_looks(100, EVERY, timedelta()):
            pass

    async def an_hour_passes(self, company: str) -> None:
        """Since all that provisioning has asked and written so far, and since the last look at the metadata: it is put back by
        an hour."""
        owner = await asyncpg.connect(self.owner_url)
        try:
            async with owner.transaction():
                await owner.execute("select registry.enter_by_name($1)", company)
                for earlier in _AN_HOUR_EARLIER:
                    await owner.execute(earlier)
        finally:
            await owner.close()

    @asynccontextmanager
    async def counting(self) -> AsyncIterator[Count]:
        """How many internal calls and SQL statements happen inside, by name; but for what is done `BEHIND` the requests."""
        count = Count()
        calls, statements = dict(_samples(metrics.HTTP_CLIENT_DURATION)), dict(_samples(metrics.DB_OPERATION_DURATION))
        yield count
        count.calls = _difference(calls, dict(_samples(metrics.HTTP_CLIENT_DURATION)))
        count.statements = _difference(statements, dict(_samples(metrics.DB_OPERATION_DURATION)))


_HERE = "where company_id = current_company()"
_AN_HOUR_EARLIER = (
    f"update registry.metadata_looks set due_at = due_at - interval '1 hour' {_HERE}",  # noqa: S608
    f"update asked_about set asked_at = asked_at - interval '1 hour', "  # noqa: S608
    f"manager_asked_at = manager_asked_at - interval '1 hour' {_HERE}",
    f"update cycles set started_at = started_at - interval '1 hour', "  # noqa: S608
    f"last_request_at = last_request_at - interval '1 hour' {_HERE}",
    f"update employees set updated_at = updated_at - interval '1 hour', owners = jsonb_set(owners, '{{manager_ref,1}}', "  # noqa: S608
    f"to_jsonb((owners -> 'manager_ref' ->> 1)::timestamptz - interval '1 hour'), false) {_HERE} and owners ? 'manager_ref'",
)
_EMPLOYEE = statement("employees.test_row", "select * from employees where company_id = $1 and employee_id = $2")
_HISTORY = statement(
    "events.test_kinds", "select kind from events where company_id = $1 and employee_id = $2 order by sequence"
)


def _samples(histogram: metrics.Histogram) -> Iterator[tuple[str, int]]:
    found: dict[str, int] = {}
    for family in histogram.collect():
        for sample in family.samples:
            if sample.name.endswith("_count"):
                name = sample.labels.get("operation") or sample.labels["db_operation_name"]
                found[name] = found.get(name, 0) + int(sample.value)
    yield from found.items()


def _difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {
        name: value - before.get(name, 0)
        for name, value in after.items()
        if value != before.get(name, 0) and name not in BEHIND
    }


@asynccontextmanager
async def running_stack(owner_url: str, app_url: str) -> AsyncIterator[Stack]:
    """Migrated database in, three services out."""
    local, notes = {"host": "127.0.0.1", "port": 0, "ops_port": 0, "shutdown_grace_s": 5}, Notes()
    directory = create_directory(
        msgspec.convert(
            {
                **local,
                "database_app_url": app_url,
                "scim_ingest_secret": SCIM_SECRET,
                "sso_gateway_secret": GATEWAY_SECRET,
            },
            DirectorySettings,
        ),
        notes=notes,
        notes_every_s=NEVER_S,  # its statements would be counted among those of a request
    )
    await directory.start()
    directory_url = f"http://127.0.0.1:{directory.port}"
    scim_port, sso_port = free_port(), free_port()
    scim = create_scim(_scim_settings(directory_url, scim_port))
    settings = _gateway_settings(directory_url, sso_port)
    gateway = create_gateway(settings, now=remembering_no_session(), looks_every_s=NEVER_S)
    try:
        await scim.start()
        await gateway.start()
        async with Database(app_url, clock=system_clock, min_size=1, max_size=4) as database:
            yield Stack(owner_url, app_url, directory, scim, gateway, database, notes)
    finally:
        for service in (gateway, scim, directory):
            await service.stop()


def _scim_settings(directory_url: str, port: int, **more: object) -> ScimSettings:
    return msgspec.convert(
        {
            "host": "127.0.0.1",
            "port": port,
            "ops_port": 0,
            "shutdown_grace_s": 5,
            "directory_url": directory_url,
            "directory_secret": SCIM_SECRET,
            "public_url": f"http://127.0.0.1:{port}",
            "journal_every_s": 0.05,
            "federation_hosts": "http://127.0.0.1",
            **more,
        },
        ScimSettings,
    )


def _gateway_settings(directory_url: str, port: int, public_url: str = "", **more: object) -> GatewaySettings:
    return msgspec.convert(
        {
            "host": "127.0.0.1",
            "port": port,
            "ops_port": 0,
            "shutdown_grace_s": 5,
            "directory_url": directory_url,
            "directory_secret": GATEWAY_SECRET,
            "metadata_hosts": "http://127.0.0.1",
            **provider_settings(),
            "traces_every_s": 0.05,
            "public_url": public_url or f"http://127.0.0.1:{port}",
            **more,
        },
        GatewaySettings,
    )


def free_port() -> int:
    import contextlib
    import random
    import socket

    # Public addresses must be known before the service listens, so the port is free for a moment before it is taken: below those
    # that the system gives to anybody who asks for any.
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@asynccontextmanager
async def second_gateway(stack: Stack, *, public_url: str = "", **settings: object) -> AsyncIterator[str]:
    """One more sso-gateway over the same directory, as a second pod would be; its address. It remembers no session.
    `public_url`: the first one's."""
    async with _one_more_gateway(stack, remembering_no_session(), None, public_url, settings) as url:
        yield url


@asynccontextmanager
async def looking_gateway(stack: Stack) -> AsyncIterator[str]:
    """The same, which asks all the time whose metadata is due; no other gateway of the tests does."""
    async with _one_more_gateway(stack, remembering_no_session(), None, "", {}, looks_every_s=0.01) as url:
        yield url


@asynccontextmanager
async def remembering_gateway(
    stack: Stack, now: Callable[[], float], client: DirectoryClient | None = None
) -> AsyncIterator[str]:
    """The same, which remembers sessions; `now`: its seconds."""
    async with _one_more_gateway(stack, now, client, "", {}) as url:
        yield url


@asynccontextmanager
async def _one_more_gateway(
    stack: Stack,
    now: Callable[[], float],
    client: DirectoryClient | None,
    public_url: str,
    settings: Mapping[str, object],
    *,
    looks_every_s: float = NEVER_S,
) -> AsyncIterator[str]:
    port = free_port()
    settings = {"directory_url": stack.directory_url, **settings}
    made = _gateway_settings(port=port, public_url=public_url or stack.sso_url, **settings)  # type: ignore[arg-type]
    gateway = create_gateway(made, now=now, client=client, looks_every_s=looks_every_s)
    await gateway.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await gateway.stop()


@asynccontextmanager
async def second_scim(stack: Stack, **settings: object) -> AsyncIterator[str]:
    """One more scim-ingest over the same directory, with settings of its own; its address."""
    port = free_port()
    scim = create_scim(_scim_settings(stack.directory_url, port, **settings))
    await scim.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await scim.stop()


async def create_database(server_url: str, name: str, template: str | None = None) -> str:
    """A database on the test's server; its owner's address."""
    connection = await asyncpg.connect(server_url)
    try:
        clause = f' TEMPLATE "{template}"' if template else ""
        await connection.execute(f'CREATE DATABASE "{name}"{clause}')
    finally:
        await connection.close()
    return with_database(server_url, name)


def with_database(url: str, name: str, *, user: str | None = None) -> str:
    """The same server, another database (and user)."""
    parts = urlsplit(url)
    netloc = parts.netloc
    if user is not None:
        netloc = f"{user}@{netloc.rpartition('@')[2]}"
    return parts._replace(path=f"/{name}", netloc=netloc).geturl()
