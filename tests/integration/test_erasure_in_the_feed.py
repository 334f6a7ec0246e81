"""An erasure, seen from outside: the chain holds, and whoever follows the feed forgets too."""

import asyncio
import random

from directory.cli.environment import owner_database
from directory.companies.deleting import SYSTEM
from directory.events.verification import verify
from directory.retention.erasure import erase_due
from directory.settings import DatabaseSettings
from tests.integration.test_feed_convergence import as_times, everybody, follow
from tests.support.application import Application, Follower
from tests.support.firm import Firm


async def test_whoever_follows_the_feed_forgets_the_erased_and_the_chain_holds(
    application: Application, firm: Firm
) -> None:
    boss = await firm.create(login="boss@firma.dk", external_id="x-boss")
    report = await firm.create(login="report@firma.dk", manager_ref="boss@firma.dk", title="Kok")
    early, done = Follower(), asyncio.Event()
    done.set()
    await follow(application, early, random.Random(1), done)
    await firm.remove(boss)
    await firm.as_owner(
        "update employees set termination_date = '2019-05-31', suspended_on = '2019-05-31' where state = 'departed'"
    )
    await firm.as_owner("update companies set erase_after_months = 12")
    async with owner_database(DatabaseSettings(database_url=firm.urls.owner)) as database:
        scope = database.scope_for_name(firm.name)
        assert await erase_due(lambda: scope.transaction(SYSTEM)) == 1
        async with scope.transaction() as tx:
            found = await verify(tx)
    assert found.breaks == []
    late = Follower()
    for follower in (early, late):
        await follow(application, follower, random.Random(1), done)
    present = await everybody(application, random.Random(2))
    assert set(present) == {report.id}
    for follower in (early, late):
        assert {one: as_times(kept) for one, kept in follower.people.items()} == {
            one: as_times(shown) for one, shown in present.items()
        }
    assert (await application.get(f"/employees/{boss.id}")).refusal[:2] == (404, "not_found")
    assert (await application.get(f"/employees/{boss.id}", at=boss.created_at.isoformat())).refusal[:2] == (
        404,
        "not_found",
    )
    history = (await application.get(f"/employees/{boss.id}/history")).body["events"]
    assert [event["kind"] for event in history][-1] == "employee.erased"
    assert "boss" not in str(history)
