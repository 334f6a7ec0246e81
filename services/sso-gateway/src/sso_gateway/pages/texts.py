"""The texts of pages and refusals, read once from `words/da.toml` and `words/en.toml`.

Why a login is refused is said elsewhere too, and therefore stands in `shared.words`.
"""

import tomllib
from pathlib import Path
from typing import get_args

import msgspec

from shared.words import WORDS, RefusalText
from sso_gateway.pages.language import Language


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    words: dict[str, str]
    refusals: dict[str, RefusalText]
    """By reason."""
    explanations: dict[str, RefusalText]
    """By code: of what nobody refused."""
    test: dict[str, str]
    """Of the page that a sign-in in test mode ends at."""
    logout_refused: RefusalText
    """In place of it where a logout is refused for a reason that a login may be refused for, too."""


def _read(language: Language) -> Texts:
    file = Path(__file__).parent / "words" / f"{language}.toml"
    own = tomllib.loads(file.read_text(encoding="utf-8"))
    texts = msgspec.convert({**own, "explanations": {}}, Texts)
    shared = WORDS[language]
    return msgspec.structs.replace(
        texts, refusals={**shared.refusals, **texts.refusals}, explanations=shared.explanations
    )


TEXTS: dict[Language, Texts] = {language: _read(language) for language in get_args(Language)}
