"""What an attacker may do to signed documents as trees: drop, double, move, graft, rename, re-namespace, wrap, change a value.

He has responses that were issued for others, and can sign with a key of his own. Pure: an edit is a value, `edited` applies some.
"""

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec
from hypothesis import strategies as st
from lxml import etree

from shared.schemas.login import SignedMode
from tests.entra import saml
from tests.entra.claims import GROUPS, OBJECT_ID, TENANT_ID, XMLSOAP
from tests.support.saml_corpus.case import ASSERTION_ID, GROUP, RESPONSE_ID, VICTIM, changed, genuine
from tests.support.saml_responses import DS, FLOW, SAML, SAMLP, TENANT
from tests.support.saml_responses import OBJECT_ID as ANNA

Whose = Literal["anna", "bo", "fabrikam", "forged"]
"""Anna's and Bo's own, one for another company's app, and one that the attacker wrote and signed."""

BO = "b0b0b0b0-3b4a-4958-8776-655443322110"
BO_ASSERTION = "_b0b0b0b0-0000-4000-8000-111122223300"
EVIL = "_evil"


@functools.cache
def issued(whose: Whose, signed: SignedMode) -> bytes:
    recipe = genuine(signed)
    match whose:
        case "anna":
            return saml.respond(recipe)
        case "bo":
            return saml.respond(_for_bo(recipe))
        case "fabrikam":
            audience = "https://www.bitabiz.com/fabrikam"
            return saml.respond(changed(recipe, "fabrikam", audience=audience, assertion_id=EVIL, session_index=EVIL))
        case _:
            claims = tuple((name, (VICTIM,) if name == OBJECT_ID else values) for name, values in recipe.claims)
            forged = changed(recipe, "stranger", claims=claims, name_id="victim@contoso.com")
            return saml.respond(msgspec.structs.replace(forged, assertion_id=EVIL, response_id="_evil-response"))


def _for_bo(recipe: saml.ResponseRecipe) -> saml.ResponseRecipe:
    bo = {
        OBJECT_ID: (BO,),
        GROUPS: ("b0b0b0b0-aaaa-4aaa-8aaa-000000000001", "b0b0b0b0-aaaa-4aaa-8aaa-000000000002"),
        f"{XMLSOAP}emailaddress": ("bo@contoso.com",),
        f"{XMLSOAP}name": ("bo@contoso.com",),
    }
    return changed(
        recipe,
        claims=tuple((name, bo.get(name, values)) for name, values in recipe.claims),
        name_id="bo@contoso.com",
        assertion_id=BO_ASSERTION,
        session_index=BO_ASSERTION,
        response_id="_b0b0b0b0-59b1-4d0c-9a3e-0d6b7f1f2a11",
        in_response_to="_b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0",
    )


At = int | str
"""An element: by number in document order, or the first of a name."""


@dataclass(frozen=True)
class Drop:
    at: At


@dataclass(frozen=True)
class Double:
    at: At


@dataclass(frozen=True)
class Move:
    at: At
    into: At
    place: int


@dataclass(frozen=True)
class Graft:
    """An element of another document, put in, or put in place of what is there."""

    whose: Whose
    signed: SignedMode
    taken: At
    into: At
    place: int | None


@dataclass(frozen=True)
class Rename:
    at: At
    name: str


@dataclass(frozen=True)
class Renamespace:
    at: At
    namespace: str


@dataclass(frozen=True)
class Wrap:
    at: At
    tag: str


@dataclass(frozen=True)
class Text:
    at: At
    text: str
    behind: bool


@dataclass(frozen=True)
class Attribute:
    at: At
    name: str
    value: str | None


Edit = Drop | Double | Move | Graft | Rename | Renamespace | Wrap | Text | Attribute

PROTOCOL, ASSERTION, XMLDSIG = SAMLP[1:-1], SAML[1:-1], DS[1:-1]
NAMESPACES = (PROTOCOL, ASSERTION, XMLDSIG, "", "urn:other", "relative", "urn:oasis:names:tc:SAML:1.0:assertion")
TAGS = (
    *(f"{SAML}{name}" for name in ("Assertion", "Issuer", "Subject", "NameID", "Conditions", "Audience", "Advice")),
    *(f"{SAML}{name}" for name in ("AttributeStatement", "Attribute", "AttributeValue", "AuthnStatement")),
    *(f"{SAMLP}{name}" for name in ("Response", "Extensions", "Status", "StatusCode", "StatusDetail")),
    *(f"{DS}{name}" for name in ("Signature", "SignedInfo", "Reference", "Transforms", "Object", "KeyInfo")),
    "Wrapper",
)
WORDS = (
    *("", " ", "x", EVIL, VICTIM, ANNA, BO, TENANT, GROUP, FLOW, ASSERTION_ID, RESPONSE_ID, BO_ASSERTION),
    *(
        "victim@contoso.com",
        "bo@contoso.com",
        "2026-11-24T08:00:00Z",
        "2036-11-24T08:00:00.000Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2.0",
        "Æ",
        "AAAA",
    ),
    *(f"#{EVIL}", f"#{ASSERTION_ID}", f"#{RESPONSE_ID}", f"#{BO_ASSERTION}", "#xpointer(/)"),
    *(
        OBJECT_ID,
        TENANT_ID,
        GROUPS,
        "http://www.w3.org/2000/09/xmldsig#sha1",
        "http://www.w3.org/2001/04/xmlenc#sha256",
    ),
)
ATTRIBUTES = (
    *("ID", "Id", "id", "Version", "InResponseTo", "Algorithm", "URI", "Name", "NotBefore", "NotOnOrAfter", "Value"),
    *("Destination", "Recipient", "IssueInstant", "Method", "Format", "SessionIndex", "NameQualifier", "Consent"),
    *(f"{SAMLP}ID", "{http://www.w3.org/XML/1998/namespace}id"),
)

ELEMENTS = (
    "Response",
    "Issuer",
    "Signature",
    "SignedInfo",
    "Assertion",
    "Subject",
    "NameID",
    "Conditions",
    "AttributeStatement",
)
NUMBER = st.integers(0, 63)
AT = NUMBER | st.sampled_from(ELEMENTS)
PLACE = st.integers(0, 6)
SIGNED = st.sampled_from(get_args(SignedMode))
WHOSE = st.sampled_from(get_args(Whose))
EDITS = st.lists(
    st.one_of(
        st.builds(Drop, AT),
        st.builds(Double, AT),
        st.builds(Move, AT, AT, PLACE),
        st.builds(Graft, WHOSE, SIGNED, AT, AT, st.none() | PLACE),
        st.sampled_from(ELEMENTS).flatmap(
            lambda name: st.builds(Graft, WHOSE, SIGNED, st.just(name), st.just(name), st.none())
        ),
        st.builds(Rename, AT, st.sampled_from(sorted({tag.rpartition("}")[2] for tag in TAGS}))),
        st.builds(Renamespace, AT, st.sampled_from(NAMESPACES)),
        st.builds(Wrap, AT, st.sampled_from(TAGS)),
        st.builds(Text, AT, st.sampled_from(WORDS), st.booleans()),
        st.builds(Attribute, AT, st.sampled_from(ATTRIBUTES), st.none() | st.sampled_from(WORDS)),
    ),
    min_size=1,
    max_size=3,
)


def edited(document: bytes, edits: Sequence[Edit]) -> bytes:
    root = etree.fromstring(document)
    for edit in edits:
        root = _apply(root, edit)
    return etree.tostring(root, encoding="utf-8")


def _apply(root: etree._Element, edit: Edit) -> etree._Element:
    """The root after the edit, which may be another one; an edit that is not possible here changes nothing."""
    if isinstance(edit, Graft):
        return _graft(root, edit)
    element = _at(root, edit.at)
    parent = element.getparent()
    match edit:
        case Drop() if parent is not None:
            parent.remove(element)
        case Double() if parent is not None:
            element.addnext(copy.deepcopy(element))
        case Move():
            target = _at(root, edit.into)
            if element not in (target, *target.iterancestors()):
                target.insert(edit.place, element)
        case Rename():
            element.tag = f"{{{etree.QName(element).namespace or ''}}}{edit.name}".removeprefix("{}")
        case Renamespace():
            element.tag = f"{{{edit.namespace}}}{etree.QName(element).localname}".removeprefix("{}")
        case Wrap():
            return _wrap(root, element, edit.tag)
        case Text() if edit.behind and parent is not None:
            element.tail = edit.text
        case Text():
            element.text = edit.text
        case Attribute(value=None):
            element.attrib.pop(edit.name, "")
        case Attribute(value=str(value)):
            element.set(edit.name, value)
        case _:
            pass
    return root


def _at(root: etree._Element, at: At) -> etree._Element:
    if isinstance(at, str):
        return next(root.iter(f"{{*}}{at}"), root)
    elements = list(root.iter())
    return elements[at % len(elements)]


def _graft(root: etree._Element, edit: Graft) -> etree._Element:
    taken = copy.deepcopy(_at(etree.fromstring(issued(edit.whose, edit.signed)), edit.taken))
    taken.tail = None
    target = _at(root, edit.into)
    if edit.place is not None:
        target.insert(edit.place, taken)
        return root
    parent = target.getparent()
    if parent is None:
        return taken
    parent.replace(target, taken)
    return root


def _wrap(root: etree._Element, element: etree._Element, tag: str) -> etree._Element:
    wrapper = etree.Element(tag)
    parent = element.getparent()
    if parent is not None:
        parent.replace(element, wrapper)
    wrapper.append(element)
    return root if parent is not None else wrapper
