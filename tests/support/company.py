"""A company of one's own for a test: on board in directory, with its Entra app and people in a simulated tenant.

Every test makes its own and cleans nothing up: if companies were not isolated, the suite would break.
"""

import secrets
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import msgspec

from tests.entra.certificates import private_key, signing_certificate
from tests.entra.people import Certificate, EnterpriseApp, Person
from tests.entra.provisioning import ProvisioningEngine
from tests.entra.saml import ResponseRecipe, recipe_for, respond
from tests.entra.saml_requests import decode_redirect, logout_request, parse_request, signed_redirect
from tests.entra.scim_client import ScimAnswer, ScimClient
from tests.entra.tenant import Tenant
from tests.support.browser import Browser, Page
from tests.support.stack import Stack

ENTRA = "http://localhost:1"
"""The origin of the Microsoft page; another site than ours. Nothing listens there: tests answer in Entra's place."""


@dataclass
class Company:
    """One company under test."""

    stack: Stack
    name: str
    tenant: Tenant
    app_id: str
    token: str
    engine: ProvisioningEngine
    scim: ScimClient

    @property
    def app(self) -> EnterpriseApp:
        return self.tenant.apps[self.app_id]

    @property
    def scim_url(self) -> str:
        return f"{self.stack.scim_url}/scim/v2/{self.name}"

    @property
    def acs_url(self) -> str:
        return f"{self.stack.sso_url}/saml/{self.name}/acs"

    @property
    def login_url(self) -> str:
        return f"{self.stack.sso_url}/login/{self.name}"

    # In directory

    def manifest(self, **changes: Any) -> dict[str, Any]:
        """The company's manifest as it stands in Entra now; `changes` by dotted path with `__`: sso__enabled=False."""
        manifest = manifest_for(self.name, self.tenant, self.app)
        for path, value in changes.items():
            *parents, last = path.split("__")
            place = manifest
            for parent in parents:
                place = place[parent]
            place[last] = value
        return manifest

    async def apply(self, **changes: Any) -> dict[str, Any]:
        return await self.stack.apply(self.manifest(**changes))

    # In Entra

    def hire(self, alias: str = "", **attributes: Any) -> Person:
        """A person in the tenant, assigned to the company's app; not provisioned yet."""
        alias = alias or f"p{secrets.token_hex(4)}"
        given = attributes.pop("given_name", alias.capitalize())
        surname = attributes.pop("surname", "Holm")
        name = attributes.pop("user_principal_name", f"{alias}@{self.name}.example")
        person = self.tenant.add_person(
            name, f"{given} {surname}", given_name=given, surname=surname, mail=name, **attributes
        )
        self.tenant.assign(self.app, person.object_id)
        return self.tenant.person(person.object_id)

    async def cycle(self) -> Any:
        """One provisioning cycle; fails the test when Entra would be unhappy."""
        result = await self.engine.cycle(self.app)
        assert result.quarantine is None, result.quarantine
        assert not result.failures, result.failures
        return result

    def scim_id(self, person: Person) -> str:
        """The id that provisioning learnt for a person."""
        return self.tenant.job(self.app).people[person.object_id].target_id

    async def provision(self, person: Person) -> str:
        """Provision one person by hand, as Entra's default mapping does, with the object id as externalId; returns the id."""
        answer = await self.scim.post("/Users", create_body(person))
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

    async def patch(self, employee_id: str, *operations: dict[str, Any]) -> ScimAnswer:
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list(operations)}
        return await self.scim.patch(f"/Users/{employee_id}", body)

    async def suspend(self, employee_id: str) -> ScimAnswer:
        return await self.patch(employee_id, {"op": "Replace", "path": "active", "value": "False"})

    # Signing in

    def recipe(self, person: Person, *, in_response_to: str | None = None, **changes: Any) -> ResponseRecipe:
        """What Entra would answer now for this person; `changes` bend it."""
        recipe = recipe_for(self.tenant, self.app, person, now=datetime.now(UTC), in_response_to=in_response_to)
        return msgspec.structs.replace(recipe, **changes)

    def request_id(self, address: str) -> str:
        """Of the AuthnRequest in the address at Entra to which a browser was sent."""
        asked = parse_qs(urlsplit(address).query)
        return parse_request(decode_redirect(asked["SAMLRequest"][0])).id

    async def start_login(self, browser: Browser, *, return_to: str | None = None) -> tuple[str, str]:
        """AuthnRequest ID and RelayState that Entra received."""
        query = f"?return_to={return_to}" if return_to else ""
        return self.asked(await browser.get(self.login_url + query))

    def asked(self, page: Page) -> tuple[str, str]:
        """Of Entra, by the redirect to it: AuthnRequest ID and RelayState."""
        asked = parse_qs(urlsplit(page.location).query)
        return self.request_id(page.location), asked.get("RelayState", [""])[0]

    async def post_response(
        self, browser: Browser, response: ResponseRecipe | bytes, *, relay_state: str = "", accept: str = "text/html"
    ) -> Page:
        """Entra's page posts the response to our ACS: cross-site, without our cookies."""
        document = respond(response) if isinstance(response, ResponseRecipe) else response
        form = {"SAMLResponse": b64encode(document).decode()}
        if relay_state:
            form["RelayState"] = relay_state
        return await browser.post(self.acs_url, form, from_url=ENTRA, accept=accept)

    async def sign_in(self, browser: Browser, person: Person, *, return_to: str | None = None, **changes: Any) -> Page:
        """The whole login started by us; the last page."""
        request_id, relay_state = await self.start_login(browser, return_to=return_to)
        response = self.recipe(person, in_response_to=request_id, **changes)
        return await browser.follow(await self.post_response(browser, response, relay_state=relay_state))

    # Signing out

    @property
    def logout_url(self) -> str:
        return f"{self.stack.sso_url}/saml/{self.name}/logout"

    def broadcast(
        self,
        index: str | None,
        name_id: str = "a1B2-pairwise",
        *,
        name_id_format: str | None = None,
        issuer: str = "",
        issued_at: datetime | None = None,
        signed_with: Certificate | None = None,
    ) -> str:
        """The address that Entra puts into a hidden frame when somebody signs out there."""
        now = issued_at or datetime.now(UTC)
        document = logout_request(
            issuer or self.tenant.issuer, name_id, index, f"_{uuid4()}", now, name_id_format=name_id_format
        )
        key = private_key(signed_with or signing_certificate(self.app.certificates, now))
        return signed_redirect(self.app.logout_url, "SAMLRequest", document, key)

    async def session(self, browser: Browser) -> Page:
        return await browser.get(f"{self.stack.sso_url}/session", accept="application/json")


def manifest_for(name: str, tenant: Tenant, app: EnterpriseApp) -> dict[str, Any]:
    return {
        "company": name,
        "name": app.company,
        "time_zone": "Europe/Copenhagen",
        "language": "da",
        "entra": {
            "tenant_id": tenant.tenant_id,
            "app_id": app.app_id,
            "group_id": app.group_id,
            "group_name": tenant.groups[app.group_id].display_name,
        },
        "sso": {
            "enabled": True,
            "login_url": f"https://login.microsoftonline.com/{tenant.tenant_id}/saml2",
            "issuer": tenant.issuer,
            "certificates": [certificate.pem for certificate in app.certificates],
            "signed": app.sign,
            "idp_initiated": True,
            "group_check": "when_sent",
            "email_domains": list(app.email_domains),
        },
        "provisioning": {"enabled": True, "strict": False},
        "approvers": {"follow_entra_managers": True},
    }


def create_body(person: Person, **changes: Any) -> dict[str, Any]:
    """The POST that Entra sends for a person under the default mapping."""
    body: dict[str, Any] = {
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "externalId": person.object_id,
        "userName": person.user_principal_name,
        "active": True,
        "displayName": person.display_name,
        "emails": [{"primary": True, "type": "work", "value": person.mail or person.user_principal_name}],
        "meta": {"resourceType": "User"},
        "name": {"givenName": person.given_name, "familyName": person.surname},
    }
    return {**body, **changes}


def new_tenant() -> Tenant:
    """An Entra tenant without anybody in it."""
    return Tenant(str(uuid4()), "Test", "test.example")


async def new_company(stack: Stack, *, tenant: Tenant | None = None, **changes: Any) -> Company:
    """A company on board, in a tenant of its own unless one is given."""
    tenant = tenant or new_tenant()
    name = f"c{secrets.token_hex(6)}"
    app = tenant.add_app(f"BitaBIZ {name}", f"Company {name}", email_domains=(f"{name}.example",))
    company = Company(stack, name, tenant, app.app_id, "", ProvisioningEngine(tenant), ScimClient("", ""))
    applied = await company.apply(**changes)
    sso, provisioning = applied["sso"], applied["provisioning"]
    tenant.configure(
        app,
        identifier=sso["identifier"],
        reply_url=sso["reply_url"],
        sign_on_url=sso["sign_on_url"],
        logout_url=sso["logout_url"],
    )
    company.token = provisioning["token"]
    tenant.configure_provisioning(app, tenant_url=provisioning["tenant_url"], token=company.token)
    company.scim = ScimClient(provisioning["tenant_url"], company.token)
    return company
