"""Groups as Entra provisions them: names, members in sets, one transaction each."""

from typing import Any
from uuid import uuid4

import pytest

from directory.groups import operations
from directory.groups.record import TOLD_TOGETHER
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text, new_employee_id
from tests.support.firm import Firm
from tests.support.groups import Groups, staff
from tests.support.plans import plans_of, scanned, sent_by


@pytest.fixture
def groups(firm: Firm) -> Groups:
    return Groups(firm)


async def refusal(attempt: object) -> tuple[ErrorCode, str | None]:
    with pytest.raises(DomainError) as refused:
        await attempt  # type: ignore[misc]
    return refused.value.code, refused.value.field


async def test_a_group_is_created_empty_and_given_back_as_it_was_sent(groups: Groups) -> None:
    external_id = str(uuid4())
    made = await groups.create("BitaBIZ Ærø A/S", external_id=external_id)
    assert (made.display_name, made.external_id, made.members, made.version) == ("BitaBIZ Ærø A/S", external_id, [], 1)
    assert await groups.get(made) == made
    assert await groups.kinds(made) == ["group.created"]


async def test_members_are_answered_only_where_they_are_asked_for(firm: Firm, groups: Groups) -> None:
    """Entra takes members in an answer that it asked to be without them for several entries."""
    made = await groups.create("Alle", *await staff(firm, 3))
    assert (await groups.get(made, with_members=False)).members is None
    assert (await groups.find()).groups[0].members is None
    assert (await groups.find(with_members=True)).groups == [made]


async def test_a_page_of_groups_holds_no_more_members_than_an_answer_should(
    firm: Firm, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "MAX_MEMBERS", 5)
    people = await staff(firm, 6)
    large, small = await groups.create("Alle", *people), await groups.create("Nogle", *people[:2])
    assert await refusal(groups.find(with_members=True)) == (ErrorCode.invalid_request, "limit")
    assert (await groups.find(with_members=True, limit=1)).groups == [large]
    assert (await groups.find(display_name="alle", with_members=True)).groups == [large]
    assert [one.id for one in (await groups.find()).groups] == [large.id, small.id]


async def test_a_group_may_be_created_with_its_members(firm: Firm, groups: Groups) -> None:
    people = await staff(firm, 3)
    made = await groups.create("Alle", *reversed(people), people[0])
    assert made.members == people
    assert await groups.told(made) == [
        ("group.created", {"display_name": {"before": None, "after": "Alle"}}),
        ("group.members_changed", {"members": {"added": people}}),
    ]


@pytest.mark.parametrize("name", ["Alle", "ALLE", "alle"])
async def test_a_name_is_taken_whatever_its_case(groups: Groups, name: str) -> None:
    made = await groups.create("Alle")
    assert await refusal(groups.create(name)) == (ErrorCode.already_exists, "display_name")
    other = await groups.create("Andre")
    assert await refusal(groups.change(other, display_name=name)) == (ErrorCode.already_exists, "display_name")
    assert (await groups.change(made, display_name=name)).group.display_name == name


async def test_an_object_id_is_taken_whatever_its_case(groups: Groups) -> None:
    object_id = str(uuid4())
    await groups.create("Alle", external_id=object_id)
    assert await refusal(groups.create("Andre", external_id=object_id.upper())) == (
        ErrorCode.external_id_taken,
        "external_id",
    )
    other = await groups.create("Andre", external_id="mail nickname")
    assert (await refusal(groups.change(other, external_id=object_id)))[0] is ErrorCode.external_id_taken


async def test_the_same_names_in_two_companies_are_two_groups(firm: Firm, other_firm: Firm, groups: Groups) -> None:
    object_id = str(uuid4())
    here, there = await groups.create(external_id=object_id), await Groups(other_firm).create(external_id=object_id)
    assert here.id != there.id
    for attempt in (groups.get(there), groups.change(there, display_name="x"), groups.remove(there)):
        assert await refusal(attempt) == (ErrorCode.not_found, "group_id")
    assert (await groups.find(id=there.id)).total == 0
    assert (await Groups(other_firm).get(there)) == there


async def test_adding_twice_is_once_and_writes_nothing_the_second_time(firm: Firm, groups: Groups) -> None:
    people, made = await staff(firm, 3), await groups.create()
    first = await groups.change(made, add=[*people, people[0]])
    assert (first.changed, first.group.members, first.group.version) == (True, people, 2)
    written = await groups.version_on_disk(made)
    again = await groups.change(made, add=people[:2])
    assert (again.changed, again.group) == (False, first.group)
    assert await groups.version_on_disk(made) == written
    assert await groups.kinds(made) == ["group.created", "group.members_changed"]


async def test_an_unchanged_group_is_neither_written_nor_are_its_people_locked(firm: Firm, groups: Groups) -> None:
    people = await staff(firm, 3)
    made = await groups.create("Alle", *people, external_id="x")
    written = "select max(xmax::text::bigint) as locked from employees"
    before = (await firm.as_owner(written))[0]["locked"]
    same = {"display_name": "Alle", "external_id": "x", "members": people, "add": people[:1]}
    assert (await groups.change(made, **same)).changed is False
    assert (await firm.as_owner(written))[0]["locked"] == before


async def test_removing_takes_out_those_and_only_those(firm: Firm, groups: Groups) -> None:
    people = await staff(firm, 4)
    made = await groups.create("Alle", *people)
    left = (await groups.change(made, remove=people[1:3])).group
    assert left.members == [people[0], people[3]]
    assert (await groups.told(made))[-1] == ("group.members_changed", {"members": {"removed": people[1:3]}})


async def test_removing_who_is_no_member_is_nothing_to_do(firm: Firm, other_firm: Firm, groups: Groups) -> None:
    people = await staff(firm, 2)
    made = await groups.create("Alle", people[0])
    strangers = [people[1], *await staff(other_firm, 1), employee_text(new_employee_id()), "nonsense"]
    assert (await groups.change(made, remove=strangers)).changed is False


async def test_replacing_the_members_says_who_came_and_who_went(firm: Firm, groups: Groups) -> None:
    people = await staff(firm, 4)
    made = await groups.create("Alle", *people[:3])
    replaced = (await groups.change(made, members=people[1:])).group
    assert replaced.members == people[1:]
    assert (await groups.told(made))[-1][1] == {"members": {"added": [people[3]], "removed": [people[0]]}}
    assert (await groups.change(made, members=[])).group.members == []


async def test_one_request_renames_and_moves_people_as_one_version(firm: Firm, groups: Groups) -> None:
    people = await staff(firm, 2)
    made = await groups.create("Alle", people[0])
    changed = await groups.change(made, display_name="Nogle", external_id="n", add=[people[1]], remove=[people[0]])
    assert (changed.group.display_name, changed.group.members, changed.group.version) == ("Nogle", [people[1]], 2)
    assert await groups.kinds(made) == [
        "group.created",
        "group.members_changed",
        "group.changed",
        "group.members_changed",
    ]


async def test_whoever_is_nobody_here_is_refused_by_name_and_nothing_is_done(
    firm: Firm, other_firm: Firm, groups: Groups
) -> None:
    """An employee of another company and one that never was are answered alike."""
    people, made = await staff(firm, 1), await groups.create()
    for stranger in (*await staff(other_firm, 1), employee_text(new_employee_id()), "nonsense"):
        for changes in ({"add": [people[0], stranger]}, {"members": [stranger]}):
            with pytest.raises(DomainError) as refused:
                await groups.change(made, display_name="Andet", **changes)
            assert refused.value.code is ErrorCode.invalid_value
            assert refused.value.detail == f"members: '{stranger}' is no employee of this company."
        assert await refusal(groups.create("Ny", stranger)) == (ErrorCode.invalid_value, "members")
    assert await groups.get(made) == made
    assert (await groups.find()).total == 1


async def test_a_leaver_is_left_out_and_everybody_else_is_added(firm: Firm, groups: Groups) -> None:
    """Entra may still name somebody whose employment HR has ended; the others must not wait for that."""
    gone, here = await firm.create(login="gone@firma.dk"), await firm.create(login="here@firma.dk")
    await firm.remove(gone)
    made = await groups.write("Alle", gone, here)
    assert (made.group.members, made.left_out) == ([here.id], [gone.id])
    again = await groups.change(made.group, add=[gone])
    assert (again.changed, again.left_out) == (False, [gone.id])


async def test_a_departure_ends_every_membership_in_its_own_transaction(firm: Firm, groups: Groups) -> None:
    anna, bo = await firm.create(login="anna@firma.dk"), await firm.create(login="bo@firma.dk")
    one, other = await groups.create("En", anna, bo), await groups.create("To", anna)
    untouched = await groups.create("Tre", bo)
    await firm.remove(anna)
    assert (await groups.members(one), await groups.members(other)) == ([bo.id], [])
    assert [(await groups.get(made)).version for made in (one, other, untouched)] == [2, 2, 1]
    assert (await groups.told(one))[-1] == ("group.members_changed", {"members": {"removed": [anna.id]}})


async def test_a_suspended_member_stays_one(firm: Firm, groups: Groups) -> None:
    """Restoring somebody in Entra does not restore his memberships, so a suspension does not end them."""
    anna = await firm.create()
    made = await groups.create("Alle", anna)
    await firm.change(anna, active=False)
    assert await groups.members(made) == [anna.id]
    assert (await groups.change(made, remove=[anna])).changed is True
    assert (await groups.change(made, add=[anna])).group.members == [anna.id]


async def test_a_group_that_is_removed_leaves_its_people_as_they_are(firm: Firm, groups: Groups) -> None:
    anna = await firm.create()
    made = await groups.create("Alle", anna, external_id="x")
    await groups.remove(made)
    assert await firm.get(anna) == anna
    for attempt in (groups.get(made), groups.remove(made), groups.change(made, add=[anna])):
        assert (await refusal(attempt))[0] is ErrorCode.not_found
    assert (await groups.told(made))[-1] == (
        "group.removed",
        {"display_name": {"before": "Alle", "after": None}, "external_id": {"before": "x", "after": None}},
    )
    again = await groups.create("Alle", anna, external_id="x")
    assert again.id != made.id


async def test_groups_are_found_by_name_id_external_id_and_member(firm: Firm, other_firm: Firm, groups: Groups) -> None:
    people = await staff(firm, 2)
    one = await groups.create("Ålborg", people[0], external_id="En")
    other = await groups.create("Odense", *people, external_id="en")
    await Groups(other_firm).create("Odense", *await staff(other_firm, 1), external_id="en")

    async def found(**conditions: Any) -> list[str]:
        page = await groups.find(**conditions)
        assert page.total == len(page.groups)
        return [group.id for group in page.groups]

    assert await found(display_name="åLBORG") == [one.id]
    assert await found(external_id="en") == [other.id]
    assert await found(id=one.id) == [one.id]
    assert await found(member=people[0]) == [one.id, other.id]
    assert await found(id=one.id, member=people[1]) == []
    assert await found(id=other.id, member=people[1]) == [other.id]
    for nothing in ("", "nonsense", "a\x00b", "\ud800"):
        for field in ("id", "display_name", "external_id", "member"):
            assert await found(**{field: nothing}) == []


async def test_a_list_is_paged_in_the_order_of_creation(groups: Groups) -> None:
    made = [(await groups.create(f"Gruppe {number}")).id for number in range(5)]
    assert [one.id for one in (await groups.find(offset=1, limit=3)).groups] == made[1:4]
    past = await groups.find(offset=9)
    assert (past.total, past.groups) == (5, [])
    assert (await groups.find(limit=0)).total == 5
    assert (await refusal(groups.find(offset=-1)))[0] is ErrorCode.invalid_request
    assert (await refusal(groups.find(limit=1002)))[0] is ErrorCode.invalid_request


@pytest.mark.parametrize("text", ["", "grp_", "Alle", "emp_" + "0" * 32, "grp_" + "0" * 32])
async def test_an_id_that_is_no_group_s_is_not_found(groups: Groups, text: str) -> None:
    assert await refusal(groups.get(text)) == (ErrorCode.not_found, "group_id")
    assert await refusal(groups.change(text, add=[employee_text(new_employee_id())])) == (
        ErrorCode.not_found,
        "group_id",
    )
    assert await refusal(groups.change(text, display_name="x")) == (ErrorCode.not_found, "group_id")


# The company's own group


@pytest.mark.parametrize("way", ["change", "replace", "group"])
async def test_leaving_the_required_group_ends_sessions_at_once(firm: Firm, groups: Groups, way: str) -> None:
    """S75: where being in the group is what lets people in."""
    anna, bo = await firm.create(login="anna@firma.dk"), await firm.create(login="bo@firma.dk")
    object_id = str(uuid4())
    made = await groups.create("Alle", anna, bo, external_id=object_id)
    await groups.is_the_company_s(object_id=object_id, name=None)
    await firm.sign_in(anna)
    await firm.sign_in(bo)
    match way:
        case "change":
            await groups.change(made, remove=[anna])
        case "replace":
            await groups.change(made, members=[bo])
        case _:
            await groups.remove(made)
    assert await firm.signed_in(anna) == 0
    assert await firm.signed_in(bo) == (0 if way == "group" else 2)


@pytest.mark.parametrize(("check", "own"), [("when_sent", True), ("off", True), ("required", False)])
async def test_leaving_any_other_group_ends_nothing(firm: Firm, groups: Groups, check: str, own: bool) -> None:
    anna, object_id = await firm.create(), str(uuid4())
    made = await groups.create("Alle", anna, external_id=object_id)
    await groups.is_the_company_s(object_id=object_id if own else str(uuid4()), name="Alle", check=check)
    await firm.sign_in(anna)
    await groups.change(made, remove=[anna])
    assert await firm.signed_in(anna) == 2


# How much


async def test_five_thousand_members_come_and_go_in_one_change(firm: Firm, groups: Groups) -> None:
    """How long it takes: benchmarks."""
    people, made = await staff(firm, 5000), await groups.create()
    asked: list[dict[str, Any]] = [{"add": people}, {"members": people}, {"remove": people}]
    for changes in asked:
        changed = await groups.change(made, **changes)
        assert changed.group.members == ([] if "remove" in changes else people)


async def test_a_large_change_is_told_in_bounded_events_by_as_many_statements_as_a_small_one(
    firm: Firm, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, made = await staff(firm, 2 * TOLD_TOGETHER + 1), await groups.create()
    await groups.change(made, add=people[:1])

    async def statements(*joining: str) -> list[str]:
        sent = await sent_by(monkeypatch, lambda: groups.change(made, add=joining))
        return [question.name for question, _ in sent]

    assert await statements(*people[1:]) == await statements(*await staff(firm, 1))
    told = [len(changes["members"]["added"]) for _, changes in (await groups.told(made))[2:]]
    assert told == [TOLD_TOGETHER, TOLD_TOGETHER, 1]


async def test_no_statement_reads_a_table_from_end_to_end(
    firm: Firm, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await staff(firm, 5000)
    made = await groups.create("Alle", *people)
    await firm.as_owner(
        "insert into groups (company_id, group_id, display_name, name_key, external_id, created_at, updated_at) "
        "select $1, gen_random_uuid(), n, n, n, now(), now() from (select 'g' || generate_series(1, 300) as n) as new",
        firm.company_id,
    )
    leaver = await firm.create(login="leaver@firma.dk")

    async def work() -> None:
        await groups.find(display_name="g7")
        await groups.find(external_id="g7", limit=5)
        await groups.find(member=people[7], id=made.id)
        await groups.change(made, remove=people[:2], display_name="Alle andre")
        await groups.change(made, add=[*people[:2], leaver])
        await firm.remove(leaver)

    plans = await plans_of(firm, monkeypatch, work)
    assert {"group_members.add", "group_members.take_out", "group_members.forget", "groups.find_page"} <= set(plans)
    assert scanned(plans) == {}
