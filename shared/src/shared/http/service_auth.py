"""Which service is calling: a secret per caller, in `Authorization: Bearer`, compared in constant time."""

import hmac
from collections.abc import Mapping

from shared.tokens import sha256


class CallerSecrets:
    """The callers that directory knows. An empty secret is nobody's."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        for caller, secret in secrets.items():
            if len(secret) < 16:
                raise ValueError(f"the secret of {caller} must have at least 16 characters")
        self._hashes = {caller: sha256(secret) for caller, secret in secrets.items()}

    def caller(self, authorization: str | None) -> str | None:
        """The name behind an Authorization header, or None."""
        if authorization is None or not authorization.startswith("Bearer "):
            return None
        given = sha256(authorization[7:])
        found = None
        for caller, expected in self._hashes.items():
            if hmac.compare_digest(given, expected):
                found = caller
        return found
