"""Reading fields of a manifest one by one, gathering every problem instead of stopping at the first. Pure."""

import difflib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, overload

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")
_NIL = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Problem:
    """`field` by dotted path, empty for the manifest as a whole."""

    field: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.field}: {self.sentence}" if self.field else self.sentence


class FileRefused(Exception):
    """Everything that is wrong with a file that an operator gave."""

    sentence = "The file was refused; nothing was changed."

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ManifestRefused(FileRefused):
    sentence = "The manifest was refused; nothing was changed."


class Fields:
    """One mapping of the manifest. Ask for each field once, then `finish`, which refuses what nobody asked for."""

    def __init__(self, data: dict[Any, Any], path: str, problems: list[Problem]) -> None:
        self._data = data
        self._path = path
        self._problems = problems
        self._known: list[str] = []

    def problem(self, key: str, sentence: str) -> None:
        self._problems.append(Problem(self._path + key, sentence))

    def refuse(self, key: str, wanted: str, came: object) -> None:
        shown = came if isinstance(came, str) else repr(came)
        shown = shown if len(shown) <= 80 else shown[:77] + "…"
        self.problem(key, f"wanted {wanted}; came '{shown}'.")

    def finish(self) -> None:
        for key in self._data:
            if key not in self._known:
                near = difflib.get_close_matches(str(key), self._known, n=1)
                hint = f" Did you mean '{near[0]}'?" if near else f" Known here: {', '.join(self._known)}."
                self.problem(str(key)[:80], f"there is no such setting.{hint}")

    def _take(self, key: str) -> object:
        self._known.append(key)
        return self._data.get(key)

    def section(self, key: str, *, required: bool = False) -> "Fields":
        value = self._take(key)
        if value is None:
            if required:
                self.problem(key, "is missing.")
            return Fields({}, f"{self._path}{key}.", self._problems if not required else [])
        if not isinstance(value, dict):
            self.refuse(key, "a section with settings indented below it", value)
            return Fields({}, f"{self._path}{key}.", [])
        return Fields(value, f"{self._path}{key}.", self._problems)

    def text(self, key: str, *, required: bool = True, longest: int) -> str | None:
        value = self._take(key)
        if value is None:
            if required:
                self.problem(key, "is missing.")
            return None
        if not isinstance(value, str):
            self.refuse(key, "text (put it in quotes)", value)
        elif not value.strip():
            self.problem(key, "is empty.")
        elif len(value) > longest:
            self.problem(key, f"has {len(value)} characters; at most {longest} are accepted.")
        elif _has_control(value):
            self.problem(key, "holds control characters.")
        else:
            return value
        return None

    def texts(self, key: str, *, required: bool, longest: int) -> list[str]:
        value = self._take(key)
        if value is None or value == []:
            if required:
                self.problem(key, "is missing; at least one is needed.")
            return []
        if not isinstance(value, list):
            self.refuse(key, "a list (one '- ' line each)", value)
            return []
        found = []
        for number, entry in enumerate(value[:1000]):
            if not isinstance(entry, str) or not entry.strip() or len(entry) > longest:
                self.refuse(f"{key}[{number}]", f"text of 1 to {longest} characters", entry)
            else:
                found.append(entry)
        return found

    def uuid(self, key: str, where: str, *, required: bool = True) -> str | None:
        text = self.text(key, required=required, longest=100)
        if text is None:
            return None
        plain = text.strip().lower()
        if not _UUID.match(plain) or plain == _NIL:
            self.refuse(key, f"an id like 0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef ({where})", text)
            return None
        return plain

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.refuse(key, "true or false, without quotes", value)
            return default
        return value

    @overload
    def number(self, key: str, least: int, most: int, unit: str, *, default: int) -> int: ...

    @overload
    def number(self, key: str, least: int, most: int, unit: str, *, default: None = None) -> int | None: ...

    def number(self, key: str, least: int, most: int, unit: str, *, default: int | None = None) -> int | None:
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.refuse(key, f"a whole number of {unit} from {least} to {most}", value)
            return default
        return value

    def choice(self, key: str, choices: tuple[str, ...], *, default: str, booleans: bool = False) -> str:
        """`booleans`: YAML reads the words true, false and off as booleans; take them for the words."""
        value = self._take(key)
        if value is None:
            return default
        if booleans and isinstance(value, bool):
            value = "true" if value else "off" if "off" in choices else "false"
        if not isinstance(value, str) or value not in choices:
            self.refuse(key, " or ".join(choices), value)
            return default
        return value


def _has_control(text: str) -> bool:
    return any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in text)
