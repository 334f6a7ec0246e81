"""From a tree of conditions to one SQL condition. Pure.

The SQL is put together from the constant fragments of the fields, never from what was asked; asked values are arguments. What is
negated is negated at the leaves, where it includes whoever has no value; everything else stays as the indexes know it.

    Key       the comparison key in a column of its own (login name, e-mail, a group's name)
    Folded    text without case
    Exact     text with case
    Identity  our id, as `emp_…`
    Flag      true or false
    Moment    a timestamp, to the millisecond that SCIM shows
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from directory.employees.keys import is_storable, search_key
from shared.errors import DomainError, ErrorCode
from shared.schemas.search import (
    MAX_LEAVES,
    All,
    AnyOf,
    Compare,
    Expression,
    Negated,
    Operator,
    Present,
    Sorting,
    Within,
    leaves,
)

Sql = str | bool
"""A condition, or one that is already decided."""


@dataclass(slots=True)
class Arguments:
    """Values of `$n`, from the given number on."""

    first: int
    values: list[object] = field(default_factory=list)

    def add(self, value: object, kind: str) -> str:
        self.values.append(value)
        return f"${self.first + len(self.values) - 1}::{kind}"

    def only_used_in(self, sql: str) -> str:
        """Without those of conditions that were decided by their neighbours; PostgreSQL takes no argument that nothing uses."""
        used = sorted({int(number) for number in _PLACE.findall(sql)} - {*range(self.first)})
        renumbered = {old: new for new, old in enumerate(used, self.first)}
        self.values = [self.values[old - self.first] for old in used]
        return _PLACE.sub(lambda place: f"${renumbered.get(int(place[1]), int(place[1]))}", sql)


_PLACE = re.compile(r"\$(\d+)")


_TEXT: dict[Operator, str] = {
    "eq": "{0} = {1}",
    "co": "strpos({0}, {1}) > 0",
    "sw": "starts_with({0}, {1})",
    "ew": "right({0}, length({1})) = {1}",
    "gt": '{0} > {1} collate "C"',
    "ge": '{0} >= {1} collate "C"',
    "lt": '{0} < {1} collate "C"',
    "le": '{0} <= {1} collate "C"',
}


class Field:
    """`column` is also what says whether there is a value, and what is sorted by."""

    def __init__(self, column: str) -> None:
        self.column = column

    def compare(self, op: Operator, value: str | bool, arguments: Arguments) -> Sql:
        raise NotImplementedError

    def present(self) -> Sql:
        return f"{self.column} is not null"

    def order(self) -> str:
        return self.column

    def inner(self) -> "Mapping[str, Field]":
        """What stands inside, where one employee or group has many of it."""
        raise _unfit(f"there is one {self.column} at most")

    def some(self, condition: Sql) -> Sql:
        raise NotImplementedError


class _Text(Field):
    def compare(self, op: Operator, value: str | bool, arguments: Arguments) -> Sql:
        if not isinstance(value, str):
            raise _unfit(f"{self.column} is text")
        # Nothing that cannot be stored is equal to anything, or part of it.
        return _TEXT[op].format(self.text(), self.argument(value, arguments)) if is_storable(value) else False

    def text(self) -> str:
        return self.column

    def argument(self, value: str, arguments: Arguments) -> str:
        return arguments.add(value, "text")

    def order(self) -> str:
        return f'{self.text()} collate "C"'


class Exact(_Text):
    pass


class Key(_Text):
    def argument(self, value: str, arguments: Arguments) -> str:
        return arguments.add(search_key(value), "text")


class Folded(_Text):
    def text(self) -> str:
        return f"lower({self.column})"

    def argument(self, value: str, arguments: Arguments) -> str:
        return f"lower({arguments.add(value, 'text')})"


class Identity(_Text):
    def __init__(self, column: str, prefix: str, read: Callable[[str], UUID | None]) -> None:
        super().__init__(column)
        self._prefix = prefix
        self._read = read

    def compare(self, op: Operator, value: str | bool, arguments: Arguments) -> Sql:
        if op == "eq" and isinstance(value, str):
            known = self._read(value)
            return f"{self.column} = {arguments.add(known, 'uuid')}" if known is not None else False
        return super().compare(op, value, arguments)

    def text(self) -> str:
        return f"('{self._prefix}' || replace({self.column}::text, '-', ''))"

    def order(self) -> str:
        return self.column


class Flag(Field):
    """`always`: nobody is without it."""

    def __init__(self, condition: str, *, always: bool = False) -> None:
        super().__init__(condition)
        self._always = always

    def compare(self, op: Operator, value: str | bool, arguments: Arguments) -> Sql:
        if op != "eq" or not isinstance(value, bool):
            raise _unfit(f"{self.column} is true or false, and has no order")
        return f"{self.column} = {arguments.add(value, 'boolean')}"

    def present(self) -> Sql:
        return True if self._always else super().present()


_ORDER: dict[Operator, str] = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class Moment(Field):
    def compare(self, op: Operator, value: str | bool, arguments: Arguments) -> Sql:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise _unfit(f"{self.column} is a moment") from None
        if op not in _ORDER or moment.tzinfo is None:
            raise _unfit(f"{self.column} is a moment with its offset")
        return f"date_trunc('milliseconds', {self.column}) {_ORDER[op]} {arguments.add(moment, 'timestamptz')}"


def where(expression: Expression, fields: Mapping[str, Field], arguments: Arguments) -> Sql:
    """The condition, or True or False where it does not depend on anybody.

    Raises:
        DomainError: `invalid_request` for a field or comparison that there is not, or for more conditions than anybody needs.
    """
    if sum(1 for _ in leaves(expression)) > MAX_LEAVES:
        raise _unfit(f"more than {MAX_LEAVES} conditions")
    found = _sql(expression, fields, arguments, negated=False)
    told = arguments.only_used_in(found if isinstance(found, str) else "")
    return told or found


def _sql(expression: Expression, fields: Mapping[str, Field], arguments: Arguments, *, negated: bool) -> Sql:
    if isinstance(expression, Negated):
        return _sql(expression.of, fields, arguments, negated=not negated)
    if isinstance(expression, All | AnyOf):
        parts = [_sql(one, fields, arguments, negated=negated) for one in expression.of]
        return _joined(parts, together=isinstance(expression, All) != negated)
    known = known_field(fields, expression.field)
    if isinstance(expression, Within):
        inner = _sql(expression.of, known.inner(), arguments, negated=False)
        return _leaf(known.some(inner), negated=negated)
    found = (
        known.present()
        if isinstance(expression, Present)
        else known.compare(expression.op, expression.value, arguments)
    )
    return _leaf(found, negated=negated)


def _leaf(found: Sql, *, negated: bool) -> Sql:
    if isinstance(found, bool):
        return found != negated
    return f"({found}) is not true" if negated else found


def _joined(parts: Sequence[Sql], *, together: bool) -> Sql:
    """`together`: all must hold; else one of them."""
    if any(part is not together for part in parts if isinstance(part, bool)):
        return not together
    told = [part for part in parts if isinstance(part, str)]
    if not told:
        return together
    return told[0] if len(told) == 1 else f"({(' and ' if together else ' or ').join(told)})"


def order(sorting: Sorting | None, fields: Mapping[str, Field], tie: str) -> str:
    """What stands behind "order by"; `tie` decides between equals."""
    if sorting is None:
        return tie
    direction = "desc nulls first" if sorting.descending else "asc nulls last"
    return f"{known_field(fields, sorting.field).order()} {direction}, {tie}"


def must_equal(expression: Expression) -> Iterator[Compare]:
    """Comparisons with `eq` that hold for whoever meets the whole."""
    if isinstance(expression, Compare) and expression.op == "eq":
        yield expression
    elif isinstance(expression, All):
        for one in expression.of:
            yield from must_equal(one)


def known_field(fields: Mapping[str, Field], name: str) -> Field:
    found = fields.get(name)
    if found is None:
        raise _unfit(f"{name[:40]!r} is no field")
    return found


def _unfit(why: str) -> DomainError:
    return DomainError(ErrorCode.invalid_request, f"This search makes no sense: {why}.")
