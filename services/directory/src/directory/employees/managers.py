"""Linking managers, inside the transaction of whoever comes, changes or goes; `approvers` has the rules."""

from collections.abc import Sequence

import msgspec

from directory import metrics
from directory.database import CompanyTx
from directory.employees import approvers, store
from directory.employees.keys import search_key
from directory.employees.record import EmployeeRecord
from directory.events.catalogue import EventKind
from directory.events.store import record_many
from shared.ids import EmployeeId, employee_from_text, employee_text


async def with_manager(tx: CompanyTx, before: EmployeeRecord | None, after: EmployeeRecord) -> EmployeeRecord:
    """The manager whom the reference means now, if it is a new one; the link of an old one stays as it is."""
    reference = after.manager_ref
    if reference is None:
        return msgspec.structs.replace(after, manager_id=None)
    if before is not None and reference == before.manager_ref:
        # A waiting reference may turn out to mean himself, once he bears that name.
        manager_id = after.manager_id or approvers.resolve(reference, [after])
        return msgspec.structs.replace(after, manager_id=manager_id)
    found = await store.find_by_reference(tx, employee_from_text(reference), reference, search_key(reference))
    others = [one for one in found if one.employee_id != after.employee_id]
    manager_id = approvers.resolve(reference, [*others, after])
    metrics.MANAGER_LINKS.labels("linked" if manager_id else "deferred").inc()
    return msgspec.structs.replace(after, manager_id=manager_id)


async def link_waiting_reports(tx: CompanyTx, before: EmployeeRecord | None, after: EmployeeRecord) -> None:
    """Whoever waited for a name that this person bears now has him as manager from here on."""
    if not approvers.gains_names(before, after):
        return
    exact, login_key = approvers.answers_to(after)
    keys = [search_key(one) for one in exact] + ([login_key] if login_key else [])
    reports = await store.link_waiting_reports(tx, after.employee_id, exact, keys, login_key)
    _tell(tx, EventKind.employee_manager_linked, reports, None, employee_text(after.employee_id))
    metrics.MANAGER_LINKS.labels("resolved").inc(len(reports))


async def release_reports(tx: CompanyTx, departed: EmployeeId) -> None:
    """His reports keep the reference as it was sent, and wait until Entra names another manager."""
    reports = await store.unlink_reports(tx, departed)
    _tell(tx, EventKind.employee_manager_lost, reports, employee_text(departed), None)
    metrics.MANAGER_LINKS.labels("cleared").inc(len(reports))


def _tell(tx: CompanyTx, kind: EventKind, reports: Sequence[EmployeeId], before: str | None, after: str | None) -> None:
    changes = {"manager_id": {"before": before, "after": after}}
    record_many(tx, kind, [(one, changes) for one in reports])
