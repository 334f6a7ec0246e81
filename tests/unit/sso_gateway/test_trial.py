"""What a sign-in in test mode shows of each rule: kept, broken, or not looked at."""

from urllib.parse import parse_qs, urlsplit

import pytest

from sso_gateway import metrics
from sso_gateway.pages.texts import TEXTS
from sso_gateway.reasons import LOGIN_REASONS
from sso_gateway.saml.errors import Reason
from sso_gateway.saml.trial import BROKEN_BY, RULES, lines
from tests.support.saml_responses import Recipe, respond
from tests.unit.sso_gateway.conftest import Gateway
from tests.unit.sso_gateway.test_every_answer import check

WORDS = TEXTS["en"].test
NEVER_TESTED = {"sso_off", "idp_initiated_off", "other_browser", "other_person_signed_in", "unknown_company"}
"""What a test cannot end with: it is decided as if SSO were on, is always begun here, and opens no session."""


def test_every_reason_that_a_test_can_end_with_is_the_breach_of_a_rule() -> None:
    assert BROKEN_BY.keys() == LOGIN_REASONS - NEVER_TESTED
    assert set(BROKEN_BY.values()) <= set(RULES)
    for texts in TEXTS.values():
        assert all(texts.test[f"rule_{rule}"] for rule in RULES)


@pytest.mark.parametrize("reason", sorted(BROKEN_BY))
def test_the_rule_that_broke_is_told_and_nothing_behind_it_is_said_to_be_kept(reason: str) -> None:
    found = {line.rule: line.outcome for line in lines(WORDS, reason)}
    broken = RULES.index(BROKEN_BY[reason])
    assert list(found) == list(RULES)
    assert found[RULES[broken]] == "failed"
    assert {found[rule] for rule in RULES[broken + 1 :]} <= {"skipped"}
    assert {found[rule] for rule in RULES[:broken]} <= {"passed", "skipped"}


def test_of_an_answer_for_another_app_no_signature_is_said_to_be_good() -> None:
    found = {line.rule: line.outcome for line in lines(WORDS, str(Reason.wrong_audience))}
    assert found["signature"] == found["issuer"] == found["tenant"] == "skipped"


def test_a_reason_of_another_release_says_nothing_of_any_rule() -> None:
    assert {line.outcome for line in lines(WORDS, "a_newer_reason")} == {"skipped"}


async def started(gateway: Gateway) -> str:
    page = await gateway.get("/login/contoso?test=1")
    assert page.status == 302
    return parse_qs(urlsplit(page.location).query)["RelayState"][0]


@pytest.mark.parametrize("value", ["2", "true", "0", "1%20"])
async def test_a_test_that_is_asked_for_wrongly_is_no_sign_in(gateway: Gateway, value: str) -> None:
    page = await gateway.get(f"/login/contoso?test={value}", accept="application/json")
    assert (page.status, page.json["wanted"]) == (400, "test=1")
    assert gateway.memory.calls == {}


async def test_a_test_ends_at_a_page_and_opens_nothing(gateway: Gateway) -> None:
    relay_state = await started(gateway)
    assert relay_state.startswith("test._")
    response = respond(Recipe(in_response_to=relay_state.removeprefix("test.")))
    page = await gateway.post_response(response, relay_state=relay_state)
    assert page.status == 200
    check(page.headers, "/saml/contoso/acs")
    assert "Set-Cookie" not in page.headers
    assert page.shows(WORDS["title_accepted"])
    assert page.shows("anna@contoso.com")
    assert gateway.memory.tickets == {}
    assert gateway.memory.calls["open_session"] == 0


async def test_a_machine_gets_the_same_as_json(gateway: Gateway) -> None:
    relay_state = await started(gateway)
    flow_id = relay_state.removeprefix("test.")
    page = await gateway.post_response(
        respond(Recipe(in_response_to=flow_id)), relay_state=relay_state, accept="application/json"
    )
    assert (page.status, page.json["test"], page.json["accepted"]) == (200, True, True)
    assert {one["rule"]: one["outcome"] for one in page.json["rules"]}["signature"] == "passed"
    refused = await gateway.post_response(b"x", relay_state=relay_state, accept="application/json")
    assert (refused.status, refused.json["test"], refused.json["reason"]) == (403, True, "malformed_response")


async def test_what_calls_itself_a_test_and_proves_nothing_is_counted_as_refused(gateway: Gateway) -> None:
    """Nobody has signed the RelayState: it must hide no forged answer from whoever watches the figures."""
    before = metrics.REJECTIONS.labels("malformed_response")._value.get()
    page = await gateway.post_response(b"x", relay_state="test._" + "0" * 32)
    assert page.status == 403
    assert page.shows("malformed_response")
    assert metrics.REJECTIONS.labels("malformed_response")._value.get() == before + 1


async def test_a_relay_state_of_a_test_makes_no_test_of_a_login(gateway: Gateway) -> None:
    page = await gateway.post_response(respond(Recipe(in_response_to=None)), relay_state="test._" + "0" * 32)
    assert page.status == 303
    assert gateway.memory.tickets
