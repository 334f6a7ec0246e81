"""Single logout as a browser sees it, both ways, and what directory is asked."""

import re
import zlib
from base64 import b64decode
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from shared.errors import ErrorCode
from sso_gateway.pages.texts import TEXTS
from sso_gateway.saml.keys import thumbprint
from sso_gateway.saml.profile import CLOCK_SKEW
from tests.support.browser import Page
from tests.support.logout_messages import INDEX, PAIRWISE, SUCCESS, Answer, Logout, redirect
from tests.support.saml_responses import ENTITY_ID, NOW, SAML, SAMLP, Recipe, respond, signing_key
from tests.unit.sso_gateway.conftest import Gateway
from tests.unit.sso_gateway.fake_directory import certificate

SESSION = "__Host-session"


async def signed_in(gateway: Gateway) -> None:
    await gateway.browser.follow(await gateway.post_response(respond(Recipe(in_response_to=None))))
    assert (await gateway.get("/session")).status == 200


async def broadcast(gateway: Gateway, query: str, company: str = "contoso", accept: str = "text/html") -> Page:
    """A hidden frame on Microsoft's page: another site's, so no cookie goes along."""
    url = f"{gateway.url}/saml/{company}/logout?{query}"
    return await gateway.another_browser().get(url, accept=accept)


async def counted(gateway: Gateway, metric: str) -> float:
    page = await gateway.browser.get(f"{gateway.ops_url}/metrics")
    found = re.search(rf"^{re.escape(metric)} ([0-9.e+]+)$", page.text, re.MULTILINE)
    return float(found[1]) if found else 0.0


# Entra begins


async def test_a_logout_that_entra_begins_ends_the_session_without_any_cookie(gateway: Gateway) -> None:
    await signed_in(gateway)
    before = await counted(gateway, 'sso_logout_requests_total{outcome="ok"}')
    ended = await counted(gateway, 'sso_sessions_revoked_total{cause="idp_logout"}')
    page = await broadcast(gateway, redirect(Logout().text()).query)

    assert page.status == 200
    assert "Set-Cookie" not in page.headers
    assert "Location" not in page.headers
    assert (await gateway.get("/session")).status == 401
    [told] = gateway.memory.logouts
    assert (told.company, told.session_indexes, told.name_id) == ("contoso", [INDEX], PAIRWISE)
    assert (told.until, told.signer_fingerprint) == (NOW + CLOCK_SKEW, signing_key().fingerprint)
    assert await counted(gateway, 'sso_logout_requests_total{outcome="ok"}') == before + 1
    assert await counted(gateway, 'sso_sessions_revoked_total{cause="idp_logout"}') == ended + 1


async def test_the_answer_is_tiny_is_kept_nowhere_and_may_stand_in_microsoft_s_frame_alone(gateway: Gateway) -> None:
    page = await broadcast(gateway, redirect(Logout().text()).query)
    assert len(page.text) < 400
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors https://login.microsoftonline.com"
    )
    assert "X-Frame-Options" not in page.headers
    assert page.headers["Referrer-Policy"] == "no-referrer"


async def test_an_identity_provider_without_an_origin_frames_nothing(gateway: Gateway) -> None:
    known = gateway.memory.companies["contoso"]
    values = {name: getattr(known, name) for name in known.__struct_fields__}
    gateway.memory.companies["contoso"] = type(known)(**values | {"login_url": "https://x;script-src *"})
    page = await broadcast(gateway, redirect(Logout().text()).query)
    assert page.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")


async def test_nobody_signed_in_is_answered_the_same(gateway: Gateway) -> None:
    await signed_in(gateway)
    query = redirect(Logout().text()).query
    somebody, nobody = await broadcast(gateway, query), await broadcast(gateway, query)
    assert (somebody.status, somebody.text) == (nobody.status, nobody.text)


FORGED = {
    "not_signed": redirect(Logout().text()).signed,
    "unknown_signer": redirect(Logout().text(), key=signing_key("stranger")).query,
    "weak_algorithm": redirect(Logout().text(), method="http://www.w3.org/2000/09/xmldsig#rsa-sha1").query,
    "wrong_issuer": redirect(Logout(issuer="https://sts.windows.net/x/").text()).query,
    "wrong_destination": redirect(Logout(attributes=' Destination="https://evil.example/"').text()).query,
    "expired": redirect(Logout(issued_at=NOW - timedelta(minutes=6)).text()).query,
    "not_yet_valid": redirect(Logout(issued_at=NOW + timedelta(minutes=3)).text()).query,
    "malformed_logout": redirect("<x/>").query,
}


@pytest.mark.parametrize("reason", FORGED)
async def test_what_is_not_believed_ends_nothing_and_says_why(gateway: Gateway, reason: str) -> None:
    await signed_in(gateway)
    metric = f'sso_logout_requests_total{{outcome="{reason}"}}'
    before = await counted(gateway, metric)

    page = await broadcast(gateway, FORGED[reason], accept="application/json")

    assert (page.status, page.json["reason"]) == (403, reason)
    text = TEXTS["en"].refusals[reason] if reason == "malformed_logout" else TEXTS["en"].logout_refused
    assert (page.json["title"], page.json["remedy"]) == (text.title, text.remedy)
    assert gateway.memory.calls["end_idp_session"] == 0
    assert (await gateway.get("/session")).status == 200
    assert await counted(gateway, metric) == before + 1


async def test_a_refused_logout_is_a_page_about_a_logout(gateway: Gateway) -> None:
    page = await gateway.get(f"/saml/contoso/logout?{FORGED['unknown_signer']}")
    assert page.shows(TEXTS["en"].logout_refused.title)
    assert page.shows(">unknown_signer<")
    assert page.shows('href="/"')
    assert page.shows(f"thumbprint {thumbprint(signing_key().der)}")


async def test_a_megabyte_is_refused_before_anything_looks_at_it(gateway: Gateway) -> None:
    for size, status in ((8 * 1024, 403), (40_000, 414), (1_000_000, 431)):
        page = await broadcast(gateway, f"SAMLRequest={'A' * size}&SigAlg=x&Signature=x")
        assert page.status == status
    assert gateway.memory.calls["end_idp_session"] == 0


async def test_another_company_s_key_and_address_sign_nobody_out_here(gateway: Gateway) -> None:
    """Same tenant, same issuer."""
    contoso = gateway.memory.companies["contoso"]
    values = {name: getattr(contoso, name) for name in contoso.__struct_fields__}
    theirs = {"company": "fabrikam", "certificates": [certificate(signing_key("fabrikam"))]}
    gateway.memory.companies["fabrikam"] = type(contoso)(**values | theirs)
    await signed_in(gateway)
    foreign = redirect(Logout().text(), key=signing_key("fabrikam")).query
    assert (await broadcast(gateway, foreign, accept="application/json")).json["reason"] == "unknown_signer"
    ours = redirect(Logout().text()).query
    assert (await broadcast(gateway, ours, "fabrikam", "application/json")).json["reason"] == "unknown_signer"
    assert (await gateway.get("/session")).status == 200


async def test_directory_has_the_last_word_on_the_signer(gateway: Gateway) -> None:
    gateway.memory.refuse_logout = "unknown_signer"
    page = await broadcast(gateway, redirect(Logout().text()).query, accept="application/json")
    assert (page.status, page.json["reason"]) == (403, "unknown_signer")


async def test_an_unknown_company_is_a_404(gateway: Gateway) -> None:
    page = await broadcast(gateway, redirect(Logout().text()).query, "fabrikam", "application/json")
    assert (page.status, page.json["reason"]) == (404, "unknown_company")


async def test_a_directory_out_of_reach_is_a_503(gateway: Gateway) -> None:
    gateway.memory.fail = ErrorCode.unavailable
    page = await broadcast(gateway, redirect(Logout().text()).query, accept="application/json")
    assert (page.status, page.json["reason"]) == (503, "unavailable")


# We begin


async def test_signing_out_at_microsoft_too_ends_the_session_first(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await gateway.browser.post(f"{gateway.url}/logout", {"at": "idp"}, from_url=gateway.url)

    assert page.status == 200, "not a redirect: form-action holds for those"
    assert SESSION not in gateway.browser.cookies(gateway.url)
    assert gateway.memory.sessions == set()
    address = urlsplit(onward(page))
    assert f"{address.scheme}://{address.netloc}{address.path}" == gateway.memory.companies["contoso"].login_url
    query = parse_qs(address.query)
    assert query.keys() == {"SAMLRequest"}
    request = etree.fromstring(zlib.decompress(b64decode(query["SAMLRequest"][0]), wbits=-15))
    assert request.tag == f"{SAMLP}LogoutRequest"
    assert (request.get("Version"), request.get("IssueInstant")) == ("2.0", "2026-11-24T08:00:00Z")
    assert request.get("Destination") == gateway.memory.companies["contoso"].login_url
    assert re.fullmatch("_[0-9a-f]{32}", request.get("ID") or "")
    assert request.findtext(f"{SAML}Issuer") == ENTITY_ID
    name_id = request.find(f"{SAML}NameID")
    assert name_id is not None
    assert (name_id.text, name_id.get("Format")) == (Recipe().name_id, Recipe().name_id_format)
    assert request.findtext(f"{SAMLP}SessionIndex") == INDEX


def onward(page: Page) -> str:
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    assert found, page.text
    return unescape(found[1])


async def test_a_program_is_told_where_to_go_on(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await gateway.browser.post(
        f"{gateway.url}/logout", {"at": "idp"}, from_url=gateway.url, accept="application/json"
    )
    assert page.status == 200
    assert page.json["go_on_to"].startswith(gateway.memory.companies["contoso"].login_url)


async def test_who_is_not_signed_in_is_not_sent_to_microsoft(gateway: Gateway) -> None:
    page = await gateway.browser.post(f"{gateway.url}/logout", {"at": "idp"}, from_url=gateway.url)
    assert (page.status, page.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("form", [{}, {"at": "here"}, {"at": ""}])
async def test_without_it_signing_out_stays_here(gateway: Gateway, form: dict[str, str]) -> None:
    await signed_in(gateway)
    page = await gateway.browser.post(f"{gateway.url}/logout", form, from_url=gateway.url)
    assert (page.status, page.headers["Location"]) == (303, "/")


async def test_another_site_sends_nobody_to_microsoft(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await gateway.browser.post(f"{gateway.url}/logout", {"at": "idp"}, from_url="https://evil.example")
    assert page.status == 403
    assert (await gateway.get("/session")).status == 200


async def test_the_front_page_offers_both_ways_out(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await gateway.get("/")
    assert page.shows(TEXTS["en"].words["sign_out"])
    assert page.shows('name="at" value="idp"')
    assert page.shows(TEXTS["en"].words["sign_out_lead"])


# Entra answers


async def answered(gateway: Gateway, query: str) -> Page:
    page = await gateway.get(f"/saml/contoso/logout?{query}")
    assert page.status == 303
    assert urlsplit(page.location).path == "/"
    return await gateway.browser.get(page.location)


ANSWERS = {
    "genuine": (redirect(Answer().text(), "SAMLResponse").query, "signed_out_at_idp"),
    "with a relay state": (
        redirect(Answer().text(), "SAMLResponse", relay_state="https://evil.example/").query,
        "signed_out_at_idp",
    ),
    "by its other name": (
        redirect(
            Answer(issuer=Answer().issuer.replace("sts.windows.net", "login.microsoftonline.com")).text(),
            "SAMLResponse",
        ).query,
        "signed_out_at_idp",
    ),
    "unsigned": (redirect(Answer().text(), "SAMLResponse").signed, "signed_out_here"),
    "forged": (redirect(Answer().text(), "SAMLResponse", key=signing_key("stranger")).query, "signed_out_here"),
    "a failure": (
        redirect(Answer(status=SUCCESS.replace("Success", "Responder")).text(), "SAMLResponse").query,
        "signed_out_here",
    ),
    "stale": (redirect(Answer(issued_at=NOW - timedelta(hours=1)).text(), "SAMLResponse").query, "signed_out_here"),
    "nonsense": ("SAMLResponse=%&&&", "signed_out_here"),
    "doubled": ("SAMLResponse=x&SAMLResponse=y", "signed_out_here"),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_decides_nothing_but_what_the_front_page_says(gateway: Gateway, answer: str) -> None:
    query, words = ANSWERS[answer]
    page = await answered(gateway, query)
    assert page.shows(TEXTS["en"].words[words])
    assert "evil.example" not in page.text
    assert gateway.memory.calls["end_idp_session"] == 0


async def test_whoever_is_signed_in_stays_so_whatever_the_answer_says(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await answered(gateway, ANSWERS["genuine"][0])
    assert page.shows(TEXTS["en"].words["signed_in"])
    assert not page.shows(TEXTS["en"].words["signed_out_at_idp"])


async def test_a_request_told_as_an_answer_and_the_other_way_round_is_neither(gateway: Gateway) -> None:
    await signed_in(gateway)
    page = await answered(gateway, redirect(Logout().text(), "SAMLResponse").query)
    assert page.shows(TEXTS["en"].words["signed_in"])
    refused = await broadcast(gateway, redirect(Answer().text()).query, accept="application/json")
    assert refused.json["reason"] == "malformed_logout"
    assert (await gateway.get("/session")).status == 200


async def test_the_bare_address_leads_to_the_front_page(gateway: Gateway) -> None:
    page = await gateway.get("/saml/contoso/logout")
    assert (page.status, page.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("said", ["", "x", "signed_out", "<script>"])
async def test_the_front_page_repeats_nothing_of_its_address(gateway: Gateway, said: str) -> None:
    page = await gateway.get(f"/?signed_out={said}")
    assert 'data-field="signed_out"' not in page.text
    assert "<script" not in page.text


async def test_no_text_of_a_logout_is_missing_in_danish(gateway: Gateway) -> None:
    danish = gateway.another_browser("da")
    page = await danish.get(f"{gateway.url}/saml/contoso/logout?{redirect(Logout().text()).query}")
    assert page.shows(TEXTS["da"].words["signed_out_by_idp"])
    refused = await danish.get(f"{gateway.url}/saml/contoso/logout?{FORGED['expired']}")
    assert refused.shows(TEXTS["da"].logout_refused.remedy)
