"""npm's openid-client in a process of its own, asked a line at a time."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "relying_party"


class Refused(Exception):
    """By the provider, or by openid-client, which did not believe it."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(f"{error}: {message}")
        self.error = error


class OpenIdClient:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, command: str, **given: Any) -> Any:
        """Raises Refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **given}).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        assert line, "openid-client ended"
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"], f"{answer['message']} ({answer.get('cause')})")
        return answer["result"]


@asynccontextmanager
async def openid_client() -> AsyncIterator[OpenIdClient]:
    node = shutil.which("node")
    assert node is not None, "CI must have node; scripts/test-tools.sh installs it"
    assert (FOLDER / "node_modules").exists(), "CI must have openid-client; scripts/openid-client.sh installs it"
    process = await asyncio.create_subprocess_exec(
        node,
        "--no-warnings",
        "app.mjs",
        cwd=FOLDER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield OpenIdClient(process)
    finally:
        process.terminate()
        await process.wait()
