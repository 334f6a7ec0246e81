"""What is said to people in more than one service, in Danish and English: why a login is refused, who can mend it, and what
happened in it step by step.

Read once, from `da.toml` and `en.toml`. What only the gateway's pages say stands with them.
"""

import tomllib
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

Language = Literal["da", "en"]


class RefusalText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    what: str
    """What happened."""
    remedy: str
    """Who can mend it, and how."""


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    refusals: dict[str, RefusalText]
    """By reason."""
    steps: dict[str, str]
    """Sentences of an attempt's timeline; in braces stand facts of the step."""
    explanations: dict[str, RefusalText]
    """By a code that stays: of attempts that nobody refused, and that let nobody in all the same."""


def _read(language: str) -> Words:
    file = Path(__file__).parent / f"{language}.toml"
    return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Words)


WORDS: Final[dict[Language, Words]] = {language: _read(language) for language in get_args(Language)}
