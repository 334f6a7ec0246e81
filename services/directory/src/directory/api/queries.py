"""What the BitaBIZ application may ask in a query string, and the reading of it. Pure.

The structs are the documentation too: `docs/openapi.json` takes names, limits and meanings from them.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import EmployeeState

Moment = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(min_length=1, max_length=1000)]

SEQUENCE_MAX = 2**63 - 1


class EmployeesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Conditions are joined by "and"; texts compare without case, ids exactly."""

    state: Annotated[
        EmployeeState | None, Meta(description="Only these; without it everybody who has not departed")
    ] = None
    department: Annotated[Text | None, Meta(description="The department's name")] = None
    login_name: Text | None = None
    email: Text | None = None
    employee_number: Text | None = None
    manager_id: Annotated[Text | None, Meta(description="`emp_…` of the direct approver named by Entra")] = None
    changed_since: Annotated[Moment | None, Meta(description="Changed at this moment or later (RFC 3339)")] = None
    after: Annotated[Text | None, Meta(description="`next` of the page before")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="People on a page")] = 100


class EmployeeQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at: Annotated[Moment | None, Meta(description="As of this moment (RFC 3339); without it as of now")] = None


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    order: Annotated[Literal["oldest", "newest"], Meta(description="Which comes first")] = "oldest"
    after: Annotated[
        Annotated[int, Meta(ge=0, le=SEQUENCE_MAX)] | None, Meta(description="`next` of the page before")
    ] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Events on a page")] = 100


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    after: Annotated[
        int,
        Meta(ge=0, le=SEQUENCE_MAX, description="The cursor: sequence of the last event seen; 0 from the beginning"),
    ] = 0
    hash: Annotated[
        Text | None, Meta(description="`hash` of the answer before: a history that was replaced meanwhile is noticed")
    ] = None
    wait: Annotated[
        float, Meta(ge=0, le=60, description="Seconds to wait where there is no event yet; 0 answers at once")
    ] = 0
    limit: Annotated[int, Meta(ge=1, le=1000, description="Events read at most")] = 100
    kinds: Annotated[
        Text | None, Meta(description="Only these kinds, separated by commas; the cursor passes the others")
    ] = None


QueryT = TypeVar("QueryT", bound=msgspec.Struct)

_PLACE = re.compile(r"`\$\.(\w+)`")


def read_query(kind: type[QueryT], given: Iterable[tuple[str, str]]) -> QueryT:
    """Raises DomainError `invalid_request` that names what is unknown, said twice, or does not fit."""
    values: dict[str, str] = {}
    for name, value in given:
        if name in values:
            raise _refused(f"'{name[:60]}' is given twice; once is meant.", name[:60])
        values[name] = value
    known = sorted(field.name for field in msgspec.structs.fields(kind))
    for name in values:
        if name not in known:
            raise _refused(f"There is no parameter '{name[:60]}' here; known are {', '.join(known)}.", name[:60])
    for name in ("at", "changed_since"):
        if name in values:
            # In a query a plus sign says space; nothing else can be meant in a moment.
            values[name] = values[name].replace(" ", "+")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        found = _PLACE.search(str(error))
        field = found[1] if found else None
        sentence = str(error).replace(" - at", ", in").replace("`$.", "`")
        raise _refused(f"The query does not fit: {sentence}.", field) from None


def in_utc(moment: datetime, field: str) -> datetime:
    """Raises DomainError `invalid_request` for a moment without its offset, or outside what a calendar holds."""
    try:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except OverflowError:
        raise _refused(f"{field} is out of range.", field) from None
    raise _refused(f"{field} needs its offset from UTC, e.g. 2026-01-31T23:00:00Z.", field)


def _refused(detail: str, field: str | None) -> DomainError:
    return DomainError(ErrorCode.invalid_request, detail, field=field)
