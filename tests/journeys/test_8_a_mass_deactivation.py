"""Journey 8: somebody empties the wrong group in Entra, and the brake holds."""

import pytest

from tests.entra.people import Person
from tests.support.browser import Browser
from tests.support.command import Command
from tests.support.company import Company


@pytest.fixture
def operator(company: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", company.stack.owner_url)
    return Command(capsys)


async def emptied(company: Company) -> list[Person]:
    """Twelve people, at most four of whom may go within an hour; then eleven are taken out of the group."""
    await company.apply(brake={"people": 4, "percent": 20})
    people = [company.hire() for _ in range(12)]
    await company.cycle()
    for person in people[:11]:
        company.tenant.unassign(company.app, person.object_id)
    return people


async def actives(company: Company) -> int:
    answer = await company.scim.get("/Users?filter=active%20eq%20true&count=0")
    return int(answer.json["totalResults"])


async def test_those_beyond_the_limit_are_held_and_keep_working_while_everybody_else_goes_on(
    company: Company, operator: Command, browser: Browser
) -> None:
    people = await emptied(company)
    await company.sign_in(browser, people[10])
    newcomer = company.hire()

    cycle = await company.engine.cycle(company.app)

    assert cycle.quarantine is None
    assert (cycle.disabled, cycle.failed, cycle.created) == (4, 7, 1)
    assert await actives(company) == 12 - 4 + 1
    assert (await company.session(browser)).status == 200
    answer = await company.suspend(company.scim_id(people[10]))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    assert "a Setup admin of the company releases it" in answer.json["detail"]
    # The next cycles ask again, and are answered the same: one row each, and no way around.
    for _ in range(3):
        assert (await company.engine.cycle(company.app)).disabled == 0
    assert (await operator("company", "brake", company.name, "--json")).json["held"] == 7
    assert company.scim_id(newcomer)


async def test_released_by_the_operator_they_go_and_entra_is_content(
    company: Company, operator: Command, browser: Browser
) -> None:
    people = await emptied(company)
    await company.sign_in(browser, people[10])
    await company.engine.cycle(company.app)
    told = await operator("company", "brake", company.name, "--release", "--json")
    assert (told.json["released_now"], told.json["done"]) == (7, 7)
    assert (await company.session(browser)).status == 401
    cycle = await company.cycle()
    assert await actives(company) == 1
    assert cycle.changes <= 7
    assert (await company.cycle()).changes == 0


async def test_a_mistake_that_is_undone_in_entra_leaves_nobody_shut_out(company: Company, operator: Command) -> None:
    people = await emptied(company)
    await company.engine.cycle(company.app)
    await operator("company", "brake", company.name, "--refuse")
    for person in people[:11]:
        company.tenant.assign(company.app, person.object_id)
    await company.cycle()
    assert await actives(company) == 12
    # Whoever really leaves later is not mistaken for one of them once Entra has been silent (here: has said active).
    told = await operator("company", "brake", company.name, "--json")
    assert told.json["held"] == 0


async def test_a_single_leaver_is_never_held(company: Company) -> None:
    await company.apply(brake={"people": 4, "percent": 20})
    people = [company.hire() for _ in range(6)]
    await company.cycle()
    company.tenant.unassign(company.app, people[0].object_id)
    assert (await company.cycle()).disabled == 1


async def test_without_a_setting_thirty_people_and_thirty_percent_are_the_limit(company: Company) -> None:
    people = [company.hire() for _ in range(35)]
    await company.cycle()
    for person in people:
        company.tenant.unassign(company.app, person.object_id)
    cycle = await company.engine.cycle(company.app)
    assert (cycle.disabled, cycle.failed) == (30, 5)
