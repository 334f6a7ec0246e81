"""Where a SCIM client of one company would connect: all that the conformance tests know of the product."""

from dataclasses import dataclass

import httpx2
import pytest

from tests.support.company import Company


@dataclass(frozen=True)
class Endpoint:
    """What an administrator pastes into Entra."""

    tenant_url: str
    token: str

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.tenant_url, headers={"Authorization": f"Bearer {self.token}"})


@pytest.fixture
def endpoint(company: Company) -> Endpoint:
    return Endpoint(company.scim_url, company.token)


@pytest.fixture
def other_endpoint(neighbour: Company) -> Endpoint:
    """Of another company in the same Entra tenant."""
    return Endpoint(neighbour.scim_url, neighbour.token)
