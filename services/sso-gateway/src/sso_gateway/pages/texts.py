"""The texts of pages and refusals, read once from `words/da.toml` and `words/en.toml`."""

import tomllib
from pathlib import Path
from typing import get_args

import msgspec

from sso_gateway.pages.language import Language


class RefusalText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    what: str
    """What happened."""
    remedy: str
    """Who can mend it, and how."""


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    words: dict[str, str]
    refusals: dict[str, RefusalText]
    """By reason."""
    logout_refused: RefusalText
    """In place of it where a logout is refused for a reason that a login may be refused for, too."""


def _read(language: str) -> Texts:
    file = Path(__file__).parent / "words" / f"{language}.toml"
    return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Texts)


TEXTS: dict[Language, Texts] = {language: _read(language) for language in get_args(Language)}
