"""Headers and cookies of everything the gateway can answer, refusals and faults too."""

import asyncio
import re
from base64 import b64encode
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

import sso_gateway
from shared.errors import ErrorCode
from shared.http.head import BoundedHead
from shared.tokens import sha256
from sso_gateway.pages.render import CONTENT_SECURITY_POLICY
from sso_gateway.sessions import cookies
from tests.support.saml_responses import Recipe, respond
from tests.unit.sso_gateway.conftest import ENTRA, Gateway
from tests.unit.sso_gateway.fake_directory import FakeDirectory, connection

FORM = "application/x-www-form-urlencoded"
GENUINE = {"SAMLResponse": b64encode(respond(Recipe(in_response_to=None))).decode()}
TEST_REFUSED = {"SAMLResponse": "x", "RelayState": "test._" + "0" * 32}
OUR_OWN = {"Sec-Fetch-Site": "same-origin"}
ASKED = (
    "client_id=mobile-app&redirect_uri=com.bitabiz.app%3A%2Fcallback&response_type=code&scope=openid"
    "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
)
ANSWERS = [
    ("GET", "/", None, 200),
    ("HEAD", "/", None, 200),
    ("GET", "/login", None, 200),
    ("GET", "/login?email=anna@contoso.com", None, 303),
    ("GET", "/login?email=anna", None, 400),
    ("GET", "/login?email=anna@nowhere.example", None, 404),
    ("POST", "/login", {"email": "anna@contoso.com"}, 200),
    ("POST", "/login", {"forget": "company", "return_to": "//evil.example"}, 303),
    ("POST", "/login", b"email=" + b"a" * 10_000, 400),
    ("GET", "/login/contoso", None, 302),
    ("GET", "/login/contoso/", None, 302),
    ("GET", "/login/contoso?test=1", None, 302),
    ("POST", "/saml/contoso/acs", TEST_REFUSED, 403),
    ("GET", "/login/contoso?" + "&".join(["a"] * 101), None, 400),
    ("GET", "/login/fabrikam", None, 404),
    ("GET", "/login/UPPER", None, 404),
    ("GET", "/login/finish", None, 403),
    ("GET", "/login/finish?t=0123456789abcdef", None, 403),
    ("GET", "/login/finish?t=%00", None, 403),
    ("POST", "/saml/contoso/acs", GENUINE, 303),
    ("POST", "/saml/contoso/acs", {"SAMLResponse": "x"}, 403),
    ("POST", "/saml/contoso/acs", b"SAMLResponse=" + b"A" * 300_000, 413),
    ("POST", "/saml/fabrikam/acs", GENUINE, 403),
    ("GET", "/saml/contoso/acs", None, 405),
    ("GET", "/saml/contoso/metadata", None, 200),
    ("GET", "/saml/fabrikam/metadata", None, 404),
    ("GET", "/saml/contoso/logout?SAMLResponse=x", None, 303),
    ("GET", "/saml/contoso/logout?SAMLRequest=x", None, 403),
    ("GET", "/session", None, 401),
    ("HEAD", "/session", None, 401),
    ("GET", "/sessions", None, 303),
    ("HEAD", "/sessions", None, 303),
    ("POST", "/sessions", {}, 400),
    ("POST", "/sessions", b"\xff", 400),
    ("POST", "/sessions", {"others": "all", "session_id": "ses_" + "0" * 32}, 400),
    ("POST", "/sessions", {"others": "all"}, 303),
    ("GET", "/auth", None, 401),
    ("HEAD", "/auth", None, 401),
    ("GET", "/auth?company=contoso&role=setup_admin", None, 401),
    ("GET", "/auth?role=admin", None, 400),
    ("GET", "/auth/refused", None, 403),
    ("GET", "/login/to?/reports?year=2026&month=11", None, 303),
    ("GET", "/login/contoso/to?/reports", None, 303),
    ("GET", "/login/X/to?/reports", None, 404),
    ("GET", "/login/to?https://evil.example/", None, 303),
    ("POST", "/login/choose", {}, 400),
    ("POST", "/login/choose", b"\xff", 400),
    ("POST", "/login/choose", {"choice": "switch"}, 403),
    ("POST", "/login/choose", {"choice": "continue"}, 401),
    ("POST", "/logout", {}, 303),
    ("POST", "/logout", b"\xff", 400),
    ("GET", "/.well-known/openid-configuration", None, 200),
    ("GET", "/oauth2/jwks", None, 200),
    ("GET", "/oauth2/authorize", None, 400),
    ("GET", f"/oauth2/authorize?{ASKED}", None, 303),
    ("GET", f"/oauth2/authorize?{ASKED}&prompt=none", None, 303),
    ("GET", f"/oauth2/authorize?{ASKED}&login_hint=anna@contoso.com", None, 303),
    ("GET", f"/oauth2/authorize?{ASKED}&login_hint=anna@nowhere.example", None, 404),
    ("POST", "/oauth2/authorize", {"client_id": "mobile-app"}, 303),
    ("POST", "/oauth2/authorize", b"\xff", 400),
    ("POST", "/oauth2/token", {"grant_type": "password"}, 401),
    ("POST", "/oauth2/token", {"grant_type": "password", "client_id": "mobile-app"}, 400),
    ("POST", "/oauth2/token", b"a=" + b"a" * 20_000, 413),
    ("GET", "/oauth2/token", None, 405),
    ("OPTIONS", "/oauth2/token", None, 204),
    ("GET", "/oauth2/userinfo", None, 401),
    ("POST", "/oauth2/userinfo", {}, 401),
    ("POST", "/oauth2/introspect", {"token": "x", "client_id": "mobile-app"}, 403),
    ("POST", "/oauth2/revoke", {"token": "x", "client_id": "mobile-app"}, 200),
    ("POST", "/oauth2/revoke", {"client_id": "mobile-app"}, 400),
    ("GET", "/oauth2/logout", None, 303),
    ("GET", "/oauth2/logout?client_id=nobody", None, 400),
    ("POST", "/oauth2/logout", {}, 303),
    ("POST", "/oauth2/logout", b"\xff", 400),
    ("GET", "/static/style.css", None, 200),
    ("GET", "/static/icon.svg", None, 200),
    ("GET", "/static/../app.py", None, 404),
    ("GET", "/static/style.css.map", None, 404),
    ("GET", "/nowhere", None, 404),
    ("GET", "//evil.example/", None, 404),
    ("GET", "/" + "a" * 40_000, None, 414),
    ("DELETE", "/session", None, 405),
    ("OPTIONS", "/login", None, 405),
    ("PATCH", "/saml/contoso/acs", None, 405),
]


def check(headers: dict[str, str], path: str) -> None:
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    kept = {
        **dict.fromkeys(("/static/style.css", "/static/icon.svg"), "public, max-age=2592000, immutable"),
        **dict.fromkeys(("/.well-known/openid-configuration", "/oauth2/jwks"), "public, max-age=300"),
    }
    assert headers["Cache-Control"] == kept.get(path, "no-store")
    assert "Server" not in headers


async def send(
    gateway: Gateway, method: str, path: str, form: dict[str, str] | bytes | None, accept: str = "text/html"
) -> aiohttp.ClientResponse:
    headers = {"Accept": accept, "Host": "evil.example", **OUR_OWN}
    if form is not None:
        headers["Content-Type"] = FORM
    url = URL(gateway.url + path, encoded=True)
    async with gateway.http.request(method, url, data=form, headers=headers, allow_redirects=False) as answer:
        await answer.read()
        return answer


@pytest.mark.parametrize(
    ("method", "path", "form", "status"), ANSWERS, ids=[f"{a[0]} {a[1][:40]} {a[3]}" for a in ANSWERS]
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_every_answer_has_the_headers_and_names_no_host_of_the_request(
    gateway: Gateway, method: str, path: str, form: dict[str, str] | bytes | None, status: int, accept: str
) -> None:
    answer = await send(gateway, method, path, form, accept)
    for_programs = {"/logout": 204, "/sessions": 401} if status == 303 and accept != "text/html" else {}
    assert answer.status in {status, for_programs.get(path, status)}
    check(dict(answer.headers), path)
    assert "evil.example" not in str(answer.headers)
    assert "evil.example" not in await answer.text()


def test_the_table_has_every_route_of_the_service() -> None:
    """A new route fails here until its answers stand above."""
    source = "\n".join(path.read_text() for path in Path(sso_gateway.__file__).parent.rglob("*routes.py"))
    routes = set(re.findall(r'Route\("([^"]+)"', source))
    assert len(routes) >= 12
    for route in routes:
        pattern = re.compile(route.replace("{company}", "contoso").replace(".", r"\.") + r"(\?.*)?")
        assert any(pattern.fullmatch(path) for _, path, _, _ in ANSWERS), route


async def test_faults_and_an_unreachable_directory_have_them_too(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.memory.fail = ErrorCode.unavailable
    for path in ("/login/contoso", "/saml/contoso/metadata"):
        answer = await send(gateway, "GET", path, None)
        assert answer.status == 503
        check(dict(answer.headers), path)

    async def breaks(*_: object) -> None:
        raise RuntimeError("anna@contoso.com")

    monkeypatch.setattr(FakeDirectory, "begin_login", breaks)
    fault = await send(gateway, "GET", "/login/contoso", None)
    assert fault.status == 500
    check(dict(fault.headers), "/login/contoso")
    assert "anna" not in await fault.text()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400),
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000, 431),
        (b"GET / HTTP/1.1\r\nX: ", 408),
    ],
    ids=["garbage", "length", "method", "connect", "endless head", "slow head"],
)
async def test_what_is_answered_before_there_is_a_request_is_kept_in_its_place_too(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, sent: bytes, status: int
) -> None:
    if status == 408:
        monkeypatch.setattr(BoundedHead, "head_s", 0.3)
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(f"HTTP/1.1 {status} ")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert (headers["Referrer-Policy"], headers["Content-Type"]) == ("no-referrer", "text/plain")


# Cookies.


COOKIE = re.compile(
    r"(__Host-[a-z]+)(?:-[0-9a-f]{16})?=[A-Za-z0-9_=-]*; Max-Age=[0-9]+; Path=/; HttpOnly; Secure; SameSite=Lax"
)
OURS = {value for name, value in vars(cookies).items() if name.isupper() and str(value).startswith("__Host-")}


def kind(cookie: str) -> str:
    found = COOKIE.fullmatch(cookie)
    assert found, cookie
    assert (found[1] in {cookies.TICKET, cookies.LOGIN}) == (found[0].partition("=")[0] != found[1]), (
        "of these alone there may be several, under names of their own"
    )
    return found[1]


async def test_every_cookie_that_can_be_set_is_of_this_host_http_only_secure_and_lax(gateway: Gateway) -> None:
    """All five kinds, written and taken back, on every way there is."""
    seen: list[str] = []

    async def noted(method: str, path: str, form: dict[str, str] | None = None, cookie: str = "") -> list[str]:
        headers = {"Accept": "text/html", **OUR_OWN, **({"Cookie": cookie} if cookie else {})}
        async with gateway.http.request(
            method, gateway.url + path, data=form, headers=headers, allow_redirects=False
        ) as answer:
            seen.extend(answer.headers.getall("Set-Cookie", []))
            return [one.partition(";")[0] for one in answer.headers.getall("Set-Cookie", [])]

    [hint] = await noted("GET", "/login?email=anna@contoso.com")
    await noted("POST", "/login", {"email": "anna@contoso.com"})
    await noted("GET", "/login/contoso", cookie=hint)
    [ticket] = await noted("POST", "/saml/contoso/acs", GENUINE)
    [session, _, company] = await noted("GET", "/login/finish", cookie=ticket)
    await noted("POST", "/login", {"forget": "company"}, cookie=company)
    await noted("GET", "/login/finish", cookie=ticket)
    await noted("POST", "/logout", {}, cookie=session)
    gateway.memory.sessions.add(sha256(session.partition("=")[2]).hex())
    await noted("POST", "/sessions", {"session_id": "ses_" + "a" * 32}, cookie=session)
    gateway.memory.companies["contoso"] = connection(idp_initiated="bounce")
    await noted("POST", "/saml/contoso/acs", GENUINE)

    assert len(seen) == 13
    assert len({one.partition("=")[0] for one in seen if kind(one) == cookies.TICKET}) == 1, "back under its own name"
    written = {kind(one) for one in seen if "Max-Age=0" not in one}
    taken_back = {kind(one) for one in seen if "Max-Age=0" in one}
    assert written == OURS == {"__Host-login", "__Host-ticket", "__Host-session", "__Host-hint", "__Host-company"}
    assert taken_back == OURS - {"__Host-login"}


def test_cookies_are_written_in_one_place() -> None:
    for path in Path(sso_gateway.__file__).parent.rglob("*.py"):
        if path.name != "cookies.py":
            assert not re.search(
                r"set_cookie|set-cookie|delete_cookie|request\.cookies", path.read_text(), re.IGNORECASE
            ), path


async def test_a_refusal_sets_no_cookie(gateway: Gateway) -> None:
    for path in ("/login/fabrikam", "/login?email=x", "/nowhere", "/session"):
        assert "Set-Cookie" not in (await gateway.get(path)).headers
    page = await gateway.browser.post(f"{gateway.url}/saml/contoso/acs", b"SAMLResponse=x", from_url=ENTRA)
    assert "Set-Cookie" not in page.headers
