"""The rate limit over sockets: nobody who keeps to it notices, whoever does not harms himself alone."""

import asyncio
import time
from collections import Counter
from datetime import timedelta

import aiohttp
import pytest

from directory.cli.environment import owner_database
from directory.database import Actor
from directory.oauth.setting_up import issue_secret
from scim_ingest.settings import Settings
from shared.settings import SettingsError, read_settings
from tests.support.company import Company
from tests.support.stack import second_scim

ENVIRONMENT = {"DIRECTORY_URL": "http://d", "DIRECTORY_SECRET": "s", "PUBLIC_URL": "http://s"}


async def ask(http: aiohttp.ClientSession, edge: str, company: Company, token: str = "") -> aiohttp.ClientResponse:
    headers = {"Authorization": f"Bearer {token or company.token}"}
    async with http.get(f"{edge}/scim/v2/{company.name}/Users?count=0", headers=headers) as answer:
        await answer.read()
        return answer


async def test_a_burst_is_queued_and_what_is_beyond_it_is_told_when_to_come_again(
    company: Company, neighbour: Company, http: aiohttp.ClientSession
) -> None:
    async with second_scim(company.stack, scim_rate_per_company=40) as edge:
        await ask(http, edge, company)
        began = time.monotonic()
        answers = await asyncio.gather(*(ask(http, edge, company) for _ in range(150)))
        seconds = time.monotonic() - began
        statuses = Counter(answer.status for answer in answers)
        assert statuses[200] + statuses[429] == 150
        # A burst of 10 and a queue of two seconds, and what was earned back meanwhile.
        assert 85 <= statuses[200] <= 90 + 40 * seconds
        assert seconds >= 1.5
        refused = next(answer for answer in answers if answer.status == 429)
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.content_type == "application/scim+json"
        assert (await ask(http, edge, neighbour)).status == 200


async def test_the_sentence_says_what_was_wanted_and_what_came(company: Company, http: aiohttp.ClientSession) -> None:
    async with second_scim(company.stack, scim_rate_per_company=1) as edge:
        for _ in range(5):
            asyncio.ensure_future(ask(http, edge, company))  # noqa: RUF006
        await asyncio.sleep(0.3)
        headers = {"Authorization": f"Bearer {company.token}"}
        async with http.get(f"{edge}/scim/v2/{company.name}/Users", headers=headers) as answer:
            told = await answer.json(content_type=None)
        assert (answer.status, told["status"]) == (429, "429")
        assert told["detail"].startswith(
            "At most 1 requests a second are answered, and a little more in a burst; 6 came within"
        )
        await asyncio.sleep(2.5)


async def test_25_a_second_pass_beside_a_flood_of_strangers(company: Company, http: aiohttp.ClientSession) -> None:
    """incident 26"""
    async with second_scim(company.stack, scim_rate_per_company=25) as edge:
        await ask(http, edge, company)
        ended = asyncio.Event()

        async def flood(number: int) -> None:
            while not ended.is_set():
                assert (await ask(http, edge, company, f"idgw_invented-{number % 3}")).status in {401, 429}

        floods = [asyncio.create_task(flood(number)) for number in range(6)]
        wanted = []
        for _ in range(50):
            wanted.append(asyncio.create_task(ask(http, edge, company)))
            await asyncio.sleep(1 / 25)
        answers = await asyncio.gather(*wanted)
        ended.set()
        await asyncio.gather(*floods)
        assert {answer.status for answer in answers} == {200}


async def test_requests_for_tokens_spend_the_same_allowance(
    company: Company, neighbour: Company, http: aiohttp.ClientSession
) -> None:
    async with (
        owner_database(company.stack.operator) as owner,
        owner.scope_for_name(company.name).transaction(Actor("operator", "test")) as tx,
    ):
        secret = (await issue_secret(tx, timedelta(days=1))).secret

    async def token(edge: str, secret: str) -> aiohttp.ClientResponse:
        form = {"grant_type": "client_credentials", "client_id": company.name, "client_secret": secret}
        async with http.post(f"{edge}/scim/v2/{company.name}/oauth2/token", data=form) as answer:
            await answer.read()
            return answer

    async with second_scim(company.stack, scim_rate_per_company=4) as edge:
        for given, good in (("wrong", 401), (secret, 200)):
            answers = await asyncio.gather(*(token(edge, given) for _ in range(25)))
            assert {answer.status for answer in answers} == {good, 429}
            refused = next(answer for answer in answers if answer.status == 429)
            assert int(refused.headers["Retry-After"]) >= 1
            assert (await refused.json())["error"] == "temporarily_unavailable"
        assert (await ask(http, edge, company)).status == 200
        tokens = asyncio.gather(*(token(edge, secret) for _ in range(25)))
        await asyncio.sleep(0.2)
        assert (await ask(http, edge, company)).status == 429, "the secret is known: it spends the company's"
        await tokens
        assert (await ask(http, edge, neighbour)).status == 200


async def test_a_company_beyond_its_rate_keeps_no_other_waiting(
    company: Company, neighbour: Company, http: aiohttp.ClientSession
) -> None:
    """Whoever waits for his turn waits alone: the other one's requests are not in his queue."""
    async with second_scim(company.stack, scim_rate_per_company=20) as edge:
        await asyncio.gather(ask(http, edge, company), ask(http, edge, neighbour))
        flood = [asyncio.create_task(ask(http, edge, company)) for _ in range(60)]
        await asyncio.sleep(0.2)
        for _ in range(5):
            answer = await ask(http, edge, neighbour)
            assert answer.status == 200
            assert sum(not one.done() for one in flood) >= 10, "the other one's queue is not empty yet"
        statuses = Counter(answer.status for answer in await asyncio.gather(*flood))
        assert statuses[200] >= 40


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("25", 25), (None, 200)])
def test_the_setting_is_read(text: str | None, value: int) -> None:
    environment = ENVIRONMENT | ({"SCIM_RATE_PER_COMPANY": text} if text else {})
    assert read_settings(Settings, environment).scim_rate_per_company == value


@pytest.mark.parametrize("text", ["-1", "many", "100001", "2.5"])
def test_a_setting_that_is_none_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="SCIM_RATE_PER_COMPANY is wrong"):
        read_settings(Settings, ENVIRONMENT | {"SCIM_RATE_PER_COMPANY": text})


async def test_a_bulk_request_is_no_way_around_it(company: Company, http: aiohttp.ClientSession) -> None:
    """Each of its operations counts, and waits for its turn like a request of its own."""
    operations = [{"method": "DELETE", "path": f"/Users/emp_{number:032x}"} for number in range(40)]
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
    async with second_scim(company.stack, scim_rate_per_company=20) as edge:
        headers = {"Authorization": f"Bearer {company.token}", "Content-Type": "application/scim+json"}
        began = time.monotonic()
        async with http.post(f"{edge}/scim/v2/{company.name}/Bulk", json=body, headers=headers) as answer:
            told = await answer.json(content_type=None)
        seconds = time.monotonic() - began
    assert {one["status"] for one in told["Operations"]} == {"404"}
    # Five pass at once, the others at twenty a second.
    assert seconds >= 1.4
