"""What of a request may be kept, and whom it names. Pure.

A body is kept as it came, but for the values of passwords and other secrets, and for the company's own token wherever it may
stand. One that cannot be read is not kept: nobody knows what is a secret in it.
"""

import itertools
import json
import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.json_body import read_json

KEPT_CHARACTERS = 32 * 1024
"""Of a body; what a replay needs is kept beside it, compiled."""
REDACTED = "[redacted]"

MAX_QUERY = 2000
MAX_TEXT = 4096
"""Of a filter or a path: a longer one is refused, and is looked into no further."""
MAX_MENTIONS = 2000

_WORDS = (
    r"passw|pass(?:phrase|code)|pwd|secret|credential|authori[sz]ation|bearer|cookie|assertion|token"
    r"|(?:api|access|private|client)[-_]?key|adgangskode|kodeord|\b(?:pass|pw|jwt|otp|pin(?:code)?)\b"
)
_SECRET = re.compile(_WORDS, re.IGNORECASE)
_OURS = re.compile(r"idgw[a-z]{0,10}_[A-Za-z0-9_-]{20,}")
"""Whatever this product issues, whoever's it is (`shared/tokens.py`)."""
_TOLD = re.compile(
    rf"((?:{_WORDS})[\w.:$-]{{0,60}}[\"'\])]{{0,2}}\s*(?:(?:=|:|eq|ne|co|sw|ew|gt|ge|lt|le)(?!\w)\s*)?)"
    r"(?:\"(?:[^\"\\]|\\.)*\"?|[^\s\"\])&]+)",
    re.IGNORECASE,
)
"""A name like that, and what follows it in a filter, a path or a sentence."""
_ASSIGNED = re.compile(rf"((?:{_WORDS})[\w.:$-]{{0,60}}\s*[=:]\s*)[^\s&]+", re.IGNORECASE)
"""The same in any text: only where a value is plainly given."""
_EMPLOYEE = re.compile(r"emp_[0-9a-f]{32}")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ADDRESS = re.compile(r"[^\s@]{1,255}@[^\s@]{1,255}\Z")
_BETWEEN_ADDRESSES = re.compile(r"[\s\"'<>,;:\[\](){}=]+")
_NAMING = ("username", "externalid")
_REFERRING = ("manager", "value", "$ref")
_SAYING_WHICH = frozenset({"id", "name", "type", "key", "attribute", "attributename", "field"})
_NO_NAMES = frozenset({"work", "home", "other", "mobile", "true", "false"})


def kept_body(raw: bytes, token: str) -> str | None:
    """None where there is none, or where it cannot be kept."""
    if not raw:
        return None
    try:
        value = read_json(raw)
    except ScimError:
        return None
    text = raw.decode("utf-8-sig")
    # Escapes can spell anything: what is looked into is what they mean.
    meant = json.dumps(value, ensure_ascii=False, separators=(",", ":")) if "\\u" in text else text
    shown = without_secrets(value) if _SECRET.search(meant[: 2 * KEPT_CHARACTERS]) else value
    if shown != value:
        text = json.dumps(shown, ensure_ascii=False)
    elif is_ours(meant, token):
        text = meant
    return plain(text, token)


def kept_query(raw: bytes, token: str) -> str:
    """Flags, filter and all, as it came; of one that mentions a secret the names alone."""
    text = raw.decode("latin-1")
    if _tells(text, token):
        text = "&".join(f"{pair.partition('=')[0]}={REDACTED}" for pair in text.split("&"))
        text = REDACTED if _tells(text.replace(REDACTED, ""), token) else text
    return plain(text, token)[:MAX_QUERY]


def _tells(query: str, token: str) -> bool:
    # Decoded twice: whoever encoded it once too often sent the secret all the same.
    decoded = unquote_plus(unquote_plus(query))
    return bool(_SECRET.search(decoded)) or is_ours(decoded, token)


def is_ours(text: str, token: str) -> bool:
    """Whether a secret that we issued stands in it; `token`: the one that it came with."""
    return bool(token and token in text) or _OURS.search(text) is not None


def without_secrets(value: object) -> object:
    """The same, with the value of each secret attribute replaced; also where a PATCH names it by its path, or another member."""
    if isinstance(value, list):
        return [without_secrets(one) for one in value]
    if isinstance(value, str):
        return _ASSIGNED.sub(rf"\1{REDACTED}", value) if len(value) <= MAX_TEXT else value
    if not isinstance(value, dict):
        return value
    said = [
        member
        for name, member in value.items()
        if isinstance(member, str) and (name.lower() == "path" or name.lower() in _SAYING_WHICH)
    ]
    hides_value = any(_SECRET.search(one[:MAX_TEXT]) for one in said)
    shown: dict[str, object] = {}
    for name, member in value.items():
        lowered = name.lower()
        if member is None or (isinstance(member, str) and lowered in _SAYING_WHICH):
            shown[name] = member
        elif isinstance(member, str) and lowered in ("path", "filter"):
            shown[name] = without_what_is_told(member)
        elif _SECRET.search(name[:MAX_TEXT]) or (hides_value and lowered not in ("op", "schemas")):
            shown[name] = REDACTED
        else:
            shown[name] = without_secrets(member)
    return shown


def without_what_is_told(text: str) -> str:
    """A filter, a path or a sentence, with what follows the name of a secret replaced."""
    if not _SECRET.search(text[:KEPT_CHARACTERS]):
        return text
    return _TOLD.sub(rf"\1{REDACTED}", text) if len(text) <= MAX_TEXT else REDACTED


def named_in(raw: bytes) -> tuple[list[str], list[str]]:
    """Names of whom a body describes, and all that it mentions: ids of ours, references, whatever looks like an address.

    Also where it cannot be read, and wherever in a text they stand: by them an entry is found, and erased.
    """
    text = raw.decode("utf-8", "replace")
    try:
        value = read_json(raw)
    except ScimError:
        return [], _first(_standing_in(text))
    if "\\u" in text:
        text = json.dumps(value, ensure_ascii=False)
    names, references = list[str](), list[str]()
    _collect(value, names, references)
    compared = _compared(value) if isinstance(value, dict) else []
    return _first(iter([*names, *compared])), _first(itertools.chain(references, _standing_in(text)))


def _standing_in(text: str) -> Iterator[str]:
    """Ids and addresses in any text."""
    yield from (match[0] for match in _EMPLOYEE.finditer(text))
    yield from (one for one in _BETWEEN_ADDRESSES.split(text) if "@" in one and _ADDRESS.match(one))


def _collect(value: object, names: list[str], references: list[str], under: str = "") -> None:
    """Values of names and references, however deep; a PATCH says by its path what its value is."""
    if isinstance(value, list):
        for one in value:
            _collect(one, names, references, under)
    elif isinstance(value, dict):
        path = next((one.lower() for name, one in value.items() if name.lower() == "path" and isinstance(one, str)), "")
        for name, member in value.items():
            _collect(member, names, references, _meaning(name.lower(), path, under))
    elif isinstance(value, str) and value and len(names) + len(references) < MAX_MENTIONS:
        if under.endswith(_NAMING):
            names.append(value)
        elif "manager" in under:
            references.append(value)


def _meaning(name: str, path: str, under: str) -> str:
    """What a member's value is: by the path beside it, by its own name, or by whose part it is."""
    if name == "value" and path:
        return path
    return under if name in _REFERRING[1:] else name


def _first(named: Iterator[str]) -> list[str]:
    found: dict[str, None] = {}
    for one in named:
        found[one] = None
        if len(found) >= MAX_MENTIONS:
            break
    return list(found)


def named_in_query(raw: bytes) -> list[str]:
    """What a filter compares with."""
    return _compared({"filter": unquote_plus(raw.decode("latin-1")[:MAX_QUERY], errors="replace")})


def _compared(body: dict[str, object]) -> list[str]:
    """With what a filter compares, but for secrets."""
    texts = [text[:MAX_TEXT] for text in _values_of(body, ("filter",))]
    found = [one for text in texts if not _SECRET.search(text) for one in _strings_in(text)]
    return [one for one in found if one.lower() not in _NO_NAMES]


def _strings_in(text: str) -> list[str]:
    """Each in quotation marks. Once over the text: behind a mark that has no other one there is none."""
    found: list[str] = []
    at = text.find('"')
    while at >= 0 and (match := _QUOTED.match(text, at)) is not None:
        if 1 <= len(match[1]) <= 320:
            found.append(match[1])
        at = text.find('"', match.end())
    return found


def _values_of(body: dict[str, object], names: tuple[str, ...]) -> list[str]:
    return [value for key, value in body.items() if key.lower().endswith(names) and isinstance(value, str)]


def plain(text: str, token: str) -> str:
    """No token or other secret of ours, and nothing that PostgreSQL has no place for."""
    if token and token in text:
        text = text.replace(token, REDACTED)
    if "idgw" in text:
        text = _OURS.sub(REDACTED, text)
    text = text[:KEPT_CHARACTERS]
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
