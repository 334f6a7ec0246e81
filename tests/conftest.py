"""One PostgreSQL and three services per test process; a company of its own for each test."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from directory.migrate import migrate
from tests.entra.tenant import Tenant
from tests.stack.postgres import postgres
from tests.support.browser import Browser
from tests.support.company import Company, new_company, new_tenant
from tests.support.declared import undeclared_events
from tests.support.prompt_listeners import end_promptly
from tests.support.stack import Stack, create_database, running_stack, with_database

APP_ROLE = "identity_gateway"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The superuser's address of a server that lives as long as this test process."""
    # A server of one's own for each worker starts in half a second, and no worker waits for another.
    folder = tmp_path_factory.mktemp("postgres")
    with postgres(Path(folder), durable=False) as url:
        yield url


@pytest.fixture(scope="session")
async def database_urls(postgres_url: str) -> AsyncIterator[tuple[str, str]]:
    """A migrated database: the owner's address and the application's."""
    owner_url = await create_database(postgres_url, "directory")
    app_url = with_database(postgres_url, "directory", user=APP_ROLE)
    await migrate(owner_url, app_url)
    yield owner_url, app_url
    assert not (faults := await undeclared_events(owner_url)), "\n".join(faults)


@pytest.fixture(scope="session")
async def stack(database_urls: tuple[str, str]) -> AsyncIterator[Stack]:
    async with running_stack(*database_urls) as running:
        yield running


@pytest.fixture
def tenant() -> Tenant:
    return new_tenant()


@pytest.fixture
async def company(stack: Stack, tenant: Tenant) -> AsyncIterator[Company]:
    """A company on board, with SSO and provisioning, alone in an Entra tenant."""
    made = await new_company(stack, tenant=tenant)
    yield made
    await made.scim.close()


@pytest.fixture
async def neighbour(stack: Stack, company: Company) -> AsyncIterator[Company]:
    """Another company in the same Entra tenant: same issuer, its own app, group and certificate."""
    made = await new_company(stack, tenant=company.tenant)
    yield made
    await made.scim.close()


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
def browser(http: aiohttp.ClientSession) -> Browser:
    return Browser(http)


@pytest.fixture
def other_browser(http: aiohttp.ClientSession) -> Browser:
    return Browser(http)


@pytest.fixture
def danish_browser(http: aiohttp.ClientSession) -> Browser:
    return Browser(http, language="da,en;q=0.5")


def pytest_configure(config: pytest.Config) -> None:
    # Nothing outside may be reached, and nothing of the developer's environment may leak in.
    for name in ("DATABASE_URL", "DATABASE_APP_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        os.environ.pop(name, None)
    end_promptly()
