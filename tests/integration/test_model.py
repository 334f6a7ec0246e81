"""Directory against a plain model of its rules (`tests/support/model`): random sequences of what Entra, HR, imports and people
signing in do over several companies; every answer and everything that is stored must be the model's.

Names, link keys and references come from pools so small that people collide, follow each other, wait for each other and are
renamed all the time. `MODEL_EXAMPLES=2000` searches longer than the suite does, `MODEL_SHRINK=no` tells a failure as it was
found.
"""

import os
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from directory.database import Database
from tests.integration.conftest import NAME
from tests.support.clock import SettableClock
from tests.support.firm import Urls
from tests.support.model import commands
from tests.support.model.people import COUNTRIES
from tests.support.model.world import ADMIN, EVIDENCE, Command, founded
from tests.support.stack import with_database

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "60"))

LOGINS = ["anna@firma.dk", "ANNA@firma.dk", "bo@firma.dk", "åse@firma.dk", "A\u030ase@firma.dk", "nick", ADMIN]
OBJECTS = [f"{one}a0d1f0e-4d0f-4c3d-9f43-2f4d8b5f0a1{one}" for one in "abc"]
EXTERNALS = [*OBJECTS, OBJECTS[0].upper(), "nick", "anna@firma.dk"]
COMPANY, PERSON = st.integers(0, 2), st.integers(0, 9)
REFERENCE = st.one_of(
    st.tuples(COMPANY, PERSON), st.sampled_from([*LOGINS, *EXTERNALS, "emp_" + "0" * 32]), st.tuples(COMPANY, PERSON)
)
DAYS = [date(1890, 1, 1), date(2020, 2, 29), date(2026, 10, 1), date(2026, 12, 24), date(2027, 9, 1), date(2031, 1, 1)]
BAD = "a\0b"
UNSTORABLE = st.sampled_from([None] * 30 + [BAD])

TEXTS: dict[str, st.SearchStrategy[Any]] = {
    "title": st.sampled_from([None, "Kok", "Chef", BAD]),
    "department": st.sampled_from([None, "Salg", "SALG", "Lager"]),
    "employee_number": st.sampled_from([None, "17"]),
    "mobile_phone": st.sampled_from([None, "+45 12"]),
    "country": st.sampled_from([None, *COUNTRIES]),
    "manager_ref": st.one_of(REFERENCE, REFERENCE, st.none()),
}
NAMES: dict[str, st.SearchStrategy[Any]] = {
    "login_name": st.sampled_from(LOGINS),
    "email": st.sampled_from(LOGINS),
    "given_name": st.sampled_from(["Anna", "Bo", "Åse", " "]),
}
MISSING = st.lists(st.sampled_from(["active", "given_name", "email"]), unique=True, max_size=2)
ENTRAS: dict[str, st.SearchStrategy[Any]] = {
    **TEXTS,
    "external_id": st.sampled_from([None, *EXTERNALS]),
    "email_primary": st.sampled_from([None, True]),
    "active": st.booleans(),
}


@st.composite
def new_employees(draw: st.DrawFn) -> dict[str, Any]:
    login = draw(st.sampled_from(LOGINS))
    email = draw(st.one_of(st.just(login), st.sampled_from(LOGINS)))
    mandatory = {
        "login_name": login,
        "email": email,
        "given_name": draw(st.sampled_from(["Anna", "Bo"])),
        "family_name": "Holm",
    }
    return mandatory | draw(
        st.fixed_dictionaries({}, optional={**ENTRAS, "active": st.sampled_from([True, True, True, False])})
    )


def changes() -> st.SearchStrategy[dict[str, Any]]:
    one = [st.fixed_dictionaries({name: values}) for name, values in (ENTRAS | NAMES).items()]
    activity = [st.just({"active": active}) for active in (False, True, False, True)]
    return st.one_of(*activity, *one, st.fixed_dictionaries({}, optional=ENTRAS | NAMES))


def edits() -> st.SearchStrategy[dict[str, Any]]:
    fields = {**TEXTS, **NAMES, "hired_on": st.sampled_from([None, *DAYS]), "policy": st.sampled_from([None, "A", "B"])}
    one = [st.fixed_dictionaries({name: values}) for name, values in fields.items()]
    return st.one_of(*one, st.fixed_dictionaries({}, optional=fields))


WHO = st.one_of(PERSON, PERSON, st.sampled_from(LOGINS))


def of_person(act: str, values: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[commands.OfPerson]:
    return st.builds(commands.OfPerson, COMPANY, st.booleans(), st.just(act), WHO, values)


NOTHING: st.SearchStrategy[dict[str, Any]] = st.just({})
HR = [
    of_person("edit", edits()),
    of_person("edit", edits()),
    of_person("end", st.fixed_dictionaries({"on": st.sampled_from([None, *DAYS])})),
    of_person("block", st.fixed_dictionaries({"blocked": st.booleans()})),
    of_person("decide_rehire", st.fixed_dictionaries({"choice": st.sampled_from(["continue", "new_employment"])})),
    of_person("confirm", NOTHING),
    of_person("finish", NOTHING),
    st.builds(
        commands.Release,
        COMPANY,
        st.booleans(),
        st.sampled_from(["title", "manager_ref", "country", "email", "nonsense"]),
    ),
]
ENTRA = [
    st.builds(commands.Create, COMPANY, new_employees(), st.one_of(st.just([]), st.just([]), MISSING)),
    st.builds(commands.Create, COMPANY, new_employees(), st.just([])),
    st.builds(commands.Create, COMPANY, new_employees(), st.just([])),
    st.builds(commands.Change, COMPANY, PERSON, changes(), st.booleans()),
    st.builds(commands.Change, COMPANY, PERSON, changes(), st.booleans()),
    st.builds(commands.Change, COMPANY, PERSON, changes(), st.booleans()),
    st.builds(commands.Remove, COMPANY, PERSON),
    st.one_of(
        st.builds(commands.NoteMapping, COMPANY, MISSING),
        st.builds(commands.Find, COMPANY, st.sampled_from(["login_name", "email", "manager"]), st.sampled_from(LOGINS)),
        st.builds(commands.Find, COMPANY, st.just("external_id"), st.sampled_from(EXTERNALS)),
    ),
]
OTHERS = [
    st.builds(commands.Import, COMPANY, st.sampled_from(LOGINS), st.sampled_from(LOGINS), st.booleans()),
    st.builds(commands.Pass, COMPANY, st.sampled_from([1, 5, 24, 24 * 12, 24 * 40])),
    st.builds(
        commands.SignIn,
        COMPANY,
        st.sampled_from(OBJECTS),
        st.sampled_from(LOGINS),
        st.sampled_from([None, *LOGINS]),
        st.sampled_from([False] * 5 + [True]),
    ),
    st.builds(commands.Open, COMPANY, st.integers(-2, 2), st.one_of(st.none(), st.tuples(COMPANY, st.integers(0, 3)))),
    st.builds(commands.Open, COMPANY, st.just(-1), st.none()),
    st.one_of(
        st.builds(commands.ReadSession, COMPANY, st.integers(-2, 2)),
        st.builds(commands.EndSession, COMPANY, st.integers(-2, 2)),
    ),
]
STEPS = st.one_of(*ENTRA, *HR, *OTHERS)
# Several short lists are longer on the average than one long list, and shrink as well.
SEQUENCES = st.tuples(*[st.lists(STEPS, max_size=14)] * 6).map(lambda parts: [one for part in parts for one in part])
SETTINGS = st.lists(
    st.tuples(st.sampled_from(["Europe/Copenhagen", "Pacific/Auckland"]), st.sampled_from([None, 0, 10])),
    min_size=2,
    max_size=3,
)


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture(scope="module")
async def database(firm_urls: Urls, clock: SettableClock) -> AsyncIterator[Database]:
    async with Database(firm_urls.app, clock=clock) as database:
        yield database


@pytest.fixture(scope="module")
async def reader(firm_urls: Urls, postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(with_database(postgres_url, NAME))
    yield connection
    await connection.close()


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("directory.employees.mapping.EVIDENCE", EVIDENCE)
    monkeypatch.setattr("directory.employees.releasing.BATCH", 2)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="MODEL_EXAMPLES" not in os.environ,
    print_blob=True,
    report_multiple_bugs=False,
    phases=[Phase.generate] if os.environ.get("MODEL_SHRINK") == "no" else list(Phase),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(companies=SETTINGS, steps=SEQUENCES)
async def test_whatever_happens_happens_as_the_model_says(
    database: Database,
    clock: SettableClock,
    firm_urls: Urls,
    reader: asyncpg.Connection,
    companies: list[tuple[str, int | None]],
    steps: list[Command],
) -> None:
    world = await founded(database, clock, firm_urls, reader, companies)
    await world.play(steps)
