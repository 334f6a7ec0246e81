"""What we send to Entra, read back the way Entra reads it."""

import base64
import zlib
from urllib.parse import parse_qs, urlsplit

from lxml import etree

from sso_gateway.saml.metadata import service_provider_metadata
from sso_gateway.saml.request import redirect_to_idp
from tests.support.saml_responses import ACS, ENTITY_ID, FLOW, NOW, SAML, SAMLP, TENANT

LOGIN_URL = f"https://login.microsoftonline.com/{TENANT}/saml2"
MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"


def redirect(login_url: str = LOGIN_URL, login_hint: str | None = None) -> dict[str, str]:
    address = redirect_to_idp(
        login_url=login_url,
        entity_id=ENTITY_ID,
        acs_url=ACS,
        flow_id=FLOW,
        relay_state=FLOW,
        issued_at=NOW,
        login_hint=login_hint,
    )
    assert address.startswith(login_url)
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def request() -> etree._Element:
    return etree.fromstring(zlib.decompress(base64.b64decode(redirect()["SAMLRequest"]), wbits=-15))


def test_the_request_says_who_asks_and_where_to_answer() -> None:
    sent = request()
    assert sent.tag == f"{SAMLP}AuthnRequest"
    assert {str(name): value for name, value in sent.attrib.items()} == {
        "ID": FLOW,
        "Version": "2.0",
        "IssueInstant": "2026-11-24T08:00:00Z",
        "Destination": LOGIN_URL,
        "AssertionConsumerServiceURL": ACS,
        "ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
    }


def test_the_request_holds_nothing_that_entra_would_refuse_or_misread() -> None:
    """No NameIDPolicy, RequestedAuthnContext, Subject or Signature: the issuer alone."""
    assert [(child.tag, child.text) for child in request()] == [(f"{SAML}Issuer", ENTITY_ID)]


def test_the_person_is_hinted_at_beside_the_request() -> None:
    assert redirect(login_hint="åse+1@contoso.com")["login_hint"] == "åse+1@contoso.com"
    assert redirect().keys() == {"SAMLRequest", "RelayState"}


def test_a_login_address_may_have_a_query_already() -> None:
    assert redirect(f"{LOGIN_URL}?sso_reload=true")["sso_reload"] == "true"


def test_relay_state_stays_within_eighty_bytes() -> None:
    assert len(redirect()["RelayState"].encode()) <= 80


def test_metadata_names_the_two_addresses_and_no_algorithm() -> None:
    document = service_provider_metadata(
        entity_id=ENTITY_ID, acs_url=ACS, logout_url="http://127.0.0.1:8080/saml/contoso/logout"
    )
    root = etree.fromstring(document)
    assert root.get("entityID") == ENTITY_ID
    [descriptor] = root
    assert [(child.tag, child.get("Location")) for child in descriptor] == [
        (f"{MD}SingleLogoutService", "http://127.0.0.1:8080/saml/contoso/logout"),
        (f"{MD}AssertionConsumerService", ACS),
    ]
    assert descriptor.get("WantAssertionsSigned") == "true"
