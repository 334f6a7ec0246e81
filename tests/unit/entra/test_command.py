"""`python -m tests.entra`: starts, keeps its state, ends when asked, says why it cannot start."""

import asyncio
import json
import signal
import sys
import urllib.request
from pathlib import Path
from typing import Any


async def start(state: Path, port: int = 0) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "tests.entra", "--port", str(port), "--state", str(state), "--demo"]
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )


async def address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    return (await asyncio.wait_for(process.stdout.readline(), 20)).decode().split()[-1]


async def apps(url: str) -> Any:
    def fetch() -> Any:
        with urllib.request.urlopen(f"{url}admin/apps", timeout=5) as answer:
            return json.load(answer)

    return await asyncio.to_thread(fetch)


async def test_the_command_keeps_its_state_and_stops_on_a_signal(tmp_path: Path) -> None:
    seen = []
    for number in (signal.SIGTERM, signal.SIGINT):
        process = await start(tmp_path / "state")
        seen.append(await apps(await address(process)))
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 10) == 0

    certificates = [[app["certificates"] for app in found] for found in seen]
    assert [app["company"] for app in seen[0]] == ["Contoso A/S", "Fabrikam ApS"]
    assert len({app["tenant_id"] for app in seen[0]}) == 1
    assert certificates[0] == certificates[1]


async def test_a_taken_port_and_a_broken_state_are_told_in_a_sentence(tmp_path: Path) -> None:
    first = await start(tmp_path / "one")
    port = int((await address(first)).rstrip("/").rpartition(":")[2])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tenant.json").write_text("{}")
    for state, sentence in (("two", "Cannot listen on"), ("broken", "cannot be read")):
        second = await start(tmp_path / state, port)
        _, complaint = await asyncio.wait_for(second.communicate(), 20)
        assert second.returncode == 1
        assert sentence in complaint.decode()
        assert "Traceback" not in complaint.decode()
    first.terminate()
    await first.wait()
