"""Journey 5, by itself: what Entra publishes for the app is known here without anybody pasting it."""

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import aiohttp
import msgspec
import pytest
from prometheus_client import REGISTRY

from directory.cli.environment import owner_database
from directory.companies import signing
from directory.companies.certificates import read_certificates
from directory.database import Actor
from directory.findings.store import open_findings
from shared.errors import DomainError
from shared.schemas.metadata import MetadataLooks
from shared.schemas.people import Finding
from tests.entra.people import Certificate, Person
from tests.entra.saml import respond
from tests.entra.server import EntraServer
from tests.support.browser import Browser
from tests.support.clock import until
from tests.support.company import ENTRA, Company
from tests.support.stack import looking_gateway, second_gateway


@pytest.fixture
async def entra(company: Company) -> AsyncIterator[EntraServer]:
    """Where the company's people sign in, and its app's metadata stand."""
    async with EntraServer(company.tenant, public_host="127.0.0.1") as server:
        yield server


async def signs_on_there(company: Company, entra: EntraServer, use: str) -> None:
    await company.apply(sso__login_url=f"{entra.url}/{company.tenant.tenant_id}/saml2", sso__metadata=use)


async def in_company(company: Company, step: Callable[..., Awaitable[object]], *arguments: object) -> object:
    async with (
        owner_database(company.stack.operator) as owner,
        owner.scope_for_name(company.name).transaction(Actor("operator", "test")) as tx,
    ):
        return await step(tx, *arguments)


async def offers(company: Company) -> list[Finding]:
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        return [one for one in await open_findings(tx) if one.kind == "certificate_offered"]


def sha256_of(company: Company, certificate: Certificate) -> str:
    return read_certificates(certificate.pem, company.tenant.clock())[0].fingerprint


def fetched(result: str) -> float:
    return REGISTRY.get_sample_value("sso_metadata_fetches_total", {"result": result}) or 0.0


async def test_the_first_login_by_a_certificate_nobody_pasted_succeeds_where_the_company_adopts(
    company: Company, browser: Browser, entra: EntraServer
) -> None:
    """S63, S64: Entra first. The unknown signer makes its metadata be fetched, once."""
    anna = company.hire()
    await company.cycle()
    await signs_on_there(company, entra, "adopt")
    assert (await company.sign_in(browser, anna)).status == 200
    new = company.tenant.new_certificate(company.app, active=True)
    before = fetched("adopted")
    assert (await company.sign_in(browser, anna)).status == 200
    assert fetched("adopted") - before == 1
    assert (await company.sign_in(browser, anna)).status == 200
    shown = await company.stack.show(company.name)
    assert {one["fingerprint"] for one in shown["sso"]["certificates"]} >= {sha256_of(company, new)}
    # The manifest of before has the old one alone, and takes nothing away.
    again = await company.apply(
        sso__login_url=f"{entra.url}/{company.tenant.tenant_id}/saml2",
        sso__metadata="adopt",
        sso__certificates=[company.app.certificates[0].pem],
    )
    assert again["changed"] == []
    assert (await company.sign_in(browser, anna)).status == 200


async def test_a_leaked_certificate_does_not_come_back_by_the_metadata_or_an_old_manifest(
    company: Company, browser: Browser, entra: EntraServer
) -> None:
    """Whoever has the key signs with it, which is an unknown signer, and Entra names the certificate still."""
    anna = company.hire()
    await company.cycle()
    await signs_on_there(company, entra, "adopt")
    leaked = company.app.certificates[0]
    await in_company(company, partial(signing.remove, compromised=True), sha256_of(company, leaked))
    refused = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert refused.json["reason"] == "unknown_signer"
    with pytest.raises(DomainError, match="never trusted again"):
        await company.apply(sso__certificates=[leaked.pem])


async def test_a_company_that_wants_to_be_asked_is_asked(
    company: Company, browser: Browser, entra: EntraServer
) -> None:
    anna = company.hire()
    await company.cycle()
    await signs_on_there(company, entra, "propose")
    new = company.tenant.new_certificate(company.app, active=True)
    for _ in range(2):
        refused = await company.post_response(browser, company.recipe(anna), accept="application/json")
        assert refused.json["reason"] == "unknown_signer"
    (offer,) = await offers(company)
    assert (offer.subject, offer.times) == (sha256_of(company, new), 1), "asked for once, and not with every login"
    assert await in_company(company, signing.accept, offer.subject) == [offer.subject]
    assert await offers(company) == []
    assert (await company.sign_in(browser, anna)).status == 200


async def test_a_company_that_wants_none_of_it_is_left_alone(
    company: Company, browser: Browser, entra: EntraServer
) -> None:
    anna = company.hire()
    await company.cycle()
    await signs_on_there(company, entra, "off")
    company.tenant.new_certificate(company.app, active=True)
    refused = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert refused.json["reason"] == "unknown_signer"
    assert await offers(company) == []


async def trusts(company: Company) -> set[str]:
    shown = await company.stack.show(company.name)
    return {one["fingerprint"] for one in shown["sso"]["certificates"]}


async def an_hour_passes(company: Company, until_it: Callable[[], Awaitable[bool]]) -> None:
    """And a pod looks at what is due, until it has come of it."""
    await company.stack.an_hour_passes(company.name)
    async with looking_gateway(company.stack):
        await until(until_it)


async def looks(company: Company) -> MetadataLooks:
    found = await in_company(company, signing.metadata_looks)
    assert isinstance(found, MetadataLooks)
    return found


def one_more(result: str) -> Callable[[], Awaitable[bool]]:
    before = fetched(result)

    async def found() -> bool:
        return fetched(result) == before + 1

    return found


async def test_a_company_that_nobody_signs_in_to_is_told_of_a_staged_certificate_within_the_hour(
    company: Company, entra: EntraServer
) -> None:
    """Before it is active, so that nothing fails."""
    await signs_on_there(company, entra, "propose")
    await company.stack.nothing_is_due()
    await an_hour_passes(company, one_more("same"))
    assert await offers(company) == []
    new = company.tenant.new_certificate(company.app)
    await an_hour_passes(company, one_more("offered"))
    await an_hour_passes(company, one_more("same"))
    (offer,) = await offers(company)
    assert (offer.subject, offer.times) == (sha256_of(company, new), 1), "told once, and not every hour"
    assert sha256_of(company, new) not in await trusts(company)


async def test_where_the_company_adopts_the_first_login_after_the_rollover_waits_for_no_metadata(
    company: Company, browser: Browser, entra: EntraServer
) -> None:
    """S64: it was there before it signed; Entra need not even be reached at that moment."""
    anna = company.hire()
    await company.cycle()
    await signs_on_there(company, entra, "adopt")
    await company.stack.nothing_is_due()
    new = company.tenant.new_certificate(company.app)
    await an_hour_passes(company, one_more("adopted"))
    assert sha256_of(company, new) in await trusts(company)
    await entra.stop()
    company.tenant.activate_certificate(company.app, new.thumbprint)
    before = {result: fetched(result) for result in ("same", "adopted", "offered", "failed", "refused")}
    assert (await company.sign_in(browser, anna)).status == 200
    assert {result: fetched(result) for result in before} == before
    await entra.start()


async def test_a_company_whose_metadata_cannot_be_read_is_told_why_and_goes_on_with_what_it_trusts(
    company: Company, browser: Browser, entra: EntraServer
) -> None:
    anna = company.hire()
    await company.cycle()
    await signs_on_there(company, entra, "adopt")
    await company.stack.nothing_is_due()

    async def is_failing() -> bool:
        return (await looks(company)).failing_since is not None

    async def is_read_again() -> bool:
        return not await is_failing()

    app = company.tenant.apps.pop(company.app_id)
    await an_hour_passes(company, is_failing)
    company.tenant.apps[company.app_id] = app
    assert (await looks(company)).failure == "status_400"
    assert (await company.sign_in(browser, anna)).status == 200
    await an_hour_passes(company, is_read_again)


async def test_another_app_s_certificate_is_adopted_by_nobody(
    company: Company, neighbour: Company, browser: Browser, entra: EntraServer
) -> None:
    """Both are apps of one tenant; what stands in one's metadata must not be the other's."""
    anna = company.hire()
    await company.cycle()
    await signs_on_there(company, entra, "adopt")
    both = (*company.app.certificates, *neighbour.app.certificates)
    company.tenant.apps[company.app_id] = msgspec.structs.replace(company.app, certificates=both)
    before = fetched("refused")
    forged = company.recipe(anna).signed_with(neighbour.app.certificates[0])
    refused = await company.post_response(browser, forged, accept="application/json")
    assert refused.json["reason"] == "unknown_signer"
    assert fetched("refused") - before == 1


async def test_while_entra_cannot_be_reached_what_is_known_stays_in_use(
    company: Company, browser: Browser, entra: EntraServer
) -> None:
    anna = company.hire()
    await company.cycle()
    await signs_on_there(company, entra, "adopt")
    await entra.stop()
    before = fetched("failed")
    assert (await company.sign_in(browser, anna)).status == 200
    company.tenant.new_certificate(company.app, active=True)
    refused = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert refused.json["reason"] == "unknown_signer"
    assert fetched("failed") > before
    await entra.start()


PER_SECOND = 20
Step = tuple[float, Callable[[], Awaitable[object]]]
"""After a pause of so many seconds."""


Login = Callable[[Person], Awaitable[int]]
"""The status in which it ends."""


async def logins_while(company: Company, ways: list[Login], steps: list[Step], seconds: float) -> Counter[int]:
    """So many a second while the steps happen one after the other; the status of each. Each way in turn, all ways at one moment.

    A step waits for the logins that had begun before it, while others begin: so the order holds on a slow machine, too.
    """
    people = [company.hire() for _ in range(10)]
    await company.cycle()
    logins: list[asyncio.Task[int]] = []

    async def go_through() -> None:
        for pause, step in steps:
            await asyncio.sleep(pause)
            await asyncio.gather(*logins)
            await step()

    async def login(way: Login, person: Person) -> int:
        return await way(person)

    stepping = asyncio.create_task(go_through())
    while len(logins) < seconds * PER_SECOND or not stepping.done():
        person = people[len(logins) % len(people)]
        logins += [asyncio.create_task(login(way, person)) for way in ways]
        await asyncio.sleep(len(ways) / PER_SECOND)
    await stepping
    return Counter(await asyncio.gather(*logins))


@asynccontextmanager
async def ways_in(company: Company, http: aiohttp.ClientSession, pods: int) -> AsyncIterator[list[Login]]:
    """Started by us and from Microsoft 365, at each of so many pods, each login in a browser of its own."""
    async with AsyncExitStack() as leave:
        urls = [company.stack.sso_url]
        for _ in range(pods - 1):
            more = second_gateway(company.stack, public_url=company.stack.sso_url)
            urls.append(await leave.enter_async_context(more))
        yield [partial(way, company, http, url) for url in urls for way in (_started_by_us, _from_microsoft_365)]


async def _started_by_us(company: Company, http: aiohttp.ClientSession, url: str, person: Person) -> int:
    browser = Browser(http)
    asked = company.asked(await browser.get(f"{url}/login/{company.name}"))
    return await _answered(company, browser, url, person, *asked)


async def _from_microsoft_365(company: Company, http: aiohttp.ClientSession, url: str, person: Person) -> int:
    return await _answered(company, Browser(http), url, person, None, "")


async def _answered(
    company: Company, browser: Browser, url: str, person: Person, request_id: str | None, relay_state: str
) -> int:
    form = {"SAMLResponse": b64encode(respond(company.recipe(person, in_response_to=request_id))).decode()}
    if relay_state:
        form["RelayState"] = relay_state
    page = await browser.post(f"{url}/saml/{company.name}/acs", form, from_url=ENTRA)
    if page.status == 303:
        page = await browser.get(page.location)
    return page.status


@pytest.mark.parametrize("pods", [1, 2])
@pytest.mark.parametrize("first", ["bitabiz", "entra"])
async def test_a_whole_rollover_refuses_nobody(
    company: Company, http: aiohttp.ClientSession, entra: EntraServer, first: str, pods: int
) -> None:
    """S64 and S60, our bar: 20 logins a second through all of it, and not one refused, in either order, on every pod."""
    old = company.app.certificates[0]
    await signs_on_there(company, entra, "propose" if first == "bitabiz" else "adopt")
    made: list[Certificate] = []

    async def make() -> None:
        made.append(company.tenant.new_certificate(company.app, active=first == "entra"))

    async def paste() -> None:
        await in_company(company, signing.add, made[0].pem)

    async def activate() -> None:
        company.tenant.activate_certificate(company.app, made[0].thumbprint)

    async def remove() -> None:
        await in_company(company, signing.remove, sha256_of(company, old))

    between: list[Step] = [(0.5, paste), (0.7, activate)] if first == "bitabiz" else []
    async with ways_in(company, http, pods) as ways:
        statuses = await logins_while(company, ways, [(0.5, make), *between, (1.0, remove)], 4.0)
    assert statuses.keys() == {303}
    assert statuses.total() >= 4 * PER_SECOND
    shown = await company.stack.show(company.name)
    assert [one["fingerprint"] for one in shown["sso"]["certificates"]] == [sha256_of(company, made[0])]
