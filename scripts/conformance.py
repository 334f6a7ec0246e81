"""docs/conformance.md: each entry of Microsoft's lists and of Entra's known traffic, and the tests that show it.

A test names the entries it shows in its docstring: "validator 7", or "shape 1 to 14, gallery 16".
"""

import re
import tomllib

from scripts.requirements import TESTS, tests_with_docstrings

_NAMED = re.compile(
    r"\b(validator|gallery|shape|manager form|event|group form|incident) ([1-9][0-9]?)(?: to ([1-9][0-9]?))?\b"
)
_INTRO = """# Conformance

What Microsoft's two test suites ask for, and what Entra is known to send, with the tests that show each: they run against the
three services and PostgreSQL, over sockets. A test names the entries it shows in its docstring.
"""


def conformance_page(note: str) -> str:
    shown, outside = tests_by_entry(), elsewhere()
    parts = [note, _INTRO]
    for title, listed in entries().items():
        parts.append(f"\n## {title}\n\n| | | shown by |\n| --- | --- | --- |\n")
        for entry, sentence in listed.items():
            found = [f"[{name}](../{path})" for path, name in shown.get(entry, [])]
            parts.append(f"| {entry} | {sentence} | {'<br>'.join(found) or outside.get(entry, 'not yet')} |\n")
    return "".join(parts)


def entries() -> dict[str, dict[str, str]]:
    found = _read()
    del found["elsewhere"]
    return found


def elsewhere() -> dict[str, str]:
    """Entries that no test here can show, and why."""
    return _read()["elsewhere"]


def tests_by_entry() -> dict[str, list[tuple[str, str]]]:
    """Entry -> (file, test), in the order of files and lines."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path, name, docstring in tests_with_docstrings():
        for entry in _named(docstring):
            found.setdefault(entry, []).append((path, name))
    return found


def _named(docstring: str) -> list[str]:
    named: list[str] = []
    for kind, first, last in _NAMED.findall(docstring):
        named += [f"{kind} {number}" for number in range(int(first), int(last or first) + 1)]
    return list(dict.fromkeys(named))


def _read() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = tomllib.loads((TESTS / "conformance/entries.toml").read_text(encoding="utf-8"))
    return found
