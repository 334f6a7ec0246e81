"""What each kind of event may tell, and in which form: the schema of `changes`. Pure.

`docs/events.md` and `docs/events.schema.json` are generated from here. Unless said otherwise an event about an employee may tell
any of his attributes, and any other event nothing.
"""

from typing import Any, get_type_hints

from directory.employees.record import TOLD
from directory.events.catalogue import EventKind
from shared.schemas.history import EmployeeView

EMPLOYEE = frozenset({*TOLD, "owners", "updated_at"})
"""The attributes of an employee that events tell; `updated_at` only where it is not the event's own moment, because another
event came in between."""

_SETTINGS: dict[str, Any] = {
    "name": str,
    "time_zone": str,
    "language": str,
    "entra.tenant_id": str,
    "entra.app_id": str,
    "entra.group_id": str,
    "entra.group_name": str,
    "sso.enabled": bool,
    "sso.login_url": str,
    "sso.issuer": str,
    "sso.certificates": list[str],
    "sso.signed": str,
    "sso.idp_initiated": str,
    "sso.group_check": str,
    "sso.email_domains": list[str],
    "provisioning.enabled": bool,
    "provisioning.strict": bool,
    "approvers.follow_entra_managers": bool,
    "rehire.ask_after_days": int,
    "brake.people": int,
    "brake.percent": int,
    "retention.erase_after_months": int,
}

TYPES: dict[str, Any] = {
    **{name: kind for name, kind in get_type_hints(EmployeeView).items() if name in EMPLOYEE},
    **_SETTINGS,
    "fingerprint": str,
    "token_id": str,
    "credential_id": str,
    "scopes": list[str],
}
"""Field -> type of its values; any of them may be null."""

_TELLS: dict[EventKind, frozenset[str]] = {
    EventKind.company_created: frozenset(_SETTINGS),
    EventKind.company_updated: frozenset(_SETTINGS),
    EventKind.certificate_added: frozenset({"fingerprint"}),
    EventKind.certificate_removed: frozenset({"fingerprint"}),
    EventKind.scim_token_issued: frozenset({"token_id"}),
    EventKind.scim_token_revoked: frozenset({"token_id"}),
    EventKind.app_credential_issued: frozenset({"credential_id", "scopes"}),
    EventKind.app_credential_revoked: frozenset({"credential_id", "scopes"}),
    EventKind.employee_manager_linked: frozenset({"manager_id", "updated_at"}),
    EventKind.employee_manager_lost: frozenset({"manager_id", "updated_at"}),
    EventKind.employee_linked: frozenset({"entra_object_id", "updated_at"}),
}


def tells(kind: EventKind) -> frozenset[str]:
    """The fields that may stand in the `changes` of such an event."""
    return _TELLS.get(kind, EMPLOYEE if kind.value.startswith("employee.") else frozenset())


COUNTING = frozenset(kind.value for kind in EventKind if kind.value.startswith("employee.") and tells(kind) & EMPLOYEE)
"""Kinds that change an employee: each raises his version by one."""
