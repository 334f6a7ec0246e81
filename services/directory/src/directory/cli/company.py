"""`directory company …`: what each subcommand does and what it prints, for people and (`--json`) for machines."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from directory.cli.environment import operator, owner_database
from directory.companies import operations
from directory.companies.fields import ManifestRefused, Problem
from directory.companies.manifest import MAX_BYTES, Manifest, read_manifest
from directory.settings import DatabaseSettings

Answer = dict[str, Any]


def read_manifest_file(path: str) -> Manifest:
    """`-` reads standard input. Raises ManifestRefused."""
    try:
        if path == "-":
            text = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ManifestRefused([Problem("", f"{path} cannot be read: {error.strerror}.")]) from None
    return read_manifest(text, datetime.now(UTC))


async def apply(settings: DatabaseSettings, manifest: Manifest) -> Answer:
    async with owner_database(settings) as database:
        applied = await operations.apply(database, manifest, entity_id_base=settings.entity_id_base, actor=operator())
    provisioning: Answer = {"tenant_url": _tenant_url(settings, manifest.company)}
    if applied.token is not None:
        provisioning |= {"token": applied.token.token, "token_id": applied.token.token_id}
    return {
        "company": manifest.company,
        "created": applied.created,
        "changed": sorted(applied.changes),
        "sso": _sso_values(settings, manifest.company, applied.entity_id),
        "provisioning": provisioning,
    }


async def diff(settings: DatabaseSettings, manifest: Manifest) -> Answer:
    async with owner_database(settings) as database:
        return {"company": manifest.company, "changes": await operations.difference(database, manifest)}


async def show(settings: DatabaseSettings, company: str) -> Answer:
    async with owner_database(settings) as database:
        view = await operations.show(database, company)
    answer: Answer = {"company": company}
    for name, value in view.settings.items():
        section, dot, field = name.rpartition(".")
        (answer.setdefault(section, {}) if dot else answer)[field] = value
    answer["sso"] |= _sso_values(settings, company, view.entity_id) | {"certificates": view.certificates}
    answer["provisioning"] |= {"tenant_url": _tenant_url(settings, company), "tokens": view.tokens}
    return answer | {"employees": view.employees, "created_at": view.created_at, "updated_at": view.updated_at}


async def list_all(settings: DatabaseSettings) -> Answer:
    async with owner_database(settings) as database:
        return {"companies": await operations.list_companies(database)}


async def issue_token(settings: DatabaseSettings, company: str, expires_days: int | None) -> Answer:
    expires_at = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None
    async with owner_database(settings) as database:
        issued = await operations.issue_token(database, company, actor=operator(), expires_at=expires_at)
    return {
        "company": company,
        "provisioning": {
            "tenant_url": _tenant_url(settings, company),
            "token": issued.token,
            "token_id": issued.token_id,
            "expires_at": expires_at,
        },
    }


async def revoke_token(settings: DatabaseSettings, company: str, token_id: str) -> Answer:
    async with owner_database(settings) as database:
        await operations.revoke_token(database, company, token_id, actor=operator())
    return {"company": company, "revoked": token_id}


def _sso_values(settings: DatabaseSettings, company: str, entity_id: str) -> dict[str, str]:
    base = settings.sso_public_url.rstrip("/")
    return {
        "identifier": entity_id,
        "reply_url": f"{base}/saml/{company}/acs",
        "sign_on_url": f"{base}/login/{company}",
        "logout_url": f"{base}/saml/{company}/logout",
        "metadata_url": f"{base}/saml/{company}/metadata",
    }


def _tenant_url(settings: DatabaseSettings, company: str) -> str:
    return f"{settings.scim_public_url.rstrip('/')}/scim/v2/{company}"
