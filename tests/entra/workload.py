"""Workload identity of a tenant: the keys that Entra signs with and publishes, and the assertions of the provisioning service.

Source: AzureAD/SCIMReferenceCode, Workload-Identity-Federation-for-SCIM-Provisioning.md (June 2026).
"""

import json
import uuid
from base64 import urlsafe_b64encode
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.entra.rsa_keys import new_key
from tests.entra.tenant import Clock, utc_now

LIFE_S = 3900
"""The example lives 65 minutes."""


def base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


class SigningKey:
    def __init__(self) -> None:
        self.kid = base64url(uuid.uuid4().bytes)
        self.private = new_key()

    def public_jwk(self) -> dict[str, Any]:
        """As Entra publishes one; the certificate (`x5c`) and its thumbprint are left out."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "n": base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": base64url(numbers.e.to_bytes(3, "big")),
        }

    def sign(self, octets: bytes) -> bytes:
        return self.private.sign(octets, padding.PKCS1v15(), hashes.SHA256())


class Workload:
    """One tenant's. `origin` is where its keys are published; Entra's own unless a test serves them."""

    def __init__(
        self, tenant_id: str, origin: str = "https://login.microsoftonline.com", *, clock: Clock = utc_now
    ) -> None:
        self.tenant_id = tenant_id
        self.origin = origin
        self.clock = clock
        self.keys = [SigningKey()]
        """Published; the last one signs."""
        self.app_id = str(uuid.uuid5(uuid.UUID(tenant_id), "workload identity"))
        """Of the workload identity, which may serve several enterprise apps."""
        self.subject = str(uuid.uuid5(uuid.UUID(tenant_id), "provisioning service"))
        """Object id of the provisioning service in this tenant: the same for all its apps."""

    @property
    def issuer(self) -> str:
        return f"{self.origin}/{self.tenant_id}/v2.0"

    @property
    def audience(self) -> str:
        """As the settings page shows it; assertions leave `/.default` out."""
        return f"api://{self.app_id}/.default"

    def rotate(self, *, keep: bool = True) -> SigningKey:
        """Signs with a new key from now on; without notice, as in Entra."""
        self.keys = [*(self.keys if keep else []), SigningKey()]
        return self.keys[-1]

    def key_set(self) -> dict[str, Any]:
        return {"keys": [key.public_jwk() for key in self.keys]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """`None` takes a claim out."""
        now = int(self.clock().timestamp())
        claims = {
            "aud": self.audience.removesuffix("/.default"),
            "iss": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + LIFE_S,
            "appid": self.app_id,
            "appidacr": "2",
            "idp": self.issuer,
            "oid": str(uuid.uuid4()),
            "sub": self.subject,
            "tid": self.tenant_id,
            "ver": "2.0",
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def assertion(self, *, key: SigningKey | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        key = key or self.keys[-1]
        head = {"typ": "JWT", "alg": "RS256", "kid": key.kid} | (header or {})
        signed = signing_input(
            {name: value for name, value in head.items() if value is not None}, self.claims(**claims)
        )
        return f"{signed}.{base64url(key.sign(signed.encode()))}"


def signing_input(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))


def blank_secret_token(tenant_id: str, key: SigningKey, now: datetime) -> str:
    """What arrives as the bearer while Secret Token is blank; the audience is that of all custom apps."""
    moment = int(now.timestamp())
    claims = {
        "aud": "8adf8e6e-67b2-4cf2-a259-e3dc5476c621",
        "iss": f"https://sts.windows.net/{tenant_id}/",
        "iat": moment,
        "nbf": moment,
        "exp": moment + LIFE_S,
        "tid": tenant_id,
        "ver": "1.0",
    }
    signed = signing_input({"typ": "JWT", "alg": "RS256", "kid": key.kid}, claims)
    return f"{signed}.{base64url(key.sign(signed.encode()))}"
