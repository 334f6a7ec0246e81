"""`directory company verify-history`: a company's whole chain, read in one snapshot over a cursor, in constant memory.

As the tables' owner, who alone reads the heads; inside the company's scope like everything else.
"""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from directory.database import CompanyTx, statement
from directory.events.chain import Break, Chain, Head, StoredEvent

BREAKS_MAX = 20
"""Told at most; whoever has more needs no longer list."""

# One statement, so that head and events are of one moment; the reason for forgetting is looked for only where something is.
_EVENTS = statement(
    "events.verify",
    """
    select h.sequence as head_sequence, h.hash as head_hash, h.at as head_at,
        e.company_id, e.sequence, e.at, e.kind, e.employee_id, e.actor_kind, e.actor_id, e.request_id, e.trace_id,
        e.changes::text as changes, e.changes_salt, e.changes_sha256, e.names::text as names, e.names_salt, e.names_sha256,
        e.hash,
        case when e.names_salt is null and e.names_sha256 is not null then exists (
            select from events d
            where d.company_id = $1 and d.employee_id = e.employee_id
                and (d.kind = 'employee.departed' and d.sequence > e.sequence or d.kind = 'employee.erased')
        ) else false end as departed,
        coalesce(e.changes_salt is null and e.changes ? 'manager_ref' and e.sequence < (
            select max(d.sequence) from events d where d.company_id = $1 and d.kind = 'employee.erased'
        ), false) as redacted,
        case when e.changes_salt is null then exists (
            select from events d where d.company_id = $1 and d.employee_id = e.employee_id and d.kind = 'employee.erased'
        ) else false end as erased
    from registry.histories h
    left join events e on e.company_id = $1
    where h.company_id = $1
    order by e.sequence
    """,
)


@dataclass(frozen=True, slots=True)
class Verified:
    """What the history of a company is worth."""

    events: int
    redacted: int
    """Of these events a reference to somebody erased was taken out, and what is left no digest covers."""
    head: Head
    head_at: datetime | None
    breaks: list[Break]
    """The first ones, in the order of the numbers; none: the chain holds."""

    @property
    def holds(self) -> bool:
        return not self.breaks


async def verify(tx: CompanyTx, noted: Head | None = None) -> Verified:
    """`noted`: a head from an earlier time, which this history must lead through."""
    chain, breaks, events, row = Chain(), list[Break](), 0, None
    seen_noted = noted is None
    async for row in tx.stream(_EVENTS, tx.company_id):
        if row["sequence"] is None:
            break
        events += 1
        breaks += chain.follow(_event(row))[: BREAKS_MAX - len(breaks)]
        seen_noted = seen_noted or noted == Head(chain.sequence, chain.hash)
    head = Head(row["head_sequence"], row["head_hash"]) if row is not None else Head(0, b"")
    breaks += chain.end(head)
    if noted is not None and not seen_noted:
        sentence = f"Not the noted one: this history does not lead through {noted}."
        breaks.append(Break(noted.sequence, "replaced", sentence))
    return Verified(events, chain.redacted, head, row["head_at"] if row is not None and head.sequence else None, breaks)


def _event(row: asyncpg.Record) -> StoredEvent:
    return StoredEvent(**{name: value for name, value in row.items() if not name.startswith("head_")})
