"""What the closed grammar has no place for. Most are signed as they stand, so that the grammar alone is left to refuse them."""

from collections.abc import Iterator

from lxml import etree

from tests.support.saml_corpus.case import ASSERTION_ID, RESPONSE_ID, Case, edited, moved, replacing, respond

SAML_NS = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP_NS = "urn:oasis:names:tc:SAML:2.0:protocol"
ONLY_OURS = "only the namespaces of SAML 2.0 and XML Signature"


def cases() -> Iterator[Case]:
    yield from _slots()
    yield from _duplicates()
    yield from _order()
    yield from _namespaces()
    yield from _attributes()
    yield from _missing()


def _case(name: str, attack: str, refused: bytes, wanted: str, accepted: bytes | None = None) -> Case:
    return Case(
        reason="malformed_response",
        name=name,
        attack=attack,
        refused=refused,
        accepted=accepted or respond(),
        wanted=wanted,
    )


def _signed(name: str, attack: str, old: str, new: str, wanted: str) -> Case:
    """The Assertion changed, then signed."""
    return _case(name, attack, respond(edit_assertion=replacing(old, new)), wanted)


def _slots() -> Iterator[Case]:
    """The places for anything of the SAML schema, which hold the signed original in wrapping attacks."""
    attack = "wrapping in a slot for anything"
    yield _signed("advice", attack, "<AttributeS", "<Advice/><AttributeS", "AuthnStatement in Assertion")
    yield _signed("proxy_restriction", attack, "</Cond", '<ProxyRestriction Count="1"/></Cond', "nothing more in Cond")
    yield _signed("element_in_name_id", attack, "</NameID>", "<Advice/></NameID>", "text alone in NameID")
    yield _signed("element_in_value", attack, ">Anna</A", "><Advice/>Anna</A", "text alone in AttributeValue")
    yield _signed("text_between", attack, "<Conditions ", "text<Conditions ", "elements alone in Assertion")
    yield _signed("text_first", attack, "<AuthnContext>", "<AuthnContext>text", "elements alone in AuthnContext")
    decl = "<AuthnContextDecl/></AuthnContext>"
    yield _signed("context_declaration", attack, "</AuthnContext>", decl, "nothing more in AuthnContext")
    data = "<KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'/></SubjectConfirmationData>"
    refused = respond(edit_assertion=lambda text: _opened(text, "SubjectConfirmationData", data))
    yield _case("holder_of_key", attack, refused, "nothing more in SubjectConfirmationData")
    extensions = replacing("<samlp:Status>", "<samlp:Extensions/><samlp:Status>")
    yield _case("extensions", attack, respond(edit_response=extensions), "Status in Response")
    detail = replacing("</samlp:Status>", "<samlp:StatusDetail/></samlp:Status>")
    yield _case("status_detail", attack, respond(edit_response=detail), "nothing more in Status")
    behind = replacing("</samlp:Response>", "<samlp:Extensions/></samlp:Response>")
    yield _case("behind_the_assertion", attack, respond(edit_response=behind), "nothing more in Response")
    attack = "encryption oracles"
    encrypted = f'<EncryptedAssertion xmlns="{SAML_NS}"/>'
    yield _case(
        "encrypted_assertion",
        attack,
        respond(drop=frozenset({"Assertion"}), edit_response=replacing("</samlp:R", f"{encrypted}</samlp:R")),
        "nothing more in Response",
    )
    both = replacing("</samlp:Response>", f"{encrypted}</samlp:Response>")
    yield _case("encrypted_beside_plain", attack, respond(edit_response=both), "nothing more in Response")
    yield _signed("encrypted_id", attack, "<NameID ", "<EncryptedID/><NameID ", "NameID in Subject")


def _opened(text: str, name: str, inner: str) -> str:
    start = text.index(f"<{name} ")
    end = text.index("/>", start)
    return text[:end] + ">" + inner + text[end + 2 :]


def _duplicates() -> Iterator[Case]:
    attack = "duplicate children"
    for name, wanted in (
        ("Issuer", "Subject in Assertion"),
        ("Subject", "Conditions in Assertion"),
        ("NameID", "SubjectConfirmation in Subject"),
        ("SubjectConfirmation", "nothing more in Subject"),
        ("SubjectConfirmationData", "nothing more in SubjectConfirmation"),
        ("Conditions", "AuthnStatement in Assertion"),
        ("AttributeStatement", "AuthnStatement in Assertion"),
        ("AuthnStatement", "nothing more in Assertion"),
    ):
        yield _case(f"two_{name}", attack, respond(repeat=frozenset({name})), wanted)
    around = respond(edit_assertion=replacing("</Assertion>", "<AttributeStatement/></Assertion>"))
    yield _case("attribute_statements_around", attack, around, "one AttributeStatement in Assertion")
    yield _case("two_response_issuers", attack, respond(repeat=frozenset({"ResponseIssuer"})), "Status in Response")
    yield _case("two_statuses", attack, respond(repeat=frozenset({"Status"})), "nothing more in Response")
    attack = "several assertions"
    yield _case("two_assertions", attack, respond(repeat=frozenset({"Assertion"})), "nothing more in Response")
    yield _case("second_has_another_id", attack, _second_assertion(signed=True), "nothing more in Response")
    yield _case("unsigned_first", attack, moved(_unsigned_first), "nothing more in Response")
    same = respond(assertion_id=RESPONSE_ID, session_index=ASSERTION_ID)
    yield _case("equal_ids", "namespace confusion and IDs", same, "every ID once")


def _second_assertion(*, signed: bool) -> bytes:
    other = respond(assertion_id="_other", session_index="_other", sign_assertion=signed).decode()
    start, end = other.index("<Assertion "), other.index("</samlp:Response>")
    return edited("</samlp:Response>", other[start:end] + "</samlp:Response>")


def _unsigned_first(root: etree._Element) -> None:
    forged = etree.fromstring(_second_assertion(signed=False))[-1]
    root.insert(2, forged)


def _order() -> Iterator[Case]:
    """The exact sequence, on the received tree."""
    attack = "reordered children"
    for name, moving, before, wanted in (
        ("conditions_before_subject", "Conditions", "Subject", "Subject in Assertion"),
        ("subject_before_issuer", "Subject", "Issuer", "Issuer in Assertion"),
        ("confirmation_before_name", "SubjectConfirmation", "NameID", "NameID in Subject"),
        ("attributes_before_conditions", "AttributeStatement", "Conditions", "Conditions in Assertion"),
    ):
        refused = respond(edit_assertion=lambda text, moving=moving, before=before: _before(text, moving, before))
        yield _case(name, attack, refused, wanted)
    yield _case("status_last", attack, moved(lambda root: root.append(root[1])), "Status in Response")
    yield _case("signature_first", attack, moved(_signature_to(0)), "Issuer in Assertion")
    yield _case("signature_last", attack, moved(_signature_to(9)), "nothing more in Assertion")
    yield _case("signature_value_first", attack, moved(_value_first), "SignedInfo in Signature")


def _before(text: str, moving: str, before: str) -> str:
    start, end = text.index(f"<{moving}"), text.index(f"</{moving}>") + len(f"</{moving}>")
    element, rest = text[start:end], text[:start] + text[end:]
    place = rest.index(f"<{before}")
    return rest[:place] + element + rest[place:]


def _signature_to(place: int):  # type: ignore[no-untyped-def]
    def move(root: etree._Element) -> None:
        root[-1].insert(place, root[-1][1])

    return move


def _value_first(root: etree._Element) -> None:
    signature = root[-1][1]
    signature.insert(0, signature[1])


def _namespaces() -> Iterator[Case]:
    attack = "namespace confusion and IDs"
    at = "<Conditions "
    yield _signed("foreign_declaration", attack, at, f'{at}xmlns:q="urn:other" ', ONLY_OURS)
    yield _signed("foreign_default", attack, "<Subject>", '<Subject xmlns="urn:other">', ONLY_OURS)
    yield _signed("no_namespace", attack, at, f'{at}xmlns="" ', ONLY_OURS)
    yield _signed("another_of_ours", attack, at, f'{at}xmlns="{SAMLP_NS}" ', "Conditions in Assertion")
    yield _signed("saml_1_1", attack, at, f'{at}xmlns="urn:oasis:names:tc:SAML:1.0:assertion" ', ONLY_OURS)
    yield _signed("look_alike", attack, at, f'{at}xmlns="{SAML_NS}#" ', ONLY_OURS)
    yield _signed("capital", attack, at, f'{at}xmlns="{SAML_NS.upper()}" ', ONLY_OURS)
    xsi = '<AttributeValue xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="string">Anna</A'
    yield _signed("schema_type", attack, "<AttributeValue>Anna</A", xsi, ONLY_OURS)
    refused = edited("<samlp:Response ", '<samlp:Response xmlns:xml2="urn:other" ')
    yield _case("foreign_declaration_outside", attack, refused, ONLY_OURS)
    attack = "void canonicalization"
    yield _case("relative_namespace", attack, edited(at, f'{at}xmlns:q="relative" '), ONLY_OURS)
    yield _case("relative_in_signed_info", attack, edited("<SignedInfo>", '<SignedInfo xmlns:q="./">'), ONLY_OURS)
    yield _case("relative_outside", attack, edited("<samlp:Status>", '<samlp:Status xmlns:q="1">'), ONLY_OURS)


def _attributes() -> Iterator[Case]:
    attack = "namespace confusion and IDs"
    at, known = "<Conditions ", "Conditions with known attributes only"
    of_assertion = "Assertion with known attributes only"
    for name, attribute in (
        ("prefixed_id", f'xmlns:q="{SAMLP_NS}" q:ID="_evil"'),
        ("lower_case_id", 'id="_evil"'),
        ("mixed_case_id", 'Id="_evil"'),
        ("id_where_none_is", 'ID="_evil"'),
        ("xml_id", 'xml:id="_evil"'),
        ("xml_lang", 'xml:lang="da"'),
        ("xml_base", 'xml:base="https://evil.example/"'),
        ("unknown_attribute", 'extra="x"'),
    ):
        yield _signed(f"{name}_in_conditions", attack, at, f"{at}{attribute} ", known)
        # Where optional ones are left out, so that they are no more than there may be: by name, then, and not by number.
        if name != "id_where_none_is":
            outside = edited("<samlp:Response ", f"<samlp:Response {attribute} ")
            yield _case(f"{name}_in_response", attack, outside, "Response with known attributes only")
        named = "NameID with known attributes only"
        yield _signed(f"{name}_in_name", attack, "<NameID ", f"<NameID {attribute} ", named)
        if name != "id_where_none_is":
            refused = respond(edit_assertion=replacing("<Assertion ", f"<Assertion {attribute} "))
            yield _case(f"{name}_in_assertion", attack, refused, of_assertion)
    yield _case(
        "id_lower_only",
        attack,
        edited(f'<Assertion ID="{ASSERTION_ID}"', f'<Assertion Id="{ASSERTION_ID}"'),
        "Assertion with ID IssueInstant Version",
    )


def _missing() -> Iterator[Case]:
    attack = "missing conditions"
    for name, wanted in (
        ("Conditions", "Conditions in Assertion"),
        ("Subject", "Subject in Assertion"),
        ("SubjectConfirmation", "SubjectConfirmation in Subject"),
        ("SubjectConfirmationData", "SubjectConfirmationData in SubjectConfirmation"),
        ("NameID", "NameID in Subject"),
        ("Issuer", "Issuer in Assertion"),
        ("AuthnStatement", "AuthnStatement in Assertion"),
        ("Status", "Status in Response"),
        ("ResponseIssuer", "Issuer in Response"),
        ("Assertion", "an Assertion in a successful Response"),
    ):
        yield _case(f"no_{name}", attack, respond(drop=frozenset({name})), wanted)
    root = replacing("<samlp:Response ", "<samlp:ArtifactResponse ")
    refused = respond(edit_response=lambda text: root(text).replace("</samlp:Response>", "</samlp:ArtifactResponse>"))
    yield _case("another_root", "wrapping in a slot for anything", refused, "Response")
    yield _case("assertion_alone", "wrapping in a slot for anything", moved(lambda root: root[-1]), "Response")
