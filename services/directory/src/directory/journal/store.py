"""The journal, in SQL. The application writes and reads it; trimming and erasing are the owner's."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from directory.database import CompanyTx, statement
from directory.journal.entries import SAME, Row
from shared.ids import EmployeeId, ExchangeId, earliest_uuid7, employee_text

# An exchange that is given twice, because the answer was lost, is written once.
_INSERT = statement(
    "exchanges.insert_exchanges",
    """
    with written as (
        insert into exchanges (company_id, exchange_id, credential, method, path, query, activity_id, request_id, status, result,
            scim_type, detail, took_ms, refused, body, body_bytes, told, asked, about, keys)
        select $1, e.exchange_id, $2, e.method, e.path, e.query, e.activity_id, e.request_id, e.status, e.result, e.scim_type,
            e.detail, e.took_ms, e.refused, e.body, e.body_bytes, e.told::jsonb, e.asked::jsonb,
            array(select jsonb_array_elements_text(e.about::jsonb)::uuid), array(select jsonb_array_elements_text(e.keys::jsonb))
        from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[], $10::text[], $11::text[],
                $12::text[], $13::real[], $14::boolean[], $15::text[], $16::int[], $17::text[], $18::text[], $19::text[],
                $20::text[])
            as e (exchange_id, method, path, query, activity_id, request_id, status, result, scim_type, detail, took_ms, refused,
                body, body_bytes, told, asked, about, keys)
        on conflict do nothing
        returning exchange_id
    ), named as (
        insert into exchange_people (company_id, key, exchange_id, tie)
        select $1, p.key, p.exchange_id, p.tie
        from unnest($21::text[], $22::uuid[], $23::text[]) as p (key, exchange_id, tie)
        join written on written.exchange_id = p.exchange_id
        returning 1
    )
    select count(*) from written
    """,
)

_SHOWN = """e.exchange_id, e.method, e.path, e.query, e.activity_id, e.request_id, e.status, e.result, e.scim_type, e.detail,
        e.took_ms, e.told, e.about, e.asked is not null as replayable"""

# Conditions that are not asked for fall away in the plan, which is made each time.
_PAGE = statement(
    "exchanges.page",
    f"""
    select {_SHOWN}
    from exchanges e
    where e.company_id = $1 and ($2::uuid is null or e.exchange_id < $2) and ($3::text is null or e.activity_id = $3)
        and (not $4 or e.refused)
    order by e.exchange_id desc
    limit $5
    """,  # noqa: S608  composed of constants
)

_PAGE_OF_PERSON = statement(
    "exchanges.page_of_person",
    f"""
    select {_SHOWN}
    from (
        select distinct exchange_id
        from exchange_people
        where company_id = $1 and ($2::uuid is null or exchange_id < $2)
            and (key = any($6::text[]) and tie <> 'aside' or key = any($7::text[]) and tie = 'name')
    ) as his
    join exchanges e on e.company_id = $1 and e.exchange_id = his.exchange_id
    where ($3::text is null or e.activity_id = $3) and (not $4 or e.refused)
    order by e.exchange_id desc
    limit $5
    """,  # noqa: S608
)

_ONE = statement(
    "exchanges.read",
    f"""
    select {_SHOWN}, e.credential, e.asked, e.body, e.body_bytes,
        coalesce(
            (select connection from scim_tokens where company_id = $1 and token_id = c.id),
            (select connection from oauth_secrets where company_id = $1 and secret_id = c.id),
            (select connection from federations where company_id = $1 and federation_id = c.id)) as connection,
        (select n.provisioning_enabled from connections n where n.company_id = $1) as provisioning_enabled
    from exchanges e cross join lateral (select substr(e.credential, 5)::uuid as id) c
    where e.company_id = $1 and e.exchange_id = $2
    """,  # noqa: S608
)

_WRITTEN = statement(
    "events.of_request",
    """
    select kind, employee_id, changes || coalesce(names, '{}') as changes
    from events
    where company_id = $1 and employee_id = any($2::uuid[]) and request_id = $3
    order by sequence
    """,
)

# Beside those of employees: the statement above knows whose it asks for, and this one finds by the request alone.
_WRITTEN_OF_GROUPS = statement(
    "events.of_request_about_groups",
    """
    select kind, employee_id, changes || coalesce(names, '{}') as changes
    from events
    where company_id = $1 and employee_id is null and request_id = $2
    order by sequence
    """,
)

_IDS_OF_NAME = statement(
    "exchange_people.ids_of_name",
    """
    select distinct unnest(e.about) as employee_id
    from exchange_people named
    join exchanges e on e.company_id = $1 and e.exchange_id = named.exchange_id
    where named.company_id = $1 and named.key = $2 and named.tie = 'about' and cardinality(e.about) = 1
    limit 100
    """,
)

_NAMES_NOW = statement(
    "employees.names_now",
    "select login_key, email_key, external_id from employees where company_id = $1 and employee_id = any($2::uuid[])",
)

_BEARER_NOW = statement(
    "employees.bearer_now",
    """
    select employee_id from employees where company_id = $1 and login_key = $2
    union
    select employee_id from employees where company_id = $1 and email_key = $2
    """,
)

_DAYS = statement("companies.journal_days", "select journal_days from companies where company_id = $1")

_TRIM = statement(
    "exchanges.trim",
    """
    with old as (
        select exchange_id, keys
        from exchanges
        where company_id = $1 and exchange_id < $2
        order by exchange_id
        limit $3
        for update skip locked
    ), unnamed as (
        delete from exchange_people p
        using (select exchange_id, unnest(keys) as key from old) as named
        where p.company_id = $1 and p.key = named.key and p.exchange_id = named.exchange_id
    )
    delete from exchanges e using old where e.company_id = $1 and e.exchange_id = old.exchange_id
    """,
)

_NAMES_KEPT = statement(
    "exchange_people.names",
    "select distinct key from exchange_people where company_id = $1 and key not like 'emp\\_%'",
)

# By name only what is not about somebody whose id was known: that is his, whoever bears the name.
_ERASE = statement(
    "exchanges.erase",
    """
    with his as (
        select e.exchange_id, e.keys
        from exchanges e
        where e.company_id = $1 and e.exchange_id in (
            select exchange_id
            from exchange_people
            where company_id = $1 and (key = any($2::text[]) or key = any($3::text[]) and tie <> 'about'))
    ), unnamed as (
        delete from exchange_people p
        using (select exchange_id, unnest(keys) as key from his) as named
        where p.company_id = $1 and p.key = named.key and p.exchange_id = named.exchange_id
    )
    delete from exchanges e using his where e.company_id = $1 and e.exchange_id = his.exchange_id
    """,
)


async def insert(tx: CompanyTx, rows: Sequence[Row]) -> int:
    """How many are new."""
    told = [(one.exchange_id, one.exchange, one) for one in rows]
    columns: list[list[object]] = [
        [key for key, _, _ in told],
        *([getattr(exchange, name) for _, exchange, _ in told] for name in SAME),
        [one.refused for one in rows],
        [exchange.body for _, exchange, _ in told],
        [exchange.body_bytes for _, exchange, _ in told],
        [one.told for one in rows],
        [one.asked for one in rows],
        [msgspec.json.encode(one.about).decode() for one in rows],
        [msgspec.json.encode(list(one.people)).decode() for one in rows],
    ]
    named: list[tuple[object, ...]] = [(key, one.exchange_id, tie) for one in rows for key, tie in one.people.items()]
    columns += [list(column) for column in zip(*named, strict=True)] or [[], [], []]
    written: int = await tx.fetchval(_INSERT, tx.company_id, tx.company.credential, *columns)
    return written


async def page(
    tx: CompanyTx, before: ExchangeId | None, activity_id: str | None, refused: bool, limit: int
) -> list[asyncpg.Record]:
    """Newest first."""
    return await tx.fetch(_PAGE, tx.company_id, before, activity_id, refused, limit)


async def page_of_person(
    tx: CompanyTx,
    before: ExchangeId | None,
    activity_id: str | None,
    refused: bool,
    limit: int,
    his: Sequence[str],
    maybe_his: Sequence[str],
) -> list[asyncpg.Record]:
    """What names him by any of `his` keys, and what knew somebody only by one of `maybe_his`."""
    return await tx.fetch(
        _PAGE_OF_PERSON, tx.company_id, before, activity_id, refused, limit, list(his), list(maybe_his)
    )


async def read(tx: CompanyTx, exchange_id: ExchangeId) -> asyncpg.Record | None:
    return await tx.fetchrow(_ONE, tx.company_id, exchange_id)


async def written(tx: CompanyTx, about: Sequence[uuid.UUID], request_id: str) -> list[asyncpg.Record]:
    """What one request wrote into the history of these, and of groups."""
    of_people = await tx.fetch(_WRITTEN, tx.company_id, list(about), request_id) if about else []
    return [*of_people, *await tx.fetch(_WRITTEN_OF_GROUPS, tx.company_id, request_id)]


async def ids_of_name(tx: CompanyTx, key: str) -> list[str]:
    """Ids of whoever was named so in the journal, and of who bears the name now."""
    then = await tx.fetch(_IDS_OF_NAME, tx.company_id, key)
    now = await tx.fetch(_BEARER_NOW, tx.company_id, key)
    return sorted({employee_text(row["employee_id"]) for row in (*then, *now)})


async def names_now(tx: CompanyTx, people: Sequence[EmployeeId]) -> list[str]:
    return [name for row in await tx.fetch(_NAMES_NOW, tx.company_id, people) for name in row.values() if name]


async def trim(tx: CompanyTx, limit: int) -> int:
    """The oldest of those whose time is over."""
    days: int = await tx.fetchval(_DAYS, tx.company_id)
    return await tx.execute(_TRIM, tx.company_id, _earliest(tx.now, days), limit)


def _earliest(now: datetime, days: int) -> uuid.UUID:
    return earliest_uuid7(now - timedelta(days=days))


async def names_kept(tx: CompanyTx) -> set[str]:
    """Every name in the journal, as its search key: reads the whole of it."""
    return {row["key"] for row in await tx.fetch(_NAMES_KEPT, tx.company_id)}


async def erase(tx: CompanyTx, erased: Sequence[EmployeeId], names: Sequence[str]) -> int:
    """All that names them: by id, or by a name of theirs that nobody bears now."""
    return await tx.execute(_ERASE, tx.company_id, [employee_text(one) for one in erased], list(names))
