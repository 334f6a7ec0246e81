"""Reading the feed: a page of events after a cursor, or the wait for one.

    let in, read a page --(something in it, or no time left)--> answer
                        --(nothing)--> wait without a transaction --> let in anew, read again

Sequence numbers have no gap and appear in the order of commit, because the writer of an event holds his company's head until he
has committed (migration 0005): whoever sees number n sees every number before it. So the last one read is
a cursor that skips nothing.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from directory import metrics
from directory.api.queries import SEQUENCE_MAX, EventsQuery
from directory.database import CompanyTx
from directory.events import store
from directory.events.catalogue import EventKind
from directory.events.heads import WaitingReaders
from shared.errors import DomainError, ErrorCode
from shared.schemas.history import EventsPage

Enter = Callable[[], AbstractAsyncContextManager[CompanyTx]]


async def read(enter: Enter, ask: Callable[[], EventsQuery], readers: WaitingReaders) -> EventsPage:
    """Raises DomainError as `enter` does, anew after each wait: a credential revoked meanwhile reads nothing more.

    `invalid_request` for a cursor beyond the end: that is another history than the one the reader followed.
    """
    loop = asyncio.get_running_loop()
    async with enter() as tx:
        query = ask()
        kinds = wanted_kinds(query.kinds)
        company_id, page = tx.company_id, await _page(tx, query.after, query.limit, kinds)
    deadline, waited = loop.time() + query.wait, False
    while not page.events and (left := deadline - loop.time()) > 0:
        if page.next == page.head:
            waited = True
            if not await readers.wait(company_id, page.next, left):
                break
        async with enter() as tx:
            page = await _page(tx, page.next, query.limit, kinds)
            if waited and page.events:
                metrics.FEED_LAG.observe(max(0.0, (tx.now - page.events[0].at).total_seconds()))
    metrics.FEED_EVENTS_SERVED.inc(len(page.events))
    return page


async def _page(tx: CompanyTx, after: int, limit: int, kinds: list[str] | None) -> EventsPage:
    last = min(after + limit, SEQUENCE_MAX)
    head, events = await store.page(tx, after, last, kinds)
    if after > head:
        raise DomainError(
            ErrorCode.invalid_request,
            f"The cursor {after} is beyond the end of this history, which is {head}: the database is another one, or was "
            "restored to an earlier moment. Read again from 0.",
            field="after",
        )
    return EventsPage(events=events, next=min(last, head), head=head)


def wanted_kinds(text: str | None) -> list[str] | None:
    """Raises DomainError `invalid_request` that names a kind that does not exist."""
    if text is None:
        return None
    kinds = sorted(set(text.split(",")))
    known = {kind.value for kind in EventKind}
    for kind in kinds:
        if kind not in known:
            raise DomainError(
                ErrorCode.invalid_request,
                f"There is no kind of event '{kind[:60]}'; see docs/events.md.",
                field="kinds",
            )
    return kinds
