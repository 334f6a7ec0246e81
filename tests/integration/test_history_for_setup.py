"""A Setup admin looks up what somebody is, was, and what happened to him; nobody else does."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone

import msgspec
import pytest

from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.history import EmployeeAsOf, EmployeeHistory
from tests.support.firm import Firm
from tests.support.stack import GATEWAY_SECRET


@pytest.fixture
async def gateway(firm_service: str) -> AsyncIterator[DirectoryClient]:
    async with DirectoryClient(firm_service, GATEWAY_SECRET) as client:
        yield client


async def test_he_sees_an_employee_now_then_and_what_happened_to_him(firm: Firm, gateway: DirectoryClient) -> None:
    session, anna = await firm.admin(), await firm.create(title="Elev")
    await firm.change(anna, title="Kok")
    await firm.remove(anna)
    now = await gateway.get_employee_as_of(EmployeeAsOf(session=session, employee_id=anna.id))
    assert (now.state, now.login_name, now.title, now.version) == ("departed", None, "Kok", 3)
    then = await gateway.get_employee_as_of(EmployeeAsOf(session=session, employee_id=anna.id, at=anna.updated_at))
    assert (then.state, then.title, then.version) == ("active", "Elev", 1)
    newest = await gateway.read_employee_history(EmployeeHistory(session=session, employee_id=anna.id, limit=2))
    assert [event.kind for event in newest.events] == ["employee.departed", "employee.changed"]
    rest = await gateway.read_employee_history(EmployeeHistory(session=session, employee_id=anna.id, after=newest.next))
    assert [event.kind for event in rest.events] == ["employee.created"]
    assert rest.next is None
    assert rest.events[0].actor.kind == "entra"


async def test_nobody_else_does(firm: Firm, other_firm: Firm, gateway: DirectoryClient) -> None:
    anna = await firm.create()
    for session, code in (
        (await firm.admin("hr_statistics"), ErrorCode.not_allowed),
        (await other_firm.admin(), ErrorCode.not_found),
        (msgspec.structs.replace(await firm.admin(), session_sha256="0" * 64), ErrorCode.unauthorized),
    ):
        for ask in (
            lambda session=session: gateway.get_employee_as_of(EmployeeAsOf(session=session, employee_id=anna.id)),
            lambda session=session: gateway.read_employee_history(
                EmployeeHistory(session=session, employee_id=anna.id)
            ),
        ):
            with pytest.raises(DomainError) as refused:
                await ask()
            assert refused.value.code is code


async def test_a_moment_or_a_limit_out_of_range_is_refused_by_name(firm: Firm, gateway: DirectoryClient) -> None:
    session, anna = await firm.admin(), await firm.create()
    for at in (datetime(2026, 1, 1), datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=14)))):  # noqa: DTZ001
        with pytest.raises(DomainError) as refused:
            await gateway.get_employee_as_of(EmployeeAsOf(session=session, employee_id=anna.id, at=at))
        assert (refused.value.code, refused.value.field) == (ErrorCode.invalid_request, "at")
    for limit in (0, 501):
        with pytest.raises(DomainError) as refused:
            await gateway.read_employee_history(EmployeeHistory(session=session, employee_id=anna.id, limit=limit))
        assert (refused.value.code, refused.value.field) == (ErrorCode.invalid_request, "limit")
