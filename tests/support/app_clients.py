"""The apps that the OpenID Provider under test knows, as the operator would configure them, and its keys."""

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from shared.tokens import sha256
from sso_gateway.oidc.rotation import new_set

PORTAL_SECRET = "portal: 256 bits, as a rule"
BACK_END_SECRET = "back-end%2Bsecret"
PORTAL_RETURN = "https://portal.example/callback?from=idp"
PORTAL_PLAIN_RETURN = "https://portal.example/signed-in"
MOBILE_RETURN = "com.bitabiz.app:/callback"

CLIENTS: dict[str, Any] = {
    "audience": "https://api.example",
    "clients": [
        {
            "client_id": "web-portal",
            "name": "Web portal",
            "type": "confidential",
            "secrets_sha256": [sha256(PORTAL_SECRET).hex()],
            "redirect_uris": [PORTAL_RETURN, PORTAL_PLAIN_RETURN],
            "post_logout_redirect_uris": ["https://portal.example/"],
            "grants": ["authorization_code", "refresh_token"],
        },
        {
            "client_id": "mobile-app",
            "name": "Mobile app",
            "type": "public",
            "redirect_uris": [MOBILE_RETURN, "http://127.0.0.1/callback", "http://[::1]/callback"],
            "post_logout_redirect_uris": ["com.bitabiz.app:/signed-out", "http://127.0.0.1/signed-out"],
            "scopes": ["openid", "profile", "email", "offline_access"],
            "grants": ["authorization_code", "refresh_token"],
        },
        {
            "client_id": "page-app",
            "name": "An app inside a page",
            "type": "public",
            "redirect_uris": ["https://spa.example/callback"],
        },
        {
            "client_id": "back-end",
            "name": "Back end",
            "type": "confidential",
            "secrets_sha256": ["0" * 64, sha256(BACK_END_SECRET).hex()],
            "grants": [],
            "may_introspect": True,
        },
    ],
}


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="oidc-keys-")


@cache
def keys_folder() -> Path:
    """With a first set of keys; lives as long as the test process."""
    folder = Path(_folder().name)
    new_set(folder)
    return folder


def provider_settings(folder: Path | None = None) -> dict[str, object]:
    return {"oidc_clients": json.dumps(CLIENTS), "oidc_keys_dir": str(folder or keys_folder())}
