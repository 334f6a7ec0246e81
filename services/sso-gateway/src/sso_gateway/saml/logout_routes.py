"""Single logout by HTTP-Redirect, both ways, at the one address that Entra knows.

GET  /saml/{company}/logout?SAMLRequest=…    Entra signs somebody out: 200, a tiny page; needs no cookie
GET  /saml/{company}/logout?SAMLResponse=…   Entra's answer to our request: to the front page, which says so

A hidden frame of another site sends no cookies, so the sessions are found in directory. There is no answer by redirect: Entra
takes no LogoutResponse (MicrosoftDocs/azure-docs #19955).
"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.errors import DomainError, ErrorCode
from shared.schemas.login import Connection, EndIdpSession, Ending
from shared.telemetry.tracing import internal_span
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, bind, log
from sso_gateway.reasons import LOGOUT_REASONS
from sso_gateway.saml import proof
from sso_gateway.saml.connection import TrustedConnection
from sso_gateway.saml.errors import Reason, SamlRefusal
from sso_gateway.saml.logout import VerifiedLogout, check_logout_request, check_logout_response
from sso_gateway.saml.redirect import carries_response, read_redirect


def routes(gateway: Gateway) -> list[Route]:
    return [Route("/saml/{company}/logout", bind(gateway, single_logout), methods=["GET"])]


async def single_logout(gateway: Gateway, request: Request) -> Response:
    company = request.path_params["company"]
    # A logout is nobody's to hold up; but each invented name would be a question to directory.
    gateway.limits.admit_unconfirmed("login", request, exists=company in gateway.connections)
    try:
        trusted = await gateway.connections.trusted(company)
    except DomainError as error:
        if error.code is not ErrorCode.not_found:
            raise
        return _refused(gateway, request, "unknown_company", status=404)
    query: bytes = request.scope["query_string"]
    if not query:
        return gateway.pages.protected(RedirectResponse("/", status_code=303))
    if carries_response(query):
        return await _receive_response(gateway, trusted, query)
    return await _receive_request(gateway, request, trusted, query)


async def _receive_request(gateway: Gateway, request: Request, trusted: TrustedConnection, query: bytes) -> Response:
    try:
        with internal_span("logout verify"):
            trusted, signed = await proof.proven_message(gateway.connections, trusted, read_redirect(query))
            verified = check_logout_request(signed, trusted.expected, trusted.logout_url, gateway.clock())
        reason = await _end_sessions(gateway, trusted.connection, verified)
    except SamlRefusal as refused:
        return _refused(gateway, request, _reason(refused), refused)
    except DomainError:
        metrics.LOGOUT_REQUESTS.labels("server_error").inc()
        raise
    if reason is not None:
        return _refused(gateway, request, reason)
    metrics.LOGOUT_REQUESTS.labels("ok").inc()
    return gateway.pages.framed(request, "signed_out.html", by=trusted.connection.login_url)


async def _end_sessions(gateway: Gateway, connection: Connection, verified: VerifiedLogout) -> str | None:
    """Why directory would not; None when it is done."""
    ended = await gateway.client.end_idp_session(
        EndIdpSession(
            company=connection.company,
            session_indexes=list(verified.session_indexes),
            name_id=verified.name_id,
            name_id_format=verified.name_id_format,
            until=verified.until,
            signer_fingerprint=verified.signer_fingerprint,
        )
    )
    if not ended.accepted:
        return ended.reason or "other"
    if ended.sessions:
        # Whose they were directory tells everybody in a moment; here it is known now.
        gateway.sessions.forget_ended([Ending(company_id=connection.company_id, employee_id=None)])
    metrics.SESSIONS_ENDED.labels("idp_logout").inc(ended.sessions)
    log.info("idp_logout_done", sessions=ended.sessions, found_by=ended.found_by)
    return None


async def _receive_response(gateway: Gateway, trusted: TrustedConnection, query: bytes) -> Response:
    """Decides what the front page says, and nothing else; RelayState leads nowhere."""
    outcome = "ok"
    try:
        with internal_span("logout verify"):
            trusted, signed = await proof.proven_message(gateway.connections, trusted, read_redirect(query))
            check_logout_response(signed, trusted.expected, trusted.logout_url, gateway.clock())
    except SamlRefusal as refused:
        outcome = _reason(refused)
    except DomainError:
        # Asked once more about an unknown signer, directory did not answer: nothing that whoever is signed out must hear of.
        outcome = "server_error"
    metrics.LOGOUT_RESPONSES.labels(outcome).inc()
    log.info("idp_logout_answered", outcome=outcome)
    told = "idp" if outcome == "ok" else "here"
    # 303 also so that the message does not stay in the browser's address.
    return gateway.pages.protected(RedirectResponse(f"/?signed_out={told}", status_code=303))


def _reason(refused: SamlRefusal) -> str:
    """What is not a response is not told as a malformed one."""
    return "malformed_logout" if refused.reason is Reason.malformed_response else str(refused.reason)


def _refused(
    gateway: Gateway, request: Request, reason: str, refusal: SamlRefusal | None = None, *, status: int = 403
) -> Response:
    label = reason if reason in LOGOUT_REASONS else "other"
    metrics.LOGOUT_REQUESTS.labels(label).inc()
    log.info("idp_logout_refused", reason=label)
    wanted, got = (refusal.wanted, refusal.got) if refusal else (None, None)
    return gateway.pages.refusal(request, reason, status=status, wanted=wanted, got=got, of_logout=True)
