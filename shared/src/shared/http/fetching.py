"""Fetching a document of an Entra tenant: from allowed hosts alone, over https, without redirects, bounded in time and size."""

from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from opentelemetry.trace import SpanKind

from shared.entra_issuer import LOOPBACK
from shared.settings import SettingsError
from shared.telemetry.tracing import internal_span

MAX_BYTES = 256 * 1024
TIMEOUT_S = 3.0

Hosts = frozenset[tuple[str, str]]
"""Scheme and host."""


class FetchFailed(Exception):
    """The document could not be had; `reason` is a word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def allowed_hosts(setting: str, name: str) -> Hosts:
    """Scheme and host of each, from `login.microsoftonline.com,http://127.0.0.1`; `name` of the setting.

    Raises SettingsError for plain http to anywhere but a loopback address, and for what is more than a host.
    """
    found = set()
    for entry in filter(None, (part.strip() for part in setting.split(","))):
        scheme, separator, host = entry.rpartition("://")
        scheme = scheme if separator else "https"
        if (scheme, host in LOOPBACK) not in (("https", False), ("http", True)) or not host.replace(".", "").replace(
            "-", ""
        ).isalnum():
            raise SettingsError(
                f"{name} is wrong: '{entry}' is no host by itself (http:// is for a loopback address alone)."
            )
        found.add((scheme, host.lower()))
    return frozenset(found)


class Fetcher:
    """Opened once per process (`async with`)."""

    def __init__(self, allowed: Hosts, *, accept: str, timeout_s: float = TIMEOUT_S) -> None:
        self._allowed = allowed
        self._accept = accept
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # No limit on connections: all tenants are behind one host, and those who are slow must not use up the others' share.
        # Whoever fetches opens one a tenant at most.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"Accept": self._accept, "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def is_on(self) -> bool:
        return bool(self._allowed)

    def allows_url(self, url: str) -> bool:
        parts = urlsplit(url)
        if parts.username or parts.password or (parts.scheme == "https" and parts.port not in (None, 443)):
            return False
        return (parts.scheme, parts.hostname or "") in self._allowed

    async def get(self, url: str, what: str) -> bytes:
        """`what` is fetched, for the span. Raises FetchFailed."""
        assert self._session is not None, "open the fetcher with `async with`"  # noqa: S101
        if not self.allows_url(url):
            raise FetchFailed("host_not_allowed")
        with internal_span(f"{what} fetch", SpanKind.CLIENT, **{"server.address": urlsplit(url).hostname or ""}):
            try:
                async with self._session.get(url, allow_redirects=False) as answer:
                    if answer.status != 200:
                        raise FetchFailed(f"status_{answer.status}")
                    return await _bounded(answer)
            except TimeoutError:
                raise FetchFailed("timeout") from None
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise FetchFailed(type(error).__name__) from None


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    received = bytearray()
    async for chunk in answer.content.iter_chunked(16 * 1024):
        received += chunk
        if len(received) > MAX_BYTES:
            raise FetchFailed("too_large")
    return bytes(received)
