"""Employees for whoever may read the whole company: a list by conditions, one of them, one as of a moment, one's history.

The list walks the primary key from the cursor on: a page costs what it shows, a whole list one walk over the company, whatever
the condition; there is no offset. What names one person, or a few, has an index of its own.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from directory.api.queries import EmployeesQuery, in_utc
from directory.database import CompanyTx, Statement, statement
from directory.employees.keys import is_storable, search_key
from directory.employees.lifecycle import not_found
from directory.employees.record import EmployeeRecord
from directory.employees.store import COLUMNS, record_of
from directory.events import store as events
from directory.events.folding import fold, without_released
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text
from shared.schemas.history import EmployeesPage, EmployeeView, HistoryPage

_CONDITIONS = {
    "state": "state = {}::text",
    "department": "department_key = {}::text",
    "login_name": "login_key = {}::text",
    "email": "email_key = {}::text",
    "employee_number": "employee_number = {}::text",
    "manager_id": "manager_id = {}::uuid",
    "changed_since": "updated_at >= {}::timestamptz",
    "after": "employee_id > {}::uuid",
}
_KEYED: dict[str, Callable[[str], str]] = dict.fromkeys(("department", "login_name", "email"), search_key)

_GET = statement(
    "employees.get_any",
    f"select {COLUMNS} from employees where company_id = $1 and employee_id = $2",  # noqa: S608  composed of constants
)
_OF_LOGIN = statement(
    "employees.of_login", "select employee_id from employees where company_id = $1 and login_key = $2"
)


# By the order of ids and no sort: the planner would rather read a large company whole and sort it (ten times the time).
_IN_ORDER = statement("settings.in_order", "select set_config('enable_sort', 'off', true)")
_WALKED = frozenset({"state", "changed_since", "after"})
"""Conditions without an index of their own."""


async def page(tx: CompanyTx, asked: EmployeesQuery) -> EmployeesPage:
    """Raises DomainError `invalid_request` where `after` or `manager_id` is no employee's id."""
    conditions = _asked(asked)
    head = await events.head(tx)
    if not all(is_storable(value) for value in conditions.values() if isinstance(value, str)):
        return EmployeesPage(employees=[], next=None, sequence=head)
    question = _page(tuple(conditions))
    if conditions.keys() <= _WALKED:
        await tx.execute(_IN_ORDER)
    rows = await tx.fetch(question, tx.company_id, *conditions.values(), asked.limit + 1)
    found = [view(record_of(row)) for row in rows[: asked.limit]]
    following = found[-1].id if len(rows) > asked.limit else None
    return EmployeesPage(employees=found, next=following, sequence=head)


async def employee(tx: CompanyTx, text: str, at: datetime | None) -> EmployeeView:
    """By id, departed or not. Raises DomainError `not_found`; also for a moment at which there was no such employee."""
    employee_id = _existing_id(text)
    if at is None:
        row = await tx.fetchrow(_GET, tx.company_id, employee_id)
        found = view(record_of(row)) if row is not None else None
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
    found = await tx.fetchval(_OF_LOGIN, tx.company_id, search_key(login_or_id))
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
    for name in _CONDITIONS:
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


@lru_cache(maxsize=256)
def _page(conditions: tuple[str, ...]) -> Statement:
    parts = ["company_id = $1"] + ([] if "state" in conditions else ["state <> 'departed'"])
    parts += [_CONDITIONS[name].format(f"${number}") for number, name in enumerate(conditions, start=2)]
    sql = (
        f"select {COLUMNS} from employees where {' and '.join(parts)} "  # noqa: S608  composed of constants
        f"order by employee_id limit ${len(conditions) + 2}::bigint"
    )
    return statement("employees.page_for_application", sql)
