"""Tokens that are shown to us: `/oauth2/userinfo`, `/oauth2/introspect`, `/oauth2/revoke`. One internal call each.

A signature says whose a token is; whether what it hangs on still lives is asked of directory, so that a suspension counts here
at once. An access token is a few minutes old at most, and an API that looks at its signature alone believes it that long.
"""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from shared.errors import DomainError, ErrorCode
from shared.schemas.oidc import EndGrant, Grant, GrantCredential, ReadGrant
from shared.telemetry import context
from shared.telemetry.tracing import internal_span
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, log
from sso_gateway.oidc.calling import CallRefused, answer, read_call
from sso_gateway.oidc.provider import Provider
from sso_gateway.oidc.refresh_tokens import read_refresh_token
from sso_gateway.oidc.tokens import AccessClaims, claims_for, company_claims, read_access_token


async def userinfo(gateway: Gateway, provider: Provider, request: Request) -> Response:
    headers = request.headers.getlist("authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    claims = None
    if scheme.lower() == "bearer":
        claims = read_access_token(provider.keys(), token.strip(), issuer=provider.issuer, now=gateway.clock())
    grant = await living(gateway, _credential(claims)) if claims is not None else None
    if claims is None or grant is None or provider.clients.get(grant.client_id) is None:
        gateway.limits.admit_address("token", request)
        raise _invalid_token(given=bool(headers))
    return answer(gateway, {"sub": grant.user.employee_id, **claims_for(grant.user, claims.scope.split())})


async def introspect(gateway: Gateway, provider: Provider, request: Request) -> Response:
    """RFC 7662: for the back end, which proves itself first."""
    call = await read_call(gateway, provider, request)
    if not call.client.may_introspect:
        raise CallRefused("unauthorized_client", "This client may not ask about tokens.", status=403)
    token, now = call.wanted("token"), gateway.clock()
    claims = read_access_token(provider.keys(), token, issuer=provider.issuer, now=now)
    credential = _credential(claims) if claims is not None else _refresh_credential(token)
    grant = await living(gateway, credential) if credential is not None else None
    if grant is None or provider.clients.get(grant.client_id) is None:
        return answer(gateway, {"active": False})
    return answer(
        gateway, _of_access_token(claims, grant) if claims is not None else _of_refresh_token(provider, grant)
    )


async def revoke(gateway: Gateway, provider: Provider, request: Request) -> Response:
    """RFC 7009: by either token, and both go; what is not there any more is gone, too."""
    call = await read_call(gateway, provider, request)
    token = call.wanted("token")
    claims = read_access_token(provider.keys(), token, issuer=provider.issuer, now=gateway.clock())
    credential = _credential(claims) if claims is not None else _refresh_credential(token)
    if credential is not None:
        gateway.limits.admit_grant(credential.company_id, request)
        ended = await gateway.client.end_grant(EndGrant(credential=credential, client_id=call.client.client_id))
        if ended.ended:
            metrics.SESSIONS_ENDED.labels("app").inc()
            log.info("grant_given_back", client=call.client.client_id)
    response = gateway.pages.protected(Response(status_code=200))
    response.headers["Pragma"] = "no-cache"
    return response


async def living(gateway: Gateway, credential: GrantCredential) -> Grant | None:
    """What the token hangs on, if it lives; the one question that a memory of sessions may answer some day."""
    try:
        with internal_span("oidc grant"):
            grant = await gateway.client.read_grant(ReadGrant(credential=credential))
    except DomainError as error:
        if error.code is ErrorCode.unauthorized:
            return None
        raise
    context.company.set(grant.user.company)
    return grant


def _credential(claims: AccessClaims) -> GrantCredential:
    return GrantCredential(company_id=claims.company_id, grant_id=claims.grant_id)


def _refresh_credential(text: str) -> GrantCredential | None:
    token = read_refresh_token(text)
    if token is None:
        return None
    return GrantCredential(
        company_id=str(token.company_id), family_sha256=token.family_sha256, refresh_sha256=token.sha256
    )


def _of_access_token(claims: AccessClaims, grant: Grant) -> dict[str, object]:
    return {
        "active": True,
        "token_type": "Bearer",
        "iss": claims.iss,
        "sub": claims.sub,
        "aud": claims.aud,
        "client_id": claims.client_id,
        "username": grant.user.login_name,
        "scope": claims.scope,
        "exp": claims.exp,
        "iat": claims.iat,
        "jti": claims.jti,
        "sid": claims.sid,
        **company_claims(grant.user),
    }


def _of_refresh_token(provider: Provider, grant: Grant) -> dict[str, object]:
    return {
        "active": True,
        "token_type": "refresh_token",
        "iss": provider.issuer,
        "sub": grant.user.employee_id,
        "client_id": grant.client_id,
        "username": grant.user.login_name,
        "scope": " ".join(grant.scopes),
        "exp": _seconds(grant.expires_at),
        "sid": f"ses_{grant.session_id}",
        **company_claims(grant.user),
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _invalid_token(*, given: bool) -> CallRefused:
    # Whoever sent none learns what is wanted, and no more (RFC 6750 section 3.1).
    challenge = 'Bearer error="invalid_token"' if given else "Bearer"
    text = "The access token is missing, over, or what it hangs on has ended."
    return CallRefused("invalid_token", text, status=401, WWW_Authenticate=challenge)
