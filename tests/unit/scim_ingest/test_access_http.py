"""Who gets in, and what a stranger can learn: nothing."""

import logging
from typing import Any

import httpx2
import pytest

from shared.http.service import Service
from shared.telemetry import context
from tests.entra.tenant import utc_now
from tests.entra.workload import SigningKey, Workload, blank_secret_token
from tests.unit.scim_ingest.conftest import ANNA, TOKEN
from tests.unit.scim_ingest.directory_double import DirectoryDouble


async def ask(
    service: Service, path: str, verb: str = "GET", *, token: str | None = TOKEN, **more: Any
) -> httpx2.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    headers.update(more.pop("headers", {}))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", verify=False) as client:
        return await client.request(verb, path, headers=headers, **more)


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/Users"),
        ("POST", "/Users"),
        ("GET", "/Users/emp_1"),
        ("PATCH", "/Users/emp_1"),
        ("PUT", "/Users/emp_1"),
        ("DELETE", "/Users/emp_1"),
        ("GET", "/Schemas"),
    ],
)
async def test_a_wrong_token_another_company_s_and_an_unknown_company_look_the_same(
    service: Service, verb: str, path: str
) -> None:
    json = {"Operations": []} if verb == "PATCH" else ANNA
    answers = [
        await ask(service, f"/scim/v2/firma{path}", verb, token="idgw_wrong", json=json),
        await ask(service, f"/scim/v2/firma{path}", verb, token="idgw_token-of-other", json=json),
        await ask(service, f"/scim/v2/nobody{path}", verb, json=json),
    ]
    if path != "/Schemas":
        # A text that can be no company's name is not even asked about, and still answered like the others.
        answers.append(await ask(service, f"/scim/v2/%00{path}", verb, json=json))
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    fixed = [{k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date")} for answer in answers]
    assert all(headers == fixed[0] for headers in fixed)
    assert answers[0].headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Basic YTpi", "Bearer a b", TOKEN, "Bearer " + "x" * 5000, "Bearer ø"],
)
async def test_without_a_bearer_token_nobody_is_asked(
    service: Service, directory: DirectoryDouble, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode()}
    answer = await ask(service, "/scim/v2/firma/Users", token=None, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["status"] == "401"
    assert directory.calls == []


@pytest.mark.parametrize("path", ["/Users", "/Schemas"])
@pytest.mark.parametrize("company", ["firma", "nobody"])
async def test_the_blank_secret_mode_is_refused_with_the_setting_to_change(
    service: Service, directory: DirectoryDouble, path: str, company: str
) -> None:
    token = blank_secret_token("11111111-1111-4111-8111-111111111111", SigningKey(), utc_now())
    directory.add_company("firma", token)
    answer = await ask(service, f"/scim/v2/{company}{path}", token=token)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert "paste this company's SCIM token as Secret Token" in answer.json()["detail"]
    assert directory.calls == [], "not even asked, however genuine"


async def test_an_assertion_is_no_token_either(service: Service, directory: DirectoryDouble) -> None:
    answer = await ask(
        service, "/scim/v2/firma/Users", token=Workload("11111111-1111-4111-8111-111111111111").assertion()
    )
    assert (answer.status_code, directory.calls) == (401, [])
    assert "Workload Identity Federation" in answer.json()["detail"]


@pytest.mark.parametrize(
    "token", ["a.b.c", "eyJ.eyJ.x", "..", "a.ey.c", "a.bnVsbA.c", "a.eyJpc3MiOjF9.c", "a." + "W" * 4000 + ".c"]
)
async def test_what_only_looks_like_entra_s_own_is_a_wrong_token(service: Service, token: str) -> None:
    answer = await ask(service, "/scim/v2/firma/Users", token=token)
    assert answer.status_code == 401
    assert answer.content == (await ask(service, "/scim/v2/firma/Users", token="idgw_wrong")).content


async def test_the_scheme_counts_without_case(service: Service) -> None:
    answer = await ask(service, "/scim/v2/firma/Users", token=None, headers={"Authorization": f"bearer  {TOKEN}"})
    assert answer.status_code == 200


async def test_the_token_reaches_directory_only_as_its_hash(
    service: Service, directory: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    find = directory.find_employees

    async def watched(request: Any) -> Any:
        seen.append(request)
        return await find(request)

    monkeypatch.setattr(directory, "find_employees", watched)
    await ask(service, "/scim/v2/firma/Users")
    assert TOKEN not in repr(seen)
    assert len(seen[0].credential.token_sha256) == 64


@pytest.mark.parametrize("path", ["/scim/v2/firma/Users/", "//scim//v2/firma//Users", "/scim/v2/firma/Users//"])
async def test_slashes_too_many_are_overlooked(service: Service, path: str) -> None:
    # As raw bytes: clients tidy such paths themselves.
    import asyncio

    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n".encode()
    )
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/scim",
        "/scim/v2",
        "/scim/v2/firma",
        "/scim/v2/firma/users",
        "/scim/firma/Users",
        "/scim/v2/firma/Users/a/b",
        "/x",
    ],
)
async def test_what_is_nowhere_is_a_scim_404(service: Service, path: str) -> None:
    answer = await ask(service, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/scim+json"
    assert answer.json()["status"] == "404"
    assert "/scim/v2/{company}" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("DELETE", "/Users", {"GET", "HEAD", "POST"}),
        ("POST", "/Users/emp_1", {"GET", "HEAD", "PATCH", "PUT", "DELETE"}),
        ("POST", "/Schemas", {"GET", "HEAD"}),
        ("PATCH", "/ServiceProviderConfig", {"GET", "HEAD"}),
        ("TRACE", "/Users", {"GET", "HEAD", "POST"}),
    ],
)
async def test_a_method_that_does_not_fit_is_405_with_the_ones_that_do(
    service: Service, verb: str, path: str, allowed: set[str]
) -> None:
    answer = await ask(service, f"/scim/v2/firma{path}", verb)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    assert answer.json()["status"] == "405"
    options = await ask(service, f"/scim/v2/firma{path}", "OPTIONS")
    assert (options.status_code, options.content) == (204, b"")
    assert set(options.headers["allow"].split(", ")) == allowed


SERVED = {
    "/Users": "GET POST",
    "/Users/.search": "POST",
    "/Users/emp_1": "GET PATCH PUT DELETE",
    "/Groups": "GET POST",
    "/Groups/.search": "POST",
    "/Groups/grp_1": "GET PATCH PUT DELETE",
    "/.search": "POST",
    "/Bulk": "POST",
    "/ServiceProviderConfig": "GET",
    "/ResourceTypes": "GET",
    "/ResourceTypes/User": "GET",
    "/Schemas": "GET",
    "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User": "GET",
}


@pytest.mark.parametrize("path", SERVED)
async def test_every_path_says_which_methods_it_has(service: Service, directory: DirectoryDouble, path: str) -> None:
    possible = set(SERVED[path].split()) | ({"HEAD"} if "GET" in SERVED[path].split() else set())
    for verb in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - possible:
        answer = await ask(service, f"/scim/v2/firma{path}", verb)
        assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, possible), verb
        assert answer.headers["content-type"] == "application/scim+json"
    assert directory.calls == []


@pytest.mark.parametrize(
    "path", ["/Users", "/Users/.search", "/Users/emp_1", "/Groups", "/.search", "/Bulk", "/Schemas"]
)
async def test_who_takes_no_json_is_told_on_every_path(service: Service, path: str) -> None:
    verb = "GET" if "GET" in SERVED[path].split() else "POST"
    headers = {"Accept": "text/html, */*;q=0"}
    assert (await ask(service, f"/scim/v2/firma{path}", verb, headers=headers, json={})).status_code == 406


@pytest.mark.parametrize(("verb", "path"), [
    ("POST", "/Users"), ("POST", "/Users/.search"), ("PATCH", "/Users/emp_1"), ("PUT", "/Users/emp_1"), ("POST", "/Groups"),
    ("POST", "/Groups/.search"), ("PATCH", "/Groups/grp_1"), ("PUT", "/Groups/grp_1"), ("POST", "/.search"), ("POST", "/Bulk"),
])  # fmt: skip
async def test_a_body_that_is_no_json_is_told_on_every_path(service: Service, verb: str, path: str) -> None:
    for content_type in ("text/plain", "application/xml", "application/scim+json; charset=latin1", ""):
        headers = {"Content-Type": content_type}
        assert (await ask(service, f"/scim/v2/firma{path}", verb, headers=headers, content=b"{}")).status_code == 415


@pytest.mark.parametrize(
    "path", ["/scim/v1/firma/Users", "/scim/v3/firma/Users", "/scim/v2.1/firma/Users", "/scim/v20/firma/Me"]
)
async def test_another_version_of_the_protocol_is_not_spoken(service: Service, path: str) -> None:
    answer = await ask(service, path)
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidVers")


async def test_head_is_get_without_body(service: Service) -> None:
    got, head = await ask(service, "/scim/v2/firma/Users"), await ask(service, "/scim/v2/firma/Users", "HEAD")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_what_is_not_offered_says_so(service: Service, verb: str) -> None:
    answer = await ask(service, "/scim/v2/firma/Me", verb)
    assert answer.status_code == 501
    assert answer.json()["status"] == "501"


async def test_logs_name_the_company_only_once_it_is_proven_and_never_a_value(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[tuple[str, str, object]] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.getMessage(), context.company.get(), getattr(record, "fields", {})))

    logger = logging.getLogger("scim-ingest")
    watch, level = Watch(), logger.level
    logger.addHandler(watch)
    logger.setLevel(logging.DEBUG)
    try:
        body = {**ANNA, "nickName": "Babs", "roles": [{"value": "Admin"}]}
        activity = "6b2f7c36-3f26-4d0c-9a5c-0f6f0f5f3d11"
        headers = {"ADSCIMVersion": f"Date:2026-11-01, ActivityId:{activity}"}
        await ask(service, "/scim/v2/firma/Users", "POST", json=body, headers=headers)
        accepted = seen.copy()
        seen.clear()
        await ask(service, "/scim/v2/firma/Users", "POST", token="idgw_wrong", json=body)
        await ask(service, "/scim/v2/firma/Users", token=None)
    finally:
        logger.removeHandler(watch)
        logger.setLevel(level)

    assert ("request_answered", "firma") in [(event, company) for event, company, _ in accepted]
    assert activity in repr(accepted)
    assert "['nickName', 'roles']" in repr(accepted)
    for value in ("anna@", "Holm", "Babs", "Admin", TOKEN):
        assert value not in repr(accepted)
    assert {company for _, company, _ in seen} == {""}
    assert [event for event, _, _ in seen].count("request_refused") == 2
