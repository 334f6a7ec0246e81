"""A company with a second Entra tenant to move to: its app there, its people as other objects, its own provisioning job."""

from collections.abc import Iterable
from typing import Any

import msgspec

from directory.cli import move as command
from directory.companies.manifest import read_manifest
from tests.entra.people import Mapping, Person
from tests.entra.provisioning import CycleResult, ProvisioningEngine
from tests.entra.scim_client import ScimClient
from tests.entra.tenant import utc_now
from tests.support.company import Company, new_tenant

OBJECT_ID_AS_EXTERNAL_ID = Mapping("objectId", "externalId")


class Move:
    """`here` is the company in its old tenant, `there` the same company in the new one."""

    def __init__(self, here: Company, there: Company) -> None:
        self.here = here
        self.there = there

    @classmethod
    def of(cls, here: Company) -> "Move":
        tenant = new_tenant()
        app = tenant.add_app(f"BitaBIZ {here.name} new", here.app.company, email_domains=())
        tenant.configure(
            app,
            identifier=here.app.identifier,
            reply_url=here.app.reply_url,
            sign_on_url=here.app.sign_on_url,
            logout_url=here.app.logout_url,
        )
        there = Company(here.stack, here.name, tenant, app.app_id, "", ProvisioningEngine(tenant), ScimClient("", ""))
        return cls(here, there)

    def manifest(self, **changes: Any) -> dict[str, Any]:
        return self.there.manifest(**changes)

    async def prepare(self, **changes: Any) -> dict[str, Any]:
        """`directory company move COMPANY --prepare`, and the values pasted into the new app."""
        manifest = read_manifest(msgspec.json.encode(self.manifest(**changes)), utc_now())
        answer = await command.prepare(self.here.stack.operator, self.here.name, manifest)
        if "token" in answer["provisioning"]:
            self.there.token = answer["provisioning"]["token"]
            self.there.tenant.configure_provisioning(
                self.there.app, tenant_url=answer["provisioning"]["tenant_url"], token=self.there.token
            )
            self.there.scim = ScimClient(answer["provisioning"]["tenant_url"], self.there.token)
        return answer

    async def change_emails(self, lines: Iterable[str], *, dry_run: bool = False) -> dict[str, Any]:
        raw = "\n".join(lines).encode()
        return await command.change_emails(self.here.stack.operator, self.here.name, raw, dry_run=dry_run)

    async def cut_over(self, *, anyway: bool = False) -> dict[str, Any]:
        return await command.cut_over(self.here.stack.operator, self.here.name, anyway=anyway)

    async def cancel(self) -> dict[str, Any]:
        return await command.cancel(self.here.stack.operator, self.here.name)

    async def state(self) -> dict[str, Any]:
        return await command.state(self.here.stack.operator, self.here.name)

    async def old_cycle(self) -> CycleResult:
        """What the old tenant's provisioning does, whatever becomes of it."""
        result: CycleResult = await self.here.engine.cycle(self.here.app)
        return result

    async def restart_old(self) -> CycleResult:
        """Everybody once more, from the old tenant."""
        result: CycleResult = await self.here.engine.restart(self.here.app)
        return result

    def hire_there(self, person: Person, *, domain: str | None = None) -> Person:
        """The same person as an object of the new tenant, under the same address or in another domain."""
        name = person.user_principal_name if domain is None else moved_to(person, domain)
        return self.there.hire(
            given_name=person.given_name, surname=person.surname, user_principal_name=name, job_title=person.job_title
        )


def moved_to(person: Person, domain: str) -> str:
    return f"{person.user_principal_name.split('@')[0]}@{domain}"
