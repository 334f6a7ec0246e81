"""What HR decides about approval: roles, the departments somebody approves for, whether the direct approver alone approves.

Provisioning never touches any of it (S53): a role granted by hand is taken away by hand, or by the departure. The role
Approver that comes of having reports is derived and stands nowhere (decision D9). What is so already is not written.

    grant approver                    the role; he may be chosen as direct approver, with or without departments (B7, B9)
    grant approver, departments       the role, and he approves for these; while the company follows Entra's managers, beside them
    revoke approver, departments      these departments alone; the role stays
    revoke approver                   the role and all his departments
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import get_args

import msgspec

from directory import metrics
from directory.access import setup
from directory.approvers import grants_store as store
from directory.database import CompanyTx, Database
from directory.employees import store as employees
from directory.employees.keys import is_storable, search_key
from directory.employees.lifecycle import not_found
from directory.employees.people import find
from directory.employees.record import EmployeeRecord, differences
from directory.events.catalogue import EventKind
from directory.events.store import Changes, record
from directory.repeating import done_again
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_text
from shared.schemas import approvers as schema
from shared.schemas.login import SessionCredential
from shared.telemetry.logs import EventLog

log = EventLog("directory")

ROLES: tuple[str, ...] = get_args(schema.Role)
APPROVER = "approver"
MAX_DEPARTMENTS = 1000


async def grant(database: Database, request: schema.ChangeRole) -> schema.Roles:
    async def act(tx: CompanyTx) -> schema.Roles:
        return await grant_role(tx, await find(tx, request.person), request.role, request.departments)

    return _counted(await _by_admin(database, request.session, act), "role_granted", request.role)


async def revoke(database: Database, request: schema.ChangeRole) -> schema.Roles:
    async def act(tx: CompanyTx) -> schema.Roles:
        return await revoke_role(tx, await find(tx, request.person), request.role, request.departments)

    return _counted(await _by_admin(database, request.session, act), "role_revoked", request.role)


async def set_only_direct(database: Database, request: schema.SetOnlyDirectApprover) -> schema.Roles:
    async def act(tx: CompanyTx) -> schema.Roles:
        return await set_only_direct_approver(tx, await find(tx, request.person), request.only_direct_approver)

    return _counted(await _by_admin(database, request.session, act), "approval_changed", "only_direct_approver")


async def _by_admin(
    database: Database, session: SessionCredential, act: Callable[[CompanyTx], Awaitable[schema.Roles]]
) -> schema.Roles:
    async def attempt() -> schema.Roles:
        async with setup(database, session) as tx:
            return await act(tx)

    return await done_again(attempt)


async def grant_role(
    tx: CompanyTx, employee_id: EmployeeId, role: str, departments: Sequence[str] = ()
) -> schema.Roles:
    """Raises DomainError `invalid_value` for a role or department that there is not, `not_found` for a departed employee."""
    keys = _keys(role, departments)
    beside_manager = await store.hold_follows_entra(tx)
    before = await _locked(tx, employee_id)
    held = await store.grants_of(tx, employee_id)
    if keys:
        await _check_departments(tx, keys)
        await store.grant_departments(tx, employee_id, sorted(keys), beside_manager=beside_manager)
    roles = before.roles if role in before.roles else (*before.roles, role)
    return await _settled(tx, EventKind.employee_role_granted, before, _with(before, roles=roles), held)


async def revoke_role(
    tx: CompanyTx, employee_id: EmployeeId, role: str, departments: Sequence[str] = ()
) -> schema.Roles:
    """With departments these alone are taken away; without, the role and all of them. Raises as `grant_role` does."""
    keys = _keys(role, departments)
    before = await _locked(tx, employee_id)
    held = await store.grants_of(tx, employee_id)
    if keys:
        await _check_departments(tx, keys)
    if role == APPROVER:
        await store.revoke_departments(tx, employee_id, sorted(keys) or None)
    roles = before.roles if keys else tuple(one for one in before.roles if one != role)
    return await _settled(tx, EventKind.employee_role_revoked, before, _with(before, roles=roles), held)


async def set_only_direct_approver(tx: CompanyTx, employee_id: EmployeeId, only: bool) -> schema.Roles:
    """Whether an approver of the department approves for him too (S56, B9)."""
    before = await _locked(tx, employee_id)
    held = await store.grants_of(tx, employee_id)
    after = _with(before, only_direct_approver=only)
    return await _settled(tx, EventKind.employee_approval_changed, before, after, held)


async def lose_departments(tx: CompanyTx, departed: EmployeeRecord) -> Changes:
    """Whoever departs approves for no department any more; what is to be told of it. His roles go with his record."""
    # Nobody has departments without the role.
    held = await store.grants_of(tx, departed.employee_id) if APPROVER in departed.roles else {}
    if not held:
        return {}
    await store.revoke_departments(tx, departed.employee_id, None)
    return {"approver_departments": {"before": held, "after": {}}}


def _keys(role: str, departments: Sequence[str]) -> dict[str, str]:
    """Key -> name as it was given."""
    if role not in ROLES:
        raise DomainError(
            ErrorCode.invalid_value, f"There is no role '{role[:60]}'; the roles are {', '.join(ROLES)}.", field="role"
        )
    if departments and role != APPROVER:
        raise DomainError(
            ErrorCode.invalid_value,
            f"Departments go with the role approver only, not with {role}.",
            field="departments",
        )
    if len(departments) > MAX_DEPARTMENTS:
        raise DomainError(
            ErrorCode.invalid_value, f"At most {MAX_DEPARTMENTS} departments at once.", field="departments"
        )
    return {search_key(name): name for name in departments}


async def _check_departments(tx: CompanyTx, keys: Mapping[str, str]) -> None:
    missing = keys.keys() - await store.existing_departments(tx, [key for key in keys if is_storable(key)])
    if missing:
        raise DomainError(
            ErrorCode.invalid_value,
            f"There is no department '{keys[min(missing)][:60]}' in this company; a department comes into being when Entra, "
            "an import or HR names it for somebody.",
            field="departments",
        )


async def _locked(tx: CompanyTx, employee_id: EmployeeId) -> EmployeeRecord:
    found = await employees.lock(tx, employee_id, [])
    if found is None:
        raise not_found()
    return found


def _with(before: EmployeeRecord, **values: object) -> EmployeeRecord:
    return msgspec.structs.replace(before, **values)


async def _settled(
    tx: CompanyTx, kind: EventKind, before: EmployeeRecord, after: EmployeeRecord, held: Mapping[str, bool]
) -> schema.Roles:
    """Written and told where anything is other than before."""
    holds = await store.grants_of(tx, after.employee_id)
    changes = differences(before, after)
    if holds != held:
        changes["approver_departments"] = {"before": held, "after": holds}
    if changes:
        await employees.update(tx, _with(after, updated_at=tx.now, version=before.version + 1))
        record(tx, kind, employee_id=after.employee_id, changes=changes)
    return schema.Roles(
        employee_id=employee_text(after.employee_id),
        roles=list(after.roles),
        departments=list(holds),
        only_direct_approver=after.only_direct_approver,
        changed=bool(changes),
    )


def _counted(done: schema.Roles, event: str, what: str) -> schema.Roles:
    metrics.WRITES.labels("role", event.removeprefix("role_") if done.changed else "unchanged").inc()
    if done.changed:
        log.info(event, employee=done.employee_id, what=what)
    return done
