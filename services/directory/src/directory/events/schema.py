"""JSON Schema of an event in the feed, kind by kind, from the table of what each may tell. Pure."""

from typing import Any

import msgspec

from directory.events.catalogue import EventKind
from directory.events.fields import SHAPES, TYPES, tells
from shared.schemas.history import EventActor


def events_schema() -> dict[str, Any]:
    """The document as plain data, in a stable order. A kind that is not in it has come in a later release: pass it by."""
    told = sorted({name for kind in EventKind for name in tells(kind)})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of the feed",
        "oneOf": [_event(kind) for kind in EventKind],
        "$defs": {
            "actor": msgspec.json.schema(EventActor)["$defs"]["EventActor"],
            **{f"change-of-{name}": _change(name) for name in told},
        },
    }


def _event(kind: EventKind) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "sequence": {"type": "integer", "minimum": 1},
        "at": {"type": "string", "format": "date-time"},
        "kind": {"const": kind.value},
        "employee_id": {"anyOf": [{"type": "string", "pattern": "^emp_[0-9a-f]{32}$"}, {"type": "null"}]},
        "actor": {"$ref": "#/$defs/actor"},
        "request_id": {"type": "string"},
        "trace_id": {"type": "string"},
        "changes": _changes(kind),
        "forgotten": {"type": "boolean"},
    }
    return {
        "description": kind.meaning,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _changes(kind: EventKind) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"$ref": f"#/$defs/change-of-{name}"} for name in sorted(tells(kind))},
        "additionalProperties": False,
    }


def _change(name: str) -> dict[str, Any]:
    if name in SHAPES:
        parts = {part: msgspec.json.schema(kind) for part, kind in SHAPES[name].items()}
        return {"type": "object", "properties": parts, "additionalProperties": False}
    if name == "owners":
        # Of the attributes whose owner changed; null: nobody's.
        owner = msgspec.json.schema(dict[str, str | None])
        value: dict[str, Any] = {"anyOf": [owner, {"type": "null"}]}
    else:
        value = msgspec.json.schema(TYPES[name] | None)
    return {
        "type": "object",
        "properties": {"before": value, "after": value},
        "required": ["before", "after"],
        "additionalProperties": False,
    }
