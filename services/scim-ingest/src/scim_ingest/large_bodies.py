"""Large bodies: read once it is known whose they are, understood beside the event loop, one at a time of each company.

A body of a megabyte can take most of a second to understand, and nobody else is to wait for it. What Entra sends about a person
is far below the bound; a PATCH with thousands of members is above it.

    at most LARGE_BYTES  -> read, understood at once
    more                 -> is the token good? -> read -> a place of the company -> understood in a thread
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from scim_ingest.protocol.errors import ScimError
from shared.http.body import announces_at_most
from shared.http.places import NoPlace, Places

LARGE_BYTES = 8 * 1024
AT_ONCE = 1
"""Of one company."""
PATIENCE_S = 5.0


def is_large(request: Request) -> bool:
    """By what is announced; what announces no length may have any."""
    return request.method in ("POST", "PUT", "PATCH") and not announces_at_most(request, LARGE_BYTES)


def places() -> Places:
    return Places(at_once=AT_ONCE, patience_s=PATIENCE_S)


@asynccontextmanager
async def place(places: Places, company: str) -> AsyncIterator[None]:
    """Raises ScimError 429 where none comes free in time."""
    try:
        async with places.place(company):
            yield
    except NoPlace:
        raise ScimError(
            429,
            f"Bodies of more than {LARGE_BYTES:,} bytes are read one by one, and those before this one took too long. "
            f"Send it again.",
            headers={"Retry-After": "5"},
        ) from None
