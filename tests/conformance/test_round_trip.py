"""What is written is what is read, byte for byte, whatever the values; and the same again writes nothing.

Entra compares what it reads with what it would send: a value that comes back otherwise is sent again in every cycle, for ever.
`ROUND_TRIPS` says how many random lives are led (30 unless it is set).
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.microsoft import FULL, MANAGER, MANDATORY, MINIMAL, Microsoft, body_of, group_body, values_in
from tests.entra.dialects import attribute_operations, manager_operations, patch_body
from tests.entra.mapping import Json, Value, differences
from tests.entra.people import Dialect
from tests.support.company import Company

EXAMPLES = int(os.environ.get("ROUND_TRIPS", "30"))
BOOLEANS = {name for name, value in FULL.items() if isinstance(value, bool)}
TEXTS = [name for name in FULL if name not in BOOLEANS]

NASTY = [
    "True", "false", "null", " ", "  x ", "0", "007", "1e5", "[]", "{}", '"', "\\", "\\u0041", "a'b", "O'Neill #1", "a+b%20c&d=e",
    "<&>", "e\u0301", "é", "İ", "ß", "ﬁ", "\u200f", "\ufeff", "😀", "æøåÆØÅ", 'x eq "y"', "emp_1", "urn:x:y",
    "a.b", "a[b]", "\u2028", "\U0010ffff", "x" * 200,
]  # fmt: skip
ANY_TEXT = st.one_of(
    st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)
)
NAMES = ANY_TEXT.filter(lambda text: bool(text.strip()))


def values(*, whole: bool) -> st.SearchStrategy[dict[str, Value]]:
    """Of some attributes; `whole`: of the mandatory ones at least."""
    each: dict[str, st.SearchStrategy[Value]] = {
        name: st.booleans() if name in BOOLEANS else NAMES if name in MANDATORY else ANY_TEXT for name in FULL
    }
    must = {name: each[name] for name in MINIMAL if whole and name != "active"}
    return st.fixed_dictionaries(must, optional={name: one for name, one in each.items() if name not in must})


def written(changes: dict[str, Value], current: Json, how: str) -> list[Json]:
    """The changes as a cycle writes them in its dialect, or with the verb turned round (`either`): both must do."""
    if how != "either":
        dialect: Dialect = "compliant" if how == "compliant" else "legacy"
        return attribute_operations(changes, current, dialect)
    return [{"op": "Add", "path": name, "value": value} for name, value in changes.items()]


HOW = st.sampled_from(["legacy", "compliant", "either"])
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="ROUND_TRIPS" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
async def entra(company: Company) -> Any:
    await company.apply(brake={"people": 0, "percent": 30})  # many lives end here within the hour
    client = Microsoft(company.scim_url, company.token)
    yield client
    await client.scim.close()


async def stays_as_it_is(company: Company, entra: Microsoft, user: Json, body: Json) -> None:
    """The same PATCH once more: no event, no version, no moment of change."""
    told = await company.stack.history(company.name, user["id"])
    again = await entra.scim.patch(f"/Users/{user['id']}", body)
    assert (again.status, again.json) == (200, user), again.text
    assert await entra.read(user) == user
    assert await company.stack.history(company.name, user["id"]) == told


@SETTINGS
@given(first=values(whole=True), second=values(whole=False), how=HOW, has_boss=st.booleans())
async def test_what_is_written_is_read_and_the_same_again_writes_nothing(
    company: Company, entra: Microsoft, first: dict[str, Value], second: dict[str, Value], how: str, has_boss: bool
) -> None:
    """S9, S35"""
    answer = await entra.scim.post("/Users", body_of(first))
    assert answer.status == 201, answer.text
    user = answer.json
    assert values_in(user) == {"active": True, **first}
    assert await entra.read(user) == user
    for name in ("userName", "externalId", 'emails[type eq "work"].value', "title"):
        if name in first:
            found = await entra.scim.find(name, str(first[name]))
            assert found.json["Resources"] == [user], name

    changes = differences(user, second)
    body = patch_body(written(changes, user, how))
    answer = await entra.scim.patch(f"/Users/{user['id']}", body)
    assert answer.status == 200, answer.text
    user = answer.json
    assert values_in(user) == {"active": True, **first, **second}
    assert differences(user, {**first, **second}) == {}
    await stays_as_it_is(company, entra, user, body)

    if has_boss:
        dialect: Dialect = "compliant" if how == "compliant" else "legacy"
        body = patch_body(manager_operations(MANAGER, user["id"], user, dialect))
        answer = await entra.scim.patch(f"/Users/{user['id']}", body)
        assert values_in(answer.json) == {"active": True, **first, **second, MANAGER: user["id"]}
        await stays_as_it_is(company, entra, answer.json, body)
    assert (await entra.scim.delete(f"/Users/{user['id']}")).status == 204


@SETTINGS
@given(first=values(whole=True), second=values(whole=True))
async def test_a_put_is_read_as_it_was_written(
    company: Company, entra: Microsoft, first: dict[str, Value], second: dict[str, Value]
) -> None:
    """What it does not mention is gone, but for `active`; the same PUT again writes nothing."""
    user = (await entra.scim.post("/Users", body_of(first))).json
    for _ in range(2):
        before = await company.stack.history(company.name, user["id"])
        answer = await entra.scim.put(f"/Users/{user['id']}", body_of(second))
        assert answer.status == 200, answer.text
        assert values_in(answer.json) == {"active": first.get("active", True), **second}
    assert await company.stack.history(company.name, user["id"]) == before
    assert (await entra.scim.delete(f"/Users/{user['id']}")).status == 204


@SETTINGS
@given(name=NAMES, object_id=ANY_TEXT, renamed=NAMES, picks=st.lists(st.integers(0, 3), max_size=6))
async def test_a_group_is_read_as_it_was_written(
    company: Company, entra: Microsoft, name: str, object_id: str, renamed: str, picks: list[int]
) -> None:
    people = [one["id"] for one in (await entra.scim.get("/Users")).json["Resources"]]
    while len(people) < 4:
        people.append((await entra.create())["id"])
    name, object_id, renamed = name[:200], object_id[:200], renamed[:200]
    answer = await entra.scim.post("/Groups", group_body(name, externalId=object_id))
    assert answer.status == 201, answer.text
    group = answer.json
    assert (group["displayName"], group["externalId"]) == (name, object_id)
    assert (await entra.scim.find("displayName", name, "/Groups")).json["Resources"] == [group]
    members = [{"$ref": None, "value": people[pick]} for pick in picks]
    operations: list[Json] = [
        {"op": "Replace", "value": {"displayName": renamed}},
        {"op": "Add", "path": "members", "value": members},
    ]
    seen = []
    for _ in range(2):
        await entra.patch_group(group, *operations)
        seen.append((await entra.scim.get(f"/Groups/{group['id']}")).json)
    assert seen[0] == seen[1], "the second one changes neither version nor moment"
    assert seen[0]["displayName"] == renamed
    assert {one["value"] for one in seen[0].get("members", [])} == {people[pick] for pick in picks}
    assert (await entra.scim.delete(f"/Groups/{group['id']}")).status == 204
