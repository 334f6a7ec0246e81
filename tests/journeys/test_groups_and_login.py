"""The company's AD group, provisioned, decides who may sign in (D12, S72, S75)."""

from typing import Any

from shared.schemas import group as schemas
from shared.schemas.employee import ScimCredential
from shared.tokens import sha256
from tests.entra.claims import GROUPS, GROUPS_LINK
from tests.entra.people import Person
from tests.support.browser import Browser
from tests.support.company import Company
from tests.support.groups import change_group, create_group


def credential(company: Company) -> ScimCredential:
    return ScimCredential(token_sha256=sha256(company.token).hex(), company=company.name)


async def provisioned_group(company: Company, *members: Person) -> schemas.Group:
    """The group of the app, as Entra creates it: with its object id, then its members."""
    new = schemas.NewGroup(display_name=f"BitaBIZ {company.name}", external_id=company.app.group_id)
    made = await create_group(company.stack.database, credential(company), new)
    await change_group(company.stack.database, credential(company), made, add=[company.scim_id(one) for one in members])
    return made


async def take_out(company: Company, group: schemas.Group, person: Person) -> None:
    await change_group(company.stack.database, credential(company), group, remove=[company.scim_id(person)])


async def reason(company: Company, browser: Browser, person: Person, **claims: Any) -> str | None:
    """Why the login of this person is refused; None where it is not."""
    request_id, relay_state = await company.start_login(browser)
    recipe = company.recipe(person, in_response_to=request_id)
    if claims:
        recipe = company.recipe(person, in_response_to=request_id, claims=(*recipe.claims, *claims["claims"]))
    page = await company.post_response(browser, recipe, relay_state=relay_state, accept="application/json")
    return None if page.status == 303 else str(page.json["reason"])


async def test_a_member_signs_in_where_the_group_is_required_and_no_claim_is_sent(
    company: Company, browser: Browser
) -> None:
    await company.apply(sso__group_check="required")
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()
    assert await reason(company, browser, anna) == "not_in_company_group"
    await provisioned_group(company, anna)
    assert await reason(company, browser, anna) is None
    assert await reason(company, browser, bo) == "not_in_company_group"


async def test_a_member_of_more_groups_than_a_claim_holds_signs_in(company: Company, browser: Browser) -> None:
    """Above 150 groups Entra sends a link instead of the claim."""
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()
    await provisioned_group(company, anna)
    too_many = [(GROUPS_LINK, ("https://graph.windows.net/x/users/y/getMemberObjects",))]
    assert await reason(company, browser, anna, claims=too_many) is None
    assert await reason(company, browser, bo, claims=too_many) == "groups_overage"


async def test_a_claim_that_leaves_the_group_out_does_not_shut_out_a_member(company: Company, browser: Browser) -> None:
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()
    await provisioned_group(company, anna)
    others = [(GROUPS, ("99999999-9999-4999-8999-999999999999",))]
    assert await reason(company, browser, anna, claims=others) is None
    assert await reason(company, browser, bo, claims=others) == "not_in_company_group"


async def test_who_is_taken_out_of_the_required_group_is_out_at_once(company: Company, browser: Browser) -> None:
    """S75: removing from the group ends both provisioning (next cycle) and login."""
    await company.apply(sso__group_check="required")
    anna = company.hire("anna")
    await company.cycle()
    group = await provisioned_group(company, anna)
    assert (await company.sign_in(browser, anna)).status == 200
    await take_out(company, group, anna)
    assert (await company.session(browser)).status == 401
    assert await reason(company, browser, anna) == "not_in_company_group"


async def test_a_group_of_one_company_says_nothing_in_another(
    company: Company, neighbour: Company, browser: Browser
) -> None:
    """S72: membership change in group A affects only company A, though both are in one Entra tenant."""
    for one in (company, neighbour):
        await one.apply(sso__group_check="required")
    anna = company.hire("anna")
    company.tenant.assign(neighbour.app, anna.object_id)
    for one in (company, neighbour):
        await one.cycle()
    here, there = await provisioned_group(company, anna), await provisioned_group(neighbour, anna)
    await take_out(company, here, anna)
    assert await reason(company, browser, anna) == "not_in_company_group"
    assert await reason(neighbour, browser, anna) is None
    await take_out(neighbour, there, anna)
    assert await reason(neighbour, browser, anna) == "not_in_company_group"


async def test_the_group_check_costs_no_statement_more(company: Company, browser: Browser) -> None:
    anna = company.hire("anna")
    await company.cycle()

    async def statements() -> dict[str, int]:
        async with company.stack.counting() as count:
            assert await reason(company, browser, anna) is None
        return count.statements

    await statements()
    before = await statements()
    await provisioned_group(company, anna)
    await company.apply(sso__group_check="required")
    assert await statements() == before
