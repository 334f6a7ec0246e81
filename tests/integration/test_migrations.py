"""Migrations: once, in order, whole; and sentences when they cannot be."""

import asyncio
import secrets
import uuid
from datetime import date

import asyncpg
import msgspec
import pytest

from directory.migrate import Migration, MigrationError, migrate, migrations
from tests.conftest import APP_ROLE
from tests.support.stack import create_database, with_database


@pytest.fixture
async def empty(postgres_url: str) -> str:
    return await create_database(postgres_url, f"m{secrets.token_hex(6)}")


async def versions(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        return [row["version"] for row in await connection.fetch("select version from schema_migrations order by 1")]
    finally:
        await connection.close()


async def test_eight_runners_at_once_apply_each_migration_exactly_once(empty: str) -> None:
    app_url = with_database(empty, empty.split("/")[3].split("?")[0], user=APP_ROLE)
    done = await asyncio.gather(*(migrate(empty, app_url) for _ in range(8)))
    assert sorted(len(applied) for applied in done) == [0] * 7 + [len(migrations())]
    assert await versions(empty) == [migration.version for migration in migrations()]


async def test_a_second_run_does_nothing(empty: str) -> None:
    assert len(await migrate(empty)) == len(migrations())
    assert await migrate(empty) == []


async def test_an_edited_file_is_refused(empty: str) -> None:
    await migrate(empty)
    edited = [Migration(m.version, m.name, m.sql + "\n-- better") for m in migrations()]
    with pytest.raises(MigrationError, match="0001_roles was edited after it was applied"):
        await migrate(empty, files=edited)


async def test_a_database_of_a_newer_release_is_refused(empty: str) -> None:
    await migrate(empty, files=[*migrations(), Migration(9000, "future", "select 1")])
    with pytest.raises(MigrationError, match=r"9000_future.*newer release"):
        await migrate(empty)


async def test_what_was_there_before_gets_its_owners_departments_and_a_chained_history(empty: str) -> None:
    """From release to release: rows as the first release wrote them, and one that it goes on writing while we roll out."""
    await migrate(empty, files=[one for one in migrations() if one.version <= 4])
    company_id, anna, gone = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    connection = await asyncpg.connect(empty)
    try:
        await connection.execute(
            "insert into companies (company_id, company, name, time_zone, language, follow_entra_managers, created_at, "
            "updated_at) values ($1, 'old', 'Old', 'Europe/Copenhagen', 'da', true, now(), now())",
            company_id,
        )
        person = (
            "insert into employees (company_id, employee_id, state, source, login_name, login_key, email, email_key, "
            "given_name, family_name, department, termination_date, created_at, updated_at) "
            "values ($1, $2, $3, 'entra', $4, $4, $4, $4, 'A', 'H', $5, $6, now(), now())"
        )
        await connection.execute(person, company_id, anna, "active", "anna", "SALG Ø", None)
        await connection.execute(person, company_id, gone, "departed", None, None, date(2026, 1, 31))
        told = (
            "insert into events (company_id, at, kind, employee_id, actor_kind, actor_id, request_id, trace_id, changes) "
            "values ($1, now(), 'employee.created', $2, 'entra', 'tok', '', '', $3::jsonb)"
        )
        for employee_id, name in ((anna, "anna"), (gone, "gone")):
            await connection.execute(
                told, company_id, employee_id, f'{{"login_name": {{"after": "{name}"}}, "title": {{"after": "x"}}}}'
            )
        await migrate(empty)
        async with connection.transaction():
            await connection.execute("select set_config('app.company_id', $1, true)", str(company_id))
            await connection.execute(told, company_id, anna, '{"email": {"after": "anna@firma.dk"}}')
        events = await connection.fetch("select * from events order by sequence")
        owners = await connection.fetchval("select owners from employees where employee_id = $1", anna)
        departments = await connection.fetch("select department_key, name from departments")
    finally:
        await connection.close()
    assert [event["sequence"] for event in events] == [1, 2, 3]
    assert [event["changes"] for event in events] == ['{"title": {"after": "x"}}'] * 2 + ["{}"]
    assert [event["names"] for event in events] == [
        '{"login_name": {"after": "anna"}}', None, '{"email": {"after": "anna@firma.dk"}}'
    ], "what somebody bore who has departed is forgotten"  # fmt: skip
    assert events[1]["names_sha256"] is not None
    assert len({event["hash"] for event in events}) == 3
    assert {name: held[0] for name, held in msgspec.json.decode(owners).items()} == dict.fromkeys(
        ("login_name", "email", "given_name", "family_name", "department"), "entra"
    )
    assert [tuple(row) for row in departments] == [("salg ø", "SALG Ø")]


async def test_companies_of_before_are_looked_at_within_an_hour_and_not_all_at_once(empty: str) -> None:
    """Their federation metadata; 0046."""
    await migrate(empty, files=[one for one in migrations() if one.version < 46])
    wanted = {f"old{number}": ("propose", "https://login.example/saml2") for number in range(40)}
    connection = await asyncpg.connect(empty)
    try:
        for name, (use, login_url) in {**wanted, "off": ("off", "https://x"), "none": ("adopt", "")}.items():
            company_id = uuid.uuid4()
            await connection.execute(
                "insert into companies (company_id, company, name, time_zone, language, follow_entra_managers, created_at, "
                "updated_at, metadata_use) values ($1, $2, 'Old', 'Europe/Copenhagen', 'da', true, now(), now(), $3)",
                company_id,
                name.ljust(3, "0"),
                use,
            )
            await connection.execute(
                "insert into connections (company_id, tenant_id, app_id, entity_id, sso_enabled, login_url, issuer, signed, "
                "idp_initiated, group_check, email_domains, provisioning_enabled, provisioning_strict, version, updated_at) "
                "values ($1, $1, $1, 'e', true, $2, 'i', 'assertion', 'true', 'off', '{}', true, false, 1, now())",
                company_id,
                login_url,
            )
        before = await connection.fetchval("select now()")
        await migrate(empty)
        rows = await connection.fetch(
            "select c.company, l.due_at from registry.metadata_looks l join registry.companies c using (company_id)"
        )
    finally:
        await connection.close()
    assert {row["company"] for row in rows} == wanted.keys()
    minutes = [(row["due_at"] - before).total_seconds() / 60 for row in rows]
    assert min(minutes) >= 0
    assert max(minutes) <= 61
    assert len({int(minute) for minute in minutes}) > 10


async def test_a_failing_migration_leaves_nothing(empty: str) -> None:
    broken = Migration(9000, "broken", "create table half (id int); select nonsense;")
    with pytest.raises(MigrationError, match="9000_broken failed and left nothing"):
        await migrate(empty, files=[*migrations(), broken])
    connection = await asyncpg.connect(empty)
    assert await connection.fetchval("select to_regclass('half')") is None
    await connection.close()
    assert await versions(empty) == [migration.version for migration in migrations()]


async def test_a_file_may_ask_to_run_outside_a_transaction(empty: str) -> None:
    index = Migration(
        9000, "index", "-- no-transaction\ncreate index concurrently extra on employees (company_id, country)"
    )
    done = await asyncio.gather(*(migrate(empty, files=[*migrations(), index]) for _ in range(4)))
    assert sum(len(applied) for applied in done) == len(migrations()) + 1


async def test_waiting_for_ever_is_not_an_option(empty: str) -> None:
    from directory.migrate import LOCK_KEY

    holder = await asyncpg.connect(empty)
    await holder.execute("select pg_advisory_lock($1)", LOCK_KEY)
    with pytest.raises(MigrationError, match=r"more than 0\.3 seconds"):
        await migrate(empty, wait_s=0.3)
    await holder.close()


async def test_an_owner_who_is_no_superuser_suffices(postgres_url: str, database_urls: tuple[str, str]) -> None:
    """As on a managed PostgreSQL: the owner may create roles and owns the database, no more."""
    name = f"m{secrets.token_hex(6)}"
    server = await asyncpg.connect(postgres_url)
    await server.execute(f"create role {name} login createrole")
    await server.execute(f"create database {name} owner {name}")
    owner_url = with_database(postgres_url, name, user=name)
    app_url = with_database(postgres_url, name, user=f"{name}_app")
    # identity_app exists already in this cluster, and is another owner's.
    with pytest.raises(MigrationError, match=rf'GRANT identity_app TO "{name}_app"'):
        await migrate(owner_url, app_url)
    await server.execute(f"grant identity_app to {name} with admin option")
    await server.close()
    await migrate(owner_url, app_url)
    assert await versions(owner_url) == [migration.version for migration in migrations()]


@pytest.mark.parametrize(
    ("role", "sentence"),
    [("postgres", "must not be the owner"), ("", "names no role"), ("bad%20role", "names no role")],
)
async def test_a_wrong_application_role_is_refused(empty: str, role: str, sentence: str) -> None:
    database = empty.split("/")[3].split("?")[0]
    with pytest.raises(MigrationError, match=sentence):
        await migrate(empty, with_database(empty, database, user=role))


async def test_an_application_role_with_too_many_rights_is_refused_and_not_changed(empty: str) -> None:
    role = f"r{secrets.token_hex(4)}"
    server = await asyncpg.connect(empty)
    await server.execute(f"create role {role} login superuser")
    database = empty.split("/")[3].split("?")[0]
    with pytest.raises(MigrationError, match="superuser"):
        await migrate(empty, with_database(empty, database, user=role))
    assert await server.fetchval("select rolsuper from pg_roles where rolname = $1", role)
    await server.execute(f"drop role {role}")
    await server.close()
