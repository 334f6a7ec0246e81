"""The company that a browser remembers, and what may be suggested to Entra."""

import base64
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from sso_gateway.sessions import cookies
from tests.support.saml_responses import Recipe, respond
from tests.unit.sso_gateway.conftest import Gateway

CONTOSO = "Continue to Contoso A/S"


async def sign_in_and_out(gateway: Gateway) -> None:
    await gateway.browser.follow(await gateway.post_response(respond(Recipe(in_response_to=None))))
    await gateway.browser.post(f"{gateway.url}/logout", {}, from_url=gateway.url)


def told(gateway: Gateway, value: str) -> None:
    gateway.browser.set_cookie(gateway.url, cookies.COMPANY, base64.urlsafe_b64encode(value.encode()).decode())


async def test_a_browser_remembers_the_company_once_somebody_of_it_has_signed_in(gateway: Gateway) -> None:
    assert not (await gateway.get("/")).shows(CONTOSO)
    await sign_in_and_out(gateway)
    for path in ("/", "/login"):
        page = await gateway.get(path)
        assert page.shows(CONTOSO), path
        assert 'href="/login/contoso"' in page.text
    page = await gateway.get("/login?return_to=/calendar")
    assert 'href="/login/contoso?return_to=%2Fcalendar"' in page.text


async def test_a_refused_login_is_not_remembered(gateway: Gateway) -> None:
    gateway.memory.refuse_session = "suspended"
    await sign_in_and_out(gateway)
    assert cookies.COMPANY not in gateway.browser.cookies(gateway.url)


async def test_the_cookie_holds_the_company_and_nothing_of_the_person(gateway: Gateway) -> None:
    await sign_in_and_out(gateway)
    value = gateway.browser.cookies(gateway.url)[cookies.COMPANY]
    assert base64.urlsafe_b64decode(value).decode() == "contoso Contoso A/S"


async def test_it_costs_directory_nothing(gateway: Gateway) -> None:
    await sign_in_and_out(gateway)
    before = dict(gateway.memory.calls)
    for path in ("/", "/login"):
        await gateway.get(path)
    assert dict(gateway.memory.calls) == before


async def test_a_plain_form_makes_the_browser_forget(gateway: Gateway) -> None:
    await sign_in_and_out(gateway)
    page = await gateway.get("/login?return_to=/calendar")
    assert 'name="forget" value="company"' in page.text
    form = {"forget": "company", "return_to": "/calendar"}
    page = await gateway.browser.post(f"{gateway.url}/login", form, from_url=gateway.url)
    assert page.location == f"{gateway.url}/login?return_to=%2Fcalendar"
    assert cookies.COMPANY not in gateway.browser.cookies(gateway.url)
    assert not (await gateway.get("/login")).shows(CONTOSO)


async def test_the_remembered_company_is_the_first_of_several(gateway: Gateway) -> None:
    """A14: who works where is never looked up; this browser knows by itself."""
    gateway.memory.domains["group.example"] = ["adatum", "contoso", "fabrikam"]

    async def order() -> list[str]:
        form = {"email": "anna@group.example"}
        page = unescape((await gateway.browser.post(f"{gateway.url}/login", form, from_url=gateway.url)).text)
        return sorted(["Adatum", "Contoso", "Fabrikam"], key=lambda one: page.index(f"{one} A/S"))

    assert await order() == ["Adatum", "Contoso", "Fabrikam"]
    told(gateway, "fabrikam Fabrikam A/S")
    assert await order() == ["Fabrikam", "Adatum", "Contoso"]
    told(gateway, "elsewhere Elsewhere A/S")
    assert await order() == ["Adatum", "Contoso", "Fabrikam"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "contoso",
        "UPPER Contoso",
        "../evil X",
        "//evil.example X",
        "contoso " + "x" * 201,
        "contoso a\nb",
        "\u0000 x",
    ],
)
async def test_a_cookie_that_is_not_ours_leads_nowhere(gateway: Gateway, value: str) -> None:
    told(gateway, value)
    for path in ("/", "/login"):
        page = await gateway.get(path)
        assert page.status == 200
        assert "evil" not in page.text
        assert ('data-field="remembered"' in page.text) == (value == "contoso")


@pytest.mark.parametrize("value", ["!", "A" * 5000, "w6", "%", "=" * 40])
async def test_a_cookie_that_is_no_base64_is_none(gateway: Gateway, value: str) -> None:
    gateway.browser.set_cookie(gateway.url, cookies.COMPANY, value)
    assert 'data-field="remembered"' not in (await gateway.get("/login")).text


async def test_what_the_cookie_calls_the_company_is_shown_escaped(gateway: Gateway) -> None:
    told(gateway, "contoso <script>alert(1)</script>")
    page = await gateway.get("/login")
    assert "<script" not in page.text
    assert page.shows("Continue to <script>alert(1)</script>")


async def test_more_companies_than_anybody_reads_through_are_said_to_be_more(gateway: Gateway) -> None:
    gateway.memory.domains["group.example"] = [f"company-{number}" for number in range(51)]
    page = await gateway.get("/login?email=anna@group.example")
    assert page.text.count('<li><a class="button quiet"') == 50
    assert page.shows("There are more than we can show")


# Whom to suggest to Entra.


async def suggested(gateway: Gateway, query: str) -> list[str]:
    page = await gateway.get(f"/login/contoso{query}")
    return parse_qs(urlsplit(page.location).query).get("login_hint", [])


@pytest.mark.parametrize(
    "hint", ["anna@contoso.com", "Åse+x@contoso.com", "a" * 254, "anna_gmail.com#EXT#@contoso.onmicrosoft.com"]
)
async def test_a_hint_in_the_link_travels_to_entra(gateway: Gateway, hint: str) -> None:
    assert await suggested(gateway, "?login_hint=" + quote(hint)) == [hint]


@pytest.mark.parametrize("hint", ["", "a" * 255, "a b", "a\r\nSet-Cookie: x", "\u200banna@contoso.com", "\u202eanna"])
async def test_what_cannot_name_anybody_does_not(gateway: Gateway, hint: str) -> None:
    assert await suggested(gateway, "?login_hint=" + quote(hint)) == []


async def test_a_hint_in_the_link_is_asked_before_the_one_of_the_question(gateway: Gateway) -> None:
    await gateway.get("/login?email=bo@contoso.com")
    assert await suggested(gateway, "?login_hint=anna@contoso.com") == ["anna@contoso.com"]
    assert await suggested(gateway, "") == [], "used once"
