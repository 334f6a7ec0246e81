"""The chain of hashes shows what was done to a history; the application's role can do nothing to it.

Tampering is done as the tables' owner, and as a superuser, whom nothing in the database can stop: that it is seen must not depend
on rights.
"""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import asyncpg
import pytest

from directory.__main__ import main
from directory.cli.environment import owner_database
from directory.events.chain import Head
from directory.events.verification import Verified, verify
from directory.settings import DatabaseSettings
from tests.support.clock import SettableClock
from tests.support.firm import Firm, Urls, uuid_of
from tests.support.stack import with_database


@pytest.fixture
async def told(firm: Firm) -> AsyncIterator[Firm]:
    """With eight events of two people; one has departed, so that something is forgotten as it should be."""
    anna, gone = await firm.create(external_id="x-1"), await firm.create(login="gone@firma.dk")
    await firm.change(anna, title='Smørrebrødsjomfru "x" \\ \u2028 🍎', login_name="ah@firma.dk")
    await firm.change(gone, title="Kok")
    await firm.remove(gone)
    await firm.change(anna, active=False)
    await firm.change(anna, active=True)
    await firm.create(login="last@firma.dk")
    yield firm
    # Tampered events are no example of what the product writes.
    await firm.as_owner("delete from events")


Tamper = Callable[[str], Awaitable[None]]


@pytest.fixture(params=["owner", "superuser"])
async def tamper(request: pytest.FixtureRequest, told: Firm, postgres_url: str) -> Tamper:
    """Runs SQL on the firm's history: `$1` is the company."""

    async def by_owner(sql: str) -> None:
        async with told.owner() as connection:
            await connection.execute(sql.replace("$1", f"'{told.company_id}'"))

    async def by_superuser(sql: str) -> None:
        connection = await asyncpg.connect(with_database(postgres_url, urlsplit(told.urls.owner).path.strip("/")))
        try:
            await connection.execute(sql.replace("$1", f"'{told.company_id}'"))
        finally:
            await connection.close()

    return by_owner if request.param == "owner" else by_superuser


async def verified(firm: Firm, noted: Head | None = None) -> Verified:
    settings = DatabaseSettings(database_url=firm.urls.owner)
    async with owner_database(settings) as database, database.scope_for_name(firm.name).transaction() as tx:
        return await verify(tx, noted)


async def breaks(firm: Firm, noted: Head | None = None) -> list[tuple[int, str]]:
    return [(one.sequence, one.kind) for one in (await verified(firm, noted)).breaks]


async def test_an_untouched_history_holds_with_what_was_forgotten_in_it(told: Firm) -> None:
    found = await verified(told)
    assert (found.breaks, found.events, found.head.sequence) == ([], 8, 8)
    assert await breaks(told, found.head) == []
    await told.create(login="later@firma.dk")
    assert await breaks(told, found.head) == [], "it leads through an earlier head"
    forgotten = await told.as_owner(
        "select count(*) as many from events where names_salt is null and names_sha256 is not null"
    )
    assert forgotten[0]["many"] == 1


async def test_a_history_that_is_written_meanwhile_holds_at_every_moment(told: Firm) -> None:
    async def write(number: int) -> None:
        for turn in range(8):
            await told.create(login=f"w{number}-{turn}@firma.dk")

    writing = asyncio.gather(*(write(number) for number in range(4)))
    noted = None
    while not writing.done():
        found = await verified(told, noted)
        assert found.breaks == []
        noted = found.head
        await asyncio.sleep(0)
    await writing
    assert (await verified(told, noted)).head.sequence == 8 + 32


async def test_a_company_without_events_has_nothing_to_break(firm: Firm) -> None:
    found = await verified(firm)
    assert (found.events, found.breaks, found.head_at) == (0, [], None)


COLUMNS = {
    "at": "at + interval '1 microsecond'",
    "kind": "'session.ended'",
    "employee_id": "(select employee_id from events e where e.company_id = $1 and e.sequence = 8)",
    "actor_kind": "'operator'",
    "actor_id": "'somebody else'",
    "request_id": "'another'",
    "trace_id": "'another'",
    "changes": """changes || '{"title": {"before": null, "after": "Direktør"}}'""",
    "changes_salt": "uuid_send(gen_random_uuid())",
    "changes_sha256": "sha256('x')",
    "names": """names || '{"email": {"before": null, "after": "mallory@firma.dk"}}'""",
    "names_salt": "uuid_send(gen_random_uuid())",
    "names_sha256": "sha256('x')",
    "hash": "sha256('x')",
}
UNSAID = {"company_id", "sequence", "event_id"}
"""The first two are tampered with below; the last says nothing: an old release numbered by it."""


@pytest.mark.parametrize("column", COLUMNS)
async def test_an_alteration_of_any_column_is_seen_where_it_was_made(told: Firm, tamper: Tamper, column: str) -> None:
    columns = await told.as_owner("select attname from pg_attribute where attrelid = 'events'::regclass and attnum > 0")
    assert {row["attname"] for row in columns} == {*COLUMNS, *UNSAID}
    await tamper(f"update events set {column} = {COLUMNS[column]} where company_id = $1 and sequence = 3")  # noqa: S608
    assert (await breaks(told))[0] == (3, "altered")


@pytest.mark.parametrize("content", ["changes = '{}', changes_salt = null", "names = null, names_salt = null"])
async def test_nothing_is_forgotten_without_a_reason(told: Firm, tamper: Tamper, content: str) -> None:
    await tamper(f"update events set {content} where company_id = $1 and sequence = 3")  # noqa: S608
    assert await breaks(told) == [(3, "forgotten")]


async def test_content_cannot_be_put_back_into_what_was_forgotten(told: Firm, tamper: Tamper) -> None:
    await tamper("""update events set names = '{"email": {"after": "x"}}' where company_id = $1 and sequence = 2""")
    assert await breaks(told) == [(2, "altered")]


async def test_an_erasure_is_a_reason_for_what_is_gone_of_him_and_for_references_to_him_alone(
    told: Firm, tamper: Tamper
) -> None:
    report = await told.create(login="report@firma.dk", manager_ref="ah@firma.dk")
    anna = (await told.find(login_name="ah@firma.dk")).employees[0]
    async with told.operator() as tx:
        tx.tell("employee.erased", uuid_of(anna), "system", "sweep", "", "", "{}")
    gone = "changes = '{}', changes_salt = null, names = null, names_salt = null"
    await tamper(f"update events set {gone} where company_id = $1 and employee_id = '{uuid_of(anna)}'")  # noqa: S608
    redacted = """changes_salt = null, changes = changes || '{"manager_ref": {"before": null, "after": null}}'"""
    await tamper(f"update events set {redacted} where company_id = $1 and employee_id = '{uuid_of(report)}'")  # noqa: S608
    found = await verified(told)
    assert (found.breaks, found.redacted) == ([], 1)
    other = "changes_salt = null, changes = changes - 'manager_ref'"
    await tamper(f"update events set {other} where company_id = $1 and employee_id = '{uuid_of(report)}'")  # noqa: S608
    assert await breaks(told) == [(9, "altered")]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("sequence = 1", [(1, "removed")]),
        ("sequence = 4", [(4, "removed")]),
        ("sequence in (3, 4, 6)", [(3, "removed"), (6, "removed")]),
        ("sequence = 8", [(8, "truncated")]),
        ("sequence > 5", [(6, "truncated")]),
        ("true", [(1, "truncated")]),
    ],
)
async def test_a_removal_is_seen_at_the_number_that_is_missing(
    told: Firm, tamper: Tamper, which: str, expected: list[tuple[int, str]]
) -> None:
    await tamper(f"delete from events where company_id = $1 and {which}")  # noqa: S608
    assert await breaks(told) == expected


async def test_a_removal_that_closes_the_gap_is_seen(told: Firm, tamper: Tamper) -> None:
    await tamper("delete from events where company_id = $1 and sequence = 4")
    for number in range(5, 9):
        await tamper(f"update events set sequence = {number - 1} where company_id = $1 and sequence = {number}")  # noqa: S608
    assert (await breaks(told))[0] == (4, "altered")


@pytest.mark.parametrize(("one", "other"), [(3, 4), (1, 8), (2, 6)])
async def test_exchanged_events_are_seen(told: Firm, tamper: Tamper, one: int, other: int) -> None:
    for number, to in ((one, -1), (other, one), (-1, other)):
        await tamper(f"update events set sequence = {to} where company_id = $1 and sequence = {number}")  # noqa: S608
    found = await breaks(told)
    assert found[0] == (one, "altered")
    assert any(kind == "reordered" for _, kind in found)


async def test_an_event_slipped_in_afterwards_is_seen(told: Firm, tamper: Tamper) -> None:
    await tamper(
        "alter table events disable trigger user;"
        "insert into events (company_id, sequence, at, kind, actor_kind, actor_id, request_id, trace_id, changes, changes_salt, "
        "changes_sha256, hash) "
        "select company_id, 9, at, kind, actor_kind, actor_id, request_id, trace_id, changes, changes_salt, "
        "changes_sha256, hash from events where company_id = $1 and sequence = 8;"
        "alter table events enable trigger user"
    )
    assert await breaks(told) == [(9, "altered"), (9, "head")]


@pytest.mark.parametrize("change", ["sequence = 7", "sequence = 9", "hash = sha256('x')"])
async def test_an_altered_head_is_seen(told: Firm, tamper: Tamper, change: str) -> None:
    await tamper(f"update registry.histories set {change} where company_id = $1")  # noqa: S608
    expected = [(9, "truncated")] if change == "sequence = 9" else [(8, "head")]
    assert await breaks(told) == expected


RECHAIN = """
    do $do$
    declare
        e public.events;
        last bytea := '';
    begin
        for e in select * from public.events where company_id = $1 order by sequence loop
            e.hash := registry.event_hash(last, e);
            update public.events set hash = e.hash where company_id = e.company_id and sequence = e.sequence;
            last := e.hash;
        end loop;
        update registry.histories set hash = last where company_id = $1;
    end
    $do$
"""


async def test_whoever_computes_the_chain_anew_is_found_out_by_a_head_noted_before(told: Firm, tamper: Tamper) -> None:
    noted = (await verified(told)).head
    await tamper("update events set actor_id = 'somebody else' where company_id = $1 and sequence = 3")
    await tamper(RECHAIN)
    assert await breaks(told) == []
    assert await breaks(told, noted) == [(8, "replaced")]
    assert await breaks(told, Head(99, noted.hash)) == [(99, "replaced")]


# The application's role


@pytest.mark.parametrize(
    "statement",
    [
        "update events set actor_id = 'x'",
        "update events set sequence = sequence + 100",
        "delete from events",
        "truncate events",
        "alter table events disable trigger chain_event",
        "drop trigger chain_event on events",
        "update registry.histories set sequence = 0",
        "select * from registry.histories",
        "select registry.event_hash('', e) from events e",
        "create rule nothing as on insert to events do instead nothing",
        "set session_replication_role = replica",
    ],
)
async def test_the_application_cannot_alter_remove_or_bypass_history(told: Firm, statement: str) -> None:
    connection = await asyncpg.connect(told.urls.app)
    try:
        await connection.execute("select set_config('app.company_id', $1, false)", str(told.company_id))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()
    assert await breaks(told) == []


async def test_the_application_cannot_choose_number_hash_or_digests_nor_go_back_in_time(told: Firm) -> None:
    connection = await asyncpg.connect(told.urls.app)
    try:
        async with connection.transaction():
            await connection.execute("select set_config('app.company_id', $1, true)", str(told.company_id))
            await connection.execute(
                "insert into events (company_id, sequence, at, kind, actor_kind, actor_id, request_id, trace_id, changes, names, "
                "changes_salt, changes_sha256, names_salt, names_sha256, hash) "
                "values ($1, 3, '2001-01-01Z', 'session.opened', 'system', 'x', '', '', '{}', '{}', $2, $2, $2, $2, $2)",
                told.company_id,
                b"chosen",
            )
    finally:
        await connection.close()
    rows = await told.as_owner(
        "select *, lag(at) over (order by sequence) as before from events order by sequence desc limit 1"
    )
    assert (rows[0]["sequence"], rows[0]["at"]) == (9, rows[0]["before"])
    assert (rows[0]["names"], rows[0]["names_salt"], rows[0]["names_sha256"]) == (None, None, None)
    assert b"chosen" not in (rows[0]["changes_salt"], rows[0]["changes_sha256"], rows[0]["hash"])
    assert await breaks(told) == []


async def test_the_application_can_forget_nobodys_names_but_those_of_the_departed(told: Firm, other_firm: Firm) -> None:
    present = (await told.find(login_name="ah@firma.dk")).employees[0]
    stranger = await other_firm.create()
    await other_firm.remove(stranger)
    connection = await asyncpg.connect(told.urls.app)
    try:
        await connection.execute("select set_config('app.company_id', $1, false)", str(told.company_id))
        for one in (present, stranger):
            await connection.execute("select registry.forget_names($1)", uuid_of(one))
    finally:
        await connection.close()
    assert await breaks(told) == []
    names = await told.as_owner("select names is null as none from events where employee_id = $1", uuid_of(present))
    assert not names[0]["none"]


# The command


@pytest.fixture
def command(told: Firm, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Awaitable[int]]:
    monkeypatch.setenv("DATABASE_URL", told.urls.owner)

    async def run(*arguments: str) -> int:
        try:
            return await asyncio.to_thread(main, ["company", *arguments])
        except SystemExit as ended:
            return int(ended.code or 0)

    return run


Command = Callable[..., Awaitable[int]]


async def test_the_command_prints_the_head_to_note_and_takes_it_back(
    told: Firm, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("verify-history", told.name, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["holds"], answer["events"], answer["redacted"], answer["breaks"]) == (True, 8, 0, [])
    assert await command("verify-history", told.name, "--expect", answer["head"]) == 0
    said = capsys.readouterr().out
    assert f"The history of {told.name} holds: 8 events" in said
    assert answer["head"] in said


async def test_the_command_says_where_and_how_it_breaks_with_exit_status_1(
    told: Firm, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    await told.as_owner("update events set kind = 'session.ended' where sequence = 3")
    await told.as_owner("delete from events where sequence > 6")
    assert await command("verify-history", told.name) == 1
    said = capsys.readouterr().err
    assert "at 3: Altered: event 3 does not say what it said when it was written" in said
    assert "at 7: Truncated: events 7 to 8 are missing at the end; the head is 8." in said
    assert await command("verify-history", told.name, "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert [(one["sequence"], one["kind"]) for one in answer["breaks"]] == [(3, "altered"), (7, "truncated")]


async def test_wrong_usage_is_exit_status_2_and_an_unknown_company_1(
    command: Command, told: Firm, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in ("8", "8:xyz", "0:" + "00" * 32, "8:00"):
        assert await command("verify-history", told.name, "--expect", wrong) == 2
        assert "SEQ:HASH" in capsys.readouterr().err
    assert await command("verify-history", "no-such-company") == 1
    assert "There is no such company." in capsys.readouterr().err


async def test_an_employee_is_shown_now_and_then(
    told: Firm, command: Command, capsys: pytest.CaptureFixture[str], firm_clock: SettableClock
) -> None:
    anna = (await told.find(login_name="ah@firma.dk")).employees[0]
    assert await command("employee", told.name, "AH@firma.dk") == 0
    said = capsys.readouterr().out
    assert "As of now" in said
    assert "login_name" in said
    assert "ah@firma.dk  (entra)" in said
    at = anna.created_at.isoformat()
    assert await command("employee", told.name, anna.id, "--at", at, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["employee"]["login_name"], answer["employee"]["version"]) == ("anna@firma.dk", 1)
    assert await command("employee", told.name, anna.id, "--at", "2001-01-01T00:00:00Z") == 1
    assert "There is no such employee." in capsys.readouterr().err
    assert await command("employee", told.name, "nobody@firma.dk") == 1
    assert await command("employee", told.name, anna.id, "--at", "yesterday") == 2
    assert await command("employee", told.name, anna.id, "--at", "2026-01-01T00:00:00") == 2


async def test_a_credential_is_issued_listed_and_revoked(
    command: Command, told: Firm, capsys: pytest.CaptureFixture[str]
) -> None:
    scopes = ("--scope", "events:read", "--scope", "employees:read")
    assert await command("app-credential", told.name, *scopes, "--expires-days", "30", "--json") == 0
    issued = json.loads(capsys.readouterr().out)
    assert issued["scopes"] == ["employees:read", "events:read"]
    assert len(issued["credential"]) > 40
    assert await command("show", told.name) == 0
    said = capsys.readouterr().out
    assert issued["credential_id"] in said
    assert issued["credential"] not in said
    assert await command("app-credential", told.name, "--revoke", issued["credential_id"]) == 0
    assert "is refused from now on" in capsys.readouterr().out
    assert await command("app-credential", told.name, "--revoke", issued["credential_id"]) == 1
    assert "has no live credential" in capsys.readouterr().err
    assert await command("app-credential", told.name) == 1
    assert await command("app-credential", told.name, "--scope", "employees:write") == 2


async def test_memory_stays_flat_however_long_the_history_is(firm: Firm, firm_urls: Urls) -> None:
    async def peak() -> int:
        tracemalloc.start()
        try:
            found = await verified(firm)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            assert found.holds

    async def lengthen(events: int) -> None:
        await firm.as_owner(
            "insert into events (company_id, at, kind, actor_kind, actor_id, request_id, trace_id, changes) "
            "select $1, now(), 'company.updated', 'system', 'x', '', '', '{}' from generate_series(1, $2)",
            firm.company_id,
            events,
        )

    await lengthen(1_500)
    short = await peak()
    await lengthen(6_000)
    assert await peak() < short * 1.3
