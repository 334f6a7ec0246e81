"""Access tokens in directory: for whom, for how long, and that what they were issued for takes them with it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

import pytest

from directory import metrics
from directory.companies import deleting, ending
from directory.database import Actor, CompanyTx, Database
from directory.findings.store import open_findings
from directory.oauth import operations as do
from directory.oauth import setting_up
from directory.oauth.store import turn
from directory.settings import DatabaseSettings
from directory.sweep import sweep
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import ScimCredential
from shared.schemas.oauth import AccessTokenIssued, FindFederation, RedeemAssertion, RedeemSecret
from shared.tokens import sha256
from tests.support.clock import SettableClock
from tests.support.firm import Firm

DoneT = TypeVar("DoneT")
YEAR = timedelta(days=365)
SUBJECT = "44444444-4444-4444-8444-444444444444"
AUDIENCE = "api://55555555-5555-4555-8555-555555555555"


@pytest.fixture
async def owner(firm: Firm, firm_clock: SettableClock) -> AsyncIterator[Database]:
    async with Database(firm.urls.owner, clock=firm_clock, min_size=1, max_size=4) as database:
        yield database


class Elapsed:
    """Lets time pass for directory, from the machine's own."""

    def __init__(self, clock: SettableClock) -> None:
        self._clock = clock

    def __call__(self, **span: float) -> None:
        self._clock.set(datetime.now(UTC) + timedelta(**span))


@pytest.fixture
def after(firm_clock: SettableClock) -> Iterator[Elapsed]:
    yield Elapsed(firm_clock)
    firm_clock.set(None)


@pytest.fixture
def operator(owner: Database) -> "Operator":
    return Operator(owner)


class Operator:
    """Runs what the command would, in any firm."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def act(self, firm: Firm, step: Callable[[CompanyTx], Awaitable[DoneT]]) -> DoneT:
        async with self.database.scope_for_id(firm.company_id).transaction(Actor("operator", "test")) as tx:
            return await step(tx)

    async def secret(self, firm: Firm, lifetime: timedelta = YEAR, **of: setting_up.Connection) -> str:
        return (await self.act(firm, lambda tx: setting_up.issue_secret(tx, lifetime, **of))).secret

    async def trust(self, firm: Firm, *, tenant: str = "", audience: str = AUDIENCE) -> setting_up.Trusted:
        issuer = issuer_of(tenant or await tenant_of(firm))
        return await self.act(firm, lambda tx: setting_up.trust(tx, issuer=issuer, audience=audience, subject=SUBJECT))


async def tenant_of(firm: Firm) -> str:
    return str((await firm.as_owner("select tenant_id from connections"))[0]["tenant_id"])


def issuer_of(tenant: str) -> str:
    return f"https://login.microsoftonline.com/{tenant}/v2.0"


async def redeem(firm: Firm, secret: str, **other: str) -> tuple[Firm, AccessTokenIssued]:
    """The firm as the access token reaches it."""
    token = secrets.token_hex(16)
    wanted = {"company": firm.name, "client_id": firm.name, **other}
    issued = await do.redeem_secret(
        firm.database, RedeemSecret(**wanted, secret_sha256=sha256(secret).hex(), token_sha256=sha256(token).hex())
    )
    return reached(firm, token), issued


async def redeem_assertion(firm: Firm, *, tenant: str = "", audience: str = AUDIENCE, **other: str) -> Firm:
    claims = {"issuer": issuer_of(tenant or await tenant_of(firm)), "audience": audience, "subject": SUBJECT}
    asked = FindFederation(**{"company": firm.name, **claims, **other})
    found = await do.find_federation(firm.database, asked)
    token = secrets.token_hex(16)
    await do.redeem_assertion(
        firm.database,
        RedeemAssertion(company=asked.company, federation_id=found.federation_id, token_sha256=sha256(token).hex()),
    )
    return reached(firm, token)


def reached(firm: Firm, token: str) -> Firm:
    credential = ScimCredential(token_sha256=sha256(token).hex(), company=firm.name)
    return Firm(firm.database, firm.urls, firm.company_id, firm.name, credential)


async def refused(attempt: Awaitable[object]) -> DomainError:
    with pytest.raises(DomainError) as error:
        await attempt
    return error.value


async def code(attempt: Awaitable[object]) -> ErrorCode:
    return (await refused(attempt)).code


async def prepare_move(firm: Firm) -> str:
    """The tenant to which it is prepared."""
    tenant = uuid4()
    await firm.as_owner(
        "insert into next_connections (company_id, tenant_id, app_id, sso_enabled, login_url, issuer, signed, idp_initiated, "
        "group_check, email_domains, provisioning_enabled, provisioning_strict, prepared_at) "
        "values ($1, $2, $2, true, '', '', 'assertion', 'true', 'off', '{}', true, false, now())",
        firm.company_id,
        tenant,
    )
    return str(tenant)


# Secrets


async def test_an_access_token_provisions_for_an_hour(firm: Firm, operator: Operator, after: Elapsed) -> None:
    """gallery 21: it wants a life of 60 to 360 minutes."""
    entra, issued = await redeem(firm, await operator.secret(firm))
    assert issued.expires_in_s == 3600
    await entra.create()
    after(minutes=59)
    assert (await entra.find()).total == 1
    after(minutes=61)
    assert await code(entra.find()) is ErrorCode.unauthorized
    assert (await firm.find()).total == 1


async def test_the_history_names_the_secret_and_not_the_token_of_an_hour(firm: Firm, operator: Operator) -> None:
    entra, issued = await redeem(firm, await operator.secret(firm))
    await entra.create()
    rows = await firm.as_owner("select actor_kind, actor_id from events where kind = 'employee.created'")
    assert [tuple(row) for row in rows] == [("entra", issued.issued_for)]
    assert issued.issued_for.startswith("sec_")


async def test_several_secrets_live_side_by_side_and_each_shows_its_last_use(firm: Firm, operator: Operator) -> None:
    old, new = await operator.secret(firm), await operator.secret(firm)
    await redeem(firm, old)
    shown = (await operator.act(firm, setting_up.read))["secrets"]
    assert [one["last_used_at"] is not None for one in shown] == [True, False]
    await redeem(firm, new)
    assert all(one["last_used_at"] for one in (await operator.act(firm, setting_up.read))["secrets"])


async def test_who_revokes_a_secret_ends_its_access_tokens_and_no_others(firm: Firm, operator: Operator) -> None:
    first, issued = await redeem(firm, await operator.secret(firm))
    second, _ = await redeem(firm, other := await operator.secret(firm))
    await operator.act(firm, lambda tx: setting_up.revoke_secret(tx, issued.issued_for))
    assert await code(first.find()) is ErrorCode.unauthorized
    assert (await second.find()).total == 0
    await redeem(firm, other)
    again = await refused(operator.act(firm, lambda tx: setting_up.revoke_secret(tx, issued.issued_for)))
    assert again.code is ErrorCode.not_found
    assert "lists them" in again.detail


async def test_a_secret_that_is_revoked_while_a_token_is_being_issued_takes_it_along(
    firm: Firm, operator: Operator
) -> None:
    """Whichever comes first: the token has no state of its own."""
    for _ in range(5):
        secret = await operator.secret(firm)
        secret_id = (await operator.act(firm, setting_up.read))["secrets"][-1]["secret_id"]

        async def revoke(secret_id: str = secret_id) -> None:
            await operator.act(firm, lambda tx: setting_up.revoke_secret(tx, secret_id))

        token, _ = await asyncio.gather(redeem(firm, secret), revoke(), return_exceptions=True)
        if isinstance(token, tuple):
            assert await code(token[0].find()) is ErrorCode.unauthorized


async def test_an_expired_secret_is_refused_and_so_are_its_tokens(
    firm: Firm, operator: Operator, after: Elapsed
) -> None:
    secret = await operator.secret(firm, timedelta(minutes=30))
    entra, _ = await redeem(firm, secret)
    after(minutes=31)
    assert await code(redeem(firm, secret)) is ErrorCode.unauthorized
    assert await code(entra.find()) is ErrorCode.unauthorized


async def test_whatever_is_wrong_with_a_token_request_the_refusal_is_the_same(
    firm: Firm, other_firm: Firm, operator: Operator
) -> None:
    secret = await operator.secret(firm)
    attempts = [
        redeem(firm, "wrong"),
        redeem(firm, secret, client_id="somebody-else"),
        redeem(firm, secret, client_id=""),
        redeem(firm, secret, client_id="\ud800"),
        redeem(firm, secret, company=other_firm.name),
        redeem(firm, secret, company=other_firm.name, client_id=other_firm.name),
        redeem(firm, secret, company="nobody-at-all"),
        redeem(other_firm, await operator.secret(firm)),
    ]
    assert {(error.code, str(error.field)) for error in [await refused(one) for one in attempts]} == {
        (ErrorCode.unauthorized, "None")
    }
    rows = await firm.as_owner("select count(*) as many from access_tokens where company_id = $1", firm.company_id)
    assert rows[0]["many"] == 0


async def test_an_access_token_of_one_company_is_a_wrong_one_for_another(
    firm: Firm, other_firm: Firm, operator: Operator
) -> None:
    entra, _ = await redeem(firm, await operator.secret(firm))
    abroad = ScimCredential(token_sha256=entra.credential.token_sha256, company=other_firm.name)
    there = Firm(firm.database, firm.urls, other_firm.company_id, other_firm.name, abroad)
    wrong = Firm(
        firm.database, firm.urls, firm.company_id, firm.name, ScimCredential(token_sha256="0" * 64, company="x")
    )
    assert str(await refused(there.find())) == str(await refused(wrong.find()))


async def test_a_closed_company_gets_tokens_that_are_told_why_they_are_refused(firm: Firm, operator: Operator) -> None:
    secret = await operator.secret(firm)
    await operator.act(firm, lambda tx: ending.close(tx, timedelta(days=1)))
    entra, _ = await redeem(firm, secret)
    assert await code(entra.find()) is ErrorCode.not_allowed


async def test_sweep_removes_expired_access_tokens_and_lets_secrets_be(firm: Firm, operator: Operator) -> None:
    secret = await operator.secret(firm)
    await redeem(firm, secret)
    await firm.as_owner("update access_tokens set expires_at = now()")
    _, kept = await redeem(firm, secret)
    assert (await sweep(DatabaseSettings(database_url=firm.urls.owner)))["access tokens"] >= 1
    rows = await firm.as_owner(
        "select (select count(*) from access_tokens) as public, count(*) as registry from registry.access_tokens "
        "where company_id = $1",
        firm.company_id,
    )
    assert (rows[0]["public"], rows[0]["registry"]) == (1, 1)
    assert kept.issued_for == (await operator.act(firm, setting_up.read))["secrets"][0]["secret_id"]


async def test_nothing_in_the_clear_is_stored(firm: Firm, operator: Operator) -> None:
    secret = await operator.secret(firm)
    await redeem(firm, secret)
    for table in ("oauth_secrets", "access_tokens", "events"):
        rows = await firm.as_owner(f"select string_agg(t::text, '') as all from {table} t")  # noqa: S608
        assert secret not in rows[0]["all"]


# Federations


async def test_an_assertion_of_the_company_s_tenant_is_given_a_token(firm: Firm, operator: Operator) -> None:
    trusted = await operator.trust(firm, audience=f"{AUDIENCE}/.default")
    entra = await redeem_assertion(firm)
    await entra.create()
    rows = await firm.as_owner("select actor_id from events where kind = 'employee.created'")
    assert [row["actor_id"] for row in rows] == [trusted.federation_id]
    (shown,) = (await operator.act(firm, setting_up.read))["federations"]
    assert (shown["audience"], shown["last_used_at"] is not None) == (f"{AUDIENCE}/.default", True)


@pytest.mark.parametrize("pasted", [AUDIENCE, f"{AUDIENCE}/.default"])
@pytest.mark.parametrize("sent", [AUDIENCE, f"{AUDIENCE}/.default"])
async def test_audiences_are_compared_with_and_without_default(
    firm: Firm, operator: Operator, pasted: str, sent: str
) -> None:
    await operator.trust(firm, audience=pasted)
    await redeem_assertion(firm, audience=sent)
    assert await code(redeem_assertion(firm, audience=sent.removeprefix("api://"))) is ErrorCode.unauthorized


async def test_whatever_is_not_trusted_is_refused_alike(firm: Firm, other_firm: Firm, operator: Operator) -> None:
    """Two companies of one tenant may share issuer, audience and subject: each trusts for itself."""
    tenant = await tenant_of(firm)
    await other_firm.as_owner("update connections set tenant_id = $1", UUID(tenant))
    await operator.trust(firm)
    attempts = [
        redeem_assertion(other_firm, tenant=tenant),
        redeem_assertion(firm, company="nobody-at-all"),
        redeem_assertion(firm, client_id=other_firm.name),
        redeem_assertion(firm, subject="somebody"),
        redeem_assertion(firm, audience=f"{AUDIENCE}x"),
        redeem_assertion(firm, tenant=str(uuid4())),
    ]
    assert len({str(await refused(one)) for one in attempts}) == 1
    await operator.trust(other_firm)
    await redeem_assertion(other_firm)
    assert await code(redeem_assertion(firm, client_id=other_firm.name)) is ErrorCode.unauthorized
    await redeem_assertion(firm, client_id=firm.name)


async def test_a_federation_that_is_revoked_takes_its_tokens_with_it(firm: Firm, operator: Operator) -> None:
    trusted = await operator.trust(firm)
    assert await code(operator.trust(firm, audience=f"{AUDIENCE}/.default")) is ErrorCode.already_exists
    entra = await redeem_assertion(firm)
    await operator.act(firm, lambda tx: setting_up.distrust(tx, trusted.federation_id))
    assert await code(entra.find()) is ErrorCode.unauthorized
    late = RedeemAssertion(company=firm.name, federation_id=trusted.federation_id, token_sha256="0" * 64)
    assert await code(do.redeem_assertion(firm.database, late)) is ErrorCode.unauthorized
    await operator.trust(firm)
    await redeem_assertion(firm)


@pytest.mark.parametrize(
    ("claims", "field"),
    [
        ({"issuer": "https://sts.windows.net/{tenant}/"}, "issuer"),
        ({"issuer": "https://login.microsoftonline.com/{tenant}"}, "issuer"),
        ({"issuer": "http://login.microsoftonline.com/{tenant}/v2.0"}, "issuer"),
        ({"issuer": "https://login.microsoftonline.com:8443/{tenant}/v2.0"}, "issuer"),
        ({"issuer": "https://user@login.microsoftonline.com/{tenant}/v2.0"}, "issuer"),
        ({"issuer": "https://login.microsoftonline.com/common/v2.0"}, "issuer"),
        ({"audience": ""}, "audience"),
        ({"audience": "api://x y"}, "audience"),
        ({"subject": "a\nb"}, "subject"),
        ({"subject": "å"}, "subject"),
        ({"subject": "x" * 256}, "subject"),
    ],
)
async def test_what_entra_would_never_send_is_not_trusted(
    firm: Firm, operator: Operator, claims: dict[str, str], field: str
) -> None:
    tenant = await tenant_of(firm)
    wanted = {"issuer": issuer_of(tenant), "audience": AUDIENCE, "subject": SUBJECT}
    wanted |= {name: value.format(tenant=tenant) for name, value in claims.items()}
    error = await refused(operator.act(firm, lambda tx: setting_up.trust(tx, **wanted)))
    assert (error.code, error.field) == (ErrorCode.invalid_value, field)


async def test_a_company_trusts_its_own_tenant_alone(firm: Firm, operator: Operator) -> None:
    error = await refused(operator.trust(firm, tenant=str(uuid4())))
    assert (error.code, error.field) == (ErrorCode.not_allowed, "issuer")
    assert await tenant_of(firm) in error.detail
    assert (await operator.trust(firm, tenant=(await tenant_of(firm)).upper())).connection == "live"


# The move


async def test_what_a_tenant_that_was_left_had_is_refused_and_counted(firm: Firm, operator: Operator) -> None:
    """S70: its tokens in hand, and those it would like to have."""
    secret, tenant = await operator.secret(firm), await prepare_move(firm)
    await operator.trust(firm)
    held, federated = (await redeem(firm, secret))[0], await redeem_assertion(firm)
    coming, _ = await redeem(firm, await operator.secret(firm, connection="next"))
    await operator.trust(firm, tenant=tenant)
    coming_federated = await redeem_assertion(firm, tenant=tenant)
    for entra in (coming, coming_federated):
        assert (await entra.find()).total == 0
        assert await code(entra.create()) is ErrorCode.not_allowed
    before = metrics.RETIRED_SOURCE_CALLS._value.get()
    await operator.act(firm, turn)
    for attempt in (held.find(), federated.find(), redeem(firm, secret), redeem_assertion(firm)):
        assert await code(attempt) is ErrorCode.unauthorized
    assert metrics.RETIRED_SOURCE_CALLS._value.get() == before + 4
    await coming.create()
    assert (await coming_federated.find()).total == 1
    assert all(one["last_used_at"] for one in (await operator.act(firm, setting_up.read))["secrets"])


async def test_a_token_issued_at_the_moment_of_the_cut_over_is_retired_with_it(firm: Firm, operator: Operator) -> None:
    secret = await operator.secret(firm)
    asking = [asyncio.create_task(redeem(firm, secret)) for _ in range(8)]
    await operator.act(firm, turn)
    answered = await asyncio.gather(*asking, return_exceptions=True)
    for one in answered:
        if isinstance(one, tuple):
            assert await code(one[0].find()) is ErrorCode.unauthorized
        else:
            assert isinstance(one, DomainError)
            assert one.code is ErrorCode.unauthorized


# The end


async def test_nothing_of_it_outlives_the_company(firm: Firm, operator: Operator, owner: Database) -> None:
    secret = await operator.secret(firm)
    await operator.trust(firm)
    entra, _ = await redeem(firm, secret)
    federated = await redeem_assertion(firm)
    await operator.act(firm, lambda tx: ending.close(tx, timedelta(0)))
    await deleting.delete(owner, firm.name)
    for attempt in (redeem(firm, secret), entra.find(), federated.find()):
        assert await code(attempt) is ErrorCode.unauthorized
    (receipt,) = [one for one in await deleting.receipts(owner) if one.company == firm.name]
    deleted = {name: rows for name, rows in receipt.rows_deleted.items() if rows}
    assert deleted["public.access_tokens"] == 2
    assert deleted["public.oauth_secrets"] == deleted["public.federations"] == 1
    assert deleted["registry.access_tokens"] == 2
    assert deleted["registry.oauth_secrets"] == 1


async def test_what_ends_within_ninety_days_is_a_finding_until_it_is_revoked(
    firm: Firm, operator: Operator, after: Elapsed
) -> None:
    """The facts: a credential that expires unannounced stops provisioning, and with it offboarding, for a whole company."""
    first = await operator.act(firm, lambda tx: setting_up.issue_secret(tx, timedelta(days=365)))
    await operator.act(firm, lambda tx: setting_up.issue_secret(tx, timedelta(days=730)))
    token_id = f"tok_{firm.token_id.hex}"
    ends = datetime.now(UTC) + timedelta(days=400)
    await firm.as_owner("update scim_tokens set expires_at = $1", ends)

    async def found() -> dict[str, int]:
        seen = await operator.act(firm, open_findings)
        return {one.subject: one.details["days"] for one in seen if one.kind == "credential_expires"}

    assert await found() == {}
    after(days=274)
    assert await found() == {}
    after(days=300)
    assert await found() == {first.secret_id: 65}
    after(days=370)
    assert await found() == {first.secret_id: -5, token_id: 30}
    await operator.act(firm, lambda tx: setting_up.revoke_secret(tx, first.secret_id))
    assert await found() == {token_id: 30}
    after(days=440)
    assert await found() == {}
