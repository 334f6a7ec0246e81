"""What may meet on one person, each in one verb, and where: see `scene` for the people."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import msgspec
import pytest

from directory.approvers import grants
from directory.brake import holds
from directory.brake import setup as brake
from directory.brake.applying import apply
from directory.companies import deleting, ending, move
from directory.cycles import store as cycles
from directory.cycles.looking import look
from directory.cycles.notes import Asked, Heard
from directory.database import Actor, CompanyTx
from directory.employees import hr, operations, setup
from directory.employees.people import view
from directory.employees.writing import repeated
from directory.findings.catalogue import FindingKind
from directory.findings.store import raise_finding
from directory.imports.operations import import_file
from directory.logins import operations as logins
from directory.logins.signing_out import end_idp_session
from directory.retention.erasure import erase_due
from shared.errors import DomainError, ErrorCode
from shared.schemas import approvers as approval
from shared.schemas import brake as held
from shared.schemas import employee as entra
from shared.schemas import login, people
from tests.support.firm import uuid_of
from tests.support.scene import (
    NEXT_SIGNER,
    NEXT_TENANT,
    NOON,
    OBJECT,
    OLD_SESSION,
    OTHER_OBJECT,
    SIGNER,
    TICKET,
    Scene,
    insert_session,
    insert_ticket,
    prepare_move,
)  # fmt: skip

Act = Callable[[Scene], Awaitable[object]]
Furnish = Callable[[Scene], Awaitable[None]]


async def create(scene: Scene) -> object:
    return await scene.firm.provision(login="anna@firma.dk", external_id=OBJECT, title="Chef")


async def create_boss(scene: Scene) -> object:
    """Dora waits for him; his manager is Anna."""
    return await scene.firm.provision(login="boss@firma.dk", manager_ref=scene.anna.id)


async def create_with_her_mail(scene: Scene) -> object:
    return await scene.firm.provision(login_name="bea@firma.dk", email="ANNA@firma.dk", external_id=OTHER_OBJECT)


async def change(scene: Scene) -> object:
    return await scene.firm.change(scene.anna, title="Kok", department="Lager", country="Norge")


async def rename(scene: Scene) -> object:
    return await scene.firm.change(scene.anna, login_name="boss@firma.dk", email="boss@firma.dk")


async def replace(scene: Scene) -> object:
    """A PUT, which clears what it does not mention."""
    return await scene.firm.replace(
        scene.anna, login_name="anna@firma.dk", email="anna@firma.dk", given_name="Anna", family_name="Ny", title=None
    )


async def add_boss_by_hand(scene: Scene) -> object:
    """The one whom Dora waits for, by HR."""
    new = people.NewPerson(login_name="boss@firma.dk", email="boss@firma.dk", given_name="Bo", family_name="Boss")
    return await setup.create_employee(scene.database, people.CreatePerson(session=scene.admin, person=new))


async def say_when_she_leaves(scene: Scene) -> object:
    return await scene.firm.change(scene.anna, leave_date="2026-12-24")


async def relink(scene: Scene) -> object:
    return await scene.firm.change(scene.anna, external_id=OTHER_OBJECT)


async def suspend(scene: Scene) -> object:
    return await scene.firm.change(scene.anna, active=False)


async def resume(scene: Scene) -> object:
    return await scene.firm.change(scene.anna, active=True)


async def remove(scene: Scene) -> object:
    await scene.firm.remove(scene.anna)
    return None


async def remove_manager(scene: Scene) -> object:
    await scene.firm.remove(scene.people["carl"])
    return None


async def report_to_her(scene: Scene) -> object:
    return await scene.firm.change(scene.people["carl"], manager_ref=scene.anna.id)


async def edit(scene: Scene) -> object:
    edits = people.EmployeeEdits(policy="A", mobile_phone="12", manager_ref="boss@firma.dk")
    return await setup.edit_employee(
        scene.database, people.EditEmployee(session=scene.admin, person=scene.anna.id, edits=edits)
    )


async def block(scene: Scene) -> object:
    request = people.BlockAccess(session=scene.admin, person=scene.anna.id, blocked=True)
    return await setup.block_access(scene.database, request)


async def end(scene: Scene) -> object:
    return await setup.end_employment(scene.database, people.EndEmployment(session=scene.admin, person="anna@firma.dk"))


async def go_on(scene: Scene) -> object:
    request = people.DecideRehire(session=scene.admin, person=scene.anna.id, choice="continue")
    return await setup.decide_rehire(scene.database, request)


async def begin_anew(scene: Scene) -> object:
    request = people.DecideRehire(session=scene.admin, person=scene.anna.id, choice="new_employment")
    return await setup.decide_rehire(scene.database, request)


async def confirm(scene: Scene) -> object:
    return await setup.confirm_adoption(
        scene.database, people.ConfirmAdoption(session=scene.admin, person=scene.anna.id)
    )


async def confirm_cleared(scene: Scene) -> object:
    return await setup.confirm_cleared(
        scene.database, people.ConfirmCleared(session=scene.admin, person="anna@firma.dk")
    )


async def keep_manager(scene: Scene) -> object:
    request = people.ConfirmCleared(session=scene.admin, person=scene.anna.id, keep=True)
    return await setup.confirm_cleared(scene.database, request)


async def change_manager(scene: Scene) -> object:
    return await scene.firm.change(scene.anna, manager_ref=scene.people["bo"].id)


async def look_at_cycles(scene: Scene) -> object:
    return await look(lambda: scene.owner.scope_for_id(scene.firm.company_id).transaction())


async def write_notes(scene: Scene) -> object:
    """In the background: Entra has asked about Anna's manager."""
    heard = Heard(NOON, NOON, 1, {uuid_of(scene.anna): Asked(NOON, NOON)})
    async with scene.database.scope_for_id(scene.firm.company_id).transaction() as tx:
        await cycles.note(tx, heard)
    return None


async def finish(scene: Scene) -> object:
    return await setup.finish_work(scene.database, people.FinishWork(session=scene.admin, person=scene.anna.id))


async def release(scene: Scene) -> object:
    request = people.ReleaseAttribute(session=scene.admin, attribute="manager_ref")
    return await setup.release(scene.database, request)


async def sign_in(scene: Scene, object_id: str = OBJECT, name: str = "anna@firma.dk") -> object:
    attempt = login.LoginAttempt(
        company=scene.firm.name, ticket_sha256="d4" * 32, ticket_ttl_s=60, in_response_to=None, assertion_id="one",
        expires_at=NOON + timedelta(minutes=5), tenant_id=scene.tenant_id, object_id=object_id, name_id=name,
        signer_fingerprint=SIGNER,
    )  # fmt: skip
    return msgspec.structs.replace(await logins.complete_login(scene.database, attempt), attempt_id="")


async def sign_in_as_somebody_else(scene: Scene) -> object:
    """Bo's first login, by the object id that others want for Anna."""
    return await sign_in(scene, OTHER_OBJECT, "bo@firma.dk")


async def open_session(scene: Scene) -> object:
    request = login.OpenSession(
        company_id=str(scene.firm.company_id), ticket_sha256=TICKET, browsers_sha256=[], current_session=None,
        session_sha256="e5" * 32, session_ttl_s=3600,
    )  # fmt: skip
    opened = await logins.open_session(scene.database, request)
    person = opened.person and msgspec.structs.replace(opened.person, company="")
    return msgspec.structs.replace(opened, company=None, person=person)  # each run has a company of its own


async def sign_out(scene: Scene) -> object:
    session = login.SessionCredential(company_id=str(scene.firm.company_id), session_sha256=OLD_SESSION)
    return await logins.end_session(scene.database, login.EndSession(session=session))


async def sign_out_at_microsoft(scene: Scene) -> object:
    """Anna's session and her ticket came of the same sign-in."""
    request = login.EndIdpSession(
        company=scene.firm.name, session_indexes=["_anna"], name_id="anna", until=NOON, signer_fingerprint=SIGNER
    )
    return await end_idp_session(scene.database, request)


async def grant(scene: Scene) -> object:
    request = approval.ChangeRole(session=scene.admin, person=scene.anna.id, role="approver", departments=["Salg"])
    return await grants.grant(scene.database, request)


async def make_admin(scene: Scene) -> object:
    request = approval.ChangeRole(session=scene.admin, person=scene.anna.id, role="setup_admin")
    return await grants.grant(scene.database, request)


async def revoke(scene: Scene) -> object:
    request = approval.ChangeRole(session=scene.admin, person=scene.anna.id, role="approver")
    return await grants.revoke(scene.database, request)


async def only_direct(scene: Scene) -> object:
    request = approval.SetOnlyDirectApprover(session=scene.admin, person=scene.anna.id, only_direct_approver=True)
    return await grants.set_only_direct(scene.database, request)


async def leave_group(scene: Scene) -> object:
    return await scene.groups.change(scene.group_id, remove=[scene.anna.id])


async def fill_group(scene: Scene) -> object:
    """Who of them has departed at that moment is left out either way; whether it says so is as it comes."""
    return (await scene.groups.change(scene.group_id, members=[one.id for one in scene.people.values()])).group


async def note_mapping(scene: Scene) -> object:
    request = entra.NoteMapping(credential=scene.firm.credential, missing=["email", "active"])
    return await operations.note_mapping(scene.database, request)


async def create_without_active(scene: Scene) -> object:
    new = entra.NewEmployee(login_name="anna@firma.dk", email="anna@firma.dk", given_name="Anna", family_name="Holm")
    request = entra.ProvisionEmployee(credential=scene.firm.credential, employee=new, missing=["active"])
    return await operations.provision_employee(scene.database, request)


async def bring(scene: Scene) -> object:
    """A file with Anna, and with the manager whom Dora waits for."""
    file = "login_name,email,given_name,family_name,policy,manager_login_name\n"
    file += (
        "anna@firma.dk,anna@firma.dk,Anna,Holm,A,boss@firma.dk\nboss@firma.dk,boss@firma.dk,Bo,Boss,A,anna@firma.dk\n"
    )
    scope = scene.database.scope_for_id(scene.firm.company_id)
    return await import_file(scope, Actor("operator", "test"), file.encode())


async def erase(scene: Scene) -> object:
    """A sweep passes over whoever is locked; the next one takes him."""
    for _ in range(15):
        if erased := await erase_due(lambda: scene.owner.scope_for_id(scene.firm.company_id).transaction()):
            return erased
        await asyncio.sleep(0.01)
    return 0


async def close_company(scene: Scene) -> object:
    return await by_operator(scene, lambda tx: ending.close(tx, timedelta(days=30)))


async def end_it(scene: Scene) -> object:
    """As the sweep does once the grace is over. Of several at once one does it, and whoever comes afterwards finds no company."""
    try:
        await deleting.delete(scene.owner, scene.firm.name)
    except DomainError as error:
        if error.code is not ErrorCode.not_found:
            raise
    return None


async def restore_company(scene: Scene) -> object:
    return await by_operator(scene, ending.restore)


async def close_again(scene: Scene) -> object:
    return await by_operator(scene, lambda tx: ending.close(tx, timedelta(days=30)))


async def end_now(scene: Scene) -> object:
    return await by_operator(scene, lambda tx: ending.end_now(tx, sure=True, without_export=True))


async def edit_by_hand(scene: Scene) -> object:
    async def edited(tx: CompanyTx) -> object:
        return view(await hr.edit_employee(tx, scene.anna.id, people.EmployeeEdits(policy="A")))

    return await by_operator(scene, edited)


async def cut_over(scene: Scene) -> object:
    return await by_operator(scene, lambda tx: move.cut_over(tx, anyway=True))


async def give_up_move(scene: Scene) -> object:
    return await by_operator(scene, move.cancel)


async def by_operator(scene: Scene, act: Callable[[CompanyTx], Awaitable[object]]) -> object:
    """A command, which its operator gives again where it has lost against somebody else."""

    async def attempt() -> object:
        async with as_operator(scene) as tx:
            return await act(tx)

    return await repeated(attempt)


def as_operator(scene: Scene) -> AbstractAsyncContextManager[CompanyTx]:
    """A transaction of an operator's command, which names the company."""
    return scene.owner.scope_for_name(scene.firm.name).transaction(Actor("operator", "test"))


async def create_from_there(scene: Scene) -> object:
    """The new tenant names Anna, by another object."""
    credential = entra.ScimCredential(token_sha256=scene.next_token_sha256, company=scene.firm.name)
    new = entra.NewEmployee(
        login_name="anna@firma.dk",
        email="anna@firma.dk",
        given_name="Anna",
        family_name="Holm",
        external_id=OTHER_OBJECT,
    )
    return await operations.provision_employee(
        scene.database, entra.ProvisionEmployee(credential=credential, employee=new)
    )


async def sign_in_from_there(scene: Scene) -> object:
    attempt = login.LoginAttempt(
        company=scene.firm.name, ticket_sha256="d5" * 32, ticket_ttl_s=60, in_response_to=None, assertion_id="two",
        expires_at=NOON + timedelta(minutes=5), tenant_id=NEXT_TENANT, object_id=OTHER_OBJECT, name_id="anna@firma.dk",
        signer_fingerprint=NEXT_SIGNER,
    )  # fmt: skip
    return msgspec.structs.replace(await logins.complete_login(scene.database, attempt), attempt_id="")


async def suspend_manager(scene: Scene) -> object:
    return await scene.firm.change(scene.people["carl"], active=False)


async def release_held(scene: Scene) -> object:
    return await by_operator(scene, holds.release)


async def do_released(scene: Scene) -> object:
    """What was released is done in transactions of its own."""
    return await apply(scene.firm.operator)


async def refuse_held(scene: Scene) -> object:
    return await brake.refuse(scene.database, held.RefuseHeldChanges(session=scene.admin))


# Where they meet


async def active(scene: Scene) -> None:
    firm = scene.firm
    carl = await firm.create(login="carl@firma.dk", department="Salg")
    anna = await firm.create(external_id=OBJECT, manager_ref=carl.id, department="Salg")
    scene.people |= {"carl": carl, "anna": anna}
    scene.people["bo"] = await firm.create(login="bo@firma.dk", manager_ref=anna.id)
    scene.people["dora"] = await firm.create(login="dora@firma.dk", manager_ref="boss@firma.dk")
    scene.group_id = (await scene.groups.create("Alle", anna, carl)).id
    await insert_session(scene, uuid_of(anna), OLD_SESSION)
    await insert_ticket(scene, uuid_of(anna))
    for table in ("sessions", "login_tickets"):
        known_as = f"update {table} set session_index = '_anna' where employee_id = $1"  # noqa: S608
        await scene.reader.execute(known_as, uuid_of(anna))
    await scene.reader.execute("update employees set roles = '{approver}' where employee_id = $1", uuid_of(anna))


async def flagged(scene: Scene) -> None:
    """In a full cycle nothing was asked about Anna's manager: HR has heard of it, and another such cycle waits for a look."""
    await active(scene)
    for name in ("eva@firma.dk", "fie@firma.dk", "gry@firma.dk"):
        await scene.firm.create(login=name)
    before, company_id = NOON - timedelta(hours=3), scene.firm.company_id
    await scene.reader.execute(
        "update employees set updated_at = $2, owners = jsonb_set(owners, '{manager_ref,1}', to_jsonb($2::timestamptz)) "
        "where company_id = $1 and manager_id is not null",
        company_id,
        before - timedelta(days=1),
    )
    await scene.reader.execute(
        "insert into asked_about (company_id, employee_id, asked_at, manager_asked_at) "
        "select company_id, employee_id, at, case when employee_id <> $3 then at end "
        "from employees, cast($2 as timestamptz) as at where company_id = $1",
        company_id,
        NOON - timedelta(hours=1),
        uuid_of(scene.anna),
    )
    for started_at, looked_at, verdict in ((before, NOON, "full"), (NOON - timedelta(hours=1), None, None)):
        await scene.reader.execute(
            "insert into cycles (company_id, started_at, last_request_at, requests, has_gaps, looked_at, verdict) "
            "values ($1, $2, $2, 100, false, $3, $4)",
            company_id,
            started_at,
            looked_at,
            verdict,
        )
    details = {"manager_id": scene.people["carl"].id, "cycle_started_at": before.isoformat()}
    async with scene.firm.operator() as tx:
        kind, anna = FindingKind.manager_possibly_cleared, scene.anna
        await raise_finding(tx, kind, anna.id, employee_id=uuid_of(anna), details=details)


async def suspended(scene: Scene) -> None:
    await active(scene)
    await scene.firm.change(scene.anna, active=False)


async def asked(scene: Scene) -> None:
    await suspended(scene)
    await scene.reader.execute(
        "update employees set termination_date = '2026-01-01', suspended_on = '2026-01-01' where employee_id = $1",
        uuid_of(scene.anna),
    )
    await scene.firm.change(scene.anna, active=True)


async def imported(scene: Scene) -> None:
    """A Setup admin, of whom Entra has asked."""
    employee_id = await scene.firm.imported(roles=["setup_admin"])
    await scene.reader.execute(
        "update employees set created_at = $1, updated_at = $1 where employee_id = $2", NOON, employee_id
    )
    scene.people["anna"] = (await scene.firm.find(login_name="anna@firma.dk")).employees[0]
    scene.people["carl"] = await scene.firm.create(login="carl@firma.dk")
    scene.people["dora"] = await scene.firm.create(login="dora@firma.dk", manager_ref="boss@firma.dk")
    with pytest.raises(DomainError):
        await create(scene)


async def long_gone(scene: Scene) -> None:
    """Anna is to be erased."""
    await suspended(scene)
    await scene.reader.execute(
        "update employees set termination_date = '2020-01-01', suspended_on = '2020-01-01' where employee_id = $1",
        uuid_of(scene.anna),
    )
    await scene.reader.execute(
        "update companies set erase_after_months = 12, rehire_ask_after_days = null where company_id = $1",
        scene.firm.company_id,
    )


async def braked(scene: Scene) -> None:
    """One may go within the hour, and Bo went; Anna is held."""
    await active(scene)
    await scene.reader.execute(
        "update companies set brake_people = 1, brake_percent = 1 where company_id = $1", scene.firm.company_id
    )
    await scene.firm.change(scene.people["bo"], active=False)
    with pytest.raises(DomainError):
        await suspend(scene)


async def released(scene: Scene) -> None:
    await braked(scene)
    await release_held(scene)


async def moving(scene: Scene) -> None:
    """A move to another tenant is prepared."""
    await active(scene)
    await prepare_move(scene)


async def over(scene: Scene) -> None:
    """Closed, and its grace is over; somebody in it is to be erased."""
    await long_gone(scene)
    await close_company(scene)
    await scene.reader.execute(
        "update companies set ends_at = $2 where company_id = $1", scene.firm.company_id, NOON - timedelta(days=1)
    )


ABOUT: dict[Furnish, set[Act]] = {
    moving: {cut_over, give_up_move, create_from_there, sign_in_from_there},
    flagged: {confirm_cleared, keep_manager, change_manager, look_at_cycles, write_notes},
}
"""What the scene was made for; the others have met without it in another one."""
MEETINGS: dict[Furnish, list[Act]] = {
    active: [
        create, create_boss, create_with_her_mail, create_without_active, change, replace, rename, relink,
        add_boss_by_hand, say_when_she_leaves, suspend, remove, remove_manager, report_to_her, edit, block, end, release, sign_in,
        sign_in_as_somebody_else, open_session, sign_out, sign_out_at_microsoft, grant, revoke, make_admin,
        only_direct, leave_group, fill_group, note_mapping, bring, close_company,
    ],
    flagged: [
        confirm_cleared, keep_manager, change_manager, look_at_cycles, write_notes, remove_manager, suspend, remove, rename, edit,
        release, bring, close_company,
    ],
    suspended: [create, create_without_active, rename, say_when_she_leaves, resume, remove, edit, finish, release, sign_in,
        note_mapping],
    asked: [create, create_boss, rename, report_to_her, relink, suspend, resume, remove, remove_manager, edit, block, end, go_on,
        begin_anew, sign_in],
    imported: [create, create_boss, change, rename, suspend, resume, remove, edit, end, confirm, make_admin, sign_in],
    long_gone: [erase, create, create_boss, rename, resume, remove, end, edit, finish, sign_in, fill_group, bring],
    braked: [suspend, suspend_manager, resume, remove, release_held, refuse_held, end, rename, sign_in, open_session],
    released: [do_released, suspend, resume, remove, end, rename, block, sign_in, open_session, leave_group],
    moving: [
        cut_over, give_up_move, create, create_boss, create_from_there, change, rename, relink, suspend, remove, remove_manager,
        edit, end, block, release, sign_in, sign_in_from_there, open_session, leave_group, fill_group, bring, make_admin,
        close_company, note_mapping,
    ],
    over: [end_it, restore_company, close_again, end_now, edit_by_hand, erase, bring, cut_over, sign_in, create],
}  # fmt: skip
