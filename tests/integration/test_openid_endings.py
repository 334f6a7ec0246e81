"""What an app holds: it ends with what it hangs on, whoever ends that; races; and it outlives a turn of the keys."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from authlib.integrations.starlette_client import OAuth
from starlette.requests import Request

from directory.cli.environment import owner_database
from directory.companies import ending, signing
from directory.companies.certificates import read_certificates
from directory.database import Actor, statement
from directory.employees import hr
from directory.events.store import of_employee
from directory.oidc import operations as grants
from directory.sweep import sweep_company
from shared.ids import employee_from_text
from sso_gateway.oidc import signing_keys
from sso_gateway.oidc.refresh_tokens import read_refresh_token
from sso_gateway.oidc.rotation import new_set, rotate
from tests.entra.people import Person
from tests.support.app_clients import CLIENTS, PORTAL_PLAIN_RETURN, PORTAL_SECRET, provider_settings
from tests.support.apps import App, as_owner, introspect, mobile, portal, signed_in
from tests.support.browser import Browser
from tests.support.company import Company
from tests.support.stack import second_gateway

ROUNDS = int(os.environ.get("RACE_ROUNDS", "3"))


async def as_operator(company: Company, step: Callable[..., Awaitable[object]], *arguments: object) -> None:
    async with (
        owner_database(company.stack.operator) as owner,
        owner.scope_for_name(company.name).transaction(Actor("operator", "test")) as tx,
    ):
        await step(tx, *arguments)


# Whoever ends it.


async def suspended(company: Company, anna: Person) -> None:
    assert (await company.suspend(company.scim_id(anna))).status == 200


async def deleted(company: Company, anna: Person) -> None:
    assert (await company.scim.delete(f"/Users/{company.scim_id(anna)}")).status == 204


async def unassigned(company: Company, anna: Person) -> None:
    company.tenant.unassign(company.app, anna.object_id)
    await company.cycle()


async def blocked_by_hr(company: Company, anna: Person) -> None:
    await as_operator(company, hr.set_blocked, company.scim_id(anna), True)


async def sign_on_switched_off(company: Company, anna: Person) -> None:
    await company.apply(sso__enabled=False)


async def certificate_compromised(company: Company, anna: Person) -> None:
    [fingerprint] = [
        one.fingerprint for one in read_certificates(company.app.certificates[0].pem, company.tenant.clock())
    ]
    await as_operator(company, partial(signing.remove, compromised=True), fingerprint)


async def company_closed(company: Company, anna: Person) -> None:
    await as_operator(company, ending.close, timedelta(days=30))


@pytest.mark.parametrize(
    "happens",
    [suspended, deleted, unassigned, blocked_by_hr, sign_on_switched_off, certificate_compromised, company_closed],
)
async def test_whatever_ends_somebodys_sessions_ends_what_his_apps_hold(
    company: Company,
    browser: Browser,
    http: aiohttp.ClientSession,
    happens: Callable[[Company, Person], Awaitable[None]],
) -> None:
    """S39, S46: access and refresh tokens and codes on their way, of the web portal and of the phone, and nobody else's."""
    anna = await signed_in(company, browser)
    apps = portal(company, http), mobile(company, http)
    held = [(app, await app.tokens(browser)) for app in apps]
    waiting = [(app, await app.code(browser)) for app in apps]

    await happens(company, anna)

    assert await as_owner(company, "delete from app_grants") == "DELETE 0"
    for app, tokens in held:
        assert (await app.userinfo(tokens["access_token"])).status == 401
        assert await introspect(app, tokens["access_token"]) == {"active": False}
        assert await introspect(app, tokens["refresh_token"]) == {"active": False}
        assert (await app.refresh(tokens["refresh_token"])).error == "invalid_grant"
    for app, code in waiting:
        assert (await app.exchange(code)).error == "invalid_grant"


async def test_nobody_else_loses_anything(
    company: Company, neighbour: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    anna = await signed_in(company, browser)
    others = []
    for where, alias in ((company, "bo"), (neighbour, "anna")):
        other = Browser(http)
        await signed_in(where, other, alias)
        app = mobile(where, http)
        others.append((app, await app.tokens(other)))
    await suspended(company, anna)
    for app, tokens in others:
        assert (await app.userinfo(tokens["access_token"])).status == 200
        assert (await app.refresh(tokens["refresh_token"])).status == 200


async def test_a_token_of_one_company_opens_nothing_in_another(
    company: Company, neighbour: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    """The company in it is no secret: with another's in its place it is nobody's."""
    await signed_in(company, browser)
    other = Browser(http)
    await signed_in(neighbour, other)
    app = portal(company, http)
    own, others = [read_refresh_token((await app.tokens(one))["refresh_token"]) for one in (browser, other)]
    assert own is not None
    assert others is not None
    forged = replace(own, company_id=others.company_id)
    assert (await app.refresh(forged.text)).error == "invalid_grant"
    assert (await app.refresh(replace(own, family=others.family).text)).error == "invalid_grant"
    assert (await app.refresh(own.text)).status == 200
    assert (await app.refresh(others.text)).status == 200


async def test_the_history_tells_what_an_app_was_given_and_how_its_own_session_ended(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    anna = await signed_in(company, browser)
    phone = mobile(company, http)
    sessions = []
    for ends in (phone.revoke, lambda token: phone.refresh(token)):
        tokens = await phone.tokens(browser)
        sessions.append((await phone.claims(tokens["access_token"]))["sid"])
        for _ in range(2):
            await phone.refresh(tokens["refresh_token"])
        await as_owner(company, "update app_grants set refreshed_at = refreshed_at - interval '1 minute'")
        await ends(tokens["refresh_token"])
    employee_id = employee_from_text(company.scim_id(anna))
    assert employee_id is not None
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        told = [
            (event.kind, event.changes)
            for event in await of_employee(tx, employee_id)
            if event.kind.startswith("app.") or "ended" in event.changes
        ]
    first, second = ({"id": one} for one in sessions)
    came, went = {"before": None, "after": "mobile-app"}, {"before": "mobile-app", "after": None}
    assert told == [
        ("app.granted", {"client_id": came, "session": first}),
        ("session.ended", {"ended": {"why": "given_back", "sessions": [sessions[0]], "tickets": 0}}),
        ("app.grant_ended", {"client_id": went, "session": first}),
        ("app.granted", {"client_id": came, "session": second}),
        ("session.revoked", {"ended": {"why": "app_misused", "sessions": [sessions[1]], "tickets": 0}}),
        ("app.grant_misused", {"client_id": went, "session": second}),
    ]


async def test_a_client_that_is_taken_out_gets_nothing_more_and_a_scope_neither(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    kept, lost = await app.tokens(browser), await app.tokens(browser)
    clients = json.loads(json.dumps(CLIENTS))

    def configured() -> Any:
        settings: dict[str, Any] = {**provider_settings(), "oidc_clients": json.dumps(clients)}
        return second_gateway(company.stack, **settings)

    clients["clients"][0]["scopes"] = ["openid"]
    async with configured() as here:
        narrow = (await Pod(http, here).refresh(kept["refresh_token"])).json
        assert narrow["scope"] == "openid"
        assert "email" not in (await Pod(http, here).userinfo(narrow["access_token"])).json
    del clients["clients"][0]
    async with configured() as here:
        gone = Pod(http, here)
        assert (await gone.refresh(lost["refresh_token"])).error == "invalid_client"
        assert (await gone.userinfo(lost["access_token"])).status == 401
        for which in ("access_token", "refresh_token"):
            assert await introspect(gone, lost[which]) == {"active": False}
    assert (await app.refresh(lost["refresh_token"])).status == 200


async def test_a_refresh_is_use_of_the_session_that_it_hangs_on_and_is_noted_every_five_minutes(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app, phone = portal(company, http), mobile(company, http)
    tokens, held = await app.tokens(browser), await phone.tokens(browser)

    async def seen() -> list[str | None]:
        async with company.stack.database.scope_for_name(company.name).transaction() as tx:
            asked = statement(
                "sessions.test_seen", "select client_id from sessions where company_id = $1 and seen_at is not null"
            )
            return [row["client_id"] for row in await tx.fetch(asked, tx.company_id)]

    held = (await phone.refresh(held["refresh_token"])).json
    assert await seen() == [], "just opened"
    await as_owner(company, "update sessions set signed_in_at = signed_in_at - interval '6 minutes'")
    await phone.refresh(held["refresh_token"])
    assert await seen() == ["mobile-app"]
    await app.refresh(tokens["refresh_token"])
    assert set(await seen()) == {"mobile-app", None}


async def test_an_app_that_begins_anew_all_the_time_does_not_fill_the_house(
    company: Company, browser: Browser, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "MAX_HELD", 3)
    await signed_in(company, browser)
    held = {make: [await make(company, http).tokens(browser) for _ in range(5)] for make in (portal, mobile)}
    waiting = await portal(company, http).code(browser)
    assert waiting
    for make, tokens in held.items():
        states = [(await make(company, http).userinfo(one["access_token"])).status for one in tokens]
        assert states == [401, 401, 200, 200, 200]
    assert await as_owner(company, "delete from sessions") == "DELETE 4", "the browser's, and three of the phone"


# In time.


async def test_what_nobody_redeemed_and_what_is_long_over_is_swept_and_the_rest_stays(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    app = portal(company, http)
    page = App(http, app.provider, "page-app", None, "https://spa.example/callback", "openid")
    kept = await app.tokens(browser)
    await app.code(browser)
    await page.tokens(browser)

    async def swept() -> int:
        async with owner_database(company.stack.operator) as owner:
            return (await sweep_company(owner, company.name))["app grants"]

    assert await swept() == 0
    await as_owner(company, "update app_grants set code_expires_at = code_expires_at - interval '61 minutes'")
    assert await swept() == 2
    assert (await app.refresh(kept["refresh_token"])).status == 200
    await as_owner(company, "update sessions set expires_at = now()")
    assert (await app.refresh(kept["refresh_token"])).error == "invalid_grant"
    assert await swept() == 0
    assert await as_owner(company, "delete from app_grants") == "DELETE 0"


async def test_an_apps_own_session_ends_when_its_time_is_over(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    phone = mobile(company, http)
    tokens = await phone.tokens(browser)
    tokens = (await phone.refresh(tokens["refresh_token"])).json
    life = await introspect(phone, tokens["refresh_token"])
    access = await introspect(phone, tokens["access_token"])
    assert 0 < life["exp"] - access["iat"] <= 1_206_000, "335 hours from the login, however often it is refreshed"
    await as_owner(company, "update sessions set expires_at = now() - interval '1 second'")
    assert (await phone.userinfo(tokens["access_token"])).status == 401
    assert (await phone.refresh(tokens["refresh_token"])).error == "invalid_grant"


# At the same moment.


async def test_a_suspension_and_what_apps_do_at_that_moment_leave_nothing_behind(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    """D11: whichever comes first, afterwards nobody holds anything, and nobody sees a fault."""
    anna = await signed_in(company, browser)
    for _ in range(ROUNDS):
        await company.patch(company.scim_id(anna), {"op": "Replace", "path": "active", "value": "True"})
        await company.sign_in(browser, anna)
        phones = [mobile(company, http) for _ in range(4)]
        codes = [await phone.code(browser) for phone in phones]
        held = [await phone.tokens(browser) for phone in (mobile(company, http), mobile(company, http))]

        answers: list[Any] = await asyncio.gather(
            *(phone.exchange(code) for phone, code in zip(phones, codes, strict=True)),
            company.suspend(company.scim_id(anna)),
            *(mobile(company, http).refresh(one["refresh_token"]) for one in held),
            mobile(company, http).revoke(held[0]["refresh_token"]),
            browser.get(mobile(company, http).question()),
        )

        assert {answer.status for answer in answers} <= {200, 303, 400}, [answer.text for answer in answers]
        assert await as_owner(company, "delete from app_grants") == "DELETE 0"
        assert await as_owner(company, "delete from sessions") == "DELETE 0"


async def test_a_reuse_and_the_next_refresh_at_the_same_moment_end_all_of_it(
    company: Company, browser: Browser, http: aiohttp.ClientSession
) -> None:
    await signed_in(company, browser)
    for _ in range(ROUNDS):
        phone = mobile(company, http)
        first = await phone.tokens(browser)
        second = (await phone.refresh(first["refresh_token"])).json
        third = (await phone.refresh(second["refresh_token"])).json
        answers = await asyncio.gather(
            phone.refresh(first["refresh_token"]),
            phone.refresh(third["refresh_token"]),
            phone.revoke(first["access_token"]),
        )
        assert answers[0].status == 400
        assert {answer.status for answer in answers} <= {200, 400}
        assert (await phone.userinfo(third["access_token"])).status == 401
    assert (await company.session(browser)).status == 200


# A turn of the keys.


@pytest.fixture
async def turning(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[list[str], Path]]:
    """Two pods with a folder of keys of their own, which they look at with every request."""
    monkeypatch.setattr(signing_keys, "LOOKED_AT_EVERY_S", 0.0)
    folder = tmp_path / "keys"
    new_set(folder)
    settings: dict[str, Any] = provider_settings(folder)
    async with second_gateway(company.stack, **settings) as one, second_gateway(company.stack, **settings) as other:
        yield [one, other], folder


class Pod(App):
    """Reached at one pod; its name is that of the service."""

    def answered(self, page: Any) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in page.headers["Location"].partition("?")[2].split("&"))


async def test_keys_turn_while_tokens_are_out(
    company: Company, browser: Browser, http: aiohttp.ClientSession, turning: tuple[list[str], Path]
) -> None:
    (here, there), folder = turning
    await signed_in(company, browser)
    app, other = (Pod(http, url, redirect_uri=PORTAL_PLAIN_RETURN) for url in (here, there))
    first = await app.tokens(browser)
    waiting = await app.code(browser)

    rotate(folder)

    assert (await other.userinfo(first["access_token"])).status == 200, "signed by the previous key"
    assert (await other.exchange(waiting, code_verifier=app.verifier)).status == 200
    second = (await other.refresh(first["refresh_token"])).json
    assert kid(second["id_token"]) != kid(first["id_token"])
    assert await app.claims(second["id_token"])
    repeated = (await app.refresh(first["refresh_token"])).json
    assert repeated["refresh_token"] == second["refresh_token"], "each pod makes the same successor"

    rotate(folder)

    assert (await app.refresh(first["refresh_token"])).json["refresh_token"] == second["refresh_token"]
    assert (await app.userinfo(first["access_token"])).status == 401, "two turns within five minutes"
    assert (await app.userinfo(second["access_token"])).status == 200
    assert (await app.refresh(second["refresh_token"])).status == 200


def kid(token: str) -> str:
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


async def test_keys_that_cannot_be_read_leave_the_pod_serving(
    company: Company, browser: Browser, http: aiohttp.ClientSession, turning: tuple[list[str], Path]
) -> None:
    (here, _), folder = turning
    await signed_in(company, browser)
    app = Pod(http, here, redirect_uri=PORTAL_PLAIN_RETURN)
    (folder / "current.pem").write_text("no key")
    tokens = await app.tokens(browser)
    assert await app.claims(tokens["id_token"])


async def test_authlib_fetches_a_key_that_it_does_not_know_yet(
    company: Company, browser: Browser, turning: tuple[list[str], Path]
) -> None:
    (here, _), folder = turning
    await signed_in(company, browser)
    app = OAuth().register(
        "ours", client_id="web-portal", client_secret=PORTAL_SECRET,
        server_metadata_url=f"{here}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid", "code_challenge_method": "S256"},
    )  # fmt: skip
    await app.load_server_metadata()
    for name in ("authorization", "token"):  # the pod's metadata names the service, which is another pod's address here
        app.server_metadata[f"{name}_endpoint"] = f"{here}/oauth2/{'authorize' if name == 'authorization' else name}"
    app.server_metadata["jwks_uri"] = f"{here}/oauth2/jwks"
    for _ in range(3):
        session: dict[str, Any] = {}
        asking = Request({"type": "http", "session": session, "query_string": b"", "headers": []})
        redirect = await app.authorize_redirect(asking, PORTAL_PLAIN_RETURN)
        page = await browser.get(redirect.headers["location"])
        query = page.headers["Location"].partition("?")[2].encode()
        answered = Request({"type": "http", "session": session, "query_string": query, "headers": []})
        assert (await app.authorize_access_token(answered))["userinfo"]["company"] == company.name
        rotate(folder)
        rotate(folder)
