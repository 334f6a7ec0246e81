"""What Entra maps, as far as it can be told from what it sends.

A mandatory attribute that a create does not carry is a finding for the company at once, and over with the next create that does
(S24, A28). That an attribute is mapped no more can only be inferred: none of the newest people whom Entra created has it from
Entra (S25). HR may then edit it; should Entra send it again, it is Entra's again (S26).
"""

from collections.abc import Iterable, Sequence

import msgspec

from directory.database import CompanyTx, statement
from directory.employees.record import Ownership
from directory.findings.catalogue import FindingKind
from directory.findings.store import raise_finding
from shared.schemas.employee import MappedAttribute

EVIDENCE = 20
"""So many creates in a row without an attribute mean that it is mapped no more."""

_OF_LEAVERS = frozenset({"leave_date"})
"""Nobody new has one, so that says nothing; only a Setup admin can release it."""

_KIND = {"active": FindingKind.active_not_mapped}

_NEWEST = statement(
    "employees.newest_of_entra",
    """
    select owners
    from employees
    where company_id = $1 and source = 'entra'
    order by employee_id desc
    limit $2
    """,
)

_MENDED = statement(
    "findings.mapping_mended",
    """
    update findings
    set closed_at = $3
    where company_id = $1 and kind in ('mapping_broken', 'active_not_mapped') and subject <> all($2::text[]) and closed_at is null
    """,
)

_owners = msgspec.json.Decoder(dict[str, Ownership])


async def note_missing(tx: CompanyTx, missing: Sequence[MappedAttribute]) -> None:
    """A request did not carry these."""
    for attribute in missing:
        await raise_finding(tx, _KIND.get(attribute, FindingKind.mapping_broken), attribute)


async def note_mended(tx: CompanyTx, missing: Sequence[MappedAttribute]) -> None:
    """A create has met somebody who is there already, and carried all but these; `store.insert` does so for a new person."""
    await tx.execute(_MENDED, tx.company_id, missing, tx.now)


async def no_longer_sent(tx: CompanyTx, attributes: Iterable[str]) -> frozenset[str]:
    """Which of these attributes Entra has stopped sending, by the evidence of its newest people."""
    rows = await tx.fetch(_NEWEST, tx.company_id, EVIDENCE)
    return inferred(attributes, [_owners.decode(row["owners"]) for row in rows])


def inferred(attributes: Iterable[str], newest: Sequence[dict[str, Ownership]]) -> frozenset[str]:
    if len(newest) < EVIDENCE:
        return frozenset()
    sent = {name for owners in newest for name, held in owners.items() if held.owner == "entra"}
    return frozenset(attributes) - sent - _OF_LEAVERS
