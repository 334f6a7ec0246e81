"""A group's exchange of the journal done again: members, names, the group itself."""

from typing import Any

import pytest

from directory.journal.operations import whole
from directory.journal.replay import replay
from shared.schemas.journal import Replayed
from tests.support.command import Command
from tests.support.firm import Firm, Urls
from tests.support.groups import Groups
from tests.support.journal_notes import change_group, create_group, noted, remove_group


@pytest.fixture
def groups(firm: Firm) -> Groups:
    return Groups(firm)


async def tried(firm: Firm, entry: str) -> Replayed:
    """What it would do, and proof that nothing was done."""
    before = await written(firm)
    outcome = await replay(firm.operator, entry, dry_run=True)
    assert await written(firm) == before
    return outcome


async def done(firm: Firm, entry: str) -> Replayed:
    return await replay(firm.operator, entry, dry_run=False)


async def written(firm: Firm) -> list[Any]:
    tables = ("employees", "groups", "group_members", "events", "exchanges")
    return [await firm.as_owner(f"select * from {table} order by 1, 2") for table in tables]  # noqa: S608


async def test_members_that_were_taken_out_by_mistake_come_back(firm: Firm, groups: Groups) -> None:
    anna, bo = await firm.create(), await firm.create(login="bo@firma.dk")
    group = await groups.create("Alle", anna)
    entry = await noted(firm, change_group(group.id, add=[anna.id, bo.id]))
    would = await tried(firm, entry)
    assert (would.refusal, would.group_id, would.employee_id) == (None, group.id, None)
    assert [one.kind for one in would.written] == ["group.members_changed"]
    assert would.written[0].changes["members"]["added"] == [bo.id]
    really = await done(firm, entry)
    assert really.written == would.written
    assert await groups.members(group) == [anna.id, bo.id]
    assert (await groups.told(group))[-1] == ("group.replayed", {"exchange": {"id": entry}})
    before = await written(firm)
    assert (await done(firm, entry)).written == []
    assert await written(firm) == before, "everything is so already"


async def test_a_remove_takes_out_those_and_only_those(firm: Firm, groups: Groups) -> None:
    anna, bo = await firm.create(), await firm.create(login="bo@firma.dk")
    group = await groups.create("Alle", anna, bo)
    await done(firm, await noted(firm, change_group(group.id, remove=[anna.id])))
    assert await groups.members(group) == [bo.id]


async def test_a_create_and_a_removal_are_done_again(firm: Firm, groups: Groups) -> None:
    anna = await firm.create()
    entry = await noted(firm, create_group("Alle", anna.id, external_id="x"))
    would = await tried(firm, entry)
    assert [one.kind for one in would.written] == ["group.created", "group.members_changed"]
    made = await done(firm, entry)
    assert made.group_id is not None
    assert (await groups.get(made.group_id)).members == [anna.id]
    refused = (await done(firm, entry)).refusal
    assert refused is not None
    assert refused.code == "already_exists"
    gone = await done(firm, await noted(firm, remove_group(made.group_id)))
    assert [one.kind for one in gone.written] == ["group.removed"]
    assert (await tried(firm, entry)).refusal is None, "its name is free again"
    for asked in (remove_group(made.group_id), change_group(made.group_id, display_name="X"), remove_group("x")):
        refused = (await tried(firm, await noted(firm, asked))).refusal
        assert refused is not None
        assert refused.code == "not_found"


async def test_a_name_that_is_another_group_s_is_refused(firm: Firm, groups: Groups) -> None:
    one, _ = await groups.create("En"), await groups.create("To")
    entry = await noted(firm, change_group(one.id, display_name="to"))
    refused = (await done(firm, entry)).refusal
    assert refused is not None
    assert (refused.code, (await groups.get(one)).display_name) == ("already_exists", "En")


async def test_who_has_departed_meanwhile_is_named_and_left_out(firm: Firm, groups: Groups) -> None:
    anna, bo = await firm.create(), await firm.create(login="bo@firma.dk")
    group = await groups.create("Alle")
    entry = await noted(firm, change_group(group.id, members=[anna.id, bo.id]))
    await firm.remove(bo)
    outcome = await done(firm, entry)
    assert outcome.departed == [bo.id]
    assert await groups.members(group) == [anna.id]


async def test_of_another_company_nothing_is_done(firm: Firm, other_firm: Firm) -> None:
    anna, theirs = await firm.create(), await Groups(other_firm).create("Deres")
    for asked, code in (
        (change_group(theirs.id, add=[anna.id]), "not_found"),
        (create_group("Ny", (await other_firm.create()).id), "invalid_value"),
    ):
        refused = (await done(firm, await noted(firm, asked))).refusal
        assert refused is not None
        assert refused.code == code
    assert await Groups(other_firm).members(theirs) == []


async def test_an_entry_tells_what_its_request_changed_in_the_group(firm: Firm, groups: Groups) -> None:
    from shared.telemetry import context

    context.request_id.set("1" * 32)
    group = await groups.create("Alle", await firm.create())
    context.request_id.set("2" * 32)
    await groups.create("Andre")
    entry = await noted(firm, create_group("Alle"), request_id="1" * 32)
    async with firm.operator() as tx:
        told = (await whole(tx, entry)).written
    assert [one.kind for one in told] == ["group.created", "group.members_changed"]
    assert {one.changes["group"]["id"] for one in told} == {group.id}


async def test_the_operator_sees_the_members(firm: Firm, firm_urls: Urls, groups: Groups, operator: Command) -> None:
    anna = await firm.create()
    group = await groups.create("Alle")
    entry = await noted(firm, change_group(group.id, add=[anna.id], display_name="Alle her"))
    told = (await operator("company", "replay", firm.name, entry)).out
    assert f"group.changed {group.id}" in told
    assert 'display_name: "Alle" -> "Alle her"' in told
    assert f"added: {anna.id}" in told
    assert "Done:" in (await operator("company", "replay", firm.name, entry, "--yes")).out


@pytest.fixture
def operator(firm_urls: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", firm_urls.owner)
    return Command(capsys)
