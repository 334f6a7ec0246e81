"""Requests made to cost: each is answered, and costs about what any other does."""

import time

import pytest

from tests.support.saml_responses import Recipe, respond
from tests.unit.sso_gateway.conftest import Gateway
from tests.unit.sso_gateway.saml_support import refusal

ALMOST_A_HEAD = 400_000
"""Bytes; a head of more than 512 KiB is 431."""
HEADERS = [
    ("Cookie", '__Host-session="' + '\\"' * 120_000 + '"'),
    ("Cookie", '__Host-session="' + "\\101" * 90_000 + '"'),
    ("Cookie", ";" * ALMOST_A_HEAD),
    ("Cookie", "__Host-session=x;" * 20_000),
    ("Accept-Language", "," * ALMOST_A_HEAD),
    ("Accept-Language", "da;q=" + "9" * ALMOST_A_HEAD),
    ("Accept", "text/html," * 40_000),
    ("Content-Type", "a;" * 200_000),
    ("traceparent", "0-" * 200_000),
    ("X-Forwarded-For", "1.2.3.4," * 40_000),
]


@pytest.mark.parametrize(("name", "value"), HEADERS, ids=[f"{name} {value[:24]}" for name, value in HEADERS])
@pytest.mark.parametrize("path", ["/", "/session", "/login/contoso"])
async def test_a_header_costs_no_more_than_reading_it(gateway: Gateway, path: str, name: str, value: str) -> None:
    """CVE-2024-7592: taking quotes off one cookie took Python a minute."""
    began = time.process_time()
    page = await gateway.browser.get(gateway.url + path, headers={name: value})
    assert page.status in {200, 302, 401}
    assert time.process_time() - began < 1.0


async def test_our_cookie_is_found_among_many_and_the_last_of_several_counts(gateway: Gateway) -> None:
    await gateway.browser.follow(await gateway.post_response(respond(Recipe(in_response_to=None))))
    session = gateway.browser.cookies(gateway.url)["__Host-session"]
    for cookies, status in [
        (f'other="a b"; x__Host-session=1; __Host-session={session}; __Host-session', 200),
        (f"__Host-session=x;__Host-session={session}", 200),
        (f"__Host-session={session}; __Host-session=x", 401),
        (f'__Host-session="{session}"', 401),
        # A host beside ours can set these, and not the one that begins with __Host-.
        (f"__Host-session={session}; x__Host-session=x; __Host-session-x=x; x=__Host-session", 200),
        (f"x__Host-session={session}; __Host-session-x={session}", 401),
        (f"__Host-session={session}; filler={'x' * 64 * 1024}", 401),
    ]:
        gateway.browser.forget_cookies()
        page = await gateway.browser.get(f"{gateway.url}/session", headers={"Cookie": cookies})
        assert page.status == status, cookies[:100]


def test_attributes_are_counted_before_they_are_read() -> None:
    """Reading n attributes of an element takes n squared: half a second for what fits into a form."""
    many = " ".join(f'a{number}=""' for number in range(15_000))
    document = respond().replace(b'Version="2.0"', f'Version="2.0" {many}'.encode(), 1)
    refused = refusal(document)
    assert (refused.reason, refused.got) == ("malformed_response", "15005 attributes")
