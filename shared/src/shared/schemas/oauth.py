"""Token requests of Entra's provisioning service, as scim-ingest passes them on. No secret and no token travels, only hashes."""

from shared.schemas import Schema


class RedeemSecret(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Client credentials: an access token for whoever holds a secret of the company's client."""

    company: str
    """The company named in the path."""
    client_id: str
    secret_sha256: str
    """64 hexadecimal digits."""
    token_sha256: str
    """Of the access token that scim-ingest has made and hands out if this is granted."""


class FindFederation(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asked before anybody's keys are fetched: the claims are not proven yet."""

    company: str
    client_id: str | None = None
    """Where the request names one, it is the company's."""
    issuer: str
    audience: str
    subject: str


class FoundFederation(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    federation_id: str
    """`fed_…`"""


class RedeemAssertion(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Federation: scim-ingest has proven an assertion with the claims by which it found this federation."""

    company: str
    federation_id: str
    token_sha256: str


class AccessTokenIssued(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    issued_for: str
    """`sec_…` or `fed_…`"""
    expires_in_s: int
