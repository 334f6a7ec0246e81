"""`python -m tests.stack.phone [ADDRESS]`: the demo's mobile app on this machine, by authlib's client.

Prints an address to open in a browser, listens on a loopback address of its own for the answer (RFC 8252), and shows what it is
given for the login. ADDRESS: where sign-on listens; that of `make run` unless given.
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2
import msgspec
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.jwk import KeySet

PATH = "/signed-in"


def main() -> int:
    provider = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
    metadata = httpx2.get(f"{provider}/.well-known/openid-configuration").raise_for_status().json()
    listener, answered = _listener()
    redirect_uri = f"http://127.0.0.1:{listener.server_port}{PATH}"
    scope, verifier = "openid profile email offline_access", generate_token(48)
    app = OAuth2Client(
        "mobile-app", None, scope=scope, redirect_uri=redirect_uri, code_challenge_method="S256",
        token_endpoint_auth_method="none",
    )  # fmt: skip
    address, state = app.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    print(f"Open this in a browser, and sign in:\n\n  {address}\n", flush=True)
    while not answered:
        listener.handle_request()
    back = f"{redirect_uri}?{answered[0]}"
    tokens = app.fetch_token(
        metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
    )
    keys = KeySet.import_key_set(httpx2.get(metadata["jwks_uri"]).json())
    _show("ID token", jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims)
    _show("userinfo", app.get(metadata["userinfo_endpoint"]).json())
    print("The access token is good for five minutes, the refresh token until somebody takes the person's access away.")
    return 0


def _listener() -> tuple[HTTPServer, list[str]]:
    answered: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == PATH:
                answered.append(query)
            self.send_response(200 if path == PATH else 404)
            self.end_headers()
            self.wfile.write(b"You are signed in to the app; look into its terminal.\n" if path == PATH else b"")

        def log_message(self, format: str, *values: Any) -> None:
            """Addresses hold codes."""

    return HTTPServer(("127.0.0.1", 0), Handler), answered


def _show(title: str, claims: object) -> None:
    print(f"{title}:\n{msgspec.json.format(msgspec.json.encode(claims), indent=2).decode()}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
