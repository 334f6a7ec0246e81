"""SQL of what the BitaBIZ application reads of people.

The list walks the primary key from the cursor on: a page costs what it shows, a whole list one walk over the company, whatever
the condition; there is no offset. What names one person, or a few, has an index of its own.
"""

from collections.abc import Mapping
from functools import lru_cache
from uuid import UUID

from directory.database import CompanyTx, Statement, statement
from directory.employees.record import EmployeeRecord
from directory.employees.store import COLUMNS, record_of
from shared.ids import EmployeeId

CONDITIONS = {
    "state": "state = {}::text",
    "department": "department_key = {}::text",
    "login_name": "login_key = {}::text",
    "email": "email_key = {}::text",
    "employee_number": "employee_number = {}::text",
    "manager_id": "manager_id = {}::uuid",
    "changed_since": "updated_at >= {}::timestamptz",
    "after": "employee_id > {}::uuid",
}
"""What a list may be asked for -> its comparison, with a place for the parameter's number."""

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


async def page(tx: CompanyTx, conditions: Mapping[str, object], limit: int) -> list[EmployeeRecord]:
    """At most `limit`, in the order of their ids; who has departed only where `state` asks for it."""
    if conditions.keys() <= _WALKED:
        await tx.execute(_IN_ORDER)
    rows = await tx.fetch(_page(tuple(conditions)), tx.company_id, *conditions.values(), limit)
    return [record_of(row) for row in rows]


async def find(tx: CompanyTx, employee_id: EmployeeId) -> EmployeeRecord | None:
    """Departed or not."""
    row = await tx.fetchrow(_GET, tx.company_id, employee_id)
    return record_of(row) if row is not None else None


async def id_of_login(tx: CompanyTx, login_key: str) -> UUID | None:
    found: UUID | None = await tx.fetchval(_OF_LOGIN, tx.company_id, login_key)
    return found


@lru_cache(maxsize=256)
def _page(conditions: tuple[str, ...]) -> Statement:
    parts = ["company_id = $1"] + ([] if "state" in conditions else ["state <> 'departed'"])
    parts += [CONDITIONS[name].format(f"${number}") for number, name in enumerate(conditions, start=2)]
    sql = (
        f"select {COLUMNS} from employees where {' and '.join(parts)} "  # noqa: S608  composed of constants
        f"order by employee_id limit ${len(conditions) + 2}::bigint"
    )
    return statement("employees.page_for_application", sql)
