"""Responses that identity providers by other hands made of our request, recorded by `scripts/foreign_saml/record.sh`.

Our simulator and our gate could be wrong in the same way; these cannot. Every signature of theirs holds for ours, octet for octet
as for xmlsec and signxml. Whether a response signs in is another question, for the grammar is that of Entra:

    Lasso            signs Anna in as it is, whatever is required: prefixes from the Response, statements the other way round
    OpenSAML         Shibboleth's: signs her in as it is, in every way of signing: line breaks in Signature, attributes by name
    samlify          signs her in by a template without schema types, in every way of signing; with its own it is refused
    samlp            states a schema type with every value (xsi:type): refused. Without claims it is genuine, and of no tenant
    SimpleSAMLphp    declares the namespaces of schema types in every Assertion, and ends the session, always: refused

What cannot be configured, and where that stands in their sources: tests/data/saml/foreign/README.md.
"""

import base64
import dataclasses
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as searching
from hypothesis import strategies as st
from lxml import etree

from shared.schemas.login import Connection, SignedMode, TrustedCertificate
from sso_gateway.app import create_service
from sso_gateway.saml.errors import Reason, SamlRefusal
from sso_gateway.saml.keys import TrustedKey, trusted_key
from sso_gateway.saml.reading import instant
from sso_gateway.saml.signature import proven_octets
from sso_gateway.saml.xml import parse_canonical
from tests.support.clock import SettableClock, remembering_no_session
from tests.support.saml_corpus.case import key
from tests.support.saml_responses import DS, FLOW, NOW, OBJECT_ID, SAML
from tests.unit.sso_gateway.conftest import Gateway, Running, gateway_of, settings
from tests.unit.sso_gateway.fake_directory import FakeDirectory, connection
from tests.unit.sso_gateway.saml_files import FOLDER
from tests.unit.sso_gateway.saml_oracles import signed_elements, signxml_octets, xmlsec_verifies
from tests.unit.sso_gateway.saml_support import refusal, sign_in

RECORDED = sorted((FOLDER / "foreign").glob("*/*/response.xml"))
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XS = "http://www.w3.org/2001/XMLSchema"
ACCEPTED: list[tuple[str, SignedMode]] = [
    ("lasso/default", "assertion"),
    ("lasso/default", "response"),
    ("lasso/default", "both"),
    ("lasso/unsolicited", "both"),
    ("opensaml/assertion", "assertion"),
    ("opensaml/response", "response"),
    ("opensaml/both", "both"),
    ("opensaml/sha512", "both"),
    ("opensaml/unsolicited", "both"),
    ("samlify/assertion", "assertion"),
    ("samlify/response", "response"),
    ("samlify/both", "both"),
    ("samlify/sha512", "both"),
    ("samlify/unsolicited", "both"),
]
NO_TENANT = (Reason.wrong_tenant, "nothing")
NO_RESPONSE_SIGNATURE = (Reason.not_signed, "a Response without a signature")
NO_ASSERTION_SIGNATURE = (Reason.not_signed, "an Assertion without a signature")
SHA1 = (Reason.weak_algorithm, "http://www.w3.org/2000/09/xmldsig#rsa-sha1")
REFUSED: list[tuple[str, SignedMode, tuple[Reason, str]]] = [
    ("lasso/no_claims", "both", NO_TENANT),
    ("lasso/sha1", "both", SHA1),
    # Signed with SHA-512, and a digest that is not among ours: Lasso 2.8 takes SHA-384 for it.
    ("lasso/sha512", "both", (Reason.weak_algorithm, "http://www.w3.org/2001/04/xmldsig-more#sha384")),
    ("opensaml/assertion", "both", NO_RESPONSE_SIGNATURE),
    ("opensaml/response", "both", NO_ASSERTION_SIGNATURE),
    ("opensaml/no_claims", "both", NO_TENANT),
    ("opensaml/sha1", "both", SHA1),
    ("samlify/default", "assertion", (Reason.malformed_response, XSI)),
    ("samlify/assertion", "both", NO_RESPONSE_SIGNATURE),
    ("samlify/response", "both", NO_ASSERTION_SIGNATURE),
    ("samlify/sha1", "assertion", SHA1),
    ("samlp/default", "assertion", (Reason.malformed_response, XS)),
    ("samlp/untyped", "assertion", (Reason.malformed_response, XS)),
    ("samlp/no_claims_assertion", "assertion", NO_TENANT),
    ("samlp/no_claims_assertion", "both", NO_RESPONSE_SIGNATURE),
    ("samlp/no_claims_prefix", "assertion", NO_TENANT),
    ("samlp/no_claims_response", "response", NO_TENANT),
    ("samlp/no_claims_response", "assertion", NO_ASSERTION_SIGNATURE),
    ("samlp/no_claims_both", "both", NO_TENANT),
    ("samlp/no_claims_sha1", "assertion", SHA1),
    ("samlp/no_claims_unsolicited", "assertion", NO_TENANT),
    ("samlp/no_session_index", "assertion", NO_TENANT),
    ("simplesamlphp/default", "both", (Reason.malformed_response, XSI)),
    ("simplesamlphp/assertion", "assertion", (Reason.malformed_response, XSI)),
    ("simplesamlphp/response", "response", (Reason.malformed_response, XSI)),
    ("simplesamlphp/no_claims", "both", (Reason.malformed_response, XSI)),
    ("simplesamlphp/raw", "both", (Reason.malformed_response, XSI)),
    ("simplesamlphp/sha1", "both", (Reason.malformed_response, XSI)),
    ("simplesamlphp/unsolicited", "both", (Reason.malformed_response, XSI)),
]
WEAK = {"lasso/sha1", "lasso/sha512", "opensaml/sha1", "samlify/sha1", "samlp/no_claims_sha1", "simplesamlphp/sha1"}
"""Their algorithms are refused before anything is computed, as the table above says."""
PIECES = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(
        [b"<", b">", b"&", b"&#x41;", b'"', b"<!--", b"<?", b" ", b"\n", b"xmlns=''", b"/>", b"</saml:NameID>"]
    ),
)


def name(file: Path) -> str:
    return f"{file.parent.parent.name}/{file.parent.name}"


def recorded(name: str) -> bytes:
    return (FOLDER / "foreign" / name / "response.xml").read_bytes()


def keys() -> list[TrustedKey]:
    return [trusted_key(ssl.PEM_cert_to_DER_cert(key("foreign").pem))]


def moment(document: bytes) -> datetime:
    """When it was recorded: the tests' clock stands there."""
    return instant(etree.fromstring(document).get("IssueInstant") or "", "IssueInstant")


def of_foreign(signed: SignedMode) -> Connection:
    """Contoso, whose app signs with the key of the recordings."""
    [pinned] = keys()
    der = base64.b64encode(ssl.PEM_cert_to_DER_cert(key("foreign").pem)).decode()
    certificate = TrustedCertificate(
        fingerprint=pinned.fingerprint, der_base64=der, not_after=NOW + timedelta(days=1000)
    )
    return msgspec.structs.replace(connection(signed=signed), certificates=[certificate])


@pytest.fixture(scope="module")
async def at_any_time() -> AsyncIterator[tuple[Running, SettableClock]]:
    """A gateway whose clock a test sets."""
    clock, directory = SettableClock(), FakeDirectory()
    service = create_service(settings(connection_ttl_s=0), clock=clock, now=remembering_no_session(), client=directory)
    await service.start()
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield Running(service, directory, http), clock
    finally:
        await service.stop()


@pytest.fixture
def at_the_recording(at_any_time: tuple[Running, SettableClock]) -> Callable[[bytes], Gateway]:
    running, clock = at_any_time

    def standing(document: bytes) -> Gateway:
        clock.set(moment(document))
        return gateway_of(running)

    return standing


@pytest.mark.parametrize(("name", "signed"), ACCEPTED)
def test_a_response_that_fits_the_profile_signs_its_person_in(name: str, signed: SignedMode) -> None:
    document = recorded(name)
    verified = sign_in(document, signed, moment(document), keys())
    assert (verified.object_id, verified.name_id, verified.email) == (OBJECT_ID, "anna@contoso.com", "anna@contoso.com")
    assert verified.groups == ("77777777-aaaa-4aaa-8aaa-000000000001",)
    assert verified.in_response_to == (None if name.endswith("unsolicited") else FLOW)


@pytest.mark.parametrize(("name", "signed"), ACCEPTED)
async def test_it_signs_in_through_the_gateway_on_a_real_socket(
    name: str, signed: SignedMode, at_the_recording: Callable[[bytes], Gateway]
) -> None:
    document = recorded(name)
    gateway = at_the_recording(document)
    gateway.memory.companies["contoso"] = of_foreign(signed)
    if not name.endswith("unsolicited"):
        await gateway.get("/login/contoso?return_to=/calendar")
        # The request that was answered is the one of the recording; what binds it to the browser is this login's.
        _, begun = gateway.memory.flows.popitem()
        gateway.memory.flows[FLOW] = begun
    accepted = await gateway.post_response(document)
    assert (accepted.status, urlsplit(accepted.location).path) == (303, "/login/finish")
    finished = await gateway.browser.get(accepted.location)
    assert (finished.status, "__Host-session" in gateway.browser.cookies(gateway.url)) == (303, True)
    [attempt] = gateway.memory.attempts
    assert (attempt.object_id, attempt.signer_fingerprint) == (OBJECT_ID, keys()[0].fingerprint)


@pytest.mark.parametrize(("name", "signed", "verdict"), REFUSED)
def test_a_response_that_does_not_fit_is_refused_for_the_reason_known(
    name: str, signed: SignedMode, verdict: tuple[Reason, str]
) -> None:
    document = recorded(name)
    refused = refusal(document, signed, moment(document), keys())
    assert (refused.reason, refused.got) == verdict


@pytest.mark.parametrize("file", RECORDED, ids=name)
def test_every_signature_holds_for_us_and_for_both_oracles_octet_for_octet(file: Path) -> None:
    document = file.read_bytes()
    root = parse_canonical(document)
    elements = list(signed_elements(etree.fromstring(document)))
    assert elements
    assert xmlsec_verifies(document, [key("foreign").pem])
    if name(file) in WEAK:
        with pytest.raises(SamlRefusal):
            proven_octets(root, root.findall(f".//{DS}Signature")[0], keys())
        return
    for ours, theirs in zip(list(signed_elements(root)), elements, strict=True):
        signature = ours.find(f"{DS}Signature")
        assert signature is not None
        assert proven_octets(ours, signature, keys()).octets == signxml_octets(theirs, key("foreign").pem)


@pytest.mark.parametrize("file", RECORDED, ids=name)
def test_no_signature_holds_for_anybody_once_the_name_is_changed(file: Path) -> None:
    document = file.read_bytes().replace(b">anna@contoso.com</saml:NameID>", b">bo@contoso.com</saml:NameID>")
    assert document != file.read_bytes()
    assert not xmlsec_verifies(document, [key("foreign").pem])
    root = parse_canonical(document)
    for element in signed_elements(root):
        signature = element.find(f"{DS}Signature")
        assert signature is not None
        with pytest.raises(SamlRefusal):
            proven_octets(element, signature, keys())
        break


@searching(max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(which=st.sampled_from(ACCEPTED), position=st.integers(0, 20_000), replaced=st.integers(0, 3), piece=PIECES)
def test_one_with_changed_bytes_is_refused_or_signs_in_exactly_the_same(
    which: tuple[str, SignedMode], position: int, replaced: int, piece: bytes
) -> None:
    name, signed = which
    genuine = recorded(name)
    at = position % len(genuine)
    try:
        verified = sign_in(genuine[:at] + piece + genuine[at + replaced :], signed, moment(genuine), keys())
    except SamlRefusal:
        return
    expected = sign_in(genuine, signed, moment(genuine), keys())
    if signed == "assertion":
        # The one thing that is told and is not signed there; it identifies nobody.
        verified = dataclasses.replace(verified, response_id=expected.response_id)
    assert verified == expected


def test_three_identity_providers_by_other_hands_sign_in_whatever_a_company_requires() -> None:
    providers = {"lasso", "opensaml", "samlify"}
    required: tuple[SignedMode, ...] = ("assertion", "response", "both")
    assert {(name.split("/")[0], signed) for name, signed in ACCEPTED} == set(product(providers, required))


def test_told_to_write_no_types_simplesamlphp_still_declares_them_and_ends_the_session() -> None:
    root = etree.fromstring(recorded("simplesamlphp/raw"))
    [assertion] = root.iter(f"{SAML}Assertion")
    values = list(assertion.iter(f"{SAML}AttributeValue"))
    assert {value.text for value in values} >= {OBJECT_ID, "anna@contoso.com", "Anna Ærø"}
    assert not any(value.attrib for value in values)
    assert {XS, XSI} <= set(assertion.nsmap.values())
    assert all(statement.get("SessionNotOnOrAfter") for statement in assertion.iter(f"{SAML}AuthnStatement"))


def test_the_readme_names_every_version_that_wrote_a_response() -> None:
    folder = FOLDER / "foreign"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    versions = (folder / "versions").read_text(encoding="utf-8").splitlines()
    assert [version for version in versions if version not in readme] == []
    assert len(versions) >= len(list(folder.glob("*/")))


def test_every_recorded_response_has_its_verdict() -> None:
    judged = {name for name, _ in ACCEPTED} | {name for name, *_ in REFUSED}
    assert {name(file) for file in RECORDED} == judged
    assert len(RECORDED) >= 35
