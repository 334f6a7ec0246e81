"""Debian's nginx for a test: on loopback, with a configuration of its own in a folder of the test, ended by its pid."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

_AROUND = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
"""


@asynccontextmanager
async def running(http: str, folder: Path) -> AsyncIterator[None]:
    """nginx with `http` inside its `http { }`, listening."""
    assert NGINX is not None, "CI must have nginx; scripts/test-tools.sh installs it"
    config = folder / "nginx.conf"
    config.write_text(_AROUND.format(folder=folder, http=http))
    process = await asyncio.create_subprocess_exec(
        *(NGINX, "-p", str(folder), "-c", str(config), "-e", "stderr"), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    said: list[str] = []
    async for line in process.stderr:
        said.append(line.decode())
        if "nginx/" in said[-1]:  # its version, which it tells once its sockets listen
            break
    else:
        raise AssertionError("".join(said))
    saying = asyncio.create_task(process.stderr.read())  # or it would wait for somebody who reads
    try:
        yield
        assert process.returncode is None, (await saying).decode()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await saying
