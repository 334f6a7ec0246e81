"""What apps hold, asked of directory itself: each of its questions looks at the session and at whoever it belongs to.

Whoever suspends somebody ends his sessions, and with them goes what hangs on them (`test_openid_endings.py`). These are the
second look: rows that outlived it, made by the database's owner, are good for nothing.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from directory.oidc import operations as oidc
from shared.errors import DomainError
from shared.schemas.employee import Employee
from shared.schemas.login import SessionCredential
from shared.schemas.oidc import (
    Granted,
    IssuedCode,
    RefreshGrant,
)
from tests.support.clock import SettableClock
from tests.support.firm import Firm, uuid_of
from tests.support.grants import RETURN, Phone, secret
from tests.support.sign_ins import SignIns


@dataclass
class House:
    firm: Firm
    sign_ins: SignIns
    clock: SettableClock
    anna: Employee
    bo: Employee

    async def rows(self) -> list[object]:
        return [*await self.firm.as_owner("select * from app_grants order by grant_id")]

    async def sessions_of(self, person: Employee) -> int:
        return len(await self.firm.as_owner("select from sessions where employee_id = $1", uuid_of(person)))

    async def phone_of(self, person: Employee, *, ttl_s: int = 3600, offline: bool = False) -> Phone:
        session = await self.sign_ins.session_of(person, ttl_s=ttl_s)
        return Phone(self.firm, session, ["openid", "offline_access"] if offline else ["openid"])


@pytest.fixture
async def house(firm: Firm, firm_clock: SettableClock) -> AsyncIterator[House]:
    sign_ins = await SignIns.of(firm, firm_clock)
    anna = await firm.create(external_id=str(uuid4()))
    bo = await firm.create(login="bo@firma.dk", external_id=str(uuid4()))
    firm_clock.set(datetime.now(UTC).replace(microsecond=0))
    yield House(firm, sign_ins, firm_clock, anna, bo)
    firm_clock.set(None)


@pytest.mark.parametrize(
    "held_back",
    [
        "state = 'suspended', suspended_on = now(), termination_date = now(), termination_source = 'inactivation'",
        "blocked_at = now()",
    ],
    ids=["suspended", "blocked"],
)
async def test_a_session_that_outlived_its_owner_s_access_gives_an_app_nothing(house: House, held_back: str) -> None:
    """D11, beside the transaction that ends them; and his colleague, who may sign in, does not stand in for him."""
    phone, waiting = await house.phone_of(house.anna), await house.phone_of(house.anna)
    held = await phone.holds()
    of_bo = await house.phone_of(house.bo)
    assert (await waiting.asks()).reason is (await of_bo.asks()).reason is None
    sql = f"update employees set {held_back} where employee_id = $1"  # noqa: S608  the test's own
    await house.firm.as_owner(sql, uuid_of(house.anna))
    assert await house.sessions_of(house.anna) == 2, "they did outlive it"

    rows = await house.rows()
    assert (await Phone(house.firm, phone.session).asks()).reason == "no_session"
    assert (await waiting.redeems()).grant is None
    assert not await phone.is_read(held.grant_id)
    assert not await phone.is_read()
    assert (await phone.refreshes()).reason == "ended"
    assert await house.rows() == rows, "what is refused changes nothing"

    granted = (await of_bo.redeems()).grant
    assert granted is not None
    assert granted.user.employee_id == house.bo.id


@pytest.mark.parametrize("offline", [False, True], ids=["the browser's session", "its own session"])
async def test_when_the_session_s_time_is_over_so_is_what_hangs_on_it(house: House, offline: bool) -> None:
    phone, waiting = await house.phone_of(house.anna, offline=offline), await house.phone_of(house.anna, ttl_s=3550)
    held = await phone.holds()
    house.clock.set(house.clock() + timedelta(seconds=3545))
    assert (await waiting.asks()).reason is None
    assert (await phone.refreshes()).grant is not None
    house.clock.set(house.clock() + timedelta(seconds=56))
    await house.phone_of(house.bo)  # whose session lives, and does not stand in for hers
    rows = await house.rows()
    assert (await waiting.asks()).reason == "no_session"
    assert (await waiting.redeems()).reason == "ended", "the code itself would be good for another moment"
    assert not await phone.is_read(held.grant_id)
    assert not await phone.is_read()
    assert (await phone.refreshes()).reason == "ended"
    assert await house.rows() == rows, "what is refused changes nothing, and is no misuse"


async def test_a_refused_refresh_is_no_use_of_a_session_that_rested_too_long(house: House) -> None:
    await house.firm.as_owner("update companies set idle_minutes = 30")
    phone = await house.phone_of(house.anna)
    held = await phone.holds()
    house.clock.set(house.clock() + timedelta(minutes=31))
    rows = await house.rows()
    of_bo = await house.phone_of(house.bo)
    assert (await of_bo.asks()).reason is None
    for _ in range(2):
        assert (await phone.refreshes()).reason == "ended"
    assert not await phone.is_read(held.grant_id)
    assert [row for row in await house.rows() if row in rows] == rows, "what is refused changes nothing"


async def test_an_app_that_is_used_keeps_its_own_session_alive_and_no_other(house: House) -> None:
    await house.firm.as_owner("update companies set idle_minutes = 30")
    phone, of_bo = await house.phone_of(house.anna), await house.phone_of(house.bo)
    await phone.holds()
    await of_bo.holds()
    for minutes in (20, 15):
        house.clock.set(house.clock() + timedelta(minutes=minutes))
        assert (await of_bo.refreshes()).grant is not None
    assert (await phone.refreshes()).reason == "ended"


async def test_a_code_is_good_for_its_minute(house: House) -> None:
    phone, late = await house.phone_of(house.anna), await house.phone_of(house.anna)
    assert (await phone.asks()).reason is (await late.asks()).reason is None
    house.clock.set(house.clock() + timedelta(seconds=59))
    assert (await phone.redeems()).grant is not None
    house.clock.set(house.clock() + timedelta(seconds=1))
    assert (await late.redeems()).reason == "expired"


async def test_an_app_s_own_session_is_no_browser_s_though_its_hash_were_known(house: House) -> None:
    phone = await house.phone_of(house.anna, offline=True)
    await phone.holds()
    known = secret()
    await house.firm.as_owner(
        "update sessions set session_sha256 = $1 where client_id is not null and employee_id = $2",
        bytes.fromhex(known),
        uuid_of(house.anna),
    )
    stolen = SessionCredential(company_id=str(house.firm.company_id), session_sha256=known)
    assert (await Phone(house.firm, stolen).asks()).reason == "no_session"


async def test_a_code_is_bound_to_the_address_and_the_app_that_it_was_asked_for(house: House) -> None:
    """RFC 6749 section 4.1.3."""
    phone = await house.phone_of(house.anna)
    assert (await phone.asks()).reason is None
    assert (await phone.redeems(client_id="another")).reason == "other_client"
    assert (await phone.redeems(redirect_uri=f"{RETURN}else")).reason == "wrong_proof"
    assert (await phone.redeems()).grant is None, "and it is spent"


async def test_what_is_not_redeemed_is_not_read(house: House) -> None:
    phone = await house.phone_of(house.anna)
    assert (await phone.asks()).reason is None
    [row] = await house.firm.as_owner("select grant_id from app_grants")
    assert not await phone.is_read(row["grant_id"].hex)


@pytest.mark.parametrize("offline", [False, True], ids=["the browser's session", "its own session"])
async def test_an_app_gives_back_its_own_and_nothing_of_another_app_or_person(house: House, offline: bool) -> None:
    phone = await house.phone_of(house.anna, offline=offline)
    beside, of_bo = Phone(house.firm, phone.session, phone.scopes), await house.phone_of(house.bo)
    held, kept, his = [await one.holds() for one in (phone, beside, of_bo)]
    assert await house.sessions_of(house.anna) == (3 if offline else 1)
    assert not await phone.gives_back(client_id="another")
    assert not await phone.gives_back(grant_id=held.grant_id, client_id="another")
    assert await phone.is_read(held.grant_id)
    assert await phone.gives_back(grant_id=held.grant_id)
    assert not await phone.gives_back(), "there is none any more"
    assert await house.sessions_of(house.anna) == 1 + offline, "the browser's stays, and of the apps' own the other one"
    assert not await phone.is_read(held.grant_id)
    assert await beside.is_read(kept.grant_id)
    assert await of_bo.is_read(his.grant_id)
    assert await of_bo.gives_back()


@pytest.mark.parametrize("whose", ["nobody's", "another company's"])
async def test_what_a_company_does_not_have_is_unknown_whether_or_not_there_is_such_a_company(
    house: House, other_firm: Firm, whose: str
) -> None:
    """S74: what one company's app holds is nothing under another's name, and a company is not told to exist."""
    phone, waiting = await house.phone_of(house.anna), await house.phone_of(house.anna)
    held = await phone.holds()
    await waiting.asks()
    firm = replace(other_firm, company_id=uuid4()) if whose == "nobody's" else other_firm
    phone.firm = waiting.firm = firm
    session = SessionCredential(company_id=str(firm.company_id), session_sha256=phone.session.session_sha256)
    assert await Phone(firm, session).asks() == IssuedCode(reason="no_session")
    assert await waiting.redeems() == Granted(reason="unknown")
    assert await phone.refreshes() == Granted(reason="unknown")
    assert not await phone.is_read(held.grant_id)
    assert not await phone.is_read()
    assert not await phone.gives_back(grant_id=held.grant_id)
    assert not await phone.gives_back()
    phone.firm = house.firm
    assert (await phone.refreshes()).grant is not None


async def test_a_refresh_without_a_successor_is_refused_before_anything_is_looked_at(house: House) -> None:
    phone = await house.phone_of(house.anna)
    await phone.holds()
    request = RefreshGrant(
        company_id=str(house.firm.company_id), client_id=phone.client_id, family_sha256=phone.family,
        refresh_sha256=phone.token, successors=[],
    )  # fmt: skip
    with pytest.raises(DomainError, match="successor"):
        await oidc.refresh_grant(house.firm.database, request)
    assert await phone.is_read()


async def test_a_code_is_given_to_whom_the_app_wants_and_to_nobody_else(house: House) -> None:
    phone = await house.phone_of(house.anna)
    assert (await phone.asks(employee_id=house.bo.id)).reason == "other_person"
    assert (await phone.asks(company="another")).reason == "other_company"
    assert (await phone.asks(signed_in_after=house.clock() + timedelta(seconds=1))).reason == "signed_in_too_early"
    assert await house.rows() == []
    assert await phone.asks(employee_id=house.anna.id, company=house.firm.name) == IssuedCode(
        company=house.firm.name, employee_id=house.anna.id
    )


async def test_an_app_is_told_who_approves_for_somebody_at_this_moment(house: House) -> None:
    """S16, A17: manager of somebody who is employed, and not of oneself."""
    chief, report = await house.phone_of(house.anna), await house.phone_of(house.bo)
    await chief.holds()
    await report.holds()

    async def approvers() -> list[bool]:
        told = [(await one.refreshes()).grant for one in (chief, report)]
        return [one is not None and one.user.roles == ["approver"] for one in told]

    manager = "update employees set manager_id = $1 where employee_id = $2"
    await house.firm.as_owner(manager, uuid_of(house.bo), uuid_of(house.bo))
    assert await approvers() == [False, False]
    await house.firm.as_owner(manager, uuid_of(house.anna), uuid_of(house.bo))
    assert await approvers() == [True, False]


async def test_who_signs_in_again_takes_his_own_along_and_nobody_else_s(house: House) -> None:
    phone, elsewhere, of_bo = [await house.phone_of(one) for one in (house.anna, house.anna, house.bo)]
    held, other, his = [await one.holds() for one in (phone, elsewhere, of_bo)]
    again = await house.sign_ins.open(await house.sign_ins.accept(house.anna), instead_of=phone.session)
    assert again.opened
    for one, before, person, moved in (
        (phone, held, house.anna, True),
        (elsewhere, other, house.anna, False),
        (of_bo, his, house.bo, False),
    ):
        grant = (await one.refreshes()).grant
        assert grant is not None
        assert grant.user.employee_id == person.id
        assert (grant.session_id != before.session_id) is moved


@pytest.mark.parametrize("offline", [False, True], ids=["the browser's session", "its own session"])
async def test_a_misuse_ends_what_was_misused_and_nothing_beside_it(house: House, offline: bool) -> None:
    phone = await house.phone_of(house.anna, offline=offline)
    beside, of_bo = Phone(house.firm, phone.session, phone.scopes), await house.phone_of(house.bo)
    held, kept, his = [await one.holds() for one in (phone, beside, of_bo)]
    assert (await phone.redeems()).reason == "reused"
    assert await house.sessions_of(house.anna) == 1 + offline, "the browser's stays, and of the apps' own the other one"
    assert not await phone.is_read(held.grant_id)
    assert await beside.is_read(kept.grant_id)
    assert await of_bo.is_read(his.grant_id)
