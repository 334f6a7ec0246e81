"""Which group is the company's own, who joins and who leaves, and how it is told."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from directory.groups.record import TOLD_TOGETHER, CompanyGroup, check_group, member_changes, wanted_members
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text, new_employee_id
from shared.schemas.group import GroupChanges, NewGroup

OWN = uuid4()
PEOPLE = [new_employee_id() for _ in range(6)]


def texts(*people: EmployeeId) -> list[str]:
    return [employee_text(one) for one in people]


@pytest.mark.parametrize(
    ("named", "object_id", "name_key", "is_it"),
    [
        (CompanyGroup(OWN, "BitaBIZ Firma"), OWN, "something else", True),
        (CompanyGroup(OWN, "BitaBIZ Firma"), uuid4(), "bitabiz firma", False),
        (CompanyGroup(OWN, "BitaBIZ Firma"), None, "bitabiz firma", True),
        (CompanyGroup(None, "BITABIZ Firma"), uuid4(), "bitabiz firma", True),
        (CompanyGroup(None, "BitaBIZ Firma"), None, "bitabiz", False),
        (CompanyGroup(OWN, None), None, "bitabiz firma", False),
        (CompanyGroup(None, None), OWN, "bitabiz firma", False),
        (CompanyGroup(None, "Kobenhavn"), None, "københavn", False),
        (CompanyGroup(None, "Ålborg"), None, "ålborg", True),
    ],
)
def test_two_object_ids_decide_alone_and_otherwise_the_name(
    named: CompanyGroup, object_id: object, name_key: str, is_it: bool
) -> None:
    assert named.is_it(object_id, name_key) is is_it  # type: ignore[arg-type]


def test_removing_some_takes_out_those_and_only_those() -> None:
    """Read literally, the standard would empty the group."""
    moves = wanted_members(GroupChanges(remove=texts(PEOPLE[0], PEOPLE[5]))).moves(set(PEOPLE[:3]))
    assert (set(moves.joining), set(moves.leaving)) == (set(), {PEOPLE[0]})


def test_replacing_keeps_who_is_in_both() -> None:
    moves = wanted_members(GroupChanges(members=texts(*PEOPLE[1:4]))).moves(set(PEOPLE[:3]))
    assert (set(moves.joining), set(moves.leaving)) == ({PEOPLE[3]}, {PEOPLE[0]})


def test_replacing_by_nobody_empties_and_saying_nothing_does_not() -> None:
    assert wanted_members(GroupChanges(members=[])).moves(set(PEOPLE)).leaving == set(PEOPLE)
    assert wanted_members(GroupChanges()).moves(set(PEOPLE)).leaving == set()


@pytest.mark.parametrize("text", ["", "emp_", "anna@firma.dk", "emp_" + "0" * 31, "EMP_" + "0" * 32, "grp_" + "0" * 32])
def test_what_is_no_employee_cannot_be_added_and_need_not_be_taken_out(text: str) -> None:
    for changes in (GroupChanges(add=[text]), GroupChanges(members=[text])):
        with pytest.raises(DomainError, match="no employee of this company") as refused:
            wanted_members(changes)
        assert (refused.value.code, refused.value.field) == (ErrorCode.invalid_value, "members")
    assert wanted_members(GroupChanges(remove=[text])).remove == frozenset()


def test_nobody_is_added_and_taken_out_at_once() -> None:
    with pytest.raises(DomainError) as refused:
        wanted_members(GroupChanges(add=texts(PEOPLE[0]), remove=texts(PEOPLE[0])))
    assert refused.value.code is ErrorCode.invalid_request


somebody = st.sampled_from(PEOPLE)
lists = st.lists(somebody, max_size=8)


@given(st.sets(somebody), st.none() | lists, lists, lists)
def test_the_moves_lead_to_what_was_asked_and_move_nobody_else(
    current: set[EmployeeId], only: list[EmployeeId] | None, add: list[EmployeeId], remove: list[EmployeeId]
) -> None:
    remove = [one for one in remove if one not in add]
    members = UNSET if only is None else texts(*only)
    asked = GroupChanges(members=members, add=texts(*add), remove=texts(*remove))
    moves = wanted_members(asked).moves(current)
    assert not moves.joining & current
    assert moves.leaving <= current
    expected = (set(only) if only is not None else current) | set(add)
    assert (current | moves.joining) - moves.leaving == expected - set(remove)


@given(st.integers(0, 3 * TOLD_TOGETHER), st.integers(0, 2 * TOLD_TOGETHER))
def test_an_event_names_a_bounded_number_and_nobody_is_left_untold(joined: int, left: int) -> None:
    added, removed = [new_employee_id()] * joined, [new_employee_id()] * left
    told = [changes["members"] for changes in member_changes(added, removed)]
    sizes = [sum(len(some) for some in one.values()) for one in told]  # type: ignore[arg-type, misc]
    assert sum(sizes) == joined + left
    assert all(size == TOLD_TOGETHER for size in sizes[:-1])
    named = [employee_from_text(text) for one in told for text in one.get("added", [])]  # type: ignore[attr-defined]
    assert named == added


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"display_name": ""}, "display_name"),
        ({"display_name": " \t "}, "display_name"),
        ({"display_name": "x" * 257}, "display_name"),
        ({"display_name": "a\x00b"}, "display_name"),
        ({"display_name": "\ud800"}, "display_name"),
        ({"display_name": "ok", "external_id": "x" * 513}, "external_id"),
        ({"display_name": "ok", "external_id": "\x07"}, "external_id"),
    ],
)
def test_a_value_that_cannot_be_stored_is_refused_by_name(values: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as refused:
        check_group(NewGroup(**values))
    assert (refused.value.code, refused.value.field) == (ErrorCode.invalid_value, field)


def test_the_longest_names_are_storable() -> None:
    check_group(NewGroup(display_name="😀" * 256, external_id="ø" * 512))
    check_group(GroupChanges())
