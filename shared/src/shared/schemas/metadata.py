"""Looks at the federation metadata of companies' apps: sso-gateway fetches, directory knows whose turn it is and how it went."""

from datetime import datetime
from typing import Annotated

import msgspec

from shared.schemas import Schema
from shared.schemas.login import Connection, MetadataUse


class ClaimMetadataLooks(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whoever asks looks at what he is given; nobody else is given the same within the hour."""

    most: Annotated[int, msgspec.Meta(ge=1, le=100)]


class DueLook(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A company whose metadata is to be looked at, and where it stands."""

    company: str
    tenant_id: str
    app_id: str
    login_url: str
    failure: str | None
    """Why the look before failed; None: it did not."""


class ClaimedMetadataLooks(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    due: list[DueLook]
    """Fewer than were asked for: no more are due at the moment."""


class NoteFailedLook(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The metadata could not be had, or is not the company's."""

    company: str
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class NotedLook(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class OfferCertificates(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the company's federation metadata says now."""

    company: str
    metadata: str
    """The document, as it was fetched."""


class OfferedCertificates(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    adopted: int
    """Trusted now, and were not before."""
    offered: int
    """Told to the company, which trusts them or does not."""
    connection: Connection


class MetadataLooks(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the looks at a company's metadata go, for the company."""

    use: MetadataUse
    looked_at: datetime | None = None
    """When the last one began; None: there was none of this app at this address."""
    due_at: datetime | None = None
    """When the next one is due; None: the company wants none, is closed, or has no login URL."""
    failing_since: datetime | None = None
    """None: the last one did not fail."""
    failure: str | None = None
