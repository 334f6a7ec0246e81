"""Somebody in two companies of one Entra tenant: each is told of its own employee, and the operator alone sees both (A15)."""

import uuid
from itertools import pairwise
from typing import Any

import pytest

from directory import overlaps as module
from directory.findings.store import open_findings
from directory.overlaps import ranges
from directory.settings import DatabaseSettings
from directory.sweep import sweep
from tests.support.command import Command
from tests.support.firm import Firm, Urls


@pytest.fixture
def operator(firm_urls: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", firm_urls.owner)
    return Command(capsys)


async def in_one_tenant(*firms: Firm) -> None:
    tenant = uuid.uuid4()
    for firm in firms:
        await firm.as_owner("update connections set tenant_id = $1", tenant)


async def told(firm: Firm) -> list[Any]:
    async with firm.operator() as tx:
        return [one for one in await open_findings(tx) if one.kind == "overlap"]


async def swept(urls: Urls) -> dict[str, int]:
    return await sweep(DatabaseSettings(database_url=urls.owner))


@pytest.mark.parametrize("at_once", [50_000, 1], ids=["one range", "a range for each"])
async def test_each_company_is_told_of_its_own_employee_and_nothing_of_the_other(
    firm: Firm, other_firm: Firm, firm_urls: Urls, operator: Command, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(module, "PEOPLE_AT_ONCE", at_once)
    await in_one_tenant(firm, other_firm)
    person = str(uuid.uuid4())
    here = await firm.create(login="anna@firma.dk", external_id=person)
    there = await other_firm.create(login="anna@other.dk", external_id=person)
    for one in (firm, other_firm):
        await one.create(login="alone@firma.dk", external_id=str(uuid.uuid4()))

    await swept(firm_urls)

    for one, employee in ((firm, here), (other_firm, there)):
        (finding,) = await told(one)
        assert (finding.subject, finding.employee_id, finding.details) == (employee.id, employee.id, {})
    seen = [one for one in (await operator("overlaps", "--json")).json["overlaps"] if one["object_id"] == person]
    assert [{one["company"]: one["employee_id"] for one in overlap["memberships"]} for overlap in seen] == [
        {firm.name: here.id, other_firm.name: there.id}
    ]
    assert here.id in (await operator("overlaps")).out


async def test_seen_again_it_is_one_finding_and_closed_when_it_is_over(
    firm: Firm, other_firm: Firm, firm_urls: Urls
) -> None:
    await in_one_tenant(firm, other_firm)
    people = [str(uuid.uuid4()) for _ in range(3)]
    here = [await firm.create(login=f"{one}@firma.dk", external_id=one) for one in people]
    there = [await other_firm.create(login=f"{one}@firma.dk", external_id=one) for one in people]
    for _ in range(2):
        await swept(firm_urls)
    assert (len(await told(firm)), len(await told(other_firm))) == (3, 3)
    await other_firm.change(there[0], active=False)
    await other_firm.remove(there[1])
    await swept(firm_urls)
    assert [one.subject for one in await told(firm)] == [here[2].id]
    assert [one.subject for one in await told(other_firm)] == [there[2].id]


async def test_the_same_object_id_in_another_tenant_is_somebody_else(
    firm: Firm, other_firm: Firm, firm_urls: Urls
) -> None:
    person = str(uuid.uuid4())
    for one in (firm, other_firm):
        await one.create(external_id=person)
    await swept(firm_urls)
    assert await told(firm) == await told(other_firm) == []


async def test_a_company_that_moves_away_overlaps_no_more(firm: Firm, other_firm: Firm, firm_urls: Urls) -> None:
    await in_one_tenant(firm, other_firm)
    person = str(uuid.uuid4())
    for one in (firm, other_firm):
        await one.create(external_id=person)
    await swept(firm_urls)
    assert await told(firm)
    await other_firm.as_owner("update connections set tenant_id = $1", uuid.uuid4())
    await swept(firm_urls)
    assert await told(firm) == await told(other_firm) == []


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 256])
def test_the_ranges_cover_every_id_once(parts: int) -> None:
    found = list(ranges(parts))
    assert len(found) == parts
    assert (found[0][0].int, found[-1][1].int) == (0, 2**128 - 1)
    assert all(last.int + 1 == first.int for (_, last), (first, _) in pairwise(found))
