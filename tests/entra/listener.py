"""uvicorn inside the running event loop, on a port that is taken before anything else happens."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever runs the loop."""
        yield


class Listener:
    """`config.port` 0 takes a free port; `.port` tells which."""

    def __init__(self, config: uvicorn.Config) -> None:
        config.timeout_graceful_shutdown = config.timeout_graceful_shutdown or 2
        self._config = config
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Raises: OSError, when the port is taken."""
        family = socket.AF_INET6 if ":" in self._config.host else socket.AF_INET
        # The protocol is named because asyncio sets TCP_NODELAY only on sockets that name it; 40 ms a request.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self._config.host, self._config.port))
        except OSError:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError("the listener ended before it began")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            self._task = None
