"""How PostgreSQL would do what an operation asks: the plans of the statements that it really sent, with their arguments."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from directory.database import CompanyTx, Database, Statement
from tests.support.firm import Firm

_WAYS = ("fetch", "fetchrow", "fetchval", "execute")


async def sent_by(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[], Awaitable[object]]
) -> list[tuple[Statement, tuple[object, ...]]]:
    """The statements of everything that happens in `work`, in their order."""
    sent: list[tuple[Statement, tuple[object, ...]]] = []
    with monkeypatch.context() as watched:
        for way in _WAYS:
            watched.setattr(CompanyTx, way, _noting(getattr(CompanyTx, way), sent))
        await work()
    return sent


async def plans_of(
    firm: Firm,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[], Awaitable[object]],
    *,
    database: Database | None = None,
) -> dict[str, str]:
    """Statement -> plan, as the application's role (or `database`'s) gets it, for everything that happens in `work`."""
    return await explained(firm, await sent_by(monkeypatch, work), database=database)


async def explained(
    firm: Firm, sent: list[tuple[Statement, tuple[object, ...]]], *, database: Database | None = None
) -> dict[str, str]:
    asked = database or firm.database
    return {f"{one.collection}.{one.name}": await _plan(asked, firm, one, arguments) for one, arguments in sent}


def _noting(original: Any, sent: list[tuple[Statement, tuple[object, ...]]]) -> Any:
    async def noted(tx: CompanyTx, question: Statement, *arguments: object) -> Any:
        sent.append((question, arguments))
        return await original(tx, question, *arguments)

    return noted


async def _plan(database: Database, firm: Firm, question: Statement, arguments: tuple[object, ...]) -> str:
    asked = Statement(question.name, question.collection, f"explain {question.sql}")
    async with database.scope_for_id(firm.company_id).transaction() as tx:
        # The tests' tables are small and their statistics young: what matters is whether there is an index to go by.
        await tx.execute(_NO_SCANS)
        return "\n".join(row[0] for row in await tx.fetch(asked, *arguments))


_NO_SCANS = Statement("no_scans", "test", "set local enable_seqscan = off")


def scanned(plans: dict[str, str]) -> dict[str, str]:
    """The statements that read a table from end to end; tables of a handful of rows are read so, rightly."""
    small = ("on companies", "on connections", "on certificates", "on unnest")
    return {
        name: plan
        for name, plan in plans.items()
        if any("Seq Scan" in line and not any(one in line for one in small) for line in plan.splitlines())
    }
