"""A service: the main listener, the ops listener, and a life that begins and ends cleanly.

Both listeners run in one event loop, one process a pod. `run` is a process' main; tests start services directly, three in
one loop, on free ports. Health, readiness and metrics are served on the ops port only.
"""

import asyncio
import contextlib
import platform
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from shared import VERSION
from shared.http.head import BoundedHead, refusing_oversized_heads
from shared.http.middleware import FaultAnswer, RequestMiddleware
from shared.http.routing import QuickRouter
from shared.settings import CommonSettings
from shared.telemetry import context, metrics
from shared.telemetry.logs import EventLog, configure_logs
from shared.telemetry.tracing import configure_tracing, shutdown_tracing

Ready = Callable[[], Awaitable[str | None]]
"""None when the service can serve, otherwise the reason why not."""


class PortTaken(Exception):
    """Somebody else listens there; the text says where and what to do."""


class Service:
    """One of the three services, ready to be started in the running loop."""

    def __init__(
        self,
        name: str,
        settings: CommonSettings,
        *,
        routes: Sequence[BaseRoute],
        resources: Callable[[], AbstractAsyncContextManager[None]],
        ready: Ready,
        fault_answer: FaultAnswer,
        trust_caller: bool = False,
        forwarded_allow_ips: str = "",
        exception_handlers: dict[object, Callable[..., Awaitable[Response]]] | None = None,
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        """`resources` opens what requests need (pool, client) before the first and closes it after the last.

        `stopping` is told first when the service stops: whoever waits for something to happen must answer now.
        """
        self.name = name
        self.settings = settings
        self.log = EventLog(name)
        self._resources = resources
        self._ready = ready
        self._stopping = False
        self._tell_stopping = stopping

        async def fault(request: Request, error: Exception) -> Response:
            return fault_answer(context.request_id.get())

        handlers = exception_handlers or {}
        starlette = Starlette(exception_handlers={**handlers, Exception: fault})
        starlette.router = QuickRouter(routes)
        main = refusing_oversized_heads(starlette, handlers.get(HTTPException))
        self.app: ASGIApp = RequestMiddleware(
            main, service=name, log=self.log, fault_answer=fault_answer, trust_caller=trust_caller, routes=list(routes)
        )
        self._ops_app = Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
            ]
        )
        self._forwarded_allow_ips = forwarded_allow_ips
        self._stack = AsyncExitStack()
        self._main: _Listener | None = None
        self._ops: _Listener | None = None

    @property
    def port(self) -> int:
        assert self._main is not None  # noqa: S101
        return self._main.port

    @property
    def ops_port(self) -> int:
        assert self._ops is not None  # noqa: S101
        return self._ops.port

    async def start(self) -> None:
        """Raises PortTaken; leaves nothing open when it fails."""
        settings = self.settings
        ops_port = settings.ops_port if settings.ops_port >= 0 else settings.port + 1000 if settings.port else 0
        async with AsyncExitStack() as stack:
            main_socket = stack.enter_context(_bind(self.name, settings.host, settings.port))
            ops_socket = stack.enter_context(_bind(self.name, settings.host, ops_port))
            await stack.enter_async_context(self._resources())
            await stack.enter_async_context(_sampling_event_loop_lag())
            grace = settings.shutdown_grace_s
            self._ops = await _Listener.open(self._ops_app, ops_socket, grace)
            stack.push_async_callback(self._ops.close)
            self._main = await _Listener.open(self.app, main_socket, grace, self._forwarded_allow_ips)
            stack.push_async_callback(self._main.close)
            self._stack = stack.pop_all()
        metrics.BUILD_INFO.labels(self.name, VERSION, platform.python_version()).set(1)
        self.log.info("service_started", port=self.port, ops_port=self.ops_port)

    async def stop(self) -> None:
        """Unready at once; requests in flight finish within the grace; then the resources close."""
        self._stopping = True
        self._tell_stopping()
        await self._stack.aclose()
        self.log.info("service_stopped")

    async def _healthz(self, request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def _readyz(self, request: Request) -> Response:
        reason = "stopping" if self._stopping else await self._ready()
        return PlainTextResponse(f"{reason or 'ready'}\n", status_code=503 if reason else 200)

    async def _metrics(self, request: Request) -> Response:
        body, content_type = metrics.exposition()
        return Response(body, headers={"Content-Type": content_type})


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: two servers share one process, and `run` decides when they end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Listener:
    def __init__(self, server: _Server, task: "asyncio.Task[None]", port: int) -> None:
        self._server = server
        self._task = task
        self.port = port

    @classmethod
    async def open(
        cls, app: ASGIApp, listening: socket.socket, grace_s: int, forwarded_allow_ips: str = ""
    ) -> "_Listener":
        config = uvicorn.Config(
            app,
            http=BoundedHead,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(forwarded_allow_ips),
            forwarded_allow_ips=forwarded_allow_ips or None,
            timeout_keep_alive=75,  # longer than the client's 60, so that the client always closes first
            timeout_graceful_shutdown=grace_s,
        )
        server = _Server(config)
        port = int(listening.getsockname()[1])
        # A duplicate, for uvicorn closes what it is given and we close ours too.
        task = asyncio.create_task(server.serve(sockets=[listening.dup()]))
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("the listener ended before it began")
            await asyncio.sleep(0.002)
        return cls(server, task, port)

    async def close(self) -> None:
        self._server.should_exit = True
        await self._task


@contextlib.contextmanager
def _bind(service: str, host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio sends small answers at once (TCP_NODELAY) only on sockets that say they are TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.set_inheritable(False)
    try:
        try:
            listening.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"{service} cannot listen on {host}:{port}: {error.strerror}. Choose another PORT."
            ) from None
        yield listening
    finally:
        listening.close()


@contextlib.asynccontextmanager
async def _sampling_event_loop_lag() -> AsyncIterator[None]:
    async def sample() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 0.5
            await asyncio.sleep(0.5)
            metrics.EVENT_LOOP_LAG.observe(max(0.0, loop.time() - due))

    task = asyncio.create_task(sample())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def run(service: Service) -> int:
    """A process' main: serve until SIGTERM or SIGINT. Returns the exit status."""
    settings = service.settings
    # What takes time is done in threads, and the loop takes over from one within a millisecond instead of five.
    sys.setswitchinterval(0.001)
    configure_logs(service.name, level=settings.log_level, log_format=settings.log_format)
    configure_tracing(
        service.name,
        endpoint=settings.otel_exporter_otlp_endpoint,
        ratio=settings.trace_sample_ratio,
        trust_caller=service.name == "directory",
    )
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve_until_told(service))
    finally:
        shutdown_tracing()


async def _serve_until_told(service: Service) -> int:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    try:
        await service.start()
    except PortTaken as error:
        print(error, file=sys.stderr)  # noqa: T201  the operator's terminal, before there is a service
        return 1
    await told.wait()
    await service.stop()
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
