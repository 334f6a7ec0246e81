"""Nobody is sent to another site by what stands in an address or a form."""

import re
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sso_gateway.return_path import MAX_LENGTH, return_path
from tests.support.saml_responses import Recipe, respond
from tests.unit.sso_gateway.conftest import Gateway

NASTY = [
    "https://evil.example/",
    "http:evil.example",
    "HTTPS:\\evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.example",
    "///evil.example",
    "////evil.example/%2e%2e",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\nLocation: https://evil.example",
    "/\x00/evil.example",
    "/\x0b/evil.example",
    "\x01//evil.example",
    " //evil.example",
    "/ /evil.example",
    "\u00a0//evil.example",
    "/\u00a0/evil.example",
    "/\u2028/evil.example",
    "/\u200b/evil.example",
    "/\u202e/elpmaxe.live",
    "/\ufeff/evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/%2F/evil.example",
    "/%2fevil.example",
    "/%5Cevil.example",
    "/%5c%5cevil.example",
    "/%252Fevil.example",
    "/%255Cevil.example",
    "/%09/evil.example",
    "/%0d%0aSet-Cookie:%20__Host-session=x",
    "/%00",
    "/%c2%a0/evil.example",
    "/kalender?uge=\x00",
    "/kalender?uge=\x7f",
    "/kalender?uge=\u202e84",
    "/kalender?next=\\evil.example",
    "/kalender#\x01",
    "/kalender#\\evil.example",
    "%2F%2Fevil.example",
    "%252F%252Fevil.example",
    "https%3A%2F%2Fevil.example",
    "evil.example",
    "@evil.example",
    ":@evil.example",
    "?//evil.example",
    "#//evil.example",
    ";//evil.example",
    "\uff0f\uff0fevil.example",
    "\u2215\u2215evil.example",
    "",
    "/" * 5000,
    "/" + "x" * MAX_LENGTH,
    "/" + "%41" * MAX_LENGTH,
]
"""All of them become the front page."""
HARMLESS = [
    "/",
    "/kalender?uge=48&next=//x",
    "/kalender#//x",
    "/min%20side/l%C3%B8n",
    "/løn/æøå",
    "/a/../b",
    "/@evil.example",
    "/:80",
    "/;jsessionid=1",
    "/\uff0fevil.example",
    "/\u2215evil.example",
    "/docs/a%2Fb",
    "/" + "x" * (MAX_LENGTH - 1),
]
"""They stay on our origin whoever reads them."""


def where(location: str) -> str:
    """The host a browser goes to from a page of ours (WHATWG URL): tabs and line ends away, backslashes as slashes."""
    cleaned = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(33))))).replace("\\", "/")
    if match := re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", cleaned):
        return match[0] + cleaned
    return urlsplit(cleaned).netloc if cleaned.startswith("//") else "ours"


@pytest.mark.parametrize("asked", NASTY, ids=[repr(one[:30]) for one in NASTY])
async def test_a_nasty_address_becomes_the_front_page_on_every_way_to_one(gateway: Gateway, asked: str) -> None:
    await gateway.get(f"/login/contoso?return_to={quote(asked, safe='')}")
    assert [flow.return_to for flow in gateway.memory.flows.values()] == ["/"]

    if len(asked) <= 1024:
        accepted = await gateway.post_response(respond(Recipe(in_response_to=None)), relay_state=asked)
        finished = await gateway.browser.get(accepted.location)
        assert finished.headers["Location"] == "/"

    page = await gateway.browser.post(f"{gateway.url}/logout", {"return_to": asked}, from_url=gateway.url)
    assert (page.status, page.headers.get("Location")) in {(303, "/"), (400, None)}, "400: a form of more than 8 KiB"

    form = {"email": "anna@contoso.com", "return_to": asked}
    page = await gateway.browser.post(f"{gateway.url}/login", form, from_url=gateway.url)
    if page.status != 400:
        assert re.search(r'content="0;url=(/login/contoso)"', page.text), page.text[:500]
    page = await gateway.get(f"/login?email=anna@contoso.com&return_to={quote(asked[:3000], safe='')}")
    assert page.headers["Location"] == "/login/contoso"


@pytest.mark.parametrize("asked", HARMLESS, ids=[repr(one[:30]) for one in HARMLESS])
async def test_a_path_of_ours_is_kept_and_stays_on_our_origin(gateway: Gateway, asked: str) -> None:
    accepted = await gateway.post_response(
        respond(Recipe(in_response_to=None)), relay_state=asked if len(asked) <= 1024 else None
    )
    location = (await gateway.browser.get(accepted.location)).headers["Location"]
    assert where(location) == "ours"
    assert return_path(asked) == asked


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("/\\%2f5c09da.:@#?; \t\n\r\x00"), max_size=30))
@example("/\\evil")
@example("//evil")
def test_whatever_is_asked_the_browser_stays(asked: str) -> None:
    for one in (asked, f"/{asked}", f"/{asked}/evil.example"):
        assert where(return_path(one)) == "ours"
        assert where(quote(return_path(one), safe=":/%#?=@[]!$&'()*+,;")) == "ours"


async def test_several_return_addresses_are_no_way_around(gateway: Gateway) -> None:
    await gateway.get("/login/contoso?return_to=/a&return_to=//evil.example")
    await gateway.get("/login/contoso?return_to=//evil.example&return_to=/a")
    assert {flow.return_to for flow in gateway.memory.flows.values()} <= {"/", "/a"}


@pytest.mark.parametrize(
    "path", ["/login/contoso/", "/session/", "/login/finish/", "/login//", "//evil.example/login/"]
)
async def test_a_slash_too_many_sends_nobody_to_the_host_of_the_request(gateway: Gateway, path: str) -> None:
    """A redirect to the path without it would name whatever stands in Host."""
    page = await gateway.browser.get(gateway.url + path, headers={"Host": "evil.example"})
    assert page.status != 307
    assert "evil.example" not in page.headers.get("Location", "")
