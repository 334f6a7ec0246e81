"""An employee out of his events: what he is, or was at a moment. Pure.

Whoever follows the feed does the same (docs/feed.md, "From zero"):

    the first event that counts    sets what it tells; of what it tells, his source owns what can be owned, unless `owners` says
                                   otherwise
    each further one               sets the `after` of what it tells; `owners` are merged
    employee.departed              clears login name, e-mail and external id, and who owned them
    employee.erased                he is gone
    version                        how many events counted
    updated_at                     when the last of them was, unless it tells another moment; created_at the same of the first
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from directory.employees.record import OWNED, OWNER_OF_SOURCE, RELEASED
from directory.events.fields import COUNTING, EMPLOYEE
from shared.ids import EmployeeId, employee_text
from shared.schemas.history import EmployeeView, HistoryEvent


def fold(employee_id: EmployeeId, events: Sequence[HistoryEvent]) -> EmployeeView | None:
    """The employee after these events of his, oldest first; None where he is not there yet, or no more."""
    if any(event.kind == "employee.erased" for event in events):
        return None
    folded: dict[str, Any] | None = None
    for event in events:
        if event.kind not in COUNTING:
            continue
        told = {name: change["after"] for name, change in event.changes.items() if name in EMPLOYEE}
        told.setdefault("updated_at", event.at)
        if folded is None:
            folded = {"id": employee_text(employee_id), "created_at": told["updated_at"], "version": 0}
            folded["owners"] = _first_owners(told)
        folded["owners"] = _merged(folded["owners"], told.pop("owners", {}))
        folded.update(told, version=folded["version"] + 1)
        if event.kind == "employee.departed":
            folded.update(dict.fromkeys(RELEASED))
            folded["owners"] = without_released(folded["owners"])
    return msgspec.convert(folded, EmployeeView) if folded is not None else None


def _first_owners(told: dict[str, Any]) -> dict[str, str]:
    owner = OWNER_OF_SOURCE[told["source"]]
    # What is told was set, also where an erasure has taken the value since (a reference to somebody erased).
    return {name: owner for name in OWNED if name in told}


def _merged(owners: dict[str, str], changed: dict[str, str | None]) -> dict[str, str]:
    return {name: owner for name, owner in {**owners, **changed}.items() if owner is not None}


def without_released(owners: dict[str, str]) -> dict[str, str]:
    """What is released is nobody's."""
    return {name: owner for name, owner in owners.items() if name not in RELEASED}
