"""Employees for the tests of pure modules."""

from datetime import UTC, datetime
from typing import Any

from directory.employees.record import EmployeeRecord
from shared.ids import new_employee_id
from shared.schemas.employee import NewEmployee

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OBJECT_ID = "0aa6dbb8-1f1c-4a2e-9b0a-6a9c5a4d4b11"
OTHER_OBJECT_ID = "7b1f5a0e-2222-4a2e-9b0a-6a9c5a4d4b22"


def employee(login: str | None = "anna@firma.dk", **values: Any) -> EmployeeRecord:
    return EmployeeRecord(
        **{
            "employee_id": new_employee_id(),
            "state": "active",
            "source": "entra",
            "login_name": login,
            "email": login,
            "given_name": "Anna",
            "family_name": "Holm",
            "created_at": NOW,
            "updated_at": NOW,
            **values,
        }
    )


def request(login: str = "anna@firma.dk", **values: Any) -> NewEmployee:
    return NewEmployee(**{"login_name": login, "email": login, "given_name": "Anna", "family_name": "Holm", **values})
