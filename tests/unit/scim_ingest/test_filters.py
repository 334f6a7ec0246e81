"""Filters: what is understood, and that everything else is refused with a sentence."""

import contextlib
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim_ingest.protocol.attributes import ATTRIBUTES
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.filters import MAX_CONDITIONS, parse_filter
from scim_ingest.protocol.group_names import GROUP_NAMES
from scim_ingest.protocol.user_names import USER_NAMES
from shared.schemas.search import MAX_LEAVES, Expression, leaves
from tests.support.searching import short

URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def parsed(text: str) -> Any:
    return short(parse_filter(text, USER_NAMES))


def refusal_of(text: str) -> str:
    with pytest.raises(ScimError) as caught:
        parse_filter(text, USER_NAMES)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")
    return caught.value.detail


@pytest.mark.parametrize("leaf", ['phoneNumbers ne "a"', 'phoneNumbers.value ne "a"', 'phoneNumbers[value ne "a"]'])
def test_more_conditions_than_directory_takes_are_refused_before_it_is_asked(leaf: str) -> None:
    for many in range(1, MAX_CONDITIONS + 1):
        with contextlib.suppress(ScimError):
            assert sum(1 for _ in leaves(parse_filter(" or ".join([leaf] * many), USER_NAMES))) <= MAX_LEAVES
    parse_filter(" or ".join([leaf] * 20), USER_NAMES)


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: attribute.field)
def test_every_stored_attribute_can_be_searched_by_its_path(attribute: Any) -> None:
    value, meant = ("true", True) if attribute.kind == "boolean" else ('"x y"', "x y")
    told = (attribute.search_field, "eq", meant)
    found = parsed(f"{attribute.path} eq {value}")
    # The one of several elements is there, or it has no value either.
    assert found == told or found == ("and", (attribute.search_field, "pr"), told)


def eq(field: str, value: Any) -> Any:
    return field, "eq", value


WORK, MOBILE = ("work_phone", "pr"), ("mobile_phone", "pr")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('userName eq "anna@firma.dk"', eq("login_name", "anna@firma.dk")),
        ('USERNAME EQ "Anna@firma.dk"', eq("login_name", "Anna@firma.dk")),
        ('urn:ietf:params:scim:schemas:core:2.0:User:userName eq "a"', eq("login_name", "a")),
        ('id eq "emp_1"', eq("id", "emp_1")),
        ('id eq "u" and manager eq "m"', ("and", eq("id", "u"), eq("manager", "m"))),
        ('manager eq "m" AND id eq "u"', ("and", eq("manager", "m"), eq("id", "u"))),
        (f'{URN}:manager eq "m"', eq("manager", "m")),
        (f'{URN}:manager.value eq "m"', eq("manager", "m")),
        (f'{URN}:manager[value eq "m"]', eq("manager", "m")),
        ('manager.value eq "m"', eq("manager", "m")),
        (f'{URN.upper()}:DEPARTMENT eq "d"', eq("department", "d")),
        ('emails[type eq "work"].value eq "a@b.dk"', eq("email", "a@b.dk")),
        ('Emails[Type Eq "Work"].Value Eq "a@b.dk"', eq("email", "a@b.dk")),
        ('emails[type eq "work" and value eq "a@b.dk"]', eq("email", "a@b.dk")),
        ('emails[value eq "a@b.dk"]', eq("email", "a@b.dk")),
        ('emails.value eq "a@b.dk"', eq("email", "a@b.dk")),
        ('emails eq "a@b.dk"', eq("email", "a@b.dk")),
        ('emails[primary eq true].value eq "a"', ("and", eq("email_primary", True), eq("email", "a"))),
        ('emails[type eq "work"]', True),
        ('emails[type eq "home"].value eq "a"', False),
        ('emails[type eq "work" and type eq "home"]', False),
        ('emails[not (type eq "home") and value ew "@b.dk"]', ("email", "ew", "@b.dk")),
        ('emails.type eq "work"', True),
        ('emails.type ne "work"', False),
        ('phoneNumbers[type eq "mobile"].value eq "+45 22"', ("and", MOBILE, eq("mobile_phone", "+45 22"))),
        ('phoneNumbers[type eq "work"]', WORK),
        ('phoneNumbers[type eq "fax"]', False),
        ('phoneNumbers.value sw "22"',
         ("or", ("and", WORK, ("work_phone", "sw", "22")), ("and", MOBILE, ("mobile_phone", "sw", "22")))),
        ("phoneNumbers pr", ("or", WORK, MOBILE)),
        ("phoneNumbers eq null", ("not", ("or", WORK, MOBILE))),
        ('addresses.country eq "Danmark"', ("and", ("country", "pr"), eq("country", "Danmark"))),
        ("active eq true", eq("active", True)),
        ('active eq "False"', eq("active", False)),
        ("active ne true", ("not", eq("active", True))),
        ("title eq null", ("not", ("title", "pr"))),
        ("title ne null", ("title", "pr")),
        ("title pr", ("title", "pr")),
        ("id pr", True),
        ("name pr", ("or", ("formatted_name", "pr"), ("given_name", "pr"), ("family_name", "pr"))),
        ("manager pr", ("manager", "pr")),
        ('title ne "x"', ("not", eq("title", "x"))),
        ('title co "x" or title sw "y" and title ew "z"',
         ("or", ("title", "co", "x"), ("and", ("title", "sw", "y"), ("title", "ew", "z")))),
        ('(title co "x" or title sw "y") and title ew "z"',
         ("and", ("or", ("title", "co", "x"), ("title", "sw", "y")), ("title", "ew", "z"))),
        ('not (title eq "a") or title eq "b"', ("or", ("not", eq("title", "a")), eq("title", "b"))),
        ('NOT (title eq "a" OR active eq false)', ("not", ("or", eq("title", "a"), eq("active", False)))),
        ('userName gt "a" and userName le "b"', ("and", ("login_name", "gt", "a"), ("login_name", "le", "b"))),
        ('meta.created ge "2026-01-01T00:00:00Z"', ("created_at", "ge", "2026-01-01T00:00:00+00:00")),
        ('meta.lastModified lt "2026-01-01T01:00:00.1234567+01:00"', ("updated_at", "lt", "2026-01-01T00:00:00.123456+00:00")),
        ('(userName eq "a")', eq("login_name", "a")),
        ('((userName eq "a") and (title eq "b" and active eq false))',
         ("and", eq("login_name", "a"), eq("title", "b"), eq("active", False))),
        ('displayName eq "a \\"b\\" \\\\ \\u00e6 and c] eq (x)"', eq("display_name", 'a "b" \\ æ and c] eq (x)')),
        ('displayName eq "O\'Brien #1 + æøå"', eq("display_name", "O'Brien #1 + æøå")),
        ('  userName   eq   "a"  ', eq("login_name", "a")),
        ('userName eq ""', eq("login_name", "")),
        ('(' * 10 + 'userName eq "a"' + ')' * 10, eq("login_name", "a")),
    ],
)  # fmt: skip
def test_understood(text: str, expected: Any) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('displayName eq "Alle"', eq("display_name", "Alle")),
        ('urn:ietf:params:scim:schemas:core:2.0:Group:displayName sw "A"', ("display_name", "sw", "A")),
        ('externalId eq "x"', eq("external_id", "x")),
        ("externalId eq null", ("not", ("external_id", "pr"))),
        ('id eq "grp_1" and members eq "emp_1"', ("and", eq("id", "grp_1"), ("within", "member", eq("value", "emp_1")))),
        ('members.value eq "emp_1"', ("within", "member", eq("value", "emp_1"))),
        ('members[value eq "emp_1" or value eq "emp_2"]',
         ("within", "member", ("or", eq("value", "emp_1"), eq("value", "emp_2")))),
        ('members[type eq "Group"]', ("within", "member", False)),
        ("members pr", ("member", "pr")),
        ("not (members pr)", ("not", ("member", "pr"))),
        ("members eq null", ("not", ("member", "pr"))),
        ('meta.created gt "2026-01-01T00:00:00Z"', ("created_at", "gt", "2026-01-01T00:00:00+00:00")),
    ],
)  # fmt: skip
def test_understood_of_groups(text: str, expected: Any) -> None:
    assert short(parse_filter(text, GROUP_NAMES)) == expected


@pytest.mark.parametrize(
    "text", ['userName eq "a"', 'members.display eq "a"', 'members[foo eq "a"]', "displayName eq 5", 'meta eq "x"', "meta.x pr"]
)  # fmt: skip
def test_refused_of_groups(text: str) -> None:
    with pytest.raises(ScimError) as caught:
        parse_filter(text, GROUP_NAMES)
    assert caught.value.scim_type == "invalidFilter"


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
        'userName eq "a',
        'userName eq "a" "b"',
        '(userName eq "a"',
        'userName eq "a")',
        'emails[type eq "work".value eq "a"',
        'emails[type eq "work"] eq "a"',
        'emails[type eq "work"].foo eq "a"',
        'emails[type eq true].value eq "a"',
        'roles[primary eq true].value eq "x"',
        'nickName eq "x"',
        'userName eq "a" or',
        'or userName eq "a"',
        'not userName eq "a"',
        "not",
        "not (",
        "pr",
        "title pr pr",
        "title gt null",
        "active gt true",
        'active co "true"',
        'emails[emails[value eq "a"]]',
        "emails[type gt true]",
        'manager.displayName eq "x"',
        'manager[displayName eq "x"]',
        'title[value eq "x"]',
        'name.familyName[value eq "x"]',
        'meta.created eq "2020-01-01"',
        'meta.created eq "2020-01-01T00:00:00"',
        'meta.created eq "2020-13-01T00:00:00Z"',
        'meta.created eq "0001-01-01T00:00:00+14:00"',
        'meta.created co "2020-01-01T00:00:00Z"',
        "meta.created eq 5",
        'meta.version eq "x"',
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
        'active eq "banana"',
        "active eq 1",
        "(" * 40 + 'userName eq "a"' + ")" * 40,
        " and ".join(['userName eq "a"'] * 65),
        "emails[" + " and ".join(['type eq "work"'] * 65) + "]",
        " or ".join(['phoneNumbers[value eq "a"]'] * 33),
        'userName eq "' + "x" * 5000 + '"',
    ],
)
def test_refused(text: str) -> None:
    assert refusal_of(text)


WORDS = st.sampled_from(
    ["userName", "emails", "type", "displayName", "members", "pr", "ne", "co", "meta.created", "value",
     "eq", "and", "or", "not", "(", ")", "[", "]", ".value", '"work"', '"a\\"b"', "true",
     "null", "5", '"', "\\", f"{URN}:manager", "id", "  ", "æ", "\x00", "\ud800"]
)  # fmt: skip


@given(
    st.one_of(
        st.text(max_size=200), st.lists(WORDS, max_size=60).map(" ".join), st.lists(WORDS, max_size=60).map("".join)
    )
)
@settings(max_examples=400, deadline=None)
def test_any_text_gives_conditions_or_a_scim_error(text: str) -> None:
    for names in (USER_NAMES, GROUP_NAMES):
        try:
            found = parse_filter(text, names)
        except ScimError as error:
            assert error.scim_type == "invalidFilter"  # noqa: PT017
            assert error.detail  # noqa: PT017
        else:
            # As it travels to directory.
            assert msgspec.json.decode(msgspec.json.encode(found), type=Expression) == found


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_value_survives_the_quotes(value: str) -> None:
    import json

    assert parsed(f"userName eq {json.dumps(value)}") == eq("login_name", value)
    assert parsed(f"userName eq {json.dumps(value, ensure_ascii=False)}") == eq("login_name", value)


@pytest.mark.parametrize("piece", ['"', "\\", '"\\', "(", "[", 'a eq "b" and ', " ", "x", '"" ', "emails["])
def test_the_longest_filters_take_no_time(piece: str) -> None:
    text = (piece * 4096)[:4096]
    # The fastest of three: the collector or another thread may fall into one of them.
    assert min(_seconds(text) for _ in range(3)) < 0.05


def _seconds(text: str) -> float:
    begun = time.process_time()
    with contextlib.suppress(ScimError):
        parse_filter(text, USER_NAMES)
    return time.process_time() - begun
