"""Where a SCIM client of one company would connect: what the conformance tests need, and all they know of the product."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio

from scim_ingest.app import create_service
from scim_ingest.settings import Settings
from tests.unit.scim_ingest.directory_double import DirectoryDouble


@dataclass(frozen=True)
class Endpoint:
    """What an administrator pastes into Entra."""

    tenant_url: str
    token: str

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.tenant_url, headers={"Authorization": f"Bearer {self.token}"})


@pytest_asyncio.fixture
async def endpoints() -> AsyncIterator[tuple[Endpoint, Endpoint]]:
    double = DirectoryDouble()
    double.add_company("a", "token-a")
    double.add_company("b", "token-b")
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = Settings(
        host="127.0.0.1",
        port=port,
        ops_port=0,
        directory_url="http://x",
        directory_secret="x" * 20,
        public_url=f"http://127.0.0.1:{port}",
    )
    service = create_service(settings, directory=double)
    await service.start()
    yield (
        Endpoint(f"http://127.0.0.1:{port}/scim/v2/a", "token-a"),
        Endpoint(f"http://127.0.0.1:{port}/scim/v2/b", "token-b"),
    )
    await service.stop()


@pytest.fixture
def endpoint(endpoints: tuple[Endpoint, Endpoint]) -> Endpoint:
    return endpoints[0]


@pytest.fixture
def other_endpoint(endpoints: tuple[Endpoint, Endpoint]) -> Endpoint:
    return endpoints[1]
