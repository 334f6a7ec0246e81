"""Group binding through a real login: every mode, claim and state of the provisioned group, however the group is known."""

from typing import Any, Literal
from uuid import uuid4

import pytest

from shared.schemas import group as schemas
from tests.entra.claims import GROUPS, GROUPS_LINK, Claim
from tests.entra.people import Person
from tests.journeys.test_groups_and_login import credential, reason
from tests.support.browser import Browser
from tests.support.company import Company
from tests.support.groups import change_group, create_group

WIDS = "http://schemas.microsoft.com/ws/2008/06/identity/claims/wids"
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
Known = Literal["id", "name", "both"]
MODES = ["off", "when_sent", "required"]


def others(number: int) -> tuple[str, ...]:
    return tuple(str(uuid4()) for _ in range(number))


def claims(company: Company) -> dict[str, list[Claim]]:
    own, name = company.app.group_id, company.tenant.groups[company.app.group_id].display_name
    return {
        "absent": [],
        "its id": [(GROUPS, (*others(2), own))],
        "its id in capitals": [(GROUPS, (own.upper(),))],
        "its id of 150": [(GROUPS, (*others(149), own))],
        "its name": [(GROUPS, ("Everybody", name.upper()))],
        "its name among ids": [(GROUPS, (*others(1), name))],
        "others": [(GROUPS, others(150))],
        "other names": [(GROUPS, ("Everybody", f"{name} 2"))],
        "nothing": [(GROUPS, ())],
        "overage": [(GROUPS_LINK, ("https://graph.windows.net/x/users/y/getMemberObjects",))],
        # A claim of another name is no groups claim: directory roles, and groups told as roles.
        "roles": [(WIDS, (own,)), (ROLE, (own, name))],
    }


SAYS = {
    "id": {"its id", "its id in capitals", "its id of 150"},
    "name": {"its name", "its name among ids"},
    "both": {"its id", "its id in capitals", "its id of 150", "its name"},
}
"""Which claims name the company's group, by what is known of it."""


def expected(mode: str, claim: str, provisioned: str, known: Known) -> str | None:
    """The table of docs/groups.md."""
    if mode == "off" or provisioned == "a member":
        return None
    if claim == "overage":
        return "groups_overage"
    if claim in {"absent", "roles"}:
        return None if mode == "when_sent" else "not_in_company_group"
    return None if claim in SAYS[known] else "not_in_company_group"


async def provision(company: Company, member: Person) -> schemas.Group:
    name = company.tenant.groups[company.app.group_id].display_name
    new = schemas.NewGroup(display_name=name, external_id=company.app.group_id)
    made = await create_group(company.stack.database, credential(company), new)
    await change_group(company.stack.database, credential(company), made, add=[company.scim_id(member)])
    return made


@pytest.mark.parametrize("known", ["id", "name", "both"])
@pytest.mark.parametrize("mode", MODES)
async def test_every_way_of_being_in_the_company_s_group_lets_in_and_no_other_does(
    company: Company, browser: Browser, mode: str, known: Known
) -> None:
    """S72, S75, S77: off, when sent, required; by claim or as provisioned; known by object id, by name, or both."""
    manifest: dict[str, Any] = company.manifest(sso__group_check=mode)
    if known != "both":
        del manifest["entra"]["group_name" if known == "id" else "group_id"]
    await company.stack.apply(manifest)
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()
    for provisioned in ("no group", "not a member", "a member"):
        if provisioned == "not a member":
            group = await provision(company, bo)
        elif provisioned == "a member":
            await change_group(company.stack.database, credential(company), group, add=[company.scim_id(anna)])
        for claim, sent in claims(company).items():
            found = await reason(company, browser, anna, **({"claims": sent} if sent else {}))
            assert found == expected(mode, claim, provisioned, known), (mode, known, provisioned, claim)


async def test_a_group_that_somebody_called_like_the_company_s_opens_nothing(
    company: Company, browser: Browser
) -> None:
    """Anybody may give a group a name, also one that looks like an object id; the company's is known by its object id."""
    await company.apply(sso__group_check="required")
    anna = company.hire("anna")
    await company.cycle()
    name = company.tenant.groups[company.app.group_id].display_name
    other = schemas.NewGroup(display_name=name, external_id=str(uuid4()))
    made = await create_group(company.stack.database, credential(company), other)
    await change_group(company.stack.database, credential(company), made, add=[company.scim_id(anna)])
    assert await reason(company, browser, anna) == "not_in_company_group"
    mine = [(GROUPS, (str(other.external_id), name))]
    assert await reason(company, browser, anna, claims=mine) == "not_in_company_group"


async def test_groups_as_the_simulated_entra_sends_them(company: Company, browser: Browser) -> None:
    """S72, S75: assigned and not, up to 150 groups by the claim, beyond by a link."""
    await company.apply(sso__group_check="required")
    company.tenant.configure(company.app, groups_claim=True)
    anna = company.hire("anna")
    await company.cycle()
    assert await reason(company, browser, anna) is None
    for number in range(149):
        company.tenant.set_members(company.tenant.add_group(f"Group {number}").object_id, [anna.object_id])
    assert await reason(company, browser, anna) is None
    company.tenant.set_members(company.tenant.add_group("One more").object_id, [anna.object_id])
    assert await reason(company, browser, anna) == "groups_overage"
    company.tenant.unassign(company.app, anna.object_id)
    assert await reason(company, browser, anna) == "not_in_company_group"
