"""Whatever ends sessions says so in the history, in the same transaction: when, by whose request, why, and which."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from directory.companies import ending as company_ending
from directory.companies import signing
from directory.database import Actor, CompanyTx, Database
from directory.employees import setup
from directory.logins import operations as logins
from directory.logins.ending import Why, end_all
from shared.ids import session_text
from shared.schemas import people
from shared.schemas.employee import Employee
from shared.schemas.login import EndSession, SessionCredential
from shared.telemetry import context
from tests.support.clock import SettableClock
from tests.support.firm import Firm, uuid_of
from tests.support.sign_ins import SIGNER, SignIns


@dataclass
class SignedIn:
    """Anna, in two browsers, and once more with a ticket on its way."""

    firm: Firm
    sign_ins: SignIns
    anna: Employee
    here: SessionCredential
    sessions: list[str]


@pytest.fixture
async def anna(firm: Firm, firm_clock: SettableClock) -> SignedIn:
    sign_ins = await SignIns.of(firm, firm_clock)
    anna = await firm.create(external_id=str(uuid4()))
    here = await sign_ins.session_of(anna)
    await sign_ins.session_of(anna)
    rows = await firm.as_owner("select session_id from sessions order by signed_in_at, session_id")
    await sign_ins.accept(anna)
    return SignedIn(firm, sign_ins, anna, here, [session_text(row["session_id"]) for row in rows])


async def suspended(anna: SignedIn) -> None:
    await anna.firm.change(anna.anna, active=False)


async def departed(anna: SignedIn) -> None:
    await anna.firm.remove(anna.anna)


async def blocked(anna: SignedIn) -> None:
    request = people.BlockAccess(session=await anna.firm.admin(), person=anna.anna.id, blocked=True)
    await setup.block_access(anna.firm.database, request)


async def relinked(anna: SignedIn) -> None:
    await anna.firm.change(anna.anna, external_id=str(uuid4()))


async def sso_off(anna: SignedIn) -> None:
    async with anna.firm.operator() as tx:
        await end_all(tx, Why.sso_off)


async def certificate_compromised(anna: SignedIn) -> None:
    async with anna.firm.operator() as tx:
        await signing.remove(tx, SIGNER, compromised=True)


async def company_closed(anna: SignedIn) -> None:
    async with (
        Database(anna.firm.urls.owner, clock=anna.firm.database.clock, min_size=1, max_size=1) as owner,
        owner.scope_for_id(anna.firm.company_id).transaction(Actor("operator", "test")) as tx,
    ):
        await company_ending.close(tx, timedelta(days=1))


EVERYTHING = [suspended, departed, blocked, relinked, sso_off, certificate_compromised, company_closed]


async def receipts(firm: Firm, person: Employee) -> list[dict[str, Any]]:
    return [event for event in await firm.history(person) if "ended" in event["changes"]]


@pytest.mark.parametrize("end", EVERYTHING, ids=lambda end: str(end.__name__))
async def test_what_takes_access_away_leaves_a_receipt(
    anna: SignedIn, end: Callable[[SignedIn], Awaitable[None]]
) -> None:
    """S39, S46, S68: when, by which request, why, and which sessions."""
    known = context.request_id.set("req-1")
    try:
        await end(anna)
    finally:
        context.request_id.reset(known)

    [receipt] = await receipts(anna.firm, anna.anna)
    assert (receipt["kind"], receipt["request_id"]) == ("session.revoked", "req-1")
    ended = receipt["changes"]["ended"]
    assert ended == {"why": end.__name__, "sessions": anna.sessions, "tickets": 1}
    assert await anna.firm.as_owner("select 1 from sessions where employee_id = $1", uuid_of(anna.anna)) == []


async def test_a_receipt_stands_with_what_it_tells_of_or_not_at_all(anna: SignedIn) -> None:
    with pytest.raises(ZeroDivisionError):
        await _fail_behind(anna, lambda tx: end_all(tx, Why.sso_off))
    assert await receipts(anna.firm, anna.anna) == []
    assert len(await anna.firm.as_owner("select 1 from sessions")) == 2


async def _fail_behind(anna: SignedIn, end: Callable[[CompanyTx], Awaitable[object]]) -> None:
    async with anna.firm.operator() as tx:
        await end(tx)
        raise ZeroDivisionError


async def test_whoever_had_no_session_gets_no_receipt(firm: Firm) -> None:
    anna = await firm.create()
    await firm.change(anna, active=False)
    assert await firm.kinds(anna) == ["employee.created", "employee.suspended"]


async def test_who_ends_his_own_session_gets_a_receipt_of_that_one(anna: SignedIn) -> None:
    await logins.end_session(anna.firm.database, EndSession(session=anna.here))
    [receipt] = await receipts(anna.firm, anna.anna)
    assert (receipt["kind"], receipt["actor_id"]) == ("session.ended", anna.anna.id)
    assert receipt["changes"]["ended"] == {"why": "signed_out", "sessions": anna.sessions[:1], "tickets": 0}


async def test_a_session_that_a_new_sign_in_replaces_has_one_too(anna: SignedIn) -> None:
    """S88: session ids change with every login, also the same person's."""
    ticket = await anna.sign_ins.accept(anna.anna)
    assert (await anna.sign_ins.open(ticket, instead_of=anna.here)).opened
    [receipt] = await receipts(anna.firm, anna.anna)
    assert receipt["changes"]["ended"] == {"why": "signed_in_again", "sessions": anna.sessions[:1], "tickets": 0}


async def test_what_the_receipt_names_is_what_was_opened(anna: SignedIn) -> None:
    opened = [event for event in await anna.firm.history(anna.anna) if event["kind"] == "session.opened"]
    assert [event["changes"]["session"]["id"] for event in opened] == anna.sessions


async def test_more_sessions_than_one_event_holds_are_told_by_several(anna: SignedIn) -> None:
    await anna.firm.as_owner(
        "insert into sessions (company_id, session_sha256, employee_id, name_id, signed_in_at, expires_at) "
        "select company_id, decode(md5(n::text) || md5(n::text), 'hex'), employee_id, 'x', now(), now() + interval '1 day' "
        "from sessions, generate_series(1, 700) n where session_sha256 = $1",
        bytes.fromhex(anna.here.session_sha256),
    )
    await suspended(anna)
    told = [one["changes"]["ended"] for one in await receipts(anna.firm, anna.anna)]
    assert [(len(one["sessions"]), one["tickets"]) for one in told] == [(500, 1), (202, 0)]


@pytest.mark.parametrize("happens", [suspended, departed, blocked, relinked])
async def test_what_happens_to_one_takes_no_session_and_no_ticket_of_another(
    anna: SignedIn, happens: Callable[[SignedIn], Awaitable[None]]
) -> None:
    bo = await anna.firm.create(login="bo@firma.dk", external_id=str(uuid4()))
    await anna.sign_ins.session_of(bo)
    ticket = await anna.sign_ins.accept(bo)
    await happens(anna)
    left = await anna.firm.as_owner(
        "select employee_id from sessions where employee_id in ($1, $2)", uuid_of(anna.anna), uuid_of(bo)
    )
    assert [row["employee_id"] for row in left] == [uuid_of(bo)]
    assert (await anna.sign_ins.open(ticket)).opened
