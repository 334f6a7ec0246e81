"""A search, as scim-ingest makes it from a filter of RFC 7644 section 3.4.2.2: a tree of conditions over named fields.

What "attribute", "element" and "sub-attribute" mean is settled before; directory turns the tree into one statement. `ne` is the
negation of `eq`, and `eq null` that of `pr`. `All([])` holds for everybody, `AnyOf([])` for nobody.
"""

from collections.abc import Iterator
from typing import Literal

from shared.schemas import Schema

Operator = Literal["eq", "co", "sw", "ew", "gt", "ge", "lt", "le"]


class Compare(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="compare"):
    """False where the field has no value. Texts compare as the field does: without case, or exactly; moments as moments."""

    field: str
    op: Operator
    value: str | bool
    """A moment is text: ISO 8601 with its offset."""


class Present(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="present"):
    field: str


class Negated(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="not"):
    of: "Expression"


class All(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="all"):
    of: "list[Expression]"


class AnyOf(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="any"):
    of: "list[Expression]"


class Within(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="within"):
    """One and the same value of a field that has many meets all of it; its own field is `value`."""

    field: str
    of: "Expression"


Expression = Compare | Present | Negated | All | AnyOf | Within

EVERYBODY = All(of=[])
NOBODY = AnyOf(of=[])


class Sorting(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By the field's comparison form; whoever has no value is last, or first where it descends (RFC 7644 section 3.4.2.3)."""

    field: str
    descending: bool = False


def equal(field: str, value: str | bool | None) -> Expression:
    """`field eq value`; None asks for an absent value."""
    if value is None:
        return Negated(of=Present(field=field))
    return Compare(field=field, op="eq", value=value)


MAX_LEAVES = 256
"""Comparisons in one search."""


def leaves(expression: Expression) -> Iterator[Compare | Present]:
    if isinstance(expression, Compare | Present):
        yield expression
    elif isinstance(expression, Negated | Within):
        yield from leaves(expression.of)
    else:
        for one in expression.of:
            yield from leaves(one)
