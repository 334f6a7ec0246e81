"""Somebody signed out at Microsoft: which sessions end in directory, and whose do not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import asyncpg
import pytest

from directory.logins import operations as logins
from directory.logins.signing_out import end_idp_session
from shared.errors import DomainError
from shared.schemas import login
from shared.schemas.employee import Employee
from tests.support.clock import SettableClock
from tests.support.firm import Firm, uuid_of
from tests.support.sign_ins import EMAIL, SIGNER, SignIns


async def person(firm: Firm, login_name: str = "anna@firma.dk") -> Employee:
    """Somebody whom Entra provisioned."""
    return await firm.create(login=login_name, external_id=str(uuid4()))


@pytest.fixture
async def sign_ins(firm: Firm, firm_clock: SettableClock) -> SignIns:
    return await SignIns.of(firm, firm_clock)


@pytest.fixture
async def heard(firm: Firm) -> AsyncIterator[Callable[[], Awaitable[list[str]]]]:
    """What directory has told everybody who listens."""
    told: list[str] = []
    connection = await asyncpg.connect(firm.urls.owner)
    await connection.add_listener("sessions_ended", lambda *notified: told.append(str(notified[-1])))

    async def so_far() -> list[str]:
        await connection.execute("select 1")  # notifications come before its answer
        return told

    yield so_far
    await connection.close()


async def test_the_session_of_that_sign_in_ends_and_no_other(
    firm: Firm, sign_ins: SignIns, heard: Callable[[], Awaitable[list[str]]]
) -> None:
    anna, bo = await person(firm), await person(firm, "bo@firma.dk")
    for index in ("_anna-1", "_anna-2"):
        await sign_ins.sign_in(anna, index)
    await sign_ins.sign_in(bo, "_bo")

    ended = await sign_ins.sign_out("_anna-1", name_id=anna.login_name)

    assert (ended.accepted, ended.sessions, ended.found_by) == (True, 1, "session_index")
    assert await sign_ins.indexes() == ["_anna-2", "_bo"]
    last = (await firm.history(anna))[-1]
    assert (last["kind"], last["actor_kind"], last["actor_id"]) == ("session.signed_out", "entra", SIGNER)
    assert await heard() == [f"{firm.company_id}/{uuid_of(anna)}"]


async def test_several_sessions_end_at_once_with_one_receipt(firm: Firm, sign_ins: SignIns) -> None:
    anna = await person(firm)
    for index in ("_1", "_2", "_3"):
        await sign_ins.sign_in(anna, index)
    assert (await sign_ins.sign_out("_1", "_3", "_unknown")).sessions == 2
    assert await sign_ins.indexes() == ["_2"]
    receipt = (await firm.history(anna))[-1]
    assert (receipt["kind"], len(receipt["changes"]["ended"]["sessions"])) == ("session.signed_out", 2)


async def test_where_no_session_has_the_index_the_name_id_speaks(firm: Firm, sign_ins: SignIns) -> None:
    anna, bo = await person(firm), await person(firm, "bo@firma.dk")
    for one in (anna, anna, bo):
        await sign_ins.sign_in(one)
    ended = await sign_ins.sign_out("_never-seen", name_id=anna.login_name)
    assert (ended.sessions, ended.found_by) == (2, "name_id")
    assert (await firm.kinds(bo)).count("session.signed_out") == 0
    assert len(await sign_ins.indexes()) == 1


@pytest.mark.parametrize(
    ("name_id", "name_format", "sessions"),
    [
        ("anna@firma.dk", None, 1),
        ("anna@firma.dk", EMAIL, 1),
        ("anna@firma.dk", "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", 0),
        ("Anna@firma.dk", EMAIL, 0),
        ("GM2sJ2xsyk2c1yLk2nkD1yHt8Ef3Q0bqmfW2Z3kq7jI", None, 0),
    ],
)
async def test_a_name_id_counts_as_it_is_with_its_format_where_both_say_one(
    firm: Firm, sign_ins: SignIns, name_id: str, name_format: str | None, sessions: int
) -> None:
    await sign_ins.sign_in(await person(firm))
    assert (await sign_ins.sign_out(name_id=name_id, name_format=name_format)).sessions == sessions


async def test_a_session_stored_without_format_is_found_by_any(firm: Firm, sign_ins: SignIns) -> None:
    await sign_ins.sign_in(await person(firm), name_format=None)
    assert (await sign_ins.sign_out(name_id="anna@firma.dk", name_format=EMAIL)).sessions == 1


async def test_a_name_id_means_the_last_one_who_came_by_it(firm: Firm, sign_ins: SignIns) -> None:
    """A mail address may have passed from one to another."""
    anna, bo = await person(firm), await person(firm, "bo@firma.dk")
    await sign_ins.sign_in(anna, "_anna", name_id="info@firma.dk")
    await sign_ins.sign_in(bo, "_bo", name_id="info@firma.dk")
    assert (await sign_ins.sign_out(name_id="info@firma.dk")).sessions == 1
    assert await sign_ins.indexes() == ["_anna"]


async def test_told_twice_it_ends_nothing_more(firm: Firm, sign_ins: SignIns) -> None:
    """Not even where the NameID would find another sign-in of his."""
    anna = await person(firm)
    for index in ("_1", "_2"):
        await sign_ins.sign_in(anna, index)
    assert (await sign_ins.sign_out("_1", name_id=anna.login_name)).sessions == 1
    again = await sign_ins.sign_out("_1", name_id=anna.login_name)
    assert (again.accepted, again.sessions, again.found_by) == (True, 0, "nothing")
    assert await sign_ins.indexes() == ["_2"]


async def test_a_session_that_was_opened_later_is_not_meant(firm: Firm, sign_ins: SignIns) -> None:
    anna = await person(firm)
    await sign_ins.sign_in(anna, "_before")
    until = sign_ins.clock()
    await sign_ins.sign_in(anna, "_after")
    assert (await sign_ins.sign_out(name_id=anna.login_name, until=until)).sessions == 1
    assert await sign_ins.indexes() == ["_after"]


async def test_a_login_that_has_not_become_a_session_ends_too(firm: Firm, sign_ins: SignIns) -> None:
    anna = await person(firm)
    ticket = await sign_ins.accept(anna, "_on-its-way")
    assert (await sign_ins.sign_out("_on-its-way")).sessions == 0
    assert (await sign_ins.open(ticket)).reason == "expired"


async def test_a_login_that_was_accepted_later_is_not_meant_by_the_name_either(firm: Firm, sign_ins: SignIns) -> None:
    """Whoever keeps a logout and tells it again disturbs nobody who signs in anew."""
    anna = await person(firm)
    before, until = await sign_ins.accept(anna, "_before"), sign_ins.clock()
    after = await sign_ins.accept(anna, "_after")

    assert (await sign_ins.sign_out(name_id=anna.login_name, until=until)).accepted

    assert (await sign_ins.open(before)).reason == "expired"
    assert (await sign_ins.open(after)).opened
    assert (await sign_ins.sign_out(name_id=anna.login_name, until=until)).sessions == 0
    assert await sign_ins.indexes() == ["_after"]


async def test_a_name_that_was_given_on_since_is_his_who_bore_it_at_the_logout(firm: Firm, sign_ins: SignIns) -> None:
    """His successor's login is on its way, and is no matter of it."""
    anna, bo = await person(firm), await person(firm, "bo@firma.dk")
    await sign_ins.sign_in(anna, "_anna", "shared@firma.dk")
    until = sign_ins.clock()
    ticket = await sign_ins.accept(bo, "_bo", "shared@firma.dk")
    assert (await sign_ins.sign_out(name_id="shared@firma.dk", until=until)).sessions == 1
    assert (await sign_ins.open(ticket)).opened
    assert await sign_ins.indexes() == ["_bo"]


async def test_an_assertion_that_comes_after_its_logout_opens_nothing(firm: Firm, sign_ins: SignIns) -> None:
    anna = await person(firm)
    await sign_ins.sign_out("_late")
    with pytest.raises(AssertionError, match="replayed"):
        await sign_ins.accept(anna, "_late")


async def test_another_company_s_sessions_stay_whatever_they_are_called(
    firm: Firm, other_firm: Firm, firm_clock: SettableClock
) -> None:
    ours, theirs = await SignIns.of(firm, firm_clock), await SignIns.of(other_firm, firm_clock)
    for signed_in in (ours, theirs):
        await signed_in.sign_in(await person(signed_in.firm), "_same")
    assert (await ours.sign_out("_same", name_id="anna@firma.dk")).sessions == 1
    assert (await ours.sign_out(name_id="anna@firma.dk")).sessions == 0
    assert (await ours.indexes(), await theirs.indexes()) == ([], ["_same"])


async def test_a_certificate_that_is_trusted_no_more_signs_nobody_out(firm: Firm, sign_ins: SignIns) -> None:
    """However recently the gateway looked."""
    await sign_ins.sign_in(await person(firm), "_anna")
    refused = await sign_ins.sign_out("_anna", signer="e" * 64)
    assert (refused.accepted, refused.reason) == (False, "unknown_signer")
    assert await sign_ins.indexes() == ["_anna"]


async def test_a_company_that_is_not_there_is_told_so(sign_ins: SignIns) -> None:
    request = login.EndIdpSession(
        company="no-such-company", session_indexes=[], name_id="x", until=sign_ins.clock(), signer_fingerprint=SIGNER
    )
    with pytest.raises(DomainError, match="no such company"):
        await end_idp_session(sign_ins.firm.database, request)


async def test_who_ends_a_session_to_sign_out_at_microsoft_is_told_what_that_knows_it_by(
    firm: Firm, sign_ins: SignIns
) -> None:
    await sign_ins.sign_in(await person(firm), "_anna")
    [row] = await firm.as_owner("select session_sha256 from sessions")
    session = login.SessionCredential(company_id=str(firm.company_id), session_sha256=row["session_sha256"].hex())
    ended = await logins.end_session(firm.database, login.EndSession(session=session, at_idp=True))
    assert ended.idp_session is not None
    assert (ended.idp_session.name_id, ended.idp_session.name_id_format) == ("anna@firma.dk", EMAIL)
    assert (ended.idp_session.session_index, ended.idp_session.connection.company) == ("_anna", firm.name)
    assert await logins.end_session(
        firm.database, login.EndSession(session=session, at_idp=True)
    ) == login.EndedSession(ended=False)
