"""`/.search`: one search over users and groups together (RFC 7644 section 3.4.3). Users come first, then groups.

Of an attribute that only one kind has, the other kind has no value. Sorting and cursors are of one kind of resource:
`/Users/.search` and `/Groups/.search` offer them.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.routing import Route

from scim_ingest.exchange import Answer, endpoint, json_body, route
from scim_ingest.groups import Groups
from scim_ingest.protocol.errors import ScimError, invalid_value
from scim_ingest.protocol.filters import (
    ElementNames,
    FilterOperator,
    Names,
    UnknownAttribute,
    Value,
    parse_filter,
)
from scim_ingest.protocol.group_names import GROUP_NAMES
from scim_ingest.protocol.listing import from_body
from scim_ingest.protocol.user_names import USER_NAMES
from scim_ingest.settings import Settings
from scim_ingest.users import Users
from shared.schemas.employee import ScimCredential
from shared.schemas.search import EVERYBODY, NOBODY, Expression
from shared.telemetry.logs import EventLog


class RootSearch:
    def __init__(self, users: Users, groups: Groups, settings: Settings, log: EventLog) -> None:
        self._users = users
        self._groups = groups
        self._settings = settings
        self._log = log

    def routes(self) -> list[Route]:
        return [route("/scim/v2/{company}/.search", POST=endpoint("search", self.search, self._log))]

    async def search(self, request: Request, credential: ScimCredential) -> Answer:
        body = await json_body(request, self._settings)
        listing = from_body("User", body)
        if listing.sort_by or listing.after is not None:
            raise invalid_value("sortBy and cursor are for /Users/.search and /Groups/.search.")
        about_users, about_groups = in_both(listing.filter) if listing.filter is not None else (None, None)
        users = await self._users.find_where(listing, about_users, credential)
        offset = max(0, listing.offset - users.total)
        groups = await self._groups.find_where(
            listing, about_groups, credential, offset=offset, limit=listing.count - len(users.employees)
        )
        resources = [
            *(self._users.shown(one, credential, listing.projection) for one in users.employees),
            *(self._groups.shown(one, credential, listing.projection) for one in groups.groups),
        ]
        return Answer(200, "read", listing.answer(resources, users.total + groups.total, []))


def in_both(filter_: str) -> tuple[Expression, Expression]:
    """What it means of users, and of groups. Raises ScimError: 400 invalidFilter, also for a name that neither of them has."""
    users, groups = _Among(USER_NAMES, GROUP_NAMES), _Among(GROUP_NAMES, USER_NAMES)
    return parse_filter(filter_, users), parse_filter(filter_, groups)


class _Among:
    """Names in one kind of resource, beside another: what only the other has, this one has no value of (section 3.4.2.1)."""

    def __init__(self, own: Names, other: Names) -> None:
        self._own = own
        self._other = other

    def compare(self, name: str, op: FilterOperator, value: Value) -> Expression:
        try:
            return self._own.compare(name, op, value)
        except UnknownAttribute:
            self._other.compare(name, op, value)
        absent = op == "ne" if value is not None else op == "eq"
        return EVERYBODY if absent else NOBODY

    def present(self, name: str) -> Expression:
        try:
            return self._own.present(name)
        except UnknownAttribute:
            self._other.present(name)
        return NOBODY

    def elements(self, name: str) -> Sequence[ElementNames]:
        try:
            return self._own.elements(name)
        except ScimError:
            return [_NoElement(one) for one in self._other.elements(name)]


class _NoElement:
    """Names in an element that a resource of this kind cannot have: read, for they may be wrong, and met by nobody."""

    def __init__(self, other: ElementNames) -> None:
        self._other = other
        self.compare = other.compare
        self.present = other.present
        self.elements = other.elements

    def of_one(self, condition: Expression) -> Expression:
        return NOBODY
