"""Deleting a company for good, and proving that nothing remains.

    begin     one transaction: the name, the tokens and the bindings leave the registry. From here nobody enters the company
              any more, its name is free, and nothing can be restored; a receipt is opened
    batches   children before parents, some thousand rows in a transaction each
    finish    one transaction: the company's own row goes, every table of the database is counted, and only where nothing is
              left the receipt is closed

Run as the tables' owner. Whoever is stopped halfway goes on where he was; where two are at it, one of them does it, because
each transaction holds the receipt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from directory.companies.catalogue import RECEIPTS, Table, count, tables
from directory.companies.ending import locked
from directory.companies.store import lock_company_alone
from directory.database import Actor, CompanyTx, Database, Statement, statement
from shared.errors import DomainError, ErrorCode
from shared.telemetry.logs import EventLog

log = EventLog("directory")

BATCH = 5000
SYSTEM = Actor("system", "directory sweep")
_LAST = frozenset({"public.companies", "registry.histories", RECEIPTS})

_OPEN_RECEIPT = statement(
    "ended_companies.insert",
    "insert into registry.ended_companies (company_id, company, began_at) values ($1, $2, $3) on conflict do nothing",
)
# Whoever finds it held leaves the work to the holder.
_CLAIM = statement(
    "ended_companies.claim",
    """
    select true
    from registry.ended_companies
    where company_id = $1 and deleted_at is null
    for update skip locked
    """,
)
_NOTE = statement(
    "ended_companies.note",
    """
    update registry.ended_companies
    set rows_deleted = jsonb_set(rows_deleted, array[$2], to_jsonb(coalesce((rows_deleted ->> $2)::bigint, 0) + $3::bigint))
    where company_id = $1
    """,
)
_CLOSE_RECEIPT = statement(
    "ended_companies.close",
    """
    update registry.ended_companies
    set deleted_at = $2, sequence = $3, hash = $4
    where company_id = $1
    """,
)
_HEAD = statement("histories.last_head", "select sequence, hash from registry.histories where company_id = $1")
_UNFINISHED = statement(
    "ended_companies.unfinished",
    "select company_id, company from registry.ended_companies where deleted_at is null order by began_at",
)
_RECEIPTS = statement(
    "ended_companies.read",
    """
    select company, company_id, began_at, deleted_at, rows_deleted, sequence, hash
    from registry.ended_companies
    order by began_at, company_id
    """,
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What stays of a company."""

    company: str
    company_id: UUID
    began_at: datetime
    deleted_at: datetime | None
    """None: it is not finished."""
    rows_deleted: dict[str, int]
    sequence: int | None
    hash: str | None
    """Of the last event, as in the header of an export made just before."""


async def delete(database: Database, company: str) -> None:
    """The whole of it, for a closed company whose time has come. Several at once: one does it, the others return."""
    async with database.scope_for_name(company).transaction(SYSTEM) as tx:
        company_id = tx.company_id
        await _begin(tx)
    await go_on(database, company_id)


async def _begin(tx: CompanyTx) -> None:
    row = await locked(tx)
    if row["ends_at"] is None or row["ends_at"] > tx.now:
        raise DomainError(ErrorCode.not_allowed, f"The time of {tx.company.name} has not come.")
    await tx.execute(_OPEN_RECEIPT, tx.company_id, tx.company.name, tx.now)
    doors = [table for table in await tables(tx) if table.schema == "registry" and table.full_name not in _LAST]
    await _delete_rows(tx, doors)
    log.info("company_deletion_began")


async def go_on(database: Database, company_id: UUID) -> None:
    """From wherever it stopped to the end, unless somebody else is at it."""
    scope = database.scope_for_id(company_id)
    async with scope.transaction(SYSTEM) as tx:
        found = [table for table in reversed(await tables(tx)) if table.full_name not in _LAST]
    for table in found:
        deleted = BATCH
        while deleted:
            async with scope.transaction(SYSTEM) as tx:
                if not await tx.fetchval(_CLAIM, company_id):
                    return
                deleted = await _delete_batch(tx, table)
                await tx.execute(_NOTE, company_id, table.full_name, deleted)
            deleted = deleted if deleted == BATCH else 0
    async with scope.transaction(SYSTEM) as tx:
        if await tx.fetchval(_CLAIM, company_id):
            await _finish(tx)


async def _finish(tx: CompanyTx) -> None:
    # Waits for whoever is still inside, and what he left behind goes with the rest.
    await lock_company_alone(tx)
    everything = await tables(tx)
    head = await tx.fetchrow(_HEAD, tx.company_id)
    await _delete_rows(tx, [table for table in reversed(everything) if table.full_name != RECEIPTS])
    left = {name: rows for name, rows in (await count(tx, everything)).items() if rows and name != RECEIPTS}
    if left:
        raise DomainError(ErrorCode.unavailable, f"Rows of {tx.company.name} remain: {left}. Nothing was closed.")
    sequence, digest = (head["sequence"], head["hash"]) if head else (0, b"")
    await tx.execute(_CLOSE_RECEIPT, tx.company_id, tx.now, sequence, digest)
    log.info("company_deleted")


async def _delete_batch(tx: CompanyTx, table: Table) -> int:
    for unlink in _unlinks_of(table):
        await tx.execute(unlink, tx.company_id, BATCH)
    return await tx.execute(_batch_of(table), tx.company_id, BATCH)


async def _delete_rows(tx: CompanyTx, emptied: Sequence[Table]) -> None:
    """All that is left in these tables, noted in the receipt."""
    for table in emptied:
        deleted = await tx.execute(_all_of(table), tx.company_id)
        await tx.execute(_NOTE, tx.company_id, table.full_name, deleted)


def _all_of(table: Table) -> Statement:
    sql = f"delete from {table.full_name} where company_id = $1"  # noqa: S608  names of the catalogue
    return statement(f"{table.name}.delete_all", sql)


def _batch_of(table: Table) -> Statement:
    key = ", ".join(table.key)
    sql = f"delete from {table.full_name} where ({key}) in ({_first(table, key)})"  # noqa: S608
    return statement(f"{table.name}.delete_batch", sql)


def _unlinks_of(table: Table) -> list[Statement]:
    """Rows that stay a little longer let go of those that are about to be deleted."""
    return [
        statement(
            f"{table.name}.unlink_batch",
            f"update {table.full_name} set {column} = null "  # noqa: S608
            f"where company_id = $1 and {column} in ({_first(table, table.key[1])})",
        )
        for column in table.own_links
    ]


def _first(table: Table, told: str) -> str:
    return f"select {told} from {table.full_name} where company_id = $1 order by {', '.join(table.key)} limit $2"  # noqa: S608


async def unfinished(database: Database) -> list[UUID]:
    """Companies whose deletion was begun and not ended."""
    async with database.connection() as connection:
        return [row["company_id"] for row in await connection.fetch(_UNFINISHED.sql)]


async def receipts(database: Database) -> list[Receipt]:
    async with database.connection() as connection:
        return [_receipt(row) for row in await connection.fetch(_RECEIPTS.sql)]


def _receipt(row: asyncpg.Record) -> Receipt:
    return Receipt(
        **{
            **dict(row),
            "rows_deleted": msgspec.json.decode(row["rows_deleted"]),
            "hash": row["hash"].hex() if row["hash"] is not None else None,
        }
    )
