"""The floors: bare building blocks on the same machine in the same run, under which no design of ours can go."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from benchmarks.measure import processor_seconds
from tests.stack.postgres import postgres


def each_ms(work: Callable[[], object], times: int) -> float:
    """Median processor milliseconds of one call, over five rounds."""
    rounds = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - began) * 1000 / times)
    return statistics.median(rounds)


def rsa_verify() -> float:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signature = key.sign(b"x" * 500, padding.PKCS1v15(), hashes.SHA256())
    public = key.public_key()
    return each_ms(lambda: public.verify(signature, b"x" * 500, padding.PKCS1v15(), hashes.SHA256()), 2000)


def saml_gate() -> float:
    """Gate and profile on the usual response, as the service calls them."""
    from benchmarks.gate import verifier

    return each_ms(verifier(datetime.now(UTC)), 300)


async def bare_starlette(count: int = 3000) -> float:
    """Processor milliseconds of one request of a Starlette route without anything around it, client not counted."""
    import sys

    program = (
        "import uvicorn\nfrom starlette.applications import Starlette\nfrom starlette.responses import JSONResponse\n"
        "from starlette.routing import Route\n"
        "async def hello(request): return JSONResponse({'a': 1})\n"
        "app = Starlette(routes=[Route('/', hello)])\n"
        "uvicorn.run(app, port=27999, http='httptools', loop='uvloop', log_level='error', access_log=False)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    try:
        import aiohttp

        async with aiohttp.ClientSession() as http:
            for _ in range(200):
                try:
                    await http.get("http://127.0.0.1:27999/")
                    break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
            before = processor_seconds(process.pid)

            async def worker() -> None:
                for _ in range(count // 32):
                    async with http.get("http://127.0.0.1:27999/") as answer:
                        await answer.read()

            await asyncio.gather(*(worker() for _ in range(32)))
            return (processor_seconds(process.pid) - before) * 1000 / (count // 32 * 32)
    finally:
        process.terminate()
        await process.wait()


def indexed_select(count: int = 5000) -> float:
    """Processor milliseconds of one indexed SELECT: asyncpg's and PostgreSQL's."""
    with tempfile.TemporaryDirectory(prefix="idgw-bench-") as folder, postgres(Path(folder)) as url:
        return asyncio.run(_select(url, Path(folder), count))


async def _select(url: str, folder: Path, count: int) -> float:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "create table t (company_id uuid, k text, v text, primary key (company_id, k));"
        "insert into t select '00000000-0000-0000-0000-000000000001', 'k' || n, 'v' from generate_series(1, 10000) n; analyze t"
    )
    [pid_file] = folder.glob("pg*/postmaster.pid")
    server = int(pid_file.read_text().split()[0])
    company = "00000000-0000-0000-0000-000000000001"
    before = processor_seconds(server) + time.process_time()
    for number in range(count):
        await connection.fetchrow("select * from t where company_id = $1 and k = $2", company, f"k{number}")
    used = processor_seconds(server) + time.process_time() - before
    await connection.close()
    return used * 1000 / count
