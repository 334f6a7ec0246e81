"""A user as SCIM shows him, and a user as a POST or PUT describes him.

What goes out is what came in (decision D7): Entra compares and sends again whatever differs. No nulls, no empty shells,
booleans as booleans, the manager as an object; `schemas` lists the extensions that are used, and no other.
"""

from datetime import UTC, datetime

import msgspec
from msgspec import UNSET

from scim_ingest.protocol.attributes import ACTIVE, ATTRIBUTES, CORE, ENTERPRISE, EXTENSIONS, MANDATORY, Attribute
from scim_ingest.protocol.draft import Draft
from scim_ingest.protocol.errors import ScimError, invalid_syntax
from scim_ingest.protocol.patch import is_blank
from scim_ingest.protocol.quirks import type_name
from shared.schemas.employee import Employee, EmployeeChanges, MappedAttribute, NewEmployee

Resource = dict[str, object]


class Description(msgspec.Struct, frozen=True):
    """What a POST says."""

    employee: NewEmployee
    ignored: list[str]
    missing: list[MappedAttribute] = []
    """Mandatory in the mapping, and not there, without making the request fail: `active` (A28)."""


class Replacement(msgspec.Struct, frozen=True):
    """What a PUT says."""

    changes: EmployeeChanges
    ignored: list[str]


def read_new_employee(body: object) -> Description:
    """Raises ScimError: 400 naming every mandatory attribute that is missing (S23)."""
    draft = _read_body(body, None)
    # Absent `active` counts as true (A28).
    given = {field: value for field, value in draft.values.items() if value is not None}
    missing: list[MappedAttribute] = [] if "active" in given else ["active"]
    return Description(NewEmployee(**given), draft.ignored, missing)  # type: ignore[arg-type]


def read_replacement(body: object, employee_id: str) -> Replacement:
    """A PUT says null of what it does not mention, but for `active`, which is never inferred (A28; RFC 7644 section 3.5.1)."""
    draft = _read_body(body, employee_id)
    values = {attribute.field: draft.values.get(attribute.field) for attribute in ATTRIBUTES}
    changes: dict[str, object] = {**values, "active": UNSET if values["active"] is None else values["active"]}
    return Replacement(EmployeeChanges(**changes), draft.ignored)  # type: ignore[arg-type]


def _read_body(body: object, employee_id: str | None) -> Draft:
    if not isinstance(body, dict):
        raise invalid_syntax(f"The body must be an object; {type_name(body)} came.")
    draft = Draft(employee_id)
    # Null is absent (RFC 7643 section 2.5), so it never covers a value under another spelling of the name.
    draft.put_all({key: value for key, value in body.items() if value is not None}, replace=True)
    missing = [attribute for attribute in MANDATORY if is_blank(draft.values.get(attribute.field))]
    if missing:
        raise MandatoryMissing([attribute.path for attribute in missing], [attribute.field for attribute in missing])
    return draft


class MandatoryMissing(ScimError):
    """400: the company's mapping in Entra may be broken (S23, S24)."""

    def __init__(self, paths: list[str], fields: list[str]) -> None:
        super().__init__(400, f"Mandatory and missing: {', '.join(paths)}.", "invalidValue")
        self.fields = msgspec.convert(fields, list[MappedAttribute])


def to_scim(employee: Employee, users_url: str) -> Resource:
    """`users_url` is the absolute address of the company's `/Users`."""
    core: Resource = {"schemas": [CORE], "id": employee.id}
    extensions: dict[str, Resource] = {}
    for attribute, read in _READERS:
        value = employee.state == "active" if attribute is ACTIVE else getattr(employee, read)
        if value is not None:
            _place(core if attribute.schema == CORE else extensions.setdefault(attribute.schema, {}), attribute, value)
    if employee.manager_ref is not None and employee.manager_id is not None:
        manager = extensions[ENTERPRISE]["manager"]
        assert isinstance(manager, dict)  # noqa: S101
        manager["$ref"] = f"{users_url}/{employee.manager_id}"
    if extensions:
        core["schemas"] = [CORE, *(schema for schema in EXTENSIONS if schema in extensions)]
        core.update(extensions)
    core["meta"] = {
        "resourceType": "User",
        "created": timestamp(employee.created_at),
        "lastModified": timestamp(employee.updated_at),
        "location": f"{users_url}/{employee.id}",
        "version": version_tag(employee),
    }
    return core


_READERS = tuple((attribute, attribute.field) for attribute in ATTRIBUTES)


def _place(resource: Resource, attribute: Attribute, value: object) -> None:
    if attribute.sub is None:
        resource[attribute.name] = value
    elif attribute.element is None:
        parts = resource.setdefault(attribute.name, {})
        assert isinstance(parts, dict)  # noqa: S101
        parts[attribute.sub] = value
    else:
        elements = resource.setdefault(attribute.name, [])
        assert isinstance(elements, list)  # noqa: S101
        for element in elements:
            if element["type"] == attribute.element:
                element[attribute.sub] = value
                return
        elements.append({"type": attribute.element, attribute.sub: value})


def version_tag(employee: Employee) -> str:
    """Weak: two spellings of one state may differ in bytes (RFC 7644 section 3.14)."""
    return f'W/"{employee.version}"'


def timestamp(moment: datetime) -> str:
    """xsd:dateTime in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
