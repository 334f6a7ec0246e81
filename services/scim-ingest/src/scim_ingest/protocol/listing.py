"""What somebody asks of a list: filter, sorting, page, attributes, from a query or a SearchRequest (RFC 7644 section 3.4).

Pages are counted from `startIndex`, or follow a cursor (RFC 9865), which says behind whom the next one begins and of which filter
it is. A cursor is opaque and does not expire; it goes with no sorting, for then nobody would know what comes next.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from scim_ingest.protocol.errors import ScimError, invalid_syntax, invalid_value
from scim_ingest.protocol.projection import EVERYTHING, Projection, read_projection
from scim_ingest.protocol.quirks import type_name

Kind = Literal["User", "Group"]

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

DEFAULT_COUNT = 100
MAX_COUNT = 1000
_MAX_OFFSET = 2**31 - 1
_MAX_DIGITS = 18
_MAX_CURSOR = 256


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """`count` and `start` in their bounds; `after` is the id behind which the page begins, "" before the first."""

    kind: Kind
    filter: str | None = None
    projection: Projection = EVERYTHING
    sort_by: str | None = None
    descending: bool = False
    start: int = 1
    count: int = DEFAULT_COUNT
    after: str | None = None

    @property
    def offset(self) -> int:
        return min(self.start - 1, _MAX_OFFSET)

    @property
    def limit(self) -> int:
        """So many are to be found: by cursor one more than is shown, for the last page has no next one (RFC 9865 section 2)."""
        return self.count if self.after is None else self.count + 1

    def answer(self, resources: list[dict[str, object]], total: int, ids: list[str]) -> dict[str, object]:
        """The ListResponse. `Resources` is there even when empty: Entra's Test Connection looks for it."""
        answer: dict[str, object] = {"schemas": [LIST_RESPONSE], "totalResults": total}
        if self.after is None:
            answer["startIndex"] = self.start
        elif len(ids) > self.count:
            resources = resources[: self.count]
            answer["nextCursor"] = _cursor(self.kind, ids[self.count - 1], self.filter)
        return {**answer, "itemsPerPage": len(resources), "Resources": resources}


def from_query(kind: Kind, parameters: Mapping[str, str]) -> Listing:
    """`parameters`: by name in lower case.

    Raises:
        ScimError: 400 invalidValue, invalidCursor or invalidCount.
    """
    by_cursor = "cursor" in parameters
    given = {
        name: _whole(text, name, by_cursor=by_cursor) if name in ("startIndex", "count") else text
        for name in ("filter", "sortBy", "sortOrder", "startIndex", "count", "cursor")
        if (text := parameters.get(name.lower())) is not None and (text or name in ("filter", "cursor"))
    }
    projection = read_projection(parameters.get("attributes"), parameters.get("excludedattributes"))
    return _listing(kind, given, projection)


_TYPES: dict[str, tuple[type, str]] = {
    "filter": (str, "a string"),
    "sortBy": (str, "a string"),
    "sortOrder": (str, "a string"),
    "startIndex": (int, "a whole number"),
    "count": (int, "a whole number"),
    "cursor": (str, "a string"),
}


def from_body(kind: Kind, body: object) -> Listing:
    """A SearchRequest (RFC 7644 section 3.4.3). Raises ScimError as `from_query`, and 400 invalidSyntax."""
    if not isinstance(body, dict):
        raise invalid_syntax(f"The body must be an object; {type_name(body)} came.")
    members = {name.lower(): value for name, value in body.items() if value is not None}
    given: dict[str, str | int] = {}
    for name, (wanted, told) in _TYPES.items():
        value = members.get(name.lower())
        if value is None:
            continue
        if not isinstance(value, wanted) or not isinstance(value, str | int) or isinstance(value, bool):
            raise invalid_value(f"{name} must be {told}; {_other(value)} came.")
        given[name] = _whole(str(value), name, by_cursor="cursor" in members) if isinstance(value, int) else value
    projection = read_projection(
        _names(members, "attributes"),
        _names(members, "excludedAttributes"),
    )
    return _listing(kind, given, projection)


def _other(value: object) -> str:
    return "one with a fraction" if isinstance(value, float) else type_name(value)


def _names(members: dict[str, object], name: str) -> str | None:
    value = members.get(name.lower())
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise invalid_value(f"{name} must be a list of names; {type_name(value)} came.")
    return ",".join(value)


def _listing(kind: Kind, given: Mapping[str, str | int], projection: Projection) -> Listing:
    sort_by, order = given.get("sortBy"), str(given.get("sortOrder", "ascending")).lower()
    if order not in ("ascending", "descending"):
        raise invalid_value("sortOrder must be ascending or descending.")
    text = given.get("filter")
    cursor = given.get("cursor")
    if cursor is not None and (sort_by or "startIndex" in given):
        raise _bad_cursor("cursor goes neither with startIndex nor with sortBy")
    if cursor is not None and int(given.get("count", DEFAULT_COUNT)) < 1:
        raise _bad_count()
    return Listing(
        kind=kind,
        filter=str(text) if text is not None else None,
        projection=projection,
        sort_by=str(sort_by) if sort_by else None,
        descending=order == "descending",
        start=max(1, int(given.get("startIndex", 1))),
        count=min(MAX_COUNT, max(0, int(given.get("count", DEFAULT_COUNT)))),
        after=_read_cursor(kind, str(cursor), str(text) if text is not None else None) if cursor is not None else None,
    )


def _whole(text: str, name: str, *, by_cursor: bool) -> int:
    text = text.strip()
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
        if by_cursor and name == "count":
            raise _bad_count()
        raise invalid_value(f"{name} must be a whole number of at most {_MAX_DIGITS} digits.")
    return int(text)


def _cursor(kind: Kind, last_id: str, text: str | None) -> str:
    return base64.urlsafe_b64encode(f"{_digest(kind, text)}{last_id}".encode()).decode().rstrip("=")


def _read_cursor(kind: Kind, cursor: str, text: str | None) -> str:
    if not cursor:
        return ""
    try:
        if len(cursor) > _MAX_CURSOR:
            raise ValueError
        told = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        raise _bad_cursor("this is no cursor of ours") from None
    digest, last_id = told[:_DIGEST], told[_DIGEST:]
    if digest != _digest(kind, text) or not _ID[kind].match(last_id):
        raise _bad_cursor("a cursor goes with the filter that it came with")
    return last_id


_DIGEST = 8
_ID = {"User": re.compile(r"emp_[0-9a-f]{32}\Z"), "Group": re.compile(r"grp_[0-9a-f]{32}\Z")}


def _digest(kind: Kind, text: str | None) -> str:
    return hashlib.sha256(f"{kind} {text or ''}".encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]


def _bad_count() -> ScimError:
    """RFC 9865 section 2.3; a higher one than ours is no fault, for a page may be shorter than asked for."""
    return ScimError(400, f"count must be 1 to {MAX_COUNT} where pages go by cursor.", "invalidCount")


def _bad_cursor(why: str) -> ScimError:
    return ScimError(400, f"cursor: {why}. Begin again with an empty one.", "invalidCursor")
