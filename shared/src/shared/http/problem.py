"""`DomainError` on the wire: problem+json (RFC 9457), written by directory, read by `DirectoryClient`."""

import msgspec
from starlette.responses import Response

from shared.errors import DomainError, ErrorCode

STATUS: dict[ErrorCode, int] = {
    ErrorCode.not_found: 404,
    ErrorCode.login_taken: 409,
    ErrorCode.email_taken: 409,
    ErrorCode.external_id_taken: 409,
    ErrorCode.already_exists: 409,
    ErrorCode.needs_confirmation: 409,
    ErrorCode.invalid_value: 422,
    ErrorCode.invalid_request: 400,
    ErrorCode.unauthorized: 401,
    ErrorCode.wrong_caller: 401,
    ErrorCode.not_allowed: 403,
    ErrorCode.held: 423,
    ErrorCode.version_differs: 412,
    ErrorCode.not_conformant: 422,
    ErrorCode.unavailable: 503,
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a refusal. `code` is the machine's word, `detail` the reader's sentence."""

    code: str
    status: int
    title: str = ""
    detail: str = ""
    field: str | None = None
    request_id: str | None = None


_decoder = msgspec.json.Decoder(Problem)


def problem_response(error: DomainError, *, request_id: str = "") -> Response:
    status = STATUS[error.code]
    body = Problem(
        code=error.code.value,
        status=status,
        title=error.code.value.replace("_", " "),
        detail=error.detail,
        field=error.field,
        request_id=request_id or None,
    )
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/problem+json")


def read_problem(status: int, body: bytes) -> DomainError:
    """The error that directory raised; `unavailable` where it raised none that we know."""
    try:
        problem = _decoder.decode(body)
        return DomainError(ErrorCode(problem.code), problem.detail, field=problem.field)
    except (msgspec.DecodeError, ValueError):
        return DomainError(ErrorCode.unavailable, f"The directory answered {status}.")
