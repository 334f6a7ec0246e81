"""The operator's command, as its console script runs it."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from directory.__main__ import main


@dataclass(frozen=True)
class Told:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Command:
    """Runs in a thread, for it has an event loop of its own."""

    capsys: pytest.CaptureFixture[str]

    async def __call__(self, *arguments: str) -> Told:
        self.capsys.readouterr()
        status = await asyncio.to_thread(_status, list(arguments))
        told = self.capsys.readouterr()
        assert "Traceback" not in told.err
        return Told(status, told.out, told.err)


def _status(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
