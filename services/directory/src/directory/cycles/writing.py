"""The notes are written down in the background: a transaction for each company, and no request waits for it.

What fails is logged, counted and tried again; a process that is killed takes the notes of its last half minute with it.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from directory import metrics
from directory.cycles import store
from directory.cycles.notes import PEOPLE_AT_ONCE, Heard, Notes
from directory.database import Database
from shared.errors import DomainError, ErrorCode
from shared.ids import CompanyId
from shared.telemetry import context
from shared.telemetry.logs import EventLog
from shared.telemetry.tracing import internal_span

log = EventLog("directory")

EVERY_S = 2.0
"""A round. Nothing waits longer than `ROUNDS_DUE` of them."""
LAST_S = 3.0
"""When the service stops, whoever is left must be written by then."""


@asynccontextmanager
async def written_down(database: Database, notes: Notes, *, every_s: float = EVERY_S) -> AsyncIterator[None]:
    """As long as this lasts, and once more at its end."""
    ended = asyncio.Event()
    # In a context of its own: it is nobody's request, and belongs to no trace.
    task = asyncio.create_task(_until(ended, database, notes, every_s), context=contextvars.Context())
    try:
        yield
    finally:
        ended.set()
        try:
            async with asyncio.timeout(LAST_S):
                await task
        except TimeoutError:
            log.warning("notes_left", people=len(notes))


async def _until(ended: asyncio.Event, database: Database, notes: Notes, every_s: float) -> None:
    while not ended.is_set():
        try:
            async with asyncio.timeout(every_s):
                await ended.wait()
        except TimeoutError:
            pass
        await write(database, notes, None if ended.is_set() else notes.due())


async def write(database: Database, notes: Notes, companies: Sequence[CompanyId] | None = None) -> None:
    """What was heard so far, company by company; of all of them, unless some are named."""
    for company_id in notes.companies() if companies is None else companies:
        try:
            await _write_company(database, notes, company_id)
        except DomainError:
            return  # the database is away, and would be for the others too


async def _write_company(database: Database, notes: Notes, company_id: CompanyId) -> None:
    """In parts, until there is no whole one any more.

    Raises:
        DomainError: `unavailable`. What goes wrong otherwise is this company's alone.
    """
    context.company.set("")  # for the log, until it is entered
    full = True
    while full and (heard := notes.take(company_id)) is not None:
        full = len(heard.people) == PEOPLE_AT_ONCE
        try:
            await _write_part(database, company_id, heard)
        except DomainError as error:
            if error.code is ErrorCode.not_found:
                return  # deleted meanwhile
            log.warning("notes_not_written", company_id=str(company_id), people=len(heard.people), reason=error.detail)
            _give_back(notes, company_id, heard)
            raise
        except Exception:
            log.warning("notes_not_written", company_id=str(company_id), people=len(heard.people), exc_info=True)
            _give_back(notes, company_id, heard)
            return


def _give_back(notes: Notes, company_id: CompanyId, heard: Heard) -> None:
    notes.give_back(company_id, heard)
    metrics.NOTES.labels("failed").inc(len(heard.people))


async def _write_part(database: Database, company_id: CompanyId, heard: Heard) -> None:
    with internal_span("notes.write", people=len(heard.people)):
        async with database.scope_for_id(company_id).transaction() as tx:
            await store.note(tx, heard)
    metrics.NOTES.labels("written").inc(len(heard.people))
