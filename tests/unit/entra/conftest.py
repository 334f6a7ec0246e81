"""A tenant with one small company, provisioned to the stub over real HTTP."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import uvicorn

from tests.entra.listener import Listener
from tests.entra.people import EnterpriseApp, Person
from tests.entra.provisioning import ProvisioningEngine
from tests.entra.scim_client import Exchange
from tests.entra.tenant import Tenant
from tests.unit.entra.stub_scim import StubScim


class World(NamedTuple):
    tenant: Tenant
    app: EnterpriseApp
    engine: ProvisioningEngine
    scim: StubScim
    boss: Person
    anna: Person

    def patches(self, since: int) -> list[list[dict[str, object]]]:
        return [e.request_json["Operations"] for e in self.engine.log.since(since) if e.method == "PATCH"]

    def requests(self, since: int) -> list[tuple[str, str]]:
        return [(e.method, e.purpose) for e in self.engine.log.since(since)]

    def writes(self, since: int) -> list[Exchange]:
        return self.engine.log.writes(since)


def small_tenant() -> Tenant:
    tenant = Tenant("11111111-1111-4111-8111-111111111111", "Firma", "firma.onmicrosoft.com")
    app = tenant.add_app("BitaBIZ", "Firma A/S")
    tenant.configure(app, identifier="https://www.bitabiz.com/firma", reply_url="http://127.0.0.1:1/saml/firma/acs")
    boss = tenant.add_person("bodil@firma.dk", "Bodil Boss", given_name="Bodil", surname="Boss", mail="bodil@firma.dk")
    anna = tenant.add_person(
        "anna@firma.dk",
        "Anna Holm",
        given_name="Anna",
        surname="Holm",
        mail="anna.holm@firma.dk",
        job_title="Smed",
        department="Værksted",
        mobile="+45 20 00 00 01",
        country="Denmark",
        manager=boss.object_id,
    )
    tenant.assign(app, anna.object_id)
    tenant.assign(app, boss.object_id)
    return tenant


@pytest.fixture(params=["legacy", "compliant"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async for made in _world(request.param):
        yield made


@pytest.fixture
async def legacy() -> AsyncIterator[World]:
    async for made in _world("legacy"):
        yield made


@pytest.fixture
async def compliant() -> AsyncIterator[World]:
    async for made in _world("compliant"):
        yield made


async def _world(dialect: str) -> AsyncIterator[World]:
    scim, tenant = StubScim(), small_tenant()
    listener = Listener(uvicorn.Config(scim.app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    await listener.start()
    try:
        app = tenant.configure_provisioning(
            tenant.app("Firma A/S"),
            tenant_url=f"http://127.0.0.1:{listener.port}/scim",
            token="secret",
            dialect=dialect,
        )
        anna, boss = tenant.person("anna@firma.dk"), tenant.person("bodil@firma.dk")
        yield World(tenant, app, ProvisioningEngine(tenant), scim, boss, anna)
    finally:
        await listener.stop()
