"""The two PATCH dialects of Entra's provisioning service.

    legacy      one operation per attribute, `Add`/`Replace` capitalised, booleans as "True"/"False"
    compliant   lower case; value paths as operations of their own, everything else in one object without a path,
                with dotted and URN keys

Source: entra-docs application-provisioning-config-problem-scim-compatibility.md.
"""

from typing import Any

from tests.entra.mapping import Json, Value, manager_id, value_at
from tests.entra.people import Dialect, ManagerRemoval

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
COMPLIANT_FLAG = "aadOptscim062020"


def patch_body(operations: list[Json]) -> Json:
    return {"schemas": [PATCH_OP], "Operations": operations}


def attribute_operations(changes: dict[str, Value], current: Json, dialect: Dialect) -> list[Json]:
    """`add` for what the target does not have yet, `replace` for what it has; both must do (Q&A 1373350)."""
    ops = {target: "add" if value_at(current, target) is None else "replace" for target in changes}
    if dialect == "legacy":
        return [
            {"op": ops[target].capitalize(), "path": target, "value": _as_text(value)}
            for target, value in changes.items()
        ]
    if list(changes) == ["active"]:
        return [{"op": ops["active"], "path": "active", "value": changes["active"]}]
    operations: list[Json] = [
        {"op": ops[target], "path": target, "value": value} for target, value in changes.items() if "[" in target
    ]
    for op in ("add", "replace"):
        rest = {target: value for target, value in changes.items() if "[" not in target and ops[target] == op}
        if rest:
            operations.append({"op": op, "value": rest})
    return operations


def _as_text(value: Value) -> str:
    return str(value) if isinstance(value, bool) else value


def manager_operations(target: str, target_id: str, current: Json, dialect: Dialect) -> list[Json]:
    """The manager goes as a bare string (Q&A 188003: "we are only sending ID at the moment")."""
    op = "add" if manager_id(current, target) is None else "replace"
    if dialect == "legacy":
        return [{"op": op.capitalize(), "path": target, "value": target_id}]
    return [{"op": op, "value": {target: target_id}}]


def manager_removal_operations(target: str, removed_id: str, form: ManagerRemoval, dialect: Dialect) -> list[Json]:
    """The documented candidates for the removal of a manager; `silent` sends nothing."""
    forms: dict[ManagerRemoval, dict[str, Any]] = {
        "remove": {"op": "remove", "path": target},
        "remove_with_value": {"op": "remove", "path": target, "value": removed_id},
        "remove_filtered": {"op": "remove", "path": f'{target}[value eq "{removed_id}"]'},
        "empty": {"op": "replace", "path": target, "value": ""},
    }
    operation = forms.get(form)
    if operation is None:
        return []
    return [{**operation, "op": operation["op"].capitalize()} if dialect == "legacy" else operation]


def member_operations(added: list[str], removed: list[str], dialect: Dialect) -> list[Json]:
    operations: list[Json] = []
    if added:
        members = [{"$ref": None, "value": member} for member in added]
        operations.append({"op": "Add" if dialect == "legacy" else "add", "path": "members", "value": members})
    if removed and dialect == "legacy":
        members = [{"$ref": None, "value": member} for member in removed]
        operations.append({"op": "Remove", "path": "members", "value": members})
    elif removed:
        operations += [{"op": "remove", "path": f'members[value eq "{member}"]'} for member in removed]
    return operations
