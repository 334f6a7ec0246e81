"""Request heads have a bound: an address that is too long is 414 in the service's own words, endless headers are 431, a head that
does not end in time is 408, and requests that are sent without waiting for answers are 400 beyond a few.

Of itself uvicorn bounds none of it with httptools: headers would be kept however long they are, an address of 64 KiB, which
httptools cannot take apart, would be answered in plain text, and a connection that says nothing would stay for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_URL_BYTES = 32 * 1024
MAX_HEAD_BYTES = 512 * 1024
"""More than the most that is read at once (256 KiB), for body may come with the head."""

MAX_PIPELINED = 16
"""Requests of one connection that wait for the answer to the one before. One packet could hold ten thousand."""
HEAD_S = 20.0
"""From the connection, or from the first bytes of a later head, until the head is there."""

_REFUSED = "head_refused"
_PROTECTED = (
    b"Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    b"Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n"
)
"""What no service has seen is answered here, and a browser may be who reads it."""

ErrorHandler = Callable[..., Awaitable[Response]]


class BoundedHead(HttpToolsProtocol):
    head_s = HEAD_S
    _in_head = True
    _head_bytes = 0
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._due = self.loop.call_later(self.head_s, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_longer_due()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._end(b"431 Request Header Fields Too Large")
                return
        super().data_received(data)
        if self._due is None and (self._head_has_begun() or self._is_answered()):
            self._due = self.loop.call_later(self.head_s, self._too_late)

    def _head_has_begun(self) -> bool:
        return self._in_head and self._head_bytes > 0

    def _is_answered(self) -> bool:
        """And yet something came: the rest of a body that nobody reads. uvicorn counts no idle time any more."""
        return self.cycle is None or self.cycle.response_complete

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            # uvicorn answers whatever the parser raises by 400, and closes.
            raise ConnectionAbortedError("too many requests at once")
        super().on_message_begin()

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            if self._head_has_begun():
                self._end(b"408 Request Timeout")
            else:
                self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP; uvicorn's own answer, with the headers of ours."""
        self._end(b"400 Bad Request", msg.encode("ascii", "replace"))

    def _end(self, status: bytes, text: bytes = b"") -> None:
        head = b"HTTP/1.1 %b\r\n%bContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % (
            status,
            _PROTECTED,
            len(text),
        )
        self.transport.write(head + text)
        self.transport.close()

    def _no_longer_due(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def on_url(self, url: bytes) -> None:
        super().on_url(url[: MAX_URL_BYTES + 1 - len(self.url)])

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._no_longer_due()
        if len(self.url) > MAX_URL_BYTES:
            # What is left of it is never looked at.
            self.url = b"/"
            self.scope["state"][_REFUSED] = 414
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()


def refusing_oversized_heads(app: ASGIApp, handler: ErrorHandler | None) -> ASGIApp:
    """`handler`: how the service answers an HTTPException, if it has a way of its own."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        status = scope["state"].get(_REFUSED) if scope["type"] == "http" and "state" in scope else None
        if status is None:
            await app(scope, receive, send)
            return
        detail = f"The address is longer than {MAX_URL_BYTES} bytes."
        response: Response = PlainTextResponse(detail, status)
        if handler is not None:
            response = await handler(Request(scope), HTTPException(status, detail))
        await response(scope, receive, send)

    return answer
