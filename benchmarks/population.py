"""Companies and people by the hundred thousand, written straight into the tables: what a year of imports would leave behind.

Each person has a login name, an e-mail address, a manager (eight reports each), one of a few departments, and the event of his
creation, numbered and chained as always.
"""

from uuid import UUID

import asyncpg

_COMPANY = """
    insert into companies
        (company_id, company, name, time_zone, language, follow_entra_managers, brake_people, created_at, updated_at)
    values ($1, $2, 'Firma', 'Europe/Copenhagen', 'da', true, 0, now(), now())
"""
_CONNECTION = """
    insert into connections
        (company_id, tenant_id, app_id, entity_id, sso_enabled, login_url, issuer, signed, idp_initiated, group_check,
         email_domains, provisioning_enabled, provisioning_strict, version, updated_at)
    values ($1, gen_random_uuid(), gen_random_uuid(), $2, true, 'https://login.example', 'https://sts.example', 'assertion',
            'true', 'off', '{}', true, false, 1, now())
"""
# Their hours are spread as after a year, so that nobody's first look is measured with the rest.
_LOOKED_AT = "update registry.metadata_looks set due_at = now() + random() * interval '1 hour' where company_id = $1"
_TOKEN = (
    "insert into scim_tokens (company_id, token_id, token_sha256, created_at) values ($1, gen_random_uuid(), $2, now())"
)
_DEPARTMENTS = """
    insert into departments (company_id, department_key, name, created_at)
    select $1, 'afdeling ' || n, 'Afdeling ' || n, now() from generate_series(0, least($2 / 20, 199)) as n
"""
_PEOPLE = """
    insert into employees
        (company_id, employee_id, source, state, login_name, login_key, email, email_key, given_name, family_name, department,
         department_key, manager_ref, manager_key, manager_id, owners, employee_number, hired_on, policy, country, calendar_group,
         created_at, updated_at)
    select $1, made.id, 'entra', 'active', made.login, made.login, made.login, made.login, 'Person', 'Nummer ' || n,
        'Afdeling ' || made.place, 'afdeling ' || made.place, made.boss_text, made.boss_text, made.boss,
        (select jsonb_object_agg(name, '["entra", "2026-01-01T00:00:00Z"]'::jsonb) from unnest(array['login_name', 'email',
            'given_name', 'family_name', 'department', 'manager_ref', 'country']) as name),
        n::text, '2020-01-01', 'Funktionær', 'Danmark', 'DK', now(), now()
    from (
        select n, lpad(to_hex(n), 32, '0')::uuid as id, 'p' || n || '@firma.example' as login,
            n % (least($2 / 20, 199) + 1) as place,
            case when n > 1 then lpad(to_hex(n / 8 + 1), 32, '0')::uuid end as boss,
            case when n > 1 then 'emp_' || lpad(to_hex(n / 8 + 1), 32, '0') end as boss_text
        from generate_series(1, $2) as n
    ) as made
"""
_FINDING = """
    insert into findings
        (company_id, finding_id, kind, subject, details, opened_at, last_seen_at, times, closed_at)
    values ($1, gen_random_uuid(), 'mapping_broken', 'email', '{}', now(), now(), 1, now())
"""
_EVENTS = """
    insert into events (company_id, at, kind, employee_id, actor_kind, actor_id, request_id, trace_id, changes)
    select $1, now(), 'employee.created', employee_id, 'entra', 'tok', '', '',
        jsonb_build_object(
            'login_name', jsonb_build_object('before', null, 'after', login_name),
            'given_name', jsonb_build_object('before', null, 'after', given_name),
            'family_name', jsonb_build_object('before', null, 'after', family_name),
            'department', jsonb_build_object('before', null, 'after', department),
            'state', jsonb_build_object('before', null, 'after', 'active'),
            'source', jsonb_build_object('before', null, 'after', 'entra'))
    from employees
    where company_id = $1
    order by employee_id
"""


async def found(owner: asyncpg.Connection, company_id: UUID, name: str, token_sha256: bytes, people: int) -> None:
    """A company with so many people; as the tables' owner, in one transaction inside the company."""
    async with owner.transaction():
        await owner.execute("select set_config('app.company_id', $1, true)", str(company_id))
        await owner.execute(_COMPANY, company_id, name)
        await owner.execute(_CONNECTION, company_id, f"https://www.bitabiz.com/{name}")
        await owner.execute(_LOOKED_AT, company_id)
        await owner.execute(_TOKEN, company_id, token_sha256)
        for statement in (_DEPARTMENTS, _PEOPLE):
            await owner.execute(statement, company_id, people)
        for statement in (_FINDING, _EVENTS):
            await owner.execute(statement, company_id)
