"""Migrations: plain SQL files, forward only, each in one transaction, run once however many pods start at once.

The lock is polled for, never waited for: a blocked `pg_advisory_lock` holds a snapshot, and CREATE INDEX CONCURRENTLY in the
lock's holder would wait for it for ever. The connection must be direct: a session lock does not survive a transaction pooler.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from urllib.parse import unquote, urlsplit

import asyncpg

LOCK_KEY = 7_110_421_350_918
NO_TRANSACTION = "-- no-transaction"
_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql\Z")
_ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}\Z")


class MigrationError(Exception):
    """The database cannot be brought up to date; one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    version: int
    name: str
    duration_ms: int


def migrations() -> list[Migration]:
    """All that this release has, in order."""
    found = []
    for entry in resources.files("directory").joinpath("migrations").iterdir():
        if match := _FILE.match(entry.name):
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.version)


def required_version() -> int:
    """The schema that this release needs."""
    return migrations()[-1].version


async def migrate(
    database_url: str, app_url: str = "", *, wait_s: float = 120.0, files: list[Migration] | None = None
) -> list[Applied]:
    """Bring the database up to date; returns what was applied now.

    `app_url`: the application's address; its login role is created if it is missing, and made a member of identity_app.

    Raises:
        MigrationError: an applied file was edited, the database is newer than this release, the lock did not come free
            within `wait_s`, or the application's role has rights that it must not have.
    """
    try:
        connection = await asyncpg.connect(database_url, timeout=10, server_settings={"application_name": "migrate"})
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise MigrationError(f"The database cannot be reached as its owner (DATABASE_URL): {error}") from error
    try:
        async with _locked(connection, wait_s):
            applied = await _apply(connection, migrations() if files is None else files)
            if app_url:
                await ensure_app_role(connection, app_url)
    finally:
        await connection.close(timeout=10)
    return applied


@asynccontextmanager
async def _locked(connection: "asyncpg.Connection[asyncpg.Record]", wait_s: float) -> AsyncIterator[None]:
    deadline = time.monotonic() + wait_s
    while not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK_KEY):
        if time.monotonic() >= deadline:
            raise MigrationError(
                f"Another migration has been running for more than {wait_s:g} seconds; look at it first."
            )
        await asyncio.sleep(0.1)
    try:
        yield
    finally:
        if not connection.is_closed():
            await connection.execute("select pg_advisory_unlock($1)", LOCK_KEY)


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", files: list[Migration]) -> list[Applied]:
    await connection.execute(
        """
        create table if not exists schema_migrations (
            version integer primary key, name text not null, sha256 text not null,
            applied_at timestamptz not null default now(), duration_ms integer not null
        )
        """
    )
    done = {
        row["version"]: row for row in await connection.fetch("select version, name, sha256 from schema_migrations")
    }
    _check_history(files, done)
    applied = []
    for migration in files:
        if migration.version not in done:
            applied.append(await _apply_one(connection, migration))
    await connection.execute(
        "do $$ begin grant select on schema_migrations to identity_app; "
        "exception when undefined_object then null; end $$"
    )
    return applied


def _check_history(files: list[Migration], done: "dict[int, asyncpg.Record]") -> None:
    known = {migration.version: migration for migration in files}
    for version, row in sorted(done.items()):
        if version not in known:
            raise MigrationError(
                f"The database has migration {version:04d}_{row['name']}, which this release does not know: "
                "it belongs to a newer release. Deploy that one, or restore a backup from before."
            )
        if known[version].sha256 != row["sha256"]:
            raise MigrationError(
                f"Migration {version:04d}_{row['name']} was edited after it was applied; restore the file and add a new one."
            )


async def _apply_one(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> Applied:
    started = time.perf_counter()
    try:
        if migration.sql.startswith(NO_TRANSACTION):
            await connection.execute(migration.sql)
            return await _note(connection, migration, started)
        async with connection.transaction():
            await connection.execute("set local lock_timeout = '5s'")
            await connection.execute(migration.sql)
            return await _note(connection, migration, started)
    except asyncpg.PostgresError as error:
        raise MigrationError(
            f"Migration {migration.version:04d}_{migration.name} failed and left nothing: {error}"
        ) from error


async def _note(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration, started: float) -> Applied:
    duration_ms = round((time.perf_counter() - started) * 1000)
    await connection.execute(
        "insert into schema_migrations (version, name, sha256, duration_ms) values ($1, $2, $3, $4)",
        migration.version,
        migration.name,
        migration.sha256,
        duration_ms,
    )
    return Applied(migration.version, migration.name, duration_ms)


async def ensure_app_role(connection: "asyncpg.Connection[asyncpg.Record]", app_url: str) -> None:
    """Make sure that the application's login role exists and may do what identity_app may, and nothing more."""
    parts = urlsplit(app_url)
    role = unquote(parts.username or "")
    if not _ROLE.match(role):
        raise MigrationError("DATABASE_APP_URL names no role, or one that is not letters, digits, '_' and '-'.")
    if role == await connection.fetchval("select current_user"):
        raise MigrationError("DATABASE_APP_URL must not be the owner's role: the application may own nothing.")
    found = await connection.fetchrow("select rolsuper, rolbypassrls from pg_roles where rolname = $1", role)
    if found is None:
        await _create_role(connection, role, unquote(parts.password or ""))
    elif found["rolsuper"] or found["rolbypassrls"]:
        raise MigrationError(f"Role {role} is a superuser or bypasses row security; give the application another one.")
    member = await connection.fetchval("select pg_has_role($1, 'identity_app', 'member')", role)
    if not member:
        try:
            await connection.execute(f'grant identity_app to "{role}"')
        except asyncpg.InsufficientPrivilegeError:
            # The role belongs to the cluster and somebody else's database made it.
            raise MigrationError(
                f"The owner may not make {role} a member of identity_app; "
                f'an administrator of the server can: GRANT identity_app TO "{role}".'
            ) from None


async def _create_role(connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> None:
    rights = "login nosuperuser nobypassrls nocreatedb nocreaterole noreplication"
    secret = " password " + await _quoted(connection, password) if password else ""
    try:
        await connection.execute(f'create role "{role}" {rights}{secret}')
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        pass  # roles belong to the cluster: somebody migrating another database of it was first
    except asyncpg.InsufficientPrivilegeError:
        raise MigrationError(
            f"Role {role} is missing and the owner may not create roles; create it: CREATE ROLE {role} LOGIN."
        ) from None


async def _quoted(connection: "asyncpg.Connection[asyncpg.Record]", text: str) -> str:
    quoted: str = await connection.fetchval("select quote_literal($1::text)", text)
    return quoted
