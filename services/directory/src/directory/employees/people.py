"""Finding a person as people name him, and showing him as HR sees him."""

from directory.database import CompanyTx
from directory.employees import store
from directory.employees.keys import is_storable, search_key
from directory.employees.record import EmployeeRecord
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text
from shared.schemas.people import Access, Owned, PersonView


async def find(tx: CompanyTx, person: str) -> EmployeeId:
    """By id (departed people too) or by login name.

    Raises:
        DomainError: `not_found`.
    """
    employee_id = employee_from_text(person)
    found = await store.find_by_name(tx, employee_id, search_key(person)) if is_storable(person) else None
    if found is None:
        raise DomainError(
            ErrorCode.not_found, f"The company has nobody with the id or login name {person[:80]!r}.", field="person"
        )
    return found


def access_of(record: EmployeeRecord) -> Access:
    if record.state == "departed":
        return "departed"
    if record.rehire_asked_at is not None:
        return "awaits_rehire"
    if record.blocked_at is not None:
        return "blocked"
    return "open" if record.state == "active" else "suspended"


def view(record: EmployeeRecord, *, entra_still_holds: bool = False) -> PersonView:
    return PersonView(
        id=employee_text(record.employee_id),
        state=record.state,
        access=access_of(record),
        login_name=record.login_name,
        email=record.email,
        given_name=record.given_name,
        family_name=record.family_name,
        title=record.title,
        department=record.department,
        employee_number=record.employee_number,
        work_phone=record.work_phone,
        mobile_phone=record.mobile_phone,
        country=record.country,
        calendar_group=record.calendar_group,
        manager_ref=record.manager_ref,
        manager_id=employee_text(record.manager_id) if record.manager_id else None,
        hired_on=record.hired_on,
        policy=record.policy,
        leave_date=record.leave_date,
        leaves_on=record.leaves_on,
        termination_date=record.termination_date,
        termination_source=record.termination_source,
        roles=list(record.roles),
        only_direct_approver=record.only_direct_approver,
        previous_employee_id=employee_text(record.previous_employee_id) if record.previous_employee_id else None,
        owners={name: Owned(owner=held.owner, since=held.since) for name, held in record.owners.items()},
        version=record.version,
        entra_still_holds=entra_still_holds,
    )
