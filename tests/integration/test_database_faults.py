"""What the database does to a request that is under way is told as something that passes, whoever asked."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import msgspec
import pytest

from shared.schemas.employee import GetEmployee
from tests.support.application import Application
from tests.support.firm import Firm
from tests.support.stack import SCIM_SECRET, with_database

LOST = "The database was lost on the way; try again."
LATE = "The database did not answer in time; try again."

Waiting = asyncio.Future[tuple[tuple[int, str], tuple[int, str]]]


async def _provisioning_reads(firm: Firm, url: str, http: aiohttp.ClientSession) -> tuple[int, str]:
    body = msgspec.json.encode(GetEmployee(credential=firm.credential, employee_id="emp_" + "0" * 32))
    headers = {"Authorization": f"Bearer {SCIM_SECRET}"}
    async with http.post(f"{url}/provisioning/get_employee", data=body, headers=headers) as answer:
        return answer.status, (await answer.json(content_type=None))["detail"]


async def _application_reads(application: Application) -> tuple[int, str]:
    answer = await application.get("/employees")
    return answer.status, answer.body["detail"]


@pytest.fixture
async def waiting(
    firm: Firm, application: Application, firm_service: str, http: aiohttp.ClientSession
) -> AsyncIterator[Waiting]:
    """Two requests that wait for a table that somebody else holds."""
    async with firm.owner() as owner:
        await owner.execute("lock table employees in access exclusive mode")
        asked = asyncio.gather(_application_reads(application), _provisioning_reads(firm, firm_service, http))
        await asyncio.sleep(0.5)
        yield asked


async def test_a_statement_that_waits_too_long_is_told_as_something_that_passes(
    waiting: Waiting,
) -> None:
    assert [*await waiting] == [(503, LATE)] * 2


async def test_a_database_that_goes_away_under_a_request_is_told_as_something_that_passes(
    waiting: Waiting,
    firm: Firm,
    postgres_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    admin = await asyncpg.connect(with_database(postgres_url, firm.urls.database))
    try:
        ended = await admin.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where usename = 'identity_service' and wait_event_type = 'Lock'"
        )
    finally:
        await admin.close()
    assert len(ended) == 2
    assert [*await waiting] == [(503, LOST)] * 2
    assert "Traceback" not in caplog.text


async def test_a_database_that_went_away_between_two_requests_is_no_fault_of_the_next(
    firm: Firm, application: Application, firm_service: str, http: aiohttp.ClientSession, postgres_url: str
) -> None:
    await firm.create()
    admin = await asyncpg.connect(with_database(postgres_url, firm.urls.database))
    try:
        for _ in range(5):
            await admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'identity_service'"
            )
            asked = (application.get("/employees"), _provisioning_reads(firm, firm_service, http))
            first, second = await asyncio.gather(*asked)
            assert first.status in {200, 503}
            assert second[0] in {404, 503}
    finally:
        await admin.close()
