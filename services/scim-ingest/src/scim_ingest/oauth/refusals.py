"""Refusals of a token request in OAuth's words (RFC 6749 section 5.2).

Whatever is wrong with a client (unknown company, wrong secret, another company's, no trust, a bad assertion) is one answer. The
reader of a description is the company's administrator, in Entra's provisioning log; what exactly was wrong stands in our log.
"""

from typing import Literal

ErrorName = Literal[
    "invalid_request",
    "invalid_client",
    "unsupported_grant_type",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
]


class OAuthRefusal(Exception):
    """An expected refusal. `description` is printable ASCII without quotation marks, as the RFC wants it."""

    def __init__(
        self,
        error: ErrorName,
        description: str,
        *,
        reason: str = "",
        status: int = 400,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.reason = reason or error
        """For our own log and no one else."""
        self.status = status
        self.retry_after_s = retry_after_s


def invalid_request(description: str, *, status: int = 400) -> OAuthRefusal:
    return OAuthRefusal("invalid_request", description, status=status)


def invalid_client(reason: str) -> OAuthRefusal:
    return OAuthRefusal(
        "invalid_client",
        "The client is not known at this token endpoint, or what it proves itself by is wrong, expired or revoked. Copy token "
        "endpoint, client identifier and secret again; for federation compare issuer, audience and subject.",
        reason=reason,
        status=401,
    )


def too_many_requests(description: str, retry_after_s: int) -> OAuthRefusal:
    """The RFC has no word of its own for it; the status says it (RFC 6585 section 4)."""
    return OAuthRefusal("temporarily_unavailable", description, status=429, retry_after_s=retry_after_s)


def unavailable(description: str) -> OAuthRefusal:
    """Nothing is wrong with the request."""
    return OAuthRefusal("temporarily_unavailable", description, status=503, retry_after_s=5)
