"""Where a scope keeps its plans, each does for every company: it goes by whole keys, whatever statistics say of their sizes."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from directory.database import PLAN_KEPT_S, Database, Statement, statement
from directory.logins import operations as logins
from shared.clock import system_clock
from shared.schemas import login
from tests.support.clock import SettableClock
from tests.support.firm import Firm, Urls
from tests.support.grants import Phone
from tests.support.plans import sent_by
from tests.support.sign_ins import SignIns

PEOPLE = 2_000
SMALL = ("companies", "connections", "certificates", "groups", "findings")
"""Of which a company has a handful."""
_LARGE = (
    "insert into employees (company_id, employee_id, state, source, login_name, login_key, email, email_key, entra_object_id, "
    "given_name, family_name, created_at, updated_at) "
    "select $1, gen_random_uuid(), 'active', 'entra', n, n, n, n, gen_random_uuid(), 'A', 'H', now(), now() "
    "from generate_series(1, 2000) as i, lateral (select 'p' || i || '@firma.dk' as n) as name",
    "insert into login_flows (company_id, flow_id, browser_sha256, return_to, created_at, expires_at, attempt_id) "
    "select $1, '_' || md5(login_key), sha256(login_key::bytea), '/', now(), now() + interval '1 hour', login_key "
    "from employees where company_id = $1",
    "insert into login_tickets (company_id, ticket_sha256, employee_id, return_to, name_id, expires_at) "
    "select $1, sha256(employee_id::text::bytea), employee_id, '/', 'x', now() + interval '1 minute' "
    "from employees where company_id = $1",
    "insert into sessions (company_id, session_sha256, employee_id, name_id, signed_in_at, expires_at) "
    "select $1, sha256(employee_id::text::bytea), employee_id, 'x', now(), now() + interval '1 hour' "
    "from employees where company_id = $1",
    "insert into login_traces (company_id, login_trace_id, at, trace_id, outcome, idp_initiated, signer_fingerprint, details, "
    "attempt_id, flow_id, is_test, steps) "
    "select $1, gen_random_uuid(), now(), '', 'accepted', false, '', '{}', login_key, login_key, false, '[]' "
    "from employees where company_id = $1",
    "insert into app_grants (company_id, grant_id, session_id, client_id, redirect_uri, scopes, authenticated_at, code_sha256, "
    "code_challenge, code_expires_at, redeemed_at, refreshed_at, family_sha256, refresh_sha256) "
    "select $1, gen_random_uuid(), session_id, 'phone', '/', '{openid}', now(), session_sha256, session_sha256, now(), now(), "
    "now(), session_sha256, session_sha256 from sessions where company_id = $1",
)
_TABLES = ("employees", "login_flows", "login_tickets", "sessions", "login_traces", "app_grants")


@pytest.fixture(scope="module")
async def large(firm_database: Database, firm_urls: Urls) -> Firm:
    """A company of thousands among many that, by the statistics, have twenty rows each."""
    firm = await Firm.founded(firm_database, firm_urls)
    for one in _LARGE:
        await firm.as_owner(one, firm.company_id)
    owner = await asyncpg.connect(firm_urls.owner)
    for table in _TABLES:
        await owner.execute(f"alter table {table} alter company_id set (n_distinct = {-20 / PEOPLE})")
        await owner.execute(f"analyze {table}")
    await owner.close()
    return firm


@pytest.fixture(scope="module")
async def sign_ins(large: Firm, firm_clock: SettableClock) -> SignIns:
    return await SignIns.of(large, firm_clock)


async def _login(firm: Firm, sign_ins: SignIns) -> None:
    """Begun, completed, opened, read, once more instead of itself, dropped and ended."""
    anna = await firm.create(external_id=str(uuid4()))
    begun = await logins.begin_login(
        firm.database, login.BeginLogin(company=firm.name, browser_sha256="ab" * 32, return_to="/", ttl_s=600)
    )
    assert begun.flow_id
    session = await sign_ins.session_of(anna)
    await logins.read_session(firm.database, login.ReadSession(session=session))
    assert (await sign_ins.open(await sign_ins.accept(anna), instead_of=session)).opened
    await logins.drop_ticket(
        firm.database,
        login.DropTicket(
            company_id=str(firm.company_id), ticket_sha256=await sign_ins.accept(anna), browsers_sha256=[]
        ),
    )
    await logins.get_connection(firm.database, login.GetConnection(company=firm.name))
    eva = await firm.create(login="eva@firma.dk", external_id=str(uuid4()))
    asked = await sign_ins.open(await sign_ins.accept(eva), instead_of=await sign_ins.session_of(anna))
    assert asked.choice is not None


async def _app(firm: Firm, sign_ins: SignIns) -> None:
    """Comes in, asks, refreshes, repeats what counts once, and gives back; on a browser's session and on one of its own."""
    bo = await firm.create(login="bo@firma.dk", external_id=str(uuid4()))
    for scopes in (["openid"], ["openid", "offline_access"]):
        phone = Phone(firm, await sign_ins.session_of(bo), scopes)
        grant = await phone.holds()
        assert await phone.is_read(grant.grant_id)
        assert await phone.is_read()
        assert (await phone.refreshes()).grant is not None
        assert await phone.gives_back(grant_id=grant.grant_id)
        misused = Phone(firm, await sign_ins.session_of(bo), scopes)
        await misused.holds()
        assert (await misused.redeems()).grant is None


@pytest.mark.parametrize(
    ("work", "known"),
    [
        pytest.param(_login, {"login_flows.use_up", "login_tickets.ask", "sessions.open", "sessions.read"}, id="login"),
        pytest.param(
            _app, {"app_grants.redeem", "app_grants.rotate", "app_grants.read", "app_grants.to_end"}, id="app"
        ),
    ],
)
async def test_every_statement_goes_by_whole_keys_in_a_plan_for_any_values(
    large: Firm,
    sign_ins: SignIns,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[Firm, SignIns], Awaitable[None]],
    known: set[str],
) -> None:
    sent = await sent_by(monkeypatch, lambda: work(large, sign_ins))
    plans = {question.full_name: await _kept(large, question, len(values)) for question, values in sent}
    assert known <= set(plans)
    found = {name: wrong for name, plan in plans.items() if (wrong := _by_half_a_key(plan))}
    assert not found, "\n".join(f"{name}:\n{plans[name]}" for name in found)


async def _kept(firm: Firm, question: Statement, count: int) -> str:
    """The plan that is made without looking at the values."""
    nothing = ", ".join(["null"] * count)
    async with firm.database.scope_for_id(firm.company_id, keeps_plans=True).transaction() as tx:
        connection = tx._connection
        await connection.execute(f"set local plan_cache_mode = force_generic_plan; prepare kept as {question.sql}")
        rows = await connection.fetch(f"explain execute kept ({nothing})" if count else "explain execute kept")
        await connection.execute("deallocate kept")
    return "\n".join(row[0] for row in rows)


def _by_half_a_key(plan: str) -> list[str]:
    """The scans of a table of many rows that read all of a company, or everything."""
    lines = plan.splitlines()
    scans = [
        (line, next((one for one in lines[at + 1 : at + 4] if re.search("(Index|Recheck) Cond", one)), ""))
        for at, line in enumerate(lines)
        if re.search(r"(?<!Bitmap )(Index|Index Only|Seq) Scan (using|on)|Bitmap Heap Scan", line)
    ]
    return [
        line.strip()
        for line, condition in scans
        if not any(re.search(rf"\bon {table}\b", line) for table in SMALL)
        and (" AND " not in condition or "Seq Scan" in line)
    ]


async def test_that_is_noticed_where_a_plan_reads_a_company(large: Firm) -> None:
    by_half = statement("test.by_half", "select 1 from employees where company_id = $1 and given_name = $2")
    assert _by_half_a_key(await _kept(large, by_half, 2))


_HOW = statement(
    "test.how", "select current_setting('plan_cache_mode') || ' ' || current_setting('enable_seqscan') as how"
)


async def test_plans_are_kept_behind_the_doors_that_say_so_and_nowhere_else(firm_urls: Urls, firm: Firm) -> None:
    """On one connection, so that whoever comes next has the same."""
    async with Database(firm_urls.app, clock=system_clock, min_size=1, max_size=1) as database:

        async def how(**kept: bool) -> list[str]:
            found = []
            for scope in (
                database.scope_for_name(firm.name, **kept),
                database.scope_for_id(firm.company_id, **kept),
            ):
                async with scope.transaction() as tx:
                    found.append(await tx.fetchval(_HOW))
            return found

        for _ in range(2):
            assert await how(keeps_plans=True) == ["auto off"] * 2
            assert await how() == ["force_custom_plan on"] * 2


async def test_a_kept_plan_grows_a_minute_old_at_most(firm_database: Database) -> None:
    async with firm_database.connection() as connection:
        settings: Any = connection
        assert settings._con._config.max_cached_statement_lifetime == PLAN_KEPT_S == 60
