"""From a declared operation to a Starlette route: authenticate the caller, decode, do, encode.

The same declaration that `DirectoryClient` calls by. Handlers see a decoded request and return an answer, or raise
`DomainError`; they know nothing of HTTP.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.errors import DomainError, ErrorCode
from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.http.problem import problem_response
from shared.http.service_auth import CallerSecrets
from shared.operations import Operation
from shared.schemas import Schema
from shared.telemetry import context

MAX_BODY_BYTES = 4 * 1024 * 1024

RequestT = TypeVar("RequestT", bound=Schema)
AnswerT = TypeVar("AnswerT", bound=Schema)

_encoder = msgspec.json.Encoder()


def serve(
    operation: Operation[RequestT, AnswerT], callers: CallerSecrets, handler: Callable[[RequestT], Awaitable[AnswerT]]
) -> Route:
    """The route of one operation."""
    decoder = msgspec.json.Decoder(operation.request)

    async def endpoint(request: Request) -> Response:
        try:
            if callers.caller(request.headers.get("authorization")) != operation.caller:
                raise DomainError(ErrorCode.wrong_caller, f"Only {operation.caller} may call this.")
            answer = await handler(await _decoded(request, decoder))
        except DomainError as error:
            return problem_response(error, request_id=context.request_id.get())
        except asyncpg.CharacterNotInRepertoireError:
            # PostgreSQL has no NUL in text. Where a value is validated it never comes this far; where one is only looked
            # for, nothing can be found under it.
            refused = DomainError(ErrorCode.invalid_value, "A value holds a character that cannot be stored (NUL).")
            return problem_response(refused, request_id=context.request_id.get())
        return Response(_encoder.encode(answer), media_type="application/json")

    return Route(operation.path, endpoint, methods=["POST"], name=operation.name)


async def _decoded(request: Request, decoder: "msgspec.json.Decoder[RequestT]") -> RequestT:
    try:
        return decoder.decode(await read_body(request, MAX_BODY_BYTES))
    except msgspec.DecodeError as error:
        raise DomainError(ErrorCode.invalid_request, f"The request does not fit: {error}.") from None
    except BodyTooLarge as error:
        raise DomainError(ErrorCode.invalid_request, f"The request is larger than {error.limit} bytes.") from None
    except BodyTooSlow:
        raise DomainError(ErrorCode.invalid_request, "The request did not arrive in time.") from None
