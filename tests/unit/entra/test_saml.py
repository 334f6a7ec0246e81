"""Responses: the bytes Entra sends, and signatures that independent verifiers accept."""

import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import Literal

import msgspec
import pytest
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from tests.entra.certificates import new_certificate, signing_certificate
from tests.entra.claims import GROUPS, GROUPS_LINK
from tests.entra.people import EnterpriseApp, SigningOption
from tests.entra.saml import PORTAL_TEST_REQUEST_ID, ResponseRecipe, failure_response, recipe_for, respond
from tests.entra.tenant import Tenant
from tests.unit.entra.conftest import small_tenant

NOW = datetime(2026, 11, 24, 8, 0, 0, 123456, UTC)
NS = {"s": "urn:oasis:names:tc:SAML:2.0:assertion", "p": "urn:oasis:names:tc:SAML:2.0:protocol"}
TID = "11111111-1111-4111-8111-111111111111"

GUID = r"_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
DEFAULT_SHAPE = "".join(
    line.strip()
    for line in f"""
<samlp:Response ID="{GUID}" Version="2\\.0" IssueInstant="2026-11-24T08:00:00\\.129Z" Destination="ACS"
 InResponseTo="id-1" xmlns:samlp="urn:oasis:names:tc:SAML:2\\.0:protocol">
<Issuer xmlns="urn:oasis:names:tc:SAML:2\\.0:assertion">https://sts\\.windows\\.net/{TID}/</Issuer>
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2\\.0:status:Success"/></samlp:Status>
<Assertion ID="(?P<id>_[0-9a-f-]{{34}}00)" IssueInstant="2026-11-24T08:00:00\\.123Z" Version="2\\.0"
 xmlns="urn:oasis:names:tc:SAML:2\\.0:assertion">
<Issuer>https://sts\\.windows\\.net/{TID}/</Issuer>
<Signature xmlns="http://www\\.w3\\.org/2000/09/xmldsig#"><SignedInfo>
<CanonicalizationMethod Algorithm="http://www\\.w3\\.org/2001/10/xml-exc-c14n#"/>
<SignatureMethod Algorithm="http://www\\.w3\\.org/2001/04/xmldsig-more#rsa-sha256"/>
<Reference URI="#(?P=id)"><Transforms>
<Transform Algorithm="http://www\\.w3\\.org/2000/09/xmldsig#enveloped-signature"/>
<Transform Algorithm="http://www\\.w3\\.org/2001/10/xml-exc-c14n#"/></Transforms>
<DigestMethod Algorithm="http://www\\.w3\\.org/2001/04/xmlenc#sha256"/><DigestValue>[\\w+/=]{{44}}</DigestValue>
</Reference></SignedInfo><SignatureValue>[\\w+/=]{{344}}</SignatureValue>
<KeyInfo><X509Data><X509Certificate>[\\w+/=]+</X509Certificate></X509Data></KeyInfo></Signature>
<Subject><NameID Format="urn:oasis:names:tc:SAML:1\\.1:nameid-format:emailAddress">anna@firma\\.dk</NameID>
<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2\\.0:cm:bearer">
<SubjectConfirmationData InResponseTo="id-1" NotOnOrAfter="2026-11-24T09:00:00\\.003Z" Recipient="ACS"/>
</SubjectConfirmation></Subject>
<Conditions NotBefore="2026-11-24T07:55:00\\.003Z" NotOnOrAfter="2026-11-24T09:00:00\\.003Z">
<AudienceRestriction><Audience>https://www\\.bitabiz\\.com/firma</Audience></AudienceRestriction></Conditions>
<AttributeStatement>(?:<Attribute Name="[^"]+"><AttributeValue>[^<]+</AttributeValue></Attribute>){{9}}
</AttributeStatement>
<AuthnStatement AuthnInstant="2026-11-24T07:59:58\\.123Z" SessionIndex="(?P=id)"><AuthnContext>
<AuthnContextClassRef>urn:oasis:names:tc:SAML:2\\.0:ac:classes:Password</AuthnContextClassRef></AuthnContext>
</AuthnStatement></Assertion></samlp:Response>""".replace("\n ", " ").splitlines()
).replace("ACS", r"http://127\.0\.0\.1:1/saml/firma/acs")


@pytest.fixture
def tenant() -> Tenant:
    return small_tenant()


@pytest.fixture
def app(tenant: Tenant) -> EnterpriseApp:
    return tenant.app("Firma A/S")


def anna_at(tenant: Tenant, app: EnterpriseApp, in_response_to: str | None = "id-1") -> ResponseRecipe:
    person = tenant.person("anna@firma.dk")
    return recipe_for(tenant, app, person, now=NOW, in_response_to=in_response_to)


def verify_with_signxml(xml: bytes, certificate_pem: str, reference: str, sha: Literal["sha1", "sha256"]) -> bytes:
    """What signxml says was signed, of the signature that refers to `reference`."""
    root = etree.fromstring(xml)
    signed = root if root.get("ID") == reference else root.find("s:Assertion", NS)
    assert signed is not None
    config = SignatureConfiguration(
        require_x509=True,
        expect_references=1,
        location="./",
        signature_methods=frozenset({SignatureMethod.RSA_SHA1, SignatureMethod.RSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA1, DigestAlgorithm.SHA256}),
    )
    alone = etree.fromstring(etree.tostring(signed, with_tail=False))
    result = XMLVerifier().verify(alone, x509_cert=certificate_pem, id_attribute="ID", expect_config=config)
    verified = result[0] if isinstance(result, list) else result
    assert sha in str(verified.signature_xml.xpath("string(.//*[local-name()='SignatureMethod']/@Algorithm)"))
    return bytes(verified.signed_data)


def verify_with_xmlsec(xml: bytes, certificate_pem: str) -> int:
    """How many signatures hold."""
    root = etree.fromstring(xml)
    xmlsec.tree.add_ids(root, ["ID"])
    signatures = root.findall(".//{http://www.w3.org/2000/09/xmldsig#}Signature")
    for node in signatures:
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(certificate_pem, xmlsec.constants.KeyDataFormatCertPem)
        context.verify(node)
    return len(signatures)


def test_the_default_response_is_byte_for_byte_the_captured_shape(tenant: Tenant, app: EnterpriseApp) -> None:
    xml = respond(anna_at(tenant, app)).decode()

    assert re.fullmatch(DEFAULT_SHAPE, xml), xml


@pytest.mark.parametrize(("sign", "count"), [("assertion", 1), ("response", 1), ("both", 2)])
@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_two_verifiers_accept_every_signing_option(
    tenant: Tenant, app: EnterpriseApp, sign: SigningOption, count: int, algorithm: Literal["sha1", "sha256"]
) -> None:
    app = tenant.configure(app, sign=sign, signature_algorithm=algorithm)
    recipe = anna_at(tenant, app)
    pem, xml = app.certificates[0].pem, respond(recipe)

    assert verify_with_xmlsec(xml, pem) == count
    if recipe.sign_assertion:
        assert b"anna@firma.dk" in verify_with_signxml(xml, pem, recipe.assertion_id, algorithm)
    if recipe.sign_response:
        assert b"samlp:Response" in verify_with_signxml(xml, pem, recipe.response_id, algorithm)


def test_a_changed_byte_breaks_both_signatures(tenant: Tenant, app: EnterpriseApp) -> None:
    app = tenant.configure(app, sign="both")
    xml = respond(anna_at(tenant, app)).replace(b">anna@firma.dk<", b">bodil@firma.dk<")

    with pytest.raises(xmlsec.Error):
        verify_with_xmlsec(xml, app.certificates[0].pem)


def test_a_response_signature_follows_the_issuer_and_prefixes_its_key_info(tenant: Tenant, app: EnterpriseApp) -> None:
    xml = respond(anna_at(tenant, tenant.configure(app, sign="response"))).decode()

    assert '</Issuer><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>' in xml
    assert '<KeyInfo><ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Certificate>' in xml


def test_an_unsolicited_response_has_no_in_response_to_anywhere(tenant: Tenant, app: EnterpriseApp) -> None:
    assert b"InResponseTo" not in respond(anna_at(tenant, app, None))
    assert b"InResponseTo" not in respond(anna_at(tenant, app, PORTAL_TEST_REQUEST_ID))


def test_claims_come_in_entras_order_and_missing_ones_are_left_out(tenant: Tenant, app: EnterpriseApp) -> None:
    tenant.edit_person("anna@firma.dk", given_name=None)

    names = [name.rsplit("/", 1)[-1] for name, _ in anna_at(tenant, app).claims]

    assert names == [
        "tenantid",
        "objectidentifier",
        "displayname",
        "identityprovider",
        "authnmethodsreferences",
        "surname",
        "emailaddress",
        "name",
    ]


@pytest.mark.parametrize(("groups", "claim"), [(1, GROUPS), (150, GROUPS), (151, GROUPS_LINK)])
def test_more_than_150_groups_become_a_link(tenant: Tenant, app: EnterpriseApp, groups: int, claim: str) -> None:
    app = tenant.configure(app, groups_claim=True)
    anna = tenant.person("anna@firma.dk")
    for number in range(groups - 1):
        group = tenant.add_group(f"Gruppe {number}")
        tenant.groups[group.object_id] = msgspec.structs.replace(group, members=(anna.object_id,))

    claims = dict(anna_at(tenant, app).claims)

    assert claim in claims
    assert len({GROUPS, GROUPS_LINK} & set(claims)) == 1
    assert len(claims[claim]) == (groups if claim == GROUPS else 1)


def test_special_characters_arrive_as_they_were(tenant: Tenant, app: EnterpriseApp) -> None:
    tenant.edit_person("anna@firma.dk", display_name="Åse \"Æ\" <Ø> & 'ß'\r\nHolm")
    xml = respond(anna_at(tenant, app))

    values = [element.text for element in etree.fromstring(xml).iterfind(".//s:AttributeValue", NS)]

    assert "Åse \"Æ\" <Ø> & 'ß'\r\nHolm" in values
    assert verify_with_xmlsec(xml, app.certificates[0].pem) == 1


def test_an_empty_name_id_source_falls_back_to_a_pairwise_id(tenant: Tenant, app: EnterpriseApp) -> None:
    tenant.edit_person("anna@firma.dk", mail=None)
    recipe = anna_at(tenant, tenant.configure(app, name_id_source="user.mail"))

    assert recipe.name_id
    assert len(recipe.name_id) == 43
    assert recipe.name_id_format == "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@pytest.mark.parametrize("part", ["Issuer", "Subject", "NameID", "Conditions", "AuthnStatement", "AttributeStatement"])
def test_parts_can_be_dropped_and_repeated_under_a_good_signature(
    tenant: Tenant, app: EnterpriseApp, part: str
) -> None:
    recipe, pem = anna_at(tenant, app), app.certificates[0].pem
    dropped = respond(msgspec.structs.replace(recipe, drop=frozenset({part})))
    repeated = respond(msgspec.structs.replace(recipe, repeat=frozenset({part})))

    for xml, count in ((dropped, 0), (repeated, 2)):
        assert verify_with_xmlsec(xml, pem) == 1
        assert len(etree.fromstring(xml).findall(f"s:Assertion//s:{part}", NS)) == count


def test_a_failure_response_is_unsigned_and_has_no_assertion(tenant: Tenant) -> None:
    xml = failure_response(tenant, destination=None, in_response_to="id-1", now=NOW, message="AADSTS75006: x < y")
    root = etree.fromstring(xml)

    assert root.find("s:Assertion", NS) is None
    assert b"Signature" not in xml
    message = root.find("p:Status/p:StatusMessage", NS)
    assert message is not None
    assert (message.text or "").startswith("AADSTS75006: x < y\nTrace ID: ")


def test_a_certificate_is_the_one_entra_makes() -> None:
    made = new_certificate(NOW)
    certificate = x509.load_pem_x509_certificate(made.pem.encode())
    key = certificate.public_key()

    assert certificate.subject == certificate.issuer
    assert certificate.subject.rfc4514_string() == "CN=Microsoft Azure Federated SSO Certificate"
    assert len(certificate.extensions) == 0
    assert certificate.not_valid_after_utc.year == 2029
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 2048
    assert len(b64decode("".join(made.pem.splitlines()[1:-1]))) in range(740, 770)


def test_a_valid_certificate_signs_by_itself_once_the_active_one_has_expired() -> None:
    old = new_certificate(NOW.replace(year=2020), active=True)
    new = new_certificate(NOW)

    assert signing_certificate([old], NOW) is old
    assert signing_certificate([old, new], NOW) is new
    assert signing_certificate([old, new], NOW.replace(year=2021)) is old
