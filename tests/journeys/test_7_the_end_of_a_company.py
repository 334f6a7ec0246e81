"""Journey 7: a company closes, comes back, and ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from directory.cli.environment import operator, owner_database
from directory.companies import ending
from directory.database import CompanyTx
from directory.sweep import sweep
from tests.support.browser import Browser
from tests.support.company import Company


@asynccontextmanager
async def as_operator(company: Company) -> AsyncIterator[CompanyTx]:
    async with (
        owner_database(company.stack.operator) as database,
        database.scope_for_name(company.name).transaction(operator()) as tx,
    ):
        yield tx


async def test_closing_refuses_everybody_at_once_and_restoring_lets_them_in_again(
    company: Company, neighbour: Company, browser: Browser, other_browser: Browser
) -> None:
    anna, bo = company.hire(), neighbour.hire()
    await company.cycle()
    await neighbour.cycle()
    await company.sign_in(browser, anna)
    await neighbour.sign_in(other_browser, bo)

    async with as_operator(company) as tx:
        await ending.close(tx, timedelta(days=30))

    assert (await company.session(browser)).status == 401
    assert (await browser.get(company.login_url, accept="application/json")).json["reason"] == "sso_off"
    unsolicited = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert (unsolicited.status, unsolicited.json["reason"]) == (403, "sso_off")
    assert (await company.scim.get("/Users")).status == 403
    assert (await neighbour.session(other_browser)).status == 200

    async with as_operator(company) as tx:
        await ending.restore(tx)

    assert (await company.session(browser)).status == 401
    await company.cycle()
    assert (await company.sign_in(browser, anna)).status == 200
    assert (await company.session(browser)).status == 200


async def test_after_the_grace_the_company_is_as_if_it_had_never_been(company: Company, browser: Browser) -> None:
    anna = company.hire()
    await company.cycle()
    async with as_operator(company) as tx:
        await ending.close(tx, timedelta(0))
    await sweep(company.stack.operator)
    response = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert response.json["reason"] == "unknown_company"
    assert (await company.scim.get("/Users")).status == 401
