"""The apps that may sign people in: the operator's configuration, read once at start and checked wholly.

    {"audience": "https://api.bitabiz.com",
     "clients": [{"client_id": "web-portal", "name": "BitaBIZ", "type": "confidential", "secrets_sha256": ["…"],
                  "redirect_uris": ["https://app.bitabiz.com/callback"], "grants": ["authorization_code", "refresh_token"]}]}

`docs/openid.md` has every field.
"""

import hmac
import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from shared.settings import SettingsError
from shared.tokens import sha256
from sso_gateway.oidc.redirects import RedirectWrong, is_registered, kind_of, origin_of

Scope = Literal["openid", "profile", "email", "offline_access"]
GrantType = Literal["authorization_code", "refresh_token"]
SCOPES: tuple[Scope, ...] = ("openid", "profile", "email", "offline_access")
MAX_CLIENTS = 100
SETTING = "OIDC_CLIENTS"

_CLIENT_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{1,62})[A-Za-z0-9]\Z")
_HASH = re.compile(r"[0-9a-f]{64}\Z")


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    client_id: str
    name: str
    type: Literal["public", "confidential"]
    secrets_sha256: tuple[str, ...] = ()
    """Two while a secret is being changed."""
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    scopes: tuple[Scope, ...] = ("openid", "profile", "email")
    grants: tuple[GrantType, ...] = ("authorization_code",)
    may_introspect: bool = False

    @property
    def is_public(self) -> bool:
        return self.type == "public"

    def may_return_to(self, address: str) -> bool:
        return is_registered(address, self.redirect_uris)

    def may_log_out_to(self, address: str) -> bool:
        return is_registered(address, self.post_logout_redirect_uris)

    def is_proven_by(self, secret: str) -> bool:
        digest = sha256(secret).hex()
        # All are compared, so that the time tells nothing.
        return any([hmac.compare_digest(digest, known) for known in self.secrets_sha256])  # noqa: C419


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    clients: tuple[Client, ...]
    audience: str = ""


class Clients:
    """By id. `audience`: whom access tokens are for; empty: the provider itself."""

    def __init__(self, clients: Iterable[Client], audience: str = "") -> None:
        self._by_id = {client.client_id: client for client in clients}
        self.audience = audience
        self.origins = frozenset(
            origin
            for client in self._by_id.values()
            if client.is_public
            for address in client.redirect_uris
            if (origin := origin_of(address)) is not None
        )
        """Pages that may read our answers: those where a public client lives, which is an app inside a browser."""

    def get(self, client_id: str | None) -> Client | None:
        return self._by_id.get(client_id) if client_id is not None else None

    def __len__(self) -> int:
        return len(self._by_id)


def read_clients(text: str) -> Clients:
    """Raises SettingsError with a sentence for the operator."""
    try:
        found = msgspec.json.decode(text, type=_File)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise SettingsError(f"{SETTING} is wrong: {error}.") from None
    if not 0 < len(found.clients) <= MAX_CLIENTS:
        raise SettingsError(f"{SETTING} must name 1 to {MAX_CLIENTS} clients; came {len(found.clients)}.")
    seen = set[str]()
    for client in found.clients:
        problem = _problem(client) or ("It stands there twice." if client.client_id in seen else None)
        if problem is not None:
            raise SettingsError(f"{SETTING}: client {client.client_id!r}: {problem}")
        seen.add(client.client_id)
    if found.audience and not (found.audience.isprintable() and found.audience.isascii() and len(found.audience) < 256):
        raise SettingsError(f"{SETTING}: audience must be a short text of printable ASCII characters.")
    return Clients(found.clients, found.audience)


def _problem(client: Client) -> str | None:
    """What is wrong with it, for whoever wrote it; None: nothing."""
    if not _CLIENT_ID.match(client.client_id):
        return "client_id must be 3 to 64 letters, digits, '.', '_' or '-'."
    if not client.name or not client.name.isprintable() or len(client.name) > 100:
        return "name must be a printable text of at most 100 characters."
    return _wrong_secrets(client) or _wrong_grants(client) or _wrong_addresses(client)


def _wrong_secrets(client: Client) -> str | None:
    if client.is_public and client.secrets_sha256:
        return "A public client has no secret, for it can keep none; make it confidential or leave secrets_sha256 out."
    if not client.is_public and not 0 < len(client.secrets_sha256) <= 2:
        return (
            "A confidential client has one secret, or two while it is being changed: their SHA-256 in secrets_sha256."
        )
    if not all(_HASH.match(one) for one in client.secrets_sha256):
        return "secrets_sha256 holds SHA-256 values, 64 hexadecimal digits in lower case; never the secret itself."
    if client.is_public and client.may_introspect:
        return "may_introspect is for confidential clients: whoever asks about tokens must prove who he is."
    return None


def _wrong_grants(client: Client) -> str | None:
    if "refresh_token" in client.grants and "authorization_code" not in client.grants:
        return "The grant refresh_token needs authorization_code, from which the first one comes."
    if "offline_access" in client.scopes and "refresh_token" not in client.grants:
        return "The scope offline_access needs the grant refresh_token."
    if "authorization_code" not in client.grants:
        if client.redirect_uris:
            return "redirect_uris are of no use without the grant authorization_code."
        return None if client.may_introspect else "It may do nothing: it has neither a grant nor may_introspect."
    if "openid" not in client.scopes:
        return "scopes must hold openid."
    if not client.redirect_uris:
        return "redirect_uris must name at least one address."
    return None


def _wrong_addresses(client: Client) -> str | None:
    for address in (*client.redirect_uris, *client.post_logout_redirect_uris):
        try:
            kind = kind_of(address)
        except RedirectWrong as wrong:
            return str(wrong)
        if kind != "https" and not client.is_public:
            return f"{address!r} is of a native app, which can keep no secret and is a public client."
    return None
