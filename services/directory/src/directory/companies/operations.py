"""What an operator does with companies: apply a manifest, show, list, compare, issue and revoke SCIM tokens.

Run as the tables' owner, by the `directory company` command; everything happens inside one company's scope, for row-level
security binds the owner too.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from directory.api import credentials
from directory.companies import move_store, store
from directory.companies.description import as_described, described
from directory.companies.description import difference as difference_between
from directory.companies.ending import refuse_closed
from directory.companies.manifest import Manifest
from directory.database import Actor, CompanyTx, Database
from directory.events.catalogue import EventKind
from directory.events.store import Changes, record
from directory.logins.ending import Why, end_all
from directory.oauth import setting_up
from shared.errors import DomainError, ErrorCode
from shared.ids import TokenId, new_uuid7, token_from_text, token_text
from shared.telemetry.logs import EventLog
from shared.tokens import new_scim_token, sha256

log = EventLog("directory")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A SCIM token, the only time it is seen."""

    token_id: str
    token: str


@dataclass(frozen=True, slots=True)
class AppliedManifest:
    created: bool
    changes: dict[str, dict[str, object]]
    """field -> before and after; empty when everything was so already."""
    entity_id: str
    token: IssuedToken | None
    """Only for a company just created."""


async def apply(database: Database, manifest: Manifest, *, entity_id_base: str, actor: Actor) -> AppliedManifest:
    """Create the company, or make it as the manifest says. Idempotent: what is so already is not written.

    Raises:
        DomainError: `already_exists` when another company has this Entra app or group.
    """
    for _ in range(3):
        try:
            return await _update(database, manifest, actor)
        except DomainError as error:
            if error.code is not ErrorCode.not_found:
                raise
        try:
            return await _create(database, manifest, f"{entity_id_base.rstrip('/')}/{manifest.company}", actor)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == "entra_binding_taken":
                raise binding_taken(manifest) from None
            # Somebody else created it between our two looks; now it is an update.
    raise DomainError(ErrorCode.unavailable, "The company is being created by somebody else; try again.")


async def _create(database: Database, manifest: Manifest, entity_id: str, actor: Actor) -> AppliedManifest:
    scope = database.scope_for_new(uuid.uuid4(), manifest.company, manifest.time_zone)
    async with scope.transaction(actor) as tx:
        await store.insert_company(tx, manifest, entity_id)
        changes = difference_between({}, described(manifest))
        record(tx, EventKind.company_created, changes=changes)
        await _trust(tx, manifest)
        token = await issue(tx, None)
    return AppliedManifest(created=True, changes=changes, entity_id=entity_id, token=token)


async def _update(database: Database, manifest: Manifest, actor: Actor) -> AppliedManifest:
    try:
        async with database.scope_for_name(manifest.company).transaction(actor) as tx:
            await store.lock_company(tx)
            row = await store.read_company(tx)
            refuse_closed(manifest.company, row["ends_at"])
            changes = await _changes(tx, row, manifest)
            if "entra.tenant_id" in changes:
                await _check_tenant(tx, manifest)
            if changes:
                await store.update_company(tx, manifest)
                record(tx, EventKind.company_updated, changes=changes)
                await _trust(tx, manifest)
                if "entra.tenant_id" in changes:
                    await setting_up.distrust_tenant(tx, "live")
                if "sso.enabled" in changes and not manifest.sso.enabled:
                    # Off means that nobody is in by it (S68): who signed in before it was off, too.
                    log.info("sso_switched_off", sessions=await end_all(tx, Why.sso_off))
            return AppliedManifest(created=False, changes=changes, entity_id=row["entity_id"], token=None)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "entra_binding_taken":
            raise binding_taken(manifest) from None
        raise


async def _check_tenant(tx: CompanyTx, manifest: Manifest) -> None:
    """A company whose people are objects of Entra's, by provisioning or by having signed in, goes to another tenant by a move
    alone, which releases their links; and not back by an old manifest."""
    retired, governed = await move_store.how_bound(tx, UUID(manifest.tenant_id))
    if retired:
        raise DomainError(
            ErrorCode.not_allowed,
            f"entra.tenant_id {manifest.tenant_id} is the tenant that {manifest.company} has left: bring the entra and sso "
            f"sections up to date (`directory company show {manifest.company}`). To go back there, prepare a move.",
            field="entra",
        )
    if governed:
        raise DomainError(
            ErrorCode.not_allowed,
            f"entra.tenant_id is another tenant than before, whose people are other objects there: "
            f"`directory company move {manifest.company} --prepare -f FILE` leads there without duplicates.",
            field="entra",
        )


def binding_taken(manifest: Manifest) -> DomainError:
    return DomainError(
        ErrorCode.already_exists,
        f"entra.app_id {manifest.app_id} or entra.group_id {manifest.group_id} belongs to another company here already: "
        "every company has its own Entra app and its own group. Compare with `directory company show`.",
        field="entra",
    )


async def difference(database: Database, manifest: Manifest) -> dict[str, dict[str, object]]:
    """What `apply` would change; nothing is written."""
    try:
        async with database.scope_for_name(manifest.company).transaction() as tx:
            return await _changes(tx, await store.read_company(tx), manifest)
    except DomainError as error:
        if error.code is not ErrorCode.not_found:
            raise
        return difference_between({}, described(manifest))


async def _changes(tx: CompanyTx, row: asyncpg.Record, manifest: Manifest) -> dict[str, dict[str, object]]:
    trusted = sorted(certificate["fingerprint"] for certificate in await store.read_certificates(tx))
    wanted = sorted(one.fingerprint for one in manifest.sso.certificates)
    if manifest.sso.metadata == "adopt" and set(wanted) <= set(trusted):
        # Others were adopted since the manifest was written.
        trusted = wanted
    return difference_between(as_described(dict(row), trusted), described(manifest))


async def _trust(tx: CompanyTx, manifest: Manifest) -> None:
    """Make the manifest's certificates the trusted ones, at once: those not in it are trusted no more.

    A company that adopts what Entra publishes has others beside them, and keeps them.
    """
    trusted = {row["fingerprint"] for row in await store.read_certificates(tx)}
    wanted = {certificate.fingerprint: certificate for certificate in manifest.sso.certificates}
    for fingerprint in sorted(wanted.keys() - trusted):
        await store.insert_certificate(tx, wanted[fingerprint])
        record(tx, EventKind.certificate_added, changes=moved(None, fingerprint))
    for fingerprint in sorted(trusted - wanted.keys() if manifest.sso.metadata != "adopt" else ()):
        await store.delete_certificate(tx, fingerprint)
        record(tx, EventKind.certificate_removed, changes=moved(fingerprint, None))


def moved(before: str | None, after: str | None) -> Changes:
    return {"fingerprint": {"before": before, "after": after}}


async def issue(tx: CompanyTx, expires_at: datetime | None, *, connection: str = "live") -> IssuedToken:
    """`connection`: of the live one, or of the `next`, prepared one."""
    token_id, token = TokenId(new_uuid7()), new_scim_token()
    await store.insert_token(tx, token_id, sha256(token), expires_at, connection)
    changes = {"token_id": {"before": None, "after": token_text(token_id)}}
    record(tx, EventKind.scim_token_issued, changes=changes)
    return IssuedToken(token_text(token_id), token)


async def issue_token(
    database: Database, company: str, *, actor: Actor, expires_at: datetime | None = None
) -> IssuedToken:
    """One more SCIM token; the older ones stay valid (D13)."""
    async with database.scope_for_name(company).transaction(actor) as tx:
        return await issue(tx, expires_at)


async def revoke_token(database: Database, company: str, token_id: str, *, actor: Actor) -> None:
    """Refused from the next request on. Raises DomainError `not_found` for a token that is not there, or revoked before."""
    async with database.scope_for_name(company).transaction(actor) as tx:
        parsed = token_from_text(token_id)
        if parsed is None or not await store.revoke_token(tx, parsed):
            raise DomainError(
                ErrorCode.not_found,
                f"{company} has no live token {token_id[:60]}; `directory company show {company}` lists them.",
            )
        changes = {"token_id": {"before": token_id, "after": None}}
        record(tx, EventKind.scim_token_revoked, changes=changes)


@dataclass(frozen=True, slots=True)
class CompanyView:
    """A company as it stands, for people: no secrets."""

    settings: dict[str, object]
    entity_id: str
    created_at: datetime
    updated_at: datetime
    certificates: list[dict[str, Any]]
    tokens: list[dict[str, Any]]
    oauth: dict[str, list[dict[str, Any]]]
    app_credentials: list[dict[str, Any]]
    employees: dict[str, int]
    ends_at: datetime | None
    """When it will be deleted, if it is closed."""


async def show(database: Database, company: str) -> CompanyView:
    async with database.scope_for_name(company).transaction() as tx:
        row = await store.read_company(tx)
        certificates = [dict(certificate) for certificate in await store.read_certificates(tx)]
        tokens = [{**dict(token), "token_id": token_text(token["token_id"])} for token in await store.read_tokens(tx)]
        oauth = await setting_up.read(tx)
        app_credentials = await credentials.read(tx)
        employees = await store.employees_by_state(tx)
    fingerprints = sorted(certificate["fingerprint"] for certificate in certificates)
    return CompanyView(
        settings=as_described(dict(row), fingerprints),
        entity_id=row["entity_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        certificates=certificates,
        tokens=tokens,
        oauth=oauth,
        app_credentials=app_credentials,
        employees={state: employees.get(state, 0) for state in ("active", "suspended", "departed")},
        ends_at=row["ends_at"],
    )


async def list_companies(database: Database) -> list[dict[str, object]]:
    """Every company with what one wants to see at a glance, by name."""
    found = []
    for name in await database.company_names():
        async with database.scope_for_name(name).transaction() as tx:
            row = await store.read_company(tx)
            found.append(
                {
                    "company": name,
                    "name": row["name"],
                    "sso": row["sso_enabled"],
                    "provisioning": row["provisioning_enabled"],
                    "created_at": row["created_at"],
                    "ends_at": row["ends_at"],
                }
            )
    return found
