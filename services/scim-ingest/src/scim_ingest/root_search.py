"""`/.search`: one search over users and groups together (RFC 7644 section 3.4.3). Users come first, then groups.

A filter on an attribute that only one of them has finds none of the other. Sorting and cursors are of one kind of resource:
`/Users/.search` and `/Groups/.search` offer them.
"""

from starlette.requests import Request
from starlette.routing import Route

from scim_ingest.exchange import Answer, endpoint, json_body, route
from scim_ingest.groups import Groups
from scim_ingest.protocol.errors import ScimError, invalid_value
from scim_ingest.protocol.filters import UnknownAttribute, parse_filter
from scim_ingest.protocol.group_names import GROUP_NAMES
from scim_ingest.protocol.listing import Listing, from_body
from scim_ingest.protocol.user_names import USER_NAMES
from scim_ingest.settings import Settings
from scim_ingest.users import Users
from shared.schemas.employee import ScimCredential
from shared.schemas.search import NOBODY, Expression
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
        body = await json_body(request, self._settings.max_body_bytes, self._settings.body_timeout_s)
        listing = from_body("User", body)
        if listing.sort_by or listing.after is not None:
            raise invalid_value("sortBy and cursor are for /Users/.search and /Groups/.search.")
        about_users, about_groups = _conditions(listing)
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


def _conditions(listing: Listing) -> tuple[Expression | None, Expression | None]:
    if listing.filter is None:
        return None, None
    found: list[Expression] = []
    refused: list[ScimError] = []
    for names in (USER_NAMES, GROUP_NAMES):
        try:
            found.append(parse_filter(listing.filter, names))
        except UnknownAttribute as error:
            refused.append(error)
            found.append(NOBODY)
    if len(refused) == len(found):
        raise refused[0]
    return found[0], found[1]
