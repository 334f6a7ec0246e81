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

PASSED_MAX = 10
"""Pages in a row without a wanted event that one request passes: a small page and a rare kind must not keep the database busy."""

Enter = Callable[[], AbstractAsyncContextManager[CompanyTx]]


async def read(
    enter: Enter, ask: Callable[[], EventsQuery], readers: WaitingReaders, gone: "asyncio.Future[None]"
) -> EventsPage:
    """`gone` is done once nobody is there any more to be answered.

    Raises:
        DomainError: as `enter` does, anew after each wait: with a credential revoked meanwhile nothing more is read. Also
            `invalid_request` where this is another history than the one that the reader followed: his cursor is beyond its
            end, or the event that he read last is another one here.
    """
    loop = asyncio.get_running_loop()
    async with enter() as tx:
        query = ask()
        kinds = wanted_kinds(query.kinds)
        company_id, page = tx.company_id, await _page(tx, query.after, query.hash, query.limit, kinds)
    deadline, waited, passed = loop.time() + query.wait, False, 0
    while not page.events and passed < PASSED_MAX and (left := deadline - loop.time()) > 0:
        passed += 1
        if page.next == page.head:
            waited, passed = True, 0
            if not await readers.wait(company_id, page.next, left, unless=gone):
                break
        async with enter() as tx:
            page = await _page(tx, page.next, page.hash or None, query.limit, kinds)
            if waited and page.events:
                metrics.FEED_LAG.observe(max(0.0, (tx.now - page.events[0].at).total_seconds()))
    metrics.FEED_EVENTS_SERVED.inc(len(page.events))
    return page


async def _page(
    tx: CompanyTx, after: int, expected_hash: str | None, limit: int, kinds: list[str] | None
) -> EventsPage:
    last = min(after + limit, SEQUENCE_MAX)
    found = await store.page(tx, after, last, kinds)
    if after > found.head:
        raise _another_history("after", f"the cursor {after} is beyond its end, which is {found.head}")
    if expected_hash is not None and expected_hash != found.hash_after:
        raise _another_history("hash", f"its event {after} is not the one that you have read")
    return EventsPage(events=found.events, next=min(last, found.head), hash=found.hash_next, head=found.head)


def _another_history(field: str, sentence: str) -> DomainError:
    return DomainError(
        ErrorCode.invalid_request,
        f"This is another history than the one that you followed: {sentence}. The database was restored to an earlier "
        "moment, or is another one. Read again from 0.",
        field=field,
    )


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
