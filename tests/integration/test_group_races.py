"""Simultaneous changes of groups, of their members and of the people themselves: the answers are those of some order."""

import asyncio
import os
import random
from collections import Counter

import pytest

from shared.errors import DomainError, ErrorCode
from shared.schemas.group import Group, GroupWritten
from tests.integration.test_races import together
from tests.support.firm import Firm, uuid_of
from tests.support.groups import Groups, staff


@pytest.fixture
def groups(firm: Firm) -> Groups:
    return Groups(firm)


async def test_of_simultaneous_groups_of_one_name_one_is_created(groups: Groups) -> None:
    answers = await together(*(groups.create("Alle" if number % 2 else "ALLE") for number in range(16)))
    assert [type(one) for one in answers if one is not ErrorCode.already_exists] == [Group]
    assert (await groups.find()).total == 1


async def test_of_simultaneous_renames_to_one_name_one_succeeds(groups: Groups) -> None:
    made = [await groups.create(f"Gruppe {number}") for number in range(8)]
    answers = await together(*(groups.change(one, display_name="Ønsket") for one in made))
    assert Counter(type(one) for one in answers) == {GroupWritten: 1, ErrorCode: 7}
    assert (await groups.find(display_name="ønsket")).total == 1


async def test_everybody_added_at_once_is_a_member_once(firm: Firm, groups: Groups) -> None:
    people, made = await staff(firm, 24), await groups.create()
    await together(*(groups.change(made, add=people[start : start + 12]) for start in range(0, 24, 4)))
    now = await groups.get(made)
    assert now.members == people
    told = [one for _, changes in (await groups.told(made))[1:] for one in changes["members"]["added"]]
    assert sorted(told) == people
    assert now.version == len(await groups.kinds(made))


async def test_simultaneous_replacements_leave_one_of_them(firm: Firm, groups: Groups) -> None:
    """Not a mixture: neither order of two full lists leads to one."""
    people = await staff(firm, 9)
    made = await groups.create("Alle", *people[:3])
    for _ in range(6):
        lists = [people[:3], people[3:6], people[2:8], [*people[6:], people[0]]]
        await together(*(groups.change(made, members=one) for one in lists))
        assert await groups.members(made) in [sorted(one) for one in lists]


async def test_adding_to_a_group_while_it_is_replaced_or_removed(firm: Firm, groups: Groups) -> None:
    people = await staff(firm, 4)
    for round_ in range(6):
        made = await groups.create(f"Gruppe {round_}", people[0])
        answers = await together(
            groups.change(made, add=[people[1]]), groups.change(made, members=people[2:]), groups.remove(made)
        )
        assert answers[2] is None
        assert {one for one in answers[:2] if isinstance(one, ErrorCode)} <= {ErrorCode.not_found}
    rows = await firm.as_owner("select count(*) as many from group_members")
    assert rows[0]["many"] == 0


async def test_nobody_who_has_departed_is_a_member(firm: Firm, groups: Groups) -> None:
    """A leaver is added, taken out and let go at the same moment, in two groups."""
    for round_ in range(8):
        leaver = await firm.create(login=f"l{round_}@firma.dk")
        stayer = await firm.create(login=f"s{round_}@firma.dk")
        one, other = await groups.create(f"En {round_}", leaver), await groups.create(f"To {round_}")
        answers = await together(
            groups.change(other, members=[stayer, leaver]),
            firm.remove(leaver),
            groups.change(one, add=[stayer, leaver]),
            groups.change(one, remove=[leaver]),
            firm.change(stayer, title="Kok"),
        )
        assert not [answer for answer in answers if isinstance(answer, ErrorCode)]
        assert (await groups.members(one), await groups.members(other)) == ([stayer.id], [stayer.id])


@pytest.mark.parametrize("goes", ["erased", "departed"])
async def test_a_member_named_again_at_the_moment_of_his_going(firm: Firm, groups: Groups, goes: str) -> None:
    """He is a member when the request looks, and none when it has the group: it answers as if it had come second."""
    anna, bo = await firm.create(), await firm.create(login="bo@firma.dk")
    made = await groups.create("Alle", anna, bo)
    async with firm.owner() as going:
        await going.execute("update groups set version = version + 1")
        await going.execute("delete from group_members where employee_id = $1", uuid_of(anna))
        if goes == "erased":
            await going.execute("delete from employees where employee_id = $1", uuid_of(anna))
        else:
            await going.execute(
                "update employees set state = 'departed', termination_date = '2026-11-02', "
                "termination_source = 'inactivation', released_sha256 = $2, "
                "login_name = null, login_key = null, email = null, email_key = null, external_id = null where employee_id = $1",
                uuid_of(anna),
                os.urandom(32),
            )
        named = asyncio.create_task(groups.change(made, members=[anna, bo]))
        await asyncio.sleep(0.2)
        assert not named.done()
    if goes == "erased":
        with pytest.raises(DomainError) as refused:
            await named
        assert refused.value.code is ErrorCode.invalid_value
    else:
        assert (await named).left_out == [anna.id]
    assert await groups.members(made) == [bo.id]


async def test_a_group_that_is_removed_while_its_members_leave(firm: Firm, groups: Groups) -> None:
    await groups.is_the_company_s(object_id=None, name="Alle")
    for round_ in range(6):
        people = [await firm.create(login=f"p{round_}-{number}@firma.dk") for number in range(4)]
        made = await groups.create("Alle", *people)
        answers = await together(groups.remove(made), *(firm.remove(one) for one in people))
        assert answers == [None] * 5


async def test_a_session_opened_while_its_owner_is_taken_out_does_not_outlive_it(firm: Firm, groups: Groups) -> None:
    """Whoever signs somebody in locks him first, and so does whoever takes him out of the required group."""
    anna = await firm.create()
    await groups.is_the_company_s(object_id=None, name="Alle")
    made = await groups.create("Alle", anna)
    async with firm.owner() as signing_in:
        await signing_in.execute("select 1 from employees where employee_id = $1 for update", uuid_of(anna))
        taken_out = asyncio.create_task(groups.change(made, remove=[anna]))
        await asyncio.sleep(0.2)
        assert not taken_out.done()
        await signing_in.execute(
            "insert into sessions (company_id, session_sha256, employee_id, name_id, signed_in_at, expires_at) "
            "values ($1, $2, $3, 'anna', now(), now() + interval '1 hour')",
            firm.company_id,
            os.urandom(32),
            uuid_of(anna),
        )
    assert (await taken_out).changed
    assert await firm.signed_in(anna) == 0


async def test_random_changes_of_several_groups_leave_what_the_history_tells(firm: Firm, groups: Groups) -> None:
    chosen = random.Random(7)
    people = await staff(firm, 12)
    made = [await groups.create(f"Gruppe {number}") for number in range(3)]
    for _ in range(6):
        some = [chosen.sample(people, 5) for _ in range(8)]
        await together(
            *(groups.change(chosen.choice(made), **{chosen.choice(["add", "remove", "members"]): one}) for one in some)
        )
    for one in made:
        members: set[str] = set()
        for _, changes in await groups.told(one):
            told = changes.get("members", {})
            assert not members & set(told.get("added", []))
            assert members >= set(told.get("removed", []))
            members = (members | set(told.get("added", []))) - set(told.get("removed", []))
        assert sorted(members) == await groups.members(one)
