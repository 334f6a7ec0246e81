"""The speakable id of a login attempt."""

import re

from hypothesis import given
from hypothesis import strategies as st

from shared.attempts import attempt_from_text, attempt_of_flow, new_attempt_id, relay_state, unproven_flow

FLOW = "_" + "0123456789abcdef" * 2
SPOKEN = re.compile("[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")


def test_an_id_is_two_groups_of_four_and_by_chance() -> None:
    ids = {new_attempt_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(SPOKEN.fullmatch(one) for one in ids)


def test_it_is_understood_as_it_is_typed() -> None:
    assert attempt_from_text("K7QM-3F9D") == "K7QM-3F9D"
    assert attempt_from_text(" k7qm 3f9d ") == "K7QM-3F9D"
    assert attempt_from_text("k7qm3f9d") == "K7QM-3F9D"
    assert attempt_from_text("oOiI-lL00") == "0011-1100"


def test_what_cannot_be_one_is_none() -> None:
    for text in ("", "K7QM-3F9", "K7QM-3F9DX", "K7QM-3F9U", "anna@firma.dk", "emp_0198c0de", "K7QM/3F9D"):
        assert attempt_from_text(text) is None


@given(st.binary(min_size=16, max_size=16))
def test_a_flow_has_one_id_which_is_read_as_itself(chance: bytes) -> None:
    flow = f"_{chance.hex()}"
    spoken = attempt_of_flow(flow)
    assert spoken == attempt_of_flow(flow)
    assert attempt_from_text(spoken.lower().replace("0", "o").replace("1", "l")) == spoken
    assert SPOKEN.fullmatch(spoken)


def test_a_relay_state_names_a_flow_or_nothing() -> None:
    assert unproven_flow(relay_state(FLOW, test=False)) == (FLOW, False)
    assert unproven_flow(relay_state(FLOW, test=True)) == (FLOW, True)
    for other in (None, "", "/calendar", "test.", f"test.test.{FLOW}", f"{FLOW} ", FLOW.upper()):
        assert unproven_flow(other) == (None, False)
