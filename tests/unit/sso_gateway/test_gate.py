"""Bytes to signed octets: what is let through, and one test for each rule that refuses."""

import base64
import time
from collections.abc import Callable

import pytest
from lxml import etree

from shared.schemas.login import SignedMode
from sso_gateway.saml.errors import Reason
from sso_gateway.saml.gate import SignedResponse, signed_response
from sso_gateway.saml.keys import trusted_key
from tests.support.saml_responses import DS, ENTITY_ID, OBJECT_ID, SAML, Recipe, respond, signing_key
from tests.unit.sso_gateway.saml_support import edited, pinned, reason, refusal, sign_in

SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"


@pytest.mark.parametrize("signed", ["assertion", "response", "both"])
def test_a_genuine_response_signs_its_person_in(signed: SignedMode) -> None:
    assert sign_in(respond(Recipe(signed=signed)), signed).object_id == OBJECT_ID


@pytest.mark.parametrize("method", ["rsa-sha256", "rsa-sha384", "rsa-sha512"])
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_every_allowed_algorithm_is_accepted(method: str, digest: str) -> None:
    recipe = Recipe(
        signature_method=f"http://www.w3.org/2001/04/xmldsig-more#{method}",
        digest_method=f"http://www.w3.org/2001/04/xmlenc#{digest}",
    )
    assert sign_in(respond(recipe)).object_id == OBJECT_ID


def test_more_signatures_than_required_are_welcome_and_all_are_verified() -> None:
    document = respond(Recipe(signed="both"))
    assert sign_in(document, "assertion").object_id == OBJECT_ID
    assert sign_in(document, "response").object_id == OBJECT_ID
    # The Response's signature does not hold any more; the Assertion's does.
    changed = document.replace(b'Version="2.0" IssueInstant', b'Version="2.0" Consent="urn:x" IssueInstant', 1)
    assert reason(changed, "assertion") is Reason.bad_signature


@pytest.mark.parametrize(
    ("required", "present"),
    [
        ("assertion", "none"),
        ("assertion", "response"),
        ("response", "assertion"),
        ("both", "assertion"),
        ("both", "response"),
    ],
)
def test_a_required_signature_that_is_missing_refuses(required: SignedMode, present: SignedMode) -> None:
    assert reason(respond(Recipe(signed=present)), required) is Reason.not_signed


def test_any_of_several_pinned_keys_may_sign_and_the_signer_is_named() -> None:
    verified = sign_in(respond(key=signing_key("next")), keys=pinned("contoso", "next"))
    assert verified.signer_fingerprint == signing_key("next").fingerprint


def test_a_key_that_is_not_pinned_is_an_unknown_signer() -> None:
    refused = refusal(respond(key=signing_key("stranger")))
    assert refused.reason is Reason.unknown_signer
    assert refused.got == f"thumbprint {trusted_key(signing_key('stranger').der).thumbprint}"
    assert refused.wanted == f"thumbprint {pinned()[0].thumbprint}"


def test_no_pinned_key_at_all_is_an_unknown_signer() -> None:
    assert refusal(respond(), keys=[]).reason is Reason.unknown_signer


def test_a_response_for_another_app_signed_by_its_own_key_is_for_the_wrong_audience() -> None:
    """S73: a user of company B presenting a valid assertion for app B at company A's ACS."""
    document = respond(Recipe(audiences=(("https://www.bitabiz.com/fabrikam",),)), signing_key("fabrikam"))
    assert reason(document) is Reason.wrong_audience


def test_key_info_is_ignored() -> None:
    def swap(root: etree._Element) -> None:
        for certificate in root.iter(f"{DS}X509Certificate"):
            certificate.text = base64.b64encode(signing_key("stranger").der).decode()

    def remove(root: etree._Element) -> None:
        for key_info in list(root.iter(f"{DS}KeyInfo")):
            key_info.getparent().remove(key_info)  # type: ignore[union-attr]

    assert sign_in(edited(swap)).object_id == OBJECT_ID
    assert sign_in(edited(remove)).object_id == OBJECT_ID


def test_a_stranger_cannot_lend_the_pinned_certificate_to_his_signature() -> None:
    pinned_der = base64.b64encode(signing_key().der)
    stranger_der = base64.b64encode(signing_key("stranger").der)
    document = respond(key=signing_key("stranger")).replace(stranger_der, pinned_der)
    assert reason(document) is Reason.unknown_signer


def test_a_changed_value_breaks_the_digest() -> None:
    assert reason(respond().replace(b">anna@contoso.com</NameID>", b">bo@contoso.com</NameID>")) is Reason.bad_signature


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (Recipe(signature_method=RSA_SHA1), Reason.weak_algorithm),
        (Recipe(digest_method=SHA1), Reason.weak_algorithm),
    ],
)
def test_sha_1_is_refused_even_with_the_right_key(recipe: Recipe, expected: Reason) -> None:
    assert reason(respond(recipe)) is expected


@pytest.mark.parametrize(
    "algorithm",
    [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        "",
    ],
)
def test_no_other_signature_algorithm_is_known(algorithm: str) -> None:
    document = respond().replace(b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", algorithm.encode())
    assert reason(document) is Reason.weak_algorithm


def test_a_short_or_foreign_key_cannot_be_pinned() -> None:
    with pytest.raises(ValueError, match="1024 bits"):
        trusted_key(signing_key("short", 1024).der)
    with pytest.raises(ValueError, match="parsing"):
        trusted_key(b"not a certificate")


def test_only_the_gate_makes_signed_responses() -> None:
    proven = signed_response(respond(), pinned(), "assertion", ENTITY_ID)
    with pytest.raises(TypeError):
        SignedResponse(
            proven.assertion_octets, proven.envelope, proven.signer, proven.algorithm, proven.signed, object()
        )


def test_what_was_signed_is_exactly_what_comes_out() -> None:
    proven = signed_response(respond(), pinned(), "assertion", ENTITY_ID)
    assert proven.assertion_octets.startswith(b"<Assertion xmlns=")
    assert b"Signature" not in proven.assertion_octets
    assert b"Response" not in proven.assertion_octets.replace(b"InResponseTo", b"")


# Bytes, before a parser runs.

DOCTYPE = b'<!DOCTYPE r [<!ENTITY x "bo@contoso.com">]>'


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: b"",
        lambda document: b"\xef\xbb\xbf" + document,
        lambda document: document + b"\x00",
        lambda document: document.decode().encode("utf-16"),
        lambda document: b'<?xml version="1.0" encoding="utf-7"?>' + document,
        lambda document: b'<?xml version="1.1"?>' + document,
        lambda document: document.replace(b"Anna", b"\xff\xfe"),
        lambda document: DOCTYPE + document,
        lambda document: DOCTYPE + document.replace(b"anna@contoso.com", b"&x;"),
        lambda document: b"<!DOCTYPE r [<!ATTLIST x y CDATA 'z'>]>" + document,
        lambda document: document.replace(
            b"anna@contoso.com</NameID>", b"anna@contoso.com<!-- -->.evil.example</NameID>"
        ),
        lambda document: document.replace(b">anna@contoso.com</NameID>", b"><![CDATA[anna@contoso.com]]></NameID>"),
        lambda document: document.replace(b"anna@contoso.com</NameID>", b"anna@contoso.com<?x y?></NameID>"),
        lambda document: document + b"<?x y?>",
        lambda document: document + b"<!-- -->",
        lambda document: document.replace(b"anna@contoso.com</NameID>", b"&undefined;</NameID>"),
        lambda document: document + document,
        lambda document: document[:-20],
        lambda document: b"not XML",
        lambda document: b"{}",
        lambda document: document.replace(b"</NameID>", b" " * 300_000 + b"</NameID>"),
    ],
)
def test_bytes_that_two_parsers_could_read_differently_are_malformed(spoil: Callable[[bytes], bytes]) -> None:
    assert reason(spoil(respond())) is Reason.malformed_response


def test_an_xml_declaration_in_utf_8_is_accepted() -> None:
    assert sign_in(b'<?xml version="1.0" encoding="UTF-8"?>' + respond()).object_id == OBJECT_ID


@pytest.mark.parametrize(
    "hostile",
    [
        b"x" * 10_000_000,
        b"<a>" * 5_000 + b"</a>" * 5_000,
        b"<a>" * 250 + b"</a>" * 250,
        b"<a " + b" ".join(b'xmlns:n%d="urn:n%d"' % (n, n) for n in range(8_000)) + b"/>",
        b"<a " + b" ".join(b'a%d=""' % n for n in range(20_000)) + b"/>",
        b'<a b="' + b"c" * 250_000 + b'"/>',
        b"<a>" + b"<b/>" * 40_000 + b"</a>",
        respond().replace(b"</AttributeStatement>", b"<Attribute Name='x'/>" * 10_000 + b"</AttributeStatement>"),
        respond().replace(b"</AttributeStatement>", b"<Attribute Name='x'/>" * 3_000 + b"</AttributeStatement>"),
        respond().replace(b"</DigestValue>", b"A" * 200_000 + b"</DigestValue>"),
    ],
    ids=[
        "10 MB",
        "deep",
        "deep enough",
        "namespaces",
        "attributes",
        "value",
        "children",
        "claims",
        "some claims",
        "digest",
    ],
)
def test_hostile_documents_are_refused_in_bounded_time(hostile: bytes) -> None:
    started = time.process_time()
    assert reason(hostile) in (Reason.malformed_response, Reason.bad_signature)
    # Quadratic work on 256 KiB would take minutes; a busy machine needs a tenth of a second.
    assert time.process_time() - started < 2.0


# The grammar, on documents that the right key has signed as they are.


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<samlp:Status>", "<samlp:Extensions/><samlp:Status>"),
        ("<Subject>", "<Advice/><Subject>"),
        ("</Assertion>", "<Advice/></Assertion>"),
        ("<Conditions ", "<EncryptedAssertion/><Conditions "),
        ("</samlp:Response>", "<EncryptedAssertion xmlns='urn:oasis:names:tc:SAML:2.0:assertion'/></samlp:Response>"),
        ("<OneTimeUse/>", ""),
        ("</Conditions>", "<ProxyRestriction Count='1'/></Conditions>"),
        ("<NameID ", "<EncryptedID/><NameID "),
        ("</Subject>", "<SubjectConfirmation Method='urn:oasis:names:tc:SAML:2.0:cm:bearer'/></Subject>"),
        ("</NameID>", "<b/></NameID>"),
        ("<Conditions ", "text<Conditions "),
        ("<AuthnContext>", "text<AuthnContext>"),
        (' Version="2.0" xmlns=', ' Version="2.0" extra="x" xmlns='),
        (' Version="2.0" xmlns=', ' Version="2.0" Id="x" xmlns='),
        ("<Conditions ", '<Conditions id="x" '),
        ("<Conditions ", '<Conditions xml:id="x" '),
        ("<Conditions ", '<Conditions xml:lang="da" '),
        ("<Conditions ", '<Conditions xmlns:q="urn:oasis:names:tc:SAML:2.0:protocol" q:ID="x" '),
        ("<Conditions ", '<Conditions xmlns:q="urn:other" '),
        ("<Conditions ", '<Conditions xmlns="" '),
        ("<Conditions ", '<Conditions xmlns="urn:other" '),
        ("<AttributeValue>Anna</AttributeValue>", "<AttributeValue><Assertion/></AttributeValue>"),
        (' IssueInstant="', ' Issued="'),
    ],
)
def test_what_the_grammar_has_no_place_for_is_malformed_even_when_signed(old: str, new: str) -> None:
    def edit(document: str) -> str:
        assert old in document or old == "<OneTimeUse/>"
        return (
            document.replace(old, new)
            if new
            else document.replace("</Conditions>", "<OneTimeUse/><OneTimeUse/></Conditions>")
        )

    assert reason(respond(Recipe(edit=edit))) is Reason.malformed_response


def test_an_extension_that_a_grammar_allows_is_accepted_when_signed() -> None:
    """The control of the test above: the edits reach the gate signed, so the grammar alone refuses them."""
    recipe = Recipe(edit=lambda document: document.replace("</Conditions>", "<OneTimeUse/></Conditions>"))
    assert sign_in(respond(recipe)).object_id == OBJECT_ID


def test_a_relative_namespace_is_malformed_before_the_canonicalizer_stumbles_over_it() -> None:
    document = respond().replace(b"<Conditions ", b'<Conditions xmlns:q="relative" ')
    assert refusal(document).got == "relative"


def test_white_space_between_elements_is_accepted_when_signed() -> None:
    recipe = Recipe(
        edit=lambda document: document.replace("><Subject>", ">\n  <Subject>").replace("</Issuer>", "</Issuer>\n")
    )
    assert sign_in(respond(recipe)).object_id == OBJECT_ID


def of_elements(count: int, value: str, before: str = "") -> bytes:
    """A signed response of exactly so many elements, by a claim of many such values."""

    def with_values(many: int) -> bytes:
        claim = f'<Attribute Name="urn:x">{value * many}</Attribute></AttributeStatement>'
        return respond(Recipe(edit=lambda document: document.replace("</AttributeStatement>", claim, 1)))

    many = 1 + count - sum(1 for _ in etree.fromstring(with_values(1)).iter())
    # Written after signing: the canonical form of an empty element is the same however it is written.
    return before.encode() + with_values(many).replace(b"<AttributeValue></AttributeValue>", b"<AttributeValue/>")


@pytest.mark.parametrize(
    "value", ["<AttributeValue/>", "<AttributeValue></AttributeValue >", "<AttributeValue>x</AttributeValue>"]
)
@pytest.mark.parametrize("before", ["", '<?xml version="1.0" encoding="UTF-8"?>'])
def test_four_thousand_elements_are_accepted_when_signed_and_one_more_is_malformed(value: str, before: str) -> None:
    """However an element is written, it is one."""
    assert sign_in(of_elements(4000, value, before)).object_id == OBJECT_ID
    refused = refusal(of_elements(4001, value, before))
    assert (refused.reason, refused.wanted, refused.got) == (
        Reason.malformed_response,
        "at most 4000 elements",
        "4001",
    )


def test_end_tags_that_end_nothing_make_no_room_for_more_elements() -> None:
    document = of_elements(4001, "<AttributeValue/>")
    for hostile in (document + b"</x>" * 8000, b"</x>" * 8000 + document):
        assert refusal(hostile).wanted == "at most 4000 elements"


def test_other_prefixes_for_the_same_names_are_accepted() -> None:
    recipe = Recipe(
        signed="response",
        edit=lambda document: document.replace("samlp:", "p:").replace("xmlns:samlp=", "xmlns:p="),
    )
    assert sign_in(respond(recipe), "response").object_id == OBJECT_ID


def test_the_statements_may_stand_in_either_order() -> None:
    def turned(document: str) -> str:
        start, end = document.index("<AttributeStatement>"), document.index("<AuthnStatement ")
        return document[:start] + document[end:].replace("</Assertion>", document[start:end] + "</Assertion>")

    assert sign_in(respond(Recipe(edit=turned))) == sign_in(respond())


def test_equal_ids_are_malformed() -> None:
    recipe = Recipe(assertion_id="_same", response_id="_same", signed="none")
    refused = refusal(respond(recipe), "response")
    assert (refused.reason, refused.wanted) == (Reason.malformed_response, "every ID once")


# The signature's own shape.


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></Transforms>', b"</Transforms>"),
        (
            b'<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></Transforms>',
            b'<Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/></Transforms>',
        ),
        (
            b'<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></Transforms>',
            b'<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><InclusiveNamespaces '
            b'xmlns="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="x"/></Transform></Transforms>',
        ),
        (
            b'<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></Transforms>',
            b'<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#WithComments"/></Transforms>',
        ),
        (
            b'<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>',
            b'<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>',
        ),
        (b"</Reference>", b"</Reference><Reference URI='#x'/>"),
        (b"</SignedInfo>", b"</SignedInfo><SignedInfo/>"),
        (b"</KeyInfo>", b"</KeyInfo><Object/>"),
        (b"<KeyInfo>", b"<KeyInfo><RetrievalMethod URI='https://evil.example/'/>"),
        (b"<KeyInfo>", b"<KeyInfo><KeyValue/>"),
        (b"<SignedInfo>", b'<SignedInfo Id="x">'),
        (b"<SignatureValue>", b"<SignatureValue> "),
        (b"<SignatureValue>", b"<SignatureValue>*"),
        (b"</SignatureValue>", b"=</SignatureValue>"),
        (b"<DigestValue>", b"<DigestValue>\t"),
        (b"</DigestValue>", b"<b/></DigestValue>"),
    ],
)
def test_a_signature_of_any_other_shape_is_malformed(old: bytes, new: bytes) -> None:
    document = respond()
    assert old in document
    assert reason(document.replace(old, new)) is Reason.malformed_response


@pytest.mark.parametrize(
    "uri", ["", "#", "#other", "#xpointer(/)", "https://evil.example/", "#_6f1b8a0e-59b1-4d0c-9a3e-0d6b7f1f2a11"]
)
def test_a_signature_that_refers_elsewhere_is_bad(uri: str) -> None:
    document = respond().replace(b'URI="#_a2b3c4d5-0000-4000-8000-111122223300"', f'URI="{uri}"'.encode())
    assert reason(document) is Reason.bad_signature


def test_line_breaks_in_the_signature_value_are_accepted() -> None:
    def wrap(root: etree._Element) -> None:
        value = root.find(f".//{DS}SignatureValue")
        assert value is not None
        assert value.text
        value.text = "\n".join(value.text[start : start + 64] for start in range(0, len(value.text), 64))

    assert sign_in(edited(wrap)).object_id == OBJECT_ID


def test_the_empty_document_s_digest_is_no_digest_of_ours() -> None:
    nothing = b"<DigestValue>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</DigestValue>"
    document = respond()
    start, end = document.index(b"<DigestValue>"), document.index(b"</DigestValue>") + len(b"</DigestValue>")
    assert reason(document[:start] + nothing + document[end:]) is Reason.bad_signature


# Status.


def test_a_failure_of_the_identity_provider_is_told_as_such() -> None:
    requester = "urn:oasis:names:tc:SAML:2.0:status:Requester"
    unsupported = "urn:oasis:names:tc:SAML:2.0:status:RequestUnsupported"
    message = "AADSTS75011: Anna Ærø <script> \nTrace ID: 1"
    refused = refusal(respond(Recipe(status=(requester, unsupported), status_message=message, signed="none")))
    assert refused.reason is Reason.idp_refused
    assert refused.got == "Requester, RequestUnsupported, AADSTS75011"


def test_success_without_an_assertion_and_failure_with_one_are_malformed() -> None:
    def drop(root: etree._Element) -> None:
        root.remove(root[-1])

    def fail(root: etree._Element) -> None:
        root[1][0].set("Value", "urn:oasis:names:tc:SAML:2.0:status:Requester")

    assert reason(edited(drop)) is Reason.malformed_response
    assert reason(edited(fail)) is Reason.malformed_response


def test_a_refusal_never_quotes_more_than_a_short_printable_line() -> None:
    refused = refusal(respond(Recipe(audiences=(("\N{RIGHT-TO-LEFT OVERRIDE}" + "a" * 5_000,),))))
    assert refused.got is not None
    assert len(refused.got) <= 160
    assert refused.got.isprintable()


def test_a_second_assertion_is_malformed() -> None:
    def duplicate(root: etree._Element) -> None:
        copy = etree.fromstring(etree.tostring(root[-1]))
        copy.set("ID", "_other")
        root.append(copy)

    assert reason(edited(duplicate)) is Reason.malformed_response
    assert len(etree.fromstring(edited(duplicate)).findall(f"{SAML}Assertion")) == 2
