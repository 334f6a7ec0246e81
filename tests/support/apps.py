"""An app of the OpenID Provider under test that asks by plain HTTP."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import asyncpg
from joserfc import jwt
from joserfc.jwk import KeySet
from yarl import URL

from tests.entra.people import Person
from tests.support.app_clients import BACK_END_SECRET, MOBILE_RETURN, PORTAL_RETURN, PORTAL_SECRET
from tests.support.browser import Browser, Page
from tests.support.company import Company


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> str:
        assert self.status >= 400, self.text
        return str(self.json["error"])


@dataclass
class App:
    """One app, with one login of it under way."""

    http: aiohttp.ClientSession
    provider: str
    client_id: str = "web-portal"
    secret: str | None = PORTAL_SECRET
    redirect_uri: str = PORTAL_RETURN
    scope: str = "openid profile email"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def question(self, **changes: str | None) -> str:
        """The address that begins a login; a parameter that is None is left out."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        asked: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": self.scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{self.provider}/oauth2/authorize?{query}"

    def answered(self, page: Page) -> dict[str, str]:
        """What came back to the app."""
        address = page.headers["Location"]
        assert address.startswith(self.redirect_uri), address
        answer = dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
        assert answer["iss"] == self.provider
        assert answer.get("state") == self.state
        return answer

    async def code(self, browser: Browser, **changes: str | None) -> str:
        """In a browser in which somebody is signed in."""
        return self.answered(await browser.get(self.question(**changes)))["code"]

    async def call(self, path: str, form: dict[str, str] | str, **headers: str) -> Answer:
        body = form if isinstance(form, str) else urlencode(form)
        sent = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        url = URL(f"{self.provider}/oauth2/{path}", encoded=True)
        async with self.http.post(url, data=body, headers=sent) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    def _own(self) -> dict[str, str]:
        return {"client_id": self.client_id, **({"client_secret": self.secret} if self.secret is not None else {})}

    async def exchange(self, code: str, **changes: str) -> Answer:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            **self._own(),
            **changes,
        }
        return await self.call("token", form)

    async def tokens(self, browser: Browser) -> dict[str, Any]:
        answer = await self.exchange(await self.code(browser))
        assert answer.status == 200, answer.text
        return dict(answer.json)

    async def refresh(self, refresh_token: str, **changes: str) -> Answer:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **self._own(), **changes}
        return await self.call("token", form)

    async def revoke(self, token: str) -> Answer:
        return await self.call("revoke", {"token": token, **self._own()})

    async def userinfo(self, access_token: str) -> Answer:
        headers = {"Authorization": f"Bearer {access_token}"}
        async with self.http.get(f"{self.provider}/oauth2/userinfo", headers=headers) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    async def claims(self, token: str) -> dict[str, Any]:
        """Of a token that is signed by a key which the provider publishes."""
        async with self.http.get(f"{self.provider}/oauth2/jwks") as answer:
            keys = KeySet.import_key_set(await answer.json(content_type=None))
        return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)


def portal(company: Company, http: aiohttp.ClientSession, **changes: Any) -> App:
    return App(http, company.stack.sso_url, **changes)


def mobile(company: Company, http: aiohttp.ClientSession, **changes: Any) -> App:
    own = {"client_id": "mobile-app", "secret": None, "redirect_uri": MOBILE_RETURN, "scope": "openid offline_access"}
    return App(http, company.stack.sso_url, **{**own, **changes})


async def introspect(app: App, token: str) -> dict[str, Any]:
    """As the back end does."""
    own = base64.b64encode(f"back-end:{BACK_END_SECRET.replace('%', '%25')}".encode()).decode()
    answer = await app.call("introspect", {"token": token}, Authorization=f"Basic {own}")
    assert answer.status == 200, answer.text
    return dict(answer.json)


async def signed_in(company: Company, browser: Browser, alias: str = "anna") -> Person:
    """Somebody whom Entra has provisioned, signed in in this browser."""
    person = company.hire(alias)
    await company.cycle()
    page = await company.sign_in(browser, person)
    assert page.status == 200
    return person


async def as_owner(company: Company, sql: str) -> str:
    """A statement about the company's own rows; what it did."""
    owner = await asyncpg.connect(company.stack.owner_url)
    try:
        async with owner.transaction():
            await owner.execute("select registry.enter_by_name($1)", company.name)
            return str(await owner.execute(f"{sql} where company_id = current_company()"))
    finally:
        await owner.close()
