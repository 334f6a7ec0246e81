"""Signing certificates side by side: added, in use, retiring, removed; by an operator and by a Setup admin."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from directory import metrics
from directory.companies import signing
from directory.companies.certificates import read_certificates
from directory.cycles.counting import count
from directory.database import Database
from directory.findings.store import open_findings
from directory.logins.store import certificate_signed
from directory.settings import DatabaseSettings
from directory.sweep import sweep
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.signing import AddCertificates, ListCertificates, RemoveCertificate
from tests.entra.certificates import new_certificate
from tests.support.command import Command
from tests.support.firm import Firm, Urls
from tests.support.stack import GATEWAY_SECRET


def pasted(valid_days: int = 1000) -> str:
    """One of Entra's, which are valid for three years, with so many days left."""
    ends = datetime.now(UTC) + timedelta(days=valid_days)
    return new_certificate(ends.replace(year=ends.year - 3), active=True).pem


def published(pem: str) -> str:
    """Federation metadata of the issuer that every firm here has, with these certificates in it."""
    keys = "".join(
        f"<KeyDescriptor><KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'><X509Data><X509Certificate>{one}"
        "</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
        for one in re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END", pem, re.DOTALL)
    )
    return (
        "<EntityDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata' entityID='https://sts.example'><IDPSSODescriptor>"
        f"{keys}</IDPSSODescriptor></EntityDescriptor>"
    )


def fingerprint(text: str) -> str:
    return read_certificates(text, datetime.now(UTC))[0].fingerprint


async def added(firm: Firm, text: str) -> list[str]:
    async with firm.operator() as tx:
        return await signing.add(tx, text)


async def signs(firm: Firm, text: str, ago: timedelta = timedelta()) -> None:
    await firm.as_owner(
        "update certificates set last_signed_at = $2 where fingerprint = $1", fingerprint(text), datetime.now(UTC) - ago
    )


async def states(firm: Firm) -> dict[str, str]:
    async with firm.operator() as tx:
        return {one.fingerprint: one.state for one in await signing.read(tx)}


@pytest.fixture
def operator(firm_urls: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", firm_urls.owner)
    return Command(capsys)


@pytest.fixture
async def gateway(firm_service: str) -> AsyncIterator[DirectoryClient]:
    async with DirectoryClient(firm_service, GATEWAY_SECRET) as client:
        yield client


async def test_one_is_staged_until_it_signs_and_retires_when_another_one_does(firm: Firm) -> None:
    old, new = pasted(), pasted()
    assert await added(firm, old) == [fingerprint(old)]
    assert await states(firm) == {fingerprint(old): "staged"}
    await signs(firm, old, timedelta(hours=1))
    assert await added(firm, old + new) == [fingerprint(new)], "the one that is trusted already is not added again"
    assert await states(firm) == {fingerprint(old): "in_use", fingerprint(new): "staged"}
    async with firm.operator() as tx:
        await certificate_signed(tx, fingerprint(new))
    assert await states(firm) == {fingerprint(new): "in_use", fingerprint(old): "retiring"}
    async with firm.operator() as tx:
        assert await signing.remove(tx, fingerprint(old)) == 0
    assert await states(firm) == {fingerprint(new): "in_use"}
    kinds = [row["kind"] for row in await firm.as_owner("select kind from events order by sequence")]
    assert kinds == ["certificate.added", "certificate.added", "certificate.removed"]


async def test_of_several_first_logins_at_once_one_is_told_to_be_the_first(firm: Firm) -> None:
    only = pasted()
    await added(firm, only)

    async def signs_now() -> bool:
        async with firm.operator() as tx:
            return await certificate_signed(tx, fingerprint(only))

    assert sorted(await asyncio.gather(*(signs_now() for _ in range(4)))) == [False, False, False, True]
    assert not await signs_now()
    await signs(firm, only, timedelta(hours=1))
    assert not await signs_now(), "it is noted again, but it is not its first time"
    async with firm.operator() as tx:
        assert not await certificate_signed(tx, "0" * 64)


async def test_the_last_one_stays_while_sign_on_is_on_unless_its_key_has_leaked(firm: Firm) -> None:
    anna = await firm.create()
    await firm.sign_in(anna)
    only = pasted()
    await added(firm, only)
    with pytest.raises(DomainError, match="It is the only one") as refused:
        async with firm.operator() as tx:
            await signing.remove(tx, fingerprint(only))
    assert refused.value.code is ErrorCode.not_allowed
    async with firm.operator() as tx:
        assert await signing.remove(tx, fingerprint(only), compromised=True) == 1
    assert await firm.as_owner("select 1 from sessions") == []
    changes = await firm.as_owner("select changes::text as told from events where kind = 'certificate.removed'")
    assert '"compromised"' in changes[0]["told"]


@pytest.mark.parametrize("named", ["", "abc", "0" * 64, "%", "' or true --"])
async def test_only_one_that_is_trusted_is_removed(firm: Firm, named: str) -> None:
    await added(firm, pasted() + pasted())
    with pytest.raises(DomainError) as refused:
        async with firm.operator() as tx:
            await signing.remove(tx, named)
    assert refused.value.code is ErrorCode.not_found
    assert len(await states(firm)) == 2


async def test_another_company_s_certificate_is_the_wrong_app_s(firm: Firm, other_firm: Firm) -> None:
    theirs, ours = pasted(), pasted()
    await added(other_firm, theirs)
    with pytest.raises(DomainError, match="is of the Entra app of another company") as refused:
        await added(firm, ours + theirs)
    assert refused.value.code is ErrorCode.invalid_value
    assert other_firm.name not in refused.value.detail
    assert await states(firm) == {}, "all or nothing"
    async with other_firm.operator() as tx:
        await signing.remove(tx, fingerprint(theirs), compromised=True)
    assert await added(firm, theirs) == [fingerprint(theirs)], "nobody's any more"


async def test_what_leaked_is_never_trusted_again_and_what_was_removed_not_by_itself(firm: Firm) -> None:
    """Entra's metadata goes on naming both."""
    leaked, retired, ours = pasted(), pasted(), pasted()
    await added(firm, leaked + retired + ours)
    await firm.as_owner("update companies set metadata_use = 'adopt'")
    async with firm.operator() as tx:
        await signing.remove(tx, fingerprint(leaked), compromised=True)
        await signing.remove(tx, fingerprint(retired))
    async with firm.operator() as tx:
        assert await signing.offered(tx, published(leaked + retired + ours)) == (0, 0)
    with pytest.raises(DomainError, match="was removed as compromised and is never trusted again") as refused:
        await added(firm, leaked)
    assert refused.value.code is ErrorCode.invalid_value
    assert await states(firm) == {fingerprint(ours): "staged"}
    assert await added(firm, retired) == [fingerprint(retired)], "somebody said so"
    async with firm.operator() as tx:
        await signing.remove(tx, fingerprint(retired))
        assert await signing.offered(tx, published(retired)) == (0, 0)


async def test_no_more_than_a_handful_is_trusted(firm: Firm) -> None:
    await firm.as_owner(
        "insert into certificates (company_id, fingerprint, der, subject, not_before, not_after, added_at) "
        "select $1, encode(sha256(n::text::bytea || $2), 'hex'), '', '', now(), now() + interval '1 year', now() "
        "from generate_series(1, 20) as n",
        firm.company_id,
        os.urandom(8),
    )
    with pytest.raises(DomainError, match="20 are trusted at most"):
        await added(firm, pasted())


@pytest.mark.parametrize(
    ("days", "told"), [(100, None), (60, 60), (30, 30), (14, 14), (7, 7), (1, 1)], ids=lambda value: str(value)
)
async def test_the_company_is_told_beforehand(firm: Firm, days: int, told: int | None) -> None:
    text = pasted(days)
    await added(firm, text)
    await signs(firm, text)

    async def found() -> list[tuple[str, int, bool]]:
        async with firm.operator() as tx:
            seen = [one for one in await open_findings(tx) if one.kind == "certificate_expires"]
        return [(one.subject, one.details["days"], one.details["newer"]) for one in seen]

    assert await found() == ([] if told is None else [(fingerprint(text), told, False)])
    newer = pasted()
    await added(firm, newer)
    assert await found() == ([] if told is None else [(fingerprint(text), told, True)])
    await signs(firm, newer, timedelta(minutes=-5))
    assert await found() == []


async def test_the_company_is_told_once_at_each_step_before_the_end(firm: Firm, firm_urls: Urls) -> None:
    text, newer = pasted(61), pasted(500)
    await added(firm, text)
    await signs(firm, text)

    async def told_with_so_many_days_left(days: float) -> list[int]:
        ends = datetime.now(UTC) + timedelta(days=days)
        await firm.as_owner("update certificates set not_after = $2 where fingerprint = $1", fingerprint(text), ends)
        await sweep(DatabaseSettings(database_url=firm_urls.owner))
        events = await firm.as_owner(
            "select changes from events where company_id = $1 and kind = 'certificate.expires' order by sequence",
            firm.company_id,
        )
        told = [msgspec.json.decode(one["changes"]) for one in events]
        assert {one["fingerprint"]["after"] for one in told} <= {fingerprint(text)}
        return [one["within_days"]["after"] for one in told]

    assert await told_with_so_many_days_left(60.5) == []
    assert await told_with_so_many_days_left(59.9) == [60]
    assert await told_with_so_many_days_left(31) == [60], "told already"
    assert await told_with_so_many_days_left(29) == [60, 30]
    assert await told_with_so_many_days_left(6.9) == [60, 30, 7], "the nearest step alone, where a sweep was missed"
    assert await told_with_so_many_days_left(0.5) == [60, 30, 7, 1]
    await firm.as_owner("update connections set sso_enabled = false where company_id = $1", firm.company_id)
    assert await told_with_so_many_days_left(-1) == [60, 30, 7, 1], "nobody signs in by it"
    await firm.as_owner("update connections set sso_enabled = true where company_id = $1", firm.company_id)
    assert await told_with_so_many_days_left(-1) == [60, 30, 7, 1, 0]
    await added(firm, newer)
    await signs(firm, newer)
    assert await told_with_so_many_days_left(-2) == [60, 30, 7, 1, 0]


async def test_how_many_companies_have_none_for_longer_is_told_to_the_metrics(
    firm: Firm, firm_database: Database
) -> None:
    async def counted() -> dict[str, float]:
        await count(firm_database)
        samples = next(iter(metrics.CERTIFICATES_EXPIRING.collect())).samples
        return {sample.labels["within_days"]: sample.value for sample in samples}

    before = await counted()
    await added(firm, pasted(20))
    after = await counted()
    assert {days: after[days] - before[days] for days in after} == {"0": 0, "1": 0, "7": 0, "14": 0, "30": 1, "60": 1}
    await added(firm, pasted(700))
    assert await counted() == before


async def test_the_operator_adds_from_a_file_and_removes(firm: Firm, operator: Command, tmp_path: Path) -> None:
    first, second = pasted(), pasted()
    (tmp_path / "a.cer").write_text(first.replace("\n", "\r\n") + second)
    told = await operator("company", "certificate", firm.name, "--add", str(tmp_path / "a.cer"))
    assert told.out.startswith("Trusted from now on: 2 more.")
    assert told.out.count("staged") == 2
    again = await operator("company", "certificate", firm.name, "--add", str(tmp_path / "a.cer"))
    assert again.out.startswith("All of it was trusted already.")
    await signs(firm, second)
    removed = await operator("company", "certificate", firm.name, "--remove", fingerprint(first)[:16])
    assert removed.out.startswith("What it signs is refused from now on.")
    shown = await operator("company", "certificate", firm.name, "--json")
    assert [(one["fingerprint"], one["state"]) for one in shown.json["certificates"]] == [
        (fingerprint(second), "in_use")
    ]
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    for arguments, said in (
        (("--add", str(tmp_path / "key.pem")), "private key"),
        (("--add", str(tmp_path / "none")), "cannot be read"),
        (("--remove", "0" * 64), "No certificate"),
        (("--compromised",), "--compromised goes with --remove"),
    ):
        refused = await operator("company", "certificate", firm.name, *arguments)
        assert (refused.status, said in refused.err) == (1, True), refused.err
    assert "AAAA" not in refused.err


async def test_a_setup_admin_does_the_same_and_nobody_else(firm: Firm, gateway: DirectoryClient) -> None:
    """S62."""
    session, text = await firm.admin(), pasted()
    done = await gateway.add_certificates(AddCertificates(session=session, pasted=text))
    assert done.added == [fingerprint(text)]
    assert (await gateway.list_certificates(ListCertificates(session=session))).certificates == done.certificates
    other = await firm.admin("hr_statistics")
    for call in (
        lambda: gateway.list_certificates(ListCertificates(session=other)),
        lambda: gateway.add_certificates(AddCertificates(session=other, pasted=pasted())),
        lambda: gateway.remove_certificate(
            RemoveCertificate(session=other, fingerprint=fingerprint(text), compromised=True)
        ),
    ):
        with pytest.raises(DomainError) as refused:
            await call()
        assert refused.value.code is ErrorCode.not_allowed
    told = await firm.as_owner("select actor_kind, actor_id, employee_id from events where kind = 'setup.refused'")
    assert [row["actor_kind"] for row in told] == ["person"], (
        "S62: an audit event, once an hour and not for each attempt"
    )
    gone = await gateway.remove_certificate(
        RemoveCertificate(session=session, fingerprint=fingerprint(text), compromised=True)
    )
    assert gone.sessions_ended >= 1, "the admin's own too"
    with pytest.raises(DomainError):
        await gateway.list_certificates(ListCertificates(session=session))
