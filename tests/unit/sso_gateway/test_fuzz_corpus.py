"""What the fuzzer kept (tests/fuzz/corpus), given to the gate again without it; and the fuzzer's own judgement, judged."""

from pathlib import Path

import pytest

from shared.schemas.login import SignedMode
from sso_gateway.saml import signature
from tests.fuzz import gate
from tests.fuzz.gate import GateIsOpen, packed, try_one
from tests.support.saml_corpus.case import VICTIM, respond
from tests.support.saml_responses import OBJECT_ID
from tests.unit.sso_gateway.tree_edits import issued

KEPT = sorted(Path(__file__).parents[2].glob("fuzz/corpus/*"))


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.name[:12])
def test_what_the_fuzzer_kept_is_refused_or_signs_in_whom_it_was_issued_for(file: Path) -> None:
    try_one(file.read_bytes())


def test_the_fuzzer_s_corpus_is_there_and_reaches_both_verdicts() -> None:
    verdicts = {try_one(file.read_bytes()) for file in KEPT}
    assert verdicts == {True, False}
    assert 50 <= len(KEPT) <= 500


@pytest.mark.parametrize("required", gate.MODES)
def test_a_genuine_response_and_one_that_we_sign_ourselves_sign_in(required: SignedMode) -> None:
    genuine = respond(required)
    assert try_one(packed(genuine, required, sign=False))
    assert try_one(packed(genuine, required, sign=True))
    assert try_one(packed(genuine.replace(OBJECT_ID.encode(), VICTIM.encode()), required, sign=True))


def test_an_open_gate_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    forged = packed(issued("forged", "assertion"), "assertion", sign=False)
    assert not try_one(forged)
    monkeypatch.setattr(signature, "verifies", lambda *_: True)
    with pytest.raises(GateIsOpen):
        try_one(forged)


def test_a_person_whom_expat_reads_otherwise_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "OBJECT_ID", "http://schemas.microsoft.com/identity/claims/displayname")
    with pytest.raises(GateIsOpen):
        try_one(packed(respond(), "assertion", sign=True))
