"""Responses in files: a new folder in tests/data/saml is a new test.

The corpus is made by `python -m tests.support.saml_corpus` from the simulator, with keys that nothing else trusts. All is read at
`NOW` by the company of tests/support/saml_responses.py, unless `case.toml` says otherwise.
"""

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_gateway.saml.errors import MAX_SHOWN, Reason, SamlRefusal, shown
from tests.support.saml_corpus.__main__ import files
from tests.support.saml_responses import OBJECT_ID
from tests.unit.sso_gateway.saml_files import ACCEPTED, FOLDER, REFUSED, SamlFile, private_words

DOCS = Path(__file__).parents[3] / "docs" / "login.md"


def refusal(file: SamlFile) -> SamlRefusal:
    with pytest.raises(SamlRefusal) as caught:
        file.sign_in()
    return caught.value


@pytest.mark.parametrize("file", ACCEPTED, ids=lambda file: file.name)
def test_a_response_without_a_defect_signs_its_person_in(file: SamlFile) -> None:
    assert file.sign_in().object_id == OBJECT_ID


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.name)
def test_a_response_with_one_defect_is_refused_for_exactly_that(file: SamlFile) -> None:
    refused = refusal(file)
    assert refused.reason == file.path.parent.parent.name
    assert refused.wanted.startswith(file.about.get("wanted", ""))


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.name)
def test_a_refusal_says_what_was_wanted_and_got_and_nothing_of_the_document(file: SamlFile) -> None:
    refused = refusal(file)
    for told in (refused.wanted, refused.got):
        assert told
        assert told.isprintable()
        assert not re.search("[<>]", told)
    assert len(refused.got) <= MAX_SHOWN
    leaked = {word for word in private_words(file.document) if word in f"{refused.wanted} {refused.got}"}
    assert leaked == set()


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.name)
def test_each_refused_response_has_a_twin_that_differs(file: SamlFile) -> None:
    assert file.path.with_name("accepted.xml").read_bytes() != file.document


def test_what_may_not_be_told_is_found_where_it_is() -> None:
    """The control of the leak test: it knows the name, the object id and the signature."""
    [genuine] = [file for file in ACCEPTED if file.name == "accepted/signed_assertion/accepted"]
    words = private_words(genuine.document)
    assert {"anna@contoso.com", "Anna Ærø", OBJECT_ID} <= words
    assert any(len(word) == 344 for word in words)


def test_each_reason_that_a_document_can_give_has_its_folder() -> None:
    cases = Counter(file.path.parent.parent.name for file in REFUSED)
    assert cases.keys() == {str(reason) for reason in Reason}
    assert min(cases.values()) >= 3, cases


def test_the_files_are_what_the_script_makes() -> None:
    made = {FOLDER / path: content for path, content in files()}
    stored = {path: path.read_bytes() for path in made if path.exists()}
    changed = [str(path) for path, content in made.items() if stored.get(path) != content]
    assert changed == [], "python -m tests.support.saml_corpus"


CLASSES = {
    "XSW1 to XSW8": "XSW1 to XSW10",
    "wrapping in Extensions, Advice, Object, AttributeValue": "wrapping in a slot for anything",
    "duplicate children": "duplicate children",
    "reordered children": "reordered children",
    "two parsers": "two parsers, encodings",
    "namespace confusion, attribute pollution": "namespace confusion and IDs",
    "void canonicalization": "void canonicalization",
    "signature exclusion": "signature left out, or one of two",
    "multiple assertions": "several assertions",
    "comment, PI, CDATA in values": "comment, PI or CDATA in a value",
    "DigestValue and SignedInfo": "DigestValue and SignedInfo tricks",
    "transforms": "transforms",
    "references": "Reference games",
    "trust in KeyInfo": "certificate or key in KeyInfo",
    "algorithm confusion": "algorithm confusion",
    "XXE, DTD, entities": "XXE, DTD and entities",
    "padding and decryption oracles": "encryption oracles",
    "replay": "replay",
    "login CSRF, session fixation": "login CSRF, session fixation",
    "IdP-initiated": "a response nobody asked for",
    "InResponseTo": "made-up or stale InResponseTo",
    "RelayState": "open redirect by return_to, RelayState or the Host header",
    "reuse across tenants": "another company's assertion, same tenant and issuer",
    "issuer mix-up": "issuer mix-up",
    "time": "missing or endless validity",
    "conditions ignored (CVE-2026-41577)": "missing conditions",
    "confirmation method": "another confirmation method or version",
    "deflate bomb, oversize": "deflate bomb, oversize, nesting",
    "NameID confusion": "NameID confusion",
    "claims that look alike": "look-alike or doubled claims",
    "nOAuth": "e-mail or name claim set to a victim's (nOAuth)",
    "SameSite": "cookies that do not come with a cross-site POST",
    "logout CSRF": "logout by another site",
    "forced logout": (
        "logout by a request that is unsigned, forged, stale, another company's, encoded again, reordered, doubled, of SHA-1"
    ),
    "logout replayed": "logout told again, later or many times",
    "LogoutResponse": "LogoutResponse that leads elsewhere, or says what nobody proved",
    "metadata SSRF, poisoning": "metadata from an attacker's address",
    "XSS in error paths": "script in StatusMessage, RelayState, audience",
    "oracle for an onlooker": "the document told to an onlooker",
    "golden SAML, stolen key": "a stolen key of the identity provider",
    "what nobody has thought of": "anything else done to a signed document",
}
"""Known classes of attacks on service providers, and the line that answers each. By hand: neither goes without the other."""


def attacks() -> list[list[str]]:
    """The table's rows: the attack as `case.toml` names it, the rule, and what shows it."""
    table = DOCS.read_text(encoding="utf-8").partition("## Attacks and the rule that stops each")[2]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] not in {"attack", "---"}]


def test_the_table_of_attacks_says_which_lines_have_cases_and_each_case_belongs_to_one() -> None:
    assert {attack for attack, _, shown_by in attacks() if "corpus" in shown_by.split(", ")} == {
        file.about["attack"] for file in REFUSED if "attack" in file.about
    }


def test_the_table_answers_every_class_of_attacks_and_each_line_one() -> None:
    assert [attack for attack, _, _ in attacks()] == list(dict.fromkeys(attack for attack, _, _ in attacks()))
    assert {attack for attack, _, _ in attacks()} == set(CLASSES.values())


def test_every_attack_is_shown_by_tests_that_there_are() -> None:
    tests = {path.name for path in Path(__file__).parents[2].rglob("test_*.py")}
    for attack, rule, shown_by in attacks():
        assert rule, attack
        for one in shown_by.split(", "):
            assert one in {"corpus", "`make fuzz`"} or one.strip("`") in tests, (attack, one)


@given(st.text(max_size=400) | st.text(alphabet="<>&\u202e\u2028\x00\x1b\n\r\t\ud800\U000e0001e\u0301", max_size=400))
def test_whatever_a_document_says_is_told_in_one_short_line(value: str) -> None:
    """No control character, no line break, nothing that turns the direction of what follows."""
    refused = SamlRefusal(Reason.wrong_audience, "https://www.bitabiz.com/contoso", value)
    assert 1 <= len(refused.got) <= MAX_SHOWN
    assert refused.got.isprintable()
    assert refused.got.encode()
    assert shown(refused.got) == refused.got
