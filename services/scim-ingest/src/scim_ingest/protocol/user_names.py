"""What attribute names mean in a filter on users and in `sortBy`: the fields behind them, from the one table of attributes.

A plain name of a multi-valued attribute means "any of its elements" (RFC 7644 section 3.4.2.2); a bracket is asked of one element
at a time, whose `type` is known.
"""

from collections.abc import Sequence

from scim_ingest.protocol.attributes import (
    ATTRIBUTES,
    CORE,
    EXTENSIONS,
    Attribute,
    Complex,
    Multi,
    Node,
    Simple,
    find_node,
    split_urn,
)
from scim_ingest.protocol.errors import ScimError, invalid_filter, invalid_value
from scim_ingest.protocol.filters import (
    ElementNames,
    FilterOperator,
    Value,
    compare_absent,
    compare_constant,
    compare_flag,
    compare_moment,
    compare_schemas,
    compare_text,
    shown,
    unknown,
)
from shared.schemas.search import EVERYBODY, All, AnyOf, Expression, Negated, Present

META = {"meta.created": "created_at", "meta.lastmodified": "updated_at"}
"""Lower-case path -> field, of users and groups alike."""


_SCHEMAS: list[tuple[str, Expression]] = [
    (CORE, EVERYBODY),
    *(
        (schema, AnyOf(of=[Present(field=one.search_field) for one in ATTRIBUTES if one.schema == schema]))
        for schema in EXTENSIONS
    ),
]
"""Which schemas a user lists: that of an extension where he has a value of it."""


class UserNames:
    """Names in a user."""

    def compare(self, name: str, op: FilterOperator, value: Value) -> Expression:
        schema, rest = split_urn(name)
        if schema is None and rest.lower() == "id":
            return compare_text("id", "id", op, value)
        if schema is None and rest.lower() in META:
            return compare_moment(META[rest.lower()], name, op, value)
        if schema is None and rest.lower() == "meta.resourcetype":
            return compare_constant("user", name, op, value)
        if schema is None and rest.lower() == "schemas":
            return compare_schemas(_SCHEMAS, op, value)
        node, sub = _node(name)
        if isinstance(node, Multi):
            if value is None:
                return compare_absent(op, name, self.present(name))
            found = [one.of_one(one.compare(sub or "value", op, value)) for one in _elements(node)]
            # "Any element", so one that differs is enough for ne; and so is that there is none.
            return _any([*found, *([Negated(of=self.present(name))] if op == "ne" else [])])
        return _compare(_part(node, sub, name), op, value)

    def present(self, name: str) -> Expression:
        schema, rest = split_urn(name)
        if schema is None and rest.lower() in {"id", "meta", "meta.resourcetype", "schemas", *META}:
            return EVERYBODY
        node, sub = _node(name)
        if isinstance(node, Multi):
            return _any([one.of_one(one.present(sub)) if sub else one.there() for one in _elements(node)])
        if isinstance(node, Complex) and not sub:
            return _any([Present(field=one.search_field) for one in node.subs.values()])
        return Present(field=_part(node, sub, name).search_field)

    def elements(self, name: str) -> Sequence[ElementNames]:
        node, sub = _node(name)
        if sub:
            raise unknown(name)
        if isinstance(node, Multi):
            return _elements(node)
        if isinstance(node, Complex):
            return [_PartNames(node)]
        raise invalid_filter(f"'{shown(name)}' has no parts to name in a bracket.")


class _PartNames:
    """Names in a complex attribute: `manager[value eq "…"]`."""

    def __init__(self, node: Complex) -> None:
        self._node = node

    def compare(self, name: str, op: FilterOperator, value: Value) -> Expression:
        return _compare(_part(self._node, name.lower(), name), op, value)

    def present(self, name: str) -> Expression:
        return Present(field=_part(self._node, name.lower(), name).search_field)

    def elements(self, name: str) -> Sequence[ElementNames]:
        raise invalid_filter("A bracket inside a bracket means nothing.")

    def of_one(self, condition: Expression) -> Expression:
        return condition


class _KindNames:
    """Names in the one element of a kind that a user may have."""

    def __init__(self, node: Multi, kind: str) -> None:
        self._node = node
        self._kind = kind
        self._subs = node.elements[kind]

    def there(self) -> Expression:
        """Whether the user has the element at all."""
        if any(one.mandatory for one in self._subs.values()):
            return EVERYBODY
        return _any([Present(field=one.search_field) for one in self._subs.values()])

    def compare(self, name: str, op: FilterOperator, value: Value) -> Expression:
        if name.lower() == "type":
            return compare_constant(self._kind, f"{self._node.name}.type", op, value)
        return _compare(self._sub(name), op, value)

    def present(self, name: str) -> Expression:
        if name.lower() == "type":
            return EVERYBODY
        return Present(field=self._sub(name).search_field)

    def elements(self, name: str) -> Sequence[ElementNames]:
        raise invalid_filter("A bracket inside a bracket means nothing.")

    def of_one(self, condition: Expression) -> Expression:
        return All(of=[self.there(), condition])

    def _sub(self, name: str) -> Attribute:
        found = self._subs.get(name.lower())
        if found is None:
            raise unknown(f"{self._node.name}.{name}")
        return found


USER_NAMES = UserNames()


def sort_field(name: str) -> str:
    """The field behind `sortBy`; of several elements the first of the table, as the primary one (RFC 7644 section 3.4.2.3).

    Raises:
        ScimError: 400 invalidValue for what cannot be sorted by.
    """
    schema, rest = split_urn(name.strip())
    if schema is None and rest.lower() == "id":
        return "id"
    if schema is None and rest.lower() in META:
        return META[rest.lower()]
    try:
        node, sub = _node(name.strip())
        if isinstance(node, Multi):
            first = next(iter(node.elements.values()))
            wanted = first.get(sub or next(iter(first)))
            if wanted is None:
                raise unknown(name)
            return wanted.search_field
        return _part(node, sub, name).search_field
    except ScimError:
        raise invalid_value(f"Users cannot be sorted by '{shown(name)}'. See /Schemas.") from None


def _elements(node: Multi) -> list[_KindNames]:
    return [_KindNames(node, kind) for kind in node.elements]


def _node(name: str) -> tuple[Node, str]:
    """The attribute, and the sub-attribute behind it in lower case, where one stands there."""
    schema, rest = split_urn(name)
    top, _, sub = rest.partition(".")
    node = find_node(schema, top)
    if node is None or (isinstance(node, Simple) and sub):
        raise unknown(name)
    return node, sub.lower()


def _part(node: Node, sub: str, name: str) -> Attribute:
    if isinstance(node, Simple):
        return node.attribute
    found = (node.subs.get(sub) if sub else node.main) if isinstance(node, Complex) else None
    if found is None:
        raise unknown(name)
    return found


def _compare(attribute: Attribute, op: FilterOperator, value: Value) -> Expression:
    compare = compare_flag if attribute.kind == "boolean" else compare_text
    return compare(attribute.search_field, attribute.path, op, value)


def _any(found: list[Expression]) -> Expression:
    return found[0] if len(found) == 1 else AnyOf(of=found)
