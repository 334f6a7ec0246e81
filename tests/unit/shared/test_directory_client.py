"""The client of directory: refusals come back as they were raised, everything else is `unavailable`."""

import asyncio

import msgspec
import pytest
from aiohttp import web
from openapi_spec_validator import validate

from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.http.openapi import openapi_document
from shared.http.problem import STATUS, problem_response, read_problem
from shared.http.service_auth import CallerSecrets
from shared.operations import operations
from shared.schemas.employee import CheckCredential, ScimCredential
from shared.schemas.login import WatchEndings

REQUEST = CheckCredential(credential=ScimCredential(token_sha256="0" * 64, company="contoso"))


async def answer_with(status: int, body: bytes) -> tuple[web.AppRunner, str]:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    app = web.Application()
    app.router.add_post("/provisioning/check_credential", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_refusal_survives_the_wire(code: ErrorCode) -> None:
    response = problem_response(DomainError(code, "A sentence.", field="email"), request_id="r")
    assert response.status_code == STATUS[code]
    read = read_problem(response.status_code, bytes(response.body))
    assert (read.code, read.detail, read.field) == (code, "A sentence.", "email")


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"oops"), (200, b"not json"), (200, b'{"company": 1}'), (502, b'{"code": "new"}')]
)
async def test_an_answer_that_does_not_fit_is_unavailable(status: int, body: bytes) -> None:
    runner, url = await answer_with(status, body)
    try:
        async with DirectoryClient(url, "secret-of-sixteen") as client:
            with pytest.raises(DomainError) as raised:
                await client.check_credential(REQUEST)
        assert raised.value.code is ErrorCode.unavailable
    finally:
        await runner.cleanup()


async def test_a_directory_that_is_not_there_is_unavailable() -> None:
    async with DirectoryClient("http://127.0.0.1:9", "secret-of-sixteen") as client:
        with pytest.raises(DomainError) as raised:
            await client.check_credential(REQUEST)
        assert raised.value.code is ErrorCode.unavailable
        assert not await client.is_ready()


async def test_endings_are_heard_over_one_connection_whatever_else_is_asked() -> None:
    heard, asked, together = list[int](), list[int](), asyncio.Barrier(4)

    async def handle(request: web.Request) -> web.Response:
        assert request.transport is not None
        (heard if "watch" in request.path else asked).append(request.transport.get_extra_info("peername")[1])
        await together.wait()
        return web.Response(status=500)

    app = web.Application()
    app.router.add_post("/{group}/{operation}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with DirectoryClient(f"http://127.0.0.1:{runner.addresses[0][1]}", "secret-of-sixteen") as client:
            for _ in range(5):
                watched = client.watch_endings(WatchEndings(cursor="", wait_s=1.0))
                calls = [client.check_credential(REQUEST) for _ in range(3)]
                await asyncio.gather(watched, *calls, return_exceptions=True)
    finally:
        await runner.cleanup()
    assert (len(heard), len(set(heard))) == (5, 1)
    assert not set(heard) & set(asked)


def test_every_operation_has_a_coroutine_of_its_name_in_the_client() -> None:
    for operation in operations():
        assert hasattr(DirectoryClient, operation.name), operation.name


def test_messages_refuse_unknown_fields() -> None:
    for operation in operations():
        for kind in (operation.request, operation.answer):
            with pytest.raises(msgspec.ValidationError, match="unknown field"):
                msgspec.json.decode(b'{"no_such_field": 1}', type=kind)


def test_the_openapi_document_is_valid_and_names_every_operation() -> None:
    document = openapi_document()
    validate(document)
    assert set(document["paths"]) == {operation.path for operation in operations()}


def test_a_caller_is_known_by_its_own_secret_only() -> None:
    callers = CallerSecrets({"scim-ingest": "a" * 16, "sso-gateway": "b" * 16})
    assert callers.caller("Bearer " + "a" * 16) == "scim-ingest"
    assert callers.caller("Bearer " + "b" * 16) == "sso-gateway"
    for wrong in (None, "", "Bearer ", "Bearer " + "c" * 16, "Basic " + "a" * 16, "a" * 16):
        assert callers.caller(wrong) is None


def test_a_short_service_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        CallerSecrets({"scim-ingest": "short"})
