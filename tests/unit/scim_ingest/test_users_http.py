"""`/Users` over HTTP: what goes in, what comes out, and one call of directory for each request."""

import asyncio
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY

from scim_ingest.protocol.errors import ERROR_SCHEMA
from shared.errors import DomainError, ErrorCode
from shared.http.service import Service
from tests.unit.scim_ingest.conftest import ANNA, PUBLIC_URL, TOKEN
from tests.unit.scim_ingest.directory_double import DirectoryDouble

USERS = f"{PUBLIC_URL}/scim/v2/firma/Users"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def patch_of(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def assert_refused(answer: httpx2.Response, status: int, scim_type: str | None = None) -> str:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/scim+json"
    body = answer.json()
    assert body["schemas"] == [ERROR_SCHEMA]
    assert body["status"] == str(status)
    assert body.get("scimType") == scim_type
    return str(body["detail"])


async def create(http: httpx2.AsyncClient, **members: Any) -> dict[str, Any]:
    answer = await http.post("/Users", json={**ANNA, **members})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_created_user_has_an_address_and_a_version(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    answer = await http.post("/Users", json=ANNA, headers={"Content-Type": "application/scim+json; charset=utf-8"})

    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/scim+json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert answer.headers["location"] == body["meta"]["location"] == f"{USERS}/{body['id']}"
    assert answer.headers["etag"] == body["meta"]["version"] == 'W/"1"'
    assert body["meta"]["resourceType"] == "User"
    assert body["active"] is True
    assert {key: body[key] for key in ("userName", "name", "emails")} == {
        key: ANNA[key] for key in ("userName", "name", "emails")
    }
    assert directory.calls == ["provision_employee"]


async def test_every_request_is_one_call(http: httpx2.AsyncClient, directory: DirectoryDouble) -> None:
    user = await create(http)
    address = f"/Users/{user['id']}"
    await http.get(address)
    await http.get("/Users", params={"filter": 'userName eq "x"'})
    await http.patch(address, json=patch_of({"op": "replace", "path": "title", "value": "T"}))
    await http.put(address, json=ANNA)
    await http.delete(address)
    assert directory.calls == [
        "provision_employee",
        "get_employee",
        "find_employees",
        "change_employee",
        "change_employee",
        "remove_employee",
    ]


async def test_an_existing_login_name_is_a_conflict(http: httpx2.AsyncClient) -> None:
    await create(http)
    detail = assert_refused(await http.post("/Users", json={**ANNA, "userName": "ANNA@firma.dk"}), 409, "uniqueness")
    assert "userName" in detail


async def test_a_missing_user_is_not_found(http: httpx2.AsyncClient) -> None:
    for answer in (
        await http.get("/Users/emp_nobody"),
        await http.patch("/Users/emp_nobody", json=patch_of()),
        await http.put("/Users/emp_nobody", json=ANNA),
        await http.delete("/Users/emp_nobody"),
    ):
        assert_refused(answer, 404)


async def test_a_patch_answers_with_the_whole_user(http: httpx2.AsyncClient) -> None:
    user = await create(http)
    answer = await http.patch(
        f"/Users/{user['id']}",
        json=patch_of(
            {"op": "Replace", "path": "active", "value": "False"}, {"op": "Add", "path": "title", "value": "T"}
        ),
    )
    assert answer.status_code == 200
    assert answer.json()["active"] is False
    assert answer.json()["title"] == "T"
    assert answer.headers["location"] == user["meta"]["location"]
    assert (await http.get(f"/Users/{user['id']}")).json() == answer.json()


async def test_a_patch_without_operations_changes_nothing(http: httpx2.AsyncClient) -> None:
    user = await create(http)
    answer = await http.patch(f"/Users/{user['id']}", json=patch_of())
    assert answer.status_code == 200
    assert answer.json() == user


async def test_a_deactivation_survives_what_directory_refuses_beside_it(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    await create(http)
    other = await create(http, userName="b@firma.dk", emails=[{"type": "work", "value": "b@firma.dk"}])
    address = f"/Users/{other['id']}"
    taken = {"op": "Replace", "path": "userName", "value": "anna@firma.dk"}

    assert_refused(await http.patch(address, json=patch_of(taken)), 409, "uniqueness")
    directory.calls.clear()
    answer = await http.patch(address, json=patch_of(taken, {"op": "Replace", "path": "active", "value": "False"}))

    assert answer.status_code == 200
    assert answer.json()["active"] is False
    assert answer.json()["userName"] == "b@firma.dk"
    assert directory.calls == ["change_employee"]


async def test_a_deactivation_alone_that_is_refused_is_refused(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    user = await create(http)
    directory.refuse = DomainError(ErrorCode.invalid_value, "No.")
    off = patch_of({"op": "Replace", "path": "active", "value": "False"})
    assert_refused(await http.patch(f"/Users/{user['id']}", json=off), 400, "invalidValue")


async def test_a_put_replaces(http: httpx2.AsyncClient) -> None:
    user = await create(http, title="T", active=False)
    answer = await http.put(f"/Users/{user['id']}", json={**ANNA, "displayName": "Anna"})
    assert answer.status_code == 200
    assert answer.json()["displayName"] == "Anna"
    assert "title" not in answer.json()
    assert answer.json()["active"] is False
    assert_refused(await http.put(f"/Users/{user['id']}", json={"userName": "x"}), 400, "invalidValue")


async def test_a_deleted_user_is_gone(http: httpx2.AsyncClient) -> None:
    user = await create(http)
    answer = await http.delete(f"/Users/{user['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert_refused(await http.get(f"/Users/{user['id']}"), 404)
    assert_refused(await http.delete(f"/Users/{user['id']}"), 404)


async def test_the_manager_reads_back_as_an_object(http: httpx2.AsyncClient) -> None:
    manager = await create(http)
    user = await create(http, userName="b@firma.dk", emails=[{"type": "work", "value": "b@firma.dk"}])
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    patch = patch_of({"op": "Add", "path": f"{urn}:manager", "value": manager["id"]})
    answer = (await http.patch(f"/Users/{user['id']}", json=patch)).json()
    assert answer[urn] == {"manager": {"value": manager["id"], "$ref": manager["meta"]["location"]}}
    assert answer["schemas"][1] == urn

    found = await http.get(
        "/Users", params={"filter": f'id eq "{user["id"]}" and manager eq "{manager["id"]}"', "attributes": "id"}
    )
    assert found.json()["Resources"] == [{"schemas": answer["schemas"], "id": user["id"]}]


async def some_users(http: httpx2.AsyncClient, number: int) -> list[str]:
    return [
        (await create(http, userName=f"u{n}@firma.dk", emails=[{"type": "work", "value": f"u{n}@firma.dk"}]))["id"]
        for n in range(number)
    ]


@pytest.mark.parametrize(
    ("query", "start", "expected"),
    [
        ({}, 1, [0, 1, 2, 3, 4]),
        ({"startIndex": "2", "count": "2"}, 2, [1, 2]),
        ({"startIndex": "5", "count": "2"}, 5, [4]),
        ({"startIndex": "6"}, 6, []),
        ({"startIndex": "0", "count": "1"}, 1, [0]),
        ({"startIndex": "-7", "count": "1"}, 1, [0]),
        ({"count": "0"}, 1, []),
        ({"count": "-5"}, 1, []),
        ({"count": "100000"}, 1, [0, 1, 2, 3, 4]),
        ({"startIndex": "999999999999999999"}, 999999999999999999, []),
        ({"STARTINDEX": "4"}, 4, [3, 4]),
    ],
)
async def test_pages(http: httpx2.AsyncClient, query: dict[str, str], start: int, expected: list[int]) -> None:
    ids = await some_users(http, 5)
    page = (await http.get("/Users", params=query)).json()
    assert page["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]
    assert page["totalResults"] == 5
    assert page["startIndex"] == start
    assert page["itemsPerPage"] == len(expected)
    assert [user["id"] for user in page["Resources"]] == [ids[n] for n in expected]


@pytest.mark.parametrize("query", ["startIndex=x", "count=1.5", "count=%20", "startIndex=" + "9" * 5000, "count=１"])
async def test_a_page_that_is_no_number_is_refused(http: httpx2.AsyncClient, query: str) -> None:
    assert_refused(await http.get(f"/Users?{query}"), 400, "invalidValue")


async def test_a_page_is_never_larger_than_published(
    http: httpx2.AsyncClient, directory: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []
    find = directory.find_employees

    async def watched(request: Any) -> Any:
        limits.append(request.limit)
        return await find(request)

    monkeypatch.setattr(directory, "find_employees", watched)
    await http.get("/Users?count=5000")
    await http.get("/Users")
    published = (await http.get("/ServiceProviderConfig")).json()["filter"]["maxResults"]
    assert limits == [published, 100]


async def test_a_filter_that_meets_nobody_is_an_empty_list(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/Users", params={"filter": 'userName eq "3d6c5e5c-0000-4000-8000-000000000000"'})
    assert answer.status_code == 200
    assert answer.json()["totalResults"] == 0
    assert answer.json()["Resources"] == []


@pytest.mark.parametrize(
    "query",
    [
        "filter=userName+eq+%22a%2Bb@firma.dk%22",
        'filter=userName%20eq%20"a%2bb%40firma.dk"',
        "aadOptscim062020&filter=userName+eq+%22A%2BB@FIRMA.DK%22",
        "filter=userName+eq+%22a%2Bb@firma.dk%22&AzureAdScimPatch2017&sortBy=userName&x=y",
        "FILTER=userName%20eq%20%22a%2Bb@firma.dk%22&",
    ],
)
async def test_the_query_is_form_decoded_once_and_flags_are_overlooked(http: httpx2.AsyncClient, query: str) -> None:
    await create(http, userName="a+b@firma.dk")
    assert (await http.get(f"/Users?{query}")).json()["totalResults"] == 1


@pytest.mark.parametrize(
    "query", ["filter=%zz", "filter=a%2", "filter=%ff", "%C3=1", "filter=a&filter=b", "&".join(["a"] * 99)]
)
async def test_a_query_that_cannot_be_decoded_is_refused(http: httpx2.AsyncClient, query: str) -> None:
    assert_refused(await http.get(f"/Users?{query}"), 400, "invalidSyntax")


async def test_a_filter_that_is_not_understood_is_refused(http: httpx2.AsyncClient) -> None:
    assert_refused(await http.get("/Users", params={"filter": "externalId eq jyoung"}), 400, "invalidFilter")
    assert_refused(await http.get("/Users", params={"filter": ""}), 400, "invalidFilter")


async def test_answers_may_be_projected(http: httpx2.AsyncClient) -> None:
    user = await create(http)
    address = f"/Users/{user['id']}"
    patch = patch_of({"op": "replace", "path": "title", "value": "T"})
    assert set((await http.get(f"{address}?attributes=userName")).json()) == {"schemas", "id", "userName"}
    assert "emails" not in (await http.get(f"{address}?excludedAttributes=emails")).json()
    assert set((await http.patch(f"{address}?attributes=title", json=patch)).json()) == {"schemas", "id", "title"}
    assert set((await http.put(f"{address}?attributes=id", json=ANNA)).json()) == {"schemas", "id"}
    assert_refused(await http.get(f"{address}?attributes=id&excludedAttributes=emails"), 400, "invalidValue")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/scim+json",
        "application/json",
        "Application/SCIM+JSON;charset=UTF-8",
        'application/json; charset="utf8"',
    ],
)
async def test_json_under_either_name_is_taken(http: httpx2.AsyncClient, content_type: str) -> None:
    answer = await http.post("/Users", json=ANNA, headers={"Content-Type": content_type})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "application/json+scim", "application/json; charset=latin-1"]
)
async def test_anything_else_is_an_unsupported_media_type(
    http: httpx2.AsyncClient, directory: DirectoryDouble, content_type: str
) -> None:
    answer = await http.post("/Users", content=b"{}", headers={"Content-Type": content_type})
    assert_refused(answer, 415)
    assert directory.calls == []


async def test_a_packed_body_is_unsupported(http: httpx2.AsyncClient) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert_refused(await http.post("/Users", content=b"{}", headers=headers), 415)


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/html", "application/xml, text/*;q=0.5", "application/json;q=0", "garbage;;;"]
)
async def test_no_accept_header_is_refused_for_what_it_does_not_say(http: httpx2.AsyncClient, accept: str) -> None:
    assert (await http.get("/Users", headers={"Accept": accept})).status_code == 200


@pytest.mark.parametrize(
    "accept", ["*/*;q=0", "application/scim+json;q=0, application/json; q=0.0, text/html", "text/html, */*;q=0"]
)
async def test_who_excludes_json_gets_406(http: httpx2.AsyncClient, accept: str) -> None:
    assert_refused(await http.get("/Users", headers={"Accept": accept}), 406)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"userName": "a", "USERNAME": "b"}', b"[" * 1000, b"\xff"]
)
@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH"])
async def test_a_body_that_is_no_object_changes_nothing(
    http: httpx2.AsyncClient, directory: DirectoryDouble, verb: str, body: bytes
) -> None:
    address = "/Users" if verb == "POST" else "/Users/emp_1"
    answer = await http.request(verb, address, content=body, headers={"Content-Type": "application/scim+json"})
    assert_refused(answer, 400, "invalidSyntax")
    assert directory.calls == []


async def test_a_body_that_is_too_large_is_refused_announced_or_not(http: httpx2.AsyncClient) -> None:
    headers = {"Content-Type": "application/scim+json"}
    assert_refused(await http.post("/Users", content=b" " * 70_000, headers=headers), 413)

    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 8_000

    assert_refused(await http.post("/Users", content=chunks(), headers=headers), 413)


@pytest.mark.parametrize("trickling", [False, True])
async def test_a_body_that_does_not_come_is_timed_out(service: Service, trickling: bool) -> None:
    """Also one of which a byte comes now and then: what counts is the whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(
        b"POST /scim/v2/firma/Users HTTP/1.1\r\nHost: x\r\nContent-Type: application/scim+json\r\n"
        b"Authorization: Bearer " + TOKEN.encode() + b"\r\nContent-Length: 10000\r\n\r\n{"
    )
    answering = asyncio.ensure_future(reader.readuntil(b"}"))
    while trickling and not answering.done():
        writer.write(b" ")
        await asyncio.sleep(0.02)
    answer = await asyncio.wait_for(answering, 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"status":"408"' in answer


async def test_directory_out_of_reach_is_503_and_come_back(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    directory.refuse = DomainError(ErrorCode.unavailable, "The directory cannot be reached; try again.")
    answer = await http.get("/Users")
    detail = assert_refused(answer, 503)
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["x-request-id"] in detail


@pytest.mark.parametrize("verb", ["PATCH", "DELETE"])
async def test_a_held_deactivation_is_503_come_back_and_no_error(
    http: httpx2.AsyncClient, directory: DirectoryDouble, verb: str
) -> None:
    user = (await http.post("/Users", json=ANNA)).json()
    operation = "user_patch" if verb == "PATCH" else "user_delete"
    before = _results(operation)
    directory.refuse = DomainError(ErrorCode.held, "Held: a Setup admin of the company releases it.")
    patch = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
    answer = await http.request(verb, f"/Users/{user['id']}", json=patch if verb == "PATCH" else None)
    detail = assert_refused(answer, 503)
    assert answer.headers["retry-after"] == "30"
    assert detail.startswith("Held: a Setup admin of the company releases it.")
    assert _results(operation) == {**before, "held": before["held"] + 1}


def _results(operation: str) -> dict[str, float]:
    return {
        result: REGISTRY.get_sample_value("scim_requests_total", {"operation": operation, "result": result}) or 0.0
        for result in ("held", "error", "deactivated", "deleted")
    }


async def test_the_unexpected_is_500_with_the_request_id_and_nothing_else(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    directory.refuse = RuntimeError("secret of the machine room")
    answer = await http.get("/Users")
    detail = assert_refused(answer, 500)
    assert answer.headers["x-request-id"] in detail
    assert "machine room" not in answer.text


async def test_a_company_with_provisioning_off_reads_why(http: httpx2.AsyncClient, directory: DirectoryDouble) -> None:
    directory.refuse = DomainError(ErrorCode.not_allowed, "Provisioning is switched off for this company.")
    assert "switched off" in assert_refused(await http.get("/Users"), 403)


async def test_readiness_follows_directory(service: Service, directory: DirectoryDouble) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.ops_port}", verify=False) as ops:
        assert (await ops.get("/readyz")).status_code == 200
        directory.reachable = False
        assert (await ops.get("/readyz")).status_code == 503
        assert (await ops.get("/healthz")).status_code == 200
