"""What HR decides about approval: roles, departments to approve for, the direct approver alone."""

from dataclasses import replace
from typing import Any

from tests.support.model.company import Company
from tests.support.model.hr import found
from tests.support.model.people import Person, Refused, Turn, difference, key


def grant(company: Company, turn: Turn, person: str, role: str, departments: list[str]) -> tuple[Person, bool]:
    before = _present(company, person, role, departments)
    _check_departments(company, departments)
    held = company.approves_for(before)
    for department in sorted(key(one) or "" for one in departments):
        company.grants.setdefault((department, before.employee_id), (turn.now, f"{turn.actor[0]} {turn.actor[1]}"))
    roles = before.roles if role in before.roles else (*before.roles, role)
    return _settled(company, turn, "employee.role_granted", before, replace(before, roles=roles), held)


def revoke(company: Company, turn: Turn, person: str, role: str, departments: list[str]) -> tuple[Person, bool]:
    before = _present(company, person, role, departments)
    _check_departments(company, departments)
    held = company.approves_for(before)
    keys = {key(one) for one in departments}
    if role == "approver":
        for department, employee_id in list(company.grants):
            if employee_id == before.employee_id and (not keys or department in keys):
                del company.grants[department, employee_id]
    roles = before.roles if keys else tuple(one for one in before.roles if one != role)
    return _settled(company, turn, "employee.role_revoked", before, replace(before, roles=roles), held)


def only_direct(company: Company, turn: Turn, person: str, only: bool) -> tuple[Person, bool]:
    before = _present(company, person, "approver", [])
    after = replace(before, only_direct_approver=only)
    return _settled(company, turn, "employee.approval_changed", before, after, company.approves_for(before))


def _present(company: Company, person: str, role: str, departments: list[str]) -> Person:
    known = found(company, person)
    if departments and role != "approver":
        raise Refused("invalid_value")
    if not known.present:
        raise Refused("not_found")
    return known


def _check_departments(company: Company, departments: list[str]) -> None:
    if any(key(one) not in company.departments for one in departments):
        raise Refused("invalid_value")


def _settled(
    company: Company, turn: Turn, kind: str, before: Person, after: Person, held: dict[str, bool]
) -> tuple[Person, bool]:
    changes: dict[str, Any] = difference(before, after)
    holds = company.approves_for(after)
    if holds != held:
        changes["approver_departments"] = {"before": held, "after": holds}
    if not changes:
        return before, False
    after = company.put(turn, before, after)
    company.tell(turn, kind, after, changes)
    return after, True
