"""The steps of a move to another Entra tenant, in SQL."""

from uuid import UUID

import asyncpg

from directory.companies.certificates import Certificate
from directory.companies.manifest import Manifest
from directory.companies.store import connection_values
from directory.database import CompanyTx, statement
from shared.ids import TokenId

# Whoever comes through the door of provisioning shares this lock (migration 0011).
_LET_NOBODY_IN = statement(
    "registry.let_nobody_in", "select pg_advisory_xact_lock(hashtextextended('provisioning ' || $1::uuid::text, 0))"
)

_PREPARE = statement(
    "next_connections.prepare",
    """
    insert into next_connections
        (company_id, tenant_id, app_id, group_id, group_name, sso_enabled, login_url, issuer, signed, idp_initiated,
         group_check, email_domains, provisioning_enabled, provisioning_strict, prepared_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    on conflict (company_id) do update
    set tenant_id = excluded.tenant_id, app_id = excluded.app_id, group_id = excluded.group_id,
        group_name = excluded.group_name, sso_enabled = excluded.sso_enabled, login_url = excluded.login_url,
        issuer = excluded.issuer, signed = excluded.signed, idp_initiated = excluded.idp_initiated,
        group_check = excluded.group_check, email_domains = excluded.email_domains,
        provisioning_enabled = excluded.provisioning_enabled, provisioning_strict = excluded.provisioning_strict
    """,
)

_FORGET_CERTIFICATES = statement("next_certificates.forget", "delete from next_certificates where company_id = $1")

_ADD_CERTIFICATE = statement(
    "next_certificates.insert",
    """
    insert into next_certificates (company_id, fingerprint, der, subject, not_before, not_after)
    values ($1, $2, $3, $4, $5, $6)
    """,
)

_NEXT_CERTIFICATES = statement(
    "next_certificates.read",
    "select fingerprint, der, subject, not_before, not_after from next_certificates where company_id = $1",
)

_FORGET = statement("next_connections.forget", "delete from next_connections where company_id = $1")

# Taken out of the one and put into the other, in this order: each has the Entra app and group for itself (see the triggers).
_GO_LIVE = statement(
    "connections.go_live",
    """
    with n as (
        delete from next_connections where company_id = $1 returning *
    )
    update connections
    set tenant_id = n.tenant_id, app_id = n.app_id, group_id = n.group_id, group_name = n.group_name,
        sso_enabled = n.sso_enabled, login_url = n.login_url, issuer = n.issuer, signed = n.signed,
        idp_initiated = n.idp_initiated, group_check = n.group_check, email_domains = n.email_domains,
        provisioning_enabled = n.provisioning_enabled, provisioning_strict = n.provisioning_strict,
        version = connections.version + 1, updated_at = $2
    from n
    where connections.company_id = $1
    """,
)

_REVOKE_NEXT_TOKENS = statement(
    "scim_tokens.revoke_next",
    """
    update scim_tokens
    set revoked_at = $2
    where company_id = $1 and connection = 'next' and revoked_at is null
    returning token_id
    """,
)

_TURN_TOKENS = statement(
    "scim_tokens.turn",
    """
    update scim_tokens
    set connection = case when connection = 'next' and revoked_at is null then 'live' else 'retired' end
    where company_id = $1 and connection <> 'retired'
    returning token_id, connection, revoked_at
    """,
)

_RETIRE = statement(
    "retired_connections.retire",
    """
    with returned as (
        delete from retired_connections where company_id = $1 and tenant_id = $5
    )
    insert into retired_connections (company_id, tenant_id, app_id, retired_at)
    values ($1, $2, $3, $4)
    on conflict (company_id, tenant_id, app_id) do update set retired_at = excluded.retired_at
    """,
)

# Whoever was Entra's waits to be named by the new tenant. Whoever had no key keeps his version: nothing of him changed.
_RELEASE_LINKS = statement(
    "employees.release_links",
    """
    with held as (
        select employee_id, external_id, entra_object_id, external_id is not null or entra_object_id is not null as linked
        from employees
        where company_id = $1 and state <> 'departed'
        order by employee_id
        for update
    ), released as (
        update employees
        set external_id = null, entra_object_id = null, awaits_link_since = case source when 'entra' then $2::timestamptz end,
            updated_at = case when held.linked then $2 else employees.updated_at end,
            version = employees.version + held.linked::integer
        from held
        where employees.company_id = $1 and employees.employee_id = held.employee_id
        returning employees.employee_id, held.external_id, held.entra_object_id, held.linked
    )
    select employee_id, external_id, entra_object_id from released where linked order by employee_id
    """,
)


async def let_nobody_in(tx: CompanyTx) -> None:
    """Until the transaction ends no provisioning request begins, and those that had begun have ended: whatever comes after
    a cut-over was judged by what it made of the tokens."""
    await tx.fetchval(_LET_NOBODY_IN, tx.company_id)


async def prepare(tx: CompanyTx, manifest: Manifest) -> None:
    """Raises asyncpg.UniqueViolationError (`entra_binding_taken`) where another company has the app or group."""
    await tx.execute(_PREPARE, tx.company_id, *connection_values(manifest), tx.now)
    await tx.execute(_FORGET_CERTIFICATES, tx.company_id)
    for one in manifest.sso.certificates:
        await tx.execute(
            _ADD_CERTIFICATE, tx.company_id, one.fingerprint, one.der, one.subject, one.not_before, one.not_after
        )


async def next_certificates(tx: CompanyTx) -> list[Certificate]:
    return [Certificate(**dict(row)) for row in await tx.fetch(_NEXT_CERTIFICATES, tx.company_id)]


async def forget_next(tx: CompanyTx) -> None:
    await tx.execute(_FORGET, tx.company_id)


async def revoke_next_tokens(tx: CompanyTx) -> list[TokenId]:
    return sorted(TokenId(row["token_id"]) for row in await tx.fetch(_REVOKE_NEXT_TOKENS, tx.company_id, tx.now))


async def go_live(tx: CompanyTx) -> None:
    """What was prepared is the connection now, and is prepared no more; its certificates are read before."""
    await tx.execute(_GO_LIVE, tx.company_id, tx.now)


async def turn_tokens(tx: CompanyTx) -> list[TokenId]:
    """Tokens of the prepared connection are live, all others are retired; those retired now and not revoked before."""
    rows = await tx.fetch(_TURN_TOKENS, tx.company_id)
    return sorted(
        TokenId(row["token_id"]) for row in rows if row["connection"] == "retired" and row["revoked_at"] is None
    )


async def retire(tx: CompanyTx, *, tenant_id: UUID, app_id: UUID, live_tenant_id: UUID) -> None:
    await tx.execute(_RETIRE, tx.company_id, tenant_id, app_id, tx.now, live_tenant_id)


async def release_links(tx: CompanyTx) -> list[asyncpg.Record]:
    """Whose link keys were released, with what they were."""
    return await tx.fetch(_RELEASE_LINKS, tx.company_id, tx.now)
