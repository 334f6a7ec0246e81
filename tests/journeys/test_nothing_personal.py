"""Through every way to sign in, be refused and sign out: nobody's name, address or secret stands in an address, a log or a span.

All three services at their most talkative, on real sockets; the line of each request (`request_answered`) is one of those logs.
Whom to suggest to Entra is told to Entra alone, and so is whom to sign out there.
"""

import logging
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, unquote, urlsplit

import aiohttp
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry import metrics
from shared.telemetry.logs import JsonFormatter, TextFormatter
from shared.telemetry.tracing import configure_tracing
from tests.entra.certificates import private_key
from tests.entra.people import EMAIL_ADDRESS_FORMAT, Person
from tests.entra.saml import respond
from tests.entra.saml_requests import LogoutRequest, decode_redirect, logout_response, parse_request, signed_redirect
from tests.support import login_traces
from tests.support.app_clients import BACK_END_SECRET, PORTAL_SECRET
from tests.support.apps import introspect, mobile, portal
from tests.support.browser import Browser, Page
from tests.support.company import Company
from tests.support.setup_admin import set_roles
from tests.support.stack import second_gateway

SERVICES = ("sso-gateway", "directory", "scim-ingest")
ENTRA_HOST = "login.microsoftonline.com"
EVENTS = (
    "login_started", "login_accepted", "login_refused", "login_asked_who", "login_dropped", "login_limited",
    "session_ended", "sessions_ended", "idp_logout_done", "idp_logout_refused", "idp_logout_answered", "logout_sent_on",
    "forward_auth_refused", "forward_auth_misconfigured", "request_answered",
)  # fmt: skip


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
    """A browser that keeps every address it opened, those it was sent to, and every cookie it ever had."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        super().__init__(http)
        self.addresses: list[str] = []
        self.sent_to: list[str] = []
        self.secrets: set[str] = set()

    def another(self) -> "Watched":
        """Without a cookie yet; what it is sent to and has is kept with this one's."""
        other = Watched(self._http)
        other.addresses, other.secrets = self.addresses, self.secrets
        return other

    async def _send(self, method: str, url: str, *rest: object, **options: object) -> Page:
        page = await super()._send(method, url, *rest, **options)  # type: ignore[arg-type]
        self.addresses += [url, page.headers.get("Location", "")]
        self.sent_to.append(page.headers.get("Location", ""))
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


async def comes_in(company: Company, browser: Browser, person: Person) -> str:
    """Signed in; the SessionIndex that Entra knows it by."""
    request_id, relay_state = await company.start_login(browser)
    recipe = company.recipe(person, in_response_to=request_id)
    page = await browser.follow(await company.post_response(browser, recipe, relay_state=relay_state))
    assert page.status == 200
    return recipe.assertion_id


async def out_at_microsoft(company: Company, browser: Watched, person: Person) -> None:
    """Entra's broadcast, believed and not."""
    frame, name, now = browser.another(), person.user_principal_name, datetime.now(UTC)
    index = await comes_in(company, browser, person)
    genuine = company.broadcast(index, name)
    assert (await frame.get(genuine)).status == 200
    assert (await company.session(browser)).status == 401
    assert (await frame.get(genuine)).status == 200
    await comes_in(company, browser, person)
    for refused in (
        re.sub("&SigAlg.*", "", genuine),
        genuine[:-8],
        company.broadcast(index, name, issued_at=now - timedelta(minutes=6)),
        company.broadcast(index, name, issuer=f"https://sts.windows.net/{name}/"),
        f"{company.logout_url}?SAMLRequest={b64encode(name.encode()).decode().rstrip('=')}",
    ):
        assert (await frame.get(refused)).status == 403
    assert (await frame.get(genuine.replace(company.name, "nowhere"))).status == 404
    assert (await frame.get(company.broadcast(None, name, name_id_format=EMAIL_ADDRESS_FORMAT))).status == 200
    assert (await company.session(browser)).status == 401


async def out_at_microsoft_too(company: Company, browser: Watched, person: Person) -> None:
    """Our LogoutRequest, and what Entra answers to it."""
    sso = company.stack.sso_url
    await comes_in(company, browser, person)
    told = (await browser.post(f"{sso}/logout", {"at": "idp"}, from_url=sso, accept="application/json")).json
    await comes_in(company, browser, person)
    page = await browser.post(f"{sso}/logout", {"at": "idp"}, from_url=sso)
    [shown] = re.findall(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    browser.addresses += [told["go_on_to"], unescape(shown)]
    request = parse_request(decode_redirect(parse_qs(urlsplit(unescape(shown)).query)["SAMLRequest"][0]))
    assert isinstance(request, LogoutRequest)
    assert request.name_id == person.user_principal_name, "which is what is not to be found anywhere else"

    answer = logout_response(company.tenant.issuer, company.logout_url, request.id, "_answer", datetime.now(UTC))
    key = private_key(company.app.certificates[0])
    url = signed_redirect(company.logout_url, "SAMLResponse", answer, key, "/kalender")
    assert (await browser.follow(await browser.get(url))).shows("You are signed out here and at Microsoft.")
    assert (await browser.follow(await browser.get(url[:-8]))).shows("did not confirm")


async def own_sessions(company: Company, browser: Watched, person: Person) -> None:
    """The list, one of it, all the others, and its own end."""
    sso, others = company.stack.sso_url, [browser.another(), browser.another()]
    for one in (*others, browser):
        await comes_in(company, one, person)
    page = await browser.get(f"{sso}/sessions")
    this, that, _ = re.findall('name="session_id" value="(ses_[^"]+)"', page.text)
    assert (await browser.get(f"{sso}/sessions", accept="application/json")).status == 200
    assert (await browser.post(f"{sso}/sessions", {"x": str(person.mail)}, from_url=sso)).status == 400
    await browser.post(f"{sso}/sessions", {"session_id": str(person.mail)}, from_url=sso)
    await browser.post(f"{sso}/sessions", {"session_id": that}, from_url=sso)
    await browser.post(f"{sso}/sessions", {"others": "all"}, from_url=sso)
    assert [(await company.session(one)).status for one in others] == [401, 401]
    assert (await browser.post(f"{sso}/sessions", {"session_id": this}, from_url=sso)).location == f"{sso}/"
    assert "/login?" in (await browser.get(f"{sso}/sessions")).location


async def who_goes_on(company: Company, browser: Watched, anna: Person, bo: Person) -> None:
    """Anna continues, and then Bo takes the browser over."""
    sso = company.stack.sso_url
    await comes_in(company, browser, anna)
    for choice, left in (("continue", anna), ("switch", bo)):
        request_id, relay_state = await company.start_login(browser, return_to="/session")
        recipe = company.recipe(bo, in_response_to=request_id)
        page = await browser.follow(await company.post_response(browser, recipe, relay_state=relay_state))
        assert page.shows("Who goes on in this browser?")
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        assert (await browser.post(f"{sso}/login/choose", {**fields, "choice": "x"}, from_url=sso)).status == 400
        await browser.post(f"{sso}/login/choose", {**fields, "choice": choice}, from_url=sso)
        assert (await company.session(browser)).json["login_name"] == left.user_principal_name
        await browser.post(f"{sso}/login/choose", {**fields, "choice": "switch"}, from_url=sso)
    await browser.post(f"{sso}/logout", {}, from_url=sso)


async def behind_an_ingress(company: Company, browser: Watched, person: Person) -> None:
    auth = f"{company.stack.sso_url}/auth"
    await set_roles(company, person, ["hr_statistics"])
    await comes_in(company, browser, person)
    statuses = {
        conditions: (await browser.get(f"{auth}{conditions}")).status
        for conditions in (
            f"?company={company.name}&role=hr_statistics", "?company=another", "?role=setup_admin", "?rolle=x", "/refused"
        )
    }  # fmt: skip
    assert list(statuses.values()) == [200, 403, 403, 400, 403], statuses
    await browser.post(f"{company.stack.sso_url}/logout", {}, from_url=company.stack.sso_url)
    await set_roles(company, person, [])


async def too_often(company: Company, browser: Watched, person: Person) -> None:
    async with second_gateway(company.stack, login_rate_per_address=0.1) as edge:
        visitor, form = browser.another(), {"email": str(person.mail)}
        for status in (200, 429):
            assert (await visitor.post(f"{edge}/login", form, from_url=edge)).status == status
        assert (await visitor.get(f"{edge}/login/{company.name}")).status == 429
        posted = {"SAMLResponse": b64encode(respond(company.recipe(person))).decode()}
        for status in (303, 429):
            assert (await visitor.post(f"{edge}/saml/{company.name}/acs", posted)).status == status


async def further_ways(company: Company, browser: Watched, anna: Person, bo: Person) -> None:
    await out_at_microsoft(company, browser, anna)
    await out_at_microsoft_too(company, browser, anna)
    await own_sessions(company, browser, anna)
    await who_goes_on(company, browser, anna, bo)
    await behind_an_ingress(company, browser, anna)
    await too_often(company, browser, anna)


def seen_by_entra(address: str) -> str:
    """An address of Entra's without what is told to Entra alone: whom to suggest, and whom to sign out."""
    query = parse_qs(urlsplit(address).query)
    query.pop("login_hint", None)
    document = decode_redirect(query.pop("SAMLRequest")[0]).decode()
    return str(query) + re.sub("<(\\w+:)?NameID[^>]*>[^<]*<", "<", document)


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
    await further_ways(company, browser, *people)
    posted = await everything(company, browser, people, stranger)

    personal = {
        text
        for person in (*people, stranger)
        for text in (person.user_principal_name.partition("@")[0], person.given_name, person.surname, person.mail)
        if text
    }
    secrets = {*browser.secrets, company.token, *(document[200:260] for document in posted)}
    # Of what Entra sends in an address by SAML's own rule nothing is written down.
    messages = {
        text[60:120]
        for address in browser.addresses
        for name, (text, *_) in parse_qs(urlsplit(address).query).items()
        if name in {"SAMLRequest", "SAMLResponse", "Signature"} and len(text) >= 120
    }
    assert len(messages) >= 10
    assert len(browser.secrets) >= 5, "login, hint, tickets, sessions"

    entra_s = [one for one in browser.addresses if urlsplit(one).hostname == ENTRA_HOST]
    ours = [one for one in browser.addresses if urlsplit(one).hostname != ENTRA_HOST]
    assert (len(ours) > 130, len(entra_s) > 15) == (True, True)
    for address in (*ours, *map(seen_by_entra, entra_s)):
        found = [text for text in personal | secrets if text.lower() in unquote(unquote(address)).lower()]
        assert not found, (address, found)

    written = "\n".join(noting.lines)
    for event in EVENTS:
        assert f'"event":"{event}"' in written, f"there is something to look through: {event}"
    told = [
        str((span.name, dict(span.attributes or {}), span.events, span.status)) for span in spans.get_finished_spans()
    ]
    assert len(told) > 50
    exposed = metrics.exposition()[0].decode()
    for where, text in (("logs", written), ("spans", "\n".join(told)), ("metrics", exposed)):
        found = [one for one in personal | secrets | messages if one.lower() in unquote(unquote(text)).lower()]
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
        hint, url = fresh["id_token"], f"{one.provider}/oauth2/logout"
        assert (await browser.get(f"{url}?client_id={one.client_id}")).shows("Kvistgaard"), "asked, on a page"
        assert (
            await browser.get(f"{url}?id_token_hint={hint}&post_logout_redirect_uri=https://x.example")
        ).status == 400
        await browser.get(f"{url}?id_token_hint={hint}")
        for asked in ({}, {"prompt": "login"}, {"prompt": "none"}, {"login_hint": anna.user_principal_name}):
            await browser.get(one.question(id_token_hint=hint, **asked))
        await browser.get(one.question(id_token_hint=f"{hint}x"))
        await company.sign_in(browser, anna)
        await browser.post(url, {"confirmed": "yes", "id_token_hint": hint}, from_url=one.provider)
        await company.sign_in(browser, anna)
    sent_to = [to for to in browser.sent_to if not to.startswith((app.redirect_uri, phone.redirect_uri))]
    assert len([to for to in sent_to if "/oauth2/authorize" in unquote(to)]) >= 6, "to sign in, and back"
    for address in sent_to:
        # What the app itself put there comes back: state, nonce. Whom to suggest is told to Entra alone.
        ours = address if urlsplit(address).hostname != ENTRA_HOST else seen_by_entra(address)
        found = [
            text
            for text in {*secrets - {app.state, phone.state, app.nonce, phone.nonce}, "zenobia"}
            if text in unquote(unquote(ours))
        ]
        assert not found, address

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
