"""A connection goes from company to company without being reset, because nothing said on it outlives a transaction."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

import directory
from directory.database import Database, statement
from shared.clock import system_clock
from shared.errors import DomainError
from tests.support.firm import Firm, Urls

_LEFT = """
    select array(
        select 'setting ' || name from pg_settings where source = 'session'
        union all select 'company' where coalesce(current_setting('app.company_id', true), '') <> ''
        union all select 'lock' from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'
        union all select 'cursor' from pg_cursors where is_holdable
        union all select 'listening' from pg_listening_channels()
        union all select 'temporary table' from pg_class where relnamespace = pg_my_temp_schema()
    )
"""
_NOBODY = statement("employees.everybody", "select count(*) from employees")
_LOUD = statement(
    "employees.loud", "select set_config('enable_sort', 'off', true), set_config('work_mem', '1MB', true)"
)
_LOCKED = statement("employees.locked", "select pg_advisory_xact_lock(7)")
_WRONG = statement("employees.wrong", "select 1 / 0")
_ASLEEP = statement("employees.asleep", "select pg_sleep(30)")
_MANY = statement("employees.many", "select generate_series(1, 100000)")

# What would outlive a transaction; `migrate.py`, `listening.py` and the launcher have connections of their own.
_OUTLIVES = re.compile(
    r"pg_(try_)?advisory_lock|set_config\([^)]*,\s*false\s*\)|\bset\s+(session|role)\b|create\s+temp|with\s+hold"
    r"|^\s*listen\s|\bprepare\s+\w+\s+as\b|\bconnection\.(add_listener|set_type_codec|prepare)\(",
    re.IGNORECASE | re.MULTILINE,
)


@pytest.fixture
async def single(firm_urls: Urls) -> AsyncIterator[Database]:
    """One connection, so that whoever comes next has the same."""
    async with Database(firm_urls.app, clock=system_clock, min_size=1, max_size=1) as database:
        yield database


async def _left_on(database: Database) -> list[str]:
    async with database.connection() as connection:
        found: list[str] = await connection.fetchval(_LEFT)
    return found


async def _commits(firm: Firm, database: Database) -> None:
    async with database.scope_for_id(firm.company_id).transaction() as tx:
        await tx.execute(_LOUD)
        await tx.execute(_LOCKED)


async def _fails(firm: Firm, database: Database) -> None:
    async def failing() -> None:
        async with database.scope_for_id(firm.company_id).transaction() as tx:
            await tx.execute(_LOUD)
            await tx.execute(_LOCKED)
            await tx.execute(_WRONG)

    with pytest.raises(asyncpg.DivisionByZeroError):
        await failing()


async def _fails_inside_a_savepoint(firm: Firm, database: Database) -> None:
    async with database.scope_for_id(firm.company_id).transaction() as tx:
        with contextlib.suppress(asyncpg.DivisionByZeroError):
            async with tx.savepoint():
                await tx.execute(_LOUD)
                await tx.execute(_LOCKED)
                await tx.execute(_WRONG)


async def _is_refused_at_the_door(firm: Firm, database: Database) -> None:
    with pytest.raises(DomainError):
        async with database.scope_for_scim_token(b"nobody's").transaction():
            raise AssertionError("the door is shut")


async def _is_cancelled(firm: Firm, database: Database) -> None:
    async def sleeps() -> None:
        async with database.scope_for_id(firm.company_id).transaction() as tx:
            await tx.execute(_LOUD)
            await tx.execute(_ASLEEP)

    sleeping = asyncio.create_task(sleeps())
    await asyncio.sleep(0.3)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping


async def _leaves_a_stream_half_read(firm: Firm, database: Database) -> None:
    async with database.scope_for_id(firm.company_id).transaction(snapshot=True) as tx:
        async for _ in tx.stream(_MANY):
            break


@pytest.mark.parametrize(
    "does",
    [
        _commits,
        _fails,
        _fails_inside_a_savepoint,
        _is_refused_at_the_door,
        _is_cancelled,
        _leaves_a_stream_half_read,
    ],
)
async def test_nothing_of_a_transaction_is_left_on_its_connection(does, firm: Firm, single: Database) -> None:  # type: ignore[no-untyped-def]
    await firm.create()
    await does(firm, single)
    assert await _left_on(single) == []
    async with single.connection() as connection:
        assert await connection.fetchval(_NOBODY.sql) == 0


async def test_what_would_be_left_is_found(single: Database) -> None:
    async with single.connection() as connection:
        await connection.execute(
            "select pg_advisory_lock(7), set_config('work_mem', '1MB', false), "
            "set_config('app.company_id', gen_random_uuid()::text, false); listen x; create temp table t (); "
            "declare c cursor with hold for select 1"
        )
    everything = {"company", "cursor", "listening", "lock", "setting work_mem", "temporary table"}
    assert everything <= {*await _left_on(single)}


def test_no_statement_of_directory_says_anything_for_a_whole_session() -> None:
    source = Path(directory.__file__).parent
    apart = {source / "migrate.py", source / "listening.py"}
    found = {
        str(file.relative_to(source)): match[0]
        for file in [*source.rglob("*.py"), *source.rglob("*.sql")]
        if file not in apart
        for match in _OUTLIVES.finditer(file.read_text(encoding="utf-8"))
    }
    assert found == {}
