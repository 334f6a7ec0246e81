"""Where a SCIM client of one company would connect: all that the conformance tests know of the product."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.conformance.microsoft import Microsoft
from tests.support.company import Company


@dataclass(frozen=True)
class Endpoint:
    """What an administrator pastes into Entra."""

    tenant_url: str
    token: str

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self.tenant_url, verify=False, headers={"Authorization": f"Bearer {self.token}"}
        )


@pytest.fixture
def endpoint(company: Company) -> Endpoint:
    return Endpoint(company.scim_url, company.token)


@pytest.fixture
def other_endpoint(neighbour: Company) -> Endpoint:
    """Of another company in the same Entra tenant."""
    return Endpoint(neighbour.scim_url, neighbour.token)


@pytest.fixture(params=["legacy", "compliant"])
async def microsoft(endpoint: Endpoint, request: pytest.FixtureRequest) -> AsyncIterator[Microsoft]:
    """Microsoft's service or validator, in either dialect."""
    speaking = Microsoft(endpoint.tenant_url, endpoint.token, request.param)
    yield speaking
    await speaking.scim.close()
