"""The parts of SCIM that Entra does not use and others do: versions, searching by POST, sorting, cursors (RFC 7644, RFC 9865)."""

import base64
import hashlib
import json
from typing import Any

import pytest

from tests.entra.scim_client import ScimAnswer
from tests.support.company import Company, create_body

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"


async def ask(company: Company, verb: str, path: str, body: Any = None, **headers: str) -> ScimAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    encoded = None if body is None else json.dumps(body).encode()
    return await company.scim.raw(verb, path, encoded, headers=named)


def etag(answer: ScimAnswer) -> str | None:
    return next((value for name, value in answer.headers.items() if name.lower() == "etag"), None)


def title(text: str) -> dict[str, Any]:
    return {"Operations": [{"op": "replace", "path": "title", "value": text}]}


async def test_a_change_can_be_made_to_hold_only_for_the_version_that_was_seen(company: Company) -> None:
    """RFC 7644 section 3.14."""
    anna = company.hire()
    made = await company.scim.post("/Users", create_body(anna))
    path, seen = f"/Users/{made.json['id']}", made.json["meta"]["version"]
    assert etag(made) == seen
    first = await ask(company, "PATCH", path, title("Kok"), If_Match=seen)
    assert first.status == 200
    for stale in (seen, '"99"', 'W/"x"', "nonsense", '""'):
        late = await ask(company, "PATCH", path, title("Chef"), If_Match=stale)
        assert late.status == 412, stale
        assert "Read it again" in late.json["detail"]
    assert (await ask(company, "PUT", path, create_body(anna), If_Match=seen)).status == 412
    assert (await ask(company, "DELETE", path, If_Match=seen)).status == 412
    now = first.json["meta"]["version"]
    assert (await ask(company, "PATCH", path, title("Chef"), If_Match=f'"99", {now}')).status == 200
    assert (await ask(company, "PATCH", path, title("Chef"), If_Match="*")).status == 200
    now = (await company.scim.get(path)).json["meta"]["version"]
    same = await ask(company, "GET", path, If_None_Match=now)
    assert (same.status, same.text, etag(same)) == (304, "", now)
    assert (await ask(company, "GET", path, If_None_Match=seen)).status == 200
    assert (await ask(company, "DELETE", path, If_Match=now)).status == 204


async def test_groups_have_versions_too(company: Company) -> None:
    made = await company.scim.post("/Groups", {"displayName": "Alle"})
    path, seen = f"/Groups/{made.json['id']}", made.json["meta"]["version"]
    changed = await ask(
        company, "PATCH", path, {"Operations": [{"op": "add", "path": "displayName", "value": "B"}]}, If_Match=seen
    )
    assert (changed.status, etag(changed)) == (204, 'W/"2"')
    assert (await ask(company, "PUT", path, {"displayName": "C"}, If_Match=seen)).status == 412
    assert (await ask(company, "DELETE", path, If_Match=seen)).status == 412
    assert (await ask(company, "GET", path, If_None_Match='W/"2"')).status == 304


async def three(company: Company) -> list[str]:
    """Their titles are a, B, c; the second one is suspended."""
    ids = []
    for number, text in enumerate(("c", "a", "B")):
        made = await company.scim.post("/Users", {**create_body(company.hire()), "title": text, "active": number != 1})
        ids.append(made.json["id"])
    return ids


async def test_a_search_by_post_is_the_same_as_one_by_get(company: Company) -> None:
    ids = await three(company)
    request = {"schemas": [SEARCH], "filter": "title pr and active eq true", "sortBy": "title", "attributes": ["title"]}
    found = await company.scim.post("/Users/.search", request)
    assert [one["id"] for one in found.json["Resources"]] == [ids[2], ids[0]]
    assert all(set(one) == {"id", "schemas", "title"} for one in found.json["Resources"])
    by_get = await company.scim.get("/Users", filter="title pr and active eq true", sortBy="title", attributes="title")
    assert by_get.json == found.json
    turned = await company.scim.get("/Users", sortBy="TITLE", sortOrder="Descending", startIndex="2", count="1")
    assert [one["title"] for one in turned.json["Resources"]] == ["B"]
    assert (turned.json["totalResults"], turned.json["startIndex"], turned.json["itemsPerPage"]) == (3, 2, 1)


async def test_the_search_at_the_root_finds_users_and_groups(company: Company) -> None:
    ids = await three(company)
    group = (await company.scim.post("/Groups", {"displayName": "Alle", "externalId": "x"})).json["id"]
    everything = await company.scim.post("/.search", {"schemas": [SEARCH]})
    assert [one["id"] for one in everything.json["Resources"]] == [*ids, group]
    second = await company.scim.post("/.search", {"startIndex": 3, "count": 2})
    assert [one["id"] for one in second.json["Resources"]] == [ids[2], group]
    assert second.json["totalResults"] == 4
    last = await company.scim.post("/.search", {"startIndex": 4, "count": 5, "filter": "meta.created pr"})
    assert [one["meta"]["resourceType"] for one in last.json["Resources"]] == ["Group"]
    only_group = await company.scim.post("/.search", {"filter": 'displayName eq "ALLE" and externalId pr'})
    assert [one["id"] for one in only_group.json["Resources"]] == [group]
    only_users = await company.scim.post("/.search", {"filter": 'title eq "a"', "count": 0})
    assert (only_users.json["totalResults"], only_users.json["Resources"]) == (1, [])
    assert (await company.scim.post("/.search", {"filter": 'foo eq "a"'})).json["scimType"] == "invalidFilter"
    for kind in ("/Groups/.search", "/Users/.search"):
        assert (await company.scim.post(kind, {"filter": "meta.created pr"})).status == 200


def cursor_to(kind: str, last_id: str) -> str:
    """One that nobody was given."""
    digest = hashlib.sha256(f"{kind} ".encode()).hexdigest()[:8]
    return base64.urlsafe_b64encode(f"{digest}{last_id}".encode()).decode().rstrip("=")


async def test_a_cursor_leads_through_all_pages(company: Company) -> None:
    """RFC 9865."""
    ids = await three(company)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await company.scim.get("/Users", cursor=cursor, count="2", filter="title pr")).json
        assert (page["totalResults"], "startIndex" in page) == (3, False)
        seen += [one["id"] for one in page["Resources"]]
        assert page["itemsPerPage"] == len(page["Resources"])
        cursor = page.get("nextCursor")
    assert seen == ids
    whole = (await company.scim.get("/Users", cursor="", count="3")).json
    assert (len(whole["Resources"]), "nextCursor" in whole) == (3, False), "the last page has no next one"
    assert len((await company.scim.get("/Users", cursor="", count="9999")).json["Resources"]) == 3
    first = (await company.scim.post("/Users/.search", {"cursor": "", "count": 1})).json
    assert (await company.scim.get("/Users", cursor=first["nextCursor"])).json["Resources"][0]["id"] == ids[1]


@pytest.mark.parametrize(
    ("query", "scim_type"),
    [
        ({"cursor": "x"}, "invalidCursor"),
        ({"cursor": "Zm9v"}, "invalidCursor"),
        ({"cursor": "æ"}, "invalidCursor"),
        ({"cursor": "A" * 500}, "invalidCursor"),
        ({"cursor": cursor_to("User", "grp_" + "0" * 32)}, "invalidCursor"),
        ({"cursor": cursor_to("Group", "emp_" + "0" * 32)}, "invalidCursor"),
        ({"cursor": "", "startIndex": "2"}, "invalidCursor"),
        ({"cursor": "", "sortBy": "title"}, "invalidCursor"),
        ({"cursor": "", "count": "0"}, "invalidCount"),
        ({"cursor": "", "count": "-1"}, "invalidCount"),
        ({"cursor": "", "count": "many"}, "invalidCount"),
        ({"count": "many"}, "invalidValue"),
        ({"sortBy": "foo"}, "invalidValue"),
        ({"sortBy": "userName", "sortOrder": "upwards"}, "invalidValue"),
        ({"attributes": "id", "excludedAttributes": "id"}, "invalidValue"),
    ],
)
async def test_a_page_that_makes_no_sense_is_refused(company: Company, query: dict[str, str], scim_type: str) -> None:
    for kind in ("/Users", "/Groups"):
        answer = await company.scim.get(kind, **query)
        assert (answer.status, answer.json["scimType"]) == (400, scim_type)


async def test_a_cursor_goes_with_its_own_list(company: Company) -> None:
    await three(company)
    cursor = (await company.scim.get("/Users", cursor="", count="1")).json["nextCursor"]
    assert (await company.scim.get("/Groups", cursor=cursor)).json["scimType"] == "invalidCursor"
    assert (await company.scim.get("/Users", cursor=cursor, filter="title pr")).json["scimType"] == "invalidCursor"


@pytest.mark.parametrize(
    "body",
    [[], "x", {"count": "1"}, {"count": True}, {"filter": 5}, {"attributes": [5]}, {"attributes": {"a": 1}}, {"sortOrder": []},
     {"startIndex": 1.5}, {"filter": "title eq"}],
    ids=str,
)  # fmt: skip
async def test_a_search_request_of_wrong_types_is_refused(company: Company, body: Any) -> None:
    for path in ("/Users/.search", "/Groups/.search", "/.search"):
        answer = await company.scim.post(path, body)
        assert answer.status == 400
        assert answer.json["scimType"] in {"invalidSyntax", "invalidValue", "invalidFilter"}
