"""Request bodies, read with a cap and a deadline before anything looks inside."""

import asyncio

from starlette.requests import ClientDisconnect, Request


class BodyTooLarge(Exception):
    """More bytes than allowed were announced or came."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"body larger than {limit} bytes")
        self.limit = limit


class BodyTooSlow(Exception):
    """The body had not come in time, or the sender went away."""


def announces_at_most(request: Request, size: int) -> bool:
    """Whether it says so; what announces no length, or none that is a number, may have any."""
    announced = request.headers.get("content-length", "")
    return announced.isascii() and announced.isdigit() and len(announced) < 10 and int(announced) <= size


async def read_body(request: Request, limit: int, *, timeout_s: float = 15.0) -> bytes:
    """The whole body, at most `limit` bytes.

    Raises:
        BodyTooLarge: as soon as the announced or the received length is over the limit; the rest is not read.
        BodyTooSlow: after `timeout_s`, or when the sender disconnects.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge(limit)
    received = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                received += chunk
                if len(received) > limit:
                    raise BodyTooLarge(limit)
    except (TimeoutError, ClientDisconnect):
        raise BodyTooSlow from None
    return bytes(received)
