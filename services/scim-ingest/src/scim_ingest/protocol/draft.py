"""An employee as one request describes him so far: the values that were set or cleared, nothing else.

Bodies of POST and PUT and every operation of a PATCH write into a `Draft` through the same three verbs, so that a value
means the same wherever it stands. What we do not keep is noted in `ignored`, by name, never by value.
"""

from scim_ingest import recorder
from scim_ingest.protocol.attributes import ATTRIBUTES, SCHEMAS, Attribute, Complex, Multi
from scim_ingest.protocol.errors import ScimError, invalid_value, mutability
from scim_ingest.protocol.paths import (
    Element,
    Extension,
    ReadOnly,
    Target,
    Unknown,
    element_name,
    path_quirks,
    read_path,
    shown,
)
from scim_ingest.protocol.quirks import Value, manager_value, type_name, value_of

_MAX_IGNORED = 20
_MAX_ELEMENTS = 100
"""Of a multi-valued attribute, of which two are kept."""


class Draft:
    """`employee_id` is the id in the path, where there is one: a different one in the body is refused (S27).

    `replaces_whole`: replacing a complex value clears the parts that are not mentioned (quirk: replace_merges).
    """

    def __init__(self, employee_id: str | None = None, *, replaces_whole: bool = False, in_patch: bool = False) -> None:
        self.values: dict[str, Value] = {}
        self.ignored: list[str] = []
        self._employee_id = employee_id
        self._replaces_whole = replaces_whole
        self._in_patch = in_patch

    def copy(self) -> "Draft":
        twin = Draft(self._employee_id, replaces_whole=self._replaces_whole, in_patch=self._in_patch)
        twin.values = self.values.copy()
        twin.ignored = self.ignored.copy()
        return twin

    def ignore(self, name: str) -> None:
        recorder.ignored(name)
        if len(self.ignored) < _MAX_IGNORED:
            self.ignored.append(name)

    def put_all(self, body: dict[str, object], *, replace: bool) -> None:
        """Every member of a body or of a path-less value (quirks: dotted_keys, urn_keys)."""
        for key, value in body.items():
            for quirk in path_quirks(key, as_key=True):
                recorder.coerced(quirk)
            self._put_member(key, value, replace=replace)

    def _put_member(self, key: str, value: object, *, replace: bool) -> None:
        try:
            target = read_path(key)
        except ScimError as error:
            if error.scim_type == "noTarget":
                raise
            self.ignore(shown(key))
            return
        self.put(target, value, replace=replace)

    def put(self, target: Target, value: object, *, replace: bool) -> None:
        """Set what the target denotes; `replace` also clears the neighbours that a replaced list or element had."""
        if isinstance(target, Attribute):
            value = manager_value(value) if target.field == "manager_ref" else value
            self.values[target.field] = value_of(target, value)
        elif isinstance(target, Complex):
            self._put_complex(target, value, replace=replace)
        elif isinstance(target, Multi):
            self._put_list(target, value, replace=replace)
        elif isinstance(target, Element):
            recorder.coerced("element_as_target")
            self._put_element(target, value, replace=replace)
        elif isinstance(target, Extension):
            self._put_extension(target, value, replace=replace)
        else:
            self._leave(target, value)

    def remove(self, target: Target, value: object) -> None:
        """Clear what the target denotes. A value tells which elements of a list (quirk: remove_with_value)."""
        if isinstance(target, Attribute):
            self.values[target.field] = None
        elif isinstance(target, Multi):
            kinds = self._kinds_named(target, value)
            self._clear([row for kind, subs in target.elements.items() if kind in kinds for row in subs.values()])
        elif isinstance(target, Complex | Element):
            self._clear(list(target.subs.values()))
        elif isinstance(target, Extension):
            self._clear(_rows_of(target))
        elif isinstance(target, ReadOnly) and target.name == "id":
            raise mutability("id cannot be removed.")
        else:
            self._leave(target, None)

    def _clear(self, attributes: list[Attribute]) -> None:
        for attribute in attributes:
            self.values[attribute.field] = None

    def _leave(self, target: "ReadOnly | Unknown", value: object) -> None:
        if isinstance(target, ReadOnly) and target.name == "id" and self._employee_id is not None:
            # The same id changes nothing and is accepted (S27).
            if value is not None and value != self._employee_id:
                raise mutability("id is given by the server and cannot be changed.")
            return
        if isinstance(target, ReadOnly) and value is not None:
            _note_read_only(target, value, in_patch=self._in_patch)
        if isinstance(target, Unknown) or target.name == "groups":
            self.ignore(target.name)

    def _put_complex(self, target: Complex, value: object, *, replace: bool) -> None:
        if target.main is not None:
            self.values[target.main.field] = value_of(target.main, manager_value(value))
            return
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value == "":
            recorder.coerced("empty_text_for_anything")
        if value is None or value in ("", []):
            self._clear(list(target.subs.values()))
        elif isinstance(value, dict):
            if replace and self._replaces_whole:
                self._clear(list(target.subs.values()))
            self._put_subs(target.name, target.subs, value)
        else:
            raise invalid_value(f"{target.name} must be an object; {type_name(value)} came.")

    def _put_subs(self, name: str, subs: dict[str, Attribute], value: dict[str, object]) -> None:
        for key, member in value.items():
            attribute = subs.get(key.lower())
            if attribute is not None:
                self.values[attribute.field] = value_of(attribute, member)
            elif key.lower() != "type" and member is not None:
                self.ignore(shown(f"{name}.{key}"))

    def _put_list(self, target: Multi, value: object, *, replace: bool) -> None:
        if isinstance(value, dict):
            recorder.coerced("list_without_brackets")
        elements = [value] if isinstance(value, dict) else value
        if elements == "":
            recorder.coerced("empty_text_for_anything")
        if elements is None or elements == "":
            elements = []
            replace = True
        if not isinstance(elements, list):
            raise invalid_value(f"{target.name} must be a list of objects; {type_name(value)} came.")
        if len(elements) > _MAX_ELEMENTS:
            raise invalid_value(f"{target.name} may have {_MAX_ELEMENTS} elements; {len(elements)} came.")
        if replace:
            self._clear(target.all())
        taken: set[str] = set()
        for element in _primary_first(elements):
            if not isinstance(element, dict):
                raise invalid_value(f"{target.name} must be a list of objects; {type_name(element)} is in it.")
            kind = _kind_of(element)
            if kind not in target.elements or kind in taken:
                self.ignore(element_name(target.name, kind))
                continue
            taken.add(kind)
            self._put_subs(target.name, target.elements[kind], element)

    def _put_element(self, target: Element, value: object, *, replace: bool) -> None:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value == "":
            recorder.coerced("empty_text_for_anything")
        if value is None or value in ("", []):
            self._clear(list(target.subs.values()))
        elif isinstance(value, dict):
            name = element_name(target.multi.name, target.kind)
            if any(key.lower() == "type" and str(kind).lower() != target.kind for key, kind in value.items()):
                self.ignore(f"{name}.type")
            if replace:
                self._clear([row for row in target.subs.values() if not row.mandatory])
            self._put_subs(name, target.subs, value)
        else:
            first = next(iter(target.subs.values()))
            self.values[first.field] = value_of(first, value)

    def _put_extension(self, target: Extension, value: object, *, replace: bool) -> None:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value == "":
            recorder.coerced("empty_text_for_anything")
        if value is None or value in ("", []):
            self._clear(_rows_of(target))
            return
        if not isinstance(value, dict):
            raise invalid_value(f"{target.schema} must be an object; {type_name(value)} came.")
        for key, member in value.items():
            self._put_member(f"{target.schema}:{key}", member, replace=replace)

    def _kinds_named(self, target: Multi, value: object) -> set[str]:
        elements = [value] if isinstance(value, dict) else value
        if not isinstance(elements, list) or not elements:
            return set(target.elements)
        return {_kind_of(element) for element in elements if isinstance(element, dict)}


def _kind_of(element: dict[str, object]) -> str:
    """The element's type in lower case; `work` where none is given (quirk: element_without_type)."""
    for key, value in element.items():
        if key.lower() == "type" and isinstance(value, str) and value:
            return value.lower()
    recorder.coerced("element_without_type")
    return "work"


def _primary_first(elements: list[object]) -> list[object]:
    """Of two elements of one type the primary one counts; the other is reported."""
    if len(elements) < 2:
        return elements
    return sorted(elements, key=lambda element: not (isinstance(element, dict) and _is_primary(element)))


def _is_primary(element: dict[str, object]) -> bool:
    return any(key.lower() == "primary" and str(value).lower() == "true" for key, value in element.items())


def _rows_of(extension: Extension) -> list[Attribute]:
    return [attribute for attribute in ATTRIBUTES if attribute.schema == extension.schema]


def _note_read_only(target: ReadOnly, value: object, *, in_patch: bool) -> None:
    if target.name != "schemas":
        recorder.coerced("read_only_in_patch" if in_patch else "members_that_we_own")
    elif isinstance(value, list) and any(str(urn).lower() not in _KNOWN_SCHEMAS for urn in value):
        recorder.coerced("foreign_schemas")


_KNOWN_SCHEMAS = frozenset(schema.lower() for schema in SCHEMAS)
