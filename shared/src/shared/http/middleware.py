"""What happens around every request: ids, trace, time, log line, and the answer to the unexpected.

Pure ASGI. The only place that catches `Exception`, beside background loops and the single operations of a bulk request.
"""

import re
import time
import uuid
from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry import context, metrics
from shared.telemetry.logs import EventLog
from shared.telemetry.tracing import server_span

_REQUEST_ID = re.compile(rb"[0-9a-f]{32}(?:\.[0-9]{1,5})?\Z")
"""Behind the point: which operation of a bulk request."""

FaultAnswer = Callable[[str], Response]
"""Makes the 500 of a service, given the request id."""


class RequestMiddleware:
    """`trust_caller`: take the caller's request id (directory, behind our own edges); an edge always makes its own."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        log: EventLog,
        fault_answer: FaultAnswer,
        trust_caller: bool,
        routes: object = (),
    ) -> None:
        self._app = app
        self._service = service
        self._log = log
        self._fault_answer = fault_answer
        self._trust_caller = trust_caller
        self._templates = _templates(routes)
        self._active = metrics.HTTP_SERVER_ACTIVE.labels(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = self._request_id(headers)
        context.request_id.set(request_id)
        context.company.set("")
        context.attempt.set("")
        exchange = _Exchange(send, request_id)
        started = time.perf_counter()
        self._active.inc()
        incoming = headers.get(b"traceparent")
        with server_span(scope["method"], incoming.decode("latin-1") if incoming else None) as span:
            try:
                await self._app(scope, receive, exchange.send)
            except Exception as error:
                self._log.error("request_failed", exc_info=True, error=type(error).__name__)
                exchange.status = 500
                if not exchange.started:
                    await self._fault_answer(request_id)(scope, receive, exchange.send)
            finally:
                self._active.dec()
                seconds = time.perf_counter() - started
                route = self._templates.get(scope.get("endpoint"), "(none)")
                metrics.observe_request(_method(scope["method"]), route, exchange.status, seconds)
                if span.is_recording():
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attribute("http.route", route)
                    span.set_attribute("http.response.status_code", exchange.status)
                    if company := context.company.get():
                        span.set_attribute("identity.company", company)
                # Behind an edge the edge's own line tells of the request; a refusal or a fault is worth a second one.
                write = self._log.debug if self._trust_caller and exchange.status < 500 else self._log.info
                write(
                    "request_answered",
                    method=scope["method"],
                    route=route,
                    status=exchange.status,
                    ms=round(seconds * 1000, 1),
                )

    def _request_id(self, headers: dict[bytes, bytes]) -> str:
        given = headers.get(b"x-request-id", b"") if self._trust_caller else b""
        return given.decode("ascii") if _REQUEST_ID.match(given) else uuid.uuid4().hex


class _Exchange:
    """Watches the answer go out, and adds the request id to it."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._header = (b"x-request-id", request_id.encode("ascii"))
        self.status = 500
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], self._header]}
        await self._send(message)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _method(method: str) -> str:
    # A stranger may invent methods; a label must stay closed.
    return method if method in _METHODS else "_OTHER"


def _templates(routes: object, prefix: str = "") -> dict[object, str]:
    """Endpoint -> path template, for metric labels and span names."""
    found: dict[object, str] = {}
    for route in routes if isinstance(routes, list | tuple) else ():
        if isinstance(route, Route):
            found.setdefault(route.endpoint, prefix + route.path)
        elif isinstance(route, Mount):
            found.update(_templates(list(route.routes or ()), prefix + route.path))
            found.setdefault(route.app, prefix + route.path)
    return found
