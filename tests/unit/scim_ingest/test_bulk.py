"""A bulk request read, and the order in which it is done; nothing is sent here."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim_ingest.protocol.attributes import ENTERPRISE, GROUP
from scim_ingest.protocol.bulk import Malformed, Operation, change_references, named_in, read_bulk, without_manager
from scim_ingest.protocol.bulk_order import Order, Turn
from scim_ingest.protocol.errors import ScimError
from tests.unit.scim_ingest.test_patch_fuzz import VALUES


def post(bulk_id: str, manager: str | None = None, kind: str = "Users", **data: Any) -> dict[str, Any]:
    extension = {} if manager is None else {ENTERPRISE: {"manager": {"value": f"bulkId:{manager}"}}}
    return {"method": "POST", "path": f"/{kind}", "bulkId": bulk_id, "data": {**extension, **data}}


def group(bulk_id: str, *members: str) -> dict[str, Any]:
    return post(bulk_id, kind="Groups", members=[{"value": f"bulkId:{one}"} for one in members])


def patch(path: str, **data: Any) -> dict[str, Any]:
    return {"method": "PATCH", "path": path, "data": {"Operations": [], **data}}


def read(*operations: Any) -> list[Operation | Malformed]:
    return read_bulk({"Operations": list(operations)}, 5000).operations


def turns(*operations: Any) -> list[Turn]:
    order, taken = Order(read(*operations)), []
    while (turn := order.next()) is not None:
        taken.append(turn)
        order.settled(turn)
    return taken


def positions(*operations: Any) -> list[int]:
    return [turn.position for turn in turns(*operations)]


def test_what_names_nobody_is_done_as_it_came() -> None:
    assert positions(post("b"), patch("/Users/1"), post("a"), {"method": "DELETE", "path": "/Users/2"}) == [0, 1, 2, 3]


def test_whoever_is_named_before_he_is_created_is_waited_for() -> None:
    assert positions(group("g", "a", "b"), post("x"), post("a"), post("b"), post("y")) == [1, 2, 3, 0, 4]


def test_what_is_sent_to_one_address_keeps_its_order() -> None:
    late = patch("/Groups/1", Operations=[{"op": "add", "path": "members", "value": [{"value": "bulkId:a"}]}])
    assert positions(late, patch("/Groups/1"), patch("/Groups/2"), post("a")) == [2, 3, 0, 1]


def test_a_malformed_operation_has_its_turn_and_holds_nobody_up() -> None:
    assert positions({"method": "GET"}, post("a", manager="b"), post("b")) == [0, 2, 1]


def test_two_who_manage_each_other_are_created_one_after_the_other_and_completed() -> None:
    assert turns(post("a", manager="b"), post("b", manager="a"), patch("/Users/1")) == [
        Turn(2),
        Turn(0, "do_without_manager"),
        Turn(1),
        Turn(0, "set_manager"),
    ]


def test_who_manages_himself_is_created_and_completed() -> None:
    assert turns(post("a", manager="a")) == [Turn(0, "do_without_manager"), Turn(0, "set_manager")]


def test_only_a_circle_is_broken_and_not_who_waits_for_it() -> None:
    assert turns(post("c", manager="a"), post("a", manager="b"), post("b", manager="a")) == [
        Turn(1, "do_without_manager"),
        Turn(0),
        Turn(2),
        Turn(1, "set_manager"),
    ]


def test_groups_in_a_circle_are_refused_one_by_one() -> None:
    assert turns(group("g", "h"), group("h", "g")) == [Turn(0, "refuse_circle"), Turn(1)]


def test_a_thousand_in_one_circle_and_a_thousand_in_pairs_take_no_time() -> None:
    started = time.perf_counter()
    circle = turns(*(post(f"u{at}", manager=f"u{(at + 1) % 1000}") for at in range(1000)))
    assert len(circle) == 1001
    assert [turn.step for turn in circle].count("do_without_manager") == 1
    pairs = turns(*(post(f"u{at}", manager=f"u{at ^ 1}") for at in range(1000)))
    assert [turn.step for turn in pairs].count("set_manager") == 500
    assert time.perf_counter() - started < 2


def test_everything_has_its_turn_exactly_once_whoever_names_whom() -> None:
    """Every graph of four users who each name one of the four, or nobody."""
    for number in range(5**4):
        named = [number // 5**place % 5 for place in range(4)]
        operations = [post(str(at), manager=None if one == 4 else str(one)) for at, one in enumerate(named)]
        taken = turns(*operations)
        first = [turn.position for turn in taken if turn.step != "set_manager"]
        assert sorted(first) == [0, 1, 2, 3]
        created: set[int] = set()
        for turn in taken:
            if turn.step != "do_without_manager" and named[turn.position] != 4:
                assert named[turn.position] in created, (named, taken)
            created.add(turn.position)
        halves = {turn.position for turn in taken if turn.step == "do_without_manager"}
        assert halves == {turn.position for turn in taken if turn.step == "set_manager"}


REFERENCES: list[tuple[Any, set[str]]] = [
    ({ENTERPRISE: {"manager": {"value": "bulkId:a", "$ref": "../Users/bulkId:b"}}}, {"a", "b"}),
    ({ENTERPRISE: {"manager": "bulkId:a"}}, {"a"}),
    ({"manager": [{"value": "bulkId:a"}]}, {"a"}),
    ({f"{ENTERPRISE}:manager": "bulkId:a"}, {"a"}),
    ({f"{ENTERPRISE}:manager.value": "bulkId:a"}, {"a"}),
    ({"members": [{"value": "bulkId:a"}, "bulkId:b", {"value": "emp_1"}]}, {"a", "b"}),
    ({f"{GROUP}:members": [{"VALUE": "bulkId:a"}]}, {"a"}),
    ({"Operations": [{"op": "add", "path": "manager", "value": "bulkId:a"}]}, {"a"}),
    ({"operations": [{"op": "add", "PATH": f"{ENTERPRISE}:manager", "VALUE": {"value": "bulkId:a"}}]}, {"a"}),
    ({"Operations": [{"op": "add", "value": {"members": [{"value": "bulkId:a"}]}}]}, {"a"}),
    ({"Operations": [{"op": "remove", "path": 'members[value eq "bulkId:a" or value eq "bulkId:b"]'}]}, {"a", "b"}),
    ({"title": "bulkId:a", "displayName": "bulkId:a"}, set()),
    ({"Operations": [{"op": "add", "path": "title", "value": "bulkId:a"}, "bulkId:b", {"path": 5}]}, set()),
    ({"manager": "bulkId:bulkId:a"}, {"bulkId:a"}),
    ({"manager": "bulkId:"}, set()),
    ({"manager": ["bulkId:a", None, 5, True]}, {"a"}),
    ([], set()),
    ("bulkId:a", set()),
]


@pytest.mark.parametrize(("data", "named"), REFERENCES, ids=str)
def test_a_reference_counts_where_one_stands(data: Any, named: set[str]) -> None:
    assert named_in(data) == named
    changed = change_references(data, lambda name: f"emp_{name}")
    assert named_in(changed) == set()
    assert change_references(data, lambda name: f"bulkId:{name}") == data


def test_a_filter_is_changed_inside_its_quotes() -> None:
    data = {"Operations": [{"op": "remove", "path": 'members[value eq "bulkId:a"]'}]}
    changed: Any = change_references(data, lambda name: "emp_1")
    assert changed["Operations"][0]["path"] == 'members[value eq "emp_1"]'


def test_leaving_the_manager_out_leaves_everything_else() -> None:
    data = {
        "userName": "a",
        "manager": "bulkId:a",
        f"{ENTERPRISE}:manager": "x",
        ENTERPRISE: {"manager": {}, "department": "D"},
    }
    assert without_manager(data) == {"userName": "a", ENTERPRISE: {"department": "D"}}


@pytest.mark.parametrize(
    "given",
    [
        "text",
        None,
        [],
        {},
        {**post("a"), "method": "post"},
        {**post("a"), "method": "GET"},
        {**post("a"), "method": 5},
        {**post("a"), "path": "/Users/1"},
        {**post("a"), "path": "Users"},
        {**post("a"), "path": "/users"},
        {**post("a"), "path": "/Schemas"},
        {**post("a"), "path": "https://elsewhere.example/Users"},
        {**post("a"), "path": ["/Users"]},
        {**post("a"), "bulkId": 5},
        {**post("a"), "bulkId": ""},
        {**post("a"), "bulkId": "x" * 257},
        {"method": "POST", "path": "/Users", "data": {}},
        {"method": "POST", "path": "/Users", "bulkId": "a"},
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": []},
        {"method": "PATCH", "path": "/Users", "data": {}},
        {"method": "PATCH", "path": "/Users/1/2", "data": {}},
        {"method": "PATCH", "path": "/Users/1?x=1", "data": {}},
        {"method": "PUT", "path": "/Users/1", "data": "x"},
        {"method": "DELETE", "path": "/Users/"},
        {"method": "DELETE", "path": "/Bulk"},
        {"method": "DELETE", "path": "/Users/1", "version": 3},
    ],
    ids=str,
)
def test_what_is_wrong_with_an_operation_is_said_of_it_alone(given: Any) -> None:
    wrong, right = read(given, post("z"))
    assert isinstance(wrong, Malformed)
    assert isinstance(right, Operation)
    assert (wrong.error.status, wrong.error.scim_type in {"invalidSyntax", "invalidValue"}) == (400, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400),
        ("x", 400),
        ({}, 400),
        ({"Operations": None}, 400),
        ({"Operations": {}}, 400),
        ({"Operations": [], "failOnErrors": 0}, 400),
        ({"Operations": [], "failOnErrors": -1}, 400),
        ({"Operations": [], "failOnErrors": "1"}, 400),
        ({"Operations": [], "failOnErrors": True}, 400),
        ({"Operations": [], "failOnErrors": 1.5}, 400),
        ({"Operations": [post("a"), post("b"), post("a")]}, 400),
        ({"Operations": [None] * 5001}, 413),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_wrong_with_the_message_refuses_all_of_it(body: Any, status: int) -> None:
    with pytest.raises(ScimError) as raised:
        read_bulk(body, 5000)
    assert raised.value.status == status


def test_names_of_members_count_without_case() -> None:
    bulk = read_bulk(
        {"OPERATIONS": [{"METHOD": "POST", "Path": "/Users", "BULKID": "a", "Data": {}}], "FAILONERRORS": 2}, 9
    )
    assert isinstance(bulk.operations[0], Operation)
    assert bulk.fail_on_errors == 2


BULK_OPERATIONS = st.lists(
    st.one_of(
        VALUES,
        st.fixed_dictionaries(
            {"method": st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"])},
            optional={
                "path": st.sampled_from(["/Users", "/Groups", "/Users/1", "/Users/bulkId:a", "/Groups/bulkId:b", "/x"]),
                "bulkId": st.sampled_from(["a", "b", "c", "d", 5]),
                "version": VALUES,
                "data": st.one_of(
                    VALUES,
                    st.dictionaries(
                        st.sampled_from(["manager", "members", "title", ENTERPRISE]),
                        st.sampled_from(
                            ["bulkId:a", "bulkId:b", ["bulkId:c"], {"manager": "bulkId:d"}, {"value": "bulkId:a"}]
                        ),
                    ),
                ),
            },
        ),
    ),
    max_size=8,
)


@given(BULK_OPERATIONS)
@settings(max_examples=500, deadline=None)
def test_whatever_comes_is_refused_or_has_its_turn_once(operations: list[Any]) -> None:
    try:
        found = read(*operations)
    except ScimError as error:
        assert error.status == 400  # noqa: PT017
        return
    assert len(found) == len(operations)
    taken = [turn.position for turn in turns(*operations) if turn.step != "set_manager"]
    assert sorted(taken) == list(range(len(operations)))
