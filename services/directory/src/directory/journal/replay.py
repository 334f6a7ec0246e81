"""An exchange of the journal, done again: what Entra asked then, decided by what stands now.

One transaction, in the name of whoever asks for it. A dry run is the same transaction, rolled back; what it would write is what
it told the history before. As for Entra, a deactivation is done alone where something beside it is refused (decision D5).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from directory import metrics
from directory.access import PROVISIONING_OFF
from directory.database import CompanyTx
from directory.employees import operations, revisions
from directory.employees.keys import check_values
from directory.employees.lifecycle import not_found
from directory.employees.writing import repeated
from directory.events.catalogue import EventKind
from directory.events.store import record
from directory.groups import operations as groups
from directory.groups.record import about, check_group
from directory.journal.operations import asked_of, found_or_refused, written_view
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, GroupId, employee_from_text, employee_text, group_text
from shared.schemas.employee import EmployeeChanges
from shared.schemas.journal import Asked, Refusal, Replayed
from shared.telemetry.logs import EventLog

log = EventLog("directory")


@dataclass(frozen=True, slots=True)
class Done:
    """Of whom, or of which group."""

    employee_id: EmployeeId | None = None
    group_id: GroupId | None = None
    left_out: ErrorCode | None = None
    departed: Sequence[str] = ()


class _RolledBack(Exception):
    """How a transaction ends in which nothing is to stay."""

    def __init__(self, outcome: Replayed) -> None:
        super().__init__()
        self.outcome = outcome


async def replay(
    transaction: Callable[[], AbstractAsyncContextManager[CompanyTx]], entry: str, *, dry_run: bool
) -> Replayed:
    """`transaction` opens one of whoever replays.

    Raises:
        DomainError: `not_found` for an entry that is not there, `not_allowed` for one that cannot be done again.
    """

    async def attempt() -> Replayed:
        try:
            async with transaction() as tx:
                outcome = await _attempt(tx, entry, dry_run=dry_run)
                if dry_run:
                    raise _RolledBack(outcome)
                return outcome
        except _RolledBack as ended:
            return ended.outcome

    outcome = await repeated(attempt)
    result = "refused" if outcome.refusal else "changed" if outcome.written else "unchanged"
    metrics.REPLAYS.labels("dry_run" if dry_run else result).inc()
    log.info("exchange_replayed", exchange=entry, dry_run=dry_run, result=result)
    return outcome


async def _attempt(tx: CompanyTx, entry: str, *, dry_run: bool) -> Replayed:
    found = await found_or_refused(tx, entry)
    asked = asked_of(found)
    if asked is None:
        raise DomainError(
            ErrorCode.not_allowed,
            "This exchange asked for no change that could be done again: it read, it could not be read, it is too large, or it "
            "is a bulk request, whose operations have entries of their own.",
        )
    if found["connection"] == "retired":
        raise DomainError(
            ErrorCode.not_allowed,
            "This exchange came from an Entra tenant that the company has left; it is not done again.",
        )
    try:
        if not found["provisioning_enabled"]:
            raise DomainError(ErrorCode.not_allowed, PROVISIONING_OFF)
        done = await _do(tx, asked)
    except DomainError as error:
        if error.code is ErrorCode.unavailable:
            raise
        return Replayed(
            entry=entry,
            dry_run=dry_run,
            answered=found["status"],
            employee_id=asked.employee_id,
            group_id=asked.group_id,
            written=[],
            refusal=Refusal(code=error.code.value, detail=error.detail),
        )
    written = [written_view(*event) for event in tx.told()]
    if written:
        _tell(tx, done, entry)
    return Replayed(
        entry=entry,
        dry_run=dry_run,
        answered=found["status"],
        employee_id=employee_text(done.employee_id) if done.employee_id else None,
        group_id=group_text(done.group_id) if done.group_id else None,
        written=written,
        left_out=done.left_out.value if done.left_out else None,
        departed=list(done.departed),
    )


def _tell(tx: CompanyTx, done: Done, entry: str) -> None:
    exchange: dict[str, dict[str, object]] = {"exchange": {"id": entry}}
    if done.group_id is not None:
        record(tx, EventKind.group_replayed, changes=about(done.group_id, exchange))
    else:
        record(tx, EventKind.employee_replayed, employee_id=done.employee_id, changes=exchange)


async def _do(tx: CompanyTx, asked: Asked) -> Done:
    """Raises DomainError. What the brake notes with its refusal is behind the savepoint, and stays."""
    if asked.what in ("create_group", "change_group", "remove_group"):
        async with tx.savepoint():
            return await _do_to_a_group(tx, asked)
    if asked.what == "change" and asked.changes is not None:
        return await _change(tx, asked, asked.changes)
    if asked.what == "provision" and (new := asked.employee) is not None:
        async with tx.savepoint():
            check_values(new)
            made = await operations.provision_within(tx, new, asked.missing)
        return Done(_id(operations.kept(made).employee.id))
    employee_id = _id(asked.employee_id or "")
    async with tx.savepoint():
        gone = await operations.remove_within(tx, employee_id)
    operations.kept(gone)
    return Done(employee_id)


async def _do_to_a_group(tx: CompanyTx, asked: Asked) -> Done:
    if (new := asked.group) is not None:
        check_group(new)
        made = await groups.create_within(tx, new)
        return Done(group_id=groups.identified(made.group.id), departed=made.left_out)
    group_id = groups.identified(asked.group_id or "")
    if (changes := asked.group_changes) is None:
        await groups.remove(tx, group_id)
        return Done(group_id=group_id)
    check_group(changes)
    changed = await groups.change_within(tx, group_id, changes)
    return Done(group_id=group_id, departed=changed.left_out)


async def _change(tx: CompanyTx, asked: Asked, changes: EmployeeChanges) -> Done:
    employee_id = _id(asked.employee_id or "")
    try:
        async with tx.savepoint():
            check_values(changes)
            done = await operations.change_within(tx, employee_id, changes, replaces=asked.replaces)
        operations.kept(done)
    except DomainError as error:
        if not (asked.deactivate_anyway and operations.may_deactivate_alone(changes, error)):
            raise
        left_out = error.code
    else:
        return Done(employee_id)
    operations.kept(await operations.change_within(tx, employee_id, revisions.DEACTIVATION, replaces=False))
    return Done(employee_id, left_out=left_out)


def _id(text: str) -> EmployeeId:
    found = employee_from_text(text)
    if found is None:
        raise not_found()
    return found
