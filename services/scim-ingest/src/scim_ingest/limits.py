"""Who has spent what of his allowance, in this process: by company once directory has said whose a token is.

Until then a token has an allowance of its own, under its hash. So a stranger spends nobody's: what he sends under a company's
name, however much, is counted under tokens that are not the company's. And because a flood of invented tokens can fill only the
strangers' table, which then forgets those longest silent, no company loses its place for it.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from scim_ingest import metrics
from scim_ingest.protocol.errors import too_many_requests
from shared.rate import NOTHING, Admitted, Rate, Refused, Spent, spend
from shared.schemas.employee import ScimCredential
from shared.telemetry.metrics import RATE_LIMITED

BURST_S = 0.25
QUEUE_S = 2.0
"""How long a request may wait for its turn; far below the 60 seconds after which Entra gives up."""
MAX_STRANGERS = 5000
"""Tokens that directory has not accepted (yet). The longest silent one is forgotten first, and then begins anew."""
MAX_KNOWN = 20_000
"""Tokens whose company is known."""

_Table = OrderedDict[str, Spent]


class Limits:
    """The allowances of everybody who sends. `per_s` 0 admits all."""

    def __init__(
        self,
        per_s: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_s = per_s
        self._rate = Rate(per_s, BURST_S, QUEUE_S)
        self._clock = clock
        self._sleep = sleep
        self._companies: _Table = OrderedDict()
        self._strangers: _Table = OrderedDict()
        self._known: OrderedDict[str, str] = OrderedDict()

    async def admit(self, credential: ScimCredential) -> None:
        """Returns when it is this request's turn. Raises ScimError 429."""
        if self._per_s == 0:
            return
        turn = self._turn(credential)
        if isinstance(turn, Admitted):
            if turn.wait_s > 0:
                metrics.RATE_QUEUE.observe(turn.wait_s)
                await self._sleep(turn.wait_s)
            return
        RATE_LIMITED.labels("scim", "company" if self.knows(credential) else "token").inc()
        raise too_many_requests(turn.came, turn.within_s, self._per_s, turn.retry_after_s)

    def accepted(self, credential: ScimCredential) -> None:
        """Directory says that the token is this company's: from now on it spends the company's allowance."""
        if self.knows(credential):
            return
        token, company = credential.token_sha256, credential.company
        self._known[token] = company
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        if self._per_s == 0:
            return
        both = (self._strangers.pop(token, NOTHING), self._companies.get(company, NOTHING))
        self._companies[company] = max(both, key=lambda spent: spent.even_at)

    def rejected(self, credential: ScimCredential) -> None:
        """Directory says that it is not, or not any more."""
        if self.knows(credential):
            del self._known[credential.token_sha256]

    def knows(self, credential: ScimCredential) -> bool:
        """Directory has accepted it lately."""
        return self._known.get(credential.token_sha256) == credential.company

    def size(self) -> int:
        """Entries that are kept."""
        return len(self._companies) + len(self._strangers) + len(self._known)

    def _turn(self, credential: ScimCredential) -> Admitted | Refused:
        now = self._clock()
        if self.knows(credential):
            self._known.move_to_end(credential.token_sha256)
            table, key = self._companies, credential.company
        else:
            table, key = self._strangers, credential.token_sha256
        for one in (self._companies, self._strangers):
            _forget_even(one, now)
        table[key], turn = spend(table.get(key, NOTHING), self._rate, now)
        table.move_to_end(key)
        if len(self._strangers) > MAX_STRANGERS:
            self._strangers.popitem(last=False)
        return turn


def _forget_even(table: _Table, now: float) -> None:
    """Whoever has earned everything back is as one who never came. Two at a time: that is more than can be added."""
    for _ in range(2):
        oldest = next(iter(table), None)
        if oldest is None or table[oldest].even_at > now:
            return
        del table[oldest]
