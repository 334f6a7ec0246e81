"""Doing what was released: each as an ordinary suspension or departure, in the name of whoever released it.

In batches, so that a company of any size holds nobody up. What was not reached is done when Entra asks again, or by
`directory sweep`.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from time import monotonic

from directory import metrics
from directory.brake import store
from directory.brake.store import Step
from directory.database import CompanyTx
from directory.employees import revisions, writing
from directory.employees import store as employees
from directory.events.catalogue import EventKind
from shared.ids import EmployeeId
from shared.telemetry.logs import EventLog

log = EventLog("directory")

BATCH = 25

Transaction = Callable[[], AbstractAsyncContextManager[CompanyTx]]


async def apply(transaction: Transaction, *, within_s: float | None = None) -> int:
    """How many were done; `within_s`: after so long no further batch is begun."""
    done, deadline = 0, None if within_s is None else monotonic() + within_s

    async def attempt() -> tuple[int, int]:
        async with transaction() as tx:
            return await _batch(tx)

    while deadline is None or monotonic() < deadline:
        seen, applied = await writing.repeated(attempt)
        done += applied
        metrics.HELD_CHANGES.labels("done").inc(applied)
        if not seen:
            break
    log.info("released_deactivations_done", people=done)
    return done


async def _batch(tx: CompanyTx) -> tuple[int, int]:
    """How many there were, and of how many it was done here."""
    released, applied = await store.released(tx, BATCH), 0
    for employee_id, step, actor in released:
        tx.actor = actor
        applied += await _apply(tx, employee_id, step)
    return len(released), applied


async def _apply(tx: CompanyTx, employee_id: EmployeeId, step: Step) -> bool:
    lock = employees.lock_to_remove(tx, employee_id) if step == "remove" else employees.lock(tx, employee_id, [])
    before = await lock
    if await store.let_go(tx, employee_id) is None or before is None:
        return False
    if step == "remove":
        await writing.depart(tx, before)
    elif before.state == "active":
        suspended = revisions.changed(before, revisions.DEACTIVATION, tx.now, tx.company.time_zone)
        after = revisions.written_by_entra(before, suspended, revisions.DEACTIVATION, tx.now)
        await writing.update(tx, EventKind.employee_suspended, before, after)
    return True
