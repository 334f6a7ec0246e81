"""The five kinds of cookies, all `__Host-`: this host alone, https (or loopback), the whole site, never from a subdomain.

    __Host-login-…   a secret of the browser; each login that it begins is bound to the hash of one (`browsers.py`)
    __Host-ticket-…  an accepted login on its way from the ACS to /login/finish, 60 seconds; one for each (`tickets.py`)
    __Host-session   the session
    __Host-hint      whom to suggest to Entra, for one redirect
    __Host-company   the company of whoever signed in here last (`remembered.py`)

SameSite=Lax: none of them comes with Entra's cross-site POST, so the ACS reads none. The GET that follows its 303 carries
them (seen in Chromium 156; docs/login.md).
"""

import base64
import binascii
import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from shared.tokens import sha256

LOGIN: Final = "__Host-login"
TICKET: Final = "__Host-ticket"
"""Of these two there may be several; they are told apart by what follows (`tagged`)."""
SESSION: Final = "__Host-session"
HINT: Final = "__Host-hint"
COMPANY: Final = "__Host-company"
HINT_TTL_S = 60
MAX_HINT_LENGTH = 254
MAX_SENT = 64 * 1024
"""Of all cookies together; a browser sends less, and what comes beyond it brings none of ours."""

_OPAQUE = re.compile(r"[A-Za-z0-9_=-]{32,128}")


def read(request: Request, name: str) -> str | None:
    """The opaque value of a cookie; None where there is none or it cannot be ours."""
    value = sent(request, name)
    return value if value is not None and is_opaque(value) else None


def is_opaque(value: str) -> bool:
    """Whether a secret of ours may look like this."""
    return _OPAQUE.fullmatch(value) is not None


def sent(request: Request, name: str) -> str | None:
    """What the browser sent under a name, as it stands there; the last one of several."""
    values = [value for key, value in pairs(request, name) if key == name]
    return values[-1] if values else None


def pairs(request: Request, name: str) -> list[tuple[str, str]]:
    """The cookies in which a name occurs, as they stand there and in the order in which they came.

    Not `request.cookies`, which takes quoting off the values of all cookies: in Python before 3.11.10 that takes a minute for
    240 KB of backslashes (CVE-2024-7592). Ours are never quoted.

    Nothing is stripped but what browsers strip, space and tab (RFC 6265 section 5.2): to them a no-break space before `__Host-`
    makes it a name without the prefix, which whoever holds a neighbouring host may set, and to Python it is white space.
    """
    headers = request.headers.getlist("cookie")
    if sum(map(len, headers)) > MAX_SENT:
        return []
    found = [pair.strip(" \t") for header in headers for pair in header.split(";") if name in pair]
    return [(key, value) for key, equals, value in (pair.partition("=") for pair in found) if equals]


def write(response: Response, name: str, value: str, max_age_s: int) -> None:
    response.headers.append(
        "Set-Cookie", f"{name}={value}; Max-Age={max_age_s}; Path=/; HttpOnly; Secure; SameSite=Lax"
    )


def clear(response: Response, name: str) -> None:
    write(response, name, "", 0)


def tag(value: str) -> str:
    """What tells cookies of one kind apart. No secret: it opens nothing without the value."""
    return sha256(value).hex()[:16]


def tagged(kind: str, value: str) -> str:
    """The name of a cookie that stands beside others of its kind: each has one of its own, so none pushes another out."""
    return f"{kind}-{tag(value)}"


def held(request: Request, kind: str) -> dict[str, str]:
    """The values of a kind by their tags, the oldest first, which is how browsers send cookies (RFC 6265 section 5.4)."""
    prefix = f"{kind}-"
    # By the whole name: a cookie without the prefix may be set by whoever holds a neighbouring host.
    found = ((name, value) for name, value in pairs(request, prefix) if name.startswith(prefix))
    return {tag(value): value for name, value in found if is_opaque(value) and name == tagged(kind, value)}


def write_hint(response: Response, login_hint: str) -> None:
    """In a cookie and not in the address, because addresses end up in logs."""
    if is_hint(login_hint):
        write(response, HINT, base64.urlsafe_b64encode(login_hint.encode()).decode("ascii"), HINT_TTL_S)


def read_hint(request: Request) -> str | None:
    try:
        hint = base64.urlsafe_b64decode(sent(request, HINT) or "").decode()
    except (binascii.Error, ValueError):
        return None
    return hint if is_hint(hint) else None


def is_hint(text: str) -> bool:
    """Whether a text can name somebody to Entra: one word as long as an address may be, and nothing that is not seen."""
    return 0 < len(text) <= MAX_HINT_LENGTH and text.isprintable() and " " not in text
