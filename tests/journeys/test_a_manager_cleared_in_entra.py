"""A manager is taken away in Entra, which says nothing of it (A18): a restart shows it, HR confirms, and the approver follows."""

from directory.sweep import sweep
from shared.schemas.people import ConfirmCleared, Finding, ListFindings
from tests.entra.people import Person
from tests.support.company import Company
from tests.support.setup_admin import SetupAdmin


async def staffed(company: Company) -> tuple[Person, Person, list[Person]]:
    """Bo, and whose manager he is: Anna and five others."""
    bo = company.hire("bo")
    anna, *others = [company.hire(alias, manager=bo.object_id) for alias in ("anna", "cai", "dea", "eva", "fie", "gry")]
    await company.cycle()
    await company.stack.write_notes()
    await company.stack.an_hour_passes(company.name)
    return bo, anna, others


async def restarted(company: Company, sara: SetupAdmin) -> list[Finding]:
    """What Setup admin reads after a restart of provisioning, an hour and a sweep."""
    result = await company.engine.restart(company.app)
    assert (result.quarantine, result.failures) == (None, ())
    await company.stack.write_notes()
    await company.stack.an_hour_passes(company.name)
    await sweep(company.stack.operator)
    found = (await sara.client.list_findings(ListFindings(session=sara.session))).findings
    return [one for one in found if one.kind == "manager_possibly_cleared"]


async def test_a_manager_taken_away_in_entra_approves_until_a_restart_shows_it_and_hr_confirms(
    company: Company, sara: SetupAdmin
) -> None:
    """A18, S59."""
    bo, anna, _ = await staffed(company)
    company.tenant.edit_person(anna.object_id, manager=None)
    assert (await company.cycle()).changes == 0
    assert await sara.who(company.scim_id(anna)) == {"Bo": "entra_manager"}

    (finding,) = await restarted(company, sara)
    assert (finding.subject, finding.details["manager_id"]) == (company.scim_id(anna), company.scim_id(bo))
    assert await sara.who(company.scim_id(anna)) == {"Bo": "entra_manager"}

    request = ConfirmCleared(session=sara.session, person=anna.user_principal_name)
    assert (await sara.client.confirm_cleared(request)).manager_id is None
    assert await sara.who(company.scim_id(anna)) == {"Sara": "setup_admin_queue"}
    assert await restarted(company, sara) == []
    assert (await company.cycle()).changes == 0


async def test_a_manager_who_is_set_again_in_entra_is_no_question_any_more(company: Company, sara: SetupAdmin) -> None:
    bo, anna, _ = await staffed(company)
    company.tenant.edit_person(anna.object_id, manager=None)
    assert len(await restarted(company, sara)) == 1
    company.tenant.edit_person(anna.object_id, manager=bo.object_id)
    assert await restarted(company, sara) == []
    assert await sara.who(company.scim_id(anna)) == {"Bo": "entra_manager"}


async def test_a_manager_who_is_mapped_no_more_is_a_question_about_nobody(company: Company, sara: SetupAdmin) -> None:
    """S25, S59."""
    await staffed(company)
    mappings = company.app.provisioning.mappings
    without = tuple(one for one in mappings if one.source != "manager")
    company.tenant.configure_provisioning(company.app, mappings=without)
    assert await restarted(company, sara) == []
