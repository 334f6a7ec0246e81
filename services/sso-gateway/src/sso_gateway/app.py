"""The sso-gateway service: its routes, its one client, and its answers to what nobody expected."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.clock import Clock, system_clock
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.http.fetching import Fetcher, allowed_hosts
from shared.http.service import Service
from shared.telemetry.metrics import RATE_LIMITED
from sso_gateway.gateway import Gateway, log
from sso_gateway.limits import Limits, TooManyRequests
from sso_gateway.oidc import routes as oidc_routes
from sso_gateway.oidc.provider import provider_of
from sso_gateway.pages import routes as page_routes
from sso_gateway.pages.render import Pages
from sso_gateway.saml import finish_routes, logout_routes
from sso_gateway.saml import routes as saml_routes
from sso_gateway.saml.connection import Connections
from sso_gateway.saml.large import LargeForms
from sso_gateway.saml.metadata_looks import EVERY_S, looking
from sso_gateway.saml.metadata_refresh import MetadataRefresh
from sso_gateway.saml.refusals import Refusals
from sso_gateway.sessions import forward_auth_routes, own_routes
from sso_gateway.sessions import routes as session_routes
from sso_gateway.sessions.known import Sessions
from sso_gateway.sessions.watching import watching
from sso_gateway.settings import Settings


def create_service(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    now: Callable[[], float] = time.monotonic,
    client: DirectoryClient | None = None,
    looks_every_s: float = EVERY_S,
) -> Service:
    """The service, ready to be started. `client`: for tests that look at this service alone. `now`: seconds by which sessions
    are remembered. `looks_every_s`: how often it asks whose metadata is due.

    Raises:
        SettingsError: where the apps of the OpenID Provider or its keys are wrong.
    """
    # One connection of its own, so that it stays with one process of directory and waits for no other call.
    watcher = client or DirectoryClient(settings.directory_url, settings.directory_secret, connections=1)
    client = client or DirectoryClient(settings.directory_url, settings.directory_secret)
    pages = Pages(settings.public_url)
    connections = Connections(client, settings.public_url, settings.connection_ttl_s)
    fetcher = Fetcher(allowed_hosts(settings.metadata_hosts, "METADATA_HOSTS"), accept="application/samlmetadata+xml")
    refresh = MetadataRefresh(fetcher, client, connections)
    gateway = Gateway(
        settings=settings,
        client=client,
        connections=connections,
        refresh=refresh,
        pages=pages,
        limits=Limits(
            per_company=settings.login_rate_per_company,
            per_address=settings.login_rate_per_address if settings.knows_addresses else 0,
            grants_per_company=settings.oidc_rate_per_company,
        ),
        large=LargeForms(),
        refusals=Refusals(client, clock, every_s=settings.traces_every_s),
        clock=clock,
        sessions=Sessions(client, clock, now=now),
        provider=provider_of(settings),
    )

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        if not settings.knows_addresses:
            log.warning("client_addresses_unknown", setting="FORWARDED_ALLOW_IPS")
        with closing(gateway.large):
            async with client, fetcher, watcher, watching(watcher, gateway.sessions):
                async with gateway.refusals.running(), looking(client, refresh, every_s=looks_every_s):
                    yield
                await refresh.close()

    async def ready() -> str | None:
        return None if await client.is_ready() else "directory cannot be reached"

    service = Service(
        "sso-gateway",
        settings,
        routes=[
            *page_routes.routes(gateway),
            *session_routes.routes(gateway),
            *own_routes.routes(gateway),
            *forward_auth_routes.routes(gateway),
            # Before /login/{company}: no company may be named "finish".
            *finish_routes.routes(gateway),
            *saml_routes.routes(gateway),
            *logout_routes.routes(gateway),
            *oidc_routes.routes(gateway),
        ],
        resources=resources,
        ready=ready,
        fault_answer=pages.fault,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        exception_handlers={
            DomainError: _domain_error(pages),
            TooManyRequests: _too_many(pages),
            HTTPException: _http_error(pages),
        },
    )
    service.app = _without_final_slash(service.app)
    return service


def _without_final_slash(app: ASGIApp) -> ASGIApp:
    """Administrators paste addresses by hand. Overlooked and not redirected, for a redirect would have to name a host."""

    async def tidy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/"):
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        await app(scope, receive, send)

    return tidy


ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


def _domain_error(pages: Pages) -> ErrorHandler:
    """The refusals of directory that no handler has a better word for."""

    async def answer(request: Request, error: Exception) -> Response:
        code = error.code if isinstance(error, DomainError) else ErrorCode.unavailable
        if code is ErrorCode.not_found:
            return pages.refusal(request, "unknown_company", status=404)
        if code in (ErrorCode.unavailable, ErrorCode.unauthorized):
            # unauthorized: our own credential does not fit, which no visitor can mend either.
            log.error("directory_unavailable", code=code.value)
            response = pages.refusal(request, "unavailable", status=503)
            response.headers["Retry-After"] = "5"
            return response
        log.warning("directory_refused", code=code.value)
        return pages.refusal(request, "invalid_request", status=400)

    return answer


def _too_many(pages: Pages) -> ErrorHandler:
    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, TooManyRequests)  # noqa: S101
        RATE_LIMITED.labels(error.surface, error.scope).inc()
        log.info("login_limited", surface=error.surface, scope=error.scope)
        response = pages.refusal(request, "too_many_requests", status=429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response

    return answer


def _http_error(pages: Pages) -> ErrorHandler:
    async def answer(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        reason = "not_found" if status == HTTPStatus.NOT_FOUND else "invalid_request"
        response = pages.refusal(request, reason, status=status)
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        return response

    return answer
