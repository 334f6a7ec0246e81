"""The edges and directory together: who may call, what travels along, what one request costs."""

import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from scim_ingest.app import create_service
from scim_ingest.settings import Settings
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.operations import operations
from shared.schemas.employee import CheckCredential, ScimCredential
from shared.schemas.login import GetConnection
from shared.telemetry.tracing import configure_tracing
from tests.entra.scim_client import ScimClient
from tests.support.browser import Browser
from tests.support.company import Company
from tests.support.stack import GATEWAY_SECRET, SCIM_SECRET, Stack

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@asynccontextmanager
async def scim_edge(directory_url: str, secret: str) -> AsyncIterator[tuple[str, str]]:
    """One more scim-ingest; its address and that of its ops port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values = {"host": "127.0.0.1", "port": port, "ops_port": 0, "directory_url": directory_url}
    values |= {"directory_secret": secret, "public_url": f"http://127.0.0.1:{port}"}
    service = create_service(msgspec.convert(values, Settings))
    await service.start()
    try:
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{service.ops_port}"
    finally:
        await service.stop()


@pytest.mark.parametrize("fault", ["wrong credential", "nobody there"])
async def test_a_fault_of_ours_never_looks_like_a_wrong_token(
    company: Company, http: aiohttp.ClientSession, fault: str
) -> None:
    """Entra quarantines a company at the first 401; a 503 it tries again."""
    directory_url = company.stack.directory_url if fault == "wrong credential" else "http://127.0.0.1:9"
    async with scim_edge(directory_url, "not-the-credential-of-scim-ingest") as (url, ops_url):
        async with ScimClient(f"{url}/scim/v2/{company.name}", company.token) as client:
            answer = await client.find("userName", "anna@example.com")
        assert answer.status == 503
        assert answer.headers.get("Retry-After")
        assert (await http.get(f"{ops_url}/readyz")).status == 503
        assert (await http.get(f"{ops_url}/healthz")).status == 200


async def test_every_operation_is_closed_to_the_other_caller_and_to_strangers(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    for operation in operations():
        other = GATEWAY_SECRET if operation.caller == "scim-ingest" else SCIM_SECRET
        for headers in ({}, {"Authorization": "Bearer guess"}, {"Authorization": f"Bearer {other}"}):
            async with http.post(stack.directory_url + operation.path, data=b"{}", headers=headers) as answer:
                assert answer.status == 401, operation.path
                assert (await answer.json(content_type=None))["code"] == "wrong_caller"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"more": 1}',
        b"\xff",
        b"[" * 10_000,
        b'{"credential": 1}',
        b'{"credential": {"company": 5}}',
    ],
)
async def test_a_request_that_does_not_fit_is_a_400_of_every_operation(
    stack: Stack, http: aiohttp.ClientSession, body: bytes
) -> None:
    for operation in operations():
        secret = SCIM_SECRET if operation.caller == "scim-ingest" else GATEWAY_SECRET
        headers = {"Authorization": f"Bearer {secret}"}
        async with http.post(stack.directory_url + operation.path, data=body, headers=headers) as answer:
            assert answer.status == 400, (operation.path, await answer.text())


async def test_a_body_beyond_the_cap_is_refused(stack: Stack, http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {SCIM_SECRET}"}
    url = f"{stack.directory_url}/provisioning/get_employee"
    async with http.post(url, data=b"x" * 10_000_000, headers=headers) as answer:
        assert answer.status == 400


async def test_a_hash_that_is_none_is_refused_without_asking_the_database(stack: Stack) -> None:
    async with DirectoryClient(stack.directory_url, SCIM_SECRET) as client:
        for wrong in ("", "zz" * 32, "00" * 31, "00" * 33):
            credential = ScimCredential(token_sha256=wrong, company="contoso")
            with pytest.raises(DomainError) as raised:
                await client.check_credential(CheckCredential(credential=credential))
            assert raised.value.code is ErrorCode.invalid_request


@pytest.mark.parametrize("name", ["", "no-such", "x" * 5000, "a\x00b", "'; drop table companies; --", "ÆØÅ"])
async def test_a_company_that_cannot_be_is_not_found(stack: Stack, name: str) -> None:
    async with DirectoryClient(stack.directory_url, GATEWAY_SECRET) as client:
        with pytest.raises(DomainError) as raised:
            await client.get_connection(GetConnection(company=name))
        assert raised.value.code in {ErrorCode.not_found, ErrorCode.invalid_value}


async def test_the_trace_reaches_from_the_edge_to_the_statement(company: Company, http: aiohttp.ClientSession) -> None:
    exporter = InMemorySpanExporter()
    configure_tracing("test", processor=SimpleSpanProcessor(exporter), trust_caller=True)
    try:
        headers = {"Authorization": f"Bearer {company.token}", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        async with http.get(f"{company.scim_url}/Users?filter=userName+eq+%22a%22", headers=headers) as answer:
            assert answer.status == 200
    finally:
        configure_tracing("test")
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert {f"{span.context.trace_id:032x}" for span in spans.values() if span.context} == {TRACE}
    chain = [
        "GET /scim/v2/{company}/Users",
        "directory find_employees",
        "POST /provisioning/find_employees",
        "registry.enter_by_scim_token",
    ]
    for outer, inner in itertools.pairwise(chain):
        parent, context = spans[inner].parent, spans[outer].context
        assert parent is not None
        assert context is not None
        assert parent.span_id == context.span_id, (outer, inner)
    attributes = " ".join(str(dict(span.attributes or {})) for span in spans.values())
    assert company.token not in attributes
    assert str(company.name) in attributes


async def test_what_each_request_costs(company: Company, browser: Browser, stack: Stack) -> None:
    """A regression shows here, by counting, and not in a timed test: internal calls and SQL statements of each request."""
    anna = company.hire("anna")
    employee_id = await company.provision(anna)
    operation = {"op": "Replace", "path": "title", "value": "Chef"}
    other = company.hire("other")

    async def cost(request: object) -> tuple[int, int]:
        async with stack.counting() as count:
            await request  # type: ignore[misc]
        return sum(count.calls.values()), sum(count.statements.values())

    assert await cost(company.scim.find("userName", anna.user_principal_name)) == (1, 2)
    assert await cost(company.scim.get(f"/Users/{employee_id}")) == (1, 2)
    # What is noted of it (see `cycles`) is written in the background.
    reference = f'id eq "{employee_id}" and manager eq "{employee_id}"'
    assert await cost(company.scim.get("/Users", filter=reference, attributes="id")) == (1, 2)
    assert await cost(company.provision(other)) <= (1, 6)
    assert await cost(company.patch(employee_id, operation)) <= (1, 4)
    assert await cost(company.patch(employee_id, operation)) <= (1, 2), "nothing changed, nothing written"
    request_id, relay_state = await company.start_login(browser)
    assert await cost(company.start_login(browser)) == (1, 2)
    response = company.recipe(anna, in_response_to=request_id)
    assert await cost(company.post_response(browser, response, relay_state=relay_state)) <= (2, 10)
    assert await cost(browser.get(f"{stack.sso_url}/login/finish")) == (1, 5)
    assert await cost(company.session(browser)) == (1, 2)
