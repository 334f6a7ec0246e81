"""What every handler of this service needs, made once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from shared.clock import Clock
from shared.directory_client import DirectoryClient
from shared.telemetry.logs import EventLog
from sso_gateway.limits import Limits
from sso_gateway.oidc.provider import Provider
from sso_gateway.pages.render import Pages
from sso_gateway.saml.connection import Connections
from sso_gateway.saml.large import LargeForms
from sso_gateway.saml.metadata_refresh import MetadataRefresh
from sso_gateway.saml.refusals import Refusals
from sso_gateway.sessions.known import Sessions
from sso_gateway.settings import Settings

log = EventLog("sso-gateway")


@dataclass(frozen=True, slots=True)
class Gateway:
    settings: Settings
    client: DirectoryClient
    connections: Connections
    refresh: MetadataRefresh
    pages: Pages
    limits: Limits
    large: LargeForms
    refusals: Refusals
    clock: Clock
    sessions: Sessions
    provider: Provider | None = None
    """The OpenID Provider; None: it is off."""


Handler = Callable[[Gateway, Request], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


MAX_PARAMETERS = 100
"""In an address; nobody needs ten."""


def bind(gateway: Gateway, handler: Handler) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if request.scope["query_string"].count(b"&") >= MAX_PARAMETERS:
            return gateway.pages.refusal(request, "invalid_request", status=400)
        return await handler(gateway, request)

    return endpoint
