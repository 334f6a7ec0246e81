"""The limits of sign-on over sockets: a stranger spends what is his own, and people who sign in do not notice.

The test stands in the ingress' place: it says in X-Forwarded-For where a request comes from.
"""

import asyncio
import json
import logging
import re
from base64 import b64encode
from collections import Counter
from typing import Any

import aiohttp
import pytest

from shared.settings import SettingsError, read_settings
from shared.telemetry import metrics
from shared.telemetry.logs import JsonFormatter
from sso_gateway.settings import Settings
from tests.entra.people import Person
from tests.entra.saml import respond
from tests.support.browser import Browser, Page
from tests.support.company import Company
from tests.support.login_traces import entries
from tests.support.stack import second_gateway

ENVIRONMENT = {"DIRECTORY_URL": "http://d", "DIRECTORY_SECRET": "s", "PUBLIC_URL": "http://s"}
BEHIND = {"forwarded_allow_ips": "127.0.0.1"}
ONE = 0.01
"""So few a second that one passes, and the next after a minute and a half: however slow the machine, tests count exactly."""
OFFICE, STRANGER = "192.0.2.10", "198.51.100.66"
GARBAGE = {"SAMLResponse": "Z2FyYmFnZQ=="}


class Visitor:
    """A browser at an address, in front of one gateway."""

    def __init__(
        self, http: aiohttp.ClientSession, edge: str, company: Company, address: str, language: str = "en"
    ) -> None:
        self.edge, self.company = edge, company
        self.browser = Browser(http, language=language)
        self._from = {"X-Forwarded-For": address}

    async def get(self, path: str, *, accept: str = "text/html") -> Page:
        return await self.browser.get(self.edge + path, accept=accept, headers=self._from)

    async def start(self, *, accept: str = "text/html") -> Page:
        return await self.get(f"/login/{self.company.name}", accept=accept)

    async def post(self, path: str, form: dict[str, str] | bytes, *, accept: str = "text/html") -> Page:
        return await self.browser.post(self.edge + path, form, accept=accept, headers=self._from)

    async def answer(self, form: dict[str, str] | bytes, *, accept: str = "text/html") -> Page:
        return await self.post(f"/saml/{self.company.name}/acs", form, accept=accept)

    async def sign_in(self, person: Person) -> Page:
        """From the tile; the last answer is that of `/session`."""
        document = respond(self.company.recipe(person))
        page = await self.answer({"SAMLResponse": b64encode(document).decode()})
        if page.status != 303:
            return page
        await self.get("/login/finish")
        return await self.get("/session", accept="application/json")


class Noting(logging.Handler):
    """Lines as they are written, with what the request carries."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(JsonFormatter("sso-gateway").format(record)))


def limited() -> dict[tuple[str, str], float]:
    return {
        (sample.labels["surface"], sample.labels["scope"]): sample.value
        for family in metrics.RATE_LIMITED.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


async def at_once(count: int, visit: Any) -> Counter[int]:
    return Counter(page.status for page in await asyncio.gather(*(visit(number) for number in range(count))))


@pytest.fixture
async def anna(company: Company) -> Person:
    person = company.hire("anna")
    await company.provision(person)
    return person


async def test_an_address_that_invents_companies_asks_directory_as_often_as_it_may_begin_logins(
    company: Company, http: aiohttp.ClientSession
) -> None:
    """And nobody's logout is held up: that of a company that is known is counted for nobody."""
    async with second_gateway(company.stack, **BEHIND, login_rate_per_address=ONE) as edge:
        office, stranger = (Visitor(http, edge, company, address) for address in (OFFICE, STRANGER))
        known, invented = f"/saml/{company.name}", [f"/saml/invented-{number}" for number in range(9)]
        assert (await office.get(f"{known}/metadata")).status == 200
        async with company.stack.counting() as count:
            statuses = [(await stranger.get(f"{path}/logout?SAMLRequest=x")).status for path in invented]
            assert [(await stranger.get(f"{path}/metadata")).status for path in invented] == [429] * 9
        assert statuses == [404] + [429] * 8
        assert count.calls == {"get_connection": 1}
        assert {(await stranger.get(f"{known}/logout?SAMLRequest=x")).status for _ in range(9)} == {403}
        assert {(await stranger.get(f"{known}/metadata")).status for _ in range(9)} == {200}


async def test_beyond_its_rate_an_address_is_told_when_to_come_again_and_nobody_else_is(
    company: Company, neighbour: Company, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="sso-gateway")
    before = limited()
    async with second_gateway(company.stack, **BEHIND, login_rate_per_address=ONE) as edge:
        stranger = Visitor(http, edge, company, STRANGER, language="da")
        assert await at_once(30, lambda _: stranger.start()) == {302: 1, 429: 29}
        page = await stranger.start()
        assert (page.status, "Location" in page.headers) == (429, False)
        assert int(page.headers["Retry-After"]) >= 1
        assert page.shows("For mange logger ind på én gang")
        assert page.shows(">too_many_requests<")
        assert "Set-Cookie" not in page.headers
        told = (await stranger.start(accept="application/json")).json
        assert (told["reason"], set(told)) == ("too_many_requests", {"reason", "trace_id", "title", "remedy"})
        for path, form in (("/login", {"email": "a@b.example"}), (f"/login/{neighbour.name}", None)):
            again = await (stranger.post(path, form) if form else stranger.get(path))
            assert again.status == 429, path
        assert (await stranger.get("/login?email=a@b.example")).status == 429
        assert (await stranger.get("/login")).status == 200, "a page alone costs nothing"
        assert (await Visitor(http, edge, company, OFFICE).start()).status == 302
    after = limited()
    assert after["login", "address"] - before.get(("login", "address"), 0) == 34
    lines = [JsonFormatter("sso-gateway").format(record) for record in caplog.records]
    assert sum('"event":"login_limited"' in line for line in lines) == 34
    assert not [line for line in lines if STRANGER in line or OFFICE in line]


async def test_who_is_told_to_come_again_later_leaves_no_trace(
    company: Company, anna: Person, http: aiohttp.ClientSession
) -> None:
    async with second_gateway(company.stack, **BEHIND, login_rate_per_address=ONE) as edge:
        stranger = Visitor(http, edge, company, STRANGER)
        assert await at_once(10, lambda _: stranger.start()) == {302: 1, 429: 9}
        assert await at_once(10, lambda _: stranger.answer(GARBAGE)) == {403: 1, 429: 9}
    # The gateway hands over what waits before it stops.
    told = [(one.outcome, one.times) for one in await entries(company)]
    assert told == [("malformed_response", 1)]


async def test_garbage_from_one_address_spends_that_address_s_allowance_and_locks_nobody_out(
    company: Company, anna: Person, http: aiohttp.ClientSession
) -> None:
    async with second_gateway(company.stack, **BEHIND, login_rate_per_address=ONE, login_rate_per_company=3) as edge:
        stranger = Visitor(http, edge, company, STRANGER)
        assert await at_once(200, lambda _: stranger.answer(GARBAGE)) == {403: 1, 429: 199}
        assert await at_once(200, lambda _: stranger.start()) == {302: 1, 429: 199}
        for number in range(10):
            signed_in = await Visitor(http, edge, company, f"192.0.2.{number}").sign_in(anna)
            assert signed_in.status == 200, number


async def test_forms_that_cannot_be_entra_s_spend_nothing_of_the_company_s(
    company: Company, anna: Person, http: aiohttp.ClientSession
) -> None:
    async with second_gateway(company.stack, **BEHIND, login_rate_per_address=0, login_rate_per_company=ONE) as edge:
        stranger = Visitor(http, edge, company, STRANGER)
        assert await at_once(30, lambda _: stranger.answer(b"A" * 300_000)) == {413: 30}
        assert (await Visitor(http, edge, company, OFFICE).sign_in(anna)).status == 200


async def test_what_many_addresses_together_can_do_to_a_company_and_what_not(
    company: Company,
    neighbour: Company,
    anna: Person,
    http: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They can keep out who comes from a new place; not who is signed in, nor where people sign in, nor anybody else."""
    bo = neighbour.hire("bo")
    await neighbour.provision(bo)
    async with second_gateway(company.stack, **BEHIND, login_rate_per_company=ONE) as edge:
        office = Visitor(http, edge, company, OFFICE)
        assert (await office.sign_in(anna)).status == 200

        def many(number: int) -> Visitor:
            return Visitor(http, edge, company, f"198.51.{number}.1")

        caplog.set_level(logging.INFO, logger="sso-gateway")
        noting = Noting()
        logging.getLogger("sso-gateway").addHandler(noting)
        before = limited()
        assert await at_once(60, lambda number: many(number).start()) == {302: 1, 429: 59}
        assert await at_once(60, lambda number: many(number).answer(GARBAGE)) == {429: 60}
        assert limited()["acs", "company"] - before.get(("acs", "company"), 0) == 60
        logging.getLogger("sso-gateway").removeHandler(noting)
        told = [line for line in noting.lines if line["event"] == "login_limited"]
        assert Counter((line["surface"], line["scope"], line["company"]) for line in told) == {
            ("login", "company", company.name): 59,
            ("acs", "company", company.name): 60,
        }

        new_place = Visitor(http, edge, company, "203.0.113.1")
        assert (await new_place.start()).status == 429
        assert (await new_place.sign_in(anna)).status == 429
        assert (await office.get("/session", accept="application/json")).status == 200
        assert (await office.get("/auth")).status == 200
        assert (await office.start()).status == 302
        assert (await Visitor(http, edge, company, OFFICE).sign_in(anna)).status == 200
        assert (await Visitor(http, edge, neighbour, "203.0.113.1").sign_in(bo)).status == 200


async def test_a_response_that_came_too_soon_is_not_used_up(
    company: Company, anna: Person, http: aiohttp.ClientSession
) -> None:
    """Whoever loads the page again sends it once more."""
    form = {"SAMLResponse": b64encode(respond(company.recipe(anna))).decode()}
    async with second_gateway(company.stack, **BEHIND, login_rate_per_address=ONE) as edge:
        early = Visitor(http, edge, company, OFFICE)
        assert [(await early.answer(one)).status for one in (GARBAGE, form)] == [403, 429]
    assert (await Visitor(http, company.stack.sso_url, company, OFFICE).answer(form)).status == 303


async def test_who_is_not_behind_a_proxy_we_believe_cannot_choose_an_address(
    company: Company, http: aiohttp.ClientSession
) -> None:
    async with second_gateway(company.stack, login_rate_per_address=ONE) as edge:
        statuses = await at_once(40, lambda number: Visitor(http, edge, company, f"198.51.100.{number}").start())
        assert statuses == {302: 1, 429: 39}
    async with second_gateway(company.stack, **BEHIND, login_rate_per_address=ONE) as edge:
        # What the browser wrote there itself stands to the left of what the ingress added.
        statuses = await at_once(
            40, lambda number: Visitor(http, edge, company, f"10.9.8.{number}, {STRANGER}").start()
        )
        assert statuses == {302: 1, 429: 39}


async def test_one_household_has_one_allowance_over_ipv6(company: Company, http: aiohttp.ClientSession) -> None:
    async with second_gateway(company.stack, **BEHIND, login_rate_per_address=ONE) as edge:
        statuses = await at_once(40, lambda number: Visitor(http, edge, company, f"2001:db8::{number:x}").start())
        assert statuses == {302: 1, 429: 39}
        assert (await Visitor(http, edge, company, "2001:db8:0:1::1").start()).status == 302


async def test_fifty_people_at_once_behind_one_address_are_let_in_by_the_defaults(
    company: Company, http: aiohttp.ClientSession
) -> None:
    people = [company.hire() for _ in range(50)]
    await company.cycle()
    async with second_gateway(company.stack, **BEHIND) as edge:
        restored = await at_once(150, lambda _: Visitor(http, edge, company, OFFICE).start())
        assert restored == {302: 150}
        signed_in = await at_once(50, lambda number: Visitor(http, edge, company, OFFICE).sign_in(people[number]))
        assert signed_in == {200: 50}


async def test_an_invented_company_is_unknown_and_then_too_much(company: Company, http: aiohttp.ClientSession) -> None:
    async with second_gateway(company.stack, **BEHIND, login_rate_per_company=ONE) as edge:

        async def start(number: int) -> Page:
            return await Visitor(http, edge, company, f"198.51.100.{number}").get("/login/no-such-company")

        assert await at_once(40, start) == {404: 1, 429: 39}
        assert (await Visitor(http, edge, company, OFFICE).start()).status == 302


def test_every_refusal_of_the_limits_is_counted_under_a_closed_list_of_labels() -> None:
    assert {surface for surface, _ in limited()} <= {"scim", "login", "acs", "token"}
    assert {scope for _, scope in limited()} <= {"company", "address", "token"}


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("25", 25), ("0.5", 0.5), (None, 200)])
def test_the_settings_are_read(text: str | None, value: float) -> None:
    environment = ENVIRONMENT | ({"LOGIN_RATE_PER_COMPANY": text} if text else {})
    assert read_settings(Settings, environment).login_rate_per_company == value


@pytest.mark.parametrize("name", ["LOGIN_RATE_PER_COMPANY", "LOGIN_RATE_PER_ADDRESS"])
@pytest.mark.parametrize("text", ["-1", "many", "nan", "inf", "100001", ""])
def test_a_setting_that_is_none_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"{name} is wrong")):
        read_settings(Settings, ENVIRONMENT | {name: text})
