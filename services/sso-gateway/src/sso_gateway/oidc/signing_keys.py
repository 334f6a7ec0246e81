"""The keys that tokens are signed with: a folder of P-256 keys in PEM, a mounted Secret.

    next.pem       published, signs nothing yet: who fetched the set knows it before it is used
    current.pem    published, signs
    previous.pem   published, for what it signed before

The folder is looked at every few seconds while it is used, and a change is taken in without a restart. What cannot be read
changes nothing: what worked goes on working, an error is logged once and `sso_oidc_keys_unreadable` says so.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey

from shared.settings import SettingsError
from shared.telemetry.logs import EventLog
from sso_gateway import metrics

log = EventLog("sso-gateway")

SLOTS = ("current", "next", "previous")
LOOKED_AT_EVERY_S = 3.0
MAX_BYTES = 10_000


class KeysUnreadable(Exception):
    """The folder does not hold a set of keys; one sentence, without anything of a key."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys by kid, the one that signs, and the set as it is published."""

    signing: ECKey
    signing_kid: str
    by_kid: dict[str, ECKey]
    published: dict[str, list[dict[str, Any]]]
    secrets: tuple[bytes, ...]
    """One of each key, the current one's first, for what only who holds them can make (`refresh_tokens`)."""


def read_keys(folder: Path) -> KeySet:
    """Raises KeysUnreadable."""
    found = {slot: key for slot in SLOTS if (key := _read(folder, slot)) is not None}
    if "current" not in found:
        raise KeysUnreadable(f"{folder} has no current.pem, which signs; make a set with `sso-gateway oidc-keys new`.")
    by_kid, published, secrets = {}, [], []
    for key in found.values():
        kid = key.thumbprint()  # RFC 7638
        if kid not in by_kid:
            by_kid[kid] = key
            published.append({**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": "ES256"})
            secrets.append(_secret_of(key))
    current = found["current"]
    return KeySet(current, current.thumbprint(), by_kid, {"keys": published}, tuple(secrets))


def _read(folder: Path, slot: str) -> ECKey | None:
    path = folder / f"{slot}.pem"
    try:
        with path.open("rb") as file:
            pem = file.read(MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeysUnreadable(f"{path} cannot be read: {error.strerror}.") from None
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeysUnreadable(f"{path} is no private key in PEM without a password.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeysUnreadable(f"{path} is another key than one of P-256, which ES256 signs with.")
    return ECKey.import_key(pem)


def _secret_of(key: ECKey) -> bytes:
    private = base64.urlsafe_b64decode(str(key.as_dict(private=True)["d"]) + "==")
    return hmac.digest(private, b"refresh tokens", hashlib.sha256)


class SigningKeys:
    """Guards the keys that are in use. `now`: seconds of a clock that never goes back."""

    def __init__(self, folder: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        """Raises SettingsError: what serves must begin with keys."""
        self._folder = folder
        self._now = now
        self._state = self._look()
        self._looked_at = now()
        try:
            self._keys = read_keys(folder)
        except KeysUnreadable as error:
            raise SettingsError(f"OIDC_KEYS_DIR is wrong: {error}") from None
        metrics.OIDC_KEYS_UNREADABLE.set(0)

    def __call__(self) -> KeySet:
        if self._now() - self._looked_at >= LOOKED_AT_EVERY_S:
            self._looked_at = self._now()
            state = self._look()
            if state != self._state:
                self._take_in(state)
        return self._keys

    def _take_in(self, state: object) -> None:
        try:
            self._keys = read_keys(self._folder)
        except KeysUnreadable as error:
            # Tried again at the next look: a Secret's files are exchanged one after the other by some.
            if metrics.OIDC_KEYS_UNREADABLE._value.get() == 0:
                log.error("oidc_keys_unreadable", reason=str(error))
            metrics.OIDC_KEYS_UNREADABLE.set(1)
            return
        self._state = state
        metrics.OIDC_KEYS_UNREADABLE.set(0)
        log.info("oidc_keys_read", kid=self._keys.signing_kid, keys=len(self._keys.by_kid))

    def _look(self) -> object:
        """What changes when the files do."""
        seen: list[tuple[int, int, int] | None] = []
        for slot in SLOTS:
            try:
                status = (self._folder / f"{slot}.pem").stat()
            except OSError:
                seen.append(None)
            else:
                seen.append((status.st_mtime_ns, status.st_ino, status.st_size))
        return seen
