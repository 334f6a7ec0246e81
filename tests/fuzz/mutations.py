"""Inputs made of inputs: edits of the tree, which keep a document well-formed, as changed bytes rarely do."""

import random
from collections.abc import Callable

from lxml import etree

from tests.unit.sso_gateway import tree_edits
from tests.unit.sso_gateway.tree_edits import (
    ATTRIBUTES,
    ELEMENTS,
    NAMESPACES,
    TAGS,
    WORDS,
    Attribute,
    Double,
    Drop,
    Edit,
    Graft,
    Move,
    Rename,
    Renamespace,
    Text,
    Wrap,
)

SIGNED = ("assertion", "response", "both")
WHOSE = ("anna", "bo", "fabrikam", "forged")


def mutated(data: bytes, max_size: int, seed: int, by_bytes: Callable[[bytes, int], bytes]) -> bytes:
    """One time in two the fuzzer's own mutation; else the first byte, or one to three edits of the tree."""
    chance = random.Random(seed)
    if not data or chance.random() < 0.5:
        return by_bytes(data, max_size)
    if chance.random() < 0.1:
        return bytes([chance.randrange(8)]) + data[1:]
    try:
        document = tree_edits.edited(data[1:], [_edit(chance) for _ in range(chance.randint(1, 3))])
    except (etree.LxmlError, ValueError):
        return by_bytes(data, max_size)
    return data[:1] + document if len(document) < max_size else by_bytes(data, max_size)


def _edit(chance: random.Random) -> Edit:
    at, into = _at(chance), _at(chance)
    place = chance.randrange(7)
    edits: tuple[Callable[[], Edit], ...] = (
        lambda: Drop(at),
        lambda: Double(at),
        lambda: Move(at, into, place),
        lambda: Graft(chance.choice(WHOSE), chance.choice(SIGNED), at, into, chance.choice((None, place))),  # type: ignore[arg-type]
        lambda: Graft(chance.choice(WHOSE), chance.choice(SIGNED), at, at, None),  # type: ignore[arg-type]
        lambda: Rename(at, chance.choice(TAGS).rpartition("}")[2]),
        lambda: Renamespace(at, chance.choice(NAMESPACES)),
        lambda: Wrap(at, chance.choice(TAGS)),
        lambda: Text(at, chance.choice(WORDS), chance.random() < 0.3),
        lambda: Attribute(at, chance.choice(ATTRIBUTES), chance.choice((None, chance.choice(WORDS)))),
    )
    return chance.choice(edits)()


def _at(chance: random.Random) -> int | str:
    return chance.choice(ELEMENTS) if chance.random() < 0.5 else chance.randrange(64)
