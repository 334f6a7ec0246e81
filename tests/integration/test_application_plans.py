"""What the BitaBIZ application asks goes by an index in a company of thousands, and costs a fixed number of statements."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from directory.api import store
from directory.database import Statement
from directory.employees.operations import find_employees
from directory.events import store as events
from scim_ingest.protocol.filters import parse_filter
from scim_ingest.protocol.user_names import USER_NAMES
from shared.ids import new_employee_id
from shared.schemas.employee import FindEmployees
from tests.support.application import Application
from tests.support.firm import Firm, Urls
from tests.support.plans import sent_by

PEOPLE = 5_000


@pytest.fixture(scope="module")
async def large(firm_database: Any, firm_urls: Urls) -> Firm:
    """A firm of thousands, and its history, beside the small ones of the other tests."""
    firm = await Firm.founded(firm_database, firm_urls)
    await firm.as_owner(
        "insert into employees (company_id, employee_id, state, source, login_name, login_key, email, email_key, given_name, "
        "family_name, department, department_key, employee_number, created_at, updated_at) "
        "select $1, gen_random_uuid(), 'active', 'entra', n, n, n, n, 'A', 'H', 'd' || i % 200, 'd' || i % 200, i, now(), now() "
        "from generate_series(1, $2) as i, lateral (select 'p' || i || '@firma.dk' as n) as name",
        firm.company_id,
        PEOPLE,
    )
    await firm.as_owner(
        "insert into events (company_id, at, kind, employee_id, actor_kind, actor_id, request_id, trace_id, changes) "
        "select $1, now(), 'employee.changed', employee_id, 'system', 'test', '', '', '{}' from employees",
        firm.company_id,
    )
    connection = await asyncpg.connect(firm_urls.owner)
    await connection.execute("analyze employees, events")
    await connection.close()
    return firm


async def plan(firm: Firm, question: Statement, *arguments: object) -> str:
    explained = Statement(question.name, question.collection, f"explain {question.sql}")
    async with firm.operator() as tx:
        rows = await tx.fetch(explained, tx.company_id, *arguments)
    return "\n".join(row[0] for row in rows)


ANYBODY = new_employee_id()

QUESTIONS: list[tuple[Statement, tuple[object, ...], str]] = [
    # Any index of the company will do: which one, the planner decides by the size of the whole table.
    (store._page(()), (101,), "Index Cond: (company_id"),
    (store._page(("after",)), (ANYBODY, 101), "Index Cond: ("),
    (store._page(("changed_since",)), (datetime(2020, 1, 1, tzinfo=UTC), 101), "Index Cond: (company_id"),
    (store._page(("department",)), ("d7", 101), "employees_by_department"),
    (store._page(("login_name",)), ("p7@firma.dk", 101), "employees_login_taken"),
    (store._page(("email",)), ("p7@firma.dk", 101), "employees_email_taken"),
    (store._page(("employee_number",)), ("7", 101), "employees_by_number"),
    (store._page(("manager_id",)), (ANYBODY, 101), "employees_by_manager"),
    (store._GET, (ANYBODY,), "employees_pkey"),
    (store._OF_LOGIN, ("p7@firma.dk",), "employees_login_taken"),
    (events._PAGE, (2_000, 2_100, None), "events_pkey"),
    (events._PAGE, (2_000, 2_100, ["employee.created"]), "events_pkey"),
    (events._HEAD, (), "events_pkey"),
    (events._UNTIL, (ANYBODY, datetime(2030, 1, 1, tzinfo=UTC), ["employee.created"]), "events_of_employee"),
    (events._OF_EMPLOYEE[False], (ANYBODY, None, 101), "events_of_employee"),
    (events._OF_EMPLOYEE[True], (ANYBODY, 7, 101), "events_of_employee"),
]


@pytest.mark.parametrize(("question", "arguments", "index"), QUESTIONS, ids=[one[2] for one in QUESTIONS])
async def test_every_question_goes_by_its_index(
    large: Firm, question: Statement, arguments: tuple[object, ...], index: str
) -> None:
    found = await plan(large, question, *arguments)
    assert "Seq Scan" not in found, found
    assert index in found, found


async def test_a_page_without_a_key_is_read_in_the_order_of_ids_and_not_sorted(large: Firm) -> None:
    """PostgreSQL alone prefers to read the company and sort it: 10.7 ms of processor instead of 1.7 at 50,000 people."""
    async with large.operator() as tx:
        await store.page(tx, {}, 101)
        explained = Statement("explain", "employees", f"explain {store._page(()).sql}")
        found = "\n".join(row[0] for row in await tx.fetch(explained, tx.company_id, 101))
    assert "employees_pkey" in found, found
    assert "Sort" not in found, found


async def test_a_request_is_the_door_and_one_or_two_statements(
    application: Application, firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr("shared.telemetry.metrics.observe_statement", lambda name, *_: seen.append(name))
    anna = await firm.create()

    async def statements(path: str, **query: Any) -> list[str]:
        seen.clear()
        assert (await application.get(path, **query)).status == 200
        return seen[1:] if seen[0] == "enter_by_api_credential" else []

    assert await statements("/employees", state="active", department="salg") == ["head", "page_for_application"]
    assert await statements("/employees") == ["head", "in_order", "page_for_application"]
    assert await statements(f"/employees/{anna.id}") == ["get_any"]
    assert await statements(f"/employees/{anna.id}", at="2999-01-01T00:00:00Z") == ["until"]
    assert await statements(f"/employees/{anna.id}/history") == ["of_employee"]
    assert await statements("/events", after=0) == ["page"]
    waited = await statements("/events", after=2, wait=0.6)
    assert (waited[0], set(waited[1:])) == ("page", {"history_heads"}), "whoever waits asks for heads alone"


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ('userName eq "P7@firma.dk"', "employees_login_taken"),
        ('emails[type eq "work"].value eq "p7@firma.dk"', "employees_email_taken"),
        ('externalId eq "x"', "employees_external_id_taken"),
        ('manager eq "emp_11111111111111111111111111111111"', "employees_by_manager"),
        ('employeeNumber eq "7"', "employees_by_number"),
        ('department eq "D7"', "employees_by_department"),
        ('department eq "D7" and active eq true', "employees_by_department"),
        ('department eq "D7" or employeeNumber eq "7"', "employees_by_department"),
    ],
)
async def test_what_entra_may_match_by_is_found_by_its_index(
    large: Firm, monkeypatch: pytest.MonkeyPatch, text: str, index: str
) -> None:
    """Any mapped attribute can be marked as a matching one in Entra."""
    request = FindEmployees(credential=large.credential, where=parse_filter(text, USER_NAMES))
    sent = await sent_by(monkeypatch, lambda: find_employees(large.database, request))
    (question, arguments) = next(one for one in sent if "find" in one[0].name)
    found = await plan(large, question, *arguments[1:])
    assert index in found, found
    assert "Seq Scan" not in found, found
