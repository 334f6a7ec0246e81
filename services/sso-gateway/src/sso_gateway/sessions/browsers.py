"""The secrets of a browser: each login is bound to the hash of one, so that only the browser that began it can finish it.

    first start       __Host-login-<tag>, a new secret
    another start     the newest secret that the browser holds, which lasts longer by it
    finish, choice    all that it holds; one of them must be the login's

Tabs that start one after the other share a secret. Tabs that start at once in a browser that has none yet get one each, for
none of them knows of the others'; under names of their own they stand side by side.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from shared.schemas.login import MAX_BROWSERS
from shared.tokens import new_browser_secret, sha256
from sso_gateway.sessions import cookies

LEFT_S: Final = 600
"""A secret stays so long beyond its login's own time: a ticket's minute, and the five in which somebody chooses who goes on."""


def secret_of(request: Request) -> str:
    """For a login that begins."""
    secrets = list(cookies.held(request, cookies.LOGIN).values())
    return secrets[-1] if secrets else new_browser_secret()


def hashes(request: Request) -> list[str]:
    """Of all secrets that the browser holds, in hexadecimal; the newest `MAX_BROWSERS`."""
    return [sha256(one).hex() for one in cookies.held(request, cookies.LOGIN).values()][-MAX_BROWSERS:]


def write(request: Request, response: Response, secret: str, login_ttl_s: int) -> None:
    """With it, what the browser holds too many of goes: the oldest."""
    others = [one for one in cookies.held(request, cookies.LOGIN).values() if one != secret]
    for one in others[: -(MAX_BROWSERS - 1)]:
        cookies.clear(response, cookies.tagged(cookies.LOGIN, one))
    cookies.write(response, cookies.tagged(cookies.LOGIN, secret), secret, login_ttl_s + LEFT_S)
