"""Who somebody is who signs in: by the object id, whatever he is called; the first time by a name, and never by another's."""

import asyncio
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from directory.__main__ import main
from directory.findings.catalogue import CLAIMS
from directory.findings.store import open_findings
from shared.errors import DomainError
from shared.schemas.people import Finding
from tests.entra.claims import IDENTITY_PROVIDER, TENANT_ID
from tests.entra.people import DEFAULT_MAPPINGS, Mapping, Person
from tests.support.browser import Browser
from tests.support.company import Company

WITH_MAIL = tuple(Mapping("mail", one.target) if one.target.startswith("emails") else one for one in DEFAULT_MAPPINGS)
WITH_OBJECT_ID = (*DEFAULT_MAPPINGS, Mapping("objectId", "externalId"))
NAME_ID_CLAIM = "Attributes & Claims > Unique User Identifier (Name ID) > Source attribute: user.mail"
EMAIL_MAPPING = 'Attribute mapping (users) > emails[type eq "work"].value > Source attribute: mail'


async def signs_in(company: Company, browser: Browser, person: Person, **changes: Any) -> str:
    """His employee id; or the reason why he is refused."""
    person = company.tenant.person(person.object_id)
    request_id, relay_state = await company.start_login(browser)
    recipe = company.recipe(person, in_response_to=request_id, **changes)
    page = await company.post_response(browser, recipe, relay_state=relay_state, accept="application/json")
    if page.status != 303:
        return str(page.json["reason"])
    assert (await browser.follow(page)).status == 200
    employee_id = str((await company.session(browser)).json["employee_id"])
    await browser.post(f"{company.stack.sso_url}/logout", {}, from_url=company.stack.sso_url)
    return employee_id


async def findings(company: Company, *kinds: str) -> dict[str, Finding]:
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        found = {one.kind: one for one in await open_findings(tx)}
    return {kind: one for kind, one in found.items() if kind in (kinds or CLAIMS)}


async def hired(company: Company, alias: str, **attributes: Any) -> Person:
    """Provisioned by Entra's default mapping, which says no object id: nobody knows him until he signs in."""
    person = company.hire(alias)
    person = company.tenant.edit_person(person.object_id, **attributes)
    await company.cycle()
    return person


# Principal name, mail address and NameID differ (S89, A8).


async def test_where_mail_and_user_name_differ_everybody_signs_in_and_the_mapping_to_change_is_named(
    company: Company, browser: Browser
) -> None:
    """S89, S77: SSO not working after an e-mail change. By Entra's default mapping the e-mail is the user principal name."""
    anna = await hired(company, "anna", mail=f"anna.holm@{company.name}.example")
    me = company.scim_id(anna)
    assert await signs_in(company, browser, anna) == me
    company.tenant.configure(company.app, name_id_source="user.mail")
    assert await signs_in(company, browser, anna) == me
    told = await findings(company)
    assert list(told) == ["email_not_mail"]
    assert str(told["email_not_mail"].details["change"]).endswith(EMAIL_MAPPING)
    assert (told["email_not_mail"].subject, told["email_not_mail"].employee_id) == ("company", me)
    assert told["email_not_mail"].details.keys() == {"change"}

    company.tenant.configure_provisioning(company.app, mappings=WITH_MAIL)
    await company.cycle()
    assert await signs_in(company, browser, anna) == me
    assert await findings(company) == {}


async def test_where_name_id_is_not_the_e_mail_the_claim_to_change_is_named(company: Company, browser: Browser) -> None:
    """S89: set Unique User Identifier (Name ID) to user.mail; S77: SSO not working, NameID claim."""
    company.tenant.configure_provisioning(company.app, mappings=WITH_MAIL)
    anna = await hired(company, "anna", mail=f"anna.holm@{company.name}.example")
    assert await signs_in(company, browser, anna) == company.scim_id(anna)
    told = await findings(company)
    assert list(told) == ["name_id_not_email"]
    assert str(told["name_id_not_email"].details["change"]).endswith(NAME_ID_CLAIM)

    company.tenant.configure(company.app, name_id_source="user.mail")
    assert await signs_in(company, browser, anna) == company.scim_id(anna)
    assert await findings(company) == {}


async def test_the_difference_of_one_is_not_over_by_the_login_of_another(company: Company, browser: Browser) -> None:
    anna = await hired(company, "anna", mail=f"anna.holm@{company.name}.example")
    bo = await hired(company, "bo")
    await signs_in(company, browser, anna)
    assert await signs_in(company, browser, bo) == company.scim_id(bo)
    assert list(await findings(company)) == ["email_not_mail"]


async def test_a_login_writes_nothing_where_nothing_differs_or_all_is_known(company: Company, browser: Browser) -> None:
    anna, bo = await hired(company, "anna"), await hired(company, "bo", mail=f"bo.b@{company.name}.example")
    for person in (anna, bo):
        await signs_in(company, browser, person)

    async def statements(person: Person) -> dict[str, int]:
        async with company.stack.counting() as count:
            await signs_in(company, browser, person)
        return count.statements

    alike, differing = await statements(anna), await statements(bo)
    assert alike == differing
    assert not {"raise", "close"} & alike.keys()


async def test_a_name_that_entra_made_up_is_told_to_the_company_and_to_whoever_is_refused(
    company: Company, browser: Browser
) -> None:
    """NameID's source is empty, so Entra silently sends a pairwise identifier (Microsoft, "Customize SAML token claims")."""
    company.tenant.configure(company.app, name_id_source="user.mail")
    anna = await hired(company, "anna", mail=None)
    assert await signs_in(company, browser, anna) == company.scim_id(anna), "by the claim name"
    told = await findings(company)
    assert list(told) == ["name_id_pairwise"]
    assert str(told["name_id_pairwise"].details["change"]).endswith(NAME_ID_CLAIM)

    stranger = company.hire("stranger")
    company.tenant.edit_person(stranger.object_id, mail=None)
    assert await signs_in(company, browser, stranger) == "name_id_pairwise"
    company.tenant.edit_person(anna.object_id, mail=anna.user_principal_name)
    assert await signs_in(company, browser, anna) == company.scim_id(anna)
    assert await findings(company) == {}


async def test_names_of_two_people_sign_in_neither_and_the_claim_to_change_is_named(
    company: Company, browser: Browser
) -> None:
    """S89: a user name that is another's e-mail address."""
    shared = f"shared@{company.name}.example"
    company.tenant.configure_provisioning(company.app, mappings=WITH_MAIL)
    await hired(company, "bo", mail=shared)
    anna = await hired(company, "anna", mail=f"anna.holm@{company.name}.example")
    company.tenant.edit_person(anna.object_id, mail=shared)
    assert await signs_in(company, browser, anna) == "matches_username_not_email"
    told = await findings(company)
    assert str(told["names_of_two_people"].details["change"]).endswith(NAME_ID_CLAIM)
    assert told["names_of_two_people"].employee_id is None
    company.tenant.edit_person(anna.object_id, mail=f"anna.holm@{company.name}.example")
    assert await signs_in(company, browser, anna) == company.scim_id(anna)
    assert "names_of_two_people" not in await findings(company)


# Guests.


def guest(company: Company, **attributes: Any) -> Person:
    mangled = f"anna_gmail.com#EXT#@{company.name}.onmicrosoft.com"
    person = company.hire("guest", user_principal_name=mangled, user_type="guest", **attributes)
    return company.tenant.edit_person(person.object_id, mail="anna@gmail.com")


@pytest.mark.parametrize(
    "home", ["live.com", f"https://sts.windows.net/{uuid4()}/", "mail"], ids=["Microsoft account", "tenant", "mail"]
)
async def test_a_guest_is_linked_by_the_mail_address_and_known_by_the_object_id_of_this_tenant(
    company: Company, browser: Browser, home: str
) -> None:
    anna = guest(company, identity_provider=home)
    await company.cycle()
    me = company.scim_id(anna)
    assert (await company.stack.employee_row(company.name, me))["login_name"] == "anna@gmail.com"
    assert await signs_in(company, browser, anna) == me
    company.tenant.edit_person(anna.object_id, mail="anna@elsewhere.example")
    assert await signs_in(company, browser, anna) == me


async def test_a_guest_without_a_mail_address_is_not_guessed_from_the_mangled_name(
    company: Company, browser: Browser
) -> None:
    anna = guest(company, identity_provider="live.com")
    await company.cycle()
    company.tenant.edit_person(anna.object_id, mail=None)
    assert await signs_in(company, browser, anna) == "no_such_employee"


async def test_the_tenant_a_guest_comes_from_is_not_the_company_s(company: Company, browser: Browser) -> None:
    """Only the claim tenantid says which tenant signs people in; identityprovider says where a guest is at home."""
    home = str(uuid4())
    anna = guest(company, identity_provider=f"https://sts.windows.net/{home}/")
    await company.cycle()
    person = company.tenant.person(anna.object_id)
    claims = [(name, (home,) if name == TENANT_ID else values) for name, values in company.recipe(person).claims]
    assert any(name == IDENTITY_PROVIDER and home in values[0] for name, values in claims)
    assert await signs_in(company, browser, anna, claims=tuple(claims)) == "wrong_tenant"


# Renamed, and whose name somebody else has got.


ORDERS = sorted(set(permutations(["cycle", "anna", "hans", "anna", "hans"])))


@pytest.mark.parametrize("known", ["signed in", "by provisioning"])
async def test_an_old_name_given_to_a_new_colleague_signs_in_the_new_colleague_alone(
    company: Company, browser: Browser, known: str
) -> None:
    """S36: whether the new names arrive by SCIM before, between or after the logins; in every order."""
    if known == "by provisioning":
        company.tenant.configure_provisioning(company.app, mappings=WITH_OBJECT_ID)
    # Orders in which neither comes twice in a row say all there is.
    orders = [one for one in ORDERS if all(a != b for a, b in pairwise(one))]
    assert len(orders) >= 4
    for number, order in enumerate(orders):
        anna = company.hire(f"anna{number}")
        old = anna.user_principal_name
        await company.cycle()
        me = company.scim_id(anna)
        if known == "signed in":
            assert await signs_in(company, browser, anna) == me
        new = f"anna.new{number}@{company.name}.example"
        company.tenant.edit_person(anna.object_id, user_principal_name=new, mail=new)
        hans = company.hire(f"hans{number}", user_principal_name=old)
        arrived = False
        for step in order:
            if step == "cycle":
                await company.cycle()
                arrived = True
            elif step == "anna":
                assert await signs_in(company, browser, anna) == me, order
            else:
                expected = company.scim_id(hans) if arrived else "no_such_employee"
                assert await signs_in(company, browser, hans) == expected, order
                assert expected != me


async def test_somebody_unknown_with_an_old_name_is_refused_with_a_reason(company: Company, browser: Browser) -> None:
    """S36: the old one is refused with a clear reason."""
    anna = await hired(company, "anna")
    old = anna.user_principal_name
    await signs_in(company, browser, anna)
    company.tenant.edit_person(anna.object_id, user_principal_name=f"new@{company.name}.example")
    await company.cycle()
    stranger = company.hire("stranger", user_principal_name=old)
    assert await signs_in(company, browser, stranger) == "no_such_employee"


# Nobody is linked beyond his company.


async def test_an_object_id_of_one_company_means_nobody_in_another(
    company: Company, neighbour: Company, browser: Browser
) -> None:
    """Both in one Entra tenant; the same person may be in both, and then he is two employees (A15)."""
    anna = company.hire("anna")
    await company.cycle()
    me = await signs_in(company, browser, anna)
    assert me == company.scim_id(anna)
    neighbour.tenant.assign(neighbour.app, anna.object_id)
    assert await signs_in(neighbour, browser, anna) == "no_such_employee"
    await neighbour.cycle()
    there = await signs_in(neighbour, browser, anna)
    assert there == neighbour.scim_id(anna) != me
    assert await signs_in(company, browser, anna) == me


async def test_people_who_have_signed_in_go_to_another_tenant_by_a_move_alone(
    company: Company, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link is company, tenant and object id: a tenant that is only typed over would leave links of the old one behind. Nobody
    is provisioned here, so nothing but the logins ties these people to the tenant."""
    monkeypatch.setenv("DATABASE_URL", company.stack.owner_url)
    file = tmp_path / "people.csv"
    file.write_text(
        f"Brugernavn;E-mail;Fornavn;Efternavn\nanna@{company.name}.example;a@b.dk;Anna;Holm\n", encoding="utf-8"
    )
    await directory("company", "import", company.name, str(file))
    tenant_id = str(uuid4())
    other = company.manifest(entra__tenant_id=tenant_id, sso__issuer=f"https://sts.windows.net/{tenant_id}/")
    assert (await signs_in(company, browser, company.hire("anna"))).startswith("emp_")
    with pytest.raises(DomainError, match="directory company move"):
        await company.stack.apply(other)


# Administrators from an import (A24).


@pytest.fixture
def operators_database(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", company.stack.owner_url)


async def directory(*arguments: str) -> None:
    assert await asyncio.to_thread(main, list(arguments)) == 0


async def imported_admin(company: Company, folder: Path, login: str, email: str) -> None:
    file = folder / "people.csv"
    file.write_text(f"Brugernavn;E-mail;Fornavn;Efternavn\n{login};{email};Sara;Holm\n", encoding="utf-8")
    await directory("company", "import", company.name, str(file))
    await directory("company", "role", company.name, login, "--grant", "setup_admin")


@pytest.mark.usefixtures("operators_database")
async def test_a_company_s_first_setup_admin_signs_in_by_the_principal_name(
    company: Company, browser: Browser, tmp_path: Path
) -> None:
    """Nobody has signed in yet who could confirm anybody."""
    login = f"sara@{company.name}.example"
    await imported_admin(company, tmp_path, login, f"s@{company.name}.example")
    assert (await signs_in(company, browser, company.hire("sara"))).startswith("emp_")


@pytest.mark.usefixtures("operators_database")
async def test_an_administrator_s_account_is_not_taken_over_by_a_mail_address(
    company: Company, browser: Browser, tmp_path: Path
) -> None:
    """A24: whoever may set mail addresses in Entra sets his own to the administrator's, before she has ever signed in."""
    login = f"sara@{company.name}.example"
    await imported_admin(company, tmp_path, login, login)
    mallory = company.hire("mallory")
    company.tenant.edit_person(mallory.object_id, mail=login)
    assert await signs_in(company, browser, mallory) == "needs_confirmation"
    company.tenant.configure(company.app, name_id_source="user.mail")
    assert await signs_in(company, browser, mallory) == "needs_confirmation"
    told = (await findings(company, "adoption_waits"))["adoption_waits"]
    assert told.details == {"by": "sign_in", "object_id": mallory.object_id}

    company.tenant.edit_person(mallory.object_id, mail=mallory.user_principal_name)
    sara = company.hire("sara")
    assert await signs_in(company, browser, sara) == told.employee_id
    assert await findings(company, "adoption_waits") == {}, "nobody can ask for her account by a name any more"
    assert await signs_in(company, browser, mallory) == "no_such_employee"


@pytest.mark.usefixtures("operators_database")
async def test_nor_is_that_of_one_who_is_provisioned_and_has_never_signed_in(
    company: Company, browser: Browser
) -> None:
    """A24, by Entra's default mapping, which says no object id."""
    sara = await hired(company, "sara")
    await directory("company", "role", company.name, sara.user_principal_name, "--grant", "setup_admin")
    mallory = company.hire("mallory")
    company.tenant.edit_person(mallory.object_id, mail=sara.mail)
    assert await signs_in(company, browser, mallory) == "needs_confirmation"
    assert await signs_in(company, browser, sara) == company.scim_id(sara)
    assert await findings(company, "adoption_waits") == {}
    assert await signs_in(company, browser, mallory) == "no_such_employee"


@pytest.mark.usefixtures("operators_database")
async def test_a_provisioned_administrator_whose_login_name_is_another_is_confirmed(
    company: Company, browser: Browser
) -> None:
    """A24: where userName is mapped from mail, say."""
    by_mail = tuple(Mapping("mail", one.target) if one.target == "userName" else one for one in WITH_MAIL)
    company.tenant.configure_provisioning(company.app, mappings=by_mail)
    mail = f"sara.holm@{company.name}.example"
    sara = await hired(company, "sara", mail=mail)
    await directory("company", "role", company.name, mail, "--grant", "setup_admin")
    assert await signs_in(company, browser, sara) == "needs_confirmation"
    await directory("company", "confirm", company.name, mail)
    assert await findings(company, "adoption_waits") == {}
    assert await signs_in(company, browser, sara) == company.scim_id(sara)


@pytest.mark.usefixtures("operators_database")
async def test_an_administrator_known_by_another_address_is_confirmed_once_and_signs_in(
    company: Company, browser: Browser, tmp_path: Path
) -> None:
    """A24: Setup admins need confirmation."""
    mail = f"sara.holm@{company.name}.example"
    await imported_admin(company, tmp_path, mail, mail)
    sara = company.hire("sara")
    company.tenant.edit_person(sara.object_id, mail=mail)
    assert await signs_in(company, browser, sara) == "needs_confirmation"
    await directory("company", "confirm", company.name, mail)
    assert (await signs_in(company, browser, sara)).startswith("emp_")
    assert await findings(company, "adoption_waits") == {}
