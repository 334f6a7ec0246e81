"""Incidents of other SCIM servers that the shapes do not cover; each is answered as Entra needs it."""

import asyncio
import json
from typing import Any

import pytest

from tests.conformance.conftest import Endpoint
from tests.conformance.microsoft import FULL, MINIMAL, Microsoft, body_of, refused, values_in
from tests.entra.dialects import patch_body
from tests.entra.mapping import check_readable


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/scim+json; charset=utf-8"},
        {"Content-Type": "application/scim+json;charset=UTF-8", "Accept": "application/json, text/json"},
        {"Content-Type": "application/json", "Accept": "*/*"},
        {"Content-Type": "Application/SCIM+JSON", "Accept": "text/html, application/xhtml+xml"},
        {"Content-Type": "application/scim+json; odata.metadata=minimal", "Accept": ""},
    ],
    ids=lambda headers: headers["Content-Type"],
)
async def test_no_media_type_that_entra_sends_is_in_the_way(microsoft: Microsoft, headers: dict[str, str]) -> None:
    """incident 10"""
    made = await microsoft.scim.raw("POST", "/Users", json.dumps(body_of(FULL)).encode(), headers)
    assert made.status == 201, made.text
    path = f"/Users/{made.json['id']}"
    change = json.dumps(patch_body([{"op": "Add", "path": "title", "value": "T"}])).encode()
    changed = await microsoft.scim.raw("PATCH", path, change, headers)
    read = await microsoft.scim.raw(
        "GET", path, None, {name: value for name, value in headers.items() if name == "Accept"}
    )
    assert changed.json == read.json
    assert read.json["title"] == "T"
    for answer in (made, changed, read):
        assert answer.headers["Content-Type"] == "application/scim+json"


async def test_every_answer_is_a_resource_a_list_or_an_error(microsoft: Microsoft) -> None:
    """incident 11, incident 12: with the names as the RFC writes them, whatever their case in the request; HTML never."""
    body = {
        name.upper() if name in ("userName", "emails", "name") else name: value
        for name, value in body_of(MINIMAL).items()
    }
    made = await microsoft.scim.post("/Users", body)
    user = check_readable(made.json)
    assert {"schemas", "id", "userName", "name", "emails", "active", "meta"} == set(user)
    listed = (await microsoft.scim.get("/Users")).json
    assert set(listed) == {"schemas", "totalResults", "startIndex", "itemsPerPage", "Resources"}
    for verb, path in (
        ("GET", "/nothing"),
        ("PATCH", "/Users"),
        ("POST", f"/Users/{user['id']}"),
        ("GET", "/Users/nobody"),
        ("GET", "/Me"),
    ):
        answer = await microsoft.scim.raw(verb, path, b"{}" if verb != "GET" else None)
        refused(answer, answer.status)
        assert answer.status in (404, 405, 501)


@pytest.mark.parametrize(
    "name", ["Anna  Maria Holm and Søn", 'a "quoted" one', "back\\slash", "a+b & c=d #1 100%", "O'Neill or not (x)"]
)
async def test_a_value_is_found_whatever_is_in_it(microsoft: Microsoft, name: str) -> None:
    """incident 13"""
    user = await microsoft.create({"displayName": name, "externalId": name})
    await microsoft.create({"displayName": name[:4], "externalId": "x"})
    for attribute in ("displayName", "externalId"):
        found = await microsoft.scim.find(attribute, name)
        assert [one["id"] for one in found.json["Resources"]] == [user["id"]]


async def test_the_filter_of_the_page_that_was_wrong_is_refused_with_help(microsoft: Microsoft) -> None:
    """incident 14: and the right one finds."""
    user = await microsoft.create()
    wrong = await microsoft.scim.get("/Users", filter=f'emails[type eq "work"] eq "{user["userName"]}"')
    refused(wrong, 400, "invalidFilter")
    assert await microsoft.found(f'emails[type eq "work"].value eq "{user["userName"]}"') == [user]


async def test_uniqueness_counts_without_case_as_the_lookup_does(microsoft: Microsoft) -> None:
    """incident 15: on create and on rename, by name and by e-mail; of two at once exactly one is made."""
    user, other = await microsoft.create(), await microsoft.create()
    email = 'emails[type eq "work"].value'
    for taken in (
        {"userName": user["userName"].upper(), email: "x@y.dk"},
        {"userName": "x@y.dk", email: user["userName"].title()},
    ):
        refused(await microsoft.scim.post("/Users", body_of({**MINIMAL, **taken})), 409, "uniqueness")
        name, value = next((name, value) for name, value in taken.items() if value != "x@y.dk")
        change = patch_body([{"op": "Replace", "path": name, "value": value}])
        refused(await microsoft.scim.patch(f"/Users/{other['id']}", change), 409, "uniqueness")
    assert await microsoft.read(other) == other
    racing = [microsoft.scim.post("/Users", body_of(FULL)) for _ in range(5)]
    assert sorted([answer.status for answer in await asyncio.gather(*racing)]) == [201, 409, 409, 409, 409]


async def test_whoever_is_inactive_can_be_provisioned_anew(microsoft: Microsoft) -> None:
    """incident 18: under the same name, with another external id; it is the same user, active and as described now."""
    user = await microsoft.create({"externalId": "first", "title": "Kok"})
    await microsoft.patch(user, {"op": "Replace", "path": "active", "value": microsoft.flag(False)})
    again = body_of({**values_in(user), "externalId": "second", "title": "Chef"})
    answer = await microsoft.scim.post("/Users", again)
    assert (answer.status, answer.json["id"]) == (201, user["id"])
    assert values_in(answer.json) == {**values_in(user), "externalId": "second", "title": "Chef"}


CUSTOM = "urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User:tags"


@pytest.mark.parametrize("path", [CUSTOM, "roles", "entitlements", "x509Certificates", "ims"])
async def test_a_list_that_is_not_kept_does_not_grow(endpoint: Endpoint, path: str) -> None:
    """incident 21"""
    microsoft = Microsoft(endpoint.tenant_url, endpoint.token)
    user = await microsoft.create(FULL)
    values: list[Any] = [
        "a",
        [{"value": "a"}],
        [{"value": "a"}, {"value": "b"}],
        [{"type": "work", "value": "c"}],
        {"value": "d"},
    ]
    for value in values:
        assert await microsoft.patch(user, {"op": "Add", "path": path, "value": value}) == user
    assert await microsoft.patch(user, {"op": "Remove", "path": path}) == user
    await microsoft.scim.close()
