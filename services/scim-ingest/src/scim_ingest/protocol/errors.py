"""Refusals in SCIM's words, and the one table from directory's refusals to them.

`detail` is what the customer's administrator reads in Entra's provisioning log, so it says what to mend
(RFC 7644 section 3.12; Microsoft: "rejected with a descriptive, actionable error message").
"""

from typing import Literal

from scim_ingest.protocol.attributes import path_of_field
from shared.errors import DomainError, ErrorCode

ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"

ScimType = Literal[
    "invalidFilter",
    "tooMany",
    "uniqueness",
    "mutability",
    "invalidSyntax",
    "invalidPath",
    "noTarget",
    "invalidValue",
    "invalidVers",
    "invalidCursor",
    "invalidCount",
]


class ScimError(Exception):
    """An expected refusal of a SCIM request."""

    def __init__(
        self,
        status: int,
        detail: str,
        scim_type: ScimType | None = None,
        *,
        headers: dict[str, str] | None = None,
        held: bool = False,
        reason: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type
        self.headers = headers or {}
        self.held = held
        """By the mass-change brake: in order, although the status looks like a fault."""
        self.reason = reason
        """For the metric, where status and type do not say it."""

    def body(self) -> dict[str, object]:
        """`status` is a string (RFC 7644 section 3.12)."""
        body: dict[str, object] = {"schemas": [ERROR_SCHEMA], "status": str(self.status)}
        if self.scim_type is not None:
            body["scimType"] = self.scim_type
        body["detail"] = self.detail
        return body


class NotConformant(DomainError):
    """Directory refuses what only scim-ingest can put into words: it has seen the request as it was sent."""

    def __init__(self, refusal: ScimError) -> None:
        super().__init__(ErrorCode.not_conformant, refusal.detail)
        self.refusal = refusal


def invalid_syntax(detail: str) -> ScimError:
    return ScimError(400, detail, "invalidSyntax")


def invalid_value(detail: str) -> ScimError:
    return ScimError(400, detail, "invalidValue")


def invalid_path(detail: str) -> ScimError:
    return ScimError(400, detail, "invalidPath")


def invalid_filter(detail: str) -> ScimError:
    return ScimError(400, detail, "invalidFilter")


def no_target(detail: str) -> ScimError:
    return ScimError(400, detail, "noTarget")


def mutability(detail: str) -> ScimError:
    return ScimError(400, detail, "mutability")


def no_token() -> ScimError:
    return ScimError(
        401,
        "Send the company's SCIM token, or an access token of its OAuth client, as Authorization: Bearer.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def token_refused() -> ScimError:
    """One text for a wrong token, another company's token and an unknown company: none of them can be told apart."""
    return ScimError(
        401,
        "The token is not valid for this Tenant URL: it is of another one, has expired or was revoked. Copy both again from "
        "the company's provisioning settings, or ask for an access token again.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def entra_token_refused() -> ScimError:
    """Secret Token left blank in Entra. Not accepted however genuine: such a token says neither which company's app asks, nor
    that it was meant for us (all custom apps have the same audience)."""
    return ScimError(
        401,
        "Entra sent a token of its own, as it does while Secret Token is blank, and such a token is never accepted. In Entra, "
        "Enterprise app, Provisioning, Admin Credentials: paste this company's SCIM token as Secret Token, or choose OAuth2 "
        "client credentials or Workload Identity Federation as the authentication method.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        reason="entra_token",
    )


_STATUS_AND_TYPE: dict[ErrorCode, tuple[int, ScimType | None]] = {
    ErrorCode.not_found: (404, None),
    ErrorCode.login_taken: (409, "uniqueness"),
    ErrorCode.email_taken: (409, "uniqueness"),
    ErrorCode.external_id_taken: (409, "uniqueness"),
    ErrorCode.already_exists: (409, "uniqueness"),
    # A person who must be confirmed by a Setup admin first (A24): the name is in use until then.
    ErrorCode.needs_confirmation: (409, "uniqueness"),
    ErrorCode.invalid_value: (400, "invalidValue"),
    ErrorCode.version_differs: (412, None),
    # Told in full by `NotConformant`.
    ErrorCode.not_conformant: (400, "invalidSyntax"),
    # Directory could not read what we sent: our two versions do not fit, and the sender can mend nothing.
    ErrorCode.invalid_request: (500, None),
    ErrorCode.unauthorized: (401, None),
    ErrorCode.not_allowed: (403, None),
    # Not 429: Entra answers that by pausing the whole job, and a hold concerns one person. A 503 it takes as this person's
    # failure, goes on with the others and asks again in a later cycle, at least once a day, for four weeks.
    ErrorCode.held: (503, None),
    ErrorCode.unavailable: (503, None),
    ErrorCode.wrong_caller: (503, None),
}
RETRY_AFTER_S = 5
HELD_RETRY_AFTER_S = 30
"""Short, in case somebody waits for it before he goes on with the others."""


def from_domain(error: DomainError) -> ScimError:
    """The SCIM refusal for directory's; a field is named by its SCIM path."""
    if isinstance(error, NotConformant):
        return error.refusal
    status, scim_type = _STATUS_AND_TYPE[error.code]
    match error.code:
        case ErrorCode.unauthorized:
            return token_refused()
        case ErrorCode.not_found:
            return group_not_found() if error.field == "group_id" else user_not_found()
        case ErrorCode.invalid_request:
            # More members together than one answer should hold; else our two versions do not fit.
            return (
                ScimError(400, error.detail, "tooMany") if error.field == "limit" else ScimError(500, "Internal error.")
            )
        case ErrorCode.held:
            return ScimError(status, error.detail, headers={"Retry-After": str(HELD_RETRY_AFTER_S)}, held=True)
        case ErrorCode.unavailable:
            return ScimError(status, error.detail, headers={"Retry-After": str(RETRY_AFTER_S)})
    path = path_of_field(error.field) if error.field else None
    detail = error.detail
    if path and error.field and detail.startswith(f"{error.field} "):
        detail = path + detail[len(error.field) :]
    elif path and path not in detail:
        detail = f"{path}: {detail}"
    return ScimError(status, detail, scim_type)


def too_many_requests(came: int, within_s: float, per_s: int, retry_after_s: int) -> ScimError:
    """Entra answers it by pausing: it must stay the exception."""
    return ScimError(
        429,
        f"At most {per_s} requests a second are answered, and a little more in a burst; {came} came within {within_s:.1f} "
        f"seconds. Send again in {retry_after_s} s.",
        headers={"Retry-After": str(retry_after_s)},
    )


def group_not_found() -> ScimError:
    """The same for an id that never was and one of another company (D15)."""
    return ScimError(404, "No group has this id.")


def user_not_found() -> ScimError:
    """The same for an id that never was, one of a departed employee, and one of another company (D3, D15)."""
    return ScimError(404, "No user has this id.")
