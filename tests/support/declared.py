"""Whatever events the tests made the product write: each must be one that the schema of the feed declares."""

from collections.abc import Iterator

import asyncpg
import jsonschema
import msgspec

from directory.events.schema import events_schema
from shared.ids import employee_text


async def undeclared_events(superuser_url: str, limit: int = 5) -> list[str]:
    """What is wrong with the events in a database; one sentence for each kind and fault."""
    connection = await asyncpg.connect(superuser_url)
    try:
        rows = await connection.fetch(
            "select distinct on (kind, shape) * "
            "from (select *, array(select jsonb_object_keys(changes)) as shape from events) as told order by kind, shape"
        )
    finally:
        await connection.close()
    return sorted(set(_faults(rows)))[:limit]


def _faults(rows: list[asyncpg.Record]) -> Iterator[str]:
    kinds = {one["properties"]["kind"]["const"]: one for one in events_schema()["oneOf"]}
    actor = events_schema()["$defs"]
    for row in rows:
        schema = kinds.get(row["kind"])
        if schema is None:
            yield f"{row['kind']} is not in the catalogue"
            continue
        for fault in jsonschema.Draft202012Validator({**schema, "$defs": actor}).iter_errors(_shown(row)):
            yield f"{row['kind']}: {fault.json_path}: {fault.message}"


def _shown(row: asyncpg.Record) -> dict[str, object]:
    return {
        "sequence": row["sequence"],
        "at": row["at"].isoformat(),
        "kind": row["kind"],
        "employee_id": employee_text(row["employee_id"]) if row["employee_id"] else None,
        "actor": {"kind": row["actor_kind"], "id": row["actor_id"]},
        "request_id": row["request_id"],
        "trace_id": row["trace_id"],
        "changes": {**msgspec.json.decode(row["changes"]), **msgspec.json.decode(row["names"] or "{}")},
        "forgotten": row["changes_salt"] is None,
    }
