"""A company's login traces as a test reads them: what the gateway refused by itself arrives a moment after its answer."""

import asyncio
from typing import Any

from directory.traces import operations
from shared.errors import DomainError
from shared.schemas.traces import LoginEntry, LoginPage, LoginTrace
from tests.support.company import Company

WITHIN_S = 5.0


async def page(company: Company, **asked: Any) -> LoginPage:
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        return await operations.page(tx, **asked)


async def entries(company: Company, at_least: int = 1, **asked: Any) -> list[LoginEntry]:
    """Newest first, as soon as there are so many."""
    found: list[LoginEntry] = []
    for _ in range(int(WITHIN_S / 0.02)):
        found = (await page(company, **asked)).entries
        if len(found) >= at_least:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(found)} attempts instead of {at_least}: {found}")


async def trace(company: Company, attempt_id: str, *, steps: int = 0) -> LoginTrace:
    """One attempt, as soon as it is there with so many steps."""
    for _ in range(int(WITHIN_S / 0.02)):
        try:
            async with company.stack.database.scope_for_name(company.name).transaction() as tx:
                found = await operations.whole(tx, attempt_id)
        except DomainError:
            found = None
        if found is not None and len(found.steps) >= steps:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"no such attempt: {attempt_id}")


def names(found: LoginTrace) -> list[str]:
    return [one.step for one in found.steps]


def facts(found: LoginTrace, step: str) -> dict[str, str]:
    """Of the last step of that name."""
    return [one.facts for one in found.steps if one.step == step][-1]
