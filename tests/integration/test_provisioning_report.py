"""What is told about a company's provisioning: last contact, rhythm, silence, whom Entra has forgotten."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from directory import metrics
from directory.cycles import counting, reports
from directory.cycles.writing import write
from directory.database import Database
from directory.employees import setup
from shared.errors import DomainError, ErrorCode
from shared.schemas import provisioning_report as traffic
from tests.integration.test_cycles import NOON, Staffed, clock, operator, other_staff, owner, staff
from tests.support.clock import SettableClock
from tests.support.command import Command
from tests.support.firm import Firm, Urls

__all__ = ["clock", "operator", "other_staff", "owner", "staff"]


async def reported(firm: Firm) -> traffic.ProvisioningReport:
    async with firm.operator() as tx:
        return await reports.report(tx)


async def unasked(firm: Firm, after: str = "", limit: int = 100) -> traffic.UnaskedPeople:
    async with firm.operator() as tx:
        return await reports.unasked(tx, after, limit)


async def test_before_the_first_request_nothing_is_known(firm: Firm, clock: SettableClock) -> None:
    found = await reported(firm)
    assert (found.standing, found.quarantine_suspected, found.last_request_at, found.cycles) == (
        "never",
        False,
        None,
        [],
    )
    assert await unasked(firm) == traffic.UnaskedPeople(since=None, people=[], next=None)


async def test_contact_rhythm_and_silence(staff: Staffed) -> None:
    """Cycles that begin forty minutes apart; then one runs, it rests, and no more come."""
    staff.clock.set(NOON + timedelta(minutes=40))
    for _ in range(3):
        begun = staff.clock()
        await staff.firm.get(staff.anna)
        await staff.written()
        running = await reported(staff.firm)
        assert (running.standing, running.last_request_at) == ("running", begun)
        staff.clock.set(begun + timedelta(minutes=40))
    resting = await reported(staff.firm)
    assert (resting.standing, resting.rhythm_minutes, resting.quarantine_suspected) == ("resting", 40, False)
    assert [one.requests for one in resting.cycles[:3]] == [1, 1, 1]
    staff.clock.set(staff.clock() + timedelta(minutes=-10))
    assert (await reported(staff.firm)).expected_at == staff.clock() + timedelta(minutes=10)
    staff.passes(timedelta(hours=4))
    silent = await reported(staff.firm)
    assert (silent.standing, silent.quarantine_suspected, silent.expected_at) == ("silent", True, None)


async def test_whom_the_last_full_cycle_did_not_ask_about(staff: Staffed, other_staff: Staffed) -> None:
    """Nobody is forgotten who came into being since, who is inactive, or whom Entra does not govern."""
    for _ in range(31):
        await staff.firm.create(login=f"more{_}@firma.dk")
    await staff.written()
    staff.passes()
    everybody = [staff.boss, *staff.reports, *(await staff.firm.find(limit=100)).employees[10:]]
    forgotten = [staff.reports[3], staff.reports[5]]
    await staff.cycle(people=[one for one in everybody if one not in forgotten])
    await staff.firm.create(login="new@firma.dk")
    await staff.written()
    staff.passes()
    await staff.looked()
    assert (await staff.verdicts())[-2] == "full"
    found = await unasked(staff.firm)
    assert [one.employee_id for one in found.people] == [one.id for one in forgotten]
    assert found.people[0].login_name == "p3@firma.dk"
    first = await unasked(staff.firm, limit=1)
    assert [one.employee_id for one in (await unasked(staff.firm, first.next or "", 1)).people] == [forgotten[1].id]
    report = await reported(staff.firm)
    assert (report.unasked, report.people, report.last_full_at) == (2, 42, found.since)
    await staff.firm.change(forgotten[0], active=False)
    await staff.firm.get(forgotten[1])
    await staff.written()
    assert (await unasked(staff.firm)).people == []
    assert (await unasked(other_staff.firm)).people == []


@pytest.mark.parametrize(("after", "limit"), [("nonsense", 1), ("", 0), ("", 1001)])
async def test_a_page_that_makes_no_sense_is_refused(staff: Staffed, after: str, limit: int) -> None:
    with pytest.raises(DomainError) as refused:
        await unasked(staff.firm, after, limit)
    assert refused.value.code is ErrorCode.invalid_request


async def test_a_setup_admin_reads_it_and_nobody_else(staff: Staffed, other_firm: Firm) -> None:
    request = traffic.ReadProvisioning(session=await staff.firm.admin())
    assert (await setup.provisioning(staff.firm.database, request)).people == 10
    listed = traffic.ListUnasked(session=await other_firm.admin())
    assert (await setup.unasked_people(staff.firm.database, listed)).people == []
    for refused in (await staff.firm.admin("approver"),):
        with pytest.raises(DomainError) as told:
            await setup.provisioning(staff.firm.database, traffic.ReadProvisioning(session=refused))
        assert told.value.code is ErrorCode.not_allowed


async def test_the_command_says_it_in_words(staff: Staffed, operator: Command) -> None:
    told = (await operator("company", "provisioning", staff.firm.name)).out
    assert "Last request" in told
    assert "fallen silent" in told
    assert "asked about everybody" in told
    assert "asked about everybody" in (await operator("company", "provisioning", staff.firm.name, "--unasked")).out
    answer = (await operator("company", "provisioning", staff.firm.name, "--json")).json
    assert answer["cycles"][0]["verdict"] == "full"


@pytest.fixture
async def contacts(firm_urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(firm_urls.owner)
    yield connection
    await connection.close()


async def heard_at(contacts: asyncpg.Connection, firm: Firm) -> object:
    return await contacts.fetchval(
        "select last_request_at from registry.contacts where company_id = $1", firm.company_id
    )


async def test_companies_are_counted_together_and_one_that_is_switched_off_is_not_missed(
    staff: Staffed, other_staff: Staffed, contacts: asyncpg.Connection, firm_database: Database
) -> None:
    await contacts.execute(
        "delete from registry.contacts where company_id <> all($1)",
        [staff.firm.company_id, other_staff.firm.company_id],
    )
    await staff.firm.get(staff.anna)
    await write(staff.firm.database, staff.firm.database.notes)
    assert await heard_at(contacts, staff.firm) == staff.clock()
    await counting.count(firm_database)
    assert (gauge("running"), gauge("resting"), gauge("silent")) == (1, 1, 0)
    staff.passes(timedelta(hours=27))
    await counting.count(firm_database)
    assert (gauge("running"), gauge("resting"), gauge("silent")) == (0, 0, 2)
    await staff.firm.as_owner("update connections set provisioning_enabled = false")
    assert await heard_at(contacts, staff.firm) is None
    await counting.count(firm_database)
    assert gauge("silent") == 1


def gauge(standing: str) -> float:
    return metrics.CONTACTS.labels(standing)._value.get()  # type: ignore[no-any-return]
