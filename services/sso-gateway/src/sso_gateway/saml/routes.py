"""The login, from our redirect to the ticket, and what Entra reads of us. How it ends is in `finish_routes.py`.

GET  /login/{company}           start_login        a flow in directory, the browser's secret, 302 to Entra
POST /saml/{company}/acs        receive_response   gate, profile, directory's decision; a ticket in a cookie, 303
GET  /saml/{company}/metadata   show_metadata
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.attempts import attempt_of_flow, new_attempt_id, unproven_flow
from shared.attempts import relay_state as relay_state_of
from shared.errors import DomainError, ErrorCode
from shared.ids import CompanyId
from shared.schemas.login import BeginLogin, LoginAttempt, Origin
from shared.schemas.traces import RefusedAnswer
from shared.telemetry import context
from shared.telemetry.tracing import current_trace_id, name_attempt
from shared.tokens import new_company_token, sha256
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, bind, log
from sso_gateway.oidc.asking import demands_fresh_login
from sso_gateway.return_path import return_path
from sso_gateway.saml import form, proof
from sso_gateway.saml.connection import COMPANY, TrustedConnection
from sso_gateway.saml.errors import SamlRefusal
from sso_gateway.saml.metadata import service_provider_metadata
from sso_gateway.saml.outcome import refused, stage
from sso_gateway.saml.profile import VerifiedAssertion
from sso_gateway.saml.request import redirect_to_idp
from sso_gateway.saml.testing import test_answered, test_refused
from sso_gateway.sessions import browsers, cookies, tickets


def routes(gateway: Gateway) -> list[Route]:
    return [
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
    secret, asked_at = browsers.secret_of(request), gateway.connections.now()
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
    browsers.write(request, response, secret, gateway.settings.login_ttl_s)
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
    except SamlRefusal as refusal:
        _noted(gateway, request.path_params["company"], refusal.reason, answer, refusal)
        page = refused(gateway, request, refusal.reason, refusal, status=refusal.status)
        return page if not answer.unproven_test else test_refused(gateway.pages, request, refusal)
    except DomainError as error:
        if error.code is ErrorCode.not_found:
            return refused(gateway, request, "unknown_company")
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
        with stage("verify"):
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
    with stage("lookup"):
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
        return refused(gateway, request, outcome.reason or "other", flow=flow)
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


async def show_metadata(gateway: Gateway, request: Request) -> Response:
    company = request.path_params["company"]
    gateway.limits.admit_unconfirmed("login", request, exists=company in gateway.connections)
    trusted = await gateway.connections.trusted(company)
    document = service_provider_metadata(
        entity_id=trusted.expected.entity_id, acs_url=trusted.expected.acs_url, logout_url=trusted.logout_url
    )
    return gateway.pages.protected(Response(document, media_type="application/samlmetadata+xml"))
