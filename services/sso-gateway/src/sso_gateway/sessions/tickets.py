"""The tickets that a browser holds: accepted logins on their way from the ACS to /login/finish, one cookie each.

    cookie    __Host-ticket-<tag>        the ticket
    address   /login/finish?t=<tag>      which of them; without t the only one there is
    page      who.html                   whom a choice is about

A tab names its own, so that several do not push each other out. The tag is no secret: who knows it can choose among the
tickets that this browser brings, and has none by it (docs/login.md, rule 3).
"""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from shared.tokens import sha256
from sso_gateway.sessions import cookies

TTL_S: Final = 60
MOST: Final = 5
"""So many stay in a browser once a login is finished in it; until then each goes by itself after `TTL_S`."""

_NAME = re.compile(re.escape(cookies.TICKET) + r"-([0-9a-f]{16})")


def tag(ticket: str) -> str:
    return sha256(ticket).hex()[:16]


def address(ticket: str) -> str:
    """Where the login is finished."""
    return f"/login/finish?t={tag(ticket)}"


def write(response: Response, ticket: str, max_age_s: int) -> None:
    cookies.write(response, _name(tag(ticket)), ticket, max_age_s)


def clear(response: Response, ticket: str) -> None:
    cookies.clear(response, _name(tag(ticket)))


def find(request: Request, named: str | None) -> str | None:
    """The ticket of that tag; where none is named, the only one there is."""
    held = _held(request)
    if named is not None:
        return held.get(named)
    return next(iter(held.values())) if len(held) == 1 else None


def clear_surplus(request: Request, response: Response, ticket: str | None) -> None:
    """The oldest of those that the request was not about, so that with that one there are `MOST`."""
    others = [one for one in _held(request).values() if one != ticket]
    for one in others[: -(MOST - 1)]:
        clear(response, one)


def _held(request: Request) -> dict[str, str]:
    """By tag, the oldest first, which is how browsers send cookies (RFC 6265 section 5.4)."""
    found = ((_NAME.fullmatch(name), value) for name, value in cookies.pairs(request, cookies.TICKET))
    named = {match[1]: value for match, value in found if match and cookies.is_opaque(value)}
    return {name: value for name, value in named.items() if tag(value) == name}


def _name(tag_of_ticket: str) -> str:
    return f"{cookies.TICKET}-{tag_of_ticket}"
