"""`/oauth2/logout`: an app signs somebody out here (RP-Initiated Logout 1.0).

    an ID token of whoever is signed in here    -> ended, and back to the app
    nobody is signed in here                    -> back to the app
    anything else                               -> the person is asked first: any site may send a browser here

Back means an address that the client has registered, exactly; without one it is our front page. What an app holds beside the
browser's session (`offline_access`) it gives back itself, at `/oauth2/revoke`.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, log
from sso_gateway.oidc.asking import MAX_FIELDS, MAX_QUERY
from sso_gateway.oidc.provider import Provider
from sso_gateway.oidc.redirects import with_answer
from sso_gateway.oidc.tokens import IdClaims, read_id_token
from sso_gateway.sessions import cookies
from sso_gateway.sessions.current import end_session, signed_in
from sso_gateway.sessions.routes import from_our_own_pages

PATH = "/oauth2/logout"
_OURS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")


class LogoutRefused(Exception):
    """Told to the person, on a page of ours."""

    def __init__(self, reason: str, got: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.got = got


@dataclass(frozen=True, slots=True)
class Asked:
    hint: IdClaims | None
    goal: str | None
    """Where to go on to, proven to be the client's; None: nowhere."""
    app: str | None
    """Its name, where it says which it is; not proven."""
    fields: dict[str, str]


async def log_out(gateway: Gateway, provider: Provider, request: Request) -> Response:
    try:
        asked = _read(provider, request.scope["query_string"])
    except LogoutRefused as refused:
        return _refused(gateway, request, refused)
    person = await signed_in(gateway.sessions, request)
    if person is None:
        metrics.OIDC_LOGOUTS.labels("nobody").inc()
        return _go_on(gateway, asked)
    if asked.hint is None or asked.hint.sub != person.employee_id:
        metrics.OIDC_LOGOUTS.labels("asked").inc()
        fields = {name: value for name, value in asked.fields.items() if name != "id_token_hint"}
        return gateway.pages.page(request, "logout.html", person=person, app=asked.app, fields=fields)
    await _end(gateway, request)
    return _go_on(gateway, asked)


async def log_out_by_form(gateway: Gateway, provider: Provider, request: Request) -> Response:
    """Our own page's answer; or another site's form, which brings no cookie and is asked for as an address."""
    try:
        body = await read_body(request, MAX_QUERY)
        fields = dict(parse_qsl(body.decode("ascii"), max_num_fields=MAX_FIELDS, errors="strict"))
    except (BodyTooLarge, BodyTooSlow, ValueError):
        return _refused(gateway, request, LogoutRefused("invalid_request"))
    if fields.pop("confirmed", None) != "yes" or not from_our_own_pages(request, gateway.settings.public_url):
        query = urlencode({name: value for name, value in fields.items() if name in _OURS})
        return gateway.pages.protected(RedirectResponse(f"{PATH}?{query}", status_code=303))
    try:
        asked = _read(provider, urlencode(fields).encode("ascii"))
    except LogoutRefused as refused:
        return _refused(gateway, request, refused)
    await _end(gateway, request)
    # Not a redirect: the browser holds the whole chain after a form to form-action (docs/login.md).
    if asked.goal is None:
        return _go_on(gateway, asked)
    response = gateway.pages.page(request, "continue.html", target=asked.goal, lead="signed_out_lead")
    cookies.clear(response, cookies.SESSION)
    return response


def _read(provider: Provider, query: bytes) -> Asked:
    try:
        pairs = parse_qsl(query.decode("ascii"), max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise LogoutRefused("invalid_request") from None
    ours = [(name, value) for name, value in pairs if name in _OURS]
    fields = dict(ours)
    if len(query) > MAX_QUERY or len(fields) < len(ours):
        raise LogoutRefused("invalid_request")
    hint = None
    if text := fields.get("id_token_hint"):
        # One that is not believed is as none: the person is asked.
        hint = read_id_token(provider.keys(), text, issuer=provider.issuer)
    named = fields.get("client_id", hint.aud if hint else None)
    if hint is not None and named != hint.aud:
        raise LogoutRefused("unknown_client", named)
    client = provider.clients.get(named)
    return Asked(hint, _goal(provider, fields, named), client.name if client is not None else None, fields)


def _goal(provider: Provider, fields: dict[str, str], client_id: str | None) -> str | None:
    address = fields.get("post_logout_redirect_uri")
    client = provider.clients.get(client_id)
    if client_id is not None and client is None:
        raise LogoutRefused("unknown_client", client_id)
    if address is None:
        return None
    if client is None or not client.may_log_out_to(address):
        raise LogoutRefused("wrong_redirect", address)
    return with_answer(address, {"state": fields.get("state")})


async def _end(gateway: Gateway, request: Request) -> None:
    ended = await end_session(gateway, request)
    metrics.OIDC_LOGOUTS.labels("ended" if ended is not None and ended.ended else "nobody").inc()
    if ended is not None and ended.ended:
        metrics.SESSIONS_ENDED.labels("logout").inc()
        log.info("session_ended", cause="app")


def _go_on(gateway: Gateway, asked: Asked) -> Response:
    response = gateway.pages.protected(RedirectResponse(asked.goal or "/", status_code=303))
    cookies.clear(response, cookies.SESSION)
    return response


def _refused(gateway: Gateway, request: Request, refused: LogoutRefused) -> Response:
    metrics.OIDC_LOGOUTS.labels("refused").inc()
    log.info("app_logout_refused", reason=refused.reason)
    got = refused.got[:200] if refused.got else None
    return gateway.pages.refusal(request, refused.reason, status=400, got=got)
