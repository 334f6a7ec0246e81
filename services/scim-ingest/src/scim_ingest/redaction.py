"""What of a request may be kept, and whom it names. Pure.

A body is kept as it came, but for the values of passwords and other secrets, and for the company's own token wherever it may
stand. One that cannot be read is kept only where nothing in it looks like a secret.
"""

import json
import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.json_body import read_json

KEPT_CHARACTERS = 32 * 1024
"""Of a body; what a replay needs is kept beside it, compiled."""
REDACTED = "[redacted]"

_SECRET = re.compile(r"passw|pwd|secret|credential|authorization|api_?key|token", re.IGNORECASE)
_EMPLOYEE = re.compile(r"emp_[0-9a-f]{32}\Z")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.){1,320})"')
_ADDRESS = re.compile(r"[^\s@]{1,255}@[^\s@]{1,255}\Z")
_ADDRESSES = re.compile(r"[^\s\"'<>@,;:\[\](){}=]{1,64}@[^\s\"'<>@,;:\[\](){}=]{1,255}")
_NAMING = ("username", "externalid")
_WORDS = frozenset({"work", "home", "other", "mobile", "true", "false"})


def kept_body(raw: bytes, token: str) -> str | None:
    """None where there is none, or where it cannot be kept."""
    if not raw:
        return None
    try:
        value = read_json(raw)
    except ScimError:
        text = raw.decode("utf-8", "replace")
        return None if _SECRET.search(text) else plain(text, token)
    text = raw.decode("utf-8-sig")
    if _SECRET.search(text):
        shown = without_secrets(value)
        text = text if shown == value else json.dumps(shown, ensure_ascii=False)
    return plain(text, token)


def kept_query(raw: bytes, token: str) -> str:
    """Flags, filter and all, as it came; of one that mentions a secret the names alone."""
    text = raw.decode("latin-1")[:2000]
    if _SECRET.search(unquote_plus(text)):
        text = "&".join(f"{pair.partition('=')[0]}={REDACTED}" for pair in text.split("&"))
        text = REDACTED if _SECRET.search(unquote_plus(text.replace(REDACTED, ""))) else text
    return plain(text, token)


def without_secrets(value: object) -> object:
    """The same, with the value of each secret attribute replaced; also where a PATCH names it by its path."""
    if isinstance(value, list):
        return [without_secrets(one) for one in value]
    if not isinstance(value, dict):
        return value
    path = next((str(member) for name, member in value.items() if name.lower() == "path"), "")
    hides_value = bool(_SECRET.search(path))
    return {
        name: _QUOTED.sub(f'"{REDACTED}"', member)
        if isinstance(member, str) and name.lower() in ("path", "filter") and _SECRET.search(member)
        else REDACTED
        if member is not None and (_SECRET.search(name) or (hides_value and name.lower() == "value"))
        else without_secrets(member)
        for name, member in value.items()
    }


def named_in(raw: bytes) -> tuple[list[str], list[str]]:
    """Names of whom a body describes, and everybody whom it mentions: ids of ours, and whatever looks like an address."""
    try:
        value = read_json(raw)
    except ScimError:
        return [], list(dict.fromkeys(_ADDRESSES.findall(raw.decode("utf-8", "replace"))))
    names = _values_of(value, _NAMING) + _compared(value) if isinstance(value, dict) else []
    mentions = [text for text in _texts(value) if _EMPLOYEE.match(text) or _ADDRESS.match(text)]
    return names, list(dict.fromkeys(mentions))


def named_in_query(raw: bytes) -> list[str]:
    """What a filter compares with."""
    return _compared({"filter": unquote_plus(raw.decode("latin-1")[:2000], errors="replace")})


def _compared(body: dict[str, object]) -> list[str]:
    """With what a filter compares, but for secrets."""
    texts = _values_of(body, ("filter",))
    found = [one for text in texts if not _SECRET.search(text) for one in _QUOTED.findall(text)]
    return [one for one in found if one.lower() not in _WORDS]


def _values_of(body: dict[str, object], names: tuple[str, ...]) -> list[str]:
    return [value for key, value in body.items() if key.lower().endswith(names) and isinstance(value, str)]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)


def plain(text: str, token: str) -> str:
    """No token, and nothing that PostgreSQL has no place for."""
    if token and token in text:
        text = text.replace(token, REDACTED)
    text = text[:KEPT_CHARACTERS]
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
