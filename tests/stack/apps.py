"""The demo's apps of the OpenID Provider, a web portal and a mobile app, and its keys. Made once; what somebody changes stays.

`OIDC_CLIENTS_FILE` and `OIDC_KEYS_DIR` of the environment go before these.
"""

import json
import secrets
from pathlib import Path

from shared.tokens import sha256
from sso_gateway.oidc.rotation import new_set
from tests.stack.options import read_env, write_env

PORTAL_RETURN = "https://portal.example/signed-in"
PHONE_RETURN = "http://127.0.0.1/signed-in"


def set_up_apps(folder: Path) -> dict[str, str]:
    """Environment of sso-gateway."""
    clients, keys = folder / "demo" / "clients.json", folder / "oidc-keys"
    if not clients.exists():
        secret = portal_secret(folder)
        clients.write_text(json.dumps({"clients": _clients(secret)}, indent=2) + "\n", encoding="utf-8")
    if not (keys / "current.pem").exists():
        new_set(keys)
    return {"OIDC_CLIENTS_FILE": str(clients), "OIDC_KEYS_DIR": str(keys)}


def portal_secret(folder: Path) -> str:
    """Of the web portal; kept for its owner's eyes, as the other secrets of the demo."""
    path = folder / "demo" / "portal.env"
    if not path.exists():
        write_env(path, {"CLIENT_ID": "web-portal", "CLIENT_SECRET": secrets.token_urlsafe(32)})
    return read_env(path)["CLIENT_SECRET"]


def _clients(secret: str) -> list[dict[str, object]]:
    grants = ["authorization_code", "refresh_token"]
    portal: dict[str, object] = {
        "client_id": "web-portal",
        "name": "Web portal (demo)",
        "type": "confidential",
        "secrets_sha256": [sha256(secret).hex()],
        "redirect_uris": [PORTAL_RETURN],
        "post_logout_redirect_uris": ["https://portal.example/"],
        "grants": grants,
        "may_introspect": True,
    }
    phone: dict[str, object] = {
        "client_id": "mobile-app",
        "name": "Mobile app (demo)",
        "type": "public",
        "redirect_uris": ["com.bitabiz.app:/signed-in", PHONE_RETURN],
        "post_logout_redirect_uris": ["com.bitabiz.app:/signed-out"],
        "scopes": ["openid", "profile", "email", "offline_access"],
        "grants": grants,
    }
    return [portal, phone]
