"""What the endpoints that apps call have in common: the form, who calls, refusals as JSON, and pages that may read them.

    the client's own, proven by its secret    -> served
    a public client, or nobody we know        -> counted by its address first: guessing spends what is the guesser's

Refusals are those of RFC 6749 section 5.2. Nothing is kept (`no-store`).
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import Response

from shared.errors import DomainError, ErrorCode
from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.telemetry.metrics import RATE_LIMITED
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, log
from sso_gateway.limits import TooManyRequests
from sso_gateway.oidc.clients import Client
from sso_gateway.oidc.provider import Provider

MAX_FORM_BYTES = 16 * 1024
MAX_FIELDS = 50
ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_token",
        "too_many_requests",
        "temporarily_unavailable",
    }
)
"""The label values of `sso_oidc_refusals_total`."""


class CallRefused(Exception):
    def __init__(self, error: str, description: str, *, status: int = 400, **headers: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def invalid_client() -> CallRefused:
    text = "The client is not known here, or what it proves itself by is wrong."
    return CallRefused("invalid_client", text, status=401, WWW_Authenticate='Basic realm="oauth2"')


@dataclass(frozen=True, slots=True)
class Call:
    """A form that came from a client that is known, and proven where it has a secret."""

    client: Client
    fields: Mapping[str, str]

    def wanted(self, name: str) -> str:
        """Raises CallRefused."""
        if name not in self.fields:
            raise CallRefused("invalid_request", f"{name} is missing.")
        return self.fields[name]


Handler = Callable[[Gateway, Provider, Request], Awaitable[Response]]


def answering(endpoint: str, handler: Handler) -> Handler:
    """The handler, with its refusals as JSON, and readable by pages of our clients."""

    async def answered(gateway: Gateway, provider: Provider, request: Request) -> Response:
        if request.method == "OPTIONS":
            response = gateway.pages.protected(Response(status_code=204))
        else:
            try:
                response = await handler(gateway, provider, request)
            except CallRefused as refused:
                response = _refused(gateway, endpoint, refused)
            except TooManyRequests as error:
                response = _too_many(gateway, endpoint, error)
            except DomainError as error:
                response = _failed(gateway, endpoint, error)
        return readable(provider, request, response)

    return answered


async def read_call(gateway: Gateway, provider: Provider, request: Request) -> Call:
    """Raises CallRefused, TooManyRequests."""
    fields = await _form(request)
    client_id, secrets = _credentials(request, fields)
    client = provider.clients.get(client_id)
    if client is not None and any(client.is_proven_by(secret) for secret in secrets):
        return Call(client, fields)
    gateway.limits.admit_address("token", request)
    if client is None or not client.is_public or secrets:
        raise invalid_client()
    return Call(client, fields)


async def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise CallRefused("invalid_request", "Send the parameters as a form (application/x-www-form-urlencoded).")
    try:
        text = (await read_body(request, MAX_FORM_BYTES)).decode("ascii")
        pairs = parse_qsl(text, max_num_fields=MAX_FIELDS, errors="strict")
    except BodyTooLarge:
        raise CallRefused("invalid_request", f"The form is larger than {MAX_FORM_BYTES} bytes.", status=413) from None
    except BodyTooSlow:
        raise CallRefused("invalid_request", "The form did not arrive in time.", status=408) from None
    except ValueError:
        raise CallRefused("invalid_request", "The form cannot be read.") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise CallRefused("invalid_request", "A parameter came twice.")
    return fields


def _credentials(request: Request, fields: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """Client and what its secret may be, by one way alone (RFC 6749 section 2.3)."""
    headers = request.headers.getlist("authorization")
    if not headers:
        return fields.get("client_id"), tuple(fields[name] for name in ("client_secret",) if name in fields)
    if len(headers) > 1 or "client_secret" in fields:
        raise CallRefused(
            "invalid_request", "A client proves itself in one way: by Basic, or by client_secret in the form."
        )
    scheme, _, value = headers[0].partition(" ")
    try:
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("ascii").partition(":")
    except ValueError:
        name = colon = secret = ""
    if scheme.lower() != "basic" or not colon:
        raise invalid_client()
    client_id = unquote_plus(name)
    if fields.get("client_id", client_id) != client_id:
        raise CallRefused("invalid_request", "The form names another client than the Authorization header.")
    # Form-encoded, says RFC 6749 section 2.3.1; as it is, do authlib and many others.
    return client_id, (unquote_plus(secret), secret)


def answer(gateway: Gateway, body: Mapping[str, Any], *, status: int = 200) -> Response:
    response = gateway.pages.json(body, status=status)
    response.headers["Pragma"] = "no-cache"
    return response


def readable(provider: Provider, request: Request, response: Response) -> Response:
    """By pages of our clients, and by no other (CORS); never with cookies."""
    origin = request.headers.get("origin")
    response.headers["Vary"] = "Origin"
    if origin in provider.clients.origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "WWW-Authenticate, Retry-After"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Max-Age"] = "600"
    return response


def _refused(gateway: Gateway, endpoint: str, refused: CallRefused) -> Response:
    metrics.OIDC_REFUSALS.labels(endpoint, refused.error).inc()
    log.info("app_refused", endpoint=endpoint, error=refused.error)
    body = {"error": refused.error, "error_description": refused.description}
    response = answer(gateway, body, status=refused.status)
    response.headers.update(refused.headers)
    return response


def _too_many(gateway: Gateway, endpoint: str, error: TooManyRequests) -> Response:
    RATE_LIMITED.labels(error.surface, error.scope).inc()
    text = "Too many requests at once; wait as long as Retry-After says."
    retry = {"Retry_After": str(error.retry_after_s)}
    return _refused(gateway, endpoint, CallRefused("too_many_requests", text, status=429, **retry))


def _failed(gateway: Gateway, endpoint: str, error: DomainError) -> Response:
    if error.code not in {ErrorCode.unavailable, ErrorCode.unauthorized, ErrorCode.wrong_caller}:
        log.warning("directory_refused", code=error.code.value)
        return _refused(gateway, endpoint, CallRefused("invalid_request", "The request cannot be used."))
    log.error("directory_unavailable", code=error.code.value)
    text = "This cannot be answered at the moment; nothing is lost, try again."
    return _refused(gateway, endpoint, CallRefused("temporarily_unavailable", text, status=503, Retry_After="5"))
