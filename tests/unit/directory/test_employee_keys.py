import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.employees.keys import check_values, search_key
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import EmployeeChanges
from tests.unit.directory.employee_records import request


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Firma.DK", "anna@firma.dk"),
        ("ÆRØ@firma.dk", "ærø@firma.dk"),
        ("A\u030arhus@firma.dk", "\u00c5rhus@firma.dk"),
        ("\u00c5sa@firma.dk", "\u212bsa@firma.dk"),
    ],
)
def test_two_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert search_key(one) == search_key(other)


@pytest.mark.parametrize(("one", "other"), [("anna", " anna"), ("straße", "strasse"), ("ann", "anna"), ("å", "a")])
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert search_key(one) != search_key(other)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_key_is_its_own_key_and_normal(text: str) -> None:
    key = search_key(text)
    assert search_key(key) == key
    assert unicodedata.is_normalized("NFC", key)


@pytest.mark.parametrize("field", ["login_name", "email", "given_name", "family_name"])
@pytest.mark.parametrize("value", ["", "   ", "\u00a0"])
def test_a_mandatory_value_is_not_empty(field: str, value: str) -> None:
    with pytest.raises(DomainError) as refused:
        check_values(request(**{field: value}))
    assert (refused.value.code, refused.value.field) == (ErrorCode.invalid_value, field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "a\x00b"),
        ("title", "line\nbreak"),
        ("department", "\ud800"),
        ("given_name", "tab\t"),
        ("country", "\x85"),
        ("title", "x" * 1025),
        ("login_name", "x" * 321),
        ("email", "x" * 321),
        ("external_id", "x" * 513),
        ("external_id", "\U0001d15e" * 512),
        ("manager_ref", "x" * 513),
        ("department", "\U0001d15e" * 1024),
        ("country", "\U0001d15e" * 1024),
    ],
)
def test_a_value_that_cannot_be_stored_names_its_field(field: str, value: str) -> None:
    with pytest.raises(DomainError) as refused:
        check_values(msgspec.convert({field: value}, EmployeeChanges))
    assert (refused.value.code, refused.value.field) == (ErrorCode.invalid_value, field)
    assert field in refused.value.detail
    assert value not in refused.value.detail


@pytest.mark.parametrize("value", ["Østergaard O'Neill", "ياسمين", "👩‍🚒", "", "x" * 1024])
def test_what_people_are_called_is_stored(value: str) -> None:
    check_values(EmployeeChanges(title=value))


def test_what_is_not_mentioned_or_cleared_is_not_checked() -> None:
    check_values(EmployeeChanges(title=None, manager_ref=None, external_id=None))
