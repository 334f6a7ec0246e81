"""What the attribute mapping makes of a person, and where the same values are found in a SCIM resource.

Target attributes are written as in the portal: `name.givenName`, `emails[type eq "work"].value`,
`urn:…:enterprise:2.0:User:department`. Values that are null are skipped, on create and on update.
"""

import re
from typing import Any

from tests.entra.people import ENTERPRISE, Mapping, Person

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
Json = dict[str, Any]
Value = str | bool

_VALUE_PATH = re.compile(r'^(?P<list>\w+)\[type eq "(?P<type>[^"]+)"\]\.(?P<sub>\w+)$', re.IGNORECASE)


class NotDeserialised(ValueError):
    """The service could not read the resource; nothing of it is updated."""


def mapped_values(person: Person, mappings: tuple[Mapping, ...], *, active: bool) -> dict[str, Value]:
    """Target attribute to value, in the order of the mapping; references (manager) are not among them."""
    values: dict[str, Value] = {}
    for mapping in mappings:
        if mapping.source == "manager":
            continue
        value = _source_value(person, mapping.source, active=active)
        if value is not None and value != "":
            values[mapping.target] = value
    return values


def _source_value(person: Person, source: str, *, active: bool) -> Value | None:
    compact = source.replace(" ", "").lower()
    if compact == "not([issoftdeleted])":
        return active
    if compact.startswith("switch([issoftdeleted]"):
        return "True" if active else "False"
    if compact == "userprincipalname":
        return person.provisioned_principal_name()
    return person.attribute(source)


def manager_target(mappings: tuple[Mapping, ...]) -> str | None:
    return next((mapping.target for mapping in mappings if mapping.source == "manager"), None)


def value_at(resource: Json, target: str) -> Any:
    """The value the resource has under a target attribute, None when there is none."""
    if found := _VALUE_PATH.match(target):
        elements = resource.get(found["list"])
        for element in elements if isinstance(elements, list) else []:
            if isinstance(element, dict) and element.get("type") == found["type"]:
                return element.get(found["sub"])
        return None
    if target.startswith("urn:"):
        schema, _, name = target.rpartition(":")
        extension = resource.get(schema)
        return extension.get(name) if isinstance(extension, dict) else None
    value: Any = resource
    for name in target.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def differences(resource: Json, wanted: dict[str, Value]) -> dict[str, Value]:
    """What must be sent. Compared as the service does: same place, same type, same spelling."""
    return {target: value for target, value in wanted.items() if not _same(value_at(resource, target), value)}


def _same(found: Any, wanted: Value) -> bool:
    if isinstance(found, bool):
        return found is (wanted if isinstance(wanted, bool) else wanted == "True")
    return bool(found == wanted)


def check_readable(resource: Any) -> Json:
    """What Entra's deserialiser insists on.

    Raises:
        NotDeserialised: no object, no id, or a manager that is not an object (Microsoft Q&A 188003).
    """
    if not isinstance(resource, dict):
        raise NotDeserialised("the answer is not a SCIM resource")
    if not isinstance(resource.get("id"), str) or not resource["id"]:
        raise NotDeserialised("the resource has no id")
    extension = resource.get(ENTERPRISE)
    managers = [resource.get("manager"), extension.get("manager") if isinstance(extension, dict) else None]
    if any(manager is not None and not isinstance(manager, dict) for manager in managers):
        raise NotDeserialised("not able to deserialize: manager is not an object")
    return resource


def manager_id(resource: Json, target: str) -> str | None:
    manager = value_at(resource, target)
    value = manager.get("value") if isinstance(manager, dict) else None
    return value if isinstance(value, str) and value else None


def create_body(values: dict[str, Value]) -> Json:
    """The body of POST /Users: both schemas always named, a meta and an empty roles list, booleans as booleans."""
    body: Json = {"schemas": [CORE, ENTERPRISE]}
    for target, value in values.items():
        place(body, target, value)
    if "emails" in body:
        body["emails"][0]["primary"] = True
    name = body.get("name")
    if isinstance(name, dict):
        body["name"] = {"formatted": " ".join(name[k] for k in ("givenName", "familyName") if name.get(k)), **name}
    return {**body, "meta": {"resourceType": "User"}, "roles": []}


def place(body: Json, target: str, value: Value) -> None:
    """Sets a target attribute in a resource, making the element or object it lives in."""
    if found := _VALUE_PATH.match(target):
        elements = body.setdefault(found["list"], [])
        for element in elements:
            if element["type"] == found["type"]:
                element[found["sub"]] = value
                return
        elements.append({"type": found["type"], found["sub"]: value})
        return
    if target.startswith("urn:"):
        schema, _, name = target.rpartition(":")
        body.setdefault(schema, {})[name] = value
        return
    *parents, name = target.split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
    body[name] = value
