"""A CSV import: one transaction, all or nothing, in statements over thousands of rows.

    read (`csv_rows`) -> who is concerned (`store`) -> what to do (`planning`) -> write -> history with the commit

While an import runs it is alone in bringing people into the company: Entra's creates wait at the gate and then meet what the
import has brought. A dry run reads and plans the same and writes nothing, so it holds up nobody.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import asyncpg
import msgspec

from directory import metrics
from directory.database import Actor, CompanyScope, CompanyTx, Outrun
from directory.employees.approvers import import_gate
from directory.employees.keys import search_key
from directory.employees.lifecycle import local_date
from directory.employees.record import EmployeeRecord, differences
from directory.employees.writing import repeated
from directory.events.catalogue import EventKind
from directory.events.store import record
from directory.imports import store
from directory.imports.csv_rows import Row, read_rows
from directory.imports.planning import People, Plan, plan
from directory.imports.remarks import Remark, Remarks
from shared.ids import EmployeeId, employee_from_text, employee_text
from shared.telemetry.logs import EventLog

log = EventLog("directory")

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many rows are done, and how many there are."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, or would do; with any problem it did nothing."""

    dry_run: bool
    rows: int
    """Rows without problems of their own."""
    created: int
    updated: int
    unchanged: int
    kept: int
    """Of the rows, those that contradict Entra about what Entra owns; its values stay."""
    waiting_managers: int
    """Rows whose manager is nobody yet."""
    problem_count: int
    problems: list[Remark]
    """The first thousand, by line."""
    note_count: int
    notes: list[Remark]


async def import_file(
    scope: CompanyScope, actor: Actor, data: bytes, *, dry_run: bool = False, progress: Progress | None = None
) -> Imported:
    """In a transaction of its own, done again where it lost against a simultaneous change."""
    started = time.perf_counter()

    async def attempt() -> Imported:
        async with scope.transaction(actor) as tx:
            return await import_employees(tx, data, dry_run=dry_run, progress=progress)

    done = await repeated(attempt)
    count(done, time.perf_counter() - started)
    return done


async def import_employees(
    tx: CompanyTx, data: bytes, *, dry_run: bool = False, progress: Progress | None = None
) -> Imported:
    """Inside the caller's transaction.

    Raises:
        Outrun: somebody changed at the same moment what this import read; the transaction is to be done again.
    """
    say = progress or (lambda doing, done, of: None)
    problems, notes = Remarks(), Remarks()
    planned, rows = await _planned(tx, data, dry_run, problems, notes, say)
    if problems.count:
        planned = Plan()
    elif not dry_run:
        await _write(tx, planned, say)
    return Imported(
        dry_run=dry_run,
        rows=rows,
        created=len(planned.created),
        updated=len(planned.changed),
        unchanged=planned.unchanged,
        kept=planned.kept,
        waiting_managers=planned.waiting,
        problem_count=problems.count,
        problems=problems.in_order(),
        note_count=notes.count,
        notes=notes.in_order(),
    )


async def _planned(
    tx: CompanyTx, data: bytes, dry_run: bool, problems: Remarks, notes: Remarks, say: Progress
) -> tuple[Plan, int]:
    """The plan, and the number of rows: they themselves are needed no more when it is carried out."""
    # Neither reading nor planning may hold up the loop.
    rows = await asyncio.to_thread(read_rows, data, local_date(tx.now, tx.company.time_zone), problems)
    say("read", len(rows), len(rows))
    if not dry_run:
        await store.enter_alone(tx, import_gate(tx.company_id))
    people = People(await _concerned(tx, rows))
    return await asyncio.to_thread(plan, rows, people, tx.now, problems, notes), sum(row.sound for row in rows)


async def _concerned(tx: CompanyTx, rows: Sequence[Row]) -> list[EmployeeRecord]:
    found: dict[EmployeeId, EmployeeRecord] = {}
    for chunk in store.chunks(rows, store.READ_CHUNK):
        references = list({one.manager_ref for one in chunk if one.manager_ref is not None})
        logins = {search_key(one.login_name) for one in chunk} | {search_key(one) for one in references}
        emails = {search_key(one.email) for one in chunk}
        ids = [one for one in map(employee_from_text, references) if one is not None]
        for one in await store.concerned(tx, list(logins), list(emails), references, ids):
            found[one.employee_id] = one
    return list(found.values())


async def _write(tx: CompanyTx, planned: Plan, say: Progress) -> None:
    many = len(planned.created) + len(planned.changed)
    if not many:
        return
    await _hold_managers(tx, planned)
    try:
        await _insert(tx, planned.created, lambda written: say("written", written, many))
        await _update(tx, planned, lambda written: say("written", len(planned.created) + written, many))
    except asyncpg.UniqueViolationError as error:
        # Done again, the import meets whoever was faster, and names his line.
        raise Outrun from error
    waited = await store.link_waiting_reports(tx, planned.created)
    _tell(tx, planned, waited)


async def _hold_managers(tx: CompanyTx, planned: Plan) -> None:
    brought = {one.employee_id for one in planned.created}
    new_links = [one.manager_id for one in planned.created]
    new_links += [one.after.manager_id for one in planned.changed if one.after.manager_id != one.before.manager_id]
    managers = {one for one in new_links if one is not None and one not in brought}
    if await store.hold(tx, sorted(managers)) != len(managers):
        raise Outrun


async def _insert(tx: CompanyTx, created: Sequence[EmployeeRecord], say: Callable[[int], None]) -> None:
    place: dict[EmployeeId | None, int] = {one.employee_id: number for number, one in enumerate(created)}
    written, later = 0, list[EmployeeRecord]()
    for chunk in store.chunks(created, store.CHUNK):
        await store.name_departments(tx, chunk)
        written += len(chunk)
        # A manager must be there before a report refers to him: whoever's comes in a later chunk is linked afterwards.
        early = [one for one in chunk if place.get(one.manager_id, 0) < written]
        late = [one for one in chunk if place.get(one.manager_id, 0) >= written]
        await store.insert(tx, early + [msgspec.structs.replace(one, manager_id=None) for one in late])
        later += late
        say(written)
    for chunk in store.chunks(later, store.CHUNK):
        await store.link(tx, chunk)


async def _update(tx: CompanyTx, planned: Plan, say: Callable[[int], None]) -> None:
    written = 0
    for chunk in store.chunks([one.after for one in planned.changed], store.CHUNK):
        await store.name_departments(tx, chunk)
        if await store.update(tx, chunk) != len(chunk):
            raise Outrun
        written += len(chunk)
        say(written)


def _tell(tx: CompanyTx, planned: Plan, waited: Sequence[tuple[EmployeeId, EmployeeId]]) -> None:
    for one in planned.created:
        record(tx, EventKind.employee_created, employee_id=one.employee_id, changes=differences(None, one))
    for change in planned.changed:
        told = differences(change.before, change.after)
        record(tx, EventKind.employee_changed, employee_id=change.after.employee_id, changes=told)
    for report, manager in waited:
        linked = {"manager_id": {"before": None, "after": employee_text(manager)}}
        record(tx, EventKind.employee_manager_linked, employee_id=report, changes=linked)
    links = [one.manager_id for one in planned.created]
    metrics.MANAGER_LINKS.labels("linked").inc(sum(one is not None for one in links))
    metrics.MANAGER_LINKS.labels("deferred").inc(planned.waiting)
    metrics.MANAGER_LINKS.labels("resolved").inc(len(waited))


def count(done: Imported, seconds: float) -> None:
    """Metrics and the log line, once it is committed."""
    rows = {"created": done.created, "updated": done.updated, "unchanged": done.unchanged}
    if done.problem_count:
        rows = {"refused": done.rows}
    for result, many in rows.items():
        metrics.IMPORTED_ROWS.labels("dry_run" if done.dry_run else result).inc(many)
    metrics.IMPORT_SECONDS.observe(seconds)
    log.info("employees_imported", dry_run=done.dry_run, problems=done.problem_count, **rows)
