"""A browser's manners, without a browser: cookies by site and SameSite, redirects one at a time, forms.

Chromium itself is in tests/browser; this one makes a journey fast and every header visible.
"""

import re
from dataclasses import dataclass
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec
from yarl import URL


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.text)

    @property
    def location(self) -> str:
        """Where a redirect leads, absolute."""
        assert self.status in {302, 303}, (self.status, self.text[:300])
        return urljoin(self.url, self.headers["Location"])

    @property
    def trace_id(self) -> str:
        found = re.search(r"\b[0-9a-f]{32}\b", self.text)
        assert found, self.text
        return found[0]

    def shows(self, text: str) -> bool:
        return text in unescape(self.text)


def ticket_named_by(accepted: Page) -> str:
    """The cookie of the ticket that an accepted answer's redirect means."""
    path, _, tag = accepted.location.partition("/login/finish?t=")
    assert tag, path
    return f"__Host-ticket-{tag}"


@dataclass(slots=True)
class _Cookie:
    value: str
    same_site: str


class Browser:
    """One person's browser. `language` goes out as Accept-Language."""

    def __init__(self, http: aiohttp.ClientSession, *, language: str = "en") -> None:
        self._http = http
        self._language = language
        self._cookies: dict[str, dict[str, _Cookie]] = {}

    def cookies(self, url: str) -> dict[str, str]:
        """What is stored for the host of an address (ports share cookies)."""
        return {name: cookie.value for name, cookie in self._cookies.get(_host(url), {}).items()}

    def set_cookie(self, url: str, name: str, value: str) -> None:
        self._cookies.setdefault(_host(url), {})[name] = _Cookie(value, "lax")

    def forget_cookies(self) -> None:
        self._cookies.clear()

    async def get(self, url: str, *, accept: str = "text/html", headers: dict[str, str] | None = None) -> Page:
        """A navigation: Lax cookies go along, wherever it came from."""
        return await self._send("GET", url, None, accept, headers or {}, withhold_lax=False)

    async def post(
        self,
        url: str,
        form: dict[str, str] | bytes,
        *,
        from_url: str | None = None,
        accept: str = "text/html",
        headers: dict[str, str] | None = None,
    ) -> Page:
        """A form sent from a page at `from_url`; from another site it carries no Lax cookies."""
        cross_site = from_url is not None and _host(from_url) != _host(url)
        sent = dict(headers or {})
        if from_url is not None:
            parts = urlsplit(from_url)
            sent.setdefault("Origin", f"{parts.scheme}://{parts.netloc}")
            sent.setdefault("Sec-Fetch-Site", "cross-site" if cross_site else "same-origin")
        return await self._send("POST", url, form, accept, sent, withhold_lax=cross_site)

    async def follow(self, page: Page, *, most: int = 5) -> Page:
        """Redirects until there is a page."""
        for _ in range(most):
            if page.status not in {302, 303}:
                return page
            page = await self.get(page.location)
        raise AssertionError(f"more than {most} redirects, the last to {page.url}")

    async def _send(
        self,
        method: str,
        url: str,
        form: dict[str, str] | bytes | None,
        accept: str,
        headers: dict[str, str],
        *,
        withhold_lax: bool,
    ) -> Page:
        jar = self._cookies.get(_host(url), {})
        cookie = "; ".join(
            f"{name}={cookie.value}"
            for name, cookie in jar.items()
            if not (withhold_lax and cookie.same_site != "none")
        )
        sent = {
            "Accept": accept,
            "Accept-Language": self._language,
            **({"Cookie": cookie} if cookie else {}),
            **headers,
        }
        if isinstance(form, bytes):
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        async with self._http.request(
            method, URL(url, encoded=True), data=form, headers=sent, allow_redirects=False
        ) as answer:
            text = await answer.text()
            for header in answer.headers.getall("Set-Cookie", []):
                self._keep(url, header)
            return Page(url, answer.status, dict(answer.headers), text)

    def _keep(self, url: str, header: str) -> None:
        jar = self._cookies.setdefault(_host(url), {})
        for name, morsel in SimpleCookie(header).items():
            if name.startswith("__Host-"):
                assert morsel["secure"], header
                assert morsel["path"] == "/", header
                assert not morsel["domain"], header
            if morsel["max-age"] == "0" or not morsel.value:
                jar.pop(name, None)
            else:
                jar[name] = _Cookie(morsel.value, (morsel["samesite"] or "lax").lower())


def tickets_of(browser: Browser, url: str) -> dict[str, str]:
    """By cookie name: logins that were accepted in this browser and are not finished; the oldest first."""
    return {name: value for name, value in browser.cookies(url).items() if name.startswith("__Host-ticket")}


def browser_secrets_of(browser: Browser, url: str) -> dict[str, str]:
    """By cookie name: the secrets to which logins that began in this browser are bound; the oldest first."""
    return {name: value for name, value in browser.cookies(url).items() if name.startswith("__Host-login")}


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
