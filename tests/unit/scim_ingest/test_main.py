"""The process: it says what is missing, starts, is not ready without directory, and ends when told."""

import asyncio
import os
import re
import signal
import sys

import httpx2

COMMAND = (sys.executable, "-m", "scim_ingest")
SETTINGS = {
    "HOST": "127.0.0.1",
    "PORT": "0",
    "OPS_PORT": "0",
    # A port where nothing listens: connecting is refused at once.
    "DIRECTORY_URL": "http://127.0.0.1:1",
    "DIRECTORY_SECRET": "a secret of some length",
    "PUBLIC_URL": "https://scim.example.dk",
    "LOG_FORMAT": "json",
}


async def test_a_missing_setting_is_named() -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, env={"PATH": os.defpath}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    assert process.returncode == 2
    assert b"DIRECTORY_URL is not set" in told


async def test_it_starts_answers_without_directory_and_ends_on_sigterm() -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, env={"PATH": os.defpath, **SETTINGS}, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    started = (await asyncio.wait_for(process.stderr.readuntil(b"\n"), 30)).decode()
    ports = {name: int(re.findall(rf'"{name}":(\d+)', started)[0]) for name in ("port", "ops_port")}

    async with httpx2.AsyncClient() as client:
        alive = await client.get(f"http://127.0.0.1:{ports['ops_port']}/healthz")
        ready = await client.get(f"http://127.0.0.1:{ports['ops_port']}/readyz")
        users = await client.get(
            f"http://127.0.0.1:{ports['port']}/scim/v2/firma/Users", headers={"Authorization": "Bearer x"}
        )
    process.send_signal(signal.SIGTERM)
    _, log = await asyncio.wait_for(process.communicate(), 30)

    assert alive.status_code == 200
    assert (ready.status_code, ready.text) == (503, "directory cannot be reached\n")
    assert users.status_code == 503
    assert users.headers["retry-after"]
    assert users.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert process.returncode == 0
    assert b"service_stopped" in log
