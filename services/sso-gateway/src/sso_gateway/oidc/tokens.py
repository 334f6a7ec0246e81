"""What apps are given: an ID token (OpenID Connect Core section 2) and an access token (RFC 9068), both signed with ES256. Pure.

An access token says who and for how long; whether what it hangs on still lives is asked of directory each time it is shown to us.
"""

import base64
import hashlib
import re
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from shared.ids import CompanyId
from shared.schemas.oidc import AppUser, Grant
from sso_gateway.oidc.signing_keys import KeySet

ACCESS_TTL_S = 300
ID_TTL_S = 300
ALGORITHM = "ES256"
MAX_LENGTH = 4096

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_GRANT = re.compile(r"[0-9a-f]{32}\.[0-9a-f]{32}\Z")


class AccessClaims(msgspec.Struct, frozen=True):
    """Of a token that is ours, whatever has become of it."""

    iss: str
    sub: str
    aud: str
    client_id: str
    exp: int
    iat: int
    jti: str
    scope: str
    sid: str
    grant: str

    @property
    def company_id(self) -> str:
        return str(UUID(self.grant[:32]))

    @property
    def grant_id(self) -> str:
        return self.grant[33:]


class IdClaims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    aud: str
    company: str


def access_token(
    keys: KeySet, company_id: CompanyId, grant: Grant, *, issuer: str, audience: str, now: datetime
) -> str:
    issued_at = int(now.timestamp())
    claims = {
        "iss": issuer,
        "sub": grant.user.employee_id,
        "aud": audience,
        "client_id": grant.client_id,
        "exp": issued_at + ACCESS_TTL_S,
        "iat": issued_at,
        "jti": secrets.token_urlsafe(16),
        "scope": " ".join(grant.scopes),
        "sid": f"ses_{grant.session_id}",
        "grant": f"{company_id.hex}.{grant.grant_id}",
        **company_claims(grant.user),
    }
    return _signed(keys, "at+jwt", claims)


def id_token(keys: KeySet, grant: Grant, access: str, *, issuer: str, nonce: str | None, now: datetime) -> str:
    issued_at = int(now.timestamp())
    claims = {
        "iss": issuer,
        "sub": grant.user.employee_id,
        "aud": grant.client_id,
        "exp": issued_at + ID_TTL_S,
        "iat": issued_at,
        "auth_time": int(grant.authenticated_at.timestamp()),
        "sid": f"ses_{grant.session_id}",
        "at_hash": _half_hash(access),
        **({"nonce": nonce} if nonce is not None else {}),
        **claims_for(grant.user, grant.scopes),
    }
    return _signed(keys, "JWT", claims)


def company_claims(user: AppUser) -> dict[str, Any]:
    return {"company": user.company, "employee_id": user.employee_id, "roles": user.roles}


def claims_for(user: AppUser, scopes: list[str]) -> dict[str, Any]:
    """About the person, as far as the scopes go (OpenID Connect Core section 5.4)."""
    claims = company_claims(user)
    if "profile" in scopes:
        claims["name"] = f"{user.given_name} {user.family_name}".strip()
        claims["given_name"] = user.given_name
        claims["family_name"] = user.family_name
        claims["preferred_username"] = user.login_name
    if "email" in scopes:
        claims["email"] = user.email
    return claims


def read_access_token(keys: KeySet, text: str, *, issuer: str, now: datetime) -> AccessClaims | None:
    """None for what is not ours, or is over."""
    claims: AccessClaims | None = _verified(keys, text, "at+jwt", AccessClaims)
    if claims is None or claims.iss != issuer or claims.exp <= now.timestamp() or not _GRANT.match(claims.grant):
        return None
    return claims


def read_id_token(keys: KeySet, text: str, *, issuer: str) -> IdClaims | None:
    """For a hint: it may be over (RP-Initiated Logout 1.0 section 4), and signed by a key of before."""
    claims: IdClaims | None = _verified(keys, text, "JWT", IdClaims)
    return claims if claims is not None and claims.iss == issuer else None


def _signed(keys: KeySet, kind: str, claims: dict[str, Any]) -> str:
    header = {"alg": ALGORITHM, "kid": keys.signing_kid, "typ": kind}
    return jwt.encode(header, claims, keys.signing, algorithms=[ALGORITHM])


def _verified(keys: KeySet, text: str, kind: str, claims: type[Any]) -> Any:
    if len(text) > MAX_LENGTH or not _COMPACT.match(text):
        return None
    try:
        key = _key_of(keys, text, kind)
        return None if key is None else msgspec.convert(jwt.decode(text, key, algorithms=[ALGORITHM]).claims, claims)
    except (JoseError, ValueError, RecursionError):
        return None


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As we write it. joserfc fails at some headers that nobody signed, as at a `crit` of lists."""

    kid: str
    alg: str
    typ: str


_header = msgspec.json.Decoder(_Header)


def _key_of(keys: KeySet, text: str, kind: str) -> ECKey | None:
    """Of ours, by the kid that the token names; it cannot bring one along. Raises ValueError for another header than ours."""
    head = text.partition(".")[0]
    header = _header.decode(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return keys.by_kid.get(header.kid) if (header.alg, header.typ) == (ALGORITHM, kind) else None


def _half_hash(token: str) -> str:
    half = hashlib.sha256(token.encode("ascii")).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode("ascii")
