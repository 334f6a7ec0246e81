"""Signing out once and being out on both sides: at Microsoft, and here."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.entra.certificates import private_key
from tests.entra.people import EMAIL_ADDRESS_FORMAT, Person
from tests.entra.saml_requests import (
    LogoutRequest,
    decode_redirect,
    logout_response,
    parse_request,
    signed_redirect,
)
from tests.support.browser import Browser, Page
from tests.support.company import Company
from tests.support.stack import second_gateway


async def signed_in(company: Company, http: aiohttp.ClientSession, person: Person) -> tuple[Browser, str]:
    """A browser of its own in which somebody signs in; and the SessionIndex that Entra gave."""
    browser = Browser(http)
    request_id, relay_state = await company.start_login(browser)
    recipe = company.recipe(person, in_response_to=request_id)
    page = await browser.follow(await company.post_response(browser, recipe, relay_state=relay_state))
    assert page.status == 200
    return browser, recipe.assertion_id


async def told(http: aiohttp.ClientSession, url: str) -> Page:
    """As in a hidden frame of Microsoft's page: without any cookie."""
    return await Browser(http).get(url, accept="application/json")


async def is_in(company: Company, browser: Browser) -> bool:
    return (await company.session(browser)).status == 200


async def test_whoever_signs_out_at_microsoft_is_out_of_that_sign_in_and_nobody_else_is(
    company: Company, neighbour: Company, http: aiohttp.ClientSession
) -> None:
    anna, bo = company.hire("anna"), company.hire("bo")
    neighbour.tenant.assign(neighbour.app, anna.object_id)  # one person, two employees
    await company.cycle()
    await neighbour.cycle()
    office, index = await signed_in(company, http, anna)
    home, _ = await signed_in(company, http, anna)
    bos, _ = await signed_in(company, http, bo)
    next_door, _ = await signed_in(neighbour, http, anna)

    assert (await told(http, company.broadcast(index))).status == 200

    assert not await is_in(company, office)
    assert [await is_in(company, other) for other in (home, bos, next_door)] == [True, True, True]
    kinds = await company.stack.history(company.name, company.scim_id(anna))
    assert kinds[-1] == "session.signed_out"
    assert "session.signed_out" not in await company.stack.history(company.name, company.scim_id(bo))


async def test_every_process_knows_at_the_next_request(company: Company, http: aiohttp.ClientSession) -> None:
    anna = company.hire()
    await company.cycle()
    browser, index = await signed_in(company, http, anna)
    async with second_gateway(company.stack) as other_url:
        assert (await browser.get(f"{other_url}/session")).status == 200
        assert (await told(http, company.broadcast(index))).status == 200
        assert (await browser.get(f"{other_url}/session")).status == 401
        assert (await browser.get(f"{other_url}/auth")).status == 401


async def test_a_broadcast_without_index_ends_all_that_came_by_the_name_in_this_company_only(
    company: Company, neighbour: Company, http: aiohttp.ClientSession
) -> None:
    anna, bo = company.hire("anna"), company.hire("bo")
    neighbour.tenant.assign(neighbour.app, anna.object_id)
    await company.cycle()
    await neighbour.cycle()
    hers = [(await signed_in(company, http, anna))[0] for _ in range(2)]
    bos, _ = await signed_in(company, http, bo)
    next_door, _ = await signed_in(neighbour, http, anna)
    name = anna.user_principal_name

    assert (await told(http, company.broadcast(None, name, name_id_format=EMAIL_ADDRESS_FORMAT))).status == 200

    assert [await is_in(company, browser) for browser in (*hers, bos)] == [False, False, True]
    assert await is_in(neighbour, next_door)


async def test_one_broadcast_is_one_question_to_directory(company: Company, http: aiohttp.ClientSession) -> None:
    anna = company.hire()
    await company.cycle()
    _, index = await signed_in(company, http, anna)
    async with company.stack.counting() as count:
        await told(http, company.broadcast(index))
    assert count.calls == {"end_idp_session": 1}


async def test_many_at_once_end_it_once(company: Company, http: aiohttp.ClientSession) -> None:
    """Two frames, a page that is loaded again, somebody who kept the address: harmless."""
    anna = company.hire()
    await company.cycle()
    browser, index = await signed_in(company, http, anna)
    url = company.broadcast(index)
    answers = await asyncio.gather(*(told(http, url) for _ in range(10)))
    assert {answer.status for answer in answers} == {200}
    assert not await is_in(company, browser)
    kinds = await company.stack.history(company.name, company.scim_id(anna))
    assert kinds.count("session.signed_out") == 1


async def test_a_broadcast_that_is_kept_ends_no_later_sign_in(company: Company, http: aiohttp.ClientSession) -> None:
    anna = company.hire()
    await company.cycle()
    _, index = await signed_in(company, http, anna)
    url = company.broadcast(index, anna.user_principal_name)
    await told(http, url)
    again, _ = await signed_in(company, http, anna)
    assert (await told(http, url)).status == 200
    assert await is_in(company, again)


@pytest.mark.parametrize(
    ("forgery", "reason"),
    [
        ("unsigned", "not_signed"),
        ("by the company next door", "unknown_signer"),
        ("for the company next door", "unknown_signer"),
        ("stale", "expired"),
        ("ahead", "not_yet_valid"),
        ("another tenant", "wrong_issuer"),
        ("encoded again", "unknown_signer"),
    ],
)
async def test_a_forged_broadcast_signs_nobody_out(
    company: Company, neighbour: Company, http: aiohttp.ClientSession, forgery: str, reason: str
) -> None:
    anna = company.hire()
    await company.cycle()
    browser, index = await signed_in(company, http, anna)
    now, genuine = datetime.now(UTC), company.broadcast(index)
    match forgery:
        case "unsigned":
            url = re.sub("&SigAlg.*", "", genuine)
        case "by the company next door":
            url = company.broadcast(index, signed_with=neighbour.app.certificates[0])
        case "for the company next door":
            url = neighbour.broadcast(index).replace(neighbour.logout_url, company.logout_url)
        case "stale":
            url = company.broadcast(index, issued_at=now - timedelta(minutes=6))
        case "ahead":
            url = company.broadcast(index, issued_at=now + timedelta(minutes=3))
        case "another tenant":
            url = company.broadcast(index, issuer=f"https://sts.windows.net/{company.app_id}/")
        case _:
            url = re.sub("%[0-9a-f]{2}", lambda found: found[0].upper(), genuine)

    refused = await told(http, url)

    assert (refused.status, refused.json["reason"]) == (403, reason)
    assert await is_in(company, browser)


async def test_a_renewed_certificate_signs_out_at_once_and_a_removed_one_no_more(
    company: Company, http: aiohttp.ClientSession
) -> None:
    """The connection is remembered by the gateway, with the certificates of before."""
    anna = company.hire()
    await company.cycle()
    old = company.app.certificates[0]
    first, index = await signed_in(company, http, anna)
    new = company.tenant.new_certificate(company.app, active=True)
    await company.apply()
    assert (await told(http, company.broadcast(index, signed_with=new))).status == 200
    assert not await is_in(company, first)

    second, index = await signed_in(company, http, anna)
    await company.apply(sso__certificates=[new.pem])
    refused = await told(http, company.broadcast(index, signed_with=old))
    assert (refused.status, refused.json["reason"]) == (403, "unknown_signer")
    assert await is_in(company, second)


async def test_signing_out_here_and_at_microsoft(company: Company, http: aiohttp.ClientSession) -> None:
    anna = company.hire()
    await company.cycle()
    browser, index = await signed_in(company, http, anna)
    sso_url = company.stack.sso_url

    page = await browser.post(f"{sso_url}/logout", {"at": "idp"}, from_url=sso_url)

    assert not await is_in(company, browser)
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    assert found
    asked = parse_qs(urlsplit(unescape(found[1])).query)
    request = parse_request(decode_redirect(asked["SAMLRequest"][0]))
    assert isinstance(request, LogoutRequest)
    assert (request.issuer, request.name_id, request.session_index) == (
        company.app.identifier,
        anna.user_principal_name,
        index,
    )

    answer = logout_response(company.tenant.issuer, company.logout_url, request.id, "_answer", datetime.now(UTC))
    url = signed_redirect(company.logout_url, "SAMLResponse", answer, private_key(company.app.certificates[0]))
    front = await browser.follow(await browser.get(url))
    assert front.shows("You are signed out here and at Microsoft.")
