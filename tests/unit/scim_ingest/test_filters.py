"""Filters: what is understood, and that everything else is refused with a sentence."""

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim_ingest.protocol.attributes import ATTRIBUTES
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.filters import NOTHING, parse_filter

URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def pairs_of(text: str) -> list[tuple[str, Any]]:
    return [(condition.field, condition.value) for condition in parse_filter(text)]


def refusal_of(text: str) -> str:
    with pytest.raises(ScimError) as caught:
        parse_filter(text)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")
    return caught.value.detail


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: attribute.field)
def test_every_stored_attribute_can_be_searched_by_its_path(attribute: Any) -> None:
    value = "true" if attribute.kind == "boolean" else '"x y"'
    assert pairs_of(f"{attribute.path} eq {value}") == [
        (attribute.filter_field, True if attribute.kind == "boolean" else "x y")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('userName eq "anna@firma.dk"', [("login_name", "anna@firma.dk")]),
        ('USERNAME EQ "Anna@firma.dk"', [("login_name", "Anna@firma.dk")]),
        ('urn:ietf:params:scim:schemas:core:2.0:User:userName eq "a"', [("login_name", "a")]),
        ('id eq "emp_1"', [("id", "emp_1")]),
        ('id eq "u" and manager eq "m"', [("id", "u"), ("manager", "m")]),
        ('manager eq "m" AND id eq "u"', [("manager", "m"), ("id", "u")]),
        (f'{URN}:manager eq "m"', [("manager", "m")]),
        (f'{URN}:manager.value eq "m"', [("manager", "m")]),
        (f'{URN}:manager[value eq "m"]', [("manager", "m")]),
        ('manager.value eq "m"', [("manager", "m")]),
        (f'{URN.upper()}:DEPARTMENT eq "d"', [("department", "d")]),
        ('emails[type eq "work"].value eq "a@b.dk"', [("email", "a@b.dk")]),
        ('Emails[Type Eq "Work"].Value Eq "a@b.dk"', [("email", "a@b.dk")]),
        ('emails[type eq "work" and value eq "a@b.dk"]', [("email", "a@b.dk")]),
        ('emails[value eq "a@b.dk"]', [("email", "a@b.dk")]),
        ('emails.value eq "a@b.dk"', [("email", "a@b.dk")]),
        ('emails eq "a@b.dk"', [("email", "a@b.dk")]),
        ('emails[primary eq true].value eq "a"', [("email_primary", True), ("email", "a")]),
        ('emails[type eq "work"]', []),
        ('emails[type eq "home"].value eq "a"', [("id", "")]),
        ('emails[type eq "work" and type eq "home"]', [("id", "")]),
        ('phoneNumbers[type eq "mobile"].value eq "+45 22"', [("mobile_phone", "+45 22")]),
        ('addresses.country eq "Danmark"', [("country", "Danmark")]),
        ("active eq true", [("active", True)]),
        ('active eq "False"', [("active", False)]),
        ("title eq null", [("title", None)]),
        ('(userName eq "a")', [("login_name", "a")]),
        ('((userName eq "a") and (title eq "b" and active eq false))', [("login_name", "a"), ("title", "b"), ("active", False)]),
        ('displayName eq "a \\"b\\" \\\\ \\u00e6 and c] eq (x)"', [("display_name", 'a "b" \\ æ and c] eq (x)')]),
        ('displayName eq "O\'Brien #1 + æøå"', [("display_name", "O'Brien #1 + æøå")]),
        ('  userName   eq   "a"  ', [("login_name", "a")]),
        ('userName eq ""', [("login_name", "")]),
    ],
)  # fmt: skip
def test_understood(text: str, expected: list[tuple[str, Any]]) -> None:
    assert pairs_of(text) == expected


def test_an_element_that_nobody_can_have_meets_nobody() -> None:
    assert parse_filter('emails[type eq "other"].value eq "x"') == [NOTHING]


@pytest.mark.parametrize("operator", ["ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "CO"])
def test_other_operators_are_refused_by_name(operator: str) -> None:
    detail = refusal_of(f'userName {operator} "a"')
    assert operator in detail
    assert "Supported" in detail


@pytest.mark.parametrize(
    "text",
    [
        "externalId eq jyoung",  # E003
        "",
        "   ",
        "userName",
        "userName eq",
        'userName "a"',
        'eq "a"',
        'userName eq "a" and',
        'userName eq "a" or title eq "b"',
        'not (userName eq "a")',
        "userName pr",
        'userName eq "a',
        'userName eq "a" "b"',
        '(userName eq "a"',
        'userName eq "a")',
        'emails[type eq "work".value eq "a"',
        'emails[type eq "work"] eq "a"',
        'emails[type eq "work"].foo eq "a"',
        'emails[type eq true].value eq "a"',
        'phoneNumbers.value eq "1"',
        'phoneNumbers[value eq "1"]',
        'phoneNumbers[type eq "work"]',
        'roles[primary eq true].value eq "x"',
        'nickName eq "x"',
        'meta.created eq "2020-01-01T00:00:00Z"',
        'schemas eq "x"',
        'name eq "x"',
        'name.middleName eq "x"',
        'userName.x eq "x"',
        'urn:x:y eq "x"',
        f'{URN} eq "x"',
        'userName eq "\\x"',
        'userName eq "\\ud800"',
        'userName eq "a\\u0000"',
        'userName eq "a\nb"',
        "userName eq true",
        "userName eq 5",
        "id eq 5",
        "id eq null",
        'active eq "banana"',
        "active eq 1",
        "(" * 40 + 'userName eq "a"' + ")" * 40,
        " and ".join(['userName eq "a"'] * 40),
        "emails[" + " and ".join(['type eq "work"'] * 40) + "]",
        'userName eq "' + "x" * 5000 + '"',
    ],
)
def test_refused(text: str) -> None:
    assert refusal_of(text)


WORDS = st.sampled_from(
    ["userName", "emails", "type", "value", "eq", "and", "or", "not", "(", ")", "[", "]", ".value", '"work"', '"a\\"b"', "true",
     "null", "5", '"', "\\", f"{URN}:manager", "id", "  ", "æ", "\x00", "\ud800"]
)  # fmt: skip


@given(
    st.one_of(
        st.text(max_size=200), st.lists(WORDS, max_size=60).map(" ".join), st.lists(WORDS, max_size=60).map("".join)
    )
)
@settings(max_examples=400, deadline=None)
def test_any_text_gives_conditions_or_a_scim_error(text: str) -> None:
    try:
        conditions = parse_filter(text)
    except ScimError as error:
        assert error.scim_type == "invalidFilter"  # noqa: PT017
        assert error.detail  # noqa: PT017
    else:
        assert all(isinstance(condition.value, str | bool | None) for condition in conditions)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_value_survives_the_quotes(value: str) -> None:
    import json

    assert pairs_of(f"userName eq {json.dumps(value)}") == [("login_name", value)]
    assert pairs_of(f"userName eq {json.dumps(value, ensure_ascii=False)}") == [("login_name", value)]


@pytest.mark.parametrize("piece", ['"', "\\", '"\\', "(", "[", 'a eq "b" and ', " ", "x", '"" ', "emails["])
def test_the_longest_filters_take_no_time(piece: str) -> None:
    text = (piece * 4096)[:4096]
    begun = time.process_time()
    with contextlib.suppress(ScimError):
        parse_filter(text)
    assert time.process_time() - begun < 0.05
