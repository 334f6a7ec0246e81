"""docs/requirements.md: each promise of the product, and the tests that show it, from what the tests say of themselves.

A test names the promises it shows in its docstring: "S38", or "S44 to S46".
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
_NUMBERS = re.compile(r"\bS([1-9][0-9]?)(?:\s+(?:to|–)\s+S([1-9][0-9]?))?\b")


def requirements_page(note: str) -> str:
    shown = tests_by_requirement()
    parts = [
        note,
        "# Requirements\n\nWhat the product promises, and the tests that show it. A test names a promise in its docstring.\n",
    ]
    for title, promises in requirements().items():
        parts.append(f"\n## {title}\n\n| | promise | shown by |\n| --- | --- | --- |\n")
        for number, sentence in promises.items():
            found = [f"[{name}](../{path})" for path, name in shown.get(number, [])]
            parts.append(f"| {number} | {sentence} | {'<br>'.join(found) or 'not yet'} |\n")
    return "".join(parts)


def requirements() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = tomllib.loads((TESTS / "requirements.toml").read_text(encoding="utf-8"))
    return found


def tests_by_requirement() -> dict[str, list[tuple[str, str]]]:
    """S-number -> (file, test), in the order of files and lines."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path, name, docstring in tests_with_docstrings():
        for number in _named(docstring):
            found.setdefault(number, []).append((path, name))
    return found


def tests_with_docstrings() -> Iterator[tuple[str, str, str]]:
    """File, test and docstring, in the order of files and lines."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, docstring in _tests(path):
            yield str(path.relative_to(ROOT)), name, docstring


def _tests(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_docstring(node) or ""


def _named(docstring: str) -> list[str]:
    numbers: list[str] = []
    for first, last in _NUMBERS.findall(docstring):
        numbers += [f"S{number}" for number in range(int(first), int(last or first) + 1)]
    return list(dict.fromkeys(numbers))
