"""OpenAPI of what the BitaBIZ application reads, from the structs that read the queries and write the answers. Pure."""

from typing import Any

import msgspec

from directory.api.queries import EmployeeQuery, EmployeesQuery, EventsQuery, HistoryQuery
from shared import VERSION
from shared.errors import ErrorCode
from shared.http.problem import STATUS, Problem
from shared.schemas.history import EmployeesPage, EmployeeView, EventsPage, HistoryPage

_ROUTES: tuple[tuple[str, str, str, type[msgspec.Struct], type[msgspec.Struct], str], ...] = (
    ("/employees", "employees", "employees:read", EmployeesQuery, EmployeesPage, "People by conditions, page by page"),
    ("/employees/{employee_id}", "employee", "employees:read", EmployeeQuery, EmployeeView, "One of them, now or then"),
    (
        "/employees/{employee_id}/history",
        "employee_history",
        "events:read",
        HistoryQuery,
        HistoryPage,
        "What happened to one of them",
    ),
    ("/events", "events", "events:read", EventsQuery, EventsPage, "The feed: what happened, in order, waited for"),
)
_REFUSALS = (ErrorCode.invalid_request, ErrorCode.unauthorized, ErrorCode.not_allowed, ErrorCode.unavailable)


def openapi_document() -> dict[str, Any]:
    """The document as plain data, in a stable order."""
    types: list[Any] = [Problem, *(kind for route in _ROUTES for kind in (route[3], route[4]))]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(types, schemas, strict=True))
    queries = {kind.__name__: components.pop(kind.__name__) for *_, kind, _, _ in _ROUTES}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "directory, for the BitaBIZ application",
            "version": VERSION,
            "description": "People of a company and the feed of what happens to them; docs/feed.md tells how to follow it.",
        },
        "paths": {
            f"/v1/companies/{{company}}{path}": {
                "get": _operation(
                    path, name, scope, queries[query.__name__], by_type[answer], by_type[Problem], summary
                )
            }
            for path, name, scope, query, answer, summary in _ROUTES
        },
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "credential": {"type": "http", "scheme": "bearer", "description": "A credential of the company"}
            },
        },
        "security": [{"credential": []}],
    }


def _operation(
    path: str, name: str, scope: str, query: dict[str, Any], answer: Any, problem: Any, summary: str
) -> dict[str, Any]:
    refusals = (*_REFUSALS, ErrorCode.not_found) if "{employee_id}" in path else _REFUSALS
    return {
        "operationId": name,
        "summary": summary,
        "description": f"Scope: {scope}.",
        "parameters": [*_path_parameters(path), *_query_parameters(query)],
        "responses": {
            "200": {"description": "Found", "content": {"application/json": {"schema": answer}}},
            **{
                str(STATUS[code]): {
                    "description": code.value,
                    "content": {"application/problem+json": {"schema": problem}},
                }
                for code in sorted(refusals, key=lambda code: STATUS[code])
            },
        },
    }


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = ["company", *(["employee_id"] if "{employee_id}" in path else [])]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(query: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            **({"description": schema["description"]} if "description" in schema else {}),
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in query["properties"].items()
    ]
