"""The OpenID Provider towards its apps, over the real services: login, code, tokens, and the end of each."""

import asyncio
import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import aiohttp
import pytest

from tests.entra.saml_requests import AuthnRequest, decode_redirect, parse_request
from tests.support.apps import App, as_owner, introspect, mobile, portal, signed_in
from tests.support.browser import Browser
from tests.support.company import Company, new_company


def request_of(address: str) -> tuple[AuthnRequest, str]:
    """What Entra is asked by a redirect to it, and the RelayState."""
    asked = parse_qs(urlsplit(address).query)
    request = parse_request(decode_redirect(asked["SAMLRequest"][0]))
    assert isinstance(request, AuthnRequest)
    return request, asked["RelayState"][0]


async def at_entra(browser: Browser, address: str) -> str:
    """On from an address of ours until Entra's; that one."""
    page = await browser.get(address)
    for _ in range(4):
        if not page.location.startswith(address[: address.index("/", 8)]):
            return page.location
        page = await browser.get(page.location)
    raise AssertionError(page.location)


async def code_after_login(company: Company, browser: Browser, app: App, address: str, person: Any) -> str:
    """From Entra's address back to the app."""
    return (await answer_after_login(company, browser, app, address, person))["code"]


async def answer_after_login(
    company: Company, browser: Browser, app: App, address: str, person: Any, **changes: Any
) -> dict[str, str]:
    request, relay_state = request_of(address)
    page = await company.post_response(
        browser, company.recipe(person, in_response_to=request.id, **changes), relay_state=relay_state
    )
    for _ in range(3):
        if not page.location.startswith(app.provider):
            break
        page = await browser.get(page.location)
    return app.answered(page)


# The whole way.


async def test_whoever_is_signed_in_is_let_into_an_app_without_being_asked(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    anna = await signed_in(company, browser)
    app = portal(company, http)

    async with company.stack.counting() as count:
        tokens = await app.tokens(browser)
    assert count.calls == {"issue_code": 1, "redeem_code": 1}

    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 300, "openid profile email")
    claims = await app.claims(tokens["id_token"])
    assert claims["iss"] == app.provider
    assert claims["sub"] == claims["employee_id"] == company.scim_id(anna)
    assert (claims["aud"], claims["nonce"], claims["company"]) == ("web-portal", app.nonce, company.name)
    assert claims["roles"] == []
    assert (claims["name"], claims["given_name"], claims["family_name"]) == ("Anna Holm", "Anna", "Holm")
    assert claims["email"] == claims["preferred_username"] == anna.user_principal_name
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert claims["exp"] - claims["iat"] == 300
    assert claims["auth_time"] <= claims["iat"]
    assert claims["sid"].startswith("ses_")
    access = await app.claims(tokens["access_token"])
    assert access["aud"] == "https://api.example"
    assert (access["client_id"], access["sub"], access["sid"]) == ("web-portal", claims["sub"], claims["sid"])
    assert (access["scope"], access["company"]) == ("openid profile email", company.name)

    about = await app.userinfo(tokens["access_token"])
    assert about.json["sub"] == claims["sub"]
    assert about.json["email"] == claims["email"]
    asked = await introspect(app, tokens["access_token"])
    assert (asked["active"], asked["sub"], asked["username"]) == (True, claims["sub"], anna.user_principal_name)
    assert asked["company"] == company.name
    assert "app.granted" in await company.stack.history(company.name, company.scim_id(anna))


async def test_whoever_is_not_signed_in_is_sent_to_his_company_and_back_to_the_app(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    app = portal(company, http, state="s" * 600)

    entra = await at_entra(browser, app.question(company=company.name, login_hint=anna.user_principal_name))
    assert entra.startswith("https://login.microsoftonline.com/")
    assert parse_qs(urlsplit(entra).query)["login_hint"] == [anna.user_principal_name]
    assert not request_of(entra)[0].force_authn
    code = await code_after_login(company, browser, app, entra, anna)

    assert (await app.exchange(code)).status == 200


async def test_the_domain_of_login_hint_finds_the_company(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    entra = await at_entra(browser, portal(company, http).question(login_hint=f"anna@{company.name}.example"))
    assert company.tenant.tenant_id in entra


async def test_a_domain_of_several_companies_asks_which(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    other = await new_company(company.stack, sso__email_domains=[f"{company.name}.example"])
    page = await browser.get(portal(company, http).question(login_hint=f"anna@{company.name}.example"))
    assert page.status == 200
    for one in (company, other):
        assert page.shows(f"/login/{one.name}?return_to=%2Foauth2%2Fauthorize")
    await other.scim.close()


async def test_without_company_and_hint_the_person_is_asked_for_the_email(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    app = portal(company, http)
    page = await browser.get(app.question())
    assert urlsplit(page.location).path == "/login"
    page = await browser.get(page.location)
    assert page.status == 200
    assert page.shows("/oauth2/authorize?client_id=web-portal")
    page = await browser.get(app.question(login_hint="anna@nowhere.example"))
    assert (page.status, page.shows("/oauth2/authorize?client_id=web-portal")) == (404, True)


async def test_a_session_of_another_company_asks_for_a_login_there(
    company: Company, neighbour: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    page = await browser.get(portal(company, http).question(company=neighbour.name))
    assert urlsplit(page.location).path == f"/login/{neighbour.name}"


# prompt, max_age, id_token_hint.


async def test_prompt_none_asks_nobody_anything(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    app = portal(company, http)
    answer = app.answered(await browser.get(app.question(prompt="none")))
    assert answer["error"] == "login_required"
    await signed_in(company, browser)
    assert app.answered(await browser.get(app.question(prompt="none")))["code"]


@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"max_age": "0"}])
async def test_a_fresh_login_is_demanded_of_entra_though_he_is_signed_in(
    company: Company, browser: Browser, http: aiohttp.ClientSession, demand: dict[str, str | None]
) -> None:
    anna = await signed_in(company, browser)
    app = portal(company, http)
    entra = await at_entra(browser, app.question(company=company.name, **demand))
    assert request_of(entra)[0].force_authn
    code = await code_after_login(company, browser, app, entra, anna)
    assert (await app.exchange(code)).status == 200


async def test_select_account_begins_with_the_question_who(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    page = await browser.get(portal(company, http).question(prompt="select_account"))
    assert urlsplit(page.location).path == "/login"


async def test_a_login_that_is_older_than_max_age_does_not_do(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    assert app.answered(await browser.get(app.question(max_age="600")))["code"]
    await as_owner(company, "update sessions set authenticated_at = authenticated_at - interval '11 minutes'")
    assert app.answered(await browser.get(app.question(max_age="600", prompt="none")))["error"] == "login_required"
    assert request_of(await at_entra(browser, app.question(max_age="600", company=company.name)))[0].force_authn


async def test_an_app_is_told_when_somebody_showed_himself_to_entra_and_not_when_he_came_here(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    person, weeks_ago = company.hire("anna"), datetime.now(UTC).replace(microsecond=0) - timedelta(days=81)
    await company.cycle()
    await company.sign_in(browser, person, authenticated_at=weeks_ago)
    app = portal(company, http)

    claims = await app.claims((await app.tokens(browser))["id_token"])
    assert claims["auth_time"] == int(weeks_ago.timestamp())
    entra = await at_entra(browser, app.question(company=company.name, max_age="3600"))
    assert request_of(entra)[0].force_authn, "Entra has not asked him for weeks, however lately he came here"


@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"max_age": "3600"}])
async def test_a_demand_for_a_fresh_login_that_never_reached_entra_is_not_met_and_goes_round_once(
    company: Company, browser: Browser, http: aiohttp.ClientSession, demand: dict[str, str | None]
) -> None:
    person, weeks_ago = company.hire("anna"), datetime.now(UTC) - timedelta(days=81)
    await company.cycle()
    await company.sign_in(browser, person, authenticated_at=weeks_ago)
    app = portal(company, http)
    # The request is not signed: whoever sits at the browser takes ForceAuthn out of it, and Entra answers without a question.
    entra = await at_entra(browser, app.question(company=company.name, **demand))
    answer = await answer_after_login(company, browser, app, entra, person, authenticated_at=weeks_ago)
    assert (answer["error"], "code" in answer) == ("login_required", False)


async def test_an_id_token_hint_of_somebody_else_is_not_answered_with_this_person(
    company: Company, browser: Browser, other_browser: Browser, http: aiohttp.ClientSession
) -> None:
    anna = await signed_in(company, browser)
    app = portal(company, http)
    hint = (await app.tokens(browser))["id_token"]
    assert app.answered(await browser.get(app.question(id_token_hint=hint)))["code"]
    await signed_in(company, other_browser, "bo")
    refused = app.answered(await other_browser.get(app.question(id_token_hint=hint, prompt="none")))
    assert refused["error"] == "login_required"
    entra = await at_entra(other_browser, app.question(id_token_hint=hint))
    assert request_of(entra)[0].force_authn
    assert company.scim_id(anna)


async def test_who_comes_back_from_entra_must_be_whom_the_id_token_named_which_stands_in_no_address_of_ours(
    company: Company, browser: Browser, other_browser: Browser, http: aiohttp.ClientSession
) -> None:
    anna, bo = await signed_in(company, browser), company.hire("bo")
    await company.cycle()
    app = portal(company, http)
    hint = (await app.tokens(browser))["id_token"]
    await browser.post(f"{app.provider}/logout", {}, from_url=app.provider)
    for one in (browser, other_browser):
        page = await one.get(app.question(id_token_hint=hint))
        assert urlsplit(page.location).path == f"/login/{company.name}", "its company, though the app names none"
        assert hint not in unquote(unquote(page.location))
    assert await code_after_login(company, browser, app, await at_entra(browser, page.location), anna)

    request, relay_state = request_of(await at_entra(other_browser, page.location))
    answer = company.recipe(bo, in_response_to=request.id)
    finished = await other_browser.get(
        (await company.post_response(other_browser, answer, relay_state=relay_state)).location
    )
    asked_anew = await at_entra(other_browser, finished.location)
    assert request_of(asked_anew)[0].force_authn
    refused = await answer_after_login(company, other_browser, app, asked_anew, bo)
    assert (refused["error"], "code" in refused) == ("login_required", False)


# Codes.


async def test_a_code_counts_once_and_a_second_time_ends_what_it_gave(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    anna = await signed_in(company, browser)
    app = portal(company, http)
    code = await app.code(browser)
    tokens = (await app.exchange(code)).json

    assert (await app.exchange(code)).error == "invalid_grant"

    assert (await app.userinfo(tokens["access_token"])).status == 401
    assert (await app.refresh(tokens["refresh_token"])).error == "invalid_grant"
    assert not (await introspect(app, tokens["access_token"]))["active"]
    assert (await company.session(browser)).status == 200
    assert (await company.stack.history(company.name, company.scim_id(anna)))[-1] == "app.grant_misused"


async def test_of_two_who_redeem_a_code_at_once_none_keeps_anything(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    code = await app.code(browser)
    answers = await asyncio.gather(*(app.exchange(code) for _ in range(4)))
    assert sorted(one.status for one in answers) == [200, 400, 400, 400]
    [tokens] = [one.json for one in answers if one.status == 200]
    assert (await app.userinfo(tokens["access_token"])).status == 401


@pytest.mark.parametrize(
    "wrong",
    [{"code_verifier": "v" * 43}, {"redirect_uri": "https://portal.example/callback"}],
    ids=["verifier", "redirect_uri"],
)
async def test_a_code_with_a_wrong_proof_is_spent(
    company: Company, browser: Browser, http: aiohttp.ClientSession, wrong: dict[str, str]
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    code = await app.code(browser)
    assert (await app.exchange(code, **wrong)).error == "invalid_grant"
    assert (await app.exchange(code)).error == "invalid_grant"


async def test_a_code_is_of_no_use_to_another_client_and_stays_good_for_its_own(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    code = await app.code(browser)
    thief = mobile(company, http, verifier=app.verifier, redirect_uri=app.redirect_uri)
    assert (await thief.exchange(code)).error == "invalid_grant"
    assert (await app.exchange(code)).status == 200


async def test_a_code_is_over_after_a_minute(company: Company, browser: Browser, http: aiohttp.ClientSession) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    code = await app.code(browser)
    await as_owner(company, "update app_grants set code_expires_at = code_expires_at - interval '60 seconds'")
    assert (await app.exchange(code)).error == "invalid_grant"


# Refresh tokens.


async def test_a_refresh_token_is_another_one_each_time_and_an_old_one_ends_the_family(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    first = await app.tokens(browser)
    second = (await app.refresh(first["refresh_token"])).json
    third = (await app.refresh(second["refresh_token"])).json
    assert len({one["refresh_token"] for one in (first, second, third)}) == 3
    claims = await app.claims(third["id_token"])
    assert "nonce" not in claims
    assert claims["auth_time"] == (await app.claims(first["id_token"]))["auth_time"]

    assert (await app.refresh(first["refresh_token"])).error == "invalid_grant"

    assert (await app.refresh(third["refresh_token"])).error == "invalid_grant"
    assert (await app.userinfo(third["access_token"])).status == 401


async def test_whoever_lost_the_answer_may_repeat_himself_and_is_given_the_same(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    first = await app.tokens(browser)
    answers = await asyncio.gather(*(app.refresh(first["refresh_token"]) for _ in range(4)))
    assert {one.status for one in answers} == {200}
    [successor] = {one.json["refresh_token"] for one in answers}

    await as_owner(company, "update app_grants set refreshed_at = refreshed_at - interval '11 seconds'")
    assert (await app.refresh(first["refresh_token"])).error == "invalid_grant"
    assert (await app.refresh(successor)).error == "invalid_grant"


async def test_a_refresh_token_is_bound_to_its_client(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    tokens = await app.tokens(browser)
    assert (await mobile(company, http).refresh(tokens["refresh_token"])).error == "invalid_grant"
    assert (await mobile(company, http).revoke(tokens["refresh_token"])).status == 200
    assert (await app.refresh(tokens["refresh_token"])).status == 200


async def test_scopes_can_be_narrowed_and_not_widened(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http, scope="openid email unknown offline_access")
    tokens = await app.tokens(browser)
    assert tokens["scope"] == "openid email"
    narrow = (await app.refresh(tokens["refresh_token"], scope="openid")).json
    assert narrow["scope"] == "openid"
    assert "email" not in (await app.userinfo(narrow["access_token"])).json
    assert (await app.refresh(narrow["refresh_token"], scope="openid admin")).error == "invalid_scope"
    assert (await app.refresh(narrow["refresh_token"])).json["scope"] == "openid email"


# The end of what hangs on a session.


async def test_signing_out_ends_what_hangs_on_the_browsers_session(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app, phone = portal(company, http), mobile(company, http)
    tokens, kept = await app.tokens(browser), await phone.tokens(browser)

    await browser.post(f"{app.provider}/logout", {}, from_url=app.provider)

    assert (await app.userinfo(tokens["access_token"])).status == 401
    assert (await app.refresh(tokens["refresh_token"])).error == "invalid_grant"
    assert (await phone.userinfo(kept["access_token"])).status == 200
    assert (await phone.refresh(kept["refresh_token"])).status == 200


async def test_a_new_login_in_the_same_browser_carries_over_what_apps_hold(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    anna = await signed_in(company, browser)
    app = portal(company, http)
    tokens = await app.tokens(browser)
    await company.sign_in(browser, anna)
    assert (await app.userinfo(tokens["access_token"])).status == 200
    tokens = (await app.refresh(tokens["refresh_token"])).json
    await browser.post(f"{app.provider}/logout", {}, from_url=app.provider)
    assert (await app.refresh(tokens["refresh_token"])).error == "invalid_grant"


async def test_a_suspension_by_scim_ends_access_and_refresh_tokens_of_every_app(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    anna = await signed_in(company, browser)
    app, phone = portal(company, http), mobile(company, http)
    held = [(app, await app.tokens(browser)), (phone, await phone.tokens(browser))]
    waiting = await phone.code(browser)

    assert (await company.suspend(company.scim_id(anna))).status == 200

    for one, tokens in held:
        assert (await one.userinfo(tokens["access_token"])).status == 401
        assert not (await introspect(one, tokens["access_token"]))["active"]
        assert not (await introspect(one, tokens["refresh_token"]))["active"]
        assert (await one.refresh(tokens["refresh_token"])).error == "invalid_grant"
    assert (await phone.exchange(waiting)).error == "invalid_grant"


async def test_a_logout_at_microsoft_ends_the_browsers_and_not_the_phones(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    anna = await signed_in(company, browser)
    app, phone = portal(company, http), mobile(company, http)
    tokens, kept = await app.tokens(browser), await phone.tokens(browser)
    page = await browser.get(company.broadcast(None, anna.user_principal_name))
    assert page.status == 200
    assert (await app.refresh(tokens["refresh_token"])).error == "invalid_grant"
    assert (await phone.refresh(kept["refresh_token"])).status == 200


async def test_an_apps_own_session_is_no_browsers(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    phone = mobile(company, http)
    tokens = await phone.tokens(browser)
    other = Browser(http)
    for value in (tokens["refresh_token"], tokens["refresh_token"][:64]):
        other.set_cookie(phone.provider, "__Host-session", value)
        assert (await company.session(other)).status == 401


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
@pytest.mark.parametrize("make", [portal, mobile])
async def test_an_app_gives_back_what_it_holds(
    company: Company, browser: Browser, http: aiohttp.ClientSession, make: Any, which: str
) -> None:
    anna = await signed_in(company, browser)
    app = make(company, http)
    tokens = await app.tokens(browser)
    for _ in range(2):
        answer = await app.revoke(tokens[which])
        assert (answer.status, answer.text) == (200, "")
    assert (await app.userinfo(tokens["access_token"])).status == 401
    assert (await app.refresh(tokens["refresh_token"])).error == "invalid_grant"
    assert (await company.session(browser)).status == 200
    assert (await company.stack.history(company.name, company.scim_id(anna)))[-1] == "app.grant_ended"


async def test_introspection_knows_a_refresh_token_until_it_is_used(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    tokens = await app.tokens(browser)
    asked = await introspect(app, tokens["refresh_token"])
    assert (asked["active"], asked["token_type"], asked["client_id"]) == (True, "refresh_token", "web-portal")
    await app.refresh(tokens["refresh_token"])
    assert await introspect(app, tokens["refresh_token"]) == {"active": False}
    assert await introspect(app, "garbage") == {"active": False}


async def test_roles_are_those_of_now(company: Company, browser: Browser, http: aiohttp.ClientSession) -> None:
    anna = await signed_in(company, browser)
    app = portal(company, http)
    tokens = await app.tokens(browser)
    company.hire("bo", manager=anna.object_id)
    await company.cycle()
    assert (await app.userinfo(tokens["access_token"])).json["roles"] == ["approver"]
    assert (await app.claims((await app.refresh(tokens["refresh_token"])).json["id_token"]))["roles"] == ["approver"]


# Signing out by an app.


async def test_an_app_signs_whoever_is_signed_in_out_and_gets_him_back(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    tokens = await app.tokens(browser)
    back = "post_logout_redirect_uri=https%3A%2F%2Fportal.example%2F&state=x%20y"
    address = f"{app.provider}/oauth2/logout?id_token_hint={tokens['id_token']}&{back}"

    page = await browser.get(address)
    assert page.location == "https://portal.example/?state=x+y"
    assert (await company.session(browser)).status == 401
    assert (await app.refresh(tokens["refresh_token"])).error == "invalid_grant"
    assert (await browser.get(address)).location == "https://portal.example/?state=x+y"


async def test_without_a_hint_of_his_own_the_person_is_asked_before_anything_ends(
    company: Company, browser: Browser, other_browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    await signed_in(company, other_browser, "bo")
    others = (await app.tokens(other_browser))["id_token"]
    back = "client_id=web-portal&post_logout_redirect_uri=https%3A%2F%2Fportal.example%2F&state=xy"
    for query in (back, f"{back}&id_token_hint={others}", f"{back}&id_token_hint=garbage", ""):
        page = await browser.get(f"{app.provider}/oauth2/logout?{query}")
        assert (page.status, page.shows("Do you want to sign out?")) == (200, True)
        assert page.shows("Web portal") == bool(query)
        assert (await company.session(browser)).status == 200
    form = {"client_id": "web-portal", "post_logout_redirect_uri": "https://portal.example/", "confirmed": "yes"}

    page = await browser.post(f"{app.provider}/oauth2/logout", form, from_url="https://evil.example")
    assert page.location.startswith(f"{app.provider}/oauth2/logout?")
    assert (await company.session(browser)).status == 200

    page = await browser.post(f"{app.provider}/oauth2/logout", form, from_url=app.provider)
    assert (page.status, page.shows("https://portal.example/")) == (200, True)
    assert (await company.session(browser)).status == 401


# Native apps.


async def test_the_mobile_app_goes_on_when_the_browsers_session_has_ended(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    phone = mobile(company, http)
    page = await browser.get(phone.question())
    assert page.headers["Location"].startswith("com.bitabiz.app:/callback?code=")
    tokens = (await phone.exchange(phone.answered(page)["code"])).json
    await browser.post(f"{phone.provider}/logout", {}, from_url=phone.provider)
    for _ in range(3):
        tokens = (await phone.refresh(tokens["refresh_token"])).json
    assert (await phone.userinfo(tokens["access_token"])).status == 200


@pytest.mark.parametrize("address", ["http://127.0.0.1:51004/callback", "http://[::1]:1/callback"])
async def test_a_loopback_address_may_have_any_port(
    company: Company, browser: Browser, http: aiohttp.ClientSession, address: str
) -> None:
    await signed_in(company, browser)
    assert await mobile(company, http, redirect_uri=address).tokens(browser)


async def test_an_app_that_is_not_used_for_the_company_s_idle_time_is_signed_out(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    await company.apply(sso__idle_minutes=30)
    app = mobile(company, http)
    tokens = await app.tokens(browser)
    rest = "update sessions set signed_in_at = signed_in_at - interval '{0} minutes', seen_at = seen_at - interval '{0} minutes'"
    await as_owner(company, rest.format(20))
    refreshed = await app.refresh(tokens["refresh_token"])
    assert refreshed.status == 200
    await as_owner(company, rest.format(20))
    assert (await app.userinfo(refreshed.json["access_token"])).status == 200, "it was used twenty minutes ago"
    await as_owner(company, rest.format(10))
    assert (await app.userinfo(refreshed.json["access_token"])).status == 401
    assert (await app.refresh(refreshed.json["refresh_token"])).error == "invalid_grant"
