"""Looking for what should be gone: a value in any column of any row of any table, found in the catalogue."""

from collections.abc import Iterable
from uuid import UUID

import asyncpg

_TABLES = """
    select n.nspname || '.' || c.relname as name,
        exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'company_id') as of_company
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
        and n.nspname not like 'pg\\_%'
    order by 1
"""


async def places_of(
    superuser: asyncpg.Connection, values: Iterable[str], *, company_id: UUID | None = None
) -> dict[str, list[str]]:
    """table -> which of the values stand in it, without regard to case; in one company's rows, or in everybody's.

    Wants a superuser's connection: row-level security would hide what is looked for.
    """
    found: dict[str, list[str]] = {}
    wanted = sorted(set(values))
    assert wanted
    assert all(len(value) > 3 for value in wanted), wanted
    for table in await superuser.fetch(_TABLES):
        if company_id and not table["of_company"]:
            continue
        within = "company_id = $2" if company_id else "$2::uuid is null"
        rows = await superuser.fetch(
            f"select value from unnest($1::text[]) as value "  # noqa: S608  names of the catalogue
            f"where exists (select from {table['name']} t "
            f"where position(lower(value) in lower(to_jsonb(t)::text)) > 0 and {within})",
            wanted,
            company_id,
        )
        if rows:
            found[table["name"]] = [row["value"] for row in rows]
    return found


async def rows_of(superuser: asyncpg.Connection, company_id: UUID) -> dict[str, int]:
    """Rows of a company by table, where there are any."""
    found = {}
    for table in await superuser.fetch(_TABLES):
        if table["of_company"]:
            sql = f"select count(*) from {table['name']} where company_id = $1"  # noqa: S608
            if many := await superuser.fetchval(sql, company_id):
                found[table["name"]] = many
    return found
