"""Where a command finds its settings: the environment, or what `make run` left in `.local/settings.env`."""

import getpass
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from directory.database import Actor, Database
from directory.settings import DatabaseSettings
from shared.clock import system_clock
from shared.settings import SettingsError, read_settings


def local_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment, completed by the local file where it says nothing about a database."""
    found = dict(os.environ if environment is None else environment)
    if "DATABASE_URL" in found or "DATABASE_URL_FILE" in found:
        return found
    path = Path(found.get("LOCAL_DIR", ".local")) / "settings.env"
    if path.is_file():
        lines = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines() if "=" in line)
        found = {**{name.strip(): value.strip() for name, _, value in lines if not name.startswith("#")}, **found}
    return found


def database_settings() -> DatabaseSettings:
    """Raises SettingsError that says where to set DATABASE_URL."""
    environment = local_environment()
    if "DATABASE_URL" not in environment and "DATABASE_URL_FILE" not in environment:
        raise SettingsError(
            f"DATABASE_URL is not set, and there is no {environment.get('LOCAL_DIR', '.local')}/settings.env: start `make run` "
            "first and call this in its folder (with its LOCAL_DIR, if it has one), or set DATABASE_URL to PostgreSQL as the "
            "owner of the tables."
        )
    return read_settings(DatabaseSettings, environment)


@asynccontextmanager
async def owner_database(settings: DatabaseSettings, command_timeout_s: float = 60.0) -> AsyncIterator[Database]:
    async with Database(
        settings.database_url, clock=system_clock, min_size=1, max_size=2, command_timeout_s=command_timeout_s
    ) as database:
        yield database


def operator() -> Actor:
    """Whoever runs the command, by the name the machine knows him by."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return Actor("operator", name)
