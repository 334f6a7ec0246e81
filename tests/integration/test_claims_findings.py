"""First logins in the database: what the company is told of its claims over time, and that nobody is ever taken for another."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from directory.findings.catalogue import CLAIMS
from directory.findings.store import open_findings
from directory.logins import operations as logins
from shared.errors import DomainError, ErrorCode
from shared.schemas import login
from shared.schemas.employee import Employee
from shared.schemas.people import Finding
from tests.support.clock import SettableClock
from tests.support.firm import Firm
from tests.support.sign_ins import SIGNER, SignIns

MAIL = "anna.holm@firma.dk"


@pytest.fixture
async def sign_ins(firm: Firm, firm_clock: SettableClock) -> AsyncIterator[SignIns]:
    yield await SignIns.of(firm, firm_clock)
    firm_clock.set(None)


async def attempt(
    sign_ins: SignIns, person: Employee | UUID, name_id: str, mail: str | None = None
) -> login.LoginOutcome:
    object_id = person if isinstance(person, UUID) else person.external_id
    return await logins.complete_login(
        sign_ins.firm.database,
        login.LoginAttempt(
            company=sign_ins.firm.name, ticket_sha256=secrets.token_bytes(32).hex(), ticket_ttl_s=60, in_response_to=None,
            assertion_id=f"_{uuid4()}", expires_at=sign_ins.clock() + timedelta(hours=1), tenant_id=sign_ins.tenant_id,
            object_id=str(object_id), name_id=name_id, email_claim=mail, signer_fingerprint=SIGNER,
        ),
    )  # fmt: skip


async def told(firm: Firm) -> dict[str, Finding]:
    async with firm.operator() as tx:
        return {one.kind: one for one in await open_findings(tx) if one.kind in CLAIMS}


async def test_what_is_seen_again_is_counted_once_an_hour(
    firm: Firm, sign_ins: SignIns, firm_clock: SettableClock
) -> None:
    anna = await firm.create(external_id=str(uuid4()))
    for minutes, times in [(0, 1), (1, 1), (58, 1), (1, 2), (59, 2), (120, 3)]:
        firm_clock.set(firm_clock() + timedelta(minutes=minutes))
        await attempt(sign_ins, anna, anna.login_name, MAIL)
        assert (await told(firm))["email_not_mail"].times == times


async def test_a_morning_s_logins_at_once_are_one_finding_and_all_of_them_signed_in(
    firm: Firm, sign_ins: SignIns
) -> None:
    people = [await firm.create(login=f"p{number}@firma.dk", external_id=str(uuid4())) for number in range(12)]
    answers = await asyncio.gather(*(attempt(sign_ins, one, one.login_name, MAIL) for one in people))
    assert all(one.accepted for one in answers)
    assert list(await told(firm)) == ["email_not_mail"]


async def test_it_is_over_by_the_next_login_that_agrees_of_the_one_it_was_seen_of(
    firm: Firm, sign_ins: SignIns
) -> None:
    anna, bo = [await firm.create(login=name, external_id=str(uuid4())) for name in ("anna@firma.dk", "bo@firma.dk")]
    await attempt(sign_ins, anna, "upn@firma.dk", "anna@firma.dk")
    await attempt(sign_ins, bo, "bo@firma.dk", "bo@firma.dk")
    assert list(await told(firm)) == ["name_id_not_email"]
    await attempt(sign_ins, anna, "anna@firma.dk", "anna@firma.dk")
    assert await told(firm) == {}


async def test_where_he_never_comes_again_it_is_over_thirty_days_after_it_was_last_seen(
    firm: Firm, sign_ins: SignIns, firm_clock: SettableClock
) -> None:
    anna, bo = [await firm.create(login=name, external_id=str(uuid4())) for name in ("anna@firma.dk", "bo@firma.dk")]
    await attempt(sign_ins, anna, "upn@firma.dk", "anna@firma.dk")
    firm_clock.set(firm_clock() + timedelta(days=29))
    await attempt(sign_ins, bo, "bo@firma.dk")
    assert list(await told(firm)) == ["name_id_not_email"]
    firm_clock.set(firm_clock() + timedelta(days=1))
    await attempt(sign_ins, bo, "bo@firma.dk")
    assert await told(firm) == {}


async def test_it_goes_with_the_person_it_was_seen_of(firm: Firm, sign_ins: SignIns) -> None:
    """Nothing of him stands in it but his id: what is erased with him is the whole of it."""
    anna = await firm.create(external_id=str(uuid4()))
    await attempt(sign_ins, anna, "upn@firma.dk", "anna@firma.dk")
    [row] = await firm.as_owner("select * from findings where kind = 'name_id_not_email'")
    for text in ("anna", "upn@", "firma.dk", str(anna.external_id)):
        assert text not in row["details"] + row["subject"]
    assert (await told(firm))["name_id_not_email"].employee_id == anna.id


# Nobody is linked twice, nor two to one.

SPELLINGS = [
    ("anna@firma.dk", "ANNA@Firma.DK", True),
    ("\u00c5se@firma.dk", "a\u030ase@firma.dk", True),
    ("\u212bse@firma.dk", "\u00e5se@firma.dk", True),
    ("\u212a@firma.dk", "k@firma.dk", True),
    ("straße@firma.dk", "STRASSE@firma.dk", False),
    ("straße@firma.dk", "STRAẞE@firma.dk", True),
    ("ıris@firma.dk", "iris@firma.dk", False),
    ("İris@firma.dk", "iris@firma.dk", False),
    ("\u0430nna@firma.dk", "anna@firma.dk", False),
    ("ａnna@firma.dk", "anna@firma.dk", False),
    ("ﬁrma@firma.dk", "firma@firma.dk", False),
    ("anna @firma.dk", "anna@firma.dk", False),
    ("anna+x@firma.dk", "anna@firma.dk", False),
    ("anna.@firma.dk", "anna@firma.dk", False),
    ("anna\u200b@firma.dk", "anna@firma.dk", False),
    ("an\u00adna@firma.dk", "anna@firma.dk", False),
    ("anna@xn--smrrebrd-64af.dk", "anna@smørrebrød.dk", False),
]
"""Two spellings, and whether they are one name: without case, in Unicode NFC, and in no other way (D2)."""


@pytest.mark.parametrize(("stored", "said", "same"), SPELLINGS)
async def test_the_database_provisioning_and_the_login_agree_on_what_one_name_is(
    firm: Firm, sign_ins: SignIns, stored: str, said: str, same: bool
) -> None:
    anna = await firm.create(login=stored)
    found = (await firm.find(login_name=said)).employees
    assert [one.id for one in found] == ([anna.id] if same else [])
    object_id = uuid4()
    outcome = await attempt(sign_ins, object_id, said)
    assert outcome.employee_id == (anna.id if same else None)
    assert (await attempt(sign_ins, object_id, stored)).employee_id == anna.id
    if same:
        with pytest.raises(DomainError) as refused:
            await firm.create(login=said)
        assert refused.value.code is ErrorCode.login_taken
        return
    other = await firm.create(login=said)
    assert (await attempt(sign_ins, uuid4(), said)).employee_id == other.id
    assert not (await attempt(sign_ins, uuid4(), stored)).accepted, "he is linked to another object"


async def test_of_two_first_logins_at_once_by_one_name_one_is_linked(firm: Firm, sign_ins: SignIns) -> None:
    for round_ in range(6):
        anna = await firm.create(login=f"anna{round_}@firma.dk")
        answers = await asyncio.gather(*(attempt(sign_ins, uuid4(), anna.login_name) for _ in range(4)))
        assert sorted(one.reason or "in" for one in answers) == ["in", *["no_such_employee"] * 3]


async def test_of_one_object_s_first_logins_at_once_by_two_people_s_names_one_is_linked(
    firm: Firm, sign_ins: SignIns
) -> None:
    for round_ in range(6):
        one, two = [await firm.create(login=f"{name}{round_}@firma.dk") for name in ("one", "two")]
        object_id = uuid4()
        answers = await asyncio.gather(*(attempt(sign_ins, object_id, who.login_name) for who in (one, two)))
        assert len({answer.employee_id for answer in answers}) == 1, "whoever was second is known by the object id"
        rows = await firm.as_owner("select 1 from employees where entra_object_id = $1", object_id)
        assert len(rows) == 1


async def test_a_first_login_beside_provisioning_that_gives_the_object_to_another_links_one(
    firm: Firm, sign_ins: SignIns
) -> None:
    """Entra says of a new person what a login says of an old one, at the same moment."""
    for round_ in range(6):
        anna = await firm.create(login=f"anna{round_}@firma.dk")
        object_id = uuid4()
        outcome, made = await asyncio.gather(
            attempt(sign_ins, object_id, anna.login_name),
            firm.create(login=f"bo{round_}@firma.dk", external_id=str(object_id)),
            return_exceptions=True,
        )
        rows = await firm.as_owner("select employee_id from employees where entra_object_id = $1", object_id)
        assert len(rows) == 1
        assert isinstance(outcome, login.LoginOutcome)
        assert outcome.accepted
        owner = f"emp_{rows[0]['employee_id'].hex}"
        assert outcome.employee_id == owner
        assert owner == (made.id if isinstance(made, Employee) else anna.id)
