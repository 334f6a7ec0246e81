"""Every filter means in PostgreSQL what RFC 7644 says it means of the JSON that scim-ingest shows."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory.employees.operations import find_employees
from directory.groups.operations import find_groups
from scim_ingest.protocol.filters import parse_filter
from scim_ingest.protocol.group_names import GROUP_NAMES, group_sort_field
from scim_ingest.protocol.group_resource import to_scim_group
from scim_ingest.protocol.resource import to_scim
from scim_ingest.protocol.user_names import USER_NAMES, sort_field
from scim_ingest.root_search import in_both
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import FindEmployees
from shared.schemas.group import FindGroups
from shared.schemas.search import AnyOf, Compare, Expression, Present, Sorting
from tests.support.filtering import matches
from tests.support.firm import Firm
from tests.support.groups import Groups

URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
TEXTS = ["a", "B", "Anna", "anna", "æ", "O'Neill", "a%b_c", "\\", "", " ", "x y", "50", "true", "User", "group", URN]

PEOPLE: list[dict[str, Any]] = [
    {"login": "anna@firma.dk", "title": "Kok", "department": "a", "work_phone": "50", "email_primary": True},
    {"login": "BO@firma.dk", "title": "kok", "mobile_phone": "50", "country": "Danmark", "given_name": "B"},
    {"login": "carl@firma.dk", "given_name": "Æ", "family_name": "O'Neill", "work_phone": "1", "mobile_phone": "2"},
    {"login": "a%b_c@firma.dk", "title": "a%b_c", "display_name": "x y", "employee_number": "50", "active": False},
    {"login": "e@firma.dk", "external_id": "Anna", "title": "\\", "formatted_name": "a", "email_primary": False},
    {"login": "f@firma.dk", "external_id": "anna", "title": " ", "leave_date": "2026-12-31"},
]


async def staffed(firm: Firm) -> list[Any]:
    """With managers: one linked, one whose manager is not there yet."""
    people: list[Any] = []
    for values in PEOPLE:
        people.append(await firm.create(**values))
    await firm.change(people[1], manager_ref=people[0].id)
    await firm.change(people[2], manager_ref="Anna")
    await firm.remove(await firm.create(login="gone@firma.dk", title="Kok"))
    return [await firm.get(one) for one in people]


async def found_users(firm: Firm, text: str) -> set[str]:
    request = FindEmployees(credential=firm.credential, where=parse_filter(text, USER_NAMES), limit=100)
    page = await find_employees(firm.database, request)
    assert page.total == len(page.employees)
    return {one.id for one in page.employees}


NAMES = [
    "userName", "externalId", "id", "displayName", "name.givenName", "name.familyName", "name.formatted", "title",
    f"{URN}:department", "department", "employeeNumber", "emails", "emails.value", "phoneNumbers", "phoneNumbers.value",
    "phoneNumbers.type", "addresses.country", "meta.resourceType", "schemas", "manager", f"{URN}:manager.value", "leaveDate",
]  # fmt: skip
OPERATORS = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]


def conditions(names: list[str], texts: list[str]) -> st.SearchStrategy[str]:
    compared = st.builds(
        lambda name, operator, value: f"{name} {operator} {json.dumps(value)}",
        st.sampled_from(names),
        st.sampled_from(OPERATORS),
        st.sampled_from(texts),
    )
    absent = st.builds(
        lambda name, how: f"{name} {how}", st.sampled_from(names), st.sampled_from(["pr", "eq null", "ne null"])
    )
    return compared | absent


def wholes(leaf: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds(lambda one, word, other: f"{one} {word} {other}", inner, st.sampled_from(["and", "or"]), inner),
            inner.map(lambda one: f"not ({one})"),
            inner.map(lambda one: f"({one})"),
        ),
        max_leaves=6,
    )


FLAGS = st.sampled_from(
    ["active eq true", "active ne true", 'active eq "False"', "emails.primary eq true", "emails[primary eq false]"]
)
ELEMENTS = st.builds(
    lambda name, inner: f"{name}[{inner}]",
    st.sampled_from(["phoneNumbers"]),
    wholes(conditions(["value", "type"], ["50", "1", "work", "mobile", "5"])),
)
SUFFIXED = st.builds(
    lambda kind, operator, value: f'phoneNumbers[type eq "{kind}"].value {operator} "{value}"',
    st.sampled_from(["work", "mobile", "fax"]),
    st.sampled_from(OPERATORS),
    st.sampled_from(["50", "1", ""]),
)
USER_FILTERS = wholes(conditions(NAMES, TEXTS) | FLAGS | ELEMENTS | SUFFIXED)


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_strategy_gives_filters_that_parse(data: st.DataObject) -> None:
    assert parse_filter(data.draw(USER_FILTERS), USER_NAMES)


async def test_filters_on_users_mean_what_the_rfc_says(firm: Firm, other_firm: Firm) -> None:
    people = await staffed(firm)
    await other_firm.create(title="Kok")
    ids = [one.id for one in people]
    texts = [*TEXTS, *ids[:2], ids[0].upper(), "emp_", people[0].login_name, people[1].email, "@FIRMA.dk"]
    filters = wholes(conditions(NAMES, texts) | FLAGS | ELEMENTS | SUFFIXED)
    resources = {one.id: to_scim(one, "https://x/Users") for one in people}
    for text in samples(filters, 500):
        wanted = {one for one, resource in resources.items() if matches(text, resource)}
        # A reference to a manager who is linked means him by his id, too; here every reference is his id or waits.
        assert await found_users(firm, text) == wanted, text


def samples(strategy: st.SearchStrategy[str], number: int) -> list[str]:
    """Some of everything, the same in every run."""
    found: list[str] = []

    @settings(max_examples=number, deadline=None, database=None, derandomize=True, phases=list(settings().phases)[:3])
    @given(strategy)
    def collect(text: str) -> None:
        found.append(text)

    collect()
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("operator", ["eq", "ne", "gt", "ge", "lt", "le"])
async def test_moments_compare_as_scim_shows_them(firm: Firm, operator: str) -> None:
    people = await staffed(firm)
    resources = {one.id: to_scim(one, "https://x/Users") for one in people}
    for name in ("meta.created", "meta.lastModified"):
        for one in people[:3]:
            shown = resources[one.id]["meta"][name.partition(".")[2]]  # type: ignore[index]
            text = f'{name} {operator} "{shown}"'
            assert await found_users(firm, text) == {i for i, r in resources.items() if matches(text, r)}, text


async def test_filters_on_groups_mean_what_the_rfc_says(firm: Firm) -> None:
    people = [one.id for one in (await staffed(firm))]
    groups = Groups(firm)
    made = [
        await groups.create("Alle", *people[:3]),
        await groups.create("anna", people[0], external_id="Anna"),
        await groups.create("a%b_c"),
    ]
    shown = [await groups.get(one) for one in made]
    resources = {one.id: to_scim_group(one, "https://x/Groups", "https://x/Users") for one in shown}
    names = [
        "displayName",
        "externalId",
        "id",
        "members",
        "members.value",
        "members.type",
        "meta.resourceType",
        "schemas",
    ]
    texts = [*TEXTS, *people[:4], made[0].id, "emp_", "ALLE", "User"]
    inner = wholes(conditions(["value", "type"], [*people[:4], "emp_", "User"])).map(lambda one: f"members[{one}]")
    for text in samples(wholes(conditions(names, texts) | inner), 400):
        request = FindGroups(credential=firm.credential, where=parse_filter(text, GROUP_NAMES))
        found = {one.id for one in (await find_groups(firm.database, request)).groups}
        assert found == {one for one, resource in resources.items() if matches(text, resource)}, text


async def test_at_the_root_what_only_the_other_kind_has_is_no_value(firm: Firm) -> None:
    """RFC 7644 section 3.4.2.1."""
    people, groups = await staffed(firm), Groups(firm)
    made = [await groups.create("Alle", people[0].id), await groups.create("anna", external_id="Anna")]
    resources = {one.id: to_scim(one, "https://x/Users") for one in people}
    for one in made:
        resources[one.id] = to_scim_group(await groups.get(one), "https://x/Groups", "https://x/Users")
    names = [
        "userName",
        "title",
        "emails.value",
        "displayName",
        "externalId",
        "members",
        "meta.resourceType",
        "schemas",
    ]
    inner = wholes(conditions(["value"], ["50", people[0].id]))
    brackets = st.builds("{0}[{1}]".format, st.sampled_from(["phoneNumbers", "members", "emails"]), inner)
    for text in samples(wholes(conditions(names, [*TEXTS, people[0].id]) | brackets), 300):
        about_users, about_groups = in_both(text)
        users = await find_employees(firm.database, FindEmployees(credential=firm.credential, where=about_users))
        both = await find_groups(firm.database, FindGroups(credential=firm.credential, where=about_groups))
        found = {*(one.id for one in users.employees), *(one.id for one in both.groups)}
        assert found == {one for one, resource in resources.items() if matches(text, resource)}, text


# Sorting and cursors


async def sorted_titles(firm: Firm, descending: bool) -> list[str | None]:
    sorting = Sorting(field=sort_field("title"), descending=descending)
    page = await find_employees(firm.database, FindEmployees(credential=firm.credential, sorting=sorting))
    return [one.title for one in page.employees]


async def test_sorting_is_without_case_and_those_without_a_value_are_last(firm: Firm) -> None:
    """RFC 7644 section 3.4.2.3; equals stand in the order of their creation."""
    for login, title in (("a", "b"), ("c", None), ("d", "A"), ("e", "B"), ("f", "æ")):
        await firm.create(login=f"{login}@firma.dk", title=title)
    assert await sorted_titles(firm, False) == ["A", "b", "B", "æ", None]
    assert await sorted_titles(firm, True) == [None, "æ", "b", "B", "A"]


@pytest.mark.parametrize(
    "name",
    [
        *NAMES[:-5],
        "manager",
        "leaveDate",
        "active",
        "emails.primary",
        "meta.created",
        "meta.lastModified",
        URN + ":manager",
    ],
)
async def test_every_attribute_can_be_sorted_by(firm: Firm, name: str) -> None:
    if name.endswith(".type"):
        return
    people = await staffed(firm)
    for descending in (False, True):
        sorting = Sorting(field=sort_field(name), descending=descending)
        page = await find_employees(firm.database, FindEmployees(credential=firm.credential, sorting=sorting))
        assert {one.id for one in page.employees} == {one.id for one in people}


async def test_groups_are_sorted(firm: Firm) -> None:
    groups = Groups(firm)
    for name in ("b", "A", "ø"):
        await groups.create(name)
    for name in ("displayName", "externalId", "id", "meta.created", "meta.lastModified"):
        sorting = Sorting(field=group_sort_field(name), descending=name == "displayName")
        page = await find_groups(firm.database, FindGroups(credential=firm.credential, sorting=sorting))
        assert page.total == 3
        if name == "displayName":
            assert [one.display_name for one in page.groups] == ["ø", "b", "A"]


async def test_a_cursor_passes_everybody_once_whatever_happens_meanwhile(firm: Firm) -> None:
    """Who was there all the time is on exactly one page, which pages counted from the start cannot promise."""
    people = [await firm.create(login=f"p{number}@firma.dk", title="Kok") for number in range(9)]
    seen: list[str] = []
    after: str | None = None
    where: Expression = Compare(field="title", op="eq", value="kok")
    while True:
        request = FindEmployees(credential=firm.credential, where=where, limit=2, after=after)
        page = await find_employees(firm.database, request)
        if not page.employees:
            break
        seen += [one.id for one in page.employees]
        after = seen[-1]
        if len(seen) == 4:
            await firm.remove(people[0])
            await firm.create(login="new@firma.dk", title="Kok")
    assert len(seen) == len(set(seen)) == 10
    assert {one.id for one in people} <= set(seen)


@pytest.mark.parametrize(
    "request_",
    [
        {"where": Compare(field="login_name) or (true", op="eq", value="x")},
        {"where": Present(field="released_sha256")},
        {"where": Compare(field="active", op="gt", value=True)},
        {"where": Compare(field="active", op="eq", value="x")},
        {"where": Compare(field="title", op="eq", value=True)},
        {"where": Compare(field="created_at", op="eq", value="yesterday")},
        {"where": Compare(field="created_at", op="co", value="2026-01-01T00:00:00Z")},
        {"where": AnyOf(of=[Present(field="title")] * 300)},
        {"sorting": Sorting(field="company_id")},
        {"after": "emp_1"},
        {"after": "emp_" + "1" * 32, "sorting": Sorting(field="title")},
    ],
    ids=range(11),
)
async def test_what_makes_no_sense_is_refused(firm: Firm, request_: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as refused:
        await find_employees(firm.database, FindEmployees(credential=firm.credential, **request_))
    assert refused.value.code is ErrorCode.invalid_request


async def test_values_that_cannot_be_stored_meet_nobody(firm: Firm) -> None:
    await firm.create()
    for value in ("\x00", "\ud800", "a\x07"):
        for op in ("eq", "co", "sw"):
            where = Compare(field="login_name", op=op, value=value)
            page = await find_employees(firm.database, FindEmployees(credential=firm.credential, where=where))
            assert page.total == 0
