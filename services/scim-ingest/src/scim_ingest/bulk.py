"""`/Bulk`: many requests in one (RFC 7644 section 3.7). Each is done as if it had come alone, one after the other.

    message -> read_bulk -> Order: whose turn is it -> references filled in -> the endpoint of /Users or /Groups -> its answer

An operation passes through the same `endpoint` as a single request, and so through everything that counts, limits or notes
requests there; nothing here writes by itself. The request as a whole asks directory once whether the token is good.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import msgspec
from opentelemetry.trace import SpanKind
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from scim_ingest import metrics, recorder
from scim_ingest.exchange import MEDIA_TYPE, Answer, Writing, activity_id, endpoint, route, understood
from scim_ingest.large_bodies import LARGE_BYTES
from scim_ingest.protocol.attributes import ENTERPRISE
from scim_ingest.protocol.bulk import (
    BULK_REQUEST,
    BULK_RESPONSE,
    BulkRequest,
    Kind,
    Malformed,
    Operation,
    change_references,
    change_target,
    named_manager,
    read_bulk,
    short,
    without_manager,
)
from scim_ingest.protocol.bulk_order import Order, Turn
from scim_ingest.protocol.errors import NotConformant, ScimError, invalid_value
from scim_ingest.protocol.json_body import read_json
from scim_ingest.protocol.strict import PATCH_OP, Deviation, in_message
from scim_ingest.settings import Settings
from shared.directory_client import DirectoryClient
from shared.schemas.employee import CheckCredential, ScimCredential
from shared.telemetry import context
from shared.telemetry.logs import EventLog
from shared.telemetry.tracing import internal_span

Clock = Callable[[], float]
Document = dict[str, object]

NOT_BEGUN = ScimError(503, "Not begun: the time for one bulk request was over. Send this operation again.")


class Bulk:
    """The handler, with what it shares. `clock` counts seconds and never goes back."""

    def __init__(
        self,
        directory: DirectoryClient,
        writing: Mapping[Kind, Writing],
        settings: Settings,
        log: EventLog,
        clock: Clock = time.monotonic,
    ) -> None:
        self._directory = directory
        self._writing = writing
        self._settings = settings
        self._log = log
        self._clock = clock

    def routes(self) -> list[Route]:
        return [route("/scim/v2/{company}/Bulk", POST=endpoint("bulk", self.perform, self._log))]

    async def perform(self, request: Request, credential: ScimCredential) -> Answer:
        until = self._clock() + self._settings.bulk_time_s
        # First, so that a wrong token is one 401 and a stranger's body is not even read.
        company = await self._directory.check_credential(CheckCredential(credential=credential))
        context.company.set(credential.company)
        bulk, deviation = await understood(
            request, self._settings, partial(_read, most=self._settings.bulk_max_operations, strict=company.strict)
        )
        if deviation is not None:
            raise NotConformant(deviation)
        size = len(recorder.current().body) // max(1, len(bulk.operations))
        # Each operation has an entry of its own in the journal, with its own body.
        recorder.current().body = b""
        base = f"{self._settings.public_url.rstrip('/')}/scim/v2/{credential.company}"
        run = _Run(request, bulk.operations, self._writing, base, self._log, large=size > LARGE_BYTES)
        await run.all(bulk.fail_on_errors, lambda: self._clock() >= until)
        answers = run.answers()
        self._log.info(
            "bulk_answered",
            operations=len(bulk.operations),
            answered=len(answers),
            refused=run.errors,
            not_begun=run.not_begun,
            activity=activity_id(request),
        )
        result: metrics.Result = "partial" if run.errors or run.not_begun else "updated"
        return Answer(200, result, {"schemas": [BULK_RESPONSE], "Operations": answers})


class _Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one operation."""

    status: int
    location: str | None = None
    version: str | None = None
    response: object = None
    """The error's body; None where all went well."""


class _Run:
    """One bulk request under way."""

    def __init__(
        self,
        request: Request,
        operations: list[Operation | Malformed],
        writing: Mapping[Kind, Writing],
        base: str,
        log: EventLog,
        *,
        large: bool,
    ) -> None:
        """`large`: its operations are, so that each is made ready beside the event loop."""
        self._request = request
        self._large = large
        self._operations = operations
        self._writing = writing
        self._base = base
        self._log = log
        self._done: dict[int, _Done] = {}
        self._created: dict[str, str | None] = {
            one.bulk_id: None
            for one in operations
            if isinstance(one, Operation) and one.method == "POST" and one.bulk_id is not None
        }
        """bulkId -> the id that it stands for; None as long as there is none."""
        self._without_manager: set[int] = set()
        """Created, and still to get their manager."""
        self.errors = 0
        self.not_begun = 0

    async def all(self, fail_on_errors: int | None, time_is_over: Callable[[], bool]) -> None:
        order = Order(self._operations)
        rest: ScimError | None = None
        while rest is None and (turn := order.next()) is not None:
            if time_is_over():
                rest = NOT_BEGUN
                break
            # What is refused without asking anybody never waits of itself, and a thousand in a row would hold everybody up.
            await asyncio.sleep(0)
            with _request_of_its_own(turn.position):
                done = await self._take(turn)
            self._settle(turn.position, done)
            order.settled(turn)
            if fail_on_errors is not None and self.errors >= fail_on_errors:
                break
            if done.status == 401:
                # Revoked meanwhile. Whoever sent the rest is told the same, without being looked at one by one.
                rest = ScimError(401, "The token was revoked while the request was under way.")
        self._leave_without_managers()
        if rest is not None:
            self._leave_the_rest(rest)

    def answers(self) -> list[Document]:
        """In the order of the request; what `failOnErrors` stopped is not among them."""
        return [self._shown(one, self._done[at]) for at, one in enumerate(self._operations) if at in self._done]

    def _shown(self, operation: Operation | Malformed, done: _Done) -> Document:
        shown: Document = {
            "method": operation.method,
            "bulkId": operation.bulk_id,
            "location": done.location,
            "version": done.version,
            "status": str(done.status),
            "response": done.response,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _settle(self, position: int, done: _Done) -> None:
        before = self._done.get(position)
        self._done[position] = done
        if done.status >= 400 and (before is None or before.status < 400):
            self.errors += 1

    async def _take(self, turn: Turn) -> _Done:
        operation = self._operations[turn.position]
        if isinstance(operation, Malformed):
            return _refused(turn.position, operation.error)
        with internal_span("bulk operation", SpanKind.INTERNAL, **{"scim.bulk.position": turn.position}):
            try:
                match turn.step:
                    case "refuse_circle":
                        error = ScimError(409, "It names itself in a circle that cannot be created step by step.")
                        return _refused(turn.position, error)
                    case "set_manager":
                        return await self._set_manager(turn.position, operation)
                    case "do_without_manager":
                        done = await self._do(operation, without_manager(operation.data))
                        if done.status < 300:
                            self._without_manager.add(turn.position)
                        return done
                return await self._do(operation, operation.data)
            except ScimError as error:
                return _refused(turn.position, error, self._location(operation))

    async def _do(self, operation: Operation, data: object) -> _Done:
        target = None if operation.target is None else change_target(operation.target, self._id_of)
        answer = await self._ask(operation, target, data)
        done = _Done(
            status=answer.status_code,
            location=answer.headers.get("location") or (self._url(operation.kind, target) if target else None),
            version=answer.headers.get("etag"),
            response=json.loads(bytes(answer.body)) if answer.status_code >= 400 else None,
        )
        if operation.method == "POST" and operation.bulk_id is not None and done.status < 300 and done.location:
            self._created[operation.bulk_id] = done.location.rsplit("/", 1)[-1]
        return done

    async def _set_manager(self, position: int, operation: Operation) -> _Done:
        """The second step of whoever was created before his manager. He is there either way."""
        first = self._done[position]
        if operation.bulk_id is None or position not in self._without_manager:
            return first
        self._without_manager.discard(position)
        try:
            manager = {"value": self._id_of(named_manager(operation.data))}
        except ScimError as error:
            return _half_done(first, error.detail)
        value = {"op": "add", "path": f"{ENTERPRISE}:manager", "value": manager}
        body = {"schemas": [PATCH_OP], "Operations": [value]}
        patch = msgspec.structs.replace(operation, method="PATCH", version=None)
        answer = await self._ask(patch, self._created[operation.bulk_id], body)
        if answer.status_code >= 300:
            return _half_done(first, str(json.loads(bytes(answer.body)).get("detail")))
        return msgspec.structs.replace(first, version=answer.headers.get("etag"))

    def _leave_without_managers(self) -> None:
        for position in self._without_manager:
            self._settle(position, _half_done(self._done[position], "The request ended before it."))

    def _leave_the_rest(self, error: ScimError) -> None:
        for position, operation in enumerate(self._operations):
            if position not in self._done:
                malformed = isinstance(operation, Malformed)
                found = operation.error if isinstance(operation, Malformed) else error
                self._done[position] = _refused(position, found)
                self.errors += malformed
                self.not_begun += not malformed
        metrics.BULK_NOT_BEGUN.inc(self.not_begun)

    def _id_of(self, bulk_id: str) -> str:
        """Raises ScimError: 400 for a bulkId that no operation has, 409 for one that was not created."""
        if bulk_id not in self._created:
            raise invalid_value(f"No operation of this request creates bulkId '{short(bulk_id)}'.")
        found = self._created[bulk_id]
        if found is None:
            raise ScimError(409, f"bulkId '{short(bulk_id)}' was not created; see the answer to it.")
        return found

    def _location(self, operation: Operation) -> str | None:
        if operation.target is None:
            return None
        try:
            return self._url(operation.kind, change_target(operation.target, self._id_of))
        except ScimError:
            return None

    def _url(self, kind: Kind, target: str) -> str:
        return f"{self._base}/{kind}/{target}"

    async def _ask(self, operation: Operation, target: str | None, data: object) -> Response:
        def ready() -> Request:
            return _single(self._request, operation, target, change_references(data, self._id_of))

        request = await asyncio.to_thread(ready) if self._large else ready()
        try:
            return await self._writing[operation.kind][operation.method](request)
        except Exception as error:
            # A fault of one must not hide what became of the others: they are done, and nobody would know.
            self._log.error("bulk_operation_failed", exc_info=True, error=type(error).__name__)
            fault = ScimError(500, f"Internal error. Request id {context.request_id.get()}.")
            return Response(json.dumps(fault.body()), status_code=500)


@contextmanager
def _request_of_its_own(position: int) -> Iterator[None]:
    """The history tells by the request what an operation wrote, and not all of them."""
    around = context.request_id.set(f"{context.request_id.get()}.{position + 1}")
    try:
        yield
    finally:
        context.request_id.reset(around)


def _read(raw: bytes, most: int, *, strict: bool) -> tuple[BulkRequest, Deviation | None]:
    body = read_json(raw)
    deviation = in_message(body, BULK_REQUEST) if strict else None
    return read_bulk(body, most), deviation


def _refused(position: int, error: ScimError, location: str | None = None) -> _Done:
    """Of an operation that reached no endpoint, and so has no entry of its own in the journal."""
    recorder.left_out(f"operation {position + 1}: {error.detail}")
    return _Done(status=error.status, location=location, response=error.body())


def _half_done(first: _Done, why: str) -> _Done:
    detail = f"Created, but without the manager. {why} Set the manager by a PATCH of the location."
    return msgspec.structs.replace(first, status=409, response=ScimError(409, detail).body())


def _single(bulk: Request, operation: Operation, target: str | None, data: object) -> Request:
    """The operation as a request of its own: same sender, same token, its own body."""
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    headers += [(name, value) for name, value in bulk.headers.raw if name in (b"authorization", b"adscimversion")]
    if operation.version is not None:
        headers.append((b"if-match", operation.version.encode("latin-1", "replace")))
    # By the standard library: numbers of any size pass, and what is no number is refused where bodies are read.
    body = b"" if operation.method == "DELETE" else json.dumps(data, ensure_ascii=False).encode()
    headers.append((b"content-length", str(len(body)).encode()))
    path = bulk.url.path.removesuffix("/Bulk") + f"/{operation.kind}" + (f"/{target}" if target else "")
    scope = {
        **bulk.scope,
        "method": operation.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "path_params": {"company": bulk.path_params["company"], **({"id": target} if target else {})},
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)
