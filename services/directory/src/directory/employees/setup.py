"""Setup admin's operations on people: each a transaction by the admin's session, around what `hr` does."""

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.routing import Route

from directory import metrics
from directory.access import setup
from directory.cycles.reports import report, unasked
from directory.database import CompanyTx, Database
from directory.employees import hr, writing
from directory.employees.people import view
from directory.employees.record import EmployeeRecord
from directory.employees.releasing import release_attribute
from directory.findings.store import open_findings
from directory.rpc import serve
from directory.worklist.operations import work_list
from shared import operations as declared
from shared.http.service_auth import CallerSecrets
from shared.schemas import people as schema
from shared.schemas import provisioning_report as traffic
from shared.schemas.login import SessionCredential
from shared.telemetry.logs import EventLog

log = EventLog("directory")


async def _person(
    database: Database, session: SessionCredential, act: Callable[[CompanyTx], Awaitable[EmployeeRecord]], event: str
) -> schema.PersonView:
    async def attempt() -> EmployeeRecord:
        async with setup(database, session) as tx:
            return await act(tx)

    after = await writing.repeated(attempt)
    shown = view(after, entra_still_holds=after.state == "departed" and after.source == "entra")
    metrics.WRITES.labels("employee", event.removeprefix("employee_")).inc()
    log.info(event, employee=shown.id)
    return shown


async def create_employee(database: Database, request: schema.CreatePerson) -> schema.PersonView:
    return await _person(
        database, request.session, lambda tx: hr.create_employee(tx, request.person), "employee_created_by_hr"
    )


async def edit_employee(database: Database, request: schema.EditEmployee) -> schema.PersonView:
    return await _person(
        database,
        request.session,
        lambda tx: hr.edit_employee(tx, request.person, request.edits),
        "employee_edited_by_hr",
    )


async def end_employment(database: Database, request: schema.EndEmployment) -> schema.PersonView:
    return await _person(
        database,
        request.session,
        lambda tx: hr.end_employment(tx, request.person, request.on),
        "employee_departed_by_hr",
    )


async def block_access(database: Database, request: schema.BlockAccess) -> schema.PersonView:
    event = "employee_blocked" if request.blocked else "employee_unblocked"
    return await _person(
        database, request.session, lambda tx: hr.set_blocked(tx, request.person, request.blocked), event
    )


async def decide_rehire(database: Database, request: schema.DecideRehire) -> schema.PersonView:
    return await _person(
        database, request.session, lambda tx: hr.decide_rehire(tx, request.person, request.choice), "rehire_decided"
    )


async def confirm_adoption(database: Database, request: schema.ConfirmAdoption) -> schema.PersonView:
    return await _person(
        database, request.session, lambda tx: hr.confirm_adoption(tx, request.person), "adoption_confirmed"
    )


async def confirm_cleared(database: Database, request: schema.ConfirmCleared) -> schema.PersonView:
    event = "manager_kept" if request.keep else "manager_cleared"
    return await _person(
        database, request.session, lambda tx: hr.confirm_cleared(tx, request.person, keep=request.keep), event
    )


async def finish_work(database: Database, request: schema.FinishWork) -> schema.PersonView:
    return await _person(database, request.session, lambda tx: hr.finish_work(tx, request.person), "leaver_finished")


async def release(database: Database, request: schema.ReleaseAttribute) -> schema.ReleasedAttribute:
    people = await release_attribute(lambda: setup(database, request.session), request.attribute)
    log.info("attribute_released", attribute=request.attribute, people=people)
    return schema.ReleasedAttribute(attribute=request.attribute, people=people)


async def findings(database: Database, request: schema.ListFindings) -> schema.FindingList:
    async with setup(database, request.session, reading=True) as tx:
        return schema.FindingList(findings=await open_findings(tx))


async def work(database: Database, request: schema.WorkList) -> schema.WorkItems:
    async with setup(database, request.session, reading=True) as tx:
        return await work_list(tx, request.after, request.limit)


async def provisioning(database: Database, request: traffic.ReadProvisioning) -> traffic.ProvisioningReport:
    async with setup(database, request.session, reading=True) as tx:
        return await report(tx)


async def unasked_people(database: Database, request: traffic.ListUnasked) -> traffic.UnaskedPeople:
    async with setup(database, request.session, reading=True) as tx:
        return await unasked(tx, request.after, request.limit)


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.CREATE_EMPLOYEE, callers, partial(create_employee, database)),
        serve(declared.EDIT_EMPLOYEE, callers, partial(edit_employee, database)),
        serve(declared.END_EMPLOYMENT, callers, partial(end_employment, database)),
        serve(declared.BLOCK_ACCESS, callers, partial(block_access, database)),
        serve(declared.DECIDE_REHIRE, callers, partial(decide_rehire, database)),
        serve(declared.CONFIRM_ADOPTION, callers, partial(confirm_adoption, database)),
        serve(declared.CONFIRM_CLEARED, callers, partial(confirm_cleared, database)),
        serve(declared.RELEASE_ATTRIBUTE, callers, partial(release, database)),
        serve(declared.LIST_FINDINGS, callers, partial(findings, database)),
        serve(declared.WORK_LIST, callers, partial(work, database)),
        serve(declared.FINISH_WORK, callers, partial(finish_work, database)),
        serve(declared.READ_PROVISIONING, callers, partial(provisioning, database)),
        serve(declared.LIST_UNASKED, callers, partial(unasked_people, database)),
    ]
