"""What apps of the OpenID Provider hold: what sso-gateway asks and what directory answers. No secret travels, only hashes.

A grant begins with a code, which one browser's session gives an app; redeeming it makes it good; it ends with its session, when
the app gives it back, or when something of it is used twice.
"""

from datetime import datetime
from typing import Literal

from shared.schemas import Schema
from shared.schemas.login import SessionCredential, SessionSeconds

CodeRefusal = Literal["no_session", "other_company", "other_person", "signed_in_too_early"]
GrantRefusal = Literal["unknown", "expired", "wrong_proof", "reused", "other_client", "ended", "too_late"]


class AppUser(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On whose behalf; as he is now."""

    company: str
    employee_id: str
    login_name: str
    email: str
    given_name: str
    family_name: str
    roles: list[str]


class Grant(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    grant_id: str
    """32 hexadecimal digits."""
    session_id: str
    """Of the session behind it, likewise."""
    client_id: str
    scopes: list[str]
    nonce: str | None
    authenticated_at: datetime
    """When he last showed Entra who he is."""
    expires_at: datetime
    """When the session behind it ends by itself."""
    user: AppUser


class IssueCode(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code for an app, on behalf of whoever's session this browser has, if he is who is wanted."""

    session: SessionCredential
    client_id: str
    redirect_uri: str
    scopes: list[str]
    nonce: str | None
    code_challenge: str
    """SHA-256 of the verifier (PKCE, S256), 64 hexadecimal digits."""
    code_sha256: str
    ttl_s: int
    company: str | None
    """None: any."""
    employee_id: str | None
    """None: anybody."""
    signed_in_after: datetime | None


class IssuedCode(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: CodeRefusal | None = None
    """None: the code is issued."""
    company: str | None = None
    employee_id: str | None = None
    """On whose behalf, where it is."""


class RedeemCode(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company_id: str
    code_sha256: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    """Of the verifier that came with the code."""
    family_sha256: str | None
    refresh_sha256: str | None
    """Of a refresh token that the gateway has made and hands out if this is granted; None: the app gets none."""
    session_ttl_s: SessionSeconds
    """How long an app's own session lasts (`offline_access`)."""


class RefreshGrant(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company_id: str
    client_id: str
    family_sha256: str
    refresh_sha256: str
    """Of the token that came."""
    successors: list[str]
    """What the gateway would hand out next: the first one, or, to whoever repeats himself, the one that he was given before."""


class Granted(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    grant: Grant | None = None
    reason: GrantRefusal | None = None
    """Why not, where there is none."""
    successor: int = 0
    """Which of the successors the app is given."""


class GrantCredential(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A grant by its id, out of an access token that the gateway has verified, or by a refresh token."""

    company_id: str
    grant_id: str | None = None
    family_sha256: str | None = None
    refresh_sha256: str | None = None


class ReadGrant(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: GrantCredential


class EndGrant(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The app gives it back. Any refresh token of it will do, used or not."""

    credential: GrantCredential
    client_id: str


class EndedGrant(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ended: bool
    """False: there was none (any more), or it is another app's."""
