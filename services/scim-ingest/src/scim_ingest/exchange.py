"""What every SCIM request has in common: query, body, content type, answer, refusal, measurement.

bytes -> credential -> its turn -> content type -> body -> (users.py: compile, ONE call of directory) -> answer or refusal
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scim_ingest import large_bodies, metrics, recorder
from scim_ingest.credential import credential_of
from scim_ingest.journal import Journal
from scim_ingest.large_bodies import LARGE_BYTES
from scim_ingest.limits import Limits
from scim_ingest.metrics import Operation, Result
from scim_ingest.protocol.errors import NotConformant, ScimError, from_domain, invalid_syntax
from scim_ingest.protocol.json_body import read_json, write_json
from scim_ingest.protocol.strict import Deviation
from scim_ingest.recorder import Recorder
from scim_ingest.settings import Settings
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.http.places import Places
from shared.schemas.employee import CheckCredential, ScimCredential
from shared.telemetry import context
from shared.telemetry.logs import EventLog

MEDIA_TYPE = "application/scim+json"
_ACCEPTED = frozenset({MEDIA_TYPE, "application/json"})
_MAX_ACCEPT = 4096
_MAX_PARAMETERS = 50
_MEANT = frozenset(
    {"filter", "sortby", "sortorder", "startindex", "count", "cursor", "attributes", "excludedattributes"}
)
"""Parameters that mean something here. Others, Entra's flags among them, are overlooked however often they come."""
_BAD_PERCENT = re.compile(rb"%(?![0-9a-fA-F]{2})")
_OTHER_VERSION = re.compile(r"/scim/v(?!2/)[0-9][0-9.]*/")
_ACTIVITY = re.compile(r"ActivityId:\s*([0-9a-fA-F-]{36})\b")


class Answer(msgspec.Struct, frozen=True):
    """What a handler answers."""

    status: int
    result: Result
    body: object = None
    headers: dict[str, str] = {}


class Handler(Protocol):
    async def __call__(self, request: Request, credential: ScimCredential) -> Answer: ...


ReadT = TypeVar("ReadT")
Endpoint = Callable[[Request], Awaitable[Response]]
Writing = dict[str, Endpoint]
"""Method -> endpoint, of what changes one kind of resource; also done by `/Bulk`, operation by operation."""

# These came after directory had accepted the token, so the company in the path is proven.
_PROVEN = frozenset(ErrorCode) - {
    ErrorCode.unauthorized,
    ErrorCode.wrong_caller,
    ErrorCode.unavailable,
    ErrorCode.invalid_request,
}


def endpoint(operation: Operation, handler: Handler, log: EventLog) -> Endpoint:
    """The Starlette endpoint of one operation that needs a credential."""

    async def answer(request: Request) -> Response:
        with recorder.begun() as noted:
            return await noted_answer(request, noted)

    async def noted_answer(request: Request, noted: Recorder) -> Response:
        started = time.perf_counter()
        limits: Limits = request.state.limits
        journal: Journal = request.state.journal
        try:
            check_accept(request)
            credential = credential_of(request)
            if request.state.untidy_path:
                recorder.coerced("slashes_in_the_path")
            await limits.admit(credential)
            noted.proven = limits.knows(credential)
            try:
                if large_bodies.is_large(request) and not noted.proven and operation != "bulk":
                    # A stranger's is not even read. `/Bulk` asks in any case.
                    directory: DirectoryClient = request.state.directory
                    await directory.check_credential(CheckCredential(credential=credential))
                    _accepted(credential, noted, limits)
                found = await handler(request, credential)
            except DomainError as error:
                if error.code in _PROVEN:
                    _accepted(credential, noted, limits)
                elif error.code is ErrorCode.unauthorized:
                    # It belongs to no company: counted, and not noted anywhere.
                    noted.credential = None
                    limits.rejected(credential)
                raise from_domain(error) from error
            _accepted(credential, noted, limits)
        except ScimError as error:
            response = refuse(error, log)
            result = "held" if error.held else metrics.result_of_refusal(error.status)
            noted.scim_type, noted.detail = error.scim_type, error.detail
            noted.status, noted.result = error.status, result
        else:
            response = respond(found.status, found.body, found.headers)
            result = found.result
            noted.status, noted.result = found.status, result
        finally:
            journal.keep(request, noted, activity_id(request), time.perf_counter() - started)
        metrics.REQUESTS.labels(operation, result).inc()
        metrics.DURATION.labels(operation).observe(time.perf_counter() - started)
        return response

    return answer


@contextmanager
def refused_if_strict(deviation: Deviation | None) -> Iterator[str | None]:
    """Gives the quirk that the call of directory must carry, and tells the sender what it was if directory refuses it.

    Raises:
        NotConformant: the company is in strict mode.
    """
    if deviation is None:
        yield None
        return
    metrics.QUIRKS_MET.labels(deviation.quirk).inc()
    recorder.coerced(deviation.quirk)
    try:
        yield deviation.quirk
    except DomainError as error:
        if error.code is not ErrorCode.not_conformant:
            raise
        raise NotConformant(deviation) from error


def _accepted(credential: ScimCredential, noted: Recorder, limits: Limits) -> None:
    context.company.set(credential.company)
    noted.proven = True
    limits.accepted(credential)


def route(path: str, **endpoints: Endpoint) -> Route:
    """One route for all methods of a path, so that `Allow` in a 405 names them all and no other path answers one it lacks."""
    allowed = [*endpoints, *(["HEAD"] if "GET" in endpoints else [])]

    async def by_method(request: Request) -> Response:
        found = endpoints.get("GET" if request.method == "HEAD" else request.method)
        if found is None:
            raise HTTPException(405, headers={"Allow": ", ".join(allowed)})
        return await found(request)

    made = Route(path, by_method)
    # All of them match here: `GET /Users/.search` is 405, and not somebody whose id is `.search`.
    made.methods = None
    return made


def respond(status: int, body: object = None, headers: dict[str, str] | None = None) -> Response:
    """Every body is application/scim+json, and nobody keeps it: it holds personal data."""
    all_headers = {"Cache-Control": "no-store", **(headers or {})}
    if body is None:
        return Response(status_code=status, headers=all_headers)
    return Response(write_json(body), status_code=status, headers=all_headers, media_type=MEDIA_TYPE)


def refuse(error: ScimError, log: EventLog) -> Response:
    reason = "held" if error.held else error.reason or metrics.reason_of_refusal(error.status, error.scim_type)
    metrics.REJECTIONS.labels(reason).inc()
    log.info("request_refused", status=error.status, scim_type=error.scim_type or "")
    if error.status >= 500:
        error = ScimError(error.status, _with_request_id(error.detail), error.scim_type, headers=error.headers)
    return respond(error.status, error.body(), error.headers)


def fault(request_id: str) -> Response:
    """The answer to what nobody expected; Entra tries again about 40 minutes later."""
    return respond(500, ScimError(500, f"Internal error. Request id {request_id}.").body())


def _with_request_id(detail: str) -> str:
    return f"{detail} Request id {context.request_id.get()}."


async def http_error(request: Request, error: Exception) -> Response:
    """404 and 405, as SCIM errors; another version of the protocol is one of ours that is not there (RFC 7644 section 3.13)."""
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    if error.status_code == 405:
        if request.method == "OPTIONS":
            return respond(204, None, headers)
        return respond(405, ScimError(405, f"{request.method} is not possible here.").body(), headers)
    if error.status_code == 404 and _OTHER_VERSION.match(request.url.path):
        unknown = ScimError(400, "SCIM 2 is spoken here. The Tenant URL ends in /scim/v2/{company}.", "invalidVers")
        return respond(400, unknown.body(), headers)
    detail = (
        "There is nothing here. The Tenant URL ends in /scim/v2/{company}."
        if error.status_code == 404
        else error.detail
    )
    return respond(error.status_code, ScimError(error.status_code, detail).body(), headers)


def parameters_of(request: Request) -> dict[str, str]:
    """The query, form-decoded once; names in lower case. Names that mean nothing to us are kept and overlooked.

    Quirk flags_in_the_query: `aadOptscim062020` and its like come as names without value.
    """
    raw: bytes = request.scope["query_string"]
    if not raw:
        return {}
    found: dict[str, str] = {}
    pairs = raw.split(b"&", _MAX_PARAMETERS)
    if len(pairs) > _MAX_PARAMETERS:
        raise invalid_syntax(f"The query has more than {_MAX_PARAMETERS} parameters.")
    for pair in pairs:
        name, equals, value = (_form_decoded(part) for part in pair.partition(b"="))
        if name and not equals:
            recorder.coerced("flags_in_the_query")
        if name.lower() in found and name.lower() in _MEANT:
            raise invalid_syntax(f"The query has {name.lower()} twice.")
        if name:
            found[name.lower()] = value
    return found


def _form_decoded(raw: bytes) -> str:
    if _BAD_PERCENT.search(raw):
        raise invalid_syntax("The query is not percent-encoded: % must be followed by two hexadecimal digits.")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise invalid_syntax("The query is not UTF-8.") from None


async def json_body(request: Request, settings: Settings) -> object:
    """Raises ScimError: 400, 408, 413, 415, 429."""
    return await understood(request, settings, read_json)


async def understood(request: Request, settings: Settings, read: Callable[[bytes], ReadT]) -> ReadT:
    """What `read` makes of the body. Raises ScimError: what `read` does, and 408, 413, 415, 429."""
    _check_content_type(request)
    raw = await _raw_body(request, settings)
    if len(raw) <= LARGE_BYTES:
        return read(raw)
    # Taken when all of it has come: how slowly somebody sends is no matter of others.
    places: Places = request.state.places
    async with large_bodies.place(places, request.path_params["company"]):
        return await asyncio.to_thread(read, raw)


async def _raw_body(request: Request, settings: Settings) -> bytes:
    try:
        body = await read_body(request, settings.max_body_bytes, timeout_s=settings.body_timeout_s)
        recorder.current().body = body
        return body
    except BodyTooLarge:
        # The connection stays open: closing it under a sender who is still sending would take the answer from him.
        raise ScimError(413, f"The body is larger than {settings.max_body_bytes} bytes.") from None
    except BodyTooSlow:
        raise ScimError(408, "The body did not arrive in time.", headers={"Connection": "close"}) from None


def _check_content_type(request: Request) -> None:
    media_type, _, rest = request.headers.get("content-type", "").partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", rest, re.IGNORECASE)
    if media_type.strip().lower() not in _ACCEPTED or (charset and charset[1].lower() not in ("utf-8", "utf8")):
        raise ScimError(415, f"Send {MEDIA_TYPE} or application/json, in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ScimError(415, "Send the body without Content-Encoding.")


def check_accept(request: Request) -> None:
    """406 only for who says explicitly that JSON will not do. Entra's Accept is of no use (RFC 7644 section 3.8)."""
    accept = request.headers.get("accept", "").lower()
    if len(accept) > _MAX_ACCEPT or "q=0" not in accept.replace(" ", ""):
        return
    weights: dict[str, bool] = {}
    for part in accept.split(","):
        media_range, _, rest = part.replace(" ", "").partition(";")
        weights[media_range] = re.search(r"(?:^|;)q=0(?:\.0*)?(?:;|$)", rest) is None
    wildcard = weights.get("*/*", weights.get("application/*", True))
    if not any(weights.get(media_type, wildcard) for media_type in _ACCEPTED):
        raise ScimError(406, f"Answers are {MEDIA_TYPE}.")


def activity_id(request: Request) -> str:
    """The id that Microsoft's support asks for, from `ADSCIMVersion: Date:…, ActivityId:…`; empty where none came."""
    found = _ACTIVITY.search(request.headers.get("adscimversion", ""))
    return found[1] if found else ""
