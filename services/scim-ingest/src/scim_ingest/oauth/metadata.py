"""What the token endpoint can do, in the words of RFC 8414 (OpenID IPSIE asks for it; Entra does not).

Below the Tenant URL, and not at the root of the host, of which only `/scim/v2` leads here. The same for every company name, so
that it says of none whether it exists.
"""

from scim_ingest.oauth.request import SCOPE

PATH = "/.well-known/oauth-authorization-server"


def metadata(tenant_url: str, *, federation: bool) -> dict[str, object]:
    methods = ["client_secret_basic", "client_secret_post"]
    found: dict[str, object] = {
        "issuer": tenant_url,
        "token_endpoint": f"{tenant_url}/oauth2/token",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "scopes_supported": [SCOPE],
        "token_endpoint_auth_methods_supported": methods,
    }
    if federation:
        methods.append("private_key_jwt")
        found["token_endpoint_auth_signing_alg_values_supported"] = ["RS256"]
    return found
