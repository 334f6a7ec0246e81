"""People who are active in several companies of one Entra tenant (A15), for `directory sweep` and platform support.

Allowed: two employees, one per company, who share nothing. Each company is told that somebody of its own is in another company
too, and not in which: the sight across companies is the operator's alone. Nothing is joined in the database, which keeps the
companies apart; each company's link keys are read in its own scope, a range of them at a time, so that the memory stays flat.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

import asyncpg

from directory.companies.deleting import SYSTEM
from directory.database import CompanyTx, Database, statement
from directory.findings.catalogue import FindingKind
from directory.findings.store import close_findings, raise_finding
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_from_text, employee_text
from shared.telemetry.logs import EventLog

log = EventLog("directory")

PEOPLE_AT_ONCE = 50_000

_SHARED_TENANTS = statement(
    "entra_bindings.shared_tenants",
    """
    select tenant_id, array_agg(distinct company_id) as companies
    from registry.entra_bindings
    where kind = 'app'
    group by tenant_id
    having count(distinct company_id) > 1
    order by tenant_id
    """,
)
_LINKED_COUNT = statement(
    "employees.linked_count",
    "select count(*) from employees where company_id = $1 and entra_object_id is not null and state = 'active'",
)
_LINKED = statement(
    "employees.linked",
    """
    select entra_object_id, employee_id
    from employees
    where company_id = $1 and entra_object_id between $2 and $3 and state = 'active'
    """,
)
_OPEN = statement(
    "findings.open_overlaps",
    "select subject from findings where company_id = $1 and kind = $2 and closed_at is null",
)
_CLOSE_ALONE = statement(
    "findings.close_overlaps",
    """
    update findings
    set closed_at = $2
    where company_id = $1 and kind = $3 and closed_at is null and not exists (
        select from registry.entra_bindings ours
        join registry.entra_bindings theirs
            on theirs.tenant_id = ours.tenant_id and theirs.kind = 'app' and theirs.company_id <> ours.company_id
        where ours.company_id = $1 and ours.kind = 'app')
    """,
)


@dataclass(frozen=True, slots=True)
class Membership:
    company: str
    employee_id: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """One person of an Entra tenant, and the companies that he is in. For platform support only (D15)."""

    tenant_id: UUID
    object_id: UUID
    memberships: tuple[Membership, ...]


async def overlaps(database: Database) -> list[Overlap]:
    """Everybody who is in more than one company of his tenant; as the tables' owner."""
    return [
        overlap
        for tenant_id, companies in (await _shared_tenants(database)).items()
        async for overlap in _of_tenant(database, tenant_id, companies)
    ]


async def report(database: Database) -> int:
    """Tells each company which people of its own are in another one too; how many people there are."""
    people = 0
    shared = await _shared_tenants(database)
    for tenant_id, companies in shared.items():
        found: dict[str, set[str]] = {}
        async for overlap in _of_tenant(database, tenant_id, companies):
            people += 1
            for membership in overlap.memberships:
                found.setdefault(membership.company, set()).add(membership.employee_id)
        for company_id in companies:
            await _tell(database, company_id, found)
    return people


async def close_where_alone(tx: CompanyTx) -> None:
    """A company that has its tenant to itself overlaps with nobody any more."""
    await tx.execute(_CLOSE_ALONE, tx.company_id, tx.now, FindingKind.overlap.value)


async def _shared_tenants(database: Database) -> dict[UUID, list[UUID]]:
    """Entra tenants with several companies, and which."""
    async with database.connection() as connection:
        rows = await connection.fetch(_SHARED_TENANTS.sql)
    return {row["tenant_id"]: sorted(row["companies"]) for row in rows}


async def _of_tenant(database: Database, tenant_id: UUID, companies: Sequence[UUID]) -> AsyncIterator[Overlap]:
    people = sum([await _linked_count(database, company_id) for company_id in companies])
    for first, last in ranges(-(-people // PEOPLE_AT_ONCE) or 1):
        found: dict[UUID, list[Membership]] = {}
        for company_id in companies:
            for object_id, membership in await _linked(database, company_id, first, last):
                found.setdefault(object_id, []).append(membership)
        for object_id, memberships in sorted(found.items()):
            if len(memberships) > 1:
                yield Overlap(tenant_id, object_id, tuple(memberships))


async def _linked_count(database: Database, company_id: UUID) -> int:
    counted = list[int]()
    async with _while_it_is_there(), database.scope_for_id(company_id).transaction(SYSTEM) as tx:
        counted.append(await tx.fetchval(_LINKED_COUNT, tx.company_id))
    return sum(counted)


async def _linked(database: Database, company_id: UUID, first: UUID, last: UUID) -> list[tuple[UUID, Membership]]:
    rows, company = list[asyncpg.Record](), ""
    async with _while_it_is_there(), database.scope_for_id(company_id).transaction(SYSTEM) as tx:
        rows, company = await tx.fetch(_LINKED, tx.company_id, first, last), tx.company.name
    return [(row["entra_object_id"], Membership(company, employee_text(row["employee_id"]))) for row in rows]


@asynccontextmanager
async def _while_it_is_there() -> AsyncIterator[None]:
    """A company may be deleted since it was listed."""
    try:
        yield
    except DomainError as error:
        if error.code is not ErrorCode.not_found:
            raise


def ranges(parts: int) -> Iterator[tuple[UUID, UUID]]:
    """All ids there can be, in so many equal ranges."""
    ends = [2**128 * number // parts for number in range(parts + 1)]
    for first, following in pairwise(ends):
        yield UUID(int=first), UUID(int=following - 1)


async def _tell(database: Database, company_id: UUID, found: dict[str, set[str]]) -> None:
    """Findings for those who are new, and an end to those of people who are in one company only by now."""
    async with _while_it_is_there(), database.scope_for_id(company_id).transaction(SYSTEM) as tx:
        ours = found.get(tx.company.name, set())
        told = {row["subject"] for row in await tx.fetch(_OPEN, tx.company_id, FindingKind.overlap.value)}
        for subject in sorted(ours - told):
            await raise_finding(tx, FindingKind.overlap, subject, employee_id=employee_from_text(subject))
        if over := sorted(told - ours):
            await close_findings(tx, FindingKind.overlap, *over)
        if ours != told:
            log.info("overlaps_told", opened=len(ours - told), closed=len(over))
