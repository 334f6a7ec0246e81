"""The simulator as a web server: `EntraServer(tenant)` in tests, `python -m tests.entra` by hand."""

from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from tests.entra import admin, control, forms, sign_in, workload_identity
from tests.entra.listener import Listener
from tests.entra.provisioning import ProvisioningEngine
from tests.entra.saml_requests import SignInRefused
from tests.entra.simulator import Simulator
from tests.entra.state import save
from tests.entra.tenant import Tenant
from tests.entra.web import EXCEPTION_HANDLERS, SameSiteOnly


def web_app(simulator: Simulator) -> Starlette:
    app = Starlette(
        routes=[*control.ROUTES, *forms.ROUTES, *admin.ROUTES, *workload_identity.ROUTES, *sign_in.ROUTES],
        middleware=[Middleware(SameSiteOnly)],
        exception_handlers={**EXCEPTION_HANDLERS, SignInRefused: sign_in.on_refused},
    )
    app.state.simulator = simulator
    return app


class EntraServer:
    """`state_dir`: where every change is saved; None keeps it all in memory."""

    def __init__(
        self,
        tenant: Tenant,
        host: str = "127.0.0.1",
        port: int = 0,
        public_host: str = "localhost",
        state_dir: Path | None = None,
    ) -> None:
        self.tenant = tenant
        self.simulator = Simulator(tenant)
        self._public_host = public_host
        app = web_app(self.simulator)
        self._listener = Listener(uvicorn.Config(app, host=host, port=port, log_level="warning", lifespan="off"))
        if state_dir is not None:
            save(tenant, state_dir)
            tenant.changed.append(lambda: save(tenant, state_dir))

    @property
    def engine(self) -> ProvisioningEngine:
        return self.simulator.engine

    @property
    def url(self) -> str:
        return self.simulator.url

    async def start(self) -> None:
        """Raises: OSError, when the port is taken."""
        await self._listener.start()
        self.simulator.url = f"http://{self._public_host}:{self._listener.port}"
        if any(app.provisioning.is_federated for app in self.tenant.apps.values()):
            self.simulator.workload()

    async def stop(self) -> None:
        await self._listener.stop()

    async def __aenter__(self) -> "EntraServer":
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()
