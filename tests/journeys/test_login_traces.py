"""Every attempt to sign in, good or refused, can be told afterwards as a timeline, by an id that can be read over a telephone."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest

from directory.traces.operations import whole
from shared.attempts import attempt_from_text, attempt_of_flow
from shared.errors import DomainError, ErrorCode
from shared.schemas.traces import GetLogin, ListLogins
from tests.entra.saml import ResponseRecipe
from tests.support.apps import mobile, portal, signed_in
from tests.support.browser import Browser, Page
from tests.support.company import Company
from tests.support.login_traces import entries, facts, names, page, trace
from tests.support.setup_admin import SetupAdmin
from tests.support.stack import Stack

WHOLE = ["started", "answered", "verified", "matched", "decided", "session"]


def spoken(answer: Page) -> str:
    """What a person would read from the refusal page."""
    found = re.search('data-field="attempt_id">([^<]+)<', answer.text)
    assert found, answer.text
    return found[1]


async def test_a_good_login_is_a_timeline_from_our_page_to_the_session(company: Company, browser: Browser) -> None:
    anna = company.hire("anna")
    employee_id = await company.provision(anna)
    await company.sign_in(browser, anna)

    [entry] = (await page(company)).entries
    assert (entry.outcome, entry.started_by, entry.is_test) == ("accepted", "us", False)
    assert entry.employee_id == employee_id
    found = await trace(company, entry.attempt_id or "")
    assert names(found) == WHOLE
    assert facts(found, "started") == {"by": "us", "from": "page"}
    assert facts(found, "answered") == {"away_s": "0"}
    assert facts(found, "verified")["signed"] == "assertion"
    assert facts(found, "verified")["name_id_format"] == "emailAddress"
    assert facts(found, "matched") == {"by": "object_id", "linked": "before", "employee": employee_id}
    assert facts(found, "session") == {"outcome": "opened"}
    assert [one.at for one in found.steps] == sorted(one.at for one in found.steps)
    assert found.explanation is None
    assert found.steps[0].said["en"].startswith("Started at our page")
    assert found.steps[0].said["da"].startswith("Begyndt på vores side")


async def test_a_login_from_the_tile_begins_at_microsoft(company: Company, browser: Browser) -> None:
    anna = company.hire("anna")
    await company.cycle()
    await browser.follow(await company.post_response(browser, company.recipe(anna)))
    [entry] = (await page(company)).entries
    assert entry.started_by == "microsoft"
    found = await trace(company, entry.attempt_id or "")
    assert names(found) == WHOLE
    assert facts(found, "started") == {"by": "microsoft"}


async def test_a_bounced_tile_is_a_login_of_ours_that_knows_where_it_came_from(
    company: Company, browser: Browser
) -> None:
    await company.apply(sso__idp_initiated="bounce")
    anna = company.hire("anna")
    await company.cycle()
    bounced = await company.post_response(browser, company.recipe(anna))
    started = await browser.get(bounced.location)
    assert started.status == 302
    flow_id = started.location.rpartition("RelayState=")[2].partition("&")[0]
    assert flow_id.startswith("_")
    found = await trace(company, attempt_of_flow(flow_id))
    assert facts(found, "started") == {"by": "us", "from": "tile"}


async def test_an_app_that_wants_somebody_signed_in_is_named_as_the_beginning(
    company: Company, browser: Browser
) -> None:
    _, flow_id = await company.start_login(browser, return_to="/oauth2/authorize%3Fclient_id=web")
    assert facts(await trace(company, attempt_of_flow(flow_id)), "started") == {"by": "us", "from": "app"}


async def test_the_first_login_tells_that_it_linked_the_object_id_and_by_which_claim(
    company: Company, browser: Browser
) -> None:
    anna = company.hire("anna")
    await company.scim.post("/Users", {**_body(anna.user_principal_name)})
    await company.sign_in(browser, anna)
    [entry] = (await page(company)).entries
    found = facts(await trace(company, entry.attempt_id or ""), "matched")
    assert (found["by"], found["linked"], found["claim"]) == ("email", "now", "NameID")


def _body(name: str) -> dict[str, object]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "name": {"givenName": "Anna", "familyName": "Holm"},
        "emails": [{"type": "work", "value": name}],
    }


# Refused


GATE: dict[str, dict[str, Any]] = {
    "malformed_response": {"drop": frozenset({"Subject"})},
    "not_signed": {"sign_assertion": False},
    "bad_signature": {"edit_response": lambda text: text.replace("@", "x@")},
    "weak_algorithm": {"algorithm": "sha1"},
    "wrong_audience": {"audience": "https://www.bitabiz.com/other"},
    "wrong_recipient": {"recipient": "https://elsewhere.example/acs"},
    "wrong_destination": {"destination": "https://elsewhere.example/acs"},
    "wrong_issuer": {"issuer": "https://sts.windows.net/other/"},
    "idp_refused": {"status": "urn:oasis:names:tc:SAML:2.0:status:Responder", "drop": frozenset({"Assertion"})},
}


@pytest.mark.parametrize("reason", sorted(GATE))
async def test_what_the_gate_refuses_is_told_with_wanted_and_got(
    company: Company, browser: Browser, reason: str
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    request_id, relay_state = await company.start_login(browser)
    response = company.recipe(anna, in_response_to=request_id, **GATE[reason])
    answer = await company.post_response(browser, response, relay_state=relay_state)
    assert answer.status == 403
    found = await trace(company, spoken(answer).lower(), steps=3)

    assert names(found) == ["started", "answered", "refused"]
    assert found.entry.outcome == reason
    assert facts(found, "refused")["reason"] == reason
    assert found.explanation is not None
    assert all(all((said.title, said.what, said.remedy)) for said in found.explanation.said.values())
    # The very words of the page that the person saw.
    assert answer.shows(found.explanation.said["en"].remedy)
    assert (found.entry.name_id, found.entry.employee_id) == (None, None)


async def test_what_times_are_wrong_is_told(company: Company, browser: Browser) -> None:
    anna = company.hire("anna")
    await company.cycle()
    now = datetime.now(UTC)
    old: dict[str, Any] = {"not_before": now - timedelta(hours=2), "not_on_or_after": now - timedelta(hours=1)}
    young: dict[str, Any] = {"not_before": now + timedelta(hours=1), "not_on_or_after": now + timedelta(hours=2)}
    for reason, times in (("expired", old), ("not_yet_valid", young)):
        answer = await company.post_response(browser, company.recipe(anna, **times))
        assert (await trace(company, spoken(answer))).entry.outcome == reason


async def test_whom_directory_refuses_is_told_with_the_name_that_was_presented(
    company: Company, browser: Browser
) -> None:
    stranger = company.hire("Stranger")
    answer = await company.sign_in(browser, stranger)
    assert answer.shows("no_such_employee")
    found = await trace(company, spoken(answer))

    assert names(found) == ["started", "answered", "verified", "matched", "decided"]
    assert facts(found, "matched") == {"by": "nobody"}
    assert found.entry.name_id == stranger.user_principal_name.lower()
    assert found.entry.employee_id is None
    asked = (await page(company, person=stranger.user_principal_name.upper())).entries
    assert [one.attempt_id for one in asked] == [found.entry.attempt_id]


async def test_every_reason_of_directory_s_is_told(company: Company, browser: Browser) -> None:
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()

    async def refused(response: ResponseRecipe, relay_state: str = "") -> str:
        answer = await company.post_response(browser, response, relay_state=relay_state)
        assert answer.status == 403, answer.text
        found = await trace(company, spoken(answer))
        assert found.explanation is not None
        assert found.explanation.code == found.entry.outcome
        assert facts(found, "decided")["outcome"] == found.entry.outcome
        return found.entry.outcome

    mixed = company.recipe(anna, name_id=bo.user_principal_name)
    once = company.recipe(anna)
    assert (await company.post_response(browser, once)).status == 303
    assert await refused(once) == "replayed"
    assert await refused(company.recipe(anna, in_response_to="_" + "0" * 32)) == "unknown_request"
    unlinked = company.hire("carl")
    for name in (unlinked.user_principal_name, f"other-{unlinked.user_principal_name}"):
        await company.scim.post("/Users", _body(name))
    both = company.recipe(unlinked, name_id=f"other-{unlinked.user_principal_name}")
    assert await refused(both) == "matches_username_not_email"
    assert (await company.post_response(browser, company.recipe(bo))).status == 303
    await company.suspend(company.scim_id(bo))
    assert await refused(company.recipe(bo)) == "suspended"
    await company.scim.delete(f"/Users/{company.scim_id(bo)}")
    assert await refused(company.recipe(bo)) == "departed"
    await company.apply(sso__group_check="required")
    company.tenant.unassign(company.app, anna.object_id)
    assert await refused(company.recipe(anna)) == "not_in_company_group"
    await company.apply(sso__idp_initiated="false")
    assert await refused(company.recipe(anna)) == "idp_initiated_off"
    assert (await company.post_response(browser, mixed)).status == 403


async def test_while_sign_on_is_off_every_attempt_is_told_all_the_same(company: Company, browser: Browser) -> None:
    await company.apply(sso__enabled=False)
    answer = await browser.get(company.login_url)
    assert answer.status == 403
    found = await trace(company, spoken(answer))
    assert found.entry.outcome == "sso_off"
    assert found.explanation is not None


async def test_a_ticket_in_another_browser_is_told_as_the_end_of_that_attempt(
    company: Company, browser: Browser, other_browser: Browser
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    request_id, relay_state = await company.start_login(browser)
    response = company.recipe(anna, in_response_to=request_id)
    answer = await other_browser.follow(await company.post_response(other_browser, response, relay_state=relay_state))
    assert spoken(answer) == attempt_of_flow(request_id)
    found = await trace(company, spoken(answer))
    assert names(found) == WHOLE
    assert (found.entry.outcome, facts(found, "session")) == ("other_browser", {"outcome": "other_browser"})
    assert [one.outcome for one in (await page(company, outcome="other_browser")).entries] == ["other_browser"]


async def test_somebody_else_in_the_browser_is_told_and_so_is_the_switch(company: Company, browser: Browser) -> None:
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()
    await company.sign_in(browser, anna)
    request_id, relay_state = await company.start_login(browser)
    response = company.recipe(bo, in_response_to=request_id)
    answer = await browser.follow(await company.post_response(browser, response, relay_state=relay_state))
    assert spoken(answer) == attempt_of_flow(request_id)
    assert (await trace(company, spoken(answer))).entry.outcome == "other_person_signed_in"

    sso = company.stack.sso_url
    await browser.post(f"{sso}/logout", {"return_to": "/login/finish"}, from_url=sso)
    await browser.follow(await browser.get(f"{sso}/login/finish"))
    found = await trace(company, spoken(answer))
    assert found.entry.outcome == "accepted"
    assert [one.facts["outcome"] for one in found.steps if one.step == "session"] == [
        "other_person_signed_in",
        "opened",
    ]


@pytest.mark.parametrize("from_tile", [False, True])
async def test_a_login_that_its_owner_switched_to_is_told_as_accepted(
    company: Company, browser: Browser, from_tile: bool
) -> None:
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()
    await company.sign_in(browser, anna)
    request_id, relay_state = (None, "") if from_tile else await company.start_login(browser)
    response = company.recipe(bo, in_response_to=request_id)
    asked = await browser.follow(await company.post_response(browser, response, relay_state=relay_state))
    form = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', asked.text))
    sso = company.stack.sso_url
    assert (await browser.post(f"{sso}/login/choose", {**form, "choice": "switch"}, from_url=sso)).status == 200

    found = await trace(company, spoken(asked))
    assert (found.entry.outcome, found.entry.employee_id) == ("accepted", company.scim_id(bo))
    assert [one.facts["outcome"] for one in found.steps if one.step == "session"] == [
        "other_person_signed_in",
        "opened",
    ]


async def test_an_accepted_login_whose_browser_never_came_back_says_so_in_the_end(
    company: Company, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    request_id, relay_state = await company.start_login(browser)
    await company.post_response(browser, company.recipe(anna, in_response_to=request_id), relay_state=relay_state)
    found = await trace(company, attempt_of_flow(request_id))
    assert found.explanation is None
    monkeypatch.setattr("directory.traces.telling.GRACE", timedelta(0))
    found = await trace(company, attempt_of_flow(request_id))
    assert found.explanation is not None
    assert found.explanation.code == "no_session"


async def test_a_refusal_and_the_answer_that_then_was_good_are_one_attempt(company: Company, browser: Browser) -> None:
    """The administrator mends it, the person loads the page again."""
    anna = company.hire("anna")
    await company.cycle()
    request_id, relay_state = await company.start_login(browser)
    good = company.recipe(anna, in_response_to=request_id)
    wrong = company.recipe(anna, in_response_to=request_id, audience="https://www.bitabiz.com/other")
    answer = await company.post_response(browser, wrong, relay_state=relay_state)
    await trace(company, spoken(answer), steps=3)
    await browser.follow(await company.post_response(browser, good, relay_state=relay_state))
    found = await trace(company, spoken(answer))
    assert names(found) == ["started", "answered", "refused", *WHOLE[1:]]
    assert found.entry.outcome == "accepted"

    replayed = await company.post_response(browser, good, relay_state=relay_state)
    assert spoken(replayed) != spoken(answer)
    assert (await trace(company, spoken(replayed))).entry.outcome == "replayed"
    again = await company.post_response(browser, wrong, relay_state=relay_state)
    assert spoken(again) == spoken(answer)
    found = await trace(company, spoken(answer), steps=10)
    assert (found.entry.outcome, names(found)[-1]) == ("accepted", "refused")


async def test_several_tabs_and_simultaneous_answers_are_attempts_of_their_own(
    company: Company, browser: Browser
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    first, second = await company.start_login(browser), await company.start_login(browser)
    response = company.recipe(anna, in_response_to=first[0])
    answers = await asyncio.gather(
        *(company.post_response(browser, response, relay_state=first[1]) for _ in range(5)),
        company.post_response(browser, company.recipe(anna, in_response_to=second[0]), relay_state=second[1]),
    )
    assert sorted(one.status for one in answers) == [303, 303, 403, 403, 403, 403]
    found = (await page(company)).entries
    assert sorted(one.outcome for one in found) == ["accepted"] * 2 + ["replayed"] * 4
    assert len({one.attempt_id for one in found}) == 6
    accepted = {one.attempt_id for one in found if one.outcome == "accepted"}
    assert accepted == {attempt_of_flow(first[0]), attempt_of_flow(second[0])}


async def test_a_login_that_nobody_answers_is_told_as_such(company: Company, browser: Browser) -> None:
    """S87: Entra answers for nobody whom it does not let in; what we see is a login that was started and never answered."""
    request_id, _ = await company.start_login(browser)
    attempt_id = attempt_of_flow(request_id)
    found = await trace(company, attempt_id)
    assert found.entry.outcome == "under_way"
    await _time_passes(company)
    found = await trace(company, attempt_id)
    assert (found.entry.outcome, names(found)) == ("never_answered", ["started"])
    assert found.explanation is not None
    assert "Assignment required" in found.explanation.said["da"].remedy
    assert [one.attempt_id for one in (await page(company, outcome="never_answered")).entries] == [attempt_id]


async def test_an_answer_that_comes_too_late_belongs_to_its_attempt(company: Company, browser: Browser) -> None:
    anna = company.hire("anna")
    await company.cycle()
    for settled in (False, True):
        request_id, relay_state = await company.start_login(browser)
        await _time_passes(company)
        if settled:
            assert len((await page(company, outcome="never_answered")).entries) == 1
        response = company.recipe(anna, in_response_to=request_id)
        answer = await company.post_response(browser, response, relay_state=relay_state)
        found = await trace(company, spoken(answer))
        assert found.entry.attempt_id == attempt_of_flow(request_id)
        assert found.entry.outcome == "unknown_request"
        assert names(found) == ["started", "answered", "verified", "decided"]


async def _time_passes(company: Company) -> None:
    """All logins under way run out."""
    owner = await asyncpg.connect(company.stack.owner_url)
    try:
        async with owner.transaction():
            await owner.execute("select registry.enter_by_name($1)", company.name)
            await owner.execute(
                "update login_flows set expires_at = now() - interval '1 second', created_at = now() - interval '10 minutes' "
                "where company_id = current_company()"
            )
    finally:
        await owner.close()


async def test_an_app_s_part_stands_at_the_end(company: Company, browser: Browser, http: aiohttp.ClientSession) -> None:
    await signed_in(company, browser)
    [entry] = (await page(company)).entries
    for number, app in enumerate((portal(company, http), mobile(company, http)), start=1):
        await app.tokens(browser)
        found = await trace(company, entry.attempt_id or "")
        assert names(found) == [*WHOLE, *["redeemed"] * number]
        assert facts(found, "redeemed") == {"client": app.client_id}
        assert app.client_id in found.steps[-1].said["en"]


# Whose


async def test_a_person_is_found_by_id_and_by_every_name(company: Company, browser: Browser) -> None:
    anna = company.hire("anna")
    await company.cycle()
    for _ in range(3):
        await company.post_response(browser, company.recipe(anna))
    await company.post_response(browser, company.recipe(company.hire("bo")))
    for name in (company.scim_id(anna), anna.user_principal_name, anna.user_principal_name.upper()):
        assert len((await page(company, person=name)).entries) == 3
    first = await page(company, person=company.scim_id(anna), limit=2)
    rest = await page(company, person=company.scim_id(anna), limit=2, before=first.next or "")
    assert (len(first.entries), len(rest.entries), rest.next) == (2, 1, None)
    times = [one.at for one in (*first.entries, *rest.entries)]
    assert times == sorted(times, reverse=True)


async def test_somebody_who_came_before_he_was_provisioned_finds_that_attempt_too(
    company: Company, browser: Browser
) -> None:
    anna = company.hire("anna")
    await company.post_response(browser, company.recipe(anna))
    employee_id = await company.provision(anna)
    assert [one.outcome for one in (await page(company, person=employee_id)).entries] == ["no_such_employee"]


async def test_for_a_person_without_an_attempt_entra_never_sent_an_assertion(
    company: Company, browser: Browser
) -> None:
    """S87: the diagnosis says that Entra never sent an assertion for this user, and names assignment."""
    anna = company.hire("anna")
    await company.cycle()
    await company.start_login(browser)
    await _time_passes(company)
    for name in (company.scim_id(anna), anna.user_principal_name):
        found = await page(company, person=name)
        assert found.entries == []
        assert found.never_answered_lately == 1
        assert found.explanation is not None
        assert found.explanation.code == "never_sent"
        english, danish = found.explanation.said["en"], found.explanation.said["da"]
        assert english.title == "Entra never sent an assertion for this user"
        for said in (english, danish):
            assert "Assignment required" in said.remedy
            assert "Users and groups" in said.remedy


async def test_who_signed_in_longer_ago_than_attempts_are_kept_is_not_said_never_to_have_come(
    company: Company, browser: Browser, stack: Stack
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    await company.sign_in(browser, anna)
    owner = await asyncpg.connect(stack.owner_url)
    async with owner.transaction():
        await owner.execute("select registry.enter_by_name($1)", company.name)
        await owner.execute("delete from login_traces where company_id = current_company()")
    await owner.close()
    found = await page(company, person=anna.user_principal_name)
    assert found.explanation is not None
    assert found.explanation.code == "not_lately"


async def test_a_setup_admin_reads_them_and_nobody_else(company: Company, sara: SetupAdmin) -> None:
    found = await sara.client.list_logins(ListLogins(session=sara.session))
    [entry] = found.entries
    told = await sara.client.get_login(
        GetLogin(session=sara.session, attempt_id=(entry.attempt_id or "").replace("-", " ").lower())
    )
    assert names(told) == WHOLE
    for asked in ("", "K7QM-3F9D", "anna"):
        with pytest.raises(DomainError) as refused:
            await sara.client.get_login(GetLogin(session=sara.session, attempt_id=asked))
        assert refused.value.code is ErrorCode.not_found


async def test_anneighbour_s_attempt_is_not_found(company: Company, neighbour: Company, browser: Browser) -> None:
    anna = company.hire("anna")
    await company.cycle()
    await company.sign_in(browser, anna)
    [entry] = (await page(company)).entries
    assert (await page(neighbour)).entries == []
    assert (await page(neighbour, person=anna.user_principal_name)).entries == []
    async with neighbour.stack.database.scope_for_name(neighbour.name).transaction() as tx:
        with pytest.raises(DomainError, match="There is no sign-in"):
            await whole(tx, entry.attempt_id or "")


# What it costs


async def test_a_traced_login_costs_one_statement_more_than_one_that_is_not(
    company: Company, browser: Browser, stack: Stack
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    async with stack.counting() as count:
        await company.sign_in(browser, anna)
    traced = {
        name: times
        for name, times in count.statements.items()
        if name in {"insert_refused", "session", "never_answered"}
    }
    assert traced == {"session": 1}


async def test_a_flood_of_refused_answers_is_kept_as_a_few_and_a_count(
    company: Company, neighbour: Company, browser: Browser
) -> None:
    for _ in range(60):
        assert (await company.post_response(browser, b"junk")).status == 403
    mine = await company.post_response(browser, b"junk")
    assert attempt_from_text(spoken(mine)) == spoken(mine)
    other = await neighbour.post_response(browser, b"junk")
    assert (await trace(neighbour, spoken(other))).entry.outcome == "malformed_response"
    found = (await page(company)).entries
    assert sum(one.times == 1 for one in found) <= 20
    assert {one.outcome for one in found} == {"malformed_response"}


async def test_a_company_that_does_not_exist_has_no_trace(company: Company, browser: Browser) -> None:
    answer = await browser.get(f"{company.stack.sso_url}/login/no-such-company")
    assert answer.status == 404
    assert 'data-field="attempt_id"' not in answer.text
    assert (await entries(company, 0)) == []
