"""W3C trace context, read strictly: what does not fit starts a new trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.telemetry.tracing import current_trace_id, parse_traceparent, server_span, traceparent

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_traceparent_survives_reading_and_writing() -> None:
    parsed = parse_traceparent(GOOD)
    assert parsed is not None
    assert traceparent(parsed) == GOOD


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        GOOD.upper(),
        GOOD.replace("00-4", "01-4"),
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        GOOD + "-more",
        GOOD.replace("4bf9", "zzzz"),
        GOOD.replace("-01", "_01"),
    ],
)
def test_what_is_not_a_traceparent_is_ignored(header: str | None) -> None:
    assert parse_traceparent(header) is None


@given(st.text(max_size=70))
def test_no_header_makes_reading_fail(header: str) -> None:
    parse_traceparent(header)


def test_a_request_continues_the_callers_trace_or_begins_its_own() -> None:
    with server_span("GET", GOOD):
        assert current_trace_id() == "4bf92f3577b34da6a3ce929d0e0e4736"
    with server_span("GET", None):
        own = current_trace_id()
    assert len(own) == 32
    assert own != "4bf92f3577b34da6a3ce929d0e0e4736"
    assert current_trace_id() == ""
