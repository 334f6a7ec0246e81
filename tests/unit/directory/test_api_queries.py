"""Query strings: what is unknown, said twice or out of range is refused by name."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from directory.api.queries import EmployeeQuery, EmployeesQuery, EventsQuery, HistoryQuery, read_query
from shared.errors import DomainError, ErrorCode


def test_what_is_asked_is_read_and_what_is_not_has_its_default() -> None:
    asked = read_query(EmployeesQuery, [("state", "departed"), ("limit", "7"), ("department", "Køkken & kantine")])
    assert asked == EmployeesQuery(state="departed", limit=7, department="Køkken & kantine")
    assert read_query(EventsQuery, []) == EventsQuery(after=0, wait=0, limit=100, kinds=None)
    assert read_query(EventsQuery, [("wait", "0.5"), ("after", "12")]) == EventsQuery(after=12, wait=0.5)
    assert read_query(HistoryQuery, [("order", "newest")]).order == "newest"


@pytest.mark.parametrize("text", ["2026-11-26T02:00:00+01:00", "2026-11-26T02:00:00 01:00"])
def test_a_moment_is_understood_also_where_its_plus_sign_became_a_space(text: str) -> None:
    asked = read_query(EmployeeQuery, [("at", text)])
    assert asked.at == datetime(2026, 11, 26, 2, tzinfo=timezone(timedelta(hours=1)))
    assert read_query(EmployeeQuery, [("at", "2026-11-26T01:00:00Z")]).at == datetime(2026, 11, 26, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        (EmployeesQuery, [("stat", "active")], "stat"),
        (EmployeesQuery, [("offset", "20")], "offset"),
        (EmployeesQuery, [("limit", "5"), ("limit", "6")], "limit"),
        (EmployeesQuery, [("limit", "0")], "limit"),
        (EmployeesQuery, [("limit", "501")], "limit"),
        (EmployeesQuery, [("limit", "many")], "limit"),
        (EmployeesQuery, [("state", "gone")], "state"),
        (EmployeesQuery, [("department", "")], "department"),
        (EmployeesQuery, [("department", "x" * 1001)], "department"),
        (EmployeesQuery, [("changed_since", "2026-11-26")], "changed_since"),
        (EmployeeQuery, [("at", "2026-11-26T01:00:00")], "at"),
        (EmployeeQuery, [("at", "yesterday")], "at"),
        (EventsQuery, [("wait", "61")], "wait"),
        (EventsQuery, [("wait", "nan")], "wait"),
        (EventsQuery, [("wait", "-1")], "wait"),
        (EventsQuery, [("after", "-1")], "after"),
        (EventsQuery, [("after", str(2**63))], "after"),
        (EventsQuery, [("limit", "1001")], "limit"),
        (HistoryQuery, [("order", "sideways")], "order"),
        (HistoryQuery, [("after", "x")], "after"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    kind: type[EmployeesQuery], given: list[tuple[str, str]], field: str
) -> None:
    with pytest.raises(DomainError) as refused:
        read_query(kind, given)
    assert (refused.value.code, refused.value.field) == (ErrorCode.invalid_request, field)
    assert field in refused.value.detail
