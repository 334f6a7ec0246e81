"""npm's scim-patch, an implementation of PATCH by other hands, as an oracle: it and we come to the same end state.

Its answers are kept in tests/data/scim/scim-patch.jsonl (`scripts/scim-patch.sh` asks it again); the cases are those of
tests/support/rfc_patches.py. Where the two differ, the reason is in `DIFFERENCES`, and there is none without one.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import UNSET
from msgspec.structs import asdict

from scim_ingest.protocol.attributes import ATTRIBUTES, BY_FIELD, ENTERPRISE
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.patch import compile_patch
from scim_ingest.protocol.resource import read_new_employee
from tests.conformance.conftest import Endpoint
from tests.conformance.microsoft import Microsoft, values_in
from tests.entra.dialects import patch_body
from tests.support.rfc_patches import cases, checksum

FILE = Path(__file__).parent.parent / "data/scim/scim-patch.jsonl"
Case = dict[str, Any]
Values = dict[str, Any]


def answers() -> list[tuple[Case, Case]]:
    told, *lines = FILE.read_text(encoding="utf-8").splitlines()
    assert json.loads(told) == {"cases": checksum()}, "run scripts/scim-patch.sh"
    return list(zip(cases(), map(json.loads, lines), strict=True))


def ours(case: Case) -> Values | str:
    """All that the user holds afterwards, or the scimType of the refusal."""
    values = asdict(read_new_employee(case["user"]).employee)
    try:
        changes = asdict(compile_patch(case["operations"]).changes)
    except ScimError as error:
        return error.scim_type or str(error.status)
    values |= {field: value for field, value in changes.items() if value is not UNSET}
    return {BY_FIELD[field].path: value for field, value in values.items() if value is not None}


def theirs(answer: Case) -> Values | str:
    if "error" in answer:
        return str(answer["error"])
    return {name: value for name, value in values_in(answer["result"]).items() if value is not None}


# What may differ, and why


def urn_object(case: Case) -> set[str]:
    """An extension as an object in a value without a path: the oracle takes the URN for a path and cuts it at its dot, so
    that the value lands in a member of its own invention."""
    if any(one.get("path") is None and ENTERPRISE in one["value"] for one in case["operations"]):
        return {f"{ENTERPRISE}:department", ENTERPRISE}
    return set()


def name_object(case: Case) -> set[str]:
    """`name` as an object in a value without a path: the oracle replaces all of it. RFC 7644 sections 3.5.2.1 and 3.5.2.3: the
    sub-attributes that are specified, and no others."""
    if any(one.get("path") is None and "name" in one["value"] for one in case["operations"]):
        return {"name.givenName", "name.familyName", "name.formatted"}
    return set()


def element_that_is_missing(case: Case) -> set[str]:
    """A value filter that meets nothing: the oracle refuses it or does nothing, as the RFC's letter has it; we make the
    element (quirks: element_made_when_missing), and its removal succeeds, for that is how Entra writes."""
    for number, one in enumerate(case["operations"]):
        path = one.get("path") or ""
        before = ours({**case, "operations": case["operations"][:number]})
        if path.endswith("]") and f"{path}.value" not in before:
            return {f"{path}.value", "error"}
    return set()


DIFFERENCES: list[Callable[[Case], set[str]]] = [urn_object, name_object, element_that_is_missing]
"""Each gives the values that it may concern, by name; "error" for a refusal."""


def differing(case: Case, answer: Case) -> set[str]:
    here, there = ours(case), theirs(answer)
    if isinstance(here, str) or isinstance(there, str):
        return {"error"} if here != there else set()
    return {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)}


def test_the_oracle_and_we_agree_or_say_why_not() -> None:
    agreed, reasons = 0, Counter[str]()
    for case, answer in answers():
        different = differing(case, answer)
        for reason in DIFFERENCES:
            if different & (concerned := reason(case)):
                reasons[reason.__name__] += 1
                different -= concerned
        assert different == set(), json.dumps([case, answer], ensure_ascii=False)
        agreed += not any(reason(case) for reason in DIFFERENCES)
    assert agreed > 300
    assert set(reasons) == {reason.__name__ for reason in DIFFERENCES}, "each of them is needed"


def test_the_cases_touch_every_attribute_that_entra_maps() -> None:
    changed = {name for case, _ in answers() for name in values_of_changes(case)}
    assert {one.field for one in ATTRIBUTES} - changed == {"leave_date"}, "the oracle knows no extension of ours"


def values_of_changes(case: Case) -> set[str]:
    changes = asdict(compile_patch(case["operations"]).changes)
    return {field for field, value in changes.items() if value is not UNSET}


async def test_so_does_the_service(endpoint: Endpoint) -> None:
    """Some of the cases over sockets: what GET shows is what the oracle has."""
    client = Microsoft(endpoint.tenant_url, endpoint.token)
    for case, answer in answers()[::10]:
        if any(reason(case) for reason in DIFFERENCES):
            continue
        made = await client.scim.post("/Users", case["user"])
        assert made.status == 201, made.text
        done = await client.scim.patch(f"/Users/{made.json['id']}", patch_body(case["operations"]))
        assert done.status == 200, done.text
        shown = await client.read(made.json)
        assert values_in(shown) == theirs(answer)
        assert (await client.scim.delete(f"/Users/{made.json['id']}")).status == 204
    await client.scim.close()
