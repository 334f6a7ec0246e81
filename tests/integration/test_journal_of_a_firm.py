"""The journal in directory: written once, by whose token it is, for as long as the company keeps it; erased with the person."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from directory import sweep as sweeping
from directory.companies.deleting import SYSTEM
from directory.database import Database
from directory.journal import operations, store
from directory.journal.operations import note_exchanges
from directory.retention.erasure import erase_due
from directory.settings import DatabaseSettings
from directory.sweep import sweep
from shared.clock import system_clock
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import ScimCredential
from shared.schemas.journal import ExchangeBatch, JournalEntry, NoteExchanges
from tests.support.firm import Firm, Urls, uuid_of
from tests.support.journal_notes import change, exchange, note, noted, provision
from tests.support.plans import plans_of, sent_by
from tests.support.stack import with_database
from tests.support.traces import places_of


@pytest.fixture
async def owner(firm_urls: Urls) -> AsyncIterator[Database]:
    async with Database(firm_urls.owner, clock=system_clock, min_size=1, max_size=4) as database:
        yield database


@pytest.fixture
async def superuser(postgres_url: str, firm_urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(with_database(postgres_url, firm_urls.database))
    yield connection
    await connection.close()


async def page(firm: Firm, **asked: Any) -> list[JournalEntry]:
    async with firm.operator() as tx:
        return (await operations.page(tx, **asked)).entries


# Written


async def test_what_is_given_twice_is_written_once(firm: Firm) -> None:
    one, other = exchange(names=["anna@firma.dk"]), exchange(names=["anna@firma.dk"])
    assert await note(firm, one) == "written"
    assert await note(firm, one, other) == "written"
    assert len(await page(firm)) == 2
    assert len(await firm.as_owner("select 1 from exchange_people")) == 2


async def test_a_batch_is_one_transaction_of_one_statement_behind_the_door(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [exchange(names=[f"p{number}@firma.dk"]) for number in range(200)]
    assert [one.name for one, _ in await sent_by(monkeypatch, lambda: note(firm, *batch))] == ["insert_exchanges"]


async def test_each_batch_goes_where_its_token_belongs_and_a_wrong_one_nowhere(firm: Firm, other_firm: Firm) -> None:
    wrong = ScimCredential(token_sha256="0" * 64, company=firm.name)
    crossed = ScimCredential(token_sha256=other_firm.credential.token_sha256, company=firm.name)
    odd = ScimCredential(token_sha256="nonsense", company=firm.name)
    given = ((wrong, "/wrong"), (firm.credential, "/mine"), (crossed, "/crossed"), (odd, "/odd"))
    batches = [
        ExchangeBatch(credential=credential, exchanges=[exchange(path=path)])
        for credential, path in (*given, (other_firm.credential, "/theirs"))
    ]
    request = NoteExchanges(batches=batches)
    answer = await note_exchanges(firm.database, request)
    assert answer.outcomes == ["refused", "written", "refused", "unfit", "written"]
    assert [one.path for one in await page(firm)] == ["/mine"]
    assert [one.path for one in await page(other_firm)] == ["/theirs"]


async def test_it_is_written_where_provisioning_is_refused_too(firm: Firm) -> None:
    await firm.as_owner("update connections set provisioning_enabled = false")
    assert await note(firm, exchange(status=403)) == "written"
    assert [one.status for one in await page(firm, refused=True)] == [403]


async def test_what_cannot_be_stored_is_no_matter_of_the_others(firm: Firm) -> None:
    batches = [
        ExchangeBatch(credential=firm.credential, exchanges=[one])
        for one in (exchange(path="/\x00"), exchange(path="/x"), msgspec.structs.replace(exchange(), exchange_id="odd"))
    ]
    assert (await note_exchanges(firm.database, NoteExchanges(batches=batches))).outcomes == [
        "unfit",
        "written",
        "unfit",
    ]


async def test_a_database_that_is_away_is_told_as_such(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> int:
        raise DomainError(ErrorCode.unavailable, "away")

    monkeypatch.setattr(store, "insert", away)
    assert await note(firm, exchange()) == "again"


async def test_names_that_can_be_nobody_s_are_left(firm: Firm) -> None:
    odd = ["", "a\x00b", "\ud800", "x" * 5000, "ANNA@firma.dk"]
    assert await note(firm, exchange(names=odd, about=["emp_nonsense"])) == "written"
    keys = [row["key"] for row in await firm.as_owner("select key from exchange_people")]
    assert keys == ["anna@firma.dk"]


# Read


async def test_it_is_read_newest_first_and_page_by_page(firm: Firm) -> None:
    now = datetime.now(UTC)
    for minutes in (3, 1, 2):
        await note(firm, exchange(now - timedelta(minutes=minutes), path=f"/{minutes}"))
    assert [one.path for one in await page(firm)] == ["/1", "/2", "/3"]
    first = (await page(firm, limit=1))[0]
    assert [one.path for one in await page(firm, limit=2, before=first.id)] == ["/2", "/3"]
    assert abs(first.at - (now - timedelta(minutes=1))) < timedelta(milliseconds=2)


@pytest.mark.parametrize(
    ("asked", "field"), [({"limit": 0}, "limit"), ({"limit": 201}, "limit"), ({"before": "x"}, "before")]
)
async def test_what_cannot_be_asked_is_named(firm: Firm, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as refused:
        await page(firm, **asked)
    assert (refused.value.code, refused.value.field) == (ErrorCode.invalid_request, field)


@pytest.mark.parametrize("person", ["nobody", "emp_" + "0" * 32, "a\x00b", "\ud800", "'; drop table exchanges", "%"])
async def test_whoever_is_not_there_has_no_entries(firm: Firm, person: str) -> None:
    await noted(firm, provision(), names=["anna@firma.dk"])
    assert await page(firm, person=person) == []


async def test_somebody_who_bears_the_name_later_is_somebody_else(firm: Firm) -> None:
    first = await firm.create()
    of_first = await noted(firm, change(first.id, title="A"), names=["anna@firma.dk"])
    await firm.remove(first)
    second = await firm.create()
    of_second = await noted(firm, change(second.id, title="B"), names=["anna@firma.dk"])
    assert [one.id for one in await page(firm, person=first.id)] == [of_first]
    assert [one.id for one in await page(firm, person=second.id)] == [of_second]
    assert [one.id for one in await page(firm, person="anna@firma.dk")] == [of_second, of_first]


async def test_no_question_reads_the_journal_from_end_to_end(
    firm: Firm, other_firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await firm.create()
    for some in (firm, other_firm):
        for start in range(0, 2000, 200):
            batch = [
                exchange(
                    names=[f"p{start + number}@firma.dk"], about=[anna.id] if number == 7 else [], activity_id="a" * 36
                )
                for number in range(200)
            ]
            await note(some, *batch)
    await firm.as_owner("analyze exchanges")
    await firm.as_owner("analyze exchange_people")

    async def everything() -> None:
        await page(firm)
        await page(firm, refused=True)
        await page(firm, activity_id="b" * 36)
        await page(firm, person=anna.id)
        await page(firm, person="p1500@firma.dk")

    for name, plan in (await plans_of(firm, monkeypatch, everything)).items():
        assert "Seq Scan on exchange" not in plan, (name, plan)
        assert "Sort" not in plan or name != "exchanges.page", plan


# Kept


async def test_a_sweep_trims_what_is_older_than_the_company_keeps_it(
    firm: Firm, other_firm: Firm, firm_urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "TRIMMED_AT_ONCE", 3)
    await firm.as_owner("update companies set journal_days = 7")
    now = datetime.now(UTC)
    for one in (firm, other_firm):
        for days in (0, 6, 8, 8, 8, 9, 9, 10, 29, 31):
            await note(one, exchange(now - timedelta(days=days, hours=-1), names=["anna@firma.dk"], path=f"/{days}"))
    swept = await sweep(DatabaseSettings(database_url=firm_urls.owner))
    assert swept["exchanges"] == 8 + 1
    assert [one.path for one in await page(firm)] == ["/0", "/6"]
    assert len(await firm.as_owner("select 1 from exchange_people")) == 2
    assert len(await page(other_firm)) == 9


async def test_two_sweeps_at_once_trim_it_once(firm: Firm, firm_urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "TRIMMED_AT_ONCE", 5)
    long_ago = datetime.now(UTC) - timedelta(days=60)
    await note(firm, *(exchange(long_ago, names=[f"p{number}@firma.dk"]) for number in range(40)))
    swept = await asyncio.gather(*(sweep(DatabaseSettings(database_url=firm_urls.owner)) for _ in range(3)))
    assert sum(one["exchanges"] for one in swept) == 40
    assert await firm.as_owner("select 1 from exchange_people") == []


async def test_the_application_can_neither_alter_nor_delete_it(firm: Firm, firm_urls: Urls) -> None:
    await noted(firm)
    app = await asyncpg.connect(firm_urls.app)
    try:
        for sql in ("update exchanges set detail = ''", "delete from exchanges", "delete from exchange_people"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(sql)
    finally:
        await app.close()


# Erased


@pytest.mark.parametrize("departed", [False, True], ids=["suspended", "departed"])
async def test_an_erased_person_is_gone_from_it_and_from_what_is_about_others(
    firm: Firm, owner: Database, superuser: asyncpg.Connection, departed: bool
) -> None:
    tag = uuid.uuid4().hex[:8]
    old, new = f"old-{tag}@firma.dk", f"new-{tag}@firma.dk"
    await noted(firm, provision(login=old), names=[old], status=409, body=f'{{"userName": "{old}"}}')
    anna = await firm.create(login=old, title=f"Title{tag}")
    await noted(firm, change(anna.id, login_name=new, title=f"Title{tag}"), names=[new], body=f'"{new} Title{tag}"')
    await firm.change(anna, login_name=new, email=new)
    bo = await firm.create(login="bo@firma.dk")
    await noted(firm, change(bo.id, manager_ref=new.upper()), mentions=[new.upper()], body=f'"{new}"')
    await noted(firm, names=[new], query=f'filter=userName eq "{new}"')
    kept = [await noted(firm, change(bo.id, title="Kok"), names=["bo@firma.dk"]), await noted(firm)]
    assert "public.exchanges" in await places_of(superuser, {old, new, f"Title{tag}"}, company_id=firm.company_id)
    if departed:
        await firm.remove(anna)
    else:
        await firm.change(anna, active=False)
    await firm.as_owner(
        "update employees set termination_date = $2, suspended_on = $2 where employee_id = $1",
        uuid_of(anna),
        date(2019, 5, 31),
    )
    await firm.as_owner("update companies set erase_after_months = 1")

    assert await erase_due(lambda: owner.scope_for_name(firm.name).transaction(SYSTEM)) == 1

    assert await places_of(superuser, {old, new, f"Title{tag}"}, company_id=firm.company_id) == {}
    assert {one.id for one in await page(firm)} == set(kept)
    keys = {row["key"] for row in await firm.as_owner("select key from exchange_people")}
    assert keys == {bo.id, "bo@firma.dk"}


async def test_whoever_bears_the_name_now_keeps_what_is_his(firm: Firm, owner: Database) -> None:
    first = await firm.create()
    await noted(firm, change(first.id, title="A"), names=["anna@firma.dk"])
    await firm.remove(first)
    second = await firm.create()
    hers = await noted(firm, change(second.id, title="B"), names=["anna@firma.dk"])
    asked = await noted(firm, names=["anna@firma.dk"])
    await firm.as_owner(
        "update employees set termination_date = $2, suspended_on = $2 where employee_id = $1",
        uuid_of(first),
        date(2019, 5, 31),
    )
    await firm.as_owner("update companies set erase_after_months = 1")
    assert await erase_due(lambda: owner.scope_for_name(firm.name).transaction(SYSTEM)) == 1
    assert {one.id for one in await page(firm)} == {hers, asked}


async def test_whoever_was_found_by_a_look_up_for_another_is_not_him(firm: Firm) -> None:
    """A list of two, and a look-up that finds somebody else: a name in it is not the name of whom it is about."""
    xenia, yrsa = await firm.create(login="xenia@firma.dk"), await firm.create(login="yrsa@firma.dk")
    hers = await noted(
        firm, change(yrsa.id, title="Kok"), names=["yrsa@firma.dk"], method="PATCH", path=f"/Users/{yrsa.id}"
    )
    both = ["xenia@firma.dk", "yrsa@firma.dk"]
    listed = await noted(firm, about=[xenia.id, yrsa.id], names=both)
    found = await noted(firm, about=[yrsa.id], names=["ghost@firma.dk", "yrsa@firma.dk"])
    assert {one.id for one in await page(firm, person="xenia@firma.dk")} == {listed}
    assert {one.id for one in await page(firm, person=xenia.id)} == {listed}
    assert {one.id for one in await page(firm, person="ghost@firma.dk")} == {found}
    assert {one.id for one in await page(firm, person="yrsa@firma.dk")} == {hers, listed, found}


async def test_a_change_that_names_him_beside_somebody_is_found_and_a_look_up_is_not(firm: Firm) -> None:
    boss, anna = await firm.create(login="boss@firma.dk"), await firm.create()
    made = await noted(
        firm, change(anna.id, manager_ref=boss.id), mentions=[boss.id], method="PATCH", path=f"/Users/{anna.id}"
    )
    await noted(firm, about=[anna.id], mentions=[boss.id])
    for person in (boss.id, "boss@firma.dk"):
        assert {one.id for one in await page(firm, person=person)} == {made}


async def test_whose_name_a_refused_change_wanted_to_give_is_not_who_it_is_about(firm: Firm) -> None:
    """Or his entries would be another's, and each would be shown with the other's."""
    anna, bo = await firm.create(login="anna@firma.dk"), await firm.create(login="bo@firma.dk")
    refused = await noted(
        firm, names=["bo@firma.dk"], method="PATCH", path=f"/Users/{anna.id}", status=409, about=[anna.id]
    )
    hers, his = await noted(firm, about=[anna.id]), await noted(firm, about=[bo.id])
    for person in (bo.id, "bo@firma.dk"):
        assert {one.id for one in await page(firm, person=person)} == {refused, his}
    for person in (anna.id, "anna@firma.dk"):
        assert {one.id for one in await page(firm, person=person)} == {refused, hers}


async def test_what_came_too_fast_is_no_refusal_to_look_at(firm: Firm) -> None:
    await noted(firm, status=429)
    refused = await noted(firm, status=400)
    assert [one.id for one in await page(firm, refused=True)] == [refused]
    assert len(await page(firm)) == 2
