"""Everything that a company has, found in the database's own catalogue: a table added later is exported and deleted too.

Of use to the tables' owner only, inside one company's scope.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from directory.database import CompanyTx, Statement, statement

RECEIPTS = "registry.ended_companies"
"""Stays when a company goes."""

_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")

_TABLES = statement(
    "catalogue.tables",
    """
    select n.nspname as schema, c.relname as name,
        array(select a.attname from pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum) as columns,
        array(select a.attname from pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.atttypid = 'bytea'::regtype) as binary,
        array(select a.attname from pg_index i, unnest(i.indkey) with ordinality as key (number, place)
              join pg_attribute a on a.attnum = key.number
              where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid order by key.place) as key,
        array(select distinct p.relname from pg_constraint k join pg_class p on p.oid = k.confrelid
              where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid) as parents,
        array(select a.attname from pg_constraint k join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[2]
              where k.conrelid = c.oid and k.confrelid = c.oid and k.contype = 'f') as own_links
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition
        and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
        and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'company_id' and not a.attisdropped)
    order by n.nspname, c.relname
    """,
)


@dataclass(frozen=True, slots=True)
class Table:
    schema: str
    name: str
    columns: tuple[str, ...]
    binary: frozenset[str]
    """Columns of type bytea."""
    key: tuple[str, ...]
    """The primary key; company_id comes first."""
    parents: frozenset[str]
    """Tables that its rows refer to."""
    own_links: tuple[str, ...]
    """Columns that refer to another row of the same table."""

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


async def tables(tx: CompanyTx) -> list[Table]:
    """Every table with a company in it; those that others refer to come first, and the registry last."""
    found = [
        Table(
            row["schema"],
            row["name"],
            _plain(row["columns"]),
            frozenset(row["binary"]),
            _plain(row["key"]),
            frozenset(row["parents"]),
            _plain(row["own_links"]),
        )
        for row in await tx.fetch(_TABLES)
    ]
    return parents_first(found)


def parents_first(found: Sequence[Table]) -> list[Table]:
    own = {table.name: table for table in found if table.schema != "registry"}
    order = TopologicalSorter({name: sorted(table.parents & own.keys()) for name, table in own.items()}).static_order()
    return [*(own[name] for name in order), *(table for table in found if table.schema == "registry")]


async def count(tx: CompanyTx, counted: Iterable[Table]) -> dict[str, int]:
    """Rows of the company by table."""
    return {table.full_name: await tx.fetchval(_count_of(table), tx.company_id) for table in counted}


def _count_of(table: Table) -> Statement:
    sql = f"select count(*) from {table.full_name} where company_id = $1"  # noqa: S608  names of the catalogue
    return statement(f"{table.name}.count", sql)


def _plain(names: Iterable[str]) -> tuple[str, ...]:
    """Names that go into SQL as they are."""
    found = tuple(names)
    assert all(_NAME.match(name) for name in found), found  # noqa: S101  our own migrations named them
    return found
