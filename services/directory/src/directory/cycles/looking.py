"""What `directory sweep` does about a company's cycles: judges those that have ended, and tells HR whose manager may be gone."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from directory import metrics
from directory.cycles import store
from directory.cycles.judgement import SETTLED_AFTER, Verdict, judge, too_many
from directory.database import CompanyTx
from directory.findings.catalogue import FindingKind
from shared.telemetry.logs import EventLog

log = EventLog("directory")

Transaction = Callable[[], AbstractAsyncContextManager[CompanyTx]]


async def look(transaction: Transaction) -> int:
    """How many people's managers are possibly cleared, by the cycles that nobody had looked at. A transaction for each."""
    flagged = 0
    while True:
        async with transaction() as tx:
            cycle = await store.claim(tx, tx.now - SETTLED_AFTER)
            if cycle is None:
                await store.close_over(tx)
                return flagged
            verdict = await _judge(tx, cycle)
            people = await store.flag(tx, cycle.started_at) if verdict is Verdict.full else 0
            await store.looked_at(tx, cycle, verdict)
        flagged += people
        metrics.CYCLES.labels(verdict.value).inc()
        metrics.FINDINGS.labels(FindingKind.manager_possibly_cleared.value).inc(people)
        log.info("cycle_looked_at", verdict=verdict.value, requests=cycle.requests, possibly_cleared=people)


async def _judge(tx: CompanyTx, cycle: store.Cycle) -> Verdict:
    if cycle.has_gaps:
        return Verdict.has_gaps
    # An incremental cycle of a company of any size costs no more than it has asked.
    beyond = too_many(cycle.requests)
    if await store.people_of_entra(tx, beyond) >= beyond:
        return Verdict.partial
    return judge(await store.count(tx, cycle.started_at))
