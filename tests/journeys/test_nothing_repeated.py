"""What strangers send, in whatever place of a request, stands in no log, no span and no metric: it may be somebody's name, or
a secret that was pasted into the wrong field."""

import itertools
from base64 import b64encode
from urllib.parse import urlencode

import aiohttp
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, generate_latest
from yarl import URL

from tests.entra.saml import respond
from tests.journeys.test_nothing_personal import Noting, noting, spans  # noqa: F401  fixtures
from tests.support.apps import portal, signed_in
from tests.support.browser import Browser
from tests.support.company import Company


class Stranger:
    """Sends marks, and knows where it sent each."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url
        self._numbers = itertools.count()
        self.marks: dict[str, str] = {}

    def mark(self, place: str) -> str:
        made = f"zq{next(self._numbers):04d}qz"
        self.marks[made] = place
        return made

    async def send(
        self, path: str, form: dict[str, str] | None = None, *, headers: dict[str, str] | None = None
    ) -> None:
        url = URL(path if path.startswith("http") else self._url + path, encoded=True)
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
        sent = {**kind, **(headers or {})}
        body = urlencode(form) if form is not None else None
        method = "GET" if form is None else "POST"
        async with self._http.request(method, url, data=body, headers=sent, allow_redirects=False) as answer:
            assert answer.status < 500, path


async def addresses_and_headers(stranger: Stranger, company: Company) -> None:
    mark = stranger.mark
    for path in (
        f"/{mark('path')}",
        f"/login/{mark('company of a login')}@x",
        f"/login/{company.name}?return_to=/{mark('return_to')}&login_hint={mark('login_hint')}&x={mark('parameter')}",
        f"/login?email={mark('email')}@nowhere.example",
        f"/login/finish?t={mark('tag')}",
        f"/login/to?/{mark('to')}",
        f"/saml/{mark('company of an answer')}/acs",
        f"/saml/{mark('company of a logout')}/logout?SAMLRequest={mark('request')}",
        f"/saml/{company.name}/logout?SAMLResponse={mark('response')}&RelayState={mark('state of a logout')}",
        f"/auth?company={mark('company of an ingress')}",
        f"/auth?{mark('parameter of an ingress')}=1",
        f"/oauth2/logout?id_token_hint={mark('hint')}&post_logout_redirect_uri={mark('goal')}&client_id={mark('app')}",
    ):
        await stranger.send(path)
        await stranger.send(path, {"field": mark("field")})
    cookies = "; ".join(f"__Host-{name}={mark(name)}{'a' * 56}" for name in ("session", "hint", "company"))
    names = ("User-Agent", "Host", "X-Forwarded-For", "traceparent", "tracestate", "baggage", "X-Request-Id", "Referer")
    await stranger.send("/session", headers={"Cookie": cookies, **{name: mark(name) for name in names}})


async def forms(stranger: Stranger, company: Company) -> None:
    mark, url = stranger.mark, company.stack.sso_url
    fields = (
        "code",
        "redirect_uri",
        "code_verifier",
        "client_id",
        "client_secret",
        "grant_type",
        "refresh_token",
        "token",
    )
    for endpoint in ("token", "revoke", "introspect"):
        for name in fields:
            form = dict.fromkeys(fields, "x") | {"client_id": "mobile-app", "grant_type": "refresh_token"}
            await stranger.send(f"/oauth2/{endpoint}", {**form, name: mark(f"{endpoint} {name}")})
        basic = b64encode(f"{mark('client')}:{mark('secret')}".encode()).decode()
        await stranger.send(f"/oauth2/{endpoint}", {}, headers={"Authorization": f"Basic {basic}"})
    await stranger.send("/oauth2/userinfo", headers={"Authorization": f"Bearer {mark('bearer')}"})
    for path, names in (
        ("/login/choose", ("choice", "ticket", "instead_of")),
        ("/logout", ("at", "return_to")),
        ("/sessions", ("session_id",)),
    ):
        await stranger.send(path, {name: mark(f"{path} {name}") for name in names}, headers={"Origin": url})


async def test_nothing_that_a_stranger_sends_stands_in_a_log_a_span_or_a_metric(
    company: Company,
    http: aiohttp.ClientSession,
    browser: Browser,
    noting: Noting,  # noqa: F811
    spans: InMemorySpanExporter,  # noqa: F811
) -> None:
    anna = await signed_in(company, browser)
    stranger = Stranger(http, company.stack.sso_url)
    mark, app = stranger.mark, portal(company, http)
    await addresses_and_headers(stranger, company)
    await forms(stranger, company)
    for name in (
        "client_id",
        "redirect_uri",
        "state",
        "nonce",
        "scope",
        "login_hint",
        "company",
        "id_token_hint",
        "prompt",
    ):
        await stranger.send(app.question(**{name: mark(f"authorize {name}")}))
        await browser.get(app.question(**{name: mark(f"authorize {name}, signed in")}))
    # Signed by the company's own key, too.
    await stranger.send(company.broadcast(None, mark("NameID of a logout")))
    await stranger.send(company.broadcast(f"_{mark('index')}", mark("NameID beside it")))
    await stranger.send(company.broadcast(f"_{mark('index of a forged one')}") + "AA")
    for document in (
        respond(company.recipe(anna, audience=f"https://{mark('audience')}")),
        respond(company.recipe(anna, name_id=f"{mark('NameID')}@x.example")),
        mark("no document").encode(),
    ):
        form = {"SAMLResponse": b64encode(document).decode(), "RelayState": f"/{mark('RelayState')}"}
        await stranger.send(company.acs_url, form)
    told = {
        "log": "\n".join(noting.lines),
        "span": "\n".join(one.to_json() for one in spans.get_finished_spans()),
        "metric": generate_latest(REGISTRY).decode(),
    }
    assert all(company.name in told[kind] for kind in ("log", "span")), "they are talkative"
    found = [(kind, place) for kind, text in told.items() for one, place in stranger.marks.items() if one in text]
    assert found == []
