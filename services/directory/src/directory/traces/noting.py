"""What the gateway refused by itself, written down a company at a time. Nothing of it is proven, so it decides nothing."""

from collections.abc import Sequence

import asyncpg

from directory import metrics
from directory.access import scope_for_noting
from directory.database import CompanyTx, Database
from directory.traces import steps, store
from shared.attempts import attempt_from_text
from shared.errors import DomainError, ErrorCode
from shared.ids import uuid7_at
from shared.schemas.traces import NotedRefusals, NoteOutcome, NoteRefusals, RefusedAnswer, RefusedOfCompany
from shared.telemetry.logs import EventLog

log = EventLog("directory")


async def note_refusals(database: Database, request: NoteRefusals) -> NotedRefusals:
    """Each company is a transaction; what is wrong with one is no matter of the others."""
    outcomes: list[NoteOutcome] = []
    for of_company in request.companies:
        outcome = await _noted(database, of_company)
        metrics.REFUSALS_NOTED.labels(outcome).inc(sum(one.times for one in of_company.answers))
        outcomes.append(outcome)
    return NotedRefusals(outcomes=outcomes)


async def _noted(database: Database, of_company: RefusedOfCompany) -> NoteOutcome:
    try:
        async with scope_for_noting(database, of_company.company).transaction() as tx:
            await _insert(tx, of_company.answers)
    except DomainError as error:
        return "again" if error.code is ErrorCode.unavailable else "refused"
    except asyncpg.DataError as error:
        log.error("refusals_unfit", reason=type(error).__name__)
        return "unfit"
    return "written"


async def _insert(tx: CompanyTx, answers: Sequence[RefusedAnswer]) -> None:
    flows = await store.flows(tx, sorted({one.flow_id for one in answers if one.flow_id}))
    rows = []
    for one in answers:
        flow = flows.get(one.flow_id) if one.flow_id else None
        alone = one.times == 1
        rows.append(
            (
                uuid7_at(one.at),
                one.at,
                one.trace_id,
                one.reason,
                one.flow_id is None,
                attempt_from_text(one.attempt_id) if alone else None,
                one.flow_id,
                flow is not None and flow.is_test,
                one.times,
                steps.encoded(steps.started(flow, one.at, unsolicited=False)),
                steps.encoded(steps.of_refusal(one, flow) if alone else []),
            )
        )
    await store.insert_refused(tx, rows)
