"""A PATCH compiled to one `EmployeeChanges`, without reading the employee first.

    [{op: Replace, path: emails[type eq "work"].value, value: …}, {op: add, value: {…}}]  ->  EmployeeChanges(email=…, …)

Operations count in order, each on the result of the one before; what holds is the result (RFC 7644 section 3.5.2). All or
nothing, with one exception: a deactivation is never lost because something beside it is wrong (decision D5).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import msgspec

from scim_ingest.protocol.attributes import ACTIVE, MANDATORY
from scim_ingest.protocol.deactivation import last_word, pairs_of
from scim_ingest.protocol.draft import Draft
from scim_ingest.protocol.errors import ScimError, invalid_syntax, invalid_value, no_target
from scim_ingest.protocol.json_body import read_apart, read_json
from scim_ingest.protocol.paths import path_quirks, read_path
from scim_ingest.protocol.quirks import type_name
from scim_ingest.recorder import coerced, ignored, left_out
from shared.schemas.employee import EmployeeChanges

MAX_OPERATIONS = 1000

Dialect = Literal["rfc", "entra_string_bool", "entra_dotted", "entra_caps"]
_OPS = frozenset({"add", "replace", "remove"})
_OF_AN_OPERATION = frozenset({"op", "path", "value"})
_MISSING = object()


class Compiled(msgspec.Struct, frozen=True):
    """What a PATCH asks for."""

    changes: EmployeeChanges
    ignored: list[str]
    """Names of what we do not keep."""
    refused: list[ScimError] = []
    """What was left out beside a deactivation; empty otherwise."""
    dialects: list[tuple[str, Dialect]] = []
    """Operation and dialect, for metrics."""


def compile_patch(
    operations: Sequence[object],
    employee_id: str | None = None,
    *,
    replaces_whole: bool = False,
    refused: Sequence[ScimError] = (),
) -> Compiled:
    """`replaces_whole`: as a company in strict mode reads a replace of a complex value. `refused`: what was before.

    Raises:
        ScimError: the first one met, when the request does not hold and nothing in it deactivates.
    """
    refused = list(refused)
    if (came := sum(map(_weight, operations))) > MAX_OPERATIONS:
        refused.append(ScimError(413, f"A PATCH may set {MAX_OPERATIONS} attributes; {came} came."))
    if refused:
        # Not compiled: beyond the bound it would take too long, and what cannot be read means nothing.
        return _deactivation_alone(operations, refused, [], [])
    draft = Draft(employee_id, replaces_whole=replaces_whole, in_patch=True)
    if not operations:
        coerced("empty_operations")
    dialects: list[tuple[str, Dialect]] = []
    for position, operation in enumerate(operations, 1):
        try:
            op, path, value = read_operation(operation, position)
        except ScimError as error:
            refused.append(error)
            continue
        dialects.append((op.lower(), _dialect(op, path, value)))
        for quirk in path_quirks(path) if path else ():
            coerced(quirk)
        for step in _steps(op.lower(), path, value):
            before = draft.copy()
            try:
                step(draft)
            except ScimError as error:
                refused.append(error)
                draft = before
    refused += _mandatory_but_cleared(draft)
    if not refused:
        return Compiled(EmployeeChanges(**draft.values), draft.ignored, [], dialects)  # type: ignore[arg-type]
    return _deactivation_alone(operations, refused, draft.ignored, dialects)


def _deactivation_alone(
    operations: Sequence[object], refused: list[ScimError], ignored_: list[str], dialects: list[tuple[str, Dialect]]
) -> Compiled:
    """Raises ScimError where the last word of the operations is none."""
    if last_word(operations) is not False:
        raise refused[0]
    for one in refused:
        left_out(one.detail)
    return Compiled(EmployeeChanges(active=False), ignored_, refused, dialects)


def read_patch(body: bytes) -> tuple[object, list[object], list[ScimError]]:
    """A PatchOp message and its operations. Where it cannot be read: what of it can, with the refusal.

    So that a deactivation is found beside what is no value (decision D5). Raises ScimError where no operation can be read.
    """
    try:
        message = read_json(body)
        return message, operations_of(message), []
    except ScimError as error:
        given = [value for name, value in pairs_of(read_apart(body)) or [] if name.lower() == "operations"]
        if len(given) != 1 or not isinstance(given[0], list):
            raise error from None
        return {}, given[0], [error]


def _weight(operation: object) -> int:
    """How many attributes it sets: one, or without a path as many as its value has members."""
    if not isinstance(operation, dict) or not any(isinstance(one, dict) and len(one) > 1 for one in operation.values()):
        return 1
    members = {key.lower(): value for key, value in operation.items()}
    value = members.get("value")
    return 1 if members.get("path") or not isinstance(value, dict) else max(1, len(value))


def operations_of(body: object) -> list[object]:
    """The `Operations` of a PatchOp message; their order among the members, and other members, do not matter."""
    if not isinstance(body, dict):
        raise invalid_syntax(f"The body must be an object with Operations; {type_name(body)} came.")
    for key, value in body.items():
        if key.lower() == "operations":
            if isinstance(value, list):
                return value
            raise invalid_syntax(f"Operations must be a list; {type_name(value)} came.")
    raise invalid_syntax("The body has no Operations.")


def read_operation(operation: object, position: int) -> tuple[str, str | None, object]:
    """Op (as written), path and value of one operation, of the right types."""
    if not isinstance(operation, dict):
        raise invalid_syntax(f"Operation {position} must be an object; {type_name(operation)} came.")
    members = {key.lower(): value for key, value in operation.items()}
    op, path, value = members.get("op"), members.get("path"), members.get("value", _MISSING)
    if not members.keys() <= _OF_AN_OPERATION:
        for name in members.keys() - _OF_AN_OPERATION:
            ignored(f"{name[:60]} in an operation")
    if not isinstance(op, str) or op.lower() not in _OPS:
        raise invalid_syntax(f"The op of operation {position} must be add, replace or remove.")
    if not op.islower():
        coerced("operation_in_capitals")
    if path is not None and not isinstance(path, str):
        raise invalid_syntax(f"The path of operation {position} must be a string; {type_name(path)} came.")
    if op.lower() == "remove":
        if not path:
            raise no_target(f"Operation {position} removes, but has no path.")
        if value is not _MISSING and value is not None:
            coerced("remove_with_value")
        return op, path, None if value is _MISSING else value
    if value is _MISSING:
        raise invalid_syntax(f"Operation {position} has no value.")
    if not path and not isinstance(value, dict):
        raise invalid_value(f"Operation {position} has no path, so its value must be an object.")
    if not path:
        coerced("operation_without_path")
    return op, path or None, value


def _steps(op: str, path: str | None, value: object) -> list[Callable[[Draft], None]]:
    """The operation as steps that hold or fail each for itself: one, or one for each member of a path-less value."""
    replace = op == "replace"
    if path is None:
        assert isinstance(value, dict)  # noqa: S101  read_operation
        return [partial(Draft.put_all, body={key: member}, replace=replace) for key, member in value.items()]
    if op == "remove":
        return [lambda draft: draft.remove(read_path(path), value)]
    return [lambda draft: draft.put(read_path(path), value, replace=replace)]


def _dialect(op: str, path: str | None, value: object) -> Dialect:
    inner = value.values() if isinstance(value, dict) else (value,)
    if any(isinstance(one, str) and one.lower() in ("true", "false") for one in inner):
        return "entra_string_bool"
    if not path and isinstance(value, dict) and any("." in key or ":" in key for key in value):
        return "entra_dotted"
    return "rfc" if op.islower() else "entra_caps"


def _mandatory_but_cleared(draft: Draft) -> list[ScimError]:
    """S23: the five mandatory attributes are never cleared."""
    return [
        invalid_value(f"{attribute.path} is mandatory and cannot be cleared.")
        for attribute in (*MANDATORY, ACTIVE)
        if attribute.field in draft.values and is_blank(draft.values[attribute.field])
    ]


def is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
