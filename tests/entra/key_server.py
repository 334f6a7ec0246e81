"""`login.microsoftonline.com`, as far as keys are concerned: each tenant's are published, and a test may spoil how."""

import asyncio
from collections import Counter
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.entra.listener import Listener
from tests.entra.workload import Workload


class KeyServer:
    def __init__(self) -> None:
        self.workloads: dict[str, Workload] = {}
        self.fetches: Counter[str] = Counter()
        """By tenant."""
        self.spoiled: dict[str, Response] = {}
        """What a tenant's keys are answered with instead."""
        self.slow_s: dict[str, float] = {}
        app = Starlette(routes=[Route("/{tenant}/discovery/v2.0/keys", self._keys)])
        self._listener = Listener(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._listener.port}"

    def workload(self, tenant_id: str) -> Workload:
        """A tenant whose keys are published here."""
        return self.workloads.setdefault(tenant_id, Workload(tenant_id, self.origin))

    async def _keys(self, request: Request) -> Response:
        tenant = request.path_params["tenant"]
        self.fetches[tenant] += 1
        await asyncio.sleep(self.slow_s.get(tenant, 0))
        if tenant in self.spoiled:
            return self.spoiled[tenant]
        if tenant not in self.workloads:
            return JSONResponse({"error": "invalid_tenant"}, 400)
        return JSONResponse(self.workloads[tenant].key_set())

    async def __aenter__(self) -> Self:
        await self._listener.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._listener.stop()
