"""The pool is everybody's: a company whose requests wait for each other keeps no other company waiting."""

import asyncio
import time

import aiohttp
import msgspec
import pytest

from directory.places import Places
from shared.errors import DomainError, ErrorCode
from shared.schemas import Schema
from shared.schemas.employee import ChangeEmployee, EmployeeChanges, GetEmployee
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
