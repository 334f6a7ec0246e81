"""How many companies' provisioning has fallen silent, certificates are about to end, and metadata is not looked at: counted now
and then for the metrics."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from directory import metrics
from directory.companies.metadata_looks import GRACE
from directory.companies.signing import WARNED_DAYS
from directory.cycles.judgement import GAP
from directory.cycles.standing import SILENT_AT_ALL
from directory.database import Database
from shared.errors import DomainError

EVERY_S = 60.0


@asynccontextmanager
async def counted(database: Database, *, every_s: float = EVERY_S) -> AsyncIterator[None]:
    """As long as this lasts."""
    task = asyncio.create_task(_for_ever(database, every_s), context=contextvars.Context())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _for_ever(database: Database, every_s: float) -> None:
    while True:
        # While the database is away, the last count stands.
        with suppress(DomainError):
            await count(database)
        await asyncio.sleep(every_s)


async def count(database: Database) -> None:
    for standing, companies in (await database.count_contacts(GAP, SILENT_AT_ALL)).items():
        metrics.CONTACTS.labels(standing).set(companies)
    for days, companies in (await database.count_expiring(WARNED_DAYS)).items():
        metrics.CERTIFICATES_EXPIRING.labels(str(days)).set(companies)
    for standing, companies in (await database.count_metadata_looks(GRACE)).items():
        metrics.METADATA_LOOKS.labels(standing).set(companies)
