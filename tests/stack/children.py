"""Child processes that end with us, however we end, and whose lines are told apart in one terminal."""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_S = 15.0
_COLOURS = {"sso-gateway": 36, "scim-ingest": 35, "directory": 33, "entra": 32}


_WATCHED = [sys.executable, "-I", "-S", str(Path(__file__).with_name("become.py")), "self", "TERM"]


class Children:
    """Started in order, stopped in reverse. `ended` receives the name of each that ends."""

    def __init__(self) -> None:
        self._running: list[tuple[str, subprocess.Popen[str]]] = []
        self.ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._quiet = threading.Event()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        # A session of its own: Ctrl-C in the terminal reaches us alone, and we stop them in order.
        process = subprocess.Popen(
            [*_WATCHED, *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._running.append((name, process))
        threading.Thread(target=self._tell, args=(name, process), daemon=True).start()

    def _tell(self, name: str, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        prefix = name.ljust(11)
        if sys.stdout.isatty():
            prefix = f"\x1b[{_COLOURS.get(name, 37)}m{prefix}\x1b[0m"
        for line in process.stdout:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.write(f"{prefix} {line}")
                sys.stdout.flush()
        process.wait()
        if not self._quiet.is_set():
            self.ended.put(name)

    def status(self, name: str) -> int | None:
        """The exit status of a child that has ended."""
        return next((process.poll() for known, process in self._running if known == name), None)

    def stop(self) -> None:
        """Edges first, so that nobody calls a directory that is gone; killed when deaf."""
        self._quiet.set()
        for _, process in reversed(self._running):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_S
        for _, process in reversed(self._running):
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def taken_ports(ports: Mapping[str, int]) -> dict[str, int]:
    """Those on which somebody listens already."""
    taken = {}
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken[name] = port
    return taken
