"""Erasing whoever left longer ago than his company keeps people, by termination date (B18). Part of `directory sweep`.

Erased means gone from rows, history, journal, findings, sessions, traces and other people's data. What stays is that something
happened to an id, the chain over it, and one event that tells of the erasure. Batches are transactions of their own; two sweeps
side by side take different people.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

from directory.database import CompanyTx
from directory.employees.keys import search_key
from directory.employees.lifecycle import local_date
from directory.employees.writing import repeated
from directory.events.catalogue import EventKind
from directory.events.store import former_names, record, record_many
from directory.groups.membership import forget_member
from directory.journal import store as journal
from directory.retention import store
from directory.retention.due import MIN_DAYS, latest_due
from directory.retention.naming import Erased, naming
from directory.traces import store as traces
from shared.ids import EmployeeId, employee_text
from shared.telemetry.logs import EventLog

log = EventLog("directory")

BATCH = 200


class Transaction(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[CompanyTx]: ...


async def erase_due(transaction: Transaction) -> int:
    """How many people were erased."""
    people, told = 0, None
    while True:

        async def attempt(known: set[str] | None = told) -> tuple[int, set[str] | None]:
            async with transaction() as tx:
                return await _erase_batch(tx, known)

        erased, told = await repeated(attempt)
        if not erased:
            return people
        people += erased


async def _erase_batch(tx: CompanyTx, told: set[str] | None) -> tuple[int, set[str] | None]:
    """`told`: references in the history, once they have been looked for."""
    months = await store.erase_after_months(tx)
    if months is None:
        return 0, told
    today = local_date(tx.now, tx.company.time_zone)
    rows = await store.due(tx, latest_due(today, months), today - timedelta(days=MIN_DAYS), BATCH)
    if not rows:
        return 0, told
    if told is None:
        told = await store.references_told(tx)
    ids = sorted(EmployeeId(row["employee_id"]) for row in rows)
    former = await former_names(tx, ids)
    erased = [
        Erased(
            _names(row["login_key"], row["email_key"], row["external_id"], *former.get(row["employee_id"], [])),
            row["released_sha256"],
        )
        for row in rows
    ]
    await _release(tx, ids)
    for one in sorted(EmployeeId(row["employee_id"]) for row in rows if row["state"] == "suspended"):
        await forget_member(tx, one)
    await _clear(tx, ids, naming(erased, told | await store.references_waiting(tx)))
    await _forget_exchanges_and_traces(tx, ids, erased)
    await store.forget(tx, ids, await _names_in_findings(tx, ids, erased))
    record_many(tx, EventKind.employee_erased, ((one, {}) for one in ids))
    log.info("employees_erased", people=len(ids))
    return len(ids), told


async def _names_in_findings(tx: CompanyTx, ids: Sequence[EmployeeId], erased: Sequence[Erased]) -> list[str]:
    names = frozenset(search_key(text) for text in naming(erased, await store.named_in_findings(tx)))
    names = names.union(*(one.names for one in erased))
    borne, external_ids = await store.names_borne(tx, sorted(names), sorted(names), ids)
    return sorted(names - borne - external_ids)


async def _forget_exchanges_and_traces(tx: CompanyTx, ids: Sequence[EmployeeId], erased: Sequence[Erased]) -> None:
    """The journal's entries that name them, other people's too, and sign-ins that presented a name of theirs."""
    kept = await journal.names_kept(tx) | await traces.names_kept(tx)
    names = naming(erased, kept).union(*(one.names for one in erased))
    borne, external_ids = await store.names_borne(tx, sorted(names), sorted(names), ids)
    theirs = sorted(names - borne - external_ids)
    await journal.erase(tx, ids, theirs)
    await traces.erase(tx, theirs)


def _names(*texts: str | None) -> frozenset[str]:
    return frozenset(search_key(text) for text in texts if text)


async def _release(tx: CompanyTx, erased: Sequence[EmployeeId]) -> None:
    """Those who stay let go of those who are erased."""
    for report, manager in await store.release_reports(tx, erased):
        changes = {"manager_id": {"before": employee_text(EmployeeId(manager)), "after": None}}
        record(tx, EventKind.employee_manager_lost, employee_id=report, changes=changes)
    for successor, previous in await store.release_successors(tx, erased):
        changes = {"previous_employee_id": {"before": employee_text(EmployeeId(previous)), "after": None}}
        record(tx, EventKind.employee_changed, employee_id=successor, changes=changes)


async def _clear(tx: CompanyTx, erased: Sequence[EmployeeId], references: set[str]) -> None:
    keys = sorted({search_key(text) for text in references})
    borne, external_ids = await store.names_borne(tx, keys, sorted(references), erased)
    # An external id counts with its case: in another one the same letters mean nobody but him.
    his = sorted(text for text in references if search_key(text) not in borne and text not in external_ids)
    if his:
        changes = {"manager_ref": {"before": None, "after": None}}
        record_many(
            tx, EventKind.employee_changed, ((one, changes) for one in await store.clear_references(tx, his, erased))
        )
