"""The AuthnRequest with which we send a browser to Entra, by HTTP-Redirect.

What is left out is as deliberate as what is there (Microsoft, "Single sign-on SAML protocol"): NameIDPolicy would override the
administrator's choice of NameID, RequestedAuthnContext fails for people with passkeys (AADSTS75011), and a Subject is refused.
The person is named by the `login_hint` parameter beside the request. Unsigned: signing would switch the Microsoft 365 tile off.
"""

import base64
import zlib
from datetime import datetime
from urllib.parse import urlencode

from saml2 import saml, samlp

BINDING_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


def redirect_to_idp(
    *,
    login_url: str,
    entity_id: str,
    acs_url: str,
    flow_id: str,
    relay_state: str,
    issued_at: datetime,
    login_hint: str | None = None,
) -> str:
    """The address at Entra to send the browser to. `flow_id` becomes the request's ID and comes back as InResponseTo."""
    request = samlp.AuthnRequest(
        id=flow_id,
        version="2.0",
        issue_instant=issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        destination=login_url,
        assertion_consumer_service_url=acs_url,
        protocol_binding=BINDING_POST,
        issuer=saml.Issuer(text=entity_id),
    )
    parameters = {"SAMLRequest": deflated(request.to_string()), "RelayState": relay_state}
    if login_hint:
        parameters["login_hint"] = login_hint
    return f"{login_url}{'&' if '?' in login_url else '?'}{urlencode(parameters)}"


def deflated(document: bytes) -> str:
    """DEFLATE without zlib's header and checksum, then base64 (SAML Bindings section 3.4.4.1)."""
    compressor = zlib.compressobj(wbits=-15)
    return base64.b64encode(compressor.compress(document) + compressor.flush()).decode("ascii")
