"""The real service on a real socket, with a directory in memory behind it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from scim_ingest.app import create_service
from scim_ingest.settings import Settings
from shared.http.service import Service
from tests.unit.scim_ingest.directory_double import DirectoryDouble

PUBLIC_URL = "https://scim.example.dk"
TOKEN = "idgw_token-of-firma"

ANNA: dict[str, Any] = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": "anna@firma.dk",
    "name": {"givenName": "Anna", "familyName": "Holm"},
    "emails": [{"type": "work", "value": "anna@firma.dk", "primary": True}],
}

SETTINGS = Settings(
    host="127.0.0.1",
    port=0,
    directory_url="http://directory.invalid",
    directory_secret="not used by the double",
    public_url=PUBLIC_URL,
    max_body_bytes=64 * 1024,
    body_timeout_s=0.3,
    federation_hosts="login.microsoftonline.com,http://127.0.0.1",
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def served() -> AsyncIterator[tuple[Service, DirectoryDouble]]:
    """One service for all tests; it keeps nothing between requests."""
    double = DirectoryDouble()
    service = create_service(SETTINGS, directory=double)
    await service.start()
    yield service, double
    await service.stop()


@pytest.fixture
def directory(served: tuple[Service, DirectoryDouble]) -> DirectoryDouble:
    double = served[1]
    double.forget()
    double.add_company("firma", TOKEN)
    double.add_company("other", "idgw_token-of-other")
    return double


@pytest.fixture
def service(served: tuple[Service, DirectoryDouble], directory: DirectoryDouble) -> Service:
    return served[0]


@pytest_asyncio.fixture
async def http(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of company `firma`, as Entra would be one.

    `verify=False`, here and elsewhere: it is plain HTTP, and to read the authorities for nothing takes 25 ms.
    """
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{service.port}/scim/v2/firma",
        headers={"Authorization": f"Bearer {TOKEN}"},
        verify=False,
    ) as client:
        yield client
