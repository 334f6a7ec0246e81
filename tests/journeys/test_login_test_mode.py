"""A sign-in in test mode shows the decision and opens no session: also while SSO is off, which is when somebody wants to try."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from directory.companies.ending import close
from directory.database import Actor, Database
from directory.metrics import LOGIN_DECISIONS
from shared.attempts import unproven_flow
from shared.clock import system_clock
from sso_gateway import metrics
from tests.entra.people import Person
from tests.support.browser import Browser, Page, browser_secrets_of
from tests.support.company import Company
from tests.support.login_traces import entries, facts, names, page, trace
from tests.support.stack import Stack


async def try_it(company: Company, browser: Browser, person: Person, accept: str = "text/html", **bent: Any) -> Page:
    started = await browser.get(f"{company.login_url}?test=1")
    assert started.status == 302, started.text
    request_id, relay_state = company.asked(started)
    response = company.recipe(person, in_response_to=request_id, **bent)
    return await company.post_response(browser, response, relay_state=relay_state, accept=accept)


async def rows(stack: Stack, company: Company) -> dict[str, object]:
    """What a login would have left behind."""
    owner = await asyncpg.connect(stack.owner_url)
    try:
        async with owner.transaction():
            await owner.execute("select registry.enter_by_name($1)", company.name)
            found = await owner.fetchrow(
                """
                select (select count(*) from sessions where company_id = current_company()) as sessions,
                    (select count(*) from login_tickets where company_id = current_company()) as tickets,
                    (select count(*) from login_flows where company_id = current_company()) as flows,
                    (select count(*) from seen_assertions where company_id = current_company()) as assertions,
                    (select count(*) from employees where company_id = current_company()
                        and entra_object_id is not null) as linked,
                    (select count(*) from certificates where company_id = current_company()
                        and last_signed_at is not null) as used
                """
            )
        assert found is not None
        return dict(found)
    finally:
        await owner.close()


NOTHING = {"sessions": 0, "tickets": 0, "flows": 0, "linked": 0, "used": 0}


@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
async def test_a_test_says_that_the_person_would_be_signed_in_and_leaves_nothing(
    company: Company, browser: Browser, stack: Stack, enabled: bool
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    if not enabled:
        await company.apply(sso__enabled=False)

    answer = await try_it(company, browser, anna)

    assert answer.status == 200
    assert answer.shows("Test: this person would be signed in")
    assert answer.shows("The Entra object id would be linked to the employee.")
    assert answer.shows("still switched off") is not enabled
    assert await rows(stack, company) == {**NOTHING, "assertions": 1}
    assert (await company.session(browser)).status == 401
    assert set(browser.cookies(stack.sso_url)) == set(browser_secrets_of(browser, stack.sso_url))
    [entry] = (await page(company)).entries
    assert (entry.is_test, entry.outcome, entry.employee_id) == (True, "accepted", company.scim_id(anna))
    found = await trace(company, entry.attempt_id or "")
    assert names(found) == ["started", "answered", "verified", "matched", "decided"]
    assert facts(found, "matched")["linked"] == "not"
    assert found.explanation is None


async def test_every_rule_is_told_to_a_machine(company: Company, browser: Browser) -> None:
    anna = company.hire("anna")
    await company.cycle()
    told = (await try_it(company, browser, anna, accept="application/json")).json
    assert (told["test"], told["accepted"], told["employee_id"]) == (True, True, company.scim_id(anna))
    outcomes = {one["rule"]: one["outcome"] for one in told["rules"]}
    assert set(outcomes.values()) <= {"passed", "warned"}
    assert {"signature", "audience", "times", "once", "who", "group"} <= outcomes.keys()


async def test_a_name_id_that_is_not_the_e_mail_is_told_with_the_claim_to_change(
    company: Company, browser: Browser
) -> None:
    """S89: the exact claim to change is named before anybody is refused for it."""
    anna = company.hire("anna")
    await company.provision(anna)
    answer = await try_it(company, browser, anna, name_id="a.holm@elsewhere.example")
    assert answer.shows("Unique User Identifier (Name ID), Source attribute user.mail")
    assert answer.shows("would be signed in")


@pytest.mark.parametrize(
    ("reason", "rule"),
    [
        ("wrong_audience", "audience"),
        ("bad_signature", "signature"),
        ("no_such_employee", "who"),
        ("suspended", "state"),
        ("not_in_company_group", "group"),
    ],
)
async def test_a_test_says_which_rule_would_refuse_and_who_can_mend_it(
    company: Company, browser: Browser, stack: Stack, reason: str, rule: str
) -> None:
    anna = company.hire("anna")
    bent: dict[str, Any] = {}
    match reason:
        case "wrong_audience":
            bent = {"audience": "https://www.bitabiz.com/other"}
        case "bad_signature":
            bent = {"edit_response": lambda text: text.replace("@", "x@")}
        case "suspended":
            await company.suspend(await company.provision(anna))
        case "not_in_company_group":
            await company.provision(anna)
            await company.apply(sso__group_check="required")
    answer = await try_it(company, browser, anna, **bent)
    assert answer.status == (403 if reason in ("wrong_audience", "bad_signature") else 200)
    assert f'data-rule="{rule}" data-outcome="failed"' in answer.text
    assert answer.shows(reason)
    left = await rows(stack, company)
    assert (left["sessions"], left["tickets"]) == (0, 0)
    [entry] = [one for one in await entries(company) if one.outcome == reason]
    assert entry.is_test
    # The same words as on the page of a real refusal.
    found = await trace(company, entry.attempt_id or "")
    assert found.explanation is not None
    assert answer.shows(found.explanation.said["en"].remedy)


async def test_a_test_tells_nothing_about_another_person(company: Company, browser: Browser) -> None:
    """Where two are meant, neither is shown; nor who is linked to somebody else in Entra."""
    mallory, victim = company.hire("mallory"), company.hire("victim")
    employee_id = await company.provision(victim)
    for name, mail in (("first@x.example", mallory.mail), ("second@x.example", "mail-of-second@x.example")):
        person = {
            "userName": name,
            "name": {"givenName": "Vic", "familyName": "Secret"},
            "emails": [{"type": "work", "value": mail}],
        }
        await company.scim.post("/Users", {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], **person})

    two = await try_it(company, browser, mallory, name_id="second@x.example")
    assert two.shows("matches_username_not_email")
    assert "mail-of-second" not in two.text
    assert "first@x.example" not in two.text

    linked = await try_it(company, browser, company.hire("eve"), name_id=victim.user_principal_name)
    assert linked.shows("no_such_employee")
    for answer in (two, linked):
        assert "Secret" not in answer.text
        assert employee_id not in answer.text


async def test_the_answer_to_a_test_is_good_once_and_never_for_a_session(
    company: Company, browser: Browser, stack: Stack
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    started = await browser.get(f"{company.login_url}?test=1")
    request_id, relay_state = company.asked(started)
    assert unproven_flow(relay_state) == (request_id, True)
    response = company.recipe(anna, in_response_to=request_id)
    for state in (relay_state, relay_state, request_id, ""):
        answer = await company.post_response(browser, response, relay_state=state)
        assert answer.status in (200, 403)
        assert "__Host-ticket" not in answer.headers.get("Set-Cookie", "")
    assert (await rows(stack, company))["sessions"] == 0


async def test_a_company_that_is_not_set_up_or_is_closed_cannot_be_tried(
    company: Company, neighbour: Company, browser: Browser, stack: Stack
) -> None:
    await company.apply(sso={"enabled": False})
    async with (
        Database(stack.owner_url, clock=system_clock, min_size=1, max_size=1) as database,
        database.scope_for_name(neighbour.name).transaction(Actor("operator", "test")) as tx,
    ):
        await close(tx, timedelta(days=30))
    for one in (company, neighbour):
        answer = await browser.get(f"{one.login_url}?test=1")
        assert (answer.status, answer.shows("sso_off")) == (403, True)


async def test_a_test_is_in_no_figure_of_logins(company: Company, browser: Browser) -> None:
    anna = company.hire("anna")
    await company.cycle()
    counted = (metrics.LOGINS, metrics.REJECTIONS, metrics.AUTHN_REQUESTS, LOGIN_DECISIONS)

    def figures() -> list[tuple[object, ...]]:
        families = [*counted, metrics.TESTS]
        return [
            (sample.name, tuple(sample.labels.items()), sample.value)
            for one in families
            for family in one.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        ]

    before = figures()
    await try_it(company, browser, anna)
    await try_it(company, browser, company.hire("stranger"))
    changed = {name: labels for name, labels, value in figures() if (name, labels, value) not in before}
    assert changed.keys() == {"sso_login_tests_total"}
