"""Filters of RFC 7644 section 3.4.2.2, in full, to one condition over stored fields.

    userName eq "anna@firma.dk"                       emails[type eq "work"].value eq "a@b.dk"   (Entra's spelling)
    id eq "emp_1" and manager eq "emp_2"              emails[type eq "work" and value ew "@b.dk"]
    title pr and not (department sw "IT" or active eq false)

Precedence: `not`, `and`, `or`. Nothing is ever left out of a filter: what cannot be searched is refused with a sentence. One pass
over the text (a bracket is read once for each element that there may be), so the time is linear in its length.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal, Protocol, get_args

from scim_ingest.protocol.errors import ScimError, invalid_filter, no_target
from scim_ingest.recorder import coerced
from shared.schemas.search import (
    EVERYBODY,
    MAX_LEAVES,
    NOBODY,
    All,
    AnyOf,
    Compare,
    Expression,
    Negated,
    Operator,
    Present,
    leaves,
)

MAX_LENGTH = 4096
MAX_DEPTH = 16
MAX_CONDITIONS = 64

FilterOperator = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
Value = str | bool | float | None

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string> "(?:[^"\\]|\\.)*" )
      | (?P<mark> [()\[\]] )
      | (?P<word> [^\s()\[\]"]+ )
    )""",
    re.VERBOSE | re.DOTALL,
)
_OPERATORS = frozenset(get_args(FilterOperator))
_NOT_IN_A_PATH = _OPERATORS - {"eq"} | {"pr"}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z", re.ASCII)
_HOW = 'Write attribute operator "value", such as userName eq "anna@firma.dk"; join with and, or, not ( ).'

Token = tuple[str, str]
"""Kind (string, mark, word, end) and text."""
_END: Token = ("end", "")


class Names(Protocol):
    """What attribute names mean where a filter stands: in a resource, or inside one of its elements."""

    def compare(self, name: str, op: FilterOperator, value: Value) -> Expression: ...

    def present(self, name: str) -> Expression: ...

    def elements(self, name: str) -> "Sequence[ElementNames]":
        """One for each element that the attribute may have, for a bracket behind it."""
        ...


class ElementNames(Names, Protocol):
    def of_one(self, condition: Expression) -> Expression:
        """That there is such an element, and it meets the condition."""
        ...


def tokens_of(text: str) -> list[Token]:
    """Raises ScimError where a string does not end."""
    found: list[Token] = []
    position = 0
    stop = len(text.rstrip())
    while position < stop:
        match = _TOKEN.match(text, position)
        if match is None:
            raise invalid_filter('A string does not end: " is missing.')
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        position = match.end()
    return found


def parse_filter(text: str, names: Names) -> Expression:
    """Raises ScimError: 400 invalidFilter."""
    if len(text) > MAX_LENGTH:
        raise invalid_filter(f"The filter is longer than {MAX_LENGTH} characters.")
    parser = _Parser(tokens_of(text))
    expression = parser.expression(names, 0)
    kind, word = parser.next()
    if kind != "end":
        raise invalid_filter(f"'{shown(word)}' is not expected here. {_HOW}")
    if sum(1 for _ in leaves(expression)) > MAX_LEAVES:
        raise invalid_filter(
            "The filter asks too much: attributes with several elements count once for each. Ask in parts."
        )
    return expression


def parse_element_filter(tokens: list[Token]) -> list[tuple[str, Value]]:
    """`type eq "work" and primary eq true`, as pairs of lower-case name and value; for patch paths.

    Raises:
        ScimError: 400 invalidFilter for what is no filter, noTarget for one that says more than which element is meant.
    """
    parser = _Parser(tokens)
    pairs = parser.pairs()
    rest = parser.next()
    if rest == ("word", "or"):
        raise _by_eq_alone()
    if rest != _END:
        raise invalid_filter(f"'{shown(rest[1])}' is not expected there.")
    return pairs


def _by_eq_alone() -> ScimError:
    return no_target("A path names its element by eq and and alone.")


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._conditions = 0

    def next(self) -> Token:
        token = self._tokens[self._at] if self._at < len(self._tokens) else _END
        self._at += 1
        return token

    def _is_next(self, kind: str, text: str) -> bool:
        if self._at < len(self._tokens):
            found_kind, found = self._tokens[self._at]
            if found_kind == kind and found.lower() == text:
                self._at += 1
                return True
        return False

    def expression(self, names: Names, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise invalid_filter(f"The filter has more than {MAX_DEPTH} parentheses inside each other.")
        found = [self._all_of(names, depth)]
        while self._is_next("word", "or"):
            found.append(self._all_of(names, depth))
        return found[0] if len(found) == 1 else AnyOf(of=found)

    def _all_of(self, names: Names, depth: int) -> Expression:
        found = [self._one(names, depth)]
        while self._is_next("word", "and"):
            found.append(self._one(names, depth))
        return found[0] if len(found) == 1 else All(of=found)

    def _one(self, names: Names, depth: int) -> Expression:
        if self._is_next("word", "not"):
            if not self._is_next("mark", "("):
                raise invalid_filter("not is followed by a parenthesis: not (…).")
            return Negated(of=self._inside(names, depth, ")"))
        if self._is_next("mark", "("):
            return self._inside(names, depth, ")")
        self._count()
        name = self._name()
        if self._is_next("mark", "["):
            return self._bracket(names.elements(name), depth)
        return self._condition(names, name)

    def _inside(self, names: Names, depth: int, end: str) -> Expression:
        found = self.expression(names, depth + 1)
        if not self._is_next("mark", end):
            raise invalid_filter(f"{end} is missing.")
        return found

    def _bracket(self, elements: Sequence[ElementNames], depth: int) -> Expression:
        """Holds where one and the same element meets all of it."""
        start, met = self._at, list[Expression]()
        for element in elements:
            self._at = start
            inner = self._inside(element, depth, "]")
            kind, text = self._tokens[self._at] if self._at < len(self._tokens) else _END
            if kind == "word" and text.startswith("."):
                coerced("value_path_in_filter")
                self._at += 1
                inner = All(of=[inner, self._condition(element, text[1:])])
            met.append(element.of_one(inner))
        return met[0] if len(met) == 1 else AnyOf(of=met)

    def _condition(self, names: Names, name: str) -> Expression:
        kind, text = self.next()
        operator = text.lower()
        if kind == "word" and operator == "pr":
            return names.present(name)
        if kind != "word" or operator not in _OPERATORS:
            raise invalid_filter(f"An operator is missing behind '{shown(name)}'. {_HOW}")
        return names.compare(name, operator, self._literal(name, operator))  # type: ignore[arg-type]

    def _count(self) -> None:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise invalid_filter(f"The filter has more than {MAX_CONDITIONS} conditions.")

    def pairs(self) -> list[tuple[str, Value]]:
        found = [self._pair()]
        while self._is_next("word", "and"):
            self._count()
            found.append(self._pair())
        return found

    def _pair(self) -> tuple[str, Value]:
        name = self._name().lower()
        kind, operator = self.next()
        if operator.lower() in _NOT_IN_A_PATH or (name == "not" and operator == "("):
            raise _by_eq_alone()
        if kind != "word" or operator.lower() != "eq":
            raise invalid_filter(f"An operator is missing behind '{shown(name)}'.")
        return name, self._literal(name, "eq")

    def _name(self) -> str:
        kind, text = self.next()
        if kind != "word":
            raise invalid_filter(f"An attribute name is missing. {_HOW}")
        return text

    def _literal(self, name: str, operator: str) -> Value:
        """`name`: what it is compared with, for the sentence; where that is a secret, the journal finds it there."""
        kind, text = self.next()
        if kind == "string":
            return string_of(text)
        if kind == "word" and text in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text]
        if kind == "word" and len(text) <= 64 and _NUMBER.match(text):
            return float(text)
        if kind == "word":
            raise invalid_filter(f'A text stands in double quotes: {shown(name)} {operator} "{shown(text)}". {_HOW}')
        raise invalid_filter(f"A value is missing behind {operator}. {_HOW}")


def string_of(text: str) -> str:
    """What a token in double quotes means. Raises ScimError: 400 invalidFilter."""
    try:
        value = str(json.loads(text))
        value.encode("utf-8")
    except ValueError:
        raise invalid_filter("The string is not valid JSON: escapes are those of RFC 8259.") from None
    if "\x00" in value:
        raise invalid_filter("The string holds a NUL character.")
    return value


# Conditions


def compare_text(field: str, path: str, op: FilterOperator, value: Value) -> Expression:
    if value is None:
        return compare_absent(op, path, Present(field=field))
    if not isinstance(value, str):
        raise invalid_filter(f"{path} is compared with a string in double quotes.")
    return _compared(field, op, value)


def compare_flag(field: str, path: str, op: FilterOperator, value: Value) -> Expression:
    if value is None:
        return compare_absent(op, path, Present(field=field))
    if isinstance(value, str):
        coerced("boolean_as_text_in_filter")
        value = {"true": True, "false": False}.get(value.lower(), value)
    if not isinstance(value, bool):
        raise invalid_filter(f"{path} is compared with true or false.")
    if op not in ("eq", "ne"):
        raise invalid_filter(f"{path} is true or false, and has no order: eq, ne or pr.")
    return _compared(field, op, value)


def compare_moment(field: str, path: str, op: FilterOperator, value: Value) -> Expression:
    moment = _moment(value) if isinstance(value, str) else None
    if moment is None:
        raise invalid_filter(f'{path} is compared with a date and time with its offset: "2026-12-31T00:00:00Z".')
    if op in ("co", "sw", "ew"):
        raise invalid_filter(f"{path} is a moment: eq, ne, gt, ge, lt, le or pr.")
    return _compared(field, op, moment)


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)


def _moment(text: str) -> str | None:
    """xsd:dateTime with an offset, as Python reads it; None for anything else."""
    if not _MOMENT.match(text):
        return None
    text = re.sub(r"(\.\d{6})\d+", r"\1", text.upper())
    try:
        moment = datetime.fromisoformat(text)
        # The far ends of the calendar are no moments in every offset.
        return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return None


def compare_absent(op: FilterOperator, path: str, present: Expression) -> Expression:
    if op == "eq":
        return Negated(of=present)
    if op == "ne":
        return present
    raise invalid_filter(f"{path} can only be eq or ne null.")


def _compared(field: str, op: FilterOperator, value: str | bool) -> Expression:
    """Whoever has no value has not this one: `ne` holds for him."""
    if op == "ne":
        return Negated(of=Compare(field=field, op="eq", value=value))
    return Compare(field=field, op=op, value=value)


_OF_CONSTANTS: dict[Operator, Callable[[str, str], bool]] = {
    "eq": lambda known, asked: known == asked,
    "co": lambda known, asked: asked in known,
    "sw": lambda known, asked: known.startswith(asked),
    "ew": lambda known, asked: known.endswith(asked),
    "gt": lambda known, asked: known > asked,
    "ge": lambda known, asked: known >= asked,
    "lt": lambda known, asked: known < asked,
    "le": lambda known, asked: known <= asked,
}


def compare_constant(known: str, path: str, op: FilterOperator, value: Value) -> Expression:
    """Of what is the same for everybody: the `type` of an element."""
    if value is None:
        return compare_absent(op, path, EVERYBODY)
    if not isinstance(value, str):
        raise invalid_filter(f"{path} is compared with a string in double quotes.")
    if op == "ne":
        return NOBODY if known == value.lower() else EVERYBODY
    return EVERYBODY if _OF_CONSTANTS[op](known, value.lower()) else NOBODY


def compare_schemas(listed: Sequence[tuple[str, Expression]], op: FilterOperator, value: Value) -> Expression:
    """`schemas` of a resource: each URN, and of whom it is one. One that meets the condition is enough."""
    if value is None:
        return compare_absent(op, "schemas", EVERYBODY)
    return AnyOf(of=[All(of=[holds, compare_constant(urn.lower(), "schemas", op, value)]) for urn, holds in listed])


class UnknownAttribute(ScimError):
    """400 invalidFilter: there is no such attribute, in this kind of resource at least."""


def unknown(name: str) -> UnknownAttribute:
    detail = f"'{shown(name)}' is not an attribute that can be searched. See /Schemas."
    return UnknownAttribute(400, detail, "invalidFilter")


def shown(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"
