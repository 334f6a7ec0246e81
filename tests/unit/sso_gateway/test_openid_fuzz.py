"""Whatever is asked of the provider: never a fault, and nobody is ever sent to an address that is not a client's own.

Searched for longer with OPENID_EXAMPLES=20000.
"""

import asyncio
import json
import os
from typing import Any
from urllib.parse import urlencode, urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

from shared.tokens import company_of_token, sha256
from sso_gateway.app import create_service
from tests.support.app_clients import (
    BACK_END_SECRET,
    CLIENTS,
    MOBILE_RETURN,
    PORTAL_PLAIN_RETURN,
    PORTAL_RETURN,
    PORTAL_SECRET,
)
from tests.support.saml_responses import NOW
from tests.unit.sso_gateway.conftest import settings as gateway_settings
from tests.unit.sso_gateway.fake_directory import COMPANY_ID, FakeDirectory

EXAMPLES = int(os.environ.get("OPENID_EXAMPLES", "300"))
SESSION = "AZjA3gAAcACAAAAAAAAAAQ" + "A" * 42
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

VALUES: dict[str, list[str]] = {
    "client_id": ["web-portal", "mobile-app", "page-app", "back-end", "nobody"],
    "redirect_uri": [
        PORTAL_RETURN,
        PORTAL_PLAIN_RETURN,
        MOBILE_RETURN,
        "http://127.0.0.1:81/callback",
        "//evil.example",
    ],
    "response_type": ["code", "token", "code id_token"],
    "response_mode": ["query", "form_post"],
    "scope": ["openid", "openid offline_access email", "email"],
    "state": ["x", "&redirect_uri=https://evil.example", "a\r\nLocation: https://evil.example", "s" * 1990],
    "nonce": ["n"],
    "code_challenge": [CHALLENGE, "x"],
    "code_challenge_method": ["S256", "plain"],
    "prompt": ["none", "login", "select_account", "consent", "none login"],
    "max_age": ["0", "60", "9999999999", "-1"],
    "company": ["contoso", "fabrikam", "//evil.example", "finish"],
    "login_hint": ["anna@contoso.com", "anna@nowhere.example", "anna"],
    "id_token_hint": ["a.b.c", "x"],
    "signed_in_as": ["emp_0190d0b8f1c27abc8def0123456789ab", "x"],
    "signed_in_after": ["0", "9999999999", "x"],
    "request": ["x"],
    "grant_type": ["authorization_code", "refresh_token", "password"],
    "code": ["A" * 64, "AZjA3gAAcACAAAAAAAAAAQ" + "B" * 42, "x"],
    "code_verifier": ["v" * 43, "v"],
    "refresh_token": ["A" * 86, "x"],
    "token": ["A" * 86, "a.b.c", "x"],
    "client_secret": [PORTAL_SECRET, "x"],
    "post_logout_redirect_uri": ["https://portal.example/", "com.bitabiz.app:/signed-out", "https://evil.example"],
    "confirmed": ["yes"],
}
PROVEN = (
    {"client_id": "web-portal", "client_secret": PORTAL_SECRET},
    {"client_id": "back-end", "client_secret": BACK_END_SECRET},
    {"client_id": "mobile-app"},
)
OWN = {
    one
    for client in CLIENTS["clients"]
    for name in ("redirect_uris", "post_logout_redirect_uris")
    for one in client.get(name, [])
}
_ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@st.composite
def questions(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Mostly parameters that mean something with values that do; now and then twice, or anything at all."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=len(VALUES), unique=True))
    fields = [
        (name, draw(st.one_of(st.sampled_from(VALUES[name]), st.sampled_from(VALUES[name][:1]), _ANY)))
        for name in names
    ]
    if draw(st.booleans()):
        good = ("client_id", "redirect_uri", "response_type", "scope", "code_challenge", "code_challenge_method")
        fields = [(name, VALUES[name][0]) for name in good] + [one for one in fields if one[0] not in good]
    return fields + draw(st.lists(st.tuples(st.sampled_from(sorted(VALUES)), _ANY), max_size=1))


def a_service() -> tuple[ASGIApp, FakeDirectory]:
    directory = FakeDirectory()
    rates = {"login_rate_per_company": 0, "login_rate_per_address": 0, "oidc_rate_per_company": 0}
    return create_service(gateway_settings(**rates), clock=lambda: NOW, client=directory).app, directory


APP, DIRECTORY = a_service()


def ask(
    method: str, path: str, query: bytes, body: bytes, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query, "scheme": "http",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asyncio.run(APP(scope, receive, send))  # type: ignore[arg-type]
    answered = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:])


def check_target(target: str) -> None:
    """Ours, or a client's own with our answer behind it."""
    parts = urlsplit(target)
    if not parts.scheme:
        assert target.startswith("/"), target
        assert not target.startswith(("//", "/\\")), target
        return
    bare = {one.partition("?")[0] for one in OWN} | {"http://127.0.0.1:81/callback"}
    assert target.partition("?")[0] in bare, target


@given(
    fields=questions(), signed_in=st.booleans(), by_form=st.booleans(), path=st.sampled_from(["authorize", "logout"])
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_question_of_a_browser_is_a_fault_or_leads_astray(
    fields: list[tuple[str, str]], signed_in: bool, by_form: bool, path: str
) -> None:

    DIRECTORY.memory.sessions = {sha256(SESSION).hex()} if signed_in else set()
    headers = {"Cookie": f"__Host-session={SESSION}", "Sec-Fetch-Site": "same-origin"}
    raw = urlencode(fields).encode()
    status, answered, page = ask(
        "POST" if by_form else "GET", f"/oauth2/{path}", b"" if by_form else raw, raw if by_form else b"", headers
    )
    assert status < 500, page
    assert "evil.example" not in answered.get("location", "").partition("?")[0]
    if status in {302, 303}:
        check_target(answered["location"])


@given(
    fields=questions(),
    path=st.sampled_from(["token", "introspect", "revoke", "userinfo"]),
    authorization=st.sampled_from(["", "", "", "Bearer a.b.c", "Basic eDp4", "Basic d2ViLXBvcnRhbDo="]),
    own=st.sampled_from([{}, *PROVEN]),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_call_of_an_app_is_a_fault(
    fields: list[tuple[str, str]], path: str, authorization: str, own: dict[str, str]
) -> None:
    fields = [*own.items(), *(one for one in fields if one[0] not in own)] if own else fields
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if authorization:
        headers["Authorization"] = authorization
    status, answered, body = ask("POST", f"/oauth2/{path}", b"", urlencode(fields).encode(), headers)
    assert status < 500, body
    assert answered["cache-control"] == "no-store"
    assert status == 200 or set(json.loads(body)) == {"error", "error_description"}


@given(raw=st.binary(max_size=200), path=st.sampled_from(["authorize", "logout", "token", "introspect", "revoke"]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_bytes_are_a_fault(raw: bytes, path: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    for method, query, body in (("GET", raw, b""), ("POST", b"", raw)):
        status, answered, page = ask(method, f"/oauth2/{path}", query, body, headers)
        assert status < 500, page
        if status in {302, 303}:
            check_target(answered["location"])


def test_the_session_of_these_tests_is_one_of_the_company() -> None:

    assert str(company_of_token(SESSION)) == COMPANY_ID
