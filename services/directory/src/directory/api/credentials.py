"""Credentials of the BitaBIZ application: per company, with scopes, shown once, several side by side (D13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from directory.database import CompanyTx, statement
from directory.events.catalogue import EventKind
from directory.events.store import record
from shared.errors import DomainError, ErrorCode
from shared.ids import CredentialId, credential_from_text, credential_text, new_uuid7
from shared.tokens import new_application_credential, sha256

SCOPES = ("employees:read", "events:read")
"""What a credential may be for; the database knows them too."""

_INSERT = statement(
    "api_credentials.insert",
    """
    insert into api_credentials (company_id, credential_id, credential_sha256, scopes, created_at, expires_at)
    values ($1, $2, $3, $4, $5, $6)
    """,
)

_REVOKE = statement(
    "api_credentials.revoke",
    """
    update api_credentials
    set revoked_at = $3
    where company_id = $1 and credential_id = $2 and revoked_at is null
    returning scopes
    """,
)

_READ = statement(
    "api_credentials.read",
    """
    select credential_id, scopes, created_at, expires_at, revoked_at, last_used_at
    from api_credentials
    where company_id = $1
    order by credential_id
    """,
)


@dataclass(frozen=True, slots=True)
class IssuedCredential:
    """A credential, the only time it is seen."""

    credential_id: str
    credential: str
    scopes: list[str]


async def issue(tx: CompanyTx, scopes: Sequence[str], expires_at: datetime | None) -> IssuedCredential:
    """One more; the older ones stay valid. Raises DomainError `invalid_value` for a scope that is none."""
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(SCOPES):
        raise DomainError(
            ErrorCode.invalid_value, f"Scopes are {' and '.join(SCOPES)}, one or more of them.", field="scopes"
        )
    credential_id, credential = CredentialId(new_uuid7()), new_application_credential()
    await tx.execute(_INSERT, tx.company_id, credential_id, sha256(credential), wanted, tx.now, expires_at)
    _tell(tx, EventKind.app_credential_issued, credential_text(credential_id), wanted, issued=True)
    return IssuedCredential(credential_text(credential_id), credential, wanted)


async def revoke(tx: CompanyTx, text: str) -> None:
    """Refused from the next request on. Raises DomainError `not_found` for one that is not there, or revoked before."""
    credential_id = credential_from_text(text)
    row = await tx.fetchrow(_REVOKE, tx.company_id, credential_id, tx.now) if credential_id else None
    if row is None:
        company = tx.company.name
        raise DomainError(
            ErrorCode.not_found,
            f"{company} has no live credential {text[:60]}; `directory company show {company}` lists them.",
        )
    _tell(tx, EventKind.app_credential_revoked, text, row["scopes"], issued=False)


async def read(tx: CompanyTx) -> list[dict[str, Any]]:
    """All of them, the oldest first; no secrets."""
    rows = await tx.fetch(_READ, tx.company_id)
    return [{**dict(row), "credential_id": credential_text(row["credential_id"])} for row in rows]


def _tell(tx: CompanyTx, kind: EventKind, credential_id: str, scopes: list[str], *, issued: bool) -> None:
    told = {"credential_id": credential_id, "scopes": scopes}
    none = dict.fromkeys(told)
    before, after = (none, told) if issued else (told, none)
    record(tx, kind, changes={name: {"before": before[name], "after": after[name]} for name in told})
