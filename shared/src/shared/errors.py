"""The errors that the domain knows.

Raised once in directory, written as problem+json on the wire, raised again as the same object by `DirectoryClient`, and
translated once at each edge (SCIM error, refusal page). Everything else is a fault and becomes a 500 without detail.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    not_found = "not_found"
    login_taken = "login_taken"
    email_taken = "email_taken"
    external_id_taken = "external_id_taken"
    already_exists = "already_exists"
    needs_confirmation = "needs_confirmation"
    invalid_value = "invalid_value"
    invalid_request = "invalid_request"
    unauthorized = "unauthorized"
    wrong_caller = "wrong_caller"
    not_allowed = "not_allowed"
    held = "held"
    version_differs = "version_differs"
    not_conformant = "not_conformant"
    unavailable = "unavailable"


class DomainError(Exception):
    """An expected refusal.

    `detail` is one sentence for whoever can mend it; it names values of the caller's own company only.
    `field` is the name of the schema field that is wrong, where one is.
    """

    def __init__(self, code: ErrorCode, detail: str, *, field: str | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.field = field
