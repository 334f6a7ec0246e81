"""Comparison keys of login names and e-mail addresses (decision D2), and what a value must be to be stored. Pure.

Values stand in the database exactly as they were sent (D7); keys stand beside them and decide what is the same: without
case, after Unicode NFC.
"""

import unicodedata

from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import EmployeeChanges, NewEmployee
from shared.schemas.people import EmployeeEdits, NewPerson

MANDATORY = frozenset({"login_name", "email", "given_name", "family_name"})
"""S23; never empty, never cleared."""

MAX_CHARACTERS = {"login_name": 320, "email": 320, "external_id": 512, "manager_ref": 512}
"""320 is the longest e-mail address (RFC 5321: 64 + 1 + 255)."""
MAX_CHARACTERS_OTHERWISE = 1024

INDEXED = frozenset({*MAX_CHARACTERS, "department", "country", "leave_date"})
MAX_INDEXED_BYTES = 2048
"""A B-tree entry holds at most 2704 bytes, and one character may take four."""


def search_key(text: str) -> str:
    """The form in which two spellings of a login name or address are the same. Nothing is stripped."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def check_values(values: NewEmployee | EmployeeChanges | EmployeeEdits | NewPerson) -> None:
    """Raises DomainError `invalid_value`, naming the field, at the first value that cannot be stored."""
    for name in values.__struct_fields__:
        value = getattr(values, name)
        if isinstance(value, str):
            rule = broken_rule(name, value)
        else:
            rule = "is mandatory and cannot be cleared" if value is None and name in MANDATORY else None
        if rule is not None:
            raise DomainError(ErrorCode.invalid_value, f"{name} {rule}.", field=name)


def is_storable(text: str) -> bool:
    """PostgreSQL stores no NUL, and UTF-8 has no lone surrogates; control characters have no place in master data."""
    # Almost everything is printable, and that is found out without a look at each character.
    return text.isprintable() or not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def broken_rule(name: str, text: str) -> str | None:
    """What a text must be to be stored under this name, and is not; None where it may."""
    if name in MANDATORY and not text.strip():
        return "must not be empty"
    longest = MAX_CHARACTERS.get(name, MAX_CHARACTERS_OTHERWISE)
    if len(text) > longest:
        return f"must be at most {longest} characters long, and is {len(text)}"
    if not is_storable(text):
        return "must not contain control characters or halves of surrogate pairs"
    if name in INDEXED and max(len(text.encode()), len(search_key(text).encode())) > MAX_INDEXED_BYTES:
        return f"must be at most {MAX_INDEXED_BYTES} bytes long"
    return None
