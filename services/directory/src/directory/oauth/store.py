"""Secrets of a company's OAuth client, federations that it trusts, and access tokens, in SQL."""

from datetime import datetime
from uuid import UUID

import asyncpg

from directory.database import CompanyTx, statement
from shared.ids import FederationId, SecretId

_SECRETS = statement(
    "oauth_secrets.read",
    """
    select secret_id, connection, created_at, expires_at, revoked_at, last_used_at
    from oauth_secrets
    where company_id = $1
    order by created_at, secret_id
    """,
)

_INSERT_SECRET = statement(
    "oauth_secrets.insert",
    """
    insert into oauth_secrets (company_id, secret_id, secret_sha256, connection, created_at, expires_at)
    values ($1, $2, $3, $4, $5, $6)
    """,
)

_REVOKE_SECRET = statement(
    "oauth_secrets.revoke",
    "update oauth_secrets set revoked_at = $3 where company_id = $1 and secret_id = $2 and revoked_at is null",
)

_FEDERATIONS = statement(
    "federations.read",
    """
    select federation_id, issuer, audience, subject, connection, created_at, revoked_at, last_used_at
    from federations
    where company_id = $1
    order by created_at, federation_id
    """,
)

_INSERT_FEDERATION = statement(
    "federations.insert",
    """
    insert into federations
        (company_id, federation_id, issuer, audience, audience_key, subject, connection, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (company_id, issuer, audience_key, subject) where revoked_at is null and connection <> 'retired'
    do nothing
    """,
)

_REVOKE_FEDERATION = statement(
    "federations.revoke",
    """
    update federations
    set revoked_at = $3
    where company_id = $1 and federation_id = $2 and revoked_at is null
    returning issuer, audience, subject
    """,
)

# A tenant that the company has left, and come back to, is trusted anew and found retired as well.
_FIND_FEDERATION = statement(
    "federations.find",
    """
    select f.federation_id, f.connection
    from federations f
    join companies c on c.company_id = f.company_id
    where f.company_id = $1 and f.issuer = $2 and f.audience_key = $3 and f.subject = $4 and f.revoked_at is null
        and (f.connection <> 'next' or c.ends_at is null)
    order by f.connection = 'retired'
    limit 1
    """,
)

_USE_FEDERATION = statement(
    "federations.use",
    """
    update federations
    set last_used_at = $3
    where company_id = $1 and federation_id = $2 and revoked_at is null and connection <> 'retired'
    """,
)

_INSERT_ACCESS_TOKEN = statement(
    "access_tokens.insert",
    """
    insert into access_tokens (company_id, token_sha256, secret_id, federation_id, created_at, expires_at)
    values ($1, $2, $3, $4, $5, $6)
    """,
)

_TENANTS = statement(
    "connections.tenants",
    """
    select n.tenant_id as live, x.tenant_id as next
    from connections n
    left join next_connections x on x.company_id = n.company_id
    where n.company_id = $1
    """,
)

_REVOKE_NEXT_SECRETS = statement(
    "oauth_secrets.revoke_next",
    """
    update oauth_secrets
    set revoked_at = $2
    where company_id = $1 and connection = 'next' and revoked_at is null
    returning secret_id
    """,
)

_REVOKE_FEDERATIONS_OF = statement(
    "federations.revoke_of_connection",
    """
    update federations
    set revoked_at = $3
    where company_id = $1 and connection = $2 and revoked_at is null
    returning federation_id, issuer, audience, subject
    """,
)

_TURN_SECRETS = statement(
    "oauth_secrets.turn",
    """
    update oauth_secrets
    set connection = case when connection = 'next' and revoked_at is null then 'live' else 'retired' end
    where company_id = $1
    returning connection, revoked_at
    """,
)

_TURN_FEDERATIONS = statement(
    "federations.turn",
    """
    update federations
    set connection = case when connection = 'next' and revoked_at is null then 'live' else 'retired' end
    where company_id = $1
    returning connection, revoked_at
    """,
)


async def read_secrets(tx: CompanyTx) -> list[asyncpg.Record]:
    return await tx.fetch(_SECRETS, tx.company_id)


async def insert_secret(
    tx: CompanyTx, secret_id: SecretId, secret_sha256: bytes, connection: str, expires_at: datetime
) -> None:
    await tx.execute(_INSERT_SECRET, tx.company_id, secret_id, secret_sha256, connection, tx.now, expires_at)


async def revoke_secret(tx: CompanyTx, secret_id: SecretId) -> bool:
    """False: there is no such secret, or it was revoked before."""
    return await tx.execute(_REVOKE_SECRET, tx.company_id, secret_id, tx.now) == 1


async def read_federations(tx: CompanyTx) -> list[asyncpg.Record]:
    return await tx.fetch(_FEDERATIONS, tx.company_id)


async def insert_federation(
    tx: CompanyTx, federation_id: FederationId, *, issuer: str, audience: str, key: str, subject: str, connection: str
) -> bool:
    """False: these are trusted already."""
    values = (issuer, audience, key, subject, connection)
    return await tx.execute(_INSERT_FEDERATION, tx.company_id, federation_id, *values, tx.now) == 1


async def revoke_federation(tx: CompanyTx, federation_id: FederationId) -> asyncpg.Record | None:
    return await tx.fetchrow(_REVOKE_FEDERATION, tx.company_id, federation_id, tx.now)


async def find_federation(tx: CompanyTx, issuer: str, audience_key: str, subject: str) -> asyncpg.Record | None:
    return await tx.fetchrow(_FIND_FEDERATION, tx.company_id, issuer, audience_key, subject)


async def use_federation(tx: CompanyTx, federation_id: FederationId) -> bool:
    """False: it is trusted no more."""
    return await tx.execute(_USE_FEDERATION, tx.company_id, federation_id, tx.now) == 1


async def insert_access_token(
    tx: CompanyTx, token_sha256: bytes, expires_at: datetime, *, secret_id: UUID | None, federation_id: UUID | None
) -> None:
    await tx.execute(_INSERT_ACCESS_TOKEN, tx.company_id, token_sha256, secret_id, federation_id, tx.now, expires_at)


async def tenants(tx: CompanyTx) -> asyncpg.Record:
    """The Entra tenant that the company is in, and the one that a move has prepared."""
    row = await tx.fetchrow(_TENANTS, tx.company_id)
    assert row is not None  # noqa: S101  a company has a connection from its first moment
    return row


async def revoke_next_secrets(tx: CompanyTx) -> list[asyncpg.Record]:
    return await tx.fetch(_REVOKE_NEXT_SECRETS, tx.company_id, tx.now)


async def revoke_federations_of(tx: CompanyTx, connection: str) -> list[asyncpg.Record]:
    return await tx.fetch(_REVOKE_FEDERATIONS_OF, tx.company_id, connection, tx.now)


async def turn(tx: CompanyTx) -> int:
    """What was of the prepared connection is live, all else is retired; how many are retired that were not revoked before."""
    turned = [*await tx.fetch(_TURN_SECRETS, tx.company_id), *await tx.fetch(_TURN_FEDERATIONS, tx.company_id)]
    return sum(row["connection"] == "retired" and row["revoked_at"] is None for row in turned)
