"""Whatever meets on one person: done at once, the answers and all that is stored are those of one order or the other.

Every statement is held up by chance, so that the two interleave in another way each time. No deadlock, no lost transaction and no
half of anything may be seen outside. The suite tries each pair once; `RACE_ROUNDS=20` tries harder.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import combinations_with_replacement
from typing import Any

import asyncpg
import pytest

from directory.database import CompanyTx, Database
from directory.events.verification import verify
from shared.errors import DomainError
from tests.support import acts as do
from tests.support.acts import ABOUT, MEETINGS, Act, Furnish
from tests.support.clock import SettableClock
from tests.support.firm import Urls
from tests.support.scene import NOON, Scene, set_up
from tests.support.stack import with_database

ROUNDS = int(os.environ.get("RACE_ROUNDS", "1"))


APART = [
    # Releasing goes through the company in batches: whoever comes meanwhile with what Entra says is Entra's.
    *({do.release, one} for one in (do.create, do.create_boss, do.create_with_her_mail, do.bring)),
    # A look first counts and then tells: of whoever goes in between it tells nothing, and the cycle was what it was.
    *({do.look_at_cycles, one} for one in (do.suspend, do.remove, do.remove_manager, do.release)),
]
"""What comes out in neither order, and why that is right."""
ENDS = {do.close_company, do.end_it}
"""What leaves nothing for others to do."""
PAIRS = [
    pytest.param(furnish, one, other, id=f"{furnish.__name__}-{one.__name__}-{other.__name__}")
    for furnish, acts in MEETINGS.items()
    for one, other in combinations_with_replacement(acts, 2)
    if {one, other} not in APART and (furnish not in ABOUT or ABOUT[furnish] & {one, other})
]


@pytest.fixture(scope="module")
async def database(firm_urls: Urls) -> AsyncIterator[Database]:
    clock = SettableClock()
    clock.set(NOON)
    async with Database(firm_urls.app, clock=clock, min_size=4) as database:
        yield database


@pytest.fixture(scope="module")
async def owner(firm_urls: Urls) -> AsyncIterator[Database]:
    clock = SettableClock()
    clock.set(NOON)
    async with Database(firm_urls.owner, clock=clock) as database:
        yield database


@pytest.fixture(scope="module")
async def reader(firm_urls: Urls, postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(with_database(postgres_url, firm_urls.database))
    yield connection
    await connection.close()


class HeldUp:
    """Once it is `now`, each statement waits a moment, or none, by chance."""

    now = False

    def over(self, ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def held_up(*arguments: Any) -> Any:
            if self.now:
                await asyncio.sleep(random.choice((0, 0, 0.001, 0.003)))
            return await ask(*arguments)

        return held_up


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> HeldUp:
    made = HeldUp()
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        monkeypatch.setattr(CompanyTx, name, made.over(getattr(CompanyTx, name)))
    return made


@pytest.fixture(scope="module")
async def scenes(
    database: Database, owner: Database, firm_urls: Urls, reader: asyncpg.Connection
) -> dict[Furnish, Scene]:
    made = dict[Furnish, Scene]()
    for furnish in MEETINGS:
        made[furnish] = await set_up(database, owner, firm_urls, reader)
        await furnish(made[furnish])
    return made


Outcome = tuple[str, str, list[str]]


@pytest.mark.parametrize(("furnish", "one", "other"), PAIRS)
async def test_two_at_once_are_one_after_the_other(
    scenes: dict[Furnish, Scene], held_up: HeldUp, furnish: Furnish, one: Act, other: Act
) -> None:
    scene = scenes[furnish]
    orders = [await in_order(await scene.again(), one, other)]
    if one is other:
        orders.append((orders[0][1], orders[0][0], orders[0][2]))
    for _ in range(ROUNDS):
        held_up.now = True
        found = await at_once(await scene.again(), one, other)
        held_up.now = False
        if found not in orders and len(orders) == 1:
            second, first, everything = await in_order(await scene.again(), other, one)
            orders.append((first, second, everything))
        assert found in orders, nearest(found, orders)


async def test_everything_at_once_tires_nobody_and_leaves_a_whole_history(
    database: Database, owner: Database, firm_urls: Urls, reader: asyncpg.Connection, held_up: HeldUp
) -> None:
    """Nobody is sent away because he lost too often, and the chain holds."""
    for furnish, acts in MEETINGS.items():
        scene = await set_up(database, owner, firm_urls, reader)
        await furnish(scene)
        started = [act for act in acts if act not in ENDS]
        random.shuffle(started)
        held_up.now = True
        answers = await asyncio.gather(*(answer(act(scene)) for act in started))
        held_up.now = False
        assert "unavailable" not in answers, [one.__name__ for one in started]
        await scene.all()
        async with owner.scope_for_id(scene.firm.company_id).transaction() as tx:
            assert (await verify(tx)).breaks == []


async def test_whatever_happens_in_a_company_while_it_is_deleted_nothing_of_it_remains(
    scenes: dict[Furnish, Scene], held_up: HeldUp
) -> None:
    for _ in range(3 * ROUNDS):
        scene = await scenes[do.over].again()
        started = [act for act in MEETINGS[do.over] if act is not do.restore_company]
        random.shuffle(started)
        held_up.now = True
        await asyncio.gather(*(answer(act(scene)) for act in started))
        held_up.now = False
        assert await scene.all() == []


async def in_order(scene: Scene, *acts: Act) -> Outcome:
    answers = [await answer(act(scene)) for act in acts]
    everything = await scene.all()
    return scene.named(answers[0]), scene.named(answers[1]), everything


async def at_once(scene: Scene, *acts: Act) -> Outcome:
    answers = await asyncio.gather(*(answer(act(scene)) for act in acts))
    everything = await scene.all()
    return scene.named(answers[0]), scene.named(answers[1]), everything


async def answer(attempt: Awaitable[object]) -> str:
    """Its value, or the code of its refusal. Anything else is a fault."""
    try:
        return repr(await attempt)
    except DomainError as error:
        return error.code.value


def nearest(found: Outcome, orders: list[Outcome]) -> str:
    """What sets it apart from the order that it is most like."""
    apart: list[list[str]] = [
        [
            f"answered {one!r}\ninstead of {wanted!r}"
            for one, wanted in zip(found[:2], order[:2], strict=True)
            if one != wanted
        ]
        + [f"too much: {row}" for row in found[2] if row not in order[2]]
        + [f"missing:  {row}" for row in order[2] if row not in found[2]]
        for order in orders
    ]
    return "\n".join(sorted(apart, key=len)[0])
