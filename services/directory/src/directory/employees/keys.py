"""Comparison keys of login names and e-mail addresses (decision D2): without case, after Unicode NFC. Pure."""

import unicodedata


def search_key(text: str) -> str:
    """The form in which two spellings of a login name or address are the same. Nothing is stripped."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
