"""Whose federation metadata is due when: claims that processes share, what a look writes, and what the company sees."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from directory import metrics
from directory.companies import signing
from directory.companies.ending import close, restore
from directory.companies.metadata_looks import EVERY, GRACE, SPREAD
from directory.cycles.counting import count
from directory.database import Database
from directory.findings.store import open_findings
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.metadata import (
    ClaimMetadataLooks,
    DueLook,
    MetadataLooks,
    NoteFailedLook,
    OfferCertificates,
    OfferedCertificates,
)
from shared.schemas.people import Finding
from shared.schemas.signing import ListCertificates
from tests.integration.test_certificates import added, fingerprint, pasted, published
from tests.support.clock import SettableClock, until
from tests.support.command import Command
from tests.support.firm import Firm, Urls
from tests.support.plans import plans_of, scanned
from tests.support.stack import GATEWAY_SECRET, SCIM_SECRET

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock(firm_clock: SettableClock) -> Iterator[SettableClock]:
    # What is not due yet when a firm is founded is, a second later.
    firm_clock.set(datetime.now(UTC) + timedelta(days=1))
    yield firm_clock
    firm_clock.set(None)


@pytest.fixture
async def gateway(firm_service: str) -> AsyncIterator[DirectoryClient]:
    async with DirectoryClient(firm_service, GATEWAY_SECRET) as client:
        yield client


@pytest.fixture
async def registry(firm_urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    """As the tables' owner, over all companies."""
    connection = await asyncpg.connect(firm_urls.owner)
    yield connection
    await connection.close()


@pytest.fixture
def operator(firm_urls: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", firm_urls.owner)
    return Command(capsys)


@pytest.fixture(autouse=True)
async def alone(clock: SettableClock, registry: asyncpg.Connection) -> None:
    """None of the tests before is due any more."""
    await registry.execute("update registry.metadata_looks set due_at = 'infinity'")


async def claimed(gateway: DirectoryClient, most: int = 100) -> list[str]:
    return [one.company for one in await due(gateway, most)]


async def due(gateway: DirectoryClient, most: int = 100) -> list[DueLook]:
    return (await gateway.claim_metadata_looks(ClaimMetadataLooks(most=most))).due


async def uses(firm: Firm, use: str, clock: SettableClock) -> None:
    await firm.as_owner("update companies set metadata_use = $1, updated_at = $2", use, clock())


async def offered(gateway: DirectoryClient, firm: Firm, metadata: str) -> OfferedCertificates:
    """`metadata`: or the certificates in it."""
    document = published(metadata) if metadata.startswith("-----BEGIN") else metadata
    return await gateway.offer_certificates(OfferCertificates(company=firm.name, metadata=document))


async def fails(gateway: DirectoryClient, firm: Firm, reason: str) -> None:
    await gateway.note_failed_look(NoteFailedLook(company=firm.name, reason=reason))


async def looks(firm: Firm) -> MetadataLooks:
    async with firm.operator() as tx:
        return await signing.metadata_looks(tx)


async def found(firm: Firm, kind: str) -> list[Finding]:
    async with firm.operator() as tx:
        return [one for one in await open_findings(tx) if one.kind == kind]


async def versions(firm: Firm) -> dict[str, Any]:
    """Every row of the company by the transaction that wrote or locked it last: what nobody has touched is the same."""
    seen = {}
    for table in ("companies", "connections", "certificates", "findings", "events", "registry.metadata_looks"):
        rows = await firm.as_owner(
            f"select xmin::text, xmax::text, ctid::text from {table} where company_id = $1 order by 3",  # noqa: S608
            firm.company_id,
        )
        seen[table] = [tuple(row) for row in rows]
    return seen


async def test_a_company_is_due_at_once_and_then_within_the_hour_again_and_again(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock
) -> None:
    (first,) = await due(gateway)
    rows = await firm.as_owner("select tenant_id::text, app_id::text, login_url from connections")
    assert first == DueLook(company=firm.name, failure=None, **dict(rows[0]))
    for _ in range(5):
        assert await claimed(gateway) == []
        clock.set(clock() + EVERY - SPREAD - MINUTE)
        assert await claimed(gateway) == [], "not sooner than that"
        clock.set(clock() + SPREAD + MINUTE)
        assert await claimed(gateway) == [firm.name]


async def test_companies_that_were_set_up_together_come_apart(
    firm: Firm, other_firm: Firm, gateway: DirectoryClient, registry: asyncpg.Connection, clock: SettableClock
) -> None:
    assert len(await claimed(gateway)) == 2
    rows = await registry.fetch(
        "select due_at from registry.metadata_looks where company_id = any($1)",
        [firm.company_id, other_firm.company_id],
    )
    moments = {row["due_at"] for row in rows}
    assert len(moments) == 2
    assert all(clock() + EVERY - SPREAD <= moment <= clock() + EVERY for moment in moments)


async def test_two_processes_never_claim_the_same(
    firm_database: Database, firm_urls: Urls, gateway: DirectoryClient
) -> None:
    firms = {(await Firm.founded(firm_database, firm_urls)).name for _ in range(30)}
    shares = await asyncio.gather(*(claimed(gateway, 4) for _ in range(12)))
    together = [name for share in shares for name in share]
    together += await claimed(gateway)
    assert sorted(together) == sorted(firms)
    assert max(map(len, shares)) == 4


async def test_what_somebody_is_claiming_or_changing_at_the_moment_is_passed_over(
    firm: Firm, other_firm: Firm, gateway: DirectoryClient, registry: asyncpg.Connection
) -> None:
    async with registry.transaction():
        await registry.execute(
            "select 1 from registry.metadata_looks where company_id = $1 for update", firm.company_id
        )
        assert await claimed(gateway) == [other_firm.name], "without waiting"
    assert await claimed(gateway) == [firm.name]


async def test_off_is_never_and_on_is_at_once(firm: Firm, gateway: DirectoryClient, clock: SettableClock) -> None:
    await uses(firm, "off", clock)
    assert await claimed(gateway) == []
    clock.set(clock() + timedelta(days=1))
    assert await claimed(gateway) == []
    assert await looks(firm) == MetadataLooks(use="off")
    for use in ("propose", "adopt"):
        await uses(firm, use, clock)
        assert await claimed(gateway) == [firm.name]
        assert await claimed(gateway) == []
    await uses(firm, "adopt", clock)
    assert await claimed(gateway) == [], "nothing changed"


async def test_a_closed_company_is_never_looked_at_and_a_restored_one_at_once(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock, firm_urls: Urls
) -> None:
    assert await claimed(gateway) == [firm.name]
    async with Database(firm_urls.owner, clock=clock, min_size=1) as owner:
        async with owner.scope_for_name(firm.name).transaction() as tx:
            await close(tx, timedelta(days=30))
        clock.set(clock() + timedelta(days=1))
        assert await claimed(gateway) == []
        async with owner.scope_for_name(firm.name).transaction() as tx:
            await restore(tx)
    assert await claimed(gateway) == [firm.name]


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ("login_url = ''", False),
        ("login_url = 'https://login.microsoftonline.com/x/saml2'", True),
        ("app_id = gen_random_uuid()", True),
        ("tenant_id = gen_random_uuid()", True),
        ("sso_enabled = not sso_enabled", None),
        ("login_url = login_url", None),
    ],
)
async def test_another_app_or_address_is_looked_at_at_once_and_none_never(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock, change: str, again: bool | None
) -> None:
    """None: goes on as it was."""
    assert await claimed(gateway) == [firm.name]
    await fails(gateway, firm, "timeout")
    await firm.as_owner(f"update connections set {change}, updated_at = $1", clock())  # noqa: S608
    assert (await looks(firm)).failure == ("timeout" if again is None else None), (
        "of the former app, which is forgotten"
    )
    assert await claimed(gateway) == ([firm.name] if again else [])
    clock.set(clock() + EVERY)
    assert await claimed(gateway) == ([] if again is False else [firm.name])


async def test_what_a_process_that_died_had_claimed_comes_again_after_an_hour(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock
) -> None:
    assert await claimed(gateway) == [firm.name]  # and nothing more is heard of it
    clock.set(clock() + EVERY)
    assert await claimed(gateway) == [firm.name]


@pytest.mark.parametrize("use", ["propose", "adopt"])
async def test_a_look_that_finds_nothing_new_writes_nothing_but_its_claim(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock, use: str
) -> None:
    known, new = pasted(), pasted()
    await added(firm, known)
    await uses(firm, use, clock)
    first = await offered(gateway, firm, known + new)
    assert (first.adopted, first.offered) == ((1, 0) if use == "adopt" else (0, 1))
    before = await versions(firm)
    for _ in range(2):
        again = await offered(gateway, firm, known + new)
        assert (again.adopted, again.offered) == (0, 0)
    assert await versions(firm) == before
    assert [one.times for one in await found(firm, "certificate_offered")] == ([1] if use == "propose" else [])


@pytest.mark.parametrize("use", ["propose", "adopt"])
async def test_two_who_bring_the_same_news_at_once_tell_it_once(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock, use: str
) -> None:
    """A look, and an unknown signer's."""
    known, new = pasted(), pasted()
    await added(firm, known)
    await uses(firm, use, clock)
    async with firm.owner() as owner:
        await owner.execute("select 1 from companies where company_id = $1 for update", firm.company_id)
        bringing = [asyncio.create_task(offered(gateway, firm, known + new)) for _ in range(3)]
        await until(lambda: waiting(firm, 3))
    told = [await one for one in bringing]
    assert sum(one.adopted for one in told) == (use == "adopt")
    assert sum(one.offered for one in told) == (use == "propose")
    assert [one.times for one in await found(firm, "certificate_offered")] == ([1] if use == "propose" else [])


async def waiting(firm: Firm, many: int) -> bool:
    """For a row that somebody else holds."""
    (row,) = await firm.as_owner("select count(*) from pg_locks where not granted")
    return bool(row["count"] >= many)


async def test_an_offer_that_entra_does_not_make_any_more_is_closed(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock
) -> None:
    known, new, newer = pasted(), pasted(), pasted()
    await added(firm, known)
    await offered(gateway, firm, known + new)
    await offered(gateway, firm, known + newer)
    assert [one.subject for one in await found(firm, "certificate_offered")] == [fingerprint(newer)]
    await offered(gateway, firm, known + new + newer)
    assert len(await found(firm, "certificate_offered")) == 2
    await uses(firm, "adopt", clock)
    assert (await offered(gateway, firm, known + new + newer)).adopted == 2
    assert await found(firm, "certificate_offered") == []


async def test_a_look_that_fails_is_with_the_company_until_one_succeeds(
    firm: Firm, other_firm: Firm, gateway: DirectoryClient, clock: SettableClock
) -> None:
    known = pasted()
    await added(firm, known)
    assert (await looks(firm)).looked_at is None
    await claimed(gateway)
    since = clock()
    assert (await looks(firm)).looked_at == since
    await fails(gateway, firm, "timeout")
    clock.set(since + EVERY)
    assert {one.company: one.failure for one in await due(gateway)} == {firm.name: "timeout", other_firm.name: None}
    before = await versions(firm)
    await fails(gateway, firm, "timeout")
    assert await versions(firm) == before, "the same again is nothing new"
    await fails(gateway, firm, "status_404")
    seen = await looks(firm)
    assert (seen.failing_since, seen.failure, seen.looked_at) == (since, "status_404", since + EVERY)
    assert await found(firm, "metadata_not_read") == [], "an hour or two are nothing to write about"
    clock.set(since + timedelta(days=1, hours=1))
    (told,) = await found(firm, "metadata_not_read")
    assert (told.subject, told.details["reason"], told.opened_at) == ("company", "status_404", since)
    assert await found(other_firm, "metadata_not_read") == []
    await offered(gateway, firm, known)
    assert (await looks(firm)).failing_since is None
    assert await found(firm, "metadata_not_read") == []


async def test_what_is_not_the_company_s_metadata_does_not_end_a_failure(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock
) -> None:
    await fails(gateway, firm, "timeout")
    with pytest.raises(DomainError) as refused:
        await offered(gateway, firm, "<html>Sign in</html>")
    assert refused.value.code is ErrorCode.invalid_value
    assert (await looks(firm)).failure == "timeout"


async def test_a_certificate_by_itself_is_no_metadata_however_good_it_is(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock
) -> None:
    """Nobody has pasted it, and it does not say whose it is."""
    await uses(firm, "adopt", clock)
    with pytest.raises(DomainError) as refused:
        await gateway.offer_certificates(OfferCertificates(company=firm.name, metadata=pasted()))
    assert refused.value.code is ErrorCode.invalid_value
    assert "no federation metadata" in refused.value.detail
    async with firm.operator() as tx:
        assert await signing.read(tx) == []


async def test_a_host_that_the_operator_does_not_allow_is_no_finding_of_the_company(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock, operator: Command
) -> None:
    await fails(gateway, firm, "host_not_allowed")
    clock.set(clock() + timedelta(days=2))
    assert await found(firm, "metadata_not_read") == []
    assert "host_not_allowed" in (await operator("company", "certificate", firm.name)).out


async def test_the_company_sees_how_the_looks_go(
    firm: Firm, gateway: DirectoryClient, clock: SettableClock, operator: Command
) -> None:
    await added(firm, pasted())

    async def told() -> str:
        return (await operator("company", "certificate", firm.name)).out

    assert "Federation metadata (propose): looked at in a moment, for the first time." in await told()
    await claimed(gateway)
    assert f"looked at {clock():%Y-%m-%d %H:%M}; the next look is due" in await told()
    await fails(gateway, firm, "status_404")
    assert f"not read since {clock():%Y-%m-%d %H:%M}: status_404." in await told()
    answer = (await operator("company", "certificate", firm.name, "--json")).json
    listed = await gateway.list_certificates(ListCertificates(session=await firm.admin()))
    assert (answer["metadata"]["failure"], listed.metadata.failure) == ("status_404", "status_404")
    await uses(firm, "off", clock)
    assert "Federation metadata (off): not looked at" in await told()


async def test_companies_are_counted_together_by_how_their_looks_go(
    firm: Firm, other_firm: Firm, gateway: DirectoryClient, registry: asyncpg.Connection, clock: SettableClock
) -> None:
    ours = [firm.company_id, other_firm.company_id]
    await registry.execute("delete from registry.metadata_looks where company_id <> all($1)", ours)

    async def counted() -> dict[str, float]:
        await count(firm.database)
        samples = next(iter(metrics.METADATA_LOOKS.collect())).samples
        return {sample.labels["standing"]: sample.value for sample in samples}

    await claimed(gateway)
    assert await counted() == {"overdue": 0, "failing": 0, "in_time": 2}
    await fails(gateway, firm, "timeout")
    assert await counted() == {"overdue": 0, "failing": 1, "in_time": 1}
    clock.set(clock() + EVERY + GRACE + MINUTE)
    assert await counted() == {"overdue": 2, "failing": 0, "in_time": 0}
    await claimed(gateway)
    assert await counted() == {"overdue": 0, "failing": 1, "in_time": 1}


async def test_a_note_reaches_no_other_company(firm: Firm, other_firm: Firm, gateway: DirectoryClient) -> None:
    await fails(gateway, firm, "timeout")
    assert (await looks(other_firm)).failure is None
    async with other_firm.operator() as tx:
        assert (await signing.metadata_looks(tx)).failing_since is None
    for name in ("nobody-here", ""):
        with pytest.raises(DomainError) as refused:
            await gateway.note_failed_look(NoteFailedLook(company=name, reason="timeout"))
        assert refused.value.code is ErrorCode.not_found


async def test_outside_a_company_s_scope_no_look_is_seen_or_noted(firm: Firm, firm_urls: Urls) -> None:
    """As the application's role."""
    connection = await asyncpg.connect(firm_urls.app)
    try:
        assert await connection.fetch("select * from registry.metadata_look()") == []
        assert await connection.fetchval("select registry.note_metadata_look(now(), 'x')") is False
        async with connection.transaction():
            assert await connection.fetch(
                "select * from registry.claim_metadata_looks(now() + interval '1 day', 100, '1 hour', '0')"
            )
            assert await connection.fetchval("select current_company()") is None, "the claim leaves no scope behind"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select * from registry.metadata_looks")
    finally:
        await connection.close()


async def test_only_the_gateway_claims(firm: Firm, firm_service: str) -> None:
    async with DirectoryClient(firm_service, SCIM_SECRET) as ingest:
        with pytest.raises(DomainError) as refused:
            await ingest.claim_metadata_looks(ClaimMetadataLooks(most=1))
    assert refused.value.code is ErrorCode.unavailable, "wrong_caller, as an edge sees it"


@pytest.mark.parametrize("most", [0, 101, -1])
async def test_a_share_has_its_bounds(firm: Firm, gateway: DirectoryClient, most: int) -> None:
    with pytest.raises(DomainError) as refused:
        await claimed(gateway, most)
    assert refused.value.code is ErrorCode.invalid_request


async def test_ten_thousand_companies_are_found_by_their_moment(registry: asyncpg.Connection) -> None:
    """The statement of the function, with as many companies as it is made for."""
    async with registry.transaction():
        await registry.execute(
            "insert into registry.metadata_looks (company_id, due_at) "
            "select gen_random_uuid(), now() - interval '1 hour' + n * interval '0.36 s' from generate_series(1, 10000) n"
        )
        await registry.execute("analyze registry.metadata_looks")
        body: str = await registry.fetchval("select prosrc from pg_proc where proname = 'claim_metadata_looks'")
        sql = body.partition("FOR claimed IN")[2].partition("LOOP")[0]
        for name, value in {
            "moment": "now()",
            "most": "16",
            "every": "interval '1 hour'",
            "spread": "interval '0'",
        }.items():
            sql = sql.replace(f" {name}", f" {value}")
        plan = "\n".join(row[0] for row in await registry.fetch(f"explain {sql}"))
        await registry.execute("rollback")
        await registry.execute("begin")
    assert "metadata_looks_due" in plan
    assert "Seq Scan" not in plan, plan


async def test_no_statement_of_a_look_reads_a_table_from_end_to_end(
    firm: Firm, gateway: DirectoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = pasted()

    async def looked() -> None:
        async with firm.operator() as tx:
            await signing.offered(tx, published(known))
        async with firm.operator() as tx:
            await signing.metadata_looks(tx)

    plans = await plans_of(firm, monkeypatch, looked)
    assert "companies.as_looked_at" in plans
    assert scanned(plans) == {}
