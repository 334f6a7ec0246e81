"""Erasing people by termination date: gone from every table but for the fact and the chain."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory.companies.deleting import SYSTEM
from directory.database import Database
from directory.employees.lifecycle import local_date
from directory.events.chain import Break
from directory.events.folding import fold
from directory.events.store import of_employee
from directory.events.verification import verify
from directory.findings.catalogue import FindingKind
from directory.findings.store import raise_finding
from directory.retention import erasure
from directory.retention.due import months_later
from directory.retention.erasure import erase_due
from directory.settings import DatabaseSettings
from directory.sweep import sweep
from shared.clock import system_clock
from shared.ids import employee_text
from shared.schemas.employee import Employee
from tests.support.firm import Firm, Urls, uuid_of
from tests.support.plans import plans_of
from tests.support.stack import with_database
from tests.support.traces import places_of

LONG_AGO = date(2019, 5, 31)


@pytest.fixture
async def owner(firm_urls: Urls) -> AsyncIterator[Database]:
    async with Database(firm_urls.owner, clock=system_clock, min_size=1, max_size=4) as database:
        yield database


@pytest.fixture
async def superuser(postgres_url: str, firm_urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(with_database(postgres_url, firm_urls.database))
    yield connection
    await connection.close()


async def erase(owner: Database, firm: Firm) -> int:
    return await erase_due(lambda: owner.scope_for_name(firm.name).transaction(SYSTEM))


async def keeps(firm: Firm, months: int | None) -> None:
    await firm.as_owner("update companies set erase_after_months = $1", months)


async def left(firm: Firm, employee: Employee, on: date = LONG_AGO, *, departed: bool = False) -> None:
    """Suspended, or departed, on a day of the past."""
    if departed:
        await firm.remove(employee)
    else:
        await firm.change(employee, active=False)
    await firm.as_owner("update employees set termination_date = $2 where employee_id = $1", uuid_of(employee), on)


async def anna_with_everything(firm: Firm) -> tuple[Employee, set[str]]:
    """Somebody who changed every name once, and every value that is hers alone."""
    tag = uuid.uuid4().hex[:8]
    first = {
        "login_name": f"Old-{tag}@firma.dk", "email": f"old-mail-{tag}@firma.dk", "external_id": f"nick-{tag}",
        "given_name": f"Anna{tag}", "family_name": f"Holm{tag}", "display_name": f"Shown{tag}", "formatted_name": f"Whole{tag}",
        "title": f"Title{tag}", "employee_number": f"Number{tag}", "work_phone": f"Work{tag}", "mobile_phone": f"Mobile{tag}",
    }  # fmt: skip
    later = {"login_name": f"New-{tag}@firma.dk", "email": f"new-mail-{tag}@firma.dk", "title": f"Later{tag}"}
    anna = await firm.create(**first)
    await firm.change(anna, **later)
    values = {*first.values(), *later.values()}
    async with firm.operator() as tx:
        await raise_finding(tx, FindingKind.adoption_waits, employee_text(uuid_of(anna)), employee_id=uuid_of(anna))
        # About nobody in particular, but it names her.
        await raise_finding(tx, FindingKind.mapping_broken, "email", details={"example": later["email"].upper()})
    return anna, values


async def breaks(firm: Firm) -> list[Break]:
    """Where the chain of the history does not hold."""
    owner = Database(firm.urls.owner, clock=system_clock, min_size=1, max_size=1)
    async with owner, owner.scope_for_name(firm.name).transaction() as tx:
        return (await verify(tx)).breaks


async def as_told(firm: Firm, employee: Employee) -> bool:
    """Whether a reader of the history arrives at what stands."""
    async with firm.operator() as tx:
        folded = fold(uuid_of(employee), await of_employee(tx, uuid_of(employee)))
    now, row = await firm.get(employee), await firm.row(employee)
    assert folded is not None
    assert folded.previous_employee_id == (
        employee_text(row["previous_employee_id"]) if row["previous_employee_id"] else None
    )
    names = ("login_name", "title", "manager_ref", "manager_id", "version", "updated_at")
    assert {name: getattr(folded, name) for name in names} == {name: getattr(now, name) for name in names}
    return True


# What goes


@pytest.mark.parametrize("departed", [False, True], ids=["suspended", "departed"])
async def test_no_trace_of_an_erased_person_remains_in_the_company(
    firm: Firm, other_firm: Firm, owner: Database, superuser: asyncpg.Connection, departed: bool
) -> None:
    """The values are looked for in every column of every table."""
    anna, values = await anna_with_everything(firm)
    boss = await firm.create(login="boss@firma.dk")
    await firm.change(anna, manager_ref=boss.id)
    by_login = await firm.create(login="a@firma.dk", manager_ref=next(one for one in values if one.startswith("New-")))
    by_old_login = await firm.create(
        login="b@firma.dk", manager_ref=next(one for one in values if one.startswith("Old-"))
    )
    by_id = await firm.create(login="c@firma.dk", manager_ref=anna.id)
    before = await places_of(superuser, values, company_id=firm.company_id)
    assert {"public.employees", "public.events", "public.findings"} <= before.keys()
    await left(firm, anna, departed=departed)
    await keeps(firm, 60)

    assert await erase(owner, firm) == 1

    assert await places_of(superuser, values, company_id=firm.company_id) == {}
    assert await firm.as_owner("select 1 from employees where employee_id = $1", uuid_of(anna)) == []
    for report, reference in ((by_login, None), (by_old_login, None), (by_id, anna.id)):
        now = await firm.get(report)
        assert (now.manager_id, now.manager_ref) == (None, reference)
        assert await as_told(firm, report)
    assert (await firm.find(login_name="boss@firma.dk")).total == 1


async def test_the_fact_the_chain_and_one_event_stay(firm: Firm, owner: Database) -> None:
    anna, _ = await anna_with_everything(firm)
    await firm.create(login="report@firma.dk", manager_ref=anna.login_name)
    await left(firm, anna)
    before = await firm.kinds(anna)
    await keeps(firm, 1)
    await erase(owner, firm)
    history = await firm.history(anna)
    assert [event["kind"] for event in history] == [*before, "employee.erased"]
    assert all(event["changes"] == {} for event in history)
    assert (history[-1]["actor_kind"], history[-1]["actor_id"]) == ("system", "directory sweep")
    assert await breaks(firm) == []
    rows = await firm.as_owner(
        "select changes_salt, names, names_salt from events where employee_id = $1 and kind <> 'employee.erased'",
        uuid_of(anna),
    )
    assert {tuple(row) for row in rows} == {(None, None, None)}


async def test_reports_let_go_and_their_history_says_so(firm: Firm, owner: Database) -> None:
    anna = await firm.create(external_id="anna-nick")
    by_id = await firm.create(login="id@firma.dk", manager_ref=anna.id, title="Kok")
    by_nick = await firm.create(login="nick@firma.dk", manager_ref="anna-nick", title="Tjener")
    await left(firm, anna)
    await keeps(firm, 12)
    await erase(owner, firm)
    assert (await firm.kinds(by_id))[-1] == "employee.manager_lost"
    assert (await firm.kinds(by_nick))[-2:] == ["employee.manager_lost", "employee.changed"]
    told = await firm.history(by_nick)
    assert told[0]["changes"]["manager_ref"] == {"before": None, "after": None}
    assert told[0]["changes"]["title"] == {"before": None, "after": "Tjener"}
    now = await firm.get(by_nick)
    assert (now.manager_ref, now.manager_id, now.version) == (None, None, 3)
    assert await as_told(firm, by_id)
    assert await as_told(firm, by_nick)
    assert await breaks(firm) == []


async def test_a_name_that_somebody_bears_now_is_his(firm: Firm, owner: Database) -> None:
    """A new employment with the same address: what refers to it means the present one."""
    anna = await firm.create(login="post@firma.dk")
    report = await firm.create(login="report@firma.dk", manager_ref="post@firma.dk")
    await left(firm, anna, departed=True)
    successor = await firm.create(login="post@firma.dk")
    await keeps(firm, 1)
    assert await erase(owner, firm) == 1
    now = await firm.get(report)
    assert (now.manager_ref, now.manager_id) == ("post@firma.dk", successor.id)
    assert (await firm.history(report))[0]["changes"]["manager_ref"]["after"] == "post@firma.dk"


async def test_an_external_id_that_somebody_has_now_is_his(firm: Firm, owner: Database) -> None:
    anna = await firm.create(login="anna@firma.dk", external_id="Nick")
    report = await firm.create(login="report@firma.dk", manager_ref="Nick")
    await left(firm, anna, departed=True)
    successor = await firm.create(login="bo@firma.dk", external_id="Nick")
    await keeps(firm, 1)
    assert await erase(owner, firm) == 1
    now = await firm.get(report)
    assert (now.manager_ref, now.manager_id) == ("Nick", successor.id)
    assert await as_told(firm, report)


async def test_a_reference_that_is_linked_to_somebody_who_stays_is_his(firm: Firm, owner: Database) -> None:
    """A link stays with the person when his names change, and so does the reference by which it was found."""
    boss = await firm.create(login="boss@firma.dk")
    report = await firm.create(login="report@firma.dk", manager_ref="boss@firma.dk")
    await firm.change(boss, login_name="chef@firma.dk", email="chef@firma.dk")
    anna = await firm.create(login="boss@firma.dk")
    other = await firm.create(login="other@firma.dk", manager_ref="boss@firma.dk")
    await left(firm, anna, departed=True)
    await keeps(firm, 1)
    assert await erase(owner, firm) == 1
    now = await firm.get(report)
    assert (now.manager_ref, now.manager_id) == ("boss@firma.dk", boss.id)
    assert (await firm.get(other)).manager_ref is None
    assert await as_told(firm, report)
    assert await as_told(firm, other)
    assert (await firm.history(other))[0]["changes"]["manager_ref"]["after"] is None
    assert await breaks(firm) == []


async def test_an_external_id_of_the_same_letters_in_another_case_is_not_his_name(firm: Firm, owner: Database) -> None:
    """Somebody's external id is `anna@firma.dk`; a report named the erased one as ANNA@firma.dk, and another means him."""
    await firm.create(login="nick", external_id="anna@firma.dk")
    anna = await firm.create(login="ANNA@firma.dk")
    report = await firm.create(login="report@firma.dk", manager_ref="ANNA@firma.dk")
    other = await firm.create(login="other@firma.dk", manager_ref="anna@firma.dk")
    await left(firm, anna)
    await keeps(firm, 1)
    assert await erase(owner, firm) == 1
    assert (await firm.get(report)).manager_ref is None
    assert (await firm.get(other)).manager_ref == "anna@firma.dk"
    assert "ANNA@firma.dk" not in str(await firm.history(report))


async def test_who_bears_a_name_is_looked_up_and_not_searched_for(
    firm: Firm, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each name in each of three indexes: a company of 50,000 erases as fast as a small one."""
    anna = await firm.create(login="anna@firma.dk")
    await firm.as_owner(
        "insert into employees (company_id, employee_id, source, state, login_name, login_key, email, email_key, given_name, "
        "family_name, created_at, updated_at) select $1, gen_random_uuid(), 'entra', 'active', 'p' || n, 'p' || n, 'p' || n, "
        "'p' || n, 'P', 'P', now(), now() from generate_series(1, 2000) as n",
        firm.company_id,
    )
    await left(firm, anna)
    await keeps(firm, 60)
    plan = (await plans_of(firm, monkeypatch, lambda: erase(owner, firm), database=owner))["employees.names_borne"]
    looked_up = " ".join(line for line in plan.splitlines() if "Index Cond" in line)
    assert "login_key = ANY" in looked_up, plan
    assert "email_key = ANY" in looked_up, plan
    assert "external_id = ANY" in looked_up, plan


async def test_a_new_employment_forgets_the_erased_one_before_it(firm: Firm, owner: Database) -> None:
    old = await firm.create()
    await left(firm, old, departed=True)
    new = await firm.create()
    await firm.as_owner(
        "update employees set previous_employee_id = $2 where employee_id = $1", uuid_of(new), uuid_of(old)
    )
    await keeps(firm, 1)
    await erase(owner, firm)
    assert (await firm.row(new))["previous_employee_id"] is None
    assert (await firm.history(new))[-1]["changes"] == {"previous_employee_id": {"before": old.id, "after": None}}
    assert (await firm.get(new)).email == old.email
    assert await as_told(firm, new)


async def test_people_who_led_each_other_are_erased_together(firm: Firm, owner: Database) -> None:
    one, other = await firm.create(login="one@firma.dk"), await firm.create(login="other@firma.dk")
    await firm.change(one, manager_ref=other.id)
    await firm.change(other, manager_ref=one.id)
    for employee in (one, other):
        await left(firm, employee)
    await keeps(firm, 1)
    assert await erase(owner, firm) == 2


async def test_whatever_refers_to_an_employee_goes_with_him(superuser: asyncpg.Connection) -> None:
    """A table added later must say so in its foreign key."""
    rows = await superuser.fetch(
        "select conrelid::regclass::text as name, confdeltype::text as what from pg_constraint "
        "where contype = 'f' and confrelid = 'employees'::regclass and conrelid <> confrelid"
    )
    assert len(rows) >= 5
    assert {row["name"]: row["what"] for row in rows if row["what"] != "c"} == {}


async def test_nobody_else_and_no_other_company_is_touched(firm: Firm, other_firm: Firm, owner: Database) -> None:
    for one in (firm, other_firm):
        await left(one, await one.create())
        await one.create(login="stays@firma.dk")
    await keeps(firm, 1)
    before = await other_firm.as_owner("select to_jsonb(e)::text as row from events e order by sequence")
    await erase(owner, firm)
    assert (await firm.find()).total == 1
    assert (await other_firm.find()).total == 2
    assert await other_firm.as_owner("select to_jsonb(e)::text as row from events e order by sequence") == before


# Who is due


async def test_a_company_without_a_rule_erases_nobody(firm: Firm, owner: Database) -> None:
    await left(firm, await firm.create(), date(1990, 1, 1))
    assert await erase(owner, firm) == 0


@pytest.mark.parametrize("nickname", ["emp", "ab", "mapping", "dmi", "%", "a.*", "(", "Å["])
async def test_a_nickname_that_stands_in_somebody_elses_finding_does_not_take_it_along(
    firm: Firm, owner: Database, nickname: str
) -> None:
    """Entra's usual `externalId` is a mail nickname, and may be as short as anything."""
    anna = await firm.create(external_id=nickname)
    admin = f"emp_{'ab' * 16}"
    async with firm.operator() as tx:
        await raise_finding(tx, FindingKind.adoption_waits, admin)
        await raise_finding(tx, FindingKind.mapping_broken, "email", details={"of": f"'{nickname.upper()}', too"})
    await left(firm, anna)
    await keeps(firm, 60)
    assert await erase(owner, firm) == 1
    rows = await firm.as_owner("select subject from findings")
    assert [row["subject"] for row in rows] == [admin]


async def test_somebody_who_is_back_or_whose_return_waits_for_hr_is_kept(firm: Firm, owner: Database) -> None:
    await keeps(firm, 1)
    back, asked = await firm.create(login="back@firma.dk"), await firm.create(login="asked@firma.dk")
    for employee in (back, asked):
        await left(firm, employee)
    await firm.change(back, active=True)
    await firm.as_owner("update companies set rehire_ask_after_days = 10")
    await firm.change(asked, active=True)
    assert await erase(owner, firm) == 0
    assert (await firm.find()).total == 2


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    months=st.integers(1, 36),
    ends=st.lists(st.tuples(st.integers(-40, 40), st.booleans()), min_size=1, max_size=6),
)
async def test_exactly_those_whose_months_are_over_are_erased(
    firm_database: Database, firm_urls: Urls, owner: Database, months: int, ends: list[tuple[int, bool]]
) -> None:
    """Days around the one that is due today."""
    firm = await Firm.founded(firm_database, firm_urls)
    today = local_date(system_clock(), "Europe/Copenhagen")
    around = today.replace(year=today.year - months // 12, day=1) - timedelta(days=30 * (months % 12))
    expected = []
    for number, (days, departed) in enumerate(ends):
        employee, on = await firm.create(login=f"p{number}@firma.dk"), around + timedelta(days=days)
        await left(firm, employee, on, departed=departed)
        if months_later(on, months) > today:
            expected.append(uuid_of(employee))
    await keeps(firm, months)
    await erase(owner, firm)
    rows = await firm.as_owner("select employee_id from employees order by created_at, employee_id")
    assert {row["employee_id"] for row in rows} == set(expected)


# Running it


async def test_sweep_erases_twice_and_side_by_side_without_harm(
    firm: Firm, firm_urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "BATCH", 7)
    await firm.as_owner("update companies set brake_people = 0")
    people = [await firm.create(login=f"p{number}@firma.dk") for number in range(40)]
    for employee in people:
        await left(firm, employee)
    await keeps(firm, 1)
    swept = await asyncio.gather(*(sweep(DatabaseSettings(database_url=firm_urls.owner)) for _ in range(4)))
    again = await sweep(DatabaseSettings(database_url=firm_urls.owner))
    assert sum(one["people"] for one in swept) + again["people"] >= 40
    kinds = await firm.as_owner("select employee_id, kind from events where kind = 'employee.erased'")
    assert Counter(row["employee_id"] for row in kinds) == Counter(uuid_of(one) for one in people)
    assert (await firm.find()).total == 0
    assert await breaks(firm) == []


async def test_whoever_returns_during_the_sweep_is_either_kept_or_gone(firm: Firm, owner: Database) -> None:
    for round_ in range(5):
        employee = await firm.create(login=f"p{round_}@firma.dk", external_id=f"x{round_}")
        await left(firm, employee)
        await keeps(firm, 1)
        outcomes: list[Any] = list(
            await asyncio.gather(erase(owner, firm), firm.change(employee, active=True), return_exceptions=True)
        )
        state = await firm.as_owner("select state from employees where employee_id = $1", uuid_of(employee))
        if state:
            assert (state[0]["state"], outcomes[0]) == ("active", 0)
        else:
            assert (outcomes[0], getattr(outcomes[1], "code", None)) == (1, "not_found")
    assert await breaks(firm) == []


async def test_the_application_can_erase_nobody(firm: Firm) -> None:
    await left(firm, await firm.create())
    await keeps(firm, 1)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await erase_due(lambda: firm.database.scope_for_name(firm.name).transaction(SYSTEM))
    assert (await firm.find()).total == 1


async def test_the_names_of_a_refused_change_are_json(firm: Firm, owner: Database) -> None:
    """Both places of a reference in one event: only the erased one's is emptied."""
    anna, bo = await firm.create(login="anna@firma.dk"), await firm.create(login="bo@firma.dk")
    report = await firm.create(login="report@firma.dk", manager_ref="anna@firma.dk")
    await firm.change(report, manager_ref="bo@firma.dk", title="Kok")
    await left(firm, anna)
    await keeps(firm, 1)
    await erase(owner, firm)
    told = await firm.history(report)
    assert told[1]["changes"]["manager_ref"] == {"before": None, "after": "bo@firma.dk"}
    assert told[1]["changes"]["title"] == {"before": None, "after": "Kok"}
    assert (await firm.get(report)).manager_id == bo.id
    assert "anna@firma.dk" not in json.dumps(told, default=str)
