"""Searching employees: conditions joined by "and", a total and a page, in one statement.

The SQL of a search is put together from the constant fragments below, never from what was asked; the asked values are
arguments. Login name and e-mail compare by their keys, id and external id exactly, the manager by the reference as it was
sent or by the id of the linked manager; the rest compares without case inside the company. Departed people never appear.
"""

from collections.abc import Sequence
from functools import lru_cache

from directory.database import CompanyTx, Statement, statement
from directory.employees.keys import is_storable, search_key
from directory.employees.record import EmployeeRecord
from directory.employees.store import COLUMNS, record_of
from shared.ids import EmployeeId, employee_from_text
from shared.schemas.employee import Condition, FilterField

UNIQUE: frozenset[FilterField] = frozenset({"id", "login_name", "email", "external_id"})
"""At most one employee has such a value."""

_PRESENT: dict[FilterField, str] = {
    "id": "employee_id = {}::uuid",
    "login_name": "login_key = {}::text",
    "email": "email_key = {}::text",
    "external_id": "external_id = {}::text",
    "active": "(state = 'active' or rehire_asked_at is not null) = {}::boolean",
    "email_primary": "email_primary = {}::boolean",
    "manager": "(manager_key = {0}::text and manager_ref = {1}::text or manager_id = {2}::uuid)",
}
_CASELESS = "lower({column}) = lower({{}}::text)"
_NEVER_ABSENT = frozenset({"id", "login_name", "email", "active", "given_name", "family_name"})

_ONE = "select {columns} from employees where {where}"
_PAGE = """
    select found.total, page.*
    from (select count(*) as total from employees where {where}) as found
    left join lateral (
        select {columns} from employees where {where} order by employee_id offset {offset}::bigint limit {limit}::bigint
    ) as page on true
    """


class _MatchesNobody(Exception):
    pass


async def search(
    tx: CompanyTx, conditions: list[Condition], offset: int, limit: int
) -> tuple[int, list[EmployeeRecord]]:
    """How many meet every condition, and the asked page of them in the order of creation."""
    try:
        arguments = [argument for one in conditions for argument in _arguments(one)]
    except _MatchesNobody:
        return 0, []
    shape = tuple((one.field, one.value is None) for one in conditions)
    if any(one.field in UNIQUE and one.value is not None for one in conditions):
        rows = await tx.fetch(_one(shape), tx.company_id, *arguments)
        return len(rows), [record_of(row) for row in rows[offset : offset + limit]]
    rows = await tx.fetch(_page(shape), tx.company_id, *arguments, offset, limit)
    return rows[0]["total"], [record_of(row) for row in rows if row["employee_id"] is not None]


def asked_about(conditions: list[Condition], found: Sequence[EmployeeRecord]) -> tuple[list[EmployeeId], bool]:
    """Whom a search means, if it means somebody, and whether it asks who his manager is: a reference check does so above all
    where it finds nobody, because we have another manager or none."""
    manager = any(one.field == "manager" and one.value is not None for one in conditions)
    named = [one for one in conditions if one.field in UNIQUE and one.value is not None]
    if not named:
        return [], False
    by_id = next((employee_from_text(str(one.value)) for one in named if one.field == "id"), None)
    return ([by_id] if by_id is not None else [one.employee_id for one in found]), manager


def _arguments(condition: Condition) -> list[object]:
    """The values in the form in which they are compared; raises where nobody can have such a value."""
    field, value = condition.field, condition.value
    if value is None:
        if field in _NEVER_ABSENT:
            raise _MatchesNobody
        return []
    if (field in {"active", "email_primary"}) != isinstance(value, bool):
        raise _MatchesNobody
    if isinstance(value, bool):
        return [value]
    if not is_storable(value):
        raise _MatchesNobody
    if field == "id":
        employee_id = employee_from_text(value)
        if employee_id is None:
            raise _MatchesNobody
        return [employee_id]
    if field == "manager":
        return [search_key(value), value, employee_from_text(value)]
    return [search_key(value) if field in {"login_name", "email"} else value]


Shape = tuple[tuple[FilterField, bool], ...]


@lru_cache(maxsize=256)
def _one(shape: Shape) -> Statement:
    where, _ = _where(shape)
    return statement("employees.find_one", _ONE.format(columns=COLUMNS, where=where))


@lru_cache(maxsize=256)
def _page(shape: Shape) -> Statement:
    where, following = _where(shape)
    sql = _PAGE.format(columns=COLUMNS, where=where, offset=f"${following}", limit=f"${following + 1}")
    return statement("employees.find_page", sql)


def _where(shape: Shape) -> tuple[str, int]:
    """The condition, and the number of the first argument after it."""
    parts, number = ["company_id = $1", "state <> 'departed'"], 2
    for field, absent in shape:
        column = "manager_ref" if field == "manager" else field
        if absent:
            parts.append(f"{column} is null")
            continue
        pattern = _PRESENT.get(field, _CASELESS.format(column=column))
        count = 3 if field == "manager" else 1
        parts.append(pattern.format(*(f"${number + place}" for place in range(count))))
        number += count
    return " and ".join(parts), number
