"""The company of whoever signed in last in this browser, so that nobody is asked for it again.

The browser remembers it and nobody else does: a company's name and display name in a cookie, written when a session opens, for
a year, until somebody forgets it. It says nothing about a person and proves nothing: it only chooses where a link leads. That is
how one company of several on a domain is found without ever looking a person up (A14): who works where is told to no stranger.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from sso_gateway.saml.connection import COMPANY
from sso_gateway.sessions import cookies

TTL_S: Final = 86_400 * 365
MAX_NAME: Final = 200
MAX_SENT: Final = 2048


@dataclass(frozen=True, slots=True)
class RememberedCompany:
    company: str
    name: str
    """As it is called; from the browser, and shown escaped like everything."""


def remember(response: Response, company: str, name: str) -> None:
    text = f"{company} {name[:MAX_NAME]}"
    cookies.write(response, cookies.COMPANY, base64.urlsafe_b64encode(text.encode()).decode("ascii"), TTL_S)


def remembered(request: Request) -> RememberedCompany | None:
    sent = cookies.sent(request, cookies.COMPANY) or ""
    if len(sent) > MAX_SENT:
        return None
    try:
        company, _, name = base64.urlsafe_b64decode(sent).decode().partition(" ")
    except (binascii.Error, ValueError):
        return None
    if not COMPANY.fullmatch(company) or len(name) > MAX_NAME or not name.isprintable():
        return None
    return RememberedCompany(company, name.strip() or company)


def forget(response: Response) -> None:
    cookies.clear(response, cookies.COMPANY)
