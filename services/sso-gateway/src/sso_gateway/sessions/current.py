"""Whose session a request brings: as directory says, or said within the last second (`known.py`)."""

from starlette.requests import Request
from starlette.responses import Response

from shared.schemas.login import EndedSession, EndSession, SessionCredential, SignedIn
from shared.telemetry import context
from shared.tokens import company_of_token, sha256
from sso_gateway.gateway import Gateway
from sso_gateway.sessions import cookies
from sso_gateway.sessions.known import Known, Sessions


def session_credential(request: Request) -> SessionCredential | None:
    """What the browser claims; no proof of anything until directory has answered."""
    token = cookies.read(request, cookies.SESSION)
    company_id = company_of_token(token) if token else None
    if token is None or company_id is None:
        return None
    return SessionCredential(company_id=str(company_id), session_sha256=sha256(token).hex())


async def signed_in(sessions: Sessions, request: Request) -> SignedIn | None:
    known = await known_session(sessions, request)
    return known.person if known is not None else None


async def known_session(sessions: Sessions, request: Request) -> Known | None:
    credential = session_credential(request)
    known = await sessions.read(credential) if credential is not None else None
    if known is not None:
        context.company.set(known.person.company)
    return known


async def end_session(gateway: Gateway, request: Request, *, at_idp: bool = False) -> EndedSession | None:
    """None where the browser brings none. Nobody is let in by it here from now on; the others hear of it in a moment."""
    credential = session_credential(request)
    if credential is None:
        return None
    try:
        return await gateway.client.end_session(EndSession(session=credential, at_idp=at_idp))
    finally:
        gateway.sessions.forget(credential)


def not_signed_in(gateway: Gateway, request: Request) -> Response:
    """JSON for everybody: who asks is a program."""
    response = gateway.pages.refusal_json(request, "not_signed_in", status=401)
    response.headers["WWW-Authenticate"] = "Cookie"
    return response
