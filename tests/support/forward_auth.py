"""An application behind nginx, which is configured as docs/forward-auth.md says and asks a gateway of its own."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.support import nginx
from tests.support.stack import Stack, free_port, second_gateway

PAGE = Path(__file__).resolve().parents[2] / "docs" / "forward-auth.md"


@dataclass
class Application:
    """What stands behind nginx: it says yes to everything and remembers each request, header by header."""

    seen: list[list[tuple[str, str]]] = field(default_factory=list)
    bodies: list[int] = field(default_factory=list)
    port: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append([(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers])
        if request.headers.get("Upgrade") == "websocket":
            socket_ = web.WebSocketResponse()
            await socket_.prepare(request)
            await socket_.send_str("hello")
            await socket_.close()
            return socket_
        body = await request.read()
        self.bodies.append(len(body))
        return web.Response(text=f"{request.method} {request.path_qs}")

    def identity(self) -> dict[str, list[str]]:
        """What the last request said under any name that somebody could take for ours; values by name, undecoded."""
        told: dict[str, list[str]] = {}
        for name, value in self.seen[-1]:
            if re.sub("[^a-z]", "", name.lower()).startswith("xidentity"):
                told.setdefault(name, []).append(value)
        return told


@dataclass(frozen=True)
class Front:
    """nginx, what stands behind it, and the gateway that takes nginx' address for its own."""

    application: Application
    url: str
    gateway_url: str


def documented(port: int, gateway: str, application: Application, *, conditions: str = "") -> str:
    """The configuration of the page, with this test's addresses in the place of the example's."""
    config = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)[0]
    for example, here in (
        ("server sso-gateway:8000;", f"server {gateway.removeprefix('http://')};"),
        ("server application:8000;", f"server 127.0.0.1:{application.port};"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("identity_gateway/auth;", f"identity_gateway/auth{conditions};"),
    ):
        assert config.count(example) == 1, example
        config = config.replace(example, here)
    return str(config)


@asynccontextmanager
async def running_application() -> AsyncIterator[Application]:
    application = Application()
    server = web.Application(client_max_size=64 * 1024 * 1024)
    server.router.add_route("*", "/{path:.*}", application.answer)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    application.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield application
    finally:
        await runner.cleanup()


@asynccontextmanager
async def behind_nginx(
    stack: Stack, folder: Path, *, conditions: str = "", gateway_url: str = "", **gateway: object
) -> AsyncIterator[Front]:
    async with AsyncExitStack() as opened:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        application = await opened.enter_async_context(running_application())
        gateway_url = gateway_url or await opened.enter_async_context(second_gateway(stack, public_url=url, **gateway))
        config = documented(port, gateway_url, application, conditions=conditions)
        await opened.enter_async_context(nginx.running(config, folder))
        yield Front(application, url, gateway_url)
