"""The pool is everybody's: a company whose requests wait for each other keeps no other company waiting."""

import asyncio
import os
import time
import uuid

import aiohttp
import msgspec
import pytest

from directory.places import Places
from shared.errors import DomainError, ErrorCode
from shared.schemas import Schema
from shared.schemas.employee import ChangeEmployee, EmployeeChanges, GetEmployee, ScimCredential
from tests.support.firm import Firm
from tests.support.stack import SCIM_SECRET

WAITERS = 25
"""More than twice the connections of the pool."""


async def _status(http: aiohttp.ClientSession, url: str, body: Schema) -> int:
    headers = {"Authorization": f"Bearer {SCIM_SECRET}"}
    async with http.post(url, data=msgspec.json.encode(body), headers=headers) as answer:
        return answer.status


async def test_a_company_that_waits_for_its_own_lock_keeps_no_other_company_waiting(
    firm: Firm, other_firm: Firm, firm_service: str, http: aiohttp.ClientSession
) -> None:
    anna, bo = await firm.create(), await other_firm.create()
    changing = ChangeEmployee(credential=firm.credential, employee_id=anna.id, changes=EmployeeChanges(title="Kok"))
    reading = GetEmployee(credential=other_firm.credential, employee_id=bo.id)
    async with firm.owner() as owner:
        await owner.execute("select from employees for update")
        waiting = [
            asyncio.create_task(_status(http, f"{firm_service}/provisioning/change_employee", changing))
            for _ in range(WAITERS)
        ]
        await asyncio.sleep(0.3)
        began = time.monotonic()
        assert await _status(http, f"{firm_service}/provisioning/get_employee", reading) == 200
        assert time.monotonic() - began < 1
        assert not any(one.done() for one in waiting)
    assert await asyncio.gather(*waiting) == [200] * WAITERS


async def test_many_tokens_are_no_way_to_more_of_the_pool(
    firm: Firm, other_firm: Firm, firm_service: str, http: aiohttp.ClientSession
) -> None:
    """Each stands in the company's line, as soon as it is known whose it is."""
    anna, bo = await firm.create(), await other_firm.create()
    tokens = [os.urandom(32) for _ in range(12)]
    for token in tokens:
        await firm.as_owner(
            "insert into scim_tokens (company_id, token_id, token_sha256, created_at) values ($1, $2, $3, now())",
            firm.company_id,
            uuid.uuid4(),
            token,
        )
    ours = [ScimCredential(token_sha256=token.hex(), company=firm.name) for token in tokens]
    for one in ours:
        looking = GetEmployee(credential=one, employee_id=anna.id)
        assert await _status(http, f"{firm_service}/provisioning/get_employee", looking) == 200
    reading = GetEmployee(credential=other_firm.credential, employee_id=bo.id)
    async with firm.owner() as owner:
        await owner.execute("select from employees for update")
        waiting = []
        for number in range(WAITERS):
            changes = EmployeeChanges(title="Kok")
            changing = ChangeEmployee(credential=ours[number % 12], employee_id=anna.id, changes=changes)
            call = _status(http, f"{firm_service}/provisioning/change_employee", changing)
            waiting.append(asyncio.create_task(call))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        assert await _status(http, f"{firm_service}/provisioning/get_employee", reading) == 200
        assert time.monotonic() - began < 1
    assert await asyncio.gather(*waiting) == [200] * WAITERS


async def test_whoever_finds_no_place_in_time_is_asked_to_come_again_and_leaves_nothing_behind() -> None:
    places = Places(2, patience_s=0.05)
    async with places.place("firma"), places.place("firma"):
        async with places.place("other firm"):
            pass
        with pytest.raises(DomainError) as refused:
            async with places.place("firma"):
                pass
    assert refused.value.code is ErrorCode.unavailable
    assert len(places) == 0
