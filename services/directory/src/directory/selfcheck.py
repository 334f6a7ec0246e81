"""What must be true of the database before directory serves: the isolation of companies is enforced by it, not hoped for.

Each finding is one sentence that says what is wrong and what to do. `directory serve` refuses to start with any of them.
"""

from typing import TYPE_CHECKING

import asyncpg

from directory import metrics
from directory.migrate import required_version

if TYPE_CHECKING:
    from directory.database import Connection

DOORS = frozenset(
    {
        "registry.enter_by_scim_token",
        "registry.enter_by_name",
        "registry.enter_by_id",
        "registry.companies_for_domain",
        "registry.forget_names",
        "registry.enter_by_api_credential",
        "registry.enter_by_oauth_secret",
        "registry.history_heads",
        "registry.count_contacts",
        "registry.certificates_of_others",
        "registry.count_expiring",
        "registry.claim_metadata_looks",
        "registry.metadata_look",
        "registry.note_metadata_look",
        "registry.count_metadata_looks",
    }
)
"""The functions that may act with the owner's rights on the application's behalf."""

_POLICY = "(company_id = current_company())"


class SelfCheckFailed(Exception):
    """The service must not serve; `findings` are sentences."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("directory will not serve: " + " ".join(findings))
        self.findings = findings


async def check(connection: "Connection") -> None:
    """Raises SelfCheckFailed naming everything that is wrong."""
    findings = await _schema(connection)
    if not findings:
        for look in (_roles, _row_security, _keys, _rights, _functions):
            findings += await look(connection)
    if findings:
        raise SelfCheckFailed(findings)


async def _schema(connection: "Connection") -> list[str]:
    try:
        version = await connection.fetchval("select max(version) from schema_migrations")
    except asyncpg.PostgresError:
        version = None
    metrics.SCHEMA_VERSION.set(version or 0)
    if (version or 0) < required_version():
        return [f"The schema is at version {version or 0} and {required_version()} is needed; run `directory migrate`."]
    return []


async def _roles(connection: "Connection") -> list[str]:
    rows = await connection.fetch(
        """
        with ours as (select oid from pg_namespace where nspname in ('public', 'registry'))
        select r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole,
            exists (select from pg_class c where c.relowner = r.oid and c.relnamespace in (select oid from ours))
            or exists (select from pg_proc p where p.proowner = r.oid and p.pronamespace in (select oid from ours))
            or exists (select from pg_namespace n where n.nspowner = r.oid and n.oid in (select oid from ours))
            or exists (select from pg_database d where d.datdba = r.oid and d.datname = current_database()) as owns
        from pg_roles r
        where pg_has_role(session_user, r.oid, 'member')
        order by 1
        """
    )
    findings = []
    for row in rows:
        role = row["rolname"]
        if row["rolsuper"] or row["rolbypassrls"]:
            findings.append(
                f"Role {role}, which the application has, is a superuser or bypasses row security; "
                "use a login role that is a member of identity_app only."
            )
        elif row["rolcreaterole"] or row["owns"]:
            findings.append(
                f"Role {role}, which the application has, owns tables, functions or the database, or may create roles; "
                "use a login role that is a member of identity_app only."
            )
    for schema in ("public", "registry"):
        if await connection.fetchval("select has_schema_privilege(session_user, $1, 'CREATE')", schema):
            findings.append(f"The application may create objects in schema {schema}; revoke it.")
    return findings


async def _row_security(connection: "Connection") -> list[str]:
    rows = await connection.fetch(
        """
        select c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity,
            exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'company_id'
                    and a.attnotnull and not a.attisdropped) as has_company,
            coalesce((
                select array_agg(concat_ws('|', p.polname, p.polcmd, p.polpermissive, p.polroles::text,
                    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)))
                from pg_policy p where p.polrelid = c.oid), '{}') as policies
        from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
        order by 1
        """
    )
    expected = [f"same_company|*|t|{{0}}|{_POLICY}|{_POLICY}"]
    findings = []
    for row in rows:
        table = row["relname"]
        if table == "schema_migrations":
            continue
        if row["relkind"] not in (b"r", b"p", "r", "p"):
            findings.append(f"{table} is a view or foreign table, which row security does not protect; drop it.")
        elif not row["has_company"]:
            findings.append(f"Table {table} has no mandatory company_id; every table in schema public needs one.")
        elif not (row["relrowsecurity"] and row["relforcerowsecurity"]):
            findings.append(
                f"Table {table} does not force row-level security; run ALTER TABLE {table} FORCE ROW LEVEL SECURITY."
            )
        elif list(row["policies"]) != expected:
            findings.append(
                f"Table {table} must have the policy same_company for every command and role, and no other."
            )
    return findings


async def _keys(connection: "Connection") -> list[str]:
    rows = await connection.fetch(
        """
        select c.relname as tab, i.indexrelid::regclass::text as key,
            (select attname from pg_attribute a where a.attrelid = i.indrelid and a.attnum = i.indkey[0]) as first
        from pg_index i join pg_class c on c.oid = i.indrelid
        where c.relnamespace = 'public'::regnamespace and i.indisunique and c.relname <> 'schema_migrations'
        union all
        select c.relname, k.conname,
            (select attname from pg_attribute a where a.attrelid = k.conrelid and a.attnum = k.conkey[1])
        from pg_constraint k join pg_class c on c.oid = k.conrelid
        where c.relnamespace = 'public'::regnamespace and k.contype = 'f'
        order by 1, 2
        """
    )
    return [
        f"Key {row['key']} of table {row['tab']} does not begin with company_id, so it could reach into another company."
        for row in rows
        if row["first"] != "company_id"
    ]


async def _rights(connection: "Connection") -> list[str]:
    findings = []
    rows = await connection.fetch(
        """
        select c.relname from pg_class c
        where c.relnamespace = 'registry'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and (has_table_privilege(session_user, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                or has_any_column_privilege(session_user, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
        order by 1
        """
    )
    findings += [
        f"The application can reach registry.{row['relname']}, which spans companies; revoke it." for row in rows
    ]
    if await connection.fetchval(
        "select has_table_privilege(session_user, 'events', 'UPDATE, DELETE, TRUNCATE') "
        "or has_any_column_privilege(session_user, 'events', 'UPDATE')"
    ):
        findings.append("The application can alter history (table events); revoke UPDATE, DELETE and TRUNCATE.")
    if await connection.fetchval(
        "select bool_or(has_table_privilege(session_user, name, 'UPDATE, DELETE') "
        "or has_any_column_privilege(session_user, name, 'UPDATE')) from unnest(array['exchanges', 'exchange_people']) as name"
    ):
        findings.append("The application can alter the journal (table exchanges); revoke UPDATE and DELETE.")
    truncatable = await connection.fetch(
        """
        select c.relname from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
            and has_table_privilege(session_user, c.oid, 'TRUNCATE, TRIGGER, REFERENCES')
        order by 1
        """
    )
    findings += [
        f"The application may TRUNCATE, or add triggers or references to, {row['relname']}; revoke it: row security "
        "does not cover these."
        for row in truncatable
    ]
    return findings


async def _functions(connection: "Connection") -> list[str]:
    rows = await connection.fetch(
        """
        select n.nspname || '.' || p.proname as name
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
            and has_function_privilege(session_user, p.oid, 'EXECUTE') and has_schema_privilege(session_user, n.oid, 'USAGE')
        """
    )
    return [
        f"The application may call {name}, which acts with its owner's rights and is not one of the known doors; revoke it."
        for name in sorted({row["name"] for row in rows} - DOORS)
    ]
