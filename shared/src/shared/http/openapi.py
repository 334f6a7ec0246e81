"""OpenAPI of the internal API, generated from the declarations that decode the requests."""

from typing import Any

import msgspec

from shared import VERSION
from shared.errors import ErrorCode
from shared.http.problem import STATUS, Problem
from shared.operations import Operation, operations
from shared.schemas import Schema


def openapi_document() -> dict[str, Any]:
    """The document as plain data, in a stable order."""
    declared = sorted(operations(), key=lambda operation: operation.path)
    types: list[Any] = [Problem, *(t for operation in declared for t in (operation.request, operation.answer))]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(types, schemas, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "directory, internal API",
            "version": VERSION,
            "description": "Spoken to only through DirectoryClient. One POST is one operation and one transaction.",
        },
        "paths": {operation.path: {"post": _path_item(operation, by_type)} for operation in declared},
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "service": {"type": "http", "scheme": "bearer", "description": "The caller's service credential"}
            },
        },
        "security": [{"service": []}],
    }


def _path_item(operation: Operation[Schema, Schema], by_type: dict[Any, Any]) -> dict[str, Any]:
    codes = (ErrorCode.invalid_request, ErrorCode.wrong_caller, *operation.refusals)
    refusals: dict[str, list[str]] = {}
    for code in codes:
        words = refusals.setdefault(str(STATUS[code]), [])
        if code.value not in words:
            words.append(code.value)
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.path.split("/")[1]],
        "x-caller": operation.caller,
        "requestBody": {"required": True, "content": {"application/json": {"schema": by_type[operation.request]}}},
        "responses": {
            "200": {"description": "Done", "content": {"application/json": {"schema": by_type[operation.answer]}}},
            **{
                status: {
                    "description": " or ".join(words),
                    "content": {"application/problem+json": {"schema": by_type[Problem]}},
                }
                for status, words in sorted(refusals.items())
            },
        },
    }
