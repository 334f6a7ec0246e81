"""Searching employees: a condition, a total and a page, in one statement.

Login name and e-mail compare by their keys, id and external id exactly, the manager by the reference as it was sent or by the id
of the linked manager; the rest compares without case inside the company. Departed people never appear.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from directory.database import CompanyTx, Statement, statement
from directory.employees.keys import search_key
from directory.employees.record import EmployeeRecord
from directory.employees.store import COLUMNS, record_of
from directory.searching import (
    Arguments,
    Exact,
    Field,
    Flag,
    Folded,
    Identity,
    Key,
    Moment,
    Sql,
    must_equal,
    order,
    where,
)
from shared.ids import EmployeeId, employee_from_text
from shared.schemas.search import Expression, Operator, Sorting

UNIQUE = frozenset({"id", "login_name", "email", "external_id"})
"""At most one employee has such a value."""


class _Manager(Exact):
    def compare(self, op: Operator, value: str | bool, arguments: Arguments) -> Sql:
        exactly = super().compare(op, value, arguments)
        if op != "eq" or not isinstance(value, str) or isinstance(exactly, bool):
            return exactly
        # The key has the index; the id is that of whoever the reference has led to.
        key, linked = arguments.add(search_key(value), "text"), arguments.add(employee_from_text(value), "uuid")
        return f"(manager_key = {key} and {exactly} or manager_id = {linked})"


class _Indexed(Folded):
    """Text without case, with what an index can be asked first: whatever is equal to the text is found by it, and more."""

    def __init__(self, column: str, first: Callable[[str, Arguments], str | None]) -> None:
        super().__init__(column)
        self._first = first

    def compare(self, op: Operator, value: str | bool, arguments: Arguments) -> Sql:
        condition = super().compare(op, value, arguments)
        if op != "eq" or not isinstance(value, str) or isinstance(condition, bool):
            return condition
        first = self._first(value, arguments)
        return condition if first is None else f"({first} and {condition})"


def _by_department(value: str, arguments: Arguments) -> str:
    return f"department_key = {arguments.add(search_key(value), 'text')}"


def _by_number(value: str, arguments: Arguments) -> str | None:
    """Where no character has another case, equal without case is equal: as numbers of employees mostly are."""
    if value.lower() != value or value.upper() != value:
        return None
    return f"employee_number = {arguments.add(value, 'text')}"


FIELDS: dict[str, Field] = {
    "id": Identity("employee_id", "emp_", employee_from_text),
    "login_name": Key("login_key"),
    "email": Key("email_key"),
    "external_id": Exact("external_id"),
    "active": Flag("(state = 'active' or rehire_asked_at is not null)", always=True),
    "email_primary": Flag("email_primary"),
    "manager": _Manager("manager_ref"),
    "created_at": Moment("created_at"),
    "updated_at": Moment("updated_at"),
    "department": _Indexed("department", _by_department),
    "employee_number": _Indexed("employee_number", _by_number),
    **{
        name: Folded(name)
        for name in (
            "display_name",
            "formatted_name",
            "given_name",
            "family_name",
            "title",
            "work_phone",
            "mobile_phone",
            "country",
            "leave_date",
        )
    },
}

_ONE = "select {columns} from employees where {where}"
_PAGE = """
    select found.total, page.*
    from (select count(*) as total from employees where {where}) as found
    left join lateral (
        select {columns} from employees where {where}{after} order by {order} offset {offset} limit {limit}
    ) as page on true
    """


async def search(
    tx: CompanyTx,
    expression: Expression | None,
    offset: int,
    limit: int,
    *,
    sorting: Sorting | None = None,
    after: EmployeeId | None = None,
) -> tuple[int, list[EmployeeRecord]]:
    """How many meet the condition, and the asked page of them; in the order of creation where none is given.

    `after`: only people created after this one, by whom the page before ended; not together with `sorting`.

    Raises:
        DomainError: `invalid_request`, see `searching.where`.
    """
    arguments = Arguments(2)
    condition = where(expression, FIELDS, arguments) if expression is not None else True
    by = order(sorting, FIELDS, "employee_id")
    if condition is False:
        return 0, []
    told = "company_id = $1 and state <> 'departed'" + (f" and {condition}" if condition is not True else "")
    if expression is not None and any(one.field in UNIQUE for one in must_equal(expression)):
        rows = await tx.fetch(_statement("employees.find_one", _ONE, told), tx.company_id, *arguments.values)
        found = [record_of(row) for row in rows]
        if after is not None:
            found = [one for one in found if one.employee_id > after]
        return len(rows), found[offset : offset + limit]
    page = {
        "after": f" and employee_id > {arguments.add(after, 'uuid')}" if after is not None else "",
        "offset": arguments.add(offset, "bigint"),
        "limit": arguments.add(limit, "bigint"),
        "order": by,
    }
    asked = _statement("employees.find_page", _PAGE, told, **page)
    rows = await tx.fetch(asked, tx.company_id, *arguments.values)
    return rows[0]["total"], [record_of(row) for row in rows if row["employee_id"] is not None]


def asked_about(expression: Expression | None, found: Sequence[EmployeeRecord]) -> tuple[list[EmployeeId], bool]:
    """Whom a search means, if it means somebody, and whether it asks who his manager is: a reference check does so above all
    where it finds nobody, because we have another manager or none."""
    asked = list(must_equal(expression)) if expression is not None else []
    named = [one for one in asked if one.field in UNIQUE]
    if not named:
        return [], False
    by_id = next((employee_from_text(str(one.value)) for one in named if one.field == "id"), None)
    about = [by_id] if by_id is not None else [one.employee_id for one in found]
    return about, any(one.field == "manager" for one in asked)


@lru_cache(maxsize=256)
def _statement(name: str, sql: str, told: str, **parts: str) -> Statement:
    return statement(name, sql.format(columns=COLUMNS, where=told, **parts))
