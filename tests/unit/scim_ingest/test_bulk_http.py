"""`/Bulk` over HTTP: each operation as a request of its own, the whole within its limits."""

import asyncio
import json
import logging
from typing import Any

import httpx2
import msgspec
import pytest
from prometheus_client import REGISTRY

from scim_ingest.app import create_service
from scim_ingest.protocol.attributes import ENTERPRISE
from scim_ingest.protocol.bulk import BULK_REQUEST, BULK_RESPONSE
from shared.errors import DomainError, ErrorCode
from shared.http.service import Service
from tests.unit.scim_ingest.conftest import ANNA, PUBLIC_URL, SETTINGS, TOKEN
from tests.unit.scim_ingest.directory_double import DirectoryDouble

USERS = f"{PUBLIC_URL}/scim/v2/firma/Users"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def person(name: str, manager: str | None = None, **data: Any) -> dict[str, Any]:
    address = f"{name}@firma.dk"
    body = {**ANNA, "userName": address, "emails": [{"type": "work", "value": address}], **data}
    if manager is not None:
        body[ENTERPRISE] = {"manager": {"value": manager}}
    return {"method": "POST", "path": "/Users", "bulkId": name, "data": body}


def titled(path: str, title: str = "T", **members: Any) -> dict[str, Any]:
    steps = [{"op": "replace", "path": "title", "value": title}]
    return {"method": "PATCH", "path": path, "data": {"schemas": [PATCH_OP], "Operations": steps}, **members}


async def send(http: httpx2.AsyncClient, *operations: Any, **members: Any) -> list[dict[str, Any]]:
    answer = await http.post("/Bulk", json={"schemas": [BULK_REQUEST], "Operations": list(operations), **members})
    assert answer.status_code == 200, answer.text
    assert answer.json()["schemas"] == [BULK_RESPONSE]
    found: list[dict[str, Any]] = answer.json()["Operations"]
    return found


def statuses(answers: list[dict[str, Any]]) -> list[str]:
    return [one["status"] for one in answers]


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_each_operation_is_answered_as_a_request_of_its_own(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    before = count("scim_requests_total", operation="user_create", result="created")
    made, changed, replaced, gone = await send(
        http,
        person("anna"),
        titled("/Users/bulkId:anna"),
        {"method": "PUT", "path": "/Users/bulkId:anna", "bulkId": "again", "data": person("anna")["data"]},
        {"method": "DELETE", "path": "/Users/bulkId:anna"},
    )
    assert directory.calls == [
        "check_credential",
        "provision_employee",
        "change_employee",
        "change_employee",
        "remove_employee",
    ]
    location = made["location"]
    assert location.startswith(f"{USERS}/emp_")
    assert made == {"method": "POST", "bulkId": "anna", "location": location, "version": 'W/"1"', "status": "201"}
    assert changed == {"method": "PATCH", "location": location, "version": 'W/"2"', "status": "200"}
    assert (replaced["bulkId"], replaced["location"], replaced["version"]) == ("again", location, 'W/"3"')
    assert gone == {"method": "DELETE", "location": location, "status": "204"}
    assert count("scim_requests_total", operation="user_create", result="created") == before + 1


async def test_one_that_fails_is_answered_with_its_error_and_the_others_are_done(http: httpx2.AsyncClient) -> None:
    first, twin, nobody, second = await send(
        http, person("anna"), {**person("anna"), "bulkId": "twin"}, titled("/Users/emp_1"), person("bo")
    )
    assert (first["status"], second["status"]) == ("201", "201")
    assert (twin["status"], twin["response"]["status"], twin["response"]["scimType"]) == ("409", "409", "uniqueness")
    assert "location" not in twin
    assert (nobody["status"], nobody["location"]) == ("404", f"{USERS}/emp_1")


async def test_a_version_must_be_the_one_that_is_there(http: httpx2.AsyncClient) -> None:
    answers = await send(
        http,
        person("anna"),
        titled("/Users/bulkId:anna", "T", version='W/"1"'),
        titled("/Users/bulkId:anna", "U", version='W/"1"'),
        {"method": "DELETE", "path": "/Users/bulkId:anna", "version": "W/“2”"},
        {"method": "DELETE", "path": "/Users/bulkId:anna", "version": 'W/"2"'},
    )
    assert statuses(answers) == ["201", "200", "412", "412", "204"]


async def test_managers_are_named_before_they_are_created_and_in_circles(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    answers = await send(
        http,
        person("anna", "bulkId:bo"),
        person("bo"),
        person("carl", "bulkId:dora"),
        person("dora", "bulkId:carl"),
        person("eve", "bulkId:eve"),
    )
    assert statuses(answers) == ["201"] * 5
    anna, bo, carl, dora, eve = (one["location"].rsplit("/", 1)[-1] for one in answers)
    managers = {one.id: one.manager_ref for one in directory.employees["firma"].values()}
    assert managers == {anna: bo, bo: None, carl: dora, dora: carl, eve: eve}
    # The version is that of what stands there now, so that a client may go on from it.
    for one in answers:
        read = await http.get(f"/Users/{one['location'].rsplit('/', 1)[-1]}")
        assert read.headers["etag"] == one["version"]


async def test_a_large_circle_is_resolved(http: httpx2.AsyncClient, directory: DirectoryDouble) -> None:
    def small(at: int) -> dict[str, Any]:
        name = f"u{at}"
        data = {"userName": name, "name": {"givenName": "A", "familyName": "B"}, "emails": [{"value": f"{name}@x.dk"}]}
        data["manager"] = f"bulkId:u{(at + 1) % 250}"
        return {"method": "POST", "path": "/Users", "bulkId": name, "data": data}

    # As many as the body of these tests' service holds; a thousand are planned in test_bulk.
    answers = await send(http, *(small(at) for at in range(250)))
    assert set(statuses(answers)) == {"201"}
    ids = [one["location"].rsplit("/", 1)[-1] for one in answers]
    assert [directory.employees["firma"][one].manager_ref for one in ids] == [*ids[1:], ids[0]]


async def test_who_could_not_get_his_manager_is_there_and_says_so(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    anna, bo, carl = await send(
        http, person("anna", "bulkId:bo"), person("bo", "bulkId:anna", userName=""), person("carl", "bulkId:bo")
    )
    assert (anna["status"], bo["status"], carl["status"]) == ("409", "400", "409")
    assert "Created, but without the manager" in anna["response"]["detail"]
    assert anna["location"].rsplit("/", 1)[-1] in directory.employees["firma"]
    assert "was not created" in carl["response"]["detail"]
    assert len(directory.employees["firma"]) == 1


async def test_a_bulk_id_that_nobody_has_is_refused_where_it_is_named(http: httpx2.AsyncClient) -> None:
    answers = await send(http, titled("/Users/bulkId:nobody"), person("anna", "bulkId:bulkId:anna"))
    assert [(one["status"], one["response"]["scimType"]) for one in answers] == [("400", "invalidValue")] * 2
    assert "location" not in answers[0]


async def test_after_so_many_errors_nothing_more_is_begun(http: httpx2.AsyncClient, directory: DirectoryDouble) -> None:
    operations = [person("anna"), titled("/Users/x"), {"method": "GET"}, person("bo")]
    assert statuses(await send(http, *operations, failOnErrors=1)) == ["201", "404"]
    directory.employees["firma"].clear()
    assert statuses(await send(http, *operations, failOnErrors=2)) == ["201", "404", "400"]
    directory.employees["firma"].clear()
    assert statuses(await send(http, *operations, failOnErrors=3)) == ["201", "404", "400", "201"]


async def test_whoever_waits_for_his_manager_when_it_ends_is_told(http: httpx2.AsyncClient) -> None:
    answers = await send(
        http, person("anna", "bulkId:bo"), {"method": "GET"}, person("bo", "bulkId:anna"), failOnErrors=1
    )
    assert statuses(answers) == ["400"]
    answers = await send(
        http, person("anna", "bulkId:bo"), person("bo", "bulkId:anna", userName=""), titled("/Users/x"), failOnErrors=1
    )
    assert statuses(answers) == ["404"]
    answers = await send(http, person("anna", "bulkId:bo"), person("bo", "bulkId:anna", userName=""), failOnErrors=1)
    assert statuses(answers) == ["409", "400"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"Operations": 5}',
        b'{"Operations": [], "failOnErrors": "x"}',
        b'{"a":1,"A":1}',
        b"[" * 50_000,
    ],
    ids=lambda body: body[:20].decode(),
)
async def test_a_message_that_is_none_does_nothing(
    http: httpx2.AsyncClient, directory: DirectoryDouble, body: bytes
) -> None:
    answer = await http.post("/Bulk", content=body, headers={"Content-Type": "application/scim+json"})
    assert (answer.status_code, answer.json()["status"]) == (400, "400")
    assert directory.calls == ["check_credential"]


async def test_beyond_the_limits_nothing_is_done_and_discovery_tells_them(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    limits = (await http.get("/ServiceProviderConfig")).json()["bulk"]
    assert limits == {"supported": True, "maxOperations": 1000, "maxPayloadSize": 64 * 1024}
    directory.calls.clear()
    many: dict[str, Any] = {"Operations": [{}] * (limits["maxOperations"] + 1)}
    large = {"Operations": [person("anna", title="x" * limits["maxPayloadSize"])]}
    for body, limit in ((many, "1000"), ({"Operations": [{}] * 5000}, "1000"), (large, "65536")):
        answer = await http.post("/Bulk", json=body)
        assert (answer.status_code, answer.json()["status"]) == (413, "413")
        assert limit in answer.json()["detail"]
    assert set(directory.calls) == {"check_credential"}
    assert statuses(await send(http, *[{}] * 1000)) == ["400"] * 1000


async def test_a_wrong_token_is_one_401(service: Service, directory: DirectoryDouble) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}/scim/v2", verify=False) as stranger:
        for company, token in (("firma", "wrong"), ("firma", "idgw_token-of-other"), ("nobody", TOKEN)):
            bodies: list[dict[str, Any]] = [{"Operations": [person("anna")]}, {"Operations": []}, {}]
            for body in bodies:
                headers = {"Authorization": f"Bearer {token}"}
                answer = await stranger.post(f"/{company}/Bulk", json=body, headers=headers)
                assert (answer.status_code, answer.json()["status"]) == (401, "401")
    assert set(directory.calls) == {"check_credential"}


async def test_a_token_that_is_revoked_meanwhile_ends_it(
    http: httpx2.AsyncClient, directory: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = directory.change_employee

    async def revoked(request: Any) -> Any:
        directory.tokens.clear()
        return await change(request)

    monkeypatch.setattr(directory, "change_employee", revoked)
    answers = await send(http, person("anna"), titled("/Users/bulkId:anna"), person("bo"), {"method": "GET"})
    assert statuses(answers) == ["201", "401", "401", "400"]
    assert directory.calls == ["check_credential", "provision_employee", "change_employee"]


async def test_a_fault_of_one_hides_nothing_of_the_others(
    http: httpx2.AsyncClient, directory: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(request: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(directory, "change_employee", broken)
    answers = await send(http, person("anna"), titled("/Users/bulkId:anna"), person("bo"))
    assert statuses(answers) == ["201", "500", "201"]
    assert "secret" not in json.dumps(answers)
    assert "Request id" in answers[1]["response"]["detail"]


async def test_what_directory_refuses_for_the_moment_can_be_sent_again(
    http: httpx2.AsyncClient, directory: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(request: Any) -> Any:
        raise DomainError(ErrorCode.unavailable, "The directory cannot be reached; try again.")

    monkeypatch.setattr(directory, "provision_employee", away)
    assert statuses(await send(http, person("anna"))) == ["503"]


async def test_when_the_time_is_over_the_rest_is_not_begun_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = DirectoryDouble()
    directory.add_company("firma", TOKEN)
    provision, before = directory.provision_employee, count("scim_bulk_not_begun_total")

    async def slow(request: Any) -> Any:
        await asyncio.sleep(1.2)
        return await provision(request)

    monkeypatch.setattr(directory, "provision_employee", slow)
    service = create_service(msgspec.structs.replace(SETTINGS, bulk_time_s=1.0), directory=directory)
    await service.start()
    try:
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{service.port}/scim/v2/firma",
            verify=False,
            headers={"Authorization": f"Bearer {TOKEN}"},
        ) as http:
            operations = [person("anna", "bulkId:bo"), person("bo", "bulkId:anna"), titled("/Users/bulkId:bo")]
            answers = await send(http, *operations)
    finally:
        await service.stop()
    assert statuses(answers) == ["409", "503", "503"]
    assert "without the manager" in answers[0]["response"]["detail"]
    assert "Send this operation again" in answers[1]["response"]["detail"]
    assert count("scim_bulk_not_begun_total") == before + 2
    assert len(directory.employees["firma"]) == 1


async def test_it_is_counted_and_logged_as_one(http: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    def seen() -> tuple[float, float]:
        return (
            count("scim_requests_total", operation="bulk", result="updated"),
            count("scim_requests_total", operation="bulk", result="partial"),
        )

    before = seen()
    with caplog.at_level(logging.INFO, logger="scim-ingest"):
        await send(http, person("anna"))
        await send(http, person("anna"), {"method": "GET"})
    assert seen() == (before[0] + 1, before[1] + 1)
    told = [getattr(record, "fields", {}) for record in caplog.records if record.getMessage() == "bulk_answered"]
    assert [(one["operations"], one["answered"], one["refused"]) for one in told] == [(1, 1, 0), (2, 2, 2)]
    assert "anna@" not in repr(told)


@pytest.mark.parametrize("verb", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
async def test_only_post_is_possible(http: httpx2.AsyncClient, verb: str) -> None:
    answer = await http.request(verb, "/Bulk")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
