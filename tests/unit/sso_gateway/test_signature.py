"""What the signature's own rules refuse where nothing before them has: no grammar, no parser that turns comments away."""

import pytest
from lxml import etree

from sso_gateway.saml.errors import Reason, SamlRefusal
from sso_gateway.saml.gate import SAML, SIGNATURE
from sso_gateway.saml.signature import ProvenOctets, proven_octets
from tests.support.saml_responses import Recipe, respond
from tests.unit.sso_gateway.saml_support import pinned


def parts(document: bytes) -> tuple[etree._Element, etree._Element]:
    """The Assertion and its Signature."""
    assertion = etree.fromstring(document).find(f"{SAML}Assertion")
    assert assertion is not None
    signature = assertion.find(SIGNATURE)
    assert signature is not None
    return assertion, signature


def proven(assertion: etree._Element, signature: etree._Element) -> ProvenOctets:
    return proven_octets(assertion, signature, pinned())


def refusal(assertion: etree._Element, signature: etree._Element) -> tuple[Reason, str]:
    with pytest.raises(SamlRefusal) as caught:
        proven(assertion, signature)
    return caught.value.reason, caught.value.wanted


CANONICAL = (Reason.malformed_response, "a document that can be canonicalized")
BEHIND_ISSUER = (Reason.malformed_response, "a signature behind Issuer")


def test_a_genuine_signature_proves_what_it_stands_in() -> None:
    """The control of the tests below."""
    assert proven(*parts(respond())).octets.startswith(b"<Assertion ")


def test_what_cannot_be_canonicalized_is_refused() -> None:
    assertion, signature = parts(respond().replace(b"<Conditions ", b'<Conditions xmlns:q="relative" '))
    assert refusal(assertion, signature) == CANONICAL


def test_a_canonicalization_that_reads_as_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """ruby-saml CVE-2025-66568: of nothing everybody knows the digest."""
    assertion, signature = parts(respond())
    monkeypatch.setattr(etree, "tostring", lambda *_, **__: b"")
    assert refusal(assertion, signature) == CANONICAL


def test_an_element_without_id_is_not_the_one_that_is_referred_to() -> None:
    nameless = respond(Recipe(assertion_id=""))
    assert b'URI="#"' in nameless
    assert refusal(*parts(nameless)) == (Reason.bad_signature, "a signature of the element it stands in")


def test_a_signature_that_stands_nowhere_or_before_everything_is_refused() -> None:
    assertion, signature = parts(respond())
    assertion.remove(signature)
    assert refusal(assertion, signature) == BEHIND_ISSUER

    assertion, signature = parts(respond())
    assertion.insert(0, signature)
    assert refusal(assertion, signature) == BEHIND_ISSUER


def test_comments_are_no_part_of_what_is_proven() -> None:
    """Exclusive C14N without comments: what the digest leaves out, the octets leave out."""
    assertion, signature = parts(respond())
    assertion.append(etree.Comment("bo@contoso.com"))
    assert b"bo@contoso.com" not in proven(assertion, signature).octets


def test_what_stands_behind_the_element_is_no_part_of_what_is_proven() -> None:
    assertion, signature = parts(respond())
    assertion.tail = signature[0].tail = "\n"
    assert proven(assertion, signature).octets.endswith(b"</Assertion>")
