"""What this service refuses by itself, on its way into the companies' login traces, behind the requests.

    refused -> keep (bounded) -> about every second -> directory, a company at a time

Nobody has proven anything about such an answer, so anybody may make many. Hence ten a minute are told one by one for
each company, all further ones as a count by reason when the minute is over; and no more than a thousand companies are waited for
at once. No refusal waits for any of it, and what is in memory is lost when the process dies: the log has it.
"""

import asyncio
import contextlib
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime

from shared.clock import Clock
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.traces import NoteRefusals, RefusedAnswer, RefusedOfCompany
from shared.telemetry.logs import EventLog
from sso_gateway import metrics

A_MINUTE = 10
"""Told one by one, of one company."""
MAX_COMPANIES = 1000
COMPANIES_AT_ONCE = 50
MAX_WAIT_S = 30.0
"""Between two attempts, while directory cannot be reached."""
LAST_S = 5.0
"""For what is left when the service stops."""

log = EventLog("sso-gateway")


@dataclass(slots=True)
class _OfCompany:
    minute: int
    told: int = 0
    """Within the minute, one by one."""
    answers: list[RefusedAnswer] = field(default_factory=list)
    more: Counter[str] = field(default_factory=Counter)
    """Of the minute, by reason."""
    last: datetime | None = None


class Refusals:
    """Guards what waits. `now`: seconds of a clock that never goes back."""

    def __init__(
        self,
        client: DirectoryClient,
        clock: Clock,
        *,
        every_s: float = 1.0,
        now: Callable[[], float] = time.monotonic,
        max_companies: int = MAX_COMPANIES,
    ) -> None:
        self._client = client
        self._clock = clock
        self._every_s = every_s
        self._now = now
        self._max_companies = max_companies
        self._waiting: OrderedDict[str, _OfCompany] = OrderedDict()

    def __len__(self) -> int:
        """What waits to be told one by one."""
        return sum(len(one.answers) for one in self._waiting.values())

    def keep(self, company: str, answer: RefusedAnswer) -> None:
        """Of a company that exists."""
        minute = int(self._now() // 60)
        held = self._waiting.get(company)
        if held is None:
            if len(self._waiting) >= self._max_companies:
                metrics.REFUSALS_NOTED.labels("no_room").inc()
                return
            held = self._waiting[company] = _OfCompany(minute)
        self._turn(held, minute)
        held.last = answer.at
        if held.told < A_MINUTE:
            held.told += 1
            held.answers.append(answer)
        else:
            held.more[answer.reason] += 1

    def _turn(self, held: _OfCompany, minute: int) -> None:
        """The count of a minute that is over becomes an answer that stands for several."""
        if held.minute == minute:
            return
        at = held.last or self._clock()
        held.answers += [
            RefusedAnswer(attempt_id="", at=at, trace_id="", reason=reason, times=times)
            for reason, times in held.more.items()
        ]
        held.minute, held.told, held.more = minute, 0, Counter()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hands over while inside, and what is left at the end."""
        task = asyncio.create_task(self._hand_over_for_ever())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_S):
                    await self.hand_over(everything=True)
            if lost := len(self):
                log.error("refusals_lost", answers=lost)
                metrics.REFUSALS_NOTED.labels("lost").inc(lost)

    async def _hand_over_for_ever(self) -> None:
        wait_s = self._every_s
        while True:
            await asyncio.sleep(wait_s)
            wait_s = self._every_s if await self.hand_over() else min(wait_s * 2, MAX_WAIT_S)

    async def hand_over(self, *, everything: bool = False) -> bool:
        """What waits, with the counts of minutes that are over, or of `everything`. False: directory is out of reach."""
        minute = int(self._now() // 60) + everything
        for company, held in list(self._waiting.items()):
            self._turn(held, minute)
            if not held.answers and not held.told:
                del self._waiting[company]
        due = [company for company, held in self._waiting.items() if held.answers]
        for start in range(0, len(due), COMPANIES_AT_ONCE):
            if not await self._send(due[start : start + COMPANIES_AT_ONCE]):
                return False
        return True

    async def _send(self, companies: list[str]) -> bool:
        taken = {company: self._waiting[company].answers for company in companies}
        for company in companies:
            self._waiting[company].answers = []
        request = NoteRefusals(companies=[RefusedOfCompany(company=name, answers=one) for name, one in taken.items()])
        try:
            outcomes = (await self._client.note_refusals(request)).outcomes
        except asyncio.CancelledError:
            self._put_back(taken)
            raise
        except DomainError as error:
            if error.code is ErrorCode.unavailable:
                self._put_back(taken)
                return False
            log.error("refusals_failed", code=error.code.value)
            outcomes = ["refused"] * len(companies)
        for company, outcome in zip(companies, outcomes, strict=True):
            metrics.REFUSALS_NOTED.labels(outcome).inc(sum(one.times for one in taken[company]))
        self._put_back(
            {
                company: taken[company]
                for company, outcome in zip(companies, outcomes, strict=True)
                if outcome == "again"
            }
        )
        return True

    def _put_back(self, taken: dict[str, list[RefusedAnswer]]) -> None:
        """Before what came meanwhile; ten minutes' worth at most."""
        for company, answers in taken.items():
            held = self._waiting.setdefault(company, _OfCompany(int(self._now() // 60)))
            held.answers = (answers + held.answers)[-10 * A_MINUTE :]
