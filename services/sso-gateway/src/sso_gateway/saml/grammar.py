"""What a message from Entra may look like: a closed grammar, nothing optional that Entra does not send.

    Response        Issuer, Signature?, Status, Assertion?
    Assertion       Issuer, Signature?, Subject, Conditions, AttributeStatement?, AuthnStatement (these two in either order)
    Signature       SignedInfo, SignatureValue, KeyInfo?
    LogoutRequest   Issuer, NameID, SessionIndex*      these two by redirect, signed beside the document
    LogoutResponse  Issuer, Status

There is no slot for foreign content (Extensions, Advice, Object, a second or encrypted assertion), which is where wrapping
attacks hide the signed original. Nor for a restriction that nobody here would keep (SessionNotOnOrAfter, Address): what is not
kept is refused, not overlooked. Order and number of children count; text stands in leaves only. Checked on the received tree.
"""

from dataclasses import dataclass

from lxml import etree

from sso_gateway.saml.errors import malformed
from sso_gateway.saml.xml import ASSERTION, PROTOCOL, XMLDSIG

XML_WHITESPACE = " \t\r\n"
MAX_VALUE_LENGTH = 16 * 1024
MANY = 4000
MAX_SESSION_INDEXES = 64


@dataclass(frozen=True, slots=True)
class Shape:
    """One element: its name, its attributes, and either text or a sequence of children."""

    tag: str
    name: str
    required: frozenset[str]
    allowed: frozenset[str]
    """The required ones too. Attributes with a namespace, and `Id` or `id` for `ID`, are simply not among them."""
    children: "tuple[Slot, ...] | None"
    """None: a leaf that holds text."""


@dataclass(frozen=True, slots=True)
class Slot:
    shape: Shape
    least: int = 1
    most: int = 1


def _leaf(namespace: str, name: str, required: str = "", optional: str = "") -> Shape:
    needed = frozenset(required.split())
    return Shape(f"{{{namespace}}}{name}", name, needed, needed | frozenset(optional.split()), None)


def _node(namespace: str, name: str, *children: Slot | Shape, required: str = "", optional: str = "") -> Shape:
    needed = frozenset(required.split())
    slots = tuple(child if isinstance(child, Slot) else Slot(child) for child in children)
    return Shape(f"{{{namespace}}}{name}", name, needed, needed | frozenset(optional.split()), slots)


def _optional(shape: Shape) -> Slot:
    return Slot(shape, 0, 1)


REFERENCE = _node(
    XMLDSIG,
    "Reference",
    _node(XMLDSIG, "Transforms", Slot(_node(XMLDSIG, "Transform", required="Algorithm"), 2, 2)),
    _node(XMLDSIG, "DigestMethod", required="Algorithm"),
    _leaf(XMLDSIG, "DigestValue"),
    required="URI",
)
SIGNED_INFO = _node(
    XMLDSIG,
    "SignedInfo",
    _node(XMLDSIG, "CanonicalizationMethod", required="Algorithm"),
    _node(XMLDSIG, "SignatureMethod", required="Algorithm"),
    REFERENCE,
)
# KeyInfo is never trusted; its shape is closed so that nothing can hide in it.
KEY_INFO = _node(XMLDSIG, "KeyInfo", _node(XMLDSIG, "X509Data", Slot(_leaf(XMLDSIG, "X509Certificate"), 1, 4)))
SIGNATURE = _node(XMLDSIG, "Signature", SIGNED_INFO, _leaf(XMLDSIG, "SignatureValue"), _optional(KEY_INFO))

NAME_ID = _leaf(ASSERTION, "NameID", optional="Format NameQualifier SPNameQualifier SPProvidedID")
SUBJECT = _node(
    ASSERTION,
    "Subject",
    NAME_ID,
    _node(
        ASSERTION,
        "SubjectConfirmation",
        _node(ASSERTION, "SubjectConfirmationData", optional="InResponseTo NotBefore NotOnOrAfter Recipient"),
        required="Method",
    ),
)
CONDITIONS = _node(
    ASSERTION,
    "Conditions",
    Slot(_node(ASSERTION, "AudienceRestriction", Slot(_leaf(ASSERTION, "Audience"), 0, 16)), 0, 16),
    _optional(_node(ASSERTION, "OneTimeUse")),
    optional="NotBefore NotOnOrAfter",
)
ATTRIBUTE = _node(
    ASSERTION,
    "Attribute",
    Slot(_leaf(ASSERTION, "AttributeValue"), 0, MANY),
    required="Name",
    optional="NameFormat FriendlyName",
)
ATTRIBUTE_STATEMENT = _node(ASSERTION, "AttributeStatement", Slot(ATTRIBUTE, 0, MANY))
AUTHN_STATEMENT = _node(
    ASSERTION,
    "AuthnStatement",
    _node(ASSERTION, "AuthnContext", _leaf(ASSERTION, "AuthnContextClassRef")),
    required="AuthnInstant",
    optional="SessionIndex",
)
ASSERTION_SHAPE = _node(
    ASSERTION,
    "Assertion",
    _leaf(ASSERTION, "Issuer"),
    _optional(SIGNATURE),
    SUBJECT,
    CONDITIONS,
    # Entra writes its attributes first, others last; the schema leaves it open (Core section 2.3.3). One statement in all.
    _optional(ATTRIBUTE_STATEMENT),
    AUTHN_STATEMENT,
    _optional(ATTRIBUTE_STATEMENT),
    required="ID IssueInstant Version",
)
STATUS = _node(
    PROTOCOL,
    "Status",
    _node(PROTOCOL, "StatusCode", _optional(_node(PROTOCOL, "StatusCode", required="Value")), required="Value"),
    _optional(_leaf(PROTOCOL, "StatusMessage")),
)
RESPONSE = _node(
    PROTOCOL,
    "Response",
    _leaf(ASSERTION, "Issuer"),
    _optional(SIGNATURE),
    STATUS,
    _optional(ASSERTION_SHAPE),
    required="ID IssueInstant Version",
    optional="Destination InResponseTo Consent",
)

LOGOUT_REQUEST = _node(
    PROTOCOL,
    "LogoutRequest",
    _leaf(ASSERTION, "Issuer"),
    NAME_ID,
    Slot(_leaf(PROTOCOL, "SessionIndex"), 0, MAX_SESSION_INDEXES),
    required="ID IssueInstant Version",
    optional="Destination Consent NotOnOrAfter Reason",
)
LOGOUT_RESPONSE = _node(
    PROTOCOL,
    "LogoutResponse",
    _leaf(ASSERTION, "Issuer"),
    STATUS,
    required="ID IssueInstant Version",
    optional="Destination InResponseTo Consent",
)


def check_grammar(response: etree._Element) -> None:
    """Refuse whatever is not exactly a Response of this shape.

    Raises:
        SamlRefusal: malformed_response.
    """
    check_shape(response, RESPONSE)
    ids = [element.get("ID") for element in (response, *response.findall(ASSERTION_SHAPE.tag))]
    if len(set(ids)) < len(ids):
        raise malformed("every ID once", "one ID twice")
    if len(response.findall(f"{ASSERTION_SHAPE.tag}/{ATTRIBUTE_STATEMENT.tag}")) > 1:
        raise malformed("one AttributeStatement in Assertion", "two")


def check_shape(message: etree._Element, shape: Shape) -> None:
    """Raises SamlRefusal: malformed_response."""
    if message.tag != shape.tag:
        raise malformed(shape.name, str(message.tag))
    _check(message, shape)


def _check(element: etree._Element, shape: Shape) -> None:
    # Recursion ends with the grammar, nine levels down.
    if element.attrib or shape.required:
        _check_attributes(element, shape)
    children = list(element)
    if shape.children is None:
        if children:
            raise malformed(f"text alone in {shape.name}", str(children[0].tag))
        if element.text and len(element.text) > MAX_VALUE_LENGTH:
            raise malformed(f"at most {MAX_VALUE_LENGTH} characters in {shape.name}", str(len(element.text)))
        return
    _check_blank(element.text, shape)
    at = 0
    for slot in shape.children:
        taken = 0
        while at < len(children) and taken < slot.most and children[at].tag == slot.shape.tag:
            _check_blank(children[at].tail, shape)
            _check(children[at], slot.shape)
            at += 1
            taken += 1
        if taken < slot.least:
            raise malformed(f"{slot.shape.name} in {shape.name}", str(children[at].tag) if at < len(children) else None)
    if at < len(children):
        raise malformed(f"nothing more in {shape.name}", str(children[at].tag))


def _check_attributes(element: etree._Element, shape: Shape) -> None:
    # Counted before they are read: reading n of them takes n squared, half a second for those that fit into a form.
    if len(element.attrib) > len(shape.allowed):
        raise malformed(f"{shape.name} with known attributes only", f"{len(element.attrib)} attributes")
    present = {str(name): value for name, value in element.attrib.items()}
    if not shape.required <= present.keys():
        raise malformed(f"{shape.name} with {' '.join(sorted(shape.required))}", " ".join(sorted(present)))
    if not present.keys() <= shape.allowed:
        raise malformed(f"{shape.name} with known attributes only", " ".join(sorted(present)))
    longest = max(map(len, present.values()), default=0)
    if longest > MAX_VALUE_LENGTH:
        raise malformed(f"at most {MAX_VALUE_LENGTH} characters in an attribute of {shape.name}", str(longest))


def _check_blank(text: str | None, shape: Shape) -> None:
    if text and text.strip(XML_WHITESPACE):
        raise malformed(f"elements alone in {shape.name}", "text")
