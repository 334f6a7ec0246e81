"""A gateway on a real socket, over a directory of dictionaries, at a fixed time."""

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import msgspec
import pytest

from shared.http.service import Service
from sso_gateway.app import create_service
from sso_gateway.settings import Settings
from tests.support.app_clients import provider_settings
from tests.support.browser import Browser, Page
from tests.support.clock import remembering_no_session
from tests.support.saml_responses import NOW
from tests.unit.sso_gateway.fake_directory import FakeDirectory, Memory

PUBLIC_URL = "http://127.0.0.1:8080"
ENTRA = "http://localhost:8090"


@dataclass
class Gateway:
    """The gateway under test, and a browser in front of it."""

    url: str
    ops_url: str
    memory: Memory
    browser: Browser
    http: aiohttp.ClientSession

    async def get(self, path: str, **options: str) -> Page:
        return await self.browser.get(self.url + path, **options)  # type: ignore[arg-type]

    async def post_response(
        self, document: bytes, *, relay_state: str | None = None, company: str = "contoso", accept: str = "text/html"
    ) -> Page:
        form = {"SAMLResponse": b64encode(document).decode()}
        if relay_state is not None:
            form["RelayState"] = relay_state
        return await self.browser.post(f"{self.url}/saml/{company}/acs", form, from_url=ENTRA, accept=accept)

    async def post_body(
        self, body: bytes, content_type: str = "application/x-www-form-urlencoded", company: str = "contoso"
    ) -> Page:
        headers = {"Content-Type": content_type}
        url = f"{self.url}/saml/{company}/acs"
        return await self.browser.post(url, body, from_url=ENTRA, accept="application/json", headers=headers)

    def another_browser(self, language: str = "en") -> Browser:
        return Browser(self.http, language=language)


def settings(**changes: object) -> Settings:
    return msgspec.convert(
        {
            "host": "127.0.0.1",
            "port": 0,
            "ops_port": 0,
            "shutdown_grace_s": 1,
            "directory_url": "http://127.0.0.1:1",
            "directory_secret": "not a secret",
            "public_url": PUBLIC_URL,
            **provider_settings(),
            **changes,
        },
        Settings,
    )


@dataclass
class Running:
    service: Service
    directory: FakeDirectory
    http: aiohttp.ClientSession


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[Running]:
    """One gateway for all tests, which remembers no connection and no session; directory's memory is new for each."""
    directory = FakeDirectory()
    service = create_service(
        settings(connection_ttl_s=0), clock=lambda: NOW, now=remembering_no_session(), client=directory
    )
    await service.start()
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield Running(service, directory, http)
    finally:
        await service.stop()


@pytest.fixture
def gateway(running: Running) -> Gateway:
    return gateway_of(running)


def gateway_of(running: Running) -> Gateway:
    """With a new browser, and a directory that remembers nothing."""
    running.directory.memory = Memory()
    url, ops_url = f"http://127.0.0.1:{running.service.port}", f"http://127.0.0.1:{running.service.ops_port}"
    return Gateway(url, ops_url, running.directory.memory, Browser(running.http), running.http)
