"""The HTTP side of Entra's provisioning service, usable by itself, and the log of every exchange.

Bodies are `application/scim+json; charset=utf-8`; a GET carries neither Content-Type nor Accept; queries write a space
as `+` and a quote as %22; the `ADSCIMVersion` header holds the activity id that Microsoft's support asks for.
"""

import itertools
import json
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote_plus, urlsplit

import aiohttp
import msgspec
from yarl import URL

from tests.entra.tenant import Clock, utc_now
from tests.entra.token_requests import TokenAnswer

TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024
SCIM_JSON = "application/scim+json; charset=utf-8"


TokenSource = Callable[[], Awaitable[TokenAnswer]]


class ScimAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`status` 0: no HTTP answer came, `text` says why."""

    status: int
    headers: dict[str, str]
    text: str
    json: Any = None

    @property
    def detail(self) -> str:
        detail = self.json.get("detail") if isinstance(self.json, dict) else None
        return detail if isinstance(detail, str) else self.text[:500]


class Exchange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One request and its answer, without the token."""

    number: int
    at: datetime
    app_id: str | None
    object_id: str | None
    """The source object it was for; None for connection checks."""
    purpose: str
    method: str
    url: str
    request_body: str | None
    status: int
    response_headers: dict[str, str]
    response_body: str
    duration_ms: float
    activity_id: str

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def request_json(self) -> Any:
        return json.loads(self.request_body) if self.request_body else None

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class ExchangeLog:
    """The last exchanges, oldest first."""

    def __init__(self, limit: int = 2000) -> None:
        self._entries: deque[Exchange] = deque(maxlen=limit)
        self._numbers = itertools.count(1)
        self.last_number = 0

    def next_number(self) -> int:
        self.last_number = next(self._numbers)
        return self.last_number

    def append(self, exchange: Exchange) -> None:
        self._entries.append(exchange)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def since(self, number: int, app_id: str | None = None) -> list[Exchange]:
        return [e for e in self if e.number > number and (app_id is None or e.app_id == app_id)]

    def writes(self, since: int = 0) -> list[Exchange]:
        return [exchange for exchange in self.since(since) if exchange.writes]


class ScimClient:
    """Speaks to one tenant URL. `tenant_url` may carry query flags; they go onto every request, as in Entra."""

    def __init__(
        self,
        tenant_url: str,
        token: str,
        *,
        log: ExchangeLog | None = None,
        app_id: str | None = None,
        clock: Clock = utc_now,
        timeout_s: float = TIMEOUT_S,
        token_source: TokenSource | None = None,
    ) -> None:
        """`token_source`: where the token comes from instead, with the first request."""
        base, _, self._flags = tenant_url.partition("?")
        self._base = base.rstrip("/")
        self._token = token
        self._token_source = token_source
        self.log = log if log is not None else ExchangeLog()
        self._app_id = app_id
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self.purpose = ""
        self.object_id: str | None = None

    async def __aenter__(self) -> "ScimClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def about(self, purpose: str, object_id: str | None = None) -> "ScimClient":
        """Labels the exchanges that follow."""
        self.purpose, self.object_id = purpose, object_id
        return self

    async def get(self, path: str, **query: str) -> ScimAnswer:
        return await self.raw("GET", _with_query(path, query))

    async def find(self, attribute: str, value: str, resource: str = "/Users", **query: str) -> ScimAnswer:
        """The matching request: `attribute eq "value"`."""
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return await self.get(resource, filter=f'{attribute} eq "{escaped}"', **query)

    async def post(self, path: str, body: Any) -> ScimAnswer:
        return await self.raw("POST", path, _encode(body))

    async def put(self, path: str, body: Any) -> ScimAnswer:
        return await self.raw("PUT", path, _encode(body))

    async def patch(self, path: str, body: Any) -> ScimAnswer:
        return await self.raw("PATCH", path, _encode(body))

    async def delete(self, path: str) -> ScimAnswer:
        return await self.raw("DELETE", path)

    async def raw(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> ScimAnswer:
        """Sends exactly this; `path` is already percent-encoded. `headers` replace the usual ones by name."""
        if self._token_source is not None and not self._token:
            answered = await self._token_source()
            if not answered.token:
                text = f"the token endpoint answered {answered.status}: {answered.text}"
                return ScimAnswer(status=answered.status if answered.status != 200 else 0, headers={}, text=text)
            self._token = answered.token
        url = self._url(path)
        activity_id, began = str(uuid.uuid4()), time.perf_counter()
        sent = self._headers(body, activity_id) | dict(headers or {})
        number, at = self.log.next_number(), self._clock()
        answer = await self._send(method, url, body, sent)
        self.log.append(
            Exchange(
                number=number,
                at=at,
                app_id=self._app_id,
                object_id=self.object_id,
                purpose=self.purpose,
                method=method,
                url=url,
                request_body=None if body is None else body.decode(errors="replace"),
                status=answer.status,
                response_headers=answer.headers,
                response_body=answer.text,
                duration_ms=round((time.perf_counter() - began) * 1000, 1),
                activity_id=activity_id,
            )
        )
        return answer

    def _url(self, path: str) -> str:
        if not self._flags:
            return self._base + path
        return f"{self._base}{path}{'&' if '?' in path else '?'}{self._flags}"

    def _headers(self, body: bytes | None, activity_id: str) -> dict[str, str]:
        date = format_datetime(self._clock().astimezone(UTC), usegmt=True)
        headers = {"ADSCIMVersion": f"Date:{date}, ActivityId:{activity_id}"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            headers["Content-Type"] = SCIM_JSON
        return headers

    async def _send(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> ScimAnswer:
        try:
            target = URL(url, encoded=True)
            if self._session is None:
                skipped = ("User-Agent", "Accept", "Content-Type")
                self._session = aiohttp.ClientSession(
                    timeout=self._timeout, skip_auto_headers=skipped, cookie_jar=aiohttp.DummyCookieJar()
                )
            async with self._session.request(
                method, target, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await response.content.read(MAX_ANSWER_BYTES)
                while not response.content.at_eof() and len(content) < MAX_ANSWER_BYTES:
                    content += await response.content.read(MAX_ANSWER_BYTES - len(content))
                return _answer(response.status, dict(response.headers), content)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            return ScimAnswer(status=0, headers={}, text=f"no answer: {type(error).__name__} {error}".strip())


def _answer(status: int, headers: dict[str, str], content: bytes) -> ScimAnswer:
    text = content.decode(errors="replace")
    try:
        parsed = json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        parsed = None
    return ScimAnswer(status=status, headers=headers, text=text, json=parsed)


def _encode(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _with_query(path: str, query: dict[str, str]) -> str:
    if not query:
        return path
    return path + "?" + "&".join(f"{name}={quote_plus(value)}" for name, value in query.items())
