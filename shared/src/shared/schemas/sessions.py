"""Open sessions, in a list: of a company as a Setup admin sees them, and of a person as he does."""

from datetime import datetime

from shared.schemas import Schema
from shared.schemas.login import SessionCredential


class ListedSession(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A browser's session, or one that an app holds by itself."""

    session_id: str
    """`ses_…`; no secret, and opens nothing."""
    client_id: str | None
    """The app's; None: a browser's."""
    signed_in_at: datetime
    seen_at: datetime | None
    """To some minutes; None: not known."""
    expires_at: datetime
    current: bool
    """It is the one that asks."""


class SessionOf(ListedSession, frozen=True, kw_only=True, forbid_unknown_fields=True):
    employee_id: str
    login_name: str | None


class ListSessions(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    session: SessionCredential
    person: str | None = None
    """By id or login name; None: everybody's."""


class SessionList(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sessions: list[SessionOf]
    """Newest first."""
    more: bool
    """There are others, which are not listed; ask for one person."""


class EndSessions(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One session by its id, or all of a person; one of both is said."""

    session: SessionCredential
    session_id: str | None = None
    person: str | None = None


class EndedSessions(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ended: int


class ListOwnSessions(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential


class OwnSessions(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company: str
    sessions: list[ListedSession]
    """The one that asks first, then the newest."""
    more: bool


class EndOwnSessions(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    session: SessionCredential
    session_id: str | None = None
    """None: all but the one that asks."""


class EndedOwnSessions(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company: str
    ended: int
    """0 where it was over already, or is not his."""
    current: bool
    """The one that asked has ended."""
