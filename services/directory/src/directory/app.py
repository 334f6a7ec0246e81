"""The directory service: routes, pool, readiness."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from directory.access import provisioning
from directory.api.routes import routes as application_routes
from directory.api.setup import routes as history_routes
from directory.approvers.routes import routes as approver_routes
from directory.brake.setup import routes as brake_routes
from directory.companies.metadata_looks import routes as look_routes
from directory.companies.signing import routes as signing_routes
from directory.cycles.counting import counted
from directory.cycles.notes import Notes
from directory.cycles.writing import EVERY_S, written_down
from directory.database import Database
from directory.employees.routes import routes as employee_routes
from directory.employees.setup import routes as people_routes
from directory.events.heads import WaitingReaders
from directory.groups.routes import routes as group_routes
from directory.journal.routes import routes as journal_routes
from directory.listening import listening
from directory.logins.routes import routes as login_routes
from directory.logins.sessions import routes as session_routes
from directory.logins.watching import CHANNEL, EndingsHeard
from directory.oauth.routes import routes as oauth_routes
from directory.oidc.routes import routes as oidc_routes
from directory.rpc import serve
from directory.selfcheck import check
from directory.settings import Settings
from directory.traces.routes import routes as trace_routes
from shared.clock import Clock, system_clock
from shared.http.problem import Problem
from shared.http.service import Service
from shared.http.service_auth import CallerSecrets
from shared.operations import CHECK_CREDENTIAL
from shared.schemas.employee import CheckCredential, CompanyProvisioning


def create_service(
    settings: Settings, *, clock: Clock = system_clock, notes: Notes | None = None, notes_every_s: float = EVERY_S
) -> Service:
    """The service, ready to be started.

    Starting refuses (`selfcheck.SelfCheckFailed`) unless the database enforces the isolation of companies.
    """
    database = Database(
        settings.database_app_url,
        clock=clock,
        min_size=settings.database_pool_min,
        max_size=settings.database_pool_max,
        notes=notes,
    )
    readers = WaitingReaders(database.history_heads)
    endings = EndingsHeard()
    callers = CallerSecrets({"scim-ingest": settings.scim_ingest_secret, "sso-gateway": settings.sso_gateway_secret})

    async def check_credential(request: CheckCredential) -> CompanyProvisioning:
        async with provisioning(database, request.credential, reading=True) as tx:
            return CompanyProvisioning(company=tx.company.name, strict=bool(tx.company.provisioning_strict))

    async def ready() -> str | None:
        return None if await database.is_reachable() else "the database cannot be reached"

    async def ready_route(request: Request) -> Response:
        """For the edges: with a wrong credential an edge must not call itself ready."""
        if callers.caller(request.headers.get("authorization")) is None:
            return PlainTextResponse("who are you?\n", status_code=401)
        reason = await ready()
        return PlainTextResponse(f"{reason or 'ready'}\n", status_code=503 if reason else 200)

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        async with database:
            async with database.connection() as connection:
                await check(connection)
            async with (
                written_down(database, database.notes, every_s=notes_every_s),
                counted(database),
                listening(settings.database_app_url, CHANNEL, endings),
            ):
                yield

    def stopping() -> None:
        readers.close()
        endings.close()

    return Service(
        "directory",
        settings,
        routes=[
            Route("/ready", ready_route),
            serve(CHECK_CREDENTIAL, callers, check_credential),
            *oauth_routes(database, callers),
            *employee_routes(database, callers),
            *people_routes(database, callers),
            *group_routes(database, callers),
            *brake_routes(database, callers),
            *journal_routes(database, callers),
            *login_routes(database, callers, endings),
            *session_routes(database, callers),
            *oidc_routes(database, callers),
            *trace_routes(database, callers),
            *signing_routes(database, callers),
            *look_routes(database, callers),
            *history_routes(database, callers),
            *application_routes(database, readers),
            *approver_routes(database, callers),
        ],
        resources=resources,
        ready=ready,
        fault_answer=_fault,
        trust_caller=True,
        stopping=stopping,
    )


def _fault(request_id: str) -> Response:
    body = Problem(code="internal", status=500, title="internal error", request_id=request_id)
    return Response(msgspec.json.encode(body), status_code=500, media_type="application/problem+json")
