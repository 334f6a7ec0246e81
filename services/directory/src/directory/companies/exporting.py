"""Everything that a company has, as JSON Lines: one header, one line for each row of each table, one line of totals.

Tables come from the catalogue, parents before their children, rows by key, all as of one moment. Streamed: the memory does
not grow with the company. Secrets' hashes are left out, and the header says which; what proves the history (salts, digests,
hashes) is in, so that the chain can be checked against the file.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from directory.companies.catalogue import Table, count, tables
from directory.database import CompanyTx, Statement, statement

FORMAT = "identity-gateway/company-export/1"

TOLD = {
    "public.certificates": frozenset({"der"}),
    "public.employees": frozenset({"released_sha256"}),
    "public.events": frozenset({"changes_salt", "changes_sha256", "names_salt", "names_sha256", "hash"}),
}
"""Binary columns that are no secrets. Every other one is left out: the hashes of tokens, sessions and tickets."""

_HEAD = statement(
    "histories.export_head",
    "select sequence, encode(hash, 'hex') as hash from registry.histories where company_id = $1",
)
_SCHEMA_VERSION = statement("schema_migrations.version", "select max(version) from schema_migrations")

Write = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Exported:
    exported_at: datetime
    rows: dict[str, int]
    """By table."""
    sha256: str
    """Of everything before the last line."""

    @property
    def total(self) -> int:
        return sum(self.rows.values())


@dataclass(slots=True)
class _Lines:
    write: Write
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, line: str) -> None:
        written = f"{line}\n".encode()
        self.digest.update(written)
        self.write(written)


async def export(tx: CompanyTx, write: Write) -> Exported:
    """Wants a transaction that sees one moment (`snapshot=True`). `write` is given whole lines."""
    own = [table for table in await tables(tx) if table.schema == "public"]
    lines = _Lines(write)
    lines.add(_json({"header": await _header(tx, own)}))
    rows = {}
    for table in own:
        rows[table.full_name] = 0
        async for row in tx.stream(_rows_of(table), tx.company_id, sorted(secrets_of(table))):
            lines.add(f'{{"table":"{table.name}","row":{row["row"]}}}')
            rows[table.full_name] += 1
    exported = Exported(tx.now, rows, lines.digest.hexdigest())
    lines.add(_json({"totals": {"rows": rows, "all": exported.total, "sha256": exported.sha256}}))
    return exported


def secrets_of(table: Table) -> frozenset[str]:
    """Columns that the export leaves out."""
    return table.binary - TOLD.get(table.full_name, frozenset())


async def _header(tx: CompanyTx, own: list[Table]) -> dict[str, Any]:
    head = await tx.fetchrow(_HEAD, tx.company_id)
    return {
        "format": FORMAT,
        "company": tx.company.name,
        "company_id": str(tx.company_id),
        "exported_at": tx.now.isoformat(),
        "schema_version": await tx.fetchval(_SCHEMA_VERSION),
        "history": dict(head) if head else None,
        "rows": await count(tx, own),
        "left_out": {table.name: sorted(secrets_of(table)) for table in own if secrets_of(table)},
    }


def _rows_of(table: Table) -> Statement:
    key = ", ".join(table.key)
    sql = (
        f"select (to_jsonb(t) - $2::text[])::text as row from {table.full_name} t where company_id = $1 order by {key}"  # noqa: S608
    )
    return statement(f"{table.name}.export", sql)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
