"""The login, from our redirect to the session cookie, and what Entra reads of us. The logout is in `logout_routes.py`.

GET  /login/{company}           start_login        a flow in directory, the browser's secret, 302 to Entra
POST /saml/{company}/acs        receive_response   gate, profile, directory's decision; a ticket in a cookie, 303
GET  /login/finish              finish_login       ticket and browser's secret for a session, 303
POST /login/choose              choose             who goes on, where somebody else is signed in in this browser
GET  /saml/{company}/metadata   show_metadata
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.attempts import attempt_of_flow, new_attempt_id, unproven_flow
from shared.attempts import relay_state as relay_state_of
from shared.errors import DomainError, ErrorCode
from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.ids import CompanyId
from shared.schemas.login import BeginLogin, Choice, DropTicket, LoginAttempt, OpenedSession, OpenSession, Origin
from shared.schemas.traces import RefusedAnswer
from shared.telemetry import context
from shared.telemetry.tracing import current_trace_id, internal_span, name_attempt
from shared.tokens import company_of_token, new_company_token, sha256
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, bind, log
from sso_gateway.oidc.asking import demands_fresh_login
from sso_gateway.pages.render import wants_json
from sso_gateway.reasons import LOGIN_REASONS
from sso_gateway.return_path import return_path
from sso_gateway.saml import form, proof
from sso_gateway.saml.connection import COMPANY, TrustedConnection
from sso_gateway.saml.errors import SamlRefusal
from sso_gateway.saml.metadata import service_provider_metadata
from sso_gateway.saml.profile import VerifiedAssertion
from sso_gateway.saml.request import redirect_to_idp
from sso_gateway.saml.testing import test_answered, test_refused
from sso_gateway.sessions import cookies, tickets
from sso_gateway.sessions.current import session_credential, signed_in
from sso_gateway.sessions.remembered import remember
from sso_gateway.sessions.routes import MAX_FORM_BYTES, from_our_own_pages


def routes(gateway: Gateway) -> list[Route]:
    # /login/finish stands before /login/{company}, whose name may therefore not be "finish".
    return [
        Route("/login/finish", bind(gateway, finish_login), methods=["GET"]),
        Route("/login/choose", bind(gateway, choose), methods=["POST"]),
        Route("/login/{company}", bind(gateway, start_login), methods=["GET"]),
        Route("/saml/{company}/acs", bind(gateway, receive_response), methods=["POST"]),
        Route("/saml/{company}/metadata", bind(gateway, show_metadata), methods=["GET"]),
    ]


async def start_login(gateway: Gateway, request: Request) -> Response:
    company = request.path_params["company"]
    gateway.limits.admit_address("login", request)
    if not COMPANY.fullmatch(company):
        return gateway.pages.refusal(request, "unknown_company", status=404)
    if exists := company in gateway.connections:
        context.company.set(company)
    gateway.limits.admit_company("login", company, request, exists=exists)
    return_to = return_path(request.query_params.get("return_to"))
    secret, asked_at = cookies.browser_secret(request), gateway.connections.now()
    asked_for_test = request.query_params.get("test", "")
    if asked_for_test not in {"", "1"}:
        # Whoever wants to try must not be signed in by a slip of the hand.
        return gateway.pages.refusal(request, "invalid_request", status=400, wanted="test=1", got="another value")
    test = asked_for_test == "1"
    try:
        begun = await gateway.client.begin_login(
            BeginLogin(
                company=company,
                browser_sha256=sha256(secret).hex(),
                return_to=return_to,
                ttl_s=gateway.settings.login_ttl_s,
                origin=_origin(request, return_to),
                test=test,
            )
        )
    except DomainError as error:
        if error.code is ErrorCode.not_found:
            return gateway.pages.refusal(request, "unknown_company", status=404)
        if error.code is ErrorCode.not_allowed:
            name_attempt(new_attempt_id())
            _noted(gateway, company, "sso_off")
            return gateway.pages.refusal(request, "sso_off", status=403)
        raise
    trusted = gateway.connections.remember(begun.connection, asked_at=asked_at)
    context.company.set(company)
    name_attempt(attempt_of_flow(begun.flow_id))
    address = redirect_to_idp(
        login_url=trusted.connection.login_url,
        entity_id=trusted.expected.entity_id,
        acs_url=trusted.expected.acs_url,
        flow_id=begun.flow_id,
        relay_state=relay_state_of(begun.flow_id, test=test),
        issued_at=gateway.clock(),
        login_hint=_login_hint(request),
        force_authn=demands_fresh_login(return_to),
    )
    if test:
        metrics.TESTS.labels("started").inc()
    else:
        metrics.AUTHN_REQUESTS.labels("http_redirect").inc()
    log.info("login_started", flow=begun.flow_id, test=test)
    response = gateway.pages.protected(RedirectResponse(address, status_code=302))
    cookies.write(response, cookies.LOGIN, secret, cookies.LOGIN_TTL_S)
    if cookies.sent(request, cookies.HINT) is not None:
        cookies.clear(response, cookies.HINT)
    return response


def _login_hint(request: Request) -> str | None:
    """Whom to suggest to Entra: as a link says, or who answered our question. What cannot be a name is not passed on."""
    asked = request.query_params.get("login_hint", "")
    return asked if cookies.is_hint(asked) else cookies.read_hint(request)


def _origin(request: Request, return_to: str) -> Origin:
    """Told, not believed: nothing depends on it."""
    if request.query_params.get("from") == "tile":
        return "tile"
    return "app" if return_to.startswith("/oauth2/authorize") else "page"


async def receive_response(gateway: Gateway, request: Request) -> Response:
    """Reads no cookie: the browser sends none with a cross-site POST."""
    gateway.limits.admit_address("acs", request)
    flow, answer = "sp_initiated", _Answer(gateway.clock(), new_attempt_id())
    name_attempt(answer.attempt_id)
    try:
        form.check_content_type(request)
        # Before the form is read: nobody reads large ones for a company that does not exist.
        await gateway.connections.trusted(request.path_params["company"])
        trusted, verified, relay_state = await _verified(gateway, request, answer)
        flow = "sp_initiated" if verified.in_response_to else "idp_initiated"
        return await _complete(gateway, request, trusted, verified, relay_state, answer)
    except SamlRefusal as refused:
        _noted(gateway, request.path_params["company"], refused.reason, answer, refused)
        page = _refused(gateway, request, refused.reason, refused, status=refused.status)
        return page if not answer.unproven_test else test_refused(gateway.pages, request, refused)
    except DomainError as error:
        if error.code is ErrorCode.not_found:
            return _refused(gateway, request, "unknown_company")
        metrics.LOGINS.labels("server_error", flow, "web").inc()
        raise


async def _verified(
    gateway: Gateway, request: Request, answer: "_Answer"
) -> tuple[TrustedConnection, VerifiedAssertion, str | None]:
    """With the RelayState. What cannot be a form of Entra's spends nothing of the company's allowance."""
    company, large = request.path_params["company"], gateway.large
    async with large.place(company, request):
        body = await form.read_form(request)
        gateway.limits.admit_company("acs", company, request, exists=True)
        posted = await large.understood(body, form.read_posted_response, body)
        answer.unproven_flow, answer.unproven_test = unproven_flow(posted.relay_state)
        answer.attempt_id = _named_by(answer.unproven_flow) or answer.attempt_id
        # Asked again: a body may take its time, and whoever was trusted when it began may be no longer.
        trusted = await gateway.connections.trusted(company)
        with _stage("verify"):
            trusted, verified = await proof.verified_assertion(
                gateway.connections,
                gateway.refresh,
                large,
                trusted,
                posted.unverified_response,
                gateway.clock(),
            )
    _named_by(verified.in_response_to)
    return trusted, verified, posted.relay_state


@dataclass(slots=True)
class _Answer:
    """What is known of a posted answer before anything in it is proven."""

    came_at: datetime
    attempt_id: str
    unproven_flow: str | None = None
    """Of the login that its RelayState names."""
    unproven_test: bool = False
    """The RelayState calls it a test: good for the look of a refusal, for nothing else."""


def _named_by(flow_id: str | None) -> str | None:
    """Of a login that we began: the id that it has had since, though the browser sends no cookie with the answer."""
    if flow_id is None:
        return None
    name_attempt(attempt_id := attempt_of_flow(flow_id))
    return attempt_id


def _noted(
    gateway: Gateway, company: str, reason: str, answer: _Answer | None = None, refusal: SamlRefusal | None = None
) -> None:
    """For the company's traces, where there is such a company: what directory did not see, or did not write down."""
    if company not in gateway.connections and answer is not None:
        return
    gateway.refusals.keep(
        company,
        RefusedAnswer(
            attempt_id=context.attempt.get(),
            flow_id=answer.unproven_flow if answer else None,
            at=answer.came_at if answer else gateway.clock(),
            trace_id=current_trace_id(),
            reason=str(reason),
            wanted=refusal.wanted if refusal else None,
            got=refusal.got if refusal else None,
        ),
    )


async def _complete(
    gateway: Gateway,
    request: Request,
    trusted: TrustedConnection,
    verified: VerifiedAssertion,
    relay_state: str | None,
    answer: _Answer,
) -> Response:
    connection = trusted.connection
    metrics.CLOCK_SKEW.observe((gateway.clock() - verified.issued_at).total_seconds())
    flow = "sp_initiated" if verified.in_response_to else "idp_initiated"
    if flow == "idp_initiated" and connection.idp_initiated == "bounce":
        return _bounce(gateway, connection.company, verified)
    ticket = new_company_token(CompanyId(UUID(connection.company_id)))
    with _stage("lookup"):
        outcome = await gateway.client.complete_login(
            _attempt(connection.company, ticket, verified, relay_state, answer)
        )
    if outcome.attempt_id:
        name_attempt(outcome.attempt_id)
    if outcome.tried is not None:
        metrics.TESTS.labels("ok" if outcome.tried.accepted else "rejected").inc()
        log.info("login_tested", outcome=outcome.tried.reason or "accepted", employee=outcome.tried.employee_id)
        return test_answered(gateway.pages, request, trusted, verified, outcome.tried, gateway.clock())
    if not outcome.accepted:
        return _refused(gateway, request, outcome.reason or "other", flow=flow)
    log.info("login_accepted", flow=flow, employee=outcome.employee_id, linked=outcome.linked)
    gateway.limits.signed_in(connection.company, request)
    # 303, not 302: the browser must not repeat the POST (RFC 9110 section 15.4.4).
    response = gateway.pages.protected(RedirectResponse(tickets.address(ticket), status_code=303))
    tickets.write(response, ticket, tickets.TTL_S)
    return response


def _attempt(
    company: str, ticket: str, verified: VerifiedAssertion, relay_state: str | None, answer: _Answer
) -> LoginAttempt:
    unsolicited = verified.in_response_to is None
    return LoginAttempt(
        company=company,
        ticket_sha256=sha256(ticket).hex(),
        ticket_ttl_s=tickets.TTL_S,
        attempt_id=answer.attempt_id,
        answered_at=answer.came_at,
        in_response_to=verified.in_response_to,
        relay_path=return_path(relay_state) if unsolicited else None,
        assertion_id=verified.assertion_id,
        expires_at=verified.not_on_or_after,
        tenant_id=verified.tenant_id,
        object_id=verified.object_id,
        name_id=verified.name_id,
        name_id_format=verified.name_id_format,
        session_index=verified.session_index,
        authenticated_at=verified.authenticated_at,
        email_claim=verified.email,
        name_claim=verified.name_claim,
        groups=None if verified.groups is None else list(verified.groups),
        groups_overage=verified.groups_overage,
        signer_fingerprint=verified.signer_fingerprint,
        signed=verified.signed,
    )


def _bounce(gateway: Gateway, company: str, verified: VerifiedAssertion) -> Response:
    """An unsolicited response only starts a login of our own, which binds it to this browser."""
    log.info("login_bounced")
    response = gateway.pages.protected(RedirectResponse(f"/login/{company}?from=tile", status_code=303))
    cookies.write_hint(response, verified.name_id)
    return response


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
        return _refused(gateway, request, "expired")
    return await _finish(gateway, request, ticket, company_id)


async def _finish(
    gateway: Gateway, request: Request, ticket: str, company_id: CompanyId, *, instead_of: str | None = None
) -> Response:
    secret, current = cookies.read(request, cookies.LOGIN), session_credential(request)
    session = new_company_token(company_id)
    with _stage("session"):
        opened = await gateway.client.open_session(
            OpenSession(
                company_id=str(company_id),
                ticket_sha256=sha256(ticket).hex(),
                browser_sha256=sha256(secret).hex() if secret else None,
                current_session=current,
                session_sha256=sha256(session).hex(),
                session_ttl_s=gateway.settings.session_ttl_s,
                instead_of=instead_of,
            )
        )
    if current is not None and (opened.opened or instead_of is not None):
        gateway.sessions.forget(current)
    if opened.attempt_id:
        name_attempt(opened.attempt_id)
    if opened.choice is not None and not wants_json(request):
        return _ask_who(gateway, request, ticket, opened.choice)
    if not opened.opened:
        response = _refused(gateway, request, opened.reason or "other")
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
    about = {"choice": choice, "ticket": tickets.tag(ticket), "attempt_id": context.attempt.get()}
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
            return _refused(gateway, request, "expired")
        return await _finish(gateway, request, ticket, company_id, instead_of=fields.get("instead_of", ""))
    if fields.get("choice") != "continue":
        return gateway.pages.refusal(request, "invalid_request", status=400)
    return await _stay(gateway, request, ticket)


async def _stay(gateway: Gateway, request: Request, ticket: str | None) -> Response:
    """Never where the other wanted to go."""
    company_id = company_of_token(ticket) if ticket else None
    if ticket is not None and company_id is not None:
        secret = cookies.read(request, cookies.LOGIN)
        browser_sha256 = sha256(secret).hex() if secret else None
        await gateway.client.drop_ticket(
            DropTicket(company_id=str(company_id), ticket_sha256=sha256(ticket).hex(), browser_sha256=browser_sha256)
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


async def show_metadata(gateway: Gateway, request: Request) -> Response:
    trusted = await gateway.connections.trusted(request.path_params["company"])
    document = service_provider_metadata(
        entity_id=trusted.expected.entity_id, acs_url=trusted.expected.acs_url, logout_url=trusted.logout_url
    )
    return gateway.pages.protected(Response(document, media_type="application/samlmetadata+xml"))


def _refused(
    gateway: Gateway,
    request: Request,
    reason: str,
    refusal: SamlRefusal | None = None,
    *,
    status: int = 403,
    flow: str = "sp_initiated",
) -> Response:
    label = str(reason) if reason in LOGIN_REASONS else "other"
    metrics.REJECTIONS.labels(label).inc()
    metrics.LOGINS.labels("rejected", flow, "web").inc()
    if label == "replayed":
        metrics.REPLAYS.inc()
    log.info("login_refused", reason=label)
    wanted, got = (refusal.wanted, refusal.got) if refusal else (None, None)
    return gateway.pages.refusal(request, str(reason), status=status, wanted=wanted, got=got)


@contextmanager
def _stage(stage: str) -> Iterator[None]:
    started = time.perf_counter()
    with internal_span(f"login {stage}"):
        try:
            yield
        finally:
            metrics.DURATION.labels(stage).observe(time.perf_counter() - started)
