"""`/v1/companies/{company}/…`: what the BitaBIZ application reads, each request with a credential of that company.

Plain GET and JSON, problem+json when refused. Nothing is judged before the credential: whoever has none learns nothing but that.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from directory import metrics
from directory.access import application
from directory.api import feed, people
from directory.api.queries import (
    EmployeeQuery,
    EmployeesQuery,
    EventsQuery,
    HistoryQuery,
    QueryT,
    read_query,
)
from directory.database import CompanyTx, Database
from directory.events.heads import WaitingReaders
from shared.errors import DomainError, ErrorCode
from shared.http.problem import problem_response
from shared.schemas import Schema
from shared.schemas.history import EmployeesPage, EmployeeView, EventsPage, HistoryPage
from shared.telemetry import context

RETRY_AFTER_S = 5

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that has not been let in yet; `enter` lets it in, as often as it likes, or refuses."""

    enter: Callable[[], AbstractAsyncContextManager[CompanyTx]]
    request: Request

    def query(self, kind: type[QueryT]) -> QueryT:
        return read_query(kind, self.request.query_params.multi_items())

    @property
    def employee_id(self) -> str:
        return str(self.request.path_params["employee_id"])


def routes(database: Database, readers: WaitingReaders) -> list[Route]:
    async def employees(asked: Asked) -> EmployeesPage:
        async with asked.enter() as tx:
            return await people.page(tx, asked.query(EmployeesQuery))

    async def employee(asked: Asked) -> EmployeeView:
        async with asked.enter() as tx:
            return await people.employee(tx, asked.employee_id, asked.query(EmployeeQuery).at)

    async def employee_history(asked: Asked) -> HistoryPage:
        async with asked.enter() as tx:
            query = asked.query(HistoryQuery)
            return await people.history(
                tx, asked.employee_id, query.after, query.limit, newest_first=query.order == "newest"
            )

    async def events(asked: Asked) -> EventsPage:
        # Whoever hangs up while he waits gives his place back.
        gone = asyncio.ensure_future(_hung_up(asked.request))
        try:
            return await feed.read(asked.enter, lambda: asked.query(EventsQuery), readers, gone)
        finally:
            gone.cancel()

    return [
        _route(database, "/employees", "employees:read", employees),
        _route(database, "/employees/{employee_id}", "employees:read", employee),
        _route(database, "/employees/{employee_id}/history", "events:read", employee_history),
        _route(database, "/events", "events:read", events),
    ]


def _route(database: Database, path: str, scope: str, answer: Callable[[Asked], Awaitable[Schema]]) -> Route:
    name = answer.__name__

    async def endpoint(request: Request) -> Response:
        def enter() -> AbstractAsyncContextManager[CompanyTx]:
            authorization = request.headers.get("authorization")
            return application(database, authorization, request.path_params["company"], scope)

        try:
            found = await answer(Asked(enter, request))
        except DomainError as error:
            metrics.API_REQUESTS.labels(name, error.code.value).inc()
            return _refusal(error)
        metrics.API_REQUESTS.labels(name, "answered").inc()
        return Response(_encoder.encode(found), media_type="application/json", headers={"Cache-Control": "no-store"})

    return Route(f"/v1/companies/{{company}}{path}", endpoint, methods=["GET"], name=name)


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _refusal(error: DomainError) -> Response:
    response = problem_response(error, request_id=context.request_id.get())
    if error.code is ErrorCode.unauthorized:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.code is ErrorCode.unavailable:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response
