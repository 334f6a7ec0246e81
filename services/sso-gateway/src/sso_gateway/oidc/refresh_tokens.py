"""Refresh tokens as texts: whose company, which family, and 256 bits that are new each time. Pure.

The successor of a token is made of it under a secret of the signing keys. So whoever repeats himself within the grace is given
the same one again by any pod, and nobody has to keep a token; without that secret a token tells nothing about the next.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.ids import CompanyId

_LENGTH = 86


@dataclass(frozen=True, slots=True)
class RefreshToken:
    company_id: CompanyId
    family: bytes
    """16 random bytes that all tokens of a grant have in common."""
    secret: bytes

    @property
    def text(self) -> str:
        return base64.urlsafe_b64encode(self._bytes()).rstrip(b"=").decode("ascii")

    @property
    def family_sha256(self) -> str:
        return hashlib.sha256(self.company_id.bytes + self.family).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self._bytes()).hexdigest()

    def successor(self, key: bytes) -> "RefreshToken":
        return RefreshToken(self.company_id, self.family, hmac.digest(key, self._bytes(), hashlib.sha256))

    def successors(self, keys: Sequence[bytes]) -> "list[RefreshToken]":
        """The current key's first."""
        return [self.successor(key) for key in keys]

    def _bytes(self) -> bytes:
        return self.company_id.bytes + self.family + self.secret


def new_refresh_token(company_id: CompanyId) -> RefreshToken:
    return RefreshToken(company_id, secrets.token_bytes(16), secrets.token_bytes(32))


def read_refresh_token(text: str) -> RefreshToken | None:
    """None where it cannot be one of ours; no proof of anything."""
    if len(text) != _LENGTH or not text.isascii():
        return None
    try:
        found = base64.b64decode(f"{text}==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    token = RefreshToken(CompanyId(UUID(bytes=found[:16])), found[16:32], found[32:])
    # One text a token: the last character of base64 has bits to spare.
    return token if token.text == text else None
