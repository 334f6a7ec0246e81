"""Searching groups: conditions joined by "and", a total and a page, in one statement.

The SQL is put together from the constant fragments below; asked values are arguments. Every fragment has an index.
"""

from functools import lru_cache

from directory.database import CompanyTx, Statement, statement
from directory.employees.keys import is_storable, search_key
from directory.groups.record import GroupRecord
from directory.groups.store import COLUMNS
from shared.ids import employee_from_text, group_from_text
from shared.schemas.group import GroupCondition, GroupField

_FRAGMENTS: dict[GroupField, str] = {
    "id": "group_id = {}::uuid",
    "display_name": "name_key = {}::text",
    "external_id": "external_id = {}::text",
    "member": """exists (
            select 1 from group_members m
            where m.company_id = $1 and m.group_id = groups.group_id and m.employee_id = {}::uuid)""",
}

_PAGE = """
    select found.total, page.*
    from (select count(*) as total from groups where {where}) as found
    left join lateral (
        select {columns} from groups where {where} order by group_id offset {offset}::bigint limit {limit}::bigint
    ) as page on true
    """


async def search(
    tx: CompanyTx, conditions: list[GroupCondition], offset: int, limit: int
) -> tuple[int, list[GroupRecord]]:
    """How many meet every condition, and the asked page of them in the order of creation."""
    arguments = [_argument(one) for one in conditions]
    if None in arguments:
        return 0, []
    rows = await tx.fetch(_page(tuple(one.field for one in conditions)), tx.company_id, *arguments, offset, limit)
    found = [dict(row) for row in rows]
    total = found[0]["total"]
    for one in found:
        del one["total"]
    return total, [GroupRecord(**one) for one in found if one["group_id"] is not None]


def _argument(condition: GroupCondition) -> object | None:
    """The value in the form in which it is compared; None where no group can have such a value."""
    match condition.field:
        case "id":
            return group_from_text(condition.value)
        case "member":
            return employee_from_text(condition.value)
        case _ if not is_storable(condition.value):
            return None
        case "display_name":
            return search_key(condition.value)
        case _:
            return condition.value


@lru_cache(maxsize=64)
def _page(fields: tuple[GroupField, ...]) -> Statement:
    parts = ["company_id = $1", *(_FRAGMENTS[field].format(f"${number}") for number, field in enumerate(fields, 2))]
    following = len(parts) + 1
    sql = _PAGE.format(columns=COLUMNS, where=" and ".join(parts), offset=f"${following}", limit=f"${following + 1}")
    return statement("groups.find_page", sql)
