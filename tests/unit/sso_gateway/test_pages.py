"""What people see: texts in two languages, headers, the way from an e-mail address to the company."""

import asyncio
import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.attempts import attempt_from_text, attempt_of_flow
from sso_gateway.pages.language import preferred
from sso_gateway.pages.texts import TEXTS
from sso_gateway.reasons import LOGIN_REASONS, LOGOUT_REASONS, PAGE_REASONS
from tests.support.saml_responses import Recipe, respond
from tests.unit.sso_gateway.conftest import PUBLIC_URL, Gateway, settings

CONTRACT = {
    "unknown_company", "sso_off", "malformed_response", "not_signed", "bad_signature", "unknown_signer", "weak_algorithm",
    "wrong_audience", "wrong_recipient", "wrong_destination", "wrong_issuer", "wrong_tenant", "expired", "not_yet_valid",
    "replayed", "unknown_request", "other_browser", "idp_initiated_off", "idp_refused", "no_such_employee",
    "matches_username_not_email", "name_id_pairwise", "needs_confirmation",
    "suspended", "departed", "not_in_company_group", "groups_overage", "other_person_signed_in",
}  # fmt: skip


def test_the_reasons_are_those_of_the_contract() -> None:
    assert LOGIN_REASONS == CONTRACT
    assert {"malformed_logout"} == LOGOUT_REASONS - CONTRACT


def test_every_reason_has_its_texts_in_both_languages() -> None:
    for language, texts in TEXTS.items():
        assert texts.refusals.keys() == PAGE_REASONS, language
        for reason, text in texts.refusals.items():
            assert all((text.title, text.what, text.remedy)), (language, reason)
    assert TEXTS["da"].words.keys() == TEXTS["en"].words.keys()
    assert TEXTS["da"].test.keys() == TEXTS["en"].test.keys()
    for reason in PAGE_REASONS:
        assert TEXTS["da"].refusals[reason].title != TEXTS["en"].refusals[reason].title


def test_the_faq_s_remedy_for_a_changed_e_mail_is_named() -> None:
    """S89: set Unique User Identifier (Name ID) to user.mail; A8: and provision the e-mail from mail."""
    for texts in TEXTS.values():
        for reason in ("matches_username_not_email", "no_such_employee"):
            remedy = texts.refusals[reason].remedy
            assert "Attributes & Claims, Unique User Identifier (Name ID), Source attribute user.mail" in remedy
            assert 'source attribute mail for emails[type eq "work"].value' in remedy
        assert (
            "Unique User Identifier (Name ID), Source attribute user.mail" in texts.refusals["name_id_pairwise"].remedy
        )


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("da", "da"),
        ("da-DK,da;q=0.9,en;q=0.8", "da"),
        ("en-US,en;q=0.9,da;q=0.8", "en"),
        ("de-DE,de;q=0.9,da;q=0.5,en;q=0.4", "da"),
        ("de", "en"),
        ("", "en"),
        ("da;q=0", "en"),
        ("da;q=x, *", "en"),
        ("en;q=0.5, da", "da"),
        ("," * 100_000, "en"),
    ],
)
def test_the_language_is_what_the_browser_prefers_of_ours(asked: str, given: str) -> None:
    assert preferred(asked) == given


@pytest.mark.parametrize("reason", sorted(CONTRACT - {"other_browser", "other_person_signed_in", "unknown_company"}))
async def test_every_refusal_is_a_page_in_danish_with_its_reason_and_trace_id(gateway: Gateway, reason: str) -> None:
    gateway.memory.refuse_login = reason
    danish = gateway.browser = gateway.another_browser("da-DK,da;q=0.9")
    page = await gateway.post_response(respond(Recipe(in_response_to=None)))
    assert danish is gateway.browser
    assert page.status == 403
    assert '<html lang="da">' in page.text
    assert page.shows(TEXTS["da"].refusals[reason].title)
    assert page.shows(TEXTS["da"].refusals[reason].remedy)
    assert page.shows(f">{reason}<")
    assert re.fullmatch("[0-9a-f]{32}", page.trace_id)


async def test_a_refusal_as_json_has_the_contract_s_fields(gateway: Gateway) -> None:
    page = await gateway.post_response(respond(Recipe(audiences=(("<script>",),))), accept="application/json")
    assert page.status == 403
    assert page.json["reason"] == "wrong_audience"
    assert re.fullmatch("[0-9a-f]{32}", page.json["trace_id"])
    assert page.json["title"] == TEXTS["en"].refusals["wrong_audience"].title
    assert page.json["remedy"] == TEXTS["en"].refusals["wrong_audience"].remedy


async def test_a_refusal_has_an_id_that_can_be_read_aloud(gateway: Gateway) -> None:
    page = await gateway.post_response(respond(Recipe(in_response_to=None)) + b" x")
    spoken = re.search('data-field="attempt_id">([^<]+)<', page.text)
    assert spoken
    assert attempt_from_text(spoken[1]) == spoken[1]
    assert TEXTS["en"].words["attempt_id"] in unescape(page.text)


async def test_a_login_keeps_its_id_from_the_beginning_to_the_refusal(gateway: Gateway) -> None:
    started = await gateway.get("/login/contoso")
    flow_id = parse_qs(urlsplit(started.location).query)["RelayState"][0]
    for response in (respond(Recipe(in_response_to=flow_id, audiences=(("other",),))), b"x"):
        page = await gateway.post_response(response, relay_state=flow_id, accept="application/json")
        assert page.json["attempt_id"] == attempt_of_flow(flow_id)


async def test_what_is_no_login_has_no_such_id(gateway: Gateway) -> None:
    assert "attempt_id" not in (await gateway.get("/nowhere")).text


async def test_a_request_does_not_carry_the_login_before_it_on_its_connection(gateway: Gateway) -> None:
    """Behind an ingress that is somebody else's. What was sent along with it is answered where it was."""
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    asked = "GET {} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n{}\r\n"
    writer.write((asked.format("/login/contoso", "") + asked.format("/nowhere", "Connection: close\r\n")).encode())
    answers = (await asyncio.wait_for(reader.read(), 10)).decode()
    writer.close()
    assert answers.count("HTTP/1.1 302") == answers.count("HTTP/1.1 404") == 1
    assert "attempt_id" not in answers


async def test_what_a_response_states_is_shown_escaped(gateway: Gateway) -> None:
    page = await gateway.post_response(respond(Recipe(audiences=(("<script>alert(1)</script>",),))))
    assert "<script" not in page.text
    assert page.shows("<script>alert(1)</script>")


async def test_every_answer_is_kept_in_its_place(gateway: Gateway) -> None:
    answers = [
        await gateway.get(path)
        for path in ("/", "/login", "/login/contoso", "/login/finish", "/session", "/nowhere", "/static/style.css")
    ]
    answers.append(await gateway.post_response(b"x"))
    for page in answers:
        assert "default-src 'none'" in page.headers["Content-Security-Policy"], page.url
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert "Strict-Transport-Security" not in page.headers
        assert page.headers["Cache-Control"] == "no-store" or "/static/" in page.url


def test_https_is_made_to_last_where_the_public_address_has_it() -> None:
    from starlette.responses import Response

    from sso_gateway.pages.render import Pages

    assert "Strict-Transport-Security" in Pages("https://login.example").protected(Response()).headers
    assert settings().public_url == PUBLIC_URL


async def test_no_page_needs_a_script_or_another_site(gateway: Gateway) -> None:
    for path in ("/", "/login", "/login/finish", "/nowhere"):
        page = await gateway.get(path)
        assert not re.search(r"<script|javascript:|\son\w+=|style=|https?://", page.text), path


async def test_the_front_page_shows_who_is_signed_in(gateway: Gateway) -> None:
    assert (await gateway.get("/")).shows("You are not signed in")
    page = await gateway.browser.follow(await gateway.post_response(respond(Recipe(in_response_to=None))))
    assert page.shows("Anna <b> Ærø")
    assert "<b>" not in page.text
    assert page.shows("Approver")
    assert page.shows('action="/logout"')


# From an e-mail address to the company.


async def test_an_address_leads_to_the_company_of_its_domain_without_standing_in_any_address(gateway: Gateway) -> None:
    asked = await gateway.get("/login?return_to=/calendar")
    assert asked.status == 200
    form = {"email": "anna@contoso.com", "return_to": "/calendar"}
    page = await gateway.browser.post(f"{gateway.url}/login", form, from_url=gateway.url)
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    assert found
    target = unescape(found[1])
    assert target == "/login/contoso?return_to=%2Fcalendar"
    started = await gateway.get(target)
    assert parse_qs(urlsplit(started.location).query)["login_hint"] == ["anna@contoso.com"]
    assert "__Host-hint" not in gateway.browser.cookies(gateway.url)


async def test_an_address_in_the_link_goes_straight_on(gateway: Gateway) -> None:
    page = await gateway.get("/login?email=anna@contoso.com&return_to=/calendar")
    assert (page.status, page.headers["Location"]) == (303, "/login/contoso?return_to=%2Fcalendar")


async def test_the_answer_is_the_same_for_everybody_of_a_domain(gateway: Gateway) -> None:
    bodies = set()
    for person in ("anna", "nobody"):
        form = {"email": f"{person}@contoso.com"}
        page = await gateway.browser.post(f"{gateway.url}/login", form, from_url=gateway.url)
        bodies.add((page.status, page.text))
    assert len(bodies) == 1


async def test_several_companies_on_one_domain_are_a_choice(gateway: Gateway) -> None:
    gateway.memory.domains["contoso.com"] = ["contoso", "fabrikam"]
    page = await gateway.get("/login?email=anna@contoso.com&return_to=/x")
    assert page.status == 200
    assert page.shows('href="/login/contoso?return_to=%2Fx"')
    assert page.shows("Fabrikam A/S")


@pytest.mark.parametrize(
    "email", ["", "anna", "@contoso.com", "anna@", "anna@contoso", "a b@contoso.com", "a" * 255 + "@a.com"]
)
async def test_half_an_address_is_asked_for_again(gateway: Gateway, email: str) -> None:
    page = await gateway.browser.post(f"{gateway.url}/login", {"email": email}, from_url=gateway.url)
    assert page.status == 400
    assert page.shows(TEXTS["en"].words["email_wrong"])
    assert gateway.memory.calls["find_companies"] == 0


async def test_a_domain_of_no_company_is_told_so(gateway: Gateway) -> None:
    form = {"email": "<b>@nowhere.example"}
    page = await gateway.browser.post(f"{gateway.url}/login", form, from_url=gateway.url)
    assert page.status == 404
    assert page.shows(TEXTS["en"].words["email_unknown"])
    assert "<b>" not in page.text


async def test_an_oversized_form_is_refused(gateway: Gateway) -> None:
    page = await gateway.browser.post(f"{gateway.url}/login", b"email=" + b"a" * 10_000, from_url=gateway.url)
    assert page.status == 400


async def test_there_is_nothing_at_other_addresses(gateway: Gateway) -> None:
    page = await gateway.get("/nowhere")
    assert page.status == 404
    assert page.shows("There is no such page")
    assert (await gateway.get("/saml/contoso/acs")).status == 405
