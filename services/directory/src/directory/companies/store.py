"""Companies, connections, certificates and tokens, in SQL."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from directory.companies.certificates import Certificate
from directory.companies.manifest import Manifest
from directory.database import CompanyTx, statement
from shared.errors import DomainError, ErrorCode
from shared.ids import TokenId
from shared.schemas import login

CONNECTION: Final = """
    select c.company, c.name, c.language, n.entity_id, n.tenant_id, n.app_id, n.sso_enabled, n.login_url, n.issuer, n.signed,
        n.idp_initiated, n.version, c.metadata_use,
        coalesce(array(
            select row(x.fingerprint, encode(x.der, 'base64'), x.not_after)
            from certificates x where x.company_id = $1 order by x.fingerprint), '{}') as certificates
    from companies c
    join connections n on n.company_id = c.company_id
    where c.company_id = $1
    """
"""What `connection_of` reads."""

_CONNECTION = statement("connections.read", CONNECTION)

_COMPANY = statement(
    "companies.read",
    """
    select c.company, c.name, c.time_zone, c.language, c.follow_entra_managers, c.rehire_ask_after_days, c.brake_people,
        c.brake_percent, c.erase_after_months, c.journal_days, c.metadata_use, c.traces_days, c.session_hours,
        c.idle_minutes, c.ends_at, c.created_at, c.updated_at,
        n.tenant_id, n.app_id, n.group_id, n.group_name, n.entity_id, n.sso_enabled, n.login_url, n.issuer, n.signed,
        n.idp_initiated, n.group_check, n.email_domains, n.provisioning_enabled, n.provisioning_strict, n.version
    from companies c
    join connections n on n.company_id = c.company_id
    where c.company_id = $1
    """,
)

_LOCK_COMPANY = statement("companies.lock", "select 1 from companies where company_id = $1 for no key update")
_LOCK_COMPANY_ALONE = statement("companies.lock_alone", "select 1 from companies where company_id = $1 for update")

_INSERT_COMPANY = statement(
    "companies.insert",
    """
    insert into companies
        (company_id, name, time_zone, language, follow_entra_managers, rehire_ask_after_days, brake_people, brake_percent,
         erase_after_months, journal_days, metadata_use, traces_days, session_hours, idle_minutes, updated_at, created_at,
         company)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16)
    """,
)

_UPDATE_COMPANY = statement(
    "companies.update",
    """
    update companies
    set name = $2, time_zone = $3, language = $4, follow_entra_managers = $5, rehire_ask_after_days = $6, brake_people = $7,
        brake_percent = $8, erase_after_months = $9, journal_days = $10, metadata_use = $11, traces_days = $12,
        session_hours = $13, idle_minutes = $14, updated_at = $15
    where company_id = $1
    """,
)

_INSERT_CONNECTION = statement(
    "connections.insert",
    """
    insert into connections
        (company_id, tenant_id, app_id, group_id, group_name, sso_enabled, login_url, issuer, signed, idp_initiated,
         group_check, email_domains, provisioning_enabled, provisioning_strict, updated_at, entity_id, version)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1)
    """,
)

_UPDATE_CONNECTION = statement(
    "connections.update",
    """
    update connections
    set tenant_id = $2, app_id = $3, group_id = $4, group_name = $5, sso_enabled = $6, login_url = $7, issuer = $8,
        signed = $9, idp_initiated = $10, group_check = $11, email_domains = $12, provisioning_enabled = $13,
        provisioning_strict = $14, updated_at = $15, version = version + 1
    where company_id = $1
    """,
)

_CERTIFICATES = statement(
    "certificates.read",
    """
    select fingerprint, subject, not_before, not_after, added_at, last_signed_at
    from certificates
    where company_id = $1
    order by not_after, fingerprint
    """,
)

_INSERT_CERTIFICATE = statement(
    "certificates.insert",
    """
    with may as (
        update companies set removed_certificates = array_remove(removed_certificates, $2)
        where company_id = $1 and not $2 = any(compromised_certificates)
        returning company_id
    )
    insert into certificates (company_id, fingerprint, der, subject, not_before, not_after, added_at)
    select company_id, $2, $3, $4, $5, $6, $7 from may
    returning fingerprint
    """,
)

_DELETE_CERTIFICATE = statement(
    "certificates.delete",
    """
    with remembered as (
        update companies set removed_certificates = array_append(array_remove(removed_certificates, $2), $2)
        where company_id = $1
    )
    delete from certificates where company_id = $1 and fingerprint = $2
    """,
)

_TOKENS = statement(
    "scim_tokens.read",
    """
    select token_id, connection, created_at, expires_at, revoked_at, last_used_at
    from scim_tokens
    where company_id = $1
    order by created_at, token_id
    """,
)

_INSERT_TOKEN = statement(
    "scim_tokens.insert",
    """
    insert into scim_tokens (company_id, token_id, token_sha256, created_at, expires_at, connection)
    values ($1, $2, $3, $4, $5, $6)
    """,
)

_REVOKE_TOKEN = statement(
    "scim_tokens.revoke",
    """
    update scim_tokens
    set revoked_at = $3
    where company_id = $1 and token_id = $2 and revoked_at is null
    """,
)

_EMPLOYEES_BY_STATE = statement(
    "employees.by_state", "select state, count(*) as people from employees where company_id = $1 group by state"
)


async def read_connection(tx: CompanyTx) -> login.Connection:
    """How the company signs on, with the certificates it trusts."""
    row = await tx.fetchrow(_CONNECTION, tx.company_id)
    assert row is not None  # noqa: S101  a company has a connection from its first moment
    return connection_of(tx, row)


def connection_of(tx: CompanyTx, row: asyncpg.Record) -> login.Connection:
    return login.Connection(
        company=row["company"],
        company_id=str(tx.company_id),
        company_name=row["name"],
        language=row["language"],
        entity_id=row["entity_id"],
        tenant_id=str(row["tenant_id"]),
        app_id=str(row["app_id"]),
        sso_enabled=row["sso_enabled"],
        login_url=row["login_url"],
        issuer=row["issuer"],
        signed=row["signed"],
        idp_initiated=row["idp_initiated"],
        certificates=[
            login.TrustedCertificate(fingerprint=fingerprint, der_base64="".join(der.split()), not_after=not_after)
            for fingerprint, der, not_after in row["certificates"]
        ],
        metadata=row["metadata_use"],
        version=row["version"],
    )


async def lock_company(tx: CompanyTx) -> None:
    """Held until the transaction ends: two applies of one company happen one after the other."""
    await tx.fetchval(_LOCK_COMPANY, tx.company_id)


async def lock_company_alone(tx: CompanyTx) -> None:
    """The same, and whoever has written something of the company has committed: every row holds on to the company's key."""
    await tx.fetchval(_LOCK_COMPANY_ALONE, tx.company_id)


async def read_company(tx: CompanyTx) -> asyncpg.Record:
    """Everything the manifest says, as it stands."""
    row = await tx.fetchrow(_COMPANY, tx.company_id)
    assert row is not None  # noqa: S101  the scope was entered, so there is one
    return row


async def insert_company(tx: CompanyTx, manifest: Manifest, entity_id: str) -> None:
    await tx.execute(_INSERT_COMPANY, tx.company_id, *_company_values(manifest), tx.now, manifest.company)
    await tx.execute(_INSERT_CONNECTION, tx.company_id, *connection_values(manifest), tx.now, entity_id)


async def update_company(tx: CompanyTx, manifest: Manifest) -> None:
    await tx.execute(_UPDATE_COMPANY, tx.company_id, *_company_values(manifest), tx.now)
    await tx.execute(_UPDATE_CONNECTION, tx.company_id, *connection_values(manifest), tx.now)


def _company_values(manifest: Manifest) -> tuple[object, ...]:
    return (
        manifest.name,
        manifest.time_zone,
        manifest.language,
        manifest.follow_entra_managers,
        manifest.rehire_ask_after_days,
        manifest.brake_people,
        manifest.brake_percent,
        manifest.erase_after_months,
        manifest.journal_days,
        manifest.sso.metadata,
        manifest.sso.traces_days,
        manifest.sso.session_hours,
        manifest.sso.idle_minutes,
    )


def connection_values(manifest: Manifest) -> tuple[object, ...]:
    sso = manifest.sso
    return (
        UUID(manifest.tenant_id),
        UUID(manifest.app_id),
        UUID(manifest.group_id) if manifest.group_id else None,
        manifest.group_name,
        sso.enabled,
        sso.login_url,
        sso.issuer,
        sso.signed,
        sso.idp_initiated,
        sso.group_check,
        list(sso.email_domains),
        manifest.provisioning_enabled,
        manifest.provisioning_strict,
    )


async def read_certificates(tx: CompanyTx) -> list[asyncpg.Record]:
    return await tx.fetch(_CERTIFICATES, tx.company_id)


async def insert_certificate(tx: CompanyTx, certificate: Certificate) -> None:
    """Raises DomainError `invalid_value` where it was removed because its key had leaked, whoever brings it."""
    inserted = await tx.fetchval(
        _INSERT_CERTIFICATE,
        tx.company_id,
        certificate.fingerprint,
        certificate.der,
        certificate.subject,
        certificate.not_before,
        certificate.not_after,
        tx.now,
    )
    if inserted is None:
        raise DomainError(
            ErrorCode.invalid_value,
            f"certificate: {certificate.fingerprint[:16]}… was removed as compromised and is never trusted again. "
            "Make a new one in Entra, and take this one out of the manifest.",
            field="certificate",
        )


async def delete_certificate(tx: CompanyTx, fingerprint: str) -> None:
    """It comes back only when somebody says so, not by Entra's metadata."""
    await tx.execute(_DELETE_CERTIFICATE, tx.company_id, fingerprint)


async def read_tokens(tx: CompanyTx) -> list[asyncpg.Record]:
    return await tx.fetch(_TOKENS, tx.company_id)


async def insert_token(
    tx: CompanyTx, token_id: TokenId, token_sha256: bytes, expires_at: datetime | None, connection: str
) -> None:
    await tx.execute(_INSERT_TOKEN, tx.company_id, token_id, token_sha256, tx.now, expires_at, connection)


async def revoke_token(tx: CompanyTx, token_id: TokenId) -> bool:
    """False: there is no such token, or it was revoked before."""
    return await tx.execute(_REVOKE_TOKEN, tx.company_id, token_id, tx.now) == 1


async def employees_by_state(tx: CompanyTx) -> dict[str, Any]:
    rows = await tx.fetch(_EMPLOYEES_BY_STATE, tx.company_id)
    return {row["state"]: row["people"] for row in rows}
