"""An application behind a real nginx, configured as docs/forward-auth.md says: who gets in, and on whose behalf.

nginx, gateway and application are reached by one host, as they must be; the gateway takes nginx' address for its own.
"""

import asyncio
import os
import re
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from yarl import URL

from tests.entra.people import Person
from tests.entra.saml import respond
from tests.support import forward_auth, nginx
from tests.support.browser import Browser, Page
from tests.support.company import ENTRA, Company
from tests.support.forward_auth import Application
from tests.support.setup_admin import set_roles
from tests.support.stack import Stack

TEXT = "text/html,application/xhtml+xml,*/*;q=0.8"
IDENTITY = {
    "X-Identity-Company", "X-Identity-Employee-Id", "X-Identity-Login-Name", "X-Identity-Email",
    "X-Identity-Given-Name", "X-Identity-Family-Name", "X-Identity-Roles",
}  # fmt: skip

pytestmark = pytest.mark.skipif(
    nginx.NGINX is None and not os.environ.get("EVERY_TEST"), reason="no nginx here (Debian: apt-get install nginx)"
)


@dataclass
class World:
    application: Application
    company: Company
    url: str
    gateway_url: str
    anna: Person

    async def sign_in(self, browser: Browser, person: Person) -> None:
        """At the first gateway: the cookie is the host's, whatever the port."""
        await self.company.sign_in(browser, person)

    async def get(self, browser: Browser, path: str, **headers: str) -> Page:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await browser.get(self.url + path, accept=TEXT, headers=sent)


@asynccontextmanager
async def behind_nginx(stack: Stack, company: Company, folder: Path, **changes: Any) -> AsyncIterator[World]:
    async with forward_auth.behind_nginx(stack, folder, **changes) as front:
        anna = company.hire("anna", surname="Ærø")
        await company.cycle()
        yield World(front.application, company, front.url, front.gateway_url, anna)


@pytest.fixture
async def world(stack: Stack, company: Company, tmp_path: Path) -> AsyncIterator[World]:
    async with behind_nginx(stack, company, tmp_path) as made:
        yield made


async def test_the_application_sees_who_is_signed_in_and_not_the_session(world: World, browser: Browser) -> None:
    await world.sign_in(browser, world.anna)
    browser.set_cookie(world.url, "application", "its-own")
    await set_roles(world.company, world.anna, ["setup_admin", "hr_statistics"])

    page = await world.get(browser, "/reports?year=2026&month=11")

    assert (page.status, page.text) == (200, "GET /reports?year=2026&month=11")
    told = {name: unquote(*values) for name, values in world.application.identity().items()}
    assert told.keys() == IDENTITY
    roles = told.pop("X-Identity-Roles").split(",")
    assert sorted(roles) == ["hr_statistics", "setup_admin"]
    assert told == {
        "X-Identity-Company": world.company.name,
        "X-Identity-Employee-Id": world.company.scim_id(world.anna),
        "X-Identity-Login-Name": world.anna.user_principal_name,
        "X-Identity-Email": world.anna.mail,
        "X-Identity-Given-Name": "Anna",
        "X-Identity-Family-Name": "Ærø",
    }
    cookies = dict(world.application.seen[-1])["Cookie"]
    assert "application=its-own" in cookies
    assert "__Host-session" not in cookies


FORGED = [
    [("X-Identity-Roles", "setup_admin")],
    [("x-identity-roles", "setup_admin"), ("X-IDENTITY-ROLES", "setup_admin"), ("X-Identity-Employee-Id", "emp_evil")],
    [("X_Identity_Roles", "setup_admin"), ("X-Identity_Roles", "setup_admin"), ("X.Identity.Roles", "setup_admin")],
    [("X-Identity-Roles", ""), ("X-Identity-Roles", "setup_admin")],
    [("X-Identity-Roles", "setup_admin"), ("Connection", "close, X-Identity-Roles, X-Identity-Employee-Id, Cookie")],
    [("Connection", "X-Identity-Company"), ("TE", "trailers"), ("Trailer", "X-Identity-Roles")],
    [("X-Identity-Company", "another"), ("X-Original-URL", "/static/x"), ("X-Forwarded-Prefix", "/static")],
    [("X-Identity-Roles ", "setup_admin")],
    [("X-Identity-Roles\t", "setup_admin")],
]


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: forged[0][0])
async def test_what_a_caller_sends_under_our_names_never_arrives(
    world: World, browser: Browser, forged: list[tuple[str, str]]
) -> None:
    """Byte by byte, as no client library would send it. Anna has no role: her empty one must push the forged one out."""
    await world.sign_in(browser, world.anna)
    session = browser.cookies(world.url)["__Host-session"]

    status = await raw_request(world.url, forged, cookie=f"__Host-session={session}")

    if status == 200:
        told = world.application.identity()
        assert told.keys() == IDENTITY - {"X-Identity-Roles"}
        assert told["X-Identity-Company"] == [world.company.name]
        assert told["X-Identity-Employee-Id"] == [world.company.scim_id(world.anna)]
    else:
        assert status == 400
        assert world.application.seen == []


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: forged[0][0])
async def test_without_a_session_forged_headers_open_nothing(world: World, forged: list[tuple[str, str]]) -> None:
    assert await raw_request(world.url, forged, cookie="") in {400, 401}
    assert world.application.seen == []


async def raw_request(url: str, headers: list[tuple[str, str]], *, cookie: str) -> int:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"{name}: {value}" for name, value in [("Host", "127.0.0.1"), ("Cookie", cookie), *headers]]
    if not any(name == "Connection" for name, _ in headers):
        lines.append("Connection: close")
    writer.write(("\r\n".join(["GET /reports HTTP/1.1", *lines]) + "\r\n\r\n").encode("latin-1"))
    try:
        return int((await asyncio.wait_for(reader.readline(), 20)).split()[1])
    finally:
        writer.close()


async def test_a_browser_is_sent_to_sign_in_and_comes_back_to_the_page_it_wanted(
    world: World, browser: Browser
) -> None:
    """Through nginx all the way; the company's Reply URL is nginx' address."""
    wanted = "/S%C3%B8gning/r%26d?year=2026&q=%C3%A6%26b&email=x@y.example"
    page = await world.get(browser, wanted)
    assert (page.status, page.headers["Location"]) == (302, f"/login/to?{wanted}")
    assert page.headers["Cache-Control"] == "no-store"
    page = await browser.follow(page)
    assert page.shows("Work e-mail")
    [goal] = re.findall('name="return_to" value="([^"]*)"', page.text)

    form = {"email": f"anna@{world.company.name}.example", "return_to": goal.replace("&amp;", "&")}
    page = await browser.post(f"{world.url}/login", form, from_url=world.url)
    [target] = re.findall('href="(/login/[^"]+)"', page.text)
    page = await browser.get(world.url + target.replace("&amp;", "&"))
    asked = URL(page.location)
    request_id, acs_url = world.company.request_id(page.location), f"{world.url}/saml/{world.company.name}/acs"
    response = respond(
        world.company.recipe(world.anna, in_response_to=request_id, destination=acs_url, recipient=acs_url)
    )
    form = {"SAMLResponse": b64encode(response).decode(), "RelayState": asked.query["RelayState"]}
    page = await browser.post(acs_url, form, from_url=ENTRA)
    page = await browser.get(page.location)  # /login/finish
    assert page.location == world.url + wanted

    assert (await world.get(browser, wanted)).text == f"GET {wanted}"


async def test_a_program_is_told_401_and_never_redirected(world: World, browser: Browser) -> None:
    for accept in ("application/json", "*/*", ""):
        page = await browser.get(f"{world.url}/api/people", accept=accept)
        assert (page.status, page.json) == (401, {"reason": "not_signed_in"})
    form = await browser.post(f"{world.url}/api/people", {"a": "b"}, from_url=world.url, accept=TEXT)
    assert form.status == 401, "a form is not thrown away by a redirect that forgets it"
    assert world.application.seen == []


async def test_whoever_is_suspended_meanwhile_is_out_at_the_next_request(world: World, browser: Browser) -> None:
    await world.sign_in(browser, world.anna)
    assert (await world.get(browser, "/")).status == 200
    await world.company.suspend(world.company.scim_id(world.anna))
    assert (await world.get(browser, "/")).status == 302
    assert (await browser.get(f"{world.url}/", accept="application/json")).status == 401
    assert len(world.application.seen) == 1


async def test_whoever_signs_out_through_nginx_is_out(world: World, browser: Browser) -> None:
    await world.sign_in(browser, world.anna)
    assert (await world.get(browser, "/")).status == 200
    assert (await browser.post(f"{world.url}/logout", {}, from_url=world.url)).status == 303
    assert (await world.get(browser, "/")).status == 302


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def test_every_method_is_asked_about_and_passes_with_its_body(
    world: World, browser: Browser, http: aiohttp.ClientSession, method: str
) -> None:
    body = b"x" * (0 if method in {"HEAD", "OPTIONS", "DELETE"} else 3_000_000)
    async with http.request(method, f"{world.url}/x", data=body or None) as answer:
        assert answer.status == 401
    assert world.application.seen == []
    await world.sign_in(browser, world.anna)
    headers = {"Cookie": f"__Host-session={browser.cookies(world.url)['__Host-session']}"}
    async with http.request(method, f"{world.url}/x", data=body or None, headers=headers) as answer:
        assert answer.status == 200
        assert (await answer.text()) == ("" if method == "HEAD" else f"{method} /x")
    assert world.application.bodies == [len(body)]


async def test_a_body_of_unknown_length_reaches_the_application_alone(
    world: World, browser: Browser, http: aiohttp.ClientSession
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"y" * 100_000

    await world.sign_in(browser, world.anna)
    headers = {"Cookie": f"__Host-session={browser.cookies(world.url)['__Host-session']}"}
    async with http.post(f"{world.url}/upload", data=pieces(), headers=headers) as answer:
        assert answer.status == 200
    assert world.application.bodies == [4_000_000]


async def test_a_web_socket_opens_for_whoever_is_signed_in(
    world: World, browser: Browser, http: aiohttp.ClientSession
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(f"{world.url}/live")
    assert refused.value.status == 401
    await world.sign_in(browser, world.anna)
    headers = {"Cookie": f"__Host-session={browser.cookies(world.url)['__Host-session']}"}
    async with http.ws_connect(f"{world.url}/live", headers=headers) as opened:
        assert (await opened.receive_str()) == "hello"
    assert world.application.identity()["X-Identity-Company"] == [world.company.name]


async def test_without_a_gateway_nobody_gets_in(
    stack: Stack, company: Company, browser: Browser, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with behind_nginx(stack, company, tmp_path, gateway_url=nobody) as world:
            await world.sign_in(browser, world.anna)
            for accept in (TEXT, "application/json"):
                assert (await browser.get(f"{world.url}/", accept=accept)).status == 500
            assert world.application.seen == []


async def test_without_directory_nobody_gets_in(
    stack: Stack, company: Company, browser: Browser, tmp_path: Path
) -> None:
    async with behind_nginx(stack, company, tmp_path, directory_url="http://127.0.0.1:1") as world:
        await world.sign_in(browser, world.anna)
        for accept in (TEXT, "application/json"):
            assert (await browser.get(f"{world.url}/", accept=accept)).status == 500
        assert world.application.seen == []


async def test_an_application_of_one_company_lets_no_other_company_in(
    stack: Stack, company: Company, neighbour: Company, browser: Browser, other_browser: Browser, tmp_path: Path
) -> None:
    """S74: and whoever is not let in reads why, in the gateway's own page."""
    stranger = neighbour.hire("bo")
    await neighbour.cycle()
    async with behind_nginx(stack, company, tmp_path, conditions=f"?company={company.name}") as world:
        await world.sign_in(browser, world.anna)
        await neighbour.sign_in(other_browser, stranger)
        assert (await world.get(browser, "/")).status == 200
        refused = await world.get(other_browser, "/")
        assert (refused.status, len(world.application.seen)) == (403, 1)
        assert refused.shows("not_for_you")
        assert company.name not in refused.text
        posted = await other_browser.post(f"{world.url}/x", {"a": "b"}, from_url=world.url)
        assert (posted.status, len(world.application.seen)) == (403, 1)


async def test_an_application_for_a_role_lets_in_whoever_has_it_at_the_moment(
    stack: Stack, company: Company, browser: Browser, tmp_path: Path
) -> None:
    async with behind_nginx(stack, company, tmp_path, conditions="?role=setup_admin") as world:
        await world.sign_in(browser, world.anna)
        assert (await world.get(browser, "/")).status == 403
        await set_roles(company, world.anna, ["setup_admin"])
        assert (await world.get(browser, "/")).status == 200
        await set_roles(company, world.anna, [])
        assert (await world.get(browser, "/")).status == 403


async def test_a_typo_in_the_ingress_shuts_the_door(
    stack: Stack, company: Company, browser: Browser, tmp_path: Path
) -> None:
    async with behind_nginx(stack, company, tmp_path, conditions="?compnay=x") as world:
        await world.sign_in(browser, world.anna)
        assert (await world.get(browser, "/")).status == 500
        assert world.application.seen == []


async def test_no_parameter_of_a_browser_is_a_condition(world: World, browser: Browser) -> None:
    await world.sign_in(browser, world.anna)
    for query in ("company=another", "compnay=x", "role=setup_admin"):
        assert (await world.get(browser, f"/?{query}")).status == 200


@pytest.mark.parametrize(
    "path", ["/forward-auth", "/login/../reports", "/static/../reports", "//login/x", "/LOGIN", "/authority"]
)
async def test_no_way_of_writing_a_path_leads_around_the_question(world: World, path: str) -> None:
    host, _, port = world.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    status = int((await asyncio.wait_for(reader.readline(), 20)).split()[1])
    writer.close()
    assert status in {401, 404}
    assert world.application.seen == []
