"""What is said in more than one service: the same in both languages, and something for everything that can be said."""

import re

from directory.traces.telling import explanation, told
from shared.clock import system_clock
from shared.schemas.traces import Step
from shared.words import WORDS
from sso_gateway.reasons import LOGIN_REASONS

FACTS = {
    "away_s": "64", "certificate": "f" * 64, "signed": "assertion", "reason": "expired", "wanted": "a", "got": "b",
    "claim": "NameID", "employee": "emp_1", "client": "web", "title": "t",
}  # fmt: skip
STEPS = [
    *(("started", {"by": "us", "from": place}) for place in ("page", "app", "tile")),
    ("started", {"by": "microsoft"}), ("answered", {}), ("answered", FACTS), ("verified", FACTS), ("refused", FACTS),
    *(("matched", {**FACTS, "by": by}) for by in ("object_id", "login_name", "email", "name", "nobody", "several")),
    ("matched", {**FACTS, "by": "email", "linked": "now"}), ("decided", {"outcome": "accepted"}),
    ("session", {"outcome": "opened"}),
    *((step, {"outcome": reason}) for step in ("decided", "session") for reason in sorted(LOGIN_REASONS)), ("redeemed", FACTS),
]  # fmt: skip


def test_both_languages_say_the_same_things() -> None:
    danish, english = WORDS["da"], WORDS["en"]
    assert danish.refusals.keys() == english.refusals.keys() == LOGIN_REASONS
    assert danish.explanations.keys() == english.explanations.keys()
    assert danish.steps.keys() == english.steps.keys()
    for name, template in english.steps.items():
        facts = re.compile(r"\{(\w+)\}")
        assert sorted(facts.findall(template)) == sorted(facts.findall(danish.steps[name])), name


def test_every_step_is_a_sentence_in_both_languages() -> None:
    at = system_clock()
    for name, facts in STEPS:
        [step] = told([Step(step=name, at=at, facts=facts)])  # type: ignore[arg-type]
        assert step.said["da"] != step.said["en"]
        for said in step.said.values():
            assert said.endswith("."), (name, facts, said)
            assert not re.search(r"[{}]|–", said) or name == "verified", (name, facts, said)


def test_every_code_has_a_title_what_happened_and_who_can_mend_it() -> None:
    codes = {*LOGIN_REASONS, *WORDS["en"].explanations}
    for code in codes:
        for said in explanation(code).said.values():
            assert all((said.title, said.what, said.remedy)), code
            assert said.title != code
    assert {"never_sent", "not_lately", "never_answered", "under_way", "no_session"} <= codes


def test_a_code_of_another_release_is_said_as_it_stands() -> None:
    assert explanation("something_new").said["da"].title == "something_new"
