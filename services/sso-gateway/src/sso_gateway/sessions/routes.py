"""What an application asks about a session, and its end. For an ingress the same is in `forward_auth_routes.py`.

GET  /session   who is signed in, as JSON, or 401
POST /logout    ends the session in this browser; with at=idp it goes on to Microsoft, and signs the person out there too
"""

import secrets
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.schemas.login import IdpSession
from shared.telemetry import context
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, bind, log
from sso_gateway.pages.render import wants_json
from sso_gateway.return_path import return_path
from sso_gateway.saml.request import logout_at_idp
from sso_gateway.sessions import cookies
from sso_gateway.sessions.current import end_session, known_session, not_signed_in

MAX_FORM_BYTES = 8 * 1024
FINISH = "/login/finish"
"""Where somebody goes on who takes over the browser (S88)."""


class GoOn(msgspec.Struct, frozen=True):
    """What a JSON client gets that signs out at Microsoft too."""

    go_on_to: str


def routes(gateway: Gateway) -> list[Route]:
    return [
        Route("/session", bind(gateway, show_session), methods=["GET"]),
        Route("/logout", bind(gateway, sign_out), methods=["POST"]),
    ]


async def show_session(gateway: Gateway, request: Request) -> Response:
    known = await known_session(gateway.sessions, request)
    if known is None:
        return not_signed_in(gateway, request)
    return gateway.pages.protected(Response(known.body, media_type="application/json"))


async def sign_out(gateway: Gateway, request: Request) -> Response:
    if not from_our_own_pages(request, gateway.settings.public_url):
        return gateway.pages.refusal(request, "wrong_origin", status=403)
    try:
        fields = parse_qs((await read_body(request, MAX_FORM_BYTES)).decode("utf-8"), max_num_fields=10)
    except (BodyTooLarge, BodyTooSlow, ValueError):
        return gateway.pages.refusal(request, "invalid_request", status=400)
    idp_session = await _end_session(gateway, request, at_idp=fields.get("at") == ["idp"])
    goal = return_path(fields.get("return_to", [""])[0])
    response: Response
    if idp_session is not None:
        response = _go_on_to_idp(gateway, request, idp_session)
    elif wants_json(request):
        response = Response(status_code=204)
    elif goal == FINISH:
        # Not a redirect, as below: an app may wait behind the login that is finished there.
        response = gateway.pages.page(request, "continue.html", target=goal, lead="switching_lead")
    else:
        response = RedirectResponse(goal, status_code=303)
    cookies.clear(response, cookies.SESSION)
    return gateway.pages.protected(response)


async def _end_session(gateway: Gateway, request: Request, *, at_idp: bool) -> IdpSession | None:
    """What Entra knows the session by, where somebody wants to sign out there too and there was one."""
    ended = await end_session(gateway, request, at_idp=at_idp)
    if ended is None:
        return None
    if ended.ended:
        metrics.SESSIONS_ENDED.labels("logout").inc()
        log.info("session_ended", cause="logout")
    return ended.idp_session


def _go_on_to_idp(gateway: Gateway, request: Request, idp_session: IdpSession) -> Response:
    trusted = gateway.connections.remember(idp_session.connection)
    context.company.set(trusted.connection.company)
    address = logout_at_idp(
        login_url=trusted.connection.login_url,
        entity_id=trusted.expected.entity_id,
        request_id=f"_{secrets.token_hex(16)}",
        name_id=idp_session.name_id,
        name_id_format=idp_session.name_id_format,
        session_index=idp_session.session_index,
        issued_at=gateway.clock(),
    )
    metrics.LOGOUTS_AT_IDP.labels("http_redirect").inc()
    log.info("logout_sent_on")
    if wants_json(request):
        return gateway.pages.json(GoOn(address))
    # Not a redirect: the browser holds the whole chain after a form to form-action (docs/login.md).
    return gateway.pages.page(request, "continue.html", target=address, lead="signing_out_lead")


def from_our_own_pages(request: Request, public_url: str) -> bool:
    """Against forms on other sites. A browser says where a POST comes from; what says nothing is no browser.

    Our pages send no referrer, which makes Origin "null" even among themselves: Sec-Fetch-Site has the first word.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or origin == public_url.rstrip("/")
