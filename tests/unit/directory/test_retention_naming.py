"""By what other people's data may name somebody who is erased."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from directory.employees import revisions
from directory.retention.naming import Erased, naming
from tests.unit.directory.employee_records import NOW, employee


def test_a_known_name_is_his_in_any_spelling() -> None:
    erased = Erased(frozenset({"anna@firma.dk", "nick"}), None)
    references = {"ANNA@firma.dk", "Nick", "bo@firma.dk", "anna@firma.dk.evil"}
    assert naming([erased], references) == {"ANNA@firma.dk", "Nick"}


def test_a_departure_leaves_enough_to_know_every_name_he_bore_and_no_name() -> None:
    anna = employee("Anna@Firma.dk", email="post@firma.dk", external_id="nick-7")
    departed = revisions.departed(anna, NOW, "Europe/Copenhagen", former=["anna.holm@firma.dk", "Anna@Firma.dk"])
    assert departed.released_sha256 is not None
    salt, first = departed.released_sha256[:16], departed.released_sha256[16:48]
    assert first == hashlib.sha256(salt + b"anna@firma.dk").digest()
    assert len(departed.released_sha256) == 16 + 4 * 32
    erased = Erased(frozenset(), departed.released_sha256)
    his = {"anna@firma.dk", "POST@firma.dk", "nick-7", "anna.holm@firma.dk"}
    assert naming([erased], his | {"bo@firma.dk", ""}) == his


@given(st.sets(st.text(max_size=20), max_size=8), st.binary(min_size=0, max_size=200))
def test_whatever_stands_there_nobody_is_taken_for_him_by_chance(references: set[str], released: bytes) -> None:
    assert naming([Erased(frozenset(), released)], references) == set()
