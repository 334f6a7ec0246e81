"""A service's life: two listeners, health, faults, drain."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.http.head import MAX_PIPELINED, MAX_URL_BYTES, BoundedHead
from shared.http.service import PortTaken, Service
from shared.settings import CommonSettings
from shared.telemetry.logs import JsonFormatter
from shared.telemetry.tracing import current_trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Life:
    """What the example service went through."""

    def __init__(self) -> None:
        self.opened = False
        self.closed = False
        self.reason: str | None = None
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()


def example(life: Life, *, port: int = 0, stopping: Callable[[], None] = lambda: None) -> Service:
    async def hello(request: Request) -> Response:
        return JSONResponse({"trace": current_trace_id()})

    async def breaks(request: Request) -> Response:
        raise RuntimeError("a fault with a secret in its text")

    async def slow(request: Request) -> Response:
        life.entered.set()
        await life.go_on.wait()
        return PlainTextResponse("finished")

    async def upload(request: Request) -> Response:
        try:
            return PlainTextResponse(str(len(await read_body(request, 1000, timeout_s=0.2))))
        except BodyTooLarge as error:
            return PlainTextResponse(str(error), status_code=413)
        except BodyTooSlow:
            return PlainTextResponse("slow", status_code=408)

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        life.opened = True
        yield
        life.closed = True

    async def ready() -> str | None:
        return life.reason

    return Service(
        "example",
        CommonSettings(host="127.0.0.1", port=port, shutdown_grace_s=5),
        routes=[
            Route("/hello/{name}", hello),
            Route("/breaks", breaks),
            Route("/slow", slow),
            Route("/upload", upload, methods=["POST"]),
        ],
        resources=resources,
        ready=ready,
        fault_answer=lambda request_id: JSONResponse({"request_id": request_id}, status_code=500),
        stopping=stopping,
    )


@asynccontextmanager
async def running(life: Life) -> AsyncIterator[tuple[Service, aiohttp.ClientSession]]:
    service = example(life)
    await service.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as http:
        try:
            yield service, http
        finally:
            life.go_on.set()
            await service.stop()


async def test_resources_open_before_the_first_request_and_close_after_the_last() -> None:
    life = Life()
    async with running(life):
        assert life.opened
        assert not life.closed
    assert life.closed


async def test_health_is_on_the_ops_port_only() -> None:
    life = Life()
    async with running(life) as (service, http):
        ops = f"http://127.0.0.1:{service.ops_port}"
        assert (await http.get(f"{ops}/healthz")).status == 200
        assert (await http.get(f"{ops}/readyz")).status == 200
        assert "identity_build_info" in await (await http.get(f"{ops}/metrics")).text()
        assert (await http.get("/healthz")).status == 404
        assert (await http.get("/metrics")).status == 404


async def test_an_address_without_end_is_414_and_the_connection_goes_on() -> None:
    async with running(Life()) as (_, http):
        for length in (MAX_URL_BYTES, 70_000, 300_000):
            answer = await http.get(f"/hello/x?{'q' * length}")
            assert (answer.status, "request-id" in str(answer.headers).lower()) == (414, True)
            longest = await http.get(f"/hello/x?{'q' * (MAX_URL_BYTES - len('/hello/x?'))}")
            assert longest.status == 200


async def test_a_final_slash_sends_nobody_to_the_host_that_the_request_names() -> None:
    async with running(Life()) as (_, http):
        answer = await http.get("/breaks/", headers={"Host": "evil.example"}, allow_redirects=False)
        assert (answer.status, "Location" in answer.headers) == (404, False)


async def test_readiness_says_why_not() -> None:
    life = Life()
    async with running(life) as (service, http):
        life.reason = "the database cannot be reached"
        answer = await http.get(f"http://127.0.0.1:{service.ops_port}/readyz")
        assert (answer.status, await answer.text()) == (503, "the database cannot be reached\n")


async def test_a_fault_is_a_500_with_a_request_id_and_no_detail() -> None:
    async with running(Life()) as (_, http):
        answer = await http.get("/breaks")
        body = await answer.json()
        assert answer.status == 500
        assert body == {"request_id": answer.headers["x-request-id"]}


async def test_the_trace_of_the_caller_is_continued_and_the_request_id_is_our_own() -> None:
    async with running(Life()) as (_, http):
        headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-Id": "f" * 32}
        answer = await http.get("/hello/anna", headers=headers)
        assert (await answer.json())["trace"] == TRACE
        assert answer.headers["x-request-id"] != "f" * 32


async def test_metrics_name_the_template_and_never_the_path() -> None:
    async with running(Life()) as (service, http):
        await http.get("/hello/anna-holm")
        await http.get("/no-such-page-at-all")
        metrics = await (await http.get(f"http://127.0.0.1:{service.ops_port}/metrics")).text()
        assert 'http_route="/hello/{name}"' in metrics
        assert "anna-holm" not in metrics
        assert "no-such-page" not in metrics


async def test_a_request_in_flight_finishes_when_the_service_stops() -> None:
    life = Life()
    service = example(life)
    await service.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as http:
        pending = asyncio.create_task(http.get("/slow"))
        await life.entered.wait()
        stopping = asyncio.create_task(service.stop())
        await asyncio.sleep(0.2)
        assert not life.closed
        life.go_on.set()
        assert await (await pending).text() == "finished"
        await stopping
    assert life.closed


async def test_whoever_waits_is_told_first_that_the_service_stops() -> None:
    life = Life()
    service = example(life, stopping=life.go_on.set)
    await service.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as http:
        waiting = asyncio.create_task(http.get("/slow"))
        await life.entered.wait()
        async with asyncio.timeout(2):
            await service.stop()
            assert await (await waiting).text() == "finished"


async def test_a_taken_port_is_a_sentence_and_opens_nothing() -> None:
    async with running(Life()) as (service, _):
        other = Life()
        with pytest.raises(PortTaken, match=rf"example cannot listen on 127.0.0.1:{service.port}.*Choose another PORT"):
            await example(other, port=service.port).start()
        assert not other.opened


async def test_a_body_over_the_cap_or_too_slow_is_refused() -> None:
    async def dripping() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(1)
        yield b"x"

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    async with running(Life()) as (_, http):
        assert (await http.post("/upload", data=b"x" * 1000)).status == 200
        assert (await http.post("/upload", data=b"x" * 1001)).status == 413
        assert (await http.post("/upload", data=endless())).status == 413
        assert (await http.post("/upload", data=dripping())).status == 408


def test_a_logged_fault_names_types_and_places_but_no_values() -> None:
    try:
        try:
            raise KeyError("anna@contoso.com")
        except KeyError as error:
            raise RuntimeError("cannot find anna@contoso.com") from error
    except RuntimeError:
        record = logging.LogRecord("directory", logging.ERROR, "", 0, "request_failed", (), sys.exc_info())
    line = JsonFormatter("directory").format(record)
    assert "anna" not in line
    assert "builtins.RuntimeError" in line
    assert "caused by builtins.KeyError" in line
    assert "test_service.py" in line


def test_a_log_line_is_one_json_object() -> None:
    record = logging.LogRecord("directory", logging.INFO, "", 0, "employee_suspended", (), None)
    record.fields = {"employee": "emp_1"}
    line = json.loads(JsonFormatter("directory").format(record))
    assert line["event"] == "employee_suspended"
    assert line["service"] == "directory"
    assert line["employee"] == "emp_1"


async def test_a_head_that_does_not_end_in_time_is_408_and_a_slow_answer_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BoundedHead, "head_s", 0.3)
    life = Life()
    whole = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    async with running(life) as (service, _):
        connections = [await asyncio.open_connection("127.0.0.1", service.port) for _ in range(4)]
        silent, half, later, slow = connections
        half[1].write(b"GET /slow HTTP/1.1\r\nX: ")
        later[1].write(b"GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n")
        slow[1].write(whole)
        await later[0].readuntil(b"}")
        later[1].write(b"GET /he")
        answering = [asyncio.create_task(reader.read()) for reader, _ in (silent, half, later)]
        await asyncio.sleep(0.2)
        half[1].write(b"a")
        later[1].write(b"l")
        said_nothing, *others = await asyncio.wait_for(asyncio.gather(*answering), 2)
        assert said_nothing == b""
        for answer in others:
            assert answer.startswith(b"HTTP/1.1 408 ")
        life.go_on.set()
        assert (await slow[0].readuntil(b"finished")).startswith(b"HTTP/1.1 200 ")
        slow[1].write(b"GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await slow[0].readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
        for _, writer in connections:
            writer.close()


async def test_requests_without_end_on_one_connection_are_cut_off() -> None:
    """Each that waits costs memory, and one packet could hold ten thousand."""
    life = Life()
    async with running(life) as (service, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n" * 5000)
        answers = b""
        with suppress(ConnectionResetError):  # what it sent is not read to the end
            while some := await asyncio.wait_for(reader.read(65_536), 5):
                answers += some
        assert answers.count(b"HTTP/1.1 200 ") <= MAX_PIPELINED + 1
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n" * 8)
        for _ in range(8):
            await reader.readuntil(b"}")
        writer.close()


async def test_a_connection_on_which_the_rest_of_a_body_never_comes_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedHead, "head_s", 0.3)
    async with running(Life()) as (service, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")
        assert (await reader.readuntil(b"1000 bytes")).startswith(b"HTTP/1.1 413 ")
        writer.write(b"x")
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()
