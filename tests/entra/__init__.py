"""Microsoft Entra ID, simulated: the only fake of the test suite.

It knows nothing of our services: it is the peer at the other end of SAML and SCIM. Usable by hand
(`python -m tests.entra --state DIR --demo`) and from tests:

    tenant = demo_tenant()                                people, groups, apps: `tenant.assign`, `.block`, `.delete`, …
    async with EntraServer(tenant) as entra:              pages and JSON API on `entra.url`
        app = tenant.configure(tenant.app(CONTOSO), identifier=…, reply_url=…)
        tenant.configure_provisioning(app, tenant_url=…, token=…, dialect="legacy")
        await entra.engine.cycle(app)                     -> CycleResult; also `.restart`, `.provision_on_demand`
        entra.engine.log.since(0)                         -> every SCIM exchange
    recipe = recipe_for(tenant, app, person, now=…, in_response_to=…)
    respond(msgspec.structs.replace(recipe, audience="https://other"))     -> bytes of a forged, well-signed response
    ScimClient(tenant_url, token)                         the wire alone: get, find, post, patch, delete, raw
"""

from tests.entra.certificates import new_certificate
from tests.entra.demo import CONTOSO, FABRIKAM, demo_id, demo_tenant
from tests.entra.people import Certificate, EnterpriseApp, Group, Mapping, Person
from tests.entra.provisioning import CycleResult, OnDemandResult, ProvisioningEngine
from tests.entra.saml import ResponseRecipe, failure_response, recipe_for, respond
from tests.entra.scim_client import Exchange, ExchangeLog, ScimAnswer, ScimClient
from tests.entra.server import EntraServer
from tests.entra.tenant import Tenant, TenantError

__all__ = [
    "CONTOSO",
    "FABRIKAM",
    "Certificate",
    "CycleResult",
    "EnterpriseApp",
    "EntraServer",
    "Exchange",
    "ExchangeLog",
    "Group",
    "Mapping",
    "OnDemandResult",
    "Person",
    "ProvisioningEngine",
    "ResponseRecipe",
    "ScimAnswer",
    "ScimClient",
    "Tenant",
    "TenantError",
    "demo_id",
    "demo_tenant",
    "failure_response",
    "new_certificate",
    "recipe_for",
    "respond",
]
