"""The login as a browser sees it, and what directory is asked."""

import asyncio
import base64
import hashlib
import re
import zlib
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import msgspec
import pytest
from lxml import etree

from shared.errors import ErrorCode
from shared.schemas.login import MAX_BROWSERS
from sso_gateway import metrics
from sso_gateway.sessions import cookies
from tests.support.browser import Page, browser_secrets_of, ticket_named_by, tickets_of
from tests.support.saml_responses import ACS, FLOW, OBJECT_ID, Recipe, respond, signing_key
from tests.unit.sso_gateway.conftest import ENTRA, Gateway
from tests.unit.sso_gateway.fake_directory import certificate, connection

LOGIN, SESSION, COMPANY = "__Host-login", "__Host-session", "__Host-company"


def flow_of(page: Page) -> str:
    """The ID of the AuthnRequest in a redirect to Entra."""
    query = parse_qs(urlsplit(page.location).query)
    request = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), wbits=-15))
    assert query["RelayState"] == [request.get("ID")]
    return request.get("ID") or ""


async def sign_in(gateway: Gateway, return_to: str = "/") -> Page:
    started = await gateway.get(f"/login/contoso?return_to={quote(return_to)}")
    accepted = await gateway.post_response(respond(Recipe(in_response_to=flow_of(started))))
    return await gateway.browser.get(accepted.location)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_a_login_is_three_answers_and_a_session(gateway: Gateway) -> None:
    started = await gateway.get("/login/contoso?return_to=/calendar")
    assert started.status == 302
    assert started.location.startswith(gateway.memory.companies["contoso"].login_url)

    accepted = await gateway.post_response(respond(Recipe(in_response_to=flow_of(started))))
    assert (accepted.status, urlsplit(accepted.location).path) == (303, "/login/finish")

    finished = await gateway.browser.get(accepted.location)
    assert (finished.status, urlsplit(finished.location).path) == (303, "/calendar")
    [login] = browser_secrets_of(gateway.browser, gateway.url)
    assert set(gateway.browser.cookies(gateway.url)) == {login, SESSION, COMPANY}
    # And the connection, before the form is read and after: this test's gateway remembers none.
    assert gateway.memory.calls == {"begin_login": 1, "get_connection": 2, "complete_login": 1, "open_session": 1}


async def test_directory_learns_what_was_proven_and_only_hashes_of_secrets(gateway: Gateway) -> None:
    started = await gateway.get("/login/contoso")
    [secret] = browser_secrets_of(gateway.browser, gateway.url).values()
    assert gateway.memory.flows[flow_of(started)].browser_sha256 == sha256(secret)
    await gateway.post_response(respond(Recipe(in_response_to=flow_of(started))))
    [ticket] = tickets_of(gateway.browser, gateway.url).values()

    [attempt] = gateway.memory.attempts
    assert (attempt.object_id, attempt.email_claim) == (OBJECT_ID, "anna@contoso.com")
    assert attempt.ticket_sha256 == sha256(ticket)
    assert attempt.signer_fingerprint == signing_key().fingerprint
    assert len(ticket) == 64


async def test_the_cookies_are_of_this_host_and_lax_and_out_of_reach_of_scripts(gateway: Gateway) -> None:
    started = await gateway.get("/login/contoso")
    cookie = started.headers["Set-Cookie"]
    assert re.match(r"__Host-login-[0-9a-f]{16}=[A-Za-z0-9_-]{43}; ", cookie)
    assert cookie.endswith("; Max-Age=1200; Path=/; HttpOnly; Secure; SameSite=Lax"), "until the last of it can end"


async def test_several_tabs_share_the_browser_s_secret(gateway: Gateway) -> None:
    first, second = await gateway.get("/login/contoso"), await gateway.get("/login/contoso")
    assert len({flow.browser_sha256 for flow in gateway.memory.flows.values()}) == 1
    for started in (first, second):
        accepted = await gateway.post_response(respond(Recipe(in_response_to=flow_of(started))))
        assert (await gateway.browser.get(accepted.location)).status == 303


async def test_tabs_that_open_at_once_in_a_browser_that_was_never_here_each_finish(gateway: Gateway) -> None:
    """Eight, as when a browser restores what was open; in the end the last, whose secret is the newest, first."""
    started = await asyncio.gather(*(gateway.get("/login/contoso") for _ in range(8)))
    assert len(browser_secrets_of(gateway.browser, gateway.url)) == 8
    for one in reversed(started):
        accepted = await gateway.post_response(respond(Recipe(in_response_to=flow_of(one))))
        finished = await gateway.browser.get(accepted.location)
        assert (finished.status, urlsplit(finished.location).path) == (303, "/")


async def test_a_browser_keeps_no_more_secrets_than_are_asked_of_directory(gateway: Gateway) -> None:
    """The oldest go with the next start; what is behind the most is not sent on."""
    url, held = gateway.url, [f"{number:04}".rjust(43, "s") for number in range(MAX_BROWSERS + 8)]
    for value in held:
        gateway.browser.set_cookie(url, cookies.tagged(LOGIN, value), value)
    accepted = await gateway.post_response(respond(Recipe(in_response_to=None)))
    assert (await gateway.browser.get(accepted.location)).status == 303
    assert gateway.memory.browsers == [sha256(value) for value in held[8:]]

    await gateway.get("/login/contoso")
    [flow] = gateway.memory.flows.values()
    assert flow.browser_sha256 == sha256(held[-1])
    assert sorted(browser_secrets_of(gateway.browser, url).values()) == held[8:]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(lambda value: cookies.tag(value), id="the tag alone"),
        pytest.param(lambda value: f"x{cookies.tagged(LOGIN, value)}", id="something before the prefix"),
        pytest.param(lambda value: cookies.tagged(LOGIN, value).lower(), id="another spelling of the prefix"),
        pytest.param(lambda value: LOGIN, id="the prefix alone"),
        pytest.param(lambda value: cookies.tagged(LOGIN, "x" * 43), id="the tag of another"),
    ],
)
async def test_a_secret_counts_under_its_own_whole_name_alone(gateway: Gateway, name: Callable[[str], str]) -> None:
    """Without `__Host-` in front, whoever holds a neighbouring host could give a browser a secret that he knows."""
    # The value may hold the prefix: what is looked for in the name must not be found in it.
    value = "__Host-login-" + "k" * 43
    gateway.browser.set_cookie(gateway.url, name(value), value)
    await gateway.get("/login/contoso")
    [flow] = gateway.memory.flows.values()
    assert flow.browser_sha256 != sha256(value)


async def test_a_tile_is_counted_as_one_in_a_browser_that_has_begun_a_login_before(gateway: Gateway) -> None:
    def tiles() -> float:
        return float(metrics.LOGINS.labels("ok", "idp_initiated", "web")._value.get())

    await sign_in(gateway)
    before = tiles()
    accepted = await gateway.post_response(respond(Recipe(in_response_to=None)))
    await gateway.browser.get(accepted.location)
    assert tiles() - before == 1


async def test_a_login_cookie_that_is_not_ours_is_replaced(gateway: Gateway) -> None:
    gateway.browser.set_cookie(gateway.url, cookies.tagged(LOGIN, "short"), "short")
    await gateway.get("/login/contoso")
    [flow] = gateway.memory.flows.values()
    assert flow.browser_sha256 != sha256("short")


async def test_a_ticket_in_another_browser_opens_nothing(gateway: Gateway) -> None:
    started = await gateway.get("/login/contoso")
    victim = gateway.another_browser()
    form = {"SAMLResponse": base64.b64encode(respond(Recipe(in_response_to=flow_of(started)))).decode()}
    accepted = await victim.post(f"{gateway.url}/saml/contoso/acs", form, from_url=ENTRA)
    refused = await victim.get(accepted.location, accept="application/json")
    assert (refused.status, refused.json["reason"]) == (403, "other_browser")
    assert SESSION not in victim.cookies(gateway.url)
    assert tickets_of(victim, gateway.url) == {}


async def test_loading_the_last_page_again_is_harmless(gateway: Gateway) -> None:
    await sign_in(gateway)
    again = await gateway.get("/login/finish")
    assert (again.status, urlsplit(again.location).path) == (303, "/")


async def answered(gateway: Gateway, return_to: str = "/") -> Page:
    """A tab that Entra's answer has just been accepted in, and that has not gone on."""
    started = await gateway.get(f"/login/contoso?return_to={quote(return_to)}")
    return await gateway.post_response(respond(Recipe(in_response_to=flow_of(started))))


def path_of(page: Page) -> str:
    return urlsplit(page.location).path


async def test_tabs_that_are_answered_together_each_finish_their_own_login(gateway: Gateway) -> None:
    """S88"""
    first, second = await answered(gateway, "/calendar"), await answered(gateway, "/mail")
    assert path_of(await gateway.browser.get(first.location)) == "/calendar"
    session = gateway.browser.cookies(gateway.url)[SESSION]
    assert path_of(await gateway.browser.get(second.location)) == "/mail"
    assert gateway.browser.cookies(gateway.url)[SESSION] != session
    assert tickets_of(gateway.browser, gateway.url) == {}
    assert path_of(await gateway.browser.get(first.location)) == "/", "loaded again"


async def test_an_address_without_a_name_finishes_the_only_login_there_is(gateway: Gateway) -> None:
    await answered(gateway, "/calendar")
    assert path_of(await gateway.get("/login/finish")) == "/calendar"


async def test_an_address_without_a_name_does_not_choose_among_several(gateway: Gateway) -> None:
    first, second = await answered(gateway, "/calendar"), await answered(gateway, "/mail")
    page = await gateway.get("/login/finish", accept="application/json")
    assert (page.status, page.json["reason"]) == (403, "expired")
    assert path_of(await gateway.browser.get(second.location)) == "/mail"
    assert path_of(await gateway.browser.get(first.location)) == "/calendar"


@pytest.mark.parametrize("named", ["", "0123456789abcdef", "x", "-", "%00", "../..", "a" * 5000, "0123456789ABCDEF&t="])
async def test_a_name_that_no_ticket_here_has_finishes_nothing(gateway: Gateway, named: str) -> None:
    accepted = await answered(gateway, "/calendar")
    page = await gateway.get(f"/login/finish?t={named}", accept="application/json")
    assert (page.status, page.json["reason"]) == (403, "expired")
    assert gateway.memory.calls["open_session"] == 0
    assert path_of(await gateway.browser.get(accepted.location)) == "/calendar"


async def test_a_ticket_under_another_s_name_is_none(gateway: Gateway) -> None:
    accepted = await answered(gateway)
    [(name, ticket)] = tickets_of(gateway.browser, gateway.url).items()
    stranger = gateway.another_browser()
    for wrong in ("__Host-ticket", "__Host-ticket-0123456789abcdef", f"{name}0", f"x{name}"):
        stranger.set_cookie(gateway.url, wrong, ticket)
    for address in (accepted.location, f"{gateway.url}/login/finish?t=0123456789abcdef", f"{gateway.url}/login/finish"):
        page = await stranger.get(address, accept="application/json")
        assert page.json["reason"] == "expired"
    assert gateway.memory.calls["open_session"] == 0


async def test_five_tickets_stay_in_a_browser_and_the_oldest_go(gateway: Gateway) -> None:
    tabs = [await answered(gateway, f"/{number}") for number in range(9)]
    assert path_of(await gateway.browser.get(tabs[8].location)) == "/8"
    assert list(tickets_of(gateway.browser, gateway.url)) == [ticket_named_by(tab) for tab in tabs[4:8]]
    for number in range(4, 8):
        assert path_of(await gateway.browser.get(tabs[number].location)) == f"/{number}"


async def test_the_ticket_that_is_asked_about_is_the_fifth(gateway: Gateway) -> None:
    tabs = [await answered(gateway) for _ in range(9)]
    gateway.memory.refuse_session = "other_person_signed_in"
    await gateway.browser.get(tabs[0].location, accept="application/json")
    left = [ticket_named_by(tab) for tab in (tabs[0], *tabs[5:])]
    assert list(tickets_of(gateway.browser, gateway.url)) == left


async def test_finishing_nothing_is_refused(gateway: Gateway) -> None:
    page = await gateway.get("/login/finish", accept="application/json")
    assert (page.status, page.json["reason"]) == (403, "expired")


@pytest.mark.parametrize(
    "asked",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/x//evil",
        "/a\nb",
        "/a b",
        "evil",
        "",
        "/" + "x" * 2001,
    ],
)
async def test_a_return_address_of_any_other_kind_becomes_the_front_page(gateway: Gateway, asked: str) -> None:
    await gateway.get(f"/login/contoso?return_to={quote(asked, safe='')}")
    assert [flow.return_to for flow in gateway.memory.flows.values()] == ["/"]


async def test_a_return_address_keeps_its_query(gateway: Gateway) -> None:
    finished = await sign_in(gateway, "/kalender?uge=48&next=//x")
    assert finished.headers["Location"] == "/kalender?uge=48&next=//x"


async def test_the_login_hint_goes_on_to_entra(gateway: Gateway) -> None:
    page = await gateway.get("/login/contoso?login_hint=anna%2B1@contoso.com")
    assert parse_qs(urlsplit(page.location).query)["login_hint"] == ["anna+1@contoso.com"]


@pytest.mark.parametrize("company", ["fabrikam", "no", "UPPER", "a" * 64, "..", "a_b"])
async def test_an_unknown_company_is_told_so(gateway: Gateway, company: str) -> None:
    page = await gateway.get(f"/login/{company}", accept="application/json")
    assert (page.status, page.json["reason"]) in [(404, "unknown_company"), (404, "not_found")]


async def test_a_company_without_single_sign_on_says_so(gateway: Gateway) -> None:
    gateway.memory.fail = ErrorCode.not_allowed
    page = await gateway.get("/login/contoso", accept="application/json")
    assert (page.status, page.json["reason"]) == (403, "sso_off")


# Started in Microsoft 365.


async def test_a_tile_signs_in_without_a_login_cookie(gateway: Gateway) -> None:
    accepted = await gateway.post_response(respond(Recipe(in_response_to=None)), relay_state="/calendar")
    finished = await gateway.browser.get(accepted.location)
    assert urlsplit(finished.location).path == "/calendar"
    assert (await gateway.get("/session")).status == 200


async def test_a_tile_s_relay_state_leads_nowhere_else(gateway: Gateway) -> None:
    await gateway.post_response(respond(Recipe(in_response_to=None)), relay_state="https://evil.example/")
    assert [attempt.relay_path for attempt in gateway.memory.attempts] == ["/"]


async def test_bounce_makes_it_a_login_of_our_own_for_the_same_person(gateway: Gateway) -> None:
    gateway.memory.companies["contoso"] = connection(idp_initiated="bounce")
    bounced = await gateway.post_response(respond(Recipe(in_response_to=None)))
    assert (bounced.status, urlsplit(bounced.location).path) == (303, "/login/contoso")
    assert "anna" not in bounced.location
    started = await gateway.browser.get(bounced.location)
    assert parse_qs(urlsplit(started.location).query)["login_hint"] == ["anna@contoso.com"]
    assert gateway.memory.calls["complete_login"] == 0


# The posted form.


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 403),
        (b"SAMLResponse=", 403),
        (b"RelayState=x", 403),
        (b"SAMLResponse=YQ==&SAMLResponse=YQ==", 403),
        (b"SAMLResponse=YQ%3D%3D&RelayState=a&RelayState=b", 403),
        (b"SAMLResponse=not*base64", 403),
        (b"SAMLResponse=YQ%3D%3D%20", 403),
        (b"SAMLResponse=YQ", 403),
        (b"&".join(b"a=b" for _ in range(20)), 403),
        (b"SAMLResponse=%ff", 403),
        ("SAMLResponse=æ".encode(), 403),
        (b"SAMLResponse=YQ%3D%3D&RelayState=" + b"x" * 2000, 403),
        (b"SAMLResponse=" + b"A" * 300_000, 413),
        (b"A" * 10_000_000, 413),
    ],
)
async def test_a_form_of_any_other_kind_is_malformed(gateway: Gateway, body: bytes, status: int) -> None:
    page = await gateway.post_body(body)
    assert (page.status, page.json["reason"]) == (status, "malformed_response")
    assert gateway.memory.calls["complete_login"] == 0


async def test_the_kind_of_a_form_is_read_as_http_writes_it(gateway: Gateway) -> None:
    """RFC 9110 section 8.3.1: without case, with parameters."""
    page = await gateway.post_body(genuine_form(), "Application/X-WWW-Form-URLEncoded ; charset=UTF-8")
    assert page.status == 303


@pytest.mark.parametrize(
    ("beside", "status"),
    [
        (b"", 303),
        (b"&RelayState=", 303),
        (b"&RelayState=" + b"x" * 1024, 303),
        (b"&RelayState=" + b"x" * 1025, 403),
        (b"&RelayState=a&RelayState=a", 403),
        (b"&SAMLResponse=", 403),
        (b"&x=y" * 9, 303),
        (b"&x=y" * 10, 403),
        (b"&x", 403),
        (b"&x=%ff", 403),
    ],
    ids=lambda one: repr(one)[:30],
)
async def test_what_stands_beside_a_genuine_response_is_counted(gateway: Gateway, beside: bytes, status: int) -> None:
    page = await gateway.post_body(genuine_form() + beside)
    assert page.status == status
    assert len(gateway.memory.attempts) == (status == 303)


def genuine_form() -> bytes:
    return urlencode({"SAMLResponse": base64.b64encode(respond(Recipe(in_response_to=None))).decode()}).encode()


@pytest.mark.parametrize("content_type", ["text/xml", "multipart/form-data; boundary=x", "application/json"])
async def test_only_a_form_is_read(gateway: Gateway, content_type: str) -> None:
    page = await gateway.post_body(b"SAMLResponse=YQ%3D%3D", content_type)
    assert (page.status, page.json["reason"]) == (415, "malformed_response")


async def test_a_deflated_response_is_never_inflated(gateway: Gateway) -> None:
    page = await gateway.post_response(zlib.compress(respond(Recipe(in_response_to=None))), accept="application/json")
    assert page.json["reason"] == "malformed_response"


async def test_a_response_for_an_unknown_company_is_refused(gateway: Gateway) -> None:
    page = await gateway.post_response(respond(), company="fabrikam", accept="application/json")
    assert (page.status, page.json["reason"]) == (403, "unknown_company")


async def test_the_response_of_another_company_is_for_another_audience(gateway: Gateway) -> None:
    fabrikam = connection("fabrikam")
    gateway.memory.companies["fabrikam"] = fabrikam
    page = await gateway.post_response(respond(), company="fabrikam", accept="application/json")
    assert (page.status, page.json["reason"]) == (403, "wrong_audience")


async def test_a_response_that_answers_nothing_of_ours_is_refused(gateway: Gateway) -> None:
    page = await gateway.post_response(respond(Recipe(in_response_to=FLOW)), accept="application/json")
    assert (page.status, page.json["reason"]) == (403, "unknown_request")


@pytest.mark.parametrize("reason", ["no_such_employee", "suspended", "replayed", "groups_overage"])
async def test_directory_s_refusals_are_told(gateway: Gateway, reason: str) -> None:
    gateway.memory.refuse_login = reason
    page = await gateway.post_response(respond(Recipe(in_response_to=None)), accept="application/json")
    assert (page.status, page.json["reason"]) == (403, reason)
    assert tickets_of(gateway.browser, gateway.url) == {}


async def test_a_reason_of_a_newer_directory_is_told_as_other(gateway: Gateway) -> None:
    gateway.memory.refuse_login = "something_new"
    page = await gateway.post_response(respond(Recipe(in_response_to=None)), accept="application/json")
    assert (page.status, page.json["reason"]) == (403, "other")


async def test_a_program_in_somebody_else_s_browser_is_refused_and_the_ticket_stays(gateway: Gateway) -> None:
    accepted = await gateway.post_response(respond(Recipe(in_response_to=None)))
    gateway.memory.refuse_session = "other_person_signed_in"
    page = await gateway.browser.get(accepted.location, accept="application/json")
    assert (page.status, page.json["reason"]) == (403, "other_person_signed_in")
    assert list(tickets_of(gateway.browser, gateway.url)) == [ticket_named_by(accepted)]


async def test_a_directory_out_of_reach_is_a_503_that_loses_nothing(gateway: Gateway) -> None:
    gateway.memory.fail = ErrorCode.unavailable
    for path in ("/login/contoso", "/saml/contoso/metadata"):
        page = await gateway.get(path, accept="application/json")
        assert (page.status, page.json["reason"]) == (503, "unavailable")
        assert page.headers["Retry-After"] == "5"
    posted = await gateway.post_response(respond(), accept="application/json")
    assert posted.status == 503


# Certificates change.


async def test_a_certificate_added_a_moment_ago_is_noticed_by_its_first_login(gateway: Gateway) -> None:
    """S63: the new certificate is active at once."""
    new = signing_key("next")
    document = respond(Recipe(in_response_to=None), new)
    refused = await gateway.post_response(document, accept="application/json")
    assert refused.json["reason"] == "unknown_signer"
    # Straight after a futile look, only the company's next login by our own way brings the news.
    known = gateway.memory.companies["contoso"]
    certificates = [*known.certificates, certificate(new)]
    gateway.memory.companies["contoso"] = type(known)(
        **{name: getattr(known, name) for name in known.__struct_fields__} | {"certificates": certificates}
    )
    started = await gateway.get("/login/contoso")
    accepted = await gateway.post_response(respond(Recipe(in_response_to=flow_of(started)), new))
    assert accepted.status == 303


def verifications() -> dict[tuple[str, str], float]:
    """(key_slot, algorithm) -> how many signatures were checked so."""
    return {
        (sample.labels["key_slot"], sample.labels["algorithm"]): sample.value
        for metric in metrics.VERIFICATIONS.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


async def test_which_of_the_company_s_certificates_has_signed_is_counted(gateway: Gateway) -> None:
    known = gateway.memory.companies["contoso"]
    pinned = [*known.certificates, certificate(signing_key("next")), certificate(signing_key("third"))]
    gateway.memory.companies["contoso"] = msgspec.structs.replace(known, certificates=pinned)
    before = verifications()
    sha512 = Recipe(in_response_to=None, signature_method="http://www.w3.org/2001/04/xmldsig-more#rsa-sha512")
    for recipe, signer, status in (
        (Recipe(in_response_to=None), "contoso", 303),
        (Recipe(in_response_to=None), "next", 303),
        (sha512, "third", 303),
        (Recipe(in_response_to=None), "stranger", 403),
        # What fails before a key is tried, is no check of a signature.
        (Recipe(in_response_to=None, signed="none"), "contoso", 403),
    ):
        assert (await gateway.post_response(respond(recipe, signing_key(signer)))).status == status
    counted = {key: value - before.get(key, 0) for key, value in verifications().items()}
    assert {key: times for key, times in counted.items() if times} == {
        ("current", "rsa-sha256"): 1,
        ("next", "rsa-sha256"): 1,
        ("next", "rsa-sha512"): 1,
        ("unknown", "other"): 1,
    }


async def test_metadata_names_this_company_s_addresses(gateway: Gateway) -> None:
    page = await gateway.get("/saml/contoso/metadata")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("application/samlmetadata+xml")
    assert ACS in page.text
    unknown = await gateway.get("/saml/fabrikam/metadata", accept="application/json")
    assert (unknown.status, unknown.json["reason"]) == (404, "unknown_company")
