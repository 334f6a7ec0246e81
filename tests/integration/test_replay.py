"""An exchange of the journal done again: what it would do now, and then really."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from directory.access import setup
from directory.database import CompanyTx
from directory.journal.replay import replay
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.journal import GetExchange, ListExchanges, Replayed, ReplayExchange
from tests.support.command import Command
from tests.support.firm import Firm, Urls
from tests.support.journal_notes import change, noted, provision, remove
from tests.support.stack import GATEWAY_SECRET


@pytest.fixture
def operator(firm_urls: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", firm_urls.owner)
    return Command(capsys)


@pytest.fixture
async def gateway(firm_service: str) -> AsyncIterator[DirectoryClient]:
    async with DirectoryClient(firm_service, GATEWAY_SECRET) as client:
        yield client


async def tried(firm: Firm, entry: str) -> Replayed:
    """What it would do, and proof that nothing was done."""
    before = await written(firm)
    outcome = await replay(firm.operator, entry, dry_run=True)
    assert await written(firm) == before
    return outcome


async def done(firm: Firm, entry: str) -> Replayed:
    return await replay(firm.operator, entry, dry_run=False)


async def written(firm: Firm) -> list[Any]:
    """Everything that a replay could touch."""
    tables = ("employees", "events", "held_changes", "brakes", "findings", "exchanges")
    return [await firm.as_owner(f"select * from {table}") for table in tables]  # noqa: S608


async def test_a_change_that_would_write_says_what_and_then_writes_it(firm: Firm) -> None:
    anna = await firm.create(title="Elev")
    entry = await noted(firm, change(anna.id, title="Kok", department="Salg"))
    would = await tried(firm, entry)
    assert (would.dry_run, would.refusal, would.employee_id) == (True, None, anna.id)
    assert [one.kind for one in would.written] == ["employee.changed"]
    assert would.written[0].changes["title"] == {"before": "Elev", "after": "Kok"}
    really = await done(firm, entry)
    assert msgspec.structs.replace(really, dry_run=True) == would
    assert (await firm.get(anna)).title == "Kok"


async def test_the_history_says_who_did_it_and_which_entry_it_was(firm: Firm) -> None:
    anna = await firm.create()
    entry = await noted(firm, change(anna.id, title="Kok"))
    await done(firm, entry)
    *_, changed, replayed = await firm.history(anna)
    assert (changed["kind"], changed["actor_kind"], changed["actor_id"]) == ("employee.changed", "operator", "test")
    assert (replayed["kind"], replayed["actor_id"]) == ("employee.replayed", "test")
    assert replayed["changes"] == {"exchange": {"id": entry}}
    assert (await firm.get(anna)).version == 2, "the replay itself changes nothing of her"


async def test_again_there_is_nothing_to_do_and_nothing_is_written(firm: Firm) -> None:
    anna = await firm.create()
    entry = await noted(firm, change(anna.id, title="Kok"))
    await done(firm, entry)
    before = await written(firm)
    again = await done(firm, entry)
    assert (again.written, again.refusal) == ([], None)
    assert await written(firm) == before


async def test_a_create_makes_the_person_once(firm: Firm) -> None:
    entry = await noted(firm, provision(title="Kok"))
    would = await tried(firm, entry)
    assert [one.kind for one in would.written] == ["employee.created"]
    made = await done(firm, entry)
    assert (await firm.find(login_name="anna@firma.dk")).employees[0].id == made.employee_id
    refused = (await tried(firm, entry)).refusal
    assert refused is not None
    assert refused.code == "login_taken"


async def test_a_refused_one_is_done_once_its_cause_is_mended(firm: Firm) -> None:
    other = await firm.create(login="anna@firma.dk")
    entry = await noted(firm, provision(given_name="Anne"), status=409, result="conflict")
    refused = await done(firm, entry)
    assert refused.refusal is not None
    assert (refused.refusal.code, refused.written) == ("login_taken", [])
    await firm.remove(other)
    assert [one.kind for one in (await done(firm, entry)).written] == ["employee.created"]
    assert (await firm.find(login_name="anna@firma.dk")).employees[0].given_name == "Anne"


async def test_of_somebody_who_has_departed_it_is_refused(firm: Firm) -> None:
    anna = await firm.create()
    entries = [
        await noted(firm, asked)
        for asked in (change(anna.id, title="Kok"), change(anna.id, active=False), remove(anna.id))
    ]
    await firm.remove(anna)
    for entry in entries:
        for outcome in (await tried(firm, entry), await done(firm, entry)):
            assert outcome.refusal is not None
            assert (outcome.refusal.code, outcome.written) == ("not_found", [])


async def test_a_removal_is_done_again(firm: Firm) -> None:
    anna = await firm.create()
    entry = await noted(firm, remove(anna.id))
    assert [one.kind for one in (await tried(firm, entry)).written] == ["employee.departed"]
    await done(firm, entry)
    assert (await firm.row(anna))["state"] == "departed"
    assert (await firm.kinds(anna))[-2:] == ["employee.departed", "employee.replayed"]


async def test_a_deactivation_is_done_alone_where_something_beside_it_is_refused(firm: Firm) -> None:
    anna = await firm.create()
    await firm.create(login="bo@firma.dk")
    entry = await noted(firm, change(anna.id, active=False, login_name="bo@firma.dk"))
    would = await tried(firm, entry)
    assert (would.left_out, [one.kind for one in would.written]) == ("login_taken", ["employee.suspended"])
    assert "login_name" not in would.written[0].changes
    assert (await done(firm, entry)).left_out == "login_taken"
    assert (await firm.get(anna)).state == "suspended"


async def test_the_brake_holds_a_replay_as_it_holds_entra(firm: Firm) -> None:
    anna, bo = await firm.create(), await firm.create(login="bo@firma.dk")
    await firm.as_owner("update companies set brake_people = 1, brake_percent = 1")
    await firm.change(bo, active=False)
    entry = await noted(firm, change(anna.id, active=False))
    assert (await tried(firm, entry)).refusal is not None
    held = await done(firm, entry)
    assert held.refusal is not None
    assert held.refusal.code == "held"
    assert [row["state"] for row in await firm.as_owner("select state from held_changes")] == ["held"]
    assert (await firm.get(anna)).state == "active"


@pytest.mark.parametrize("off", ["provisioning", "tenant"])
async def test_it_is_not_done_where_provisioning_is_off_or_the_tenant_was_left(firm: Firm, off: str) -> None:
    anna = await firm.create()
    entry = await noted(firm, change(anna.id, title="Kok"))
    if off == "provisioning":
        await firm.as_owner("update connections set provisioning_enabled = false")
        refused = (await done(firm, entry)).refusal
        assert refused is not None
        assert refused.code == "not_allowed"
        return
    await firm.as_owner("update scim_tokens set connection = 'retired'")
    with pytest.raises(DomainError, match="tenant that the company has left"):
        await done(firm, entry)


async def test_what_asked_for_no_change_cannot_be_done_again(firm: Firm, other_firm: Firm) -> None:
    entry, theirs = await noted(firm), await noted(other_firm, provision())
    with pytest.raises(DomainError, match="asked for no change"):
        await tried(firm, entry)
    for wrong in (theirs, "xch_" + "0" * 32, "nonsense", ""):
        with pytest.raises(DomainError, match="has no entry"):
            await tried(firm, wrong)


async def test_a_race_against_entra_is_decided_and_not_repeated_twice(firm: Firm) -> None:
    """The transaction that loses is done again, and then finds it done."""
    entry, attempts = await noted(firm, provision()), 0

    def late() -> Any:
        nonlocal attempts
        attempts += 1
        return firm.operator()

    await firm.create()
    assert (await replay(late, entry, dry_run=False)).refusal is not None
    assert attempts == 1


async def test_the_operator_sees_first_and_then_does(firm: Firm, operator: Command) -> None:
    anna = await firm.create(title="Elev")
    entry = await noted(
        firm, change(anna.id, title="Kok"), method="PATCH", path=f"/Users/{anna.id}", body='{"x": "\x1b[2J"}'
    )
    told = await operator("company", "journal", firm.name, "--person", "anna@firma.dk")
    assert (told.status, entry in told.out) == (0, True)
    shown = await operator("company", "journal", firm.name, entry)
    assert "Compiled:" in shown.out
    assert "\x1b" not in shown.out, "what a sender wrote does not reach the terminal as it is"
    would = await operator("company", "replay", firm.name, entry)
    assert 'title: "Elev" -> "Kok"' in would.out
    assert "Nothing was changed. To do it:" in would.out
    assert (await firm.get(anna)).title == "Elev"
    really = await operator("company", "replay", firm.name, entry, "--yes", "--json")
    assert really.json["written"][0]["kind"] == "employee.changed"
    assert (await firm.history(anna))[-1]["actor_kind"] == "operator"
    again = await operator("company", "replay", firm.name, entry, "--yes")
    assert again.out.startswith("Everything is so already")
    assert (await operator("company", "journal", firm.name, "xch_nonsense")).status == 1
    assert (await operator("company", "journal", firm.name, "--limit", "0")).status == 2
    assert (await operator("company", "journal", firm.name, "--refused")).out == "Nothing of that in the journal.\n"


async def test_what_was_answered_then_is_told(firm: Firm, operator: Command) -> None:
    anna = await firm.create()
    entry = await noted(firm, remove(anna.id), method="DELETE", status=412, result="refused")
    told = (await operator("company", "replay", firm.name, entry)).out
    assert told.startswith("Then it was answered 412. Its condition (If-Match) is not asked again.\nIt would change:")


async def test_a_setup_admin_reads_and_has_it_done_in_his_name(firm: Firm, gateway: DirectoryClient) -> None:
    session, anna = await firm.admin(), await firm.create()
    entry = await noted(firm, change(anna.id, title="Kok"), activity_id="a" * 36)
    page = await gateway.list_exchanges(ListExchanges(session=session, activity_id="A" * 36))
    assert [one.id for one in page.entries] == [entry]
    assert (await gateway.get_exchange(GetExchange(session=session, entry=entry))).asked is not None
    would = await gateway.replay_exchange(ReplayExchange(session=session, entry=entry))
    assert would.dry_run
    assert (await firm.get(anna)).title is None
    await gateway.replay_exchange(ReplayExchange(session=session, entry=entry, dry_run=False))
    event = (await firm.history(anna))[-1]
    async with setup(firm.database, session, reading=True) as tx:
        assert (event["actor_kind"], event["actor_id"]) == ("person", tx.actor.id)


async def test_nobody_else_does(firm: Firm, other_firm: Firm, gateway: DirectoryClient) -> None:
    anna = await firm.create()
    entry = await noted(firm, change(anna.id, title="Kok"))
    for session, code in (
        (await firm.admin("hr_statistics"), ErrorCode.not_allowed),
        (await other_firm.admin(), ErrorCode.not_found),
        (msgspec.structs.replace(await firm.admin(), session_sha256="0" * 64), ErrorCode.unauthorized),
    ):
        for ask in (
            lambda session=session: gateway.get_exchange(GetExchange(session=session, entry=entry)),
            lambda session=session: gateway.replay_exchange(
                ReplayExchange(session=session, entry=entry, dry_run=False)
            ),
        ):
            with pytest.raises(DomainError) as refused:
                await ask()
            assert refused.value.code is code
    assert await of_firm(other_firm) == []
    assert (await firm.get(anna)).title is None


async def of_firm(firm: Firm) -> list[Any]:
    async with firm.operator() as tx:
        return await _exchanges(tx)


async def _exchanges(tx: CompanyTx) -> list[Any]:
    from directory.journal.operations import page

    return (await page(tx)).entries
