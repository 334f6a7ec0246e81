# ruff: noqa: S608  table names come from the catalogue
"""Companies are isolated by the database itself, and no answer holds anything of another one (S74, D15).

The first part speaks SQL with the application's own role and forgets every WHERE. Tables are found in the catalogue, so that
a table added later is tested too, or says that it must be.
"""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory.database import Database
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text
from shared.schemas.employee import Employee, EmployeePage
from tests.support.application import credential_for
from tests.support.firm import Firm, Urls, uuid_of
from tests.support.groups import Groups
from tests.support.journal_notes import noted, provision

_TABLES = """
    select c.oid, c.relname as name, c.relrowsecurity, c.relforcerowsecurity
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p')
        and exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'company_id' and not a.attisdropped)
    order by c.relname
"""


@pytest.fixture(scope="module")
async def here(firm_database: Database, firm_urls: Urls) -> Firm:
    return await furnished(await Firm.founded(firm_database, firm_urls))


@pytest.fixture(scope="module")
async def there(firm_database: Database, firm_urls: Urls) -> Firm:
    return await furnished(await Firm.founded(firm_database, firm_urls))


async def furnished(firm: Firm) -> Firm:
    """With a row in every table."""
    boss = await firm.create(login="boss@firma.dk")
    anna = await firm.create(manager_ref=boss.id)
    await firm.sign_in(anna)
    await firm.let_app_in(anna)
    some = os.urandom(32)
    await firm.as_owner(
        "insert into certificates (company_id, fingerprint, der, subject, not_before, not_after, added_at) "
        "values ($1, $2, '', 'CN=x', now(), now() + interval '1 year', now())",
        firm.company_id,
        some.hex(),
    )
    await firm.as_owner(
        "insert into login_flows (company_id, flow_id, browser_sha256, return_to, created_at, expires_at) "
        "values ($1, $2, $3, '/', now(), now())",
        firm.company_id,
        some.hex(),
        some,
    )
    await firm.as_owner(
        "insert into seen_assertions (company_id, assertion_sha256, expires_at) values ($1, $2, now())",
        firm.company_id,
        some,
    )
    await firm.as_owner(
        "insert into login_traces (company_id, login_trace_id, at, trace_id, outcome, employee_id, idp_initiated, "
        "signer_fingerprint, details) values ($1, $2, now(), '', 'accepted', $3, true, '', '{}')",
        firm.company_id,
        uuid.uuid4(),
        uuid_of(anna),
    )
    await firm.change(anna, department="Salg")
    await firm.as_owner(
        "insert into department_approvers (company_id, department_key, employee_id, beside_manager, granted_at, granted_by) "
        "values ($1, 'salg', $2, true, now(), 'operator')",
        firm.company_id,
        uuid_of(boss),
    )
    await firm.as_owner(
        "insert into findings (company_id, finding_id, kind, subject, employee_id, details, opened_at, last_seen_at, times) "
        "values ($1, $2, 'unknown_country', 'X', $3, '{}', now(), now(), 1)",
        firm.company_id,
        uuid.uuid4(),
        uuid_of(anna),
    )
    await credential_for(firm)
    await Groups(firm).create("Alle", anna)
    await firm.as_owner("insert into brakes (company_id) values ($1)", firm.company_id)
    await firm.as_owner(
        "insert into held_changes (company_id, employee_id, step, state, asked_at, last_asked_at, times, asked_by, request_id) "
        "values ($1, $2, 'suspend', 'held', now(), now(), 1, '', '')",
        firm.company_id,
        uuid_of(anna),
    )
    await firm.as_owner(
        "insert into asked_about (company_id, employee_id, asked_at) values ($1, $2, now())",
        firm.company_id,
        uuid_of(anna),
    )
    await firm.as_owner(
        "insert into cycles (company_id, started_at, last_request_at, requests, has_gaps) values ($1, now(), now(), 1, false)",
        firm.company_id,
    )
    await firm.as_owner(
        "insert into next_connections (company_id, tenant_id, app_id, sso_enabled, login_url, issuer, signed, idp_initiated, "
        "group_check, email_domains, provisioning_enabled, provisioning_strict, prepared_at) "
        "values ($1, $2, $2, true, '', '', 'assertion', 'true', 'off', '{}', true, false, now())",
        firm.company_id,
        uuid.uuid4(),
    )
    await firm.as_owner(
        "insert into next_certificates (company_id, fingerprint, der, subject, not_before, not_after) "
        "values ($1, $2, '', 'CN=x', now(), now())",
        firm.company_id,
        some.hex(),
    )
    await firm.as_owner(
        "insert into retired_connections (company_id, tenant_id, app_id, retired_at) values ($1, $2, $2, now())",
        firm.company_id,
        uuid.uuid4(),
    )
    await noted(firm, provision(login="anna@firma.dk"), names=["anna@firma.dk"])
    secret_id, federation_id = uuid.uuid4(), uuid.uuid4()
    await firm.as_owner(
        "insert into oauth_secrets (company_id, secret_id, secret_sha256, connection, created_at, expires_at) "
        "values ($1, $2, $3, 'live', now(), now() + interval '1 year')",
        firm.company_id,
        secret_id,
        os.urandom(32),
    )
    await firm.as_owner(
        "insert into federations (company_id, federation_id, issuer, audience, audience_key, subject, connection, created_at) "
        "values ($1, $2, 'https://login.microsoftonline.com/x/v2.0', 'api://x/.default', 'api://x', 'y', 'live', now())",
        firm.company_id,
        federation_id,
    )
    await firm.as_owner(
        "insert into access_tokens (company_id, token_sha256, secret_id, created_at, expires_at) "
        "values ($1, $2, $3, now(), now() + interval '1 hour')",
        firm.company_id,
        os.urandom(32),
        secret_id,
    )
    return firm


@pytest.fixture
async def app(firm_urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the application's role, without any scope."""
    connection = await asyncpg.connect(firm_urls.app)
    yield connection
    await connection.close()


@asynccontextmanager
async def inside(app: asyncpg.Connection, firm: Firm) -> AsyncIterator[None]:
    """The company's scope; what happens inside is undone."""
    transaction = app.transaction()
    await transaction.start()
    await app.execute("select set_config('app.company_id', $1, true)", str(firm.company_id))
    try:
        yield
    finally:
        await transaction.rollback()


async def tables(app: asyncpg.Connection, privilege: str = "SELECT") -> list[str]:
    """The companies' tables on which the application has a privilege."""
    found = [row["name"] for row in await app.fetch(_TABLES)]
    assert {"companies", "connections", "certificates", "scim_tokens", "employees", "events", "sessions"} <= set(found)
    return [name for name in found if await app.fetchval("select has_table_privilege($1, $2)", name, privilege)]


async def own_rows(firm: Firm, table: str) -> int:
    rows = await firm.as_owner(f"select count(*) as many from {table} where company_id = $1", firm.company_id)
    many: int = rows[0]["many"]
    return many


# The database alone


async def test_every_table_forces_row_level_security_with_the_one_policy(app: asyncpg.Connection) -> None:
    same = "(company_id = current_company())"
    for table in await app.fetch(_TABLES):
        assert table["relrowsecurity"], table["name"]
        assert table["relforcerowsecurity"], table["name"]
        policies = await app.fetch(
            "select * from pg_policies where schemaname = 'public' and tablename = $1", table["name"]
        )
        assert [(one["cmd"], one["qual"], one["with_check"], one["permissive"]) for one in policies] == [
            ("ALL", same, same, "PERMISSIVE")
        ], table["name"]
        assert policies[0]["roles"] == ["public"], "for the owner too"


async def test_every_table_that_the_application_can_touch_belongs_to_companies(app: asyncpg.Connection) -> None:
    rows = await app.fetch(
        """
        select c.oid::regclass::text as name
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%'
            and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and has_schema_privilege(n.oid, 'USAGE') and has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
        """
    )
    others = {row["name"] for row in rows} - {row["name"] for row in await app.fetch(_TABLES)}
    assert others <= {"schema_migrations", "migrations"}, others


async def test_every_key_of_a_companys_table_begins_with_the_company(app: asyncpg.Connection) -> None:
    """Foreign keys ignore row-level security: without the company in them they would reach across."""
    indexes = await app.fetch(
        f"""
        select i.indexrelid::regclass::text as name, a.attname as first
        from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where i.indrelid in (select oid from ({_TABLES}) t)
        """
    )
    assert len(indexes) > 10
    assert {row["name"]: row["first"] for row in indexes if row["first"] != "company_id"} == {}
    keys = await app.fetch(
        f"""
        select k.conname as name,
            (select attname from pg_attribute where attrelid = k.conrelid and attnum = k.conkey[1]) as own,
            (select attname from pg_attribute where attrelid = k.confrelid and attnum = k.confkey[1]) as foreign
        from pg_constraint k
        where k.contype = 'f' and k.conrelid in (select oid from ({_TABLES}) t)
        """
    )
    assert len(keys) > 10
    assert {tuple(row)[1:] for row in keys} == {("company_id", "company_id")}


async def test_no_plan_depends_on_which_companies_were_there_when_statistics_were_made(
    app: asyncpg.Connection, here: Firm
) -> None:
    """Migration 0014; a new table needs the same. Otherwise the planner expects one row of a company that came since."""
    targets = await app.fetch(
        f"""
        select attrelid::regclass::text as name, attstattarget
        from pg_attribute
        where attname = 'company_id' and not attisdropped and attrelid in (select oid from ({_TABLES}) t)
        """
    )
    assert {row["name"]: row["attstattarget"] for row in targets if row["attstattarget"] != 0} == {}
    known = await app.fetch("select tablename from pg_stats where attname = 'company_id' and schemaname = 'public'")
    assert known == []


async def test_the_furnished_companies_have_a_row_in_every_table(
    app: asyncpg.Connection, here: Firm, there: Firm
) -> None:
    """A new table needs a row in `furnished`; otherwise the tests below prove nothing about it."""
    for firm in (here, there):
        assert [name for name in await tables(app) if not await own_rows(firm, name)] == []


async def test_a_select_without_where_sees_one_company(app: asyncpg.Connection, here: Firm, there: Firm) -> None:
    """S74: the database refuses it without the application."""
    for table in await tables(app):
        for firm in (here, there):
            expected = await own_rows(firm, table)
            async with inside(app, firm):
                rows = await app.fetch(f"select company_id from {table}")
            assert [row["company_id"] for row in rows] == [firm.company_id] * expected, table


async def test_an_update_without_where_writes_one_company(app: asyncpg.Connection, here: Firm, there: Firm) -> None:
    for table in await tables(app, "UPDATE"):
        expected = await own_rows(here, table)
        async with inside(app, here):
            assert await app.execute(f"update {table} set company_id = company_id") == f"UPDATE {expected}", table
            assert (
                await app.execute(f"update {table} set company_id = company_id where company_id = $1", there.company_id)
                == "UPDATE 0"
            )


async def test_a_delete_without_where_removes_from_one_company(
    app: asyncpg.Connection, here: Firm, there: Firm
) -> None:
    deletable = await tables(app, "DELETE")
    assert deletable
    for table in deletable:
        expected, foreign = await own_rows(here, table), await own_rows(there, table)
        async with inside(app, here):
            assert await app.execute(f"delete from {table}") == f"DELETE {expected}", table
            await app.execute("select set_config('app.company_id', $1, true)", str(there.company_id))
            assert await app.fetchval(f"select count(*) from {table}") == foreign, table


async def test_without_a_scope_there_is_nothing(app: asyncpg.Connection, here: Firm) -> None:
    """Neither on a fresh connection nor after a scope has ended, when the setting reads '' and not NULL."""
    for table in await tables(app):
        assert await app.fetchval(f"select count(*) from {table}") == 0
    async with app.transaction():
        await app.execute("select set_config('app.company_id', $1, true)", str(here.company_id))
        assert await app.fetchval("select count(*) from employees") > 0
    for table in await tables(app):
        assert await app.fetchval(f"select count(*) from {table}") == 0, table


async def test_the_owner_without_a_scope_sees_nothing_either(
    firm_urls: Urls, app: asyncpg.Connection, here: Firm
) -> None:
    """FORCE: a query that an operator's command forgot to scope is empty, not everything."""
    owner = await asyncpg.connect(firm_urls.owner)
    try:
        for table in await tables(app):
            assert await owner.fetchval(f"select count(*) from {table}") == 0, table
    finally:
        await owner.close()


async def test_inserting_for_another_company_is_refused(app: asyncpg.Connection, here: Firm, there: Firm) -> None:
    insertable = await tables(app, "INSERT")
    assert {"employees", "events", "sessions", "scim_tokens"} <= set(insertable)
    for table in insertable:
        row = (await there.as_owner(f"select to_jsonb(t)::text as row from {table} t limit 1"))[0]["row"]
        async with inside(app, here):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await app.execute(
                    f"insert into {table} overriding system value "
                    f"select * from jsonb_populate_record(null::{table}, $1::jsonb)",
                    row,
                )


async def test_a_row_cannot_be_moved_to_another_company(app: asyncpg.Connection, here: Firm, there: Firm) -> None:
    for table in await tables(app, "UPDATE"):
        async with inside(app, here):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await app.execute(f"update {table} set company_id = $1", there.company_id)


async def test_nothing_can_point_at_an_employee_of_another_company(
    app: asyncpg.Connection, here: Firm, there: Firm
) -> None:
    """Every foreign key to employees, from the catalogue: managers, sessions, tickets, traces, grants."""
    stranger = (await there.as_owner("select employee_id from employees limit 1"))[0]["employee_id"]
    keys = await app.fetch(
        """
        select c.relname as name, a.attname as column
        from pg_constraint k join pg_class c on c.oid = k.conrelid
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[2]
        where k.contype = 'f' and k.confrelid = 'employees'::regclass
        """
    )
    assert {("employees", "manager_id"), ("sessions", "employee_id"), ("findings", "employee_id")} <= {
        tuple(key) for key in keys
    }
    for table, column in keys:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await here.as_owner(f"update {table} set {column} = $1", stranger)
    async with inside(app, here):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await app.execute("update employees set manager_id = $1", stranger)


async def test_the_registry_cannot_be_read_or_written(app: asyncpg.Connection, here: Firm) -> None:
    found = await app.fetch(
        "select relname from pg_class where relnamespace = 'registry'::regnamespace and relkind = 'r'"
    )
    assert {"companies", "scim_tokens", "entra_bindings"} <= {row["relname"] for row in found}
    for row in found:
        for sql in ("select * from registry.{}", "delete from registry.{}", "insert into registry.{} default values"):
            async with inside(app, here):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await app.execute(sql.format(row["relname"]))


async def test_functions_that_act_as_the_owner_fix_their_search_path(app: asyncpg.Connection) -> None:
    rows = await app.fetch(
        "select p.oid::regprocedure::text as name, p.proconfig from pg_proc p where p.prosecdef "
        "and p.pronamespace in ('public'::regnamespace, 'registry'::regnamespace)"
    )
    assert len(rows) > 5
    for row in rows:
        assert row["proconfig"][0] == "search_path=pg_catalog, pg_temp", row["name"]


async def test_the_application_is_nobody_special(app: asyncpg.Connection, firm_urls: Urls) -> None:
    role = await app.fetchrow(
        "select bool_or(rolsuper) as super, bool_or(rolbypassrls) as bypass, bool_or(rolcreaterole) as roles "
        "from pg_roles where pg_has_role(current_user, oid, 'MEMBER')"
    )
    assert role is not None
    assert tuple(role) == (False, False, False)
    owned = await app.fetchval("select count(*) from pg_class where pg_has_role(current_user, relowner, 'MEMBER')")
    assert owned == 0
    for command in (
        "truncate employees",
        "alter table employees no force row level security",
        "set role identity_owner",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(command)


async def test_history_can_be_added_and_read_and_nothing_else(app: asyncpg.Connection, here: Firm) -> None:
    for sql in (
        "update events set kind = 'x'",
        "delete from events",
        "delete from employees",
        "delete from login_traces",
    ):
        async with inside(app, here):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(sql)


# The application over it

LOGINS = ["anna@firma.dk", "ANNA@firma.dk", "bo@firma.dk", "boss@firma.dk"]
EXTERNAL_IDS = [None, "nick", "0aa6dbb8-1f1c-4a2e-9b0a-6a9c5a4d4b11"]
FIRMS, PEOPLE = 3, 4

Step = tuple[int, str, int, int, int, int]
STEPS: st.SearchStrategy[Step] = st.tuples(
    st.integers(0, FIRMS - 1),
    st.sampled_from(["create", "create", "create", "change", "suspend", "resume", "remove", "get", "find", "manager"]),
    st.integers(0, FIRMS - 1),
    st.integers(0, PEOPLE - 1),
    st.integers(0, len(LOGINS) - 1),
    st.integers(0, len(EXTERNAL_IDS) - 1),
)


class World:
    """Companies acting in turn, sometimes with the ids of others; what each may know is written down."""

    def __init__(self, firms: list[Firm]) -> None:
        self.firms = firms
        self.created: list[list[str]] = [[] for _ in firms]

    def id_of(self, firm: int, person: int) -> str:
        mine = self.created[firm]
        return mine[person % len(mine)] if mine else employee_text(uuid.uuid4())

    async def take(self, step: Step) -> object:
        """One step, and its outcome without ids, so that two worlds can be compared."""
        acting, verb, whose, person, login, external = step
        firm = self.firms[acting]
        target = self._employee(self.id_of(whose, person))
        values: dict[str, Any] = {
            "login": LOGINS[login],
            "external_id": EXTERNAL_IDS[external],
            "title": f"secret of {acting}",
        }
        reference = target.id if person % 2 else LOGINS[person]
        try:
            match verb:
                case "create":
                    answer: Any = (await firm.provision(**values, manager_ref=reference)).employee
                case "change":
                    answer = (await firm.change(target, login_name=LOGINS[login], email=LOGINS[login])).employee
                case "suspend" | "resume":
                    answer = (await firm.change(target, active=verb == "resume")).employee
                case "manager":
                    mine = self._employee(self.id_of(acting, login))
                    answer = (await firm.change(mine, manager_ref=target.id)).employee
                case "remove":
                    await firm.remove(target)
                    answer = None
                case "get":
                    answer = await firm.get(target)
                case _:
                    by = {0: {"id": target.id}, 1: {"login_name": LOGINS[login]}, 2: {"manager": target.id}, 3: {}}[
                        person
                    ]
                    answer = await firm.search(by)
        except DomainError as error:
            answer = error
        return self._seen(acting, answer)

    def _employee(self, employee_id: str) -> Employee:
        """A value that carries nothing but an id."""
        return msgspec.convert(
            {
                "id": employee_id, "state": "active", "login_name": "", "email": "", "given_name": "", "family_name": "",
                "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "version": 1,
            },
            Employee,
        )  # fmt: skip

    def _seen(self, acting: int, answer: object) -> object:
        """Checks that an answer is the acting company's own, and says it without ids."""
        if isinstance(answer, DomainError):
            assert "secret" not in answer.detail
            assert not any(one in answer.detail for created in self.created for one in created)
            return answer.code, answer.field
        if isinstance(answer, EmployeePage):
            return answer.total, [self._seen(acting, one) for one in answer.employees]
        if answer is None:
            return None
        assert isinstance(answer, Employee)
        mine = self.created[acting]
        others = {one for number, created in enumerate(self.created) if number != acting for one in created}
        assert answer.id not in others
        assert answer.manager_id not in others
        assert answer.title == f"secret of {acting}"
        if answer.id not in mine:
            mine.append(answer.id)
        manager = mine.index(answer.manager_id) if answer.manager_id else None
        return (
            mine.index(answer.id),
            answer.state,
            answer.login_name,
            answer.email,
            answer.external_id,
            manager,
            answer.version,
        )


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(STEPS, min_size=6, max_size=24))
async def test_no_company_notices_the_others(firm_database: Database, firm_urls: Urls, steps: list[Step]) -> None:
    """Every answer holds the company's own people only, and is the answer it would get if it were alone in the world."""
    together = World([await Firm.founded(firm_database, firm_urls) for _ in range(FIRMS)])
    outcomes = [await together.take(step) for step in steps]
    for number in range(FIRMS):
        alone = World([await Firm.founded(firm_database, firm_urls) for _ in range(FIRMS)])
        for step, outcome in zip(steps, outcomes, strict=True):
            if step[0] == number:
                assert await alone.take(step) == outcome
    for firm, created in zip(together.firms, together.created, strict=True):
        rows = await firm.as_owner("select employee_id, manager_id from employees")
        assert {employee_text(row["employee_id"]) for row in rows} == set(created)
        assert {employee_text(row["manager_id"]) for row in rows if row["manager_id"]} <= set(created)


async def test_the_id_of_another_company_is_exactly_an_id_that_does_not_exist(here: Firm, there: Firm) -> None:
    """E009: same code, same words, whatever is tried."""
    foreign = await there.create(login=f"{uuid.uuid4()}@firma.dk")
    absent = msgspec.structs.replace(foreign, id="emp_" + "0" * 32)
    for attempt in ("get", "remove", "change"):
        refusals = []
        for target in (foreign, absent):
            with pytest.raises(DomainError) as refused:
                await (here.change(target, title="x") if attempt == "change" else getattr(here, attempt)(target))
            refusals.append((refused.value.code, refused.value.detail, refused.value.field))
        assert refusals[0] == refusals[1]
        assert refusals[0][0] is ErrorCode.not_found
    assert await there.get(foreign) == foreign
    assert (await here.find(id=foreign.id)).total == 0
