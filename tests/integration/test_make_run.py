"""`make run` as a process: ready, quiet when told to stop, and gone."""

import fcntl
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).parents[2]


BASES = range(10240, 31744, 36)
"""Below the ports that a kernel gives to outgoing connections; and so far apart that no copy's ops ports, a thousand above,
are another copy's."""

_claimed: list[IO[str]] = []
"""Held open, and so locked, until this process ends."""


def free_base() -> int:
    """A PORT_BASE whose ports are free, and that no other call and no other suite on this machine is given meanwhile."""
    start = os.getpid() * 7 % len(BASES)
    for base in itertools.chain(BASES[start:], BASES[:start]):
        if _claim(base) and all(map(_is_free, (*(base + n for n in (0, 1, 2, 10)), *range(base + 1000, base + 1003)))):
            return base
    raise AssertionError("no free ports")


def _claim(base: int) -> bool:
    try:
        file = (Path(tempfile.gettempdir()) / f"idgw-ports-{base}").open("a")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    _claimed.append(file)
    return True


def _is_free(port: int) -> bool:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


class Run:
    def __init__(self, process: "subprocess.Popen[str]", base: int, folder: Path) -> None:
        self.process = process
        self.base = base
        self.folder = folder
        self.output = ""

    def wait_until_ready(self, seconds: float = 60) -> None:
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        for line in self.process.stdout:
            self.output += line
            if "Ctrl-C stops everything" in line:
                return
            assert time.monotonic() < deadline, self.output
        raise AssertionError(self.output)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=40)
        self.output += rest
        return self.process.returncode

    def family(self) -> list[str]:
        """Command lines of living processes that belong to this run."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes()
                    environment = (entry / "environ").read_bytes()
                except OSError:
                    continue
                if str(self.folder).encode() in command or f"IDGW_TEST={self.base}".encode() in environment:
                    found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found


@contextmanager
def running(folder: Path, *, base: int | None = None, **environment: str) -> Iterator[Run]:
    base = base or free_base()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")},
        "PORT_BASE": str(base),
        "LOCAL_DIR": str(folder),
        "IDGW_TEST": str(base),
        **environment,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.stack"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    run = Run(process, base, folder)
    try:
        yield run
    finally:
        if process.poll() is None:
            run.end(signal.SIGTERM)


def get(url: str, token: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_no_two_copies_are_given_the_same_ports() -> None:
    ask = "from tests.integration.test_make_run import free_base; print(free_base(), flush=True); input()"
    with ExitStack() as stack:
        others = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", ask], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(2)
        ]
        bases = [int(other.stdout.readline()) for other in others if other.stdout is not None]
        bases += [free_base(), free_base()]
        for other in others:
            other.communicate("\n")
    used = [base + offset for base in bases for offset in (0, 1, 2, 10, 20, 1000, 1001, 1002)]
    assert len(bases) == 4
    assert len(set(used)) == len(used)


def test_an_empty_suite_is_ready_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with running(
        tmp_path / "local",
        DEMO="0",
        LOG_LEVEL="WARNING",
        SCIM_RATE_PER_COMPANY="1",
        LOGIN_RATE_PER_COMPANY="0.01",
        LOGIN_RATE_PER_ADDRESS="0.5",
    ) as run:
        run.wait_until_ready()
        with ThreadPoolExecutor(8) as several:
            asked = several.map(lambda _: get(f"http://127.0.0.1:{run.base + 1}/scim/v2/x/Users", "nobody's"), range(8))
        assert {status for status, _ in asked} == {401, 429}, "the rate is passed through"
        answers = [get(f"http://127.0.0.1:{run.base}/login/no-such-{number}")[0] for number in (1, 1, 2)]
        assert answers == [404, 429, 404], "and those of sign-on"
        for offset in (1000, 1001, 1002):
            assert get(f"http://127.0.0.1:{run.base + offset}/readyz") == (200, "ready\n")
        assert "No company yet" in run.output
        assert "service_started" not in run.output, "settings of the services are passed through"
        listed = subprocess.run(
            [Path(sys.executable).parent / "directory", "company", "list", "--json"],
            env={**os.environ, "LOCAL_DIR": str(run.folder)},
            capture_output=True,
            text=True,
        )
        assert json.loads(listed.stdout) == {"companies": []}
        assert (run.folder / "settings.env").stat().st_mode & 0o077 == 0
        assert (run.folder / "secrets.env").stat().st_mode & 0o077 == 0
        assert run.end(signal.SIGINT) == 0
        assert run.family() == []


def test_the_demo_is_provisioned_kept_and_started_again(tmp_path: Path) -> None:
    folder = tmp_path / "local"
    base = free_base()
    with running(folder, base=base) as run:
        run.wait_until_ready()
        assert "contoso" in run.output
        assert "fabrikam" in run.output
        assert get(f"http://localhost:{base + 10}/")[0] == 200
        listed = json.loads(get(f"http://localhost:{base + 10}/admin/apps")[1])
        assert len({app["tenant_id"] for app in listed}) == 1, "two companies in ONE Entra tenant"
        assert len({app["group_id"] for app in listed}) == len({app["certificates"][0] for app in listed}) == 2
        assert all(len(app["assigned"]) >= 12 for app in listed), "a dozen people each"
        assert run.output.count("employee_created") == 23, "all but the one whose account is blocked"
        first = what_is_shown(run)
        keys = keys_of_the_provider(run)
        assert first["events"][0]["kind"] == "company.created"
        assert first["head"] == first["events"][-1]["sequence"]
        assert run.end(signal.SIGTERM) == 0
    with running(folder, base=base) as run:
        run.wait_until_ready()
        assert "employee_created" not in run.output, "the data was kept"
        assert what_is_shown(run) == first, "nothing is done again, and the credential is the same"
        assert keys_of_the_provider(run) == keys
        # Killed without warning: nothing may survive.
        run.process.kill()
        run.process.communicate()
        deadline = time.monotonic() + 15
        while run.family() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert run.family() == []


def keys_of_the_provider(run: Run) -> list[str]:
    """By its discovery document; the demo's apps are known to it."""
    provider = f"http://127.0.0.1:{run.base}"
    assert f"python -m tests.stack.phone {provider}" in run.output
    metadata = json.loads(get(f"{provider}/.well-known/openid-configuration")[1])
    assert metadata["issuer"] == provider
    known = {
        client["client_id"] for client in json.loads((run.folder / "demo" / "clients.json").read_text())["clients"]
    }
    assert known == {"web-portal", "mobile-app"}
    return sorted(key["kid"] for key in json.loads(get(metadata["jwks_uri"])[1])["keys"])


def what_is_shown(run: Run) -> Any:
    """Follows the welcome: its `directory` command, and its curl as far as the end of the feed."""
    approvers = re.search(r"LOCAL_DIR=(\S+) \.venv/bin/directory (company approvers \S+ \S+)", run.output)
    assert approvers is not None
    told = subprocess.run(
        [Path(sys.executable).parent / "directory", *approvers[2].split()],
        env={**os.environ, "LOCAL_DIR": approvers[1]},
        capture_output=True,
        text=True,
    ).stdout
    assert "Peter O'Connor" in told
    assert "Morten Dahl" in told, "the approver of her department"
    curl = re.search(r"curl -s -H '(Authorization): ([^']+)' '([^']+)&limit=5'", run.output)
    assert curl is not None
    with urllib.request.urlopen(urllib.request.Request(curl[3], headers={curl[1]: curl[2]}), timeout=10) as answer:
        return json.load(answer)


def test_a_taken_port_is_one_sentence_before_anything_starts(tmp_path: Path) -> None:
    base = free_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 1))
        taken.listen()
        with running(tmp_path / "local", base=base) as run:
            output, _ = run.process.communicate(timeout=30)
            assert run.process.returncode == 1
    assert f"port {base + 1} (scim-ingest)" in output
    assert "PORT_BASE=18080" in output
    assert not (tmp_path / "local").exists()


@pytest.mark.parametrize("value", ["http", "80", "99999", ""])
def test_a_wrong_port_base_is_a_sentence(tmp_path: Path, value: str) -> None:
    with running(tmp_path / "local", PORT_BASE=value) as run:
        output, _ = run.process.communicate(timeout=30)
    assert run.process.returncode == 1
    assert "PORT_BASE must be a number" in output
    assert "Traceback" not in output


def test_a_service_that_dies_takes_the_run_down_and_is_named(tmp_path: Path) -> None:
    with running(tmp_path / "local", DEMO="0") as run:
        run.wait_until_ready()
        [scim] = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit()
            and b"scim_ingest" in _read(entry / "cmdline")
            and f"IDGW_TEST={run.base}".encode() in _read(entry / "environ")
        ]
        os.kill(scim, signal.SIGKILL)
        output, _ = run.process.communicate(timeout=40)
        assert run.process.returncode == 1
        assert "scim-ingest ended with status -9" in output
        assert run.family() == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_server_of_ones_own_is_used_and_two_copies_stand_side_by_side(tmp_path: Path, postgres_url: str) -> None:
    import asyncio

    from tests.support.stack import create_database

    async def make() -> str:
        return await create_database(postgres_url, f"own_{os.getpid()}")

    own = asyncio.run(make())
    with (
        running(tmp_path / "one", DEMO="0", DATABASE_URL=own) as first,
        running(tmp_path / "two", DEMO="0") as second,
    ):
        first.wait_until_ready()
        second.wait_until_ready()
        assert not list((tmp_path / "one").glob("pg*")), "no embedded server beside one's own"
        assert get(f"http://127.0.0.1:{first.base + 1002}/readyz")[0] == 200
        assert get(f"http://127.0.0.1:{second.base + 1002}/readyz")[0] == 200
        assert first.end(signal.SIGTERM) == 0
        assert get(f"http://127.0.0.1:{second.base + 1002}/readyz")[0] == 200
