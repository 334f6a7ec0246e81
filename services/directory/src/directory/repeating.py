"""A transaction that loses against a simultaneous one is done again, and answers as if it had come second."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from directory.database import Outrun
from shared.errors import DomainError, ErrorCode
from shared.telemetry.logs import EventLog

log = EventLog("directory")

ATTEMPTS = 4
"""How often it is tried."""

AnswerT = TypeVar("AnswerT")


async def done_again(attempt: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
    """For what can lose by a deadlock alone; `employees.writing.repeated` also knows names that are taken.

    Raises:
        DomainError: `unavailable` where it has lost too often.
    """
    for _ in range(ATTEMPTS):
        try:
            return await attempt()
        except (asyncpg.DeadlockDetectedError, Outrun) as error:
            log.info("transaction_repeated", reason=type(error).__name__)
    raise DomainError(ErrorCode.unavailable, "Too many changes at the same moment; try again.")
