"""What the provider's endpoints share: its clients, its keys, its name, and what it says of itself (Discovery 1.0)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.settings import SettingsError
from sso_gateway.oidc.clients import SCOPES, Clients, read_clients
from sso_gateway.oidc.signing_keys import SigningKeys
from sso_gateway.oidc.tokens import ALGORITHM
from sso_gateway.settings import Settings

CLAIMS = (
    "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "at_hash", "company", "employee_id", "roles",
    "name", "given_name", "family_name", "preferred_username", "email",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Provider:
    clients: Clients
    keys: SigningKeys
    issuer: str

    @property
    def audience(self) -> str:
        return self.clients.audience or self.issuer

    def metadata(self) -> dict[str, Any]:
        base, own = self.issuer, ["client_secret_basic", "client_secret_post"]
        return {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth2/authorize",
            "token_endpoint": f"{base}/oauth2/token",
            "userinfo_endpoint": f"{base}/oauth2/userinfo",
            "jwks_uri": f"{base}/oauth2/jwks",
            "revocation_endpoint": f"{base}/oauth2/revoke",
            "introspection_endpoint": f"{base}/oauth2/introspect",
            "end_session_endpoint": f"{base}/oauth2/logout",
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": [*own, "none"],
            "revocation_endpoint_auth_methods_supported": [*own, "none"],
            "introspection_endpoint_auth_methods_supported": own,
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "select_account"],
            "claim_types_supported": ["normal"],
            "claims_supported": list(CLAIMS),
            "ui_locales_supported": ["da", "en"],
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "authorization_response_iss_parameter_supported": True,
        }


def provider_of(settings: Settings) -> Provider | None:
    """None: it is off. Raises SettingsError where what it needs is wrong."""
    if not settings.oidc_clients:
        return None
    clients = read_clients(settings.oidc_clients)
    if not settings.oidc_keys_dir:
        raise SettingsError("OIDC_KEYS_DIR is not set, and tokens of the apps in OIDC_CLIENTS must be signed.")
    return Provider(clients, SigningKeys(Path(settings.oidc_keys_dir)), settings.public_url.rstrip("/"))
