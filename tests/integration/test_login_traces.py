"""Login traces in directory: kept as long as the company says, bounded, in order of time, erased with the person, exported."""

import asyncio
import io
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from directory import sweep as sweeping
from directory.companies.deleting import SYSTEM
from directory.companies.exporting import export
from directory.database import Database
from directory.employees.keys import search_key
from directory.logins import operations as logins
from directory.retention.erasure import erase_due
from directory.settings import DatabaseSettings
from directory.sweep import sweep
from directory.traces import operations, store
from directory.traces.noting import note_refusals
from shared.attempts import attempt_of_flow, new_attempt_id
from shared.clock import system_clock
from shared.errors import DomainError, ErrorCode
from shared.schemas import login
from shared.schemas.traces import LoginEntry, NoteRefusals, RefusedAnswer, RefusedOfCompany
from tests.integration.test_signing_out import person
from tests.support.clock import SettableClock
from tests.support.command import Command
from tests.support.firm import Firm, Urls, uuid_of
from tests.support.plans import plans_of
from tests.support.sign_ins import SIGNER, SignIns
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


@pytest.fixture
async def sign_ins(firm: Firm, firm_clock: SettableClock) -> SignIns:
    return await SignIns.of(firm, firm_clock)


async def entries(firm: Firm, **asked: Any) -> list[LoginEntry]:
    async with firm.operator() as tx:
        return (await operations.page(tx, **asked)).entries


async def never_answered(firm: Firm, moment: datetime, many: int = 1) -> None:
    """Logins that began then, and whose time is over."""
    for _ in range(many):
        flow_id = f"_{uuid.uuid4().hex}"
        await firm.as_owner(
            "insert into login_flows (company_id, flow_id, browser_sha256, return_to, created_at, expires_at, attempt_id) "
            "values ($1, $2, $3, '/', $4, $4, $5)",
            firm.company_id, flow_id, b"x" * 32, moment, attempt_of_flow(flow_id),
        )  # fmt: skip


def refused(reason: str = "malformed_response", at: datetime | None = None, **more: Any) -> RefusedAnswer:
    told = {"attempt_id": new_attempt_id(), "trace_id": "", **more}
    return RefusedAnswer(at=at or datetime.now(UTC), reason=reason, **told)


async def note(firm: Firm, *answers: RefusedAnswer, company: str = "") -> str:
    told = NoteRefusals(companies=[RefusedOfCompany(company=company or firm.name, answers=list(answers))])
    return (await note_refusals(firm.database, told)).outcomes[0]


async def stranger(sign_ins: SignIns, name_id: str) -> login.LoginOutcome:
    """Somebody whom the company does not know."""
    return await logins.complete_login(
        sign_ins.firm.database,
        login.LoginAttempt(
            company=sign_ins.firm.name, ticket_sha256="ab" * 32, ticket_ttl_s=60, in_response_to=None, name_id=name_id,
            assertion_id=f"_{uuid.uuid4()}", expires_at=sign_ins.clock() + timedelta(hours=1), tenant_id=sign_ins.tenant_id,
            object_id=str(uuid.uuid4()), signer_fingerprint=SIGNER,
        ),
    )  # fmt: skip


# Kept


async def test_a_sweep_deletes_what_is_older_than_the_company_keeps_it(
    firm: Firm, other_firm: Firm, firm_urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "TRIMMED_AT_ONCE", 3)
    await firm.as_owner("update companies set traces_days = 7")
    now = datetime.now(UTC)
    for one in (firm, other_firm):
        days = (0, 6, 8, 8, 8, 9, 9, 10, 29, 31)
        await note(one, *(refused(at=now - timedelta(days=day, hours=-1)) for day in days))
    swept = await sweep(DatabaseSettings(database_url=firm_urls.owner))
    assert swept["login traces"] == 8 + 1
    assert len(await entries(firm)) == 2
    assert len(await entries(other_firm)) == 9


async def test_two_sweeps_at_once_delete_and_tell_it_once(
    firm: Firm, firm_urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "TRIMMED_AT_ONCE", 4)
    now = datetime.now(UTC)
    await note(firm, *(refused(at=now - timedelta(days=60)) for _ in range(20)))
    await never_answered(firm, now - timedelta(minutes=20), 9)
    swept = await asyncio.gather(*(sweep(DatabaseSettings(database_url=firm_urls.owner)) for _ in range(3)))
    assert sum(one["login traces"] for one in swept) == 20
    assert sum(one["login flows"] for one in swept) == 9
    assert [one.outcome for one in await entries(firm)] == ["never_answered"] * 9


async def test_of_many_that_nobody_answers_twenty_a_minute_are_kept_and_the_rest_are_a_count(firm: Firm) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)
    await never_answered(firm, minute, 50)
    await never_answered(firm, minute + timedelta(minutes=1), 3)
    found = await entries(firm, limit=200)
    assert sorted(one.times for one in found) == [1] * 23 + [30]
    assert [one.attempt_id for one in found if one.times == 30] == [None]
    assert await firm.as_owner("select 1 from login_flows") == []


async def test_entries_stand_in_the_order_of_time_whenever_they_were_written(firm: Firm, sign_ins: SignIns) -> None:
    now = sign_ins.clock()
    await never_answered(firm, now - timedelta(minutes=30))
    await stranger(sign_ins, "x@y.example")
    await note(firm, refused(at=now - timedelta(minutes=10)))
    assert [one.outcome for one in await entries(firm)] == ["no_such_employee", "malformed_response", "never_answered"]


# What the gateway tells


async def test_what_is_told_of_a_company_that_does_not_exist_is_nobodys(firm: Firm) -> None:
    assert await note(firm, refused(), company="no-such-company") == "refused"
    assert await note(firm, refused()) == "written"


async def test_what_is_told_twice_because_the_answer_was_lost_is_one_attempt(firm: Firm) -> None:
    one = refused()
    assert await note(firm, one) == await note(firm, one) == "written"
    assert len(await entries(firm)) == 1


async def test_an_attempt_s_timeline_does_not_grow_without_end(firm: Firm) -> None:
    flow_id = f"_{uuid.uuid4().hex}"
    for _ in range(60):
        await note(firm, refused(attempt_id=attempt_of_flow(flow_id), flow_id=flow_id))
    async with firm.operator() as tx:
        found = await operations.whole(tx, attempt_of_flow(flow_id))
    assert len(found.steps) <= store.MAX_STEPS + 1


async def test_an_answer_under_another_attempt_s_id_changes_nothing_of_it(firm: Firm, sign_ins: SignIns) -> None:
    anna = await person(firm)
    await sign_ins.sign_in(anna)
    [entry] = await entries(firm)
    await note(
        firm, refused(attempt_id=entry.attempt_id, flow_id=f"_{uuid.uuid4().hex}"), refused(attempt_id=entry.attempt_id)
    )
    assert [(one.outcome, one.employee_id) for one in await entries(firm)] == [("accepted", anna.id)]
    async with firm.operator() as tx:
        assert [one.step for one in (await operations.whole(tx, entry.attempt_id or "")).steps][-1] == "session"


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": 201}, {"before": "x"}])
async def test_a_page_that_cannot_be_is_refused(firm: Firm, asked: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as refusal:
        await entries(firm, **asked)
    assert refusal.value.code is ErrorCode.invalid_request


# Erased, exported


async def test_with_a_person_go_his_attempts_and_those_under_a_name_of_his(
    firm: Firm, owner: Database, sign_ins: SignIns, superuser: asyncpg.Connection
) -> None:
    anna, bo = await person(firm, "anna.first@firma.dk"), await person(firm, "bo@firma.dk")
    await sign_ins.sign_in(anna, name_id="Anna.Alias@firma.dk")
    await sign_ins.sign_in(bo)
    await stranger(sign_ins, "ANNA.first@firma.dk")
    await stranger(sign_ins, "stranger@firma.dk")
    await firm.change(anna, login_name="anna.second@firma.dk", email="anna.second@firma.dk")
    await stranger(sign_ins, "anna.SECOND@firma.dk")
    await firm.as_owner("update companies set erase_after_months = 12")
    await firm.change(anna, active=False)
    await firm.as_owner(
        "update employees set termination_date = $2, suspended_on = $2 where employee_id = $1",
        uuid_of(anna),
        date(2019, 1, 1),
    )
    assert await erase_due(lambda: owner.scope_for_name(firm.name).transaction(SYSTEM)) == 1

    assert sorted((one.outcome, one.name_id) for one in await entries(firm)) == [
        ("accepted", "bo@firma.dk"),
        ("no_such_employee", "stranger@firma.dk"),
    ]
    left = await places_of(superuser, {"anna.first", "anna.second", "anna.alias"}, company_id=firm.company_id)
    assert "public.login_traces" not in left


async def test_a_name_that_somebody_else_bears_now_keeps_its_attempts(
    firm: Firm, owner: Database, sign_ins: SignIns
) -> None:
    anna = await person(firm, "shared@firma.dk")
    await firm.as_owner("update companies set erase_after_months = 12")
    await firm.remove(anna)
    await firm.as_owner(
        "update employees set termination_date = $2, suspended_on = $2 where employee_id = $1",
        uuid_of(anna),
        date(2019, 1, 1),
    )
    heir = await person(firm, "shared@firma.dk")
    await sign_ins.sign_in(heir)
    assert await erase_due(lambda: owner.scope_for_name(firm.name).transaction(SYSTEM)) == 1
    assert [one.employee_id for one in await entries(firm)] == [heir.id]


async def test_they_are_part_of_the_company_s_export(firm: Firm, owner: Database, sign_ins: SignIns) -> None:
    await stranger(sign_ins, "x@y.example")
    written = io.BytesIO()
    async with owner.scope_for_name(firm.name).transaction(SYSTEM, snapshot=True) as tx:
        await export(tx, written.write)
    rows = [json.loads(line) for line in written.getvalue().splitlines()]
    [trace] = [row["row"] for row in rows if row.get("table") == "login_traces"]
    assert (trace["outcome"], trace["name_key"]) == ("no_such_employee", "x@y.example")


async def test_nothing_personal_stands_in_a_trace_but_the_name_that_was_presented(
    firm: Firm, sign_ins: SignIns
) -> None:
    anna = await person(firm, "anna@firma.dk")
    await sign_ins.sign_in(anna)
    await stranger(sign_ins, "Somebody.Else@firma.dk")
    rows = await firm.as_owner("select to_jsonb(t) as row from login_traces t")
    for row in rows:
        told = json.loads(row["row"])
        name = told.pop("name_key")
        assert name in {"anna@firma.dk", search_key("Somebody.Else@firma.dk")}
        rest = json.dumps(told).lower()
        assert "@" not in rest
        assert "anna" not in rest
        assert "holm" not in rest
        assert str(anna.external_id) not in rest


# Found by indexes


_TWENTY_THOUSAND = """
    insert into login_traces
        (company_id, login_trace_id, at, trace_id, outcome, idp_initiated, signer_fingerprint, details, attempt_id, name_key)
    select $1, gen_random_uuid(), now(), '', 'accepted', true, 'x', '{}', 'A' || n, 'p' || n || '@x'
    from generate_series(1, 20000) n
"""


async def test_every_question_goes_by_an_index(
    firm: Firm, superuser: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await superuser.execute(
        _TWENTY_THOUSAND,
        firm.company_id,
    )
    await superuser.execute("analyze login_traces")
    anna = await firm.create()

    async def everything() -> None:
        await entries(firm)
        await entries(firm, outcome="suspended")
        await entries(firm, person=anna.id)
        await entries(firm, person="p77@x")
        async with firm.operator() as tx:
            with pytest.raises(DomainError):
                await operations.whole(tx, "K7QM-3F9D")

    for name, plan in (await plans_of(firm, monkeypatch, everything)).items():
        assert "Seq Scan on login_traces" not in plan, (name, plan)


# The operator's command


@pytest.fixture
def operator(firm_urls: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", firm_urls.owner)
    return Command(capsys)


async def test_the_command_lists_attempts_and_tells_one_as_a_timeline(
    firm: Firm, sign_ins: SignIns, operator: Command
) -> None:
    anna = await person(firm)
    await sign_ins.sign_in(anna)
    unknown = await stranger(sign_ins, "x@y.example")

    listed = await operator("company", "logins", firm.name)
    assert listed.status == 0, listed.err
    assert [line.split()[3] for line in listed.out.splitlines()] == ["no_such_employee", "accepted"]
    assert "NameID x@y.example" in listed.out
    assert anna.id in listed.out
    for asked in (anna.id, "ANNA@firma.dk", "--outcome=accepted"):
        assert len((await operator("company", "logins", firm.name, asked)).out.splitlines()) == 1

    typed = unknown.attempt_id.replace("-", "").lower().replace("0", "o").replace("1", "l")
    told = await operator("company", "logins", firm.name, typed)
    assert unknown.attempt_id in told.out
    assert "We do not know you yet (no_such_employee)" in told.out
    assert "Provision on demand" in " ".join(told.out.split())
    danish = await operator("company", "logins", firm.name, typed, "--language", "da")
    assert "Vi kender dig ikke endnu" in danish.out
    machine = (await operator("company", "logins", firm.name, typed, "--json")).json
    assert [step["step"] for step in machine["steps"]] == ["started", "answered", "verified", "matched", "decided"]
    assert machine["explanation"]["code"] == "no_such_employee"
    assert set(machine["explanation"]["said"]) == {"da", "en"}


async def test_a_name_that_nobody_has_and_an_outcome_that_is_none_are_told_as_that(
    firm: Firm, operator: Command
) -> None:
    told = await operator("company", "logins", firm.name, "nobody@firma.dk")
    assert "The company has nobody of that name (nobody@firma.dk) (nobody_of_that_name)" in told.out
    refused = await operator("company", "logins", firm.name, "--outcome", "bogus")
    assert (refused.status, "No attempt ends in 'bogus'" in refused.err) == (1, True)
    assert (await operator("company", "logins", firm.name, "--outcome", "never_answered")).status == 0


async def test_the_command_says_that_entra_never_sent_an_assertion_and_names_assignment(
    firm: Firm, operator: Command
) -> None:
    """S87: by a command, for whoever has the caller on the telephone."""
    await firm.create()
    await never_answered(firm, datetime.now(UTC) - timedelta(minutes=20), 2)
    told = await operator("company", "logins", firm.name, "anna@firma.dk")
    assert told.status == 0
    assert "Entra never sent an assertion for this user (anna@firma.dk) (never_sent)" in told.out
    assert "Assignment required" in told.out
    assert "Within a day 2 sign-ins of the company were started here and never answered" in told.out
    assert "never_answered" in (await operator("company", "logins", firm.name, "--outcome", "never_answered")).out


async def test_the_command_refuses_what_is_not_there_with_a_sentence(
    firm: Firm, other_firm: Firm, sign_ins: SignIns, operator: Command
) -> None:
    outcome = await stranger(sign_ins, "x@y.example")
    elsewhere = await operator("company", "logins", other_firm.name, outcome.attempt_id)
    assert elsewhere.status == 1
    assert "There is no sign-in" in elsewhere.err
    assert (await operator("company", "logins", firm.name, "--limit", "0")).status == 2
    assert (await operator("company", "logins", firm.name, "--before", "x")).status == 1
    assert (await operator("company", "logins", "no-such-company")).status == 1


async def test_a_login_name_that_looks_like_an_id_means_the_person(
    firm: Firm, sign_ins: SignIns, operator: Command
) -> None:
    hans = await person(firm, "hans1234")
    await sign_ins.sign_in(hans)
    assert hans.id in (await operator("company", "logins", firm.name, "hans1234")).out
