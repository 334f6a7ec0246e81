"""The mass-change brake as a Setup admin sees it."""

from datetime import datetime
from typing import Literal

from shared.schemas import Schema
from shared.schemas.login import SessionCredential


class ListHeldChanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    after: str = ""
    """`next` of the page before."""
    limit: int = 100


class HeldChange(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody whom Entra asked to deactivate. He keeps his access."""

    employee_id: str
    name: str
    login_name: str
    step: Literal["suspend", "remove"]
    state: Literal["held", "refused", "released"]
    """released: it will be done, here or when Entra asks again."""
    asked_at: datetime
    last_asked_at: datetime
    times: int


class HeldChanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    people: int
    """The company's limit: so many within an hour and no more, 0 is off; and beyond `percent` of the active ones."""
    percent: int
    open_until: datetime | None
    """Until then nothing is held, for somebody has released what was."""
    passed_within_the_hour: int
    held: int
    refused: int
    released: int
    changes: list[HeldChange]
    next: str | None


class ReleaseHeldChanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential


class ReleasedHeldChanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    released: int
    done: int
    """The rest is done when Entra asks again, or by the next sweep."""


class RefuseHeldChanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential


class RefusedHeldChanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    refused: int
