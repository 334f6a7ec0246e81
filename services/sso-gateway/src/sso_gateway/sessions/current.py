"""Whose session a request brings. Asked of directory every time, so that a suspension counts at once on every process."""

from starlette.requests import Request
from starlette.responses import Response

from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.login import ReadSession, SessionCredential, SignedIn
from shared.telemetry import context
from shared.tokens import company_of_token, sha256
from sso_gateway.gateway import Gateway
from sso_gateway.sessions import cookies


def session_credential(request: Request) -> SessionCredential | None:
    """What the browser claims; no proof of anything until directory has answered."""
    token = cookies.read(request, cookies.SESSION)
    company_id = company_of_token(token) if token else None
    if token is None or company_id is None:
        return None
    return SessionCredential(company_id=str(company_id), session_sha256=sha256(token).hex())


async def signed_in(client: DirectoryClient, request: Request) -> SignedIn | None:
    credential = session_credential(request)
    if credential is None:
        return None
    try:
        found = await client.read_session(ReadSession(session=credential))
    except DomainError as error:
        if error.code is ErrorCode.unauthorized:
            return None
        raise
    context.company.set(found.company)
    return found


def not_signed_in(gateway: Gateway, request: Request) -> Response:
    """JSON for everybody: who asks is a program."""
    response = gateway.pages.refusal_json(request, "not_signed_in", status=401)
    response.headers["WWW-Authenticate"] = "Cookie"
    return response
