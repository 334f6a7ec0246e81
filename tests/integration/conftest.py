"""A company of its own in directory alone, for the tests of this folder.

In a database whose owner is no superuser, as in production: row-level security binds him too, and what a test asks as the
owner is asked inside one company.
"""

import secrets
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import msgspec
import pytest

from directory.app import create_service
from directory.database import Database
from directory.migrate import migrate
from directory.settings import Settings
from tests.support.application import Application, credential_for
from tests.support.clock import SettableClock
from tests.support.declared import undeclared_events
from tests.support.firm import Firm, Urls
from tests.support.stack import GATEWAY_SECRET, SCIM_SECRET, with_database

TEMPLATE, OWNER, SERVICE = "template_of_firms", "identity_owner", "identity_service"


@pytest.fixture(scope="session")
async def firm_template(postgres_url: str) -> str:
    """A migrated database to copy; a copy takes a tenth of the time of the migrations."""
    admin = await asyncpg.connect(postgres_url)
    try:
        # Roles belong to the whole server, and an owner may grant only a role that he made: hence the superuser's grants.
        await admin.execute(f"create role {OWNER} login createrole")
        await admin.execute(f"create role {SERVICE} login")
        await admin.execute(f"create database {TEMPLATE} owner {OWNER}")
        await migrate(with_database(postgres_url, TEMPLATE, user=OWNER))
        await admin.execute(f"grant identity_app to {SERVICE}")
    finally:
        await admin.close()
    return TEMPLATE


@pytest.fixture(scope="module")
async def firm_urls(postgres_url: str, firm_template: str) -> AsyncIterator[Urls]:
    """A database of its own for each file: what sweeps all companies sweeps few, and plans are made for the file's tables."""
    name = f"firms_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(postgres_url)
    try:
        await admin.execute(f"create database {name} template {firm_template} owner {OWNER}")
    finally:
        await admin.close()
    yield Urls(with_database(postgres_url, name, user=OWNER), with_database(postgres_url, name, user=SERVICE))
    assert not (faults := await undeclared_events(with_database(postgres_url, name))), "\n".join(faults)


@pytest.fixture(scope="session")
def firm_clock() -> SettableClock:
    return SettableClock()


@pytest.fixture(scope="module")
async def firm_database(firm_urls: Urls, firm_clock: SettableClock) -> AsyncIterator[Database]:
    async with Database(firm_urls.app, clock=firm_clock) as database:
        yield database


@pytest.fixture
async def firm(firm_database: Database, firm_urls: Urls) -> Firm:
    return await Firm.founded(firm_database, firm_urls)


@pytest.fixture
async def other_firm(firm_database: Database, firm_urls: Urls) -> Firm:
    return await Firm.founded(firm_database, firm_urls)


@pytest.fixture(scope="module")
async def firm_service(firm_urls: Urls, firm_clock: SettableClock) -> AsyncIterator[str]:
    """The address of a directory that serves the firms."""
    settings = {
        "host": "127.0.0.1", "port": 0, "ops_port": 0, "shutdown_grace_s": 5, "database_app_url": firm_urls.app,
        "scim_ingest_secret": SCIM_SECRET, "sso_gateway_secret": GATEWAY_SECRET,
    }  # fmt: skip
    service = create_service(msgspec.convert(settings, Settings), clock=firm_clock)
    await service.start()
    yield f"http://127.0.0.1:{service.port}"
    await service.stop()


@pytest.fixture
async def application(firm: Firm, firm_service: str, http: aiohttp.ClientSession) -> Application:
    """The BitaBIZ application with a credential of the firm that has every scope."""
    issued = await credential_for(firm)
    return Application(http, firm_service, firm.name, issued.credential)
