"""A PostgreSQL with the product's tables for the tests of this folder: one database a run, one company a test.

`TEST_POSTGRES_BIN` chooses another server's programs.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

import directory
from directory.database import Database
from tests.support.clock import SettableClock
from tests.support.firm import Firm, Urls

MIGRATIONS = Path(directory.__file__).parent / "migrations"


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    programs = Path(os.environ.get("TEST_POSTGRES_BIN", "/usr/lib/postgresql/15/bin"))
    folder = Path(tempfile.mkdtemp(prefix="identity-tests-"))
    account: list[str] = []
    if os.geteuid() == 0:
        account = ["runuser", "-u", "postgres", "--"]
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    data = folder / "data"
    subprocess.run(
        [*account, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    options = [
        "-c",
        f"port={port}",
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        f"unix_socket_directories={folder}",
        "-c",
        "fsync=off",
    ]
    server = subprocess.Popen(
        [*account, programs / "postgres", "-D", data, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while subprocess.run([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]).returncode:
            assert server.poll() is None, "PostgreSQL did not start"
            time.sleep(0.05)
        yield port
    finally:
        subprocess.run(
            [*account, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], stdout=subprocess.DEVNULL
        )
        server.wait()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
async def firm_urls(postgres_port: int) -> Urls:
    server = f"127.0.0.1:{postgres_port}"
    admin = await asyncpg.connect(f"postgresql://postgres@{server}/postgres")
    await admin.execute("create role identity_owner login createrole")
    await admin.execute("create role identity_service login")
    await admin.execute("create database identity owner identity_owner")
    await admin.close()
    owner_url = f"postgresql://identity_owner@{server}/identity"
    owner = await asyncpg.connect(owner_url)
    for script in sorted(MIGRATIONS.glob("*.sql")):
        async with owner.transaction():
            await owner.execute(script.read_text(encoding="utf-8"))
    await owner.close()
    admin = await asyncpg.connect(f"postgresql://postgres@{server}/identity")
    await admin.execute("grant identity_app to identity_service")
    await admin.close()
    return Urls(owner=owner_url, app=f"postgresql://identity_service@{server}/identity")


@pytest.fixture(scope="session")
def firm_clock() -> SettableClock:
    return SettableClock()


@pytest.fixture(scope="session")
async def firm_database(firm_urls: Urls, firm_clock: SettableClock) -> AsyncIterator[Database]:
    async with Database(firm_urls.app, clock=firm_clock) as database:
        yield database


@pytest.fixture
async def firm(firm_database: Database, firm_urls: Urls) -> Firm:
    return await Firm.founded(firm_database, firm_urls)


@pytest.fixture
async def other_firm(firm_database: Database, firm_urls: Urls) -> Firm:
    return await Firm.founded(firm_database, firm_urls)
