"""The end of a company: closed at once, exported, deleted after a grace, and nothing remains but the receipt."""

import asyncio
import hashlib
import json
import os
import sys
import tracemalloc
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from directory.companies import deleting, ending
from directory.companies.catalogue import Table, tables
from directory.companies.exporting import export, secrets_of
from directory.database import Actor, CompanyTx, Database
from directory.logins import operations as logins
from directory.settings import DatabaseSettings
from directory.sweep import sweep
from shared.clock import system_clock
from shared.errors import DomainError, ErrorCode
from shared.schemas.login import OpenSession
from tests.integration.test_tenancy import furnished
from tests.support.command import Command
from tests.support.firm import Firm, Urls, uuid_of
from tests.support.manifests import manifest
from tests.support.stack import with_database
from tests.support.traces import places_of, rows_of

OPERATOR = Actor("operator", "test")
RECEIPT = {"registry.ended_companies": 1}


@pytest.fixture
async def owner(firm_urls: Urls) -> AsyncIterator[Database]:
    """As the tables' owner, who is no superuser."""
    async with Database(firm_urls.owner, clock=system_clock, min_size=1, max_size=4) as database:
        yield database


@pytest.fixture
async def superuser(postgres_url: str, firm_urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(with_database(postgres_url, firm_urls.database))
    yield connection
    await connection.close()


@pytest.fixture
def operator(firm_urls: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", firm_urls.owner)
    return Command(capsys)


async def furnished_for_good(firm: Firm) -> None:
    """A row in every table, none of which has had its time."""
    await furnished(firm)
    for table in ("login_flows", "seen_assertions"):
        await firm.as_owner(f"update {table} set expires_at = now() + interval '1 day'")  # noqa: S608


async def closed(owner: Database, firm: Firm, *, grace_days: int = 0) -> None:
    async with owner.scope_for_name(firm.name).transaction(OPERATOR) as tx:
        await ending.close(tx, timedelta(days=grace_days))


async def swept(urls: Urls) -> dict[str, int]:
    return await sweep(DatabaseSettings(database_url=urls.owner))


async def crowd(firm: Firm, people: int) -> None:
    """Employees in a row of bosses, without their history."""
    await firm.as_owner(
        """
        insert into employees (company_id, employee_id, state, source, login_name, login_key, email, email_key, given_name,
            family_name, manager_id, created_at, updated_at)
        select $1, md5(n::text)::uuid, 'active', 'entra', n || '@firma.dk', n || '@firma.dk', n || '@firma.dk', n || '@firma.dk',
            'Anna', 'Holm', case when n > 0 then md5((n / 10)::text)::uuid end, now(), now()
        from generate_series(0, $2 - 1) as n
        """,
        firm.company_id,
        people,
    )


# Closing


async def test_without_yes_nothing_happens(operator: Command, firm: Firm) -> None:
    await firm.create()
    told = await operator("company", "delete", firm.name)
    assert told.status == 1
    assert "its 1 active people are signed out" in told.err
    assert "--yes" in told.err
    assert (await firm.find()).total == 1


async def test_a_closed_company_is_refused_signed_out_and_keeps_everything(operator: Command, firm: Firm) -> None:
    anna = await firm.create()
    await firm.sign_in(anna)
    told = await operator("company", "delete", firm.name, "--yes", "--json")
    assert told.status == 0
    assert told.json["people"] == {"active": 1}
    with pytest.raises(DomainError) as refused:
        await firm.create(login="bo@firma.dk")
    assert refused.value.code is ErrorCode.not_allowed
    assert await firm.signed_in(anna) == 0
    assert (await firm.row(anna))["state"] == "active"
    rows = await firm.as_owner("select sso_enabled, provisioning_enabled, version from connections")
    assert tuple(rows[0]) == (False, False, 2)


async def test_a_restored_company_is_as_it_was_but_for_the_sessions(operator: Command, firm: Firm) -> None:
    anna = await firm.create()
    await firm.sign_in(anna)
    await firm.as_owner("update connections set sso_enabled = false")
    await operator("company", "delete", firm.name, "--yes")
    assert (await operator("company", "restore", firm.name)).status == 0
    assert await firm.get(anna) == anna
    assert await firm.signed_in(anna) == 0
    rows = await firm.as_owner("select sso_enabled, provisioning_enabled from connections")
    assert tuple(rows[0]) == (False, True)
    told = await firm.as_owner(
        "select kind, changes from events where employee_id is null order by sequence desc limit 2"
    )
    assert [row["kind"] for row in told] == ["company.restored", "company.closed"]
    assert json.loads(told[1]["changes"])["sso.enabled"] == {"before": False, "after": False}


async def test_closing_twice_keeps_the_first_date(operator: Command, firm: Firm) -> None:
    first = await operator("company", "delete", firm.name, "--yes", "--grace-days", "10", "--json")
    second = await operator("company", "delete", firm.name, "--yes", "--grace-days", "90", "--json")
    assert first.json["ends_at"] == second.json["ends_at"]


async def test_an_open_company_cannot_be_restored(operator: Command, firm: Firm) -> None:
    told = await operator("company", "restore", firm.name)
    assert (told.status, told.err) == (1, f"{firm.name} is not closed; there is nothing to restore.\n")


async def test_a_company_whose_deletion_begins_meanwhile_is_not_told_to_be_open_again(
    operator: Command, firm: Firm, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    opening = deleting._delete_rows

    async def held(tx: CompanyTx, emptied: Sequence[Table]) -> None:
        begun.set()
        await go_on.wait()
        await opening(tx, emptied)

    await operator("company", "delete", firm.name, "--yes", "--grace-days", "0")
    with monkeypatch.context() as patched:
        patched.setattr(deleting, "_delete_rows", held)
        deletion = asyncio.create_task(deleting.delete(owner, firm.name))
        await begun.wait()
        restoring = asyncio.create_task(operator("company", "restore", firm.name))
        await asyncio.sleep(0.5)
        go_on.set()
        told = await restoring
        await deletion
    assert told.status == 1
    assert f"{firm.name} was deleted on" in told.err


async def test_apply_does_not_open_a_closed_company(operator: Command, tmp_path: Path) -> None:
    name = f"c{uuid.uuid4().hex[:12]}"
    file = tmp_path / "company.json"
    own = {"company": name, "entra.app_id": str(uuid.uuid4()), "entra.group_id": str(uuid.uuid4())}
    file.write_text(json.dumps(manifest(own)))
    assert (await operator("company", "apply", "-f", str(file))).status == 0
    assert (await operator("company", "delete", name, "--yes")).status == 0
    told = await operator("company", "apply", "-f", str(file))
    assert told.status == 1
    assert f"directory company restore {name}" in told.err
    assert (await operator("company", "show", name, "--json")).json["ends_at"] is not None
    assert "Closed, deleted on" in (await operator("company", "show", name)).out


async def test_a_move_to_another_tenant_does_not_open_a_closed_company(operator: Command, tmp_path: Path) -> None:
    name, tenant = f"c{uuid.uuid4().hex[:12]}", str(uuid.uuid4())
    own = {"company": name, "entra.app_id": str(uuid.uuid4()), "entra.group_id": str(uuid.uuid4())}
    there = {**own, "entra.tenant_id": tenant, "sso.issuer": f"https://sts.windows.net/{tenant}/"}
    live, following = tmp_path / "live.json", tmp_path / "next.json"
    live.write_text(json.dumps(manifest(own)))
    following.write_text(json.dumps(manifest(there)))
    assert (await operator("company", "apply", "-f", str(live))).status == 0
    assert (await operator("company", "move", name, "--prepare", "-f", str(following))).status == 0
    assert (await operator("company", "delete", name, "--yes")).status == 0
    for step in (["--cut-over"], ["--prepare", "-f", str(following)]):
        told = await operator("company", "move", name, *step)
        assert (told.status, f"directory company restore {name}" in told.err) == (1, True), told
    assert (await operator("company", "restore", name)).status == 0
    assert (await operator("company", "move", name, "--cut-over")).status == 0


async def test_no_login_under_way_opens_a_session_in_a_closed_company(firm: Firm, owner: Database) -> None:
    """The ticket was there before; it is redeemed while the company is being closed."""
    anna = await firm.create()
    ticket = os.urandom(32)
    await firm.as_owner(
        "insert into login_tickets (company_id, ticket_sha256, employee_id, name_id, return_to, expires_at) "
        "values ($1, $2, $3, 'anna', '/', now() + interval '1 hour')",
        firm.company_id,
        ticket,
        uuid_of(anna),
    )
    request = OpenSession(
        company_id=str(firm.company_id),
        ticket_sha256=ticket.hex(),
        browsers_sha256=[],
        session_sha256=os.urandom(32).hex(),
        session_ttl_s=3600,
        current_session=None,
    )
    async with owner.scope_for_name(firm.name).transaction(OPERATOR) as tx:
        await ending.locked(tx)
        redeeming = asyncio.create_task(logins.open_session(firm.database, request))
        await asyncio.sleep(0.2)
        assert not redeeming.done()
        await ending.close(tx, timedelta(days=30))
    assert not (await redeeming).opened
    assert await firm.signed_in(anna) == 0


# Deleting


async def test_nothing_of_a_deleted_company_remains_but_the_receipt(
    firm: Firm, other_firm: Firm, owner: Database, firm_urls: Urls, superuser: asyncpg.Connection
) -> None:
    for one in (firm, other_firm):
        await furnished_for_good(one)
        await one.create(login=f"{one.name}@firma.dk", external_id=str(uuid.uuid4()), title=f"title {one.name}")
    before, others = await rows_of(superuser, firm.company_id), await rows_of(superuser, other_firm.company_id)
    people = await firm.as_owner("select employee_id, external_id, entra_object_id from employees")
    values = {firm.name, str(firm.company_id), firm.credential.token_sha256}
    values |= {str(value) for row in people for value in row if value is not None}
    assert set(await places_of(superuser, values)) == set(before)

    await closed(owner, firm)
    await swept(firm_urls)

    assert await rows_of(superuser, firm.company_id) == RECEIPT
    assert await places_of(superuser, values) == {"registry.ended_companies": sorted([firm.name, str(firm.company_id)])}
    assert await rows_of(superuser, other_firm.company_id) == others


async def test_the_receipt_counts_every_row_and_names_the_last_event(
    firm: Firm, owner: Database, operator: Command, firm_urls: Urls, superuser: asyncpg.Connection
) -> None:
    await furnished_for_good(firm)
    await closed(owner, firm)
    before = await rows_of(superuser, firm.company_id)
    head = await superuser.fetchrow("select * from registry.histories where company_id = $1", firm.company_id)
    await swept(firm_urls)
    receipt = next(one for one in await deleting.receipts(owner) if one.company == firm.name)
    deleted = {name: rows for name, rows in receipt.rows_deleted.items() if rows}
    assert deleted == before
    assert {"public.employees", "public.events", "registry.companies", "registry.scim_tokens"} <= deleted.keys()
    assert head is not None
    assert (receipt.sequence, receipt.hash) == (head["sequence"], head["hash"].hex())
    assert receipt.deleted_at is not None
    told = await operator("company", "ended")
    assert f"{head['sequence']}:{head['hash'].hex()}" in told.out
    assert "public.employees" in told.out
    told = await operator("company", "show", firm.name)
    assert f"{firm.name} was deleted on" in (await operator("company", "restore", firm.name)).err


async def test_before_the_grace_is_over_nothing_is_deleted(
    firm: Firm, owner: Database, firm_urls: Urls, superuser: asyncpg.Connection
) -> None:
    await firm.create()
    await closed(owner, firm, grace_days=1)
    before = await rows_of(superuser, firm.company_id)
    await swept(firm_urls)
    assert await rows_of(superuser, firm.company_id) == before


async def test_the_name_the_app_and_the_group_may_be_used_again(operator: Command, tmp_path: Path) -> None:
    name = f"c{uuid.uuid4().hex[:12]}"
    file = tmp_path / "company.json"
    own = {"company": name, "entra.app_id": str(uuid.uuid4()), "entra.group_id": str(uuid.uuid4())}
    file.write_text(json.dumps(manifest(own)))
    for _ in range(2):
        told = await operator("company", "apply", "-f", str(file), "--json")
        assert told.json["created"] is True
        assert (await operator("company", "delete", name, "--yes", "--grace-days", "0")).status == 0
        assert (await operator("sweep")).status == 0
    ended = (await operator("company", "ended", "--json")).json["ended"]
    assert sum(one["company"] == name for one in ended) == 2


def stopped_after(batches: int) -> Callable[[CompanyTx, Table], Awaitable[int]]:
    original, done = deleting._delete_batch, 0

    async def delete_batch(tx: CompanyTx, table: Table) -> int:
        nonlocal done
        done += 1
        if done > batches:
            raise ConnectionResetError
        return await original(tx, table)

    return delete_batch


async def test_a_deletion_that_was_stopped_goes_on_where_it_was(
    firm: Firm, owner: Database, firm_urls: Urls, superuser: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await furnished(firm)
    await crowd(firm, 100)
    await closed(owner, firm)
    before = await rows_of(superuser, firm.company_id)
    monkeypatch.setattr(deleting, "BATCH", 7)
    for batches in (5, 6, 7):
        with monkeypatch.context() as patched:
            patched.setattr(deleting, "_delete_batch", stopped_after(batches))
            with pytest.raises(DomainError, match="Not swept") as failed:
                await swept(firm_urls)
            assert failed.value.code is ErrorCode.unavailable
        # Nobody enters what is half gone, and nobody gets it back.
        with pytest.raises(DomainError) as refused:
            await firm.find()
        assert refused.value.code is ErrorCode.unauthorized
        with pytest.raises(DomainError) as gone:
            await closed(owner, firm)
        assert gone.value.code is ErrorCode.not_found
    await swept(firm_urls)
    assert await rows_of(superuser, firm.company_id) == RECEIPT
    receipt = next(one for one in await deleting.receipts(owner) if one.company == firm.name)
    for table in ("public.employees", "public.events", "registry.entra_bindings"):
        assert receipt.rows_deleted[table] == before[table]


async def test_several_sweeps_at_once_delete_a_company_once(
    firm: Firm, owner: Database, firm_urls: Urls, superuser: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "BATCH", 20)
    await furnished(firm)
    await crowd(firm, 300)
    await closed(owner, firm)
    before = await rows_of(superuser, firm.company_id)
    await asyncio.gather(*(swept(firm_urls) for _ in range(4)))
    await swept(firm_urls)
    assert await rows_of(superuser, firm.company_id) == RECEIPT
    receipt = [one for one in await deleting.receipts(owner) if one.company == firm.name]
    assert [one.rows_deleted["public.employees"] for one in receipt] == [before["public.employees"]]


async def test_where_something_remains_the_deletion_is_not_closed(
    firm: Firm, owner: Database, firm_urls: Urls, superuser: asyncpg.Connection
) -> None:
    await furnished(firm)
    await closed(owner, firm)
    await superuser.execute(
        f"""
        create function keep() returns trigger language plpgsql as 'begin return null; end';
        create trigger keep before delete on findings for each row when (old.company_id = '{firm.company_id}')
            execute function keep();
        alter table findings drop constraint findings_company_id_fkey;
        """
    )
    try:
        with pytest.raises(DomainError, match="Not swept"):
            await swept(firm_urls)
        assert firm.company_id in await deleting.unfinished(owner)
        assert "public.companies" in await rows_of(superuser, firm.company_id)
    finally:
        await superuser.execute(
            """
            drop trigger keep on findings; drop function keep();
            alter table findings add foreign key (company_id) references companies (company_id) on delete cascade;
            """
        )
    await swept(firm_urls)
    assert await rows_of(superuser, firm.company_id) == RECEIPT


async def test_at_once_only_what_is_closed_and_exported(operator: Command, firm: Firm, tmp_path: Path) -> None:
    told = await operator("company", "delete", firm.name, "--now", "--yes")
    assert (told.status, "is open. Close it first" in told.err) == (1, True)
    file = tmp_path / "before.jsonl"
    assert (await operator("company", "export", firm.name, "-o", str(file))).status == 0
    await operator("company", "delete", firm.name, "--yes")
    told = await operator("company", "delete", firm.name, "--now", "--yes")
    assert (told.status, "Nobody has exported" in told.err) == (1, True)
    file = tmp_path / "after.jsonl"
    assert (await operator("company", "export", firm.name, "-o", str(file))).status == 0
    told = await operator("company", "delete", firm.name, "--now")
    assert (told.status, "--yes" in told.err) == (1, True)
    told = await operator("company", "delete", firm.name, "--now", "--yes")
    assert told.status == 0
    assert "public.companies" in told.out
    head = json.loads(file.read_text().splitlines()[0])["header"]["history"]
    # The export itself is told in the history, after the head that it wrote down.
    assert f"{head['sequence'] + 1}:" in told.out


async def test_at_once_without_an_export_must_be_said(operator: Command, firm: Firm) -> None:
    await operator("company", "delete", firm.name, "--yes")
    told = await operator("company", "delete", firm.name, "--now", "--without-export", "--yes", "--json")
    assert told.status == 0
    assert told.json["receipt"]["deleted_at"] is not None


# Exporting


async def exported(owner: Database, firm: Firm) -> list[Any]:
    lines: list[bytes] = []
    async with owner.scope_for_name(firm.name).transaction(OPERATOR, snapshot=True) as tx:
        await export(tx, lines.append)
    digest = hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    found = [json.loads(line) for line in lines]
    assert found[-1]["totals"]["sha256"] == digest
    return found


async def test_an_export_holds_every_row_of_every_table(
    firm: Firm, owner: Database, superuser: asyncpg.Connection
) -> None:
    await furnished(firm)
    header, *rows, totals = await exported(owner, firm)
    expected = {name: many for name, many in (await rows_of(superuser, firm.company_id)).items() if "public." in name}
    assert {name: many for name, many in header["header"]["rows"].items() if many} == expected
    assert totals["totals"]["rows"] == header["header"]["rows"]
    assert totals["totals"]["all"] == len(rows) == sum(expected.values())
    assert {row["row"]["company_id"] for row in rows} == {str(firm.company_id)}
    anna = await firm.row((await firm.find(login_name="anna@firma.dk")).employees[0])
    told = [row["row"] for row in rows if row["table"] == "employees" and row["row"]["login_name"] == "anna@firma.dk"]
    assert told[0]["employee_id"] == str(anna["employee_id"])
    assert told[0]["manager_id"] == str(anna["manager_id"])


async def test_rows_come_after_those_they_refer_to(firm: Firm, owner: Database) -> None:
    await furnished(firm)
    _, *rows, _ = await exported(owner, firm)
    order = list(dict.fromkeys(row["table"] for row in rows))
    assert order.index("companies") == 0
    for child, parent in (
        ("sessions", "employees"),
        ("department_approvers", "departments"),
        ("findings", "employees"),
    ):
        assert order.index(child) > order.index(parent)


async def test_no_hash_of_a_secret_is_exported(firm: Firm, owner: Database) -> None:
    await furnished(firm)
    await firm.sign_in((await firm.find()).employees[0])
    text = json.dumps(await exported(owner, firm))
    hashes = await firm.as_owner(
        "select encode(token_sha256, 'hex') as h from scim_tokens union select encode(session_sha256, 'hex') from sessions "
        "union select encode(ticket_sha256, 'hex') from login_tickets "
        "union select encode(secret_sha256, 'hex') from oauth_secrets union select encode(token_sha256, 'hex') from access_tokens"
    )
    assert len(hashes) >= 5
    assert not [row["h"] for row in hashes if row["h"] in text]
    assert '"left_out": {' in text


async def test_what_proves_the_history_is_in_the_export(firm: Firm, owner: Database) -> None:
    await firm.create()
    header, *rows, _ = await exported(owner, firm)
    last = [row["row"] for row in rows if row["table"] == "events"][-1]
    assert header["header"]["history"] == {"sequence": last["sequence"], "hash": last["hash"].removeprefix("\\x")}
    assert last["changes_salt"]
    assert last["changes_sha256"]


async def test_a_binary_column_is_a_secret_until_it_is_said_not_to_be(firm: Firm, owner: Database) -> None:
    async with owner.scope_for_name(firm.name).transaction(OPERATOR) as tx:
        left_out = {table.name: secrets_of(table) for table in await tables(tx) if table.schema == "public"}
    assert left_out["scim_tokens"] == {"token_sha256"}
    assert left_out["access_tokens"] == {"token_sha256"}
    assert left_out["oauth_secrets"] == {"secret_sha256"}
    assert left_out["sessions"] == {"session_sha256"}
    assert left_out["login_tickets"] == {"ticket_sha256", "browser_sha256"}
    assert left_out["events"] == left_out["employees"] == left_out["certificates"] == frozenset()


async def test_an_export_is_of_one_moment(firm: Firm, owner: Database) -> None:
    await firm.create()
    lines: list[bytes] = []
    async with owner.scope_for_name(firm.name).transaction(OPERATOR, snapshot=True) as tx:
        await tx.fetchval(deleting._HEAD, tx.company_id)
        await firm.create(login="late@firma.dk")
        await export(tx, lines.append)
    assert b"anna@firma.dk" in b"".join(lines)
    assert b"late@firma.dk" not in b"".join(lines)


async def test_the_memory_of_an_export_does_not_grow_with_the_company(firm: Firm, owner: Database) -> None:
    await crowd(firm, 20_000)
    written = 0

    def write(line: bytes) -> None:
        nonlocal written
        written += len(line)

    tracemalloc.start()
    try:
        async with owner.scope_for_name(firm.name).transaction(OPERATOR, snapshot=True) as tx:
            await export(tx, write)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written > 15_000_000
    assert peak < 4_000_000


async def test_the_file_is_its_owners_alone_and_no_other_is_overwritten(
    operator: Command, firm: Firm, tmp_path: Path
) -> None:
    file = tmp_path / "firm.jsonl"
    told = await operator("company", "export", firm.name, "-o", str(file), "--json")
    assert told.status == 0
    assert file.stat().st_mode & 0o777 == 0o600
    *before, _ = file.read_bytes().splitlines(keepends=True)
    assert hashlib.sha256(b"".join(before)).hexdigest() == told.json["sha256"]
    told = await operator("company", "export", firm.name, "-o", str(file))
    assert (told.status, "exists already" in told.err) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["firm.jsonl"]


async def test_an_export_that_fails_leaves_no_file(operator: Command, firm: Firm, tmp_path: Path) -> None:
    told = await operator("company", "export", "no-such-company", "-o", str(tmp_path / "x.jsonl"))
    assert (told.status, told.err) == (1, "There is no such company.\n")
    told = await operator("company", "export", firm.name, "-o", str(tmp_path / "no" / "x.jsonl"))
    assert (told.status, "cannot be written: No such file or directory" in told.err) == (1, True)
    assert list(tmp_path.iterdir()) == []


async def test_an_export_to_standard_output_is_nothing_but_lines(firm: Firm, firm_urls: Urls) -> None:
    environment = {**os.environ, "DATABASE_URL": firm_urls.owner}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "directory", "company", "export", firm.name, "-o", "-",
        env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    lines = [json.loads(line) for line in out.decode().split("\n")[:-1]]
    assert (lines[0]["header"]["company"], "totals" in lines[-1]) == (firm.name, True)
    told = await firm.as_owner("select kind from events order by sequence desc limit 1")
    assert told[0]["kind"] == "company.exported"
