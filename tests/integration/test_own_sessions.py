"""Sessions listed and ended by a Setup admin, and by whoever they are, against real PostgreSQL."""

from collections.abc import Awaitable
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from directory.logins import sessions
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import Employee
from shared.schemas.login import SessionCredential
from shared.schemas.sessions import EndOwnSessions, EndSessions, ListOwnSessions, ListSessions
from tests.support.apps import mobile, signed_in
from tests.support.browser import Browser
from tests.support.clock import SettableClock
from tests.support.company import Company
from tests.support.firm import Firm
from tests.support.sign_ins import SignIns


@pytest.fixture
async def sign_ins(firm: Firm, firm_clock: SettableClock) -> SignIns:
    return await SignIns.of(firm, firm_clock)


async def refused(attempt: Awaitable[object]) -> ErrorCode:
    with pytest.raises(DomainError) as found:
        await attempt
    return found.value.code


async def own(firm: Firm, session: SessionCredential) -> list[str]:
    """Their ids, that of the session which asks first."""
    found = await sessions.list_own_sessions(firm.database, ListOwnSessions(session=session))
    assert [one.current for one in found.sessions] == [True] + [False] * (len(found.sessions) - 1)
    return [one.session_id for one in found.sessions]


async def receipt(firm: Firm, person: Employee) -> dict[str, Any]:
    [found] = [event for event in await firm.history(person) if "ended" in event["changes"]]
    return found


async def test_a_setup_admin_sees_who_is_signed_in_and_ends_all_of_a_person(firm: Firm, sign_ins: SignIns) -> None:
    """S39: and the receipt names the admin."""
    anna = await firm.create(external_id=str(uuid4()))
    phone, desk = await sign_ins.session_of(anna), await sign_ins.session_of(anna)
    await sign_ins.accept(anna)
    admin = await firm.admin()

    everybody = await sessions.list_sessions(firm.database, ListSessions(session=admin))
    assert (len(everybody.sessions), everybody.more) == (3, False)
    assert [one.employee_id == anna.id for one in everybody.sessions if not one.current] == [True, True]
    hers = await sessions.list_sessions(firm.database, ListSessions(session=admin, person="anna@firma.dk"))
    assert {one.login_name for one in hers.sessions} == {"anna@firma.dk"}

    done = await sessions.end_sessions(firm.database, EndSessions(session=admin, person=anna.id))
    assert done.ended == 2
    for session in (phone, desk):
        assert await refused(own(firm, session)) is ErrorCode.unauthorized
    told, [me] = await receipt(firm, anna), [one for one in everybody.sessions if one.current]
    assert (told["kind"], told["actor_kind"], told["actor_id"]) == ("session.revoked", "person", me.employee_id)
    ended = told["changes"]["ended"]
    assert (ended["why"], ended["tickets"]) == ("by_admin", 1)
    assert set(ended["sessions"]) == {one.session_id for one in hers.sessions}


async def test_a_setup_admin_ends_one_and_his_own_too(firm: Firm, sign_ins: SignIns) -> None:
    anna = await firm.create(external_id=str(uuid4()))
    here, there = await sign_ins.session_of(anna), await sign_ins.session_of(anna)
    admin = await firm.admin()
    [named, stays] = await own(firm, here)
    assert (await sessions.end_sessions(firm.database, EndSessions(session=admin, session_id=named))).ended == 1
    assert await refused(own(firm, here)) is ErrorCode.unauthorized
    assert await own(firm, there) == [stays]
    again = sessions.end_sessions(firm.database, EndSessions(session=admin, session_id=named))
    assert await refused(again) is ErrorCode.not_found

    [mine] = await own(firm, admin)
    assert (await sessions.end_sessions(firm.database, EndSessions(session=admin, session_id=mine))).ended == 1
    assert await refused(own(firm, admin)) is ErrorCode.unauthorized


async def test_whoever_is_no_setup_admin_neither_sees_nor_ends_them(firm: Firm, sign_ins: SignIns) -> None:
    anna = await firm.create(external_id=str(uuid4()))
    hers, approver = await sign_ins.session_of(anna), await firm.admin("approver")
    [named] = await own(firm, hers)
    for attempt in (
        sessions.list_sessions(firm.database, ListSessions(session=approver)),
        sessions.end_sessions(firm.database, EndSessions(session=approver, session_id=named)),
        sessions.end_sessions(firm.database, EndSessions(session=approver, person=anna.id)),
    ):
        assert await refused(attempt) is ErrorCode.not_allowed
    assert await own(firm, hers) == [named]


async def test_what_is_another_companys_is_not_there(firm: Firm, other_firm: Firm, sign_ins: SignIns) -> None:
    anna = await firm.create(external_id=str(uuid4()))
    hers, stranger = await sign_ins.session_of(anna), await other_firm.admin()
    [named] = await own(firm, hers)
    for request in (
        EndSessions(session=stranger, session_id=named),
        EndSessions(session=stranger, person=anna.id),
        EndSessions(session=stranger, session_id="ses_x"),
    ):
        assert await refused(sessions.end_sessions(firm.database, request)) is ErrorCode.not_found
    borrowed = SessionCredential(company_id=hers.company_id, session_sha256=stranger.session_sha256)
    for attempt in (
        sessions.end_sessions(firm.database, EndSessions(session=borrowed, session_id=named)),
        sessions.end_own_sessions(firm.database, EndOwnSessions(session=borrowed)),
    ):
        assert await refused(attempt) is ErrorCode.unauthorized
    assert len((await sessions.list_sessions(firm.database, ListSessions(session=stranger))).sessions) == 1
    assert await own(firm, hers) == [named]


@pytest.mark.parametrize("said", [{}, {"session_id": "ses_x", "person": "anna@firma.dk"}])
async def test_one_or_all_of_a_person_must_be_said(firm: Firm, said: dict[str, str]) -> None:
    attempt = sessions.end_sessions(firm.database, EndSessions(session=await firm.admin(), **said))
    assert await refused(attempt) is ErrorCode.invalid_request


async def test_a_person_ends_one_of_his_own_and_all_the_others_and_nobody_elses(firm: Firm, sign_ins: SignIns) -> None:
    """S39: the receipts are by himself; what is on its way ends with all the others."""
    anna = await firm.create(external_id=str(uuid4()))
    here, there, third = [await sign_ins.session_of(anna) for _ in range(3)]
    admin = await firm.admin()
    [foreign] = await own(firm, admin)
    [mine, *_] = await own(firm, here)
    [named, *_] = await own(firm, there)

    async def end(session_id: str | None = None) -> tuple[int, bool]:
        done = await sessions.end_own_sessions(firm.database, EndOwnSessions(session=here, session_id=session_id))
        return done.ended, done.current

    assert await end(foreign) == (0, False)
    assert await own(firm, admin) == [foreign]
    assert await end(named) == (1, False)
    assert await end(named) == (0, False)
    told = await receipt(firm, anna)
    assert (told["kind"], told["actor_id"]) == ("session.ended", anna.id)
    assert told["changes"]["ended"] == {"why": "by_himself", "sessions": [named], "tickets": 0}

    ticket = await sign_ins.accept(anna)
    assert await end() == (1, False)
    assert await refused(own(firm, third)) is ErrorCode.unauthorized
    assert not (await sign_ins.open(ticket)).opened
    assert await own(firm, here) == [mine]

    assert await end(mine) == (1, True)
    assert await refused(end(mine)) is ErrorCode.unauthorized


async def test_what_is_no_id_is_refused_with_what_is_wanted(firm: Firm, sign_ins: SignIns) -> None:
    here = await sign_ins.session_of(await firm.create(external_id=str(uuid4())))
    for wrong in ("", "ses_", "ses_\x00", "x" * 5000):
        attempt = sessions.end_own_sessions(firm.database, EndOwnSessions(session=here, session_id=wrong))
        assert await refused(attempt) is ErrorCode.invalid_request


async def test_an_app_that_is_ended_in_the_list_has_no_use_of_its_refresh_token(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    """S39: its own session is in the list by its name, and what hangs on it goes with it."""
    await signed_in(company, browser)
    phone = mobile(company, http)
    held = await phone.tokens(browser)
    url = f"{company.stack.sso_url}/sessions"

    page = await browser.get(url)
    assert "Mobile app" in page.text
    listed = (await browser.get(url, accept="application/json")).json["sessions"]
    assert [(one["client_id"], one["current"]) for one in listed] == [(None, True), ("mobile-app", False)]
    assert (await browser.post(url, {"session_id": listed[1]["session_id"]}, from_url=url)).status == 303

    assert (await phone.refresh(held["refresh_token"])).error == "invalid_grant"
    assert (await phone.userinfo(held["access_token"])).status == 401
    assert (await company.session(browser)).status == 200
