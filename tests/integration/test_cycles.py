"""A manager whom Entra cleared without a word (A18): what is noted, what a sweep concludes, what HR does about it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from directory import metrics
from directory.cycles import store
from directory.cycles.looking import look
from directory.cycles.notes import PEOPLE_MAX, Notes
from directory.cycles.writing import write, written_down
from directory.database import Database
from directory.employees import hr, setup
from directory.findings.store import open_findings
from directory.retention.erasure import erase_due
from directory.settings import DatabaseSettings
from directory.sweep import sweep, sweep_company
from shared.errors import DomainError, ErrorCode
from shared.schemas import people
from shared.schemas.employee import Employee
from shared.schemas.people import EmployeeEdits, Finding
from tests.support.clock import SettableClock
from tests.support.command import Command
from tests.support.firm import Firm, Urls, uuid_of
from tests.support.plans import plans_of, scanned, sent_by

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = timedelta(minutes=40)


@pytest.fixture
def clock(firm_clock: SettableClock) -> Iterator[SettableClock]:
    firm_clock.set(NOON)
    yield firm_clock
    firm_clock.set(None)


@pytest.fixture
async def owner(firm_urls: Urls, clock: SettableClock) -> AsyncIterator[Database]:
    async with Database(firm_urls.owner, clock=clock, min_size=1, max_size=4) as database:
        yield database


@pytest.fixture
def operator(firm_urls: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", firm_urls.owner)
    return Command(capsys)


@dataclass
class Staffed:
    """A boss and nine reports, whom Entra has provisioned; it is forty minutes later."""

    firm: Firm
    owner: Database
    clock: SettableClock
    boss: Employee
    reports: list[Employee]

    @property
    def anna(self) -> Employee:
        return self.reports[0]

    def passes(self, time: timedelta = LATER) -> None:
        self.clock.set(self.clock() + time)

    async def cycle(self, *, without: Sequence[Employee] = (), people: Sequence[Employee] | None = None) -> None:
        """Everybody is read, and then the reference is checked of whoever has a manager in Entra; afterwards time passes."""
        read = [self.boss, *self.reports] if people is None else people
        for one in read:
            await self.firm.get(one)
        for one in read:
            if one is not self.boss and one not in without:
                self.clock.set(self.clock() + timedelta(seconds=1))
                await self.firm.search({"id": one.id, "manager": self.boss.id})
        await self.written()
        self.passes()

    async def written(self) -> None:
        await write(self.firm.database, self.firm.database.notes)

    async def looked(self) -> list[Finding]:
        """What is open when a sweep has looked."""
        await look(lambda: self.owner.scope_for_id(self.firm.company_id).transaction())
        return await self.open()

    async def open(self) -> list[Finding]:
        async with self.firm.operator() as tx:
            return [one for one in await open_findings(tx) if one.kind == "manager_possibly_cleared"]

    async def verdicts(self) -> list[str | None]:
        return [row["verdict"] for row in await self.firm.as_owner("select verdict from cycles order by started_at")]

    async def asked(self, employee: Employee) -> asyncpg.Record | None:
        rows = await self.firm.as_owner("select * from asked_about where employee_id = $1", uuid_of(employee))
        return rows[0] if rows else None


async def staffed(firm: Firm, owner: Database, clock: SettableClock) -> Staffed:
    boss = await firm.create(login="boss@firma.dk")
    reports = [await firm.create(login=f"p{number}@firma.dk", manager_ref=boss.id) for number in range(9)]
    made = Staffed(firm, owner, clock, boss, reports)
    await made.written()
    made.passes()
    assert await made.looked() == []
    return made


@pytest.fixture
async def staff(firm: Firm, owner: Database, clock: SettableClock) -> Staffed:
    return await staffed(firm, owner, clock)


@pytest.fixture
async def other_staff(other_firm: Firm, owner: Database, clock: SettableClock) -> Staffed:
    return await staffed(other_firm, owner, clock)


@pytest.fixture
async def flagged(staff: Staffed) -> Staffed:
    """Anna's manager is gone in Entra, and HR has been told."""
    await staff.cycle(without=[staff.anna])
    assert [one.subject for one in await staff.looked()] == [staff.anna.id]
    return staff


# What is noted


async def test_who_is_asked_about_and_whose_manager_in_every_form_of_request(staff: Staffed) -> None:
    firm, boss, began = staff.firm, staff.boss, staff.clock()
    anna, bo, cai, dea, eva, fie, gry, *_ = staff.reports
    await firm.get(anna)
    await firm.find(login_name=bo.login_name)
    await firm.find(email=cai.email)
    await firm.search({"id": dea.id, "manager": boss.id})
    await firm.search({"id": eva.id, "manager": anna.id})
    await firm.change(fie, title="Kok")
    await firm.change(gry, manager_ref=boss.id)
    made = await firm.create(login="new@firma.dk", manager_ref=boss.id)
    plain = await firm.create(login="plain@firma.dk")
    await staff.written()
    asked = {one.id: await staff.asked(one) for one in (*staff.reports[:7], made, plain)}
    assert {row["asked_at"] for row in asked.values() if row is not None} == {began}
    with_manager = {one for one, row in asked.items() if row is not None and row["manager_asked_at"] == began}
    assert with_manager == {dea.id, eva.id, gry.id, made.id}
    assert (await staff.asked(staff.reports[8]))["asked_at"] < began  # type: ignore[index]


async def test_a_manager_who_is_refused_was_named_all_the_same(staff: Staffed) -> None:
    with pytest.raises(DomainError):
        await staff.firm.change(staff.anna, manager_ref=staff.boss.id, login_name=staff.boss.login_name)
    await staff.written()
    assert (await staff.asked(staff.anna))["manager_asked_at"] == staff.clock()  # type: ignore[index]


async def test_nobody_is_noted_who_is_not_there_and_a_list_means_nobody(staff: Staffed, other_firm: Firm) -> None:
    foreign = await other_firm.create(login="foreign@firma.dk")
    await staff.written()
    before = await staff.firm.as_owner("select * from asked_about order by employee_id")
    staff.passes()
    await staff.firm.search({"id": foreign.id, "manager": staff.boss.id})
    await staff.firm.search({"id": "emp_" + "0" * 32, "manager": staff.boss.id})
    await staff.firm.search({"id": "nonsense", "manager": staff.boss.id})
    await staff.firm.search({"manager": staff.boss.id})
    await staff.firm.find(title="Kok")
    await staff.firm.find()
    await staff.firm.find(login_name="nobody@firma.dk")
    with pytest.raises(DomainError):
        await staff.firm.get("emp_" + "0" * 32)
    await staff.written()
    assert await staff.firm.as_owner("select * from asked_about order by employee_id") == before
    assert (await staff.firm.as_owner("select requests from cycles order by started_at desc limit 1"))[0][0] == 8


async def test_a_cycle_is_a_run_of_requests_without_a_pause_of_ten_minutes(staff: Staffed) -> None:
    began = staff.clock()
    for minutes in (0, 9, 10, 11, 1):
        staff.passes(timedelta(minutes=minutes))
        await staff.firm.get(staff.anna)
        await staff.written()
    rows = await staff.firm.as_owner(
        "select started_at - $1 as started, last_request_at - $1 as last, requests from cycles where started_at >= $1 "
        "order by started_at",
        began,
    )
    found = [(*(row[name] // timedelta(minutes=1) for name in ("started", "last")), row["requests"]) for row in rows]
    assert found == [(0, 19, 3), (30, 31, 2)]


async def test_two_processes_write_one_cycle_and_neither_waits_for_ever(staff: Staffed, firm_urls: Urls) -> None:
    firm = staff.firm
    async with Database(firm_urls.app, clock=staff.clock) as second:
        for database in (firm.database, second):
            mine = Firm(database, firm.urls, firm.company_id, firm.name, firm.credential)
            for one in (staff.boss, *staff.reports):
                await mine.get(one)
        await asyncio.gather(*(write(one, one.notes) for one in (second, firm.database)))
    rows = await firm.as_owner("select requests from cycles where started_at = $1", staff.clock())
    assert [row["requests"] for row in rows] == [20]


async def test_in_one_cycle_nobody_is_written_twice(staff: Staffed) -> None:
    async def place() -> object:
        return (await staff.firm.as_owner("select ctid from asked_about where employee_id = $1", uuid_of(staff.anna)))[
            0
        ][0]

    await staff.firm.get(staff.anna)
    await staff.written()
    first = await place()
    for _ in range(3):
        staff.passes(timedelta(minutes=1))
        await staff.firm.get(staff.anna)
        await staff.written()
    assert await place() == first
    await staff.firm.search({"id": staff.anna.id, "manager": staff.boss.id})
    await staff.written()
    assert await place() != first


# What is concluded


async def test_whose_manager_is_not_asked_about_in_a_full_cycle_is_told_to_hr(staff: Staffed) -> None:
    """A18, S59."""
    began = staff.clock()
    await staff.cycle(without=[staff.anna])
    (finding,) = await staff.looked()
    assert (finding.subject, finding.employee_id, finding.times) == (staff.anna.id, staff.anna.id, 1)
    assert finding.details["manager_id"] == staff.boss.id
    assert datetime.fromisoformat(finding.details["cycle_started_at"]) == began
    assert (await staff.verdicts())[-1] == "full"
    assert (await staff.firm.get(staff.anna)).manager_id == staff.boss.id, "a finding changes nothing"
    await staff.written()
    assert len(await staff.looked()) == 1


async def test_a_second_full_cycle_counts_it_again(flagged: Staffed) -> None:
    await flagged.cycle(without=[flagged.anna])
    assert [one.times for one in await flagged.looked()] == [2]


async def test_the_command_that_sweeps_looks(staff: Staffed, firm_urls: Urls) -> None:
    await staff.cycle(without=[staff.anna])
    await sweep(DatabaseSettings(database_url=firm_urls.owner))
    assert [one.subject for one in await staff.open()] == [staff.anna.id]


async def test_a_mapping_without_the_manager_flags_nobody(staff: Staffed) -> None:
    """S25, S59: nobody's manager is checked any more, and that says nothing about anybody's."""
    await staff.cycle(without=staff.reports)
    assert await staff.looked() == []
    assert (await staff.verdicts())[-1] == "without_checks"


async def test_an_incremental_cycle_flags_nobody(staff: Staffed) -> None:
    for some in ([staff.anna], staff.reports[:5], staff.reports):
        await staff.cycle(people=some, without=[staff.anna])
    assert await staff.looked() == []
    assert (await staff.verdicts())[-3:] == ["partial"] * 3


async def test_a_cycle_under_way_is_not_judged(staff: Staffed) -> None:
    for one in (staff.boss, *staff.reports):
        await staff.firm.get(one)
    await staff.written()
    staff.passes(timedelta(minutes=10))
    assert await staff.looked() == []
    assert (await staff.verdicts())[-1] is None


async def test_a_cycle_of_which_something_is_not_known_is_not_judged(staff: Staffed) -> None:
    staff.firm.database.notes._people_max = 8
    try:
        await staff.cycle(without=[staff.anna])
    finally:
        staff.firm.database.notes._people_max = PEOPLE_MAX
    assert await staff.looked() == []
    assert (await staff.verdicts())[-1] == "has_gaps"


async def suspended(staff: Staffed) -> None:
    await staff.firm.change(staff.anna, active=False)


async def hrs_own(staff: Staffed) -> None:
    await staff.firm.as_owner(
        "update employees set owners = jsonb_set(owners, '{manager_ref,0}', '\"hr\"') where employee_id = $1",
        uuid_of(staff.anna),
    )


async def managed_by_a_suspended(staff: Staffed) -> None:
    other = await staff.firm.create(login="other@firma.dk")
    await staff.firm.change(staff.anna, manager_ref=other.id)
    await staff.firm.change(other, active=False)


async def waiting(staff: Staffed) -> None:
    await staff.firm.change(staff.anna, manager_ref="nobody@firma.dk")


@pytest.mark.parametrize("otherwise", [suspended, hrs_own, managed_by_a_suspended, waiting])
async def test_only_an_active_manager_by_entras_word_of_an_active_person_is_in_question(
    staff: Staffed, otherwise: Callable[[Staffed], Awaitable[None]]
) -> None:
    await otherwise(staff)
    staff.passes()
    await staff.cycle(without=[staff.anna])
    assert await staff.looked() == []
    assert (await staff.verdicts())[-1] == "full"


async def test_each_company_is_judged_by_its_own_traffic(staff: Staffed, other_staff: Staffed) -> None:
    """A full cycle of the one lies within an incremental one of the other."""
    for one in (other_staff.boss, *other_staff.reports[:3]):
        await other_staff.firm.get(one)
    await staff.cycle(without=[staff.anna])
    assert [one.subject for one in await staff.looked()] == [staff.anna.id]
    assert await other_staff.looked() == []
    assert ((await staff.verdicts())[-1], (await other_staff.verdicts())[-1]) == ("full", "partial")


# When it is over


async def checked(staff: Staffed) -> None:
    await staff.firm.search({"id": staff.anna.id, "manager": staff.boss.id})
    await staff.written()


async def written_again(staff: Staffed) -> None:
    assert not (await staff.firm.change(staff.anna, manager_ref=staff.boss.id)).changed
    await staff.written()


async def given_another(staff: Staffed) -> None:
    await staff.firm.change(staff.anna, manager_ref=staff.reports[1].id)


async def removed_in_entra(staff: Staffed) -> None:
    await staff.firm.change(staff.anna, manager_ref=None)


async def departed(staff: Staffed) -> None:
    await staff.firm.remove(staff.anna)


async def ended_by_hr(staff: Staffed) -> None:
    async with staff.firm.operator() as tx:
        await hr.end_employment(tx, staff.anna.id)


@pytest.mark.parametrize("how", [checked, written_again, given_another, removed_in_entra, departed, ended_by_hr])
async def test_it_closes_at_once_when_entra_speaks_of_the_manager_or_he_leaves(
    flagged: Staffed, how: Callable[[Staffed], Awaitable[None]]
) -> None:
    await how(flagged)
    assert await flagged.open() == []


async def manager_departed(staff: Staffed) -> None:
    await staff.firm.remove(staff.boss)


@pytest.mark.parametrize("how", [manager_departed, hrs_own])
async def test_the_next_sweep_closes_what_is_over_in_another_way(
    flagged: Staffed, firm_urls: Urls, how: Callable[[Staffed], Awaitable[None]]
) -> None:
    await how(flagged)
    assert len(await flagged.open()) == 1
    await sweep(DatabaseSettings(database_url=firm_urls.owner))
    assert await flagged.open() == []


# What HR does


async def test_hr_confirms_and_it_is_as_if_entra_had_removed_the_manager(flagged: Staffed, operator: Command) -> None:
    """A18."""
    firm, anna = flagged.firm, flagged.anna
    told = await operator("company", "findings", firm.name)
    assert f"manager_possibly_cleared: {anna.id}, manager {flagged.boss.id}" in told.out
    answer = (await operator("company", "confirm-cleared", firm.name, str(anna.login_name), "--json")).json
    assert (answer["manager_ref"], answer["manager_id"], answer["owners"]["manager_ref"]["owner"]) == (
        None,
        None,
        "entra",
    )
    event = (await firm.history(anna))[-1]
    assert (event["kind"], event["actor_kind"]) == ("employee.changed", "operator")
    assert event["changes"] == {
        "manager_ref": {"before": flagged.boss.id, "after": None},
        "manager_id": {"before": flagged.boss.id, "after": None},
    }
    assert (await firm.get(anna)).version == anna.version + 1
    assert await flagged.open() == []
    await flagged.cycle(without=[anna])
    assert await flagged.looked() == []


async def test_entra_brings_back_a_manager_who_was_not_gone(flagged: Staffed) -> None:
    async with flagged.firm.operator() as tx:
        await hr.confirm_cleared(tx, flagged.anna.id)
    assert (await flagged.firm.search({"id": flagged.anna.id, "manager": flagged.boss.id})).total == 0
    assert (await flagged.firm.change(flagged.anna, manager_ref=flagged.boss.id)).employee.manager_id == flagged.boss.id


async def test_a_setup_admin_keeps_the_manager_until_entra_has_spoken_of_him(flagged: Staffed) -> None:
    firm, anna = flagged.firm, flagged.anna
    admin = await firm.admin()
    request = people.ConfirmCleared(session=admin, person=anna.id, keep=True)
    assert (await setup.confirm_cleared(firm.database, request)).manager_id == flagged.boss.id
    event = (await firm.history(anna))[-1]
    assert (event["kind"], event["actor_kind"]) == ("employee.manager_kept", "person")
    assert event["changes"] == {"kept_manager": {"before": None, "after": flagged.boss.id}}
    assert (await firm.get(anna)).version == anna.version
    for _ in range(2):
        await flagged.cycle(without=[anna])
        assert await flagged.looked() == []
    await flagged.cycle()
    await flagged.cycle(without=[anna])
    assert [one.subject for one in await flagged.looked()] == [anna.id]


async def test_another_manager_than_the_kept_one_is_another_question(flagged: Staffed) -> None:
    async with flagged.firm.operator() as tx:
        await hr.confirm_cleared(tx, flagged.anna.id, keep=True)
    await flagged.firm.change(flagged.anna, manager_ref=flagged.reports[1].id)
    await flagged.written()
    flagged.passes()
    await flagged.cycle(without=[flagged.anna])
    assert [one.details["manager_id"] for one in await flagged.looked()] == [flagged.reports[1].id]


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("how", [None, given_another, manager_departed, hrs_own, departed])
async def test_without_a_question_there_is_nothing_to_confirm(
    flagged: Staffed, keep: bool, how: Callable[[Staffed], Awaitable[None]] | None
) -> None:
    person = flagged.reports[2].id if how is None else flagged.anna.id
    if how is not None:
        await how(flagged)
    before = await flagged.firm.as_owner("select * from employees order by employee_id")
    still_open = len(await flagged.open())
    with pytest.raises(DomainError) as refused:
        async with flagged.firm.operator() as tx:
            await hr.confirm_cleared(tx, person, keep=keep)
    assert refused.value.code is ErrorCode.not_allowed
    assert await flagged.firm.as_owner("select * from employees order by employee_id") == before
    assert len(await flagged.open()) == still_open


async def test_whoever_is_no_setup_admin_and_whoever_is_of_another_company_is_refused(
    flagged: Staffed, other_firm: Firm
) -> None:
    firm, anna = flagged.firm, flagged.anna
    for session, code in (
        (await firm.admin("approver"), ErrorCode.not_allowed),
        (await other_firm.admin(), ErrorCode.not_found),
    ):
        with pytest.raises(DomainError) as refused:
            await setup.confirm_cleared(firm.database, people.ConfirmCleared(session=session, person=anna.id))
        assert refused.value.code is code
    assert len(await flagged.open()) == 1


async def test_hr_does_not_clear_it_by_editing(flagged: Staffed) -> None:
    with pytest.raises(DomainError):
        async with flagged.firm.operator() as tx:
            await hr.edit_employee(tx, flagged.anna.id, EmployeeEdits(manager_ref=None))


# In the background


async def test_what_cannot_be_written_is_counted_tried_again_and_reaches_no_request(
    staff: Staffed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(result: str) -> float:
        found: float = metrics.NOTES.labels(result)._value.get()
        return found

    async def fail(*_: object) -> None:
        raise asyncpg.DeadlockDetectedError("as it happens")

    failed, written = counted("failed"), counted("written")
    with monkeypatch.context() as broken:
        broken.setattr(store, "note", fail)
        await staff.firm.get(staff.anna)
        await staff.written()
    assert (await staff.asked(staff.anna))["asked_at"] < staff.clock()  # type: ignore[index]
    await staff.written()
    assert (await staff.asked(staff.anna))["asked_at"] == staff.clock()  # type: ignore[index]
    assert (counted("failed") - failed, counted("written") - written) == (1, 1)


async def test_it_is_written_every_so_often_and_when_the_service_stops(staff: Staffed) -> None:
    notes = staff.firm.database.notes
    async with written_down(staff.firm.database, notes, every_s=0.01):
        await staff.firm.get(staff.anna)
        for _ in range(500):
            await asyncio.sleep(0.02 if len(notes) else 0)
    async with written_down(staff.firm.database, notes, every_s=3600):
        await staff.firm.get(staff.reports[1])
    for one in (staff.anna, staff.reports[1]):
        assert (await staff.asked(one))["asked_at"] == staff.clock()  # type: ignore[index]


async def test_a_database_that_is_away_holds_up_neither_the_loop_nor_the_end(clock: SettableClock) -> None:
    notes = Notes()
    async with Database("postgresql://nobody@127.0.0.1:1/none", clock=clock, min_size=0, notes=notes) as away:
        heard = await _heard(notes)
        async with asyncio.timeout(5), written_down(away, notes, every_s=0.01):
            await asyncio.sleep(0.2)
    assert (len(notes), heard) == (0, 3), "dropped in the end, not kept for ever"


async def _heard(notes: Notes) -> int:
    from tests.unit.directory.test_cycles import Tx, noting

    noting(notes, Tx(), 1, 2, 3)
    return len(notes)


async def test_old_cycles_go_and_the_last_one_stays(staff: Staffed, firm_urls: Urls) -> None:
    await staff.cycle()
    await staff.looked()
    await staff.firm.as_owner("update cycles set looked_at = now() - interval '15 days'")
    await sweep(DatabaseSettings(database_url=firm_urls.owner))
    rows = await staff.firm.as_owner("select started_at from cycles")
    assert len(rows) == 1


async def test_an_erased_person_leaves_nothing_here(flagged: Staffed) -> None:
    firm, anna = flagged.firm, flagged.anna
    await firm.change(anna, active=False)
    await firm.as_owner("update employees set termination_date = '2019-01-01' where employee_id = $1", uuid_of(anna))
    await firm.as_owner("update companies set erase_after_months = 1")
    assert await erase_due(lambda: flagged.owner.scope_for_id(firm.company_id).transaction()) == 1
    assert await flagged.asked(anna) is None
    assert await flagged.open() == []


async def test_no_table_is_read_from_end_to_end(flagged: Staffed, monkeypatch: pytest.MonkeyPatch) -> None:
    firm, anna = flagged.firm, flagged.anna

    async def everything() -> None:
        await flagged.cycle(without=[anna])
        await sweep_company(flagged.owner, firm.name)
        async with firm.operator() as tx:
            await hr.confirm_cleared(tx, anna.id, keep=True)

    plans = await plans_of(firm, monkeypatch, everything, database=flagged.owner)
    assert {
        "cycles.go_on",
        "asked_about.note",
        "asked_about.count",
        "findings.flag_cleared",
        "cycles.claim",
    } <= plans.keys()
    assert {"companies.standing", "cycles.sweep", "findings.close_cleared", "asked_about.keep"} <= plans.keys()
    assert scanned(plans) == {}


async def test_a_company_of_which_nothing_was_heard_costs_a_sweep_no_look(
    other_firm: Firm, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await sent_by(monkeypatch, lambda: sweep_company(owner, other_firm.name))
    assert "companies.standing" in {f"{one.collection}.{one.name}" for one, _ in sent}
    assert not {one.name for one, _ in sent} & {"enter", "claim", "count_of_entra", "close_cleared"}
