"""Filters of RFC 7644 section 3.4.2.2: `eq` and `and`, the two operators Entra uses, over every stored attribute.

    userName eq "anna@firma.dk"                       emails[type eq "work"].value eq "a@b.dk"
    id eq "emp_1" and manager eq "emp_2"              emails[type eq "work" and value eq "a@b.dk"]

Everything else is refused with a sentence that says what is possible; nothing is ever left out of a filter silently.
One pass over the text, so the time is linear in its length.
"""

import json
import re

from scim_ingest.protocol.attributes import Attribute, Complex, Multi, Simple, find_node, split_urn
from scim_ingest.protocol.errors import ScimError, invalid_filter
from shared.schemas.employee import Condition

MAX_LENGTH = 4096
MAX_DEPTH = 16
MAX_CONDITIONS = 32

NOTHING = Condition(field="id", value="")
"""Meets no employee: a filter that asks for an element which nobody can have is still answered, with an empty list."""

Literal_ = str | bool | None

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string> "(?:[^"\\]|\\.)*" )
      | (?P<mark> [()\[\]] )
      | (?P<word> [^\s()\[\]"]+ )
    )""",
    re.VERBOSE | re.DOTALL,
)
_OPERATORS = frozenset({"eq", "ne", "co", "sw", "ew", "pr", "gt", "ge", "lt", "le"})
_SUPPORTED = 'Supported: attribute eq "value", joined by and; for example userName eq "anna@firma.dk".'

Token = tuple[str, str]
"""Kind (string, mark, word, end) and text."""
_END: Token = ("end", "")


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


def parse_filter(text: str) -> list[Condition]:
    """The conditions that must all hold.

    Raises:
        ScimError: 400 invalidFilter.
    """
    if len(text) > MAX_LENGTH:
        raise invalid_filter(f"The filter is longer than {MAX_LENGTH} characters.")
    parser = _Parser(tokens_of(text))
    conditions = parser.expression(0)
    kind, word = parser.next()
    if kind != "end":
        raise invalid_filter(f"'{_shown(word)}' is not expected here. {_SUPPORTED}")
    if len(conditions) > MAX_CONDITIONS:
        raise invalid_filter(f"The filter has more than {MAX_CONDITIONS} conditions.")
    return conditions


def parse_element_filter(tokens: list[Token]) -> list[tuple[str, Literal_]]:
    """`type eq "work" and primary eq true`, as pairs of lower-case name and value; for patch paths."""
    parser = _Parser(tokens)
    pairs = parser.pairs()
    if parser.next() != _END:
        raise invalid_filter(_SUPPORTED)
    return pairs


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

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

    def expression(self, depth: int) -> list[Condition]:
        if depth > MAX_DEPTH:
            raise invalid_filter(f"The filter has more than {MAX_DEPTH} parentheses inside each other.")
        conditions = self._term(depth)
        while self._is_next("word", "and"):
            conditions += self._term(depth)
        if self._is_next("word", "or"):
            raise invalid_filter(f"'or' is not supported. {_SUPPORTED}")
        return conditions

    def _term(self, depth: int) -> list[Condition]:
        if self._is_next("mark", "("):
            conditions = self.expression(depth + 1)
            if not self._is_next("mark", ")"):
                raise invalid_filter(") is missing.")
            return conditions
        name = self._name()
        if self._is_next("mark", "["):
            pairs = self.pairs()
            if not self._is_next("mark", "]"):
                raise invalid_filter("] is missing.")
            if (suffix := self._suffix()) is not None:
                pairs.append((suffix, self._eq_literal()))
            return _element_conditions(name, pairs)
        return _conditions(name, self._eq_literal())

    def pairs(self) -> list[tuple[str, Literal_]]:
        found = [(self._name().lower(), self._eq_literal())]
        while self._is_next("word", "and"):
            found.append((self._name().lower(), self._eq_literal()))
            if len(found) > MAX_CONDITIONS:
                raise invalid_filter(f"The filter has more than {MAX_CONDITIONS} conditions.")
        return found

    def _name(self) -> str:
        kind, text = self.next()
        if kind != "word":
            raise invalid_filter(f"An attribute name is missing. {_SUPPORTED}")
        if text.lower() == "not":
            raise invalid_filter(f"'not' is not supported. {_SUPPORTED}")
        return text

    def _suffix(self) -> str | None:
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if kind == "word" and text.startswith("."):
                self._at += 1
                return text[1:].lower()
        return None

    def _eq_literal(self) -> Literal_:
        kind, operator = self.next()
        if kind != "word" or operator.lower() not in _OPERATORS:
            raise invalid_filter(f"An operator is missing. {_SUPPORTED}")
        if operator.lower() != "eq":
            raise invalid_filter(f"The operator '{operator}' is not supported. {_SUPPORTED}")
        return self._literal()

    def _literal(self) -> Literal_:
        kind, text = self.next()
        if kind == "string":
            return _string(text)
        if kind == "word" and text in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text]
        if kind == "word":
            raise invalid_filter(f'The value must be a string in double quotes: "{_shown(text)}". {_SUPPORTED}')
        raise invalid_filter(f"A value is missing after eq. {_SUPPORTED}")


def _string(text: str) -> str:
    try:
        value = str(json.loads(text))
        value.encode("utf-8")
    except ValueError:
        raise invalid_filter("The string is not valid JSON: escapes are those of RFC 8259.") from None
    if "\x00" in value:
        raise invalid_filter("The string holds a NUL character.")
    return value


def _conditions(name: str, value: Literal_) -> list[Condition]:
    """`name eq value`; the name may carry a URN and a sub-attribute."""
    schema, rest = split_urn(name)
    if schema is None and rest.lower() == "id":
        if not isinstance(value, str):
            raise invalid_filter("id is compared with a string in double quotes.")
        return [Condition(field="id", value=value)]
    top, _, sub = rest.partition(".")
    node = find_node(schema, top)
    if isinstance(node, Simple) and not sub:
        return [_condition(node.attribute, value)]
    if isinstance(node, Complex):
        attribute = node.subs.get(sub.lower()) if sub else node.main
        if attribute is not None:
            return [_condition(attribute, value)]
    if isinstance(node, Multi):
        # A plain name means "any element" (RFC 7644 section 3.4.2.2); with one possible element that one is meant.
        if len(node.elements) == 1:
            return _element_conditions(
                name.partition(".")[0] if schema is None else top, [(sub.lower() or "value", value)]
            )
        raise invalid_filter(f'Name the element: {node.name}[type eq "{next(iter(node.elements))}"].value eq "…".')
    raise _unknown(name)


def _element_conditions(name: str, pairs: list[tuple[str, Literal_]]) -> list[Condition]:
    """Pairs that must hold for one and the same element."""
    schema, rest = split_urn(name)
    node = find_node(schema, rest)
    if isinstance(node, Complex) and node.main is not None and all(sub in node.subs for sub, _ in pairs):
        return [_condition(node.subs[sub], value) for sub, value in pairs]
    if not isinstance(node, Multi):
        raise _unknown(name)
    types = [value for sub, value in pairs if sub == "type"]
    others = [(sub, value) for sub, value in pairs if sub != "type"]
    if any(not isinstance(kind, str) for kind in types):
        raise invalid_filter("type is compared with a string in double quotes.")
    subs = _element(node, [str(kind).lower() for kind in types])
    for sub, _ in others:
        if all(sub not in known for known in node.elements.values()):
            raise _unknown(f"{node.name}.{sub}")
    if subs is None:
        return [NOTHING]
    if not others and not any(attribute.mandatory for attribute in subs.values()):
        raise invalid_filter(f'Name a value: {next(iter(subs.values())).path} eq "…".')
    return [_condition(subs[sub], value) for sub, value in others]


def _element(node: Multi, types: list[str]) -> dict[str, Attribute] | None:
    """The element that all the types name; None where no employee can have one."""
    if not types and len(node.elements) > 1:
        raise invalid_filter(f'Name the element: {node.name}[type eq "{next(iter(node.elements))}"].')
    if not types:
        return next(iter(node.elements.values()))
    return node.elements.get(types[0]) if len(set(types)) == 1 else None


def _condition(attribute: Attribute, value: Literal_) -> Condition:
    if value is None:
        return Condition(field=attribute.filter_field, value=None)
    if attribute.kind == "boolean":
        if isinstance(value, str):
            # The legacy dialect writes booleans as text (quirks: boolean_as_text).
            value = {"true": True, "false": False}.get(value.lower(), value)
        if not isinstance(value, bool):
            raise invalid_filter(f"{attribute.path} is compared with true or false.")
    elif not isinstance(value, str):
        raise invalid_filter(f"{attribute.path} is compared with a string in double quotes.")
    return Condition(field=attribute.filter_field, value=value)


def _unknown(name: str) -> ScimError:
    return invalid_filter(f"'{_shown(name)}' is not an attribute that can be searched. See /Schemas.")


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"
