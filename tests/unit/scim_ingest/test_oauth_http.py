"""The token endpoint on a real socket: what it answers, what it says of itself, and that nothing makes it fail."""

import asyncio
import logging
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY
from starlette.responses import Response

from scim_ingest.oauth.metadata import metadata
from shared.errors import DomainError, ErrorCode
from shared.http.service import Service
from shared.telemetry import context
from shared.tokens import sha256
from tests.entra.key_server import KeyServer
from tests.entra.workload import Workload, blank_secret_token
from tests.unit.scim_ingest.conftest import PUBLIC_URL
from tests.unit.scim_ingest.directory_double import DirectoryDouble

SECRET = "idgwsec_secret-of-firma"
FORM = {"grant_type": "client_credentials", "client_id": "firma", "client_secret": SECRET}
TENANT = "11111111-1111-4111-8111-111111111111"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def key_server() -> AsyncIterator[KeyServer]:
    async with KeyServer() as server:
        yield server


@pytest.fixture
def entra(key_server: KeyServer, directory: DirectoryDouble) -> Iterator[Workload]:
    """A tenant of its own for each test, trusted by `firma`."""
    workload = key_server.workload(str(uuid.uuid4()))
    claims = ("firma", workload.issuer, workload.audience.removesuffix("/.default"), workload.subject)
    directory.federations[claims] = "fed_1"
    yield workload
    key_server.spoiled.clear()
    key_server.slow_s.clear()


@pytest.fixture(autouse=True)
def secrets_of_firma(directory: DirectoryDouble) -> None:
    directory.secrets[sha256(SECRET).hex()] = "firma"


async def token(service: Service, company: str = "firma", **more: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", verify=False) as client:
        return await client.post(f"/scim/v2/{company}/oauth2/token", **more)


def assertion_form(assertion: str, **changes: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": "firma",
        "client_assertion_type": TYPE,
        "client_assertion": assertion,
        "scope": "scim",
        **changes,
    }


def assert_refused(answer: httpx2.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"error", "error_description"}
    assert ("www-authenticate" in answer.headers) == (status == 401)


# Answers


async def test_a_secret_is_given_a_token_that_provisions(service: Service) -> None:
    answer = await token(service, data=FORM)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, "scim")
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", verify=False) as client:
        headers = {"Authorization": f"Bearer {body['access_token']}"}
        assert (await client.get("/scim/v2/firma/Users", headers=headers)).status_code == 200
        assert (await client.get("/scim/v2/other/Users", headers=headers)).status_code == 401


@pytest.mark.parametrize("path", ["firma", "/firma/", "firma/"])
async def test_slashes_and_flags_are_overlooked_as_elsewhere(service: Service, path: str) -> None:
    answer = await token(service, path, data=FORM, params={"aadOptscim062020": ""})
    assert answer.status_code == 200


async def test_secret_and_token_reach_directory_only_as_hashes(
    service: Service, directory: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    redeem = directory.redeem_secret

    async def watched(request: Any) -> Any:
        seen.append(request)
        return await redeem(request)

    monkeypatch.setattr(directory, "redeem_secret", watched)
    answer = (await token(service, data=FORM)).json()
    assert SECRET not in repr(seen)
    assert answer["access_token"] not in repr(seen)
    assert seen[0].token_sha256 == sha256(answer["access_token"]).hex()


async def test_whatever_is_wrong_with_the_client_the_answer_is_the_same(service: Service, entra: Workload) -> None:
    stranger = Workload(TENANT, "http://127.0.0.1:1")
    answers = [
        await token(service, data={**FORM, "client_secret": "wrong"}),
        await token(service, data={**FORM, "client_id": "other"}),
        await token(service, "other", data=FORM),
        await token(service, "nobody", data=FORM),
        await token(service, "%00", data=FORM),
        await token(service, data={**FORM, "client_secret": "\x00"}),
        await token(service, data={"grant_type": "client_credentials"}),
        await token(service, data=FORM, headers={"Authorization": "Bearer x"}),
        await token(service, "nobody", data=assertion_form(entra.assertion())),
        await token(service, data=assertion_form(entra.assertion(), client_id="other")),
        await token(service, data=assertion_form(entra.assertion(sub="somebody"))),
        await token(service, data=assertion_form(entra.assertion(exp=1))),
        await token(service, data=assertion_form(entra.assertion(header={"kid": "invented"}))),
        await token(
            service, data=assertion_form(entra.assertion(key=stranger.keys[0], header={"kid": entra.keys[0].kid}))
        ),
        await token(service, data=assertion_form(stranger.assertion())),
        await token(service, data=assertion_form("nonsense")),
        await token(service, data=assertion_form(blank_secret_token(TENANT, entra.keys[0], entra.clock()))),
    ]
    for answer in answers:
        assert_refused(answer, 401, "invalid_client")
    assert len({answer.content for answer in answers}) == 1
    fixed = [{k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date")} for answer in answers]
    assert all(headers == fixed[0] for headers in fixed)
    assert fixed[0]["www-authenticate"] == 'Basic realm="scim"'


async def test_an_assertion_is_given_a_token_and_keys_are_fetched_once(
    service: Service, entra: Workload, key_server: KeyServer, directory: DirectoryDouble
) -> None:
    for _ in range(3):
        assert (await token(service, data=assertion_form(entra.assertion()))).status_code == 200
    assert key_server.fetches[entra.tenant_id] == 1
    assert directory.calls == ["find_federation", "redeem_assertion"] * 3


async def test_whom_no_company_trusts_makes_us_fetch_nothing(
    service: Service, key_server: KeyServer, directory: DirectoryDouble
) -> None:
    stranger = key_server.workload("99999999-1111-4111-8111-111111111111")
    assert_refused(await token(service, data=assertion_form(stranger.assertion())), 401, "invalid_client")
    assert key_server.fetches[stranger.tenant_id] == 0


async def test_keys_that_cannot_be_had_are_nobody_s_fault(
    service: Service, entra: Workload, key_server: KeyServer
) -> None:
    key_server.spoiled[entra.tenant_id] = Response(status_code=503)
    answer = await token(service, data=assertion_form(entra.assertion()))
    assert_refused(answer, 503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "5"


async def test_a_tenant_whose_keys_are_slow_stalls_no_other(
    service: Service, entra: Workload, key_server: KeyServer, directory: DirectoryDouble
) -> None:
    key_server.slow_s[entra.tenant_id] = 1.0
    slow = asyncio.create_task(token(service, data=assertion_form(entra.assertion())))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(0.7):
        assert (await token(service, data=FORM)).status_code == 200
    assert (await slow).status_code == 200


async def test_directory_away_is_503_and_a_version_that_does_not_fit_is_500(
    service: Service, directory: DirectoryDouble
) -> None:
    directory.refuse = DomainError(ErrorCode.unavailable, "The directory cannot be reached; try again.")
    assert_refused(await token(service, data=FORM), 503, "temporarily_unavailable")
    directory.refuse = DomainError(ErrorCode.invalid_request, "The request does not fit.")
    answer = await token(service, data=FORM)
    assert_refused(answer, 500, "server_error")
    assert answer.headers["x-request-id"] in answer.json()["error_description"]


async def test_machines_are_told_what_the_endpoint_can_do_whatever_the_company(service: Service) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", verify=False) as client:
        told = await client.get("/scim/v2/firma/.well-known/oauth-authorization-server")
        other = await client.get("/scim/v2/nobody/.well-known/oauth-authorization-server")
        impossible = await client.get("/scim/v2/%00/.well-known/oauth-authorization-server")
    assert (
        told.json()["token_endpoint"]
        == f"{told.json()['issuer']}/oauth2/token"
        == f"{PUBLIC_URL}/scim/v2/firma/oauth2/token"
    )
    assert told.json()["token_endpoint_auth_methods_supported"][-1] == "private_key_jwt"
    assert other.text == told.text.replace("/firma", "/nobody")
    assert impossible.status_code == 404


def test_without_federation_no_assertions_are_offered() -> None:
    told = metadata("https://x", federation=False)
    assert told["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post"]
    assert "token_endpoint_auth_signing_alg_values_supported" not in told


# Bad input


@pytest.mark.parametrize(
    ("more", "status", "error"),
    [
        ({"json": FORM}, 400, "invalid_request"),
        ({"content": b"x"}, 400, "invalid_request"),
        ({"data": {}}, 400, "invalid_request"),
        ({"data": FORM, "headers": {"Content-Encoding": "gzip"}}, 400, "invalid_request"),
        ({"data": {**FORM, "grant_type": "password"}}, 400, "unsupported_grant_type"),
        ({"data": {**FORM, "scope": "everything"}}, 400, "invalid_scope"),
        ({"data": {**FORM, "padding": "x" * 20_000}}, 413, "invalid_request"),
        ({"data": {**FORM, "client_secret": ["a", "b"]}}, 400, "invalid_request"),
        ({"data": {**FORM, "client_secret": "\x00"}}, 401, "invalid_client"),
        ({"data": assertion_form("\x00")}, 401, "invalid_client"),
        ({"data": assertion_form("." * 15_000)}, 401, "invalid_client"),
        ({"data": assertion_form("a." + "W" * 10_000 + ".c")}, 401, "invalid_client"),
        ({"data": FORM, "headers": {"Authorization": "Basic " + "A" * 6000}}, 401, "invalid_client"),
        ({"data": FORM, "headers": {"Authorization": b"Basic \xff"}}, 401, "invalid_client"),
    ],
)
async def test_bad_input_is_an_oauth_error(service: Service, more: dict[str, Any], status: int, error: str) -> None:
    assert_refused(await token(service, **more), status, error)


@pytest.mark.parametrize(
    "body", [b"client_secret=%ff&grant_type=x", b"a=%ED%A0%80", b"a=\xff\xfe", b"=", b"&&&&", b"a=%", b"\x00=\x00"]
)
async def test_bytes_that_are_no_form(service: Service, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert_refused(await token(service, content=body, headers=headers), 400, "invalid_request")


async def test_a_slow_body_is_given_up_in_time(service: Service) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(
        b"POST /scim/v2/firma/oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\ngrant_type="
    )
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"error":"invalid_request"' in answer


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE"])
async def test_only_post(service: Service, verb: str) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", verify=False) as client:
        answer = await client.request(verb, "/scim/v2/firma/oauth2/token")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


# What is seen of it


def count(grant: str, result: str) -> float:
    return REGISTRY.get_sample_value("scim_token_requests_total", {"grant": grant, "result": result}) or 0


async def test_requests_are_counted_by_grant_and_result(service: Service, entra: Workload) -> None:
    wanted = [
        (FORM, "secret", "issued"),
        ({**FORM, "client_secret": "wrong"}, "secret", "invalid_client"),
        (assertion_form(entra.assertion()), "assertion", "issued"),
        (assertion_form("x"), "assertion", "invalid_client"),
        ({**FORM, "grant_type": "x"}, "none", "unsupported_grant_type"),
    ]
    for data, grant, result in wanted:
        before = count(grant, result)
        await token(service, data=data)
        assert count(grant, result) == before + 1


async def test_the_log_says_what_was_wrong_and_holds_no_secret(service: Service, entra: Workload) -> None:
    seen: list[tuple[str, str, object]] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.getMessage(), context.company.get(), getattr(record, "fields", {})))

    logger = logging.getLogger("scim-ingest")
    watch, level = Watch(), logger.level
    logger.addHandler(watch)
    logger.setLevel(logging.DEBUG)
    assertion, pair = entra.assertion(exp=1), b64encode(f"firma:{SECRET}".encode()).decode()
    try:
        given = (await token(service, data=FORM)).json()["access_token"]
        await token(service, data=assertion_form(assertion))
        await token(service, data=assertion_form(entra.assertion(aud="api://pasted-wrongly")))
        await token(service, data={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {pair}x"})
    finally:
        logger.removeHandler(watch)
        logger.setLevel(level)
    events = [event for event, _, _ in seen]
    assert events.count("access_token_issued") == 1
    assert events.count("token_request_refused") == 3
    assert "'reason': 'expired'" in repr(seen)
    assert "api://pasted-wrongly" in repr(seen), "the administrator's usual mistake can be seen"
    for value in (SECRET, given, assertion, pair):
        assert value not in repr(seen)
    assert {company for event, company, _ in seen if event == "token_request_refused"} == {""}
    assert ("access_token_issued", "firma", {"issued_for": "sec_1"}) in seen
