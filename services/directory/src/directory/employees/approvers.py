"""Who approves whom: the manager that Entra names, and the Approver role that follows from having reports. Pure.

A manager is referred to by our id of him (what Entra sends; in a new employment also by the id of the former one, which Entra
holds until it looks for him again), his external id, or his login name, in this order. A reference nobody answers to waits: it
is kept as sent and linked in the transaction in which somebody answers to it (decision D8). A link stays with the person when
his names change, and with a suspended manager; when he departs his reports wait again until Entra names another. Self-references
and cycles are stored as they are; nothing here follows a chain of managers.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from directory.employees.keys import search_key
from directory.employees.record import EmployeeRecord
from shared.ids import EmployeeId, employee_from_text, employee_text

GRACE = timedelta(days=30)
"""How long a manager stays Approver after a report left him (A17): as long as Entra keeps a deleted user, who may come back."""


def left_after(today: date) -> date:
    """Reports whose employment ended after this date still make an Approver, as active ones do."""
    return today - GRACE


def resolve(manager_ref: str, people: Sequence[EmployeeRecord]) -> EmployeeId | None:
    """Whom a reference means; None while nobody answers to it. Departed people answer to nothing."""
    present = [one for one in people if one.state != "departed"]
    employee_id, login_key = employee_from_text(manager_ref), search_key(manager_ref)
    by_id = [one for one in present if one.employee_id == employee_id]
    by_former_id = [one for one in present if employee_id and one.previous_employee_id == employee_id]
    by_external_id = [one for one in present if one.external_id == manager_ref]
    by_login = [one for one in present if one.login_key == login_key]
    found = next(iter([*by_id, *by_former_id, *by_external_id, *by_login]), None)
    return found.employee_id if found else None


def answers_to(record: EmployeeRecord) -> tuple[list[str], str | None]:
    """The references that mean this person: those compared exactly, and the login name's key."""
    exact = [employee_text(record.employee_id)]
    if record.previous_employee_id is not None:
        exact.append(employee_text(record.previous_employee_id))
    if record.external_id is not None:
        exact.append(record.external_id)
    return exact, record.login_key


def gains_names(before: EmployeeRecord | None, after: EmployeeRecord) -> bool:
    """Whether somebody may answer now to a reference that nobody answered to before."""
    if before is None:
        return True
    return after.login_key != before.login_key or (
        after.external_id is not None and after.external_id != before.external_id
    )


def gates(company_id: UUID, names: Sequence[str | None], references: Sequence[str | None]) -> list[tuple[int, bool]]:
    """Locks to take before looking: (number, alone), in the one order in which everybody takes them.

    Everybody who brings or names people shares the company's import gate, which an import enters alone: it brings more names
    than there is room for locks.

    A reference and the manager it waits for may arrive at the same moment in two transactions that cannot see each other.
    Who brings a name enters its gate alone, who refers to it shares the gate; so one of them comes second, and sees.
    """
    wanted = {import_gate(company_id): False}
    wanted.update({_gate(company_id, one): False for one in references if one is not None})
    wanted.update({_gate(company_id, one): True for one in names if one is not None})
    return sorted(wanted.items())


def import_gate(company_id: UUID) -> int:
    return _number(company_id.bytes)


def _gate(company_id: UUID, name: str) -> int:
    return _number(company_id.bytes + search_key(name).encode())


def _number(what: bytes) -> int:
    digest = hashlib.sha256(what).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
