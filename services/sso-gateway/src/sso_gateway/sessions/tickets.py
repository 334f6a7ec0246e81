"""The tickets that a browser holds: accepted logins on their way from the ACS to /login/finish, one cookie each.

    cookie    __Host-ticket-<tag>        the ticket
    address   /login/finish?t=<tag>      which of them; without t the only one there is
    page      who.html                   whom a choice is about

A tab names its own, so that several do not push each other out. The tag is no secret: who knows it can choose among the
tickets that this browser brings, and has none by it (docs/login.md, rule 3).
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from sso_gateway.sessions import cookies

TTL_S: Final = 60
MOST: Final = 5
"""So many stay in a browser once a login is finished in it; until then each goes by itself after `TTL_S`."""


def address(ticket: str) -> str:
    """Where the login is finished."""
    return f"/login/finish?t={cookies.tag(ticket)}"


def write(response: Response, ticket: str, max_age_s: int) -> None:
    cookies.write(response, cookies.tagged(cookies.TICKET, ticket), ticket, max_age_s)


def clear(response: Response, ticket: str) -> None:
    cookies.clear(response, cookies.tagged(cookies.TICKET, ticket))


def find(request: Request, named: str | None) -> str | None:
    """The ticket of that tag; where none is named, the only one there is."""
    held = cookies.held(request, cookies.TICKET)
    if named is not None:
        return held.get(named)
    return next(iter(held.values())) if len(held) == 1 else None


def clear_surplus(request: Request, response: Response, ticket: str | None) -> None:
    """The oldest of those that the request was not about, so that with that one there are `MOST`."""
    others = [one for one in cookies.held(request, cookies.TICKET).values() if one != ticket]
    for one in others[: -(MOST - 1)]:
        clear(response, one)
