"""PKCE (RFC 7636), S256 alone. Pure."""

import base64
import hashlib
import re

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


def challenge_bytes(challenge: str) -> bytes:
    """Of 43 characters of base64url."""
    return base64.urlsafe_b64decode(f"{challenge}=")


def challenge_of(verifier: str) -> bytes | None:
    """None for what cannot be a verifier."""
    return hashlib.sha256(verifier.encode("ascii")).digest() if _VERIFIER.match(verifier) else None
