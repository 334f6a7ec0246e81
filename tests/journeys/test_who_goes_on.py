"""One browser, one person: whoever proves to be somebody else is asked who goes on, and the two never mix."""

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.entra.people import Person
from tests.support.apps import mobile, portal
from tests.support.browser import Browser, Page, tickets_of
from tests.support.company import Company

SESSION = "__Host-session"


@dataclass
class Desk:
    """Anna is signed in, and Bo has just proved in the same browser who he is."""

    company: Company
    browser: Browser
    anna: Person
    bo: Person
    page: Page
    bo_s: Company

    @property
    def url(self) -> str:
        return self.company.stack.sso_url

    async def who(self) -> str | None:
        page = await self.company.session(self.browser)
        return page.json["login_name"] if page.status == 200 else None

    def fields(self, choice: str) -> dict[str, str]:
        """As the page sends them."""
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.page.text))
        if choice == "continue":
            hidden.pop("instead_of")
        return {**hidden, "choice": choice}

    async def choose(self, choice: str, *, from_url: str = "", browser: Browser | None = None) -> Page:
        browser = browser or self.browser
        return await browser.post(f"{self.url}/login/choose", self.fields(choice), from_url=from_url or self.url)

    async def history(self, company: Company, person: Person) -> list[dict[str, Any]]:
        async with company.stack.database.scope_for_name(company.name).transaction() as tx:
            from directory.events.store import of_employee
            from shared.ids import employee_from_text

            found = employee_from_text(company.scim_id(person))
            assert found is not None
            return [{"kind": one.kind, "actor": one.actor.id, **one.changes} for one in await of_employee(tx, found)]

    async def sessions(self) -> int:
        found = 0
        for company in {self.company.name, self.bo_s.name}:
            async with self.company.stack.database.scope_for_name(company).transaction() as tx:
                found += await tx._connection.fetchval(
                    "select count(*) from sessions where company_id = $1", tx.company_id
                )
        return found


@pytest.fixture(params=["one company", "two companies"])
async def desk(request: pytest.FixtureRequest, company: Company, neighbour: Company, browser: Browser) -> Desk:
    bo_s = company if request.param == "one company" else neighbour
    anna, bo = company.hire("anna"), bo_s.hire("bo")
    await company.cycle()
    if bo_s is not company:
        await bo_s.cycle()
    await company.sign_in(browser, anna, return_to="/session")
    page = await bo_s.sign_in(browser, bo, return_to="/auth")
    return Desk(company, browser, anna, bo, page, bo_s)


async def test_he_is_asked_and_nothing_has_changed_until_he_answers(desk: Desk) -> None:
    """S88"""
    assert (desk.page.status, desk.page.shows("Who goes on in this browser?")) == (409, True)
    for person in (desk.anna, desk.bo):
        assert desk.page.shows(person.user_principal_name)
    assert await desk.who() == desk.anna.user_principal_name
    assert desk.page.headers["Cache-Control"] == "no-store"


async def test_in_danish_too(desk: Desk) -> None:
    page = await desk.browser.get(f"{desk.url}/login/finish", headers={"Accept-Language": "da"})
    assert page.shows("Hvem fortsætter i denne browser?")


async def test_whoever_switches_ends_the_other_s_session_and_goes_where_he_wanted(desk: Desk) -> None:
    """S88: session ids change, and the former is dead."""
    former = desk.browser.cookies(desk.url)[SESSION]
    page = await desk.choose("switch")
    assert (page.status, page.shows("0;url=/auth")) == (200, True)
    assert await desk.who() == desk.bo.user_principal_name
    assert tickets_of(desk.browser, desk.url) == {}
    assert await desk.sessions() == 1
    told = (await desk.history(desk.company, desk.anna))[-1]
    assert (told["kind"], told["ended"]["why"], len(told["ended"]["sessions"])) == ("session.ended", "switched", 1)
    # Whoever takes a browser over is named to his own company alone.
    assert told["actor"] == (desk.company.scim_id(desk.bo) if desk.bo_s is desk.company else "directory")
    desk.browser.set_cookie(desk.url, SESSION, former)
    assert await desk.who() is None


async def test_whoever_continues_stays_and_goes_nowhere_else(desk: Desk) -> None:
    page = await desk.choose("continue")
    assert page.location == f"{desk.url}/"
    assert await desk.who() == desk.anna.user_principal_name
    assert tickets_of(desk.browser, desk.url) == {}
    assert (await desk.choose("switch")).shows("expired")
    assert await desk.who() == desk.anna.user_principal_name


async def test_a_dropped_ticket_is_good_for_nobody(desk: Desk) -> None:
    [(name, ticket)] = tickets_of(desk.browser, desk.url).items()
    await desk.choose("continue")
    desk.browser.set_cookie(desk.url, name, ticket)
    assert (await desk.choose("switch")).shows("expired")
    assert await desk.who() == desk.anna.user_principal_name


async def test_another_site_chooses_nothing(desk: Desk) -> None:
    for choice in ("switch", "continue"):
        assert (await desk.choose(choice, from_url="http://evil.example")).status == 403
    assert await desk.who() == desk.anna.user_principal_name
    assert (await desk.choose("switch")).status == 200, "and the choice is still there"


@pytest.mark.parametrize("choice", ["", "both"])
async def test_what_is_no_choice_decides_nothing(desk: Desk, choice: str) -> None:
    assert (await desk.choose(choice)).status == 400
    assert await desk.who() == desk.anna.user_principal_name
    assert (await desk.choose("switch")).status == 200


async def test_the_form_sent_twice_counts_once(desk: Desk) -> None:
    """Both with the cookies of before."""
    kept = desk.browser.cookies(desk.url)
    assert (await desk.choose("switch")).status == 200
    now = desk.browser.cookies(desk.url)[SESSION]
    for name, value in kept.items():
        desk.browser.set_cookie(desk.url, name, value)
    assert (await desk.choose("switch")).shows("expired")
    desk.browser.set_cookie(desk.url, SESSION, now)
    assert await desk.who() == desk.bo.user_principal_name
    assert await desk.sessions() == 1


async def test_both_at_the_same_moment_open_one_session(desk: Desk) -> None:
    pages = await asyncio.gather(*(desk.choose("switch") for _ in range(4)))
    assert sorted(page.status for page in pages) == [200, 403, 403, 403]
    assert await desk.sessions() == 1


async def test_the_choices_of_two_tabs_are_about_their_own_logins(desk: Desk) -> None:
    """S88: what one tab says decides nothing of the other's."""
    first = desk.page
    second = await desk.bo_s.sign_in(desk.browser, desk.bo, return_to="/session")
    assert second.status == 409
    assert (await desk.choose("continue")).location == f"{desk.url}/"
    assert len(tickets_of(desk.browser, desk.url)) == 1, "the second's is still there"
    assert (await desk.choose("switch")).shows("expired")
    assert await desk.who() == desk.anna.user_principal_name
    desk.page = second
    assert (await desk.choose("switch")).shows("0;url=/session")
    assert await desk.who() == desk.bo.user_principal_name
    desk.page = first
    assert (await desk.choose("switch")).shows("expired")


async def test_both_tabs_may_switch_to_the_same_person(desk: Desk) -> None:
    first = desk.page
    second = await desk.bo_s.sign_in(desk.browser, desk.bo, return_to="/session")
    for page, goal in ((second, "/session"), (first, "/auth")):
        desk.page = page
        assert (await desk.choose("switch")).shows(f"0;url={goal}")
        assert await desk.who() == desk.bo.user_principal_name
    assert await desk.sessions() == 1


async def test_a_third_person_s_session_is_not_ended_by_a_choice_about_another(desk: Desk) -> None:
    """Carl has signed in in another tab while the page was read: it is asked again, about him."""
    carl = desk.company.hire("carl")
    await desk.company.cycle()
    [(name, ticket)] = tickets_of(desk.browser, desk.url).items()
    desk.browser._cookies["127.0.0.1"].pop(SESSION)
    desk.browser._cookies["127.0.0.1"].pop(name)
    await desk.company.sign_in(desk.browser, carl)
    desk.browser.set_cookie(desk.url, name, ticket)
    page = await desk.choose("switch")
    assert (page.status, page.shows(carl.user_principal_name)) == (409, True)
    assert await desk.who() == carl.user_principal_name
    desk.page = page
    assert (await desk.choose("switch")).status == 200
    assert await desk.who() == desk.bo.user_principal_name


async def test_where_the_other_has_signed_out_meanwhile_the_switch_signs_in(desk: Desk) -> None:
    session = desk.browser.cookies(desk.url)[SESSION]
    await desk.browser.post(f"{desk.url}/logout", {}, from_url=desk.url)
    desk.browser.set_cookie(desk.url, SESSION, session)
    assert (await desk.choose("switch")).status == 200
    assert await desk.who() == desk.bo.user_principal_name


async def test_where_the_other_has_signed_out_meanwhile_continuing_says_so(desk: Desk) -> None:
    session = desk.browser.cookies(desk.url)[SESSION]
    await desk.browser.post(f"{desk.url}/logout", {}, from_url=desk.url)
    desk.browser.set_cookie(desk.url, SESSION, session)
    page = await desk.choose("continue")
    assert (page.status, page.shows("not_signed_in")) == (401, True)
    assert await desk.who() is None


async def test_whoever_is_suspended_meanwhile_is_refused_and_the_other_stays(desk: Desk) -> None:
    await desk.bo_s.suspend(desk.bo_s.scim_id(desk.bo))
    page = await desk.choose("switch")
    assert page.status == 403
    assert await desk.who() == desk.anna.user_principal_name
    assert await desk.sessions() == 1


async def test_a_ticket_that_ran_out_switches_nobody(desk: Desk) -> None:
    async with desk.company.stack.database.scope_for_name(desk.bo_s.name).transaction() as tx:
        left = await tx._connection.fetchval(
            "select expires_at from login_tickets where company_id = $1", tx.company_id
        )
        assert timedelta(minutes=4) < left - tx.now <= timedelta(minutes=5), "a person reads slower than a redirect"
        await tx._connection.execute("delete from login_tickets where company_id = $1", tx.company_id)
    assert (await desk.choose("switch")).shows("expired")
    assert await desk.who() == desk.anna.user_principal_name


async def test_asking_again_gives_no_more_time(desk: Desk) -> None:
    async def until() -> Any:
        async with desk.company.stack.database.scope_for_name(desk.bo_s.name).transaction() as tx:
            return await tx._connection.fetchval(
                "select expires_at from login_tickets where company_id = $1", tx.company_id
            )

    first = await until()
    assert (await desk.browser.get(f"{desk.url}/login/finish")).status == 409
    assert await until() == first


async def test_in_another_browser_the_ticket_is_good_for_nothing(desk: Desk, other_browser: Browser) -> None:
    [(name, ticket)] = tickets_of(desk.browser, desk.url).items()
    other_browser.set_cookie(desk.url, name, ticket)
    page = await desk.choose("switch", browser=other_browser)
    assert page.shows("other_browser")
    assert SESSION not in other_browser.cookies(desk.url)


async def test_the_same_person_again_is_not_asked_and_gets_another_session(company: Company, browser: Browser) -> None:
    """S88: two tabs, one after the other."""
    anna = company.hire("anna")
    await company.cycle()
    url = company.stack.sso_url
    first, second = await company.start_login(browser), await company.start_login(browser)
    answers = []
    for request_id, relay_state in (second, first):
        response = company.recipe(anna, in_response_to=request_id)
        page = await browser.follow(await company.post_response(browser, response, relay_state=relay_state))
        assert page.status == 200
        answers.append(browser.cookies(url)[SESSION])
    assert answers[0] != answers[1]
    browser.set_cookie(url, SESSION, answers[0])
    assert (await company.session(browser)).status == 401


async def _answered(company: Company, browser: Browser, person: Person, *, asked: Page) -> Page:
    """The tab in which a login was asked for, once Entra's answer is accepted and before it goes on."""
    request_id, relay_state = company.asked(asked)
    response = company.recipe(person, in_response_to=request_id)
    return await company.post_response(browser, response, relay_state=relay_state)


async def test_two_tabs_that_are_answered_together_both_end_signed_in(company: Company, browser: Browser) -> None:
    """S88: the second login ends the session of the first, whose cookie it replaces."""
    anna = company.hire("anna")
    await company.cycle()
    url = company.stack.sso_url
    goals = ["/session", "/auth"]
    started = [await browser.get(f"{company.login_url}?return_to={goal}") for goal in goals]
    answers = [await _answered(company, browser, anna, asked=page) for page in started]
    sessions = []
    for answer, goal in zip(answers, goals, strict=True):
        assert (await browser.get(answer.location)).location == url + goal
        sessions.append(browser.cookies(url)[SESSION])
        assert (await company.session(browser)).status == 200
    assert tickets_of(browser, url) == {}
    assert sessions[0] != sessions[1]
    assert (await browser.get(answers[0].location)).location == f"{url}/", "loaded again"
    browser.set_cookie(url, SESSION, sessions[0])
    assert (await company.session(browser)).status == 401


async def test_tabs_that_begin_at_once_in_a_browser_that_was_never_here_all_end_signed_in(
    company: Company, browser: Browser, other_browser: Browser
) -> None:
    """None of them knows of another's secret; and another browser that holds as many finishes none of them."""
    anna = company.hire("anna")
    await company.cycle()
    url = company.stack.sso_url
    started = await asyncio.gather(*(browser.get(company.login_url) for _ in range(4)))
    await asyncio.gather(*(other_browser.get(company.login_url) for _ in range(4)))
    answers = [await _answered(company, browser, anna, asked=page) for page in started]
    for name, value in tickets_of(browser, url).items():
        other_browser.set_cookie(url, name, value)
    assert (await other_browser.get(answers[0].location)).shows("other_browser")
    for answer in answers[1:]:
        assert (await browser.get(answer.location)).status == 303
        assert (await company.session(browser)).json["login_name"] == anna.user_principal_name


async def test_two_people_answered_together_in_two_tabs_do_not_mix(company: Company, browser: Browser) -> None:
    """S88: the first to finish is signed in, and the second is asked."""
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()
    started = [await browser.get(company.login_url) for _ in range(2)]
    of_anna = await _answered(company, browser, anna, asked=started[0])
    of_bo = await _answered(company, browser, bo, asked=started[1])
    assert (await browser.get(of_bo.location)).status == 303
    page = await browser.get(of_anna.location)
    assert (page.status, page.shows(anna.user_principal_name)) == (409, True)
    assert (await company.session(browser)).json["login_name"] == bo.user_principal_name


async def test_a_ticket_of_two_keeps_to_its_own_browser(
    company: Company, browser: Browser, other_browser: Browser
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    url = company.stack.sso_url
    answers = [await _answered(company, browser, anna, asked=await browser.get(company.login_url)) for _ in range(2)]
    assert (await other_browser.get(answers[0].location)).shows("expired"), "an address alone is nothing"
    for name, value in tickets_of(browser, url).items():
        other_browser.set_cookie(url, name, value)
    assert (await other_browser.get(answers[0].location)).shows("other_browser")
    assert SESSION not in other_browser.cookies(url)
    assert (await browser.get(answers[1].location)).status == 303


async def test_two_apps_in_two_tabs_are_both_come_back_to(company: Company, browser: Browser) -> None:
    """Each with a login of its own, both answered before either goes on."""
    anna = company.hire("anna")
    await company.cycle()
    apps = [portal(company, browser._http), mobile(company, browser._http)]
    answers = []
    for app in apps:
        page = await browser.get(app.question(company=company.name))
        answers.append(await _answered(company, browser, anna, asked=await browser.get(page.location)))
    for app, answer in zip(apps, answers, strict=True):
        page = await browser.get(answer.location)
        page = await browser.get(page.location)
        tokens = await app.exchange(app.answered(page)["code"])
        assert tokens.status == 200
