"""The property everything rests on: a response to which anything was done is refused, or signs in whom it was issued for.

Exactly: the whole of what was verified is compared, groups, e-mail, session index and end of validity too. Each run searches a
little, always the same; `SAML_EXAMPLES=50000 .venv/bin/pytest tests/unit/sso_gateway/test_tree_edits.py` searches for longer.
"""

import contextlib
import dataclasses
import os
import ssl
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from lxml import etree

from shared.schemas.login import SignedMode
from sso_gateway.saml import signature
from sso_gateway.saml.errors import SamlRefusal
from sso_gateway.saml.keys import trusted_key
from sso_gateway.saml.profile import VerifiedAssertion
from sso_gateway.saml.xml import parse_canonical
from tests.support.saml_corpus.case import ASSERTION_ID, GROUP, VICTIM, key
from tests.support.saml_responses import DS, FLOW, OBJECT_ID, SAML, TENANT
from tests.unit.sso_gateway.saml_support import sign_in
from tests.unit.sso_gateway.tree_edits import BO, BO_ASSERTION, EDITS, SIGNED, Edit, Whose, edited, issued

EXAMPLES = int(os.environ.get("SAML_EXAMPLES", "1000"))
SEARCH = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="SAML_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
KEYS = [trusted_key(ssl.PEM_cert_to_DER_cert(key().pem))]
MODES: tuple[SignedMode, ...] = ("assertion", "response", "both")
REQUIRED: dict[SignedMode, tuple[SignedMode, ...]] = {
    "assertion": ("assertion",),
    "response": ("response",),
    "both": MODES,
}
"""What a company may require and a response signed so does fulfil."""


def verdict(document: bytes, required: SignedMode) -> VerifiedAssertion | None:
    try:
        return sign_in(document, required, keys=KEYS)
    except SamlRefusal:
        return None


def whole(verified: VerifiedAssertion, *, response_signed: bool) -> VerifiedAssertion:
    """Without the one thing that is not signed where only the Assertion is, and which identifies nobody: the Response's ID."""
    return verified if response_signed else dataclasses.replace(verified, response_id="")


def issued_for(assertion_id: str, signed: SignedMode, required: SignedMode) -> VerifiedAssertion:
    whose: dict[str, Whose] = {ASSERTION_ID: "anna", BO_ASSERTION: "bo"}
    assert assertion_id in whose, "an assertion that nobody issued"
    verified = verdict(issued(whose[assertion_id], signed), required)
    assert verified is not None
    return verified


def signs_in_another(document: bytes, signed: SignedMode, required: SignedMode) -> bool:
    verified = verdict(document, required)
    if verified is None:
        return False
    if verified.assertion_id not in (ASSERTION_ID, BO_ASSERTION):
        return True
    response_signed = required != "assertion"
    expected = issued_for(verified.assertion_id, "both" if required == "both" else required, required)
    return whole(verified, response_signed=response_signed) != whole(expected, response_signed=response_signed)


@pytest.mark.parametrize("signed", MODES)
def test_what_is_issued_is_for_whom_it_says(signed: SignedMode) -> None:
    """The control of all below: Anna is Anna, Bo is Bo, and neither the forged response nor another company's signs in."""
    for required in REQUIRED[signed]:
        anna, bo = issued_for(ASSERTION_ID, signed, required), issued_for(BO_ASSERTION, signed, required)
        assert (anna.object_id, anna.name_id, anna.email) == (OBJECT_ID, "anna@contoso.com", "anna@contoso.com")
        assert (anna.tenant_id, anna.groups, anna.in_response_to) == (TENANT, (GROUP,), FLOW)
        assert (bo.object_id, bo.name_id, bo.email) == (BO, "bo@contoso.com", "bo@contoso.com")
        assert bo.groups is not None
        assert len(bo.groups) == 2
        assert verdict(issued("forged", signed), required) is None
        assert verdict(issued("fabrikam", signed), required) is None


@SEARCH
@given(signed=SIGNED, required=st.sampled_from(MODES), edits=EDITS)
def test_an_edited_response_is_refused_or_signs_in_whom_it_was_issued_for(
    signed: SignedMode, required: SignedMode, edits: list[Edit]
) -> None:
    required = required if required in REQUIRED[signed] else signed
    assert not signs_in_another(edited(issued("anna", signed), edits), signed, required)


@SEARCH
@given(
    signed=SIGNED,
    position=st.integers(0, 10_000),
    replaced=st.integers(0, 3),
    piece=st.one_of(
        st.binary(max_size=4),
        st.sampled_from(
            [b"<", b">", b"&", b"&#x41;", b'"', b"<!--", b"<?", b" ", b"\n", b"xmlns=''", b"/>", b"</NameID>"]
        ),
    ),
)
def test_a_response_with_changed_bytes_is_refused_or_signs_in_whom_it_was_issued_for(
    signed: SignedMode, position: int, replaced: int, piece: bytes
) -> None:
    genuine = issued("anna", signed)
    at = position % len(genuine)
    assert not signs_in_another(genuine[:at] + piece + genuine[at + replaced :], signed, signed)


# The search can fail: it finds a way past each verifier that is careless in one thing.


class AnyDigest(bytes):
    """Unequal to nothing."""

    __hash__ = bytes.__hash__

    def __ne__(self, other: object) -> bool:
        return False

    def digest(self) -> "AnyDigest":
        return self


def _found(breaks: Callable[[list[Edit]], bool]) -> list[Edit]:
    """Edits that break it; raises NoSuchExample when the search finds none. Not shortened, which would take a while."""
    return find(
        EDITS,
        breaks,
        settings=settings(SEARCH, max_examples=20_000, derandomize=True, database=None, phases=[Phase.generate]),
    )


def test_the_search_finds_that_the_digest_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "DIGESTS", dict.fromkeys(signature.DIGESTS, AnyDigest))
    found = _found(lambda edits: signs_in_another(edited(issued("anna", "assertion"), edits), "assertion", "assertion"))
    assert found


def test_the_search_finds_that_any_key_may_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "verifies", lambda *_: True)
    found = _found(lambda edits: signs_in_another(edited(issued("anna", "assertion"), edits), "assertion", "assertion"))
    assert found


def reads_elsewhere(document: bytes) -> str | None:
    """A service provider to whom any signature that holds is enough, and who reads the first Assertion: whom does it sign in?"""
    try:
        root = parse_canonical(document)
    except SamlRefusal:
        return None
    claim = "string((//s:Assertion)[1]//s:Attribute[contains(@Name, 'objectid')])"
    value = str(root.xpath(claim, namespaces={"s": SAML[1:-1]}))
    return value if any(_holds(root, found) for found in root.findall(f".//{DS}Signature")) else None


def _holds(root: etree._Element, found: etree._Element) -> bool:
    reference = found.find(f"{DS}SignedInfo/{DS}Reference")
    uri = None if reference is None else reference.get("URI")
    for element in root.iter():
        if uri == f"#{element.get('ID')}":
            with contextlib.suppress(SamlRefusal, ValueError, IndexError):
                return bool(signature.proven_octets(element, found, KEYS))
    return False


def test_the_search_finds_that_one_element_is_verified_and_another_read() -> None:
    assert reads_elsewhere(issued("anna", "assertion")) == OBJECT_ID

    def past(edits: list[Edit]) -> bool:
        document = edited(issued("anna", "assertion"), edits)
        return VICTIM.encode() in document and reads_elsewhere(document) == VICTIM

    found = _found(past)
    assert found
