"""`/oauth2/authorize`: whoever is signed in in this browser, for an app; or the way to sign in, and back.

    signed in, as whom the app wants     -> a code, back to the app                 one internal call
    otherwise, and prompt=none           -> login_required, back to the app
    otherwise                            -> the company's login: named by the app, by the e-mail's domain, or asked for

An app's errors go back to it, with its state and with `iss` (RFC 9207). Without a client and an address that are known there is
nobody to answer to: a page of ours says so, and nothing is sent anywhere.
"""

from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.schemas.oidc import CodeRefusal, IssueCode
from shared.telemetry import context
from shared.telemetry.tracing import internal_span
from shared.tokens import company_of_token, new_company_token, sha256
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, log
from sso_gateway.oidc.asking import MAX_QUERY, PATH, AppRefusal, Asked, Hint, PageRefusal, ReturnAddress, read
from sso_gateway.oidc.proof import challenge_bytes
from sso_gateway.oidc.provider import Provider
from sso_gateway.oidc.redirects import with_answer
from sso_gateway.oidc.tokens import read_id_token
from sso_gateway.pages.routes import is_email, send_on
from sso_gateway.sessions import cookies
from sso_gateway.sessions.current import session_credential

CODE_TTL_S = 60
CLOCK_SKEW = timedelta(seconds=60)
"""Between our clock and directory's, where a login must not be older than the demand for it."""


async def authorize(gateway: Gateway, provider: Provider, request: Request) -> Response:
    try:
        asked = read(request.scope["query_string"], provider.clients)
        return await _answer(gateway, provider, request, asked)
    except PageRefusal as refused:
        metrics.OIDC_AUTHORIZATIONS.labels("page").inc()
        log.info("authorization_refused", reason=refused.reason)
        got = refused.got[:200] if refused.got else None
        return gateway.pages.refusal(request, refused.reason, status=400, got=got)
    except AppRefusal as refused:
        return _refused(gateway, provider, refused)


async def authorize_by_form(gateway: Gateway, provider: Provider, request: Request) -> Response:
    """The same as an address: with another site's form the browser sends no cookie of ours (OpenID Connect Core 3.1.2.1)."""
    try:
        query = (await read_body(request, MAX_QUERY)).decode("ascii")
    except (BodyTooLarge, BodyTooSlow, UnicodeDecodeError):
        query = "\n"
    if not query.isprintable() or " " in query:
        return gateway.pages.refusal(request, "invalid_request", status=400)
    return gateway.pages.protected(RedirectResponse(f"{PATH}?{query}", status_code=303))


async def _answer(gateway: Gateway, provider: Provider, request: Request, asked: Asked) -> Response:
    hint = _hint(provider, asked)
    now = gateway.clock()
    fresh = "login" in asked.prompt or asked.max_age_s == 0
    refusal: CodeRefusal = "no_session"
    if not fresh and "select_account" not in asked.prompt:
        code, found = await _code(gateway, request, asked, hint, now)
        if code is not None:
            return _back(gateway, provider, asked.back, code)
        refusal = found
    if "none" in asked.prompt:
        raise AppRefusal(asked.back, "login_required", "Nobody is signed in here whom you want, or not lately enough.")
    if refusal == "signed_in_too_early" and asked.signed_in_after is not None:
        # Once more would be for ever: Entra was asked to let him show himself anew, and has not, or never saw the question.
        raise AppRefusal(asked.back, "login_required", "Entra did not ask anew who he is, as was demanded.")
    if refusal == "other_person" and asked.signed_in_after is not None:
        raise AppRefusal(asked.back, "login_required", "Somebody else signed in than the one of the id_token_hint.")
    demanded = fresh or asked.max_age_s is not None or refusal in {"other_person", "signed_in_too_early"}
    return await _login(gateway, request, asked, hint, now if demanded else None)


async def _code(
    gateway: Gateway, request: Request, asked: Asked, hint: Hint | None, now: datetime
) -> "tuple[str | None, CodeRefusal]":
    """A code; or why not."""
    credential, token = session_credential(request), cookies.read(request, cookies.SESSION)
    company_id = company_of_token(token) if token else None
    if credential is None or company_id is None:
        return None, "no_session"
    code = new_company_token(company_id)
    back = asked.back
    with internal_span("oidc code"):
        issued = await gateway.client.issue_code(
            IssueCode(
                session=credential,
                client_id=back.client.client_id,
                redirect_uri=back.redirect_uri,
                scopes=list(asked.scopes),
                nonce=asked.nonce,
                code_challenge=challenge_bytes(asked.code_challenge).hex(),
                code_sha256=sha256(code).hex(),
                ttl_s=CODE_TTL_S,
                company=asked.company,
                employee_id=hint.employee_id if hint else None,
                signed_in_after=_not_before(asked, now),
            )
        )
    if issued.reason is not None:
        return None, issued.reason
    context.company.set(issued.company or "")
    metrics.OIDC_AUTHORIZATIONS.labels("code").inc()
    log.info("code_issued", client=back.client.client_id, employee=issued.employee_id)
    return code, "no_session"


def _not_before(asked: Asked, now: datetime) -> datetime | None:
    """How young the login must be; what a login came back with stands for the `max_age` that demanded it."""
    if asked.signed_in_after is not None:
        return asked.signed_in_after - CLOCK_SKEW
    return now - timedelta(seconds=asked.max_age_s) if asked.max_age_s is not None else None


def _hint(provider: Provider, asked: Asked) -> Hint | None:
    if asked.id_token_hint is None:
        return Hint(asked.signed_in_as, asked.company) if asked.signed_in_as is not None else None
    claims = read_id_token(provider.keys(), asked.id_token_hint, issuer=provider.issuer)
    if claims is None:
        raise AppRefusal(asked.back, "invalid_request", "id_token_hint is no ID token of this provider.")
    return Hint(claims.sub, claims.company)


async def _login(
    gateway: Gateway, request: Request, asked: Asked, hint: Hint | None, fresh_since: datetime | None
) -> Response:
    metrics.OIDC_AUTHORIZATIONS.labels("login").inc()
    goal = asked.come_back(fresh_since, hint)
    company = asked.company or (hint.company if hint else None)
    if company is None and asked.login_hint is not None and is_email(asked.login_hint):
        gateway.limits.admit_address("login", request)
        return await send_on(gateway, request, asked.login_hint, goal, from_form=False)
    query = "?" + urlencode({"return_to": goal})
    path = f"/login/{company}{query}" if company is not None else f"/login{query}"
    response = gateway.pages.protected(RedirectResponse(path, status_code=303))
    if company is not None and asked.login_hint is not None:
        cookies.write_hint(response, asked.login_hint)
    return response


def _back(gateway: Gateway, provider: Provider, back: ReturnAddress, code: str) -> Response:
    address = with_answer(back.redirect_uri, {"code": code, "state": back.state, "iss": provider.issuer})
    return gateway.pages.protected(RedirectResponse(address, status_code=303))


def _refused(gateway: Gateway, provider: Provider, refused: AppRefusal) -> Response:
    metrics.OIDC_AUTHORIZATIONS.labels(refused.error).inc()
    log.info("authorization_refused", reason=refused.error, client=refused.back.client.client_id)
    answer = {
        "error": refused.error,
        "error_description": refused.description,
        "state": refused.back.state,
        "iss": provider.issuer,
    }
    address = with_answer(refused.back.redirect_uri, answer)
    return gateway.pages.protected(RedirectResponse(address, status_code=303))
