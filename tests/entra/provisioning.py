"""Entra's provisioning service: cycles, on-demand, restart, quarantine.

    connection check        GET by a random value; anything but 200 with a list: quarantine
    each person             `person_sync`: match, create, update, disable, delete
    references              for whoever has a manager: a reference check, and where it fails a PATCH of its own, once everybody
                            exists
    groups                  only where switched on; one that is assigned no more is deleted

An initial cycle looks at everybody in scope, an incremental one at what changed since the watermark, at failures in
escrow and at people who were purged. Not simulated: the 40 minutes between cycles, the falling retry frequency and
the percentages of quarantine.

Source: entra-docs how-provisioning-works.md, provision-on-demand.md, application-provisioning-quarantine-status.md.
"""

import asyncio
import uuid
from collections import Counter
from functools import partial
from typing import Literal

import msgspec

from tests.entra.dialects import COMPLIANT_FLAG
from tests.entra.group_sync import assigned_groups, delete_unassigned, sync_group
from tests.entra.people import EnterpriseApp, Person
from tests.entra.person_sync import Failed, PersonSync, Quarantined, Skipped, check_list
from tests.entra.scim_client import ExchangeLog, ScimClient
from tests.entra.tenant import Escrowed, JobState, Tenant
from tests.entra.token_requests import request_token

Outcome = Literal["created", "updated", "disabled", "deleted", "unchanged", "failed", "skipped"]


class Failure(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    object_id: str
    name: str
    code: str
    detail: str


class CycleResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    initial: bool
    created: int = 0
    updated: int = 0
    disabled: int = 0
    deleted: int = 0
    unchanged: int = 0
    failed: int = 0
    skipped: int = 0
    quarantine: str | None = None
    failures: tuple[Failure, ...] = ()
    first_exchange: int = 0
    """Exchanges of this cycle have numbers above this one."""

    @property
    def changes(self) -> int:
        return self.created + self.updated + self.disabled + self.deleted


class OnDemandResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    outcome: Outcome
    detail: str = ""
    first_exchange: int = 0


class ProvisioningEngine:
    """One job per app; each job runs one thing at a time."""

    def __init__(self, tenant: Tenant, log: ExchangeLog | None = None) -> None:
        self.tenant = tenant
        self.log = log if log is not None else ExchangeLog()
        self._locks: dict[str, asyncio.Lock] = {}

    async def test_connection(self, app: EnterpriseApp) -> str | None:
        """None when the connection is good, otherwise what is wrong with it."""
        async with self._client(app) as client:
            try:
                await _check_connection(client, self.tenant.apps[app.app_id])
            except Quarantined as reason:
                return str(reason)
        return None

    async def cycle(self, app: EnterpriseApp) -> CycleResult:
        async with self._lock(app), self._client(app) as client:
            app, job, began = self.tenant.apps[app.app_id], self.tenant.job(app), self.log.last_number
            initial, revision = job.watermark is None, self.tenant.revision
            sync = PersonSync(self.tenant, app, client, compliant=_speaks_compliant(app))
            outcomes: dict[str, Outcome] = {}
            failures: dict[str, Failure] = {}
            try:
                await _check_connection(client, app)
                for object_id in self._candidates(app, job):
                    await self._attempt(sync, object_id, outcomes, failures)
                for object_id in list(sync.read):
                    await self._attempt_manager(sync, object_id, outcomes, failures)
                job.quarantine, job.watermark = None, revision
                if app.provisioning.provision_groups:
                    await self._attempt_groups(app, client, failures)
            except Quarantined as reason:
                job.quarantine = str(reason)
            self._remember(job, outcomes, failures)
            counts = Counter(outcomes.values()) | Counter({"failed": len(failures)})
            return CycleResult(
                initial=initial,
                **dict(counts),
                quarantine=job.quarantine,
                failures=tuple(failures.values()),
                first_exchange=began,
            )

    async def restart(self, app: EnterpriseApp) -> CycleResult:
        """Watermark, escrow and quarantine cleared, connections kept, then a new initial cycle.

        Microsoft's pages disagree whether connections survive; only those the target no longer knows are dropped here,
        which is what a restart is used for.
        """
        job = self.tenant.job(app)
        job.watermark, job.quarantine = None, None
        job.escrow.clear()
        job.people = {key: connection for key, connection in job.people.items() if not connection.broken}
        self.tenant.notify()
        return await self.cycle(app)

    async def provision_on_demand(self, app: EnterpriseApp, person: Person) -> OnDemandResult:
        """One person at once, always in the legacy dialect; cannot disable anybody (provision-on-demand.md)."""
        async with self._lock(app), self._client(app) as client:
            app, job, began = self.tenant.apps[app.app_id], self.tenant.job(app), self.log.last_number
            person = self.tenant.person(person.object_id)
            sync = PersonSync(self.tenant, app, client, compliant=False)
            outcomes: dict[str, Outcome] = {}
            failures: dict[str, Failure] = {}
            try:
                await _check_connection(client, app)
                _check_on_demand(self.tenant, app, person)
                await self._attempt(sync, person.object_id, outcomes, failures)
                await self._attempt_manager(sync, person.object_id, outcomes, failures)
            except Quarantined as reason:
                return OnDemandResult(outcome="failed", detail=str(reason), first_exchange=began)
            except Skipped as reason:
                return OnDemandResult(outcome="skipped", detail=str(reason), first_exchange=began)
            self._remember(job, outcomes, failures)
            failure = failures.get(person.object_id)
            return OnDemandResult(
                outcome=outcomes[person.object_id],
                detail=f"{failure.code}: {failure.detail}" if failure else "",
                first_exchange=began,
            )

    async def forget_connection(self, app: EnterpriseApp, person: Person) -> None:
        """Drops one object connection, as Graph's objectConnections can (manage-object-connections.md)."""
        async with self._lock(app):
            self.tenant.job(app).people.pop(person.object_id, None)
            self.tenant.notify()

    def _candidates(self, app: EnterpriseApp, job: JobState) -> list[str]:
        purged = [object_id for object_id in job.people if object_id not in self.tenant.people]
        assigned = set(self.tenant.assigned(app))
        known = [
            person
            for person in self.tenant.people.values()
            if person.object_id in assigned or person.object_id in job.people
        ]
        watermark = job.watermark
        changed = [
            person.object_id
            for person in known
            if watermark is None or person.revision > watermark or person.object_id in job.escrow
        ]
        return changed + purged

    async def _attempt(
        self, sync: PersonSync, object_id: str, outcomes: dict[str, Outcome], failures: dict[str, Failure]
    ) -> None:
        try:
            outcomes[object_id] = await sync.provision(object_id)
        except Skipped:
            outcomes[object_id] = "skipped"
        except Failed as failure:
            outcomes[object_id] = "failed"
            failures[object_id] = _failure(object_id, self._name(object_id), failure)

    async def _attempt_manager(
        self, sync: PersonSync, object_id: str, outcomes: dict[str, Outcome], failures: dict[str, Failure]
    ) -> None:
        try:
            if await sync.provision_manager(object_id) and outcomes.get(object_id) == "unchanged":
                outcomes[object_id] = "updated"
        except Failed as failure:
            outcomes[object_id] = "failed"
            failures[object_id] = _failure(object_id, self._name(object_id), failure)

    async def _attempt_groups(self, app: EnterpriseApp, client: ScimClient, failures: dict[str, Failure]) -> None:
        """Each is tried again in every cycle."""
        compliant = _speaks_compliant(app)
        for group in assigned_groups(self.tenant, app):
            try:
                await sync_group(self.tenant, app, group, client, compliant=compliant)
            except Failed as failure:
                failures[group.object_id] = _failure(group.object_id, group.display_name, failure)
        try:
            await delete_unassigned(self.tenant, app, client)
        except Failed as failure:
            failures[app.group_id] = _failure(app.group_id, app.name, failure)

    def _name(self, object_id: str) -> str:
        person = self.tenant.people.get(object_id)
        return person.display_name if person else object_id

    def _remember(self, job: JobState, outcomes: dict[str, Outcome], failures: dict[str, Failure]) -> None:
        for object_id in outcomes:
            failure, earlier = failures.get(object_id), job.escrow.pop(object_id, None)
            if failure is not None:
                attempts = earlier.attempts + 1 if earlier else 1
                job.escrow[object_id] = Escrowed(code=failure.code, detail=failure.detail, attempts=attempts)
        self.tenant.notify()

    def _client(self, app: EnterpriseApp) -> ScimClient:
        app = self.tenant.apps[app.app_id]
        url = app.provisioning.tenant_url
        if app.provisioning.dialect == "compliant" and COMPLIANT_FLAG not in url:
            url += f"{'&' if '?' in url else '?'}{COMPLIANT_FLAG}"
        oauth, token_source = app.provisioning.oauth, None
        if oauth is not None:
            token_source = partial(request_token, oauth, self.tenant.workload)
        return ScimClient(
            url,
            "" if oauth else app.provisioning.token,
            log=self.log,
            app_id=app.app_id,
            clock=self.tenant.clock,
            token_source=token_source,
        )

    def _lock(self, app: EnterpriseApp) -> asyncio.Lock:
        return self._locks.setdefault(app.app_id, asyncio.Lock())


def _speaks_compliant(app: EnterpriseApp) -> bool:
    return app.provisioning.dialect == "compliant" or COMPLIANT_FLAG in app.provisioning.tenant_url


async def _check_connection(client: ScimClient, app: EnterpriseApp) -> None:
    """Asks for a person that cannot exist."""
    if not app.provisioning.tenant_url:
        raise Quarantined("no Tenant URL is set")
    client.about("connection check")
    answer = await client.find(app.provisioning.matching_attribute, str(uuid.uuid4()))
    try:
        check_list(answer)
    except Failed as failure:
        raise Quarantined(f"{failure.code}: {failure.detail}") from None


def _check_on_demand(tenant: Tenant, app: EnterpriseApp, person: Person) -> None:
    if person.object_id not in tenant.assigned(app):
        raise Skipped(f"{person.display_name} is not assigned to {app.name}")
    if person.is_soft_deleted:
        raise Skipped(f"{person.display_name} is blocked or deleted; on demand cannot disable anybody")


def _failure(object_id: str, name: str, failure: Failed) -> Failure:
    return Failure(object_id=object_id, name=name, code=failure.code, detail=failure.detail)
