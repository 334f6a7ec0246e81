"""JSON in and out. Reading is strict where leniency would lose or blur a value.

Refused: duplicate members (also those that differ in case only, for SCIM names count without case), NUL characters and lone
surrogates (no database text), NaN and Infinity, nesting beyond `MAX_DEPTH`, anything but UTF-8.

The standard library reads, for it shows every pair of an object; msgspec would keep the last of two members silently.
"""

import codecs
import json

import msgspec

from scim_ingest.protocol.errors import ScimError, invalid_syntax, invalid_value
from scim_ingest.recorder import coerced

MAX_DEPTH = 16
MAX_DIGITS = 100
MAX_VALUES = 60_000
"""Of one body, by the marks that begin or divide values; a megabyte of members of a group has 52,000. Objects that Python
makes of values are many times larger than their text."""
MAX_MEMBERS = 1000
"""Of one object: no message or resource has so many names, and each costs time to understand."""

_encoder = msgspec.json.Encoder()


def read_json(body: bytes) -> object:
    """Raises ScimError: 400 invalidSyntax or invalidValue."""
    if not body.strip():
        raise invalid_syntax("The body is empty.")
    _weigh(body)
    if body.startswith(codecs.BOM_UTF8):
        coerced("byte_order_mark")
    try:
        value: object = _decoder.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise invalid_syntax("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise invalid_syntax(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise _too_many_digits() from None
    # Most bodies are flat and hold no escapes; only the others need a second look.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH or b"\\u" in body:
        _inspect(value)
    return value


class Spoilt:
    """Stands where something came that is no value; `error` says what. Of an object, with its members as they came."""

    def __init__(self, error: ScimError, pairs: "list[tuple[str, object]] | None" = None) -> None:
        self.error = error
        self.pairs = pairs


def read_apart(body: bytes) -> object:
    """What `read_json` refused, read once more to see what in it is sound: the rest is `Spoilt`, each at its place.

    Raises ScimError where it is no JSON at all, or too much of it.
    """
    _weigh(body)
    try:
        return _apart.decode(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        raise invalid_syntax("The body is not JSON.") from None


def write_json(value: object) -> bytes:
    return _encoder.encode(value)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(pairs) > MAX_MEMBERS:
        raise invalid_syntax(f"An object has more than {MAX_MEMBERS:,} members.")
    members = dict(pairs)
    if len({name.lower() for name in members}) != len(pairs):
        raise invalid_syntax("An object has the same member twice (names count without case).")
    return members


def _constant(name: str) -> object:
    raise invalid_value(f"{name} is no JSON number.")


def _weigh(body: bytes) -> None:
    if sum(map(body.count, (b"{", b"[", b","))) > MAX_VALUES:
        raise ScimError(413, f"The body holds more than {MAX_VALUES:,} values. Send several.")


def _spoilt_object(pairs: list[tuple[str, object]]) -> object:
    try:
        return _object(pairs)
    except ScimError as error:
        return Spoilt(error, pairs)


def _spoilt_constant(name: str) -> object:
    return Spoilt(invalid_value(f"{name} is no JSON number."))


def _whole(digits: str) -> int:
    # Before it is made: the time for that grows with the square of their number.
    if len(digits) > MAX_DIGITS:
        raise _too_many_digits()
    return int(digits)


def _spoilt_number(digits: str) -> object:
    try:
        return _whole(digits)
    except ScimError as error:
        return Spoilt(error)


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_whole)
_apart = json.JSONDecoder(
    object_pairs_hook=_spoilt_object, parse_constant=_spoilt_constant, parse_int=_spoilt_number, strict=False
)


def _inspect(value: object) -> None:
    """Level by level, so that depth costs no stack."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[object] = []
        for one in level:
            if isinstance(one, str):
                _check_text(one)
            elif isinstance(one, dict):
                for name, member in one.items():
                    _check_text(name)
                    below.append(member)
            elif isinstance(one, list):
                below += one
        level = below
        if not level:
            return
    raise _too_deep()


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise invalid_value("The body holds a NUL character.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise invalid_value("The body holds half of a surrogate pair, which is no character.") from None


def _too_many_digits() -> ScimError:
    return invalid_value("The body holds a number with too many digits.")


def _too_deep() -> ScimError:
    return invalid_syntax(f"The body is nested deeper than {MAX_DEPTH} levels.")
