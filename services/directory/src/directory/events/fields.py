"""What each kind of event may tell, and in which form: the schema of `changes`. Pure.

`docs/events.md` and `docs/events.schema.json` are generated from here. Unless said otherwise an event about an employee may tell
any of his attributes, and any other event nothing.
"""

from datetime import datetime
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
    "sso.metadata": str,
    "sso.traces_days": int,
    "sso.session_hours": int,
    "sso.idle_minutes": int,
    "provisioning.enabled": bool,
    "provisioning.strict": bool,
    "provisioning.journal_days": int,
    "approvers.follow_entra_managers": bool,
    "rehire.ask_after_days": int,
    "brake.people": int,
    "brake.percent": int,
    "retention.erase_after_months": int,
}

TYPES: dict[str, Any] = {
    **{name: kind for name, kind in get_type_hints(EmployeeView).items() if name in EMPLOYEE},
    **_SETTINGS,
    "approver_departments": dict[str, bool],
    "asked_by": str,
    "audience": str,
    "client_id": str,
    "credential_id": str,
    "ends_at": datetime,
    "federation_id": str,
    "fingerprint": str,
    "issuer": str,
    "kept_manager": str,
    "rows": int,
    "scopes": list[str],
    "secret_id": str,
    "sha256": str,
    "step": str,
    "subject": str,
    "not_after": datetime,
    "token_id": str,
    "within_days": int,
    "compromised": bool,
}
"""Field -> type of its values; any of them may be null."""

SHAPES: dict[str, dict[str, Any]] = {
    "group": {"id": str},
    "members": {"added": list[str], "removed": list[str]},
    "exchange": {"id": str},
    "session": {"id": str},
    "ended": {"why": str, "sessions": list[str], "tickets": int},
}
"""Fields without before and after: which group, exchange or session it is, which employees came into a group or went, and which
sessions ended, why, and how many tickets with them."""

_SWITCHES = frozenset({"ends_at", "sso.enabled", "provisioning.enabled"})
_GROUP = frozenset({"group", "display_name", "external_id"})
_FEDERATION = frozenset({"federation_id", "issuer", "audience", "subject"})
_HELD = frozenset({"step", "asked_by", "updated_at"})
_GRANTS = frozenset({*EMPLOYEE, "approver_departments"})

_TELLS: dict[str, frozenset[str]] = {
    "session.opened": frozenset({"session"}),
    "session.ended": frozenset({"ended"}),
    "session.signed_out": frozenset({"ended"}),
    "session.revoked": frozenset({"ended"}),
    "company.created": frozenset(_SETTINGS),
    "company.updated": frozenset(_SETTINGS),
    "company.moved": frozenset(_SETTINGS),
    "company.closed": _SWITCHES,
    "company.restored": _SWITCHES,
    "company.exported": frozenset({"rows", "sha256"}),
    "move.prepared": frozenset(_SETTINGS),
    "move.cancelled": frozenset(_SETTINGS),
    "certificate.added": frozenset({"fingerprint"}),
    "certificate.first_used": frozenset({"fingerprint"}),
    "certificate.removed": frozenset({"fingerprint", "compromised"}),
    "certificate.expires": frozenset({"fingerprint", "not_after", "within_days"}),
    "scim_token.issued": frozenset({"token_id"}),
    "scim_token.revoked": frozenset({"token_id"}),
    "oauth_secret.issued": frozenset({"secret_id"}),
    "oauth_secret.revoked": frozenset({"secret_id"}),
    "federation.trusted": _FEDERATION,
    "federation.revoked": _FEDERATION,
    "app_credential.issued": frozenset({"credential_id", "scopes"}),
    "app_credential.revoked": frozenset({"credential_id", "scopes"}),
    "app.granted": frozenset({"client_id", "session"}),
    "app.grant_ended": frozenset({"client_id", "session"}),
    "app.grant_misused": frozenset({"client_id", "session"}),
    "group.created": _GROUP | {"members"},
    "group.changed": _GROUP,
    "group.members_changed": _GROUP | {"members"},
    "group.removed": _GROUP,
    "group.replayed": frozenset({"group", "exchange"}),
    "employee.manager_linked": frozenset({"manager_id", "updated_at"}),
    "employee.manager_lost": frozenset({"manager_id", "updated_at"}),
    "employee.manager_kept": frozenset({"kept_manager", "updated_at"}),
    "employee.linked": frozenset({"entra_object_id", "updated_at"}),
    "employee.unlinked": frozenset({"external_id", "entra_object_id", "updated_at"}),
    "employee.role_granted": _GRANTS,
    "employee.role_revoked": _GRANTS,
    "employee.approval_changed": _GRANTS,
    "employee.departed": _GRANTS,
    "employee.deactivation_held": _HELD,
    "employee.deactivation_withdrawn": _HELD,
    "employee.deactivation_released": _HELD,
    "employee.deactivation_refused": _HELD,
    "employee.erased": frozenset({"updated_at"}),
    "employee.replayed": frozenset({"exchange", "updated_at"}),
}


def tells(kind: EventKind) -> frozenset[str]:
    """The fields that may stand in the `changes` of such an event."""
    return _TELLS.get(kind.value, EMPLOYEE if kind.value.startswith("employee.") else frozenset())


COUNTING = frozenset(
    kind.value for kind in EventKind if kind.value.startswith("employee.") and (tells(kind) & EMPLOYEE) - {"updated_at"}
)
"""Kinds that change an employee: each raises his version by one."""
