"""Findings, in SQL: opened where something is seen, counted when it is seen again, closed when it is over.

What can be read off other tables at any time is not kept, and so can never be out of date: returns that wait for HR,
countries and leave dates nobody can read, deactivations that the brake holds, tokens, secrets and certificates that end, metadata
that cannot be read.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from directory import metrics
from directory.database import CompanyTx, statement
from directory.findings.catalogue import FindingKind
from shared.ids import EmployeeId, employee_text, new_uuid7
from shared.schemas.people import Finding

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

_CLOSE_TOLD = statement(
    "findings.close_told",
    """
    update findings
    set closed_at = $5
    where company_id = $1 and kind = $2 and subject = $3 and details @> $4::jsonb and closed_at is null
    """,
)

_TAKE = statement(
    "findings.take",
    """
    update findings
    set closed_at = $4
    where company_id = $1 and kind = $2 and subject = $3 and closed_at is null
    returning details
    """,
)

_OPEN = statement(
    "findings.open",
    """
    select kind, subject, employee_id, details, opened_at, last_seen_at, times
    from findings
    where company_id = $1 and closed_at is null
    union all
    select 'rehire', 'emp_' || replace(employee_id::text, '-', ''), employee_id, '{}', rehire_asked_at, rehire_asked_at, 1
    from employees
    where company_id = $1 and rehire_asked_at is not null
    union all
    select 'unknown_country', country, null, jsonb_build_object('people', count(*)), min(created_at), max(updated_at),
        count(*)::integer
    from employees
    where company_id = $1 and state <> 'departed' and country is not null and calendar_group is null
    group by country
    union all
    select 'unknown_leave_date', leave_date, null, jsonb_build_object('people', count(*)), min(created_at), max(updated_at),
        count(*)::integer
    from employees
    where company_id = $1 and state <> 'departed' and leave_date is not null and leaves_on is null
    group by leave_date
    union all
    select 'mass_deactivation_held', 'company', null, jsonb_build_object('people', count(*)), min(h.asked_at),
        max(h.last_asked_at), sum(h.times)::integer
    from held_changes h
    join employees e on e.company_id = h.company_id and e.employee_id = h.employee_id
    where h.company_id = $1 and h.state = 'held' and e.state = 'active'
    having count(*) > 0
    union all
    select 'credential_expires', c.subject, null,
        jsonb_build_object('expires_at', c.expires_at, 'days', ceil(extract(epoch from c.expires_at - $3) / 86400)::integer,
            'last_used_at', c.last_used_at),
        c.expires_at - interval '90 days', $3, 1
    from (
        select 'tok_' || replace(token_id::text, '-', '') as subject, expires_at, last_used_at, revoked_at, connection
        from scim_tokens
        where company_id = $1
        union all
        select 'sec_' || replace(secret_id::text, '-', ''), expires_at, last_used_at, revoked_at, connection
        from oauth_secrets
        where company_id = $1
    ) c
    where c.revoked_at is null and c.connection = 'live' and c.expires_at < $3 + interval '90 days'
        and c.expires_at > $3 - interval '30 days'
    union all
    select 'certificate_expires', c.fingerprint, null,
        jsonb_build_object('expires_at', c.not_after, 'days', ceil(extract(epoch from c.not_after - $3) / 86400)::integer,
            'newer', exists (select from certificates n where n.company_id = $1 and n.not_after > $3 + interval '60 days')),
        c.not_after - interval '60 days', $3, 1
    from (
        select fingerprint, not_after
        from certificates
        where company_id = $1
        order by last_signed_at desc nulls last, not_after desc
        limit 1
    ) c
    where c.not_after < $3 + interval '60 days'
    union all
    -- That a host is not looked at is the operator's decision, and told where certificates are listed.
    select 'metadata_not_read', 'company', null, jsonb_build_object('since', look.failing_since, 'reason', look.failure),
        look.failing_since, look.looked_at, 1
    from registry.metadata_look() look
    where look.failing_since < $3 - interval '1 day' and look.failure <> 'host_not_allowed'
    order by opened_at, subject
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
    metrics.FINDINGS.labels(kind.value).inc()


async def close_findings(tx: CompanyTx, kind: FindingKind, *subjects: str) -> int:
    """How many were open."""
    return await tx.execute(_CLOSE, tx.company_id, kind.value, subjects, tx.now)


async def close_told(tx: CompanyTx, kind: FindingKind, subject: str, details: Mapping[str, object]) -> int:
    """Close it where these are among its details."""
    told = msgspec.json.encode(details).decode()
    return await tx.execute(_CLOSE_TOLD, tx.company_id, kind.value, subject, told, tx.now)


async def take_finding(tx: CompanyTx, kind: FindingKind, subject: str) -> dict[str, Any] | None:
    """Close it, for whoever acts upon it: its details; None where it is not open."""
    details = await tx.fetchval(_TAKE, tx.company_id, kind.value, subject, tx.now)
    found: dict[str, Any] | None = msgspec.json.decode(details) if details is not None else None
    return found


async def open_findings(tx: CompanyTx, limit: int = 1000) -> list[Finding]:
    """The oldest first."""
    return [
        Finding(
            kind=row["kind"],
            subject=row["subject"],
            employee_id=employee_text(row["employee_id"]) if row["employee_id"] else None,
            details=msgspec.json.decode(row["details"]),
            opened_at=row["opened_at"],
            last_seen_at=row["last_seen_at"],
            times=row["times"],
        )
        for row in await tx.fetch(_OPEN, tx.company_id, limit, tx.now)
    ]
