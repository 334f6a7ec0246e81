"""Apps by other hands sign people in with us: authlib's client and npm's openid-client, through the whole life of a login.

Each finds the provider by its discovery document, verifies our tokens by our published keys, and does so by its own idea of the
standards: what both accept is not our own understanding alone.
"""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from authlib.integrations.starlette_client import OAuth, OAuthError, StarletteOAuth2App
from starlette.requests import Request

from tests.entra.people import Person
from tests.entra.saml_requests import decode_redirect, parse_request
from tests.support.app_clients import (
    BACK_END_SECRET,
    MOBILE_RETURN,
    PORTAL_PLAIN_RETURN,
    PORTAL_RETURN,
    PORTAL_SECRET,
)
from tests.support.browser import Browser, Page
from tests.support.company import Company
from tests.support.openid_client import OpenIdClient, Refused, openid_client

AFTERWARDS = "https://portal.example/"
PHONE_AFTERWARDS = "com.bitabiz.app:/signed-out"


async def sign_in(company: Company, browser: Browser, address: str, person: Person) -> str:
    """From the app's question by way of Entra to the address at which the app is answered."""
    page = await _until_elsewhere(browser, await browser.get(address), company.stack.sso_url)
    asked = parse_qs(urlsplit(page.location).query)
    request = parse_request(decode_redirect(asked["SAMLRequest"][0]))
    recipe = company.recipe(person, in_response_to=request.id)
    page = await company.post_response(browser, recipe, relay_state=asked["RelayState"][0])
    return (await _until_elsewhere(browser, page, company.stack.sso_url)).location


async def _until_elsewhere(browser: Browser, page: Page, ours: str) -> Page:
    for _ in range(5):
        if not page.location.startswith(ours):
            return page
        page = await browser.get(page.location)
    raise AssertionError(page.location)


async def anna_of(company: Company) -> Person:
    anna = company.hire("anna", surname="Ærø")
    await company.cycle()
    return anna


# npm's openid-client.


@pytest.fixture
async def node() -> AsyncIterator[OpenIdClient]:
    async with openid_client() as running:
        yield running


@pytest.fixture
async def back_end(company: Company) -> AsyncIterator[OpenIdClient]:
    async with openid_client() as running:
        await running("discover", issuer=company.stack.sso_url, clientId="back-end", secret=BACK_END_SECRET)
        yield running


async def test_openid_client_is_a_web_portal(
    company: Company, browser: Browser, node: OpenIdClient, back_end: OpenIdClient
) -> None:
    anna = await anna_of(company)
    found = await node("discover", issuer=company.stack.sso_url, clientId="web-portal", secret=PORTAL_SECRET)
    assert found["issuer"] == company.stack.sso_url
    parameters = {"login_hint": anna.user_principal_name}
    scope = "openid profile email"
    address = await node("begin", redirectUri=PORTAL_PLAIN_RETURN, scope=scope, parameters=parameters)

    tokens = await node("finish", address=await sign_in(company, browser, address, anna))

    claims = tokens["claims"]
    assert claims["sub"] == claims["employee_id"] == company.scim_id(anna)
    assert (claims["company"], claims["roles"], claims["name"]) == (company.name, [], "Anna Ærø")
    about = await node("userinfo", accessToken=tokens["access_token"], subject=claims["sub"])
    assert (about["company"], about["email"]) == (company.name, anna.user_principal_name)
    asked = await back_end("introspect", token=tokens["access_token"])
    assert (asked["active"], asked["client_id"], asked["sub"]) == (True, "web-portal", claims["sub"])

    fresh = await node("refresh", refreshToken=tokens["refresh_token"])
    assert fresh["claims"]["sub"] == claims["sub"]
    newest = await node("refresh", refreshToken=fresh["refresh_token"])
    with pytest.raises(Refused, match="invalid_grant"):
        await node("refresh", refreshToken=tokens["refresh_token"])
    with pytest.raises(Refused, match="invalid_grant"):
        await node("refresh", refreshToken=newest["refresh_token"])
    assert not (await back_end("introspect", token=newest["access_token"]))["active"]

    # Signed in still: the next login of the app asks nobody anything.
    address = await node("begin", redirectUri=PORTAL_PLAIN_RETURN, scope="openid", parameters={"prompt": "none"})
    again = await node("finish", address=(await browser.get(address)).location)
    await node("revoke", token=again["refresh_token"])
    assert not (await back_end("introspect", token=again["refresh_token"]))["active"]

    address = await node("logout", idToken=again["id_token"], goal=AFTERWARDS, state="done")
    assert (await browser.get(address)).location == f"{AFTERWARDS}?state=done"
    assert (await company.session(browser)).status == 401
    address = await node("begin", redirectUri=PORTAL_PLAIN_RETURN, scope="openid", parameters={"prompt": "none"})
    with pytest.raises(Refused, match="login_required"):
        await node("finish", address=(await browser.get(address)).location)


async def test_openid_client_is_a_mobile_app(
    company: Company, browser: Browser, node: OpenIdClient, back_end: OpenIdClient
) -> None:
    """S5, S46: with a scheme of its own, a public client, and a session of its own that ends with the person's access."""
    anna = await anna_of(company)
    await node("discover", issuer=company.stack.sso_url, clientId="mobile-app", secret=None)
    parameters = {"company": company.name, "prompt": "consent"}
    address = await node("begin", redirectUri=MOBILE_RETURN, scope="openid offline_access", parameters=parameters)
    answered = await sign_in(company, browser, address, anna)
    assert answered.startswith("com.bitabiz.app:/callback?code=")
    tokens = await node("finish", address=answered)
    assert tokens["claims"]["employee_id"] == company.scim_id(anna)

    await browser.post(f"{company.stack.sso_url}/logout", {}, from_url=company.stack.sso_url)
    tokens = await node("refresh", refreshToken=tokens["refresh_token"])
    subject = tokens["claims"]["sub"]
    assert (await node("userinfo", accessToken=tokens["access_token"], subject=subject))["sub"] == subject

    await company.suspend(company.scim_id(anna))

    with pytest.raises(Refused, match="invalid_grant"):
        await node("refresh", refreshToken=tokens["refresh_token"])
    with pytest.raises(Refused):
        await node("userinfo", accessToken=tokens["access_token"], subject=subject)
    assert not (await back_end("introspect", token=tokens["access_token"]))["active"]
    address = await node("begin", redirectUri=MOBILE_RETURN, scope="openid", parameters={"prompt": "none"})
    with pytest.raises(Refused, match="login_required"):
        await node("finish", address=(await browser.get(address)).location)


# authlib.


class Authlib:
    """An app on Starlette, as authlib would have it; its session is a dictionary."""

    def __init__(self, provider: str, client_id: str, secret: str | None, scope: str) -> None:
        proof = {} if secret else {"token_endpoint_auth_method": "none"}
        self.app: StarletteOAuth2App = OAuth().register(
            "ours",
            client_id=client_id,
            client_secret=secret,
            server_metadata_url=f"{provider}/.well-known/openid-configuration",
            client_kwargs={"scope": scope, "code_challenge_method": "S256", **proof},
        )
        self._session: dict[str, Any] = {}

    def _request(self, query: str = "") -> Request:
        return Request({"type": "http", "session": self._session, "query_string": query.encode(), "headers": []})

    async def begin(self, redirect_uri: str, **parameters: str) -> str:
        redirect = await self.app.authorize_redirect(self._request(), redirect_uri, **parameters)
        return str(redirect.headers["location"])

    async def finish(self, address: str) -> dict[str, Any]:
        return dict(await self.app.authorize_access_token(self._request(urlsplit(address).query)))

    async def call(self, what: str, *given: Any, **more: Any) -> Any:
        metadata = await self.app.load_server_metadata()
        endpoint = {"refresh_token": "token", "revoke_token": "revocation", "introspect_token": "introspection"}[what]
        async with self.app._get_oauth_client(**metadata) as client:
            return await getattr(client, what)(metadata[f"{endpoint}_endpoint"], *given, **more)


async def test_authlib_is_a_web_portal(company: Company, browser: Browser) -> None:
    anna = await anna_of(company)
    portal = Authlib(company.stack.sso_url, "web-portal", PORTAL_SECRET, "openid profile email")
    address = await portal.begin(PORTAL_RETURN, login_hint=anna.user_principal_name)

    tokens = await portal.finish(await sign_in(company, browser, address, anna))

    claims = tokens["userinfo"]
    assert claims["sub"] == claims["employee_id"] == company.scim_id(anna)
    assert (claims["company"], claims["roles"], claims["family_name"]) == (company.name, [], "Ærø")
    assert (await portal.app.userinfo(token=tokens))["email"] == anna.user_principal_name
    back_end = Authlib(company.stack.sso_url, "back-end", BACK_END_SECRET, "")
    asked = (await back_end.call("introspect_token", tokens["access_token"])).json()
    assert (asked["active"], asked["company"]) == (True, company.name)

    fresh = await portal.call("refresh_token", refresh_token=tokens["refresh_token"])
    await portal.call("refresh_token", refresh_token=fresh["refresh_token"])
    with pytest.raises(OAuthError, match="invalid_grant"):
        await portal.call("refresh_token", refresh_token=tokens["refresh_token"])
    assert (await back_end.call("introspect_token", fresh["access_token"])).json() == {"active": False}

    address = await portal.begin(PORTAL_RETURN, prompt="none")
    again = await portal.finish((await browser.get(address)).location)
    assert (await portal.call("revoke_token", again["refresh_token"])).status_code == 200
    assert (await back_end.call("introspect_token", again["refresh_token"])).json() == {"active": False}

    logout = await portal.app.create_logout_url(AFTERWARDS, id_token_hint=again["id_token"])
    assert (await browser.get(logout["url"])).location == f"{AFTERWARDS}?state={logout['state']}"
    assert (await company.session(browser)).status == 401
    address = await portal.begin(PORTAL_RETURN, prompt="none")
    with pytest.raises(OAuthError, match="login_required"):
        await portal.finish((await browser.get(address)).location)


async def test_authlib_is_a_mobile_app(company: Company, browser: Browser) -> None:
    """S5: the same person from the phone, after Microsoft 365 and the browser."""
    anna = await anna_of(company)
    page = await company.post_response(browser, company.recipe(anna))
    assert (await browser.follow(page)).status == 200
    phone = Authlib(company.stack.sso_url, "mobile-app", None, "openid offline_access")
    page = await browser.get(await phone.begin(MOBILE_RETURN, company=company.name))
    tokens = await phone.finish(page.location)
    assert tokens["userinfo"]["sub"] == company.scim_id(anna) == (await company.session(browser)).json["employee_id"]

    await browser.get(company.broadcast(None, anna.user_principal_name))
    assert (await company.session(browser)).status == 401
    tokens = await phone.call("refresh_token", refresh_token=tokens["refresh_token"])
    await company.suspend(company.scim_id(anna))
    with pytest.raises(OAuthError, match="invalid_grant"):
        await phone.call("refresh_token", refresh_token=tokens["refresh_token"])


def claims_of(token: str) -> dict[str, Any]:
    """Unproven."""
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


async def test_what_openid_client_is_answered_names_nothing_but_what_it_asked_for(
    company: Company, browser: Browser, node: OpenIdClient
) -> None:
    anna = await anna_of(company)
    await node("discover", issuer=company.stack.sso_url, clientId="web-portal", secret=PORTAL_SECRET)
    address = await node("begin", redirectUri=PORTAL_PLAIN_RETURN, scope="openid", parameters={"company": company.name})
    answered = await sign_in(company, browser, address, anna)
    assert set(dict(parse_qsl(urlsplit(answered).query))) == {"code", "state", "iss"}
    tokens = await node("finish", address=answered)
    for token in (tokens["id_token"], tokens["access_token"]):
        assert not {"name", "email", "preferred_username", "given_name"} & claims_of(token).keys()
