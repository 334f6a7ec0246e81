"""What a PATCH path means (RFC 7644 section 3.5.2), in every spelling that Entra sends.

    userName   NAME.GIVENNAME   emails[type eq "work"].value   emails[primary eq true]   manager   department
    urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department

Names count without case. A path to something that we do not keep is `Unknown`: ignored and reported (decision D6). A path
that is not a path is refused; a path is never kept as a key.
"""

import re
from functools import lru_cache

import msgspec

from scim_ingest.protocol.attributes import (
    CORE,
    READ_ONLY,
    SCHEMAS,
    Attribute,
    Complex,
    Multi,
    Simple,
    find_node,
    split_urn,
)
from scim_ingest.protocol.errors import ScimError, invalid_path, no_target
from scim_ingest.protocol.filters import Token, Value, parse_element_filter, tokens_of

MAX_LENGTH = 512


class Element(msgspec.Struct, frozen=True):
    """One element of a multi-valued attribute."""

    multi: Multi
    kind: str

    @property
    def subs(self) -> dict[str, Attribute]:
        return self.multi.elements[self.kind]


class Extension(msgspec.Struct, frozen=True):
    """Everything of one schema."""

    schema: str


class ReadOnly(msgspec.Struct, frozen=True):
    """`id`, `meta`, `schemas`, `groups`, with whatever follows."""

    name: str


class Unknown(msgspec.Struct, frozen=True):
    """Well-formed, but nothing that we keep. `name` holds no value of the sender: brackets are emptied."""

    name: str


Target = Attribute | Complex | Multi | Element | Extension | ReadOnly | Unknown

_NAME = re.compile(r"[A-Za-z$][A-Za-z0-9_$-]*\Z")
_KIND = re.compile(r"[a-z0-9_-]{1,40}\Z")


@lru_cache(maxsize=2048)
def read_path(path: str) -> Target:
    """What the path denotes.

    Raises:
        ScimError: 400 invalidPath for what is not a path, 400 noTarget where the filter does not say which element.
    """
    if len(path) > MAX_LENGTH:
        raise invalid_path(f"The path is longer than {MAX_LENGTH} characters.")
    path = path.strip()
    schema, rest = split_urn(path)
    if schema is not None and not rest:
        return Extension(_WRITTEN[schema])
    if "[" in rest:
        return _filtered(schema, path, rest)
    top, dot, sub = rest.partition(".")
    if schema is None and path[:4].lower() == "urn:":
        return Unknown(shown(path))
    if not _NAME.match(top) or (dot and not all(_NAME.match(part) for part in sub.split("."))):
        raise _not_a_path(path)
    if top.lower() in READ_ONLY and schema in (None, _CORE):
        return ReadOnly(top.lower())
    node = find_node(schema, top)
    if node is None:
        return Unknown(shown(path))
    return _part(node, sub.lower(), path) if sub else node.attribute if isinstance(node, Simple) else node


def path_quirks(path: str, *, as_key: bool = False) -> tuple[str, ...]:
    """Names of the quirks by which a path, or a key that is one, is understood; none for one that is not a path."""
    # What is remembered has a bound: a key may be a megabyte long.
    return _path_quirks(path, as_key) if len(path) <= MAX_LENGTH else ()


@lru_cache(maxsize=2048)
def _path_quirks(path: str, as_key: bool) -> tuple[str, ...]:
    try:
        target = read_path(path)
    except ScimError:
        return ()
    schema, rest = split_urn(path.strip())
    found = []
    if as_key and schema is not None and rest:
        found.append("urn_keys")
    elif as_key and ("." in rest or "[" in rest):
        found.append("dotted_keys")
    if "[" in rest and "primary" in rest[rest.index("[") :].lower():
        found.append("primary_names_the_element")
    if isinstance(target, Complex) and target.main is not None:
        target = target.main
    if isinstance(target, Attribute):
        if target.schema != CORE and schema is None:
            found.append("bare_enterprise_names")
        written = path.strip() if schema is not None or target.schema == CORE else rest
        if written.lower() == target.path.lower() and written != target.path:
            found.append("names_without_case")
        if target.field == "manager_ref" and "[" in rest:
            found.append("manager_with_filter")
    return tuple(found)


_CORE = CORE.lower()
_WRITTEN = {schema.lower(): schema for schema in SCHEMAS}


def _part(node: Simple | Complex | Multi, sub: str, path: str) -> Target:
    """`name.givenName`, `emails.value`."""
    if isinstance(node, Complex):
        return node.subs.get(sub) or Unknown(shown(path))
    if isinstance(node, Multi):
        if all(sub not in subs for subs in node.elements.values()):
            return Unknown(shown(path))
        if len(node.elements) > 1:
            raise no_target(f'Say which element: {node.name}[type eq "{next(iter(node.elements))}"].{sub}.')
        return next(iter(node.elements.values()))[sub]
    return Unknown(shown(path))


def _filtered(schema: str | None, path: str, rest: str) -> Target:
    """`emails[type eq "work"].value`: the element, or its part."""
    try:
        tokens = tokens_of(rest)
    except ScimError as error:
        raise _not_a_path(path, error) from None
    inside, sub = _brackets(tokens, path)
    node = find_node(schema, tokens[0][1])
    if isinstance(node, Complex) and node.main is not None:
        # quirks: manager_with_filter. One manager at most: the filter can mean only him.
        return node.subs.get(sub.lower(), Unknown(shown(path))) if sub else node
    if not isinstance(node, Multi):
        return Unknown(shown(path))
    try:
        kind = _element_kind(node, parse_element_filter(inside), path)
    except ScimError as error:
        if error.scim_type == "noTarget":
            raise
        raise invalid_path(f"The filter of '{shown(path)}' cannot be read. {error.detail}") from None
    if kind not in node.elements:
        return Unknown(element_name(node.name, kind) + (f".{sub}" if sub else ""))
    if not sub:
        return Element(node, kind)
    return node.elements[kind].get(sub.lower()) or Unknown(shown(path))


def _brackets(tokens: list[Token], path: str) -> tuple[list[Token], str]:
    """The tokens between the brackets, and the sub-attribute behind them."""
    texts = [text if kind == "mark" else "" for kind, text in tokens]
    if len(tokens) < 4 or tokens[0][0] != "word" or not _NAME.match(tokens[0][1]) or texts[1] != "[":
        raise _not_a_path(path)
    if "]" not in texts:
        raise _not_a_path(path)
    close = texts.index("]")
    after = tokens[close + 1 :]
    if not after:
        return tokens[2:close], ""
    if len(after) > 1 or after[0][0] != "word" or not re.match(r"\.[A-Za-z$][A-Za-z0-9_$.-]*\Z", after[0][1]):
        raise _not_a_path(path)
    return tokens[2:close], after[0][1][1:]


def _element_kind(node: Multi, pairs: list[tuple[str, Value]], path: str) -> str:
    """The element's type, perhaps one that we do not keep.

    The element need not exist: Entra expects it to be made (quirks: element_made_when_missing). So only a filter that
    determines the element will do.
    """
    kinds = {str(value).lower() for name, value in pairs if name == "type"}
    rest = [(name, value) for name, value in pairs if name != "type"]
    primary = [name for name, value in rest if name == "primary" and str(value).lower() == "true"]
    if len(kinds) > 1 or len(primary) != len(rest):
        raise no_target(f"'{shown(path)}' does not say which element is meant; use {node.name}[type eq \"…\"].")
    if not kinds:
        if len(node.elements) == 1:
            return next(iter(node.elements))
        raise no_target(f'{node.name} keeps no primary; use {node.name}[type eq "{next(iter(node.elements))}"].')
    return kinds.pop()


def shown(path: str) -> str:
    """The path for logs and error texts: without values, and short."""
    opened, closed = path.find("["), path.rfind("]")
    if opened >= 0:
        path = path[:opened] + "[…]" + (path[closed + 1 :] if closed > opened else "")
    return path if len(path) <= 100 else path[:100] + "…"


def element_name(name: str, kind: str) -> str:
    """`emails[type eq "home"]`, as long as the type is a word; it is the sender's text, and might be anything."""
    return f'{name}[type eq "{kind}"]' if _KIND.match(kind) else f"{name}[…]"


def _not_a_path(path: str, cause: ScimError | None = None) -> ScimError:
    return invalid_path(f"'{shown(path)}' is not a path{': ' + cause.detail if cause else ''}")
