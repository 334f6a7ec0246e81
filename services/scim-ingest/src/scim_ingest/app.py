"""The scim-ingest service: routes, client, readiness."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from scim_ingest.bulk import Bulk
from scim_ingest.discovery import Discovery
from scim_ingest.exchange import Endpoint, fault, http_error, refuse
from scim_ingest.groups import Groups
from scim_ingest.journal import Journal
from scim_ingest.large_bodies import places
from scim_ingest.limits import Limits
from scim_ingest.oauth.endpoint import TokenEndpoint
from scim_ingest.oauth.fetching import KeyFetcher
from scim_ingest.oauth.keys import KeyRing
from scim_ingest.protocol.errors import ScimError
from scim_ingest.recording import RecordingClient
from scim_ingest.root_search import RootSearch
from scim_ingest.settings import Settings
from scim_ingest.users import Users
from shared.clock import Clock, system_clock
from shared.directory_client import DirectoryClient
from shared.http.fetching import allowed_hosts
from shared.http.service import Service
from shared.telemetry.logs import EventLog

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_service(
    settings: Settings, *, directory: DirectoryClient | None = None, clock: Clock = system_clock
) -> Service:
    """The service, ready to be started. `directory` replaces the client in tests.

    Raises SettingsError where FEDERATION_HOSTS cannot be read.
    """
    client = directory or RecordingClient(settings.directory_url, settings.directory_secret)
    log = EventLog("scim-ingest")
    fetcher = KeyFetcher(allowed_hosts(settings.federation_hosts, "FEDERATION_HOSTS"))
    keys = KeyRing(fetcher.fetch, log)
    journal = Journal(client, log, every_s=settings.journal_every_s)

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        async with client, fetcher, journal.running():
            yield

    async def ready() -> str | None:
        return None if await client.is_ready() else "directory cannot be reached"

    users, groups = Users(client, settings, log), Groups(client, settings, log)
    service = Service(
        "scim-ingest",
        settings,
        routes=[
            *_not_offered(log),
            *users.routes(),
            *groups.routes(),
            *Bulk(client, {"Users": users.writing, "Groups": groups.writing}, settings, log).routes(),
            *RootSearch(users, groups, settings, log).routes(),
            *Discovery(client, settings, log).routes(),
            *TokenEndpoint(client, settings, log, fetcher=fetcher, keys=keys, clock=clock).routes(),
        ],
        resources=resources,
        ready=ready,
        fault_answer=fault,
        exception_handlers={HTTPException: http_error},
    )
    service.app = _TidyPath(
        service.app,
        limits=Limits(settings.scim_rate_per_company),
        places=places(),
        journal=journal,
        directory=client,
    )
    return service


def _not_offered(log: EventLog) -> list[Route]:
    """Parts of SCIM that are not here, in a sentence; discovery does not mention them either."""

    def refusing(detail: str) -> Endpoint:
        async def not_offered(request: Request) -> Response:
            return refuse(ScimError(501, detail), log)

        return not_offered

    told = {"/Me": "/Me is not offered: a provisioning token belongs to no user."}
    return [Route(f"/scim/v2/{{company}}{path}", refusing(detail), methods=_METHODS) for path, detail in told.items()]


class _TidyPath:
    """Double and trailing slashes away: administrators paste Tenant URLs by hand. Beside it what every endpoint shares."""

    def __init__(self, app: ASGIApp, **shared: object) -> None:
        self._app = app
        self._shared = shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if untidy := "//" in path or path.endswith("/"):
                scope = {**scope, "path": re.sub(r"/{2,}", "/", path).rstrip("/") or "/"}
            scope["state"] = {**scope.get("state", {}), **self._shared, "untidy_path": untidy}
        await self._app(scope, receive, send)
