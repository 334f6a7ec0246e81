"""Searching groups: a condition, a total and a page, in one statement. Names compare without case, ids exactly."""

from collections.abc import Mapping
from functools import lru_cache

from directory.database import CompanyTx, Statement, statement
from directory.groups.record import GroupRecord
from directory.groups.store import COLUMNS
from directory.searching import Arguments, Exact, Field, Identity, Key, Moment, Sql, order, where
from shared.ids import GroupId, employee_from_text, group_from_text
from shared.schemas.search import Expression, Operator, Sorting


class _Member(Field):
    """Whether somebody is in it, and whether one of them meets a condition."""

    _ID = Identity("m.employee_id", "emp_", employee_from_text)

    def compare(self, op: Operator, value: str | bool, arguments: Arguments) -> Sql:
        return self.some(self._ID.compare(op, value, arguments))

    def present(self) -> Sql:
        return self.some(True)

    def inner(self) -> Mapping[str, Field]:
        return {"value": self._ID}

    def some(self, condition: Sql) -> Sql:
        if condition is False:
            return False
        among = "select from group_members m where m.company_id = $1 and m.group_id = groups.group_id"
        return f"exists ({among}{'' if condition is True else f' and {condition}'})"


FIELDS: dict[str, Field] = {
    "id": Identity("group_id", "grp_", group_from_text),
    "display_name": Key("name_key"),
    "external_id": Exact("external_id"),
    "member": _Member("member"),
    "created_at": Moment("created_at"),
    "updated_at": Moment("updated_at"),
}

_PAGE = """
    select found.total, page.*
    from (select count(*) as total from groups where {where}) as found
    left join lateral (
        select {columns} from groups where {where}{after} order by {order} offset {offset} limit {limit}
    ) as page on true
    """


async def search(
    tx: CompanyTx,
    expression: Expression | None,
    offset: int,
    limit: int,
    *,
    sorting: Sorting | None = None,
    after: GroupId | None = None,
) -> tuple[int, list[GroupRecord]]:
    """As `employees.searches.search`."""
    arguments = Arguments(2)
    condition = where(expression, FIELDS, arguments) if expression is not None else True
    by = order(sorting, FIELDS, "group_id")
    if condition is False:
        return 0, []
    page = {
        "after": f" and group_id > {arguments.add(after, 'uuid')}" if after is not None else "",
        "offset": arguments.add(offset, "bigint"),
        "limit": arguments.add(limit, "bigint"),
        "order": by,
    }
    told = "company_id = $1" + (f" and {condition}" if condition is not True else "")
    rows = await tx.fetch(_statement(told, **page), tx.company_id, *arguments.values)
    found = [dict(row) for row in rows]
    total = found[0]["total"]
    for one in found:
        del one["total"]
    return total, [GroupRecord(**one) for one in found if one["group_id"] is not None]


@lru_cache(maxsize=128)
def _statement(told: str, **parts: str) -> Statement:
    return statement("groups.find_page", _PAGE.format(columns=COLUMNS, where=told, **parts))
