"""Approvers, from Entra's manager to the one who approves: S51 to S59, A17 to A19, each as the product text promises it."""

from typing import Any, get_args

import pytest

from shared.approval import DirectStatus, ProblemKind
from shared.errors import DomainError, ErrorCode
from tests.entra.people import DEFAULT_MAPPINGS, ENTERPRISE, ManagerRemoval, Person
from tests.support.browser import Browser
from tests.support.company import Company, create_body
from tests.support.setup_admin import SetupAdmin, signed_in

MANAGER = f"{ENTERPRISE}:manager"


async def provisioned(company: Company, **people: dict[str, Any]) -> dict[str, str]:
    """Alias -> our id, after a cycle; `manager` by alias of somebody before."""
    hired: dict[str, Person] = {}
    for alias, values in people.items():
        manager = values.pop("manager", None)
        hired[alias] = company.hire(alias, manager=hired[manager].object_id if manager else None, **values)
    await company.cycle()
    return {alias: company.scim_id(person) for alias, person in hired.items()}


# S52, S55, S56


async def test_when_the_flow_is_switched_on_departments_are_no_basis_of_approval_unless_added_again(
    company: Company, sara: SetupAdmin
) -> None:
    """S52, S55, and what the preview told before."""
    await company.apply(approvers__follow_entra_managers=False)
    ids = await provisioned(
        company, bo={}, anna={"manager": "bo", "department": "Salg"}, cai={}, dea={"department": "Salg"}
    )
    await sara.grant(ids["cai"], departments=["Salg"])
    assert await sara.who(ids["anna"]) == {"Cai": "department_approver"}
    preview = await sara.preview(True)
    told = {one.employee_id: [approver.name for approver in one.after] for one in preview.changes}
    assert told == {ids["anna"]: ["Bo Holm"], ids["dea"]: ["Sara Holm"]}
    assert await sara.who(ids["anna"]) == {"Cai": "department_approver"}, "nothing was written"

    await company.apply(approvers__follow_entra_managers=True)
    assert await sara.who(ids["anna"]) == {"Bo": "entra_manager"}
    assert await sara.who(ids["dea"]) == {"Sara": "setup_admin_queue"}

    assert (await sara.grant(ids["cai"], departments=["Salg"])).changed
    assert await sara.who(ids["anna"]) == {"Bo": "entra_manager", "Cai": "department_approver"}
    assert await sara.who(ids["dea"]) == {"Cai": "department_approver"}

    await company.apply(approvers__follow_entra_managers=False)
    assert await sara.who(ids["anna"]) == {"Cai": "department_approver"}


async def test_a_department_approver_who_manages_nobody_approves_for_everybody_of_his_departments_beside_the_manager(
    company: Company, sara: SetupAdmin
) -> None:
    """S55."""
    ids = await provisioned(
        company,
        bo={},
        cai={},
        anna={"manager": "bo", "department": "Salg"},
        emil={"manager": "bo", "department": "Køkken"},
        finn={"manager": "bo", "department": "Lager"},
    )
    granted = await sara.grant(ids["cai"], departments=["salg", "KØKKEN"])
    assert (granted.roles, granted.departments) == (["approver"], ["Køkken", "Salg"])
    assert not (await sara.explain(ids["cai"])).approver_by_reports
    both = {"Bo": "entra_manager", "Cai": "department_approver"}
    assert [await sara.who(ids[one]) for one in ("anna", "emil", "finn")] == [both, both, {"Bo": "entra_manager"}]


async def test_who_moves_to_another_department_has_its_approvers_at_once(company: Company, sara: SetupAdmin) -> None:
    ids = await provisioned(company, bo={}, cai={}, anna={"manager": "bo", "department": "Salg"})
    await sara.grant(ids["cai"], departments=["Salg"])
    assert await sara.who(ids["anna"]) == {"Bo": "entra_manager", "Cai": "department_approver"}
    await company.patch(ids["anna"], {"op": "Replace", "path": f"{ENTERPRISE}:department", "value": "Lager"})
    assert await sara.who(ids["anna"]) == {"Bo": "entra_manager"}


async def test_with_only_the_entra_manager_the_approvers_are_exactly_the_manager(
    company: Company, sara: SetupAdmin
) -> None:
    """S56."""
    ids = await provisioned(
        company,
        bo={},
        cai={},
        anna={"manager": "bo", "department": "Salg"},
        dea={"manager": "bo", "department": "Salg"},
    )
    await sara.grant(ids["cai"], departments=["Salg"])
    await sara.only_direct(ids["anna"])
    assert await sara.who(ids["anna"]) == {"Bo": "entra_manager"}
    assert await sara.who(ids["dea"]) == {"Bo": "entra_manager", "Cai": "department_approver"}
    await sara.only_direct(ids["anna"], False)
    assert await sara.who(ids["anna"]) == {"Bo": "entra_manager", "Cai": "department_approver"}


# S53, S54, A17


async def test_the_first_report_makes_an_approver_and_what_hr_granted_is_never_revoked_by_sync(
    company: Company, sara: SetupAdmin, other_browser: Browser
) -> None:
    """S53, A17: the role is there with the report and stays a while after the last one left."""
    bo = company.hire("bo")
    await company.cycle()
    await company.sign_in(other_browser, bo)

    async def roles() -> list[str]:
        found: list[str] = (await company.session(other_browser)).json["roles"]
        return found

    assert await roles() == []
    anna = company.hire("anna", manager=bo.object_id)
    await company.cycle()
    assert await roles() == ["approver"]
    told = await sara.explain(company.scim_id(bo))
    assert (told.roles, told.approver_by_reports) == ([], True)

    company.tenant.block(anna.object_id)
    await company.cycle()
    assert await roles() == ["approver"], "what she asked for before may still be open"

    await sara.grant(company.scim_id(bo), "hr_statistics")
    company.tenant.edit_person(bo.object_id, job_title="Direktør", department="Ledelse")
    await company.engine.restart(company.app)
    assert await roles() == ["approver", "hr_statistics"]
    await sara.revoke(company.scim_id(bo), "approver")
    assert await roles() == ["approver", "hr_statistics"], "having reports is nobody's grant"


async def test_each_employees_manager_in_entra_is_the_direct_approver_with_source_and_since_when(
    company: Company, sara: SetupAdmin
) -> None:
    """S54."""
    ids = await provisioned(company, bo={}, anna={"manager": "bo"})
    direct = (await sara.explain(ids["anna"])).direct
    assert (direct.status, direct.employee_id, direct.name) == (DirectStatus.in_force, ids["bo"], "Bo Holm")
    row = await company.stack.employee_row(company.name, ids["anna"])
    assert (direct.source, direct.since) == ("entra", row["updated_at"])


# S57


async def test_a_self_approver_approves_for_himself_and_the_manager_is_stored_until_the_role_is_taken_away(
    company: Company, sara: SetupAdmin
) -> None:
    """S57."""
    ids = await provisioned(company, bo={}, cai={}, anna={"manager": "bo"})
    await sara.grant(ids["anna"], "self_approver")
    assert await sara.who(ids["anna"]) == {"Anna": "self_approver"}
    await company.patch(ids["anna"], {"op": "Replace", "path": MANAGER, "value": ids["cai"]})
    told = await sara.explain(ids["anna"])
    assert (told.direct.status, told.direct.reference) == (DirectStatus.self_approver, ids["cai"])
    assert await sara.who(ids["anna"]) == {"Anna": "self_approver"}
    await sara.revoke(ids["anna"], "self_approver")
    assert await sara.who(ids["anna"]) == {"Cai": "entra_manager"}


# S58, A19


async def test_a_manager_who_is_not_provisioned_is_listed_as_waited_for_and_approves_from_the_moment_he_comes(
    company: Company, sara: SetupAdmin
) -> None:
    """S58."""
    bo, anna = company.hire("bo"), company.hire("anna")
    body = {**create_body(anna), ENTERPRISE: {"manager": {"value": bo.object_id}}}
    anna_id = (await company.scim.post("/Users", body)).json["id"]
    waiting = [one.employee_id for one in (await sara.problems()).problems if one.kind is ProblemKind.manager_waiting]
    assert waiting == [anna_id]
    assert await sara.who(anna_id) == {"Sara": "setup_admin_queue"}
    bo_id = await company.provision(bo)
    assert await sara.who(anna_id) == {"Bo": "entra_manager"}
    assert (await sara.problems()).affected.get("manager_waiting") is None
    assert (await sara.explain(bo_id)).approver_by_reports


async def test_a_manager_who_is_suspended_or_departs_is_reported_with_everybody_whom_it_affects(
    company: Company, sara: SetupAdmin
) -> None:
    """A19."""
    ids = await provisioned(company, bo={}, anna={"manager": "bo"}, dea={"manager": "bo"})
    await company.suspend(ids["bo"])

    async def affected(kind: ProblemKind) -> set[tuple[str, str | None]]:
        page = await sara.problems()
        return {(one.employee_id, one.about) for one in page.problems if one.kind is kind}

    both = {(ids["anna"], ids["bo"]), (ids["dea"], ids["bo"])}
    assert await affected(ProblemKind.manager_suspended) == both
    assert await sara.who(ids["anna"]) == {"Sara": "setup_admin_queue"}
    assert (await company.scim.delete(f"/Users/{ids['bo']}")).status == 204
    assert await affected(ProblemKind.manager_suspended) == set()
    assert await affected(ProblemKind.manager_departed) == both


async def test_a_circle_and_a_self_reference_are_stored_and_reported_and_the_circle_approves(
    company: Company, sara: SetupAdmin
) -> None:
    """A19, D8."""
    ids = await provisioned(company, bo={}, anna={"manager": "bo"}, dea={})
    await company.patch(ids["bo"], {"op": "Add", "path": MANAGER, "value": ids["anna"]})
    await company.patch(ids["dea"], {"op": "Add", "path": MANAGER, "value": ids["dea"]})
    told = await sara.explain(ids["bo"])
    assert told.circle == [ids["bo"], ids["anna"]]
    assert await sara.who(ids["bo"]) == {"Anna": "entra_manager"}
    assert await sara.who(ids["anna"]) == {"Bo": "entra_manager"}
    assert await sara.who(ids["dea"]) == {"Sara": "setup_admin_queue"}
    assert (await sara.problems()).affected == {"setup_admins_only": 1, "manager_himself": 1, "manager_cycle": 2}


# S59, A18


async def test_without_the_mapping_of_the_manager_no_traffic_changes_the_approver(
    company: Company, sara: SetupAdmin
) -> None:
    """S59, S25."""
    bo, cai = company.hire("bo"), company.hire("cai")
    anna = company.hire("anna", manager=bo.object_id)
    await company.cycle()
    without = tuple(mapping for mapping in DEFAULT_MAPPINGS if mapping.source != "manager")
    company.tenant.configure_provisioning(company.app, mappings=without)
    company.tenant.edit_person(anna.object_id, manager=cai.object_id, job_title="Chef")
    await company.engine.restart(company.app)
    told = await sara.explain(company.scim_id(anna))
    assert [one.name for one in told.approvers] == ["Bo Holm"]
    assert (await company.stack.employee_row(company.name, told.employee_id))["title"] == "Chef"


@pytest.mark.parametrize("form", get_args(ManagerRemoval))
async def test_a_manager_who_is_removed_in_entra_approves_no_more_where_the_removal_is_sent(
    company: Company, sara: SetupAdmin, form: ManagerRemoval
) -> None:
    """A18: a removal is honoured in every form in which it may come; where none comes, nothing can change."""
    bo = company.hire("bo")
    anna = company.hire("anna", manager=bo.object_id)
    await company.cycle()
    company.tenant.configure_provisioning(company.app, manager_removal=form)
    company.tenant.edit_person(anna.object_id, manager=None)
    await company.cycle()
    told = await sara.explain(company.scim_id(anna))
    if form == "silent":
        assert [one.name for one in told.approvers] == ["Bo Holm"]
        return
    assert (told.direct.status, told.direct.reference, told.direct.source) == (DirectStatus.missing, None, None)
    assert [one.name for one in told.approvers] == ["Sara Holm"]


# Who may ask


async def test_only_a_setup_admin_with_a_live_session_may_ask_and_decide(
    company: Company, sara: SetupAdmin, other_browser: Browser
) -> None:
    anna = company.hire("anna")
    await company.cycle()
    async with signed_in(company, other_browser, anna, roles=["hr_statistics", "approver"]) as nobody:
        for ask in questions(nobody):
            with pytest.raises(DomainError) as refused:
                await ask
            assert refused.value.code is ErrorCode.not_allowed
        await sara.grant(nobody.employee_id, "setup_admin")
        assert (await nobody.explain(sara.employee_id)).name == "Sara Holm"
        await company.suspend(nobody.employee_id)
        for ask in questions(nobody):
            with pytest.raises(DomainError) as refused:
                await ask
            assert refused.value.code is ErrorCode.unauthorized
    assert await company.stack.history(company.name, sara.employee_id) == [
        "employee.created", "employee.linked", "session.opened", "employee.role_granted", "employee.role_granted"
    ]  # fmt: skip


def questions(admin: SetupAdmin) -> list[Any]:
    mine = admin.employee_id
    return [
        admin.explain(mine),
        admin.problems(),
        admin.preview(False),
        admin.grant(mine, "setup_admin"),
        admin.revoke(mine, "approver"),
        admin.only_direct(mine),
    ]


async def test_an_employee_of_another_company_is_exactly_one_who_does_not_exist(
    company: Company, neighbour: Company, sara: SetupAdmin
) -> None:
    foreign = await neighbour.provision(neighbour.hire("x"))
    for employee_id in (foreign, "emp_" + "0" * 32, "nonsense", ""):
        for ask in (sara.explain(employee_id), sara.grant(employee_id), sara.only_direct(employee_id)):
            with pytest.raises(DomainError) as refused:
                await ask
            wanted = f"The company has nobody with the id or login name {employee_id!r}."
            assert (refused.value.code, refused.value.detail) == (ErrorCode.not_found, wanted)
    assert foreign not in {one.employee_id for one in (await sara.problems()).problems}


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_a_page_of_nothing_or_of_too_much_is_refused(sara: SetupAdmin, limit: int) -> None:
    for ask in (sara.problems(limit=limit), sara.preview(True, limit=limit)):
        with pytest.raises(DomainError) as refused:
            await ask
        assert refused.value.code is ErrorCode.invalid_request
    assert len((await sara.problems(limit=1)).problems) <= 1
