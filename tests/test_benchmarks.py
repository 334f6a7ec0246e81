"""The benchmarks' commands exist as their page names them, and compare what was measured side by side."""

import importlib
import re
from pathlib import Path

import pytest

from benchmarks.logins import Round, summary

FOLDER = Path(__file__).parent.parent / "benchmarks"
COMMANDS = sorted(set(re.findall(r"python -m (benchmarks[\w.]*)", (FOLDER / "README.md").read_text(encoding="utf-8"))))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_named_can_be_started(command: str) -> None:
    assert callable(importlib.import_module(command).main)


def test_every_command_is_named() -> None:
    found = {
        f"benchmarks.{path.stem}"
        for path in FOLDER.glob("*.py")
        if not path.stem.startswith(("peer_", "__")) and '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    }
    assert found - set(COMMANDS) == set()


def test_two_are_compared_round_by_round() -> None:
    """A slow minute of the machine counts for both."""
    ours = [_round(seconds=1.0, ms=10.0), _round(seconds=4.0, ms=40.0), _round(seconds=4.0, ms=40.0)]
    theirs = [_round(seconds=3.0, ms=30.0), _round(seconds=12.0, ms=120.0), _round(seconds=2.0, ms=20.0)]
    told = summary(theirs, ours)
    assert (told["ours_is_cheaper"], told["ours_does_more_a_second"]) == (3.0, 3.0)
    assert (told["logins"], told["logins_per_second"], told["processor_ms_per_login"]) == (300, 33.3, 30.0)
    assert (told["p50_ms"], told["p99_ms"]) == (30.0, 120.0)


def _round(*, seconds: float, ms: float) -> Round:
    """A hundred logins."""
    return Round(100, seconds, [ms / 1000] * 100, {"one": ms / 2, "two": ms / 2}, others=0.0)
