"""A bulk request read: its operations, and what they name by `bulkId:` (RFC 7644 section 3.7).

    {"Operations": [{method, path, bulkId, version, data}]}  ->  [Operation | Malformed]

What is wrong with one operation is that operation's answer; what is wrong with the message refuses all of it, and nothing is
done. A `bulkId:…` counts where a reference stands: in the path, as a manager, as a member. Elsewhere it is a text like any.
"""

import re
from collections.abc import Callable
from typing import Literal, cast

import msgspec

from scim_ingest.protocol.attributes import ENTERPRISE, GROUP, split_urn
from scim_ingest.protocol.errors import ScimError, invalid_syntax, invalid_value
from scim_ingest.protocol.quirks import type_name

BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"

Kind = Literal["Users", "Groups"]
Method = Literal["POST", "PUT", "PATCH", "DELETE"]
_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MAX_BULK_ID = 256
_MAX_NAMED = 100

_PATH = re.compile(r"/(Users|Groups)(?:/([^/?#]{1,512}))?\Z")
_REFERENCE = re.compile(r"(.*/)?bulkId:(.+)\Z", re.DOTALL)
_IN_FILTER = re.compile(r'(?<=")bulkId:([^"\\]+)(?=")')

Change = Callable[[str], str]
"""Of a bulkId: what stands in its place."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as if it had come alone."""

    method: Method
    kind: Kind
    target: str | None
    """The id in the path, which may be a `bulkId:…`; None for a POST."""
    bulk_id: str | None
    version: str | None
    data: object
    names: frozenset[str]
    """The bulkIds that it names, in path or data."""


class Malformed(msgspec.Struct, frozen=True, kw_only=True):
    """Answered, and never begun."""

    method: str | None
    bulk_id: str | None
    error: ScimError


class BulkRequest(msgspec.Struct, frozen=True, kw_only=True):
    operations: list[Operation | Malformed]
    fail_on_errors: int | None
    """Stop at so many errors; None: never."""


def read_bulk(body: object, max_operations: int) -> BulkRequest:
    """Raises ScimError: 400 for a message that is none or has a bulkId twice, 413 for one with too many operations."""
    if not isinstance(body, dict):
        raise invalid_syntax(f"The body must be an object with Operations; {type_name(body)} came.")
    members = {name.lower(): value for name, value in body.items()}
    given = members.get("operations")
    if not isinstance(given, list):
        raise invalid_syntax(f"Operations must be a list; {type_name(given)} came.")
    if len(given) > max_operations:
        # RFC 7644 section 3.7.4: the limit is named, and no scimType is asked for.
        raise ScimError(413, f"The bulk request has {len(given)} operations; maxOperations is {max_operations}.")
    operations = [_read(one, number) for number, one in enumerate(given, 1)]
    _check_unique(operations)
    return BulkRequest(operations=operations, fail_on_errors=_fail_on_errors(members.get("failonerrors")))


def _fail_on_errors(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise invalid_value("failOnErrors must be a number, 1 or more.")
    return value


def _check_unique(operations: list[Operation | Malformed]) -> None:
    """Whoever names a bulkId must mean one; with two of them, half of the request would go to the wrong one."""
    seen: set[str] = set()
    for one in operations:
        if one.method == "POST" and one.bulk_id is not None:
            if one.bulk_id in seen:
                raise invalid_value(f"bulkId '{short(one.bulk_id)}' stands on two operations.")
            seen.add(one.bulk_id)


def _read(given: object, number: int) -> Operation | Malformed:
    members = {name.lower(): value for name, value in given.items()} if isinstance(given, dict) else {}
    method, bulk_id = members.get("method"), members.get("bulkid")
    try:
        if not isinstance(given, dict):
            raise invalid_syntax(f"Operation {number} must be an object; {type_name(given)} came.")
        return _operation(members, number)
    except ScimError as error:
        return Malformed(
            method=method if isinstance(method, str) and len(method) <= _MAX_NAMED else None,
            bulk_id=bulk_id if isinstance(bulk_id, str) and len(bulk_id) <= _MAX_BULK_ID else None,
            error=error,
        )


def _operation(members: dict[str, object], number: int) -> Operation:
    method, bulk_id, version = members.get("method"), members.get("bulkid"), members.get("version")
    if not isinstance(method, str) or method not in _METHODS:
        raise invalid_syntax(f"The method of operation {number} must be POST, PUT, PATCH or DELETE, in capitals.")
    if bulk_id is not None and not (isinstance(bulk_id, str) and 0 < len(bulk_id) <= _MAX_BULK_ID):
        raise invalid_value(f"The bulkId of operation {number} must be a string of 1 to {_MAX_BULK_ID} characters.")
    if method == "POST" and bulk_id is None:
        raise invalid_syntax(f"Operation {number} creates something, so it needs a bulkId.")
    if version is not None and not isinstance(version, str):
        raise invalid_value(f"The version of operation {number} must be a string; {type_name(version)} came.")
    kind, target = _target(members.get("path"), method, number)
    data = members.get("data")
    if method != "DELETE" and not isinstance(data, dict):
        raise invalid_syntax(f"The data of operation {number} must be an object; {type_name(data)} came.")
    named = named_in(data)
    if target is not None and (found := _REFERENCE.match(target)):
        named.add(found[2])
    return Operation(
        method=cast(Method, method),
        kind=kind,
        target=target,
        bulk_id=bulk_id,
        version=version,
        data=data,
        names=frozenset(named),
    )


def _target(path: object, method: str, number: int) -> tuple[Kind, str | None]:
    found = _PATH.match(path) if isinstance(path, str) else None
    if found is None or (found[2] is None) != (method == "POST"):
        wanted = "/Users or /Groups" if method == "POST" else "/Users/{id} or /Groups/{id}"
        raise invalid_syntax(f"The path of operation {number} must be {wanted}.")
    return cast(Kind, found[1]), found[2]


def change_references(data: object, change: Change) -> object:
    """The data with every `bulkId:…` changed: of managers and members, and in filters on these in a PATCH's paths."""
    if not isinstance(data, dict):
        return data
    return {
        name: [_changed_step(one, change) for one in value]
        if name.lower() == "operations" and isinstance(value, list)
        else _changed(value, change, refers=_refers(name))
        for name, value in data.items()
    }


def named_in(data: object) -> set[str]:
    named: set[str] = set()

    def note(name: str) -> str:
        named.add(name)
        return name

    change_references(data, note)
    return named


def change_target(target: str, change: Change) -> str:
    found = _REFERENCE.match(target)
    return change(found[2]) if found else target


def without_manager(data: object) -> object:
    """The description of a user who is created before his manager can be named."""
    if not isinstance(data, dict):
        return data
    kept = {name: value for name, value in data.items() if _bare(name) != "manager"}
    for name, value in kept.items():
        if isinstance(value, dict) and name.lower() == ENTERPRISE.lower():
            kept[name] = {inner: one for inner, one in value.items() if _bare(inner) != "manager"}
    return kept


def named_manager(data: object) -> str:
    """The bulkId of what `without_manager` leaves out; empty where none is named there."""
    return next(iter(named_in(data) - named_in(without_manager(data))), "")


def short(text: str) -> str:
    return text if len(text) <= _MAX_NAMED else text[:_MAX_NAMED] + "…"


def _changed_step(step: object, change: Change) -> object:
    """One operation of a PATCH: what its value refers to depends on its path."""
    if not isinstance(step, dict):
        return step
    path = next((value for name, value in step.items() if name.lower() == "path"), None)
    refers = isinstance(path, str) and _refers(path)
    changed: dict[str, object] = {}
    for name, value in step.items():
        if name.lower() == "path" and isinstance(value, str) and refers:
            changed[name] = _IN_FILTER.sub(lambda found: change(found[1]), value)
        elif name.lower() == "value":
            changed[name] = _changed(value, change, refers=refers)
        else:
            changed[name] = value
    return changed


def _changed(value: object, change: Change, *, refers: bool) -> object:
    if isinstance(value, str):
        found = _REFERENCE.match(value) if refers else None
        return (found[1] or "") + change(found[2]) if found else value
    if isinstance(value, list):
        return [_changed(one, change, refers=refers) for one in value]
    if isinstance(value, dict):
        return {name: _changed(one, change, refers=refers or _refers(name)) for name, one in value.items()}
    return value


def _refers(name: str) -> bool:
    return _bare(name) in ("manager", "members")


def _bare(name: str) -> str:
    """The attribute's own name: without schema, filter and sub-attribute."""
    _, rest = split_urn(name.strip())
    rest = rest.lower().removeprefix(f"{GROUP.lower()}:")
    return re.split(r"[.\[]", rest, maxsplit=1)[0]
