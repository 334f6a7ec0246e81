"""One input of the fuzzer, and what must hold of it.

An input is a byte and a document. The byte says what the company requires, and whether the company's own key signs the document
first: without that, next to nothing that a fuzzer changes would ever be read.

    as it is    refused, or exactly one of the persons whom the corpus issued
    signed      refused, or exactly the person whom another parser (expat) reads in what was signed

Anything but a `SamlRefusal` is a fault.
"""

import base64
import dataclasses
import functools
from collections.abc import Iterator
from xml.etree import ElementTree

from lxml import etree

from shared.schemas.login import SignedMode
from sso_gateway.saml.errors import SamlRefusal
from sso_gateway.saml.gate import signed_response
from sso_gateway.saml.keys import TrustedKey, trusted_key
from sso_gateway.saml.profile import Expected, VerifiedAssertion, check
from tests.entra.certificates import one_line, private_key
from tests.entra.claims import OBJECT_ID, TENANT_ID
from tests.entra.signing import signature_over
from tests.support.saml_corpus import accepted
from tests.support.saml_corpus.case import key
from tests.support.saml_responses import ACS, DS, ENTITY_ID, ISSUER, NOW, SAML, TENANT
from tests.unit.sso_gateway.tree_edits import issued

MODES: tuple[SignedMode, ...] = ("assertion", "response", "both")
EXPECTED = Expected(entity_id=ENTITY_ID, acs_url=ACS, issuer=ISSUER, tenant_id=TENANT)


class GateIsOpen(AssertionError):
    """Somebody was signed in who was not issued this response."""


def packed(document: bytes, required: SignedMode, *, sign: bool) -> bytes:
    return bytes([MODES.index(required) | (4 if sign else 0)]) + document


def try_one(data: bytes) -> bool:
    """Whether somebody was signed in.

    Raises:
        GateIsOpen: the wrong one.
    """
    if not data:
        return False
    required, sign, document = MODES[(data[0] & 3) % 3], bool(data[0] & 4), data[1:]
    if sign:
        try:
            document = signed_by_us(document, required)
        except (etree.LxmlError, ValueError):
            return False
    try:
        verified = check(signed_response(document, _keys(), required, ENTITY_ID), EXPECTED, NOW)
    except SamlRefusal:
        return False
    if sign:
        _check_against_expat(document, verified)
    elif _comparable(verified) not in _issued():
        raise GateIsOpen("not one of those who were issued anything")
    return True


def signed_by_us(document: bytes, required: SignedMode) -> bytes:
    """What an identity provider would send that signs whatever it is told to."""
    if b"<!" in document:
        raise ValueError("the signer's own parser is no part of this")
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    for found in list(root.iter(f"{DS}Signature")):
        parent = found.getparent()
        if parent is not None:
            parent.remove(found)
    if required != "response":
        for assertion in root.findall(f"{SAML}Assertion"):
            _sign(assertion)
    if required != "assertion":
        _sign(root)
    return etree.tostring(root, encoding="utf-8")


def _sign(element: etree._Element) -> None:
    octets = etree.tostring(element, method="c14n", exclusive=True, with_tail=False)
    reference = (element.get("ID") or "").replace("&", "").replace("<", "").replace('"', "")
    signer = key()
    made = signature_over(octets, reference, private_key(signer), one_line(signer), algorithm="sha256", prefixed=False)
    element.insert(1, etree.fromstring(made))


def _check_against_expat(document: bytes, verified: VerifiedAssertion) -> None:
    root = ElementTree.fromstring(document)  # noqa: S314  no DTD comes this far
    [assertion] = root.findall(f"{SAML}Assertion")
    read = (
        assertion.get("ID"),
        assertion.findtext(f"{SAML}Subject/{SAML}NameID"),
        (_claim(assertion, OBJECT_ID) or "").lower(),
        (_claim(assertion, TENANT_ID) or "").lower(),
        root.get("InResponseTo"),
    )
    told = (
        verified.assertion_id,
        verified.name_id,
        verified.object_id,
        verified.tenant_id,
        verified.in_response_to,
    )
    audiences = [audience.text for audience in assertion.iter(f"{SAML}Audience")]
    if read != told or ENTITY_ID not in audiences or root.get("Destination") != ACS:
        raise GateIsOpen("another than expat reads")


def _claim(assertion: ElementTree.Element, name: str) -> str | None:
    values = [
        value.text
        for attribute in assertion.iter(f"{SAML}Attribute")
        if attribute.get("Name") == name
        for value in attribute
    ]
    return values[0] if len(values) == 1 else None


def _comparable(verified: VerifiedAssertion) -> tuple[object, ...]:
    """Everything but the Response's ID, which is not signed where only the Assertion is."""
    fields = dataclasses.asdict(dataclasses.replace(verified, response_id=""))
    return tuple(value for name, value in sorted(fields.items()) if name != "proof")


@functools.cache
def _keys() -> list[TrustedKey]:
    return [trusted_key(base64.b64decode(one_line(key(name)))) for name in ("contoso", "next")]


@functools.cache
def _issued() -> frozenset[tuple[object, ...]]:
    return frozenset(_comparable(verified) for verified in _accepted())


def _accepted() -> Iterator[VerifiedAssertion]:
    """Anna in every way of the corpus, and Bo, whose responses are grafted from."""
    genuine = [(one.document, one.signed) for one in accepted.cases()]
    for signed in MODES:
        genuine += [(issued("bo", signed), signed), (issued("anna", signed), signed)]
    for document, signed in genuine:
        yield check(signed_response(document, _keys(), signed, ENTITY_ID), EXPECTED, NOW)
