"""Our metadata for one company: what its administrator can upload into Entra in place of typing two addresses."""

from saml2 import md

from sso_gateway.saml.request import BINDING_POST
from sso_gateway.saml.xml import PROTOCOL

BINDING_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


def service_provider_metadata(*, entity_id: str, acs_url: str, logout_url: str) -> bytes:
    """EntityDescriptor of SAML 2.0 Metadata section 2.3.2.

    No algorithm list and no keys: requests are unsigned, assertions are not encrypted.
    """
    descriptor = md.EntityDescriptor(
        entity_id=entity_id,
        spsso_descriptor=md.SPSSODescriptor(
            protocol_support_enumeration=PROTOCOL,
            authn_requests_signed="false",
            want_assertions_signed="true",
            single_logout_service=[md.SingleLogoutService(binding=BINDING_REDIRECT, location=logout_url)],
            assertion_consumer_service=[
                md.AssertionConsumerService(binding=BINDING_POST, location=acs_url, index="0", is_default="true")
            ],
        ),
    )
    document: bytes = descriptor.to_string()
    return document
