"""Directory against a plain model of its rules (`tests/support/model`): random sequences of what Entra, HR, imports and people
signing in do over several companies; every answer and everything that is stored must be the model's.
`MODEL_EXAMPLES=2000` searches longer than the suite does.
"""

import os
from collections.abc import AsyncIterator
from random import Random

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from directory.database import Database
from tests.support.clock import SettableClock
from tests.support.firm import Urls
from tests.support.model.stories import Stories
from tests.support.model.world import EVIDENCE, Command, founded
from tests.support.shortening import shortened
from tests.support.stack import with_database

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "50"))
LENGTH = 80
"""Commands in a sequence: it is the long ones that find something."""


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture(scope="module")
async def database(firm_urls: Urls, clock: SettableClock) -> AsyncIterator[Database]:
    async with Database(firm_urls.app, clock=clock) as database:
        yield database


@pytest.fixture(scope="module")
async def owner(firm_urls: Urls, clock: SettableClock) -> AsyncIterator[Database]:
    async with Database(firm_urls.owner, clock=clock) as database:
        yield database


@pytest.fixture(scope="module")
async def reader(firm_urls: Urls, postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(with_database(postgres_url, firm_urls.database))
    yield connection
    await connection.close()


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("directory.employees.mapping.EVIDENCE", EVIDENCE)
    monkeypatch.setattr("directory.employees.releasing.BATCH", 2)


FAILED: dict[str, Exception] = {}
"""By the sequence as it was drawn: Hypothesis plays a failure twice."""


# Hypothesis gives the seeds alone: drawn by itself, sequences are short and much alike. `shortened` shrinks what fails.
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="MODEL_EXAMPLES" not in os.environ,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(chance=st.randoms(use_true_random=True))
async def test_whatever_happens_happens_as_the_model_says(
    database: Database,
    clock: SettableClock,
    owner: Database,
    firm_urls: Urls,
    reader: asyncpg.Connection,
    chance: Random,
) -> None:
    draw = Stories(chance)
    companies = [draw.settings() for _ in range(draw.one(2, 3))]
    steps = draw.sequence(LENGTH)

    async def failure(steps: list[Command]) -> Exception | None:
        world = await founded(database, clock, owner, firm_urls, reader, companies)
        try:
            await world.play(steps)
        except Exception as error:
            return error
        return None

    drawn = f"{companies} {steps}"
    if drawn not in FAILED:
        fewest, error = await shortened(steps, failure)
        if error is None:
            return
        error.add_note("".join(["The companies:", *(f"\n    {one}," for one in companies)]))
        error.add_note("".join(["The steps:", *(f"\n    {step}," for step in fewest)]))
        FAILED[drawn] = error
    raise FAILED[drawn]
