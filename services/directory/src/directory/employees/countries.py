"""The calendar group that a country's name means: its ISO 3166-1 code (B17). Pure; the tables stand beside this module.

People write DK, DNK, Denmark, Danmark, "Denmark (DK)" or U.S.A.; case, accents, dots, hyphens and articles make no difference.
What stands in no table, and what could be two countries, is None: stored as it was sent and reported, never guessed, because
a wrong country changes who sees whose absence. Greenland and the Faroe Islands are calendar groups of their own.
"""

import re
import tomllib
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

LONGEST = 100
"""Characters; no country's name is longer."""

_WORD = re.compile(r"[^\W_]+")
_BETWEEN_NAMES = re.compile(r"[()\[\]/,;|]|\s[-–—]\s")
_UNSTRESSED = frozenset({"the", "and", "og", "de", "den", "det"})
_SAINT = frozenset({"st", "skt", "sct", "sankt"})
_PLAIN = str.maketrans({"æ": "ae", "ø": "o", "œ": "oe", "ð": "d", "þ": "th", "đ": "d", "ł": "l", "ı": "i"})
_LONGEST_CODE = 3


@lru_cache(maxsize=1024)
def calendar_group(text: str) -> str | None:
    """`"Danmark"` -> `"DK"`; None for what is no country or could be several."""
    if len(text) > LONGEST:
        return None
    if (whole := _known(text)) is not None:
        return whole
    # "Denmark (DK)": several names are believed when each of them means the same country.
    named = {_known(part) for part in _BETWEEN_NAMES.split(text) if _key(part)}
    return named.pop() if len(named) == 1 else None


def _known(text: str) -> str | None:
    key = _key(text)
    # "Ås" is a town, and not the code AS.
    if len(key) <= _LONGEST_CODE and key.isascii() and not text.strip().isascii():
        return None
    return _table().get(key)


def _key(text: str) -> str:
    """The form in which two spellings of a country's name are the same."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold()).translate(_PLAIN)
    words = _WORD.findall("".join(one for one in plain if unicodedata.category(one) != "Mn"))
    if len(words) > 1:
        words = ["saint" if one in _SAINT else one for one in words]
        words = [one for one in words if one not in _UNSTRESSED] or words
    return "".join(words)


def spellings() -> dict[str, list[str]]:
    """Each country's code -> three-letter code, English name, Danish name, then every other spelling."""
    names, by_hand = (
        tomllib.loads((Path(__file__).parent / file).read_text(encoding="utf-8"))
        for file in ("country_names.toml", "country_spellings.toml")
    )
    return {code: [*known, *by_hand.get(code, [])] for code, known in names.items()}


@cache
def _table() -> dict[str, str]:
    return {_key(name): code for code, names in spellings().items() for name in (code, *names)}
