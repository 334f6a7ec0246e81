"""`make run`: everything on this machine, in the foreground, until Ctrl-C."""

import asyncio
import os
import queue
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from urllib.parse import quote, urlsplit

import asyncpg

from directory.migrate import MigrationError, migrate
from directory.settings import DatabaseSettings
from shared.settings import read_settings
from tests.stack.apps import set_up_apps
from tests.stack.children import Children, taken_ports
from tests.stack.demo import set_up
from tests.stack.options import Options, OptionsWrong, kept_secrets, read_options, write_env
from tests.stack.postgres import PostgresFailed, postgres
from tests.stack.welcome import welcome

READY_S = 60.0
DATABASE = "identity_gateway"


class RunFailed(Exception):
    """The run cannot go on; one sentence."""


class _Told(BaseException):
    """SIGINT or SIGTERM; not an error, and nobody's `except Exception`."""


def main() -> int:
    started = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _told)
    try:
        options = read_options()
        _check_ports(options)
        with ExitStack() as stack:
            _run(options, stack, started)
    except _Told:
        print("\nStopped.", flush=True)
        return 0
    except (RunFailed, OptionsWrong, PostgresFailed, MigrationError, RuntimeError) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _told(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second Ctrl-C must not break off the orderly stop.
    for known in (signal.SIGINT, signal.SIGTERM):
        signal.signal(known, signal.SIG_IGN)
    raise _Told


def _check_ports(options: Options) -> None:
    if taken := taken_ports(options.ports):
        named = ", ".join(f"{port} ({name})" for name, port in taken.items())
        raise RunFailed(
            f"Somebody listens already on port {named}. Stop that, or choose others: PORT_BASE=18080 make run"
        )


def _run(options: Options, stack: ExitStack, started: float) -> None:
    options.folder.mkdir(parents=True, exist_ok=True)
    secrets = kept_secrets(options.folder)
    children = Children()
    with _stopping(children):
        _start_edges(options, secrets, children)
        owner_url, app_url = _database(options, secrets, stack)
        settings = _settings(options, owner_url, app_url)
        asyncio.run(migrate(owner_url, app_url))
        children.start("directory", [_program("directory"), "serve"], _directory_environment(options, secrets, app_url))
        _wait_until_ready(options, children)
        companies = (
            asyncio.run(set_up(options.url("entra simulator"), settings, options.folder)) if options.demo else []
        )
        print(welcome(options, companies, time.monotonic() - started), flush=True)
        _watch(children)


@contextmanager
def _stopping(children: Children) -> Iterator[None]:
    # Inside PostgreSQL's own stack: the services end before their database does.
    try:
        yield
    finally:
        children.stop()


def _start_edges(options: Options, secrets: dict[str, str], children: Children) -> None:
    """What needs no database starts first, beside it."""
    # The simulated tenant's assertions may be trusted too.
    entra = "login.microsoftonline.com,http://localhost"
    federation = {"FEDERATION_HOSTS": entra, "METADATA_HOSTS": entra} if options.demo else {}
    apps = set_up_apps(options.folder) if options.demo else {}
    for name, module, secret in (
        ("sso-gateway", "sso_gateway", "SSO_GATEWAY_SECRET"),
        ("scim-ingest", "scim_ingest", "SCIM_INGEST_SECRET"),
    ):
        environment = {
            **federation,
            **(apps if name == "sso-gateway" else {}),
            **_common(options, name),
            "DIRECTORY_URL": options.url("directory"),
            "DIRECTORY_SECRET": secrets[secret],
            "PUBLIC_URL": options.url(name),
        }
        children.start(name, [sys.executable, "-m", module], environment)
    if options.demo:
        command = [sys.executable, "-m", "tests.entra", "--host", "127.0.0.1", "--state", str(options.folder / "entra")]
        command += ["--port", str(options.ports["entra simulator"]), "--demo"]
        children.start("entra", command, {**os.environ, "PYTHONUNBUFFERED": "1"})


def _common(options: Options, service: str) -> dict[str, str]:
    """The user's environment goes along, so that any setting of a service can be given to `make run`."""
    passed = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    return {
        "LOG_FORMAT": "text",
        **passed,
        "HOST": "127.0.0.1",
        "PORT": str(options.ports[service]),
        "OPS_PORT": str(options.ports[service] + 1000),
        "PYTHONUNBUFFERED": "1",
    }


def _directory_environment(options: Options, secrets: dict[str, str], app_url: str) -> dict[str, str]:
    return {
        **_common(options, "directory"),
        "DATABASE_APP_URL": app_url,
        "SCIM_INGEST_SECRET": secrets["SCIM_INGEST_SECRET"],
        "SSO_GATEWAY_SECRET": secrets["SSO_GATEWAY_SECRET"],
    }


def _database(options: Options, secrets: dict[str, str], stack: ExitStack) -> tuple[str, str]:
    """Addresses of the database for its owner and for the application."""
    if options.database_url:
        return options.database_url, options.database_app_url or _app_url(options.database_url, secrets)
    port = options.ports.get("postgresql")
    server = stack.enter_context(postgres(options.folder, tcp_port=port))
    asyncio.run(_ensure_database(server))
    owner_url = server.replace("/postgres?", f"/{DATABASE}?")
    return owner_url, owner_url.replace("//postgres@", f"//{DATABASE}@")


def _app_url(owner_url: str, secrets: dict[str, str]) -> str:
    parts = urlsplit(owner_url)
    who = f"{secrets['DATABASE_APP_ROLE']}:{quote(secrets['DATABASE_APP_PASSWORD'])}"
    return parts._replace(netloc=f"{who}@{parts.netloc.rpartition('@')[2]}").geturl()


async def _ensure_database(server: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        if not await connection.fetchval("select 1 from pg_database where datname = $1", DATABASE):
            await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close()


def _settings(options: Options, owner_url: str, app_url: str) -> DatabaseSettings:
    """What the `directory` command needs, written down so that it finds it by itself."""
    values = {
        "DATABASE_URL": owner_url,
        "DATABASE_APP_URL": app_url,
        "SSO_PUBLIC_URL": options.url("sso-gateway"),
        "SCIM_PUBLIC_URL": options.url("scim-ingest"),
    }
    if base := os.environ.get("ENTITY_ID_BASE"):
        values["ENTITY_ID_BASE"] = base
    write_env(options.folder / "settings.env", values)
    return read_settings(DatabaseSettings, values)


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _wait_until_ready(options: Options, children: Children) -> None:
    deadline = time.monotonic() + READY_S
    waiting = [port for name, port in options.ports.items() if name.endswith("(ops)")]
    while waiting:
        _fail_if_ended(children)
        if time.monotonic() > deadline:
            raise RunFailed(f"The services were not ready within {READY_S:g} seconds; see their lines above.")
        waiting = [port for port in waiting if not _is_ready(port)]
        if waiting:
            time.sleep(0.02)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _fail_if_ended(children: Children) -> None:
    try:
        name = children.ended.get_nowait()
    except queue.Empty:
        return
    raise RunFailed(f"{name} ended with status {children.status(name)}; its last lines are above.")


def _watch(children: Children) -> None:
    name = children.ended.get()
    raise RunFailed(
        f"{name} ended with status {children.status(name)}; its last lines are above. Everything is stopped."
    )


if __name__ == "__main__":
    sys.exit(main())
