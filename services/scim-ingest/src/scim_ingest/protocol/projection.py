"""`attributes` and `excludedAttributes` (RFC 7644 section 3.9): which parts of a resource the asker wants.

`id` and `schemas` always stay. Names count without case, may carry a schema, a value filter (which is overlooked, for the
parts of all elements are meant) and a sub-attribute; names that we do not know select nothing.
"""

import re

import msgspec

from scim_ingest.protocol.attributes import EXTENSION_OF, EXTENSIONS, GROUP, NODES, split_urn
from scim_ingest.protocol.errors import invalid_value

Names = dict[str, set[str] | None]
"""Lower-case top-level name -> wanted sub-attributes, None for the whole."""

_WRITTEN = {schema.lower(): schema for schema in EXTENSIONS}
_ALWAYS = frozenset({"id", "schemas"})
_FILTER = re.compile(r"\[[^\[\]]*\]")
_MAX_LENGTH = 4096


class Projection(msgspec.Struct, frozen=True):
    """At most one of the two is given."""

    core: Names | None = None
    extensions: dict[str, Names] = {}
    exclude: bool = False

    def wants(self, name: str) -> bool:
        """Whether anything of this attribute may be shown; a core name in lower case."""
        if self.core is None:
            return True
        return name not in self.core or self.core[name] is not None if self.exclude else name in self.core

    def apply(self, resource: dict[str, object]) -> dict[str, object]:
        if self.core is None:
            return resource
        shown = _project(resource, self.core, exclude=self.exclude)
        for schema in EXTENSIONS:
            inner = resource.get(schema)
            shown.pop(schema, None)
            if isinstance(inner, dict):
                parts = _project(inner, self.extensions.get(schema, {}), exclude=self.exclude)
                if parts:
                    shown[schema] = parts
        return shown


EVERYTHING = Projection()


def read_projection(attributes: str | None, excluded: str | None) -> Projection:
    """Raises ScimError where both are given: they exclude each other (RFC 7644 section 3.9)."""
    if attributes and excluded:
        raise invalid_value("attributes and excludedAttributes exclude each other; send one of them.")
    text = attributes or excluded
    if not text:
        return EVERYTHING
    if len(text) > _MAX_LENGTH:
        raise invalid_value(f"The list of attributes is longer than {_MAX_LENGTH} characters.")
    core: Names = {}
    extensions: dict[str, Names] = {schema: {} for schema in EXTENSIONS}
    for name in _FILTER.sub("", text).split(","):
        name = name.strip()
        if name.lower().startswith(f"{GROUP.lower()}:"):
            name = name[len(GROUP) + 1 :]
        schema, rest = split_urn(name)
        top, _, sub = rest.lower().partition(".")
        extension = _WRITTEN.get(schema) if schema is not None else EXTENSION_OF.get(top)
        meant = core if extension is None else extensions[extension]
        if schema is not None and not top:
            for known in NODES[schema]:
                _want(meant, known, "")
        else:
            _want(meant, top, sub)
    return Projection(core, extensions, exclude=not attributes)


def _want(names: Names, top: str, sub: str) -> None:
    wanted = names.setdefault(top, set())
    if not sub:
        names[top] = None
    elif wanted is not None:
        wanted.add(sub)


def _project(resource: dict[str, object], names: Names, *, exclude: bool) -> dict[str, object]:
    shown: dict[str, object] = {}
    for name, value in resource.items():
        lowered = name.lower()
        if lowered in _ALWAYS or (lowered not in names and exclude):
            shown[name] = value
        elif lowered in names:
            part = _part(value, names[lowered], exclude=exclude)
            if part is not None:
                shown[name] = part
    return shown


def _part(value: object, subs: set[str] | None, *, exclude: bool) -> object:
    """The wanted part of a value; None where nothing is left of it."""
    if subs is None:
        return None if exclude else value
    if isinstance(value, dict):
        return {name: one for name, one in value.items() if (name.lower() in subs) != exclude} or None
    if isinstance(value, list):
        return [part for element in value if (part := _part(element, subs, exclude=exclude)) is not None] or None
    return value if exclude else None
