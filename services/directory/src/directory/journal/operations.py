"""Writing the journal, a company at a time, and reading it."""

from uuid import UUID

import asyncpg
import msgspec

from directory import metrics
from directory.access import noting
from directory.database import CompanyTx, Database
from directory.employees.keys import search_key
from directory.events.store import former_names
from directory.journal import store
from directory.journal.entries import key_of, row, view
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, ExchangeId, employee_from_text, employee_text, exchange_from_text
from shared.schemas import journal as schema
from shared.telemetry.logs import EventLog

log = EventLog("directory")

MAX_LIMIT = 200


async def note_exchanges(database: Database, request: schema.NoteExchanges) -> schema.NotedExchanges:
    """Each batch is a transaction; what is wrong with one is no matter of the others."""
    outcomes: list[schema.BatchOutcome] = []
    for batch in request.batches:
        outcome = await _noted(database, batch)
        metrics.JOURNAL.labels(outcome).inc(len(batch.exchanges))
        outcomes.append(outcome)
    return schema.NotedExchanges(outcomes=outcomes)


async def _noted(database: Database, batch: schema.ExchangeBatch) -> schema.BatchOutcome:
    try:
        rows = [row(exchange) for exchange in batch.exchanges]
        async with noting(database, batch.credential) as tx:
            await store.insert(tx, rows)
    except DomainError as error:
        if error.code is ErrorCode.unavailable:
            return "again"
        return "refused" if error.code is ErrorCode.unauthorized else "unfit"
    except asyncpg.DataError as error:
        log.error("exchanges_unfit", reason=type(error).__name__)
        return "unfit"
    return "written"


async def page(
    tx: CompanyTx, *, person: str = "", activity_id: str = "", refused: bool = False, before: str = "", limit: int = 50
) -> schema.JournalPage:
    """Raises DomainError `invalid_request` where `before` or `limit` is none."""
    if not 1 <= limit <= MAX_LIMIT:
        raise DomainError(ErrorCode.invalid_request, f"limit is 1 to {MAX_LIMIT}.", field="limit")
    last = exchange_from_text(before) if before else None
    if before and last is None:
        raise DomainError(ErrorCode.invalid_request, "before is the `next` of the page before.", field="before")
    asked = (last, activity_id.lower() or None, refused, limit + 1)
    if person:
        his, maybe_his = await _keys(tx, person)
        rows = await store.page_of_person(tx, *asked, his, maybe_his) if his else []
    else:
        rows = await store.page(tx, *asked)
    entries = [view(dict(found)) for found in rows[:limit]]
    return schema.JournalPage(entries=entries, next=entries[-1].id if len(rows) > limit else None)


async def _keys(tx: CompanyTx, person: str) -> tuple[list[str], list[str]]:
    """Keys that are his, and such under which he may have been known before anybody knew whose they are."""
    if employee_from_text(person) is not None:
        his, ids = [person], [person]
    elif (key := key_of(person)) is not None:
        ids = await store.ids_of_name(tx, key)
        his = [key, *ids]
    else:
        return [], []
    people = [found for one in ids if (found := employee_from_text(one)) is not None]
    former = [name for names in (await former_names(tx, people)).values() for name in names]
    return his, sorted({search_key(name) for name in (*former, *await store.names_now(tx, people))})


async def whole(tx: CompanyTx, entry: str) -> schema.WholeExchange:
    """Raises DomainError `not_found`."""
    found = await found_or_refused(tx, entry)
    shown = view(dict(found))
    written = await store.written(tx, found["about"], found["request_id"])
    return schema.WholeExchange(
        entry=shown,
        credential=found["credential"],
        asked=asked_of(found),
        body=found["body"],
        body_bytes=found["body_bytes"],
        written=[written_view(one["kind"], one["employee_id"], one["changes"]) for one in written],
    )


async def found_or_refused(tx: CompanyTx, entry: str) -> asyncpg.Record:
    exchange_id: ExchangeId | None = exchange_from_text(entry)
    found = await store.read(tx, exchange_id) if exchange_id is not None else None
    if found is None:
        raise DomainError(
            ErrorCode.not_found, f"The journal has no entry {entry[:60]!r}; its time may be over.", field="entry"
        )
    return found


def asked_of(found: asyncpg.Record) -> schema.Asked | None:
    return msgspec.json.decode(found["asked"], type=schema.Asked) if found["asked"] is not None else None


def written_view(kind: str, employee_id: UUID | None, changes: str) -> schema.Written:
    whose = employee_text(EmployeeId(employee_id)) if employee_id is not None else None
    return schema.Written(kind=kind, employee_id=whose, changes=msgspec.json.decode(changes))
