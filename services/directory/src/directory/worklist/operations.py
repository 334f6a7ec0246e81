"""The HR work list: who came or went and what is left to do; `steps` has the rules."""

from uuid import UUID

import asyncpg

from directory.database import CompanyTx
from directory.worklist import store
from directory.worklist.steps import joiner_steps, leaver_steps
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text
from shared.schemas.people import WorkItem, WorkItems

MAX_LIMIT = 1000
_FIRST = EmployeeId(UUID(int=0))


async def work_list(tx: CompanyTx, after: str = "", limit: int = 100) -> WorkItems:
    """Open items in the order of creation of their people; `after` is the last page's `next`."""
    if not 1 <= limit <= MAX_LIMIT:
        raise DomainError(ErrorCode.invalid_request, f"limit is 1 to {MAX_LIMIT}.", field="limit")
    last = employee_from_text(after) if after else _FIRST
    if last is None:
        raise DomainError(ErrorCode.invalid_request, "after is the `next` of the page before.", field="after")
    rows = await store.page(tx, last, limit)
    following = employee_text(rows[-1]["employee_id"]) if len(rows) == limit else None
    return WorkItems(items=[_item(row) for row in rows], next=following)


def _item(row: asyncpg.Record) -> WorkItem:
    joins = row["state"] == "active"
    steps = (
        joiner_steps(policy=row["policy"], hired_on=row["hired_on"], employee_number=row["employee_number"])
        if joins
        else leaver_steps(
            reports=row["reports"],
            done_at=row["leaver_done_at"],
            ended_at=row["ended_at"],
            termination_date=row["termination_date"],
            suspended_on=row["suspended_on"],
            erase_after_months=row["erase_after_months"],
        )
    )
    return WorkItem(
        kind="joiner" if joins else "leaver",
        employee_id=employee_text(row["employee_id"]),
        name=f"{row['given_name']} {row['family_name']}",
        since=row["created_at"] if joins else row["ended_at"] or row["created_at"],
        steps=steps,
    )
