"""The certificates by which a company's sign-on is verified, as a Setup admin sees them."""

from datetime import datetime
from typing import Literal

from shared.schemas import Schema
from shared.schemas.login import SessionCredential
from shared.schemas.metadata import MetadataLooks

SigningState = Literal["staged", "in_use", "retiring"]
"""staged: trusted, and has not signed yet. in_use: signed last. retiring: signed, but another one has since."""


class SigningCertificate(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    fingerprint: str
    """SHA-256 of the certificate; by this it is removed."""
    thumbprint: str
    """SHA-1, as Entra's portal shows it."""
    subject: str
    not_before: datetime
    not_after: datetime
    added_at: datetime
    last_signed_at: datetime | None
    """To the minute."""
    state: SigningState


class ListCertificates(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential


class CertificateList(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    certificates: list[SigningCertificate]
    """The one in use first, then staged, then retiring; of each the one that is valid longest first."""
    metadata: MetadataLooks


class AddCertificates(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    pasted: str
    """PEM, base64 or federation metadata, as a whole."""


class CertificatesAdded(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    added: list[str]
    """Fingerprints; empty where all of them were trusted already."""
    certificates: list[SigningCertificate]


class RemoveCertificate(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    fingerprint: str
    compromised: bool = False
    """Its key is known to somebody else: sessions are ended too, for nobody knows which of them it opened."""


class CertificateRemoved(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sessions_ended: int
    certificates: list[SigningCertificate]
