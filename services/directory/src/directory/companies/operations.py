"""What an operator does with companies: apply a manifest, show, list, compare, issue and revoke SCIM tokens.

Run as the tables' owner, by the `directory company` command; everything happens inside one company's scope, for row-level
security binds the owner too.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from directory.api import credentials
from directory.companies import store
from directory.companies.ending import refuse_closed
from directory.companies.manifest import Manifest
from directory.database import Actor, CompanyTx, Database
from directory.events.catalogue import EventKind
from directory.events.store import Changes, record
from shared.errors import DomainError, ErrorCode
from shared.ids import TokenId, new_uuid7, token_from_text, token_text
from shared.tokens import new_scim_token, sha256


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
                raise _binding_taken(manifest) from None
            # Somebody else created it between our two looks; now it is an update.
    raise DomainError(ErrorCode.unavailable, "The company is being created by somebody else; try again.")


async def _create(database: Database, manifest: Manifest, entity_id: str, actor: Actor) -> AppliedManifest:
    scope = database.scope_for_new(uuid.uuid4(), manifest.company, manifest.time_zone)
    async with scope.transaction(actor) as tx:
        await store.insert_company(tx, manifest, entity_id)
        changes = _difference({}, described(manifest))
        record(tx, EventKind.company_created, changes=changes)
        await _trust(tx, manifest)
        token = await _issue(tx, None)
    return AppliedManifest(created=True, changes=changes, entity_id=entity_id, token=token)


async def _update(database: Database, manifest: Manifest, actor: Actor) -> AppliedManifest:
    try:
        async with database.scope_for_name(manifest.company).transaction(actor) as tx:
            await store.lock_company(tx)
            row = await store.read_company(tx)
            refuse_closed(manifest.company, row["ends_at"])
            changes = await _changes(tx, row, manifest)
            if changes:
                await store.update_company(tx, manifest)
                record(tx, EventKind.company_updated, changes=changes)
                await _trust(tx, manifest)
            return AppliedManifest(created=False, changes=changes, entity_id=row["entity_id"], token=None)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "entra_binding_taken":
            raise _binding_taken(manifest) from None
        raise


def _binding_taken(manifest: Manifest) -> DomainError:
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
        return _difference({}, described(manifest))


async def _changes(tx: CompanyTx, row: asyncpg.Record, manifest: Manifest) -> dict[str, dict[str, object]]:
    trusted = sorted(certificate["fingerprint"] for certificate in await store.read_certificates(tx))
    return _difference(as_described(row, trusted), described(manifest))


def described(manifest: Manifest) -> dict[str, object]:
    """The manifest as flat fields under their dotted names; certificates by fingerprint."""
    sso = manifest.sso
    return {
        "name": manifest.name,
        "time_zone": manifest.time_zone,
        "language": manifest.language,
        "entra.tenant_id": manifest.tenant_id,
        "entra.app_id": manifest.app_id,
        "entra.group_id": manifest.group_id,
        "entra.group_name": manifest.group_name,
        "sso.enabled": sso.enabled,
        "sso.login_url": sso.login_url,
        "sso.issuer": sso.issuer,
        "sso.certificates": sorted(certificate.fingerprint for certificate in sso.certificates),
        "sso.signed": sso.signed,
        "sso.idp_initiated": sso.idp_initiated,
        "sso.group_check": sso.group_check,
        "sso.email_domains": sorted(sso.email_domains),
        "provisioning.enabled": manifest.provisioning_enabled,
        "provisioning.strict": manifest.provisioning_strict,
        "approvers.follow_entra_managers": manifest.follow_entra_managers,
        "rehire.ask_after_days": manifest.rehire_ask_after_days,
        "brake.people": manifest.brake_people,
        "brake.percent": manifest.brake_percent,
        "retention.erase_after_months": manifest.erase_after_months,
    }


def as_described(row: asyncpg.Record, fingerprints: list[str]) -> dict[str, object]:
    """A stored company under the same names."""
    return {
        "name": row["name"],
        "time_zone": row["time_zone"],
        "language": row["language"],
        "entra.tenant_id": str(row["tenant_id"]),
        "entra.app_id": str(row["app_id"]),
        "entra.group_id": str(row["group_id"]) if row["group_id"] else None,
        "entra.group_name": row["group_name"],
        "sso.enabled": row["sso_enabled"],
        "sso.login_url": row["login_url"],
        "sso.issuer": row["issuer"],
        "sso.certificates": fingerprints,
        "sso.signed": row["signed"],
        "sso.idp_initiated": row["idp_initiated"],
        "sso.group_check": row["group_check"],
        "sso.email_domains": sorted(row["email_domains"]),
        "provisioning.enabled": row["provisioning_enabled"],
        "provisioning.strict": row["provisioning_strict"],
        "approvers.follow_entra_managers": row["follow_entra_managers"],
        "rehire.ask_after_days": row["rehire_ask_after_days"],
        "brake.people": row["brake_people"],
        "brake.percent": row["brake_percent"],
        "retention.erase_after_months": row["erase_after_months"],
    }


def _difference(before: dict[str, object], after: dict[str, object]) -> dict[str, dict[str, object]]:
    return {
        field: {"before": before.get(field), "after": value}
        for field, value in after.items()
        if before.get(field) != value
    }


async def _trust(tx: CompanyTx, manifest: Manifest) -> None:
    """Make the manifest's certificates the trusted ones, at once: those not in it are trusted no more."""
    trusted = {row["fingerprint"] for row in await store.read_certificates(tx)}
    wanted = {certificate.fingerprint: certificate for certificate in manifest.sso.certificates}
    for fingerprint in sorted(wanted.keys() - trusted):
        await store.insert_certificate(tx, wanted[fingerprint])
        record(tx, EventKind.certificate_added, changes=_moved(None, fingerprint))
    for fingerprint in sorted(trusted - wanted.keys()):
        await store.delete_certificate(tx, fingerprint)
        record(tx, EventKind.certificate_removed, changes=_moved(fingerprint, None))


def _moved(before: str | None, after: str | None) -> Changes:
    return {"fingerprint": {"before": before, "after": after}}


async def _issue(tx: CompanyTx, expires_at: datetime | None) -> IssuedToken:
    token_id, token = TokenId(new_uuid7()), new_scim_token()
    await store.insert_token(tx, token_id, sha256(token), expires_at)
    changes = {"token_id": {"before": None, "after": token_text(token_id)}}
    record(tx, EventKind.scim_token_issued, changes=changes)
    return IssuedToken(token_text(token_id), token)


async def issue_token(
    database: Database, company: str, *, actor: Actor, expires_at: datetime | None = None
) -> IssuedToken:
    """One more SCIM token; the older ones stay valid (D13)."""
    async with database.scope_for_name(company).transaction(actor) as tx:
        return await _issue(tx, expires_at)


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
    app_credentials: list[dict[str, Any]]
    employees: dict[str, int]
    ends_at: datetime | None
    """When it will be deleted, if it is closed."""


async def show(database: Database, company: str) -> CompanyView:
    async with database.scope_for_name(company).transaction() as tx:
        row = await store.read_company(tx)
        certificates = [dict(certificate) for certificate in await store.read_certificates(tx)]
        tokens = [{**dict(token), "token_id": token_text(token["token_id"])} for token in await store.read_tokens(tx)]
        app_credentials = await credentials.read(tx)
        employees = await store.employees_by_state(tx)
    fingerprints = sorted(certificate["fingerprint"] for certificate in certificates)
    return CompanyView(
        settings=as_described(row, fingerprints),
        entity_id=row["entity_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        certificates=certificates,
        tokens=tokens,
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
