"""The running simulator: tenant, provisioning engine, signed-in sessions, and what the control page did last."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.entra.certificates import private_key, signing_certificate
from tests.entra.people import EnterpriseApp, Person
from tests.entra.provisioning import CycleResult, ProvisioningEngine
from tests.entra.saml import ResponseRecipe, pairwise_id, recipe_for
from tests.entra.saml_requests import logout_request, signed_redirect
from tests.entra.tenant import Tenant
from tests.entra.workload import Workload


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A response that was given out; its SessionIndex is the assertion's id."""

    app_id: str
    object_id: str
    session_index: str


class LastAction(msgspec.Struct, frozen=True, kw_only=True):
    """What the control page shows after a button was pressed."""

    text: str
    since: int
    good: bool = True


class Simulator:
    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.engine = ProvisioningEngine(tenant)
        self.url = ""
        self.sessions: list[Session] = []
        self.signed_in_since: dict[str, datetime] = {}
        """Who is signed in at Microsoft, and since when he has not been asked anew; by object id."""
        self.last_action: dict[str, LastAction] = {}
        self.last_cycle: dict[str, CycleResult] = {}

    def login_url(self) -> str:
        return f"{self.url}/{self.tenant.tenant_id}/saml2"

    def metadata_url(self, app: EnterpriseApp) -> str:
        path = "federationmetadata/2007-06/federationmetadata.xml"
        return f"{self.url}/{self.tenant.tenant_id}/{path}?appid={app.app_id}"

    def workload(self) -> Workload:
        """Made when it is first asked for, and anew with each start: keys rotate without notice."""
        if self.tenant.workload is None:
            self.tenant.workload = Workload(self.tenant.tenant_id, self.url, clock=self.tenant.clock)
        return self.tenant.workload

    async def cycle(self, app: EnterpriseApp) -> CycleResult:
        result = await self.engine.cycle(app)
        self.last_cycle[app.app_id] = result
        return result

    async def restart(self, app: EnterpriseApp) -> CycleResult:
        result = await self.engine.restart(app)
        self.last_cycle[app.app_id] = result
        return result

    def sign_in(
        self, app: EnterpriseApp, person: Person, in_response_to: str | None, *, anew: bool = False, **changes: Any
    ) -> ResponseRecipe:
        """The recipe of a response for this person, noted as a session.

        `anew`: he shows who he is though he has before (ForceAuthn); otherwise AuthnInstant says when he first did.
        """
        now = self.tenant.clock()
        recipe = recipe_for(self.tenant, app, person, now=now, in_response_to=in_response_to)
        if anew:
            self.signed_in_since[person.object_id] = recipe.authenticated_at
        since = self.signed_in_since.setdefault(person.object_id, recipe.authenticated_at)
        changes = {"authenticated_at": since} | changes
        session = Session(app_id=app.app_id, object_id=person.object_id, session_index=recipe.assertion_id)
        self.sessions = [*self.sessions[-999:], session]
        return msgspec.structs.replace(recipe, **changes)

    def sign_out_urls(self, person: Person) -> list[str]:
        """Front-channel logout of everything the person is signed in to; the sessions are over afterwards."""
        mine = [session for session in self.sessions if session.object_id == person.object_id]
        self.sessions = [session for session in self.sessions if session.object_id != person.object_id]
        self.signed_in_since.pop(person.object_id, None)
        return [url for session in mine if (url := self.broadcast_logout_url(session))]

    def broadcast_logout_url(self, session: Session) -> str | None:
        app, person = self.tenant.apps.get(session.app_id), self.tenant.people.get(session.object_id)
        if app is None or person is None or not app.logout_url:
            return None
        now = self.tenant.clock()
        request_id = f"_{session.session_index[1:-2]}ff"
        xml = logout_request(self.tenant.issuer, pairwise_id(app, person), session.session_index, request_id, now)
        key = private_key(signing_certificate(app.certificates, now))
        return signed_redirect(app.logout_url, "SAMLRequest", xml, key)

    def origin(self, app: EnterpriseApp) -> str:
        """Where the app's reply URL lives; for links on the pages."""
        parts = urlsplit(app.reply_url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
