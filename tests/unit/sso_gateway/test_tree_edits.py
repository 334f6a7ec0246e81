"""The property everything rests on: whatever is done to a signed response, it is refused or signs in exactly the same person."""

import copy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from shared.schemas.login import SignedMode
from sso_gateway.saml.errors import SamlRefusal
from tests.support.saml_responses import DS, FLOW, OBJECT_ID, SAML, SAMLP, Recipe, respond
from tests.unit.sso_gateway.saml_support import sign_in

WORDS = st.sampled_from(
    [
        "",
        " ",
        "x",
        "_evil",
        OBJECT_ID,
        "00000000-dead-4eef-8000-000000000000",
        "bo@contoso.com",
        "2026-11-24T08:00:00Z",
        "Æ",
        "2.0",
    ]
)
TAGS = st.sampled_from(
    [
        f"{SAML}Assertion",
        f"{SAML}Issuer",
        f"{SAML}Subject",
        f"{SAML}NameID",
        f"{SAML}AttributeStatement",
        f"{SAML}Attribute",
        f"{SAML}AttributeValue",
        f"{SAML}Advice",
        f"{SAMLP}Response",
        f"{SAMLP}Extensions",
        f"{SAMLP}Status",
        f"{DS}Signature",
        f"{DS}SignedInfo",
        f"{DS}Reference",
        f"{DS}Object",
        f"{DS}KeyInfo",
    ]
)
ATTRIBUTES = st.sampled_from(
    ["ID", "Id", "id", "Version", "InResponseTo", "Algorithm", "URI", "Name", "NotBefore", "Destination", "Recipient"]
)
EDIT = st.one_of(
    st.tuples(st.just("text"), st.integers(0, 200), WORDS),
    st.tuples(st.just("tail"), st.integers(0, 200), WORDS),
    st.tuples(st.just("attribute"), st.integers(0, 200), st.tuples(ATTRIBUTES, WORDS)),
    st.tuples(st.just("drop attribute"), st.integers(0, 200), st.integers(0, 5)),
    st.tuples(st.just("remove"), st.integers(0, 200), st.none()),
    st.tuples(st.just("rename"), st.integers(0, 200), TAGS),
    st.tuples(st.just("add"), st.integers(0, 200), TAGS),
    st.tuples(st.just("copy"), st.integers(0, 200), st.integers(0, 200)),
    st.tuples(st.just("move"), st.integers(0, 200), st.integers(0, 200)),
    st.tuples(st.just("wrap"), st.integers(0, 200), TAGS),
)


def apply(root: etree._Element, edit: tuple[str, int, object]) -> None:
    kind, at, what = edit
    elements = list(root.iter())
    element = elements[at % len(elements)]
    parent = element.getparent()
    match kind, what:
        case "text", str():
            element.text = what
        case "tail", str() if parent is not None:
            element.tail = what
        case "attribute", (str(name), str(value)):
            element.set(name, value)
        case "drop attribute", int() if element.attrib:
            del element.attrib[sorted(element.attrib)[what % len(element.attrib)]]
        case "remove", _ if parent is not None:
            parent.remove(element)
        case "rename", str():
            element.tag = what
        case "add", str():
            etree.SubElement(element, what)
        case "copy", int():
            elements[what % len(elements)].append(copy.deepcopy(element))
        case "move", int() if parent is not None:
            target = elements[what % len(elements)]
            if element not in (target, *target.iterancestors()):
                target.insert(0, element)
        case "wrap", str() if parent is not None:
            wrapper = etree.Element(what)
            parent.replace(element, wrapper)
            wrapper.append(element)
        case _:
            pass


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(signed=st.sampled_from(["assertion", "response", "both"]), edits=st.lists(EDIT, min_size=1, max_size=4))
def test_an_edited_response_is_refused_or_signs_in_the_same_person(
    signed: SignedMode, edits: list[tuple[str, int, object]]
) -> None:
    genuine = respond(Recipe(signed=signed))
    root = etree.fromstring(genuine)
    for edit in edits:
        apply(root, edit)
    try:
        verified = sign_in(etree.tostring(root), signed)
    except SamlRefusal:
        return
    assert verified == sign_in(genuine, signed) or _differs_only_outside(signed, verified.response_id)
    assert (verified.object_id, verified.name_id, verified.email) == (OBJECT_ID, "anna@contoso.com", "anna@contoso.com")
    assert (verified.assertion_id, verified.in_response_to) == (Recipe().assertion_id, FLOW)


def _differs_only_outside(signed: SignedMode, response_id: str) -> bool:
    """The Response's ID is not signed where only the Assertion is, and identifies nobody."""
    return signed == "assertion" and response_id != Recipe().response_id


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    signed=st.sampled_from(["assertion", "response", "both"]),
    position=st.integers(0, 10_000),
    replaced=st.integers(0, 3),
    piece=st.one_of(
        st.binary(max_size=4),
        st.sampled_from([b"<", b">", b"&", b"&#x41;", b'"', b"<!--", b"<?", b" ", b"\n", b"xmlns=''"]),
    ),
)
def test_a_response_with_changed_bytes_is_refused_or_signs_in_the_same_person(
    signed: SignedMode, position: int, replaced: int, piece: bytes
) -> None:
    genuine = respond(Recipe(signed=signed))
    at = position % len(genuine)
    try:
        verified = sign_in(genuine[:at] + piece + genuine[at + replaced :], signed)
    except SamlRefusal:
        return
    assert (verified.object_id, verified.name_id, verified.email) == (OBJECT_ID, "anna@contoso.com", "anna@contoso.com")
    assert (verified.assertion_id, verified.in_response_to) == (Recipe().assertion_id, FLOW)
