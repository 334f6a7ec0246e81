"""Through every way to sign in, be refused and sign out: nobody's name, address or secret stands in an address, a log or a span.

All three services at their most talkative, on real sockets. Whom to suggest to Entra is told to Entra alone.
"""

import logging
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

import aiohttp
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry import metrics
from shared.telemetry.logs import JsonFormatter, TextFormatter
from shared.telemetry.tracing import configure_tracing
from tests.entra.people import Person
from tests.entra.saml import respond
from tests.support import login_traces
from tests.support.app_clients import BACK_END_SECRET, PORTAL_SECRET
from tests.support.apps import introspect, mobile, portal
from tests.support.browser import Browser, Page
from tests.support.company import Company

SERVICES = ("sso-gateway", "directory", "scim-ingest")
ENTRA_HOST = "login.microsoftonline.com"


class Noting(logging.Handler):
    """Every record as both formats would write it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self._formatters = (JsonFormatter("test"), TextFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [formatter.format(record) for formatter in self._formatters]


@pytest.fixture
def noting() -> Iterator[Noting]:
    handler, root = Noting(), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in SERVICES}
    root.addHandler(handler)
    for name in SERVICES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    configure_tracing("test", processor=SimpleSpanProcessor(exporter), trust_caller=True)
    yield exporter
    configure_tracing("test")


class Watched(Browser):
    """A browser that keeps every address it was sent to and every cookie it ever had."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        super().__init__(http)
        self.addresses: list[str] = []
        self.secrets: set[str] = set()

    async def _send(self, method: str, url: str, *rest: object, **options: object) -> Page:
        page = await super()._send(method, url, *rest, **options)  # type: ignore[arg-type]
        self.addresses += [url, page.headers.get("Location", "")]
        self.secrets |= {value for value in self.cookies(url).values() if value}
        return page


async def everything(company: Company, browser: Watched, people: list[Person], stranger: Person) -> list[str]:
    """Every way through sign-on; the documents that were posted."""
    sso, posted, (anna, bo) = company.stack.sso_url, [], people

    async def answers(person: Person, **changes: object) -> Page:
        document = respond(company.recipe(person, **changes))  # type: ignore[arg-type]
        posted.append(b64encode(document).decode())
        return await browser.follow(await company.post_response(browser, document))

    form = {"email": str(anna.mail), "return_to": "/kalender"}
    page = await browser.post(f"{sso}/login", form, from_url=sso)
    assert page.shows(f"/login/{company.name}")
    request_id, _ = await company.start_login(browser, return_to="/kalender")
    assert (await answers(anna, in_response_to=request_id)).status in {200, 404}
    for path in ("/", "/session", "/auth", "/login", "/nowhere", "/login/finish"):
        await browser.get(sso + path)
    assert (await answers(bo)).shows("Who goes on in this browser?")
    await browser.post(f"{sso}/logout", {"return_to": "/login/finish"}, from_url=sso)
    await browser.post(f"{sso}/logout", {}, from_url=sso)
    assert (await answers(stranger)).shows("no_such_employee")
    assert (await answers(anna, audience="https://www.bitabiz.com/another")).shows("wrong_audience")
    assert (await browser.post(company.acs_url, {"SAMLResponse": posted[-1][:-8]})).status == 403
    await company.suspend(company.scim_id(bo))
    assert (await answers(bo)).shows("suspended")
    for person, told in ((anna, "would be signed in"), (stranger, "no_such_employee")):
        request_id, relay_state = company.asked(await browser.get(f"{company.login_url}?test=1"))
        document = respond(company.recipe(person, in_response_to=request_id))
        assert (await company.post_response(browser, document, relay_state=relay_state)).shows(told)
    # Read by whoever helps: a person without an attempt, and one by a NameID that is nobody's.
    for name in (str(bo.mail), str(stranger.mail), "nobody@nowhere.example"):
        await login_traces.page(company, person=name)
    return posted


async def test_nobody_s_name_address_or_secret_stands_in_an_address_a_log_a_span_or_a_metric(
    company: Company, http: aiohttp.ClientSession, noting: Noting, spans: InMemorySpanExporter
) -> None:
    people = [
        company.hire("zenobia.anker", given_name="Zenobia", surname="Kvistgaard"),
        company.hire("balthazar.lund", given_name="Balthazar", surname="Oksholm"),
    ]
    await company.cycle()
    stranger = company.hire("melusine.juul", given_name="Melusine", surname="Grønbech")
    browser = Watched(http)
    posted = await everything(company, browser, people, stranger)

    personal = {
        text
        for person in (*people, stranger)
        for text in (person.user_principal_name.partition("@")[0], person.given_name, person.surname, person.mail)
        if text
    }
    secrets = {*browser.secrets, company.token, *(document[200:260] for document in posted)}
    assert len(browser.secrets) >= 5, "login, hint, tickets, sessions"

    ours = [one for one in browser.addresses if urlsplit(one).hostname != ENTRA_HOST]
    assert len(ours) > 30
    for address in ours:
        found = [text for text in personal | secrets if text.lower() in unquote(unquote(address)).lower()]
        assert not found, (address, found)

    written = "\n".join(noting.lines)
    for event in ("login_started", "login_accepted", "login_refused", "session_ended", "request_answered"):
        assert f'"event":"{event}"' in written, "there is something to look through"
    told = [
        str((span.name, dict(span.attributes or {}), span.events, span.status)) for span in spans.get_finished_spans()
    ]
    assert len(told) > 50
    exposed = metrics.exposition()[0].decode()
    for where, text in (("logs", written), ("spans", "\n".join(told)), ("metrics", exposed)):
        found = [one for one in personal | secrets if one.lower() in text.lower()]
        assert not found, (where, [line for line in text.splitlines() if found[0].lower() in line.lower()][:3])


async def test_whom_to_suggest_is_told_to_entra_alone(
    company: Company, http: aiohttp.ClientSession, noting: Noting
) -> None:
    """From the form, and from a response that only starts a login of our own: on the way it is in a cookie."""
    anna = company.hire("zenobia.anker")
    await company.cycle()
    await company.apply(sso__idp_initiated="bounce")
    browser, sso = Watched(http), company.stack.sso_url

    await browser.post(f"{sso}/login", {"email": str(anna.mail)}, from_url=sso)
    by_form = await browser.get(company.login_url)
    bounced = await company.post_response(browser, company.recipe(anna))
    assert urlsplit(bounced.location).query == "from=tile"
    by_bounce = await browser.get(bounced.location)
    for page in (by_form, by_bounce):
        to_entra = urlsplit(page.location)
        assert to_entra.hostname == ENTRA_HOST
        query = parse_qs(to_entra.query)
        assert query.pop("login_hint") == [anna.mail]
        assert str(anna.mail) not in unquote(str(query))
    assert not [one for one in browser.addresses if urlsplit(one).hostname != ENTRA_HOST and "zenobia" in unquote(one)]
    written = "\n".join(noting.lines)
    assert '"event":"login_bounced"' in written
    assert "zenobia" not in written


async def test_a_hint_that_somebody_s_link_brings_is_told_to_entra_and_written_nowhere(
    company: Company, browser: Browser, noting: Noting, spans: InMemorySpanExporter
) -> None:
    hint = f"zenobia.anker@{company.name}.example"
    page = await browser.get(f"{company.login_url}?login_hint={hint}")
    assert parse_qs(urlsplit(page.location).query)["login_hint"] == [hint]
    await browser.get(f"{company.stack.sso_url}/login?email={hint}")
    written = "\n".join(noting.lines)
    assert '"event":"login_started"' in written
    told = str([(one.name, dict(one.attributes or {}), one.events) for one in spans.get_finished_spans()])
    assert "/login/" in told
    assert "zenobia" not in written + told


async def test_nor_does_anything_that_an_app_is_given(
    company: Company, http: aiohttp.ClientSession, noting: Noting, spans: InMemorySpanExporter
) -> None:
    """An app's own question and answer stand in addresses by the standard; nothing of them is written down."""
    anna = company.hire("zenobia.anker", given_name="Zenobia", surname="Kvistgaard")
    await company.cycle()
    browser = Watched(http)
    app, phone = portal(company, http), mobile(company, http)
    page = await browser.get(app.question(company=company.name, login_hint=anna.user_principal_name))
    assert "zenobia" not in unquote(page.location), "whom to suggest goes on in a cookie"
    await company.sign_in(browser, anna)
    secrets = {app.verifier, phone.verifier, app.state, app.nonce}
    for one in (app, phone):
        code = await one.code(browser, login_hint=anna.user_principal_name)
        tokens = (await one.exchange(code)).json
        fresh = (await one.refresh(tokens["refresh_token"])).json
        secrets |= {code, *(given[name] for given in (tokens, fresh) for name in given if name.endswith("_token"))}
        await one.userinfo(fresh["access_token"])
        await introspect(one, fresh["access_token"])
        await one.refresh("A" * 86)
        await one.exchange(code)
        await one.revoke(fresh["refresh_token"])
        await browser.get(f"{one.provider}/oauth2/logout?id_token_hint={fresh['id_token']}")
        await company.sign_in(browser, anna)

    written = "\n".join(noting.lines)
    for event in ("code_issued", "tokens_issued", "app_granted", "app_grant_misused", "app_refused", "session_ended"):
        assert f'"event":"{event}"' in written, "there is something to look through"
    told = "\n".join(str((span.name, dict(span.attributes or {}), span.events)) for span in spans.get_finished_spans())
    for text in (written, told, metrics.exposition()[0].decode()):
        found = [
            one
            for one in {*secrets, PORTAL_SECRET, BACK_END_SECRET, "zenobia", "kvistgaard"}
            if one.lower() in text.lower()
        ]
        assert not found, found
