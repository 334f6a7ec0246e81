"""What an ingress is told, on which conditions, and the way back to the page that was wanted. nginx itself: journeys."""

from urllib.parse import parse_qs, urlsplit

import pytest

from shared.errors import ErrorCode
from sso_gateway.sessions.forward_auth_routes import ROLES, UnknownCondition, Wanted, read_wanted
from tests.support.saml_responses import Recipe, respond
from tests.unit.sso_gateway.conftest import Gateway
from tests.unit.sso_gateway.fake_directory import EMPLOYEE


async def signed_in(gateway: Gateway) -> None:
    """Anna of Contoso, an approver."""
    await gateway.browser.follow(await gateway.post_response(respond(Recipe(in_response_to=None))))


async def test_the_person_is_told_in_headers_that_the_caller_cannot_choose(gateway: Gateway) -> None:
    await signed_in(gateway)
    headers = {"X-Identity-Employee-Id": "emp_evil", "X-Identity-Roles": "setup_admin"}
    page = await gateway.browser.get(f"{gateway.url}/auth", headers=headers)
    assert (page.status, page.text) == (200, "")
    told = {name.title(): value for name, value in page.headers.items() if name.lower().startswith("x-identity-")}
    assert told == {
        "X-Identity-Company": "contoso",
        "X-Identity-Employee-Id": EMPLOYEE,
        "X-Identity-Login-Name": "anna@contoso.com",
        "X-Identity-Email": "anna@contoso.com",
        "X-Identity-Given-Name": "Anna %3Cb%3E",
        "X-Identity-Family-Name": "%C3%86r%C3%B8",
        "X-Identity-Roles": "approver",
    }


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ("company=contoso", 200),
        ("company=contoso,fabrikam", 200),
        ("company=fabrikam", 403),
        ("role=approver", 200),
        ("role=setup_admin", 403),
        ("role=setup_admin,approver", 200),
        ("company=contoso&role=approver", 200),
        ("company=contoso&role=setup_admin", 403),
        ("role=approver&company=fabrikam", 403),
    ],
)
async def test_whoever_does_not_meet_every_condition_is_refused(gateway: Gateway, conditions: str, status: int) -> None:
    await signed_in(gateway)
    page = await gateway.get(f"/auth?{conditions}")
    assert page.status == status
    if status == 403:
        assert page.json["reason"] == "not_for_you"
        assert not [name for name in page.headers if name.lower().startswith("x-identity-")]


TYPOS = [
    "compnay=contoso",
    "company=contoso&rol=setup_admin",
    "Company=contoso",
    "company",
    "company=",
    "company=contoso,",
    "company=,",
    "company=Contoso",
    "company=contoso%20",
    "company=contoso&company=fabrikam",
    "company=*",
    "role=",
    "role=admin",
    "role=setup_admin;company=contoso",
    "role=setup_admin&role=approver",
    "role=Setup_admin",
    "=contoso",
    "company=%ff",
    "x",
]


@pytest.mark.parametrize("conditions", TYPOS)
async def test_a_typo_in_a_condition_is_a_400_for_everybody_and_opens_nothing(
    gateway: Gateway, conditions: str
) -> None:
    """A status by which every ingress refuses: only 2xx passes."""
    nobody = await gateway.get(f"/auth?{conditions}")
    await signed_in(gateway)
    somebody = await gateway.get(f"/auth?{conditions}")
    for page in (nobody, somebody):
        assert (page.status, page.json["reason"]) == (400, "invalid_request")
        assert page.json["wanted"]
        assert "contoso" not in str(page.json)


def test_conditions_are_read_whole() -> None:
    assert read_wanted([]) == Wanted(frozenset(), frozenset())
    assert read_wanted([("company", "a-b,c-d"), ("role", "approver")]) == Wanted(
        frozenset({"a-b", "c-d"}), frozenset({"approver"})
    )
    assert {"setup_admin", "approver", "global_payroll_admin"} <= ROLES
    with pytest.raises(UnknownCondition, match="each parameter once"):
        read_wanted([("role", "approver"), ("role", "approver")])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_no_2xx(gateway: Gateway, method: str) -> None:
    """An ingress that repeats the browser's method shuts everything, which is noticed."""
    await signed_in(gateway)
    cookie = "; ".join(f"{name}={value}" for name, value in gateway.browser.cookies(gateway.url).items())
    for path in ("/auth", "/session", "/auth/refused"):
        async with gateway.http.request(method, gateway.url + path, headers={"Cookie": cookie}) as answer:
            assert answer.status == 405


async def test_head_tells_what_get_tells_without_a_body(gateway: Gateway) -> None:
    await signed_in(gateway)
    cookie = "; ".join(f"{name}={value}" for name, value in gateway.browser.cookies(gateway.url).items())
    for path in ("/auth", "/session"):
        async with gateway.http.head(gateway.url + path, headers={"Cookie": cookie}) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
            assert ("X-Identity-Company" in answer.headers) == (path == "/auth")
        async with gateway.http.head(gateway.url + path) as answer:
            assert (answer.status, await answer.read()) == (401, b"")


async def test_what_an_ingress_says_of_the_request_changes_nothing(gateway: Gateway) -> None:
    said = {
        "X-Original-URL": "https://login.bitabiz.com/public",
        "X-Original-URI": "/public",
        "X-Original-Method": "OPTIONS",
        "X-Forwarded-Uri": "/static/style.css",
        "X-Forwarded-User": "anna@contoso.com",
        "X-Rewrite-URL": "/static/style.css",
        "Authorization": "Bearer anything",
        "X-HTTP-Method-Override": "HEAD",
    }
    assert (await gateway.browser.get(f"{gateway.url}/auth", headers=said)).status == 401
    await signed_in(gateway)
    assert (await gateway.browser.get(f"{gateway.url}/auth", headers=said)).status == 200
    assert (await gateway.browser.get(f"{gateway.url}/auth?company=fabrikam", headers=said)).status == 403


async def test_without_directory_nobody_passes(gateway: Gateway) -> None:
    await signed_in(gateway)
    gateway.memory.fail = ErrorCode.unavailable
    assert (await gateway.get("/auth")).status == 503


@pytest.mark.parametrize("path", ["/login/to", "/login/contoso/to"])
@pytest.mark.parametrize(
    ("wanted", "goal"),
    [
        ("/reports", "/reports"),
        ("/reports?year=2026&month=11", "/reports?year=2026&month=11"),
        ("/reports?return_to=/other&email=x@y.example", "/reports?return_to=/other&email=x@y.example"),
        ("/S%C3%B8gning?q=%C3%A6%26b&r=1+2", "/S%C3%B8gning?q=%C3%A6%26b&r=1+2"),
        ("", "/"),
        ("/", "/"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/%5Cevil.example", "/"),
        ("/%2F/evil.example", "/"),
        ("return_to=/reports", "/"),
        ("/" + "a" * 2000, "/"),
    ],
)
async def test_the_wanted_address_travels_whole_and_leads_nowhere_else(
    gateway: Gateway, path: str, wanted: str, goal: str
) -> None:
    page = await gateway.get(f"{path}?{wanted}")
    assert page.status == 303
    parts = urlsplit(page.headers["Location"])
    assert (parts.scheme, parts.netloc, parts.path) == ("", "", path.removesuffix("/to"))
    assert parse_qs(parts.query) == ({} if goal == "/" else {"return_to": [goal]})


async def test_the_page_for_whom_it_is_not_says_so_and_lets_him_switch(gateway: Gateway) -> None:
    page = await gateway.get("/auth/refused")
    assert page.status == 403
    assert page.shows("This page is not for you")
    assert 'action="/logout"' in page.text
    assert (await gateway.get("/auth/refused", accept="application/json")).json["reason"] == "not_for_you"
