"""The application starts only if the database enforces the isolation of companies."""

import secrets

import asyncpg
import msgspec
import pytest

from directory.app import create_service
from directory.migrate import migrate, required_version
from directory.selfcheck import SelfCheckFailed, check
from directory.settings import Settings
from tests.support.stack import create_database, with_database

BROKEN = [
    ("alter table employees no force row level security", "employees does not force row-level security"),
    ("alter table sessions disable row level security", "sessions does not force row-level security"),
    ("drop policy same_company on certificates", "certificates must have the policy same_company"),
    ("create policy more on events using (true)", "events must have the policy same_company"),
    (
        "drop policy same_company on employees; create policy same_company on employees using (company_id = current_company())",
        "employees must have the policy same_company",
    ),
    (
        "drop policy same_company on employees; create policy same_company on employees using (true) with check (true)",
        "employees must have the policy same_company",
    ),
    ("create table notes (id int primary key)", "notes has no mandatory company_id"),
    ("create view everybody as select * from employees", "everybody is a view"),
    ("create unique index on employees (employee_id)", "does not begin with company_id"),
    (
        "alter table employees add column boss uuid; create unique index u on employees (company_id, employee_id, boss);"
        "create table t (company_id uuid not null, x uuid, primary key (company_id, x));"
        "alter table t enable row level security; alter table t force row level security;"
        "create policy same_company on t using (company_id = current_company()) with check (company_id = current_company());"
        "alter table t add foreign key (x, company_id) references employees (employee_id, company_id)",
        "does not begin with company_id",
    ),
    ("grant select on registry.scim_tokens to identity_app", "can reach registry.scim_tokens"),
    ("grant update on events to identity_app", "can alter history"),
    ("grant delete on events to identity_app", "can alter history"),
    ("grant update (detail) on exchanges to identity_app", "can alter the journal"),
    ("grant delete on exchange_people to identity_app", "can alter the journal"),
    ("grant truncate on employees to identity_app", "may TRUNCATE"),
    ("grant create on schema public to identity_app", "may create objects in schema public"),
    ("alter role {role} bypassrls", "bypasses row security"),
    ("alter role {role} superuser", "is a superuser"),
    ("alter role {role} createrole", "may create roles"),
    ("create role {role}_more createrole; grant {role}_more to {role}", "_more, which the application has, owns"),
    ("alter table employees owner to {role}", "owns tables"),
    (
        "create function registry.peek() returns bigint language sql security definer as "
        "'select count(*) from registry.companies';"
        "grant execute on function registry.peek() to identity_app",
        "registry.peek.*not one of the known doors",
    ),
    (
        f"delete from schema_migrations where version = {required_version()}",  # noqa: S608
        rf"version \d+ and {required_version()} is needed; run `directory migrate`",
    ),
]


@pytest.fixture(scope="module")
async def whole(postgres_url: str) -> str:
    """A migrated database to copy, which takes less than the migrations."""
    name = f"w{secrets.token_hex(6)}"
    await migrate(await create_database(postgres_url, name))
    return name


@pytest.fixture
async def scratch(postgres_url: str, whole: str) -> tuple[str, str, str]:
    """Owner's address, application's address and role of a migrated database that may be broken."""
    name = f"s{secrets.token_hex(6)}"
    owner_url = await create_database(postgres_url, name, whole)
    app_url = with_database(owner_url, name, user=f"{name}_app")
    await migrate(owner_url, app_url)  # makes the role, of which each has its own, for roles are broken too
    return owner_url, app_url, f"{name}_app"


async def findings(app_url: str) -> str:
    connection = await asyncpg.connect(app_url)
    try:
        await check(connection)
    except SelfCheckFailed as failed:
        return " ".join(failed.findings)
    finally:
        await connection.close()
    return ""


async def test_a_migrated_database_passes(scratch: tuple[str, str, str]) -> None:
    assert await findings(scratch[1]) == ""


@pytest.mark.parametrize(("breaking", "sentence"), BROKEN, ids=[sql[:50] for sql, _ in BROKEN])
async def test_each_breach_is_found_and_named(scratch: tuple[str, str, str], breaking: str, sentence: str) -> None:
    import re

    owner_url, app_url, role = scratch
    owner = await asyncpg.connect(owner_url)
    await owner.execute(breaking.format(role=role))
    await owner.close()
    found = await findings(app_url)
    assert re.search(sentence, found), found


async def test_the_service_does_not_start_on_a_breach(scratch: tuple[str, str, str]) -> None:
    owner_url, app_url, _ = scratch
    owner = await asyncpg.connect(owner_url)
    await owner.execute("alter table employees no force row level security")
    await owner.close()
    service = create_service(
        msgspec.convert(
            {
                "host": "127.0.0.1",
                "port": 0,
                "ops_port": 0,
                "database_app_url": app_url,
                "scim_ingest_secret": "s" * 16,
                "sso_gateway_secret": "t" * 16,
            },
            Settings,
        )
    )
    with pytest.raises(SelfCheckFailed, match="will not serve"):
        await service.start()


async def test_the_owner_may_not_serve(scratch: tuple[str, str, str]) -> None:
    assert "use a login role that is a member of identity_app only" in await findings(scratch[0])
