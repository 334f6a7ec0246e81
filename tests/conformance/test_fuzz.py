"""Whatever is sent, the answer is SCIM's: never a fault, never anything of another company, in bounded time.

Requests are grown from what the protocol knows and from what it does not, for a tolerant company and for a strict one. `FUZZ`
says how many for each (60 unless it is set).
"""

import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scim_ingest.protocol.attributes import ATTRIBUTES
from tests.conformance.microsoft import ERROR, FULL, GROUP, MINIMAL, Microsoft, body_of
from tests.entra.mapping import Json
from tests.entra.scim_client import ScimAnswer
from tests.support.company import Company

EXAMPLES = int(os.environ.get("FUZZ", "60"))
MOST_SECONDS = 1.5
NOT_OFFERED = 501


@dataclass
class Target:
    """A company, one of its people and groups, and a neighbour whose every value carries a mark."""

    entra: Microsoft
    company: Company
    neighbour: Company
    mark: str
    ids: dict[str, str]
    theirs: Any = None

    async def neighbours_people(self) -> Any:
        return [(await self.neighbour.scim.get(kind)).json for kind in ("/Users", "/Groups")]


@pytest.fixture(params=["tolerant", "strict"])
async def target(company: Company, neighbour: Company, request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    await company.apply(brake={"people": 0, "percent": 30}, provisioning__strict=request.param == "strict")
    mark = f"mark{secrets.token_hex(8)}"
    entra, theirs = Microsoft(company.scim_url, company.token), Microsoft(neighbour.scim_url, neighbour.token)
    marked = {name: f"{mark} {value}" if isinstance(value, str) else value for name, value in FULL.items()}
    foreign = await theirs.create(marked)
    foreign_group = await theirs.create_group(mark, members=[{"value": foreign["id"]}])
    ids = {"{their_user}": foreign["id"], "{their_group}": foreign_group["id"], "{their_company}": neighbour.name}
    made = Target(entra, company, neighbour, mark, ids)
    made.theirs = await made.neighbours_people()
    yield made
    await entra.scim.close()
    await theirs.scim.close()


WORDS = [
    "{user}",
    "{group}",
    "{their_user}",
    "{their_group}",
    "emp_" + "0" * 32,
    "True",
    "False",
    "",
    " ",
    "work",
    "x" * 2000,
    "\u0000",
    "ø",
    "\ud800",
    "%",
    "'",
    '"',
    "\\",
    "9" * 40,
    "-1",
    "2026-01-01T00:00:00Z",
]
TEXT = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
NAMES = st.one_of(
    st.sampled_from([attribute.path for attribute in ATTRIBUTES]),
    st.sampled_from(
        [
            "emails",
            "name",
            "members",
            "id",
            "meta",
            "meta.created",
            "schemas",
            "displayName",
            "phoneNumbers",
            "manager.$ref",
            'members[value eq "{user}"]',
            'members[value eq "{their_user}"]',
            "nickName",
            "members.value",
        ]
    ),
    st.lists(
        st.sampled_from(["emails", "[", "]", "type eq ", '"work"', '"', ".", "value", ":", "urn:", " and ", "not ("]),
        max_size=7,
    ).map("".join),
    TEXT,
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(allow_nan=True), TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(NAMES, st.sampled_from(["value", "type", "$ref", "primary"])), inner, max_size=4),
        st.builds(lambda one: [{"value": one}], TEXT),
    ),
    max_leaves=6,
)
OPERATION = st.one_of(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "Replace", "remove", "Add", "move"])}, optional={"path": NAMES, "value": VALUES}
    ),
    VALUES,
)
PATCHES = st.fixed_dictionaries(
    {"Operations": st.lists(OPERATION, max_size=4)}, optional={"schemas": VALUES, "x": VALUES}
)
WHOLES = st.dictionaries(
    st.one_of(st.sampled_from(["userName", "name", "emails", "displayName", "members"]), NAMES), VALUES, max_size=6
)
FILTERS = st.one_of(
    st.builds(
        lambda name, op, value: f"{name} {op} {json.dumps(value)}",
        NAMES,
        st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "xx"]),
        st.one_of(TEXT, st.booleans(), st.none(), st.integers()),
    ),
    st.lists(
        st.sampled_from(
            [
                "userName",
                " eq ",
                '"a"',
                "(",
                ")",
                "not ",
                " and ",
                " or ",
                "emails[",
                "]",
                "type",
                ".value",
                " pr",
                "true",
            ]
        ),
        max_size=12,
    ).map("".join),
    TEXT,
)
SEARCHES = st.dictionaries(
    st.sampled_from(
        ["filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes", "excludedAttributes"]
    ),
    st.one_of(VALUES, FILTERS, NAMES),
    max_size=5,
)
BULKS = st.fixed_dictionaries(
    {
        "Operations": st.lists(
            st.fixed_dictionaries(
                {
                    "method": st.sampled_from(["POST", "PATCH", "PUT", "DELETE", "GET", "post"]),
                    "path": st.one_of(
                        st.sampled_from(
                            [
                                "/Users",
                                "/Groups",
                                "/Users/{user}",
                                "/Groups/{group}",
                                "/Users/{their_user}",
                                "/Users/bulkId:a",
                            ]
                        ),
                        TEXT,
                    ),
                },
                optional={
                    "bulkId": st.sampled_from(["a", "b", "", "bulkId:a"]),
                    "data": st.one_of(PATCHES, WHOLES, VALUES),
                },
            ),
            max_size=4,
        )
    },
    optional={"failOnErrors": VALUES, "schemas": VALUES},
)
BODIES = st.one_of(
    st.one_of(PATCHES, WHOLES, SEARCHES, BULKS, VALUES).map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=60),
    st.none(),
)
QUERIES = st.lists(
    st.one_of(
        st.builds(lambda text: f"filter={quote(text, safe='', errors='surrogatepass')}", FILTERS),
        st.builds(
            lambda name, text: f"{name}={quote(text, safe='', errors='surrogatepass')}",
            st.sampled_from(
                [
                    "sortBy",
                    "sortOrder",
                    "startIndex",
                    "count",
                    "cursor",
                    "attributes",
                    "excludedAttributes",
                    "x",
                    "aadOptscim062020",
                ]
            ),
            st.one_of(NAMES, TEXT, st.integers().map(str)),
        ),
        st.sampled_from(["%", "%ff", "=", "aadOptscim062020", "filter", "a=b=c", "%00=%00", "cursor="]),
    ),
    max_size=4,
).map("&".join)
PATHS = st.one_of(
    st.sampled_from(
        ["/Users", "/Users/{user}", "/Groups", "/Groups/{group}", "/Users/.search", "/Groups/.search", "/.search"]
    ),
    st.sampled_from(
        [
            "/Users/{their_user}",
            "/Groups/{their_group}",
            "/../{their_company}/Users",
            "/Users/{group}",
            "/Groups/{user}",
            "/Schemas",
            "/Schemas/x",
            "/ResourceTypes",
            "/ServiceProviderConfig",
            "/Me",
            "/Bulk",
            "",
            "/",
            "//Users//",
            "/users",
        ]
    ),
    st.builds(
        lambda start, text: start + quote(text, safe="", errors="surrogatepass"),
        st.sampled_from(["/Users/", "/Groups/", "/"]),
        TEXT,
    ),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Content-Type",
            "Accept",
            "If-Match",
            "If-None-Match",
            "ADSCIMVersion",
            "Content-Encoding",
            "Accept-Encoding",
            "Prefer",
            "X-Forwarded-Host",
            "X-Request-ID",
            "traceparent",
            "Expect",
            "Range",
            "Cookie",
            "X-HTTP-Method-Override",
        ]
    ),
    st.one_of(
        st.sampled_from(
            [
                "application/scim+json",
                "application/json; charset=utf-8",
                "text/html",
                "*/*;q=0",
                '"1"',
                'W/"1"',
                "*",
                "identity",
                "gzip",
                "application/scim+json; charset=utf-16",
                "ActivityId:x",
                "DELETE",
                "other.example",
                ";;;",
                ",",
                "",
            ]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    ),
    max_size=3,
)


VERBS = st.sampled_from(["GET", "GET", "POST", "PATCH", "PATCH", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"])
KINDS = st.sampled_from(["/Users", "/Groups"])


def meant(verb: str, path: st.SearchStrategy[str], bodies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Bodies go where they belong, so that more is read of them than the envelope."""
    return st.tuples(st.just(verb), path, QUERIES, bodies.map(lambda body: json.dumps(body).encode()), st.just({}))


DESCRIBED = st.one_of(WHOLES, WHOLES.map(lambda body: {**body_of(MINIMAL), "displayName": "x", **body}))
ONE = st.sampled_from(["/Users/{user}", "/Groups/{group}"])
REQUESTS = st.one_of(
    st.tuples(VERBS, PATHS, QUERIES, BODIES, HEADERS),
    meant("PATCH", ONE, PATCHES),
    meant("PUT", ONE, DESCRIBED),
    meant("POST", KINDS, DESCRIBED),
    meant("POST", st.sampled_from(["/Users/.search", "/Groups/.search", "/.search"]), SEARCHES),
    meant("POST", st.just("/Bulk"), BULKS),
    st.tuples(st.just("GET"), KINDS, QUERIES, st.none(), HEADERS),
)


def filled(text: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        text = text.replace(name, value)
    return text


def is_scim(answer: ScimAnswer) -> None:
    media = answer.headers.get("Content-Type")
    if answer.status >= 400:
        assert media == "application/scim+json"
        assert answer.json["schemas"] == [ERROR]
        assert answer.json["status"] == str(answer.status)
        assert 0 < len(answer.json["detail"]) < 2000
        if answer.status == 400:
            assert answer.json["scimType"]
    elif answer.text:
        assert media == "application/scim+json"
        assert isinstance(answer.json, dict)
        for one in answer.json.get("Operations", []):
            assert int(one["status"]) < 500 or int(one["status"]) == NOT_OFFERED, one


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(request=REQUESTS)
async def test_any_request_is_answered_as_scim_says(
    target: Target, request: tuple[str, str, str, bytes | None, dict[str, str]]
) -> None:
    verb, path, query, body, headers = request
    ids = target.ids | {"{user}": await somebody(target, "/Users"), "{group}": await somebody(target, "/Groups")}
    content = (
        None
        if body is None or verb in ("GET", "HEAD", "TRACE")
        else filled(body.decode("latin-1"), ids).encode("latin-1")
    )
    address = filled(path, ids) + (
        f"?{filled(query, {name: quote(value) for name, value in ids.items()})}" if query else ""
    )

    began = time.process_time()
    answer = await target.entra.scim.raw(verb, address, content, headers)
    assert time.process_time() - began < MOST_SECONDS

    assert 0 < answer.status < 500 or answer.status == NOT_OFFERED, (answer.status, answer.text)
    if verb != "HEAD":
        is_scim(answer)
    assert target.mark not in answer.text
    if verb not in ("GET", "HEAD", "OPTIONS", "TRACE"):
        assert await target.neighbours_people() == target.theirs


async def somebody(target: Target, kind: str) -> str:
    """Of this company; a new one where the fuzzing has deleted the last."""
    listed: Json = (await target.entra.scim.get(kind, count="1")).json
    if listed["Resources"]:
        return str(listed["Resources"][0]["id"])
    if kind == "/Users":
        return str((await target.entra.create())["id"])
    # In strict mode Microsoft's own schema is refused.
    return str((await target.entra.create_group(secrets.token_hex(4), schemas=[GROUP]))["id"])
