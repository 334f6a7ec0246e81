"""Signature wrapping: the eight classic permutations and their younger relatives, made by moving real trees about.

Each puts a forged assertion where a careless reader looks and keeps the signed original where a careless verifier looks.
Source: Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be", USENIX Security 2012.
"""

import copy
from collections.abc import Callable

import pytest
from lxml import etree

from shared.schemas.login import SignedMode
from sso_gateway.saml.errors import SamlRefusal
from tests.support.saml_responses import DS, OBJECT_ID, SAML, SAMLP, Recipe, respond
from tests.unit.sso_gateway.saml_support import sign_in

VICTIM = "00000000-dead-4eef-8000-000000000000"


class Parts:
    """A signed response taken apart: the original, and a forged twin with another person's object id."""

    def __init__(self, signed: SignedMode) -> None:
        self.root = etree.fromstring(respond(Recipe(signed=signed)))
        self.assertion = self._one(self.root, f"{SAML}Assertion")
        self.forged_root = copy.deepcopy(self.root)
        for value in self.forged_root.iter(f"{SAML}AttributeValue"):
            if value.text == OBJECT_ID:
                value.text = VICTIM
        self.forged_root.set("ID", "_evil-response")
        self.forged = self._one(self.forged_root, f"{SAML}Assertion")
        self.forged.set("ID", "_evil")
        self.signature = self._one(self.root, f".//{DS}Signature")

    @staticmethod
    def _one(parent: etree._Element, path: str) -> etree._Element:
        found = parent.find(path)
        assert found is not None
        return found

    def forged_signature(self) -> etree._Element:
        return self._one(self.forged_root, f".//{DS}Signature")


def xsw1(parts: Parts) -> etree._Element:
    """Forged Response around; its signature holds the original Response."""
    signature = parts.forged_signature()
    signature.append(_without_signature(parts.root))
    return parts.forged_root


def xsw2(parts: Parts) -> etree._Element:
    """Forged Response with the signature, the original Response detached before it."""
    parts.forged_root.insert(1, _without_signature(parts.root))
    return parts.forged_root


def xsw3(parts: Parts) -> etree._Element:
    """Forged Assertion as first child, before the original."""
    _drop_signature(parts.forged)
    parts.root.insert(0, parts.forged)
    return parts.root


def xsw4(parts: Parts) -> etree._Element:
    """The original Assertion inside of the forged one."""
    _drop_signature(parts.forged)
    parts.root.replace(parts.assertion, parts.forged)
    parts.forged.append(parts.assertion)
    return parts.root


def xsw5(parts: Parts) -> etree._Element:
    """The forged Assertion keeps the signature; the original stands behind, without."""
    parts.root.replace(parts.assertion, parts.forged)
    parts.root.append(_without_signature(parts.assertion))
    return parts.root


def xsw6(parts: Parts) -> etree._Element:
    """The forged Assertion's signature holds the original."""
    parts.root.replace(parts.assertion, parts.forged)
    signature = parts.root.find(f".//{DS}Signature")
    assert signature is not None
    signature.append(_without_signature(parts.assertion))
    return parts.root


def xsw7(parts: Parts) -> etree._Element:
    """Extensions hold a forged Assertion of the same ID."""
    extensions = etree.Element(f"{SAMLP}Extensions")
    _drop_signature(parts.forged)
    extensions.append(parts.forged)
    parts.root.insert(1, extensions)
    return parts.root


def xsw8(parts: Parts) -> etree._Element:
    """The forged Assertion's signature has an Object that holds the original."""
    parts.root.replace(parts.assertion, parts.forged)
    signature = parts.root.find(f".//{DS}Signature")
    assert signature is not None
    etree.SubElement(signature, f"{DS}Object").append(_without_signature(parts.assertion))
    return parts.root


def original_in_advice(parts: Parts) -> etree._Element:
    """pysaml2 CVE-2021-21238's neighbour: the signed original in a slot for anything."""
    _drop_signature(parts.forged)
    parts.root.replace(parts.assertion, parts.forged)
    etree.SubElement(parts.forged, f"{SAML}Advice").append(parts.assertion)
    return parts.root


def original_in_attribute_value(parts: Parts) -> etree._Element:
    _drop_signature(parts.forged)
    parts.root.replace(parts.assertion, parts.forged)
    value = parts.forged.find(f".//{SAML}AttributeValue")
    assert value is not None
    value.append(parts.assertion)
    return parts.root


def forged_behind(parts: Parts) -> etree._Element:
    """Two assertions, the unsigned one last."""
    _drop_signature(parts.forged)
    parts.root.append(parts.forged)
    return parts.root


def forged_with_the_original_s_id(parts: Parts) -> etree._Element:
    parts.forged.set("ID", parts.assertion.get("ID") or "")
    parts.root.replace(parts.assertion, parts.forged)
    return parts.root


def original_status_swapped(parts: Parts) -> etree._Element:
    """The original hides in Status."""
    parts.root.replace(parts.assertion, parts.forged)
    status = parts.root.find(f"{SAMLP}Status")
    assert status is not None
    etree.SubElement(status, f"{SAMLP}StatusDetail").append(parts.assertion)
    return parts.root


def signature_of_the_assertion_moved_up(parts: Parts) -> etree._Element:
    """The verified signature stands under Response, the read assertion has none."""
    signature = parts.signature
    parts.root.insert(1, signature)
    parts.root.replace(parts.assertion, parts.forged)
    _drop_signature(parts.forged)
    return parts.root


def _drop_signature(element: etree._Element) -> None:
    for signature in element.findall(f"{DS}Signature"):
        element.remove(signature)


def _without_signature(element: etree._Element) -> etree._Element:
    bare = copy.deepcopy(element)
    _drop_signature(bare)
    return bare


ATTACKS = [
    xsw1,
    xsw2,
    xsw3,
    xsw4,
    xsw5,
    xsw6,
    xsw7,
    xsw8,
    original_in_advice,
    original_in_attribute_value,
    forged_behind,
    forged_with_the_original_s_id,
    original_status_swapped,
    signature_of_the_assertion_moved_up,
]


@pytest.mark.parametrize("signed", ["assertion", "response", "both"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_wrapped_signature_signs_nobody_in(attack: Callable[[Parts], etree._Element], signed: SignedMode) -> None:
    document = etree.tostring(attack(Parts(signed)))
    assert VICTIM.encode() in document, "the attack must carry its forgery"
    with pytest.raises(SamlRefusal):
        sign_in(document, signed)


@pytest.mark.parametrize("signed", ["assertion", "response", "both"])
def test_taking_apart_and_putting_together_changes_nothing(signed: SignedMode) -> None:
    """The control of the test above: without the attack, the same tree signs in."""
    assert sign_in(etree.tostring(Parts(signed).root), signed).object_id == OBJECT_ID
