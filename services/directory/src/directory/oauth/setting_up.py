"""What an operator sets up: secrets of the company's OAuth client, and which tenant's assertions it trusts."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from directory.companies.ending import refuse_closed
from directory.companies.store import lock_company, read_company
from directory.database import CompanyTx
from directory.events.catalogue import EventKind
from directory.events.store import Changes, record
from directory.oauth import store
from shared.entra_issuer import audience_key, entra_issuer
from shared.errors import DomainError, ErrorCode
from shared.ids import (
    FederationId,
    SecretId,
    federation_from_text,
    federation_text,
    new_uuid7,
    secret_from_text,
    secret_text,
)
from shared.tokens import new_client_secret, sha256

Connection = Literal["live", "next"]

_CLAIM = re.compile(r"[\x21-\x7e]{1,255}\Z")


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A secret, the only time it is seen."""

    secret_id: str
    secret: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Trusted:
    federation_id: str
    connection: Connection


async def issue_secret(tx: CompanyTx, lifetime: timedelta, *, connection: Connection = "live") -> IssuedSecret:
    """One more; the older ones stay valid. Raises DomainError `not_allowed` for `next` where no move is prepared."""
    # Held, so that it is issued before a cut-over or behind it and never stays of a connection that has become another.
    await lock_company(tx)
    if connection == "next" and (await store.tenants(tx))["next"] is None:
        raise DomainError(
            ErrorCode.not_allowed,
            f"No move is prepared: `directory company move {tx.company.name} --prepare -f FILE` is the first step.",
        )
    secret_id, secret, expires_at = SecretId(new_uuid7()), new_client_secret(), tx.now + lifetime
    await store.insert_secret(tx, secret_id, sha256(secret), connection, expires_at)
    _tell(tx, EventKind.oauth_secret_issued, {"secret_id": secret_text(secret_id)}, begins=True)
    return IssuedSecret(secret_text(secret_id), secret, expires_at)


async def revoke_secret(tx: CompanyTx, text: str) -> None:
    """It is refused from the next request on, and so is every access token issued for it. Raises DomainError `not_found`."""
    secret_id = secret_from_text(text)
    if secret_id is None or not await store.revoke_secret(tx, secret_id):
        raise _not_there(tx, "secret", text)
    _tell(tx, EventKind.oauth_secret_revoked, {"secret_id": text}, begins=False)


async def trust(tx: CompanyTx, *, issuer: str, audience: str, subject: str) -> Trusted:
    """Assertions of this issuer, for this audience, about this subject are the company's from now on.

    The issuer's tenant says of which connection: the company's own, or the one that a move has prepared.

    Raises:
        DomainError: `invalid_value` for what Entra would never send, `not_allowed` for another tenant's issuer or a closed
            company, `already_exists`.
    """
    told = _checked(issuer=issuer.strip(), audience=audience.strip(), subject=subject.strip())
    await lock_company(tx)
    refuse_closed(tx.company.name, (await read_company(tx))["ends_at"])
    connection = await _connection_of(tx, told["issuer"])
    federation_id = FederationId(new_uuid7())
    key = audience_key(told["audience"])
    if not await store.insert_federation(tx, federation_id, **told, key=key, connection=connection):
        raise DomainError(
            ErrorCode.already_exists, f"{tx.company.name} trusts this issuer, audience and subject already."
        )
    text = federation_text(federation_id)
    _tell(tx, EventKind.federation_trusted, {"federation_id": text, **told}, begins=True)
    return Trusted(text, connection)


async def distrust(tx: CompanyTx, text: str) -> None:
    """As with a secret that is revoked."""
    federation_id = federation_from_text(text)
    row = await store.revoke_federation(tx, federation_id) if federation_id else None
    if row is None:
        raise _not_there(tx, "federation", text)
    _tell(tx, EventKind.federation_revoked, {"federation_id": text, **dict(row)}, begins=False)


async def read(tx: CompanyTx) -> dict[str, list[dict[str, Any]]]:
    """All secrets and federations, the oldest first; nothing secret."""
    return {
        "secrets": [{**dict(row), "secret_id": secret_text(row["secret_id"])} for row in await store.read_secrets(tx)],
        "federations": [
            {**dict(row), "federation_id": federation_text(row["federation_id"])}
            for row in await store.read_federations(tx)
        ],
    }


async def forget_next(tx: CompanyTx) -> None:
    """A prepared move was given up: what was for it alone is revoked."""
    for row in await store.revoke_next_secrets(tx):
        _tell(tx, EventKind.oauth_secret_revoked, {"secret_id": secret_text(row["secret_id"])}, begins=False)
    await distrust_tenant(tx, "next")


async def distrust_tenant(tx: CompanyTx, connection: Connection) -> None:
    """The connection is of another Entra tenant from now on: nothing of the former one is trusted."""
    for row in await store.revoke_federations_of(tx, connection):
        told = {**dict(row), "federation_id": federation_text(row["federation_id"])}
        _tell(tx, EventKind.federation_revoked, told, begins=False)


def _checked(*, issuer: str, audience: str, subject: str) -> dict[str, str]:
    # Entra's pages show a tenant's id in lower case, and so do its assertions; people type otherwise.
    issuer = issuer.lower()
    if entra_issuer(issuer) is None:
        raise DomainError(
            ErrorCode.invalid_value,
            "The issuer must be https://login.microsoftonline.com/TENANT-ID/v2.0, as Entra shows it.",
            field="issuer",
        )
    told = {"issuer": issuer, "audience": audience, "subject": subject}
    for name in ("audience", "subject"):
        if not _CLAIM.match(told[name]):
            raise DomainError(
                ErrorCode.invalid_value,
                f"The {name} must be one word of at most 255 characters, as Entra shows it.",
                field=name,
            )
    return told


async def _connection_of(tx: CompanyTx, issuer: str) -> Connection:
    tenants, found = await store.tenants(tx), entra_issuer(issuer)
    tenant = found.tenant_id if found else ""
    if tenant == str(tenants["live"]):
        return "live"
    if tenant == str(tenants["next"]):
        return "next"
    raise DomainError(
        ErrorCode.not_allowed,
        f"The issuer is of the tenant {tenant}, and {tx.company.name} is in {tenants['live']}: a company trusts its own tenant "
        f"alone. Compare with `directory company show {tx.company.name}`; to another tenant leads a move.",
        field="issuer",
    )


def _not_there(tx: CompanyTx, what: str, text: str) -> DomainError:
    company = tx.company.name
    return DomainError(
        ErrorCode.not_found,
        f"{company} has no live {what} {text[:60]}; `directory company show {company}` lists them.",
    )


def _tell(tx: CompanyTx, kind: EventKind, told: dict[str, Any], *, begins: bool) -> None:
    changes: Changes = {
        name: {"before": None, "after": value} if begins else {"before": value, "after": None}
        for name, value in told.items()
    }
    record(tx, kind, changes=changes)
