"""Danish or English, by what the browser asks for (RFC 9110 section 12.5.4)."""

from typing import Final

from shared.words import Language as Language

DEFAULT: Final[Language] = "en"
_NEAREST: Final[dict[str, Language]] = {"da": "da", "en": "en"}


def preferred(accept_language: str) -> Language:
    """The language with the highest weight among ours; the first of equals. English where neither is asked for."""
    best: Language = DEFAULT
    best_weight = 0.0
    for part in accept_language[:1000].split(","):
        tag, _, parameters = part.strip().partition(";")
        language = _NEAREST.get(tag.strip().lower().partition("-")[0])
        weight = _weight(parameters)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
