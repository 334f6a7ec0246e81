"""RFC 7644 filters, once more and in another way: evaluated over the JSON of resources, as the RFC's sentences say.

For comparison with what scim-ingest and directory make of them together. Slow and plain: the text is read character by character,
values are looked up in the resource, nothing is known of fields or SQL.
"""

import json
import operator as operators
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

EXTENSIONS = (
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:ietf:params:scim:schemas:extension:bitabiz:2.0:User",
)
CASE_EXACT = {"id", "externalid", "manager.value", "manager", "members.value", "members"}
MOMENTS = {"meta.created", "meta.lastmodified"}

Json = dict[str, Any]
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[()\[\]]|[^\s()\[\]"]+')


def matches(text: str, resource: Json) -> bool:
    return _Reader(_WORD.findall(text)).whole()(resource)


Test = Callable[[Json], bool]


class _Reader:
    def __init__(self, words: list[str]) -> None:
        self.words = words

    def whole(self) -> Test:
        found = self.any_of("")
        assert not self.words, self.words
        return found

    def any_of(self, within: str) -> Test:
        found = [self.all_of(within)]
        while self.words and self.words[0].lower() == "or":
            self.words.pop(0)
            found.append(self.all_of(within))
        return lambda one: any(test(one) for test in found)

    def all_of(self, within: str) -> Test:
        found = [self.one(within)]
        while self.words and self.words[0].lower() == "and":
            self.words.pop(0)
            found.append(self.one(within))
        return lambda one: all(test(one) for test in found)

    def one(self, within: str) -> Test:
        word = self.words.pop(0)
        if word.lower() == "not":
            inner = self.one(within)
            return lambda one: not inner(one)
        if word == "(":
            inner = self.any_of(within)
            assert self.words.pop(0) == ")"
            return inner
        if self.words and self.words[0] == "[":
            return self.bracket(word)
        return self.condition(f"{within}.{word}" if within else word, word)

    def bracket(self, name: str) -> Test:
        self.words.pop(0)
        inner = self.any_of(name)
        assert self.words.pop(0) == "]"
        if self.words and self.words[0].startswith("."):
            word = self.words.pop(0)[1:]
            last, first = self.condition(f"{name}.{word}", word), inner
            inner = lambda one: first(one) and last(one)  # noqa: E731
        return lambda resource: any(inner(element) for element in _elements(_get(resource, name)))

    def condition(self, path: str, name: str) -> Test:
        operator = self.words.pop(0).lower()
        if operator == "pr":
            return lambda one: any(value is not None for value in _values(one, name))
        wanted = json.loads(self.words.pop(0))
        return lambda one: _compare(_values(one, name), operator, wanted, _without_urn(path).lower())


def _compare(values: list[Any], operator: str, wanted: Any, path: str) -> bool:
    if wanted is None:
        return (operator == "eq") == (not values)
    if operator == "ne":
        # Without a value there is none that is equal; of many values one that differs is enough.
        return not values or any(not _holds(one, "eq", wanted, path) for one in values)
    return any(_holds(one, operator, wanted, path) for one in values)


def _holds(value: Any, operator: str, wanted: Any, path: str) -> bool:
    if path in MOMENTS:
        value, wanted = datetime.fromisoformat(value), datetime.fromisoformat(wanted)
    elif isinstance(value, bool) and isinstance(wanted, str):
        # Entra writes booleans as text.
        wanted = {"true": True, "false": False}[wanted.lower()]
    elif isinstance(value, str) and path not in CASE_EXACT:
        value, wanted = value.lower(), wanted.lower()
    return bool(_OPERATORS[operator](value, wanted))


_OPERATORS: dict[str, Callable[[Any, Any], object]] = {
    "eq": operators.eq,
    "co": operators.contains,
    "sw": lambda value, wanted: value.startswith(wanted),
    "ew": lambda value, wanted: value.endswith(wanted),
    "gt": operators.gt,
    "ge": operators.ge,
    "lt": operators.lt,
    "le": operators.le,
}


def _values(one: Json, name: str) -> list[Any]:
    """Of a list without a sub-attribute, its values."""
    top, _, sub = _without_urn(name).partition(".")
    found: list[Any] = []
    for element in _elements(_get(one, top)):
        if isinstance(element, dict):
            inner = _member(element, sub or ("value" if "value" in element else next(iter(element))))
            found += [inner] if inner is not None else []
        else:
            found.append(element)
    return found


def _get(resource: Json, name: str) -> Any:
    name = _without_urn(name)
    found = _member(resource, name)
    return found if found is not None else next(
        (inner for urn in EXTENSIONS if (inner := _member(resource.get(urn, {}), name)) is not None), None
    )  # fmt: skip


def _member(resource: Json, name: str) -> Any:
    return next((value for key, value in resource.items() if key.lower() == name.lower()), None)


def _elements(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _without_urn(name: str) -> str:
    return name.rpartition(":")[2] if name.lower().startswith("urn:") else name
