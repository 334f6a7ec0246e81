"""Employees for whoever may read the whole company: a list by conditions, one of them, one as of a moment, one's history."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from directory.api import store
from directory.api.queries import EmployeesQuery, in_utc
from directory.database import CompanyTx
from directory.employees.keys import is_storable, search_key
from directory.employees.lifecycle import not_found
from directory.employees.record import EmployeeRecord
from directory.events import store as events
from directory.events.folding import fold, without_released
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text
from shared.schemas.history import EmployeesPage, EmployeeView, HistoryPage

_KEYED: dict[str, Callable[[str], str]] = dict.fromkeys(("department", "login_name", "email"), search_key)


async def page(tx: CompanyTx, asked: EmployeesQuery) -> EmployeesPage:
    """Raises DomainError `invalid_request` where `after` or `manager_id` is no employee's id."""
    conditions = _asked(asked)
    head = await events.head(tx)
    if not all(is_storable(value) for value in conditions.values() if isinstance(value, str)):
        return EmployeesPage(employees=[], next=None, sequence=head)
    records = await store.page(tx, conditions, asked.limit + 1)
    found = [view(record) for record in records[: asked.limit]]
    following = found[-1].id if len(records) > asked.limit else None
    return EmployeesPage(employees=found, next=following, sequence=head)


async def employee(tx: CompanyTx, text: str, at: datetime | None) -> EmployeeView:
    """By id, departed or not. Raises DomainError `not_found`; also for a moment at which there was no such employee."""
    employee_id = _existing_id(text)
    if at is None:
        record = await store.find(tx, employee_id)
        found = view(record) if record is not None else None
    else:
        found = fold(employee_id, await events.until(tx, employee_id, in_utc(at, "at")))
    if found is None:
        raise not_found()
    return found


async def id_of(tx: CompanyTx, login_or_id: str) -> str:
    """The id of whoever has this login name now, or the id itself. Raises DomainError `not_found`."""
    if employee_from_text(login_or_id) is not None:
        return login_or_id
    if not is_storable(login_or_id):
        raise not_found()
    found = await store.id_of_login(tx, search_key(login_or_id))
    if found is None:
        raise not_found()
    return employee_text(found)


async def history(
    tx: CompanyTx, text: str, after: int | None, limit: int, *, newest_first: bool = False
) -> HistoryPage:
    """What happened to one employee. Raises DomainError `not_found` where nothing ever did."""
    found = await events.of_employee(tx, _existing_id(text), after, limit + 1, newest_first=newest_first)
    if not found and after is None:
        raise not_found()
    following = found[limit - 1].sequence if len(found) > limit else None
    return HistoryPage(events=found[:limit], next=following)


def view(record: EmployeeRecord) -> EmployeeView:
    values: dict[str, Any] = {name: getattr(record, name) for name in _SAME}
    for name in _IDS:
        other = getattr(record, name)
        values[name] = employee_text(other) if other else None
    values["owners"] = {name: held.owner for name, held in record.owners.items()}
    if record.state == "departed":
        values["owners"] = without_released(values["owners"])
    return EmployeeView(
        id=employee_text(record.employee_id),
        entra_object_id=str(record.entra_object_id) if record.entra_object_id else None,
        roles=list(record.roles),
        **values,
    )


_IDS = ("manager_id", "previous_employee_id")
_SAME = tuple(set(EmployeeView.__struct_fields__) - {"id", "entra_object_id", "roles", "owners", *_IDS})


def _asked(asked: EmployeesQuery) -> dict[str, object]:
    """Condition -> value to compare with."""
    conditions: dict[str, object] = {}
    for name in store.CONDITIONS:
        value = getattr(asked, name)
        if value is None:
            continue
        if name in {"manager_id", "after"}:
            conditions[name] = _id(name, value)
        else:
            conditions[name] = _KEYED[name](value) if name in _KEYED else value
    if asked.changed_since is not None:
        conditions["changed_since"] = in_utc(asked.changed_since, "changed_since")
    return conditions


def _id(name: str, text: str) -> EmployeeId:
    found = employee_from_text(text)
    if found is None:
        raise DomainError(ErrorCode.invalid_request, f"{name} is an employee's id, emp_ and 32 digits.", field=name)
    return found


def _existing_id(text: str) -> EmployeeId:
    found = employee_from_text(text)
    if found is None:
        raise not_found()
    return found
