"""What the mass-change brake holds, and how it is let go again; `rule` decides.

    Entra asks          beyond the limit     held: nothing of the request is done, and Entra hears that it is to ask again
    held, asked again                        still held, however late: it is one row, and it is not counted again
    held                `active: true`       withdrawn
    held                not asked for 48 h   withdrawn: Entra repeats a failure at least once a day, so it wants it no more
    held or refused     released             done in the name of whoever released it; for an hour nothing is held
    held                refused              stays refused for as long as Entra goes on asking
    refused             48 h of silence      forgotten, and a later wish is a new one: he may really leave then

The brake is locked before the employee, so that simultaneous deactivations are counted one after the other. People who are
held keep their access.
"""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from directory import metrics
from directory.brake import store
from directory.brake.rule import enough, exceeds, may_exceed, noted
from directory.brake.store import Brake, Step
from directory.database import CompanyTx
from directory.events.catalogue import EventKind
from directory.events.store import Changes, record, record_many
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_text
from shared.telemetry.logs import EventLog

log = EventLog("directory")

LAPSES_AFTER = timedelta(hours=48)
OPEN_FOR = timedelta(hours=1)


async def stop(tx: CompanyTx, brake: Brake, employee_id: EmployeeId, step: Step) -> DomainError | None:
    """Asked when an active employee is about to lose his access, who is locked. A refusal is to be returned, not raised:
    what is noted here must be committed, and nothing else done. None: he may go.
    """
    known = await store.of_employee(tx, employee_id)
    if brake.lets_all_through(tx.now) or (known is not None and known["state"] == "released"):
        if known is not None:
            await store.let_go(tx, employee_id)
            _count("done", 1)
        return None
    if known is not None and known["last_asked_at"] > tx.now - LAPSES_AFTER:
        await store.asked_again(tx, employee_id, step)
        _count("asked_again", 1)
        return _refusal(brake, known["state"])
    beyond = await _is_beyond(tx, brake)
    await store.note(tx, noted(brake.recent, tx.now, passed=not beyond))
    if known is not None:  # Entra had stopped asking, and no sweep has come by since
        await withdraw(tx, employee_id)
    return await _hold(tx, brake, employee_id, step) if beyond else None


async def _is_beyond(tx: CompanyTx, brake: Brake) -> bool:
    if not may_exceed(brake.limit, brake.recent):
        return False
    active = await store.active(tx, enough(brake.limit, brake.recent))
    return exceeds(brake.limit, brake.recent, active)


async def _hold(tx: CompanyTx, brake: Brake, employee_id: EmployeeId, step: Step) -> DomainError:
    await store.hold(tx, employee_id, step)
    record(tx, EventKind.employee_deactivation_held, employee_id=employee_id, changes=_step(None, step))
    _count("held", 1)
    log.warning("deactivation_held", employee=employee_text(employee_id), step=step)
    return _refusal(brake, "held")


def _refusal(brake: Brake, state: str) -> DomainError:
    asked = (
        f"Entra asked to deactivate more than {brake.limit.people} people and {brake.limit.percent} % within an hour"
    )
    said = "it was refused" if state == "refused" else "this is held"
    return DomainError(
        ErrorCode.held,
        f"{asked}, so {said}: a Setup admin of the company releases it in BitaBIZ, if it is meant. Nothing was changed.",
    )


async def withdraw(tx: CompanyTx, employee_id: EmployeeId) -> None:
    """Entra says that he is active: it does not want any more what may be held of him. He is locked."""
    held = await store.let_go(tx, employee_id)
    if held is not None:
        _withdrawn(tx, [(employee_id, held[0])])


async def lapse(tx: CompanyTx) -> int:
    """How many are held no more because Entra has stopped asking."""
    lapsed = await store.lapse(tx, tx.now - LAPSES_AFTER)
    if lapsed:
        _withdrawn(tx, lapsed)
    return len(lapsed)


async def withdraw_all(tx: CompanyTx) -> int:
    """Whoever asked is believed no more: the company has left that Entra tenant. How many are held no more."""
    await store.take(tx)
    withdrawn = await store.lapse(tx, tx.now)
    if withdrawn:
        _withdrawn(tx, withdrawn)
    return len(withdrawn)


def _withdrawn(tx: CompanyTx, people: list[tuple[EmployeeId, Step]]) -> None:
    record_many(tx, EventKind.employee_deactivation_withdrawn, ((one, _step(step, None)) for one, step in people))
    _count("withdrawn", len(people))
    log.info("deactivations_withdrawn", people=len(people))


async def release(tx: CompanyTx) -> int:
    """Decided: all that is held or refused is to be done (`applying`), and for an hour nothing is held."""
    await store.take(tx)
    await lapse(tx)
    rows = await store.decide(tx, "released", ("held", "refused"))
    await store.open_until(tx, tx.now + OPEN_FOR)
    return _decided(tx, EventKind.employee_deactivation_released, rows, "released")


async def refuse(tx: CompanyTx) -> int:
    """Decided: all that is held is not to be done, however often Entra asks."""
    await store.take(tx)
    await lapse(tx)
    rows = await store.decide(tx, "refused", ("held",))
    return _decided(tx, EventKind.employee_deactivation_refused, rows, "refused")


def _decided(tx: CompanyTx, kind: EventKind, rows: Sequence[asyncpg.Record], result: str) -> int:
    def changes(row: asyncpg.Record) -> Changes:
        return {**_step(None, row["step"]), "asked_by": {"before": None, "after": row["asked_by"]}}

    record_many(tx, kind, ((EmployeeId(row["employee_id"]), changes(row)) for row in rows))
    _count(result, len(rows))
    event = f"deactivations_{result}"
    log.info(event, people=len(rows), by=tx.actor.id)
    return len(rows)


def _step(before: Step | None, after: Step | None) -> dict[str, dict[str, object]]:
    return {"step": {"before": before, "after": after}}


def _count(result: str, people: int) -> None:
    metrics.HELD_CHANGES.labels(result).inc(people)
