"""By what other people's data may name somebody who is erased. Pure.

A manager is referred to by our id, which says nothing once he is gone, or by his login name or external id, which are his. Of
whoever was suspended they are known; a departure has forgotten them and left salted hashes, with which a reference can be
compared.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from directory.employees.keys import search_key

SALT_BYTES = 16
DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Erased:
    """What is known of the names of one who is erased."""

    names: frozenset[str]
    """Login names, e-mail addresses and external ids, present and former, as search keys."""
    released: bytes | None
    """Salt and salted SHA-256 of each of these keys, of a departed one (`revisions.departed`)."""


def naming(erased: Iterable[Erased], references: Iterable[str]) -> set[str]:
    """Those of the references that mean somebody who is erased."""
    people = list(erased)
    known = frozenset[str]().union(*(one.names for one in people))
    hashes = [_salt_and_digests(one.released) for one in people if one.released is not None]
    return {text for text in references if _means(search_key(text), known, hashes)}


def _salt_and_digests(released: bytes) -> tuple[bytes, frozenset[bytes]]:
    digests = range(SALT_BYTES, len(released), DIGEST_BYTES)
    return released[:SALT_BYTES], frozenset(released[start : start + DIGEST_BYTES] for start in digests)


def _means(key: str, known: frozenset[str], hashes: list[tuple[bytes, frozenset[bytes]]]) -> bool:
    return key in known or any(hashlib.sha256(salt + key.encode()).digest() in digests for salt, digests in hashes)
