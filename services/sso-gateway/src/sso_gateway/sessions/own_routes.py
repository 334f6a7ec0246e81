"""A person's own sessions, in a list, and their end.

GET  /sessions   where he is signed in: browsers, and apps by themselves
POST /sessions   ends one of them (session_id=ses_…), or with others=all every one but this browser's
"""

from collections.abc import Sequence
from urllib.parse import parse_qs, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.errors import DomainError, ErrorCode
from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.schemas.sessions import EndOwnSessions, ListedSession, ListOwnSessions
from shared.telemetry import context
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, bind, log
from sso_gateway.pages.render import wants_json
from sso_gateway.sessions import cookies
from sso_gateway.sessions.current import not_signed_in, session_credential
from sso_gateway.sessions.routes import MAX_FORM_BYTES, from_our_own_pages

PATH = "/sessions"


class Listed(msgspec.Struct, frozen=True):
    """What a JSON client gets."""

    sessions: Sequence[ListedSession]
    more: bool


class Ended(msgspec.Struct, frozen=True):
    ended: int


def routes(gateway: Gateway) -> list[Route]:
    return [
        Route("/sessions", bind(gateway, show_own_sessions), methods=["GET"]),
        Route("/sessions", bind(gateway, end_own_sessions), methods=["POST"]),
    ]


async def show_own_sessions(gateway: Gateway, request: Request) -> Response:
    credential = session_credential(request)
    if credential is None:
        return _sign_in(gateway, request)
    try:
        found = await gateway.client.list_own_sessions(ListOwnSessions(session=credential))
    except DomainError as error:
        return _gone(gateway, request, error)
    context.company.set(found.company)
    if wants_json(request):
        return gateway.pages.json(Listed(found.sessions, found.more))
    apps = {one.client_id: _name_of_app(gateway, one.client_id) for one in found.sessions if one.client_id}
    return gateway.pages.page(request, "sessions.html", sessions=found.sessions, more=found.more, apps=apps)


async def end_own_sessions(gateway: Gateway, request: Request) -> Response:
    if not from_our_own_pages(request, gateway.settings.public_url):
        return gateway.pages.refusal(request, "wrong_origin", status=403)
    try:
        fields = parse_qs((await read_body(request, MAX_FORM_BYTES)).decode("utf-8"), max_num_fields=10)
        session_id = _meant(fields)
    except (BodyTooLarge, BodyTooSlow, ValueError):
        return gateway.pages.refusal(request, "invalid_request", status=400)
    credential = session_credential(request)
    if credential is None:
        return _sign_in(gateway, request)
    try:
        outcome = await gateway.client.end_own_sessions(EndOwnSessions(session=credential, session_id=session_id))
    except DomainError as error:
        return _gone(gateway, request, error)
    finally:
        # It may be the one that ended, also where the answer was lost; the others hear of it in a moment.
        gateway.sessions.forget(credential)
    context.company.set(outcome.company)
    metrics.SESSIONS_ENDED.labels("list").inc(outcome.ended)
    log.info("sessions_ended", cause="list", sessions=outcome.ended)
    response: Response
    if wants_json(request):
        response = gateway.pages.json(Ended(outcome.ended))
    else:
        # 303, not 302: the browser must not repeat the POST (RFC 9110 section 15.4.4).
        response = gateway.pages.protected(RedirectResponse("/" if outcome.current else PATH, status_code=303))
    if outcome.current:
        cookies.clear(response, cookies.SESSION)
    return response


def _meant(fields: dict[str, list[str]]) -> str | None:
    """Which session; None: all the others. Raises ValueError where the form says neither, or both."""
    match fields.get("session_id"), fields.get("others"):
        case [session_id], None:
            return session_id
        case None, ["all"]:
            return None
    raise ValueError


def _gone(gateway: Gateway, request: Request, error: DomainError) -> Response:
    if error.code is not ErrorCode.unauthorized:
        raise error
    return _sign_in(gateway, request)


def _sign_in(gateway: Gateway, request: Request) -> Response:
    if wants_json(request):
        return not_signed_in(gateway, request)
    query = urlencode({"return_to": PATH})
    return gateway.pages.protected(RedirectResponse(f"/login?{query}", status_code=303))


def _name_of_app(gateway: Gateway, client_id: str) -> str:
    """By its id where it is registered no more."""
    client = gateway.provider.clients.get(client_id) if gateway.provider is not None else None
    return client.name if client is not None else client_id
