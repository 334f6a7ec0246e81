"""Findings, in SQL: opened where something is seen, counted when it is seen again, closed when it is over."""

from collections.abc import Mapping
from typing import Any

import msgspec

from directory.database import CompanyTx, statement
from directory.findings.catalogue import FindingKind
from shared.ids import EmployeeId, new_uuid7

_RAISE = statement(
    "findings.raise",
    """
    insert into findings
        (company_id, finding_id, kind, subject, employee_id, details, opened_at, last_seen_at, times)
    values ($1, $2, $3, $4, $5, $6::jsonb, $7, $7, 1)
    on conflict (company_id, kind, subject) where closed_at is null
    do update set last_seen_at = excluded.last_seen_at, times = findings.times + 1, details = excluded.details
    """,
)

_CLOSE = statement(
    "findings.close",
    "update findings set closed_at = $4 where company_id = $1 and kind = $2 and subject = any($3::text[]) and closed_at is null",
)

_OPEN = statement(
    "findings.open",
    """
    select finding_id, kind, subject, employee_id, details, opened_at, last_seen_at, times
    from findings
    where company_id = $1 and closed_at is null
    order by opened_at, finding_id
    limit $2
    """,
)


async def raise_finding(
    tx: CompanyTx,
    kind: FindingKind,
    subject: str,
    *,
    employee_id: EmployeeId | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Open it, or count it once more where it is open."""
    told = msgspec.json.encode(details or {}, enc_hook=str).decode()
    await tx.execute(_RAISE, tx.company_id, new_uuid7(), kind.value, subject, employee_id, told, tx.now)


async def close_findings(tx: CompanyTx, kind: FindingKind, *subjects: str) -> int:
    """How many were open."""
    return await tx.execute(_CLOSE, tx.company_id, kind.value, subjects, tx.now)


async def open_findings(tx: CompanyTx, limit: int = 1000) -> list[dict[str, Any]]:
    """The oldest first."""
    rows = await tx.fetch(_OPEN, tx.company_id, limit)
    return [{**dict(row), "details": msgspec.json.decode(row["details"])} for row in rows]
