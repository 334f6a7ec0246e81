"""What of a Cookie header may be ours."""

from base64 import urlsafe_b64encode

import pytest
from starlette.requests import Request
from starlette.responses import Response

from sso_gateway.sessions import browsers, cookies, tickets


def bringing(*headers: str) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", header.encode("latin-1")) for header in headers]})


@pytest.mark.parametrize("value", ["a" * 32, "Z" * 128, "aZ09_-" * 8 + "=="])
def test_a_secret_of_ours_may_look_like_this(value: str) -> None:
    assert cookies.is_opaque(value)


@pytest.mark.parametrize("value", ["", "a" * 31, "a" * 129, *(f"{'a' * 40}{one}{'a' * 40}" for one in ' "\n+/.é\x00')])
def test_a_secret_of_ours_never_looks_like_that(value: str) -> None:
    assert not cookies.is_opaque(value)
    assert not cookies.is_opaque(value + "\n")
    assert cookies.read(bringing(f"{cookies.SESSION}={value}"), cookies.SESSION) is None


def test_a_ticket_that_cannot_be_ours_is_none_whatever_its_name() -> None:
    short = "a" * 31
    request = bringing(f"{cookies.TICKET}-{cookies.tag(short)}={short}")
    assert tickets.find(request, cookies.tag(short)) is None
    assert tickets.find(request, None) is None


WHITE_TO_PYTHON = [byte for byte in map(chr, range(256)) if byte.isspace() and byte not in " \t"]


@pytest.mark.parametrize("white", WHITE_TO_PYTHON, ids=ascii)
def test_a_name_that_only_we_would_take_for_ours_is_not(white: str) -> None:
    """A browser lets a neighbouring host set it for ours, too: to it the name has no prefix."""
    secret = "a" * 64
    names = (cookies.SESSION, cookies.tagged(cookies.TICKET, secret), cookies.tagged(cookies.LOGIN, secret))
    tossed = [f"{before}{name}{behind}={secret}" for name in names for before, behind in ((white, ""), ("", white))]
    request = bringing("; ".join(tossed))
    assert cookies.read(request, cookies.SESSION) is None
    assert (tickets.find(request, None), browsers.hashes(request)) == (None, [])
    assert cookies.read(bringing(f"a=b; \t{cookies.SESSION}={secret} ; c=d"), cookies.SESSION) == secret


@pytest.mark.parametrize(
    "hint", ["anna@contoso.com", "a" * 254, "ærø@contoso.com", "anna_gmail.com#EXT#@contoso.onmicrosoft.com"]
)
def test_whom_to_suggest_travels_in_a_cookie_and_comes_back_as_it_was(hint: str) -> None:
    response = Response()
    cookies.write_hint(response, hint)
    cookie = response.headers["set-cookie"].partition(";")[0]
    assert cookies.read_hint(bringing(cookie)) == hint


@pytest.mark.parametrize("hint", ["", "a" * 255, "anna@contoso.com b", "a\nb", "a\x00b", "a\u202eb"])
def test_what_can_name_nobody_is_neither_kept_nor_believed(hint: str) -> None:
    response = Response()
    cookies.write_hint(response, hint)
    assert "set-cookie" not in response.headers
    assert cookies.read_hint(bringing(f"{cookies.HINT}={urlsafe_b64encode(hint.encode()).decode()}")) is None


@pytest.mark.parametrize("value", ["é", "a", "_w==", "%"])
def test_a_hint_that_cannot_be_read_is_none(value: str) -> None:
    assert cookies.read_hint(bringing(f"{cookies.HINT}={value}")) is None
