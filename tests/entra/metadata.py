"""Federation metadata of one app: every certificate, active or not, and the endpoints; signed as Entra signs it.

Source: entra-docs federation-metadata.md; the prefixed X509Data is as seen in real documents.
"""

import uuid

from tests.entra.certificates import one_line, private_key, signing_certificate
from tests.entra.people import EnterpriseApp
from tests.entra.saml import PROTOCOL_NS, attribute
from tests.entra.signing import DSIG, signature
from tests.entra.tenant import Tenant

METADATA_NS = "urn:oasis:names:tc:SAML:2.0:metadata"
_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


def federation_metadata(tenant: Tenant, app: EnterpriseApp, login_url: str) -> bytes:
    identifier = f"_{uuid.uuid4()}"
    keys = "".join(
        f'<KeyDescriptor use="signing"><KeyInfo xmlns="{DSIG}"><X509Data>'
        f"<X509Certificate>{one_line(certificate)}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
        for certificate in app.certificates
    )
    fed = "http://docs.oasis-open.org/wsfed/federation/200706"
    location = attribute(login_url)
    head = f'<EntityDescriptor ID="{identifier}" entityID="{attribute(tenant.issuer)}" xmlns="{METADATA_NS}">'
    body = (
        f'<RoleDescriptor xsi:type="fed:SecurityTokenServiceType" protocolSupportEnumeration="{fed}" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="{fed}">{keys}</RoleDescriptor>'
        f'<IDPSSODescriptor protocolSupportEnumeration="{PROTOCOL_NS}">{keys}'
        f'<SingleLogoutService Binding="{_REDIRECT}" Location="{location}"/>'
        f'<SingleSignOnService Binding="{_REDIRECT}" Location="{location}"/>'
        f'<SingleSignOnService Binding="{_POST}" Location="{location}"/></IDPSSODescriptor></EntityDescriptor>'
    )
    certificate = signing_certificate(app.certificates, tenant.clock())
    made = signature(head + body, identifier, private_key(certificate), one_line(certificate), prefixed_key_info=True)
    return f'<?xml version="1.0" encoding="utf-8"?>{head}{made}{body}'.encode()
