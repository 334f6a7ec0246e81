"""What a PATCH says last about `active`, whatever else is wrong with it (decision D5). Pure.

Asked only where something of the request is refused: an operation that is no operation, a value that cannot be read, a member
twice. A deactivation among all that is done alone; but only where it is the last word, and no later one is unclear.

    {op: replace, path: active, value: "False"}, {op: add, path: title, value: NaN}     -> False
    {op: replace, path: active, value: false}, {op: replace, value: {active: true, …}}  -> True
    {op: replace, path: active, value: false}, {op: remove, path: active}               -> None
"""

from collections.abc import Iterator, Sequence

from scim_ingest.protocol.attributes import ACTIVE, CORE, split_urn
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.json_body import Spoilt
from scim_ingest.protocol.quirks import boolean_value

Pairs = list[tuple[str, object]]
_ACTIVE = ACTIVE.name.lower()


def last_word(operations: Sequence[object]) -> bool | None:
    """None where nothing is said about `active`, or the last that is said cannot be understood."""
    found: bool | None = None
    for operation in operations:
        for word in _words(operation):
            found = word
    return found


def _words(operation: object) -> Iterator[bool | None]:
    """What one operation says, in its order."""
    members: dict[str, list[object]] = {}
    for name, value in pairs_of(operation) or []:
        members.setdefault(name.lower(), []).append(value)
    paths, values = members.get("path", []), members.get("value", [])
    if any(isinstance(path, str) and _is_active(path) for path in paths):
        yield _one(values) if _is_plain(members) else None
    elif any(_is_core(path) for path in paths if path is not None) or not any(paths):
        said = [word for value in values for word in _in_object(value)]
        if said:
            yield from said if _is_plain(members) else [None]


def _is_plain(members: dict[str, list[object]]) -> bool:
    """An add or replace, in which everything is said once."""
    ops = members.get("op", [])
    once = all(len(members.get(name, [])) <= 1 for name in ("op", "path", "value"))
    return once and len(ops) == 1 and isinstance(ops[0], str) and ops[0].lower() in ("add", "replace")


def _in_object(value: object) -> list[bool | None]:
    """What the value of an operation without a path says; a second time in one object is unclear."""
    found: list[bool | None] = []
    for name, member in pairs_of(value) or []:
        if _is_active(name):
            found.append(_understood(member))
        elif _is_core(name):
            found += _in_object(member)
    return found if len(found) < 2 else [None]


def pairs_of(value: object) -> Pairs | None:
    """The members of an object, also of one that has some twice."""
    if isinstance(value, Spoilt):
        return value.pairs
    return list(value.items()) if isinstance(value, dict) else None


def _one(values: list[object]) -> bool | None:
    return _understood(values[0]) if len(values) == 1 else None


def _understood(value: object) -> bool | None:
    try:
        return boolean_value(ACTIVE, value)
    except ScimError:
        return None


def _is_active(name: str) -> bool:
    schema, rest = split_urn(name.strip())
    return rest.lower() == _ACTIVE and schema in (None, CORE.lower())


def _is_core(name: object) -> bool:
    return isinstance(name, str) and name.strip().lower() == CORE.lower()
