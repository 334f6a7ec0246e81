"""`POST /oauth2/token`: a code or a refresh token for tokens. One internal call."""

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from shared.ids import CompanyId
from shared.schemas.oidc import Grant, Granted, RedeemCode, RefreshGrant
from shared.telemetry import context
from shared.telemetry.tracing import internal_span
from shared.tokens import company_of_token, sha256
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, log
from sso_gateway.oidc import tokens
from sso_gateway.oidc.calling import Call, CallRefused, answer, read_call
from sso_gateway.oidc.proof import challenge_of
from sso_gateway.oidc.provider import Provider
from sso_gateway.oidc.refresh_tokens import RefreshToken, new_refresh_token, read_refresh_token


async def exchange(gateway: Gateway, provider: Provider, request: Request) -> Response:
    call = await read_call(gateway, provider, request)
    match call.wanted("grant_type"):
        case "authorization_code" if "authorization_code" in call.client.grants:
            return await _by_code(gateway, provider, request, call)
        case "refresh_token" if "refresh_token" in call.client.grants:
            return await _by_refresh_token(gateway, provider, request, call)
        case "authorization_code" | "refresh_token":
            raise CallRefused("unauthorized_client", "This client may not use this grant_type.")
        case _:
            raise CallRefused("unsupported_grant_type", "grant_type must be authorization_code or refresh_token.")


async def _by_code(gateway: Gateway, provider: Provider, request: Request, call: Call) -> Response:
    code, redirect_uri, verifier = (call.wanted(name) for name in ("code", "redirect_uri", "code_verifier"))
    company_id, challenge = company_of_token(code), challenge_of(verifier)
    if challenge is None:
        raise CallRefused("invalid_request", "code_verifier must be 43 to 128 unreserved characters.")
    if company_id is None:
        raise _invalid_grant("unknown")
    gateway.limits.admit_grant(str(company_id), request)
    refresh = new_refresh_token(company_id) if "refresh_token" in call.client.grants else None
    with internal_span("oidc token"):
        granted = await gateway.client.redeem_code(
            RedeemCode(
                company_id=str(company_id),
                code_sha256=sha256(code).hex(),
                client_id=call.client.client_id,
                redirect_uri=redirect_uri,
                code_challenge=challenge.hex(),
                family_sha256=refresh.family_sha256 if refresh else None,
                refresh_sha256=refresh.sha256 if refresh else None,
                session_ttl_s=gateway.settings.session_ttl_s,
            )
        )
    grant = _granted(gateway, request, granted, company_id, "code")
    return _tokens(gateway, provider, company_id, grant, refresh, grant.nonce, "authorization_code")


async def _by_refresh_token(gateway: Gateway, provider: Provider, request: Request, call: Call) -> Response:
    presented = read_refresh_token(call.wanted("refresh_token"))
    if presented is None:
        raise _invalid_grant("unknown")
    scopes = _narrowed(call)
    gateway.limits.admit_grant(str(presented.company_id), request)
    successors = presented.successors(provider.keys().secrets)
    with internal_span("oidc token"):
        granted = await gateway.client.refresh_grant(
            RefreshGrant(
                company_id=str(presented.company_id),
                client_id=call.client.client_id,
                family_sha256=presented.family_sha256,
                refresh_sha256=presented.sha256,
                successors=[one.sha256 for one in successors],
            )
        )
    grant = _granted(gateway, request, granted, presented.company_id, "refresh_token")
    # What the client may not ask for any more it is not given either.
    grant = _with_scopes(grant, frozenset(call.client.scopes) if scopes is None else scopes)
    successor = successors[granted.successor]
    # Without nonce: it belongs to the login (OpenID Connect Core section 12.2).
    return _tokens(gateway, provider, presented.company_id, grant, successor, None, "refresh_token")


def _narrowed(call: Call) -> frozenset[str] | None:
    """Fewer scopes for this access token (RFC 6749 section 6); None: as they were granted. What was not is left out."""
    asked = frozenset(call.fields.get("scope", "").split())
    if asked and not asked <= frozenset(call.client.scopes):
        raise CallRefused("invalid_scope", "scope may hold what this client may ask for, and no more.")
    return asked or None


def _with_scopes(grant: Grant, scopes: frozenset[str]) -> Grant:
    return replace(grant, scopes=[scope for scope in grant.scopes if scope in scopes])


def _granted(gateway: Gateway, request: Request, granted: Granted, company_id: CompanyId, what: str) -> Grant:
    if granted.grant is None:
        if granted.reason == "reused":
            metrics.OIDC_REUSE.labels(what).inc()
        raise _invalid_grant(granted.reason or "unknown")
    gateway.limits.let_in(str(company_id), request)
    context.company.set(granted.grant.user.company)
    return granted.grant


def _invalid_grant(reason: str) -> CallRefused:
    log.info("grant_refused", reason=reason)
    # One text for all: whoever guesses learns nothing.
    return CallRefused("invalid_grant", "The code or refresh token is not (or not any more) good for this client.")


def _tokens(
    gateway: Gateway,
    provider: Provider,
    company_id: CompanyId,
    grant: Grant,
    refresh: RefreshToken | None,
    nonce: str | None,
    how: str,
) -> Response:
    keys, now = provider.keys(), gateway.clock()
    access = tokens.access_token(keys, company_id, grant, issuer=provider.issuer, audience=provider.audience, now=now)
    body: dict[str, object] = {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": tokens.ACCESS_TTL_S,
        "scope": " ".join(grant.scopes),
    }
    if "openid" in grant.scopes:
        body["id_token"] = tokens.id_token(keys, grant, access, issuer=provider.issuer, nonce=nonce, now=now)
    if refresh is not None:
        body["refresh_token"] = refresh.text
    metrics.OIDC_TOKENS.labels(how).inc()
    log.info("tokens_issued", client=grant.client_id, employee=grant.user.employee_id, grant=how)
    return answer(gateway, body)
