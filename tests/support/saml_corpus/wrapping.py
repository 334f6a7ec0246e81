"""Signature wrapping: the classic permutations and their younger relatives, made by moving real trees about.

Each puts a forged assertion where a careless reader looks and keeps the signed original where a careless verifier looks.
Source: Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be", USENIX Security 2012.
"""

import copy
from collections.abc import Callable, Iterator
from typing import get_args

from lxml import etree

from shared.schemas.login import SignedMode
from tests.entra.claims import Claim
from tests.support.saml_corpus.case import VICTIM, Case, genuine, respond
from tests.support.saml_responses import DS, OBJECT_ID, SAML, SAMLP


class Parts:
    """A signed response taken apart: the original, and a forged twin with another person's object id."""

    def __init__(self, signed: SignedMode) -> None:
        self.signed = signed
        self.root = etree.fromstring(respond(signed))
        self.assertion = _one(self.root, f"{SAML}Assertion")
        self.forged_root = copy.deepcopy(self.root)
        for value in self.forged_root.iter(f"{SAML}AttributeValue"):
            if value.text == OBJECT_ID:
                value.text = VICTIM
        self.forged_root.set("ID", "_evil-response")
        self.forged = _one(self.forged_root, f"{SAML}Assertion")
        self.forged.set("ID", "_evil")
        self.signature = _one(self.root, f".//{DS}Signature")

    def forged_signature(self) -> etree._Element:
        return _one(self.forged_root, f".//{DS}Signature")


Attack = Callable[[Parts], etree._Element | bytes]


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


def xsw9(parts: Parts) -> etree._Element:
    """The forged Assertion, signed by a stranger, whose Signature begins with the original's SignedInfo and SignatureValue."""
    forged = etree.fromstring(respond(parts.signed, signer="stranger", assertion_id="_evil", claims=_forged_claims()))
    signature = _one(forged, f".//{DS}Signature")
    for place, name in enumerate(("SignedInfo", "SignatureValue")):
        signature.insert(place, copy.deepcopy(_one(parts.signature, f"{DS}{name}")))
    etree.SubElement(forged, "Wrapper").append(parts.assertion)
    return forged


def xsw10(parts: Parts) -> bytes:
    """IDs written through entities, so that readers differ on which element is meant (GitHub's CVE-2025-23369)."""
    document = etree.tostring(xsw8(parts))
    genuine = (parts.assertion.get("ID") or "").encode()
    doctype = b'<!DOCTYPE r [<!ENTITY id "' + genuine + b'">]>'
    return doctype + document.replace(b'ID="_evil"', b'ID="&id;"', 1)


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


def original_in_status(parts: Parts) -> etree._Element:
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


def _one(parent: etree._Element, path: str) -> etree._Element:
    found = parent.find(path)
    assert found is not None
    return found


def _drop_signature(element: etree._Element) -> None:
    for signature in element.findall(f"{DS}Signature"):
        element.remove(signature)


def _without_signature(element: etree._Element) -> etree._Element:
    bare = copy.deepcopy(element)
    _drop_signature(bare)
    return bare


def _forged_claims() -> tuple[Claim, ...]:
    return tuple((name, (VICTIM,) if values == (OBJECT_ID,) else values) for name, values in genuine().claims)


MALFORMED = (
    (xsw1, "nothing more in Signature"),
    (xsw2, "Status in Response"),
    (xsw3, "Issuer in Response"),
    (xsw4, "nothing more in Assertion"),
    (xsw5, "nothing more in Response"),
    (xsw6, "nothing more in Signature"),
    (xsw7, "Status in Response"),
    (xsw8, "nothing more in Signature"),
    (xsw9, "nothing more in Signature"),
    (xsw10, "no DTD, comment or CDATA section"),
    (original_in_advice, "nothing more in Assertion"),
    (original_in_attribute_value, "text alone in AttributeValue"),
    (original_in_status, "nothing more in Status"),
    (forged_behind, "nothing more in Response"),
)


def cases() -> Iterator[Case]:
    for signed in get_args(SignedMode):
        for attack, wanted in MALFORMED:
            line = "XSW1 to XSW10" if attack.__name__.startswith("xsw") else "wrapping in a slot for anything"
            yield _case("malformed_response", attack, signed, line, wanted)
        yield _case("bad_signature", forged_with_the_original_s_id, signed, "XSW1 to XSW10")
    yield _case("not_signed", signature_of_the_assertion_moved_up, "assertion", "XSW1 to XSW10")
    yield _case("not_signed", signature_of_the_assertion_moved_up, "both", "XSW1 to XSW10")


def _case(reason: str, attack: Attack, signed: SignedMode, line: str, wanted: str = "") -> Case:
    made = attack(Parts(signed))
    document = made if isinstance(made, bytes) else etree.tostring(made, encoding="utf-8")
    assert VICTIM.encode() in document, "the attack must carry its forgery"
    return Case(
        reason=reason,
        name=f"{attack.__name__}_{signed}",
        attack=line,
        refused=document,
        accepted=respond(signed),
        signed=signed,
        wanted=wanted,
    )
