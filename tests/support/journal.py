"""A company's journal as a test reads it: what scim-ingest has noted arrives a moment after the answer."""

import asyncio
from typing import Any

from directory.database import CompanyTx
from directory.journal import operations
from shared.schemas.journal import JournalEntry, WholeExchange
from tests.support.company import Company

WITHIN_S = 5.0


async def page(company: Company, **asked: Any) -> list[JournalEntry]:
    """Newest first, as it stands."""
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        return (await operations.page(tx, **asked)).entries


async def entries(company: Company, at_least: int, **asked: Any) -> list[JournalEntry]:
    """The same, as soon as there are so many."""
    for _ in range(int(WITHIN_S / 0.02)):
        found = await page(company, **asked)
        if len(found) >= at_least:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(found)} entries instead of {at_least}: {found}")


async def newest(company: Company, before: int = 0) -> JournalEntry:
    """The entry of the last request, where there were so many before it."""
    return (await entries(company, before + 1))[0]


async def whole(company: Company, entry: JournalEntry) -> WholeExchange:
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        return await read(tx, entry)


async def read(tx: CompanyTx, entry: JournalEntry) -> WholeExchange:
    return await operations.whole(tx, entry.id)
