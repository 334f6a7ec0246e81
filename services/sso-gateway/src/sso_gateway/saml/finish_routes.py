"""How a login ends: a ticket becomes a session, once, in the browser that began it; and whose browser it is (S88).

GET  /login/finish   finish_login   ticket and browser's secret for a session, 303
POST /login/choose   choose         who goes on, where somebody else is signed in in this browser
"""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.ids import CompanyId
from shared.schemas.login import Choice, DropTicket, OpenedSession, OpenSession, SessionCredential
from shared.telemetry import context
from shared.telemetry.tracing import name_attempt
from shared.tokens import company_of_token, new_company_token, sha256
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, bind, log
from sso_gateway.pages.render import wants_json
from sso_gateway.return_path import return_path
from sso_gateway.saml.outcome import refused, stage
from sso_gateway.sessions import browsers, cookies, tickets
from sso_gateway.sessions.current import session_credential, signed_in
from sso_gateway.sessions.remembered import remember
from sso_gateway.sessions.routes import MAX_FORM_BYTES, from_our_own_pages


def routes(gateway: Gateway) -> list[Route]:
    return [
        Route("/login/finish", bind(gateway, finish_login), methods=["GET"]),
        Route("/login/choose", bind(gateway, choose), methods=["POST"]),
    ]


async def finish_login(gateway: Gateway, request: Request) -> Response:
    """Of several tickets the one that this tab's address names."""
    ticket = tickets.find(request, request.query_params.get("t"))
    response = await _finish_or_explain(gateway, request, ticket)
    tickets.clear_surplus(request, response, ticket)
    return response


async def _finish_or_explain(gateway: Gateway, request: Request, ticket: str | None) -> Response:
    company_id = company_of_token(ticket) if ticket else None
    if ticket is None or company_id is None:
        if await signed_in(gateway.sessions, request) is not None:
            # The page was loaded again; the login itself is done.
            return gateway.pages.protected(RedirectResponse("/", status_code=303))
        return refused(gateway, request, "expired")
    return await _finish(gateway, request, ticket, company_id)


async def _finish(
    gateway: Gateway, request: Request, ticket: str, company_id: CompanyId, *, instead_of: str | None = None
) -> Response:
    current, session = session_credential(request), new_company_token(company_id)
    credential = SessionCredential(company_id=str(company_id), session_sha256=sha256(session).hex())
    with stage("session"), gateway.sessions.opening(credential) as opening:
        opened = await gateway.client.open_session(
            OpenSession(
                company_id=credential.company_id,
                ticket_sha256=sha256(ticket).hex(),
                browsers_sha256=browsers.hashes(request),
                current_session=current,
                session_sha256=credential.session_sha256,
                session_ttl_s=gateway.settings.session_ttl_s,
                instead_of=instead_of,
            )
        )
        if opened.person is not None:
            gateway.sessions.opened(opening, opened.person)
    if current is not None and (opened.opened or instead_of is not None):
        gateway.sessions.forget(current)
    if opened.attempt_id:
        name_attempt(opened.attempt_id)
    if opened.choice is not None and not wants_json(request):
        return _ask_who(gateway, request, ticket, opened.choice)
    if not opened.opened:
        response = refused(gateway, request, opened.reason or "other")
        if opened.reason != "other_person_signed_in":
            tickets.clear(response, ticket)
        return response
    metrics.LOGINS.labels("ok", "sp_initiated" if opened.started_by_us else "idp_initiated", "web").inc()
    goal = return_path(opened.return_to)
    if instead_of is None:
        response = gateway.pages.protected(RedirectResponse(goal, status_code=303))
    else:
        metrics.CHOICES.labels("switched").inc()
        # Not a redirect: the browser holds the whole chain after a form to form-action (docs/login.md).
        response = gateway.pages.page(request, "continue.html", target=goal, lead="switched_lead")
    cookies.write(response, cookies.SESSION, session, _lasts_s(gateway, opened))
    tickets.clear(response, ticket)
    if opened.company is not None:
        remember(response, opened.company, opened.company_name or "")
    return response


def _lasts_s(gateway: Gateway, opened: OpenedSession) -> int:
    """A company may want its people to sign in again sooner."""
    if opened.expires_at is None:
        return gateway.settings.session_ttl_s
    return max(1, min(gateway.settings.session_ttl_s, int((opened.expires_at - gateway.clock()).total_seconds()) + 1))


def _ask_who(gateway: Gateway, request: Request, ticket: str, choice: Choice) -> Response:
    """Somebody else is signed in in this browser: it is for whoever sits there to say who goes on (S88)."""
    metrics.CHOICES.labels("asked").inc()
    log.info("login_asked_who")
    # 409: what was asked for is in conflict with what is, and the person can resolve it (RFC 9110 section 15.5.10).
    about = {"choice": choice, "ticket": cookies.tag(ticket), "attempt_id": context.attempt.get()}
    response = gateway.pages.page(request, "who.html", status=409, **about)
    tickets.write(response, ticket, choice.ttl_s)
    return response


async def choose(gateway: Gateway, request: Request) -> Response:
    """The answer to that page. What it says counts for the ticket and the session that it was about, and for no other."""
    if not from_our_own_pages(request, gateway.settings.public_url):
        return gateway.pages.refusal(request, "wrong_origin", status=403)
    try:
        fields = dict(parse_qsl((await read_body(request, MAX_FORM_BYTES)).decode("utf-8"), max_num_fields=10))
    except (BodyTooLarge, BodyTooSlow, ValueError):
        return gateway.pages.refusal(request, "invalid_request", status=400)
    # Other tabs may have brought other tickets; those are not decided here.
    ticket = tickets.find(request, fields.get("ticket", ""))
    company_id = company_of_token(ticket) if ticket else None
    if fields.get("choice") == "switch":
        if ticket is None or company_id is None:
            return refused(gateway, request, "expired")
        return await _finish(gateway, request, ticket, company_id, instead_of=fields.get("instead_of", ""))
    if fields.get("choice") != "continue":
        return gateway.pages.refusal(request, "invalid_request", status=400)
    return await _stay(gateway, request, ticket)


async def _stay(gateway: Gateway, request: Request, ticket: str | None) -> Response:
    """Never where the other wanted to go."""
    company_id = company_of_token(ticket) if ticket else None
    if ticket is not None and company_id is not None:
        await gateway.client.drop_ticket(
            DropTicket(
                company_id=str(company_id),
                ticket_sha256=sha256(ticket).hex(),
                browsers_sha256=browsers.hashes(request),
            )
        )
    metrics.CHOICES.labels("continued").inc()
    log.info("login_dropped")
    if await signed_in(gateway.sessions, request) is None:
        # His session has ended while he read.
        response = gateway.pages.refusal(request, "not_signed_in", status=401)
    else:
        response = gateway.pages.protected(RedirectResponse("/", status_code=303))
    if ticket is not None:
        tickets.clear(response, ticket)
    return response
