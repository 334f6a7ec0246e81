"""What a company in strict mode refuses: the first point where a request leaves the standards, named as its quirk.

Judged over what was sent, beside the tolerant reading and without changing it: whether the company is strict, only directory
knows, so a request is read tolerantly, and what is found here travels with it. Source: draft-zollner-scim-interop-profile-02;
where it is silent, RFC 7643 and RFC 7644.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from scim_ingest.protocol.attributes import (
    CORE,
    EXTENSION_OF,
    GROUP,
    NODES,
    SCHEMAS,
    Attribute,
    Complex,
    Multi,
    Node,
    Simple,
    split_urn,
)
from scim_ingest.protocol.errors import ScimError, ScimType
from scim_ingest.protocol.patch import compile_patch
from scim_ingest.protocol.paths import Element, Extension, ReadOnly, Unknown, element_name, read_path, shown
from scim_ingest.protocol.quirks import REFUSED_WHEN_STRICT, type_name
from shared.schemas.employee import EmployeeChanges

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

_OF_A_USER = {schema.lower(): schema for schema in SCHEMAS}
_TOP = re.compile(r"[.\[]")
_QUOTED_BOOLEAN = re.compile(r'\b(?:eq|ne)\s+"(?:true|false)"', re.IGNORECASE)


class Deviation(ScimError):
    """The refusal that a company in strict mode answers with."""

    def __init__(self, quirk: str, detail: str, scim_type: ScimType | None = None) -> None:
        told = f"{detail} This company is in strict mode: it takes the SCIM interoperability profile only."
        super().__init__(400, told, scim_type or REFUSED_WHEN_STRICT[quirk])
        self.quirk = quirk


def in_user(body: object) -> Deviation | None:
    """Of a POST or PUT of a user."""
    return _found(_user, body)


def in_user_patch(body: object) -> Deviation | None:
    return _found(_user_patch, body)


def read_strictly(operations: Sequence[object], employee_id: str) -> EmployeeChanges | Deviation | None:
    """What a PATCH means to a strict company, where that is something else: a replace of `name` replaces the whole of it.

    A deviation where then nothing mandatory would be left.
    """
    if not any(isinstance(one, dict) and _replaces_name(one) for one in operations):
        return None
    try:
        read = compile_patch(operations, employee_id, replaces_whole=True)
    except ScimError as error:
        return _merged(error)
    return _merged(read.refused[0]) if read.refused else read.changes


def _merged(error: ScimError) -> Deviation:
    return Deviation("replace_merges", error.detail, error.scim_type)


def _replaces_name(operation: dict[str, object]) -> bool:
    members = {name.lower(): value for name, value in operation.items()}
    path = members.get("path")
    return members.get("op") == "replace" and isinstance(path, str) and split_urn(path)[1].strip().lower() == "name"


def in_what_is_left_out(refused: Sequence[ScimError]) -> Deviation | None:
    """Of a deactivation that is done although something beside it is refused (decision D5): nothing is done by halves."""
    return Deviation("deactivation_alone", refused[0].detail, refused[0].scim_type) if refused else None


def in_group(body: object) -> Deviation | None:
    """Of a POST or PUT of a group."""
    return _found(_group, body)


def in_group_patch(body: object) -> Deviation | None:
    return _found(_group_patch, body)


def in_message(body: object, schema: str) -> Deviation | None:
    """Of a message whose only schema this is: a bulk request."""
    return _found(lambda given: _schemas(given, {schema.lower()}, {schema.lower()}), body)


def _found(check: Callable[[dict[str, object]], None], body: object) -> Deviation | None:
    try:
        if isinstance(body, dict):
            check(body)
    except Deviation as found:
        return found
    except ScimError:
        # Refused by everybody, and told by the tolerant reading.
        return None
    return None


def _user(body: dict[str, object]) -> None:
    used = {name.lower() for name, value in body.items() if name.lower() in _OF_A_USER and value is not None}
    _schemas(body, set(_OF_A_USER), {CORE.lower()} | used)
    for name, value in body.items():
        lowered = name.lower()
        if lowered in ("schemas", "id", "meta"):
            continue
        if lowered in NODES and lowered != CORE.lower():
            _extension(lowered, value)
        else:
            _node(_node_of_key(name), name, value)


def _node_of_key(name: str) -> Node:
    schema, rest = split_urn(name)
    if schema is not None and rest:
        raise Deviation("urn_keys", f"'{shown(name)}': an extension is an object under its URN.")
    if name[:4].lower() == "urn:":
        raise Deviation("foreign_schemas", f"'{shown(name)}' is a schema that is not offered.")
    if _TOP.search(name):
        raise Deviation("dotted_keys", f"'{shown(name)}' is a path, and no attribute.")
    return _known(NODES[CORE.lower()], name)


def _known(nodes: Mapping[str, Node], name: str) -> Node:
    node = nodes.get(name.lower())
    if node is None and nodes is NODES[CORE.lower()] and name.lower() in EXTENSION_OF:
        raise Deviation("bare_enterprise_names", f"'{name}' belongs to {EXTENSION_OF[name.lower()]}.")
    if node is None:
        raise _not_kept(name)
    return node


def _extension(schema: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, dict):
        raise _no_object(_OF_A_USER[schema], value)
    for name, member in value.items():
        _node(_known(NODES[schema], name), name, member)


def _node(node: Node, name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(node, Simple):
        _value(node.attribute, name, value)
    elif isinstance(node, Multi):
        _list(node, name, value)
    elif node.main is not None:
        _manager(name, value)
    elif not isinstance(value, dict):
        raise _no_object(name, value)
    else:
        _subs(node.subs, name, value)


def _manager(name: str, value: object) -> None:
    if isinstance(value, list):
        raise Deviation("manager_as_list", f"{name} must be an object; a list came.")
    if not isinstance(value, dict):
        raise Deviation("manager_as_text", f'{name} must be an object, {{"value": "…"}}; {type_name(value)} came.')
    members = {key.lower(): member for key, member in value.items()}
    for key in members.keys() - {"value", "$ref"}:
        raise _not_kept(f"{name}.{key}")
    _reference(name, members)


def _reference(name: str, members: Mapping[str, object]) -> None:
    if members.get("value") is None and members.get("$ref") is not None:
        raise Deviation("reference_by_address", f"{name} names somebody by value; $ref is read-only.")
    if not isinstance(members.get("value"), str | None):
        raise Deviation("number_as_text", f"{name}.value must be a string; {type_name(members['value'])} came.")


def _list(node: Multi, name: str, value: object) -> None:
    taken: set[str] = set()
    for element in _elements(name, value):
        if not isinstance(element, dict):
            continue
        kind = next((member for key, member in element.items() if key.lower() == "type"), None)
        kind = "work" if kind is None else kind
        if not isinstance(kind, str) or kind.lower() not in node.elements:
            raise _not_kept(element_name(name, str(kind)), "invalid")
        if kind.lower() in taken:
            raise _not_kept(f"A second {element_name(name, kind.lower())}", "invalid")
        taken.add(kind.lower())
        others = {key: member for key, member in element.items() if key.lower() != "type"}
        _subs(node.elements[kind.lower()], name, others)


def _elements(name: str, value: object) -> list[object]:
    if value == "":
        raise _empty(name)
    if not isinstance(value, list):
        raise Deviation("list_without_brackets", f"{name} must be a list; {type_name(value)} came.")
    return value


def _subs(subs: Mapping[str, Attribute], name: str, value: Mapping[str, object]) -> None:
    for key, member in value.items():
        attribute = subs.get(key.lower())
        if attribute is None:
            raise _not_kept(f"{name}.{key}")
        _value(attribute, f"{name}.{key}", member)


def _value(attribute: Attribute, name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, list | dict):
        raise Deviation("single_value_in_list", f"{name} must be a single value; {type_name(value)} came.")
    if attribute.kind == "boolean" and isinstance(value, str):
        if value == "":
            raise _empty(name)
        raise Deviation("boolean_as_text", f"{name} must be true or false; a string came.")
    if attribute.kind == "string" and not isinstance(value, str):
        raise Deviation("number_as_text", f"{name} must be a string; {type_name(value)} came.")


def _user_patch(body: dict[str, object]) -> None:
    for op, path, value in _operations(body):
        target = read_path(path)
        schema, rest = split_urn(path.strip())
        if schema is None and _TOP.split(rest)[0].lower() in EXTENSION_OF:
            raise Deviation("bare_enterprise_names", f"'{shown(path)}' lacks the URN of its schema.")
        if isinstance(target, ReadOnly):
            _read_only(target.name, op, value)
        elif isinstance(target, Unknown):
            # Its name holds no value of the sender, but which element he means.
            raise Deviation("attribute_not_kept", f"'{target.name}' is not offered; see /Schemas.")
        elif isinstance(target, Element):
            raise Deviation("element_as_target", f"'{shown(path)}' must end in a sub-attribute.")
        elif isinstance(target, Complex) and "[" in path:
            raise Deviation("manager_with_filter", f"'{shown(path)}': there is one manager, and nothing to filter.")
        elif _QUOTED_BOOLEAN.search(path):
            raise Deviation("boolean_as_text", f"'{shown(path)}' compares a boolean with a text.")
        elif op == "remove":
            continue
        elif isinstance(target, Attribute):
            _value(target, shown(path), value)
        elif isinstance(target, Extension):
            _extension(target.schema.lower(), value)
        else:
            _node(target, shown(path), value)


def _read_only(name: str, op: str, value: object) -> None:
    if name != "schemas" or op == "remove":
        raise Deviation("read_only_in_patch", f"{name} is read-only.")
    _listed(value, set(_OF_A_USER) | {GROUP.lower()})


def _operations(body: dict[str, object]) -> list[tuple[str, str, object]]:
    """Op, path and value of each; they have a path and exact names."""
    _schemas(body, {PATCH_OP.lower()}, {PATCH_OP.lower()})
    for name in body:
        if name.lower() not in ("schemas", "operations"):
            raise _not_kept(name)
    given = next((value for name, value in body.items() if name.lower() == "operations"), None)
    if given == []:
        raise Deviation("empty_operations", "Operations is empty.")
    return [_operation(one) for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _operation(given: dict[str, object]) -> tuple[str, str, object]:
    members = {name.lower(): value for name, value in given.items()}
    op, path, value = members.get("op"), members.get("path"), members.get("value")
    for name in members.keys() - {"op", "path", "value"}:
        raise _not_kept(f"{name} in an operation")
    if isinstance(op, str) and op not in ("add", "replace", "remove"):
        raise Deviation("operation_in_capitals", "An op is add, replace or remove, in lower case.")
    if not isinstance(path, str) or not path:
        raise Deviation("operation_without_path", "Each operation must have a path.")
    if op == "remove" and value is not None:
        raise Deviation("remove_with_value", "A remove has no value; a filter in its path says what is removed.")
    return str(op), path, value


def _group(body: dict[str, object]) -> None:
    _schemas(body, {GROUP.lower()}, {GROUP.lower()})
    for name, value in body.items():
        if name.lower() not in ("schemas", "id", "meta"):
            _group_attribute(name, name, value)


def _group_patch(body: dict[str, object]) -> None:
    for op, path, value in _operations(body):
        name = path.strip()
        if name.lower().startswith(f"{GROUP.lower()}:"):
            name = name[len(GROUP) + 1 :]
        if name.lower() in ("id", "meta", "schemas"):
            _read_only(name.lower(), op, value)
        # Of a member only the whole can go: a filter on members is the one way to name whom (RFC 7644 section 3.5.2.2).
        elif not name.lower().startswith("members["):
            _group_attribute(name, shown(path), None if op == "remove" else value)


def _group_attribute(key: str, name: str, value: object) -> None:
    if split_urn(key)[0] is not None or key.lower().startswith(f"{GROUP.lower()}:"):
        raise Deviation("urn_keys", f"'{shown(key)}': attributes of the core schema have no URN in front.")
    if key[:4].lower() == "urn:" or key.lower().startswith("http"):
        raise Deviation("foreign_schemas", f"'{shown(key)}' is a schema that is not offered.")
    if key.lower() not in ("displayname", "externalid", "members"):
        raise _not_kept(key)
    if key.lower() != "members" or value is None:
        return
    for member in _elements(name, value):
        if isinstance(member, str):
            raise Deviation("member_as_text", f'A member is an object, {{"value": "…"}}; {type_name(member)} came.')
        if isinstance(member, dict):
            parts = {part.lower(): one for part, one in member.items()}
            for part in parts.keys() - {"value", "$ref", "type"}:
                raise _not_kept(f"{name}.{part}")
            _reference(name, parts)


def _schemas(body: dict[str, object], known: set[str], needed: set[str]) -> None:
    listed = _listed(next((value for name, value in body.items() if name.lower() == "schemas"), None), known)
    for schema in sorted(needed - listed):
        raise Deviation("schemas_missing", f"schemas must list {_OF_A_USER.get(schema, schema)}.")


def _listed(value: object, known: set[str]) -> set[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        came = "none came" if value is None else f"{type_name(value)} came"
        raise Deviation("schemas_missing", f"schemas must be a list of URNs; {came}.")
    listed = {one.lower() for one in value}
    for schema in sorted(listed - known):
        raise Deviation("foreign_schemas", f"'{shown(schema)}' is a schema that is not offered here.")
    return listed


def _not_kept(name: str, kind: str = "unknown") -> Deviation:
    if kind == "invalid":
        return Deviation("element_not_kept", f"{name} is not offered; see /Schemas.")
    return Deviation("attribute_not_kept", f"'{shown(name)}' is not offered; see /Schemas.")


def _no_object(name: str, value: object) -> Deviation:
    if isinstance(value, list):
        return Deviation("single_value_in_list", f"{name} must be an object; a list came.")
    return _empty(name)


def _empty(name: str) -> Deviation:
    return Deviation("empty_text_for_anything", f'{name} is no text, so "" is no value of it; null clears.')
