"""What a handler raises is answered as the caller can use it."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from directory.rpc import serve
from shared.http.service_auth import CallerSecrets
from shared.operations import GET_EMPLOYEE
from shared.schemas.employee import Employee, GetEmployee

SECRET = "a secret of scim-ingest"
REQUEST = {"credential": {"token_sha256": "0" * 64, "company": "firma"}, "employee_id": "emp_1"}


def test_a_statement_that_waits_too_long_is_a_503_and_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: GetEmployee) -> Employee:
        raise TimeoutError

    application = Starlette(routes=[serve(GET_EMPLOYEE, CallerSecrets({GET_EMPLOYEE.caller: SECRET}), handler)])
    answer = TestClient(application).post(
        GET_EMPLOYEE.path, json=REQUEST, headers={"Authorization": f"Bearer {SECRET}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "try again" in answer.json()["detail"]
