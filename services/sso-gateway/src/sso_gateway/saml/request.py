"""The AuthnRequest and the LogoutRequest with which we send a browser to Entra, by HTTP-Redirect.

What is left out is as deliberate as what is there (Microsoft, "Single sign-on SAML protocol"): NameIDPolicy would override the
administrator's choice of NameID, RequestedAuthnContext fails for people with passkeys (AADSTS75011), and a Subject is refused.
The person is named by the `login_hint` parameter beside the request. Unsigned: signing would switch the Microsoft 365 tile off.

A LogoutRequest goes to the same address. Entra ignores what its NameID says, but insists on one in SAML's own namespace
(AADSTS7500530), and asks for no signature (Microsoft, "Single Sign-Out SAML Protocol").
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
    force_authn: bool = False,
) -> str:
    """The address at Entra to send the browser to. `flow_id` becomes the request's ID and comes back as InResponseTo.

    `force_authn`: the person shows himself anew, though Entra knows him already.
    """
    request = samlp.AuthnRequest(
        id=flow_id,
        version="2.0",
        issue_instant=issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        destination=login_url,
        assertion_consumer_service_url=acs_url,
        protocol_binding=BINDING_POST,
        issuer=saml.Issuer(text=entity_id),
        force_authn="true" if force_authn else None,
    )
    parameters = {"SAMLRequest": deflated(request.to_string()), "RelayState": relay_state}
    if login_hint:
        parameters["login_hint"] = login_hint
    return _with_query(login_url, parameters)


def logout_at_idp(
    *,
    login_url: str,
    entity_id: str,
    request_id: str,
    name_id: str,
    name_id_format: str | None,
    session_index: str | None,
    issued_at: datetime,
) -> str:
    """The address at Entra that signs the person out there. It answers to our logout address; nothing needs a RelayState."""
    request = samlp.LogoutRequest(
        id=request_id,
        version="2.0",
        issue_instant=issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        destination=login_url,
        issuer=saml.Issuer(text=entity_id),
        name_id=saml.NameID(text=name_id, format=name_id_format),
        session_index=[samlp.SessionIndex(text=session_index)] if session_index else [],
    )
    return _with_query(login_url, {"SAMLRequest": deflated(request.to_string())})


def _with_query(address: str, parameters: dict[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters)}"


def deflated(document: bytes) -> str:
    """DEFLATE without zlib's header and checksum, then base64 (SAML Bindings section 3.4.4.1)."""
    compressor = zlib.compressobj(wbits=-15)
    return base64.b64encode(compressor.compress(document) + compressor.flush()).decode("ascii")
