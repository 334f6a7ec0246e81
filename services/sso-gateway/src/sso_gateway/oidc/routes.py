"""The OpenID Provider's addresses. Without configured clients each answers 404, and says why.

GET  /.well-known/openid-configuration   what the provider is (OpenID Connect Discovery 1.0)
GET  /oauth2/jwks                        its public keys
GET  /oauth2/authorize                   a browser, for an app
POST /oauth2/token                       an app: a code or a refresh token for tokens
GET  /oauth2/userinfo                    whose access token it is
POST /oauth2/introspect                  the back end: whether a token is good
POST /oauth2/revoke                      an app gives back what it holds
GET  /oauth2/logout                      an app signs somebody out in this browser
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sso_gateway.gateway import Endpoint, Gateway, bind
from sso_gateway.oidc.authorize import authorize, authorize_by_form
from sso_gateway.oidc.calling import Handler, answering
from sso_gateway.oidc.logout import log_out, log_out_by_form
from sso_gateway.oidc.provider import Provider
from sso_gateway.oidc.showing import introspect, revoke, userinfo
from sso_gateway.oidc.token import exchange

PUBLISHED_S = 300
"""How long others may keep what is published; a new key is published long before it signs."""


def routes(gateway: Gateway) -> list[Route]:
    called = ["POST", "OPTIONS"]
    return [
        Route("/.well-known/openid-configuration", _bound(gateway, show_metadata), methods=["GET"]),
        Route("/oauth2/jwks", _bound(gateway, show_keys), methods=["GET"]),
        Route("/oauth2/authorize", _bound(gateway, authorize), methods=["GET"]),
        Route("/oauth2/authorize", _bound(gateway, authorize_by_form), methods=["POST"]),
        Route("/oauth2/token", _bound(gateway, answering("token", exchange)), methods=called),
        Route("/oauth2/userinfo", _bound(gateway, answering("userinfo", userinfo)), methods=["GET", *called]),
        Route("/oauth2/introspect", _bound(gateway, answering("introspect", introspect)), methods=called),
        Route("/oauth2/revoke", _bound(gateway, answering("revoke", revoke)), methods=called),
        Route("/oauth2/logout", _bound(gateway, log_out), methods=["GET"]),
        Route("/oauth2/logout", _bound(gateway, log_out_by_form), methods=["POST"]),
    ]


def _bound(gateway: Gateway, handler: Handler) -> Endpoint:
    async def given(gateway: Gateway, request: Request) -> Response:
        if gateway.provider is None:
            return gateway.pages.refusal(request, "openid_off", status=404)
        return await handler(gateway, gateway.provider, request)

    return bind(gateway, given)


async def show_metadata(gateway: Gateway, provider: Provider, request: Request) -> Response:
    return _published(gateway.pages.json(provider.metadata()))


async def show_keys(gateway: Gateway, provider: Provider, request: Request) -> Response:
    response = gateway.pages.json(provider.keys().published)
    response.headers["Content-Type"] = "application/jwk-set+json"
    return _published(response)


def _published(response: Response) -> Response:
    """Nothing of it is anybody's: every page may read it."""
    response.headers["Cache-Control"] = f"public, max-age={PUBLISHED_S}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
