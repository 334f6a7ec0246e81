"""What becomes of a code that is asked for, and of a code or refresh token that was not simply good. Pure.

    refresh token, the next one to be used      -> the successor                  (in SQL: one UPDATE … RETURNING)
    the one before it, within `REPEATED_WITHIN` -> the same successor once more   an answer that was lost on its way
    any other of the family                     -> all of it ends                 RFC 9700 section 4.14.2

A code that was redeemed before ends what it was given (RFC 6749 section 4.1.2), and so does one with a wrong proof.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.schemas.oidc import CodeRefusal, GrantRefusal

REPEATED_WITHIN = timedelta(seconds=10)
"""A phone that changes networks, or two threads of an app that refresh at once, ask again within a second or two."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who must be signed in; None: does not matter."""

    company: str | None
    employee_id: str | None
    signed_in_after: datetime | None


def code_refusal(wanted: Wanted, *, company: str, employee_id: str, authenticated_at: datetime) -> CodeRefusal | None:
    if wanted.company is not None and wanted.company != company:
        return "other_company"
    if wanted.employee_id is not None and wanted.employee_id != employee_id:
        return "other_person"
    if wanted.signed_in_after is not None and authenticated_at < wanted.signed_in_after:
        return "signed_in_too_early"
    return None


@dataclass(frozen=True, slots=True)
class Refused:
    reason: GrantRefusal
    ends: bool = False
    """The grant, with all that came of it."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same successor once more."""

    successor: int


@dataclass(frozen=True, slots=True)
class CodeRow:
    client_id: str
    redeemed: bool
    expires_at: datetime
    lives: bool
    """The session that it was given for does."""


def code_not_redeemed(row: CodeRow | None, client_id: str, now: datetime) -> Refused:
    """Why a code did not do."""
    if row is None:
        return Refused("unknown")
    if row.client_id != client_id:
        # Not ended: whoever caught it is no nearer to it, and the app that it was given to must not suffer.
        return Refused("other_client")
    if row.redeemed:
        return Refused("reused", ends=True)
    if row.expires_at <= now:
        return Refused("expired")
    if not row.lives:
        return Refused("ended")
    return Refused("wrong_proof", ends=True)


@dataclass(frozen=True, slots=True)
class FamilyRow:
    client_id: str
    refresh_sha256: bytes
    former_sha256: bytes | None
    refreshed_at: datetime | None
    lives: bool
    """The session behind it does, and its owner may sign in."""


def token_not_next(
    row: FamilyRow | None, client_id: str, presented: bytes, successors: list[bytes], now: datetime
) -> Refused | Repeated:
    """What becomes of a refresh token that is not the next one of a living family."""
    if row is None:
        return Refused("unknown")
    if row.client_id != client_id:
        return Refused("other_client")
    if not row.lives or presented == row.refresh_sha256:
        return Refused("ended")
    if presented != row.former_sha256 or row.refreshed_at is None:
        return Refused("reused", ends=True)
    if now - row.refreshed_at > REPEATED_WITHIN:
        return Refused("reused", ends=True)
    if row.refresh_sha256 not in successors:
        # The signing keys changed in between, of which successors are made; neither of the two can know better.
        return Refused("too_late")
    return Repeated(successors.index(row.refresh_sha256))
